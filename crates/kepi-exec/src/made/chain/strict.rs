//! Strict chains: the very next row must be the next step.

use super::read::Hold;
use super::share::{ROOM, Share};
use super::{Attempts, Entry, Forbidden, NOWHERE, Shape};
use crate::{ExecError, Source};

/// How far the attempts of a share get where nothing is forbidden between steps: one reading from the last row to the
/// first, with what follows by id.
pub(super) fn look_at_all<H: Hold>(shape: &Shape, share: &mut Share<H>, source: &Source) -> Result<(), ExecError> {
    let Share { attempts, entries, ids, .. } = share;
    // By id: the first entry of the row that comes next, and that of the row behind it; by entry: the next one of its
    // row, and the first of the row that follows.
    let mut next: Vec<(u32, u32)> = std::iter::repeat_n((NOWHERE, NOWHERE), ROOM).collect();
    let mut links = vec![(NOWHERE, NOWHERE); entries.len()];
    for place in (0..entries.len()).rev() {
        if place % 65_536 == 0 {
            source.check()?;
        }
        let entry = &entries[place];
        let (row, behind) = &mut next[ids[place] as usize];
        let same = entries.get(*row as usize).is_some_and(|first| is_same(shape, attempts, first, entry));
        if same {
            links[place] = (*row, *behind);
        } else {
            *behind = *row;
            links[place] = (NOWHERE, *behind);
        }
        *row = place as u32;
    }
    for (entry, link) in entries.iter().zip(&links).filter(|(entry, _)| entry.role == 0) {
        let (mut row, mut step) = (link.1, 0);
        let attempt = &mut attempts.all[entry.row as usize];
        let first = entry.row as usize * attempts.further;
        while step < attempts.further {
            let mut served = row;
            while entries.get(served as usize).is_some_and(|e| e.role as usize != step + 1 || e.hold != entry.hold) {
                served = links[served as usize].0;
            }
            let Some(found) = entries.get(served as usize).filter(|e| e.at <= attempt.end) else { break };
            (attempts.rows[first + step], attempts.times[first + step]) = (found.row, found.at);
            step += 1;
            row = links[served as usize].1;
        }
        attempt.reached = step as u16 + 1;
    }
    Ok(())
}

/// Whether two entries are of one row.
fn is_same<H>(shape: &Shape, attempts: &Attempts, a: &Entry<H>, b: &Entry<H>) -> bool {
    a.at == b.at && shape.event(attempts, a) == shape.event(attempts, b)
}

/// How far the attempts of an entity get. `buffer` is used again for each entity.
pub(super) fn look_at<H: Hold>(
    shape: &Shape,
    attempts: &mut Attempts,
    forbidden: &Forbidden,
    entries: &[Entry<H>],
    buffer: &mut Vec<Entry<H>>,
) {
    let steps = shape.steps as u32;
    let forbids = steps..steps + shape.without.len() as u32;
    buffer.clear();
    buffer.extend(entries.iter().filter(|e| !forbids.contains(&e.role)));
    let rows: Vec<&[Entry<H>]> = buffer.chunk_by(|a, b| is_same(shape, attempts, a, b)).collect();
    let mut path = Vec::with_capacity(shape.steps);
    for (first, row) in rows.iter().enumerate() {
        let Some(start) = row.iter().find(|e| e.role == 0) else { continue };
        path.clear();
        let mut last = start.at;
        for (step, next) in (1..steps).zip(&rows[first + 1..]) {
            let serves = |e: &&Entry<H>| e.role == step && e.hold == start.hold;
            let Some(entry) = next.iter().find(serves) else { break };
            let in_time = entry.at <= attempts.all[start.row as usize].end;
            if !in_time || entry.at > forbidden.limit(shape, step as usize, last) {
                break;
            }
            path.push((entry.row, entry.at));
            last = entry.at;
        }
        attempts.put(shape, start.row, &path, last, forbidden);
    }
}
