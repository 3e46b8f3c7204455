//! Distinct ids by cell as sets, which can be put together whatever rows they come from.

use super::accumulate::{Cell, Rows, at};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Ids of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum IdSet {
    /// A few of them, in any order; while rows go by some more than once.
    Few(Vec<u32>),
    /// A bit for each that there could be.
    Many(Vec<u64>),
}

impl Default for IdSet {
    fn default() -> IdSet {
        IdSet::Few(Vec::new())
    }
}

impl IdSet {
    /// Adds an id out of so many.
    #[inline]
    pub(crate) fn add(&mut self, id: u32, ids: usize) {
        match self {
            IdSet::Many(bits) => set(bits, id),
            IdSet::Few(few) => {
                few.push(id);
                // From here on bits take less room.
                if few.len() > ids / 32 {
                    self.widen();
                }
            }
        }
    }

    fn widen(&mut self) {
        if let IdSet::Few(few) = self {
            let most = few.iter().max().map_or(0, |id| *id as usize + 1);
            let mut bits = vec![0; most.div_ceil(64)];
            few.iter().for_each(|id| set(&mut bits, *id));
            *self = IdSet::Many(bits);
        }
    }

    /// Says each id once.
    pub(crate) fn settle(&mut self) {
        if let IdSet::Few(few) = self {
            few.sort_unstable();
            few.dedup();
        }
    }

    /// Adds those of another set; both are settled, and so is what comes out.
    pub(crate) fn merge(&mut self, other: IdSet) {
        match (&mut *self, other) {
            (IdSet::Many(bits), IdSet::Many(more)) => {
                if bits.len() < more.len() {
                    bits.resize(more.len(), 0);
                }
                bits.iter_mut().zip(&more).for_each(|(bits, more)| *bits |= more);
            }
            (IdSet::Many(bits), IdSet::Few(few)) => few.into_iter().for_each(|id| set(bits, id)),
            (IdSet::Few(few), IdSet::Few(more)) => {
                few.extend(more);
                self.settle();
            }
            (IdSet::Few(_), mut many) => {
                many.merge(std::mem::take(self));
                *self = many;
            }
        }
    }

    /// How many ids there are; it is settled.
    pub(crate) fn len(&self) -> i64 {
        match self {
            IdSet::Few(few) => few.len() as i64,
            IdSet::Many(bits) => bits.iter().map(|word| i64::from(word.count_ones())).sum(),
        }
    }
}

#[inline]
fn set(bits: &mut Vec<u64>, id: u32) {
    let word = id as usize / 64;
    if word >= bits.len() {
        bits.resize(word + 1, 0);
    }
    bits[word] |= 1 << (id % 64);
}

/// Adds the ids of rows to the sets of their cells.
pub(crate) fn add(sets: &mut Vec<IdSet>, rows: Rows<'_>, cell: Cell<'_>, cells: usize, ids: &[u32], count: usize) {
    if sets.len() < cells {
        sets.resize(cells, IdSet::default());
    }
    rows.each(|row| sets[at(cell, row) as usize].add(ids[row], count));
}

// A set travels as bytes: a sequence of numbers would be written and read one by one.
impl Serialize for IdSet {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        match self {
            IdSet::Few(few) => {
                bytes.push(0);
                few.iter().for_each(|id| bytes.extend(id.to_le_bytes()));
            }
            IdSet::Many(bits) => {
                bytes.reserve(1 + bits.len() * 8);
                bytes.push(1);
                bits.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
            }
        }
        to.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for IdSet {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<IdSet, D::Error> {
        from.deserialize_bytes(Bytes)
    }
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = IdSet;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a set of ids")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<IdSet, E> {
        let broken = || E::custom("a set of ids is cut off");
        let (kind, rest) = bytes.split_first().ok_or_else(broken)?;
        match kind {
            0 => {
                let (ids, over) = rest.as_chunks::<4>();
                let few = ids.iter().map(|id| u32::from_le_bytes(*id)).collect();
                over.is_empty().then_some(IdSet::Few(few)).ok_or_else(broken)
            }
            1 => {
                let (words, over) = rest.as_chunks::<8>();
                let many = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
                over.is_empty().then_some(IdSet::Many(many)).ok_or_else(broken)
            }
            _ => Err(broken()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test may stop.

    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn of(ids: &[u32], count: usize) -> IdSet {
        let mut set = IdSet::default();
        ids.iter().for_each(|id| set.add(*id, count));
        set.settle();
        set
    }

    proptest! {
        #[test]
        fn sets_count_each_id_once_however_they_are_put_together(
            a in proptest::collection::vec(0_u32..500, 0..200),
            b in proptest::collection::vec(0_u32..500, 0..20),
            c in proptest::collection::vec(0_u32..500, 0..100),
        ) {
            let all: BTreeSet<u32> = a.iter().chain(&b).chain(&c).copied().collect();
            for count in [500, 5_000, 50_000] {
                let travelled = |set: IdSet| -> IdSet {
                    postcard::from_bytes(&postcard::to_allocvec(&set).unwrap()).unwrap()
                };
                let (a, b, c) = (of(&a, count), travelled(of(&b, 500)), travelled(of(&c, count)));
                let (mut one, mut two) = (a.clone(), c);
                one.merge(b.clone());
                one.merge(two.clone());
                two.merge(a);
                two.merge(b);
                prop_assert_eq!(one.len(), all.len() as i64);
                prop_assert_eq!(two.len(), all.len() as i64);
            }
        }
    }

    #[test]
    fn a_set_that_is_cut_off_is_no_set() {
        let bytes = postcard::to_allocvec(&of(&[1, 2, 3], 1_000)).unwrap();
        assert!(postcard::from_bytes::<IdSet>(&bytes[..bytes.len() - 1]).is_err());
    }
}
