//! Where instants lie among others that rise: looked up by their first digits, instead of searched.

/// Instants that rise, and a table of where they lie.
#[derive(Debug)]
pub(super) struct Places {
    bounds: Vec<i64>,
    first: i64,
    shift: u32,
    /// By the first digits of the time since the first instant: how many of them are earlier than all such instants.
    table: Vec<u32>,
}

impl Places {
    /// Of instants that rise.
    pub(super) fn of(bounds: Vec<i64>) -> Places {
        let (first, last) = (bounds.first().copied().unwrap_or(0), bounds.last().copied().unwrap_or(0));
        let span = last.wrapping_sub(first) as u64;
        let wanted = 4 * bounds.len().max(1) as u64;
        let shift = (64 - (span / wanted).leading_zeros()).min(63);
        let since = |moment: i64| moment.wrapping_sub(first) as u64 >> shift;
        let mut next = 0;
        let earlier = |digits: u64| {
            while bounds.get(next).is_some_and(|&moment| since(moment) < digits) {
                next += 1;
            }
            next as u32
        };
        let table = (0..=since(last)).map(earlier).collect();
        Places { first, shift, table, bounds }
    }

    /// The instants.
    pub(super) fn bounds(&self) -> &[i64] {
        &self.bounds
    }

    /// How many stretches of time they make: one before the first of them, one from the last on.
    pub(super) fn intervals(&self) -> usize {
        self.bounds.len() + 1
    }

    /// The stretch of time that an instant lies in: how many of the instants are not later.
    #[inline]
    pub(super) fn interval(&self, instant: i64) -> usize {
        match instant.checked_add(1) {
            Some(next) => self.before(next),
            None => self.bounds.len(),
        }
    }

    /// How many of the instants are earlier than one.
    #[inline]
    pub(super) fn before(&self, instant: i64) -> usize {
        if instant <= self.first {
            return 0;
        }
        let digits = instant.wrapping_sub(self.first) as u64 >> self.shift;
        let Some(&place) = self.table.get(digits as usize) else { return self.bounds.len() };
        let mut place = place as usize;
        while self.bounds.get(place).is_some_and(|&moment| moment < instant) {
            place += 1;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn places_are_those_that_a_search_finds(
            mut bounds in proptest::collection::vec(prop_oneof![-50..50_i64, any::<i64>(), Just(i64::MIN)], 0..40),
            instants in proptest::collection::vec(prop_oneof![-60..60_i64, any::<i64>(), Just(i64::MAX)], 0..40),
        ) {
            bounds.sort_unstable();
            let places = Places::of(bounds.clone());
            for instant in instants.into_iter().chain(bounds.iter().copied()) {
                prop_assert_eq!(places.before(instant), bounds.partition_point(|&bound| bound < instant));
                prop_assert_eq!(places.interval(instant), bounds.partition_point(|&bound| bound <= instant));
            }
        }
    }
}
