//! Numbers as the language writes them.

/// Reads a number as written, `1_200`, `1.5`, `100k`, `1.2M`, `3bn`, exactly: the value is digits ÷ 10^scale.
///
/// Returns nothing for a text that is no such number, or one of more digits than fit. Trailing zeros behind
/// the point are dropped, so that `1.50` and `1.5` are equal and a whole number has scale 0.
pub fn decimal(text: &str) -> Option<(i128, u8)> {
    let (digits, zeros) = if let Some(rest) = text.strip_suffix("bn") {
        (rest, 9)
    } else if let Some(rest) = text.strip_suffix('M') {
        (rest, 6)
    } else if let Some(rest) = text.strip_suffix('k') {
        (rest, 3)
    } else {
        (text, 0)
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let good = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_digit())
            && part.ends_with(|c: char| c.is_ascii_digit())
            && !part.contains("__")
            && part.bytes().all(|b| b.is_ascii_digit() || b == b'_')
    };
    if !good(whole) || !good(fraction) || fraction.contains('_') {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let mut value: i128 = 0;
    for digit in whole.bytes().filter(|b| *b != b'_').chain(fraction.bytes()) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let scale = u8::try_from(fraction.len()).ok()?;
    if scale >= zeros {
        return Some((value, scale - zeros));
    }
    Some((value.checked_mul(10_i128.checked_pow(u32::from(zeros - scale))?)?, 0))
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_are_read_exactly() {
        assert_eq!(decimal("12"), Some((12, 0)));
        assert_eq!(decimal("1_200"), Some((1200, 0)));
        assert_eq!(decimal("1.2M"), Some((1_200_000, 0)));
        assert_eq!(decimal("100k"), Some((100_000, 0)));
        assert_eq!(decimal("3bn"), Some((3_000_000_000, 0)));
        assert_eq!(decimal("0.1"), Some((1, 1)));
        assert_eq!(decimal("1.50"), Some((15, 1)));
        assert_eq!(decimal("1.23456k"), Some((123_456, 2)));
        assert_eq!(decimal("0.0"), Some((0, 0)));
    }

    #[test]
    fn what_is_no_number_is_nothing() {
        for text in ["", "k", ".5", "1.", "1__0", "_1", "1_", "1.2.3", "-1", "1e5", "abc", "1 k", "٣"] {
            assert_eq!(decimal(text), None, "{text}");
        }
        assert_eq!(decimal(&"9".repeat(60)), None);
    }
}
