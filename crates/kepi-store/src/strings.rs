//! Texts under dense numbers that never change: entity keys by id, dictionaries by code. Sealed parts are mapped
//! files, what came since is in memory.

use crate::error::StoreError;
use crate::key_map::{self, KeyMap};
use crate::key_table::{KeyTable, string_array};
use crate::layout::{Blob, Layout};
use crate::state::{MapState, StringsPartState, StringsState};
use crate::version::Versioned;
use arrow_array::{Array, StringArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// Parts of keys with more texts than this have a map; in fewer a text is found in a tenth of a millisecond.
const MAPPED: usize = 1 << 16;
/// So many keys are looked for among the texts of a part without a map, before these are put into a table.
const LOOKS: u32 = 16;
/// Parts with fewer texts than this are merged with what follows at the next seal.
const SMALL_PART: u64 = 4096;

/// Texts by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strings {
    parts: Vec<Arc<Part>>,
    tail: Vec<Arc<StringArray>>,
    count: usize,
    whole: Arc<OnceLock<Arc<StringArray>>>,
    tail_table: Arc<OnceLock<KeyTable>>,
}

#[derive(Debug)]
struct Part {
    state: StringsPartState,
    texts: Blob,
    map: Option<KeyMap>,
    array: OnceLock<Arc<StringArray>>,
    /// How often a text was looked for where there is no map.
    looks: AtomicU32,
    table: OnceLock<KeyTable>,
}

impl Strings {
    /// Opens the files; those that `before` has open are taken from there.
    pub(crate) fn open(layout: &Layout, state: &StringsState, before: Option<&Strings>) -> Result<Strings, StoreError> {
        let mut parts = Vec::new();
        for part in &state.parts {
            let known = before.and_then(|b| b.parts.iter().find(|p| p.state == *part));
            parts.push(match known {
                Some(known) => known.clone(),
                None => Arc::new(Part::open(layout, part)?),
            });
        }
        let count = state.parts.iter().map(|p| p.count as usize).sum();
        Ok(Strings { parts, count, ..Strings::default() })
    }

    /// Adds what the texts are to a version.
    pub(crate) fn add_to(&self, version: &mut Versioned) -> Option<()> {
        version.number(self.count as u64);
        for part in &self.parts {
            version.bytes(&postcard::to_allocvec(&part.state).ok()?);
        }
        self.tail.iter().for_each(|texts| version.array(&texts.to_data()));
        Some(())
    }

    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// How many of them are in files.
    pub(crate) fn sealed(&self) -> usize {
        self.parts.iter().map(|p| p.state.count as usize).sum()
    }

    /// Adds texts under the next numbers.
    pub(crate) fn push(&mut self, texts: StringArray) {
        self.count += texts.len();
        self.tail.push(Arc::new(texts));
        self.whole = Arc::default();
        self.tail_table = Arc::default();
    }

    /// All texts.
    pub(crate) fn array(&self) -> Result<Arc<StringArray>, StoreError> {
        if let Some(whole) = self.whole.get() {
            return Ok(whole.clone());
        }
        let arrays = self.arrays(0)?;
        let whole = match arrays.as_slice() {
            [one] => one.clone(),
            many => Arc::new(joined(many)?),
        };
        Ok(self.whole.get_or_init(|| whole).clone())
    }

    /// The texts that are not in files yet.
    pub(crate) fn tail_texts(&self) -> impl Iterator<Item = (usize, &str)> {
        let texts = self.tail.iter().flat_map(|array| array.iter().map(Option::unwrap_or_default));
        (self.sealed()..).zip(texts)
    }

    fn arrays(&self, first_part: usize) -> Result<Vec<Arc<StringArray>>, StoreError> {
        let mut arrays = Vec::new();
        for part in &self.parts[first_part..] {
            arrays.push(part.array()?);
        }
        arrays.extend(self.tail.iter().cloned());
        Ok(arrays)
    }

    /// The text of a number.
    pub(crate) fn is(&self, number: usize, text: &str) -> Result<bool, StoreError> {
        let mut first = 0;
        for array in self.arrays(0)? {
            if number < first + array.len() {
                return Ok(array.value(number - first) == text);
            }
            first += array.len();
        }
        Ok(false)
    }

    /// The number of a text among the sealed ones.
    pub(crate) fn find_sealed(&self, text: &str) -> Result<Option<u32>, StoreError> {
        let mut first = self.sealed() as u32;
        for part in self.parts.iter().rev() {
            first -= part.state.count;
            let found = match &part.map {
                Some(map) => map.find(text, &*part.array()?, first)?,
                None => part.find_text(text)?.map(|number| first + number),
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The number of a text among those that are not in files yet.
    pub(crate) fn find_tail(&self, text: &str) -> Option<u32> {
        let table = self.tail_table.get_or_init(|| {
            let mut table = KeyTable::default();
            self.tail_texts().for_each(|(_, text)| table.push(text));
            table
        });
        table.get(text).map(|number| number + self.sealed() as u32)
    }

    /// Writes what is in memory as a part. Parts that are not much larger are merged into it, so that there are
    /// never more than a few. The folder is not synced.
    pub(crate) fn seal(&self, layout: &Layout, next: &mut u64, mapped: bool) -> Result<StringsState, StoreError> {
        let mut kept: Vec<StringsPartState> = self.parts.iter().map(|p| p.state.clone()).collect();
        if self.tail.is_empty() {
            return Ok(StringsState { parts: kept });
        }
        let mut count = (self.count - self.sealed()) as u64;
        while let Some(last) = kept.last() {
            if u64::from(last.count) > SMALL_PART.max(2 * count) {
                break;
            }
            count += u64::from(last.count);
            kept.pop();
        }
        let texts = joined(&self.arrays(kept.len())?)?;
        let (file, mapped) = (take_number(next), mapped && texts.len() > MAPPED);
        let map_file = if mapped { take_number(next) } else { file };
        let write_texts = || {
            let offsets: Vec<u8> = texts.offsets().iter().flat_map(|o| o.to_le_bytes()).collect();
            Blob::write(layout, file, "texts", &[&offsets, &texts.values()[..]])
        };
        let (map, blob) = match mapped {
            // A map of many keys takes longer than the keys.
            true => {
                let (map, blob) = kepi_threads::both(|| key_map::write(layout, map_file, &texts), write_texts);
                (Some(map), blob)
            }
            false => (None, write_texts()),
        };
        let (texts_count, texts, map) = (texts.len() as u32, blob?, map.transpose()?.unwrap_or(MapState::None));
        kept.push(StringsPartState { count: texts_count, texts, map });
        Ok(StringsState { parts: kept })
    }

    /// What is in files.
    pub(crate) fn state(&self) -> StringsState {
        StringsState { parts: self.parts.iter().map(|part| part.state.clone()).collect() }
    }

    /// Verifies all files, and that maps lead from each text to its number; says of each what is wrong with it.
    pub(crate) fn verify_each(&self, look: &mut dyn FnMut(u64, Result<(), StoreError>)) {
        let mut first = 0;
        for part in &self.parts {
            look(1, part.array().map(drop));
            if let Some(map) = &part.map {
                look(1, part.array().and_then(|texts| map.verify(&texts, first)));
            }
            first += part.state.count;
        }
    }
}

/// The next file number.
pub(crate) fn take_number(next: &mut u64) -> u64 {
    *next += 1;
    *next - 1
}

fn joined(arrays: &[Arc<StringArray>]) -> Result<StringArray, StoreError> {
    string_array(arrays.iter().flat_map(|array| array.iter().map(Option::unwrap_or_default)))
        .ok_or_else(|| StoreError::Limit("the keys of one entity or column are more than 2 GiB of text".into()))
}

impl Part {
    fn open(layout: &Layout, state: &StringsPartState) -> Result<Part, StoreError> {
        let texts = Blob::open(layout, "texts", &state.texts)?;
        let map = KeyMap::open(layout, &state.map)?;
        Ok(Part {
            state: state.clone(),
            texts,
            map,
            array: OnceLock::new(),
            looks: AtomicU32::new(0),
            table: OnceLock::new(),
        })
    }

    fn array(&self) -> Result<Arc<StringArray>, StoreError> {
        if let Some(array) = self.array.get() {
            return Ok(array.clone());
        }
        let bytes = self.texts.bytes()?;
        let count = self.state.count as usize;
        let split = (count + 1) * 4;
        let odd = || self.texts.damaged(0, "it does not hold the texts that the manifest says");
        if bytes.len() < split {
            return Err(odd());
        }
        let offsets = ScalarBuffer::<i32>::new(bytes.clone(), 0, count + 1);
        if offsets[0] != 0 || offsets.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err(odd());
        }
        let values = bytes.slice(split);
        let array = StringArray::try_new(OffsetBuffer::new(offsets), values, None).map_err(|_| odd())?;
        Ok(self.array.get_or_init(|| Arc::new(array)).clone())
    }

    /// The place of a text in this part, which has no map. Few looks go through the texts, many make a table of them.
    fn find_text(&self, text: &str) -> Result<Option<u32>, StoreError> {
        if let Some(table) = self.table.get() {
            return Ok(table.get(text));
        }
        let texts = self.array()?;
        if self.looks.fetch_add(1, Ordering::Relaxed) >= LOOKS {
            return Ok(self.table.get_or_init(|| KeyTable::of(&texts)).get(text));
        }
        let (offsets, bytes) = (texts.value_offsets(), texts.value_data());
        let same = |pair: &[i32]| {
            let (start, end) = (pair[0] as usize, pair[1] as usize);
            end - start == text.len() && bytes[start..end] == *text.as_bytes()
        };
        Ok(offsets.windows(2).position(same).map(|place| place as u32))
    }
}
