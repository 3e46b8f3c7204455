//! The periods of a window, and which of them are not whole.

use crate::{ExecError, PartialPeriod};
use kepi_model::calendar::{Grain, Zone};
use kepi_model::core::Window;
use serde::{Deserialize, Serialize};

/// The most periods that an answer may have.
pub(crate) const PERIODS_MAX: u64 = 1_000_000;

/// The time that a query looks at, as it is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    /// First instant; none: from the first row on.
    pub(crate) from: Option<i64>,
    /// The instant behind the last that is read. It may lie ahead of `now`: what is due later counts where the window
    /// says so.
    pub(crate) until: i64,
    /// The end of the part that has passed by `now`, which is what a comparison looks at on its other side.
    pub(crate) passed: i64,
}

impl Span {
    /// The span of a window at `now`.
    pub(crate) fn of(window: &Window, now: i64) -> Span {
        let passed = if window.from.is_some_and(|from| from >= now) { window.until } else { window.until.min(now) };
        Span { from: window.from, until: window.until, passed }
    }

    /// Whether `now` lies in it or is its end.
    pub(crate) fn is_running(&self, now: i64) -> bool {
        self.until >= now && self.from.is_none_or(|from| from < now)
    }
}

/// The first instants of the periods that a span touches.
pub(crate) fn starts(zone: &Zone, grain: &Grain, from: i64, until: i64) -> Result<Vec<i64>, ExecError> {
    if from >= until {
        return Ok(Vec::new());
    }
    let count = zone.periods_between(grain, from, until - 1).unsigned_abs().saturating_add(1);
    if count > PERIODS_MAX {
        return Err(ExecError::TooLarge { what: "periods".into(), count, max: PERIODS_MAX });
    }
    let mut starts = Vec::with_capacity(count as usize);
    let mut start = zone.truncate(grain, from);
    while start < until {
        starts.push(start);
        let next = next(zone, grain, start);
        if next <= start {
            break;
        }
        start = next;
    }
    Ok(starts)
}

/// The first instant of the period behind the one that begins at `start`.
pub(crate) fn next(zone: &Zone, grain: &Grain, start: i64) -> i64 {
    zone.step(grain, start, 1)
}

/// The periods of a span that are not whole, and why.
pub(crate) fn partial(zone: &Zone, grain: &Grain, span: &Span, now: i64, starts: &[i64]) -> Vec<PartialPeriod> {
    let mut found = Vec::new();
    for start in starts.iter().copied() {
        let end = next(zone, grain, start);
        let reason = if start < now && end > now && span.until >= now {
            "still running"
        } else if span.from.is_some_and(|from| from > start) || end > span.until {
            "cut by the window"
        } else if start >= now {
            "not begun"
        } else {
            continue;
        };
        found.push(PartialPeriod { start, reason: reason.to_string() });
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test stops at what it did not expect.

    use super::*;
    use kepi_model::calendar::TimeUnit;

    fn zone(name: &str) -> Zone {
        Zone::named(name).unwrap_or_else(Zone::utc)
    }

    fn at(zone: &Zone, text: &str) -> i64 {
        text.parse::<jiff::civil::DateTime>().map_or(0, |local| zone.instant(local))
    }

    #[test]
    fn days_around_a_change_of_clocks_are_days_of_the_zone() {
        let zone = zone("Europe/Amsterdam");
        let (from, until) = (at(&zone, "2025-03-29T00:00"), at(&zone, "2025-04-01T00:00"));
        let starts = starts(&zone, &Grain::ordinary(TimeUnit::Day), from, until).unwrap_or_default();
        let hours: Vec<i64> = starts.windows(2).map(|w| (w[1] - w[0]) / 3_600_000_000).collect();
        assert_eq!((starts.len(), hours), (3, vec![24, 23]));
    }

    #[test]
    fn a_cut_period_and_a_running_one_say_so() {
        let zone = zone("UTC");
        let month = Grain::ordinary(TimeUnit::Month);
        let now = at(&zone, "2025-04-10T12:00");
        let window = Window {
            from: Some(at(&zone, "2025-01-15T00:00")),
            until: at(&zone, "2025-06-01T00:00"),
            words: String::new(),
            moment: false,
        };
        let span = Span::of(&window, now);
        assert_eq!((span.until, span.passed), (window.until, now));
        let starts = starts(&zone, &month, window.from.unwrap_or(0), window.until).unwrap_or_default();
        let partial = partial(&zone, &month, &span, now, &starts);
        let said: Vec<(i8, &str)> = partial.iter().map(|p| (zone.local(p.start).month(), p.reason.as_str())).collect();
        assert_eq!(said, [(1, "cut by the window"), (4, "still running"), (5, "not begun")]);
    }

    #[test]
    fn too_many_periods_are_refused_before_any_is_made() {
        let second = Grain::ordinary(TimeUnit::Second);
        let error = starts(&zone("UTC"), &second, 0, 400 * 86_400_000_000).unwrap_err();
        assert_eq!(error.to_string(), "the query has 34560000 periods; the most is 1000000");
    }
}
