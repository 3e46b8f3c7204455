//! How much is stored, and how much room it takes.

use crate::entity::Entity;
use crate::snapshot::Snapshot;
use crate::state::{FORMAT, INTO, SegmentState, StringsState};
use crate::stream::Stream;
use arrow_array::Array;

/// What a snapshot is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The number of the snapshot.
    pub snapshot: u64,
    /// The format that is written.
    pub format: u32,
    /// Bytes of the journal that belong to the snapshot.
    pub journal: u64,
    /// By name.
    pub streams: Vec<StreamSize>,
    /// By name.
    pub entities: Vec<EntitySize>,
}

/// A stream's part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSize {
    /// Its name.
    pub name: String,
    /// Rows that are there.
    pub rows: u64,
    /// Rows that were replaced or removed and still lie in files, until they are merged.
    pub replaced: u64,
    /// Rows that are in the journal only, so far.
    pub recent: u64,
    /// Files of rows.
    pub segments: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// The first and the last moment, in microseconds UTC; none: no rows, or undated.
    pub span: Option<(i64, i64)>,
}

/// An entity's part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntitySize {
    /// Its name.
    pub name: String,
    /// Keys, without those merged into another.
    pub keys: u64,
    /// Keys that were merged into another.
    pub merged: u64,
    /// Attributes.
    pub attributes: u64,
    /// Bytes of its files.
    pub bytes: u64,
}

impl Snapshot {
    /// How much is stored, and how much room it takes.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            snapshot: self.number,
            format: FORMAT,
            journal: self.length,
            streams: self.streams.values().map(|stream| of_stream(stream)).collect(),
            entities: self.entities.values().map(|entity| of_entity(entity)).collect(),
        }
    }
}

fn of_stream(stream: &Stream) -> StreamSize {
    let info = stream.info();
    let mut size = StreamSize {
        name: info.name,
        rows: info.rows,
        replaced: 0,
        recent: 0,
        segments: 0,
        bytes: stream.dictionaries.values().map(|texts| of_strings(&texts.state())).sum(),
        span: info.first.zip(info.last),
    };
    for slot in &stream.slots {
        size.replaced += slot.gone.len() as u64;
        match slot.segment.state() {
            Some(state) => {
                size.segments += 1;
                size.bytes += of_segment(state) + slot.gone_state.as_ref().map_or(0, |gone| gone.length);
            }
            None => size.recent += (slot.segment.rows - slot.gone.len()) as u64,
        }
    }
    size
}

fn of_entity(entity: &Entity) -> EntitySize {
    // An entity whose merges go round in a circle is damaged, which `verify` tells.
    let merged = entity.merged_ids().ok().flatten().map_or(0, |ids| ids.len() - ids.null_count()) as u64;
    let histories = entity.histories.values().filter_map(|history| history.sealed.as_ref());
    let files = entity.table.iter().chain(histories).filter_map(|segment| segment.state());
    let texts = entity.dictionaries.values().chain([&entity.keys]);
    EntitySize {
        name: entity.name.clone(),
        keys: entity.keys.len() as u64 - merged,
        merged,
        attributes: entity.attributes.iter().filter(|attribute| attribute.name != INTO).count() as u64,
        bytes: files.map(of_segment).sum::<u64>() + texts.map(|texts| of_strings(&texts.state())).sum::<u64>(),
    }
}

fn of_segment(state: &SegmentState) -> u64 {
    state.length + state.index.length
}

fn of_strings(state: &StringsState) -> u64 {
    state.parts.iter().map(|part| part.texts.length + part.map.file().map_or(0, |(map, _)| map.length)).sum()
}
