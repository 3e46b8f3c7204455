//! Texts to dense numbers, in the order of first sight: entity keys and dictionaries while a load runs.

use arrow_array::StringArray;
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_128;

/// How many texts [`KeyTable::find_many`] looks up at a time.
pub(crate) const BLOCK: usize = 32;
/// What [`KeyTable::find_many`] gives for a text that is not there.
pub(crate) const NOT_FOUND: u32 = u32::MAX;
/// What is in a slot without a text. No zeros: such an array has no memory until it is written, and where it is read first
/// each of its pages is mapped twice, the second time with an interrupt of all processors.
const EMPTY: u64 = u64::MAX;

/// From so many slots on their number only doubles: 8 MB.
const MANY_SLOTS: usize = 1 << 20;

/// A set of texts with open addressing. All texts lie in one arena, so a million keys are not a million allocations.
#[derive(Debug, Default)]
pub(crate) struct KeyTable {
    /// Per slot the number of its text, and above it half of the text's hash, where most misses end; [`EMPTY`] where there
    /// is none. A power of two of them, at most half full.
    slots: Vec<u64>,
    /// By number, so that most hits end without a look at the text.
    briefs: Vec<Brief>,
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

/// A text in 16 bytes: a short one with its length, of a longer one a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Brief {
    low: u64,
    /// The length is in the highest byte.
    high: u64,
}

/// Texts up to this length are in their brief whole.
const SHORT: usize = 15;
/// The length of all texts that are not.
const LONG: u64 = 0xff << 56;

impl Brief {
    #[inline]
    fn of(text: &[u8]) -> Brief {
        let word = |at: usize| u64::from_le_bytes(text[at..at + 8].try_into().expect("eight bytes were cut"));
        let half = |at: usize| u64::from(u32::from_le_bytes(text[at..at + 4].try_into().expect("four bytes were cut")));
        let length = text.len();
        // Bytes that are read twice come to lie on themselves.
        let (low, high) = match length {
            0 => (0, 0),
            1..4 => {
                let byte = |at: usize| u64::from(text[at]) << (8 * at);
                (byte(0) | byte(length / 2) | byte(length - 1), 0)
            }
            4..8 => (half(0) | half(length - 4) << (8 * (length - 4)), 0),
            8 => (word(0), 0),
            9..=SHORT => (word(0), word(length - 8) >> (8 * (16 - length))),
            _ => {
                let hash = xxh3_128(text);
                return Brief { low: hash as u64, high: (hash >> 64) as u64 | LONG };
            }
        };
        Brief { low, high: high | (length as u64) << 56 }
    }

    /// Whether equal briefs mean equal texts.
    fn is_whole(self) -> bool {
        self.high & LONG != LONG
    }

    #[inline]
    fn hash(self) -> u64 {
        let wide = u128::from(self.low ^ 0x9E37_79B9_7F4A_7C15) * u128::from(self.high ^ 0xD1B5_4A32_D192_ED03);
        let folded = wide as u64 ^ (wide >> 64) as u64;
        folded ^ folded >> 29
    }
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
        std::str::from_utf8(self.text_bytes(number)).expect("only whole texts are put in")
    }

    /// The number of a text and whether it is new.
    pub(crate) fn insert(&mut self, text: &str) -> (u32, bool) {
        self.make_room();
        let brief = Brief::of(text.as_bytes());
        match self.probe(text.as_bytes(), brief) {
            Ok(number) => (number, false),
            Err(slot) => (self.put(text, brief, slot), true),
        }
    }

    /// The number of a text that was put in.
    pub(crate) fn get(&self, text: &str) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        self.probe(text.as_bytes(), Brief::of(text.as_bytes())).ok()
    }

    /// Gives a text the next number, also if it is there already.
    pub(crate) fn push(&mut self, text: &str) {
        self.make_room();
        let brief = Brief::of(text.as_bytes());
        if let Err(slot) = self.probe_slot(brief.hash() as u32, |_| false) {
            self.put(text, brief, slot);
        }
    }

    /// The numbers of at most [`BLOCK`] rows' texts, [`NOT_FOUND`] for those that are not there. Rows are looked up side
    /// by side, so that they wait for memory together. A null is taken for whatever text lies under it.
    pub(crate) fn find_many(&self, texts: &StringArray, rows: Range<usize>) -> [u32; BLOCK] {
        let mut numbers = [NOT_FOUND; BLOCK];
        if self.slots.is_empty() {
            return numbers;
        }
        let mask = self.slots.len() - 1;
        let none = Brief { low: 0, high: 0 };
        let mut looked: [(&[u8], Brief, u32, u64, Brief); BLOCK] = [(&[], none, 0, EMPTY, none); BLOCK];
        let (offsets, bytes) = (texts.value_offsets(), texts.value_data());
        for (looked, row) in looked.iter_mut().zip(rows.clone()) {
            let text = &bytes[offsets[row] as usize..offsets[row + 1] as usize];
            let brief = Brief::of(text);
            let hash = brief.hash() as u32;
            *looked = (text, brief, hash, self.slots[hash as usize & mask], none);
        }
        for (_, _, hash, taken, known) in &mut looked {
            if *taken != EMPTY && (*taken >> 32) as u32 == *hash {
                *known = self.briefs[*taken as u32 as usize];
            }
        }
        for (number, (text, brief, hash, taken, known)) in numbers.iter_mut().zip(looked).take(rows.len()) {
            *number = match taken {
                EMPTY => NOT_FOUND,
                _ if (taken >> 32) as u32 == hash && known == brief && brief.is_whole() => taken as u32,
                _ => self.probe(text, brief).unwrap_or(NOT_FOUND),
            };
        }
        numbers
    }

    /// Puts a text into a slot, under the next number.
    fn put(&mut self, text: &str, brief: Brief, slot: usize) -> u32 {
        let number = self.len() as u32;
        self.slots[slot] = brief.hash() << 32 | u64::from(number);
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
        self.briefs.push(brief);
        number
    }

    /// The number of a text, or the slot where it would go. There are slots.
    fn probe(&self, text: &[u8], brief: Brief) -> Result<u32, usize> {
        let same =
            |number: usize| self.briefs[number] == brief && (brief.is_whole() || self.text_bytes(number) == text);
        self.probe_slot(brief.hash() as u32, same)
    }

    /// The number of a text, or the slot where it would go.
    fn probe_slot(&self, hash: u32, same: impl Fn(usize) -> bool) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            match self.slots[slot] {
                EMPTY => return Err(slot),
                taken => {
                    let number = taken as u32;
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

    /// Makes room for one more text.
    fn make_room(&mut self) {
        if (self.len() + 1) * 2 <= self.slots.len() {
            return;
        }
        // Few slots are made many at once, so that less is put anew; of many that would take much memory.
        let more = if self.slots.len() < MANY_SLOTS { 4 } else { 2 };
        let size = (self.slots.len() * more).max(64);
        let before = std::mem::replace(&mut self.slots, vec![EMPTY; size]);
        for taken in before.into_iter().filter(|taken| *taken != EMPTY) {
            if let Err(slot) = self.probe_slot((taken >> 32) as u32, |_| false) {
                self.slots[slot] = taken;
            }
        }
    }

    /// The texts of some numbers as one Arrow array; none where they are more than 2 GiB.
    pub(crate) fn texts_of(&self, numbers: &[u32]) -> Option<StringArray> {
        let first = numbers.first().map_or(0, |first| *first as usize);
        let behind = first + numbers.len();
        if !numbers.iter().zip(first..).all(|(number, next)| *number as usize == next) {
            return string_array(numbers.iter().map(|&number| self.text(number as usize)));
        }
        // Texts that follow each other lie so in the arena.
        let start = first.checked_sub(1).map_or(0, |before| self.ends[before]);
        let ends = &self.ends[first..behind];
        let offset = |end: &usize| i32::try_from(end - start).ok();
        let offsets = std::iter::once(Some(0)).chain(ends.iter().map(offset)).collect::<Option<Vec<i32>>>()?;
        let bytes = &self.bytes[start..ends.last().copied().unwrap_or(start)];
        Some(StringArray::new(OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from(bytes), None))
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
    use arrow_array::Array;
    use std::collections::HashMap;

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
        for numbers in [&[][..], &[0, 1, 2], &[9_998, 9_999], &[7, 9, 8], &[9_999, 0]] {
            let expected: StringArray = numbers.iter().map(|number| Some(format!("key{number}"))).collect();
            assert_eq!(table.texts_of(numbers), Some(expected));
        }
    }

    /// Texts that differ in one byte, in their length, or only by zero bytes; of all lengths around those that matter.
    fn alike() -> Vec<String> {
        let mut texts = vec![String::new()];
        for length in 1..40 {
            for at in 0..length {
                for byte in ["a", "b", "\0"] {
                    texts.push("a".repeat(at) + byte + &"a".repeat(length - at - 1));
                    texts.push("\0".repeat(at) + byte + &"\0".repeat(length - at - 1));
                }
            }
        }
        texts
    }

    #[test]
    fn texts_that_are_nearly_the_same_are_told_apart() {
        let (mut table, mut expected) = (KeyTable::default(), HashMap::new());
        for text in alike() {
            let next = expected.len() as u32;
            let new = !expected.contains_key(&text);
            let number = *expected.entry(text.clone()).or_insert(next);
            assert_eq!(table.insert(&text), (number, new), "{text:?}");
            assert_eq!(table.text(number as usize), text);
        }
        assert_eq!(table.len(), expected.len());
    }

    #[test]
    fn many_at_once_are_found_as_one_by_one() {
        let texts = StringArray::from(alike());
        let mut table = KeyTable::default();
        assert_eq!(table.find_many(&texts, 0..BLOCK), [NOT_FOUND; BLOCK]);
        texts.iter().step_by(2).flatten().for_each(|text| {
            table.insert(text);
        });
        for start in (0..texts.len()).step_by(BLOCK) {
            let end = texts.len().min(start + BLOCK);
            let numbers = table.find_many(&texts, start..end);
            for (row, number) in (start..end).zip(numbers) {
                assert_eq!(table.get(texts.value(row)), (number != NOT_FOUND).then_some(number));
            }
            assert!(numbers[end - start..].iter().all(|number| *number == NOT_FOUND));
        }
    }
}
