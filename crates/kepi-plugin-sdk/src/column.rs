//! Columns as they come from kepi and go back.

use std::fmt;

/// Which values a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    /// Yes or no.
    Boolean,
    /// Counts.
    Integer,
    /// Numbers, percents and points (as fractions), money, durations (in seconds).
    Float,
    /// Texts.
    Text,
    /// Moments.
    Time,
    /// Days.
    Date,
}

impl DataType {
    /// What its values are called.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            DataType::Boolean => "booleans",
            DataType::Integer => "integers",
            DataType::Float => "floats",
            DataType::Text => "texts",
            DataType::Time => "times",
            DataType::Date => "dates",
        }
    }
}

/// The values of a column; the place of a missing one holds anything.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// One byte a row, 0 or 1.
    Booleans(Vec<u8>),
    /// Counts.
    Integers(Vec<i64>),
    /// Numbers of every other kind.
    Floats(Vec<f64>),
    /// Value i is `data[offsets[i]..offsets[i + 1]]`; one offset more than values.
    Texts {
        /// Where values begin.
        offsets: Vec<u32>,
        /// UTF-8.
        data: Vec<u8>,
    },
    /// Microseconds since 1970 UTC.
    Times(Vec<i64>),
    /// Days since 1970.
    Dates(Vec<i32>),
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its values.
    pub values: Values,
    /// Bit i, least significant first, is 1 where row i has a value; none: each has.
    pub validity: Option<Vec<u8>>,
}

impl Column {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        match &self.values {
            Values::Booleans(values) => values.len(),
            Values::Integers(values) | Values::Times(values) => values.len(),
            Values::Floats(values) => values.len(),
            Values::Texts { offsets, .. } => offsets.len().saturating_sub(1),
            Values::Dates(values) => values.len(),
        }
    }
}

/// A moment: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

/// A day: days since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

/// Why a function gives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The caller gave values that make no sense; it is shown at the call in the query.
    BadArgument(String),
    /// The plugin failed; it is never shown as the user's mistake.
    Failed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::BadArgument(message) | Error::Failed(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}
