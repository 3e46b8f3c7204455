//! Functions of one value at a time: numbers, text and time.

use super::calendar::{Calendar, Grain, unit_named};
use super::number::Number;
use super::value::{Kind, Unit, Value};
use jiff::civil::Date;
use std::cmp::Ordering;

/// Computes a function; missing in, missing out.
///
/// # Errors
/// In words, when there is no such function or the arguments do not fit.
pub(super) fn call(name: &str, arguments: &[Value], calendar: &Calendar) -> Result<Value, String> {
    let missing = arguments.iter().any(Value::is_missing);
    match (name, arguments) {
        // Conditions are two-valued: with missing they are *no*.
        ("contains" | "starts_with" | "ends_with", _) if missing => Ok(Value::Bool(false)),
        _ if missing => Ok(Value::Missing),
        ("contains", [Value::Text(a), Value::Text(b)]) => Ok(Value::Bool(a.contains(&b[..]))),
        ("starts_with", [Value::Text(a), Value::Text(b)]) => Ok(Value::Bool(a.starts_with(&b[..]))),
        ("ends_with", [Value::Text(a), Value::Text(b)]) => Ok(Value::Bool(a.ends_with(&b[..]))),
        ("lower", [Value::Text(a)]) => Ok(Value::Text(a.to_lowercase())),
        ("upper", [Value::Text(a)]) => Ok(Value::Text(a.to_uppercase())),
        ("trim", [Value::Text(a)]) => Ok(Value::Text(a.trim().to_string())),
        ("length", [Value::Text(a)]) => Ok(Value::number(Number::whole(a.chars().count() as i128))),
        ("replace", [Value::Text(a), Value::Text(b), Value::Text(c)]) => Ok(Value::Text(a.replace(&b[..], c))),
        ("concat", parts) => {
            let mut text = String::new();
            for part in parts {
                match part {
                    Value::Text(part) => text.push_str(part),
                    other => return Err(format!("concat takes text, not {other:?}")),
                }
            }
            Ok(Value::Text(text))
        }
        ("least", [first, rest @ ..]) => extreme(first, rest, Ordering::Less, calendar),
        ("greatest", [first, rest @ ..]) => extreme(first, rest, Ordering::Greater, calendar),
        ("abs" | "round" | "floor" | "ceil" | "sqrt" | "ln" | "exp", [value, rest @ ..]) => {
            let (number, unit) = value.as_number().ok_or_else(|| format!("{name} takes a number"))?;
            let decimals = rest.first().and_then(Value::as_number).map_or(0.0, |(n, _)| n.to_f64());
            Ok(match name {
                "abs" => Value::Number(number.absolute(), unit),
                "round" => Value::Number(number.rounded(decimals as u32), unit),
                "floor" => Value::Number(number.floor(), unit),
                "ceil" => Value::Number(number.ceiling(), unit),
                "sqrt" => real(number.to_f64().sqrt()),
                "ln" => real(number.to_f64().ln()),
                _ => real(number.to_f64().exp()),
            })
        }
        _ => of_time(name, arguments, calendar),
    }
}

/// A root of a negative number and a logarithm of zero are no numbers, so they are missing.
fn real(value: f64) -> Value {
    if value.is_finite() { Value::Number(Number::Float(value), Unit::of(Kind::Number)) } else { Value::Missing }
}

fn extreme(first: &Value, rest: &[Value], which: Ordering, calendar: &Calendar) -> Result<Value, String> {
    let mut best = first;
    for value in rest {
        if value.compare(best, calendar)? == Some(which) {
            best = value;
        }
    }
    Ok(best.clone())
}

fn of_time(name: &str, arguments: &[Value], calendar: &Calendar) -> Result<Value, String> {
    let [value] = arguments else {
        return Err(format!("the oracle knows no {name} of {} arguments", arguments.len()));
    };
    let (at, day) = match value {
        Value::Time(at) => (*at, calendar.day(*at)),
        Value::Date(day) => (calendar.start_of_day(*day), *day),
        other => return Err(format!("the oracle knows no {name} of {other:?}")),
    };
    let count = |number: i64| Ok(Value::number(Number::whole(i128::from(number))));
    match name {
        "weekday" => count(i64::from(day.weekday().to_monday_one_offset())),
        "day_of_month" => count(i64::from(day.day())),
        "day_of_year" => count(i64::from(day.day_of_year())),
        "month_of_year" => count(i64::from(day.month())),
        "quarter_of_year" => count(i64::from(quarter(day))),
        "hour_of_day" => count(i64::from(calendar.local(at).hour())),
        _ => {
            let unit = unit_named(name).filter(|_| !name.ends_with('s'));
            let unit = unit.ok_or_else(|| format!("the oracle knows no function {name}"))?;
            let grain: Grain = calendar.ordinary(unit);
            Ok(Value::Time(calendar.start(grain, at)))
        }
    }
}

fn quarter(day: Date) -> i8 {
    match day.month() {
        1..=3 => 1,
        4..=6 => 2,
        7..=9 => 3,
        _ => 4,
    }
}
