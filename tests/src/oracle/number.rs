//! Numbers that stay exact as long as they fit: fractions of two 128-bit integers, else floats.

use std::cmp::Ordering;

/// A number: an exact fraction while it fits, else a float.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// `over / under` in lowest terms, `under > 0`.
    Exact {
        /// The numerator.
        over: i128,
        /// The denominator, positive.
        under: i128,
    },
    /// A number that is no short fraction: a root, a logarithm, a very large product.
    Float(f64),
}

impl Number {
    /// Zero.
    pub const ZERO: Number = Number::Exact { over: 0, under: 1 };

    /// An integer.
    pub fn whole(value: i128) -> Number {
        Number::Exact { over: value, under: 1 }
    }

    /// A fraction in lowest terms; none when the denominator is zero.
    pub fn fraction(over: i128, under: i128) -> Option<Number> {
        if under == 0 {
            return None;
        }
        let divisor = greatest_divisor(over.unsigned_abs(), under.unsigned_abs());
        // The divisor of two i128 is at most 2^127, which only a numerator of i128::MIN reaches.
        let divisor = i128::try_from(divisor).ok()?;
        let sign = if under < 0 { -1 } else { 1 };
        Some(Number::Exact { over: over / divisor * sign, under: under / divisor * sign })
    }

    /// Reads `12`, `-1.50`, `1_000`, `1.2M`, `100k`, `3bn`; none when the text is no such number.
    pub fn parse(text: &str) -> Option<Number> {
        let text = text.trim().replace('_', "");
        let (digits, factor) = match () {
            () if text.ends_with("bn") => (&text[..text.len() - 2], 1_000_000_000),
            () if text.ends_with('M') => (&text[..text.len() - 1], 1_000_000),
            () if text.ends_with('k') => (&text[..text.len() - 1], 1_000),
            () => (&text[..], 1),
        };
        let (negative, digits) = digits.strip_prefix('-').map_or((false, digits), |rest| (true, rest));
        let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
        if before.is_empty() || digits.ends_with('.') {
            return None;
        }
        if !before.bytes().chain(after.bytes()).all(|b| b.is_ascii_digit()) {
            return None;
        }
        let all: i128 = format!("{before}{after}").parse().ok()?;
        let under = 10_i128.checked_pow(u32::try_from(after.len()).ok()?)?;
        let signed = if negative { -all } else { all };
        Number::fraction(signed.checked_mul(factor)?, under)
    }

    /// The nearest float.
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Exact { over, under } => over as f64 / under as f64,
            Number::Float(value) => value,
        }
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        match self {
            Number::Exact { over, .. } => over == 0,
            Number::Float(value) => value == 0.0,
        }
    }

    /// The sum.
    pub fn plus(self, other: Number) -> Number {
        let exact = |a: i128, b: i128, c: i128, d: i128| {
            Number::fraction(a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?, b.checked_mul(d)?)
        };
        self.combine(other, exact, |x, y| x + y)
    }

    /// The difference.
    pub fn minus(self, other: Number) -> Number {
        self.plus(other.negated())
    }

    /// The product.
    pub fn times(self, other: Number) -> Number {
        let exact = |a: i128, b: i128, c: i128, d: i128| Number::fraction(a.checked_mul(c)?, b.checked_mul(d)?);
        self.combine(other, exact, |x, y| x * y)
    }

    /// The quotient; none when the divisor is zero.
    pub fn divided_by(self, other: Number) -> Option<Number> {
        if other.is_zero() {
            return None;
        }
        let exact = |a: i128, b: i128, c: i128, d: i128| Number::fraction(a.checked_mul(d)?, b.checked_mul(c)?);
        Some(self.combine(other, exact, |x, y| x / y))
    }

    /// The number with the other sign.
    pub fn negated(self) -> Number {
        match self {
            Number::Exact { over, under } => Number::Exact { over: -over, under },
            Number::Float(value) => Number::Float(-value),
        }
    }

    /// The number without its sign.
    pub fn absolute(self) -> Number {
        if self.compare(Number::ZERO) == Ordering::Less { self.negated() } else { self }
    }

    /// The largest integer that is not larger.
    pub fn floor(self) -> Number {
        match self {
            Number::Exact { over, under } => Number::whole(over.div_euclid(under)),
            Number::Float(value) => Number::Float(value.floor()),
        }
    }

    /// The smallest integer that is not smaller.
    pub fn ceiling(self) -> Number {
        self.negated().floor().negated()
    }

    /// Rounded to a number of decimals, halves away from zero.
    pub fn rounded(self, decimals: u32) -> Number {
        let scale = Number::whole(10_i128.pow(decimals.min(30)));
        let half = Number::Exact { over: 1, under: 2 };
        let size = self.absolute().times(scale).plus(half).floor();
        let size = size.divided_by(scale).unwrap_or(Number::ZERO);
        if self.compare(Number::ZERO) == Ordering::Less { size.negated() } else { size }
    }

    /// Which is larger.
    pub fn compare(self, other: Number) -> Ordering {
        if let (Number::Exact { over: a, under: b }, Number::Exact { over: c, under: d }) = (self, other)
            && let (Some(left), Some(right)) = (a.checked_mul(d), c.checked_mul(b))
        {
            return left.cmp(&right);
        }
        self.to_f64().total_cmp(&other.to_f64())
    }

    /// Whether both are the same up to a relative error of 1e-9.
    pub fn is_close_to(self, other: Number) -> bool {
        if self.compare(other) == Ordering::Equal {
            return true;
        }
        let (a, b) = (self.to_f64(), other.to_f64());
        (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-6)
    }

    fn combine(
        self,
        other: Number,
        exact: impl Fn(i128, i128, i128, i128) -> Option<Number>,
        float: impl Fn(f64, f64) -> f64,
    ) -> Number {
        if let (Number::Exact { over: a, under: b }, Number::Exact { over: c, under: d }) = (self, other)
            && let Some(number) = exact(a, b, c, d)
        {
            return number;
        }
        Number::Float(float(self.to_f64(), other.to_f64()))
    }
}

/// Writes it as a decimal: in full where it ends within nine places, else rounded to six.
impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Number::Exact { over, under } = *self else {
            return write!(f, "{:.6}", self.to_f64());
        };
        let mut scale: i128 = 1;
        for places in 0..=9_usize {
            if scale % under == 0 {
                let Some(digits) = over.checked_mul(scale / under) else { break };
                let sign = if digits < 0 { "-" } else { "" };
                let digits = format!("{:0width$}", digits.unsigned_abs(), width = places + 1);
                let (before, after) = digits.split_at(digits.len() - places);
                let point = if places == 0 { "" } else { "." };
                return write!(f, "{sign}{before}{point}{after}");
            }
            scale *= 10;
        }
        match self.rounded(6) {
            rounded @ Number::Exact { .. } => write!(f, "{:.6}", rounded.to_f64()),
            Number::Float(value) => write!(f, "{value:.6}"),
        }
    }
}

fn greatest_divisor(a: u128, b: u128) -> u128 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test may stop.
    use super::*;

    #[test]
    fn a_third_three_times_is_one() {
        let third = Number::fraction(1, 3).unwrap();
        assert_eq!(third.plus(third).plus(third).compare(Number::whole(1)), Ordering::Equal);
    }

    #[test]
    fn decimals_are_read_and_written_as_they_are() {
        for (text, written) in
            [("-1.50", "-1.5"), ("1.2M", "1200000"), ("0.05", "0.05"), ("7", "7"), ("-0.25", "-0.25")]
        {
            assert_eq!(Number::parse(text).unwrap().to_string(), written);
        }
        assert!(Number::parse("1.").is_none());
        assert!(Number::parse("abc").is_none());
        assert_eq!(Number::fraction(1, 3).unwrap().to_string(), "0.333333");
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        assert_eq!(Number::parse("2.5").unwrap().rounded(0).to_string(), "3");
        assert_eq!(Number::parse("-2.5").unwrap().rounded(0).to_string(), "-3");
        assert_eq!(Number::parse("1.005").unwrap().rounded(2).to_string(), "1.01");
    }
}
