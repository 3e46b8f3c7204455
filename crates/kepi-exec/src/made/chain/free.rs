//! Chains of any order whose first row may be of any step: how many of the steps have a row of their own from a row on.
//!
//! The rows of the first step of the chain are those of all others together; each begins an attempt, and serves one of
//! the others itself. What serves them is chosen in the order of time: a row is taken where it serves one step more,
//! those before may have to change theirs. So the first, second … of the steps is done as early as any choice allows.

use super::moments::{Moments, Slot};
use super::{Attempts, Forbidden, Shape};

/// A row that may serve a step, with its moment.
type Candidate = (i64, Slot);

/// How many steps the attempts of an entity reach, and when it was at the first, the second … of them.
pub(super) fn look_at(shape: &Shape, attempts: &mut Attempts, forbidden: &Forbidden, work: &Moments) {
    let steps = shape.steps;
    // Per step its next rows, the earliest last: as many as there are steps that could take them.
    let mut later: Vec<Vec<Candidate>> = vec![Vec::new(); steps];
    let mut candidates: Vec<Candidate> = Vec::new();
    for moment in (0..work.all.len()).rev() {
        let at = work.all[moment].at;
        for slot in work.slots(moment).iter().rev() {
            let later = &mut later[slot.step as usize];
            if later.len() == steps {
                later.remove(0);
            }
            later.push((at, *slot));
        }
        for start in work.all[moment].starts.clone() {
            let start = work.starts[start as usize];
            let end = attempts.all[start.attempt as usize].end;
            candidates.clear();
            for own in &later {
                candidates.extend(own.iter().rev().take_while(|row| row.0 <= end));
            }
            candidates.sort_by_key(|(at, slot)| (*at, slot.event, slot.step));
            let path = served(&candidates, steps);
            attempts.put(shape, start.attempt, &path, at, forbidden);
            attempts.all[start.attempt as usize].reached = path.len().max(1) as u16;
        }
    }
}

/// The rows that serve as many steps as possible, in the order of time; the candidates of a row lie together.
fn served(candidates: &[Candidate], steps: usize) -> Vec<(u32, i64)> {
    let rows: Vec<&[Candidate]> = candidates.chunk_by(|a, b| a.1.event == b.1.event).collect();
    // By step: which row serves it, and as which of its candidates.
    let mut taken: Vec<Option<(usize, usize)>> = vec![None; steps];
    let mut seen = vec![false; steps];
    for row in 0..rows.len() {
        seen.fill(false);
        give(&rows, row, &mut taken, &mut seen);
    }
    let mut found: Vec<(usize, usize)> = taken.into_iter().flatten().collect();
    found.sort_unstable();
    found.into_iter().map(|(row, candidate)| (rows[row][candidate].1.row, rows[row][candidate].0)).collect()
}

/// Lets a row serve a step that is free, or becomes free because the row that serves it can serve another.
fn give(rows: &[&[Candidate]], row: usize, taken: &mut [Option<(usize, usize)>], seen: &mut [bool]) -> bool {
    for (candidate, (_, slot)) in rows[row].iter().enumerate() {
        let step = slot.step as usize;
        if std::mem::replace(&mut seen[step], true) {
            continue;
        }
        if taken[step].is_none_or(|(owner, _)| give(rows, owner, taken, seen)) {
            taken[step] = Some((row, candidate));
            return true;
        }
    }
    false
}
