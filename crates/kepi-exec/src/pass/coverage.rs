//! Distinct values per window, counted in one go over the rows.
//!
//! A row whose value was last seen in an earlier piece counts for exactly the windows that contain the row but not that
//! piece: all that begin behind it. So each piece notes from which window on it counts a value anew, and one walk over
//! the windows adds up.

use super::accumulate::{Cell, Rows, at};
use super::labels::{NumberMap, Slots};
use super::pieces::Pieces;
use super::shares::Share;
use super::state::State;
use crate::ExecError;
use crate::zeros::zeros;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// Which windows count which values, by cells of pieces.
pub(crate) struct Coverage {
    pieces: Arc<Pieces>,
    ids: Ids,
    /// By group and id: the cell of the last row that counted it, plus one. Ids whose rows are all of one group share the
    /// first of them. Empty: there is none yet, or no room for it.
    last: Vec<Vec<u32>>,
    /// How many more places there is room for.
    room: usize,
    /// Else by group and value.
    pairs: NumberMap<(u32, i64), u32>,
    /// By cell plus one: behind which window those end that its piece lies in; 0 of no cell.
    ends: Vec<u32>,
    /// By cell: how many values count from the piece's first window on.
    fresh: Vec<i64>,
    /// By cell plus one: how many more values count from the first window behind the piece on; those that end there are
    /// taken off.
    behind: Vec<i64>,
    /// By id: the cell that counted it first, plus one; where what lies before these rows is counted elsewhere.
    first: Option<Vec<u32>>,
}

/// Who was counted in a part of time, so that the part before it can say who had been counted already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// By id: the cells that counted it first and last, plus one; 0: none did.
    #[serde(with = "super::packed::numbers")]
    first: Vec<u32>,
    #[serde(with = "super::packed::numbers")]
    last: Vec<u32>,
    /// By cell: the windows that its piece lies in, from the first to behind the last.
    windows: Vec<(u32, u32)>,
}

impl Seen {
    /// The same where cells have moved to other places among so many.
    pub(crate) fn scatter(mut self, places: &[usize], cells: usize) -> Seen {
        for cell in self.first.iter_mut().chain(&mut self.last) {
            if let Some(place) = cell.checked_sub(1).and_then(|cell| places.get(cell as usize)) {
                *cell = *place as u32 + 1;
            }
        }
        let mut windows = vec![(0, 0); cells];
        self.windows.into_iter().zip(places).for_each(|(own, &place)| windows[place] = own);
        Seen { windows, ..self }
    }

    /// Takes off what a later part has counted anew, though it had been counted in these; both have the same cells, as do
    /// the counts of both together.
    pub(crate) fn join(&mut self, later: &Seen, fresh: &mut [i64], behind: &mut [i64]) {
        for (own, other) in self.windows.iter_mut().zip(&later.windows) {
            *own = if own.1 == 0 { *other } else { *own };
        }
        // There may be more ids by then.
        for own in [&mut self.first, &mut self.last] {
            own.resize(own.len().max(later.first.len()), 0);
        }
        for id in 0..later.first.len() {
            let (Some(before), Some(cell)) = (self.last[id].checked_sub(1), later.first[id].checked_sub(1)) else {
                continue;
            };
            let (ended, (first, end)) = (self.windows[before as usize].1, self.windows[cell as usize]);
            if ended >= end {
                fresh[cell as usize] -= 1;
                behind[cell as usize] += 1;
            } else if ended > first {
                fresh[cell as usize] -= 1;
                behind[before as usize] += 1;
            }
        }
        let known = |own: &mut u32, other: u32| *own = if other == 0 { *own } else { other };
        self.last.iter_mut().zip(&later.last).for_each(|(own, &other)| known(own, other));
        self.first.iter_mut().zip(&later.first).for_each(|(own, &other)| {
            if *own == 0 {
                *own = other;
            }
        });
    }
}

/// The ids that are counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    /// How many of them a reading counts; 0: what is counted is no entity.
    pub(crate) count: usize,
    /// Which of all.
    pub(crate) share: Share,
    pub(crate) range: Range<usize>,
    /// Whether the labels of a row follow from its id.
    pub(crate) of_one_group: bool,
    /// How many bytes may be kept of which values were seen; none: no limit.
    pub(crate) bytes_max: Option<u64>,
    /// How many bytes there may be for all that is counted at once.
    pub(crate) limit: Option<u64>,
}

impl Ids {
    /// How many places there is room for in arrays by group and id: a quarter of what there may be.
    pub(crate) fn room(&self) -> usize {
        let limit = self.bytes_max.map_or(usize::MAX, |bytes| usize::try_from(bytes / 16).unwrap_or(usize::MAX));
        ROOM.min(limit)
    }

    /// So many pairs of four bytes each, or fewer where a quarter of what there may be is less.
    pub(crate) fn pairs_max(&self, most: usize) -> usize {
        self.bytes_max.map_or(most, |bytes| most.min(usize::try_from(bytes / 32).unwrap_or(usize::MAX)))
    }

    /// Fails where so many places in arrays and so many pairs in a table take more than there may be.
    pub(crate) fn fits(&self, places: usize, pairs: usize) -> Result<(), ExecError> {
        match self.bytes_max {
            Some(most) if (4 * places + PAIR * pairs) as u64 > most => {
                self.share.note_full();
                Err(ExecError::Memory { limit: self.limit.unwrap_or(most) })
            }
            _ => Ok(()),
        }
    }
}

/// Bytes of a pair in a table, about.
const PAIR: usize = 32;

/// The most places in arrays by group and id: 64 MiB of them.
const ROOM: usize = 16 << 20;

impl Coverage {
    pub(crate) fn new(pieces: Arc<Pieces>, ids: Ids) -> Coverage {
        let (pairs, ends, fresh, behind) = (NumberMap::default(), vec![0], Vec::new(), vec![0]);
        let room = ids.room();
        Coverage { pieces, ids, last: Vec::new(), room, pairs, ends, fresh, behind, first: None }
    }

    /// The ids that are counted.
    pub(crate) fn ids_counted(&self) -> &Ids {
        &self.ids
    }

    /// Keeps in which cell each id was counted first: the rows are a part, before which lies another. Only of ids whose
    /// rows are all of one group.
    pub(crate) fn keep_seen(&mut self) {
        if self.ids.of_one_group {
            self.first = Some(zeros(self.ids.count));
            self.last = vec![zeros(self.ids.count)];
        }
    }

    /// Whether there is room to keep in which cell each id was counted first.
    pub(crate) fn can_keep_seen(&self) -> bool {
        !self.ids.of_one_group || self.ids.bytes_max.is_none_or(|most| 8 * self.ids.count as u64 <= most)
    }

    /// Fails where it takes more memory than there may be.
    pub(crate) fn fits(&self) -> Result<(), ExecError> {
        let first = self.first.as_ref().map_or(0, Vec::len);
        let last = match self.ids.of_one_group {
            true => self.ids.count,
            false => self.last.iter().map(Vec::len).sum(),
        };
        let lists = self.last.capacity() * size_of::<Vec<u32>>() / 4;
        self.ids.fits(lists + last + first, self.pairs.capacity())
    }

    /// Lets go what was kept to count: there come no more rows.
    pub(crate) fn settle(&mut self) {
        (self.last, self.pairs) = (Vec::new(), NumberMap::default());
    }

    /// Adds what was counted of other ids, of the same rows.
    pub(crate) fn add_share(&mut self, other: Coverage) {
        add(&mut self.fresh, other.fresh);
        add(&mut self.behind, other.behind);
    }

    /// What was counted of so many cells, which are those of some slots.
    pub(crate) fn into_state(mut self, slots: &Slots) -> State {
        self.learn(slots);
        let Coverage { mut last, fresh, mut behind, first, pieces, .. } = self;
        behind.remove(0);
        let seen = first.map(|first| Seen {
            first,
            last: last.pop().unwrap_or_default(),
            windows: (0..slots.len()).map(|slot| span(&pieces, slots, slot as u32)).collect(),
        });
        State::Coverage { fresh, behind, seen }
    }

    /// Adds the entities of rows.
    pub(crate) fn ids(&mut self, rows: Rows<'_>, cell: Cell<'_>, slots: &Slots, ids: &[u32]) {
        self.learn(slots);
        if self.ids.of_one_group && self.last.is_empty() {
            self.last.push(zeros(self.ids.count));
        }
        let groups = slots.cells();
        if let (Cell::One(slot), true) = (cell, self.ids.of_one_group) {
            self.ids_of_one(rows, slot, span(&self.pieces, slots, slot).0, ids);
            return;
        }
        rows.each(|row| {
            let (slot, id) = (at(cell, row), ids[row]);
            let group = if self.ids.of_one_group { 0 } else { groups[slot as usize].1 as usize };
            if group >= self.last.len() {
                self.last.resize(group + 1, Vec::new());
            }
            if self.last[group].is_empty() && self.room >= self.ids.count {
                self.room -= self.ids.count;
                self.last[group] = zeros(self.ids.count);
            }
            let known = self.last[group].get(id as usize).copied();
            let last = match known {
                Some(last) => last,
                None => self.pairs.get(&(group as u32, i64::from(id))).copied().unwrap_or(0),
            };
            if last != slot + 1 && self.count(last, slot, slots) {
                if let (0, Some(first)) = (last, &mut self.first)
                    && let Some(first) = first.get_mut(id as usize)
                {
                    *first = slot + 1;
                }
                match known {
                    Some(_) => self.last[group][id as usize] = slot + 1,
                    None => {
                        self.pairs.insert((group as u32, i64::from(id)), slot + 1);
                    }
                }
            }
        });
    }

    /// Adds the entities of rows of one cell, whose piece lies in windows from this one on.
    fn ids_of_one(&mut self, rows: Rows<'_>, slot: u32, first: u32, ids: &[u32]) {
        let Coverage { last, ends, fresh, behind, first: seen, .. } = self;
        let Some(last) = last.first_mut() else { return };
        let own = slot + 1;
        let end = ends[own as usize];
        let (mut begun, mut counted) = (0, 0);
        // Nothing is asked per row that could be guessed wrong.
        rows.each(|row| {
            let Some(last) = last.get_mut(ids[row] as usize) else { return };
            let before = *last as usize;
            // Nobody has been counted in the cell before the first.
            let ended = ends[before];
            let new = ended < end;
            let goes_on = new & (ended > first);
            behind[before] += i64::from(goes_on);
            begun += i64::from(new & !goes_on);
            counted += i64::from(new);
            if before == 0
                && let Some(seen) = seen.as_mut().and_then(|seen| seen.get_mut(ids[row] as usize))
            {
                *seen = own;
            }
            *last = if new { own } else { *last };
        });
        fresh[slot as usize] += begun;
        behind[own as usize] -= counted;
    }

    /// Adds the values of rows.
    pub(crate) fn values(&mut self, rows: Rows<'_>, cell: Cell<'_>, slots: &Slots, value: impl Fn(usize) -> i64) {
        self.learn(slots);
        rows.each(|row| {
            let slot = at(cell, row);
            let key = (slots.cells()[slot as usize].1, value(row));
            let last = self.pairs.get(&key).copied().unwrap_or(0);
            if last != slot + 1 && self.count(last, slot, slots) {
                self.pairs.insert(key, slot + 1);
            }
        });
    }

    /// Gets ready for new cells.
    fn learn(&mut self, slots: &Slots) {
        for slot in self.fresh.len()..slots.len() {
            self.ends.push(span(&self.pieces, slots, slot as u32).1);
        }
        self.fresh.resize(slots.len(), 0);
        self.behind.resize(slots.len() + 1, 0);
    }

    /// Counts a value of a cell that was last counted in another one, plus one; whether any window counts it anew.
    #[inline]
    fn count(&mut self, last: u32, slot: u32, slots: &Slots) -> bool {
        let (first, end) = span(&self.pieces, slots, slot);
        let counted = self.ends[last as usize];
        if counted >= end {
            return false;
        }
        if counted > first {
            self.behind[last as usize] += 1;
        } else {
            self.fresh[slot as usize] += 1;
        }
        self.behind[slot as usize + 1] -= 1;
        true
    }
}

/// Adds counts of the same cells.
pub(super) fn add(counts: &mut Vec<i64>, more: Vec<i64>) {
    counts.resize(counts.len().max(more.len()), 0);
    counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
}

/// The windows that a cell's piece lies in, from the first to behind the last.
fn span(pieces: &Pieces, slots: &Slots, slot: u32) -> (u32, u32) {
    let piece = slots.cells().get(slot as usize).and_then(|cell| cell.0);
    piece.map_or((0, 0), |piece| pieces.span(piece as usize))
}
