//! What a label or a condition of an entity is of nobody: of a row that lacks the entity (rule 9).
//!
//! A dimension is missing there, and a segment does not hold, whatever they say of what is missing. Most expressions are so
//! by themselves and stay as they are.

use super::Node;
use crate::core::{Measure, Op, Row, RowNode};
use crate::value::{Kind, Unit, Value};

/// A dimension or segment of an entity, as it is for rows that may lack the entity.
pub(super) fn of_somebody(row: Row, entity: &Row, condition: bool) -> Row {
    if condition {
        if is_no(&row, entity) {
            return row;
        }
        let known = Row::call(Op::Not, vec![unknown(entity)], Unit::of(Kind::Bool));
        return Row::call(Op::And, vec![known, row], Unit::of(Kind::Bool));
    }
    if is_missing(&row, entity) { row } else { missing_without(row, entity) }
}

/// A value that is missing where the entity is.
pub(super) fn missing_without(row: Row, entity: &Row) -> Row {
    let unit = row.unit.clone();
    let unknown = unknown(entity);
    if matches!(&row.node, RowNode::Case { whens, .. } if whens.first().is_some_and(|(when, _)| *when == unknown)) {
        return row;
    }
    let missing = Row::constant(Value::Missing, Unit::of(Kind::Missing));
    Row::case(vec![(unknown, missing)], Some(Box::new(row)), unit)
}

fn unknown(entity: &Row) -> Row {
    Row::call(Op::IsMissing, vec![entity.clone()], Unit::of(Kind::Bool))
}

/// Whether a value is missing by itself where the entity is.
fn is_missing(row: &Row, entity: &Row) -> bool {
    if row == entity {
        return true;
    }
    match &row.node {
        RowNode::Attribute { of, .. }
        | RowNode::Key { of, .. }
        | RowNode::Convert { of, .. }
        | RowNode::Lifecycle { of, .. }
        | RowNode::StateAverage { of, .. }
        | RowNode::TimeIn { of, .. }
        | RowNode::Tile { subject: of, .. } => is_missing(of, entity),
        // Of whom a state of numbers does not hold it is 0.
        RowNode::State { of, .. } => row.unit.kind == Kind::Text && is_missing(of, entity),
        RowNode::Modelled(model) => is_missing(&model.subject, entity),
        RowNode::History(history) => {
            let of_nothing = matches!(
                history.measure,
                Measure::First(_) | Measure::Last(_) | Measure::Min(_) | Measure::Max(_) | Measure::Avg(_)
            );
            of_nothing && is_missing(&history.subject, entity)
        }
        RowNode::Call { op, args } => match op {
            Op::And | Op::Or | Op::Not | Op::IsMissing | Op::Otherwise => false,
            _ if row.unit.kind == Kind::Bool => false,
            _ => args.iter().any(|arg| is_missing(arg, entity)),
        },
        _ => false,
    }
}

/// Whether a condition does not hold by itself where the entity is missing.
fn is_no(row: &Row, entity: &Row) -> bool {
    match &row.node {
        RowNode::Call { op, args } => match op {
            Op::And => args.iter().any(|arg| is_no(arg, entity)),
            Op::Or => args.iter().all(|arg| is_no(arg, entity)),
            Op::Equal
            | Op::Less
            | Op::LessEqual
            | Op::Greater
            | Op::GreaterEqual
            | Op::Matches
            | Op::Contains
            | Op::StartsWith
            | Op::EndsWith => args.iter().any(|arg| is_missing(arg, entity)),
            Op::In => args.first().is_some_and(|arg| is_missing(arg, entity)),
            _ => false,
        },
        RowNode::State { of, .. } => row.unit.kind == Kind::Bool && is_missing(of, entity),
        _ => row.unit.kind == Kind::Bool && is_missing(row, entity),
    }
}
