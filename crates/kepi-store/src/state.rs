//! The plain data of the store: what the manifest and the journal say. Part of the format, see `docs/store-format.md`.

use serde::{Deserialize, Serialize};

/// The format that this version writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 4;

/// What is in files: everything of a snapshot but the journal's tail.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The number that the next file gets.
    pub(crate) next_file: u64,
    pub(crate) streams: Vec<StreamState>,
    pub(crate) entities: Vec<EntityState>,
}

/// A file that is written once: its number, length and xxh3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlobState {
    pub(crate) file: u64,
    pub(crate) length: u64,
    pub(crate) checksum: u64,
}

/// A stream with its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StreamState {
    pub(crate) schema: StreamSchema,
    /// In the order of their loads, which is the order of rows that nothing else orders.
    pub(crate) segments: Vec<SegmentState>,
    /// By column.
    pub(crate) dictionaries: Vec<(String, StringsState)>,
}

/// What a stream is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StreamSchema {
    pub(crate) name: String,
    pub(crate) dated: bool,
    pub(crate) ids: IdKind,
    pub(crate) columns: Vec<ColumnSchema>,
}

/// Whether rows have declared ids, and of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum IdKind {
    None,
    /// All of them are whole numbers.
    Number,
    Text,
}

/// A column of a stream or an attribute of an entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ColumnSchema {
    pub(crate) name: String,
    pub(crate) kind: StoredKind,
    /// Attributes only: whether values are kept as they were.
    pub(crate) history: bool,
}

/// What a column holds in all segments together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StoredKind {
    Id {
        entity: String,
    },
    /// `plain`: some segment holds it as text, since it has too many values for a dictionary.
    Text {
        plain: bool,
    },
    /// `float`: some segment holds it as floats. `most` is the largest absolute value, rounded up, of what is held as
    /// decimals, which have up to `scale` digits behind the point: `most * 10^scale` stays below `10^18`.
    Number {
        money: bool,
        float: bool,
        scale: u8,
        most: u64,
    },
    Bool,
    Time,
    Date,
}

/// A segment: `<file>.arrow` and `<file>.index`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentState {
    pub(crate) number: u64,
    pub(crate) length: u64,
    pub(crate) index: BlobState,
    /// The rows that were replaced since: positions, `u32` little endian, rising.
    pub(crate) gone: Option<BlobState>,
}

/// Texts by dense number, in parts that follow each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StringsState {
    pub(crate) parts: Vec<StringsPartState>,
}

/// One file of texts, and for many entity keys a map from key to id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StringsPartState {
    pub(crate) count: u32,
    /// `count + 1` offsets, `i32` little endian, then the texts.
    pub(crate) texts: BlobState,
    pub(crate) map: MapState,
}

/// A map from key to id. Before format 4 it was there or not, which is written as the first two are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MapState {
    #[default]
    None,
    /// Of formats 1 to 3: see the crate `fst`.
    Fst(BlobState),
    /// See `key_map.rs`.
    Table(BlobState),
}

impl MapState {
    /// The map's file and its kind.
    pub(crate) fn file(&self) -> Option<(&BlobState, &'static str)> {
        match self {
            MapState::None => None,
            MapState::Fst(file) => Some((file, "fst")),
            MapState::Table(file) => Some((file, "table")),
        }
    }
}

/// An entity with its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EntityState {
    pub(crate) name: String,
    pub(crate) keys: StringsState,
    pub(crate) attributes: Vec<ColumnSchema>,
    /// The current values by id, with the column [`PRESENT`].
    pub(crate) table: Option<SegmentState>,
    /// By attribute: id, moment, value.
    pub(crate) histories: Vec<(String, SegmentState)>,
    /// By attribute.
    pub(crate) dictionaries: Vec<(String, StringsState)>,
}

/// The column of an entity's table that says whether attributes of this id were ever loaded.
pub(crate) const PRESENT: &str = "_present";
/// The column of an entity's table that says which id this one means; missing: itself. It is an attribute like the others,
/// but for that nobody is shown it.
pub(crate) const INTO: &str = "_into";
/// The column of a stream's rows that says by which load each came: the number of the snapshot that it made. Missing in
/// segments of format 3 and before. Nobody is shown it.
pub(crate) const LOAD: &str = "_load";
/// The column of ids in updates and histories.
pub(crate) const ENTITY_ID: &str = "_entity";
/// The column of values in histories.
pub(crate) const VALUE: &str = "value";

/// What one load did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadRecord {
    /// The number of the snapshot that it made.
    pub snapshot: u64,
    /// The file or source.
    pub label: String,
    /// When it happened, in microseconds since 1970 UTC, as the caller said.
    pub at: i64,
    /// By stream, then by entity.
    pub counts: Vec<LoadCount>,
}

impl LoadRecord {
    /// Whether it is no load, but something that was removed.
    pub fn is_removal(&self) -> bool {
        [ERASURE, UNLOAD].iter().any(|kind| self.label.starts_with(kind))
    }
}

/// How the label of an erasure begins; that of a load begins with a name.
pub(crate) const ERASURE: &str = "(erased) ";
/// How the label of an unload begins.
pub(crate) const UNLOAD: &str = "(unloaded) ";

/// What a load did to one stream or entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadCount {
    /// The stream or entity.
    pub name: String,
    /// Whether it is an entity.
    pub entity: bool,
    /// New rows.
    pub added: u64,
    /// Rows that were there already.
    pub known: u64,
    /// Rows that took the place of another.
    pub replaced: u64,
    /// The first moment of the rows given; none: undated, or no rows.
    pub first: Option<i64>,
    /// The last moment of the rows given.
    pub last: Option<i64>,
}

/// What a small load changes: rows as Arrow IPC streams. It is applied in memory until the tail is sealed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delta {
    pub(crate) streams: Vec<StreamDelta>,
    pub(crate) entities: Vec<EntityDelta>,
}

/// The part of a delta about one stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StreamDelta {
    pub(crate) schema: StreamSchema,
    /// The number of the segment in memory that the rows make.
    pub(crate) segment: u64,
    pub(crate) rows: Option<Vec<u8>>,
    /// Rows that were replaced: segment and positions.
    pub(crate) gone: Vec<(u64, Vec<u32>)>,
    /// New texts by column.
    pub(crate) texts: Vec<(String, Vec<String>)>,
}

/// The part of a delta about one entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EntityDelta {
    pub(crate) name: String,
    pub(crate) attributes: Vec<ColumnSchema>,
    pub(crate) keys: Vec<String>,
    /// The column [`ENTITY_ID`] and the attributes that change.
    pub(crate) rows: Option<Vec<u8>>,
    /// By attribute: id, moment, value.
    pub(crate) histories: Vec<(String, Vec<u8>)>,
    pub(crate) texts: Vec<(String, Vec<String>)>,
}
