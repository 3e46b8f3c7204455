//! Arithmetic on columns: exact on decimals while they fit, else in floats. Missing in, missing out.

use super::column::{Column, Type, Values, power, power_f64};
use crate::ExecError;
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use kepi_model::core::Op;

/// Products with more decimals than this are floats.
const SCALE_MAX: u8 = 18;

/// The type of an operation on numbers; none: the operation is not one of these.
pub(crate) fn type_of(op: &Op, args: &[Type], digits: Option<i64>) -> Option<Type> {
    let scales = || {
        args.iter().try_fold(0, |max, arg| match arg {
            Type::Decimal(scale) => Some((*scale).max(max)),
            Type::Missing => Some(max),
            _ => None,
        })
    };
    let common = || scales().map_or(Type::Float, Type::Decimal);
    Some(match op {
        Op::Add | Op::Subtract | Op::Negate | Op::Abs => common(),
        Op::Multiply => match args {
            [Type::Decimal(a), Type::Decimal(b)] if a + b <= SCALE_MAX => Type::Decimal(a + b),
            [Type::Missing, other] | [other, Type::Missing] => other.clone(),
            _ => Type::Float,
        },
        Op::Divide | Op::Sqrt | Op::Ln | Op::Exp => Type::Float,
        Op::Floor | Op::Ceil | Op::Round => match args.first() {
            Some(Type::Decimal(scale)) => Type::Decimal((*scale).min(digits.unwrap_or(0).clamp(0, 38) as u8)),
            Some(Type::Missing) => Type::Missing,
            _ => Type::Float,
        },
        _ => return None,
    })
}

/// Which rows are known in both.
pub(crate) fn both_known(a: &Column, b: &Column) -> Option<NullBuffer> {
    NullBuffer::union(a.valid.as_ref(), b.valid.as_ref())
}

/// The digits of a decimal column at a scale not below its own; none: they do not fit.
pub(crate) fn narrow_at(column: &Column, scale: u8) -> Option<ScalarBuffer<i64>> {
    let Values::Decimal(values, own) = &column.values else { return None };
    if *own == scale {
        return Some(values.clone());
    }
    let factor = i64::try_from(power(scale.checked_sub(*own)?)).ok()?;
    let mut overflow = false;
    let scaled = values.iter().map(|&v| {
        let (scaled, over) = v.overflowing_mul(factor);
        overflow |= over;
        scaled
    });
    let scaled: ScalarBuffer<i64> = scaled.collect();
    (!overflow).then_some(scaled)
}

/// The same with more room.
pub(crate) fn wide_at(column: &Column, scale: u8) -> Option<Vec<i128>> {
    match &column.values {
        Values::Decimal(values, own) => {
            let factor = power(scale.checked_sub(*own)?);
            // 2^63 times 10^18 fits; scales are at most 18 apart from what was scanned.
            values.iter().map(|&v| i128::from(v).checked_mul(factor)).collect()
        }
        Values::Wide(values, own) => {
            let factor = power(scale.checked_sub(*own)?);
            let known = |row: usize, v: i128| if column.is_known(row) { v.checked_mul(factor) } else { Some(0) };
            values.iter().enumerate().map(|(row, &v)| known(row, v)).collect()
        }
        _ => None,
    }
}

/// `+`, `-` and `*`.
pub(crate) fn arithmetic(op: &Op, a: &Column, b: &Column, ty: &Type) -> Result<Column, ExecError> {
    if matches!(a.values, Values::Missing(_)) || matches!(b.values, Values::Missing(_)) {
        return Ok(Column::missing(a.len()));
    }
    let valid = both_known(a, b);
    if let Type::Decimal(scale) = ty
        && let Some(exact) = exact(op, a, b, *scale, valid.as_ref())
    {
        return Ok(Column::new(exact, valid));
    }
    let (a, b) = (a.floats()?, b.floats()?);
    let pairs = a.iter().zip(b.iter());
    let values = match op {
        Op::Add => pairs.map(|(x, y)| x + y).collect(),
        Op::Subtract => pairs.map(|(x, y)| x - y).collect(),
        Op::Multiply => pairs.map(|(x, y)| x * y).collect(),
        other => return Err(ExecError::Plan(format!("{other:?} is no arithmetic of two numbers"))),
    };
    Ok(Column::new(Values::Float(values), valid))
}

fn exact(op: &Op, a: &Column, b: &Column, scale: u8, valid: Option<&NullBuffer>) -> Option<Values> {
    let multiply = *op == Op::Multiply;
    let narrow = match multiply {
        true => match (&a.values, &b.values) {
            (Values::Decimal(a, _), Values::Decimal(b, _)) => Some((a.clone(), b.clone())),
            _ => None,
        },
        false => narrow_at(a, scale).zip(narrow_at(b, scale)),
    };
    if let Some((a, b)) = narrow
        && let Some(values) = exact_narrow(op, &a, &b)
    {
        return Some(Values::Decimal(values, scale));
    }
    let own = |column: &Column| match &column.values {
        Values::Decimal(_, scale) | Values::Wide(_, scale) => Some(*scale),
        _ => None,
    };
    let (a, b) = match multiply {
        true => (wide_at(a, own(a)?)?, wide_at(b, own(b)?)?),
        false => (wide_at(a, scale)?, wide_at(b, scale)?),
    };
    let mut values = Vec::with_capacity(a.len());
    for (row, (&x, &y)) in a.iter().zip(&b).enumerate() {
        let value = match op {
            Op::Add => x.checked_add(y),
            Op::Subtract => x.checked_sub(y),
            _ => x.checked_mul(y),
        };
        match value {
            Some(value) => values.push(value),
            None if valid.is_some_and(|v| v.is_null(row)) => values.push(0),
            None => return None,
        }
    }
    Some(Column::new(Values::Wide(values.into(), scale), valid.cloned()).narrowed().values)
}

fn exact_narrow(op: &Op, a: &[i64], b: &[i64]) -> Option<ScalarBuffer<i64>> {
    let mut overflow = false;
    let mut note = |(value, over): (i64, bool)| {
        overflow |= over;
        value
    };
    let pairs = a.iter().zip(b);
    let values: ScalarBuffer<i64> = match op {
        Op::Add => pairs.map(|(x, y)| note(x.overflowing_add(*y))).collect(),
        Op::Subtract => pairs.map(|(x, y)| note(x.overflowing_sub(*y))).collect(),
        _ => pairs.map(|(x, y)| note(x.overflowing_mul(*y))).collect(),
    };
    (!overflow).then_some(values)
}

/// `/`: missing when the divisor is 0.
pub(crate) fn divide(a: &Column, b: &Column) -> Result<Column, ExecError> {
    if matches!(a.values, Values::Missing(_)) || matches!(b.values, Values::Missing(_)) {
        return Ok(Column::missing(a.len()));
    }
    let scale = |column: &Column| match &column.values {
        Values::Decimal(_, scale) | Values::Wide(_, scale) => Some(*scale),
        _ => None,
    };
    // Digits at one scale divide as they are, which rounds once.
    let common = scale(a).zip(scale(b)).map(|(a, b)| a.max(b));
    let digits = common.and_then(|s| wide_at(a, s).zip(wide_at(b, s)));
    let values: Vec<f64> = match digits {
        Some((a, b)) => a.iter().zip(&b).map(|(&x, &y)| x as f64 / y as f64).collect(),
        None => a.floats()?.iter().zip(b.floats()?.iter()).map(|(x, y)| x / y).collect(),
    };
    Ok(finite(values, both_known(a, b)))
}

/// What is not finite is missing.
fn finite(values: Vec<f64>, valid: Option<NullBuffer>) -> Column {
    let finite = NullBuffer::new(BooleanBuffer::collect_bool(values.len(), |row| values[row].is_finite()));
    Column::new(Values::Float(values.into()), NullBuffer::union(valid.as_ref(), Some(&finite)))
}

/// The functions of one number. `digits`: the decimals of `round`.
pub(crate) fn unary(op: &Op, a: &Column, digits: Option<i64>) -> Result<Column, ExecError> {
    if let Values::Missing(len) = a.values {
        return Ok(Column::missing(len));
    }
    let valid = a.valid.clone();
    let rounding = match op {
        Op::Round => Some((Rounding::Nearest, digits.unwrap_or(0).clamp(-38, 38))),
        Op::Floor => Some((Rounding::Down, 0)),
        Op::Ceil => Some((Rounding::Up, 0)),
        _ => None,
    };
    let values = match (op, &a.values) {
        (Op::Negate | Op::Abs, Values::Decimal(v, s)) if !v.contains(&i64::MIN) => {
            let sign = |x: i64| if *op == Op::Negate || x < 0 { -x } else { x };
            Values::Decimal(v.iter().map(|&x| sign(x)).collect(), *s)
        }
        (Op::Negate | Op::Abs, Values::Decimal(..) | Values::Wide(..)) => {
            let (Values::Decimal(_, s) | Values::Wide(_, s)) = a.values else { return Ok(Column::missing(a.len())) };
            let wide = wide_at(a, s).unwrap_or_default();
            let sign = |x: i128| if *op == Op::Negate || x < 0 { x.wrapping_neg() } else { x };
            Values::Wide(wide.into_iter().map(sign).collect(), s)
        }
        (Op::Negate, Values::Float(v)) => Values::Float(v.iter().map(|x| -x).collect()),
        (Op::Abs, Values::Float(v)) => Values::Float(v.iter().map(|x| x.abs()).collect()),
        (Op::Round | Op::Floor | Op::Ceil, Values::Decimal(_, s) | Values::Wide(_, s)) => {
            let (how, digits) = rounding.unwrap_or((Rounding::Nearest, 0));
            let target = (*s).min(digits.max(0) as u8);
            let wide = wide_at(a, *s).unwrap_or_default();
            let rounded = wide.into_iter().map(|x| round_digits(x, *s, digits, target, how)).collect();
            return Ok(Column::new(Values::Wide(rounded, target), valid).narrowed());
        }
        (Op::Round | Op::Floor | Op::Ceil, Values::Float(v)) => {
            let (how, digits) = rounding.unwrap_or((Rounding::Nearest, 0));
            Values::Float(v.iter().map(|&x| round_float(x, digits as i32, how)).collect())
        }
        (Op::Sqrt | Op::Ln | Op::Exp, _) => {
            let of = match op {
                Op::Sqrt => f64::sqrt,
                Op::Ln => f64::ln,
                _ => f64::exp,
            };
            return Ok(finite(a.floats()?.iter().map(|&x| of(x)).collect(), valid));
        }
        (op, values) => return Err(ExecError::Plan(format!("{op:?} does not take {}", values.words()))),
    };
    Ok(Column::new(values, valid))
}

#[derive(Clone, Copy)]
enum Rounding {
    Nearest,
    Down,
    Up,
}

/// Rounds digits of scale `from` to `digits` decimals (fewer than 0: tens, hundreds), as digits of scale `to`.
fn round_digits(value: i128, from: u8, digits: i64, to: u8, how: Rounding) -> i128 {
    let drop = i64::from(from) - digits;
    if drop <= 0 {
        return value;
    }
    if drop > 38 {
        return 0;
    }
    let unit = power(drop as u8);
    let whole = match how {
        Rounding::Down => value.div_euclid(unit),
        Rounding::Up => -(-value).div_euclid(unit),
        // Half away from zero.
        Rounding::Nearest => {
            let (quotient, rest) = (value / unit, value % unit);
            let up = rest.unsigned_abs() >= unit.unsigned_abs() - rest.unsigned_abs();
            if up { quotient + value.signum() } else { quotient }
        }
    };
    // `whole` counts units of 10^-digits; with negative digits they become ones again.
    whole.saturating_mul(power((i64::from(to) - digits).max(0) as u8))
}

fn round_float(value: f64, digits: i32, how: Rounding) -> f64 {
    let unit = 10_f64.powi(digits.abs());
    let scaled = if digits >= 0 { value * unit } else { value / unit };
    if !scaled.is_finite() {
        return value;
    }
    let whole = match how {
        Rounding::Nearest => scaled.round(),
        Rounding::Down => scaled.floor(),
        Rounding::Up => scaled.ceil(),
    };
    if digits >= 0 { whole / unit } else { whole * unit }
}

/// Digits of one scale as a float, rounded once where both are exact.
pub(crate) fn to_float(digits: i128, scale: u8) -> f64 {
    digits as f64 / power_f64(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_half_away_from_zero() {
        assert_eq!(round_digits(125, 2, 1, 1, Rounding::Nearest), 13);
        assert_eq!(round_digits(-125, 2, 1, 1, Rounding::Nearest), -13);
        assert_eq!(round_digits(124, 2, 1, 1, Rounding::Nearest), 12);
        assert_eq!(round_digits(-101, 2, 0, 0, Rounding::Down), -2);
        assert_eq!(round_digits(-101, 2, 0, 0, Rounding::Up), -1);
        assert_eq!(round_digits(15_050, 2, -2, 0, Rounding::Nearest), 200);
    }
}
