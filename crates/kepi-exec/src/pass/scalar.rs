//! Single values outside any column: what labels and results are while states travel.

use crate::ExecError;
use crate::rows::{Payload, Type, arrow_type, float_of};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::DataType;
use kepi_model::value::{Kind, Unit};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A value. Ordered within one type; missing comes last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Scalar {
    /// Of decimals the digits, of times microseconds, of dates days, of conditions 0 and 1, of floats the number that is
    /// ordered as they are.
    Number(i64),
    /// Also an entity, by its key.
    Text(String),
    #[default]
    Missing,
}

/// The labels of a cell, which many cells share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels(Arc<[Scalar]>);

impl Labels {
    /// Where they lie: those of one place are equal.
    pub(crate) fn place(&self) -> usize {
        self.0.as_ptr() as usize
    }
}

impl From<Vec<Scalar>> for Labels {
    fn from(values: Vec<Scalar>) -> Labels {
        Labels(values.into())
    }
}

impl Deref for Labels {
    type Target = [Scalar];

    fn deref(&self) -> &[Scalar] {
        &self.0
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Labels) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Labels {}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Labels) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Labels) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Labels, D::Error> {
        Vec::deserialize(deserializer).map(Labels::from)
    }
}

/// The place of a row in the answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct CellKey {
    /// The period's first instant.
    pub(crate) period: Option<i64>,
    /// One value per label.
    pub(crate) labels: Labels,
}

/// Takes a number out of its array's encoding.
pub(crate) fn scalar_of(payload: &mut Payload, number: i64, keys: Option<&StringArray>) -> Scalar {
    match payload.ty() {
        Type::Text => Scalar::Text(payload.texts().text(number as u32).to_string()),
        Type::Id(_) => match keys.filter(|k| (number as usize) < k.len()) {
            Some(keys) => Scalar::Text(keys.value(number as usize).to_string()),
            None => Scalar::Missing,
        },
        Type::Missing => Scalar::Missing,
        _ => Scalar::Number(number),
    }
}

/// The Arrow type of values of a type in a unit: counts are `Int64`.
pub(crate) fn output_type(ty: &Type, unit: &Unit) -> DataType {
    match (ty, &unit.kind) {
        (Type::Decimal(0), Kind::Count) => DataType::Int64,
        // What is nowhere stored has the type that its unit suggests.
        (Type::Missing, _) => match Type::of_unit(unit) {
            Type::Decimal(0) if unit.kind == Kind::Count => DataType::Int64,
            other => arrow_type(&other),
        },
        _ => arrow_type(ty),
    }
}

/// An array of values.
pub(crate) fn array<'a>(values: impl Iterator<Item = &'a Scalar>, ty: &DataType) -> Result<ArrayRef, ExecError> {
    let numbers = values.map(|v| match v {
        Scalar::Number(n) => (Some(*n), None),
        Scalar::Text(t) => (None, Some(t.as_str())),
        Scalar::Missing => (None, None),
    });
    Ok(match ty {
        DataType::Utf8 => Arc::new(numbers.map(|n| n.1).collect::<StringArray>()),
        DataType::Int64 => Arc::new(numbers.map(|n| n.0).collect::<Int64Array>()),
        DataType::Float64 => Arc::new(numbers.map(|n| n.0.map(float_of)).collect::<Float64Array>()),
        DataType::Boolean => Arc::new(numbers.map(|n| n.0.map(|b| b != 0)).collect::<BooleanArray>()),
        DataType::Date32 => Arc::new(numbers.map(|n| n.0.map(|d| d as i32)).collect::<Date32Array>()),
        DataType::Timestamp(..) => {
            Arc::new(numbers.map(|n| n.0).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        DataType::Decimal128(precision, scale) => {
            let array: Decimal128Array = numbers.map(|n| n.0.map(i128::from)).collect();
            Arc::new(array.with_precision_and_scale(*precision, *scale)?)
        }
        other => return Err(ExecError::Plan(format!("values of {other} are not made"))),
    })
}
