//! Adding many rows to what a history keeps, without asking per row what is to be done.

use super::fold::{Fold, Kept};
use crate::ExecError;
use std::ops::Range;

impl Fold {
    /// Adds some rows of a batch in their order, as [`Fold::add`] does: those that `takes` says yes of, which is asked once
    /// of each, by the row and its entity; and for whom there is room. `at`: the moments of the batch's rows, `values`: the
    /// numbers of their argument.
    pub(super) fn add_rows(
        &mut self,
        rows: Range<usize>,
        ids: &[u32],
        (at, values): (Option<&[i64]>, Option<&[i64]>),
        mut takes: impl FnMut(usize, usize) -> bool,
    ) -> Result<(), ExecError> {
        let taken = rows.map(|row| (row, ids[row] as usize)).filter(|&(row, id)| takes(row, id));
        match (&mut self.kept, values) {
            (Kept::Count(counts), _) => each(taken, counts, |count, _| *count += 1),
            (Kept::Sum(sums), Some(values)) => {
                let mut fits = true;
                each(taken, sums, |sum, row| {
                    let (added, over) = sum.overflowing_add(values[row]);
                    fits &= !over;
                    *sum = added;
                });
                return if fits { Ok(()) } else { Err(ExecError::Overflow("a history's sum".into())) };
            }
            (Kept::Last(last), Some(values)) => each(taken, last, |last, row| *last = Some(values[row])),
            (Kept::Sorted(lists), Some(values)) => each(taken, lists, |list, row| list.0.push(values[row])),
            (_, _) => {
                let room = self.ids();
                for (row, id) in taken.filter(|taken| taken.1 < room) {
                    self.add(id, at.map_or(0, |at| at[row]), values.map_or(0, |values| values[row]))?;
                }
            }
        }
        Ok(())
    }
}

#[inline]
fn each<T>(rows: impl Iterator<Item = (usize, usize)>, kept: &mut [T], mut add: impl FnMut(&mut T, usize)) {
    for (row, id) in rows {
        if let Some(kept) = kept.get_mut(id) {
            add(kept, row);
        }
    }
}
