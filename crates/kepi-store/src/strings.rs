//! Texts under dense numbers that never change: entity keys by id, dictionaries by code. Sealed parts are mapped
//! files, what came since is in memory.

use crate::error::StoreError;
use crate::key_table::{KeyTable, string_array};
use crate::layout::{Blob, Layout};
use crate::state::{StringsPartState, StringsState};
use crate::version::Versioned;
use arrow_array::{Array, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use std::sync::{Arc, OnceLock};

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
    map: Option<Blob>,
    array: OnceLock<Arc<StringArray>>,
    open_map: OnceLock<fst::Map<MapBytes>>,
}

#[derive(Debug)]
struct MapBytes(Buffer);

impl AsRef<[u8]> for MapBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
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

    /// The number of a text among the sealed ones. Only for strings with maps: entity keys.
    pub(crate) fn find_sealed(&self, text: &str) -> Result<Option<u32>, StoreError> {
        for part in self.parts.iter().rev() {
            if let Some(number) = part.find(text)? {
                return Ok(Some(number));
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
        let first: usize = kept.iter().map(|p| p.count as usize).sum();
        let offsets: Vec<u8> = texts.offsets().iter().flat_map(|o| o.to_le_bytes()).collect();
        let file = take_number(next);
        let blob = Blob::write(layout, file, "texts", &[&offsets, &texts.values()[..]])?;
        let map = match mapped {
            true => Some(write_map(layout, take_number(next), &texts, first)?),
            false => None,
        };
        kept.push(StringsPartState { count: texts.len() as u32, texts: blob, map });
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
            if part.map.is_some() {
                look(1, part.verify_map(first));
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

fn write_map(
    layout: &Layout,
    file: u64,
    texts: &StringArray,
    first: usize,
) -> Result<crate::state::BlobState, StoreError> {
    // Most comparisons end within the first bytes, which need no look at the texts.
    let mut order: Vec<(u128, u32)> = (0..texts.len() as u32).map(|i| (start_of(texts.value(i as usize)), i)).collect();
    order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| texts.value(a.1 as usize).cmp(texts.value(b.1 as usize))));
    let failed = |e: fst::Error| StoreError::Limit(format!("a map of keys: {e}"));
    let mut builder = fst::MapBuilder::memory();
    for (_, i) in order {
        builder.insert(texts.value(i as usize), u64::from(i) + first as u64).map_err(failed)?;
    }
    let bytes = builder.into_inner().map_err(failed)?;
    Blob::write(layout, file, "fst", &[&bytes])
}

/// The first bytes of a text as a number that orders as they do.
fn start_of(text: &str) -> u128 {
    let bytes = text.as_bytes();
    let mut start = [0; 16];
    let length = bytes.len().min(16);
    start[..length].copy_from_slice(&bytes[..length]);
    u128::from_be_bytes(start)
}

impl Part {
    fn open(layout: &Layout, state: &StringsPartState) -> Result<Part, StoreError> {
        let texts = Blob::open(layout, "texts", &state.texts)?;
        let map = state.map.as_ref().map(|map| Blob::open(layout, "fst", map)).transpose()?;
        Ok(Part { state: state.clone(), texts, map, array: OnceLock::new(), open_map: OnceLock::new() })
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

    /// Whether the map leads from each text to its number; `first` is that of the part's first text.
    fn verify_map(&self, first: u32) -> Result<(), StoreError> {
        let Some(blob) = &self.map else { return Ok(()) };
        blob.bytes()?;
        let texts = self.array()?;
        for (number, text) in (first..).zip(texts.iter().flatten()) {
            if self.find(text)? != Some(number) {
                return Err(blob.damaged(0, "it does not lead to the keys that it is made of"));
            }
        }
        Ok(())
    }

    fn find(&self, text: &str) -> Result<Option<u32>, StoreError> {
        let Some(blob) = &self.map else { return Ok(None) };
        let map = match self.open_map.get() {
            Some(map) => map,
            None => {
                let map = fst::Map::new(MapBytes(blob.bytes()?.clone()))
                    .map_err(|e| blob.damaged(0, format!("it is no map: {e}")))?;
                self.open_map.get_or_init(|| map)
            }
        };
        Ok(map.get(text).and_then(|number| u32::try_from(number).ok()))
    }
}
