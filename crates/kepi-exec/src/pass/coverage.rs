//! Distinct values per window, counted in one go over the rows.
//!
//! A row whose value was last seen in an earlier piece counts for exactly the windows that contain the row but not that
//! piece: all that begin behind it. So each piece notes from which window on it counts a value anew, and one walk over
//! the windows adds up.

use super::accumulate::{Cell, Rows, at};
use super::labels::{NumberMap, Slots};
use super::pieces::Pieces;
use crate::ExecError;
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
    /// By cell: how many values count from the piece's first window on.
    pub(crate) fresh: Vec<i64>,
    /// By cell: how many more values count from the first window behind the piece on; those that end there are taken off.
    pub(crate) behind: Vec<i64>,
}

/// The ids that are counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ids {
    /// How many there are; 0: what is counted is no entity.
    pub(crate) count: usize,
    /// Whether the labels of a row follow from its id.
    pub(crate) of_one_group: bool,
    /// How many bytes may be kept of which values were seen; none: no limit.
    pub(crate) bytes_max: Option<u64>,
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
            Some(limit) if (4 * places + PAIR * pairs) as u64 > limit => Err(ExecError::Memory { limit }),
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
        let last = if ids.of_one_group { vec![vec![0; ids.count]] } else { Vec::new() };
        let (pairs, fresh, behind) = (NumberMap::default(), Vec::new(), Vec::new());
        Coverage { pieces, ids, last, room: ids.room(), pairs, fresh, behind }
    }

    /// Fails where it takes more memory than there may be.
    pub(crate) fn fits(&self) -> Result<(), ExecError> {
        self.ids.fits(self.last.iter().map(Vec::len).sum(), self.pairs.capacity())
    }

    /// Adds the entities of rows.
    pub(crate) fn ids(&mut self, rows: Rows<'_>, cell: Cell<'_>, slots: &Slots, ids: &[u32]) {
        let Coverage { pieces, ids: Ids { count, of_one_group, .. }, last, room, pairs, fresh, behind } = self;
        let mut windows = Windows::new(pieces, slots, fresh, behind);
        let groups = slots.cells();
        rows.each(|row| {
            let (slot, id) = (at(cell, row), ids[row]);
            let group = if *of_one_group { 0 } else { groups[slot as usize].1 as usize };
            if group >= last.len() {
                last.resize(group + 1, Vec::new());
            }
            if last[group].is_empty() && *room >= *count {
                *room -= *count;
                last[group] = vec![0; *count];
            }
            let last = match last[group].get_mut(id as usize) {
                Some(last) => last,
                None => pairs.entry((group as u32, i64::from(id))).or_default(),
            };
            if *last != slot + 1 && windows.count(last.checked_sub(1), slot) {
                *last = slot + 1;
            }
        });
    }

    /// Adds the values of rows.
    pub(crate) fn values(&mut self, rows: Rows<'_>, cell: Cell<'_>, slots: &Slots, value: impl Fn(usize) -> i64) {
        let Coverage { pieces, pairs, fresh, behind, .. } = self;
        let mut windows = Windows::new(pieces, slots, fresh, behind);
        rows.each(|row| {
            let slot = at(cell, row);
            let group = slots.cells()[slot as usize].1;
            let last = pairs.entry((group, value(row))).or_default();
            if *last != slot + 1 && windows.count(last.checked_sub(1), slot) {
                *last = slot + 1;
            }
        });
    }
}

struct Windows<'a> {
    pieces: &'a Pieces,
    slots: &'a Slots,
    fresh: &'a mut [i64],
    behind: &'a mut [i64],
}

impl<'a> Windows<'a> {
    fn new(pieces: &'a Pieces, slots: &'a Slots, fresh: &'a mut Vec<i64>, behind: &'a mut Vec<i64>) -> Windows<'a> {
        fresh.resize(slots.len(), 0);
        behind.resize(slots.len(), 0);
        Windows { pieces, slots, fresh, behind }
    }

    fn span(&self, slot: u32) -> (u32, u32) {
        let piece = self.slots.cells().get(slot as usize).and_then(|cell| cell.0);
        piece.map_or((0, 0), |piece| self.pieces.span(piece as usize))
    }

    /// Counts a value of a cell that was last counted in another one; whether any window counts it anew.
    #[inline]
    fn count(&mut self, last: Option<u32>, slot: u32) -> bool {
        let (first, end) = self.span(slot);
        match last.map(|last| (last, self.span(last).1)) {
            Some((_, counted)) if counted >= end => return false,
            Some((last, counted)) if counted > first => self.behind[last as usize] += 1,
            _ => self.fresh[slot as usize] += 1,
        }
        self.behind[slot as usize] -= 1;
        true
    }
}
