//! Numbers and money on their way in: exact fixed point where every value fits, else floats; money is never a float.

use crate::column::{POWERS, as_floats, rescaled};
use crate::state::StoredKind;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal32Type, Decimal64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
};
use arrow_array::{Array, ArrayRef, Decimal64Array, Float64Array, PrimitiveArray};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use std::sync::Arc;

/// Digits behind the point that fixed point can have.
const SCALE_MAX: u8 = 9;
/// Fixed point values have at most 18 digits.
const DIGITS_END: i64 = POWERS[18];

/// What the numbers of a column are like, all loads together. See [`StoredKind::Number`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) money: bool,
    pub(crate) float: bool,
    pub(crate) scale: u8,
    pub(crate) most: u64,
}

/// A batch of numbers, converted.
pub(crate) struct Numbers {
    /// `Decimal64` or `Float64`.
    pub(crate) values: ArrayRef,
    /// The column's shape with these values in it.
    pub(crate) shape: Shape,
    /// Rows that cannot be stored, and why.
    pub(crate) rejected: Vec<(usize, String)>,
}

impl Shape {
    /// The shape as it is stored.
    pub(crate) fn kind(self) -> StoredKind {
        StoredKind::Number { money: self.money, float: self.float, scale: self.scale, most: self.most }
    }

    /// Whether decimals of this many digits behind the point and this size still fit beside what is there; if so the
    /// shape with them.
    fn with(self, scale: u8, most: u64) -> Option<Shape> {
        let (scale, most) = (self.scale.max(scale), self.most.max(most));
        let digits = u128::from(most) * POWERS[usize::from(scale)] as u128;
        (digits < DIGITS_END as u128).then_some(Shape { scale, most, ..self })
    }

    /// Converts a batch; none: the Arrow type is not one of numbers.
    pub(crate) fn convert(self, array: &ArrayRef) -> Option<Numbers> {
        if *array.data_type() == DataType::Null {
            let values = Arc::new(Decimal64Array::new_null(array.len()).with_data_type(DataType::Decimal64(18, 0)));
            return Some(Numbers { values, shape: self, rejected: Vec::new() });
        }
        let mut digits = digits(array, self.money)?;
        if self.float {
            return Some(self.floats(array, digits.rejected));
        }
        // The fewest digits behind the point that keep every value.
        let mut scale = 0;
        let mut largest = 0u64;
        for &value in &digits.values {
            while scale < digits.scale && value % POWERS[usize::from(digits.scale - scale)] != 0 {
                scale += 1;
            }
            largest = largest.max(value.unsigned_abs());
        }
        let power = POWERS[usize::from(digits.scale)] as u64;
        let whole = digits.misfits.is_empty().then(|| self.with(scale, largest.div_ceil(power))).flatten();
        let shape = match whole {
            Some(shape) => shape,
            None if !self.money => return Some(Shape { float: true, ..self }.floats(array, digits.rejected)),
            None => {
                let (shape, used) = self.row_by_row(&mut digits);
                scale = used;
                shape
            }
        };
        let divisor = POWERS[usize::from(digits.scale - scale)];
        if divisor > 1 {
            digits.values.iter_mut().for_each(|value| *value /= divisor);
        }
        let values = Decimal64Array::new(digits.values.into(), digits.nulls)
            .with_data_type(DataType::Decimal64(18, scale as i8));
        Some(Numbers { values: Arc::new(values), shape, rejected: digits.rejected })
    }

    /// Takes what money fits, in the order of the rows, and rejects the rest. Rejected values are set to 0.
    fn row_by_row(self, digits: &mut Digits) -> (Shape, u8) {
        let mut shape = self;
        let mut scale = 0;
        let power = POWERS[usize::from(digits.scale)] as u64;
        let misfits = std::mem::take(&mut digits.misfits);
        let mut misfits = misfits.into_iter().peekable();
        for row in 0..digits.values.len() {
            if misfits.next_if_eq(&row).is_some() {
                digits.rejected.push((row, format!("has more than {SCALE_MAX} decimals or 18 digits")));
                continue;
            }
            let value = digits.values[row];
            let mut needed = 0;
            while needed < digits.scale && value % POWERS[usize::from(digits.scale - needed)] != 0 {
                needed += 1;
            }
            match shape.with(needed, value.unsigned_abs().div_ceil(power)) {
                Some(with) => (shape, scale) = (with, scale.max(needed)),
                None => {
                    digits.values[row] = 0;
                    digits.rejected.push((row, "does not fit into 18 digits beside the column's other values".into()));
                }
            }
        }
        digits.rejected.sort();
        (shape, scale)
    }

    fn floats(self, array: &ArrayRef, rejected: Vec<(usize, String)>) -> Numbers {
        let values = float_values(array).unwrap_or_else(|| Arc::new(Float64Array::new_null(array.len())));
        Numbers { values, shape: self, rejected }
    }
}

/// Batches of a column, as the column's final shape stores them.
pub(crate) fn settled(pieces: &[ArrayRef], shape: Shape) -> Vec<ArrayRef> {
    let scale = pieces.iter().filter_map(scale_of).max().unwrap_or(0);
    let settle = |piece: &ArrayRef| match shape.float {
        true => as_floats(piece),
        false if scale_of(piece) == Some(scale) => None,
        false => rescaled(piece, scale),
    };
    pieces.iter().map(|piece| settle(piece).unwrap_or_else(|| piece.clone())).collect()
}

fn scale_of(piece: &ArrayRef) -> Option<u8> {
    match piece.data_type() {
        DataType::Decimal64(_, scale) => u8::try_from(*scale).ok(),
        _ => None,
    }
}

/// Values as whole numbers of `10^-scale`, missing ones as 0.
struct Digits {
    values: Vec<i64>,
    scale: u8,
    nulls: Option<NullBuffer>,
    /// Rows whose values are no such numbers, rising; 0 in `values`.
    misfits: Vec<usize>,
    /// Rows that cannot be stored in any way: not finite.
    rejected: Vec<(usize, String)>,
}

fn digits(array: &ArrayRef, money: bool) -> Option<Digits> {
    match array.data_type() {
        DataType::Int8 => whole(array.as_primitive::<Int8Type>()),
        DataType::Int16 => whole(array.as_primitive::<Int16Type>()),
        DataType::Int32 => whole(array.as_primitive::<Int32Type>()),
        DataType::Int64 => wide(array.as_primitive::<Int64Type>(), 0),
        DataType::UInt8 => whole(array.as_primitive::<UInt8Type>()),
        DataType::UInt16 => whole(array.as_primitive::<UInt16Type>()),
        DataType::UInt32 => whole(array.as_primitive::<UInt32Type>()),
        DataType::Decimal32(_, scale) => wide(array.as_primitive::<Decimal32Type>(), *scale),
        DataType::Decimal64(_, scale) => wide(array.as_primitive::<Decimal64Type>(), *scale),
        DataType::Decimal128(_, scale) => wide(array.as_primitive::<Decimal128Type>(), *scale),
        DataType::Float32 => Some(of_floats(array.as_primitive::<Float32Type>(), money)),
        DataType::Float64 => Some(of_floats(array.as_primitive::<Float64Type>(), money)),
        _ => None,
    }
}

fn whole<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> Option<Digits>
where
    T::Native: Into<i64>,
{
    let mut values: Vec<i64> = array.values().iter().map(|&value| value.into()).collect();
    blank_nulls(&mut values, array.nulls());
    let nulls = array.nulls().cloned();
    Some(Digits { values, scale: 0, nulls, misfits: Vec::new(), rejected: Vec::new() })
}

fn wide<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, scale: i8) -> Option<Digits>
where
    T::Native: Into<i128>,
{
    let target = scale.clamp(0, SCALE_MAX as i8) as u8;
    let divisor = 10i128.checked_pow(u32::try_from((i32::from(scale) - i32::from(target)).max(0)).ok()?)?;
    let factor = 10i128.checked_pow(u32::try_from((-i32::from(scale)).max(0)).ok()?)?;
    let limit = i128::from(DIGITS_END);
    let mut misfits = Vec::new();
    let mut values = Vec::with_capacity(array.len());
    for (row, &value) in array.values().iter().enumerate() {
        let value: i128 = value.into();
        let fitted = match (divisor, factor) {
            (1, 1) => Some(value),
            (1, factor) => value.checked_mul(factor),
            (divisor, _) => (value % divisor == 0).then(|| value / divisor),
        };
        let fitted = fitted.filter(|value| value.abs() < limit);
        if fitted.is_none() && array.is_valid(row) {
            misfits.push(row);
        }
        values.push(fitted.unwrap_or(0) as i64);
    }
    blank_nulls(&mut values, array.nulls());
    Some(Digits { values, scale: target, nulls: array.nulls().cloned(), misfits, rejected: Vec::new() })
}

/// What lies under a null must not count for the column's scale and size.
fn blank_nulls(values: &mut [i64], nulls: Option<&NullBuffer>) {
    if let Some(nulls) = nulls {
        values.iter_mut().enumerate().filter(|(row, _)| nulls.is_null(*row)).for_each(|(_, value)| *value = 0);
    }
}

fn of_floats<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, money: bool) -> Digits
where
    T::Native: Into<f64> + ToString,
{
    let mut misfits = Vec::new();
    let mut rejected = Vec::new();
    let mut parts: Vec<(i64, u8)> = Vec::with_capacity(array.len());
    let mut scale = 0;
    let narrow = size_of::<T::Native>() == 4;
    for (row, &value) in array.values().iter().enumerate() {
        if array.is_null(row) {
            parts.push((0, 0));
            continue;
        }
        // A 32-bit 0.1 means 0.1, not the 64-bit number next to it: its shortest text says which.
        let value: f64 = if narrow { value.to_string().parse().unwrap_or(value.into()) } else { value.into() };
        if !value.is_finite() {
            rejected.push((row, "is not a finite number".into()));
            parts.push((0, 0));
            continue;
        }
        match decimal(value, scale, money) {
            Some((digits, used)) => {
                scale = scale.max(used);
                parts.push((digits, used));
            }
            None => {
                misfits.push(row);
                parts.push((0, 0));
            }
        }
    }
    let mut values = Vec::with_capacity(parts.len());
    for (row, (digits, used)) in parts.into_iter().enumerate() {
        match digits.checked_mul(POWERS[usize::from(scale - used)]).filter(|d| d.abs() < DIGITS_END) {
            Some(digits) => values.push(digits),
            None => {
                misfits.push(row);
                values.push(0);
            }
        }
    }
    misfits.sort_unstable();
    Digits { values, scale, nulls: array.nulls().cloned(), misfits, rejected }
}

/// The short decimal that a float stands for: at least `scale` digits behind the point are tried. Money may differ
/// by the last bits, which a computation such as 0.1 + 0.2 leaves; a plain number has to be the very same float.
fn decimal(value: f64, scale: u8, money: bool) -> Option<(i64, u8)> {
    let tolerance = if money { value.abs() * 4.0 * f64::EPSILON } else { 0.0 };
    (scale..=SCALE_MAX).find_map(|scale| {
        let power = POWERS[usize::from(scale)] as f64;
        let digits = (value * power).round();
        // Above 2^53 floats are no exact whole numbers.
        let fits = digits.abs() < 9_007_199_254_740_992.0 && (digits / power - value).abs() <= tolerance;
        fits.then_some((digits as i64, scale))
    })
}

fn float_values(array: &ArrayRef) -> Option<ArrayRef> {
    let floats = match array.data_type() {
        DataType::Float64 => return Some(array.clone()),
        DataType::Float32 => array.as_primitive::<Float32Type>().unary::<_, Float64Type>(f64::from),
        DataType::Int8 => array.as_primitive::<Int8Type>().unary::<_, Float64Type>(f64::from),
        DataType::Int16 => array.as_primitive::<Int16Type>().unary::<_, Float64Type>(f64::from),
        DataType::Int32 => array.as_primitive::<Int32Type>().unary::<_, Float64Type>(f64::from),
        DataType::Int64 => array.as_primitive::<Int64Type>().unary::<_, Float64Type>(|v| v as f64),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().unary::<_, Float64Type>(f64::from),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().unary::<_, Float64Type>(f64::from),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().unary::<_, Float64Type>(f64::from),
        DataType::Decimal32(_, scale) => {
            let power = 10f64.powi(i32::from(*scale));
            array.as_primitive::<Decimal32Type>().unary::<_, Float64Type>(|v| f64::from(v) / power)
        }
        DataType::Decimal64(_, scale) => {
            let power = 10f64.powi(i32::from(*scale));
            array.as_primitive::<Decimal64Type>().unary::<_, Float64Type>(|v| v as f64 / power)
        }
        DataType::Decimal128(_, scale) => {
            let power = 10f64.powi(i32::from(*scale));
            array.as_primitive::<Decimal128Type>().unary::<_, Float64Type>(|v| v as f64 / power)
        }
        _ => return None,
    };
    Some(Arc::new(floats))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed test should stop where it fails.
    use super::*;

    const FRESH: Shape = Shape { money: false, float: false, scale: 0, most: 0 };
    const MONEY: Shape = Shape { money: true, ..FRESH };

    fn digits_of(numbers: &Numbers) -> Vec<i64> {
        numbers.values.as_primitive::<Decimal64Type>().values().to_vec()
    }

    fn floats(values: &[f64]) -> ArrayRef {
        Arc::new(Float64Array::from(values.to_vec()))
    }

    #[test]
    fn trailing_zeros_cost_no_digits() {
        let given = arrow_array::Decimal128Array::from(vec![1_500_000_000, 20_000_000_000, -10_000_000_000]);
        let given: ArrayRef = Arc::new(given.with_precision_and_scale(38, 10).unwrap());
        let numbers = MONEY.convert(&given).unwrap();
        assert_eq!(digits_of(&numbers), [15, 200, -100]);
        assert_eq!(numbers.values.data_type(), &DataType::Decimal64(18, 2));
        assert_eq!((numbers.shape.scale, numbers.shape.most), (2, 2));
    }

    #[test]
    fn money_from_a_computation_is_the_decimal_that_was_meant() {
        let numbers = MONEY.convert(&floats(&[0.1 + 0.2, 1.1 * 3.0, 1e6 + 0.01])).unwrap();
        assert_eq!(digits_of(&numbers), [30, 330, 100_000_001]);
        let third = MONEY.convert(&floats(&[0.5, 1.0 / 3.0, f64::NAN])).unwrap();
        assert_eq!(third.rejected.iter().map(|r| r.0).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(digits_of(&third)[0], 5);
    }

    #[test]
    fn a_plain_number_that_is_no_short_decimal_makes_floats() {
        assert!(!FRESH.convert(&floats(&[0.1, 2.5])).unwrap().shape.float);
        let sum = FRESH.convert(&floats(&[0.1 + 0.2])).unwrap();
        assert!(sum.shape.float);
        assert_eq!(sum.values.as_primitive::<Float64Type>().value(0), 0.1 + 0.2);
        assert!(FRESH.convert(&floats(&[1e300])).unwrap().shape.float);
    }

    #[test]
    fn a_scale_that_stored_values_leave_no_room_for_is_refused() {
        let large: ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![10_000_000_000]));
        let shape = MONEY.convert(&large).unwrap().shape;
        let small = shape.convert(&floats(&[0.25, 0.123_456_789, 0.5])).unwrap();
        assert_eq!(small.rejected.iter().map(|r| r.0).collect::<Vec<_>>(), [1]);
        assert_eq!(digits_of(&small), [25, 0, 50]);
        assert_eq!(small.shape.scale, 2);
    }

    #[test]
    fn what_lies_under_a_null_does_not_count() {
        let values = vec![i64::MAX, 7].into();
        let nulls = Some(vec![false, true].into());
        let given: ArrayRef = Arc::new(arrow_array::Int64Array::new(values, nulls));
        let numbers = MONEY.convert(&given).unwrap();
        assert!(numbers.rejected.is_empty() && numbers.values.is_null(0));
        assert_eq!(numbers.shape.most, 7);
    }
}
