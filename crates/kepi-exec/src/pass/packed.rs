//! Lists of numbers on their way: their lengths, then the numbers of all of them, written and read in one go.

use crate::number_bytes;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserializer, Serializer};
use std::fmt;

/// Writes lists.
pub(super) fn serialize<S: Serializer>(lists: &[Vec<i64>], serializer: S) -> Result<S::Ok, S::Error> {
    let mut bytes = Vec::new();
    number_bytes::put(&mut bytes, lists.iter().map(|list| Some(list.len() as i64)));
    let all: Vec<i64> = lists.concat();
    number_bytes::put(&mut bytes, all.iter().copied().map(Some));
    serializer.serialize_bytes(&bytes)
}

/// Reads lists.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<i64>>, D::Error> {
    deserializer.deserialize_bytes(Packed(lists, "lists of numbers"))
}

/// Small numbers: cells by id.
pub(super) mod numbers {
    use super::Packed;
    use crate::number_bytes;
    use serde::{Deserializer, Serializer};

    /// Writes numbers.
    pub(in crate::pass) fn serialize<S: Serializer>(numbers: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        number_bytes::put(&mut bytes, numbers.iter().map(|&number| Some(i64::from(number))));
        serializer.serialize_bytes(&bytes)
    }

    /// Reads numbers.
    pub(in crate::pass) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
        let read = |mut bytes: &[u8]| {
            let numbers = number_bytes::take(&mut bytes, |number| number.unwrap_or_default() as u32)?;
            bytes.is_empty().then_some(numbers)
        };
        deserializer.deserialize_bytes(Packed(read, "numbers"))
    }
}

/// Reads bytes, which are something.
struct Packed<F>(F, &'static str);

impl<'de, T, F: Fn(&[u8]) -> Option<T>> Visitor<'de> for Packed<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as bytes", self.1)
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<T, E> {
        (self.0)(bytes).ok_or_else(|| E::custom(format!("{} are cut off", self.1)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element::<u8>()? {
            bytes.push(byte);
        }
        self.visit_bytes(&bytes)
    }
}

fn lists(mut bytes: &[u8]) -> Option<Vec<Vec<i64>>> {
    let lengths = number_bytes::take(&mut bytes, |length| usize::try_from(length?).ok())?;
    let numbers = number_bytes::take(&mut bytes, Option::unwrap_or_default)?;
    let mut rest = numbers.as_slice();
    let mut lists = Vec::with_capacity(lengths.len());
    for length in lengths {
        let own;
        (own, rest) = rest.split_at_checked(length?)?;
        lists.push(own.to_vec());
    }
    (rest.is_empty() && bytes.is_empty()).then_some(lists)
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
    }
}
