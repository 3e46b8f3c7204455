//! Numbers as text: exact for machines, rounded and grouped for people.

use crate::cell::Cell;

/// The number exactly, without needless zeros: `1200.5`; a float in its shortest form that reads back the same.
/// None for what is no number.
pub(crate) fn exact(cell: Cell<'_>) -> Option<String> {
    match cell {
        Cell::Decimal(digits, scale) => Some(exact_decimal(digits, scale)),
        // JSON and people both take this form: `0.1`, `1e300`.
        Cell::Float(x) if x.is_finite() => serde_json::Number::from_f64(x).map(|n| {
            let text = n.to_string();
            text.strip_suffix(".0").map(str::to_string).unwrap_or(text)
        }),
        _ => None,
    }
}

fn exact_decimal(mut digits: i128, scale: i8) -> String {
    let mut scale = i32::from(scale);
    while scale > 0 && digits % 10 == 0 {
        digits /= 10;
        scale -= 1;
    }
    if scale <= 0 {
        let zeros = if digits == 0 { 0 } else { scale.unsigned_abs() as usize };
        return format!("{digits}{}", "0".repeat(zeros));
    }
    let scale = scale.unsigned_abs() as usize;
    let all = format!("{:0width$}", digits.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = all.split_at(all.len() - scale);
    format!("{}{whole}.{fraction}", if digits < 0 { "-" } else { "" })
}

/// The number times `10^shift`, rounded to some decimals (half away from zero), digits grouped by thousands.
/// None for what is no number.
pub(crate) fn rounded(cell: Cell<'_>, shift: i32, decimals: usize) -> Option<String> {
    let plain = match cell {
        Cell::Decimal(digits, scale) => match rounded_digits(digits, i32::from(scale) - shift, decimals) {
            Some(digits) => fixed(digits, decimals),
            None => format!("{:.decimals$}", cell.number()? * 10f64.powi(shift)),
        },
        _ => format!("{:.decimals$}", cell.number()? * 10f64.powi(shift)),
    };
    Some(grouped(&plain))
}

/// Digits of `digits * 10^-scale` at `10^-decimals`; none beyond 128 bits.
fn rounded_digits(digits: i128, scale: i32, decimals: usize) -> Option<i128> {
    let drop = scale - i32::try_from(decimals).ok()?;
    if drop <= 0 {
        return digits.checked_mul(10i128.checked_pow(drop.unsigned_abs())?);
    }
    let Some(unit) = 10i128.checked_pow(drop.unsigned_abs()) else { return Some(0) };
    let (whole, rest) = (digits / unit, digits % unit);
    let up = rest.unsigned_abs() >= unit.unsigned_abs().div_ceil(2);
    Some(whole + if up { digits.signum() } else { 0 })
}

fn fixed(digits: i128, decimals: usize) -> String {
    let all = format!("{:0width$}", digits.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = all.split_at(all.len() - decimals);
    let sign = if digits < 0 { "-" } else { "" };
    if decimals == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Puts commas between thousands; a zero loses its sign.
fn grouped(plain: &str) -> String {
    let (sign, rest) = plain.strip_prefix('-').map_or(("", plain), |rest| ("-", rest));
    let sign = if rest.bytes().all(|b| b == b'0' || b == b'.') { "" } else { sign };
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(w, f)| (w, Some(f)));
    let mut text = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// Whether a number has nothing behind the point; yes for what is no number.
pub(crate) fn is_whole(cell: Cell<'_>) -> bool {
    match cell {
        Cell::Decimal(digits, scale) if scale > 0 => {
            10i128.checked_pow(u32::from(scale.unsigned_abs())).is_none_or(|unit| digits % unit == 0)
        }
        Cell::Float(x) => x.fract() == 0.0,
        _ => true,
    }
}

/// A large number in three significant digits with `M` or `bn`: `1.2M`, `12.3M`, `1.23bn`. None below a million.
pub(crate) fn compact(cell: Cell<'_>) -> Option<String> {
    let size = cell.number()?.abs();
    let (shift, letters) = match size {
        // What would round to 1,000M is a billion.
        s if s >= 999.5e6 => (-9, "bn"),
        s if s >= 1e6 => (-6, "M"),
        _ => return None,
    };
    let scaled = size * 10f64.powi(shift);
    let decimals = if scaled < 9.995 { 2 } else { usize::from(scaled < 99.95) };
    let text = rounded(cell, shift, decimals)?;
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    Some(format!("{text}{letters}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    #[test]
    fn exact_keeps_every_digit() {
        assert_eq!(exact(Cell::Decimal(120_050, 2)).unwrap(), "1200.5");
        assert_eq!(exact(Cell::Decimal(-5, 3)).unwrap(), "-0.005");
        assert_eq!(exact(Cell::Decimal(i128::MIN, 38)).unwrap(), "-1.70141183460469231731687303715884105728");
        assert_eq!(exact(Cell::Decimal(12, -3)).unwrap(), "12000");
        assert_eq!(exact(Cell::Decimal(0, 2)).unwrap(), "0");
        assert_eq!(exact(Cell::Float(0.1)).unwrap(), "0.1");
        assert_eq!(exact(Cell::Float(1e300)).unwrap().parse::<f64>().unwrap(), 1e300);
        assert_eq!(exact(Cell::Float(-2.0)).unwrap(), "-2");
        assert_eq!(exact(Cell::Float(f64::NAN)), None);
    }

    #[test]
    fn rounding_is_away_from_zero_and_grouped() {
        assert_eq!(rounded(Cell::Decimal(1_234_565, 3), 0, 2).unwrap(), "1,234.57");
        assert_eq!(rounded(Cell::Decimal(-15, 1), 0, 0).unwrap(), "-2");
        assert_eq!(rounded(Cell::Decimal(-4, 1), 0, 0).unwrap(), "0");
        assert_eq!(rounded(Cell::Decimal(148, 3), 2, 1).unwrap(), "14.8");
        assert_eq!(rounded(Cell::Decimal(1, 0), 2, 1).unwrap(), "100.0");
        assert_eq!(rounded(Cell::Float(0.1484), 2, 1).unwrap(), "14.8");
        assert_eq!(rounded(Cell::Decimal(i128::MAX, 0), 2, 0).unwrap().len(), 54);
        assert_eq!(rounded(Cell::Decimal(7, 38), 0, 2).unwrap(), "0.00");
    }

    #[test]
    fn large_numbers_have_three_digits() {
        let shown = |digits| compact(Cell::Decimal(digits, 0)).unwrap();
        assert_eq!(shown(1_200_000), "1.2M");
        assert_eq!(shown(1_234_567), "1.23M");
        assert_eq!(shown(10_005_534), "10M");
        assert_eq!(shown(999_499_999), "999M");
        assert_eq!(shown(999_600_000), "1bn");
        assert_eq!(shown(-12_340_000), "-12.3M");
        assert_eq!(compact(Cell::Decimal(999_999, 0)), None);
    }
}
