//! The rows that a test gives, put into a store of its own.

use crate::api::EngineError;
use crate::engine::store_error;
use crate::model::Model;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{Field, Schema};
use kepi_extension::{AT, ID};
use kepi_model::value::{Kind, Unit, Value};
use kepi_model::{GivenColumn, GivenRows};
use kepi_store::{LoadOptions, OnConflict, Writer};
use std::sync::Arc;

/// The most digits that an Arrow decimal has.
const DIGITS: u8 = 38;

/// Stores the rows. A row that cannot be stored comes back with its reason.
pub(super) fn store(model: &Model, given: &[GivenRows], writer: &mut Writer, now: i64) -> Result<(), EngineError> {
    let options = LoadOptions { label: "test".into(), at: now, now, on_conflict: OnConflict::Replace, cursor: None };
    let mut load = writer.load(options);
    for rows in given {
        let batch = batch(rows)?;
        let rejected = if rows.entity {
            let decl = model.catalog.entity(&rows.name).ok_or_else(|| undeclared(&rows.name))?;
            load.entities(decl, batch)
        } else {
            let decl = model.catalog.stream(&rows.name).ok_or_else(|| undeclared(&rows.name))?;
            load.events(decl, batch)
        };
        if let Some(row) = rejected.map_err(store_error)?.first() {
            let (number, name, reason) = (row.row + 1, &rows.name, &row.reason);
            return Err(EngineError::failed(format!("row {number} given to `{name}` cannot be stored: {reason}")));
        }
    }
    load.commit().map_err(store_error)?;
    Ok(())
}

fn undeclared(name: &str) -> EngineError {
    EngineError::failed(format!("`{name}` is not declared"))
}

fn batch(rows: &GivenRows) -> Result<RecordBatch, EngineError> {
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (place, column) in rows.columns.iter().enumerate() {
        let values: Vec<&Value> = rows.rows.iter().filter_map(|row| row.get(place)).collect();
        let (name, unit) = match column {
            GivenColumn::At => (AT.to_string(), Unit::of(Kind::Time)),
            GivenColumn::Id => (ID.to_string(), Unit::of(Kind::Text)),
            GivenColumn::Key => ("_key".to_string(), Unit::of(Kind::Text)),
            GivenColumn::Role(name) => (name.clone(), Unit::of(Kind::Text)),
            GivenColumn::Field(name, unit) => (name.clone(), unit.clone()),
        };
        let array = array(&values, &unit)?;
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(EngineError::failed)
}

/// The values in the Arrow type of a unit.
fn array(values: &[&Value], unit: &Unit) -> Result<ArrayRef, EngineError> {
    Ok(match &unit.kind {
        Kind::Text | Kind::Entity(_) => Arc::new(StringArray::from_iter(values.iter().map(|v| match v {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        }))),
        Kind::Bool => Arc::new(BooleanArray::from_iter(values.iter().map(|v| match v {
            Value::Bool(yes) => Some(*yes),
            _ => None,
        }))),
        Kind::Time => {
            let instants = values.iter().map(|v| match v {
                Value::Time(at) => Some(*at),
                _ => None,
            });
            Arc::new(TimestampMicrosecondArray::from_iter(instants).with_timezone("UTC"))
        }
        Kind::Date => Arc::new(Date32Array::from_iter(values.iter().map(|v| match v {
            Value::Date(day) => Some(*day),
            _ => None,
        }))),
        _ => numbers(values)?,
    })
}

/// Exact numbers with as many decimals as the longest; floats where one of them is no short decimal.
fn numbers(values: &[&Value]) -> Result<ArrayRef, EngineError> {
    let scale = values.iter().map(|v| if let Value::Decimal { scale, .. } = v { *scale } else { 0 }).max().unwrap_or(0);
    if values.iter().any(|v| matches!(v, Value::Float(_))) {
        return Ok(Arc::new(Float64Array::from_iter(values.iter().map(|v| match v {
            Value::Float(number) => Some(*number),
            Value::Decimal { digits, scale } => Some(*digits as f64 / 10f64.powi(i32::from(*scale))),
            _ => None,
        }))));
    }
    let digits = values.iter().map(|v| match v {
        Value::Decimal { digits, scale: own } => match digits.checked_mul(10i128.pow(u32::from(scale - own))) {
            Some(digits) => Ok(Some(digits)),
            None => Err(EngineError::failed("a given number has more digits than kepi computes with")),
        },
        _ => Ok(None),
    });
    let digits = digits.collect::<Result<Vec<_>, _>>()?;
    let array = Decimal128Array::from(digits).with_precision_and_scale(DIGITS, scale as i8);
    Ok(Arc::new(array.map_err(EngineError::failed)?))
}
