//! The moments of one entity: which rows it has at each, and which steps they may serve there together.

use super::matching::Matching;
use super::read::Hold;
use super::{Attempts, Entry, Shape};
use std::ops::Range;

/// The moments at which an entity has rows of steps, rising, with what is kept to be used again for the next entity.
#[derive(Debug, Default)]
pub(super) struct Moments {
    pub(super) all: Vec<Moment>,
    slots: Vec<Slot>,
    pub(super) starts: Vec<Start>,
    pub(super) ends: Vec<End>,
    here: Vec<Slot>,
    matching: Matching,
    /// Whether some row may serve several steps.
    pub(super) shared: bool,
    /// Whether there are, at some moment, several rows of which one may serve several steps.
    pub(super) tangled: bool,
    /// What passes keep: see `ordered`.
    pub(super) nodes: Vec<super::ordered::Node>,
    pub(super) next: Vec<u32>,
    /// Rows with their moments.
    pub(super) path: Vec<(u32, i64)>,
    /// Per start: whether it leads to the last step at all, in whatever time.
    pub(super) live: Vec<bool>,
}

/// Rows at the same time.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) at: i64,
    /// What may serve the steps after the first, step by step.
    slots: Range<u32>,
    /// The rows of the first step.
    pub(super) starts: Range<u32>,
    rows: Rows,
    /// Where `ordered` keeps what it found.
    pub(super) nodes: u32,
}

/// What kind of rows there are at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rows {
    /// Only one.
    One,
    /// Several, each of one step.
    Plain,
    /// Several, of which one may serve several steps.
    Tangled,
}

/// A row that may serve a step. The same row has the same event in all its slots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) step: u32,
    pub(super) event: u32,
    pub(super) row: u32,
}

/// A row of the first step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) at: i64,
    pub(super) attempt: u32,
    pub(super) event: u32,
}

/// A row of the last step.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) at: i64,
    pub(super) event: u32,
    pub(super) moment: u32,
}

/// No event: nothing is left out.
pub(super) const NOBODY: [u32; 2] = [u32::MAX; 2];

impl Moments {
    /// Takes the rows of an entity with one held value, in the order of time.
    pub(super) fn read<H: Hold>(&mut self, shape: &Shape, attempts: &Attempts, entries: &[Entry<H>]) {
        self.all.clear();
        self.slots.clear();
        self.starts.clear();
        self.ends.clear();
        (self.shared, self.tangled) = (false, false);
        let steps = shape.steps as u32;
        let mut event = 0;
        let mut next = 0;
        while let Some(entry) = entries.get(next) {
            let at = entry.at;
            let (starts, slots) = (self.starts.len() as u32, self.slots.len() as u32);
            let (first_event, mut shared, mut before) = (event + 1, false, None);
            self.here.clear();
            while let Some(entry) = entries.get(next).filter(|e| e.at == at) {
                next += 1;
                if entry.role >= steps {
                    continue;
                }
                // The same row follows itself in its other roles.
                let same = before.is_some_and(|b| shape.event(attempts, b) == shape.event(attempts, entry));
                before = Some(entry);
                event += u32::from(!same);
                shared |= same;
                if entry.role == 0 {
                    self.starts.push(Start { at, attempt: entry.row, event });
                    continue;
                }
                self.here.push(Slot { step: entry.role, event, row: entry.row });
                if entry.role == steps - 1 {
                    self.ends.push(End { at, event, moment: self.all.len() as u32 });
                }
            }
            if event < first_event {
                continue;
            }
            let rows = match (event > first_event, shared) {
                (false, _) => Rows::One,
                (true, false) => Rows::Plain,
                (true, true) => Rows::Tangled,
            };
            self.keep(shape.steps, rows);
            self.shared |= shared;
            self.tangled |= rows == Rows::Tangled;
            self.all.push(Moment {
                at,
                slots: slots..self.slots.len() as u32,
                starts: starts..self.starts.len() as u32,
                rows,
                nodes: 0,
            });
        }
    }

    /// Keeps what may serve steps: of each step one row, or where rows may serve several steps as many as could all be
    /// taken by others (and left out), and one more.
    fn keep(&mut self, steps: usize, rows: Rows) {
        if let [only] = self.here[..] {
            self.slots.push(only);
            return;
        }
        self.here.sort_by_key(|slot| slot.step);
        let most = if rows == Rows::Tangled { steps + 2 } else { 1 };
        for own in self.here.chunk_by(|a, b| a.step == b.step) {
            self.slots.extend(&own[..own.len().min(most)]);
        }
    }

    /// Whether there is only one row at a moment.
    pub(super) fn is_one_row(&self, moment: usize) -> bool {
        self.all[moment].rows == Rows::One
    }

    /// What may serve steps at a moment, step by step.
    pub(super) fn slots(&self, moment: usize) -> &[Slot] {
        let range = &self.all[moment].slots;
        &self.slots[range.start as usize..range.end as usize]
    }

    /// The last of the steps from `first` on that can all be served at a moment, each by a row of its own and none of
    /// them by one that is left out; none: not even the first of them.
    pub(super) fn run(&mut self, moment: usize, first: usize, out: [u32; 2]) -> Option<usize> {
        let Moments { all, slots, matching, .. } = self;
        let Moment { slots: range, rows, .. } = &all[moment];
        let slots = &slots[range.start as usize..range.end as usize];
        if *rows == Rows::Tangled {
            return matching.run(slots, first, usize::MAX, out);
        }
        let start = slots.iter().position(|s| s.step as usize == first)?;
        if *rows == Rows::One {
            return Some(first).filter(|_| !out.contains(&slots[start].event));
        }
        // Here nothing that is left out is of these steps.
        let mut last = first;
        for slot in &slots[start + 1..] {
            if slot.step as usize != last + 1 {
                break;
            }
            last += 1;
        }
        Some(last)
    }

    /// Adds the rows that serve some steps at a moment to the path; [`Moments::run`] has said that there are such.
    pub(super) fn serve(&mut self, moment: usize, steps: Range<usize>, out: [u32; 2]) {
        let Moments { all, slots, matching, path, .. } = self;
        let Moment { at, slots: range, rows, .. } = &all[moment];
        let slots = &slots[range.start as usize..range.end as usize];
        if *rows == Rows::Tangled {
            matching.run(slots, steps.start, steps.end - 1, out);
            path.extend(steps.map(|step| (matching.row(slots, step), *at)));
            return;
        }
        let own = slots.iter().filter(|slot| steps.contains(&(slot.step as usize)));
        path.extend(own.map(|slot| (slot.row, *at)));
    }

    /// For steps in any order: finds for as many steps as possible a row of its own; `candidates` are by step.
    pub(super) fn match_any(&mut self, candidates: &[Slot], steps: usize, out: [u32; 2]) -> &Matching {
        self.matching.most(candidates, steps, out);
        &self.matching
    }
}
