//! Distinct values per window, counted in one go over the rows.
//!
//! A row whose value was last seen in an earlier piece counts for exactly the windows that contain the row but not that
//! piece: all that begin behind it. So each piece notes from which window on it counts a value anew, and one walk over
//! the windows adds up.

use super::accumulate::{Cell, Rows, at};
use super::labels::{NumberMap, Slots};
use super::pieces::Pieces;
use std::sync::Arc;

/// Which windows count which values, by cells of pieces.
pub(crate) struct Coverage {
    pieces: Arc<Pieces>,
    /// By id: the cell of the last row that counted it, plus one. For ids whose rows all have the same labels.
    last: Vec<u32>,
    /// Else by group and value.
    pairs: NumberMap<(u32, i64), u32>,
    /// By cell: how many values count from the piece's first window on.
    pub(crate) fresh: Vec<i64>,
    /// By cell: how many more values count from the first window behind the piece on; those that end there are taken off.
    pub(crate) behind: Vec<i64>,
}

impl Coverage {
    /// `ids`: how many ids there are where each always has the same labels; 0: it is otherwise.
    pub(crate) fn new(pieces: Arc<Pieces>, ids: usize) -> Coverage {
        let (fresh, behind) = (Vec::new(), Vec::new());
        Coverage { pieces, last: vec![0; ids], pairs: NumberMap::default(), fresh, behind }
    }

    /// Adds the entities of rows.
    pub(crate) fn ids(&mut self, rows: Rows<'_>, cell: Cell<'_>, slots: &Slots, ids: &[u32]) {
        if self.last.is_empty() {
            self.values(rows, cell, slots, |row| i64::from(ids[row]));
            return;
        }
        let Coverage { pieces, last, fresh, behind, .. } = self;
        let mut windows = Windows::new(pieces, slots, fresh, behind);
        rows.each(|row| {
            let slot = at(cell, row);
            if let Some(last) = last.get_mut(ids[row] as usize)
                && *last != slot + 1
                && windows.count(last.checked_sub(1), slot)
            {
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
