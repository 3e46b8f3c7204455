//! Conversions over several steps in any order: each row with which all steps are done is credited to one first step.
//!
//! Such a row serves a step, and every other step has a row of its own that is not later, nor earlier than the first
//! step. Of one moment each of its rows may be the one.

use super::Attempts;
use super::moments::{Moments, Slot};
use kepi_model::core::Credit;
use std::collections::BTreeMap;

/// A row that may serve a step, with its moment.
type Candidate = (i64, Slot);

/// Credits the rows of an entity with which all steps are done.
pub(super) fn look_at(steps: usize, attempts: &mut Attempts, work: &mut Moments, credit: Credit) {
    if work.shared { shared(steps, attempts, work, credit) } else { apart(steps, attempts, work, credit) }
}

/// The starts that are still in time at a moment begin with this one: those before have ended.
fn in_time(attempts: &Attempts, work: &Moments, mut low: usize, at: i64) -> usize {
    while work.starts.get(low).is_some_and(|start| attempts.all[start.attempt as usize].end < at) {
        low += 1;
    }
    low
}

/// Where each row serves one step: all others must have been served since the first step.
fn apart(steps: usize, attempts: &mut Attempts, work: &Moments, credit: Credit) {
    let mut last: Vec<Option<i64>> = vec![None; steps];
    let mut low = 0;
    for moment in 0..work.all.len() {
        let at = work.all[moment].at;
        let slots = work.slots(moment);
        slots.iter().for_each(|slot| last[slot.step as usize] = Some(at));
        low = in_time(attempts, work, low, at);
        for slot in slots {
            let others = (1..steps).filter(|step| *step != slot.step as usize).map(|step| last[step]);
            let Some(since) = others.collect::<Option<Vec<i64>>>() else { continue };
            let since = since.into_iter().min().unwrap_or(at);
            let end = work.starts.partition_point(|start| start.at <= since);
            let found = match credit {
                Credit::Latest => end.checked_sub(1),
                Credit::Earliest => Some(low),
            };
            if let Some(found) = found.filter(|found| (low..end).contains(found)) {
                attempts.all[work.starts[found].attempt as usize].converted = true;
            }
        }
    }
}

/// Where a row may serve several steps, but only one at a time: the first steps are tried in turn.
fn shared(steps: usize, attempts: &mut Attempts, work: &mut Moments, credit: Credit) {
    // Per step its last rows, the latest last: as many as could all be taken by other steps, begin the attempt or be the
    // row that ends it, and one more.
    let most = steps + 2;
    let mut before: Vec<Vec<Candidate>> = vec![Vec::new(); steps];
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut credited: BTreeMap<u32, usize> = BTreeMap::new();
    let mut low = 0;
    for moment in 0..work.all.len() {
        let at = work.all[moment].at;
        let slots = work.slots(moment).to_vec();
        for slot in &slots {
            let own = &mut before[slot.step as usize];
            if own.len() == most {
                own.remove(0);
            }
            own.push((at, *slot));
        }
        low = in_time(attempts, work, low, at);
        let begun = work.starts.partition_point(|start| start.at <= at);
        // A row is credited once, whichever of its steps it serves.
        credited.clear();
        for ending in &slots {
            candidates.clear();
            let others = before.iter().enumerate().filter(|(step, _)| *step != ending.step as usize);
            candidates.extend(others.flat_map(|(_, own)| own).filter(|c| c.1.event != ending.event));
            if let Some(found) = first_step(steps, work, &candidates, ending.event, (low, begun), credit) {
                let best = credited.entry(ending.event).or_insert(found);
                *best = if credit == Credit::Latest { found.max(*best) } else { found.min(*best) };
            }
        }
        for found in credited.values() {
            attempts.all[work.starts[*found].attempt as usize].converted = true;
        }
    }
}

/// The latest (earliest) of some starts from which the candidates serve all steps but that of the row that ends it.
fn first_step(
    steps: usize,
    work: &mut Moments,
    candidates: &[Candidate],
    ending: u32,
    (low, begun): (usize, usize),
    credit: Credit,
) -> Option<usize> {
    let oldest = candidates.iter().map(|c| c.0).min().unwrap_or(i64::MAX);
    let mut slots: Vec<Slot> = Vec::new();
    for place in 0..begun.saturating_sub(low) {
        let found = if credit == Credit::Latest { begun - 1 - place } else { low + place };
        let start = work.starts[found];
        slots.clear();
        slots.extend(candidates.iter().filter(|c| c.0 >= start.at).map(|c| c.1));
        let leads =
            start.event != ending && work.match_any(&slots, steps, [start.event, u32::MAX]).count() + 2 == steps;
        if leads {
            return Some(found);
        }
        // Who has seen all of them, and is none of them itself, has seen what all others beyond will see at most.
        let is_one = start.event == ending || slots.iter().any(|slot| slot.event == start.event);
        if !is_one && (credit == Credit::Earliest || start.at <= oldest) {
            return None;
        }
    }
    None
}
