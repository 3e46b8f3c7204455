//! The operations on the values of cells. All but the conditions are missing when an argument is.

use super::cell::{Cell, CellType};
use super::number::{Number, SCALE_MAX, TooLong};
use crate::ExecError;
use kepi_model::calendar::{Grain, TimeUnit, Zone, date_of, day_number, truncate_date};
use kepi_model::core::Op;
use kepi_model::value::CalendarSpan;
use std::cmp::Ordering;

/// Computes an operation whose arguments are all needed; `Otherwise`, `And`, `Or`, `In` and `Matches` are the
/// formula's own, since they look at some arguments only.
pub(crate) fn apply(op: &Op, args: &[Cell], zone: &Zone) -> Result<Cell, ExecError> {
    match (op, args) {
        (Op::Not, [a]) => return Ok(Cell::Bool(!a.is_yes())),
        (Op::IsMissing, [a]) => return Ok(Cell::Bool(a.is_missing())),
        (Op::Equal, [a, b]) => return Ok(Cell::Bool(equal(a, b, zone)?)),
        (Op::NotEqual, [a, b]) => return Ok(Cell::Bool(!equal(a, b, zone)?)),
        (Op::Less, [a, b]) => return holds(a, b, zone, Ordering::is_lt),
        (Op::LessEqual, [a, b]) => return holds(a, b, zone, Ordering::is_le),
        (Op::Greater, [a, b]) => return holds(a, b, zone, Ordering::is_gt),
        (Op::GreaterEqual, [a, b]) => return holds(a, b, zone, Ordering::is_ge),
        (Op::Contains, [a, b]) => return text_holds(a, b, |a, b| a.contains(b)),
        (Op::StartsWith, [a, b]) => return text_holds(a, b, |a, b| a.starts_with(b)),
        (Op::EndsWith, [a, b]) => return text_holds(a, b, |a, b| a.ends_with(b)),
        _ => {}
    }
    if args.iter().any(Cell::is_missing) {
        return Ok(Cell::Missing);
    }
    known(op, args, zone)
}

fn known(op: &Op, args: &[Cell], zone: &Zone) -> Result<Cell, ExecError> {
    use Cell::{Date, Number as N, Text, Time};
    let long = |_: TooLong| ExecError::Overflow(format!("{op:?}"));
    Ok(match (op, args) {
        (Op::Add, [N(a), N(b)]) => Cell::number(a.add(*b).map_err(long)?),
        (Op::Subtract, [N(a), N(b)]) => Cell::number(a.subtract(*b).map_err(long)?),
        (Op::Multiply, [N(a), N(b)]) => Cell::number(a.multiply(*b).map_err(long)?),
        (Op::Divide, [N(a), N(b)]) => Cell::number(a.divide(*b)),
        (Op::Negate, [N(a)]) => Cell::number(a.negate()),
        (Op::Abs, [N(a)]) => Cell::number(a.abs()),
        (Op::Floor, [N(a)]) => Cell::number(a.floor()),
        (Op::Ceil, [N(a)]) => Cell::number(a.ceil()),
        (Op::Round, [N(a)]) => Cell::number(a.round(0)),
        (Op::Round, [N(a), N(b)]) => Cell::number(a.round(decimals(*b))),
        (Op::Sqrt, [N(a)]) => Cell::number(Number::float(a.as_f64().sqrt())),
        (Op::Ln, [N(a)]) => Cell::number(Number::float(a.as_f64().ln())),
        (Op::Exp, [N(a)]) => Cell::number(Number::float(a.as_f64().exp())),
        (Op::Least, [first, rest @ ..]) => extreme(first, rest, zone, Ordering::Less)?,
        (Op::Greatest, [first, rest @ ..]) => extreme(first, rest, zone, Ordering::Greater)?,
        (Op::Lower, [Text(a)]) => Text(a.to_lowercase().into()),
        (Op::Upper, [Text(a)]) => Text(a.to_uppercase().into()),
        (Op::Trim, [Text(a)]) => Text(a.trim().into()),
        (Op::Length, [Text(a)]) => N(Number::whole(a.chars().count() as i64)),
        (Op::Concat, parts) => Text(parts.iter().map(|p| text(op, p)).collect::<Result<String, _>>()?.into()),
        (Op::Replace, [Text(a), Text(from), Text(_)]) if from.is_empty() => Text(a.clone()),
        (Op::Replace, [Text(a), Text(from), Text(to)]) => Text(a.replace(&**from, to).into()),
        (Op::AddSpan(span), [Time(at)]) => Time(zone.add(*at, *span)),
        (Op::AddSpan(span), [Date(day)]) => add_to_day(*day, *span, zone),
        // Days are counted, whatever the clocks did between them, as in a row.
        (Op::Elapsed, [Date(a), Date(b)]) => N(Number::Exact((i128::from(*a) - i128::from(*b)) * 86_400_000_000, 6)),
        (Op::Elapsed, [a, b]) => {
            let (a, b) = (instant(op, a, zone)?, instant(op, b, zone)?);
            N(Number::Exact(i128::from(a) - i128::from(b), 6))
        }
        (Op::PeriodsBetween(grain), [a, b]) => {
            let (a, b) = (instant(op, a, zone)?, instant(op, b, zone)?);
            N(Number::whole(zone.periods_between(grain, b, a)))
        }
        (Op::Truncate(grain), [Time(at)]) => Time(zone.truncate(grain, *at)),
        (Op::Truncate(grain), [Date(day)]) => truncate_day(grain, *day, zone),
        (Op::ToDate, [Time(at)]) => Date(zone.day_number(*at)),
        (Op::ToDate, [Date(day)]) => Date(*day),
        (Op::ToTime, [Date(day)]) => Time(zone.start_of_day(date_of(*day))),
        (Op::ToTime, [Time(at)]) => Time(*at),
        (Op::HourOfDay, [Time(at)]) => N(Number::whole(i64::from(zone.local(*at).hour()))),
        (
            Op::Weekday | Op::DayOfMonth | Op::DayOfYear | Op::MonthOfYear | Op::QuarterOfYear,
            [day @ (Time(_) | Date(_))],
        ) => {
            let date = match day {
                Date(day) => date_of(*day),
                other => zone.local(instant(op, other, zone)?).date(),
            };
            N(Number::whole(match op {
                Op::Weekday => i64::from(date.weekday().to_monday_one_offset()),
                Op::DayOfMonth => i64::from(date.day()),
                Op::DayOfYear => i64::from(date.day_of_year()),
                Op::MonthOfYear => i64::from(date.month()),
                _ => i64::from((date.month() - 1) / 3 + 1),
            }))
        }
        _ => return Err(wrong(op, args)),
    })
}

/// What an operation gives, from what its arguments are; `decimals` is the constant second argument of `Round`.
pub(crate) fn type_of(op: &Op, args: &[CellType], decimals: Option<i32>) -> Result<CellType, ExecError> {
    use CellType::{Bool, Date, Exact, Float, Text, Time};
    let all = || args.iter().try_fold(CellType::Missing, |a, b| a.unify(*b));
    let first = args.first().copied().unwrap_or(CellType::Missing);
    Ok(match op {
        Op::Add | Op::Subtract | Op::Otherwise | Op::Least | Op::Greatest => all()?,
        Op::Multiply => match (first, args.get(1)) {
            (Exact(a), Some(Exact(b))) if a + b <= SCALE_MAX => Exact(a + b),
            _ => Float,
        },
        Op::Divide | Op::Sqrt | Op::Ln | Op::Exp => Float,
        Op::Negate | Op::Abs => first,
        Op::Floor | Op::Ceil => {
            if first == Float {
                Float
            } else {
                Exact(0)
            }
        }
        Op::Round => match (first, decimals) {
            (Exact(scale), Some(to)) => Exact(scale.min(to.clamp(0, 38) as u8)),
            (other, _) => other,
        },
        Op::Equal | Op::NotEqual | Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual => Bool,
        Op::And | Op::Or | Op::Not | Op::In | Op::IsMissing => Bool,
        Op::Matches | Op::Contains | Op::StartsWith | Op::EndsWith => Bool,
        Op::Lower | Op::Upper | Op::Trim | Op::Concat | Op::Replace => Text,
        Op::Length | Op::PeriodsBetween(_) | Op::HourOfDay => Exact(0),
        Op::Weekday | Op::DayOfMonth | Op::DayOfYear | Op::MonthOfYear | Op::QuarterOfYear => Exact(0),
        Op::Elapsed => Exact(6),
        Op::AddSpan(span) => {
            if first == Date && span.micros == 0 {
                Date
            } else {
                Time
            }
        }
        Op::Truncate(grain) => {
            if first == Date && !is_within_day(grain) {
                Date
            } else {
                Time
            }
        }
        Op::ToDate => Date,
        Op::ToTime => Time,
    })
}

/// Whether two values are equal; missing equals nothing.
pub(crate) fn equal(a: &Cell, b: &Cell, zone: &Zone) -> Result<bool, ExecError> {
    Ok(compare(a, b, zone)?.is_some_and(Ordering::is_eq))
}

/// How a number of decimals reads; out of range it is so large that it changes nothing.
pub(crate) fn decimals(number: Number) -> i32 {
    number.as_f64().clamp(-400.0, 400.0) as i32
}

/// The order of two values; none when one is missing.
fn compare(a: &Cell, b: &Cell, zone: &Zone) -> Result<Option<Ordering>, ExecError> {
    Ok(Some(match (a, b) {
        (Cell::Missing, _) | (_, Cell::Missing) => return Ok(None),
        (Cell::Number(a), Cell::Number(b)) => a.compare(*b),
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        (Cell::Bool(a), Cell::Bool(b)) => a.cmp(b),
        (Cell::Date(a), Cell::Date(b)) => a.cmp(b),
        (Cell::Time(_) | Cell::Date(_), Cell::Time(_) | Cell::Date(_)) => {
            instant(&Op::Equal, a, zone)?.cmp(&instant(&Op::Equal, b, zone)?)
        }
        _ => return Err(ExecError::Plan(format!("{} does not compare with {}", kind(a), kind(b)))),
    }))
}

fn holds(a: &Cell, b: &Cell, zone: &Zone, test: fn(Ordering) -> bool) -> Result<Cell, ExecError> {
    Ok(Cell::Bool(compare(a, b, zone)?.is_some_and(test)))
}

fn text_holds(a: &Cell, b: &Cell, test: fn(&str, &str) -> bool) -> Result<Cell, ExecError> {
    Ok(Cell::Bool(match (a, b) {
        (Cell::Missing, _) | (_, Cell::Missing) => false,
        (Cell::Text(a), Cell::Text(b)) => test(a, b),
        _ => return Err(ExecError::Plan(format!("{} and {} are not both text", kind(a), kind(b)))),
    }))
}

fn extreme(first: &Cell, rest: &[Cell], zone: &Zone, wanted: Ordering) -> Result<Cell, ExecError> {
    let mut best = first;
    for next in rest {
        if compare(next, best, zone)? == Some(wanted) {
            best = next;
        }
    }
    Ok(best.clone())
}

fn text<'a>(op: &Op, cell: &'a Cell) -> Result<&'a str, ExecError> {
    match cell {
        Cell::Text(text) => Ok(text),
        other => Err(wrong(op, std::slice::from_ref(other))),
    }
}

/// The instant of a time, or of the first moment of a day.
fn instant(op: &Op, cell: &Cell, zone: &Zone) -> Result<i64, ExecError> {
    match cell {
        Cell::Time(at) => Ok(*at),
        Cell::Date(day) => Ok(zone.start_of_day(date_of(*day))),
        other => Err(wrong(op, std::slice::from_ref(other))),
    }
}

fn add_to_day(day: i32, span: CalendarSpan, zone: &Zone) -> Cell {
    if span.micros != 0 {
        return Cell::Time(zone.add(zone.start_of_day(date_of(day)), span));
    }
    // Days have no zone: midnight may not exist in the project's.
    let utc = Zone::utc();
    Cell::Date(utc.day_number(utc.add(utc.start_of_day(date_of(day)), span)))
}

fn truncate_day(grain: &Grain, day: i32, zone: &Zone) -> Cell {
    if is_within_day(grain) {
        return Cell::Time(zone.start_of_day(date_of(day)));
    }
    Cell::Date(day_number(truncate_date(grain, date_of(day))))
}

fn is_within_day(grain: &Grain) -> bool {
    matches!(grain.unit, TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour)
}

fn wrong(op: &Op, args: &[Cell]) -> ExecError {
    let kinds: Vec<&str> = args.iter().map(kind).collect();
    ExecError::Plan(format!("{op:?} does not take {}", kinds.join(", ")))
}

fn kind(cell: &Cell) -> &'static str {
    match cell {
        Cell::Missing => "a missing value",
        Cell::Number(_) => "a number",
        Cell::Text(_) => "text",
        Cell::Bool(_) => "yes or no",
        Cell::Time(_) => "a time",
        Cell::Date(_) => "a date",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(digits: i128, scale: u8) -> Cell {
        Cell::Number(Number::Exact(digits, scale))
    }

    fn shown(op: Op, args: &[Cell]) -> String {
        match apply(&op, args, &Zone::utc()) {
            Ok(cell) => format!("{cell:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn conditions_are_no_with_missing_and_their_complement_is_yes() {
        let one = number(1, 0);
        for op in [Op::Equal, Op::Less, Op::GreaterEqual] {
            assert_eq!(shown(op, &[one.clone(), Cell::Missing]), "Bool(false)");
        }
        assert_eq!(shown(Op::NotEqual, &[one.clone(), Cell::Missing]), "Bool(true)");
        assert_eq!(shown(Op::Not, &[Cell::Missing]), "Bool(true)");
        assert_eq!(shown(Op::Contains, &[Cell::Missing, Cell::Text("a".into())]), "Bool(false)");
        assert_eq!(shown(Op::IsMissing, &[Cell::Missing]), "Bool(true)");
        assert_eq!(shown(Op::Add, &[one, Cell::Missing]), "Missing");
    }

    #[test]
    fn division_by_zero_and_what_is_no_number_are_missing() {
        assert_eq!(shown(Op::Divide, &[number(1, 0), number(0, 2)]), "Missing");
        assert_eq!(shown(Op::Ln, &[number(0, 0)]), "Missing");
        assert_eq!(shown(Op::Sqrt, &[number(-1, 0)]), "Missing");
    }

    #[test]
    fn days_and_months_are_those_of_the_calendar() {
        let month = CalendarSpan { months: -1, ..CalendarSpan::default() };
        let march = day_number(kepi_model::calendar::date_of(0).saturating_add(jiff::Span::new().days(20_178)));
        // 2025-03-31 less a month is the last of February.
        assert_eq!(shown(Op::AddSpan(month), &[Cell::Date(march)]), format!("Date({})", march - 31));
        assert_eq!(shown(Op::Weekday, &[Cell::Date(march)]), "Number(Exact(1, 0))");
        assert_eq!(shown(Op::Elapsed, &[Cell::Date(1), Cell::Time(0)]), "Number(Exact(86400000000, 6))");
        assert_eq!(shown(Op::Elapsed, &[Cell::Date(3), Cell::Date(1)]), "Number(Exact(172800000000, 6))");
    }

    #[test]
    fn a_wrong_argument_is_said_in_words() {
        let error = shown(Op::Add, &[Cell::Bool(true), number(1, 0)]);
        assert_eq!(error, "the plan does not fit together: Add does not take yes or no, a number");
    }
}
