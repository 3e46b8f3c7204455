//! A column as the unit that a field was declared with.

use crate::boolean;
use crate::error::shown;
use crate::moment::{Clock, MomentFormat};
use crate::number::{self, DIGITS_MAX, Number, SCALE_MAX};
use arrow_array::builder::{BooleanBuilder, Date32Builder, Float64Builder, TimestampMicrosecondBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Date32Array, Decimal128Array, StringArray, TimestampMicrosecondArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};
use kepi_model::calendar::Zone;
use kepi_model::value::{Kind, Unit};
use std::sync::Arc;

/// How the cells of one column are written.
#[derive(Clone, Debug)]
pub struct Formats {
    /// The decimal mark: `.` or `,`.
    pub decimal: u8,
    /// How dates and times are written; none: in no way that is known.
    pub moment: Option<MomentFormat>,
    /// The zone of times without an offset.
    pub zone: Zone,
}

/// The cells that are not what was expected: the row in the column, and why in words.
pub type Faults = Vec<(usize, String)>;

/// Converts a column to what a field of this unit is stored as.
///
/// - Number, count, money, percent, points, duration: `Decimal128(38, s)` with the fewest decimals that keep every
///   value of the column exact; `Float64` where a value has more than 9 decimals, more than 18 digits or an exponent.
///   `12 %` is 0.12 in any of them. A duration is in seconds or written `h:mm:ss`.
/// - Bool: `Boolean`; time: `Timestamp(µs, "UTC")`; date: `Date32`; text, entities and raw cells: `Utf8`.
///
/// Null stays null. In all but text `NULL`, `NA`, `N/A`, `NaN`, `None`, `\N` and a lone dash are null too. A cell that
/// does not fit is null and named in the faults.
pub fn convert(column: &ArrayRef, to: &Unit, formats: &Formats) -> (ArrayRef, Faults) {
    match &to.kind {
        Kind::Text | Kind::Raw | Kind::Entity(_) | Kind::Missing | Kind::List(_) => (text(column), Vec::new()),
        Kind::Bool if *column.data_type() == DataType::Boolean => (column.clone(), Vec::new()),
        Kind::Bool => bools(&text(column)),
        Kind::Time | Kind::Date => {
            let date = to.kind == Kind::Date;
            moments_typed(column, date, formats).unwrap_or_else(|| moments(&text(column), date, formats))
        }
        Kind::Number
        | Kind::Count
        | Kind::Percent
        | Kind::Points
        | Kind::Money(_)
        | Kind::MoneyOf(_)
        | Kind::Duration => numbers_typed(column).unwrap_or_else(|| numbers(&text(column), &to.kind, formats)),
    }
}

/// Converts as [`convert`] does, but leaves alone what is stored without being converted: texts with a dictionary
/// (`Dictionary(Int32, Utf8)`), and `Decimal64` where [`convert`] gives the same decimals in more bits.
pub fn convert_coded(column: &ArrayRef, to: &Unit, formats: &Formats) -> (ArrayRef, Faults) {
    let textual = matches!(to.kind, Kind::Text | Kind::Raw | Kind::Entity(_) | Kind::Missing | Kind::List(_));
    let numeric = matches!(
        to.kind,
        Kind::Number | Kind::Count | Kind::Percent | Kind::Points | Kind::Money(_) | Kind::MoneyOf(_) | Kind::Duration
    );
    match column.data_type() {
        DataType::Dictionary(_, _) if textual => (column.clone(), Vec::new()),
        DataType::Decimal64(precision, scale)
            if numeric && *precision <= 18 && (0..=SCALE_MAX as i8).contains(scale) =>
        {
            (column.clone(), Vec::new())
        }
        _ => convert(column, to, formats),
    }
}

/// A column of whole numbers as `Int64`, which are keys as they are; none: other types, and 64 bits without a sign.
pub fn whole_numbers(column: &ArrayRef) -> Option<ArrayRef> {
    match column.data_type() {
        DataType::UInt64 => None,
        other if other.is_integer() => arrow_cast::cast(column, &DataType::Int64).ok(),
        _ => None,
    }
}

/// The column as text; a column of another type in its usual spelling.
pub fn text(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8 => column.clone(),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let Ok(floats) = arrow_cast::cast(column, &DataType::Float64) else { return nulls_of(column.len()) };
            // 5.0 is written 5, so that keys from Parquet and CSV are the same.
            Arc::new(
                floats.as_primitive::<Float64Type>().iter().map(|v| v.map(|v| v.to_string())).collect::<StringArray>(),
            )
        }
        // Arrow knows no zones by name here; the instant is the same in all of them.
        DataType::Timestamp(unit, Some(_)) => {
            let plain = arrow_cast::cast(column, &DataType::Timestamp(*unit, None));
            let Ok(texts) = plain.and_then(|p| arrow_cast::cast(&p, &DataType::Utf8)) else {
                return nulls_of(column.len());
            };
            Arc::new(texts.as_string::<i32>().iter().map(|t| t.map(|t| format!("{t}Z"))).collect::<StringArray>())
        }
        // Every other type of a batch has a spelling.
        _ => arrow_cast::cast(column, &DataType::Utf8).unwrap_or_else(|_| nulls_of(column.len())),
    }
}

fn nulls_of(length: usize) -> ArrayRef {
    arrow_array::new_null_array(&DataType::Utf8, length)
}

fn bools(column: &ArrayRef) -> (ArrayRef, Faults) {
    let cells = column.as_string::<i32>();
    let mut out = BooleanBuilder::with_capacity(cells.len());
    let mut faults = Vec::new();
    for (row, cell) in cells.iter().enumerate() {
        let value = cell.and_then(|c| {
            let value = boolean::parse(c);
            if value.is_none() && !boolean::is_missing_word(c) {
                faults.push((row, format!("expected yes or no, found `{}`", shown(c))));
            }
            value
        });
        out.append_option(value);
    }
    (Arc::new(out.finish()), faults)
}

/// How the format of a cell could be said.
fn stated(cell: &str) -> String {
    let numbers = !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
    let (name, unit) = match cell.len() {
        9 | 10 if numbers => ("epoch", "seconds"),
        12 | 13 if numbers => ("epoch_ms", "milliseconds"),
        15 | 16 if numbers => ("epoch_us", "microseconds"),
        _ => return "state it with `dates`".to_string(),
    };
    format!("{unit} since 1970 are read with `dates = \"{name}\"`")
}

fn moments(column: &ArrayRef, date: bool, formats: &Formats) -> (ArrayRef, Faults) {
    let cells = column.as_string::<i32>();
    let mut clock = Clock::new(&formats.zone);
    let mut faults = Vec::new();
    let mut read = |row: usize, cell: Option<&str>| {
        let cell = cell?;
        let civil = formats.moment.as_ref().and_then(|m| m.parse(cell));
        if civil.is_none() && !boolean::is_missing_word(cell) {
            let what = if date { "a date" } else { "a time" };
            let how = match &formats.moment {
                Some(moment) => format!(" like `{}`", moment.strftime(false)),
                None => format!(" in a format that kepi knows ({})", stated(cell)),
            };
            faults.push((row, format!("expected {what}{how}, found `{}`", shown(cell))));
        }
        civil
    };
    let array: ArrayRef = if date {
        let mut out = Date32Builder::with_capacity(cells.len());
        for (row, cell) in cells.iter().enumerate() {
            out.append_option(read(row, cell).map(|c| clock.day(c)));
        }
        Arc::new(out.finish())
    } else {
        let mut out = TimestampMicrosecondBuilder::with_capacity(cells.len());
        for (row, cell) in cells.iter().enumerate() {
            out.append_option(read(row, cell).map(|c| clock.instant(c)));
        }
        Arc::new(out.finish().with_timezone("UTC"))
    };
    (array, faults)
}

/// Columns that are dates or times already.
fn moments_typed(column: &ArrayRef, date: bool, formats: &Formats) -> Option<(ArrayRef, Faults)> {
    let mut clock = Clock::new(&formats.zone);
    let array: ArrayRef = match column.data_type() {
        DataType::Date32 | DataType::Date64 => {
            let days = arrow_cast::cast(column, &DataType::Date32).ok()?;
            if date {
                return Some((days, Vec::new()));
            }
            let mut midnight = |day: i32| clock.instant(civil(i64::from(day) * crate::moment::DAY, None));
            let days = days.as_primitive::<Date32Type>().iter();
            Arc::new(days.map(|day| day.map(&mut midnight)).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        DataType::Timestamp(_, zone) => {
            let offset = zone.is_some().then_some(0);
            let stamps = arrow_cast::cast(column, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone())).ok()?;
            let stamps = stamps.as_primitive::<TimestampMicrosecondType>();
            match (date, stamps.nulls()) {
                (true, _) => {
                    let mut day = |time| clock.day(civil(time, offset));
                    Arc::new(stamps.iter().map(|time| time.map(&mut day)).collect::<Date32Array>())
                }
                (false, _) if offset.is_some() => Arc::new(stamps.clone().with_timezone("UTC")),
                (false, None) => {
                    let instants = stamps.values().iter().map(|&time| clock.instant(civil(time, None)));
                    Arc::new(TimestampMicrosecondArray::from_iter_values(instants).with_timezone("UTC"))
                }
                (false, Some(_)) => {
                    let mut instant = |time| clock.instant(civil(time, None));
                    let instants = stamps.iter().map(|time| time.map(&mut instant));
                    Arc::new(instants.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
                }
            }
        }
        _ => return None,
    };
    Some((array, Vec::new()))
}

fn civil(micros: i64, offset: Option<i32>) -> crate::moment::Civil {
    let day = crate::moment::DAY;
    crate::moment::Civil { day: micros.div_euclid(day) as i32, micros: micros.rem_euclid(day), offset, timed: true }
}

/// Collects numbers, and decides at the end whether they are exact decimals or floats.
#[derive(Debug)]
struct Numbers {
    digits: Vec<i64>,
    scales: Vec<u8>,
    valid: Vec<bool>,
    scale: u8,
    /// From the first number on that is no short decimal: all of them, as floats.
    floats: Option<Vec<f64>>,
}

impl Numbers {
    fn with_capacity(length: usize) -> Numbers {
        let (digits, scales, valid) =
            (Vec::with_capacity(length), Vec::with_capacity(length), Vec::with_capacity(length));
        Numbers { digits, scales, valid, scale: 0, floats: None }
    }

    #[inline]
    fn push(&mut self, number: Option<Number>) {
        self.valid.push(number.is_some());
        let (digits, scale, float) = match number {
            None => (0, 0, None),
            Some(Number::Decimal { digits, scale }) => (digits, scale, None),
            Some(Number::Float(value)) => (0, 0, Some(value)),
        };
        if let Some(value) = float
            && self.floats.is_none()
        {
            self.floats = Some(self.digits.iter().zip(&self.scales).map(|(d, s)| as_float(*d, *s)).collect());
            self.floats.get_or_insert_default().push(value);
        } else if let Some(floats) = &mut self.floats {
            floats.push(float.unwrap_or_else(|| as_float(digits, scale)));
        }
        self.digits.push(digits);
        self.scales.push(scale);
        self.scale = self.scale.max(scale);
    }

    fn finish(self) -> ArrayRef {
        let nulls = self.valid.contains(&false).then(|| NullBuffer::from(self.valid));
        let floats = match self.floats {
            Some(floats) => floats,
            None => {
                let mut values = Vec::with_capacity(self.digits.len());
                for (&digits, &scale) in self.digits.iter().zip(&self.scales) {
                    let value = i128::from(digits) * i128::from(POWERS[usize::from(self.scale - scale)]);
                    values.push(value);
                }
                let short = values.iter().all(|v| v.unsigned_abs() < DIGITS_MAX as u128);
                let decimals = Decimal128Array::new(values.into(), nulls.clone());
                // Precision 38 and a scale up to 9 are always allowed.
                match decimals.with_precision_and_scale(38, self.scale as i8) {
                    Ok(decimals) if short => return Arc::new(decimals),
                    _ => self.digits.iter().zip(&self.scales).map(|(d, s)| as_float(*d, *s)).collect(),
                }
            }
        };
        let mut out = Float64Builder::with_capacity(floats.len());
        for (row, value) in floats.into_iter().enumerate() {
            out.append_option(nulls.as_ref().is_none_or(|n| n.is_valid(row)).then_some(value));
        }
        Arc::new(out.finish())
    }
}

const POWERS: [i64; 10] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// The float nearest to a decimal.
fn as_float(digits: i64, scale: u8) -> f64 {
    if digits.unsigned_abs() < 1 << 53 {
        // Both are exact, so the quotient is correctly rounded.
        return digits as f64 / POWERS[usize::from(scale)] as f64;
    }
    format!("{digits}e-{scale}").parse().unwrap_or(digits as f64)
}

fn numbers(column: &ArrayRef, kind: &Kind, formats: &Formats) -> (ArrayRef, Faults) {
    let cells = column.as_string::<i32>();
    let mut out = Numbers::with_capacity(cells.len());
    let mut faults = Vec::new();
    for (row, cell) in cells.iter().enumerate() {
        let Some(cell) = cell else {
            out.push(None);
            continue;
        };
        let number = match number::parse(cell, formats.decimal) {
            Some(reading) => match (kind, reading.currency) {
                (Kind::Money(Some(currency)), Some(sign)) if !sign.fits(*currency) => {
                    faults.push((row, format!("expected an amount in {currency}, found `{}`", shown(cell))));
                    None
                }
                _ => Some(reading.number),
            },
            None if boolean::is_missing_word(cell) => None,
            None => {
                let clock = if *kind == Kind::Duration { clock_length(cell) } else { None };
                if clock.is_none() {
                    faults.push((row, expected(kind, formats.decimal, cell)));
                }
                clock
            }
        };
        out.push(number);
    }
    (out.finish(), faults)
}

fn expected(kind: &Kind, decimal: u8, cell: &str) -> String {
    let what = match kind {
        Kind::Money(Some(currency)) => format!("an amount in {currency}"),
        Kind::Money(None) | Kind::MoneyOf(_) => "an amount".to_string(),
        Kind::Percent => "a percentage".to_string(),
        Kind::Duration => "a length in seconds or h:mm:ss".to_string(),
        _ => "a number".to_string(),
    };
    let other = if decimal == b'.' { b',' } else { b'.' };
    let mark = if number::parse(cell, other).is_some() {
        format!(" with the decimal mark `{}`", decimal as char)
    } else {
        String::new()
    };
    format!("expected {what}{mark}, found `{}`", shown(cell))
}

/// `1:02:03` in seconds.
fn clock_length(text: &str) -> Option<Number> {
    let (hours, rest) = text.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    let hours: i64 = hours.parse().ok().filter(|h| (0..1_000_000).contains(h))?;
    let minutes: i64 = minutes.parse().ok().filter(|m| (0..60).contains(m) && minutes.len() == 2)?;
    match number::parse(seconds, b'.')?.number {
        Number::Decimal { digits, scale } if seconds.starts_with(|c: char| c.is_ascii_digit()) => {
            let one = POWERS[usize::from(scale)];
            (digits < 60 * one)
                .then_some(Number::Decimal { digits: (hours * 3600 + minutes * 60) * one + digits, scale })
        }
        _ => None,
    }
}

/// Columns that are numbers already.
fn numbers_typed(column: &ArrayRef) -> Option<(ArrayRef, Faults)> {
    let array: ArrayRef = match column.data_type() {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => {
            let ints = arrow_cast::cast(column, &DataType::Int64).ok()?;
            let mut out = Numbers::with_capacity(ints.len());
            for value in ints.as_primitive::<Int64Type>() {
                out.push(value.map(|digits| match digits.unsigned_abs() < DIGITS_MAX as u64 {
                    true => Number::Decimal { digits, scale: 0 },
                    false => Number::Float(digits as f64),
                }));
            }
            out.finish()
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            // 32-bit floats by their own shortest spelling: 0.1 is 0.1, not 0.10000000149.
            let narrow = *column.data_type() != DataType::Float64;
            let floats = arrow_cast::cast(column, &DataType::Float64).ok()?;
            let mut out = Numbers::with_capacity(floats.len());
            for value in floats.as_primitive::<Float64Type>() {
                let value = value.filter(|v| v.is_finite());
                out.push(
                    value.map(|v| short_decimal(if narrow { (v as f32).to_string().parse().unwrap_or(v) } else { v })),
                );
            }
            out.finish()
        }
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) => {
            let (precision, scale) = match column.data_type() {
                DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => (*p, *s),
                _ => return None,
            };
            if !(0..=SCALE_MAX as i8).contains(&scale) || precision > 18 {
                let floats = arrow_cast::cast(column, &DataType::Float64).ok()?;
                return numbers_typed(&floats);
            }
            arrow_cast::cast(column, &DataType::Decimal128(38, scale)).ok()?
        }
        DataType::Boolean | DataType::Utf8 => return None,
        _ => return None,
    };
    Some((array, Vec::new()))
}

/// The decimal whose nearest float this is, where it has at most 15 digits and 9 decimals.
fn short_decimal(value: f64) -> Number {
    for scale in 0..=SCALE_MAX {
        let power = POWERS[usize::from(scale)] as f64;
        let digits = (value * power).round();
        if digits.abs() >= 1e15 {
            break;
        }
        if digits / power == value {
            return Number::Decimal { digits: digits as i64, scale };
        }
    }
    Number::Float(value)
}
