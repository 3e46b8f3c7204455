//! The value of a cell, and how it goes into and out of Arrow's columns.

use super::number::Number;
use crate::ExecError;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_array::{
    BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use kepi_model::value::{Kind, Unit, Value};
use std::sync::Arc;

/// The value of a cell.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    /// No value.
    Missing,
    /// A number, also money, a percent, a duration in seconds.
    Number(Number),
    /// Text, also the key of an entity.
    Text(Arc<str>),
    /// Yes or no.
    Bool(bool),
    /// Microseconds UTC.
    Time(i64),
    /// Days since 1970-01-01.
    Date(i32),
}

impl Cell {
    /// A number or nothing.
    pub(crate) fn number(number: Option<Number>) -> Cell {
        number.map_or(Cell::Missing, Cell::Number)
    }

    /// Whether there is no value.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Cell::Missing)
    }

    /// Whether it is a known yes.
    pub(crate) fn is_yes(&self) -> bool {
        matches!(self, Cell::Bool(true))
    }

    /// What it is.
    pub(crate) fn cell_type(&self) -> CellType {
        match self {
            Cell::Missing => CellType::Missing,
            Cell::Number(Number::Exact(_, scale)) => CellType::Exact(*scale),
            Cell::Number(Number::Float(_)) => CellType::Float,
            Cell::Text(_) => CellType::Text,
            Cell::Bool(_) => CellType::Bool,
            Cell::Time(_) => CellType::Time,
            Cell::Date(_) => CellType::Date,
        }
    }

    /// A constant as the value of a cell; a list has none.
    pub(crate) fn of_value(value: &Value) -> Option<Cell> {
        Some(match value {
            Value::Missing => Cell::Missing,
            Value::Decimal { digits, scale } => Cell::Number(Number::Exact(*digits, *scale)),
            Value::Float(value) => Cell::number(Number::float(*value)),
            Value::Span(span) if span.months == 0 => {
                let micros = i128::from(span.days) * 86_400_000_000 + i128::from(span.micros);
                Cell::Number(Number::Exact(micros, 6))
            }
            Value::Span(span) => Cell::number(Number::float(span.seconds())),
            Value::Text(text) => Cell::Text(text.as_str().into()),
            Value::Bool(value) => Cell::Bool(*value),
            Value::Time(micros) => Cell::Time(*micros),
            Value::Date(day) => Cell::Date(*day),
            Value::List(_) => return None,
        })
    }
}

/// What the values of a formula are, known before any of them is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CellType {
    /// Nothing but missing.
    Missing,
    /// Exact numbers with so many decimals.
    Exact(u8),
    /// Floats.
    Float,
    /// Text.
    Text,
    /// Yes or no.
    Bool,
    /// Instants.
    Time,
    /// Days.
    Date,
}

impl CellType {
    /// What the values of an Arrow column are.
    pub(crate) fn of_arrow(data_type: &DataType) -> Result<CellType, ExecError> {
        Ok(match data_type {
            DataType::Null => CellType::Missing,
            DataType::Int64 => CellType::Exact(0),
            DataType::Decimal128(_, scale) if *scale >= 0 => CellType::Exact(scale.unsigned_abs()),
            DataType::Float64 => CellType::Float,
            DataType::Utf8 => CellType::Text,
            DataType::Boolean => CellType::Bool,
            DataType::Timestamp(TimeUnit::Microsecond, _) => CellType::Time,
            DataType::Date32 => CellType::Date,
            other => return Err(ExecError::Plan(format!("a cell cannot hold {other}"))),
        })
    }

    /// The type that holds both.
    pub(crate) fn unify(self, other: CellType) -> Result<CellType, ExecError> {
        use CellType::{Exact, Float, Missing};
        Ok(match (self, other) {
            (Missing, one) | (one, Missing) => one,
            (Exact(a), Exact(b)) => Exact(a.max(b)),
            (Exact(_) | Float, Exact(_) | Float) => Float,
            (a, b) if a == b => a,
            (a, b) => return Err(ExecError::Plan(format!("one value is {a:?} here and {b:?} there"))),
        })
    }

    /// The Arrow type of a column with this unit: a count is `Int64`, other exact numbers `Decimal128`.
    pub(crate) fn arrow(self, unit: &Unit) -> DataType {
        let count = unit.kind == Kind::Count && unit.per.is_none();
        match self {
            CellType::Exact(0) if count => DataType::Int64,
            CellType::Exact(scale) => DataType::Decimal128(38, scale.min(38) as i8),
            CellType::Float => DataType::Float64,
            CellType::Text => DataType::Utf8,
            CellType::Bool => DataType::Boolean,
            CellType::Time => time_type(),
            CellType::Date => DataType::Date32,
            CellType::Missing => match unit.kind {
                Kind::Count => DataType::Int64,
                Kind::Text | Kind::Entity(_) | Kind::Raw => DataType::Utf8,
                Kind::Bool => DataType::Boolean,
                Kind::Time => time_type(),
                Kind::Date => DataType::Date32,
                _ => DataType::Float64,
            },
        }
    }
}

/// The Arrow type of instants.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A column of instants.
pub(crate) fn time_array(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

/// A column of a batch that can be read cell by cell.
pub(crate) enum Reader<'a> {
    Whole(&'a Int64Array),
    Exact(&'a Decimal128Array, u8),
    Float(&'a Float64Array),
    Text(&'a StringArray),
    Bool(&'a BooleanArray),
    Time(&'a TimestampMicrosecondArray),
    Date(&'a Date32Array),
    Nothing,
}

impl<'a> Reader<'a> {
    /// Opens a column.
    pub(crate) fn of(array: &'a dyn Array) -> Result<Reader<'a>, ExecError> {
        Ok(match array.data_type() {
            DataType::Null => Reader::Nothing,
            DataType::Int64 => Reader::Whole(array.as_primitive::<Int64Type>()),
            DataType::Decimal128(_, scale) if *scale >= 0 => {
                Reader::Exact(array.as_primitive::<Decimal128Type>(), scale.unsigned_abs())
            }
            DataType::Float64 => Reader::Float(array.as_primitive::<Float64Type>()),
            DataType::Utf8 => Reader::Text(array.as_string::<i32>()),
            DataType::Boolean => Reader::Bool(array.as_boolean()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Reader::Time(array.as_primitive::<TimestampMicrosecondType>())
            }
            DataType::Date32 => Reader::Date(array.as_primitive::<Date32Type>()),
            other => return Err(ExecError::Plan(format!("a cell cannot hold {other}"))),
        })
    }

    /// The value of a row.
    pub(crate) fn cell(&self, row: usize) -> Cell {
        match self {
            Reader::Whole(a) if a.is_valid(row) => Cell::Number(Number::whole(a.value(row))),
            Reader::Exact(a, scale) if a.is_valid(row) => Cell::Number(Number::Exact(a.value(row), *scale)),
            Reader::Float(a) if a.is_valid(row) => Cell::number(Number::float(a.value(row))),
            Reader::Text(a) if a.is_valid(row) => Cell::Text(a.value(row).into()),
            Reader::Bool(a) if a.is_valid(row) => Cell::Bool(a.value(row)),
            Reader::Time(a) if a.is_valid(row) => Cell::Time(a.value(row)),
            Reader::Date(a) if a.is_valid(row) => Cell::Date(a.value(row)),
            _ => Cell::Missing,
        }
    }
}

/// All values of a column.
pub(crate) fn read(array: &dyn Array) -> Result<Vec<Cell>, ExecError> {
    let reader = Reader::of(array)?;
    Ok((0..array.len()).map(|row| reader.cell(row)).collect())
}

/// A column out of cells. A float goes into an exact column nowhere, an exact number into a float column anywhere.
pub(crate) fn write(cells: &[Cell], data_type: &DataType, name: &str) -> Result<ArrayRef, ExecError> {
    let numbers = |cell: &Cell| match cell {
        Cell::Number(number) => Some(*number),
        _ => None,
    };
    let at_scale = |scale: u8| {
        let digits = cells.iter().map(|cell| match numbers(cell) {
            None => Ok(None),
            Some(number) => number.digits_at(scale).map(Some).ok_or_else(|| ExecError::Overflow(name.to_string())),
        });
        digits.collect::<Result<Vec<Option<i128>>, ExecError>>()
    };
    Ok(match data_type {
        DataType::Int64 => {
            let digits = at_scale(0)?.into_iter().map(|digits| match digits.map(i64::try_from) {
                None => Ok(None),
                Some(whole) => whole.map(Some).map_err(|_| ExecError::Overflow(name.to_string())),
            });
            Arc::new(digits.collect::<Result<Int64Array, ExecError>>()?)
        }
        DataType::Decimal128(precision, scale) => {
            let array = Decimal128Array::from(at_scale(scale.unsigned_abs())?);
            Arc::new(array.with_precision_and_scale(*precision, *scale).map_err(|e| ExecError::Plan(e.to_string()))?)
        }
        DataType::Float64 => {
            Arc::new(cells.iter().map(|cell| numbers(cell).map(Number::as_f64)).collect::<Float64Array>())
        }
        DataType::Utf8 => Arc::new(
            cells
                .iter()
                .map(|cell| match cell {
                    Cell::Text(text) => Some(&**text),
                    _ => None,
                })
                .collect::<StringArray>(),
        ),
        DataType::Boolean => Arc::new(
            cells
                .iter()
                .map(|cell| match cell {
                    Cell::Bool(value) => Some(*value),
                    _ => None,
                })
                .collect::<BooleanArray>(),
        ),
        DataType::Timestamp(TimeUnit::Microsecond, _) => time_array(cells.iter().map(|cell| match cell {
            Cell::Time(micros) => Some(*micros),
            _ => None,
        })),
        DataType::Date32 => Arc::new(
            cells
                .iter()
                .map(|cell| match cell {
                    Cell::Date(day) => Some(*day),
                    _ => None,
                })
                .collect::<Date32Array>(),
        ),
        other => return Err(ExecError::Plan(format!("a cell cannot hold {other}"))),
    })
}

/// The cells of one row of a batch.
pub(crate) fn row(batch: &RecordBatch, row: usize) -> Result<Vec<Cell>, ExecError> {
    batch.columns().iter().map(|column| Ok(Reader::of(column)?.cell(row))).collect()
}
