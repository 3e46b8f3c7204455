//! Arrow types of kinds, and the columns that a function is handed and gives back.

use crate::failure::Failure;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal64Type, Decimal128Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array};
use arrow_schema::{DataType, TimeUnit};
use kepi_model::declared::{Returns, Signature};
use kepi_model::value::Kind;
use std::sync::Arc;

/// The Arrow type in which values of a kind come and go.
pub(crate) fn arrow_type(kind: &Kind) -> DataType {
    match kind {
        Kind::Count => DataType::Int64,
        Kind::Text | Kind::Entity(_) => DataType::Utf8,
        Kind::Bool => DataType::Boolean,
        Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Date => DataType::Date32,
        _ => DataType::Float64,
    }
}

/// The Arrow type of a function's result for these arguments.
pub(crate) fn result_type(signature: &Signature, args: &[DataType]) -> DataType {
    match &signature.returns {
        Returns::Unit(unit) => arrow_type(&unit.kind),
        Returns::SameAs(index) => match args.get(*index) {
            Some(data_type) => plain_type(data_type),
            None => signature.parameters[*index].accepts.first().map_or(DataType::Float64, arrow_type),
        },
    }
}

/// The type in which a plugin sees a column: decimals are floats to it.
pub(crate) fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Decimal64(..) | DataType::Decimal128(..) => DataType::Float64,
        other => other.clone(),
    }
}

/// Brings an argument to the type in which plugins see it: decimals to floats, and counts too where only floats will
/// do.
pub(crate) fn plain_argument(array: &ArrayRef, float_wanted: bool) -> Result<ArrayRef, Failure> {
    let floats = |values: Vec<f64>| Arc::new(Float64Array::new(values.into(), array.nulls().cloned())) as ArrayRef;
    match array.data_type() {
        DataType::Int64 if float_wanted => {
            Ok(floats(array.as_primitive::<Int64Type>().values().iter().map(|&v| v as f64).collect()))
        }
        DataType::Decimal64(_, scale) => {
            let unit = 10_f64.powi(i32::from(*scale));
            Ok(floats(array.as_primitive::<Decimal64Type>().values().iter().map(|&v| v as f64 / unit).collect()))
        }
        DataType::Decimal128(_, scale) => {
            let unit = 10_f64.powi(i32::from(*scale));
            Ok(floats(array.as_primitive::<Decimal128Type>().values().iter().map(|&v| v as f64 / unit).collect()))
        }
        DataType::Float64 | DataType::Int64 | DataType::Utf8 | DataType::Boolean | DataType::Date32 => {
            Ok(array.clone())
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => Ok(array.clone()),
        other => Err(Failure::Failed(format!("it was handed a column of type {other}, which plugins cannot read"))),
    }
}

/// A number as a result: what is no finite number is missing, as a division by zero is in the language.
pub(crate) fn finite(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.map(|v| v.filter(|x| x.is_finite())).collect::<Float64Array>())
}

/// Checks how many arguments came, so that a missing one is not found deep in a plugin.
pub(crate) fn check_arguments(signature: &Signature, rows: usize, args: &[ArrayRef]) -> Result<(), Failure> {
    let needed = signature.parameters.iter().filter(|p| !p.optional).count();
    let allowed = signature.parameters.len();
    if args.len() < needed || args.len() > allowed {
        let expected = if needed == allowed { allowed.to_string() } else { format!("{needed} to {allowed}") };
        return Err(Failure::Argument(format!("{} arguments instead of {expected}", args.len())));
    }
    match args.iter().find(|a| a.len() != rows) {
        Some(array) => Err(Failure::Failed(format!("it was handed {} values for {rows} rows", array.len()))),
        None => Ok(()),
    }
}
