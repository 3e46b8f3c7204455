//! Arrow columns to the contract's columns and back. Nothing that comes back is believed before it is checked.

use super::bindings::kepi::plugin::types::{Column, DataType as WasmType, Texts, Values};
use crate::columns::{arrow_type, finite};
use crate::failure::Failure;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, BooleanArray, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow_schema::DataType;
use kepi_model::value::Kind;
use std::sync::Arc;

/// Whether a parameter that accepts these types takes values of a kind.
pub(super) fn takes(accepts: &[WasmType], kind: &Kind) -> bool {
    let floats_will_do = arrow_type(kind) == DataType::Int64 && accepts.contains(&WasmType::Float);
    floats_will_do || wasm_type(&arrow_type(kind)).is_some_and(|t| accepts.contains(&t))
}

/// Whether what a function returns can be a value of a kind.
pub(super) fn gives(returned: WasmType, kind: &Kind) -> bool {
    let number = matches!(returned, WasmType::Integer | WasmType::Decimal) && arrow_type(kind) == DataType::Float64;
    number || wasm_type(&arrow_type(kind)) == Some(returned)
}

/// Whether an argument of this type must become floats for a parameter that accepts these types.
pub(super) fn wants_float(accepts: &[WasmType]) -> bool {
    accepts.contains(&WasmType::Float) && !accepts.contains(&WasmType::Integer)
}

fn wasm_type(data_type: &DataType) -> Option<WasmType> {
    match data_type {
        DataType::Float64 => Some(WasmType::Float),
        DataType::Int64 => Some(WasmType::Integer),
        DataType::Utf8 => Some(WasmType::Text),
        DataType::Boolean => Some(WasmType::Boolean),
        DataType::Timestamp(..) => Some(WasmType::Time),
        DataType::Date32 => Some(WasmType::Date),
        _ => None,
    }
}

/// Makes a column of an array that `plain_argument` has seen.
pub(super) fn to_column(array: &ArrayRef, with_validity: bool) -> Result<Column, Failure> {
    let values = match array.data_type() {
        DataType::Float64 => Values::Floats(array.as_primitive::<Float64Type>().values().to_vec()),
        DataType::Int64 => Values::Integers(array.as_primitive::<Int64Type>().values().to_vec()),
        DataType::Date32 => Values::Dates(array.as_primitive::<Date32Type>().values().to_vec()),
        DataType::Timestamp(..) => Values::Times(array.as_primitive::<TimestampMicrosecondType>().values().to_vec()),
        DataType::Boolean => Values::Booleans(array.as_boolean().values().iter().map(u8::from).collect()),
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            let offsets = texts.value_offsets();
            let (first, last) = (offsets[0] as usize, offsets[texts.len()] as usize);
            Values::Texts(Texts {
                offsets: offsets.iter().map(|&o| o as u32 - first as u32).collect(),
                data: texts.value_data()[first..last].to_vec(),
            })
        }
        other => return Err(Failure::Failed(format!("it was handed a column of type {other}"))),
    };
    let validity = array.nulls().filter(|_| with_validity).map(bits);
    Ok(Column { values, validity })
}

/// One bit a row, least significant first.
fn bits(nulls: &NullBuffer) -> Vec<u8> {
    let mut bytes = vec![0; nulls.len().div_ceil(8)];
    for row in nulls.valid_indices() {
        bytes[row / 8] |= 1 << (row % 8);
    }
    bytes
}

/// Makes an array of a column that a plugin gave, with missing values where `mask` has none.
pub(super) fn from_column(
    column: Column,
    rows: usize,
    wanted: &DataType,
    mask: Option<&NullBuffer>,
) -> Result<ArrayRef, Failure> {
    let nulls = match column.validity {
        None => None,
        Some(bytes) if bytes.len() != rows.div_ceil(8) => {
            let what = format!("it gave {} bytes of validity for {rows} rows", bytes.len());
            return Err(Failure::Failed(what));
        }
        Some(bytes) => Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bytes), 0, rows))),
    };
    let nulls = NullBuffer::union(nulls.as_ref(), mask);
    let given = length(&column.values);
    if given != rows {
        return Err(Failure::Failed(format!("it gave {given} values for {rows} rows")));
    }
    let present = |row: usize| nulls.as_ref().is_none_or(|n| n.is_valid(row));
    let floats =
        |values: &mut dyn Iterator<Item = f64>| finite(values.enumerate().map(|(row, v)| present(row).then_some(v)));
    match (column.values, wanted) {
        (Values::Floats(values), DataType::Float64) => Ok(floats(&mut values.into_iter())),
        (Values::Integers(values), DataType::Float64) => Ok(floats(&mut values.into_iter().map(|v| v as f64))),
        (Values::Decimals(values), DataType::Float64) => {
            if values.scale > 9 {
                return Err(Failure::Failed(format!("it gave decimals of scale {}; 9 is the most", values.scale)));
            }
            let unit = 10_f64.powi(i32::from(values.scale));
            Ok(floats(&mut values.unscaled.into_iter().map(|v| v as f64 / unit)))
        }
        (Values::Integers(values), DataType::Int64) => Ok(Arc::new(Int64Array::new(values.into(), nulls))),
        (Values::Dates(values), DataType::Date32) => Ok(Arc::new(Date32Array::new(values.into(), nulls))),
        (Values::Times(values), DataType::Timestamp(..)) => {
            Ok(Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC")))
        }
        (Values::Booleans(values), DataType::Boolean) => {
            let values: BooleanBuffer = values.into_iter().map(|v| v != 0).collect();
            Ok(Arc::new(BooleanArray::new(values, nulls)))
        }
        (Values::Texts(texts), DataType::Utf8) => {
            let spans: Option<Vec<&str>> = texts.offsets.windows(2).map(|w| text(&texts.data, w[0], w[1])).collect();
            let spans = spans.ok_or_else(|| Failure::Failed("it gave texts that are not well formed".to_string()))?;
            let texts = spans.into_iter().enumerate().map(|(row, text)| present(row).then_some(text));
            Ok(Arc::new(texts.collect::<StringArray>()))
        }
        (values, wanted) => Err(Failure::Failed(format!("it gave {} where {} was due", name(&values), words(wanted)))),
    }
}

fn text(data: &[u8], from: u32, until: u32) -> Option<&str> {
    std::str::from_utf8(data.get(from as usize..until as usize)?).ok()
}

fn length(values: &Values) -> usize {
    match values {
        Values::Booleans(v) => v.len(),
        Values::Integers(v) | Values::Times(v) => v.len(),
        Values::Floats(v) => v.len(),
        Values::Dates(v) => v.len(),
        Values::Texts(v) => v.offsets.len().saturating_sub(1),
        Values::Decimals(v) => v.unscaled.len(),
    }
}

fn name(values: &Values) -> &'static str {
    match values {
        Values::Booleans(_) => "booleans",
        Values::Integers(_) => "integers",
        Values::Floats(_) => "floats",
        Values::Texts(_) => "texts",
        Values::Times(_) => "times",
        Values::Dates(_) => "dates",
        Values::Decimals(_) => "decimals",
    }
}

fn words(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Int64 => "integers",
        DataType::Utf8 => "texts",
        DataType::Boolean => "booleans",
        DataType::Timestamp(..) => "times",
        DataType::Date32 => "dates",
        _ => "floats",
    }
}
