//! Windows of time as instants: `last 12 months`, `during fiscal.2026`, `since 2025-01-01 until 2025-03-01`.

use super::{Cx, grain};
use crate::calendar::{CalendarTable, Grain, TABLE_UNITS, TimeUnit, Zone, span_of, truncate_date};
use crate::catalog::Catalog;
use crate::core;
use crate::value::CalendarSpan;
use jiff::civil::{Date, DateTime};
use kepi_syntax::ast::{Bound, Length, Name, Window};
use kepi_syntax::{Code, Span};
use std::sync::Arc;

/// A date or an instant as written.
pub(crate) enum Instant {
    Day(Date),
    Moment(i64),
}

/// The project's zone; the settings accept only zones that exist.
pub(crate) fn zone_of(catalog: &Catalog) -> Zone {
    Zone::named(&catalog.settings.zone).unwrap_or_else(Zone::utc)
}

/// Reads `2025-03-01`, `2025-03-01T12:00`, `2025-03-01T12:00:00+01:00`; none: there is no such day or time.
pub(crate) fn parse_instant(zone: &str, text: &str) -> Option<Instant> {
    let Some((day, _)) = text.split_once('T') else {
        return text.parse::<Date>().ok().map(Instant::Day);
    };
    day.parse::<Date>().ok()?;
    if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
        return Some(Instant::Moment(stamp.as_microsecond()));
    }
    let local: DateTime = text.parse().ok()?;
    Zone::named(zone).map(|z| Instant::Moment(z.instant(local)))
}

impl Catalog {
    /// Reads an instant as a user writes it (`--now`, `now` in kepi.toml): a date is its first instant in the project's
    /// zone. None: there is no such day or time.
    pub fn instant(&self, text: &str) -> Option<i64> {
        let zone = zone_of(self);
        match parse_instant(&self.settings.zone, text.trim())? {
            Instant::Day(day) => Some(zone.start_of_day(day)),
            Instant::Moment(at) => Some(at),
        }
    }
}

/// The span of a written length.
pub(crate) fn span(cx: &mut Cx<'_>, length: &Length) -> Option<CalendarSpan> {
    let whole = whole(cx, length)?;
    match span_of(whole, length.unit) {
        Some(span) => Some(span),
        None => cx.error(Code::TooLarge, length.span, "this is longer than the calendar"),
    }
}

fn whole(cx: &mut Cx<'_>, length: &Length) -> Option<i64> {
    match kepi_syntax::decimal(&length.number) {
        Some((digits, 0)) if (1..=1_000_000).contains(&digits) => i64::try_from(digits).ok(),
        Some((digits, 0)) if digits > 1_000_000 => cx.error_help(
            Code::TooLarge,
            length.span,
            format!("`{}` periods are more than there can be", length.number),
            "at most 1,000,000 are looked at; `since` and `until` say the two ends of a time",
        ),
        _ => cx.error_help(
            Code::TypeMismatch,
            length.span,
            format!("`{}` is no whole number of periods", length.number),
            "write a whole number from 1 on, such as `last 12 months`",
        ),
    }
}

/// The window of a query. Without one: from the first row that anything shown has, up to now.
pub(crate) fn lower(cx: &mut Cx<'_>, window: Option<&Window>, moment: Option<&Bound>) -> Option<core::Window> {
    let zone = zone_of(cx.catalog);
    let now = cx.now;
    if let Some(bound) = moment {
        let (at, _) = bounds(cx, &zone, bound)?;
        return Some(core::Window { from: None, until: at, words: format!("at {}", bound_text(bound)), moment: true });
    }
    let (from, until, words) = match window {
        None => (None, now, "from the first row up to now".to_string()),
        Some(Window::Last { length, to_date }) => {
            let count = whole(cx, length)?;
            let grain = cx.catalog.settings.grain(length.unit);
            let current = zone.truncate(&grain, now);
            let from = zone.step(&grain, current, -count);
            let unit = crate::calendar::unit_name(length.unit);
            let many = if count == 1 { unit.to_string() } else { format!("{count} {unit}s") };
            let many = if count == 1 { format!("complete {many}") } else { many.replacen(' ', " complete ", 1) };
            if *to_date {
                (Some(from), now, format!("the last {many} and the running one to date"))
            } else {
                (Some(from), current, format!("the last {many}"))
            }
        }
        Some(Window::LastOf { number, grain, to_date }) => {
            let at = grain.span;
            let length = Length { number: number.clone(), unit: TimeUnit::Day, span: at };
            let count = whole(cx, &length)?;
            let grain = grain::grain(cx, grain)?;
            covered(cx, &zone, &grain, ("now is", now), at)?;
            let current = zone.truncate(&grain, now);
            let from = zone.step(&grain, current, -count);
            covered(cx, &zone, &grain, ("it begins", from), at)?;
            let name = grain.name();
            let many = if count == 1 { format!("complete {name}") } else { format!("{count} complete {name}s") };
            if *to_date {
                (Some(from), now, format!("the last {many} and the running one to date"))
            } else {
                (Some(from), current, format!("the last {many}"))
            }
        }
        Some(Window::This { grain, to_date }) => {
            let at = grain.span;
            let grain = grain::grain(cx, grain)?;
            covered(cx, &zone, &grain, ("now is", now), at)?;
            let from = zone.truncate(&grain, now);
            let name = grain.name();
            if *to_date {
                (Some(from), now, format!("this {name} to date"))
            } else {
                (Some(from), zone.step(&grain, from, 1), format!("this {name}, to its end"))
            }
        }
        Some(Window::During(bound)) => {
            let (from, until) = bounds(cx, &zone, bound)?;
            if from >= until {
                let text = bound_text(bound);
                let help = format!("write a period, such as `during 2025-03`, or `at {text}`, `since {text}`");
                return cx.error_help(
                    Code::NoSuchDay,
                    bound_span(bound),
                    format!("`{text}` is a moment: nothing lasts so short"),
                    help,
                );
            }
            (Some(from), until, format!("during {}", bound_text(bound)))
        }
        Some(Window::Since { from, until }) => {
            let (start, _) = bounds(cx, &zone, from)?;
            match until {
                None => {
                    ordered(cx, start, now, bound_span(from), "it ends now")?;
                    (Some(start), now, format!("since {}", bound_text(from)))
                }
                Some(until) => {
                    let (end, _) = bounds(cx, &zone, until)?;
                    let words = format!("since {} until {}", bound_text(from), bound_text(until));
                    ordered(cx, start, end, bound_span(until), "its end is not part of it")?;
                    (Some(start), end, words)
                }
            }
        }
        Some(Window::FromUntil { from, until }) => {
            let (start, _) = bounds(cx, &zone, from)?;
            let (end, _) = bounds(cx, &zone, until)?;
            ordered(cx, start, end, bound_span(until), "its end is not part of it")?;
            (Some(start), end, format!("from {} until {}", bound_text(from), bound_text(until)))
        }
        Some(Window::Until(bound)) => {
            let (end, _) = bounds(cx, &zone, bound)?;
            (None, end, format!("until {}", bound_text(bound)))
        }
    };
    Some(core::Window { from, until, words, moment: false })
}

fn ordered(cx: &mut Cx<'_>, start: i64, end: i64, span: Span, why: &str) -> Option<()> {
    if start < end {
        return Some(());
    }
    cx.error_help(
        Code::NoSuchDay,
        span,
        format!("there is no time in this window: {why}"),
        "a window ends behind its beginning, such as `from 2025-01-01 until 2025-02-01` for January",
    )
}

pub(crate) fn bound_span(bound: &Bound) -> Span {
    match bound {
        Bound::Date(date) => date.span,
        Bound::Period { span, .. } | Bound::Now(span) => *span,
    }
}

fn bound_text(bound: &Bound) -> String {
    match bound {
        Bound::Date(date) => date.text.clone(),
        Bound::Period { calendar: Some(calendar), text, .. } => format!("{}.{text}", calendar.text),
        Bound::Period { text, .. } => text.clone(),
        Bound::Now(_) => "now".to_string(),
    }
}

/// The first instant of what is written, and the instant behind it.
pub(crate) fn bounds(cx: &mut Cx<'_>, zone: &Zone, bound: &Bound) -> Option<(i64, i64)> {
    match bound {
        Bound::Now(_) => Some((cx.now, cx.now)),
        Bound::Date(date) => match parse_instant(&cx.catalog.settings.zone, &date.text) {
            Some(Instant::Day(day)) => {
                let start = zone.start_of_day(day);
                Some((start, zone.step(&Grain::ordinary(TimeUnit::Day), start, 1)))
            }
            Some(Instant::Moment(at)) => Some((at, at)),
            None => cx.error(Code::NoSuchDay, date.span, format!("there is no `{}`", date.text)),
        },
        Bound::Period { calendar, text, span } => period(cx, zone, calendar.as_ref(), text, *span),
    }
}

/// The bounds of a written period: `2025`, `2025-03`, `2025-Q3`, `2025-W07`, `fiscal.2026`, `fiscal.2026-Q1`.
pub(crate) fn period(
    cx: &mut Cx<'_>,
    zone: &Zone,
    calendar: Option<&Name>,
    text: &str,
    span: Span,
) -> Option<(i64, i64)> {
    let grain = |cx: &mut Cx<'_>, unit| match calendar {
        None => Some(cx.catalog.settings.grain(unit)),
        Some(name) => match cx.catalog.settings.grain_in(&name.text, unit) {
            Some(grain) => Some(grain),
            None => cx.error_help(
                Code::UnknownName,
                name.span,
                format!("there is no calendar `{}`", name.text),
                format!("declare it: `calendar {} = year starts \"april\"`", name.text),
            ),
        },
    };
    if let Some(name) = calendar
        && let Some(table) = cx.catalog.settings.calendars.get(&name.text).and_then(|rules| rules.table.clone())
    {
        return of_table(cx, zone, &table, name, text, span);
    }
    let (year, rest) = text.split_once('-').map_or((text, None), |(year, rest)| (year, Some(rest)));
    let Ok(year) = year.parse::<i16>() else {
        return cx.error(Code::NoSuchDay, span, format!("there is no `{text}`"));
    };
    let yearly = grain(cx, TimeUnit::Year)?;
    // A year that starts after January is named by the year it ends in, unless the calendar says otherwise.
    let first_year = if yearly.year_start > 1 && !yearly.named_by_start { year - 1 } else { year };
    let Ok(start_of_year) = Date::new(first_year, yearly.year_start, 1) else {
        return cx.error(Code::NoSuchDay, span, format!("there is no `{text}`"));
    };
    // The weeks and months of a year that starts later have no numbers of their own.
    if let (Some(name), Some(rest)) = (calendar, rest.filter(|r| yearly.year_start > 1 && !r.starts_with('Q'))) {
        let what = if rest.starts_with('W') { "weeks" } else { "months" };
        return cx.error_help(
            Code::NoSuchDay,
            span,
            format!("the {what} of `{}` have no numbers of their own", name.text),
            format!("write `{text}` for that of the ordinary year, or a quarter such as `{}.{year}-Q1`", name.text),
        );
    }
    let (unit, first_day) = match rest {
        None => (TimeUnit::Year, Some(start_of_year)),
        Some(rest) => match (rest.strip_prefix('Q'), rest.strip_prefix('W')) {
            (Some(quarter), _) => {
                let quarter: i32 = quarter.parse().unwrap_or(0);
                let first = (1..=4)
                    .contains(&quarter)
                    .then(|| start_of_year.saturating_add(jiff::Span::new().months((quarter - 1) * 3)));
                (TimeUnit::Quarter, first)
            }
            (_, Some(week)) => {
                let weekly = grain(cx, TimeUnit::Week)?;
                (TimeUnit::Week, week.parse().ok().and_then(|week| start_of_week(&weekly, year, week)))
            }
            _ => (TimeUnit::Month, rest.parse().ok().and_then(|month| Date::new(year, month, 1).ok())),
        },
    };
    let Some(first_day) = first_day else {
        return cx.error(Code::NoSuchDay, span, format!("there is no `{text}`"));
    };
    let grain = grain(cx, unit)?;
    let start = zone.start_of_day(first_day);
    Some((start, zone.step(&grain, start, 1)))
}

/// A period of a calendar that comes from a table: the one with this label, else the n-th one of a year, `2026-Q1`.
fn of_table(
    cx: &mut Cx<'_>,
    zone: &Zone,
    table: &Arc<CalendarTable>,
    calendar: &Name,
    text: &str,
    span: Span,
) -> Option<(i64, i64)> {
    let grain = |unit| Grain { table: Some(table.clone()), ..Grain::ordinary(unit) };
    let bounds = |unit, day: Date| {
        let start = zone.start_of_day(day);
        (start, zone.step(&grain(unit), start, 1))
    };
    let mut found: Vec<(i64, i64)> = Vec::new();
    for unit in TABLE_UNITS.into_iter().rev() {
        found.extend(table.labelled(unit, text).map(|day| bounds(unit, day)));
        if !found.is_empty() {
            break;
        }
    }
    if let (true, Some((year, rest))) = (found.is_empty(), text.split_once('-')) {
        let (unit, number) = match (rest.strip_prefix('Q'), rest.strip_prefix('W')) {
            (Some(quarter), _) => (TimeUnit::Quarter, quarter),
            (_, Some(week)) => (TimeUnit::Week, week),
            _ => (TimeUnit::Month, rest),
        };
        let number = number.parse::<i64>().ok().filter(|number| *number >= 1 && table.has(unit));
        for day in table.labelled(TimeUnit::Year, year) {
            let (start, end) = bounds(TimeUnit::Year, day);
            let period = number.map(|number| zone.step(&grain(unit), zone.truncate(&grain(unit), start), number - 1));
            let inside = period.filter(|period| (start..end).contains(period));
            found.extend(inside.map(|period| (period, zone.step(&grain(unit), period, 1))));
        }
    }
    match found.as_slice() {
        [one] => Some(*one),
        [] => cx.error_help(
            Code::NoSuchDay,
            span,
            format!("the table of `{}` has no `{text}`", calendar.text),
            format!(
                "it goes from {} until {}; write a label of its, or a year and a number",
                table.first(),
                table.end()
            ),
        ),
        several => cx.error_help(
            Code::Ambiguous,
            span,
            format!("{} periods of `{}` are called `{text}`", several.len(), calendar.text),
            "write the year in front, such as `2026-02`, `2026-Q1` or `2026-W05`",
        ),
    }
}

/// Whether a moment lies in the table that a grain's periods come from.
pub(super) fn covered(cx: &mut Cx<'_>, zone: &Zone, grain: &Grain, (what, at): (&str, i64), span: Span) -> Option<()> {
    let day = zone.local(at).date();
    match &grain.table {
        Some(table) if !table.covers(day) => cx.error_help(
            Code::NoSuchDay,
            span,
            format!(
                "{what} {day}, and the table of `{}` goes from {} until {}",
                grain.name(),
                table.first(),
                table.end()
            ),
            "add the days to the table, or write `during` and a period of it",
        ),
        _ => Some(()),
    }
}

/// The first day of a week of a year: week 1 is the first with at least four days in the year.
fn start_of_week(grain: &Grain, year: i16, week: i32) -> Option<Date> {
    if !(1..=53).contains(&week) {
        return None;
    }
    let fourth = Date::new(year, 1, 4).ok()?;
    let first = truncate_date(grain, fourth);
    let start = first.saturating_add(jiff::Span::new().weeks(week - 1));
    // Week 53 exists only in years that have one.
    let middle = start.saturating_add(jiff::Span::new().days(3));
    (middle.year() == year).then_some(start)
}
