//! Numbers of cells: exact decimals as long as they stay exact, floats from there on.

use std::cmp::Ordering;

/// The most decimals that an exact product keeps; beyond it a product is a float.
pub(crate) const SCALE_MAX: u8 = 20;
/// The most digits of an exact number, as Arrow's `Decimal128` has them.
const DIGITS_MAX: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;

/// A number of a cell. A float is never NaN and never infinite.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// `digits * 10^-scale`.
    Exact(i128, u8),
    /// A binary number.
    Float(f64),
}

/// A number would be exact but has too many digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Number {
    /// A float as a number; none for what is no finite number. Minus zero becomes zero.
    pub(crate) fn float(value: f64) -> Option<Number> {
        value.is_finite().then_some(Number::Float(value + 0.0))
    }

    /// A whole number.
    pub(crate) fn whole(value: i64) -> Number {
        Number::Exact(i128::from(value), 0)
    }

    /// As a float, correctly rounded.
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Number::Float(value) => value,
            Number::Exact(digits, scale) => quotient(digits, power(scale)),
        }
    }

    /// The digits at a scale; none when they do not fit. Decimals that the scale has no place for round half away
    /// from zero.
    pub(crate) fn digits_at(self, scale: u8) -> Option<i128> {
        let Number::Exact(digits, own) = self else { return None };
        let moved = if own <= scale {
            digits.checked_mul(power_of(scale - own)?)?
        } else {
            divide_half_away(digits, power_of(own - scale)?)
        };
        (-DIGITS_MAX..=DIGITS_MAX).contains(&moved).then_some(moved)
    }

    /// Whether it is 0.
    pub(crate) fn is_zero(self) -> bool {
        match self {
            Number::Exact(digits, _) => digits == 0,
            Number::Float(value) => value == 0.0,
        }
    }

    /// Adds.
    pub(crate) fn add(self, other: Number) -> Result<Option<Number>, TooLong> {
        self.join(other, i128::checked_add, |a, b| a + b)
    }

    /// Subtracts.
    pub(crate) fn subtract(self, other: Number) -> Result<Option<Number>, TooLong> {
        self.join(other, i128::checked_sub, |a, b| a - b)
    }

    fn join(
        self,
        other: Number,
        exact: fn(i128, i128) -> Option<i128>,
        float: fn(f64, f64) -> f64,
    ) -> Result<Option<Number>, TooLong> {
        let (Number::Exact(_, a), Number::Exact(_, b)) = (self, other) else {
            return Ok(Number::float(float(self.as_f64(), other.as_f64())));
        };
        let scale = a.max(b);
        let digits = self.digits_at(scale).zip(other.digits_at(scale)).and_then(|(a, b)| exact(a, b));
        digits.filter(|d| (-DIGITS_MAX..=DIGITS_MAX).contains(d)).map(|d| Some(Number::Exact(d, scale))).ok_or(TooLong)
    }

    /// Multiplies; exact up to [`SCALE_MAX`] decimals.
    pub(crate) fn multiply(self, other: Number) -> Result<Option<Number>, TooLong> {
        match (self, other) {
            (Number::Exact(a, s), Number::Exact(b, t)) if s + t <= SCALE_MAX => {
                let digits = a.checked_mul(b).filter(|d| (-DIGITS_MAX..=DIGITS_MAX).contains(d));
                digits.map(|d| Some(Number::Exact(d, s + t))).ok_or(TooLong)
            }
            _ => Ok(Number::float(self.as_f64() * other.as_f64())),
        }
    }

    /// Divides to a float, correctly rounded where both are exact; none by 0.
    pub(crate) fn divide(self, other: Number) -> Option<Number> {
        if other.is_zero() {
            return None;
        }
        if let (Number::Exact(_, s), Number::Exact(_, t)) = (self, other) {
            let scale = s.max(t);
            if let Some((a, b)) = self.digits_at(scale).zip(other.digits_at(scale)) {
                return Number::float(quotient(a, b));
            }
        }
        Number::float(self.as_f64() / other.as_f64())
    }

    /// Turns the sign.
    pub(crate) fn negate(self) -> Option<Number> {
        match self {
            Number::Exact(digits, scale) => Some(Number::Exact(-digits, scale)),
            Number::Float(value) => Number::float(-value),
        }
    }

    /// Without its sign.
    pub(crate) fn abs(self) -> Option<Number> {
        match self {
            Number::Exact(digits, scale) => Some(Number::Exact(digits.abs(), scale)),
            Number::Float(value) => Number::float(value.abs()),
        }
    }

    /// To a number of decimals, half away from zero; negative: to tens, hundreds, …
    pub(crate) fn round(self, decimals: i32) -> Option<Number> {
        match self {
            Number::Exact(digits, scale) if decimals >= i32::from(scale) => Some(Number::Exact(digits, scale)),
            Number::Exact(digits, scale) => {
                let cut = u8::try_from(i32::from(scale).checked_sub(decimals)?).ok();
                let Some(factor) = cut.and_then(power_of) else { return Some(Number::Exact(0, 0)) };
                let kept = divide_half_away(digits, factor);
                match u8::try_from(decimals) {
                    Ok(scale) => Some(Number::Exact(kept, scale)),
                    Err(_) => Some(Number::Exact(kept.checked_mul(power_of(decimals.unsigned_abs() as u8)?)?, 0)),
                }
            }
            Number::Float(value) => {
                let factor = 10f64.powi(decimals);
                let scaled = value * factor;
                if factor.is_finite() && factor != 0.0 && scaled.is_finite() {
                    Number::float(scaled.round() / factor)
                } else if decimals < 0 {
                    Number::float(0.0)
                } else {
                    Number::float(value)
                }
            }
        }
    }

    /// The largest whole number that is not larger.
    pub(crate) fn floor(self) -> Option<Number> {
        match self {
            Number::Exact(digits, scale) => Some(Number::Exact(digits.div_euclid(power(scale)), 0)),
            Number::Float(value) => Number::float(value.floor()),
        }
    }

    /// The smallest whole number that is not smaller.
    pub(crate) fn ceil(self) -> Option<Number> {
        match self {
            Number::Exact(digits, scale) => Some(Number::Exact(-(-digits).div_euclid(power(scale)), 0)),
            Number::Float(value) => Number::float(value.ceil()),
        }
    }

    /// Which is larger; exact numbers by their exact values.
    pub(crate) fn compare(self, other: Number) -> Ordering {
        if let (Number::Exact(a, s), Number::Exact(b, t)) = (self, other) {
            let scale = s.max(t);
            if let Some((a, b)) = self.digits_at(scale).zip(other.digits_at(scale)) {
                return a.cmp(&b);
            }
            // One of them is too long for the other's scale, so it is the larger one by its sign.
            return match a.signum().cmp(&b.signum()) {
                Ordering::Equal => self.as_f64().total_cmp(&other.as_f64()),
                unequal => unequal,
            };
        }
        self.as_f64().total_cmp(&(other.as_f64()))
    }
}

/// A power of ten; a scale of a number is at most 38.
fn power(scale: u8) -> i128 {
    power_of(scale).unwrap_or(i128::MAX)
}

fn power_of(scale: u8) -> Option<i128> {
    10i128.checked_pow(u32::from(scale))
}

/// Divides by a positive number, half away from zero.
fn divide_half_away(digits: i128, by: i128) -> i128 {
    let (whole, rest) = (digits / by, digits % by);
    if rest.unsigned_abs() >= by.unsigned_abs() - rest.unsigned_abs() { whole + digits.signum() } else { whole }
}

/// The quotient of two whole numbers as the nearest float; the divisor is not 0.
fn quotient(dividend: i128, divisor: i128) -> f64 {
    const EXACT: u128 = 1 << 53;
    let negative = (dividend < 0) != (divisor < 0);
    let (a, b) = (dividend.unsigned_abs(), divisor.unsigned_abs());
    let value = if a <= EXACT && b <= EXACT { a as f64 / b as f64 } else { long_quotient(a, b) };
    if negative && value != 0.0 { -value } else { value }
}

/// Long division in binary until more bits stand than a float holds; what is left over only says which way to round.
fn long_quotient(a: u128, b: u128) -> f64 {
    if a == 0 {
        return 0.0;
    }
    let (mut bits, mut rest) = (a / b, a % b);
    let mut shift = 0;
    while bits < 1 << 64 && shift < 1000 {
        // `rest < b <= 2^127`, so doubling fits.
        rest <<= 1;
        bits = bits << 1 | u128::from(rest >= b);
        if rest >= b {
            rest -= b;
        }
        shift += 1;
    }
    let nearest = (bits | u128::from(rest != 0)) as f64;
    nearest * 2f64.powi(-shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Number::{Exact, Float};

    fn exact(number: Result<Option<Number>, TooLong>) -> (i128, u8) {
        match number {
            Ok(Some(Exact(digits, scale))) => (digits, scale),
            other => panic!("not exact: {other:?}"),
        }
    }

    #[test]
    fn sums_and_products_of_decimals_are_exact() {
        assert_eq!(exact(Exact(10, 2).add(Exact(2, 1))), (30, 2));
        assert_eq!(exact(Exact(1, 0).subtract(Exact(1, 3))), (999, 3));
        assert_eq!(exact(Exact(15, 1).multiply(Exact(15, 1))), (225, 2));
        assert!(Exact(i128::MAX / 2, 0).add(Exact(1, 9)).is_err());
        assert!(matches!(Exact(1, 15).multiply(Exact(1, 15)), Ok(Some(Float(_)))));
    }

    #[test]
    fn a_quotient_is_the_nearest_float() {
        assert_eq!(Exact(1, 0).divide(Exact(3, 0)).map(Number::as_f64), Some(1.0 / 3.0));
        assert_eq!(Exact(30, 2).divide(Exact(1, 1)).map(Number::as_f64), Some(3.0));
        assert_eq!(Exact(-1, 1).as_f64(), -0.1);
        // 2^60 + 1 over 3 is 384307168202282325.67; floats stand 64 apart there.
        assert_eq!(quotient((1 << 60) + 1, 3), 384_307_168_202_282_325.0);
        let digits = 123_456_789_012_345_678_901_234_567_890_i128;
        assert_eq!(Exact(digits, 10).as_f64(), "12345678901234567890.1234567890".parse::<f64>().unwrap_or(0.0));
        assert_eq!(Exact(1, 30).as_f64(), 1e-30);
        assert!(Exact(1, 0).divide(Exact(0, 5)).is_none());
    }

    #[test]
    fn rounding_goes_half_away_from_zero() {
        let round = |digits, scale, to| Exact(digits, scale).round(to).and_then(|n| n.digits_at(2));
        assert_eq!(round(125, 2, 1), Some(130));
        assert_eq!(round(-125, 2, 1), Some(-130));
        assert_eq!(round(12_500, 2, -2), Some(10_000));
        assert_eq!(Float(2.5).round(0).map(Number::as_f64), Some(3.0));
        assert_eq!(Exact(-15, 1).floor().and_then(|n| n.digits_at(0)), Some(-2));
        assert_eq!(Exact(-15, 1).ceil().and_then(|n| n.digits_at(0)), Some(-1));
    }

    #[test]
    fn decimals_compare_by_their_value() {
        assert_eq!(Exact(10, 1).compare(Exact(1, 0)), Ordering::Equal);
        assert_eq!(Exact(1, 1).compare(Float(0.1)), Ordering::Equal);
        assert_eq!(Exact(DIGITS_MAX, 0).compare(Exact(1, 20)), Ordering::Greater);
        assert_eq!(Float(0.0).compare(Number::float(-0.0).unwrap_or(Float(1.0))), Ordering::Equal);
    }
}
