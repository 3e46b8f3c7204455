//! Texts to dense numbers, in the order of first sight: entity keys and dictionaries while a load runs.

use arrow_array::StringArray;
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use xxhash_rust::xxh3::xxh3_64;

/// A set of texts with open addressing. All texts lie in one arena, so a million keys are not a million allocations.
#[derive(Debug, Default)]
pub(crate) struct KeyTable {
    /// Per slot number + 1 of its text, and above it the low half of the text's hash, where most misses end; 0 where
    /// empty. A power of two of them, at most half full.
    slots: Vec<u64>,
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

impl KeyTable {
    /// A table that holds these texts under their positions. Nulls keep their position and are never found.
    pub(crate) fn of(texts: &StringArray) -> KeyTable {
        let mut table = KeyTable::default();
        texts.iter().for_each(|text| table.push(text.unwrap_or_default()));
        table
    }

    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of a number.
    pub(crate) fn text(&self, number: usize) -> &str {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        std::str::from_utf8(&self.bytes[start..self.ends[number]]).expect("only whole texts are put in")
    }

    /// The number of a text and whether it is new.
    pub(crate) fn insert(&mut self, text: &str) -> (u32, bool) {
        let hash = xxh3_64(text.as_bytes());
        match self.probe(text, hash) {
            Ok(number) => (number, false),
            Err(_) => {
                self.push_hashed(text, hash);
                (self.len() as u32 - 1, true)
            }
        }
    }

    /// The number of a text that was put in.
    pub(crate) fn get(&self, text: &str) -> Option<u32> {
        self.probe(text, xxh3_64(text.as_bytes())).ok()
    }

    /// Gives a text the next number, also if it is there already.
    pub(crate) fn push(&mut self, text: &str) {
        self.push_hashed(text, xxh3_64(text.as_bytes()));
    }

    fn push_hashed(&mut self, text: &str, hash: u64) {
        if (self.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
        if let Err(slot) = self.probe_slot(hash as u32, |_| false) {
            self.slots[slot] = hash << 32 | self.len() as u64;
        }
    }

    /// The number of a text, or the slot where it would go.
    fn probe(&self, text: &str, hash: u64) -> Result<u32, usize> {
        if self.slots.is_empty() {
            return Err(0);
        }
        self.probe_slot(hash as u32, |number| self.text_bytes(number) == text.as_bytes())
    }

    fn probe_slot(&self, hash: u32, same: impl Fn(usize) -> bool) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            match self.slots[slot] {
                0 => return Err(slot),
                taken => {
                    let number = taken as u32 - 1;
                    if (taken >> 32) as u32 == hash && same(number as usize) {
                        return Ok(number);
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    fn text_bytes(&self, number: usize) -> &[u8] {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.bytes[start..self.ends[number]]
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(64);
        let before = std::mem::replace(&mut self.slots, vec![0; size]);
        for taken in before.into_iter().filter(|taken| *taken != 0) {
            if let Err(slot) = self.probe_slot((taken >> 32) as u32, |_| false) {
                self.slots[slot] = taken;
            }
        }
    }

    /// The texts from a number on.
    pub(crate) fn texts_from(&self, first: usize) -> impl Iterator<Item = &str> {
        (first..self.len()).map(|number| self.text(number))
    }
}

/// Texts as one Arrow array; none where they are more than 2 GiB.
pub(crate) fn string_array<'a>(texts: impl Iterator<Item = &'a str>) -> Option<StringArray> {
    let mut offsets = vec![0i32];
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend_from_slice(text.as_bytes());
        offsets.push(i32::try_from(bytes.len()).ok()?);
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Some(StringArray::new(offsets, Buffer::from_vec(bytes), None))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed test should stop where it fails.
    use super::*;

    #[test]
    fn numbers_are_dense_and_stable() {
        let mut table = KeyTable::default();
        for i in 0..10_000u32 {
            assert_eq!(table.insert(&format!("key{i}")), (i, true));
        }
        for i in 0..10_000u32 {
            assert_eq!(table.insert(&format!("key{i}")), (i, false));
            assert_eq!(table.text(i as usize), format!("key{i}"));
        }
        assert_eq!(table.get("nobody"), None);
        let array = string_array(table.texts_from(9_998)).unwrap();
        assert_eq!(array, StringArray::from(vec!["key9998", "key9999"]));
    }
}
