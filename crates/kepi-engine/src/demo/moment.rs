//! Local times of the demo, in minutes since its first day.

use jiff::ToSpan;
use jiff::civil::Date;

const FIRST: Date = Date::constant(2023, 1, 1);
/// The day on which the demo's `now` lies.
const LAST: Date = Date::constant(2026, 3, 17);
const DAY: i64 = 24 * 60;

/// Minutes since the first day's midnight, by the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Moment {
    /// A day and the minute in it.
    pub(super) fn on(day: i64, minute: i64) -> Moment {
        Moment(day * DAY + minute)
    }

    /// Now: nothing of the demo happens at or after it.
    pub(super) fn now() -> Moment {
        Moment::on(days(), 9 * 60)
    }

    /// Whether it has happened.
    pub(super) fn is_past(self) -> bool {
        self < Moment::now()
    }

    /// The number of its day.
    pub(super) fn day(self) -> i64 {
        self.0 / DAY
    }

    /// Some days later, at the same minute.
    pub(super) fn days_later(self, days: f64) -> Moment {
        Moment(self.0 + (days * DAY as f64) as i64)
    }

    /// Some minutes later.
    pub(super) fn minutes_later(self, minutes: f64) -> Moment {
        Moment(self.0 + minutes as i64)
    }

    /// The same day if it lies within working hours, else the nearest minute of them: nobody signs at night.
    pub(super) fn at_work(self) -> Moment {
        let minute = self.0 % DAY;
        Moment(self.0 - minute + 8 * 60 + minute * 600 / DAY)
    }

    /// `2025-03-01T14:05:00`.
    pub(super) fn text(self) -> String {
        let minute = self.0 % DAY;
        format!("{}T{:02}:{:02}:00", date(self.day()), minute / 60, minute % 60)
    }
}

/// The date of a day.
pub(super) fn date(day: i64) -> Date {
    FIRST.saturating_add(day.days())
}

/// How many whole days the demo has before `now`.
pub(super) fn days() -> i64 {
    LAST.since(FIRST).map_or(0, |span| i64::from(span.get_days()))
}

/// How busy a day is beside an ordinary one: the company grows by a quarter each year, sells more before the end of
/// the year, less in summer, little at weekends.
pub(super) fn business(day: i64) -> f64 {
    const SEASON: [f64; 12] = [0.92, 0.95, 1.05, 1.04, 1.02, 0.98, 0.82, 0.78, 1.06, 1.10, 1.22, 1.12];
    let date = date(day);
    let weekend = date.weekday().to_monday_one_offset() > 5;
    let month = SEASON[(date.month() - 1) as usize];
    growth(day) * month * if weekend { 0.35 } else { 1.2 }
}

/// How large the company is beside its first day.
pub(super) fn growth(day: i64) -> f64 {
    1.0 + 0.25 * day as f64 / 365.0
}
