//! Functions of times and dates, in the project's zone.

use super::clock::{Clock, DAY, Days, add_days, clamp_day, period_number, truncate_day};
use super::column::{Column, Type, Values};
use super::compare::instants;
use super::numbers::both_known;
use crate::ExecError;
use arrow_buffer::{BooleanBuffer, NullBuffer};
use kepi_model::calendar::{Grain, TimeUnit, date_of};
use kepi_model::core::Op;
use kepi_model::value::{Kind, Unit};

/// The type of a function of times; none: the operation is not one of these.
pub(crate) fn type_of(op: &Op, args: &[Type], unit: &Unit) -> Option<Type> {
    let missing = args.contains(&Type::Missing);
    Some(match op {
        Op::Elapsed if args.iter().all(|a| *a == Type::Date) => Type::Decimal(0),
        Op::Elapsed => Type::Decimal(6),
        Op::PeriodsBetween(_)
        | Op::Weekday
        | Op::DayOfMonth
        | Op::DayOfYear
        | Op::MonthOfYear
        | Op::QuarterOfYear
        | Op::HourOfDay => Type::Decimal(0),
        Op::ToDate => Type::Date,
        Op::ToTime => Type::Time,
        Op::Truncate(_) | Op::AddSpan(_) if missing => Type::Missing,
        Op::Truncate(grain) if !is_long(grain) => Type::Time,
        Op::Truncate(_) if unit.kind == Kind::Date => Type::Date,
        Op::Truncate(_) if unit.kind == Kind::Time => Type::Time,
        Op::Truncate(_) => args.first().cloned().unwrap_or(Type::Time),
        Op::AddSpan(span) if span.micros == 0 && args.first() == Some(&Type::Date) => Type::Date,
        Op::AddSpan(_) => Type::Time,
        _ => return None,
    })
}

fn is_long(grain: &Grain) -> bool {
    !matches!(grain.unit, TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour)
}

/// What a function of times has learnt about days, kept from batch to batch.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    days: Days,
    numbers: Days,
}

/// Computes a function of times.
pub(crate) fn function(
    op: &Op,
    args: &[&Column],
    ty: &Type,
    tables: &mut Tables,
    clock: &mut Clock,
) -> Result<Column, ExecError> {
    let Some(&a) = args.first() else { return Err(ExecError::Plan("a function of times has no argument".into())) };
    if args.iter().any(|c| matches!(c.values, Values::Missing(_))) {
        return Ok(Column::missing(a.len()));
    }
    let valid = match op {
        Op::Truncate(grain) | Op::PeriodsBetween(grain) => in_table(a, grain, clock)?,
        _ => a.valid.clone(),
    };
    let values = match op {
        // With one argument: the number of its period, see `period_number`.
        Op::PeriodsBetween(grain) => Values::Decimal(numbers(a, grain, tables, clock)?.into(), 0),
        Op::Elapsed => {
            let Some(&b) = args.get(1) else { return Err(ExecError::Plan("only one time is given".into())) };
            let values = match (&a.values, &b.values) {
                (Values::Date(a), Values::Date(b)) => {
                    a.iter().zip(b.iter()).map(|(&a, &b)| (i64::from(a) - i64::from(b)) * 86_400).collect()
                }
                _ => {
                    let (to, from) = (instants(a, clock)?, instants(b, clock)?);
                    to.iter().zip(&from).map(|(t, f)| t.saturating_sub(*f)).collect()
                }
            };
            let scale = if *ty == Type::Decimal(6) { 6 } else { 0 };
            return Ok(Column::new(Values::Decimal(values, scale), both_known(a, b)));
        }
        Op::Truncate(grain) if *ty == Type::Date => {
            let days = days(a, clock)?;
            Values::Date(days.iter().map(|&d| clamp_day(truncate_day(grain, &mut tables.days, d))).collect())
        }
        Op::Truncate(grain) => match &a.values {
            Values::Date(v) if is_long(grain) => {
                let first = |&d: &i32| clock.start_of_day(truncate_day(grain, &mut tables.days, i64::from(d)));
                Values::Time(v.iter().map(first).collect())
            }
            _ => {
                let times = instants(a, clock)?;
                Values::Time(clock.truncate_all(grain, &mut tables.days, &times).into())
            }
        },
        Op::AddSpan(span) => match &a.values {
            Values::Date(v) if *ty == Type::Date => {
                let add = |&d: &i32| {
                    let day = i64::from(d);
                    let later = tables.days.get(day, || add_days(day, *span).unwrap_or(day));
                    clamp_day(later)
                };
                Values::Date(v.iter().map(add).collect())
            }
            _ => {
                let times = instants(a, clock)?;
                Values::Time(clock.add_all(*span, &mut tables.days, &times).into())
            }
        },
        Op::ToTime => Values::Time(instants(a, clock)?.into()),
        Op::ToDate => Values::Date(days(a, clock)?.into_iter().map(clamp_day).collect()),
        Op::HourOfDay => {
            let times = instants(a, clock)?;
            Values::Decimal(times.iter().map(|&t| clock.local(t).1 / (DAY / 24)).collect(), 0)
        }
        Op::Weekday | Op::DayOfMonth | Op::DayOfYear | Op::MonthOfYear | Op::QuarterOfYear => {
            let of = |day: i64| {
                let date = date_of(clamp_day(day));
                i64::from(match op {
                    Op::Weekday => i16::from(date.weekday().to_monday_one_offset()),
                    Op::DayOfMonth => i16::from(date.day()),
                    Op::DayOfYear => date.day_of_year(),
                    Op::MonthOfYear => i16::from(date.month()),
                    _ => (i16::from(date.month()) + 2) / 3,
                })
            };
            let days = days(a, clock)?;
            Values::Decimal(days.iter().map(|&d| tables.numbers.get(d, || of(d))).collect(), 0)
        }
        other => return Err(ExecError::Plan(format!("{other:?} is no function of times"))),
    };
    Ok(Column::new(values, valid))
}

/// Which values are known and lie in a period: a calendar's table has none for days that are not in it.
fn in_table(column: &Column, grain: &Grain, clock: &mut Clock) -> Result<Option<NullBuffer>, ExecError> {
    let Some(table) = &grain.table else { return Ok(column.valid.clone()) };
    let days = days(column, clock)?;
    let has = |row: usize| column.is_known(row) && table.covers(date_of(clamp_day(days[row])));
    Ok(Some(NullBuffer::new(BooleanBuffer::collect_bool(column.len(), has))))
}

/// The local days of times and dates.
fn days(column: &Column, clock: &mut Clock) -> Result<Vec<i64>, ExecError> {
    match &column.values {
        Values::Date(v) => Ok(v.iter().map(|&d| i64::from(d)).collect()),
        Values::Time(v) => Ok(clock.days(v)),
        other => Err(ExecError::Plan(format!("{} is no time", other.words()))),
    }
}

/// Numbers of the periods that times lie in, growing by one per period. The tables are kept from call to call.
pub(crate) fn period_numbers(times: &[i64], grain: &Grain, tables: &mut [Days; 2], clock: &mut Clock) -> Vec<i64> {
    let [days, numbers] = tables;
    if is_long(grain) {
        return clock.by_number(times, numbers, |day| period_number(grain, truncate_day(grain, days, day)));
    }
    let unit = short(grain);
    times.iter().map(|&t| clock.truncate(grain, days, t).div_euclid(unit)).collect()
}

/// The microseconds of a unit shorter than a day.
fn short(grain: &Grain) -> i64 {
    match grain.unit {
        TimeUnit::Second => 1_000_000,
        TimeUnit::Minute => 60_000_000,
        _ => 3_600_000_000,
    }
}

/// Numbers of the periods that times and dates lie in.
fn numbers(column: &Column, grain: &Grain, tables: &mut Tables, clock: &mut Clock) -> Result<Vec<i64>, ExecError> {
    if is_long(grain) {
        let Tables { days: firsts, numbers } = tables;
        let mut number = |day: i64| period_number(grain, truncate_day(grain, firsts, day));
        return Ok(match &column.values {
            Values::Time(times) => clock.by_number(times, numbers, number),
            _ => days(column, clock)?.iter().map(|&day| numbers.get(day, || number(day))).collect(),
        });
    }
    let unit = short(grain);
    let times = instants(column, clock)?;
    // Periods of a zone with half-hour offsets begin at half hours, all by the same amount while the offset holds.
    Ok(times.iter().map(|&t| clock.truncate(grain, &mut tables.days, t).div_euclid(unit)).collect())
}
