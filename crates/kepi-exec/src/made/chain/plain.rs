//! Ordered chains without conditions between their steps: one reading from the last row to the first, with an array by
//! id of what comes next.

use super::read::Hold;
use super::share::{ROOM, Share};
use super::{Attempt, Attempts, Entry, Maker, NOWHERE, Shape};
use crate::{ExecError, Source};
use kepi_model::core::{ChainOrder, Credit};
use std::cmp::Reverse;

/// How often somebody may ask to stop.
const CHECK_EVERY: usize = 65_536;

/// Whether a chain's rows can be read in this way.
pub(super) fn takes<H: Hold>(shape: &Shape) -> bool {
    let Shape { steps, order, guarded, credit, .. } = shape;
    !H::HOLDS
        && *order == ChainOrder::Ordered
        && guarded.is_empty()
        && (*credit != Some(Credit::Earliest) || *steps == 2)
}

/// How far the attempts get, and to which of them conversions are credited. No: an entity has, at one moment, several
/// rows, and rows may serve several steps, which takes more thought than this.
pub(super) fn look_at<H: Hold>(shape: &Shape, share: &mut Share<H>, maker: &Maker) -> Result<bool, ExecError> {
    let source = maker.source;
    let Share { attempts, entries, ids, shared } = share;
    let further = shape.steps - 1;
    // By id and further step: the entry that serves it next; by entry: the one that serves the step behind its own.
    let mut next = vec![NOWHERE; ROOM * further];
    let mut behind = vec![NOWHERE; entries.len()];
    let mut moments = Moments::new(shape, attempts, entries, shared.then_some(&ids[..]));
    let mut found = Vec::with_capacity(attempts.all.len());
    let mut look_at = |place: usize| {
        let entry = &entries[place];
        let own = &mut next[ids[place] as usize * further..][..further];
        match entry.role as usize {
            0 => found.push((entry.row, own[0])),
            step => {
                behind[place] = own.get(step).copied().unwrap_or(NOWHERE);
                own[step - 1] = place as u32;
            }
        }
    };
    let mut left = entries.len();
    while let Some(last) = left.checked_sub(1) {
        if left % CHECK_EVERY == 0 {
            source.check()?;
        }
        let at = entries[last].at;
        if last == 0 || entries[last - 1].at != at {
            if (entries[last].role as usize) < shape.steps {
                look_at(last);
            }
            left = last;
            continue;
        }
        let begin = entries[..last].iter().rposition(|e| e.at != at).map_or(0, |before| before + 1);
        // What serves a later step comes first, so that an earlier one at the same time finds it; where a row may serve
        // several steps it is the other way round, so that it does not find itself.
        moments.of(begin, left).iter().rev().for_each(|&place| look_at(place as usize));
        left = begin;
    }
    if moments.tangled {
        return Ok(false);
    }
    // The entries that serve the further steps of an attempt, in its time.
    let (entries, behind) = (&entries[..], &behind[..]);
    let path = |end: i64, place: u32| {
        let in_time = move |place: u32| entries.get(place as usize).filter(|e| e.at <= end).map(|_| place);
        std::iter::successors(in_time(place), move |&place| in_time(behind[place as usize]))
    };
    for (attempt, place) in &found {
        let attempt = &mut attempts.all[*attempt as usize];
        attempt.reached = path(attempt.end, *place).count() as u16 + 1;
    }
    // What is credited is said by the numbers that attempts have as they begin.
    let numbers = if shape.credit.is_none() { attempts.leave_out(maker.time.furthest) } else { None };
    attempts.make_room();
    for (attempt, place) in found {
        let number = numbers.as_ref().map_or(attempt, |numbers| numbers[attempt as usize]);
        let Some(Attempt { end, .. }) = attempts.all.get(number as usize) else { continue };
        let (end, first) = (*end, number as usize * further);
        for (step, place) in path(end, place).enumerate() {
            let entry = &entries[place as usize];
            (attempts.rows[first + step], attempts.times[first + step]) = (entry.row, entry.at);
        }
    }
    match shape.credit {
        Some(Credit::Latest) => latest(shape, share, source)?,
        Some(Credit::Earliest) => earliest(shape, share, source)?,
        None => {}
    }
    Ok(true)
}

/// Credits each row of the last step to the last first step before it that leads to it.
fn latest<H: Hold>(shape: &Shape, share: &mut Share<H>, source: &Source) -> Result<(), ExecError> {
    let further = shape.steps - 1;
    // By id and step but the last: the last attempt that leads to it.
    let mut last = vec![NOWHERE; ROOM * further];
    forwards(shape, share, source, |attempts, entry, id| {
        let own = &mut last[id * further..][..further];
        let step = entry.role as usize;
        let found = match step {
            0 => entry.row,
            step => own[step - 1],
        };
        if step < further {
            own[step] = if found == NOWHERE { own[step] } else { found };
        } else if let Some(attempt) = attempts.all.get_mut(found as usize) {
            attempt.converted |= entry.at <= attempt.end;
        }
    })
}

/// Credits each row of the second and last step to the first of the first steps that still wait for one.
fn earliest<H: Hold>(shape: &Shape, share: &mut Share<H>, source: &Source) -> Result<(), ExecError> {
    // By id the first attempt whose time is not over, and the last; by attempt the entity's next.
    let mut waiting: Vec<(u32, u32)> = std::iter::repeat_n((NOWHERE, NOWHERE), ROOM).collect();
    let mut following = vec![NOWHERE; share.attempts.all.len()];
    forwards(shape, share, source, |attempts, entry, id| {
        let (first, last) = &mut waiting[id];
        if entry.role == 0 {
            match following.get_mut(*last as usize) {
                Some(following) if *first != NOWHERE => *following = entry.row,
                _ => *first = entry.row,
            }
            *last = entry.row;
            return;
        }
        while let Some(attempt) = attempts.all.get_mut(*first as usize) {
            if entry.at <= attempt.end {
                attempt.converted = true;
                break;
            }
            *first = following[*first as usize];
        }
    })
}

/// Calls with each entry and its entity in the order of time; those of one moment come step by step, and where rows may
/// serve several steps from the last step to the first.
fn forwards<H: Hold>(
    shape: &Shape,
    share: &mut Share<H>,
    source: &Source,
    mut each: impl FnMut(&mut Attempts, &Entry<H>, usize),
) -> Result<(), ExecError> {
    let Share { attempts, entries, ids, shared } = share;
    let mut places: Vec<u32> = Vec::new();
    let mut begin = 0;
    while begin < entries.len() {
        if begin % CHECK_EVERY == 0 {
            source.check()?;
        }
        let len = entries[begin..].iter().take_while(|e| e.at == entries[begin].at).count();
        if let ([only], true) = (&entries[begin..begin + len], (entries[begin].role as usize) < shape.steps) {
            each(attempts, only, ids[begin] as usize);
        } else {
            let mut moments = Moments::new(shape, attempts, entries, shared.then_some(&ids[..]));
            places.clear();
            places.extend(moments.of(begin, begin + len));
            for &place in &places {
                each(attempts, &entries[place as usize], ids[place as usize] as usize);
            }
        }
        begin += len;
    }
    Ok(())
}

/// The entries of one moment, step by step; where rows may serve several steps from the last step to the first.
struct Moments<'a, H> {
    shape: &'a Shape,
    attempts: &'a Attempts,
    entries: &'a [Entry<H>],
    /// Where rows may serve several steps: whose they are.
    shared: Option<&'a [u32]>,
    /// Whether there, at some moment that has been read, an entity has several rows.
    tangled: bool,
    places: Vec<u32>,
}

impl<'a, H: Hold> Moments<'a, H> {
    fn new(
        shape: &'a Shape,
        attempts: &'a Attempts,
        entries: &'a [Entry<H>],
        shared: Option<&'a [u32]>,
    ) -> Moments<'a, H> {
        Moments { shape, attempts, entries, shared, tangled: false, places: Vec::new() }
    }

    /// The places of the entries of a moment in their order, without those that serve no step but only interrupt.
    fn of(&mut self, begin: usize, end: usize) -> &[u32] {
        let Moments { shape, attempts, entries, shared, tangled, places } = self;
        places.clear();
        let role = |place: u32| entries[place as usize].role;
        places.extend(begin as u32..end as u32);
        if let Some(ids) = shared {
            places.sort_by_key(|&place| ids[place as usize]);
            let event = |place: u32| shape.event(attempts, &entries[place as usize]);
            let id = |place: u32| ids[place as usize];
            *tangled |= places.windows(2).any(|pair| id(pair[0]) == id(pair[1]) && event(pair[0]) != event(pair[1]));
            places.sort_by_key(|&place| Reverse(role(place)));
        } else {
            places.sort_by_key(|&place| role(place));
        }
        let steps = shape.steps as u32;
        places.retain(|&place| role(place) < steps);
        places
    }
}
