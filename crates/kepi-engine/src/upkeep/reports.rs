//! What the commands about the store say: plain data.

use kepi_store::{EntitySize, LoadRecord, StreamSize};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is stored, and how much room it takes.
#[derive(Clone, Debug, Serialize)]
pub struct StoreInfo {
    /// The number of the snapshot.
    pub snapshot: u64,
    /// The format that is written.
    pub format: u32,
    /// Where it lies.
    pub folder: PathBuf,
    /// Bytes of all files.
    pub bytes: u64,
    /// Rows of all events.
    pub rows: u64,
    /// How many loads there were.
    pub loads: u64,
    /// How many results are kept for being asked again.
    pub kept_answers: u64,
    /// The bytes, by what they are for.
    pub files: Vec<Sized>,
    /// By name.
    pub events: Vec<EventStored>,
    /// By name.
    pub entities: Vec<EntityStored>,
}

/// Bytes, and what they are for.
#[derive(Clone, Debug, Serialize)]
pub struct Sized {
    /// What.
    pub what: String,
    /// How many.
    pub bytes: u64,
}

/// What is stored of an event.
#[derive(Clone, Debug, Serialize)]
pub struct EventStored {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Rows that were replaced or deleted and still take room.
    pub replaced: u64,
    /// Rows that are in the journal only, so far.
    pub recent: u64,
    /// Files of rows.
    pub segments: u64,
    /// Bytes.
    pub bytes: u64,
    /// The first moment, RFC 3339; none: no rows, or undated.
    pub first: Option<String>,
    /// The last moment.
    pub last: Option<String>,
}

/// What is stored of an entity.
#[derive(Clone, Debug, Serialize)]
pub struct EntityStored {
    /// Its name.
    pub name: String,
    /// Its keys, without those merged into another.
    pub keys: u64,
    /// Keys that were merged into another.
    pub merged: u64,
    /// Its attributes.
    pub attributes: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A load, or something that was taken out.
#[derive(Clone, Debug, Serialize)]
pub struct LoadListed {
    /// Its number: that of the snapshot that it made.
    pub load: u64,
    /// When, RFC 3339.
    pub at: String,
    /// The source and its files; of what was taken out, how much.
    pub label: String,
    /// Whether something was taken out.
    pub removal: bool,
    /// What it filled.
    pub targets: Vec<LoadTarget>,
}

/// What a load did to one event or entity.
#[derive(Clone, Debug, Serialize)]
pub struct LoadTarget {
    /// Its name.
    pub name: String,
    /// Whether it is an entity.
    pub entity: bool,
    /// New rows.
    pub added: u64,
    /// Rows that were there already.
    pub known: u64,
    /// Rows that took the place of another.
    pub replaced: u64,
}

/// What a look at every file found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VerifyReport {
    /// The number of the snapshot.
    pub snapshot: u64,
    /// How many files were read.
    pub files: u64,
    /// How many rows there are.
    pub rows: u64,
    /// What is damaged, each with its file and place.
    pub damages: Vec<String>,
    /// Kept answers that are damaged: they were removed, and will be computed anew.
    pub kept: Vec<String>,
}

/// What putting together did.
#[derive(Clone, Debug, Serialize)]
pub struct CompactReport {
    /// Bytes before.
    pub before: u64,
    /// Bytes after.
    pub after: u64,
}

/// What an unload did.
#[derive(Clone, Debug, Serialize)]
pub struct UnloadReport {
    /// The load.
    pub load: u64,
    /// Its source and files.
    pub label: String,
    /// The number of the snapshot without it.
    pub snapshot: u64,
    /// By event how many rows went.
    pub rows: BTreeMap<String, u64>,
    /// By entity how many keys went, since nothing names them any more.
    pub keys: BTreeMap<String, u64>,
    /// By event how many rows it had replaced, which do not come back.
    pub not_brought_back: BTreeMap<String, u64>,
    /// By entity of how many keys it set attributes, which stay.
    pub stays: BTreeMap<String, u64>,
}

/// What an erasure did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EraseReport {
    /// The number of the snapshot without it.
    pub snapshot: u64,
    /// By event how many rows went.
    pub rows: BTreeMap<String, u64>,
    /// By entity how many keys went: those erased, those merged with them, and those that nothing names any more.
    pub keys: BTreeMap<String, u64>,
    /// How many rejected rows went.
    pub rejected: u64,
    /// How many lines of the prompt's history went.
    pub history: u64,
    /// How many kept answers went.
    pub answers: u64,
    /// Where a key still stands in what stays, and in how many texts.
    pub mentions: BTreeMap<String, u64>,
    /// How many of the keys were not found.
    pub unknown: u64,
}

/// What a backup or a restore copied.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BackupReport {
    /// The number of the snapshot; none: nothing was stored yet.
    pub snapshot: Option<u64>,
    /// Where it is now.
    pub path: PathBuf,
    /// How many files.
    pub files: u64,
    /// How many bytes.
    pub bytes: u64,
    /// How many rows.
    pub rows: u64,
}

/// How exported rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// With a line of names.
    Csv,
    /// An object a line.
    Jsonl,
    /// For other engines.
    Parquet,
}

impl EventStored {
    pub(super) fn of(size: StreamSize) -> EventStored {
        EventStored {
            name: size.name,
            rows: size.rows,
            replaced: size.replaced,
            recent: size.recent,
            segments: size.segments,
            bytes: size.bytes,
            first: size.span.map(|span| moment(span.0)),
            last: size.span.map(|span| moment(span.1)),
        }
    }
}

impl EntityStored {
    pub(super) fn of(size: EntitySize) -> EntityStored {
        let EntitySize { name, keys, merged, attributes, bytes } = size;
        EntityStored { name, keys, merged, attributes, bytes }
    }
}

impl LoadListed {
    pub(super) fn of(load: LoadRecord) -> LoadListed {
        let removal = load.is_removal();
        let targets = load.counts.into_iter().map(|count| LoadTarget {
            name: count.name,
            entity: count.entity,
            added: count.added,
            known: count.known,
            replaced: count.replaced,
        });
        // Nobody reads parts of seconds in a list.
        let at = moment(load.at.div_euclid(1_000_000).saturating_mul(1_000_000));
        LoadListed { load: load.snapshot, at, label: load.label, removal, targets: targets.collect() }
    }
}

/// A moment in RFC 3339, UTC; one that no calendar has as its number.
pub(super) fn moment(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |moment| moment.to_string())
}
