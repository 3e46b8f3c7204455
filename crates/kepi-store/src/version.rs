//! What is stored, as numbers: two snapshots in which a stream or an entity has the same number give the same of it.
//!
//! The numbers are made of the checksums of files, and of what is in memory (the journal's tail) itself.

use crate::entity::Entity;
use crate::error::StoreError;
use crate::segment::Segment;
use crate::segment_index::Range;
use crate::snapshot::Snapshot;
use crate::state::StoredKind;
use crate::stream::{Slot, Stream, gone_bytes};
use arrow_array::{Array, RecordBatch};
use arrow_data::ArrayData;
use kepi_extension::{SegmentInfo, Stored};
use serde::Serialize;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::Xxh3Default;

/// How many moments are told of a segment, about.
const STARTS: usize = 64;

/// Puts together a version.
pub(crate) struct Versioned(Xxh3Default);

impl Versioned {
    pub(crate) fn new(kind: u8) -> Versioned {
        let mut hasher = Xxh3Default::new();
        hasher.update(&[kind]);
        Versioned(hasher)
    }

    /// Bytes, with their length in front, so that two lists never read alike.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    fn plain(&mut self, value: &impl Serialize) -> Option<()> {
        self.bytes(&postcard::to_allocvec(value).ok()?);
        Some(())
    }

    pub(crate) fn rows(&mut self, batch: &RecordBatch) {
        self.number(batch.num_rows() as u64);
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            self.bytes(field.name().as_bytes());
            self.array(&column.to_data());
        }
    }

    /// An array with everything that could make it another one.
    pub(crate) fn array(&mut self, data: &ArrayData) {
        self.bytes(data.data_type().to_string().as_bytes());
        self.number(data.len() as u64);
        self.number(data.offset() as u64);
        data.buffers().iter().for_each(|buffer| self.bytes(buffer));
        match data.nulls() {
            None => self.number(0),
            Some(nulls) => {
                self.number(1 + nulls.offset() as u64);
                self.bytes(nulls.validity());
            }
        }
    }

    pub(crate) fn finish(&self) -> u128 {
        self.0.digest128()
    }

    fn segment(&mut self, segment: &Segment) -> Option<()> {
        self.number(segment.number);
        match (segment.state(), segment.memory()) {
            // The index has the checksums of all columns.
            (Some(state), _) => self.plain(&(&state.index.length, &state.index.checksum, &state.length)),
            (None, Some(batches)) => {
                batches.iter().for_each(|batch| self.rows(batch));
                Some(())
            }
            (None, None) => None,
        }
    }

    fn slot(&mut self, slot: &Slot) -> Option<()> {
        self.segment(&slot.segment)?;
        self.bytes(&gone_bytes(&slot.gone));
        Some(())
    }
}

impl Snapshot {
    /// The version of something that is stored.
    pub(crate) fn version_of(&self, of: Stored<'_>) -> Option<u128> {
        match of {
            Stored::Stream(name) => match self.streams.get(name) {
                Some(stream) => stream_version(stream),
                None => Some(Versioned::new(0).finish()),
            },
            Stored::Entity(name) => {
                // Where a column names an entity, it is known without keys, too.
                let columns = self.streams.values().flat_map(|stream| &stream.schema.columns);
                let mut columns = columns.chain(self.entities.values().flat_map(|entity| &entity.attributes));
                let named = columns.any(|c| matches!(&c.kind, StoredKind::Id { entity } if entity == name));
                match self.entities.get(name) {
                    Some(entity) => entity_version(entity),
                    None => Some(Versioned::new(if named { 1 } else { 2 }).finish()),
                }
            }
            Stored::All => {
                let mut all = Versioned::new(5);
                for (name, stream) in &self.streams {
                    all.bytes(name.as_bytes());
                    all.bytes(&stream_version(stream)?.to_le_bytes());
                }
                for (name, entity) in &self.entities {
                    all.bytes(name.as_bytes());
                    all.bytes(&entity_version(entity)?.to_le_bytes());
                }
                Some(all.finish())
            }
        }
    }

    /// The segments of a stream.
    pub(crate) fn segments_of(&self, stream: &str) -> Vec<SegmentInfo> {
        let Some(stream) = self.streams.get(stream) else { return Vec::new() };
        let ids = stream.schema.columns.iter().filter(|c| matches!(c.kind, StoredKind::Id { .. }));
        let ids: Vec<&str> = ids.map(|c| c.name.as_str()).collect();
        stream.slots.iter().map(|slot| info(slot, &ids)).collect()
    }
}

fn info(slot: &Slot, ids: &[&str]) -> SegmentInfo {
    let segment = &slot.segment;
    let version = || {
        let state = segment.state()?;
        let mut version = Versioned::new(6);
        version.slot(slot)?;
        // Codes and ids mean what they mean within one store: a store that was put back to what it was before, and then
        // went on in another way, has written this file at another time.
        version.plain(&(state.index.file, segment.written()?))?;
        Some(version.finish())
    };
    let (first, last) = segment.bounds();
    let step = segment.chunks.len().div_ceil(STARTS).max(1);
    let mut most = BTreeMap::new();
    for column in ids {
        let ranges = (0..segment.chunks.len()).map(|chunk| segment.range(chunk, column));
        let largest = ranges.filter_map(|range| match range {
            Some(Range::Whole(_, most)) => u32::try_from(most).ok(),
            _ => None,
        });
        most.insert((*column).to_string(), largest.max().unwrap_or(0));
    }
    SegmentInfo {
        number: segment.number,
        version: version(),
        rows: segment.rows as u64,
        first,
        last,
        starts: segment.chunks.iter().step_by(step).map(|chunk| chunk.first).collect(),
        most,
    }
}

fn stream_version(stream: &Stream) -> Option<u128> {
    let mut version = Versioned::new(3);
    version.plain(&stream.schema)?;
    for slot in &stream.slots {
        version.slot(slot)?;
    }
    for (column, texts) in &stream.dictionaries {
        version.bytes(column.as_bytes());
        texts.add_to(&mut version)?;
    }
    Some(version.finish())
}

fn entity_version(entity: &Entity) -> Option<u128> {
    let mut version = Versioned::new(4);
    entity.keys.add_to(&mut version)?;
    version.plain(&entity.attributes)?;
    if let Some(table) = &entity.table {
        version.segment(table)?;
    }
    version.number(entity.updates.len() as u64);
    entity.updates.iter().for_each(|rows| version.rows(rows));
    for (field, history) in &entity.histories {
        version.bytes(field.as_bytes());
        if let Some(sealed) = &history.sealed {
            version.segment(sealed)?;
        }
        version.number(history.updates.len() as u64);
        history.updates.iter().for_each(|rows| version.rows(rows));
    }
    for (column, texts) in &entity.dictionaries {
        version.bytes(column.as_bytes());
        texts.add_to(&mut version)?;
    }
    Some(version.finish())
}

impl Stream {
    /// The stream with some of its segments only.
    pub(crate) fn only(&self, segments: &[u64]) -> Result<Stream, StoreError> {
        let mut only = self.clone();
        only.slots.retain(|slot| segments.contains(&slot.segment.number));
        match only.slots.len() == segments.len() {
            true => Ok(only),
            false => Err(StoreError::Limit(format!("{} has no such segments", self.schema.name))),
        }
    }
}
