//! `vs`: which other time a window and its periods are compared with.

use super::by_number::{same_number, window_by_number};
use super::periods::{Span, next, starts};
use crate::ExecError;
use kepi_model::calendar::{Grain, TimeUnit, Zone, unit_name};
use kepi_model::core::{Compare, CompareWith};
use kepi_model::value::CalendarSpan;
use serde::{Deserialize, Serialize};

/// The other side of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Side {
    /// What it is called: "previous year".
    pub(crate) name: String,
    /// First instant that is read.
    pub(crate) from: i64,
    /// The instant behind the last.
    pub(crate) until: i64,
    /// Whether the query's window has begun by `now`; of one that lies ahead nothing has passed, so nothing stands
    /// against it.
    pub(crate) begun: bool,
    /// Each period set against the same time so much later (earlier where it is negative), also where that is no period.
    pub(crate) shift: Option<CalendarSpan>,
    /// Period to period, where there are periods.
    pub(crate) alignment: Option<Alignment>,
}

/// Which period of the other time belongs to which of the query's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alignment {
    /// The project's zone.
    pub(crate) zone: String,
    /// The query's periods.
    pub(crate) grain: Grain,
    /// The query's time.
    pub(crate) from: i64,
    /// The instant behind the part of it that has passed by `now`: a period that begins later has no counterpart.
    pub(crate) until: i64,
    how: How,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum How {
    /// One unit of this grain back, on the same date.
    Back(Grain),
    /// Week n of the unit of this grain before.
    Week(Grain),
    /// The period of the same number in the period of this grain before: of calendars from a table.
    Number(Grain),
    /// So many days back.
    Days(i32),
    /// The n-th period from here, for the n-th of the query.
    Nth { from: i64, until: i64 },
}

impl Alignment {
    /// The first instant of the other side's period for one of the query's; none: there is no such period.
    pub(crate) fn other(&self, zone: &Zone, period: i64) -> Option<i64> {
        if period >= self.until {
            return None;
        }
        match &self.how {
            How::Back(back) => same_date(zone, &self.grain, period, back_by(back, 1)?),
            How::Week(back) => same_week(zone, &self.grain, back, period),
            How::Number(back) => same_number(zone, &self.grain, back, period),
            How::Days(days) => same_date(zone, &self.grain, period, CalendarSpan { days: -days, ..none() }),
            How::Nth { from, until } => {
                let n = zone.periods_between(&self.grain, self.from, period);
                let other = zone.step(&self.grain, zone.truncate(&self.grain, *from), n);
                (other < *until).then_some(other)
            }
        }
    }

    /// What it does, in words.
    pub(crate) fn words(&self) -> String {
        let with = match &self.how {
            How::Back(back) => format!("the {} one {} earlier", self.grain.name(), back.name()),
            How::Week(back) => format!("the week of the same number in the {} before", back.name()),
            How::Number(back) => format!("the {} of the same number in the {} before", self.grain.name(), back.name()),
            How::Days(days) => format!("the {} {days} days earlier", self.grain.name()),
            How::Nth { .. } => format!("the {} of the same number in the other window", self.grain.name()),
        };
        format!("each {} set against {with}", self.grain.name())
    }

    /// All pairs of periods: the query's and the other side's.
    pub(crate) fn pairs(&self, zone: &Zone) -> Result<Vec<(i64, i64)>, ExecError> {
        let mut pairs = Vec::new();
        for period in starts(zone, &self.grain, self.from, self.until)? {
            if let Some(other) = self.other(zone, period) {
                pairs.push((period, other));
            }
        }
        Ok(pairs)
    }
}

/// The other side of a comparison of a query with this span, `from` being known. A moment has no periods.
pub(crate) fn side(
    compare: &Compare,
    zone: &Zone,
    zone_name: &str,
    per: Option<&Grain>,
    span: &Span,
    from: i64,
    now: i64,
) -> Result<Side, ExecError> {
    match per {
        Some(grain) => aligned(compare, zone, zone_name, grain, span, from, now),
        None => {
            // A moment is no window, and stands against another moment also where it lies ahead.
            let begun = from < now || from >= span.until;
            let (from, until) = window(compare, zone, span, from, now)?;
            Ok(Side { name: compare.name.clone(), from, until, begun, shift: None, alignment: None })
        }
    }
}

fn aligned(
    compare: &Compare,
    zone: &Zone,
    zone_name: &str,
    grain: &Grain,
    span: &Span,
    from: i64,
    now: i64,
) -> Result<Side, ExecError> {
    let first = zone.truncate(grain, from);
    let too_fine = |by: &str| ExecError::NotYet(format!("`vs {by}` with `per {}`", grain.name()));
    let how = match &compare.with {
        CompareWith::Previous(back) if rank(back.unit) < rank(grain.unit) => {
            return Err(too_fine(&format!("previous {}", unit_name(back.unit))));
        }
        CompareWith::Previous(back) if back.table.is_some() => How::Number(back.clone()),
        CompareWith::Previous(back) if grain.unit == TimeUnit::Week && back.unit != TimeUnit::Week => {
            How::Week(back.clone())
        }
        CompareWith::Previous(back) => How::Back(back.clone()),
        CompareWith::Days(days) => {
            let is_period = match grain.unit {
                TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year => false,
                TimeUnit::Week => days % 7 == 0,
                _ => true,
            };
            if !is_period {
                return Ok(shifted(compare, zone, span, from, now, -days));
            }
            How::Days(*days)
        }
        CompareWith::WindowBefore => {
            let count = starts(zone, grain, from, span.until)?.len() as i64;
            How::Nth { from: zone.step(grain, first, -count), until: first }
        }
        CompareWith::Period { from, until } => How::Nth { from: *from, until: *until },
        CompareWith::Target(_) => return Err(ExecError::Plan("a target is no other time".into())),
    };
    let passed = span.until.min(now);
    let alignment = Alignment { zone: zone_name.to_string(), grain: grain.clone(), from, until: passed, how };
    let pairs = alignment.pairs(zone)?;
    let name = compare.name.clone();
    let (Some((first, other)), Some((last, other_last))) = (pairs.first().copied(), pairs.last().copied()) else {
        // Nothing belongs to anything: an empty window, or one that lies ahead.
        return Ok(Side { name, from, until: from, begun: false, shift: None, alignment: Some(alignment) });
    };
    // A period that the window cuts, or that still runs, is compared with the same part of the other one.
    let mut side_from = if from > first { within(zone, grain, from, first, other) } else { other };
    let mut side_until = match passed < next(zone, grain, last) {
        true => within(zone, grain, passed, last, other_last),
        false => next(zone, grain, other_last),
    };
    if let CompareWith::Period { from, until } = compare.with {
        (side_from, side_until) = (side_from.max(from), side_until.min(until));
    }
    let until = side_until.max(side_from);
    Ok(Side { name, from: side_from, until, begun: true, shift: None, alignment: Some(alignment) })
}

/// The other side whose periods are the query's own, shifted as they are: a month by 364 days begins on the same weekday,
/// and has as many of each.
fn shifted(compare: &Compare, zone: &Zone, span: &Span, from: i64, now: i64, days: i32) -> Side {
    let shift = CalendarSpan { days, ..none() };
    let passed = span.until.min(now).max(from);
    let (begun, from, until) = (from < now, zone.add(from, shift), zone.add(passed, shift));
    Side { name: compare.name.clone(), from, until, begun, shift: Some(shift), alignment: None }
}

/// The other window of a query without periods.
fn window(compare: &Compare, zone: &Zone, span: &Span, from: i64, now: i64) -> Result<(i64, i64), ExecError> {
    let moved = |by: CalendarSpan| (zone.add(from, by), zone.add(span.passed, by));
    Ok(match &compare.with {
        CompareWith::Previous(back) if back.table.is_some() => window_by_number(zone, back, span, from),
        CompareWith::Previous(back) => {
            let by = back_by(back, 1).ok_or_else(|| ExecError::Plan("a comparison reaches too far back".into()))?;
            moved(by)
        }
        CompareWith::Days(days) => moved(CalendarSpan { days: -days, ..none() }),
        CompareWith::WindowBefore => {
            let length = length(zone, from, span.until);
            let back = CalendarSpan { months: -length.months, days: -length.days, micros: -length.micros };
            let start = zone.add(from, back);
            // Of a window that still runs, the same part.
            let end = if span.passed < span.until { zone.add(span.passed, back) } else { from };
            (start, end.clamp(start, from))
        }
        CompareWith::Period { from: start, until } if span.is_running(now) => {
            let passed = length(zone, from, span.passed);
            (*start, zone.add(*start, passed).clamp(*start, (*until).max(*start)))
        }
        CompareWith::Period { from, until } => (*from, *until),
        CompareWith::Target(_) => return Err(ExecError::Plan("a target is no other time".into())),
    })
}

/// How long a window is by the calendar: whole months, else whole days and what is left.
fn length(zone: &Zone, from: i64, until: i64) -> CalendarSpan {
    let (a, b) = (zone.local(from), zone.local(until));
    if a.time() != b.time() {
        // Whole days first, so that a change of clocks in between is not counted.
        let days = zone.day_number(until) - zone.day_number(from) - i32::from(b.time() < a.time());
        let begun = zone.add(from, CalendarSpan { days, ..none() });
        return CalendarSpan { days, micros: until - begun, ..none() };
    }
    if a.day() == 1 && b.day() == 1 {
        let months = (i32::from(b.year()) - i32::from(a.year())) * 12 + i32::from(b.month()) - i32::from(a.month());
        return CalendarSpan { months, ..none() };
    }
    CalendarSpan { days: zone.day_number(until) - zone.day_number(from), ..none() }
}

/// The moment of another period that stands where `at` stands in its own; never beyond the period's end.
pub(super) fn within(zone: &Zone, grain: &Grain, at: i64, period: i64, other: i64) -> i64 {
    let by = match grain.unit {
        TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year if grain.table.is_none() => {
            let months = zone.periods_between(&Grain::ordinary(TimeUnit::Month), period, other);
            CalendarSpan { months: months as i32, ..none() }
        }
        TimeUnit::Second | TimeUnit::Minute | TimeUnit::Hour => CalendarSpan { micros: other - period, ..none() },
        _ => CalendarSpan { days: zone.day_number(other) - zone.day_number(period), ..none() },
    };
    zone.add(at, by).clamp(other, next(zone, grain, other))
}

/// The period on the same date and hour a span away; none where that date or hour does not exist.
fn same_date(zone: &Zone, grain: &Grain, period: i64, by: CalendarSpan) -> Option<i64> {
    let moved = zone.add(period, by);
    let (a, b) = (zone.local(period), zone.local(moved));
    let clamped = by.months != 0 && a.day() != b.day();
    let shifted = (by.months != 0 || by.days != 0) && a.time() != b.time();
    // Days begin where midnight does not exist, too: only hours and less can fall into a gap.
    let within_day = rank(grain.unit) < rank(TimeUnit::Day);
    let exists = !(clamped || shifted && within_day);
    exists.then(|| zone.truncate(grain, moved))
}

/// Week n of the year before (or month, quarter): a week belongs to the year that holds its fourth day.
fn same_week(zone: &Zone, week: &Grain, year: &Grain, period: i64) -> Option<i64> {
    let fourth = |start: i64| zone.add(start, CalendarSpan { days: 3, ..none() });
    let first_week = |year_start: i64| {
        let start = zone.truncate(week, year_start);
        if fourth(start) < year_start { next(zone, week, start) } else { start }
    };
    let this_year = zone.truncate(year, fourth(period));
    let other_year = zone.step(year, this_year, -1);
    let n = zone.periods_between(week, first_week(this_year), period);
    let other = zone.step(week, first_week(other_year), n);
    (fourth(other) < this_year).then_some(other)
}

fn back_by(grain: &Grain, count: i64) -> Option<CalendarSpan> {
    kepi_model::calendar::span_of(-count, grain.unit)
}

pub(super) const fn none() -> CalendarSpan {
    CalendarSpan { months: 0, days: 0, micros: 0 }
}

/// Units from short to long.
pub(super) fn rank(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Minute => 1,
        TimeUnit::Hour => 2,
        TimeUnit::Day => 3,
        TimeUnit::Week => 4,
        TimeUnit::Month => 5,
        TimeUnit::Quarter => 6,
        TimeUnit::Year => 7,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test stops at what it did not expect.

    use super::*;
    use kepi_model::core::Window;

    fn at(text: &str) -> i64 {
        let utc = Zone::utc();
        utc.instant(text.parse::<jiff::civil::DateTime>().unwrap())
    }

    fn day(micros: i64) -> String {
        Zone::utc().local(micros).to_string().replace("T00:00:00", "")
    }

    fn run(with: CompareWith, per: Option<TimeUnit>, from: &str, until: &str, now: &str) -> Side {
        let window = Window { from: Some(at(from)), until: at(until), words: String::new(), moment: false };
        let grain = per.map(Grain::ordinary);
        let compare = Compare { name: "previous".into(), with };
        let (zone, now) = (Zone::utc(), at(now));
        side(&compare, &zone, "UTC", grain.as_ref(), &Span::of(&window, now), at(from), now).unwrap()
    }

    fn pairs(side: &Side) -> Vec<(String, String)> {
        let pairs = side.alignment.as_ref().unwrap().pairs(&Zone::utc()).unwrap();
        pairs.into_iter().map(|(a, b)| (day(a), day(b))).collect()
    }

    fn of(side: &Side) -> (String, String) {
        (day(side.from), day(side.until))
    }

    fn previous(unit: TimeUnit) -> CompareWith {
        CompareWith::Previous(Grain::ordinary(unit))
    }

    #[test]
    fn the_leap_day_has_no_counterpart() {
        let side = run(previous(TimeUnit::Year), Some(TimeUnit::Day), "2024-02-28", "2024-03-02", "2025-01-01");
        let expected = [("2024-02-28", "2023-02-28"), ("2024-03-01", "2023-03-01")];
        assert_eq!(pairs(&side), expected.map(|(a, b)| (a.to_string(), b.to_string())));
        assert_eq!(of(&side), ("2023-02-28".into(), "2023-03-02".into()));
    }

    #[test]
    fn week_53_has_no_counterpart_in_a_year_of_52_weeks() {
        // 2020 has 53 weeks, the last from 2020-12-28; 2019 has 52.
        let side = run(previous(TimeUnit::Year), Some(TimeUnit::Week), "2020-12-21", "2021-01-11", "2022-01-01");
        let expected = [("2020-12-21", "2019-12-23"), ("2021-01-04", "2019-12-30")];
        assert_eq!(pairs(&side), expected.map(|(a, b)| (a.to_string(), b.to_string())));
    }

    #[test]
    fn the_last_day_of_a_month_has_no_counterpart_in_a_shorter_one() {
        let side = run(previous(TimeUnit::Month), Some(TimeUnit::Day), "2025-03-28", "2025-04-01", "2026-01-01");
        assert_eq!(pairs(&side), [("2025-03-28".to_string(), "2025-02-28".to_string())]);
    }

    #[test]
    fn the_running_month_meets_the_same_part_of_the_other() {
        let side =
            run(previous(TimeUnit::Year), Some(TimeUnit::Month), "2025-01-01", "2025-03-10T12:00", "2025-03-10T12:00");
        assert_eq!(of(&side), ("2024-01-01".into(), "2024-03-10T12:00:00".into()));
        // Also where the window goes on: what lies ahead is compared with nothing.
        let side = run(previous(TimeUnit::Year), Some(TimeUnit::Month), "2025-01-01", "2026-01-01", "2025-03-10T12:00");
        assert_eq!(of(&side), ("2024-01-01".into(), "2024-03-10T12:00:00".into()));
        assert_eq!(pairs(&side).len(), 3);
        // 31 March at noon stands where February has ended.
        let side =
            run(previous(TimeUnit::Month), Some(TimeUnit::Month), "2025-03-01", "2025-04-01", "2025-03-31T12:00");
        assert_eq!(of(&side), ("2025-02-01".into(), "2025-02-28T12:00:00".into()));
    }

    #[test]
    fn the_window_before_is_as_long_by_the_calendar() {
        let side = run(CompareWith::WindowBefore, None, "2025-03-01", "2025-05-01", "2026-01-01");
        assert_eq!(of(&side), ("2025-01-01".into(), "2025-03-01".into()));
        let side = run(CompareWith::WindowBefore, None, "2025-03-04", "2025-03-11", "2026-01-01");
        assert_eq!(of(&side), ("2025-02-25".into(), "2025-03-04".into()));
        let side = run(CompareWith::WindowBefore, None, "2025-03-01", "2025-04-01", "2025-03-10T12:00");
        assert_eq!(of(&side), ("2025-02-01".into(), "2025-02-10T12:00:00".into()));
        let side = run(CompareWith::WindowBefore, Some(TimeUnit::Month), "2025-03-01", "2025-05-01", "2026-01-01");
        let expected = [("2025-03-01", "2025-01-01"), ("2025-04-01", "2025-02-01")];
        assert_eq!(pairs(&side), expected.map(|(a, b)| (a.to_string(), b.to_string())));
    }

    #[test]
    fn a_period_of_its_own_is_met_one_by_one() {
        let with = CompareWith::Period { from: at("2019-01-01"), until: at("2019-03-01") };
        let side = run(with, Some(TimeUnit::Month), "2025-01-01", "2025-05-01", "2026-01-01");
        let expected = [("2025-01-01", "2019-01-01"), ("2025-02-01", "2019-02-01")];
        assert_eq!(pairs(&side), expected.map(|(a, b)| (a.to_string(), b.to_string())));
    }

    #[test]
    fn weekdays_meet_weekdays() {
        let side = run(CompareWith::Days(364), Some(TimeUnit::Day), "2025-03-03", "2025-03-05", "2026-01-01");
        let expected = [("2025-03-03", "2024-03-04"), ("2025-03-04", "2024-03-05")];
        assert_eq!(pairs(&side), expected.map(|(a, b)| (a.to_string(), b.to_string())));
    }

    #[test]
    fn a_comparison_finer_than_the_periods_is_refused_in_words() {
        let window = Window { from: Some(0), until: at("1971-01-01"), words: String::new(), moment: false };
        let compare = Compare { name: "previous week".into(), with: previous(TimeUnit::Week) };
        let month = Grain::ordinary(TimeUnit::Month);
        let now = at("1972-01-01");
        let error = side(&compare, &Zone::utc(), "UTC", Some(&month), &Span::of(&window, now), 0, now).unwrap_err();
        assert_eq!(error.to_string(), "`vs previous week` with `per month` is not there yet");
    }
}
