//! The rows of some of the entities, put together.

use super::read::{Hold, Part, SHARE_BITS};
use super::{Attempts, Entry, Shape};

/// The rows of some of the entities.
pub(super) struct Share<H> {
    pub(super) attempts: Attempts,
    /// In the order of (moment, stream, row).
    pub(super) entries: Vec<Entry<H>>,
    /// The entities of the entries, counted from the first of the share.
    pub(super) ids: Vec<u32>,
    /// Whether some row may serve several steps.
    pub(super) shared: bool,
}

/// How many ids a share has.
pub(super) const ROOM: usize = 1 << SHARE_BITS;

impl<H: Hold> Share<H> {
    /// Puts together what was read of one stretch of time after the other.
    pub(super) fn new(shape: &Shape, parts: Vec<Part<H>>) -> Share<H> {
        let mut all = Part::default();
        for (number, mut part) in parts.into_iter().enumerate() {
            let begun = all.at.len() as u32;
            if part.before.iter().any(|&before| before > 0) || begun > 0 {
                for entry in &mut part.entries {
                    let starts = entry.role == 0 || entry.role == shape.alone();
                    entry.row += if starts { begun } else { part.before[shape.bases[entry.role as usize]] };
                }
                let first = part.before.get(shape.bases[0]).copied().unwrap_or(0);
                part.attempts.iter_mut().for_each(|attempt| attempt.place += first);
            }
            if number == 0 {
                all = part;
                continue;
            }
            all.entries.append(&mut part.entries);
            all.ids.append(&mut part.ids);
            all.at.append(&mut part.at);
            all.attempts.append(&mut part.attempts);
            all.who.append(&mut part.who);
            all.shared |= part.shared;
        }
        let Part { entries, mut ids, at, attempts, who, shared, .. } = all;
        ids.iter_mut().for_each(|id| *id %= ROOM as u32);
        Share { attempts: Attempts::new(shape, at, attempts, who), entries, ids, shared }
    }

    /// The entries entity by entity, each entity's in the order of time: a counting sort by id. With the places at which
    /// those of an entity begin, by id, and the end.
    pub(super) fn by_entity(&mut self) -> (Vec<Entry<H>>, Vec<u32>) {
        let (ids, unsorted) = (std::mem::take(&mut self.ids), std::mem::take(&mut self.entries));
        let mut starts = vec![0_u32; ROOM + 2];
        ids.iter().for_each(|&id| starts[id as usize + 2] += 1);
        for i in 2..starts.len() {
            starts[i] += starts[i - 1];
        }
        let nothing = Entry { at: 0, row: 0, role: 0, hold: H::default() };
        let mut entries = vec![nothing; unsorted.len()];
        for (&id, &entry) in ids.iter().zip(&unsorted) {
            let next = &mut starts[id as usize + 1];
            entries[*next as usize] = entry;
            *next += 1;
        }
        starts.pop();
        (entries, starts)
    }
}
