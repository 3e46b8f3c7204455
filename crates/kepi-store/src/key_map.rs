//! From a key to its number, in files: tables that are read as they lie there, and the maps of formats 1 to 3.
//!
//! A table is `2 * count` slots (`u32`, little endian), each 0 or the place of a text in its part, plus one. A text is looked
//! for from the slot on that its xxh3 means, scaled to the number of slots, up to the first that is empty; behind the last
//! comes the first.

use crate::error::StoreError;
use crate::layout::{Blob, Layout};
use crate::state::MapState;
use arrow_array::{Array, StringArray};
use arrow_buffer::Buffer;
use std::sync::OnceLock;
use xxhash_rust::xxh3::xxh3_64;

/// A map of the keys of one part.
#[derive(Debug)]
pub(crate) enum KeyMap {
    Fst { blob: Blob, open: OnceLock<fst::Map<MapBytes>> },
    Table(Blob),
}

#[derive(Debug)]
pub(crate) struct MapBytes(Buffer);

impl AsRef<[u8]> for MapBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl KeyMap {
    /// Opens the map that a part has, if it has one.
    pub(crate) fn open(layout: &Layout, state: &MapState) -> Result<Option<KeyMap>, StoreError> {
        let Some((file, kind)) = state.file() else { return Ok(None) };
        let blob = Blob::open(layout, kind, file)?;
        Ok(Some(match state {
            MapState::Table(_) => KeyMap::Table(blob),
            _ => KeyMap::Fst { blob, open: OnceLock::new() },
        }))
    }

    /// The number of a text; `texts` are those of the part, `first` is the number of the first of them.
    pub(crate) fn find(&self, text: &str, texts: &StringArray, first: u32) -> Result<Option<u32>, StoreError> {
        match self {
            KeyMap::Fst { blob, open } => {
                let map = match open.get() {
                    Some(map) => map,
                    None => {
                        let map = fst::Map::new(MapBytes(blob.bytes()?.clone()))
                            .map_err(|e| blob.damaged(0, format!("it is no map: {e}")))?;
                        open.get_or_init(|| map)
                    }
                };
                Ok(map.get(text).and_then(|number| u32::try_from(number).ok()))
            }
            KeyMap::Table(blob) => {
                let slots = blob.bytes()?;
                let size = slots.len() / 4;
                let odd = || blob.damaged(0, "it does not lead to the keys that it is made of");
                let mut slot = first_slot(text, size);
                for _ in 0..size {
                    let bytes = slots[slot * 4..slot * 4 + 4].try_into().expect("four bytes were cut");
                    let Some(place) = u32::from_le_bytes(bytes).checked_sub(1) else { return Ok(None) };
                    if place as usize >= texts.len() {
                        return Err(odd());
                    }
                    if texts.value(place as usize) == text {
                        return Ok(Some(first + place));
                    }
                    slot = if slot + 1 == size { 0 } else { slot + 1 };
                }
                // One that is full was never written.
                if size == 0 { Ok(None) } else { Err(odd()) }
            }
        }
    }

    /// Whether the map leads from each text to its number.
    pub(crate) fn verify(&self, texts: &StringArray, first: u32) -> Result<(), StoreError> {
        let (KeyMap::Fst { blob, .. } | KeyMap::Table(blob)) = self;
        blob.bytes()?;
        for (number, text) in (first..).zip(texts.iter().flatten()) {
            if self.find(text, texts, first)? != Some(number) {
                return Err(blob.damaged(0, "it does not lead to the keys that it is made of"));
            }
        }
        Ok(())
    }
}

/// Writes a table of texts.
pub(crate) fn write(layout: &Layout, file: u64, texts: &StringArray) -> Result<MapState, StoreError> {
    /// In place of zeros, of which each page of memory would be mapped twice: once to be read, once to be written.
    const EMPTY: u32 = u32::MAX;
    let size = texts.len() * 2;
    let mut slots = vec![EMPTY; size];
    for place in 0..texts.len() {
        let mut slot = first_slot(texts.value(place), size);
        while slots[slot] != EMPTY {
            slot = if slot + 1 == size { 0 } else { slot + 1 };
        }
        slots[slot] = place as u32;
    }
    let mut bytes = vec![0; size * 4];
    let places = slots.into_iter().map(|place| place.wrapping_add(1));
    bytes.chunks_exact_mut(4).zip(places).for_each(|(bytes, place)| bytes.copy_from_slice(&place.to_le_bytes()));
    Ok(MapState::Table(Blob::write(layout, file, "table", &[&bytes])?))
}

fn first_slot(text: &str, size: usize) -> usize {
    ((u128::from(xxh3_64(text.as_bytes())) * size as u128) >> 64) as usize
}
