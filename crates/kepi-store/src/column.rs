//! Columns as they are stored, and as a scan presents them: one kind for all segments of a stream.

use crate::error::StoreError;
use crate::segment_index::time_type;
use crate::state::{ColumnSchema, IdKind, StoredKind};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal32Type, Decimal64Type, Float64Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
};
use arrow_array::{Array, ArrayRef, Decimal64Array, Float64Array, Int64Array, StringArray, new_null_array};
use arrow_schema::DataType;
use kepi_extension::ColumnKind;
use std::sync::Arc;

/// `10^n` for n up to 18.
pub(crate) const POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut i = 1;
    while i < 19 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// How a scan presents a column.
pub(crate) fn presented_kind(column: &ColumnSchema) -> ColumnKind {
    match &column.kind {
        StoredKind::Id { entity } => ColumnKind::Id { entity: entity.clone() },
        StoredKind::Text { plain: true } => ColumnKind::Text,
        StoredKind::Text { plain: false } => ColumnKind::Code,
        StoredKind::Number { float: true, .. } => ColumnKind::Float,
        StoredKind::Number { scale, .. } => ColumnKind::Decimal { scale: *scale },
        StoredKind::Bool => ColumnKind::Bool,
        StoredKind::Time => ColumnKind::Time,
        StoredKind::Date => ColumnKind::Date,
    }
}

/// The Arrow type of a kind.
pub(crate) fn arrow_type(kind: &ColumnKind) -> DataType {
    match kind {
        ColumnKind::Id { .. } | ColumnKind::Code => DataType::UInt32,
        ColumnKind::Text => DataType::Utf8,
        ColumnKind::Decimal { scale } => DataType::Decimal64(18, *scale as i8),
        ColumnKind::Float => DataType::Float64,
        ColumnKind::Bool => DataType::Boolean,
        ColumnKind::Time => time_type(),
        ColumnKind::Date => DataType::Date32,
    }
}

/// How one column is presented.
#[derive(Clone, Debug)]
pub(crate) enum Presented {
    /// The declared ids of rows.
    RowId(IdKind),
    /// A field or role. The dictionary is there where codes may have to become text.
    Field(ColumnKind, Option<Arc<StringArray>>),
}

impl Presented {
    /// The Arrow type that comes out.
    pub(crate) fn data_type(&self) -> DataType {
        match self {
            Presented::RowId(IdKind::Number) => DataType::Int64,
            Presented::RowId(_) => DataType::Utf8,
            Presented::Field(kind, _) => arrow_type(kind),
        }
    }

    /// Turns stored values into presented ones; a column that the segment lacks is all missing. Values that are
    /// stored as they are presented pass without a copy.
    pub(crate) fn present(&self, stored: Option<ArrayRef>, rows: usize) -> Result<ArrayRef, StoreError> {
        let wanted = self.data_type();
        let Some(stored) = stored else { return Ok(new_null_array(&wanted, rows)) };
        if *stored.data_type() == wanted {
            return Ok(stored);
        }
        let presented: Option<ArrayRef> = match self {
            Presented::RowId(IdKind::Number) => whole(&stored).map(|ids| Arc::new(ids) as ArrayRef),
            Presented::RowId(_) => whole(&stored).map(|ids| {
                Arc::new(ids.iter().map(|id| id.map(|id| id.to_string())).collect::<StringArray>()) as ArrayRef
            }),
            Presented::Field(ColumnKind::Code | ColumnKind::Id { .. }, _) => widened(&stored),
            Presented::Field(ColumnKind::Text, Some(dictionary)) => match widened(&stored) {
                Some(codes) => Some(arrow_select::take::take(dictionary.as_ref(), &codes, None)?),
                None => None,
            },
            Presented::Field(ColumnKind::Decimal { scale }, _) => rescaled(&stored, *scale),
            Presented::Field(ColumnKind::Float, _) => as_floats(&stored),
            Presented::Field(..) => None,
        };
        presented.ok_or_else(|| {
            StoreError::Limit(format!("a column stored as {} cannot be read as {wanted}", stored.data_type()))
        })
    }
}

/// Ids that are numbers as `Int64`.
fn whole(stored: &ArrayRef) -> Option<Int64Array> {
    Some(match stored.data_type() {
        DataType::UInt8 => stored.as_primitive::<UInt8Type>().unary(i64::from),
        DataType::UInt16 => stored.as_primitive::<UInt16Type>().unary(i64::from),
        DataType::UInt32 => stored.as_primitive::<UInt32Type>().unary(i64::from),
        DataType::Int32 => stored.as_primitive::<Int32Type>().unary(i64::from),
        DataType::Int64 => stored.as_primitive::<Int64Type>().clone(),
        _ => return None,
    })
}

/// Codes as `UInt32`.
fn widened(stored: &ArrayRef) -> Option<ArrayRef> {
    if let Some(codes) = stored.as_primitive_opt::<UInt8Type>() {
        return Some(Arc::new(codes.unary::<_, UInt32Type>(u32::from)));
    }
    if let Some(codes) = stored.as_primitive_opt::<UInt16Type>() {
        return Some(Arc::new(codes.unary::<_, UInt32Type>(u32::from)));
    }
    stored.as_primitive_opt::<UInt32Type>().map(|codes| Arc::new(codes.clone()) as ArrayRef)
}

/// Decimals with as many or more digits behind the point; none where they have more already.
pub(crate) fn rescaled(stored: &ArrayRef, scale: u8) -> Option<ArrayRef> {
    let factor = POWERS[usize::from(scale.checked_sub(scale_of(stored)?)?)];
    // It does not overflow: a load that would let the largest value of the column leave `10^18` is refused.
    let digits: Decimal64Array = match stored.as_primitive_opt::<Decimal32Type>() {
        Some(narrow) if factor == 1 => narrow.unary(i64::from),
        Some(narrow) => narrow.unary(|digits| i64::from(digits).wrapping_mul(factor)),
        None => stored.as_primitive::<Decimal64Type>().unary(|digits| digits.wrapping_mul(factor)),
    };
    Some(Arc::new(digits.with_data_type(DataType::Decimal64(18, scale as i8))))
}

/// Decimals as floats: the nearest to the exact value.
pub(crate) fn as_floats(stored: &ArrayRef) -> Option<ArrayRef> {
    let power = 10f64.powi(i32::from(scale_of(stored)?));
    let floats: Float64Array = match stored.as_primitive_opt::<Decimal32Type>() {
        Some(narrow) => narrow.unary(|digits| f64::from(digits) / power),
        None => stored.as_primitive::<Decimal64Type>().unary::<_, Float64Type>(|digits| digits as f64 / power),
    };
    Some(Arc::new(floats))
}

/// Digits behind the point of decimals; none: they are not.
fn scale_of(stored: &ArrayRef) -> Option<u8> {
    match stored.data_type() {
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => u8::try_from(*scale).ok(),
        _ => None,
    }
}
