//! Which attempts are left: those that nothing forbidden has dropped, and where only the one of each entity that got
//! furthest is wanted, that one.

use super::share::ROOM;
use super::{Attempt, Attempts, NOWHERE};
use arrow_buffer::BooleanBuffer;

impl Attempts {
    /// Leaves out what is dropped, and where of the attempts that begin in a time only those that got `furthest` are
    /// wanted, all others; of several that got as far the first stays. Gives for each attempt its number among those that
    /// are left, [`NOWHERE`] for the others; none: all are left.
    pub(super) fn leave_out(&mut self, furthest: Option<(i64, i64)>) -> Option<Vec<u32>> {
        if let Some(time) = furthest {
            self.drop_all_but_furthest(time);
        }
        if !self.all.iter().any(|attempt| attempt.dropped) {
            return None;
        }
        let Attempts { at, all, who, rows, times, further, left } = self;
        let mut next = 0_u32;
        let number = |attempt: &Attempt| {
            let own = next;
            next += u32::from(!attempt.dropped);
            if attempt.dropped { NOWHERE } else { own }
        };
        let numbers: Vec<u32> = all.iter().map(number).collect();
        *left = Some(BooleanBuffer::collect_bool(all.len(), |i| !all[i].dropped));
        retain(at, |i| !all[i].dropped);
        retain(who, |i| !all[i].dropped);
        retain(rows, |i| !all[i / *further].dropped);
        retain(times, |i| !all[i / *further].dropped);
        all.retain(|attempt| !attempt.dropped);
        Some(numbers)
    }

    /// The first of all stays, too: it says since when there are any.
    fn drop_all_but_furthest(&mut self, (from, until): (i64, i64)) {
        let Attempts { at, all, who, .. } = self;
        let mut best: Vec<u32> = std::iter::repeat_n(NOWHERE, ROOM).collect();
        let mut first = None;
        for i in 0..all.len() {
            if all[i].dropped || at[i] < from || at[i] >= until {
                all[i].dropped = true;
                continue;
            }
            first = first.or(Some(i));
            let best = &mut best[who[i] as usize % ROOM];
            let worse = match all.get(*best as usize).map(|best| best.reached) {
                Some(reached) if reached >= all[i].reached => i,
                Some(_) => std::mem::replace(best, i as u32) as usize,
                None => {
                    *best = i as u32;
                    continue;
                }
            };
            all[worse].dropped = true;
        }
        if let Some(first) = first {
            all[first].dropped = false;
        }
    }
}

fn retain<T>(values: &mut Vec<T>, keep: impl Fn(usize) -> bool) {
    let mut i = 0;
    values.retain(|_| {
        i += 1;
        keep(i - 1)
    });
}
