//! What is kept between queries of the work that they share, and what names the rows that it was made of.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Where partial results stay between queries: a cache, which may forget, but never gives anything but what was put in
/// under a name. Whoever asks puts into the name whatever a result depends on.
pub trait Partials: fmt::Debug + Send + Sync {
    /// The bytes of a name; none: they are not kept, or not whole any more.
    fn read(&self, name: u128) -> Option<Vec<u8>>;

    /// Keeps bytes that took so long to make, if that is worth it.
    fn write(&self, name: u128, bytes: &[u8], took: Duration);
}

/// Rows of a stream that were stored together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Names it within a snapshot.
    pub number: u64,
    /// What its rows are: another one wherever one of them, or the meaning of its ids and codes within the store, is
    /// another. None: that is not known, and nothing may be kept of it.
    pub version: Option<u128>,
    /// How many rows it has.
    pub rows: u64,
    /// The moment of its first row; also of one that was replaced or erased since.
    pub first: i64,
    /// The moment of its last row.
    pub last: i64,
    /// Moments at which about as many rows lie behind each as behind the next, from the first on.
    pub starts: Vec<i64>,
    /// By column of ids the largest stored in it.
    pub most: BTreeMap<String, u32>,
}

/// Something whose contents have a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored<'a> {
    /// A stream, whether or not anything was ever loaded into it.
    Stream(&'a str),
    /// An entity: its keys, attributes, their histories, and merges.
    Entity(&'a str),
    /// Everything.
    All,
}
