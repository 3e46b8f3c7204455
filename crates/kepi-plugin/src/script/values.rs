//! Arrow columns as values of a script and back.

use crate::columns::finite;
use crate::failure::Failure;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, BooleanArray, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow_schema::DataType;
use rhai::Dynamic;
use std::sync::Arc;

/// The value of a row: `()` where it is missing. A time is its microseconds since 1970, a date its days.
pub(super) fn to_dynamic(array: &ArrayRef, row: usize) -> Dynamic {
    if array.is_null(row) {
        return Dynamic::UNIT;
    }
    match array.data_type() {
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::Timestamp(..) => array.as_primitive::<TimestampMicrosecondType>().value(row).into(),
        DataType::Date32 => i64::from(array.as_primitive::<Date32Type>().value(row)).into(),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Utf8 => array.as_string::<i32>().value(row).to_string().into(),
        // `plain_argument` lets no other type in.
        _ => Dynamic::UNIT,
    }
}

/// Makes a column of what a script gave for each row.
pub(super) fn from_dynamics(values: &[Dynamic], wanted: &DataType) -> Result<ArrayRef, Failure> {
    match wanted {
        DataType::Int64 => Ok(Arc::new(all(values, "a whole number", whole)?.into_iter().collect::<Int64Array>())),
        DataType::Utf8 => Ok(Arc::new(all(values, "a text", text)?.into_iter().collect::<StringArray>())),
        DataType::Boolean => {
            Ok(Arc::new(all(values, "true or false", |v| v.as_bool().ok())?.into_iter().collect::<BooleanArray>()))
        }
        DataType::Date32 => {
            let days = all(values, "a date in days", |v| v.as_int().ok().and_then(|days| i32::try_from(days).ok()))?;
            Ok(Arc::new(days.into_iter().collect::<Date32Array>()))
        }
        DataType::Timestamp(..) => {
            let instants = all(values, "a time in microseconds", |v| v.as_int().ok())?;
            Ok(Arc::new(instants.into_iter().collect::<TimestampMicrosecondArray>().with_timezone("UTC")))
        }
        _ => Ok(finite(all(values, "a number", number)?.into_iter())),
    }
}

fn all<T>(values: &[Dynamic], due: &str, read: impl Fn(&Dynamic) -> Option<T>) -> Result<Vec<Option<T>>, Failure> {
    let read_one = |value: &Dynamic| match value.is_unit() {
        true => Ok(None),
        false => read(value).map(Some).ok_or_else(|| {
            Failure::Failed(format!("it gave a value of type {} where {due} was due", value.type_name()))
        }),
    };
    values.iter().map(read_one).collect()
}

fn number(value: &Dynamic) -> Option<f64> {
    value.as_float().ok().or_else(|| value.as_int().ok().map(|i| i as f64))
}

/// The largest whole number up to which a float stands for one number only.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

fn whole(value: &Dynamic) -> Option<i64> {
    let from_float = |f: f64| (f.fract() == 0.0 && f.abs() <= WHOLE_MAX).then_some(f as i64);
    value.as_int().ok().or_else(|| value.as_float().ok().and_then(from_float))
}

fn text(value: &Dynamic) -> Option<String> {
    (value.is_string() || value.is_char()).then(|| value.to_string())
}
