//! Places in a source text.

use serde::{Deserialize, Serialize};

/// A half-open range of byte offsets in one source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// Makes a span from two offsets.
    pub fn new(start: usize, end: usize) -> Self {
        // Source texts are limited to far less than 4 GiB before they are parsed.
        Span { start: start as u32, end: end as u32 }
    }

    /// Joins two spans into the smallest one that covers both.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}
