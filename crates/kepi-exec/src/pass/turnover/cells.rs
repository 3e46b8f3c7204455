//! The cells of a pass, put together of what was counted in pieces of time.

use super::super::scalar::{CellKey, Labels, Scalar};
use super::super::state::{Cells, Outcome, State};
use super::super::windows::{NO_BEGINNING, Window};
use super::super::{Pass, Report, Source};
use super::asked::{Asked, Ends, Of};
use super::{Counted, WAY};
use kepi_model::core::Base;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The cells of a pass.
pub(super) fn of(pass: &Pass, asked: &Asked<'_>, windows: &[Window], counted: &Counted, source: &Source) -> Cells {
    let aggregates = asked.counted.len();
    let places = Spans::of(windows, counted);
    let mut sums = Sums::new(aggregates);
    let (mut kept, mut first) = (0, None);
    for (group, values) in counted.by_id.each() {
        let taken = |conditions: &[usize]| conditions.iter().all(|&c| values.get(c) == Some(&Scalar::Number(1)));
        let takes: Vec<bool> = asked.counted.iter().map(|counted| taken(&counted.conditions)).collect();
        if !takes.contains(&true) {
            continue;
        }
        let of_group = OfGroup::of(group, counted);
        let mut all: Option<Ends> = None;
        for (number, what) in asked.counted.iter().enumerate().filter(|(number, _)| takes[*number]) {
            let labels: Labels = what.labels.iter().map(|&label| values[label].clone()).collect::<Vec<_>>().into();
            for (place, window) in windows.iter().enumerate() {
                let count = of_group.count(what.of, &places.spans[place]);
                if count > 0 {
                    sums.add(number, CellKey { period: window.period, labels: labels.clone() }, count);
                }
            }
            all = all.into_iter().chain(what.of.ends()).reduce(Ends::or);
        }
        match all {
            // An entity counts once for each window.
            Some(ends) => kept += places.spans.iter().map(|span| of_group.count(Of::In(ends), span)).sum::<i64>(),
            None => {
                let Some(of) = asked.counted.first().map(|counted| counted.of) else { continue };
                kept += of_group.count(of, &places.whole);
                first = first.into_iter().chain(of_group.first(of, &places.whole)).min();
            }
        }
    }
    let mut scanned = counted.take_scanned();
    let mut without = 0;
    if let Base::Entity(entity) = &pass.base {
        scanned += source.scan.entity(entity).map_or(0, |entity| u64::from(entity.count));
        first = counted.counts.first.filter(|&first| looked_at(asked, windows).is_some_and(|last| first <= last));
    } else {
        without = counted.counts.without[places.whole.range()].iter().sum::<i64>().unsigned_abs();
    }
    let report = Report {
        rows_scanned: scanned,
        rows_kept: kept.unsigned_abs(),
        without_entity: vec![without; aggregates],
        first,
        way: Some(WAY),
        continued: counted.continued,
        ..Report::default()
    };
    sums.into_cells(report)
}

/// The last moment at which it is asked who is in a state.
fn looked_at(asked: &Asked<'_>, windows: &[Window]) -> Option<i64> {
    let mut ends = asked.counted.iter().filter_map(|counted| counted.of.ends());
    let only_first = ends.all(Ends::is_of_first);
    let last = windows.iter().map(|window| if only_first { window.cell.0 } else { window.cell.1 }).max();
    last.map(|instant| instant.saturating_sub(1))
}

/// Where windows lie among the pieces of time.
struct Spans {
    spans: Vec<Span>,
    /// All that is read, from the first window's beginning to the last one's end.
    whole: Span,
}

/// A window: from the piece that it begins with to behind its last one; and the same for its cell.
struct Span {
    window: (usize, usize),
    cell: (usize, usize),
}

impl Spans {
    fn of(windows: &[Window], counted: &Counted) -> Spans {
        // Where there is no beginning, all pieces come behind it.
        let begin = |instant: i64| if instant == NO_BEGINNING { 0 } else { counted.places.interval(instant) };
        let piece = |(from, until): (i64, i64)| (begin(from), begin(until));
        let span = |w: &Window| Span { window: piece((w.from, w.until)), cell: piece(w.cell) };
        let spans: Vec<Span> = windows.iter().map(span).collect();
        let first = spans.first().map_or(0, |span| span.window.0);
        let last = spans.last().map_or(first, |span| span.window.1);
        Spans { whole: Span { window: (first, last), cell: (first, last) }, spans }
    }
}

impl Span {
    /// The pieces of the window.
    fn range(&self) -> std::ops::Range<usize> {
        self.window.0..self.window.1.max(self.window.0)
    }
}

/// What was counted for a group of entities.
struct OfGroup<'a> {
    /// How many stays began and ended before each piece of time.
    started: Vec<i64>,
    ended: Vec<i64>,
    /// How many entities were in the state at both ends of each.
    both: Vec<i64>,
    first_started: &'a [i64],
    first_ended: &'a [i64],
}

impl OfGroup<'_> {
    fn of(group: usize, counted: &Counted) -> OfGroup<'_> {
        let counts = &counted.counts;
        let own = group * counts.intervals..(group + 1) * counts.intervals;
        let before = |list: &[i64]| {
            let sums = list[own.clone()].iter().scan(0, |sum, count| {
                *sum += count;
                Some(*sum)
            });
            [0].into_iter().chain(sums).collect()
        };
        OfGroup {
            started: before(&counts.started),
            ended: before(&counts.ended),
            both: counts.at_both(group),
            first_started: &counts.first_started[own.clone()],
            first_ended: &counts.first_ended[own.clone()],
        }
    }

    fn count(&self, of: Of, span: &Span) -> i64 {
        let between = |sums: &[i64]| sums[span.range().end] - sums[span.range().start];
        // Where nothing lies before a window, nothing held before it.
        let inside = |piece: usize| self.started[piece] - self.ended[piece];
        match of {
            Of::Started => between(&self.started),
            Of::Ended => between(&self.ended),
            Of::In(ends) => {
                let (first, last) = (inside(span.cell.0), inside(span.cell.1));
                if ends.is_of_first() {
                    return first;
                }
                if ends.is_of_last() {
                    return last;
                }
                let both = if span.cell.0 == 0 { 0 } else { self.both.get(span.cell.0).copied().unwrap_or(0) };
                let counted = |alone: bool, count: i64| if alone { count } else { 0 };
                counted(ends.first_alone, first - both)
                    + counted(ends.last_alone, last - both)
                    + counted(ends.both, both)
            }
        }
    }

    /// The first instant of a span at which one began or ended.
    fn first(&self, of: Of, span: &Span) -> Option<i64> {
        let list = if of == Of::Started { self.first_started } else { self.first_ended };
        list[span.range()].iter().copied().min().filter(|&first| first != i64::MAX)
    }
}

/// Cells in the making.
pub(super) struct Sums {
    keys: Vec<CellKey>,
    index: HashMap<CellKey, usize>,
    rows: Vec<Vec<i64>>,
}

impl Sums {
    pub(super) fn new(aggregates: usize) -> Sums {
        Sums { keys: Vec::new(), index: HashMap::new(), rows: vec![Vec::new(); aggregates] }
    }

    pub(super) fn add(&mut self, aggregate: usize, key: CellKey, count: i64) {
        let next = self.keys.len();
        let place = match self.index.entry(key) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.keys.push(new.key().clone());
                *new.insert(next)
            }
        };
        let rows = &mut self.rows[aggregate];
        rows.resize(rows.len().max(place + 1), 0);
        rows[place] += count;
    }

    pub(super) fn into_cells(mut self, report: Report) -> Cells {
        let (len, aggregates) = (self.keys.len(), self.rows.len());
        self.rows.iter_mut().for_each(|rows| rows.resize(len, 0));
        Cells {
            keys: self.keys,
            rows: self.rows,
            states: vec![State::Count; aggregates],
            types: vec![Outcome::Other; aggregates],
            report,
            ..Cells::default()
        }
    }
}
