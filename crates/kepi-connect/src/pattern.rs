//! Stated formats of dates and times in strftime's words, for those that are no common shape.

use crate::civil::{days_from, seconds_of_clock};
use crate::moment::{Civil, fraction_of_second, half_of_day, month_name, offset};

/// A compiled format.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    text: String,
    items: Vec<Item>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Item {
    Year,
    ShortYear,
    Month,
    MonthName,
    Day,
    DayOfYear,
    Hour,
    Hour12,
    Minute,
    Second,
    Fraction,
    Half,
    Offset,
    WeekdayName,
    Blanks,
    Literal(char),
}

impl Pattern {
    /// Compiles a format.
    ///
    /// # Errors
    /// What is wrong with it, in words: an unknown word after `%`, or no complete date.
    pub(crate) fn compile(text: &str) -> Result<Pattern, String> {
        let expanded =
            text.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S").replace("%R", "%H:%M").replace("%D", "%m/%d/%y");
        let mut items = Vec::new();
        let mut chars = expanded.chars().peekable();
        while let Some(c) = chars.next() {
            if c.is_whitespace() {
                if items.last() != Some(&Item::Blanks) {
                    items.push(Item::Blanks);
                }
                continue;
            }
            if c != '%' {
                items.push(Item::Literal(c));
                continue;
            }
            // `%-d`, `%_d`, `%e`: padding makes no difference in reading.
            let mut word = chars.next().ok_or("`%` stands at the end")?;
            if matches!(word, '-' | '_' | '0') {
                word = chars.next().ok_or("`%` stands at the end")?;
            }
            if word == '.' {
                word = chars.next().ok_or("`%.` stands at the end")?;
                if word != 'f' {
                    return Err(format!("`%.{word}` is not known; `%.f` is a fraction of a second"));
                }
                items.push(Item::Fraction);
                continue;
            }
            items.push(match word {
                'Y' => Item::Year,
                'y' => Item::ShortYear,
                'm' => Item::Month,
                'b' | 'B' | 'h' => Item::MonthName,
                'd' | 'e' => Item::Day,
                'j' => Item::DayOfYear,
                'H' | 'k' => Item::Hour,
                'I' | 'l' => Item::Hour12,
                'M' => Item::Minute,
                'S' => Item::Second,
                'f' => Item::Fraction,
                'p' | 'P' => Item::Half,
                'z' | 'Z' => Item::Offset,
                'a' | 'A' => Item::WeekdayName,
                '%' => Item::Literal('%'),
                other => {
                    return Err(format!(
                        "`%{other}` is not known; there are %Y %y %m %b %d %j %H %I %M %S %.f %p %z %a, and alone `epoch`, `epoch_ms` and `epoch_us`"
                    ));
                }
            });
        }
        let has = |item| items.contains(&item);
        let year = has(Item::Year) || has(Item::ShortYear);
        let month = has(Item::Month) || has(Item::MonthName);
        if !year || !(month && has(Item::Day) || has(Item::DayOfYear)) {
            return Err("expected a format with year, month and day, such as `%d.%m.%Y`, or `epoch`".to_string());
        }
        Ok(Pattern { text: text.to_string(), items })
    }

    /// The format as stated.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Reads a moment; none when the text is not of this format from its first to its last character.
    pub(crate) fn parse(&self, text: &str) -> Option<Civil> {
        let mut rest = text.as_bytes();
        let (mut year, mut month, mut day, mut of_year) = (0, 1, 1, None);
        let (mut hour, mut minute, mut second, mut fraction) = (0, 0, 0, 0);
        let (mut zone, mut timed, mut half) = (None, false, false);
        for item in &self.items {
            let value;
            match item {
                Item::Year => (year, rest) = digits(rest, 4)?,
                Item::ShortYear => {
                    (value, rest) = digits(rest, 2)?;
                    year = if value < 69 { 2000 + value } else { 1900 + value };
                }
                Item::Month => (month, rest) = digits(rest, 2)?,
                Item::MonthName => (month, rest) = month_name(rest)?,
                Item::Day => (day, rest) = digits(rest, 2)?,
                Item::DayOfYear => {
                    (value, rest) = digits(rest, 3)?;
                    of_year = Some(value);
                }
                Item::Hour | Item::Hour12 => {
                    (hour, rest) = digits(rest, 2)?;
                    timed = true;
                }
                Item::Minute => (minute, rest) = digits(rest, 2)?,
                Item::Second => (second, rest) = digits(rest, 2)?,
                Item::Fraction => {
                    rest = rest.strip_prefix(b".").unwrap_or(rest);
                    if rest.first().is_some_and(u8::is_ascii_digit) {
                        (fraction, rest) = fraction_of_second(rest);
                    }
                }
                Item::Half => {
                    let micros = i64::from(hour) * 3_600_000_000;
                    let (moved, behind) = half_of_day(micros, rest)?;
                    if behind.len() == rest.len() {
                        return None;
                    }
                    hour = (moved / 3_600_000_000) as i32;
                    rest = behind;
                    half = true;
                }
                Item::Offset => {
                    let end = rest.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b':')));
                    let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
                    zone = Some(offset(word)??);
                    rest = behind;
                }
                Item::WeekdayName => {
                    let length = rest.iter().take_while(|b| b.is_ascii_alphabetic()).count();
                    rest = rest.get(length..).filter(|_| length >= 3)?;
                }
                Item::Blanks => rest = rest.trim_ascii_start(),
                Item::Literal(c) => {
                    let mut buffer = [0; 4];
                    rest = rest.strip_prefix(c.encode_utf8(&mut buffer).as_bytes())?;
                }
            }
        }
        if !rest.trim_ascii().is_empty() {
            return None;
        }
        if self.items.contains(&Item::Hour12) && !half && hour > 12 {
            return None;
        }
        let first = days_from(year, month, day)?;
        let day = match of_year {
            None => first,
            Some(n) => days_from(year, 1, 1)
                .map(|d| d + n - 1)
                .filter(|d| n >= 1 && *d <= days_from(year, 12, 31).unwrap_or(0))?,
        };
        let micros = seconds_of_clock(hour, minute, second)? * 1_000_000 + fraction;
        Some(Civil { day, micros, offset: zone, timed })
    }
}

/// One to `most` digits.
fn digits(text: &[u8], most: usize) -> Option<(i32, &[u8])> {
    let length = text.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
    let value = text[..length].iter().fold(0, |v, b| v * 10 + i32::from(b - b'0'));
    (length > 0).then_some((value, &text[length..]))
}
