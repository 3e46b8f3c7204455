//! Puts windows together of the pieces in which rows were folded.

use super::exact::{FloatSum, Spread};
use super::fold::interpolate;
use super::percentile::{Percent, neighbours_of_sorted};
use super::pieces::Pieces;
use super::saved::{self, Saved};
use super::scalar::{CellKey, Scalar};
use super::state::{Cells, State, better};
use super::{Pass, Source};
use crate::ExecError;
use crate::rows::Type;
use kepi_model::core::Measure;
use std::collections::HashMap;
use std::ops::Range;

/// The most cells that overlapping windows may make.
const CELLS_MAX: u64 = 10_000_000;
/// Of how many windows a plugin's function merges the states together, about.
const PLUGIN_STATES: usize = 16_384;

/// The cells of windows, each of which is a stretch of the cells of pieces of the same labels.
struct Stretches {
    /// The cells of pieces: label by label, each in the order of time.
    order: Vec<usize>,
    /// Of those, the windows that they lie in.
    spans: Vec<(u32, u32)>,
    keys: Vec<CellKey>,
    ranges: Vec<Range<usize>>,
    /// The number of each cell's window.
    windows: Vec<u32>,
    /// Per labels: their cells of pieces in `order`, and their cells of windows.
    groups: Vec<(Range<usize>, Range<usize>)>,
}

/// The cells of the windows, out of those of pieces.
pub(crate) fn together(cells: Cells, pass: &Pass, source: &Source, pieces: &Pieces) -> Result<Cells, ExecError> {
    let stretches = Stretches::of(&cells, pieces)?;
    let mut rows = Vec::with_capacity(cells.rows.len());
    let mut states = Vec::with_capacity(cells.states.len());
    for ((state, counts), (aggregate, outcome)) in
        cells.states.iter().zip(&cells.rows).zip(pass.aggregates.iter().zip(&cells.types))
    {
        source.check()?;
        rows.push(stretches.totals(counts));
        states.push(stretches.state(state, &aggregate.measure, &outcome.ty(), source)?);
    }
    Ok(Cells { keys: stretches.keys, rows, states, types: cells.types, report: cells.report, ..Cells::default() })
}

impl Stretches {
    fn of(cells: &Cells, pieces: &Pieces) -> Result<Stretches, ExecError> {
        let mut known: HashMap<&[Scalar], usize> = HashMap::new();
        let mut by_labels: Vec<Vec<usize>> = Vec::new();
        for (i, key) in cells.keys.iter().enumerate() {
            let group = *known.entry(&key.labels).or_insert_with(|| {
                by_labels.push(Vec::new());
                by_labels.len() - 1
            });
            by_labels[group].push(i);
        }
        let piece = |i: usize| cells.keys[i].period.unwrap_or(0);
        let span = |i: usize| pieces.span(piece(i) as usize);
        let mut all = Stretches {
            order: Vec::with_capacity(cells.keys.len()),
            spans: Vec::with_capacity(cells.keys.len()),
            keys: Vec::new(),
            ranges: Vec::new(),
            windows: Vec::new(),
            groups: Vec::with_capacity(by_labels.len()),
        };
        for mut group in by_labels {
            group.sort_unstable_by_key(|&i| piece(i));
            let (begin, before) = (all.order.len(), all.keys.len());
            all.order.extend(&group);
            all.spans.extend(group.iter().map(|&i| span(i)));
            let (mut start, mut end) = (0, 0);
            let mut window = group.first().map_or(0, |&i| span(i).0);
            loop {
                while end < group.len() && span(group[end]).0 <= window {
                    end += 1;
                }
                while start < end && span(group[start]).1 <= window {
                    start += 1;
                }
                if start < end {
                    let period = pieces.windows().get(window as usize).and_then(|w| w.period);
                    all.keys.push(CellKey { period, labels: cells.keys[group[start]].labels.clone() });
                    all.ranges.push(begin + start..begin + end);
                    all.windows.push(window);
                    window += 1;
                } else if let Some(&next) = group.get(end) {
                    window = span(next).0;
                } else {
                    break;
                }
            }
            all.groups.push((begin..all.order.len(), before..all.keys.len()));
            if all.keys.len() as u64 > CELLS_MAX {
                let count = all.keys.len() as u64;
                return Err(ExecError::TooLarge { what: "cells of moved windows".into(), count, max: CELLS_MAX });
            }
        }
        Ok(all)
    }

    /// The sums of numbers that never leave their type.
    fn totals(&self, numbers: &[i64]) -> Vec<i64> {
        let mut until = Vec::with_capacity(self.order.len() + 1);
        let mut sum = 0;
        until.push(0);
        for &i in &self.order {
            sum += numbers.get(i).copied().unwrap_or(0);
            until.push(sum);
        }
        self.ranges.iter().map(|r| until[r.end] - until[r.start]).collect()
    }

    /// Merges what the pieces of each window have, from left to right, none of which is looked at more than a few times.
    fn fold<T: Clone>(
        &self,
        item: impl Fn(usize) -> T,
        mut merge: impl FnMut(&T, &T) -> Result<T, ExecError>,
    ) -> Result<Vec<T>, ExecError> {
        let mut out = Vec::with_capacity(self.ranges.len());
        // What lies before `middle`, merged from there to the left, and what lies behind it, merged to the right.
        let mut left: Vec<T> = Vec::new();
        let mut right: Option<T> = None;
        let (mut middle, mut end) = (0, 0);
        for range in &self.ranges {
            if range.start >= middle {
                (middle, end, right) = (range.end, range.end, None);
                left.clear();
                for place in range.clone().rev() {
                    let own = item(self.order[place]);
                    left.push(match left.last() {
                        Some(behind) => merge(&own, behind)?,
                        None => own,
                    });
                }
            }
            while end < range.end {
                let own = item(self.order[end]);
                right = Some(match &right {
                    Some(before) => merge(before, &own)?,
                    None => own,
                });
                end += 1;
            }
            let before = &left[middle - 1 - range.start];
            out.push(match &right {
                Some(behind) => merge(before, behind)?,
                None => before.clone(),
            });
        }
        Ok(out)
    }

    fn state(&self, state: &State, measure: &Measure, ty: &Type, source: &Source) -> Result<State, ExecError> {
        Ok(match state {
            State::Count => State::Count,
            State::Sum { digits, floats, known } => {
                let add = |a: &i128, b: &i128| a.checked_add(*b).ok_or_else(|| ExecError::Overflow("a sum".into()));
                let merge = |a: &FloatSum, b: &FloatSum| {
                    let mut sum = a.clone();
                    sum.merge(b);
                    Ok(sum)
                };
                State::Sum {
                    digits: self.fold(|i| digits[i], add)?,
                    floats: if floats.is_empty() { Vec::new() } else { self.fold(|i| floats[i].clone(), merge)? },
                    known: self.totals(known),
                }
            }
            State::Best { least, first, last, best } => {
                let pick = |a: &usize, b: &usize| {
                    Ok(if better(&best[*a], &best[*b], *least, *first, *last) { *b } else { *a })
                };
                let places = self.fold(|i| i, pick)?;
                let best = places.into_iter().map(|i| best[i].clone()).collect();
                State::Best { least: *least, first: *first, last: *last, best }
            }
            State::Coverage { fresh, behind, .. } => State::Unique(self.covered(fresh, behind)),
            State::List(lists) => State::Done(self.percentiles(lists, measure, ty)),
            State::Spread(spreads) => {
                let merge = |a: &Spread, b: &Spread| {
                    let mut sum = a.clone();
                    sum.merge(b);
                    Ok(sum)
                };
                State::Spread(self.fold(|i| spreads[i].clone(), merge)?)
            }
            State::Ranked(ranked) => {
                let pick = |a: &usize, b: &usize| Ok(if ranked[*a].gives_way_to(&ranked[*b]) { *b } else { *a });
                State::Ranked(self.fold(|i| i, pick)?.into_iter().map(|i| ranked[i].clone()).collect())
            }
            State::Plugin(states) => State::Plugin(self.plugin(states, measure, source)?),
            State::Unique(_) | State::Sets(_) | State::Done(_) => {
                return Err(ExecError::Plan("a moved window is made of what cannot be put together".into()));
            }
        })
    }

    /// How many values each window counts.
    fn covered(&self, fresh: &[i64], behind: &[i64]) -> Vec<i64> {
        let mut counts = Vec::with_capacity(self.keys.len());
        for (own, cells) in &self.groups {
            let (mut begun, mut ended, mut count) = (own.start, own.start, 0);
            for &window in &self.windows[cells.clone()] {
                while begun < own.end && self.spans[begun].0 <= window {
                    count += fresh[self.order[begun]];
                    begun += 1;
                }
                while ended < own.end && self.spans[ended].1 <= window {
                    count += behind[self.order[ended]];
                    ended += 1;
                }
                counts.push(count);
            }
        }
        counts
    }

    fn percentiles(&self, lists: &[Vec<i64>], measure: &Measure, ty: &Type) -> Vec<Scalar> {
        let sorted = |&i: &usize| {
            let mut list = lists[i].clone();
            list.sort_unstable();
            list
        };
        let sorted: Vec<Vec<i64>> = self.order.iter().map(sorted).collect();
        let of = |range: &Range<usize>| match neighbours_of_sorted(&sorted[range.clone()], Percent::of(measure)) {
            Some((low, high, way)) => Scalar::Number(interpolate(low, high, way, ty)),
            None => Scalar::Missing,
        };
        self.ranges.iter().map(of).collect()
    }

    /// The states of a plugin's function, merged by itself.
    fn plugin(&self, states: &[Saved], measure: &Measure, source: &Source) -> Result<Vec<Saved>, ExecError> {
        let Measure::Plugin { name, .. } = measure else {
            return Err(ExecError::Plan("a plugin's states belong to another function".into()));
        };
        let mut merged = Vec::with_capacity(self.ranges.len());
        let mut next = 0;
        while next < self.ranges.len() {
            source.check()?;
            let (mut parts, first) = (Vec::new(), next);
            while next < self.ranges.len() && (next == first || parts.len() < PLUGIN_STATES) {
                let pieces = &self.order[self.ranges[next].clone()];
                parts.extend(pieces.iter().map(|&i| ((next - first) as u32, &states[i])));
                next += 1;
            }
            let mut accumulator = saved::taken_up(name, next - first, parts.into_iter(), source)?;
            merged.extend(saved::saved(accumulator.as_mut(), next - first)?);
        }
        Ok(merged)
    }
}
