//! What the columns of the answer are, and what `vs` adds to each value.

use crate::{FrameColumn, FrameColumnKind};
use kepi_model::core::{CompareWith, Formula, FormulaNode, Op, Query, Shape};
use kepi_model::value::{Kind, Unit, Value};
use std::collections::BTreeSet;

/// The columns of the answer: period, labels, values, each with its comparisons behind it.
///
/// One comparison gives `X previous`, `X change` and `X change %`. Several are told apart by their names:
/// `X previous year`, `X change on previous year`, `X change % on previous year`.
pub(crate) fn frame_columns(query: &Query) -> Vec<FrameColumn> {
    let mut columns = Vec::new();
    if let Some(grain) = &query.per {
        columns.push(FrameColumn {
            name: grain.name(),
            kind: FrameColumnKind::Period,
            unit: Unit::of(Kind::Time),
            grain: Some(grain.clone()),
            better: None,
            words: Vec::new(),
        });
    }
    for (i, label) in query.by.iter().enumerate() {
        columns.push(FrameColumn {
            name: label.name.clone(),
            kind: FrameColumnKind::Dimension,
            unit: label.unit.clone(),
            grain: label.grain.clone(),
            better: None,
            words: bracket_words(query, i),
        });
    }
    let names = comparison_names(query);
    for column in &query.columns {
        let index = columns.len();
        let own = &column.formula.unit;
        let mut push = |name: String, kind, unit| {
            columns.push(FrameColumn { name, kind, unit, grain: None, better: column.better, words: Vec::new() });
        };
        push(column.name.clone(), FrameColumnKind::Value, own.clone());
        for names in &names {
            let name = |suffix: &str| format!("{} {suffix}", column.name);
            push(name(&names.previous), FrameColumnKind::Previous(index), own.clone());
            push(name(&names.change), FrameColumnKind::Change(index), change(own).unit);
            push(name(&names.percent), FrameColumnKind::ChangePercent(index), Unit::of(Kind::Percent));
        }
    }
    columns
}

/// The periods of each bracket, where a label is the age of a retention that has brackets; in words that no spreadsheet
/// takes for a date.
fn bracket_words(query: &Query, label: usize) -> Vec<String> {
    let Some(Shape::Ages { age, brackets, .. }) = &query.shape else { return Vec::new() };
    if *age != label || brackets.is_empty() {
        return Vec::new();
    }
    let begins = [0].into_iter().chain(brackets.iter().copied()).map(|end| end + 1);
    let word = |(from, end): (i64, &i64)| if from == *end { end.to_string() } else { format!("{from} to {end}") };
    // Age 0 is the group itself.
    ["0".to_string()].into_iter().chain(begins.zip(brackets).map(word)).collect()
}

/// What stands behind the column's name.
struct Names {
    previous: String,
    change: String,
    percent: String,
}

fn comparison_names(query: &Query) -> Vec<Names> {
    if query.compare.len() == 1 {
        let other = match query.compare[0].with {
            CompareWith::Target(_) => "target",
            _ => "previous",
        };
        return vec![Names { previous: other.into(), change: "change".into(), percent: "change %".into() }];
    }
    let mut taken = BTreeSet::new();
    let distinct = query.compare.iter().map(|compare| {
        let mut name = compare.name.clone();
        let mut number = 2;
        while !taken.insert(name.clone()) {
            name = format!("{} {number}", compare.name);
            number += 1;
        }
        Names { change: format!("change on {name}"), percent: format!("change % on {name}"), previous: name }
    });
    distinct.collect()
}

/// Value minus previous, the first and second input: of percents in points, of times as a duration.
pub(crate) fn change(unit: &Unit) -> Formula {
    let (op, kind) = match &unit.kind {
        Kind::Percent => (Op::Subtract, Kind::Points),
        Kind::Time | Kind::Date => (Op::Elapsed, Kind::Duration),
        other if is_number(other) => (Op::Subtract, other.clone()),
        _ => return missing(Kind::Number),
    };
    Formula { unit: Unit { kind, per: unit.per }, node: FormulaNode::Call { op, args: inputs(unit) } }
}

/// Change ÷ previous: missing from a negative or zero base, and for what is a percent or points already.
pub(crate) fn change_percent(unit: &Unit) -> Formula {
    if !is_number(&unit.kind) || matches!(unit.kind, Kind::Percent | Kind::Points) {
        return missing(Kind::Percent);
    }
    let percent = |node| Formula { unit: Unit::of(Kind::Percent), node };
    let previous = || Formula { unit: unit.clone(), node: FormulaNode::Aggregate(1) };
    let zero = Formula { unit: unit.clone(), node: FormulaNode::Const(Value::Decimal { digits: 0, scale: 0 }) };
    let grows = Formula {
        unit: Unit::of(Kind::Bool),
        node: FormulaNode::Call { op: Op::Greater, args: vec![previous(), zero] },
    };
    let growth = percent(FormulaNode::Call { op: Op::Divide, args: vec![change(unit), previous()] });
    percent(FormulaNode::Case { whens: vec![(grows, growth)], otherwise: None })
}

fn inputs(unit: &Unit) -> Vec<Formula> {
    (0..2).map(|i| Formula { unit: unit.clone(), node: FormulaNode::Aggregate(i) }).collect()
}

fn missing(kind: Kind) -> Formula {
    Formula { unit: Unit::of(kind), node: FormulaNode::Const(Value::Missing) }
}

fn is_number(kind: &Kind) -> bool {
    use Kind::{Count, Duration, Money, MoneyOf, Number, Percent, Points};
    matches!(kind, Number | Count | Percent | Points | Money(_) | MoneyOf(_) | Duration)
}
