//! Sums of floats and of squares that are exact until they are read: the same digits whatever the order.

use crate::rows::power_f64;
use arrow_buffer::i256;
use serde::{Deserialize, Serialize};

/// An exact sum of floats, as floats that do not overlap (Shewchuk). Reading it rounds once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FloatSum {
    parts: Vec<f64>,
    /// The sum of what is infinite or no number: no order can change it.
    special: f64,
}

impl FloatSum {
    /// Adds a float.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        if !value.is_finite() {
            self.special += value;
            return;
        }
        let mut x = value;
        let mut kept = 0;
        for i in 0..self.parts.len() {
            let mut y = self.parts[i];
            if x.abs() < y.abs() {
                std::mem::swap(&mut x, &mut y);
            }
            let high = x + y;
            let low = y - (high - x);
            if low != 0.0 {
                self.parts[kept] = low;
                kept += 1;
            }
            x = high;
        }
        self.parts.truncate(kept);
        if x.is_finite() {
            self.parts.push(x);
        } else {
            self.special += x;
        }
    }

    /// Adds the exact product of two floats.
    pub(crate) fn add_product(&mut self, a: f64, b: f64) {
        let high = a * b;
        self.add(high);
        if high.is_finite() {
            self.add(a.mul_add(b, -high));
        }
    }

    /// Adds another sum.
    pub(crate) fn merge(&mut self, other: &FloatSum) {
        for &part in &other.parts {
            self.add(part);
        }
        self.special += other.special;
    }

    /// Takes away what another sum was when this one was no more than it; of finite values nothing else remains.
    pub(crate) fn subtract(&mut self, other: &FloatSum) {
        for &part in &other.parts {
            self.add(-part);
        }
        self.special -= other.special;
    }

    /// The sum, correctly rounded.
    pub(crate) fn value(&self) -> f64 {
        if self.special != 0.0 {
            return self.special;
        }
        let mut rest = self.parts.iter().rev();
        let Some(&first) = rest.next() else { return 0.0 };
        let mut high = first;
        let mut low = 0.0;
        for &part in rest.by_ref() {
            let sum = high + part;
            low = part - (sum - high);
            high = sum;
            if low != 0.0 {
                break;
            }
        }
        // What lies below decides a tie.
        if let Some(&next) = rest.next()
            && ((low < 0.0 && next < 0.0) || (low > 0.0 && next > 0.0))
        {
            let twice = low * 2.0;
            let sum = high + twice;
            if twice == sum - high {
                high = sum;
            }
        }
        high
    }
}

/// What a standard deviation needs: how many, their sum and that of their squares, exactly.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    count: i64,
    /// Of decimals' digits.
    sum: i128,
    /// Of the squares of decimals' digits, as the low and the high half.
    squares: (u128, i128),
    /// Of floats.
    floats: FloatSum,
    float_squares: FloatSum,
}

impl Spread {
    /// Adds a decimal's digits.
    pub(crate) fn add_digits(&mut self, digits: i64) {
        self.count += 1;
        self.sum += i128::from(digits);
        let square = (i128::from(digits) * i128::from(digits)).unsigned_abs();
        let (low, carry) = self.squares.0.overflowing_add(square);
        self.squares = (low, self.squares.1 + i128::from(carry));
    }

    /// Adds a float.
    pub(crate) fn add_float(&mut self, value: f64) {
        self.count += 1;
        self.floats.add(value);
        self.float_squares.add_product(value, value);
    }

    /// Adds another one.
    pub(crate) fn merge(&mut self, other: &Spread) {
        self.count += other.count;
        self.sum += other.sum;
        let (low, carry) = self.squares.0.overflowing_add(other.squares.0);
        self.squares = (low, self.squares.1 + other.squares.1 + i128::from(carry));
        self.floats.merge(&other.floats);
        self.float_squares.merge(&other.float_squares);
    }

    /// The standard deviation of a sample, of digits of this scale or of floats; missing of fewer than two values.
    pub(crate) fn deviation(&self, scale: Option<u8>) -> Option<f64> {
        if self.count < 2 {
            return None;
        }
        let n = self.count as f64;
        // n Σx² - (Σx)² is computed without rounding, for its terms nearly cancel.
        let numerator = match scale {
            Some(_) => {
                let squares = i256::from_parts(self.squares.0, self.squares.1);
                let sum = i256::from_i128(self.sum);
                let n = i256::from_i128(i128::from(self.count));
                float_of(squares.wrapping_mul(n).wrapping_sub(sum.wrapping_mul(sum)))
            }
            None => {
                let mut exact = FloatSum::default();
                for &part in &self.float_squares.parts {
                    exact.add_product(part, n);
                }
                for &a in &self.floats.parts {
                    for &b in &self.floats.parts {
                        exact.add_product(-a, b);
                    }
                }
                exact.merge(&FloatSum { parts: vec![], special: self.float_squares.special + self.floats.special });
                exact.value()
            }
        };
        let unit = scale.map_or(1.0, |s| power_f64(s) * power_f64(s));
        Some((numerator.max(0.0) / (n * (n - 1.0) * unit)).sqrt())
    }
}

fn float_of(value: i256) -> f64 {
    let (low, high) = value.to_parts();
    high as f64 * 2_f64.powi(128) + low as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_sum_does_not_depend_on_the_order() {
        proptest!(|(mut values in proptest::collection::vec(-1e18..1e18_f64, 0..60), seed in 0..1000_usize)| {
            let mut forward = FloatSum::default();
            values.iter().for_each(|&v| forward.add(v));
            let middle = seed % (values.len() + 1);
            values.rotate_left(middle);
            let (mut left, mut right) = (FloatSum::default(), FloatSum::default());
            values.iter().take(middle).for_each(|&v| left.add(v));
            values.iter().skip(middle).for_each(|&v| right.add(v));
            right.merge(&left);
            prop_assert_eq!(forward.value().to_bits(), right.value().to_bits());
        });
    }

    #[test]
    fn a_small_value_survives_a_large_one() {
        let mut sum = FloatSum::default();
        [1e100, 1.0, -1e100, 0.1, 0.2, -0.3].iter().for_each(|&v| sum.add(v));
        assert_eq!(sum.value(), 1.0 + 2.7755575615628914e-17);
    }

    #[test]
    fn the_deviation_of_four_values_is_known() {
        let mut digits = Spread::default();
        [200, 400, 400, 600].iter().for_each(|&d| digits.add_digits(d));
        let mut floats = Spread::default();
        [2.0, 4.0, 4.0, 6.0].iter().for_each(|&d| floats.add_float(d));
        let expected = (8.0_f64 / 3.0).sqrt();
        assert_eq!(digits.deviation(Some(2)), Some(expected));
        assert_eq!(floats.deviation(None), Some(expected));
        let mut far = Spread::default();
        [1e15, 1e15 + 2.0].iter().for_each(|&d| far.add_float(d));
        assert_eq!(far.deviation(None), Some(2.0_f64.sqrt()));
    }
}
