//! What must be said beside the numbers: windows without data, what lies ahead, rows without an entity.

use super::due::Cut;
use super::plan::{Times, shown_aggregates};
use crate::made::parents;
use crate::pass::EarlyRows;
use crate::words::grouped;
use crate::{Note, Pass, Report, Source};
use kepi_extension::{EventScan, StreamInfo};
use kepi_model::calendar::{Zone, date_of};
use kepi_model::core::{Base, Made, Query, Shape};
use std::collections::{BTreeMap, BTreeSet};

/// The notes on the window: that it holds no data though there are some, that it goes on beyond `now`.
pub(crate) fn of_times(query: &Query, times: &Times, scan: &dyn EventScan, zone: &Zone) -> Vec<Note> {
    // Moved windows may have data where the query's own has none.
    let streams = streams(query, scan);
    let mut notes = Vec::new();
    let span = &times.span;
    let first = streams.iter().filter_map(|s| s.first).min();
    let last = streams.iter().filter_map(|s| s.last).max();
    if let Some((first, last)) = first.zip(last) {
        let before = span.from.is_some_and(|from| last < from);
        let after = first >= span.until;
        if before || after {
            notes.push(Note { code: "no_data".into(), text: no_data(query, zone, first, last, before) });
        }
    }
    if query.window.from.is_none() && !query.window.moment {
        notes.extend(long_over(query, scan, zone, span.until));
    }
    notes.extend(nothing_loaded(query, scan));
    // Without a window of its own a query looks from its first row on, and of entities alone there is none.
    let compared =
        query.per.is_none() && !query.window.moment && query.window.from.is_some() && !query.compare.is_empty();
    if compared && span.from.is_some_and(|from| from >= query.now) {
        let text = format!("{} has not begun, so nothing stands against it", query.window.words);
        notes.push(Note { code: "not_begun".into(), text });
    }
    let mut read = BTreeSet::new();
    let shown = shown_aggregates(query).into_iter().filter_map(|i| query.aggregates.get(i));
    shown.for_each(|aggregate| below(&aggregate.events.base, &mut read));
    for stream in read.into_iter().filter_map(|name| scan.stream(name)).filter(|info| info.rows > 0) {
        if let Some(last) = stream.last.filter(|last| span.until > query.now && *last >= query.now) {
            let (name, now, last) = (&stream.name, moment(zone, query.now), day(zone, last));
            let counted = match &times.cut {
                None => "those in the window count",
                Some(cut) if cut.goes_on() => {
                    "what still runs is compared up to now, without them; those in periods that have not begun count"
                }
                Some(_) => "what still runs is compared up to now, without them",
            };
            let text = format!("{name} has rows later than now ({now}), up to {last}; {counted}");
            notes.push(Note { code: "after_now".into(), text });
        }
    }
    notes
}

/// Fewer empty periods than this are no surprise.
const EMPTY_MIN: usize = 12;

/// What is said where a query without a window goes on for as many periods behind the data as they have.
fn long_over(query: &Query, scan: &dyn EventScan, zone: &Zone, until: i64) -> Option<Note> {
    let mut names = BTreeSet::new();
    let shown = shown_aggregates(query).into_iter().filter_map(|i| query.aggregates.get(i));
    shown.for_each(|aggregate| below(&aggregate.events.base, &mut names));
    let stored: Vec<StreamInfo> = names.into_iter().filter_map(|name| scan.stream(name)).collect();
    let (first, last) = (stored.iter().filter_map(|s| s.first).min()?, stored.iter().filter_map(|s| s.last).max()?);
    let grain = match (&query.per, &query.shape) {
        // Labels have no row where they have nothing.
        (Some(grain), None) if query.by.is_empty() || query.fill.is_some() => grain,
        (None, Some(Shape::Ages { grain, .. })) => grain,
        _ => return None,
    };
    let next = |start: i64| zone.step(grain, start, 1);
    let periods = |from: i64, until: i64| {
        let begin = zone.truncate(grain, from);
        std::iter::successors(Some(begin), |&start| Some(next(start)).filter(|&n| n > start))
            .take_while(move |&s| s < until)
    };
    let behind = next(zone.truncate(grain, last));
    let empty = periods(behind, until).take(EMPTY_MAX).count();
    let filled = periods(first, behind).take(EMPTY_MAX).count();
    if empty < EMPTY_MIN.max(filled) {
        return None;
    }
    let (end, then) = (day(zone, last), date_of(zone.day_number(last).saturating_add(1)));
    let text = format!(
        "the data end on {end}, and the {} go on up to now: `--now {then}`, or `now = \"{then}\"` in kepi.toml, asks as of then",
        plural(&grain.name())
    );
    Some(Note { code: "long_over".into(), text })
}

/// The stored streams that rows are made of, in the end.
fn below<'q>(base: &'q Base, names: &mut BTreeSet<&'q str>) {
    match base {
        Base::Stream(name) => {
            names.insert(name);
        }
        Base::Entity(_) => {}
        Base::Made(made) => {
            parents(made).into_iter().for_each(|parent| below(parent, names));
            if let Made::Groups(groups) = &**made {
                groups.aggregates.iter().for_each(|aggregate| below(&aggregate.events.base, names));
            }
        }
    }
}

/// More periods than this are not counted.
const EMPTY_MAX: usize = 100_000;

fn plural(grain: &str) -> String {
    format!("{}s", grain.rsplit('.').next().unwrap_or(grain))
}

/// What is said where nothing that is shown has any row: a 0 may be the answer of a name that nothing fills.
fn nothing_loaded(query: &Query, scan: &dyn EventScan) -> Option<Note> {
    let (mut streams, mut entities) = (BTreeSet::new(), BTreeSet::new());
    for aggregate in shown_aggregates(query).into_iter().filter_map(|i| query.aggregates.get(i)) {
        below(&aggregate.events.base, &mut streams);
        match &aggregate.events.base {
            Base::Entity(name) => _ = entities.insert(name.as_str()),
            Base::Stream(_) | Base::Made(_) => {}
        }
    }
    let is_filled = streams.iter().any(|name| scan.stream(name).is_some_and(|info| info.rows > 0))
        || entities.iter().any(|name| scan.entity(name).is_some_and(|info| info.count > 0));
    let bare = |name: &&str| name.rsplit('.').next().unwrap_or(name).to_string();
    let names: Vec<String> = streams.iter().chain(&entities).map(bare).collect();
    if names.is_empty() || is_filled {
        return None;
    }
    let text = format!("nothing has been loaded into {} yet", names.join(" and "));
    Some(Note { code: "nothing_loaded".into(), text })
}

fn no_data(query: &Query, zone: &Zone, first: i64, last: i64, before: bool) -> String {
    let window = &query.window.words;
    // "the last 5 complete days" is a time, "during 2025" says where one lies.
    let moves = window.starts_with("the ") || window.starts_with("this ");
    let within = if moves { format!("in {window}") } else { window.clone() };
    if !before {
        return format!("there are no data {within}: they begin on {}", day(zone, first));
    }
    let mut text = format!("there are no data {within}: they end on {}", day(zone, last));
    // Only a window that moves with `now` reaches the data with another `now`.
    if moves {
        let next = date_of(zone.day_number(last).saturating_add(1));
        text.push_str(&format!("; `--now {next}` would show them"));
    }
    text
}

/// What is stored of the streams that shown aggregates read, but for those that look at moved windows.
fn streams(query: &Query, scan: &dyn EventScan) -> Vec<StreamInfo> {
    let mut names: Vec<&str> = Vec::new();
    for i in shown_aggregates(query) {
        if let Some(aggregate) = query.aggregates.get(i).filter(|a| a.moved.is_empty()) {
            names.extend(streams_of(&aggregate.events.base));
        }
    }
    let mut seen = BTreeSet::new();
    let fresh = names.into_iter().filter(|name| seen.insert(*name));
    fresh.filter_map(|name| scan.stream(name)).filter(|info| info.rows > 0).collect()
}

/// The stored streams that rows are read from, or that groups are made of.
pub(crate) fn streams_of(base: &Base) -> Vec<&str> {
    match base {
        Base::Stream(name) => vec![name],
        Base::Entity(_) => Vec::new(),
        Base::Made(made) => match &**made {
            Made::Groups(groups) => {
                let mut names: Vec<&str> = groups.aggregates.iter().flat_map(|a| streams_of(&a.events.base)).collect();
                names.dedup();
                names
            }
            _ => Vec::new(),
        },
    }
}

/// How many rows lack the entity that an aggregate is about, of the query's own time.
pub(crate) fn without_entity(query: &Query, times: &Times, reports: &[(Pass, Report)]) -> Vec<Note> {
    // The query's own side stands first, up to two passes each; comparisons repeat the same bases.
    let mut counts: BTreeMap<(String, &str), u64> = BTreeMap::new();
    let own = super::plan::passes(query).len() * if times.cut.as_ref().is_some_and(Cut::goes_on) { 2 } else { 1 };
    let is_own = |pass: &Pass| pass.until >= times.span.until.min(query.now) && pass.from == times.span.from;
    for (pass, report) in reports.iter().take(own).filter(|(pass, _)| is_own(pass)) {
        let streams = streams_of(&pass.base);
        if streams.is_empty() {
            continue;
        }
        for (aggregate, count) in pass.aggregates.iter().zip(&report.without_entity) {
            if *count > 0 {
                let most = counts.entry((streams.join(" and "), &aggregate.text)).or_default();
                *most = (*most).max(*count);
            }
        }
    }
    let note = |((stream, text), count): ((String, &str), u64)| {
        let (rows, lack, take) = if count == 1 { ("row", "lacks", "takes") } else { ("rows", "lack", "take") };
        let count = grouped(count);
        Note {
            code: "without_entity".into(),
            text: format!("{count} {rows} of {stream} {lack} the entity of `{text}` and {take} no part in it"),
        }
    };
    counts.into_iter().map(note).collect()
}

/// Of how many entities rows said something before they exist, of those that begin in the query's own time.
pub(crate) fn before_existence(times: &Times, source: &Source) -> Vec<Note> {
    let from = times.span.from.map_or(i64::MIN, |from| from.saturating_sub(1));
    let bare = |name: &str| name.rsplit('.').next().unwrap_or(name).to_string();
    let note = |(rows, count): (EarlyRows, usize)| {
        let (from, entity, count) = (bare(&rows.from), bare(&rows.entity), grouped(count as u64));
        let begins = &rows.begins;
        let text = format!(
            "`{from}` begins earlier than `{entity}.{begins}` for {count} of `{entity}`: a condition holds of nobody before \
             they exist, so that time is left out of it; without `from {begins}` they exist earlier"
        );
        Note { code: "before_existence".into(), text }
    };
    source.early().later_than(from).into_iter().map(note).collect()
}

/// Why values of plugins' models are missing.
pub(crate) fn learned(reports: &[(Pass, Report)]) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for learned in reports.iter().flat_map(|(_, report)| &report.learned) {
        let Some(why) = &learned.why else { continue };
        let name = &learned.text;
        let text = match (learned.cells, learned.missing) {
            (1, _) => format!("`{name}` is missing: {why}"),
            (cells, 1) => format!("`{name}` is missing in 1 of {cells} cells: {why}"),
            (cells, missing) => {
                format!("`{name}` is missing in {missing} of {cells} cells; in the first of them: {why}")
            }
        };
        let note = Note { code: "not_learned".into(), text };
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// The day of an instant.
pub(crate) fn day(zone: &Zone, micros: i64) -> String {
    zone.local(micros).date().to_string()
}

/// An instant: its day alone where it is midnight.
pub(crate) fn moment(zone: &Zone, micros: i64) -> String {
    let local = zone.local(micros);
    let midnight = local.time() == jiff::civil::Time::midnight();
    if midnight { local.date().to_string() } else { format!("{} {}", local.date(), local.time()) }
}
