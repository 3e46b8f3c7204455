//! Columns: what a row expression gives for a batch of rows, with the few types that execution knows.

use crate::ExecError;
use arrow_array::types::{
    Date32Type, Decimal64Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType, UInt32Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, PrimitiveArray, StringArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};
use kepi_extension::ColumnKind;
use kepi_model::value::{Kind, Unit};
use std::sync::Arc;

/// The type of a row expression, known before anything is computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// Exact, with this many decimals.
    Decimal(u8),
    Float,
    Text,
    Bool,
    Time,
    Date,
    /// An entity of this kind.
    Id(Arc<str>),
    /// Nothing is ever known.
    Missing,
}

impl Type {
    /// What a value of a unit is where nothing stored says more.
    pub(crate) fn of_unit(unit: &Unit) -> Type {
        match &unit.kind {
            Kind::Text | Kind::Raw | Kind::List(_) => Type::Text,
            Kind::Bool => Type::Bool,
            Kind::Time => Type::Time,
            Kind::Date => Type::Date,
            Kind::Entity(entity) => Type::Id(Arc::from(entity.as_str())),
            Kind::Missing => Type::Missing,
            Kind::Number
            | Kind::Count
            | Kind::Percent
            | Kind::Points
            | Kind::Money(_)
            | Kind::MoneyOf(_)
            | Kind::Duration => Type::Decimal(0),
        }
    }

    /// The type of a stored column.
    pub(crate) fn of_kind(kind: &ColumnKind) -> Type {
        match kind {
            ColumnKind::Id { entity } => Type::Id(Arc::from(entity.as_str())),
            ColumnKind::Code | ColumnKind::Text => Type::Text,
            ColumnKind::Decimal { scale } => Type::Decimal(*scale),
            ColumnKind::Float => Type::Float,
            ColumnKind::Bool => Type::Bool,
            ColumnKind::Time => Type::Time,
            ColumnKind::Date => Type::Date,
        }
    }

    /// Whether it is a number.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Type::Decimal(_) | Type::Float | Type::Missing)
    }

    /// In words, for errors.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Type::Decimal(_) | Type::Float => "a number",
            Type::Text => "a text",
            Type::Bool => "yes or no",
            Type::Time => "a time",
            Type::Date => "a date",
            Type::Id(_) => "an entity",
            Type::Missing => "missing",
        }
    }
}

/// The values of a column. What stands where a value is missing means nothing.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    /// Digits and decimals.
    Decimal(ScalarBuffer<i64>, u8),
    /// Digits that need more room.
    Wide(ScalarBuffer<i128>, u8),
    Float(ScalarBuffer<f64>),
    /// Codes into texts, which are distinct.
    Codes(ScalarBuffer<u32>, Arc<StringArray>),
    Text(StringArray),
    Bool(BooleanBuffer),
    /// Microseconds UTC.
    Time(ScalarBuffer<i64>),
    /// Days since 1970-01-01.
    Date(ScalarBuffer<i32>),
    /// Dense ids of an entity.
    Id(ScalarBuffer<u32>, Arc<str>),
    /// So many missing values.
    Missing(usize),
}

/// A value per row of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// The values.
    pub(crate) values: Values,
    /// Which of them are known; none: all.
    pub(crate) valid: Option<NullBuffer>,
}

impl Column {
    /// A column of values of which some may be missing.
    pub(crate) fn new(values: Values, valid: Option<NullBuffer>) -> Column {
        Column { values, valid: valid.filter(|v| v.null_count() > 0) }
    }

    /// A column of conditions, none of which is missing.
    pub(crate) fn of_mask(mask: BooleanBuffer) -> Column {
        Column { values: Values::Bool(mask), valid: None }
    }

    /// A column in which nothing is known.
    pub(crate) fn missing(len: usize) -> Column {
        Column { values: Values::Missing(len), valid: None }
    }

    /// How many rows.
    pub(crate) fn len(&self) -> usize {
        match &self.values {
            Values::Decimal(v, _) | Values::Time(v) => v.len(),
            Values::Wide(v, _) => v.len(),
            Values::Float(v) => v.len(),
            Values::Codes(v, _) | Values::Id(v, _) => v.len(),
            Values::Text(v) => v.len(),
            Values::Bool(v) => v.len(),
            Values::Date(v) => v.len(),
            Values::Missing(len) => *len,
        }
    }

    /// Whether the value of a row is known.
    pub(crate) fn is_known(&self, row: usize) -> bool {
        !matches!(self.values, Values::Missing(_)) && self.valid.as_ref().is_none_or(|v| v.is_valid(row))
    }

    /// Which values are known; none: all.
    pub(crate) fn known(&self) -> Option<BooleanBuffer> {
        match &self.values {
            Values::Missing(len) => Some(BooleanBuffer::new_unset(*len)),
            _ => self.valid.as_ref().map(|v| v.inner().clone()),
        }
    }

    /// The rows for which a condition is yes: missing is *no*.
    pub(crate) fn mask(&self) -> Result<BooleanBuffer, ExecError> {
        match (&self.values, &self.valid) {
            (Values::Bool(values), None) => Ok(values.clone()),
            (Values::Bool(values), Some(valid)) => Ok(values & valid.inner()),
            (Values::Missing(len), _) => Ok(BooleanBuffer::new_unset(*len)),
            (other, _) => Err(ExecError::Plan(format!("a condition is {}", other.words()))),
        }
    }

    /// Some rows of it, without copying.
    pub(crate) fn slice(&self, offset: usize, len: usize) -> Column {
        let values = match &self.values {
            Values::Decimal(v, s) => Values::Decimal(v.slice(offset, len), *s),
            Values::Wide(v, s) => Values::Wide(v.slice(offset, len), *s),
            Values::Float(v) => Values::Float(v.slice(offset, len)),
            Values::Codes(v, d) => Values::Codes(v.slice(offset, len), Arc::clone(d)),
            Values::Text(v) => Values::Text(v.slice(offset, len)),
            Values::Bool(v) => Values::Bool(v.slice(offset, len)),
            Values::Time(v) => Values::Time(v.slice(offset, len)),
            Values::Date(v) => Values::Date(v.slice(offset, len)),
            Values::Id(v, e) => Values::Id(v.slice(offset, len), Arc::clone(e)),
            Values::Missing(_) => Values::Missing(len),
        };
        Column::new(values, self.valid.as_ref().map(|v| v.slice(offset, len)))
    }

    /// The text of a row; none where it is missing or no text.
    pub(crate) fn text(&self, row: usize) -> Option<&str> {
        if !self.is_known(row) {
            return None;
        }
        match &self.values {
            Values::Codes(codes, dictionary) => Some(dictionary.value(codes[row] as usize)),
            Values::Text(texts) => Some(texts.value(row)),
            _ => None,
        }
    }

    /// Reads a scanned array.
    pub(crate) fn of_scan(
        array: &ArrayRef,
        kind: &ColumnKind,
        dictionary: Option<&Arc<StringArray>>,
    ) -> Result<Column, ExecError> {
        let values = match kind {
            ColumnKind::Id { entity } => {
                Values::Id(primitive::<UInt32Type>(array, "an id")?, Arc::from(entity.as_str()))
            }
            ColumnKind::Code => {
                let texts = dictionary.ok_or_else(|| ExecError::Plan("a column of codes has no dictionary".into()))?;
                Values::Codes(primitive::<UInt32Type>(array, "a code")?, Arc::clone(texts))
            }
            ColumnKind::Text => Values::Text(downcast::<StringArray>(array, "a text")?.clone()),
            ColumnKind::Decimal { scale } => Values::Decimal(primitive::<Decimal64Type>(array, "a decimal")?, *scale),
            ColumnKind::Float => Values::Float(primitive::<Float64Type>(array, "a float")?),
            ColumnKind::Bool => Values::Bool(downcast::<BooleanArray>(array, "yes or no")?.values().clone()),
            ColumnKind::Time => Values::Time(primitive::<TimestampMicrosecondType>(array, "a time")?),
            ColumnKind::Date => Values::Date(primitive::<Date32Type>(array, "a date")?),
        };
        Ok(Column::new(values, array.nulls().cloned()))
    }

    /// Reads an Arrow array of a table or of a plugin.
    pub(crate) fn of_array(array: &ArrayRef) -> Result<Column, ExecError> {
        let values = match array.data_type() {
            DataType::Utf8 => Values::Text(downcast::<StringArray>(array, "a text")?.clone()),
            DataType::Int64 => Values::Decimal(primitive::<Int64Type>(array, "an integer")?, 0),
            DataType::Float64 => Values::Float(primitive::<Float64Type>(array, "a float")?),
            DataType::Boolean => Values::Bool(downcast::<BooleanArray>(array, "yes or no")?.values().clone()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Values::Time(primitive::<TimestampMicrosecondType>(array, "a time")?)
            }
            DataType::Date32 => Values::Date(primitive::<Date32Type>(array, "a date")?),
            DataType::Decimal64(_, scale) => {
                Values::Decimal(primitive::<Decimal64Type>(array, "a decimal")?, scale_of(*scale)?)
            }
            DataType::Decimal128(_, scale) => {
                Values::Wide(primitive::<Decimal128Type>(array, "a decimal")?, scale_of(*scale)?)
            }
            DataType::Null => Values::Missing(array.len()),
            other => return Err(ExecError::Plan(format!("a column of {other} cannot be read"))),
        };
        if let Values::Missing(len) = values {
            return Ok(Column::missing(len));
        }
        Ok(Column::new(values, array.nulls().cloned()).narrowed())
    }

    /// The same numbers in less room, where they fit.
    pub(crate) fn narrowed(self) -> Column {
        let Values::Wide(wide, scale) = &self.values else { return self };
        let mut narrow = Vec::with_capacity(wide.len());
        for (row, &digits) in wide.iter().enumerate() {
            match i64::try_from(digits) {
                Ok(digits) => narrow.push(digits),
                Err(_) if !self.is_known(row) => narrow.push(0),
                Err(_) => return self,
            }
        }
        Column { values: Values::Decimal(narrow.into(), *scale), valid: self.valid }
    }

    /// As an Arrow array; ids and codes as the texts of their dictionary, exact numbers as `Decimal128(38, s)`.
    pub(crate) fn to_array(&self, keys: Option<&StringArray>) -> Result<ArrayRef, ExecError> {
        let valid = self.valid.clone();
        Ok(match &self.values {
            Values::Decimal(v, s) => {
                let wide: ScalarBuffer<i128> = v.iter().map(|&d| i128::from(d)).collect();
                Arc::new(Decimal128Array::new(wide, valid).with_precision_and_scale(38, *s as i8)?)
            }
            Values::Wide(v, s) => {
                Arc::new(Decimal128Array::new(v.clone(), valid).with_precision_and_scale(38, *s as i8)?)
            }
            Values::Float(v) => Arc::new(Float64Array::new(v.clone(), valid)),
            Values::Codes(_, _) => Arc::new((0..self.len()).map(|row| self.text(row)).collect::<StringArray>()),
            Values::Text(v) => Arc::new(v.clone()),
            Values::Bool(v) => Arc::new(BooleanArray::new(v.clone(), valid)),
            Values::Time(v) => Arc::new(TimestampMicrosecondArray::new(v.clone(), valid).with_timezone("UTC")),
            Values::Date(v) => Arc::new(Date32Array::new(v.clone(), valid)),
            Values::Id(v, entity) => {
                let keys = keys.ok_or_else(|| ExecError::Plan(format!("the keys of {entity} are not at hand")))?;
                let key = |row: usize| self.is_known(row).then(|| keys.value(v[row] as usize));
                Arc::new((0..v.len()).map(key).collect::<StringArray>())
            }
            Values::Missing(len) => arrow_array::new_null_array(&DataType::Null, *len),
        })
    }

    /// As floats; only of numbers.
    pub(crate) fn floats(&self) -> Result<ScalarBuffer<f64>, ExecError> {
        Ok(match &self.values {
            Values::Float(v) => v.clone(),
            Values::Decimal(v, s) => {
                let unit = power_f64(*s);
                v.iter().map(|&d| d as f64 / unit).collect()
            }
            Values::Wide(v, s) => {
                let unit = power_f64(*s);
                v.iter().map(|&d| d as f64 / unit).collect()
            }
            Values::Missing(len) => vec![0.0; *len].into(),
            other => return Err(ExecError::Plan(format!("{} is no number", other.words()))),
        })
    }
}

impl Values {
    /// In words, for errors.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Values::Decimal(..) | Values::Wide(..) | Values::Float(_) => "a number",
            Values::Codes(..) | Values::Text(_) => "a text",
            Values::Bool(_) => "yes or no",
            Values::Time(_) => "a time",
            Values::Date(_) => "a date",
            Values::Id(..) => "an entity",
            Values::Missing(_) => "missing",
        }
    }
}

/// 10 to the power of a scale; exact, since scales of columns are at most 18.
pub(crate) fn power(scale: u8) -> i128 {
    10_i128.pow(u32::from(scale.min(38)))
}

/// The same as a float: exact up to 22.
pub(crate) fn power_f64(scale: u8) -> f64 {
    10_f64.powi(i32::from(scale))
}

/// The Arrow type of a type's values outside: entities by their keys, exact numbers as `Decimal128(38, s)`.
pub(crate) fn arrow_type(ty: &Type) -> DataType {
    match ty {
        Type::Decimal(scale) => DataType::Decimal128(38, *scale as i8),
        Type::Float => DataType::Float64,
        Type::Text | Type::Id(_) | Type::Missing => DataType::Utf8,
        Type::Bool => DataType::Boolean,
        Type::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Type::Date => DataType::Date32,
    }
}

fn scale_of(scale: i8) -> Result<u8, ExecError> {
    u8::try_from(scale).map_err(|_| ExecError::Plan("a decimal has a negative scale".into()))
}

fn downcast<'a, A: Array + 'static>(array: &'a ArrayRef, what: &str) -> Result<&'a A, ExecError> {
    let found = array.data_type();
    array.as_any().downcast_ref::<A>().ok_or_else(|| ExecError::Plan(format!("{what} was scanned as {found}")))
}

fn primitive<T: arrow_array::ArrowPrimitiveType>(
    array: &ArrayRef,
    what: &str,
) -> Result<ScalarBuffer<T::Native>, ExecError> {
    Ok(downcast::<PrimitiveArray<T>>(array, what)?.values().clone())
}
