//! `+ - * /` with units: a unit is carried only where it changes a number.

use super::calendar::{Calendar, Length, seconds_in};
use super::number::Number;
use super::value::{Kind, Unit, Value};
use kepi_syntax::ast::{BinaryOp, TimeUnit};

/// Computes one of the four operations; arithmetic with missing is missing, and so is a division by zero.
///
/// # Errors
/// In words, when the operation has no meaning for these values.
pub(super) fn compute(op: BinaryOp, left: &Value, right: &Value, calendar: &Calendar) -> Result<Value, String> {
    if left.is_missing() || right.is_missing() {
        return Ok(Value::Missing);
    }
    if let Some(value) = on_the_calendar(op, left, right, calendar) {
        return Ok(value);
    }
    let (Some((a, unit_a)), Some((b, unit_b))) = (left.as_number(), right.as_number()) else {
        return Err(format!("{left:?} {op:?} {right:?} has no meaning"));
    };
    // The sum of nothing is a 0 that does not know its currency.
    let sum = matches!(op, BinaryOp::Add | BinaryOp::Subtract);
    let (unit_a, unit_b) = match (a.is_zero(), b.is_zero()) {
        (true, _) if sum && unit_a == Unit::of(Kind::Number) => (unit_b.clone(), unit_b),
        (_, true) if sum && unit_b == Unit::of(Kind::Number) => (unit_a.clone(), unit_a),
        _ => (unit_a, unit_b),
    };
    match op {
        BinaryOp::Add => Ok(Value::Number(a.plus(b), summed(op, unit_a, unit_b)?)),
        BinaryOp::Subtract => Ok(Value::Number(a.minus(b), summed(op, unit_a, unit_b)?)),
        BinaryOp::Multiply => Ok(product(a, unit_a, b, unit_b)),
        BinaryOp::Divide => Ok(quotient(a, unit_a, b, unit_b).unwrap_or(Value::Missing)),
        _ => Err(format!("{op:?} is no arithmetic")),
    }
}

/// Times, days and lengths by the calendar.
fn on_the_calendar(op: BinaryOp, left: &Value, right: &Value, calendar: &Calendar) -> Option<Value> {
    Some(match (op, left, right) {
        (BinaryOp::Subtract, Value::Time(a), Value::Time(b)) => Value::Elapsed { from: *b, to: *a },
        (BinaryOp::Subtract, Value::Time(a), Value::Date(b)) => {
            Value::Elapsed { from: calendar.start_of_day(*b), to: *a }
        }
        (BinaryOp::Subtract, Value::Date(a), Value::Time(b)) => {
            Value::Elapsed { from: *b, to: calendar.start_of_day(*a) }
        }
        // Days are counted, whatever the clocks did between them.
        (BinaryOp::Subtract, Value::Date(a), Value::Date(b)) => {
            let days = i128::from(a.since(*b).map_or(0, |span| span.get_days()));
            Value::Number(Number::whole(days * 86_400), Unit::of(Kind::Duration))
        }
        (BinaryOp::Add, Value::Time(at), Value::Length(length))
        | (BinaryOp::Add, Value::Length(length), Value::Time(at)) => Value::Time(calendar.add(*at, *length)),
        (BinaryOp::Subtract, Value::Time(at), Value::Length(length)) => {
            Value::Time(calendar.add(*at, length.negated()))
        }
        (BinaryOp::Add, Value::Date(day), Value::Length(length))
        | (BinaryOp::Add, Value::Length(length), Value::Date(day)) => calendar.add_to_day(*day, *length),
        (BinaryOp::Subtract, Value::Date(day), Value::Length(length)) => calendar.add_to_day(*day, length.negated()),
        (BinaryOp::Add, Value::Length(a), Value::Length(b)) => Value::Length(a.plus(*b)),
        (BinaryOp::Subtract, Value::Length(a), Value::Length(b)) => Value::Length(a.plus(b.negated())),
        (BinaryOp::Add | BinaryOp::Subtract, Value::Time(at), Value::Number(..) | Value::Elapsed { .. }) => {
            let (seconds, unit) = right.as_number()?;
            if unit.kind != Kind::Duration {
                return None;
            }
            let micros = seconds.times(Number::whole(1_000_000)).rounded(0).to_f64() as i64;
            Value::Time(
                calendar.add(
                    *at,
                    Length { months: 0, days: 0, micros: if op == BinaryOp::Add { micros } else { -micros } },
                ),
            )
        }
        _ => return None,
    })
}

fn summed(op: BinaryOp, a: Unit, b: Unit) -> Result<Unit, String> {
    if a.per != b.per {
        return Err(format!("{a:?} and {b:?} do not add"));
    }
    let per = a.per;
    let kind = match (a.kind, b.kind) {
        (Kind::Percent, Kind::Percent) if op == BinaryOp::Subtract => Kind::Points,
        (Kind::Percent, Kind::Points | Kind::Number) | (Kind::Points | Kind::Number, Kind::Percent) => Kind::Percent,
        (Kind::Count, Kind::Number) | (Kind::Number, Kind::Count) => Kind::Number,
        (a, b) if a == b => a,
        (a, b) => return Err(format!("{a:?} and {b:?} do not add")),
    };
    Ok(Unit { kind, per })
}

fn product(a: Number, unit_a: Unit, b: Number, unit_b: Unit) -> Value {
    // X per year × duration = X.
    for (rate, of, length, by) in [(a, &unit_a, b, &unit_b), (b, &unit_b, a, &unit_a)] {
        if let (Some(per), Kind::Duration, None) = (of.per, &by.kind, by.per) {
            let lengths = length.divided_by(Number::whole(seconds_in(per))).unwrap_or(Number::ZERO);
            return Value::Number(rate.times(lengths), Unit::of(of.kind.clone()));
        }
    }
    let per = unit_a.per.or(unit_b.per);
    let kind = match (unit_a.kind, unit_b.kind) {
        (Kind::Money(currency), _) | (_, Kind::Money(currency)) => Kind::Money(currency),
        (Kind::Duration, _) | (_, Kind::Duration) => Kind::Duration,
        (Kind::Percent, Kind::Percent) => Kind::Percent,
        (Kind::Percent, other) | (other, Kind::Percent) if other == Kind::Points => Kind::Points,
        _ => Kind::Number,
    };
    Value::Number(a.times(b), Unit { kind, per })
}

/// None when the divisor is zero.
fn quotient(a: Number, unit_a: Unit, b: Number, unit_b: Unit) -> Option<Value> {
    let plain = a.divided_by(b)?;
    Some(match (&unit_a, &unit_b) {
        // like ÷ like is a number, so money ÷ (money per day) is a duration.
        (x, y) if x.kind == y.kind => match (x.per, y.per) {
            (None, Some(per)) => Value::Number(plain.times(Number::whole(seconds_in(per))), Unit::of(Kind::Duration)),
            (Some(p), Some(q)) if p != q => {
                let factor = Number::fraction(seconds_in(q), seconds_in(p))?;
                Value::number(plain.times(factor))
            }
            (per, other) => {
                Value::Number(plain, Unit { kind: Kind::Number, per: if per == other { None } else { per } })
            }
        },
        // money ÷ duration = money per day; number ÷ duration = number per year.
        (x, Unit { kind: Kind::Duration, per: None }) => {
            let (kind, per) = match &x.kind {
                Kind::Money(currency) => (Kind::Money(currency.clone()), TimeUnit::Day),
                Kind::Count => (Kind::Number, TimeUnit::Year),
                other => (other.clone(), TimeUnit::Year),
            };
            Value::Number(plain.times(Number::whole(seconds_in(per))), Unit { kind, per: Some(per) })
        }
        (x, _) => {
            let kind = if x.kind == Kind::Count { Kind::Number } else { x.kind.clone() };
            Value::Number(plain, Unit { kind, per: x.per })
        }
    })
}
