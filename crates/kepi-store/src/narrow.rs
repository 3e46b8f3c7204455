//! Columns as narrow as the values of a segment allow: codes and ids in one, two or four bytes, amounts of up to nine
//! digits in four.

use crate::segment_index::{DIGITS_32, Range};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal32Type, Decimal64Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer};
use arrow_schema::{ArrowError, DataType};
use std::sync::Arc;

/// How a column is stored, all of whose values are in a range; a column of another type as it is.
pub(crate) fn narrowest(given: &DataType, range: Option<Range>) -> DataType {
    let Some(Range::Whole(low, high)) = range else { return given.clone() };
    let fits = |most: i64| low >= 0 && high <= most;
    let limit = 10i64.pow(u32::from(DIGITS_32));
    match given {
        DataType::UInt32 | DataType::Int64 if fits(u8::MAX.into()) => DataType::UInt8,
        DataType::UInt32 | DataType::Int64 if fits(u16::MAX.into()) => DataType::UInt16,
        DataType::Int64 if fits(u32::MAX.into()) => DataType::UInt32,
        DataType::Int64 if low >= i32::MIN.into() && high <= i32::MAX.into() => DataType::Int32,
        DataType::Decimal64(_, scale) if low > -limit && high < limit => DataType::Decimal32(DIGITS_32, *scale),
        other => other.clone(),
    }
}

/// Stretches of a column that follow each other, as one array of the type that [`narrowest`] found.
pub(crate) fn joined(pieces: &[ArrayRef], stored: &DataType) -> Result<ArrayRef, ArrowError> {
    let given = pieces.first().map_or(stored, |piece| piece.data_type());
    // Only what lies under a null may be cut off.
    Ok(match (given, stored) {
        (DataType::UInt32, DataType::UInt8) => cast::<UInt32Type, UInt8Type>(pieces, stored, |v| v as u8),
        (DataType::UInt32, DataType::UInt16) => cast::<UInt32Type, UInt16Type>(pieces, stored, |v| v as u16),
        (DataType::Int64, DataType::UInt8) => cast::<Int64Type, UInt8Type>(pieces, stored, |v| v as u8),
        (DataType::Int64, DataType::UInt16) => cast::<Int64Type, UInt16Type>(pieces, stored, |v| v as u16),
        (DataType::Int64, DataType::UInt32) => cast::<Int64Type, UInt32Type>(pieces, stored, |v| v as u32),
        (DataType::Int64, DataType::Int32) => cast::<Int64Type, Int32Type>(pieces, stored, |v| v as i32),
        (DataType::Decimal64(..), DataType::Decimal32(..)) => {
            cast::<Decimal64Type, Decimal32Type>(pieces, stored, |v| v as i32)
        }
        _ => match pieces {
            [one] => one.clone(),
            many => arrow_select::concat::concat(&many.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>())?,
        },
    })
}

fn cast<F: ArrowPrimitiveType, T: ArrowPrimitiveType>(
    pieces: &[ArrayRef],
    stored: &DataType,
    narrow: impl Fn(F::Native) -> T::Native,
) -> ArrayRef {
    let rows = pieces.iter().map(|piece| piece.len()).sum();
    let mut values: Vec<T::Native> = Vec::with_capacity(rows);
    for piece in pieces {
        values.extend(piece.as_primitive::<F>().values().iter().map(|value| narrow(*value)));
    }
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls(pieces, rows)).with_data_type(stored.clone()))
}

fn nulls(pieces: &[ArrayRef], rows: usize) -> Option<NullBuffer> {
    if let [one] = pieces {
        return one.nulls().cloned();
    }
    if pieces.iter().all(|piece| piece.null_count() == 0) {
        return None;
    }
    let mut valid = BooleanBufferBuilder::new(rows);
    for piece in pieces {
        match piece.nulls() {
            Some(nulls) => valid.append_buffer(nulls.inner()),
            None => valid.append_n(piece.len(), true),
        }
    }
    Some(NullBuffer::new(valid.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed test should stop where it fails.
    use super::*;
    use crate::column::Presented;
    use crate::segment_index::{Stored, range};
    use crate::state::IdKind;
    use arrow_array::{Decimal64Array, Int64Array, UInt32Array};
    use kepi_extension::ColumnKind;
    use proptest::prelude::*;

    /// Narrowed in pieces and presented again.
    fn back(column: &ArrayRef, presented: &Presented, cut: usize) -> (ArrayRef, DataType) {
        let stored = narrowest(column.data_type(), range(column));
        assert!(Stored::of(&stored).is_some());
        let pieces = match cut {
            0 => vec![column.clone()],
            cut => vec![column.slice(0, cut), column.slice(cut, column.len() - cut)],
        };
        let narrow = joined(&pieces, &stored).unwrap();
        assert_eq!(*narrow.data_type(), stored);
        assert_eq!(range(&narrow), range(column));
        (presented.present(Some(narrow), column.len()).unwrap(), stored)
    }

    /// Numbers around the limits of all widths, and any.
    fn number() -> impl Strategy<Value = i64> {
        let edges = [0, 255, 256, 65_535, 65_536, 1 << 31, 1 << 32, 999_999_999, 1_000_000_000, i64::MAX];
        prop_oneof![
            (0..edges.len(), -2..3i64, any::<bool>()).prop_map(move |(edge, by, negative)| {
                let value = edges[edge].saturating_add(by);
                if negative { value.wrapping_neg() } else { value }
            }),
            any::<i64>(),
            Just(i64::MIN),
        ]
    }

    /// Values of which none is larger than some limit, and a place to cut them.
    fn numbers() -> impl Strategy<Value = (Vec<Option<i64>>, usize)> {
        (number(), number()).prop_flat_map(|(one, other)| {
            let values = proptest::collection::vec(proptest::option::weighted(0.9, number()), 1..40);
            values.prop_flat_map(move |mut values| {
                let (low, high) = (one.min(other), one.max(other));
                values.iter_mut().flatten().for_each(|v| *v = (*v).clamp(low, high));
                let length = values.len();
                (Just(values), 0..length)
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn ids_come_back((values, cut) in numbers()) {
            let column: ArrayRef = Arc::new(Int64Array::from(values));
            prop_assert_eq!(&back(&column, &Presented::RowId(IdKind::Number), cut).0, &column);
            let texts = Presented::RowId(IdKind::Text);
            let wide = texts.present(Some(column.clone()), column.len()).unwrap();
            prop_assert_eq!(&back(&column, &texts, cut).0, &wide);
        }

        #[test]
        fn codes_come_back((values, cut) in numbers()) {
            let codes: UInt32Array = values.iter().map(|v| v.map(|v| v as u32)).collect();
            let column: ArrayRef = Arc::new(codes);
            let presented = Presented::Field(ColumnKind::Code, None);
            prop_assert_eq!(&back(&column, &presented, cut).0, &column);
        }

        #[test]
        fn amounts_come_back((values, cut) in numbers(), more in 0..3u8) {
            let limit = 10i64.pow(18 - u32::from(more)) - 1;
            let digits: Decimal64Array = values.iter().map(|v| v.map(|v| v.clamp(-limit, limit))).collect();
            let column: ArrayRef = Arc::new(digits.with_data_type(DataType::Decimal64(18, 2)));
            for kind in [ColumnKind::Decimal { scale: 2 + more }, ColumnKind::Float] {
                let presented = Presented::Field(kind, None);
                let wide = presented.present(Some(column.clone()), column.len()).unwrap();
                prop_assert_eq!(&back(&column, &presented, cut).0, &wide);
            }
        }
    }

    #[test]
    fn widths_follow_the_values() {
        let of = |given: &DataType, low, high| narrowest(given, Some(Range::Whole(low, high)));
        let (ids, codes, money) = (DataType::Int64, DataType::UInt32, DataType::Decimal64(18, 2));
        assert_eq!(of(&ids, 0, 255), DataType::UInt8);
        assert_eq!(of(&ids, -1, 255), DataType::Int32);
        assert_eq!(of(&ids, 0, 1 << 32), DataType::Int64);
        assert_eq!(of(&codes, 0, 65_535), DataType::UInt16);
        assert_eq!(of(&codes, 0, 65_536), DataType::UInt32);
        assert_eq!(of(&money, -999_999_999, 5), DataType::Decimal32(9, 2));
        assert_eq!(of(&money, 5, 1_000_000_000), money);
        assert_eq!(narrowest(&money, None), money);
    }
}
