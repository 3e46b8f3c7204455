//! Periods and spans by the calendar, in a time zone. Instants are microseconds UTC.

mod table;

use crate::value::CalendarSpan;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
pub use kepi_syntax::ast::TimeUnit;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
pub use table::{CalendarTable, TABLE_UNITS, TableDay};

/// A kind of period: a unit in a calendar.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grain {
    /// The unit.
    pub unit: TimeUnit,
    /// The calendar's name, where it is not the ordinary one.
    pub calendar: Option<String>,
    /// First day of the week: 1 Monday to 7 Sunday.
    pub week_start: i8,
    /// First month of the year; 1 in the ordinary calendar.
    pub year_start: i8,
    /// Whether a fiscal year is named by the calendar year it starts in, rather than ends in.
    pub named_by_start: bool,
    /// The periods, where the calendar comes from a table; none for days and less, which are the ordinary ones.
    #[serde(with = "table::shared")]
    pub table: Option<Arc<CalendarTable>>,
}

impl Grain {
    /// The unit in the ordinary calendar with weeks from Monday.
    pub fn ordinary(unit: TimeUnit) -> Grain {
        Grain { unit, calendar: None, week_start: 1, year_start: 1, named_by_start: false, table: None }
    }

    /// Its name as a column: `month`, `fiscal.quarter`.
    pub fn name(&self) -> String {
        match &self.calendar {
            Some(calendar) => format!("{calendar}.{}", unit_name(self.unit)),
            None => unit_name(self.unit).to_string(),
        }
    }
}

/// The unit's word.
pub fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "second",
        TimeUnit::Minute => "minute",
        TimeUnit::Hour => "hour",
        TimeUnit::Day => "day",
        TimeUnit::Week => "week",
        TimeUnit::Month => "month",
        TimeUnit::Quarter => "quarter",
        TimeUnit::Year => "year",
    }
}

/// A time zone with the arithmetic that KPIs need.
#[derive(Clone, Debug)]
pub struct Zone {
    zone: TimeZone,
}

/// The first and the last instant kepi computes with: years -9998 to 9998 leave room for every zone.
const MIN: i64 = -377_673_580_800_000_000;
const MAX: i64 = 253_370_764_800_000_000;

impl Zone {
    /// Finds a zone by its IANA name; none when there is no such zone.
    pub fn named(name: &str) -> Option<Zone> {
        TimeZone::get(name).ok().map(|zone| Zone { zone })
    }

    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone { zone: TimeZone::UTC }
    }

    /// The local date and time of an instant; instants beyond the calendar are clamped to its ends.
    pub fn local(&self, micros: i64) -> DateTime {
        let stamp = Timestamp::from_microsecond(micros.clamp(MIN, MAX)).unwrap_or(Timestamp::UNIX_EPOCH);
        self.zone.to_datetime(stamp)
    }

    /// The instant of a local date and time. In a gap (clocks go forward) the instant is as far behind the gap's
    /// start as the time says; of two (clocks go back) it is the first.
    pub fn instant(&self, local: DateTime) -> i64 {
        self.zone.to_ambiguous_zoned(local).compatible().map_or(MAX, |z| z.timestamp().as_microsecond())
    }

    /// Which part of a stretch of time another one is that lies in it, by the clock on the wall: a day counts as a day, also
    /// the one on which clocks are changed. What is shorter than a day is taken as long as it is.
    pub fn part(&self, whole: (i64, i64), part: (i64, i64)) -> f64 {
        const SHORT: i64 = 22 * 3_600_000_000;
        let utc = Zone::utc();
        let length = |(from, until): (i64, i64)| match whole.1.saturating_sub(whole.0) < SHORT {
            true => until.saturating_sub(from),
            false => utc.instant(self.local(until)).saturating_sub(utc.instant(self.local(from))),
        };
        length(part) as f64 / length(whole).max(1) as f64
    }

    /// The first instant of a day.
    pub fn start_of_day(&self, date: Date) -> i64 {
        self.instant(date.at(0, 0, 0, 0))
    }

    /// Days since 1970-01-01 of an instant's local day.
    pub fn day_number(&self, micros: i64) -> i32 {
        day_number(self.local(micros).date())
    }

    /// The first instant of the period that an instant lies in.
    pub fn truncate(&self, grain: &Grain, micros: i64) -> i64 {
        let micros = micros.clamp(MIN, MAX);
        match grain.unit {
            TimeUnit::Second => micros.div_euclid(1_000_000) * 1_000_000,
            TimeUnit::Minute | TimeUnit::Hour => {
                // By elapsed time since the local day began would be wrong after a change of clocks:
                // cut the local time and keep the offset that holds at the instant.
                let local = self.local(micros);
                let unit = if grain.unit == TimeUnit::Hour { 3_600 } else { 60 };
                let second = i64::from(local.minute()) * 60 * i64::from(grain.unit == TimeUnit::Hour)
                    + i64::from(local.second());
                debug_assert!(second < unit);
                micros.div_euclid(1_000_000) * 1_000_000 - second * 1_000_000
            }
            _ => self.start_of_day(truncate_date(grain, self.local(micros).date())),
        }
    }

    /// The first instant of the period `count` periods after the one that begins at `start`.
    pub fn step(&self, grain: &Grain, start: i64, count: i64) -> i64 {
        match grain.unit {
            TimeUnit::Second => start.saturating_add(count.saturating_mul(1_000_000)).clamp(MIN, MAX),
            TimeUnit::Minute => start.saturating_add(count.saturating_mul(60_000_000)).clamp(MIN, MAX),
            TimeUnit::Hour => start.saturating_add(count.saturating_mul(3_600_000_000)).clamp(MIN, MAX),
            unit => {
                let date = self.local(start).date();
                self.start_of_day(match &grain.table {
                    Some(table) => table.step(unit, date, count),
                    None => step_date(unit, date, count),
                })
            }
        }
    }

    /// How many periods of the grain lie between the periods of two instants.
    pub fn periods_between(&self, grain: &Grain, from: i64, to: i64) -> i64 {
        let (a, b) = (self.truncate(grain, from), self.truncate(grain, to));
        match grain.unit {
            TimeUnit::Second => (b - a).div_euclid(1_000_000),
            TimeUnit::Minute => (b - a).div_euclid(60_000_000),
            TimeUnit::Hour => (b - a).div_euclid(3_600_000_000),
            unit => {
                let (a, b) = (self.local(a).date(), self.local(b).date());
                if let Some(table) = &grain.table {
                    return table.number(unit, b) - table.number(unit, a);
                }
                let months = i64::from(b.year() - a.year()) * 12 + i64::from(b.month() - a.month());
                let days = i64::from(day_number(b) - day_number(a));
                match unit {
                    TimeUnit::Day => days,
                    TimeUnit::Week => days.div_euclid(7),
                    TimeUnit::Month => months,
                    TimeUnit::Quarter => months.div_euclid(3),
                    _ => months.div_euclid(12),
                }
            }
        }
    }

    /// A calendar span later (or earlier): months and days by the local calendar, months clamped to the month's last
    /// day, then hours and less by elapsed time.
    pub fn add(&self, micros: i64, span: CalendarSpan) -> i64 {
        let mut at = micros;
        if span.months != 0 || span.days != 0 {
            let local = self.local(micros);
            let moved: Span = Span::new().months(0).days(0);
            let moved = moved.try_months(span.months).and_then(|s| s.try_days(span.days));
            let Ok(local) = moved.and_then(|s| local.checked_add(s)) else {
                return if span.months < 0 || span.days < 0 { MIN } else { MAX };
            };
            at = self.instant(local);
        }
        at.saturating_add(span.micros).clamp(MIN, MAX)
    }
}

/// Days since 1970-01-01.
pub fn day_number(date: Date) -> i32 {
    date.since(Date::constant(1970, 1, 1)).map_or(0, |s| s.get_days())
}

/// The date of a day number; clamped to the calendar's ends.
pub fn date_of(day: i32) -> Date {
    Date::constant(1970, 1, 1).saturating_add(day.days())
}

/// The first day of the period that a day lies in.
pub fn truncate_date(grain: &Grain, date: Date) -> Date {
    if let Some(table) = &grain.table {
        return table.truncate(grain.unit, date);
    }
    match grain.unit {
        TimeUnit::Week => {
            let back = (date.weekday().to_monday_one_offset() - grain.week_start).rem_euclid(7);
            date.saturating_sub(i32::from(back).days())
        }
        TimeUnit::Month => date.first_of_month(),
        TimeUnit::Quarter | TimeUnit::Year => {
            let length = if grain.unit == TimeUnit::Quarter { 3 } else { 12 };
            let back = (date.month() - grain.year_start).rem_euclid(length);
            date.first_of_month().saturating_sub(i32::from(back).months())
        }
        _ => date,
    }
}

fn step_date(unit: TimeUnit, date: Date, count: i64) -> Date {
    let span = match unit {
        TimeUnit::Week => Span::new().try_weeks(count),
        TimeUnit::Month => Span::new().try_months(count),
        TimeUnit::Quarter => Span::new().try_months(count.saturating_mul(3)),
        TimeUnit::Year => Span::new().try_years(count),
        _ => Span::new().try_days(count),
    };
    let end = if count < 0 { Date::MIN } else { Date::MAX };
    span.ok().and_then(|s| date.checked_add(s).ok()).unwrap_or(end)
}

/// The weekday of a name such as `monday`: 1 Monday to 7 Sunday.
pub fn weekday_named(name: &str) -> Option<i8> {
    let day = match name.to_ascii_lowercase().as_str() {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    };
    Some(day.to_monday_one_offset())
}

/// The English names of the months, in small letters.
pub const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The month of a name such as `april`: 1 to 12.
pub fn month_named(name: &str) -> Option<i8> {
    let name = name.to_ascii_lowercase();
    MONTHS.iter().position(|m| *m == name).map(|i| i as i8 + 1)
}

/// The calendar span of a number of units.
pub fn span_of(number: i64, unit: TimeUnit) -> Option<CalendarSpan> {
    let (months, days, micros) = match unit {
        TimeUnit::Second => (0, 0, number.checked_mul(1_000_000)?),
        TimeUnit::Minute => (0, 0, number.checked_mul(60_000_000)?),
        TimeUnit::Hour => (0, 0, number.checked_mul(3_600_000_000)?),
        TimeUnit::Day => (0, number, 0),
        TimeUnit::Week => (0, number.checked_mul(7)?, 0),
        TimeUnit::Month => (number, 0, 0),
        TimeUnit::Quarter => (number.checked_mul(3)?, 0, 0),
        TimeUnit::Year => (number.checked_mul(12)?, 0, 0),
    };
    Some(CalendarSpan { months: months.try_into().ok()?, days: days.try_into().ok()?, micros })
}
