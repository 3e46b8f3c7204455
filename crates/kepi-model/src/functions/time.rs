//! Functions of time: truncated to a period, or a number of the calendar in the project's zone.

use super::{Builtin, Family, Lowering, Rule, scalar};
use crate::core::Op;
use kepi_syntax::ast::TimeUnit;

const F: Family = Family::Time;

const fn truncate(
    name: &'static str,
    usage: &'static str,
    unit: TimeUnit,
    doc: &'static str,
    example: &'static str,
) -> Builtin {
    Builtin { name, family: F, usage, doc, example, lowering: Lowering::Truncate(unit) }
}

const fn part(name: &'static str, usage: &'static str, op: Op, doc: &'static str, example: &'static str) -> Builtin {
    scalar(F, name, usage, op, (1, 1), Rule::TimeToNumber, doc, example)
}

pub(super) const ALL: &[Builtin] = &[
    truncate("minute", "minute(t)", TimeUnit::Minute, "Takes the first instant of the minute.", "minute(orders.at)"),
    truncate("hour", "hour(t)", TimeUnit::Hour, "Takes the first instant of the hour.", "hour(orders.at)"),
    truncate("day", "day(t)", TimeUnit::Day, "Takes the first instant of the day.", "day(orders.at)"),
    truncate("week", "week(t)", TimeUnit::Week, "Takes the first instant of the week.", "week(orders.at)"),
    truncate("month", "month(t)", TimeUnit::Month, "Takes the first instant of the month.", "month(orders.at)"),
    truncate(
        "quarter",
        "quarter(t)",
        TimeUnit::Quarter,
        "Takes the first instant of the quarter.",
        "quarter(orders.at)",
    ),
    truncate("year", "year(t)", TimeUnit::Year, "Takes the first instant of the year.", "year(orders.at)"),
    part(
        "weekday",
        "weekday(t)",
        Op::Weekday,
        "Takes the day of the week: 1 Monday to 7 Sunday.",
        "weekday(orders.at)",
    ),
    part(
        "day_of_month",
        "day_of_month(t)",
        Op::DayOfMonth,
        "Takes the day of the month: 1 to 31.",
        "day_of_month(orders.at)",
    ),
    part(
        "day_of_year",
        "day_of_year(t)",
        Op::DayOfYear,
        "Takes the day of the year: 1 to 366.",
        "day_of_year(orders.at)",
    ),
    part(
        "month_of_year",
        "month_of_year(t)",
        Op::MonthOfYear,
        "Takes the month of the year: 1 to 12.",
        "month_of_year(orders.at)",
    ),
    part(
        "quarter_of_year",
        "quarter_of_year(t)",
        Op::QuarterOfYear,
        "Takes the quarter of the year: 1 to 4.",
        "quarter_of_year(orders.at)",
    ),
    part(
        "hour_of_day",
        "hour_of_day(t)",
        Op::HourOfDay,
        "Takes the hour of the day: 0 to 23.",
        "hour_of_day(orders.at)",
    ),
];
