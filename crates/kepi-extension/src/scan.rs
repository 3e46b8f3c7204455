//! Reading events and entities, as one consistent snapshot.

use crate::{Derived, SegmentInfo, Stored};
use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt32Array};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The column of a row's moment: `Timestamp(Microsecond, "UTC")`, never null in a dated stream.
pub const AT: &str = "_at";
/// The column of a row's declared id, where the stream has one: `Int64` or `Utf8`.
pub const ID: &str = "_id";

/// How the values of a column come out of a scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColumnKind {
    /// `UInt32`: the dense id of an entity; null where the event lacks it.
    Id {
        /// Which entity.
        entity: String,
    },
    /// `UInt32`: a code into [`EventScan::dictionary`].
    Code,
    /// `Utf8`: text with too many values for a dictionary.
    Text,
    /// `Decimal64(18, scale)`: exact; one scale for all batches of a scan.
    Decimal {
        /// Decimals.
        scale: u8,
    },
    /// `Float64`.
    Float,
    /// `Boolean`.
    Bool,
    /// `Timestamp(Microsecond, "UTC")`.
    Time,
    /// `Date32`.
    Date,
}

/// A column of a stream or an attribute of an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// The role's or field's name; [`AT`] and [`ID`] for those.
    pub name: String,
    /// How it is scanned.
    pub kind: ColumnKind,
}

/// What is stored of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamInfo {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<ColumnInfo>,
    /// How many rows.
    pub rows: u64,
    /// The moment of the first row; none: no rows, or undated.
    pub first: Option<i64>,
    /// The moment of the last row.
    pub last: Option<i64>,
    /// Whether rows have a moment.
    pub dated: bool,
}

impl StreamInfo {
    /// Finds a column by name.
    pub fn column(&self, name: &str) -> Option<&ColumnInfo> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// What is stored of an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityInfo {
    /// Its name.
    pub name: String,
    /// How many ids have been given, also to merged keys: ids are `0..count`.
    pub count: u32,
    /// Its attributes.
    pub attributes: Vec<ColumnInfo>,
}

/// The current values of an attribute, by id; shorter arrays are missing from there on.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// How the values are to be read.
    pub kind: ColumnKind,
    /// One value per id, in the Arrow type of `kind`.
    pub values: ArrayRef,
    /// The texts of the codes where `kind` is `Code`.
    pub dictionary: Option<Arc<StringArray>>,
}

/// Which rows and columns are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanRequest {
    /// The stream.
    pub stream: String,
    /// The columns, in the order in which they are to come, without [`AT`], which always comes first (if dated).
    pub columns: Vec<String>,
    /// Only rows not earlier than this.
    pub from: Option<i64>,
    /// Only rows earlier than this.
    pub until: Option<i64>,
}

/// Batches in the order of (time, id, row) within and across batches.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ScanError>> + Send>;

/// A consistent snapshot of the events and entities of a project. Cheap to clone behind an `Arc`, safe to use from
/// several threads at once; every scan of one snapshot sees the same rows.
pub trait EventScan: fmt::Debug + Send + Sync {
    /// The number of the snapshot; grows with every commit.
    fn snapshot(&self) -> u64;

    /// All streams that have ever been loaded, by name.
    fn streams(&self) -> Vec<String>;

    /// What is stored of a stream; none: nothing was ever loaded.
    fn stream(&self, name: &str) -> Option<StreamInfo>;

    /// What is stored of an entity; none: no key was ever seen.
    fn entity(&self, name: &str) -> Option<EntityInfo>;

    /// Reads rows in order. An unknown stream or column is an error.
    fn scan(&self, request: &ScanRequest) -> Result<Batches, ScanError>;

    /// Moments that cut the rows of `[from, until)` into about `parts` equal parts: at most `parts - 1` of them, rising.
    fn splits(&self, stream: &str, from: Option<i64>, until: Option<i64>, parts: usize) -> Vec<i64>;

    /// The same for rows whose entity in a column of ids is this one. Other rows may come too: whoever asks looks again.
    fn scan_of(&self, request: &ScanRequest, column: &str, id: u32) -> Result<Batches, ScanError> {
        let _ = (column, id);
        self.scan(request)
    }

    /// Where values that follow from the snapshot may be kept; none: nowhere.
    fn derived(&self) -> Option<&Derived> {
        None
    }

    /// The segments of a stream, in the order in which they were stored; none: they are not told apart.
    fn segments(&self, stream: &str) -> Vec<SegmentInfo> {
        let _ = stream;
        Vec::new()
    }

    /// Reads the rows of some segments only, in order.
    fn scan_segments(&self, request: &ScanRequest, segments: &[u64]) -> Result<Batches, ScanError> {
        let _ = segments;
        Err(ScanError::Unknown(format!("the segments of {}", request.stream)))
    }

    /// What is stored, as a number: where it is the same, so is everything that is read of it. None: that is not known.
    fn version(&self, of: Stored<'_>) -> Option<u128> {
        let _ = of;
        None
    }

    /// The texts of the codes of a `Code` column of a stream. Codes never change their meaning within a store.
    fn dictionary(&self, stream: &str, column: &str) -> Result<Arc<StringArray>, ScanError>;

    /// By id the id that it means, where keys of the entity were merged: its own but for those merged into another one.
    /// Shorter arrays: its own from there on; none: no key was merged. Scans, attributes and [`EventScan::id_of`] give
    /// the ids that are meant, so that of the others there are no rows; they are nobody.
    fn merged(&self, entity: &str) -> Result<Option<UInt32Array>, ScanError> {
        let _ = entity;
        Ok(None)
    }

    /// The keys of an entity by id.
    fn keys(&self, entity: &str) -> Result<Arc<StringArray>, ScanError>;

    /// The id of a key, if it was ever seen; of a merged one that of the key it was merged into.
    fn id_of(&self, entity: &str, key: &str) -> Result<Option<u32>, ScanError>;

    /// The current values of an attribute.
    fn attribute(&self, entity: &str, field: &str) -> Result<Attribute, ScanError>;

    /// Every value that an attribute with `history` has had, in the order of (time, load): a batch with the columns
    /// `id: UInt32`, [`AT`], `value` (in the type of `Attribute::kind`, codes into the same dictionary). What holds from
    /// the beginning of time has the least moment that there is.
    fn attribute_history(&self, entity: &str, field: &str) -> Result<RecordBatch, ScanError>;
}

/// Why a scan failed.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// Nothing of this name is stored.
    #[error("nothing is stored for `{0}`")]
    Unknown(String),
    /// A file is damaged.
    #[error("{file} is damaged at byte {offset}: {reason}")]
    Damaged {
        /// The file.
        file: String,
        /// Where.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A file could not be read.
    #[error("cannot read {file}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The scan was cancelled.
    #[error("cancelled")]
    Cancelled,
}
