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

/// A value as it is shown: where whole numbers of a column stand for something, what they stand for.
pub(crate) fn in_words<'a>(meta: &'a FrameColumn, cell: Cell<'a>) -> Cell<'a> {
    let whole = cell.number().filter(|number| *number >= 0.0 && number.fract() == 0.0);
    let word = whole.and_then(|number| meta.words.get(number as usize));
    word.map_or(cell, |word| Cell::Text(word))
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

#[cfg(test)]
mod tests {
    use super::*;
    use kepi_engine::FrameColumnKind;
    use kepi_model::value::{Kind, Unit};

    #[test]
    fn whole_numbers_are_shown_as_what_they_stand_for() {
        let mut age = FrameColumn {
            name: "age".to_string(),
            kind: FrameColumnKind::Dimension,
            unit: Unit::of(Kind::Number),
            grain: None,
            better: None,
            words: ["0", "1 to 4", "5 to 14"].map(str::to_string).to_vec(),
        };
        assert_eq!(in_words(&age, Cell::Decimal(20, 1)), Cell::Text("5 to 14"));
        assert_eq!(in_words(&age, Cell::Decimal(1, 0)), Cell::Text("1 to 4"));
        for other in [Cell::Decimal(3, 0), Cell::Decimal(15, 1), Cell::Decimal(-1, 0), Cell::Missing, Cell::Text("1")] {
            assert_eq!(in_words(&age, other), other);
        }
        age.words.clear();
        assert_eq!(in_words(&age, Cell::Decimal(1, 0)), Cell::Decimal(1, 0));
    }
}
