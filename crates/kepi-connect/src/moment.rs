//! Dates and times as text: their shapes, stated formats, and the instant that is meant in a zone.

use crate::civil::{day_of, days_from, seconds_of_clock};
use crate::pattern::Pattern;
use jiff::civil::{Date, DateTime, Time};
use kepi_model::calendar::Zone;

/// How the moments of a column are written.
#[derive(Clone, Debug, PartialEq)]
pub enum MomentFormat {
    /// A date of this shape; a time of day and an offset may follow.
    Shape(Shape),
    /// A stated format that is no such shape.
    Pattern(Pattern),
    /// A number of units since 1970-01-01T00:00:00Z; the unit in microseconds.
    Epoch(i64),
}

/// In which order the parts of a date stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The variants say it.
pub enum Order {
    YearMonthDay,
    DayMonthYear,
    MonthDayYear,
}

/// The shape of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The order of the parts.
    pub order: Order,
    /// What stands between them; 0: nothing, as in `20260131`.
    pub separator: u8,
    /// Whether the month is a name.
    pub named: bool,
    /// Whether the year has two digits; from 69 on it is of the 20th century.
    pub short_year: bool,
}

const fn shape(order: Order, separator: u8, named: bool, short_year: bool) -> Shape {
    Shape { order, separator, named, short_year }
}

/// Every shape that is detected. A set of shapes is a number with a bit for each, in this order.
pub const SHAPES: [Shape; 21] = [
    shape(Order::YearMonthDay, b'-', false, false),
    shape(Order::YearMonthDay, b'/', false, false),
    shape(Order::YearMonthDay, b'.', false, false),
    shape(Order::YearMonthDay, 0, false, false),
    shape(Order::MonthDayYear, b'/', false, false),
    shape(Order::DayMonthYear, b'/', false, false),
    shape(Order::DayMonthYear, b'.', false, false),
    shape(Order::MonthDayYear, b'-', false, false),
    shape(Order::DayMonthYear, b'-', false, false),
    shape(Order::MonthDayYear, b'/', false, true),
    shape(Order::DayMonthYear, b'/', false, true),
    shape(Order::DayMonthYear, b'.', false, true),
    shape(Order::MonthDayYear, b'-', false, true),
    shape(Order::DayMonthYear, b'-', false, true),
    shape(Order::DayMonthYear, b'/', true, false),
    shape(Order::DayMonthYear, b'-', true, false),
    shape(Order::DayMonthYear, b' ', true, false),
    shape(Order::MonthDayYear, b' ', true, false),
    shape(Order::DayMonthYear, b'-', true, true),
    shape(Order::DayMonthYear, b'/', true, true),
    shape(Order::DayMonthYear, b' ', true, true),
];

/// A moment as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Days since 1970-01-01.
    pub day: i32,
    /// Microseconds since the day's midnight by the clock.
    pub micros: i64,
    /// The offset from UTC in seconds, where one is written.
    pub offset: Option<i32>,
    /// Whether a time of day is written.
    pub timed: bool,
}

impl MomentFormat {
    /// A format as stated in `dates`: strftime's words, or `epoch`, `epoch_ms`, `epoch_us`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn stated(text: &str) -> Result<MomentFormat, String> {
        match text {
            "epoch" | "%s" => return Ok(MomentFormat::Epoch(1_000_000)),
            "epoch_ms" => return Ok(MomentFormat::Epoch(1_000)),
            "epoch_us" => return Ok(MomentFormat::Epoch(1)),
            _ => {}
        }
        let shape = SHAPES.iter().find(|s| {
            let date = s.strftime();
            // A flexible time of day contains the usual stated ones.
            text.strip_prefix(&date).is_some_and(|tail| {
                ["", "%H:%M", "%H:%M:%S", "%H:%M:%S%.f", "%T", "%R", "%H:%M:%S.%f"].contains(
                    &tail.trim_start_matches([' ', 'T']).trim_end_matches('Z').trim_end_matches("%z").trim_end(),
                )
            })
        });
        match shape {
            Some(shape) => Ok(MomentFormat::Shape(*shape)),
            None => Pattern::compile(text).map(MomentFormat::Pattern),
        }
    }

    /// Reads a moment; none when the text is not one of this format.
    #[inline]
    pub fn parse(&self, text: &str) -> Option<Civil> {
        match self {
            MomentFormat::Shape(shape) => shape.parse(text.as_bytes()),
            MomentFormat::Pattern(pattern) => pattern.parse(text),
            MomentFormat::Epoch(unit) => epoch(text, *unit),
        }
    }

    /// The format as it is stated in `dates`.
    pub fn strftime(&self, timed: bool) -> String {
        match self {
            MomentFormat::Shape(shape) if timed => format!("{} %H:%M:%S", shape.strftime()),
            MomentFormat::Shape(shape) => shape.strftime(),
            MomentFormat::Pattern(pattern) => pattern.text().to_string(),
            MomentFormat::Epoch(1_000_000) => "epoch".to_string(),
            MomentFormat::Epoch(1_000) => "epoch_ms".to_string(),
            MomentFormat::Epoch(_) => "epoch_us".to_string(),
        }
    }
}

fn epoch(text: &str, unit: i64) -> Option<Civil> {
    let micros = match text.parse::<i64>() {
        Ok(whole) => whole.checked_mul(unit)?,
        Err(_) => {
            let value = text.parse::<f64>().ok()? * unit as f64;
            if value.is_nan() || value.abs() >= 9e18 {
                return None;
            }
            value.round() as i64
        }
    };
    let day = i32::try_from(micros.div_euclid(DAY)).ok().filter(|d| (-4_000_000..2_932_896).contains(d))?;
    Some(Civil { day, micros: micros.rem_euclid(DAY), offset: Some(0), timed: true })
}

/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000;

impl Shape {
    /// Its date in strftime's words.
    pub fn strftime(self) -> String {
        let month = if self.named { "%b" } else { "%m" };
        let year = if self.short_year { "%y" } else { "%Y" };
        let parts = match self.order {
            Order::YearMonthDay => [year, month, "%d"],
            Order::DayMonthYear => ["%d", month, year],
            Order::MonthDayYear => [month, "%d", year],
        };
        if self.separator == 0 { parts.concat() } else { parts.join(&(self.separator as char).to_string()) }
    }

    /// Reads a date of this shape and what follows it.
    #[inline]
    pub fn parse(self, text: &[u8]) -> Option<Civil> {
        let (day, rest) = self.date(text)?;
        tail(day, rest)
    }

    #[inline]
    fn date(self, text: &[u8]) -> Option<(i32, &[u8])> {
        if matches!(self.order, Order::YearMonthDay) {
            let year = two(text, 0)? * 100 + two(text, 2)?;
            if self.separator == 0 {
                let (month, day) = (two(text, 4)?, two(text, 6)?);
                // 8 digits that are no year from 1900 to 2100 are a number, not a date.
                if text.get(8).is_some_and(u8::is_ascii_digit) || !(1900..=2100).contains(&year) {
                    return None;
                }
                return Some((days_from(year, month, day)?, &text[8..]));
            }
            if *text.get(4)? != self.separator {
                return None;
            }
            let (month, rest) = one_or_two(&text[5..])?;
            if *rest.first()? != self.separator {
                return None;
            }
            let (day, rest) = one_or_two(&rest[1..])?;
            return Some((days_from(year, month, day)?, rest));
        }
        let text = if self.named { without_weekday(text) } else { text };
        let (first, rest) =
            if self.named && self.order == Order::MonthDayYear { month_name(text)? } else { one_or_two(text)? };
        let rest = self.separated(rest)?;
        let (second, rest) =
            if self.named && self.order == Order::DayMonthYear { month_name(rest)? } else { one_or_two(rest)? };
        let rest = match rest.first()? {
            b',' if self.named => rest[1..].trim_ascii_start(),
            _ => self.separated(rest)?,
        };
        let (year, rest) = if self.short_year {
            let year = two(rest, 0)?;
            (if year < 69 { 2000 + year } else { 1900 + year }, &rest[2..])
        } else {
            (two(rest, 0)? * 100 + two(rest, 2)?, &rest[4..])
        };
        if rest.first().is_some_and(u8::is_ascii_digit) {
            return None;
        }
        let (month, day) = if self.order == Order::MonthDayYear { (first, second) } else { (second, first) };
        Some((days_from(year, month, day)?, rest))
    }

    #[inline]
    fn separated(self, rest: &[u8]) -> Option<&[u8]> {
        match rest.first()? {
            b'.' if self.named && self.separator == b' ' => Some(rest[1..].trim_ascii_start()),
            byte if *byte == self.separator => Some(&rest[1..]),
            _ => None,
        }
    }
}

#[inline]
fn digit(text: &[u8], at: usize) -> Option<i32> {
    let value = text.get(at)?.wrapping_sub(b'0');
    (value < 10).then_some(i32::from(value))
}

#[inline]
pub(crate) fn two(text: &[u8], at: usize) -> Option<i32> {
    Some(digit(text, at)? * 10 + digit(text, at + 1)?)
}

#[inline]
pub(crate) fn one_or_two(text: &[u8]) -> Option<(i32, &[u8])> {
    let first = digit(text, 0)?;
    Some(match digit(text, 1) {
        Some(second) => (first * 10 + second, &text[2..]),
        None => (first, &text[1..]),
    })
}

/// The month whose English name, whole or its first three letters, stands at the start.
pub(crate) fn month_name(text: &[u8]) -> Option<(i32, &[u8])> {
    let length = text.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let word = &text[..length];
    let at = kepi_model::calendar::MONTHS.iter().position(|m| {
        let m = m.as_bytes();
        word.eq_ignore_ascii_case(m)
            || word.eq_ignore_ascii_case(&m[..3])
            || (m[0] == b's' && word.eq_ignore_ascii_case(b"sept"))
    })?;
    Some((at as i32 + 1, &text[length..]))
}

/// Drops a leading `Mon, ` or `Monday `.
fn without_weekday(text: &[u8]) -> &[u8] {
    const DAYS: [&[u8]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];
    let length = text.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    if length >= 3 && DAYS.iter().any(|d| text[..3].eq_ignore_ascii_case(d)) {
        let rest = &text[length..];
        return rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start();
    }
    text
}

/// What may follow a date: nothing, or a time of day, a fraction, AM or PM, an offset.
#[inline]
fn tail(day: i32, rest: &[u8]) -> Option<Civil> {
    if rest.is_empty() {
        return Some(Civil { day, micros: 0, offset: None, timed: false });
    }
    let rest = match rest[0] {
        b' ' | b'T' | b't' | b':' => rest[1..].trim_ascii_start(),
        b',' => rest[1..].trim_ascii_start(),
        _ => return None,
    };
    let (micros, rest) = time_of_day(rest)?;
    let (micros, rest) = half_of_day(micros, rest)?;
    let offset = offset(rest)?;
    Some(Civil { day, micros, offset, timed: true })
}

/// `19:58`, `19:58:30`, `19:58:30.123456`.
#[inline]
pub(crate) fn time_of_day(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, rest) = one_or_two(text)?;
    if *rest.first()? != b':' {
        return None;
    }
    let minute = two(rest, 1)?;
    let mut rest = &rest[3..];
    let mut second = 0;
    let mut fraction = 0;
    if rest.first() == Some(&b':') {
        second = two(rest, 1)?;
        rest = &rest[3..];
        if matches!(rest.first(), Some(b'.' | b',')) && rest.get(1).is_some_and(u8::is_ascii_digit) {
            (fraction, rest) = fraction_of_second(&rest[1..]);
        }
    }
    Some((seconds_of_clock(hour, minute, second)? * 1_000_000 + fraction, rest))
}

/// Digits behind the point, as microseconds; what is finer is cut.
pub(crate) fn fraction_of_second(text: &[u8]) -> (i64, &[u8]) {
    let length = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut micros = 0;
    for place in 0..6 {
        let digit = text[..length].get(place).map_or(0, |b| b - b'0');
        micros = micros * 10 + i64::from(digit);
    }
    (micros, &text[length..])
}

/// AM or PM.
pub(crate) fn half_of_day(micros: i64, text: &[u8]) -> Option<(i64, &[u8])> {
    let word = text.trim_ascii_start();
    let half = match word {
        // Not `GMT`.
        [a @ (b'a' | b'A' | b'p' | b'P'), m, rest @ ..] if m.eq_ignore_ascii_case(&b'm') => {
            Some((a.to_ascii_lowercase(), rest))
        }
        [a, b'.', m, b'.', rest @ ..] if m.eq_ignore_ascii_case(&b'm') => Some((a.to_ascii_lowercase(), rest)),
        _ => None,
    };
    let hour = micros / 3_600_000_000;
    match half {
        Some((b'a', rest)) if (1..=12).contains(&hour) => {
            Some((if hour == 12 { micros - DAY / 2 } else { micros }, rest))
        }
        Some((b'p', rest)) if (1..=12).contains(&hour) => {
            Some((if hour == 12 { micros } else { micros + DAY / 2 }, rest))
        }
        Some(_) => None,
        None => Some((micros, text)),
    }
}

/// The offset at the end of a text: nothing, `Z`, `UTC`, `GMT`, `+02`, `+0200`, `+02:00`, also behind a blank.
#[inline]
#[allow(clippy::option_option)] // Outer none: this is no offset; inner none: there is none.
pub(crate) fn offset(text: &[u8]) -> Option<Option<i32>> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Some(None);
    }
    if matches!(text, b"Z" | b"z" | b"UTC" | b"GMT" | b"utc") {
        return Some(Some(0));
    }
    let text = text.strip_prefix(b"UTC").or_else(|| text.strip_prefix(b"GMT")).unwrap_or(text);
    let sign = match text.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = two(text, 1)?;
    let minutes = match &text[3..] {
        [] => 0,
        [b':', rest @ ..] if rest.len() == 2 => two(rest, 0)?,
        rest if rest.len() == 2 => two(rest, 0)?,
        _ => return None,
    };
    (hours <= 15 && minutes < 60).then_some(Some(sign * (hours * 3600 + minutes * 60)))
}

/// The set of [`SHAPES`] that a text fits, and whether a time of day is written in it.
pub fn shapes_of(text: &str) -> (u32, bool) {
    let bytes = text.as_bytes();
    // Shorter than `1/2/03` or longer than `Wednesday, 26 September 2018 19:58:00.000000 +00:00` is none.
    if bytes.len() < 6 || bytes.len() > 52 {
        return (0, false);
    }
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let likely = match (digits, bytes.get(digits)) {
        (4, Some(b'-' | b'/' | b'.')) => 0b111,
        (8, None | Some(b' ' | b'T')) => 0b1000,
        (1 | 2, Some(b'-' | b'/' | b'.' | b' ')) => !0b1111,
        (0, Some(b)) if b.is_ascii_alphabetic() => !0b11_1111_1111_1111,
        _ => return (0, false),
    };
    let mut set = 0;
    let mut timed = false;
    for (i, shape) in SHAPES.iter().enumerate() {
        if likely & (1 << i) != 0
            && let Some(civil) = shape.parse(bytes)
        {
            set |= 1 << i;
            timed |= civil.timed;
        }
    }
    (set, timed)
}

/// Turns what is written into instants. Keeps the offsets of days, since a column has few days and many rows.
#[derive(Debug)]
pub struct Clock {
    zone: Zone,
    /// By the day modulo their number: the day, and its offset in microseconds.
    days: Vec<(i32, i64)>,
}

/// Eleven years of days without a collision.
const DAYS: usize = 4096;

impl Clock {
    /// A clock for a zone.
    pub fn new(zone: &Zone) -> Clock {
        Clock { zone: zone.clone(), days: vec![(i32::MIN, 0); DAYS] }
    }

    /// The instant in microseconds UTC: by the written offset, else in the zone.
    #[inline]
    pub fn instant(&mut self, civil: Civil) -> i64 {
        let local = i64::from(civil.day) * DAY + civil.micros;
        if let Some(offset) = civil.offset {
            return local - i64::from(offset) * 1_000_000;
        }
        let at = civil.day.rem_euclid(DAYS as i32) as usize;
        let (day, offset) = self.days[at];
        if day == civil.day {
            return local - offset;
        }
        self.resolve_day(civil.day, local, at)
    }

    #[cold]
    fn resolve_day(&mut self, day: i32, local: i64, at: usize) -> i64 {
        let first = i64::from(day) * DAY;
        let offset = first - self.resolve(first);
        // No zone changes its clocks twice a day, so equal ends mean one offset in between. The rows of a day with a
        // change are resolved one by one.
        if offset == first + DAY - 1 - self.resolve(first + DAY - 1) {
            self.days[at] = (day, offset);
            return local - offset;
        }
        self.resolve(local)
    }

    /// The calendar day that is meant: the written one, or with an offset the zone's.
    pub fn day(&mut self, civil: Civil) -> i32 {
        if civil.offset.is_none() {
            return civil.day;
        }
        let instant = self.instant(civil);
        self.zone.day_number(instant)
    }

    fn resolve(&self, local: i64) -> i64 {
        match datetime(local.div_euclid(DAY) as i32, local.rem_euclid(DAY)) {
            Some(at) => self.zone.instant(at),
            None => local,
        }
    }
}

fn datetime(day: i32, micros: i64) -> Option<DateTime> {
    let (year, month, day) = day_of(day);
    let date = Date::new(i16::try_from(year).ok()?, month as i8, day as i8).ok()?;
    let seconds = micros / 1_000_000;
    let time = Time::new(
        (seconds / 3600) as i8,
        (seconds / 60 % 60) as i8,
        (seconds % 60) as i8,
        (micros % 1_000_000) as i32 * 1000,
    );
    Some(date.to_datetime(time.ok()?))
}
