//! Aggregates with fewer labels, or over the rows that have some of them.

use super::cell::Cell;
use super::number::Number;
use crate::ExecError;
use kepi_model::core::{Aggregate, Base, Groups, Made, Op, Row, RowNode};
use kepi_model::value::{Kind, Unit, Value};
use std::collections::BTreeSet;

/// Leaves labels out of an aggregate: its rows of all their values are one. So are the groups that it is taken of.
pub(crate) fn without(aggregate: &mut Aggregate, labels: &[usize]) {
    let kept = std::mem::take(&mut aggregate.labels).into_iter().enumerate().filter(|(i, _)| !labels.contains(i));
    aggregate.labels = kept.map(|(_, row)| row).collect();
    aggregate.across.clear();
    blank(aggregate, labels);
}

/// Gives all groups the same missing value for a label, whatever the label is. Its number stays, others are named by it.
pub(crate) fn blank(aggregate: &mut Aggregate, labels: &[usize]) {
    let Some(groups) = groups_of(&mut aggregate.events.base) else { return };
    for inner in &mut groups.aggregates {
        let own = inner.labels.len().saturating_sub(groups.keys.len());
        for label in inner.labels.iter_mut().take(own).enumerate().filter(|(i, _)| labels.contains(i)).map(|l| l.1) {
            label.node = RowNode::Const(Value::Missing);
        }
        blank(inner, labels);
    }
}

fn groups_of(base: &mut Base) -> Option<&mut Groups> {
    match base {
        Base::Made(made) => match &mut **made {
            Made::Groups(groups) => Some(groups),
            _ => None,
        },
        Base::Stream(_) | Base::Entity(_) => None,
    }
}

/// The aggregate over the rows that have, in some labels, the values of one of the cells; or (`complement`) of none.
pub(crate) fn restricted(
    own: &Aggregate,
    labels: &[usize],
    cells: &[Vec<Cell>],
    complement: bool,
) -> Result<Aggregate, ExecError> {
    let mut aggregate = own.clone();
    if let Some(groups) = groups_of(&mut aggregate.events.base)
        && groups.aggregates.iter().any(|inner| inner.labels.len() > groups.keys.len())
    {
        // The labels are those of the rows that groups are made of.
        for inner in &mut groups.aggregates {
            *inner = restricted(inner, labels, cells, complement)?;
        }
        return Ok(aggregate);
    }
    let is_one = any(cells.iter().map(|cells| all_equal(own, labels, cells)).collect::<Result<_, _>>()?);
    let wanted = if complement { call(Op::Not, vec![is_one]) } else { is_one };
    aggregate.filter = Some(match aggregate.filter.take() {
        Some(filter) => call(Op::And, vec![filter, wanted]),
        None => wanted,
    });
    Ok(aggregate)
}

/// Those of some cells that differ in some labels.
pub(crate) fn distinct(cells: &[Vec<Cell>], labels: &[usize]) -> Vec<Vec<Cell>> {
    let mut seen = BTreeSet::new();
    let values = |cells: &[Cell]| labels.iter().map(|i| format!("{:?}", cells.get(*i))).collect::<Vec<_>>();
    cells.iter().filter(|cells| seen.insert(values(cells))).cloned().collect()
}

/// Whether a row has the values of a cell in some labels.
fn all_equal(aggregate: &Aggregate, labels: &[usize], cells: &[Cell]) -> Result<Row, ExecError> {
    let mut conditions = Vec::new();
    for i in labels {
        let Some((label, cell)) = aggregate.labels.get(*i).zip(cells.get(*i)) else { continue };
        conditions.push(match value(cell) {
            None => call(Op::IsMissing, vec![label.clone()]),
            Some(value) => {
                let (label, unit) = match &label.unit.kind {
                    Kind::Entity(entity) => {
                        let of = Box::new(label.clone());
                        let text = Unit::of(Kind::Text);
                        (Row { unit: text.clone(), node: RowNode::Key { of, entity: entity.clone() } }, text)
                    }
                    _ => (label.clone(), label.unit.clone()),
                };
                call(Op::Equal, vec![label, Row { unit, node: RowNode::Const(value) }])
            }
        });
    }
    conditions
        .into_iter()
        .reduce(|a, b| call(Op::And, vec![a, b]))
        .ok_or_else(|| ExecError::Plan(format!("`{}` has no labels", aggregate.text)))
}

/// Whether one of the conditions holds, as a shallow tree.
fn any(mut conditions: Vec<Row>) -> Row {
    match conditions.len() {
        0 => Row { unit: Unit::of(Kind::Bool), node: RowNode::Const(Value::Bool(false)) },
        1 => conditions.remove(0),
        n => {
            let right = conditions.split_off(n / 2);
            call(Op::Or, vec![any(conditions), any(right)])
        }
    }
}

fn call(op: Op, args: Vec<Row>) -> Row {
    Row { unit: Unit::of(Kind::Bool), node: RowNode::Call { op, args } }
}

/// A cell as a constant; none where it is missing.
fn value(cell: &Cell) -> Option<Value> {
    Some(match cell {
        Cell::Missing => return None,
        Cell::Number(Number::Exact(digits, scale)) => Value::Decimal { digits: *digits, scale: *scale },
        Cell::Number(Number::Float(value)) => Value::Float(*value),
        Cell::Text(text) => Value::Text(text.to_string()),
        Cell::Bool(value) => Value::Bool(*value),
        Cell::Time(micros) => Value::Time(*micros),
        Cell::Date(day) => Value::Date(*day),
    })
}
