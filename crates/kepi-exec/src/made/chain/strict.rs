//! Strict chains: the very next row must be the next step.

use super::read::Hold;
use super::{Attempts, Entry, Forbidden, Shape};

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
    let same = |a: &Entry<H>, b: &Entry<H>| a.at == b.at && shape.event(attempts, a) == shape.event(attempts, b);
    let rows: Vec<&[Entry<H>]> = buffer.chunk_by(same).collect();
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
