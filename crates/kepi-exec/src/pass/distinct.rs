//! Distinct values per cell, where a cell's rows come together: rows come period by period.
//!
//! Entities whose labels follow from them are in one cell per period: the last cell that counted each of them says all.
//! Others wait, as pairs of cell and id, until their period ends; put together by cell, each cell's ids are told apart by
//! one bit each. So however many labels there are, memory is that of the period's rows and of one bit per id.

use super::accumulate::{Cell, Rows, at, grow};
use super::coverage::Ids;
use super::labels::{NumberMap, Slots};
use crate::ExecError;
use crate::zeros::zeros;

/// So many pairs wait before those that say the same are looked for, though the period goes on.
const WAITING: usize = if cfg!(any(test, debug_assertions)) { 64 } else { 1 << 20 };

/// Distinct values by cell.
pub(crate) struct Distinct {
    pub(crate) counts: Vec<i64>,
    ids: Ids,
    /// By id the last cell that counted it, plus one: of entities that are in one cell per period.
    last: Vec<u32>,
    /// Of other entities those of the current period.
    waiting: Waiting,
    /// Of what is no entity the pairs of the current period.
    pairs: NumberMap<(u32, i64), ()>,
}

impl Distinct {
    pub(crate) fn new(ids: Ids) -> Distinct {
        Distinct { counts: Vec::new(), ids, last: Vec::new(), waiting: Waiting::default(), pairs: NumberMap::default() }
    }

    /// How many ids there are; 0: what is counted is no entity.
    pub(crate) fn ids_max(&self) -> usize {
        self.ids.count
    }

    /// Says that a new period begins: what was kept only for the last one is let go.
    pub(crate) fn begin_period(&mut self) {
        self.pairs.clear();
    }

    /// Adds the entities of rows.
    pub(crate) fn add_ids(
        &mut self,
        rows: Rows<'_>,
        cell: Cell<'_>,
        slots: &Slots,
        ids: &[u32],
    ) -> Result<(), ExecError> {
        let Distinct { counts, last, ids: Ids { of_one_group, count, .. }, waiting, .. } = self;
        grow(counts, slots.len());
        if *of_one_group && last.is_empty() {
            *last = zeros(*count);
        }
        match cell {
            Cell::One(slot) if *of_one_group => {
                let mut fresh = 0;
                rows.each(|row| {
                    if let Some(last) = last.get_mut(ids[row] as usize) {
                        fresh += i64::from(*last != slot + 1);
                        *last = slot + 1;
                    }
                });
                counts[slot as usize] += fresh;
            }
            Cell::Each(places) if *of_one_group => rows.each(|row| {
                let slot = places[row];
                if let Some(last) = last.get_mut(ids[row] as usize)
                    && *last != slot + 1
                {
                    *last = slot + 1;
                    counts[slot as usize] += 1;
                }
            }),
            _ => {
                if waiting.first != slots.first() {
                    waiting.end_period(counts, self.ids.count);
                    waiting.first = slots.first();
                }
                waiting.add(rows, cell, ids);
                if waiting.slots.len() >= waiting.most.max(self.ids.pairs_max(WAITING)) {
                    waiting.put_together(counts, self.ids.count);
                    self.fits()?;
                }
            }
        }
        Ok(())
    }

    /// Adds the values of rows.
    pub(crate) fn add_values(
        &mut self,
        rows: Rows<'_>,
        cell: Cell<'_>,
        slots: &Slots,
        values: &[i64],
    ) -> Result<(), ExecError> {
        let Distinct { counts, pairs, .. } = self;
        grow(counts, slots.len());
        rows.each(|row| {
            let slot = at(cell, row);
            counts[slot as usize] += i64::from(pairs.insert((slot, values[row]), ()).is_none());
        });
        self.fits()
    }

    /// The ids that are counted.
    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Lets go what was kept to count: there come no more rows.
    pub(crate) fn settle(&mut self) {
        self.waiting.end_period(&mut self.counts, self.ids.count);
        (self.last, self.waiting, self.pairs) = (Vec::new(), Waiting::default(), NumberMap::default());
    }

    /// Adds what was counted of other ids, of the same rows; both are settled.
    pub(crate) fn add_share(&mut self, other: Distinct) {
        super::coverage::add(&mut self.counts, other.counts);
    }

    /// The counts of so many cells.
    pub(crate) fn into_counts(mut self, cells: usize) -> Vec<i64> {
        self.waiting.end_period(&mut self.counts, self.ids.count);
        self.counts.resize(cells, 0);
        self.counts
    }

    /// Fails where it takes more memory than there may be.
    fn fits(&self) -> Result<(), ExecError> {
        let last = if self.ids.of_one_group { self.ids.count } else { 0 };
        self.ids.fits(last + self.waiting.places(), self.pairs.capacity())
    }
}

/// Pairs of cell and id that have not been counted yet.
#[derive(Default)]
struct Waiting {
    /// The first cell of the period that they are of.
    first: u32,
    slots: Vec<u32>,
    ids: Vec<u32>,
    /// By cell of the period, of those with many ids: a bit for each id that was counted.
    counted: Vec<Vec<u64>>,
    /// From so many pairs on they are put together.
    most: usize,
    /// A bit per id, of one cell at a time.
    seen: Vec<u64>,
    /// The ids, put together by cell; and where those of each cell end.
    by_cell: Vec<u32>,
    ends: Vec<u32>,
}

impl Waiting {
    #[inline]
    fn add(&mut self, rows: Rows<'_>, cell: Cell<'_>, ids: &[u32]) {
        let count = rows.count();
        self.slots.reserve(count);
        self.ids.reserve(count);
        match (cell, rows.mask) {
            (Cell::Each(slots), None) => {
                self.slots.extend_from_slice(&slots[rows.range.clone()]);
                self.ids.extend_from_slice(&ids[rows.range.clone()]);
            }
            _ => rows.each(|row| {
                self.slots.push(at(cell, row));
                self.ids.push(ids[row]);
            }),
        }
    }

    /// Puts the ids together by cell: `by_cell` up to `ends`.
    fn sort(&mut self) {
        let Waiting { first, slots, ids, by_cell, ends, .. } = self;
        let cells = slots.iter().max().map_or(0, |&slot| (slot - *first) as usize + 1);
        ends.clear();
        ends.resize(cells, 0);
        slots.iter().for_each(|&slot| ends[(slot - *first) as usize] += 1);
        let mut sum = 0;
        for end in ends.iter_mut() {
            (*end, sum) = (sum, sum + *end);
        }
        by_cell.resize(ids.len(), 0);
        for (&slot, &id) in slots.iter().zip(ids.iter()) {
            let end = &mut ends[(slot - *first) as usize];
            by_cell[*end as usize] = id;
            *end += 1;
        }
        slots.clear();
        ids.clear();
    }

    /// Counts what waits; nothing more comes for its cells.
    fn end_period(&mut self, counts: &mut [i64], ids: usize) {
        if !self.slots.is_empty() {
            self.sort();
            let Waiting { first, counted, seen, by_cell, ends, .. } = self;
            seen.resize(ids.div_ceil(64), 0);
            let mut start = 0;
            for (number, &end) in ends.iter().enumerate() {
                let own = &by_cell[start..end as usize];
                start = end as usize;
                let Some(count) = counts.get_mut(*first as usize + number) else { continue };
                match counted.get_mut(number).filter(|bits| !bits.is_empty()) {
                    Some(bits) => *count += own.iter().map(|&id| i64::from(is_new(bits, id))).sum::<i64>(),
                    None => {
                        *count += own.iter().map(|&id| i64::from(is_new(seen, id))).sum::<i64>();
                        forget(seen, own);
                    }
                }
            }
        }
        self.counted.clear();
        self.most = 0;
    }

    /// Looks for pairs that say the same, while there may come more for each cell.
    fn put_together(&mut self, counts: &mut [i64], count: usize) {
        self.sort();
        let Waiting { first, slots, ids, counted, seen, by_cell, ends, most } = self;
        seen.resize(count.div_ceil(64), 0);
        counted.resize(ends.len().max(counted.len()), Vec::new());
        let mut start = 0;
        for ((number, &end), bits) in ends.iter().enumerate().zip(counted) {
            let own = &by_cell[start..end as usize];
            start = end as usize;
            // From here on bits take less room than pairs.
            if bits.is_empty() && own.len() > count / 64 {
                *bits = vec![0; seen.len()];
            }
            if !bits.is_empty() {
                if let Some(counts) = counts.get_mut(*first as usize + number) {
                    *counts += own.iter().map(|&id| i64::from(is_new(bits, id))).sum::<i64>();
                }
                continue;
            }
            for &id in own.iter().filter(|&&id| is_new(seen, id)) {
                slots.push(*first + number as u32);
                ids.push(id);
            }
            forget(seen, own);
        }
        *most = 2 * slots.len();
    }

    /// How much it keeps, in places of four bytes.
    fn places(&self) -> usize {
        let bits: usize = self.counted.iter().map(Vec::len).sum();
        self.slots.capacity() + self.ids.capacity() + self.by_cell.capacity() + 2 * (bits + self.seen.len())
    }
}

/// Whether an id has no bit yet; it has one from now on. An id behind the last is never new.
#[inline]
fn is_new(bits: &mut [u64], id: u32) -> bool {
    let Some(word) = bits.get_mut(id as usize / 64) else { return false };
    let bit = 1 << (id % 64);
    let new = *word & bit == 0;
    *word |= bit;
    new
}

/// Takes the bits of some ids away, and of others beside them: there are none of other cells.
fn forget(bits: &mut [u64], ids: &[u32]) {
    for &id in ids {
        if let Some(word) = bits.get_mut(id as usize / 64) {
            *word = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test may stop.

    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn each_id_counts_once_per_cell(
            periods in proptest::collection::vec(
                proptest::collection::vec(proptest::collection::vec((0_u32..9, 0_u32..500), 0..150), 0..4), 1..5),
            ids in proptest::sample::select(vec![500_usize, 5_000, 50_000]),
        ) {
            let mut distinct = Distinct::new(Ids { count: ids, ..Ids::default() });
            let mut slots = Slots::default();
            let mut expected: BTreeSet<(u32, u32)> = BTreeSet::new();
            for (number, batches) in periods.into_iter().enumerate() {
                slots.begin(Some(number as i64));
                for rows in batches {
                    let cells: Vec<u32> = rows.iter().map(|row| slots.slot(row.0)).collect();
                    let ids: Vec<u32> = rows.iter().map(|row| row.1).collect();
                    let range = 0..rows.len();
                    let all = Rows { range: &range, mask: None };
                    distinct.add_ids(all, Cell::Each(&cells), &slots, &ids).unwrap();
                    expected.extend(cells.into_iter().zip(ids));
                }
            }
            let mut counts = vec![0; slots.len()];
            expected.iter().for_each(|pair| counts[pair.0 as usize] += 1);
            prop_assert_eq!(distinct.into_counts(slots.len()), counts);
        }
    }

    #[test]
    fn many_ids_of_few_cells_take_a_bit_each() {
        let ids: Vec<u32> = (0..10_000).map(|i| i * 7 % 1_000).collect();
        let mut distinct = Distinct::new(Ids { count: 1_000, bytes_max: Some(20_000), ..Ids::default() });
        let mut slots = Slots::default();
        slots.begin(None);
        for ids in ids.chunks(100) {
            let cells: Vec<u32> = ids.iter().map(|id| slots.slot(id % 3)).collect();
            let range = 0..ids.len();
            distinct.add_ids(Rows { range: &range, mask: None }, Cell::Each(&cells), &slots, ids).unwrap();
        }
        assert!(distinct.waiting.places() < 2_000, "{}", distinct.waiting.places());
        let mut counts = distinct.into_counts(3);
        counts.sort_unstable();
        assert_eq!(counts, [333, 333, 334]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut distinct = Distinct::new(Ids { count: 1_000_000, bytes_max: Some(10_000), ..Ids::default() });
        let mut slots = Slots::default();
        slots.begin(None);
        let ids: Vec<u32> = (0..10_000).collect();
        let cells: Vec<u32> = ids.iter().map(|id| slots.slot(id % 5_000)).collect();
        let range = 0..ids.len();
        let rows = Rows { range: &range, mask: None };
        let found = distinct.add_ids(rows, Cell::Each(&cells), &slots, &ids);
        assert!(matches!(found, Err(ExecError::Memory { limit: 10_000 })), "{found:?}");
    }
}
