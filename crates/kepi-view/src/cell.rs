//! The values of an answer, one by one, whatever Arrow type holds them.

use crate::ViewError;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use kepi_engine::{Frame, FrameColumn};

/// One value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    /// No value.
    Missing,
    /// Yes or no.
    Bool(bool),
    /// `digits * 10^-scale`, exactly.
    Decimal(i128, i8),
    /// A number that is not exact.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Instant(i64),
    /// Days since 1970-01-01.
    Date(i32),
}

impl Cell<'_> {
    /// The number as a float; none for what is no number and for a float that is not finite.
    pub(crate) fn number(&self) -> Option<f64> {
        match *self {
            Cell::Decimal(digits, scale) => Some(digits as f64 / 10f64.powi(i32::from(scale))),
            Cell::Float(x) if x.is_finite() => Some(x),
            _ => None,
        }
    }
}

/// A column with what it is.
pub(crate) struct Column<'a> {
    /// What it is.
    pub(crate) meta: &'a FrameColumn,
    /// Its values, a row each.
    pub(crate) cells: Vec<Cell<'a>>,
}

/// Reads the rows of a frame, column by column.
pub(crate) fn columns(frame: &Frame) -> Result<Vec<Column<'_>>, ViewError> {
    read(frame, &frame.rows)
}

/// Reads the totals of a frame; none where they were not asked for.
pub(crate) fn totals(frame: &Frame) -> Result<Option<Vec<Column<'_>>>, ViewError> {
    frame.totals.as_ref().map(|batch| read(frame, batch)).transpose()
}

fn read<'a>(frame: &'a Frame, batch: &'a RecordBatch) -> Result<Vec<Column<'a>>, ViewError> {
    if frame.columns.len() != batch.num_columns() {
        return Err(ViewError::ColumnCount { described: frame.columns.len(), present: batch.num_columns() });
    }
    frame
        .columns
        .iter()
        .zip(batch.columns())
        .map(|(meta, array)| Ok(Column { meta, cells: cells(&meta.name, array.as_ref())? }))
        .collect()
}

fn cells<'a>(name: &str, array: &'a dyn Array) -> Result<Vec<Cell<'a>>, ViewError> {
    let each = |value: &dyn Fn(usize) -> Cell<'a>| {
        (0..array.len()).map(|i| if array.is_null(i) { Cell::Missing } else { value(i) }).collect()
    };
    Ok(match array.data_type() {
        DataType::Null => vec![Cell::Missing; array.len()],
        DataType::Boolean => each(&|i| Cell::Bool(array.as_boolean().value(i))),
        DataType::Int64 => each(&|i| Cell::Decimal(array.as_primitive::<Int64Type>().value(i).into(), 0)),
        DataType::UInt64 => each(&|i| Cell::Decimal(array.as_primitive::<UInt64Type>().value(i).into(), 0)),
        DataType::Float64 => each(&|i| match array.as_primitive::<Float64Type>().value(i) {
            x if x.is_finite() => Cell::Float(x),
            _ => Cell::Missing,
        }),
        DataType::Decimal128(_, scale) => {
            each(&|i| Cell::Decimal(array.as_primitive::<Decimal128Type>().value(i), *scale))
        }
        DataType::Utf8 => each(&|i| Cell::Text(array.as_string::<i32>().value(i))),
        DataType::LargeUtf8 => each(&|i| Cell::Text(array.as_string::<i64>().value(i))),
        DataType::Utf8View => each(&|i| Cell::Text(array.as_string_view().value(i))),
        DataType::Date32 => each(&|i| Cell::Date(array.as_primitive::<Date32Type>().value(i))),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            each(&|i| Cell::Instant(array.as_primitive::<TimestampMicrosecondType>().value(i)))
        }
        other => return Err(ViewError::ColumnType { column: name.to_string(), found: other.to_string() }),
    })
}
