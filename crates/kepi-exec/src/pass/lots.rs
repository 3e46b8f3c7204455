//! Entities dealt out among threads, a stretch of ids at a time, so that each has about as much to do.

use super::Pass;
use kepi_model::core::{Aggregate, Measure};
use serde::{Deserialize, Serialize};

/// Which entities one of several threads looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lot {
    number: u32,
    of: u32,
}

/// So many ids in a row are of one lot: what is kept of them lies together.
const STRETCH_BITS: u32 = if cfg!(any(test, debug_assertions)) { 0 } else { 6 };
/// What is kept of fewer entities than this stays in a processor's cache: reading all rows twice takes longer.
pub(super) const DEALT_MIN: u32 = if cfg!(any(test, debug_assertions)) { 2 } else { 20_000 };
/// Fewer entities than this are not worth a thread of their own.
const IDS_MIN: u32 = if cfg!(any(test, debug_assertions)) { 2 } else { 10_000 };

impl Lot {
    /// Everybody.
    pub(crate) const ALL: Lot = Lot { number: 0, of: 1 };

    /// The lots of so many ids for up to `threads` threads.
    pub(crate) fn deal(ids: u32, threads: usize) -> Vec<Lot> {
        let of = u32::try_from(threads).unwrap_or(1).min(ids / IDS_MIN).max(1);
        (0..of).map(|number| Lot { number, of }).collect()
    }

    /// Whether an entity is one of them.
    #[inline]
    pub(crate) fn has(&self, id: usize) -> bool {
        // Asked of every row: multiplied, since a division would take longer than all the rest.
        let mixed = (id as u32 >> STRETCH_BITS).wrapping_mul(0x9E37_79B1);
        (u64::from(mixed) * u64::from(self.of)) >> 32 == u64::from(self.number)
    }

    /// Whether it is the first: what is the same for all is told once.
    pub(crate) fn is_first(&self) -> bool {
        self.number == 0
    }
}

/// Whether the cells of some entities and those of others make the cells of all of them.
pub(crate) fn add_up(pass: &Pass) -> bool {
    pass.aggregates.iter().all(adds_up)
}

/// The same of one aggregate.
pub(crate) fn adds_up(aggregate: &Aggregate) -> bool {
    match aggregate.measure {
        Measure::Count | Measure::Sum(_) | Measure::Avg(_) | Measure::Min(_) | Measure::Max(_) => true,
        Measure::Percentile { .. } | Measure::Stddev(_) => true,
        Measure::First(_) | Measure::Last(_) | Measure::Unique(_) | Measure::Best { .. } | Measure::Plugin { .. } => {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_of_one_lot() {
        for (ids, threads) in [(1, 8), (1_000, 1), (1_000, 3), (70, 2)] {
            let lots = Lot::deal(ids, threads);
            assert!(lots.len() <= threads && lots[0].is_first());
            for id in 0..ids as usize {
                assert_eq!(lots.iter().filter(|lot| lot.has(id)).count(), 1);
            }
        }
        assert_eq!(Lot::deal(1_000, 1), [Lot::ALL]);
    }
}
