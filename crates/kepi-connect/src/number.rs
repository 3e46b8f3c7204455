//! Numbers as people write them: `1,234.56`, `1.234,56`, `(12.50)`, `€ 12`, `$1,200.00`, `14.8 %`, `1e-7`.

use kepi_model::value::Currency;

/// A number read from text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// `digits * 10^-scale`, with less than 18 digits and at most [`SCALE_MAX`] decimals.
    Decimal {
        /// The digits.
        digits: i64,
        /// How many of them stand behind the mark.
        scale: u8,
    },
    /// A number that is no short decimal: with an exponent, more decimals or more digits.
    Float(f64),
}

/// The most decimals that are kept exact.
pub const SCALE_MAX: u8 = 9;
/// Numbers from here on are floats: they have more than 18 digits.
pub const DIGITS_MAX: i64 = 1_000_000_000_000_000_000;

/// A number with what stood around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The number; of a percentage the fraction.
    pub number: Number,
    /// Whether a percent sign stood behind it.
    pub percent: bool,
    /// The currency sign or code that stood beside it.
    pub currency: Option<Sign>,
}

/// A currency sign or code in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A three-letter code.
    Code(Currency),
    /// `$`: of many countries.
    Dollar,
    /// `¥`: Japan's or China's.
    Yen,
}

impl Sign {
    /// Whether amounts with this sign can be of the currency.
    pub fn fits(self, currency: Currency) -> bool {
        let code = &currency.0;
        match self {
            Sign::Code(c) => c == currency,
            Sign::Dollar => matches!(code, b"USD" | b"CAD" | b"AUD" | b"NZD" | b"HKD" | b"SGD" | b"MXN" | b"TWD"),
            Sign::Yen => matches!(code, b"JPY" | b"CNY"),
        }
    }

    /// The currency that is meant unless something else is said.
    pub fn currency(self) -> Currency {
        match self {
            Sign::Code(c) => c,
            Sign::Dollar => Currency(*b"USD"),
            Sign::Yen => Currency(*b"JPY"),
        }
    }
}

/// Reads a plain number, `-12.5`, without looking for anything around it. The fast path.
#[inline]
fn plain(text: &[u8], mark: u8) -> Option<Number> {
    let (negative, body) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if body.is_empty() || body.len() > 19 {
        return None;
    }
    let mut digits: i64 = 0;
    let mut seen = None;
    for (i, &byte) in body.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            digits = digits.wrapping_mul(10).wrapping_add(i64::from(digit));
        } else if byte == mark && seen.is_none() {
            seen = Some(i);
        } else {
            return None;
        }
    }
    let count = body.len() - usize::from(seen.is_some());
    if count == 0 || count > 18 {
        return None;
    }
    let mut scale = seen.map_or(0, |i| body.len() - 1 - i);
    while scale > usize::from(SCALE_MAX) {
        if digits % 10 != 0 {
            return None;
        }
        digits /= 10;
        scale -= 1;
    }
    Some(Number::Decimal { digits: if negative { -digits } else { digits }, scale: scale as u8 })
}

/// Reads a number whose decimal mark is `mark` (`.` or `,`).
///
/// The thousands may be separated by the other mark, blanks, thin blanks or apostrophes, in groups of three and by one
/// of them throughout. Parentheses mean negative. None: this is no number.
pub fn parse(text: &str, mark: u8) -> Option<Reading> {
    if let Some(number) = plain(text.as_bytes(), mark) {
        return Some(Reading { number, percent: false, currency: None });
    }
    // A number has a digit, and nothing that is longer than this is one.
    if text.len() > 64 || !text.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut rest = text.trim();
    let mut negative = false;
    if let Some(inner) = rest.strip_prefix('(').and_then(|r| r.strip_suffix(')')) {
        negative = true;
        rest = inner.trim();
    }
    let mut currency = None;
    let mut percent = false;
    // A minus may stand before or behind the currency: `-€5`, `€-5`.
    let minus = |rest: &mut &str, negative: &mut bool| {
        if let Some(r) = rest.strip_prefix('-').or_else(|| rest.strip_prefix('\u{2212}')) {
            if *negative {
                return false;
            }
            *negative = true;
            *rest = r.trim_start();
        } else if let Some(r) = rest.strip_prefix('+') {
            *rest = r;
        }
        true
    };
    if !minus(&mut rest, &mut negative) {
        return None;
    }
    if let Some((sign, r)) = sign_before(rest) {
        currency = Some(sign);
        rest = r.trim_start_matches(is_blank);
        if !minus(&mut rest, &mut negative) {
            return None;
        }
    } else if let Some((sign, r)) = sign_behind(rest) {
        currency = Some(sign);
        rest = r.trim_end_matches(is_blank);
    } else if let Some(r) = rest.strip_suffix('%') {
        percent = true;
        rest = r.trim_end_matches(is_blank);
    }
    let number = body(rest, mark)?;
    let number = if percent { hundredth(number) } else { number };
    let number = match number {
        Number::Decimal { digits, scale } if negative => Number::Decimal { digits: -digits, scale },
        Number::Float(value) if negative => Number::Float(-value),
        other => other,
    };
    Some(Reading { number, percent, currency })
}

fn hundredth(number: Number) -> Number {
    match number {
        Number::Decimal { digits, scale } if scale + 2 <= SCALE_MAX => Number::Decimal { digits, scale: scale + 2 },
        Number::Decimal { digits, scale } => Number::Float(digits as f64 / 10f64.powi(i32::from(scale) + 2)),
        Number::Float(value) => Number::Float(value / 100.0),
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}')
}

const SIGNS: [(&str, Sign); 10] = [
    ("US$", Sign::Code(Currency(*b"USD"))),
    ("A$", Sign::Code(Currency(*b"AUD"))),
    ("C$", Sign::Code(Currency(*b"CAD"))),
    ("€", Sign::Code(Currency(*b"EUR"))),
    ("$", Sign::Dollar),
    ("£", Sign::Code(Currency(*b"GBP"))),
    ("¥", Sign::Yen),
    ("₹", Sign::Code(Currency(*b"INR"))),
    ("₩", Sign::Code(Currency(*b"KRW"))),
    ("₽", Sign::Code(Currency(*b"RUB"))),
];

fn sign_before(text: &str) -> Option<(Sign, &str)> {
    if let Some(found) = SIGNS.iter().find_map(|(s, sign)| text.strip_prefix(s).map(|r| (*sign, r))) {
        return Some(found);
    }
    Some((Sign::Code(known_code(text.get(..3)?)?), &text[3..]))
}

fn sign_behind(text: &str) -> Option<(Sign, &str)> {
    if let Some(found) = SIGNS.iter().find_map(|(s, sign)| text.strip_suffix(s).map(|r| (*sign, r))) {
        return Some(found);
    }
    let at = text.len().checked_sub(3)?;
    Some((Sign::Code(known_code(text.get(at..)?)?), &text[..at]))
}

/// Only codes in use: `INV001` is no amount.
fn known_code(text: &str) -> Option<Currency> {
    const CODES: &str = "EUR USD GBP JPY CNY CHF SEK NOK DKK ISK PLN CZK HUF RON BGN RSD TRY RUB UAH GEL INR BRL MXN ARS CLP COP PEN UYU \
        CAD AUD NZD SGD HKD TWD KRW THB IDR MYR PHP VND ZAR NGN KES GHS EGP MAD TND AED SAR QAR KWD BHD OMR ILS PKR BDT LKR KZT";
    let code = Currency::parse(text)?;
    CODES.split_ascii_whitespace().any(|c| c == text).then_some(code)
}

/// Digits with separators, a mark and an exponent; no sign.
fn body(text: &str, mark: u8) -> Option<Number> {
    if let Some(number) = plain(text.as_bytes(), mark).filter(|_| text.starts_with(|c: char| c.is_ascii_digit())) {
        return Some(number);
    }
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let mut parts = mantissa.split(mark as char);
    let (whole, fraction) = (parts.next()?, parts.next());
    if parts.next().is_some() || fraction.is_some_and(|f| !f.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let mut clean = ungrouped(whole, mark)?;
    if clean.is_empty() && fraction.is_none_or(str::is_empty) {
        return None;
    }
    if let Some(fraction) = fraction {
        clean.push('.');
        clean.push_str(fraction);
    }
    match exponent {
        None => {
            if let Some(number) = plain(clean.as_bytes(), b'.') {
                return Some(number);
            }
        }
        Some(power) => {
            let digits = power.strip_prefix(['-', '+']).unwrap_or(power);
            if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            clean.push('e');
            clean.push_str(power);
        }
    }
    clean.parse::<f64>().ok().filter(|v| v.is_finite()).map(Number::Float)
}

/// The digits before the mark without their separators; none when the groups are not regular.
fn ungrouped(whole: &str, mark: u8) -> Option<String> {
    if whole.bytes().all(|b| b.is_ascii_digit()) {
        return Some(whole.to_string());
    }
    let separator = whole.chars().find(|c| !c.is_ascii_digit())?;
    let other = if mark == b'.' { ',' } else { '.' };
    if separator != other && separator != '\'' && separator != '’' && !is_blank(separator) {
        return None;
    }
    let mut clean = String::with_capacity(whole.len());
    for (i, group) in whole.split(separator).enumerate() {
        // `0,075` has no thousands.
        let right_length =
            if i == 0 { (1..=3).contains(&group.len()) && !group.starts_with('0') } else { group.len() == 3 };
        if !right_length || !group.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        clean.push_str(group);
    }
    Some(clean)
}

/// Whether a text is a whole number that begins with a zero, as codes do: `00044`.
pub fn has_leading_zero(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(digits: i64, scale: u8) -> Option<Number> {
        Some(Number::Decimal { digits, scale })
    }

    fn number(text: &str, mark: u8) -> Option<Number> {
        parse(text, mark).map(|r| r.number)
    }

    #[test]
    fn reads_points_commas_groups_and_signs() {
        assert_eq!(number("1234.56", b'.'), decimal(123_456, 2));
        assert_eq!(number("1,234.56", b'.'), decimal(123_456, 2));
        assert_eq!(number("1.234,56", b','), decimal(123_456, 2));
        assert_eq!(number("1 234,56", b','), decimal(123_456, 2));
        assert_eq!(number("1'234'567.5", b'.'), decimal(12_345_675, 1));
        assert_eq!(number("(12.50)", b'.'), decimal(-1250, 2));
        assert_eq!(number("-$1,200.00", b'.'), decimal(-120_000, 2));
        assert_eq!(number("€ -12", b'.'), decimal(-12, 0));
        assert_eq!(number(".5", b'.'), decimal(5, 1));
        assert_eq!(number("5.", b'.'), decimal(5, 0));
        assert_eq!(number("2.5000000000000", b'.'), decimal(2_500_000_000, 9));
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in [
            "",
            "-",
            "1,23",
            "12,34.5",
            "1.2.3",
            "1-2",
            "--5",
            "abc",
            "1,234 567",
            "12 May",
            "1e",
            "0x10",
            "inf",
            "NaN",
            "(-5)",
            "5%%",
            "12abc",
        ] {
            assert_eq!(parse(text, b'.'), None, "{text}");
        }
    }

    #[test]
    fn keeps_percent_and_currency() {
        let reading = parse("14.8 %", b'.').expect("a percentage");
        assert_eq!((reading.number, reading.percent), (Number::Decimal { digits: 148, scale: 3 }, true));
        assert_eq!(parse("EUR 12", b'.').and_then(|r| r.currency), Some(Sign::Code(Currency(*b"EUR"))));
        assert_eq!(parse("12 €", b'.').and_then(|r| r.currency), Some(Sign::Code(Currency(*b"EUR"))));
        assert_eq!(parse("$5", b'.').and_then(|r| r.currency), Some(Sign::Dollar));
    }

    #[test]
    fn what_is_no_short_decimal_is_a_float() {
        assert_eq!(number("1e-7", b'.'), Some(Number::Float(1e-7)));
        assert_eq!(number("0.12345678901", b'.'), Some(Number::Float(0.12345678901)));
        assert_eq!(number("1234567890123456789012", b'.'), Some(Number::Float(1234567890123456789012.0)));
    }

    proptest! {
        #[test]
        fn a_written_decimal_is_read_back(digits in -999_999_999_999_999i64..=999_999_999_999_999, scale in 0u8..=9, comma in any::<bool>(), grouped in any::<bool>()) {
            let (mark, group) = if comma { (',', '.') } else { ('.', ',') };
            let mut plain = format!("{:0width$}", digits.unsigned_abs(), width = usize::from(scale) + 1);
            let fraction = plain.split_off(plain.len() - usize::from(scale));
            let mut text = String::new();
            for (i, c) in plain.chars().enumerate() {
                if grouped && i > 0 && (plain.len() - i) % 3 == 0 {
                    text.push(group);
                }
                text.push(c);
            }
            if scale > 0 {
                text.push(mark);
                text.push_str(&fraction);
            }
            if digits < 0 {
                text.insert(0, '-');
            }
            prop_assert_eq!(number(&text, mark as u8), decimal(digits, scale));
        }
    }
}
