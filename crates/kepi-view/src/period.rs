//! Times and periods as text, in the project's time zone.

use crate::cell::Cell;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use kepi_model::calendar::{Grain, TimeUnit, date_of};

/// The project's time zone.
pub(crate) struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// Finds the zone by its IANA name. The engine has checked it; a name that is gone since reads as UTC.
    pub(crate) fn new(zone: &str) -> Clock {
        Clock { zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC) }
    }

    fn stamp(micros: i64) -> Timestamp {
        let end = if micros < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Timestamp::from_microsecond(micros).unwrap_or(end)
    }

    fn local(&self, micros: i64) -> DateTime {
        self.zone.to_datetime(Self::stamp(micros))
    }

    /// The instant as RFC 3339 with the zone's offset: `2025-03-01T14:00:00+01:00`.
    pub(crate) fn rfc3339(&self, micros: i64) -> String {
        let stamp = Self::stamp(micros);
        stamp.display_with_offset(self.zone.to_offset(stamp)).to_string()
    }

    /// The instant for people: `2025-03-01 14:00`, with seconds where it has some.
    pub(crate) fn readable(&self, micros: i64) -> String {
        let at = self.local(micros);
        let minutes = format!("{} {:02}:{:02}", at.date(), at.hour(), at.minute());
        match (at.second(), at.subsec_nanosecond()) {
            (0, 0) => minutes,
            (second, 0) => format!("{minutes}:{second:02}"),
            (second, nanos) => {
                let micros = format!("{:06}", nanos / 1000);
                format!("{minutes}:{second:02}.{}", micros.trim_end_matches('0'))
            }
        }
    }

    /// The local day of a value that is an instant or a day.
    pub(crate) fn day(&self, cell: Cell<'_>) -> Option<Date> {
        match cell {
            Cell::Instant(micros) => Some(self.local(micros).date()),
            Cell::Date(day) => Some(date_of(day)),
            _ => None,
        }
    }

    /// The name of the period that begins with the value: `2025-03`, `2025-W07`, `2025-Q3`, `2025`, `2025-03-01`,
    /// `2025-03-01 14:00`. None for what is no time.
    pub(crate) fn label(&self, grain: &Grain, cell: Cell<'_>) -> Option<String> {
        let first = self.day(cell)?;
        if let Some(name) = grain.table.as_ref().and_then(|table| table.name(grain.unit, first)) {
            return Some(name);
        }
        Some(match grain.unit {
            TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour => match cell {
                Cell::Instant(micros) => self.readable(micros),
                _ => first.to_string(),
            },
            TimeUnit::Day => first.to_string(),
            // The numbers of weeks belong to weeks from Monday; others are known by their first day.
            TimeUnit::Week if grain.week_start == 1 => {
                let week = first.iso_week_date();
                format!("{:04}-W{:02}", week.year(), week.week())
            }
            TimeUnit::Week => first.to_string(),
            TimeUnit::Month => format!("{:04}-{:02}", first.year(), first.month()),
            TimeUnit::Quarter => {
                let months = (first.month() - grain.year_start).rem_euclid(12);
                format!("{:04}-Q{}", year_name(grain, first), months / 3 + 1)
            }
            TimeUnit::Year => format!("{:04}", year_name(grain, first)),
        })
    }
}

/// The year that a day belongs to, by the calendar's way of naming years.
fn year_name(grain: &Grain, day: Date) -> i16 {
    let starts = if day.month() >= grain.year_start { day.year() } else { day.year() - 1 };
    if grain.year_start == 1 || grain.named_by_start { starts } else { starts + 1 }
}

/// Whether periods of this grain are shorter than a day, and so known by an instant.
pub(crate) fn is_within_a_day(grain: &Grain) -> bool {
    matches!(grain.unit, TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;
    use kepi_model::calendar::day_number;

    fn label(grain: &Grain, year: i16, month: i8, day: i8) -> String {
        let cell = Cell::Date(day_number(Date::constant(year, month, day)));
        Clock::new("UTC").label(grain, cell).unwrap()
    }

    #[test]
    fn periods_are_named_by_their_grain() {
        let named = |unit| label(&Grain::ordinary(unit), 2025, 7, 1);
        assert_eq!(named(TimeUnit::Month), "2025-07");
        assert_eq!(named(TimeUnit::Quarter), "2025-Q3");
        assert_eq!(named(TimeUnit::Year), "2025");
        assert_eq!(named(TimeUnit::Day), "2025-07-01");
        assert_eq!(label(&Grain::ordinary(TimeUnit::Week), 2024, 12, 30), "2025-W01");
        let sunday = Grain { week_start: 7, ..Grain::ordinary(TimeUnit::Week) };
        assert_eq!(label(&sunday, 2025, 3, 2), "2025-03-02");
    }

    #[test]
    fn fiscal_years_are_named_by_the_year_they_end_in() {
        let fiscal = |unit| Grain { year_start: 4, calendar: Some("fiscal".to_string()), ..Grain::ordinary(unit) };
        assert_eq!(label(&fiscal(TimeUnit::Quarter), 2025, 4, 1), "2026-Q1");
        assert_eq!(label(&fiscal(TimeUnit::Quarter), 2026, 1, 1), "2026-Q4");
        assert_eq!(label(&fiscal(TimeUnit::Year), 2025, 4, 1), "2026");
        let by_start = Grain { named_by_start: true, ..fiscal(TimeUnit::Year) };
        assert_eq!(label(&by_start, 2025, 4, 1), "2025");
    }

    #[test]
    fn instants_show_the_offset_of_their_day() {
        let clock = Clock::new("Europe/Amsterdam");
        assert_eq!(clock.rfc3339(1_750_000_000_000_000), "2025-06-15T17:06:40+02:00");
        assert_eq!(clock.readable(1_735_689_600_000_000), "2025-01-01 01:00");
        assert_eq!(clock.rfc3339(i64::MIN).get(..1), Some("-"));
    }
}
