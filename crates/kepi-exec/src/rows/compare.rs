//! Comparisons of columns: two-valued, *no* with missing; decimals exactly, whatever their scales.

use super::clock::Clock;
use super::column::{Column, Values};
use super::numbers::{both_known, narrow_at, wide_at};
use crate::ExecError;
use arrow_buffer::BooleanBuffer;
use kepi_model::core::Op;
use std::cmp::Ordering;
use std::sync::Arc;

/// `=`, `<`, `<=`, `>`, `>=`; `!=` is the complement of `=`.
pub(crate) fn compare(op: &Op, a: &Column, b: &Column, clock: &mut Clock) -> Result<BooleanBuffer, ExecError> {
    if *op == Op::NotEqual {
        return Ok(!&compare(&Op::Equal, a, b, clock)?);
    }
    let found = match (&a.values, &b.values) {
        (Values::Missing(len), _) | (_, Values::Missing(len)) => return Ok(BooleanBuffer::new_unset(*len)),
        (Values::Decimal(..) | Values::Wide(..) | Values::Float(_), _) => numbers(op, a, b)?,
        (Values::Codes(x, dx), Values::Codes(y, dy)) if Arc::ptr_eq(dx, dy) && *op == Op::Equal => {
            BooleanBuffer::collect_bool(x.len(), |row| x[row] == y[row])
        }
        (Values::Codes(..) | Values::Text(_), Values::Codes(..) | Values::Text(_)) => {
            let holds = holds(op)?;
            BooleanBuffer::collect_bool(a.len(), |row| {
                a.text(row).zip(b.text(row)).is_some_and(|(x, y)| holds(x.cmp(y)))
            })
        }
        (Values::Bool(x), Values::Bool(y)) => {
            let holds = holds(op)?;
            BooleanBuffer::collect_bool(x.len(), |row| holds(x.value(row).cmp(&y.value(row))))
        }
        (Values::Time(x), Values::Time(y)) => ordered(op, x, y)?,
        (Values::Date(x), Values::Date(y)) => ordered(op, x, y)?,
        (Values::Id(x, ex), Values::Id(y, ey)) if ex == ey => ordered(op, x, y)?,
        (Values::Date(_), Values::Time(_)) | (Values::Time(_), Values::Date(_)) => {
            let (x, y) = (instants(a, clock)?, instants(b, clock)?);
            ordered(op, &x, &y)?
        }
        (x, y) => return Err(ExecError::Plan(format!("{} is compared with {}", x.words(), y.words()))),
    };
    Ok(match both_known(a, b) {
        Some(known) => &found & known.inner(),
        None => found,
    })
}

/// The instants of times, or of the first moments of dates.
pub(crate) fn instants(column: &Column, clock: &mut Clock) -> Result<Vec<i64>, ExecError> {
    match &column.values {
        Values::Time(v) => Ok(v.to_vec()),
        Values::Date(v) => Ok(v.iter().map(|&day| clock.start_of_day(i64::from(day))).collect()),
        Values::Missing(len) => Ok(vec![0; *len]),
        other => Err(ExecError::Plan(format!("{} is no time", other.words()))),
    }
}

fn numbers(op: &Op, a: &Column, b: &Column) -> Result<BooleanBuffer, ExecError> {
    let scale = |column: &Column| match &column.values {
        Values::Decimal(_, scale) | Values::Wide(_, scale) => Some(*scale),
        _ => None,
    };
    if let Some((x, y)) = scale(a).zip(scale(b)) {
        let scale = x.max(y);
        if let Some((x, y)) = narrow_at(a, scale).zip(narrow_at(b, scale)) {
            return ordered(op, &x, &y);
        }
        if let Some((x, y)) = wide_at(a, scale).zip(wide_at(b, scale)) {
            return ordered(op, &x, &y);
        }
    }
    let (x, y) = (a.floats()?, b.floats()?);
    ordered(op, &x, &y)
}

fn ordered<T: PartialOrd + Copy>(op: &Op, a: &[T], b: &[T]) -> Result<BooleanBuffer, ExecError> {
    let len = a.len().min(b.len());
    let (a, b) = (&a[..len], &b[..len]);
    Ok(match op {
        Op::Equal => BooleanBuffer::collect_bool(len, |row| a[row] == b[row]),
        Op::Less => BooleanBuffer::collect_bool(len, |row| a[row] < b[row]),
        Op::LessEqual => BooleanBuffer::collect_bool(len, |row| a[row] <= b[row]),
        Op::Greater => BooleanBuffer::collect_bool(len, |row| a[row] > b[row]),
        Op::GreaterEqual => BooleanBuffer::collect_bool(len, |row| a[row] >= b[row]),
        other => return Err(ExecError::Plan(format!("{other:?} is no comparison"))),
    })
}

/// Whether an order of two values is what the comparison asks for.
pub(crate) fn holds(op: &Op) -> Result<fn(Ordering) -> bool, ExecError> {
    Ok(match op {
        Op::Equal => |o| o == Ordering::Equal,
        Op::Less => |o| o == Ordering::Less,
        Op::LessEqual => |o| o != Ordering::Greater,
        Op::Greater => |o| o == Ordering::Greater,
        Op::GreaterEqual => |o| o != Ordering::Less,
        other => return Err(ExecError::Plan(format!("{other:?} is no comparison"))),
    })
}
