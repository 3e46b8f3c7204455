//! Lists of numbers on their way: their lengths, then eight bytes a number, which are written and read all at once.

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserializer, Serializer};
use std::fmt;

const BYTES: usize = 8;

/// Writes lists.
pub(super) fn serialize<S: Serializer>(lists: &[Vec<i64>], serializer: S) -> Result<S::Ok, S::Error> {
    let all: usize = lists.iter().map(Vec::len).sum();
    let mut bytes = Vec::with_capacity(BYTES * (1 + lists.len() + all));
    bytes.extend_from_slice(&(lists.len() as u64).to_le_bytes());
    lists.iter().for_each(|list| bytes.extend_from_slice(&(list.len() as u64).to_le_bytes()));
    lists.iter().flatten().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
    serializer.serialize_bytes(&bytes)
}

/// Reads lists.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<i64>>, D::Error> {
    deserializer.deserialize_bytes(Lists)
}

struct Lists;

impl<'de> Visitor<'de> for Lists {
    type Value = Vec<Vec<i64>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lists of numbers as bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        lists(bytes).ok_or_else(|| E::custom("lists of numbers are cut off"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element::<u8>()? {
            bytes.push(byte);
        }
        self.visit_bytes(&bytes)
    }
}

fn lists(bytes: &[u8]) -> Option<Vec<Vec<i64>>> {
    let (numbers, []) = bytes.as_chunks::<BYTES>() else { return None };
    let (count, rest) = numbers.split_first()?;
    let (lengths, mut rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*count)).ok()?)?;
    let mut lists = Vec::with_capacity(lengths.len());
    for length in lengths {
        let own;
        (own, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        lists.push(own.iter().map(|number| i64::from_le_bytes(*number)).collect());
    }
    rest.is_empty().then_some(lists)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed test should stop where it fails.
    use super::*;
    use crate::pass::state::State;

    #[test]
    fn lists_come_back_and_bytes_that_are_cut_off_are_none() {
        let state = State::List(vec![vec![], vec![1, i64::MIN], vec![i64::MAX; 300], vec![]]);
        let bytes = postcard::to_allocvec(&state).unwrap();
        assert_eq!(postcard::from_bytes::<State>(&bytes).unwrap(), state);
        for length in 0..bytes.len() {
            assert!(postcard::from_bytes::<State>(&bytes[..length]).is_err());
        }
        assert_eq!(lists(&[]), None);
        assert_eq!(lists(&u64::MAX.to_le_bytes()), None);
        assert_eq!(lists(&[1_u64, u64::MAX].map(u64::to_le_bytes).concat()), None);
    }
}
