//! The index of a segment: where each chunk of each column lies in the Arrow file, its checksum, its smallest and
//! largest value. Part of the format, see `docs/store-format.md`.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal32Type, Decimal64Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type,
    UInt16Type, UInt32Type,
};
use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};

/// Digits of a decimal of 32 bits.
pub(crate) const DIGITS_32: u8 = 9;
/// Rows in a chunk of a stream's segment.
pub(crate) const CHUNK_ROWS: usize = 65_536;

/// The index of one segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Index {
    pub(crate) columns: Vec<IndexColumn>,
    pub(crate) chunks: Vec<IndexChunk>,
}

/// A column of a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexColumn {
    pub(crate) name: String,
    pub(crate) stored: Stored,
}

/// The rows that one Arrow record batch holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexChunk {
    pub(crate) rows: u32,
    /// In the order of [`Index::columns`].
    pub(crate) pieces: Vec<Piece>,
}

/// One column in one chunk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Piece {
    /// Offset in the file and length: validity, (offsets,) values, as Arrow orders them.
    pub(crate) buffers: Vec<(u64, u64)>,
    pub(crate) nulls: u32,
    /// xxh3 of the buffers' bytes, one after the other.
    pub(crate) checksum: u64,
    /// None: only nulls, or text, or yes/no.
    pub(crate) range: Option<Range>,
}

/// The smallest and the largest value of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Range {
    /// Numbers, codes, ids, decimals by their digits, times in µs, dates in days.
    Whole(i64, i64),
    Float(f64, f64),
}

impl Range {
    /// The range of the values of both; the two are of one column.
    pub(crate) fn with(self, other: Range) -> Range {
        match (self, other) {
            (Range::Whole(a, b), Range::Whole(c, d)) => Range::Whole(a.min(c), b.max(d)),
            (Range::Float(a, b), Range::Float(c, d)) => Range::Float(a.min(c), b.max(d)),
            (first, _) => first,
        }
    }
}

/// How values lie in the file; codes, ids and amounts are as narrow as the segment's values allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stored {
    U8,
    U16,
    U32,
    I64,
    Decimal(u8),
    F64,
    Bool,
    Time,
    Date,
    Utf8,
    /// From format 2 on.
    I32,
    /// From format 2 on: at most nine digits.
    Decimal32(u8),
}

impl Stored {
    /// What an Arrow type is stored as; none: columns of this type are never stored.
    pub(crate) fn of(data_type: &DataType) -> Option<Stored> {
        Some(match data_type {
            DataType::UInt8 => Stored::U8,
            DataType::UInt16 => Stored::U16,
            DataType::UInt32 => Stored::U32,
            DataType::Int32 => Stored::I32,
            DataType::Int64 => Stored::I64,
            DataType::Decimal32(_, scale) => Stored::Decimal32(u8::try_from(*scale).ok()?),
            DataType::Decimal64(_, scale) => Stored::Decimal(u8::try_from(*scale).ok()?),
            DataType::Float64 => Stored::F64,
            DataType::Boolean => Stored::Bool,
            DataType::Timestamp(TimeUnit::Microsecond, _) => Stored::Time,
            DataType::Date32 => Stored::Date,
            DataType::Utf8 => Stored::Utf8,
            _ => return None,
        })
    }

    /// The Arrow type.
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Stored::U8 => DataType::UInt8,
            Stored::U16 => DataType::UInt16,
            Stored::U32 => DataType::UInt32,
            Stored::I32 => DataType::Int32,
            Stored::I64 => DataType::Int64,
            Stored::Decimal32(scale) => DataType::Decimal32(DIGITS_32, scale as i8),
            Stored::Decimal(scale) => DataType::Decimal64(18, scale as i8),
            Stored::F64 => DataType::Float64,
            Stored::Bool => DataType::Boolean,
            Stored::Time => time_type(),
            Stored::Date => DataType::Date32,
            Stored::Utf8 => DataType::Utf8,
        }
    }

    /// Bytes that the values buffer of `rows` rows needs; for text the offsets.
    pub(crate) fn fixed_bytes(self, rows: usize) -> usize {
        match self {
            Stored::U8 => rows,
            Stored::U16 => rows * 2,
            Stored::U32 | Stored::I32 | Stored::Decimal32(_) | Stored::Date => rows * 4,
            Stored::I64 | Stored::Decimal(_) | Stored::F64 | Stored::Time => rows * 8,
            Stored::Bool => rows.div_ceil(8),
            Stored::Utf8 => (rows + 1) * 4,
        }
    }
}

/// The Arrow type of moments.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The smallest and the largest value of a column.
pub(crate) fn range(array: &dyn Array) -> Option<Range> {
    match array.data_type() {
        DataType::UInt8 => whole(array.as_primitive::<UInt8Type>()),
        DataType::UInt16 => whole(array.as_primitive::<UInt16Type>()),
        DataType::UInt32 => whole(array.as_primitive::<UInt32Type>()),
        DataType::Int32 => whole(array.as_primitive::<Int32Type>()),
        DataType::Int64 => whole(array.as_primitive::<Int64Type>()),
        DataType::Decimal32(_, _) => whole(array.as_primitive::<Decimal32Type>()),
        DataType::Decimal64(_, _) => whole(array.as_primitive::<Decimal64Type>()),
        DataType::Timestamp(_, _) => whole(array.as_primitive::<TimestampMicrosecondType>()),
        DataType::Date32 => whole(array.as_primitive::<Date32Type>()),
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            let mut known = values.iter().flatten();
            let first = known.next()?;
            let (low, high) = known.fold((first, first), |(low, high), v| (low.min(v), high.max(v)));
            Some(Range::Float(low, high))
        }
        _ => None,
    }
}

fn whole<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> Option<Range>
where
    T::Native: Into<i64> + Ord,
{
    if array.null_count() == 0 {
        let (first, rest) = array.values().split_first()?;
        let (low, high) = rest.iter().fold((*first, *first), |(low, high), v| (low.min(*v), high.max(*v)));
        return Some(Range::Whole(low.into(), high.into()));
    }
    let mut known = array.iter().flatten();
    let first = known.next()?;
    let (low, high) = known.fold((first, first), |(low, high), v| (low.min(v), high.max(v)));
    Some(Range::Whole(low.into(), high.into()))
}
