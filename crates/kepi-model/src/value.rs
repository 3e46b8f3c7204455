//! Constant values and the types of the language.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A three-letter currency code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Currency(pub [u8; 3]);

impl Currency {
    /// Reads a code; three capital letters, else none.
    pub fn parse(text: &str) -> Option<Currency> {
        let bytes: [u8; 3] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Currency(bytes))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only capital letters get in, see `parse`.
        self.0.iter().try_for_each(|&b| write!(f, "{}", b as char))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What a value is a value of, without the unit it may be per.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A plain number.
    Number,
    /// A number of things.
    Count,
    /// A fraction, shown in percent.
    Percent,
    /// A difference of percents, as a fraction: 0.3 is 30 points.
    Points,
    /// An amount of one currency. `None`: declared as `money` without saying which.
    Money(Option<Currency>),
    /// An amount whose currency stands in this field of the same row.
    MoneyOf(String),
    /// A length of time, in seconds.
    Duration,
    /// Text.
    Text,
    /// Yes or no.
    Bool,
    /// An instant.
    Time,
    /// A calendar day.
    Date,
    /// One entity of this kind, by its key.
    Entity(String),
    /// A list, only on the right of `in`.
    List(Box<Kind>),
    /// A cell of a table in a `source`: text that becomes what is needed.
    Raw,
    /// Missing without a type: fits everywhere.
    Missing,
}

/// The time that a value is per.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum PerUnit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl PerUnit {
    /// How many seconds it lasts; a year is 365.2425 days and a month a twelfth of it.
    pub fn seconds(self) -> f64 {
        match self {
            PerUnit::Second => 1.0,
            PerUnit::Minute => 60.0,
            PerUnit::Hour => 3600.0,
            PerUnit::Day => 86_400.0,
            PerUnit::Week => 7.0 * 86_400.0,
            PerUnit::Month => 365.2425 * 86_400.0 / 12.0,
            PerUnit::Quarter => 365.2425 * 86_400.0 / 4.0,
            PerUnit::Year => 365.2425 * 86_400.0,
        }
    }
}

/// The unit of a value: its kind, and the time it is per.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unit {
    /// What it is.
    pub kind: Kind,
    /// `money per day`.
    pub per: Option<PerUnit>,
}

impl Unit {
    /// A unit that is per nothing.
    pub const fn of(kind: Kind) -> Unit {
        Unit { kind, per: None }
    }
}

/// How many values an expression has. Ordered, so that combining two expressions is `max`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
pub enum Level {
    /// One in all.
    Const,
    /// One per event or entity.
    Row,
    /// One per cell of the answer.
    Group,
}

/// A constant.
///
/// Numbers, money, percents and points are exact decimals where they were written as such.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// No value.
    Missing,
    /// `digits * 10^-scale`; also of money, percent (as a fraction), points, and durations in seconds.
    Decimal {
        /// The digits.
        digits: i128,
        /// How many of them stand behind the point.
        scale: u8,
    },
    /// A number that is not a short decimal.
    Float(f64),
    /// A length by the calendar, such as `1 year`: months and days do not have one length.
    Span(CalendarSpan),
    /// Text.
    Text(String),
    /// Yes or no.
    Bool(bool),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Time(i64),
    /// Days since 1970-01-01.
    Date(i32),
    /// Values in a list.
    List(Vec<Value>),
}

/// A length by the calendar: months, days and microseconds, each counted for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CalendarSpan {
    /// Months; a year is twelve, a quarter three.
    pub months: i32,
    /// Days; a week is seven.
    pub days: i32,
    /// Microseconds: hours and less.
    pub micros: i64,
}

impl CalendarSpan {
    /// Its length in seconds, where a month is a twelfth of 365.2425 days.
    pub fn seconds(self) -> f64 {
        f64::from(self.months) * PerUnit::Month.seconds() + f64::from(self.days) * 86_400.0 + self.micros as f64 / 1e6
    }
}
