//! Own periods: weeks, months … that are counted from the moment of a member itself.

use crate::rows::Clock;
use kepi_model::calendar::{Grain, TimeUnit};

/// The own period of a member that was looked at last.
pub(crate) struct Period {
    start: i64,
    number: i64,
    /// Its end.
    end: i64,
}

impl Period {
    /// Of a member that begins at a moment; nothing has been asked yet.
    pub(crate) fn new(start: i64) -> Period {
        Period { start, number: 0, end: i64::MIN }
    }

    /// The number of the own period in which a moment lies, not earlier than those asked for before.
    pub(crate) fn go_to(&mut self, clock: &mut Clock, grain: &Grain, at: i64) -> i64 {
        if at >= self.end {
            let days = own_days(grain);
            if days > 0 {
                let ((day, of_day), (start, start_of_day)) = (clock.local(at), clock.local(self.start));
                let late = (day - start).rem_euclid(days) == 0 && of_day < start_of_day;
                let number = (day - start).div_euclid(days) - i64::from(late);
                // Where clocks do not change it is told by the day and by what they show.
                if clock.calm(day).is_some() && clock.calm(start + days * number).is_some() {
                    self.number = number;
                    self.end = clock.instant(start + days * (self.number + 1), start_of_day);
                    return self.number;
                }
            }
            let about = match (own_months(grain), days) {
                (0, 0) => at.saturating_sub(self.start).div_euclid(own_micros(grain)),
                (0, days) => (clock.local(at).0 - clock.local(self.start).0).div_euclid(days),
                (months, _) => {
                    let month = |clock: &mut Clock, at| month_of(clock.local(at).0).0;
                    (month(clock, at) - month(clock, self.start)).div_euclid(months)
                }
            };
            // The period may begin later in the day, or in the month; one whose first day was left out is empty.
            self.number = about;
            while own_start(clock, grain, self.start, self.number) > at {
                self.number -= 1;
            }
            self.end = own_start(clock, grain, self.start, self.number + 1);
        }
        self.number
    }

    /// The end of the one that was asked for last.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }
}

fn own_months(grain: &Grain) -> i64 {
    match grain.unit {
        TimeUnit::Month => 1,
        TimeUnit::Quarter => 3,
        TimeUnit::Year => 12,
        _ => 0,
    }
}

fn own_days(grain: &Grain) -> i64 {
    match grain.unit {
        TimeUnit::Day => 1,
        TimeUnit::Week => 7,
        _ => 0,
    }
}

fn own_micros(grain: &Grain) -> i64 {
    match grain.unit {
        TimeUnit::Second => 1_000_000,
        TimeUnit::Minute => 60_000_000,
        _ => 3_600_000_000,
    }
}

/// When the own period of this number begins: so many periods after the start, by the calendar.
fn own_start(clock: &mut Clock, grain: &Grain, start: i64, number: i64) -> i64 {
    let (months, days) = (own_months(grain), own_days(grain));
    if months == 0 && days == 0 {
        return start.saturating_add(own_micros(grain).saturating_mul(number));
    }
    let (day, of_day) = clock.local(start);
    clock.instant(add_months(day, months * number) + days * number, of_day)
}

/// The year and month of a day, as a number of months, and the day of the month from 0. By years of 146,097 days per
/// 400, which begin in March, so that a leap day is the last of one.
fn month_of(day: i64) -> (i64, i64) {
    let since = day + 719_468;
    let era = since.div_euclid(146_097);
    let of_era = since.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    ((era * 400 + year) * 12 + month + 2, of_year - (153 * month + 2) / 5)
}

/// The first day of a month.
fn first_of(month: i64) -> i64 {
    let (year, month) = ((month - 2).div_euclid(12), (month - 2).rem_euclid(12));
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + 365 * year + year / 4 - year / 100 + (153 * month + 2) / 5 - 719_468
}

/// The same day so many months later, or the month's last.
fn add_months(day: i64, months: i64) -> i64 {
    if months == 0 {
        return day;
    }
    let (month, of_month) = month_of(day);
    let first = first_of(month + months);
    (first + of_month).min(first_of(month + months + 1) - 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;
    use kepi_model::calendar::{Zone, date_of};

    #[test]
    fn own_periods_are_as_long_as_their_unit() {
        let zone = Zone::named("Europe/Amsterdam").unwrap();
        let at = |text: &str| zone.instant(text.parse().unwrap());
        let mut clock = Clock::new(zone.clone());
        // The night of 31 March 2024 is an hour short.
        let start = at("2024-03-30T12:00");
        let of = [
            (TimeUnit::Second, 2, "2024-03-30T12:00:02"),
            (TimeUnit::Minute, 3, "2024-03-30T12:03"),
            (TimeUnit::Hour, 24, "2024-03-31T13:00"),
            (TimeUnit::Day, 2, "2024-04-01T12:00"),
            (TimeUnit::Week, 2, "2024-04-13T12:00"),
            (TimeUnit::Month, 11, "2025-02-28T12:00"),
            (TimeUnit::Quarter, 3, "2024-12-30T12:00"),
            (TimeUnit::Year, 2, "2026-03-30T12:00"),
        ];
        for (unit, number, begins) in of {
            let (grain, begins) = (Grain::ordinary(unit), at(begins));
            assert_eq!(own_start(&mut clock, &grain, start, number), begins, "{unit:?}");
            let period = || Period::new(start);
            assert_eq!(period().go_to(&mut clock, &grain, begins), number, "{unit:?}");
            assert_eq!(period().go_to(&mut clock, &grain, begins - 1), number - 1, "{unit:?}");
        }
    }

    #[test]
    fn a_moment_lies_between_the_ends_of_its_own_period_whatever_clocks_do() {
        // An hour set back and forth, both at midnight, and a day that was left out.
        let changes = [
            ("Europe/Amsterdam", "2024-03-31T00:00"),
            ("Europe/Amsterdam", "2024-10-27T00:00"),
            ("America/Sao_Paulo", "2018-02-18T00:00"),
            ("America/Sao_Paulo", "2018-11-04T00:00"),
            ("Pacific/Apia", "2011-12-30T00:00"),
        ];
        const HOUR: i64 = 3_600_000_000;
        for (name, change) in changes {
            let zone = Zone::named(name).unwrap();
            let change = zone.instant(change.parse().unwrap());
            let mut clock = Clock::new(zone.clone());
            for unit in [TimeUnit::Hour, TimeUnit::Day, TimeUnit::Week, TimeUnit::Month] {
                let grain = Grain::ordinary(unit);
                for start in (-40..=40).map(|hour| change + hour * HOUR / 2) {
                    for later in (0..24 * 20).step_by(if unit == TimeUnit::Month { 7 } else { 1 }) {
                        let at = start + later * HOUR / 2;
                        let mut period = Period::new(start);
                        let number = period.go_to(&mut clock, &grain, at);
                        let [begin, end] =
                            [number, number + 1].map(|number| own_start(&mut clock, &grain, start, number));
                        assert!(begin <= at && at < end, "{name} {unit:?} from {start}: {at} in {begin}..{end}");
                        assert_eq!(period.end(), end, "{name} {unit:?} from {start}");
                    }
                }
            }
        }
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        // Every day of more than 400 years, around the epoch, leap years and the year 2000.
        for day in -200_000..50_000_i32 {
            let date = date_of(day);
            let (month, of_month) = month_of(i64::from(day));
            assert_eq!(month, i64::from(date.year()) * 12 + i64::from(date.month()) - 1, "{date}");
            assert_eq!(of_month, i64::from(date.day()) - 1, "{date}");
            assert_eq!(first_of(month) + of_month, i64::from(day), "{date}");
        }
    }
}
