//! Ordered chains without conditions between their steps: one reading from the last row to the first, with an array by
//! id of what comes next.

use super::read::{Hold, Timelines};
use super::{Attempts, Entry, NOWHERE, Shape};
use crate::{ExecError, Source};
use kepi_model::core::{ChainOrder, Credit};
use std::cmp::Reverse;
use std::ops::Range;

/// The most that is kept per entity: the ways from each further step to the last.
const WAYS_MAX: usize = 10;

/// The row that serves a step next.
#[derive(Clone, Copy, Debug)]
struct Next {
    at: i64,
    row: u32,
}

const NOTHING: Next = Next { at: i64::MAX, row: NOWHERE };

/// Whether a chain's rows can be read in this way.
pub(super) fn takes<H: Hold>(all: &Timelines<H>) -> bool {
    let Shape { steps, order, without, credit, .. } = &all.shape;
    !H::HOLDS
        && *order == ChainOrder::Ordered
        && without.is_empty()
        && (*credit != Some(Credit::Earliest) || *steps == 2)
        && ways(*steps) <= WAYS_MAX
}

/// How many rows the ways from all further steps have.
fn ways(steps: usize) -> usize {
    steps * (steps - 1) / 2
}

/// How far the attempts get, and to which of them conversions are credited. No: an entity has, at one moment, several
/// rows, and rows may serve several steps, which takes more thought than this.
pub(super) fn look_at<H: Hold>(all: &mut Timelines<H>, source: &Source) -> Result<bool, ExecError> {
    let Timelines { shape, attempts, entries, ids, streams, room, shared, .. } = all;
    let steps = shape.steps;
    let width = ways(steps);
    let mut next = vec![NOTHING; *room * width];
    let mut path = Vec::with_capacity(steps);
    let mut moments = Moments::new(shape, entries, streams, shared.then_some(&ids[..]));
    while let Some(places) = moments.before(attempts) {
        source.check()?;
        // What serves a later step comes first, so that an earlier one at the same time finds it; where a row may serve
        // several steps it is the other way round, so that it does not find itself.
        for &place in places.iter().rev() {
            let (entry, id) = (&entries[place as usize], ids[place as usize] as usize);
            let own = &mut next[id * width..(id + 1) * width];
            match entry.role as usize {
                0 => {
                    let end = attempts.all[entry.row as usize].end;
                    path.clear();
                    path.extend(own[..steps - 1].iter().take_while(|n| n.row != NOWHERE && n.at <= end).map(|n| n.row));
                    let first = entry.row as usize * (steps - 1);
                    attempts.rows[first..first + path.len()].copy_from_slice(&path);
                    attempts.all[entry.row as usize].reached = path.len() as u16 + 1;
                }
                step => {
                    // The way from here: this row, and the way from the step behind it.
                    let from = width - ways(steps - step + 1);
                    let len = steps - step;
                    own[from] = Next { at: entry.at, row: entry.row };
                    own.copy_within(from + len..from + len + len - 1, from + 1);
                }
            }
        }
    }
    if moments.tangled {
        return Ok(false);
    }
    let moments = Moments::new(shape, entries, streams, shared.then_some(&ids[..]));
    match shape.credit {
        Some(Credit::Latest) => latest(attempts, entries, ids, moments, *room, steps, source)?,
        Some(Credit::Earliest) => earliest(attempts, entries, ids, moments, *room, source)?,
        None => {}
    }
    Ok(true)
}

/// Credits each row of the last step to the last first step before it that leads to it.
fn latest<H: Hold>(
    attempts: &mut Attempts,
    entries: &[Entry<H>],
    ids: &[u32],
    mut moments: Moments<'_, H>,
    room: usize,
    steps: usize,
    source: &Source,
) -> Result<(), ExecError> {
    // By id and step but the last: the last attempt that leads to it.
    let mut last = vec![NOWHERE; room * (steps - 1)];
    while let Some(places) = moments.after(attempts) {
        source.check()?;
        for &place in places {
            let entry = &entries[place as usize];
            let own = &mut last[ids[place as usize] as usize * (steps - 1)..][..steps - 1];
            let step = entry.role as usize;
            let found = match step {
                0 => entry.row,
                step => own[step - 1],
            };
            if step < steps - 1 {
                own[step] = if found == NOWHERE { own[step] } else { found };
            } else if let Some(attempt) = attempts.all.get_mut(found as usize) {
                attempt.converted |= entry.at <= attempt.end;
            }
        }
    }
    Ok(())
}

/// Credits each row of the second and last step to the first of the first steps that still wait for one.
fn earliest<H: Hold>(
    attempts: &mut Attempts,
    entries: &[Entry<H>],
    ids: &[u32],
    mut moments: Moments<'_, H>,
    room: usize,
    source: &Source,
) -> Result<(), ExecError> {
    // By id the first attempt whose time is not over, and the last; by attempt the entity's next.
    let mut waiting = vec![(NOWHERE, NOWHERE); room];
    let mut following = vec![NOWHERE; attempts.all.len()];
    while let Some(places) = moments.after(attempts) {
        source.check()?;
        for &place in places {
            let entry = &entries[place as usize];
            let (first, last) = &mut waiting[ids[place as usize] as usize];
            if entry.role == 0 {
                match following.get_mut(*last as usize) {
                    Some(following) if *first != NOWHERE => *following = entry.row,
                    _ => *first = entry.row,
                }
                *last = entry.row;
                continue;
            }
            while let Some(attempt) = attempts.all.get_mut(*first as usize) {
                if entry.at <= attempt.end {
                    attempt.converted = true;
                    break;
                }
                *first = following[*first as usize];
            }
        }
    }
    Ok(())
}

/// The entries of all streams by stretches of time, from the last to the first or the other way round; those of one
/// moment are never parted, and come step by step; where rows may serve several steps from the last step to the first.
struct Moments<'a, H> {
    shape: &'a Shape,
    entries: &'a [Entry<H>],
    /// Where rows may serve several steps: whose they are.
    shared: Option<&'a [u32]>,
    /// Whether there, at some moment that has been read, an entity has several rows.
    tangled: bool,
    /// What is left of each stream.
    left: Vec<Range<usize>>,
    places: Vec<u32>,
    sorted: Vec<u32>,
}

/// About how many entries are looked at together; few in tests, so that small data have several stretches.
const STRETCH: usize = if cfg!(test) { 3 } else { 65_536 };

impl<'a, H: Hold> Moments<'a, H> {
    fn new(
        shape: &'a Shape,
        entries: &'a [Entry<H>],
        streams: &[Range<usize>],
        shared: Option<&'a [u32]>,
    ) -> Moments<'a, H> {
        let (left, places, sorted) = (streams.to_vec(), Vec::new(), Vec::new());
        Moments { shape, entries, shared, tangled: false, left, places, sorted }
    }

    /// The places of the last entries that are left.
    fn before(&mut self, attempts: &Attempts) -> Option<&[u32]> {
        let entries = self.entries;
        // A moment from which on every stream has no more than a stretch.
        let from = self.left.iter().filter(|l| l.len() > STRETCH).map(|l| entries[l.end - STRETCH].at).max();
        self.places.clear();
        for left in &mut self.left {
            let own = &entries[left.clone()];
            let start = left.start + from.map_or(0, |from| own.partition_point(|e| e.at < from));
            self.places.extend(start as u32..left.end as u32);
            left.end = start;
        }
        self.in_order(attempts)
    }

    /// The places of the first entries that are left.
    fn after(&mut self, attempts: &Attempts) -> Option<&[u32]> {
        let entries = self.entries;
        let until = self.left.iter().filter(|l| l.len() > STRETCH).map(|l| entries[l.start + STRETCH].at).min();
        self.places.clear();
        for left in &mut self.left {
            let own = &entries[left.clone()];
            let end = left.start + until.map_or(own.len(), |until| own.partition_point(|e| e.at <= until));
            self.places.extend(left.start as u32..end as u32);
            left.start = end;
        }
        self.in_order(attempts)
    }

    /// Puts the places in the order of (moment, step, row).
    fn in_order(&mut self, attempts: &Attempts) -> Option<&[u32]> {
        let Moments { shape, entries, shared, tangled, places, sorted, .. } = self;
        let steps = shape.steps as u32;
        let role = |place: u32| entries[place as usize].role;
        let at = |place: u32| entries[place as usize].at;
        if self.left.len() > 1 {
            // Each stream's are in order already, which a stable sort makes use of.
            places.sort_by_key(|&place| at(place));
        }
        let mut rest = &mut places[..];
        while let Some(&first) = rest.first() {
            let len = rest.iter().take_while(|&&place| at(place) == at(first)).count();
            let (own, behind) = rest.split_at_mut(len);
            if own.len() > 1
                && let Some(ids) = shared
            {
                own.sort_by_key(|&place| ids[place as usize]);
                let event = |place: u32| shape.event(attempts, &entries[place as usize]);
                let id = |place: u32| ids[place as usize];
                *tangled |= own.windows(2).any(|pair| id(pair[0]) == id(pair[1]) && event(pair[0]) != event(pair[1]));
                own.sort_by_key(|&place| Reverse(role(place)));
                // What only interrupts serves no step.
                own.iter_mut().filter(|place| role(**place) >= steps).for_each(|place| *place = NOWHERE);
            } else if own.len() > 1 {
                sorted.clear();
                for step in 0..steps {
                    sorted.extend(own.iter().filter(|&&place| role(place) == step));
                }
                // What only interrupts serves no step.
                let (served, others) = own.split_at_mut(sorted.len());
                served.copy_from_slice(sorted);
                others.fill(NOWHERE);
            } else if role(first) >= steps {
                own.fill(NOWHERE);
            }
            rest = behind;
        }
        places.retain(|&place| place != NOWHERE);
        let done = self.left.iter().all(Range::is_empty);
        (!places.is_empty() || !done).then_some(&places[..])
    }
}
