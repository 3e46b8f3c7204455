//! Windows and periods of a query, and where `vs` finds the other side of each.

use super::calendar::{Calendar, Grain, Length};
use jiff::ToSpan;
use kepi_syntax::ast::{Against, Bound, Query, TimeUnit, Window};

/// The time that a query looks at: from (none: ever since) and until.
pub(super) type Range = (Option<i64>, i64);

/// The start of the window that only asks when there was a first row.
pub(super) const EVER: i64 = i64::MIN + 1;

/// A period of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    /// The start of the whole period: its label.
    pub(super) start: i64,
    /// The start of the part inside the window; none: ever since.
    pub(super) from: Option<i64>,
    /// The end of the part inside the window.
    pub(super) until: i64,
    /// Whether the window cuts it, or it is still running or has not begun.
    pub(super) partial: bool,
}

/// The window of a query.
///
/// # Errors
/// In words, when a bound is no day or period.
pub(super) fn range(query: &Query, calendar: &Calendar, now: i64) -> Result<Range, String> {
    if let Some(moment) = &query.moment {
        return Ok((None, calendar.bound(moment, now)?.0));
    }
    let start = |bound: &Bound| calendar.bound(bound, now).map(|(start, _)| start);
    Ok(match &query.window {
        None => (None, now),
        Some(Window::Last { length, to_date }) => {
            let count: i64 = length.number.parse().map_err(|_| "a window without a number")?;
            let grain = calendar.ordinary(length.unit);
            let current = calendar.start(grain, now);
            let from = calendar.step(grain, current, -count);
            (Some(from), if *to_date { now } else { current })
        }
        Some(Window::LastOf { number, grain, to_date }) => {
            let count: i64 = number.parse().map_err(|_| "a window without a number")?;
            let grain = calendar.grain(grain).ok_or("`last` needs a period")?;
            let current = calendar.start(grain, now);
            let from = calendar.step(grain, current, -count);
            (Some(from), if *to_date { now } else { current })
        }
        Some(Window::This { grain, to_date }) => {
            let grain = calendar.grain(grain).ok_or("`this` needs a period")?;
            let from = calendar.start(grain, now);
            (Some(from), if *to_date { now } else { calendar.next(grain, from) })
        }
        Some(Window::During(bound)) => {
            let (from, until) = calendar.bound(bound, now)?;
            (Some(from), until)
        }
        Some(Window::Since { from, until: None }) => (Some(start(from)?), now),
        Some(Window::Since { from, until: Some(until) } | Window::FromUntil { from, until }) => {
            (Some(start(from)?), start(until)?)
        }
        Some(Window::Until(until)) => (None, start(until)?),
    })
}

/// The periods of a window; without a grain the window is one period.
pub(super) fn periods(range: Range, grain: Option<Grain>, calendar: &Calendar, now: i64) -> Vec<Period> {
    let (from, until) = range;
    let (Some(grain), Some(from)) = (grain, from) else {
        // Without `per` nothing is cut: the window is what was asked for.
        return match grain {
            None => vec![Period { start: from.unwrap_or(i64::MIN), from, until, partial: false }],
            Some(_) => vec![],
        };
    };
    let mut periods = Vec::new();
    let mut start = calendar.start(grain, from);
    while start < until {
        let next = calendar.next(grain, start);
        let partial = start < from || until < next || now < next;
        periods.push(Period { start, from: Some(start.max(from)), until: next.min(until), partial });
        start = next;
    }
    periods
}

/// For each period the other side of a comparison; none where there is no such period (29 February, week 53).
///
/// # Errors
/// In words, when the comparison has no meaning for the periods.
pub(super) fn counterparts(
    against: &Against,
    periods: &[Period],
    range: Range,
    grain: Option<Grain>,
    calendar: &Calendar,
    now: i64,
) -> Result<Vec<Option<Period>>, String> {
    let mut others = all_counterparts(against, periods, range, grain, calendar, now)?;
    // Of what has not begun nothing has elapsed.
    others.iter_mut().zip(periods).filter(|(_, period)| period.start >= now).for_each(|(other, _)| *other = None);
    Ok(others)
}

fn all_counterparts(
    against: &Against,
    periods: &[Period],
    range: Range,
    grain: Option<Grain>,
    calendar: &Calendar,
    now: i64,
) -> Result<Vec<Option<Period>>, String> {
    // The running period is compared with the same elapsed part.
    let elapsed = |period: &Period| match period.from {
        Some(from) if from < now && now < period.until => now,
        _ => period.until,
    };
    let moved = |period: &Period, shift: &dyn Fn(i64) -> i64| {
        let (from, until) = (period.from?, elapsed(period));
        Some(Period { start: shift(period.start), from: Some(shift(from)), until: shift(until), partial: false })
    };
    match against {
        Against::Target { .. } => Err("a target has no periods".to_string()),
        Against::Previous { grain: Some(back), aligned: false, .. } => {
            let back = calendar.grain(back).ok_or("`vs previous` needs a period")?.unit;
            let length = Length::of(-1, back);
            let Some(grain) = grain else {
                return Ok(periods.iter().map(|p| moved(p, &|at| calendar.add(at, length))).collect());
            };
            periods.iter().map(|p| counterpart(p, elapsed(p), grain, back, calendar)).collect()
        }
        Against::Previous { aligned: true, .. } => {
            let length = Length::of(-364, TimeUnit::Day);
            Ok(periods.iter().map(|p| moved(p, &|at| calendar.add(at, length))).collect())
        }
        Against::Previous { grain: None, .. } => {
            let (Some(from), until) = range else { return Err("nothing lies before all time".to_string()) };
            match grain {
                Some(grain) => {
                    let count = periods.len() as i64;
                    let part = |start: i64, at: i64| {
                        let there = calendar.step(grain, start, -count);
                        match at == calendar.next(grain, start) {
                            true => calendar.next(grain, there),
                            false => same_part(start, at, there, grain, calendar),
                        }
                    };
                    Ok(periods.iter().map(|p| moved(p, &|at| part(p.start, at))).collect())
                }
                None => {
                    let length = length_between(from, until, calendar).negated();
                    Ok(periods.iter().map(|p| moved(p, &|at| calendar.add(at, length))).collect())
                }
            }
        }
        Against::Period { calendar: name, text, .. } => {
            let (from, until) = calendar.period(name.as_ref().map(|n| &n.text[..]), text)?;
            let others = self::periods((Some(from), until), grain, calendar, now);
            // The same part of each that is cut or runs; of a window that runs as long a time.
            let cut = |(period, other): (&Period, &Period)| match (grain, period.from, other.from) {
                (Some(grain), Some(from), Some(there)) => {
                    let part = |at| same_part(period.start, at, other.start, grain, calendar);
                    let (begins, end) = (from > period.start, elapsed(period));
                    let until = if end < calendar.next(grain, period.start) { part(end) } else { other.until };
                    let from = if begins { part(from).max(there) } else { there };
                    Period { from: Some(from), until: until.min(other.until), ..*other }
                }
                (None, Some(from), Some(there)) if from < now && now <= period.until => {
                    let until = calendar.add(there, length_between(from, elapsed(period), calendar));
                    Period { until: until.min(other.until), ..*other }
                }
                _ => *other,
            };
            let pairs = periods.iter().enumerate();
            Ok(pairs.map(|(index, period)| others.get(index).map(|other| cut((period, other)))).collect())
        }
    }
}

/// The period one `back` earlier: month to month, week n to week n, day to date.
fn counterpart(
    period: &Period,
    end: i64,
    grain: Grain,
    back: TimeUnit,
    calendar: &Calendar,
) -> Result<Option<Period>, String> {
    if back < grain.unit {
        return Err("the periods are longer than what they are compared with".to_string());
    }
    let length = Length::of(-1, back);
    let start = match grain.unit {
        TimeUnit::Week if back == TimeUnit::Year => {
            let (year, number) = calendar.week_number(grain, period.start);
            calendar.week_numbered(grain, year - 1, number)
        }
        TimeUnit::Week if back == TimeUnit::Week => Some(calendar.step(grain, period.start, -1)),
        TimeUnit::Week => return Err("weeks have no counterpart in a month".to_string()),
        _ => {
            let there = calendar.add(period.start, length);
            // The 29th of February and the 31st have no counterpart: adding the length again gives another day.
            let again = calendar.day(there).checked_add(match back {
                TimeUnit::Year => 1.year(),
                TimeUnit::Quarter => 3.months(),
                TimeUnit::Month => 1.month(),
                TimeUnit::Week => 1.week(),
                _ => 1.day(),
            });
            let day = calendar.day(period.start);
            (again.is_ok_and(|again| again == day) || back < TimeUnit::Day).then_some(there)
        }
    };
    let Some(start) = start else { return Ok(None) };
    if calendar.start(grain, start) != start {
        return Err("the periods do not lie on those of the comparison".to_string());
    }
    let next = calendar.next(grain, start);
    let shift = |at: i64| match grain.unit {
        TimeUnit::Week => calendar.add(start, days_and_time(period.start, at, calendar)),
        _ => calendar.add(at, length),
    };
    let whole = calendar.next(grain, period.start);
    let from = period.from.filter(|from| *from > period.start).map_or(start, shift);
    let until = if end < whole { shift(end).min(next) } else { next };
    Ok(Some(Period { start, from: Some(from), until, partial: false }))
}

/// Where a moment of one period stands in another: on the same day and at the same time of it.
fn same_part(start: i64, at: i64, there: i64, grain: Grain, calendar: &Calendar) -> i64 {
    let moved = match grain.unit {
        TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year => {
            let months = calendar.periods_between(calendar.ordinary(TimeUnit::Month), start, there);
            calendar.add(at, Length { months, ..Length::default() })
        }
        TimeUnit::Week | TimeUnit::Day => calendar.add(there, days_and_time(start, at, calendar)),
        _ => there + (at - start),
    };
    moved.clamp(there, calendar.next(grain, there))
}

/// From one instant to another in days of the calendar, then in elapsed time.
fn days_and_time(from: i64, to: i64, calendar: &Calendar) -> Length {
    let days = i64::from(calendar.day(to).since(calendar.day(from)).map_or(0, |span| span.get_days()));
    let rest = to - calendar.add(from, Length { days, ..Length::default() });
    Length { months: 0, days, micros: rest }
}

/// The length of a window: in months where it goes from a first of a month to another at one time of day, else in days
/// and what is left on the clock.
fn length_between(from: i64, until: i64, calendar: &Calendar) -> Length {
    let (a, b) = (calendar.local(from), calendar.local(until));
    if a.time() == b.time() && a.day() == 1 && b.day() == 1 {
        let months = calendar.periods_between(calendar.ordinary(TimeUnit::Month), from, until);
        return Length { months, ..Length::default() };
    }
    let length = days_and_time(from, until, calendar);
    match b.time() < a.time() {
        // The last day is not whole.
        true => {
            let days = length.days - 1;
            Length { micros: until - calendar.add(from, Length { days, ..Length::default() }), days, months: 0 }
        }
        false => length,
    }
}
