//! Aggregates: many values into one.

use super::number::Number;
use super::value::{Kind, Unit, Value};
use std::cmp::Ordering;

/// What is computed of the rows.
#[derive(Clone, Debug)]
pub(super) enum Fold {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    Stddev,
    First,
    Last,
    Unique,
    /// The share of *yes*.
    Share,
    /// The percent, and whether a value that occurs is taken.
    Percentile(Number, bool),
}

/// Folds the values of the rows, which come in the order of (time, id, row). Missing values take no part, except
/// that `Count` and `Share` count every row.
///
/// # Errors
/// In words, when amounts of several currencies meet, or the values are no numbers.
pub(super) fn fold(how: &Fold, values: &[Value]) -> Result<Value, String> {
    let known: Vec<&Value> = values.iter().filter(|value| !value.is_missing()).collect();
    match how {
        Fold::Count => Ok(Value::count(values.len())),
        Fold::Share => {
            let yes = values.iter().filter(|value| value.is_yes()).count();
            let share = Number::fraction(yes as i128, values.len() as i128);
            Ok(share.map_or(Value::Missing, |share| Value::Number(share, Unit::of(Kind::Percent))))
        }
        Fold::Unique => {
            let mut distinct: Vec<&Value> = Vec::new();
            for value in known {
                if !distinct.iter().any(|other| other.is_same_label(value)) {
                    distinct.push(value);
                }
            }
            Ok(Value::count(distinct.len()))
        }
        Fold::First => Ok(known.first().map_or(Value::Missing, |value| (*value).clone())),
        Fold::Last => Ok(known.last().map_or(Value::Missing, |value| (*value).clone())),
        Fold::Min => Ok(extreme(&known, Ordering::Less)),
        Fold::Max => Ok(extreme(&known, Ordering::Greater)),
        Fold::Sum => sum(&known).map(|(total, unit)| Value::Number(total, unit)),
        Fold::Avg => {
            let (total, unit) = sum(&known)?;
            let mean = total.divided_by(Number::whole(known.len() as i128));
            Ok(mean.map_or(Value::Missing, |mean| Value::Number(mean, counted(unit))))
        }
        Fold::Stddev => stddev(&known),
        Fold::Percentile(percent, observed) => percentile(&known, *percent, *observed),
    }
}

/// The mean of counts is a number.
fn counted(unit: Unit) -> Unit {
    if unit.kind == Kind::Count { Unit::of(Kind::Number) } else { unit }
}

fn extreme(known: &[&Value], which: Ordering) -> Value {
    let mut best: Option<&Value> = None;
    for value in known {
        if best.is_none_or(|best| value.order(best) == which) {
            best = Some(value);
        }
    }
    best.map_or(Value::Missing, Value::clone)
}

fn numbers(known: &[&Value]) -> Result<(Vec<Number>, Unit), String> {
    let mut unit: Option<Unit> = None;
    let mut numbers = Vec::new();
    for value in known {
        let (number, its) = value.as_number().ok_or_else(|| format!("{value:?} is no number"))?;
        // The sum of nothing is a 0 that does not know its currency.
        let nothing = number.is_zero() && its == Unit::of(Kind::Number);
        match &unit {
            Some(unit) if *unit != its && !nothing => return Err(format!("{unit:?} and {its:?} do not add")),
            Some(_) => {}
            None if nothing => {}
            None => unit = Some(its),
        }
        numbers.push(number);
    }
    Ok((numbers, unit.unwrap_or(Unit::of(Kind::Number))))
}

fn sum(known: &[&Value]) -> Result<(Number, Unit), String> {
    let (numbers, unit) = numbers(known)?;
    Ok((numbers.into_iter().fold(Number::ZERO, Number::plus), unit))
}

/// The deviation of a sample: divided by n - 1, so one value has none.
fn stddev(known: &[&Value]) -> Result<Value, String> {
    let (numbers, unit) = numbers(known)?;
    let count = Number::whole(numbers.len() as i128);
    let total = numbers.iter().copied().fold(Number::ZERO, Number::plus);
    let Some(mean) = total.divided_by(count) else { return Ok(Value::Missing) };
    let squares = numbers.iter().map(|n| n.minus(mean).times(n.minus(mean)));
    let squares = squares.fold(Number::ZERO, Number::plus);
    let variance = squares.divided_by(count.minus(Number::whole(1)));
    Ok(variance.map_or(Value::Missing, |v| Value::Number(Number::Float(v.to_f64().sqrt()), counted(unit))))
}

/// Between the two neighbours of the rank `percent / 100 * (n - 1)` by linear interpolation; observed: the first in order
/// that closes the share asked for.
fn percentile(known: &[&Value], percent: Number, observed: bool) -> Result<Value, String> {
    let (mut numbers, unit) = numbers(known)?;
    if numbers.is_empty() {
        return Ok(Value::Missing);
    }
    numbers.sort_by(|a, b| a.compare(*b));
    if observed {
        let hundred = Number::whole(100);
        let share = percent.times(Number::whole(numbers.len() as i128));
        let enough = |place: i128| Number::whole(place).times(hundred).compare(share).is_ge();
        let place = (1..=numbers.len()).find(|place| enough(*place as i128)).unwrap_or(numbers.len());
        return Ok(Value::Number(numbers[place - 1], counted(unit)));
    }
    let steps = Number::whole(numbers.len() as i128 - 1);
    let rank = percent.times(steps).divided_by(Number::whole(100)).unwrap_or(Number::ZERO);
    let below = (rank.floor().to_f64() as usize).min(numbers.len() - 1);
    let above = (below + 1).min(numbers.len() - 1);
    let part = rank.minus(rank.floor());
    let between = numbers[below].plus(numbers[above].minus(numbers[below]).times(part));
    Ok(Value::Number(between, counted(unit)))
}
