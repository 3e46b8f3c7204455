//! Values of the language with their units.

use super::calendar::{Calendar, Length};
use super::number::Number;
use jiff::civil::Date;
use kepi_syntax::ast::TimeUnit;
use std::cmp::Ordering;

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// None.
    Missing,
    /// A number with what it is a number of.
    Number(Number, Unit),
    /// The time between two instants: it remembers both, so that `1 year` can be meant by the calendar.
    Elapsed {
        /// The earlier end, microseconds UTC.
        from: i64,
        /// The later end, microseconds UTC.
        to: i64,
    },
    /// A length by the calendar, as written: `1 year`.
    Length(Length),
    /// Text, also the key of an entity.
    Text(String),
    /// Yes or no.
    Bool(bool),
    /// An instant, microseconds UTC.
    Time(i64),
    /// A day.
    Date(Date),
}

/// What a number is a number of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The kind.
    pub kind: Kind,
    /// `money per day`.
    pub per: Option<TimeUnit>,
}

/// The kinds of number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum Kind {
    Number,
    Count,
    Percent,
    Points,
    Money(String),
    /// In seconds.
    Duration,
}

impl Unit {
    /// A unit that is per nothing.
    pub fn of(kind: Kind) -> Unit {
        Unit { kind, per: None }
    }
}

impl Value {
    /// A plain number.
    pub fn number(number: Number) -> Value {
        Value::Number(number, Unit::of(Kind::Number))
    }

    /// A number of things.
    pub fn count(count: usize) -> Value {
        Value::Number(Number::whole(count as i128), Unit::of(Kind::Count))
    }

    /// Whether it is missing.
    pub fn is_missing(&self) -> bool {
        matches!(self, Value::Missing)
    }

    /// Whether it is *yes*: conditions are two-valued, missing is *no*.
    pub fn is_yes(&self) -> bool {
        matches!(self, Value::Bool(true))
    }

    /// The number with its unit; durations in seconds. None for what is no number.
    pub fn as_number(&self) -> Option<(Number, Unit)> {
        match self {
            Value::Number(number, unit) => Some((*number, unit.clone())),
            Value::Elapsed { from, to } => {
                let seconds = Number::fraction(i128::from(*to) - i128::from(*from), 1_000_000)?;
                Some((seconds, Unit::of(Kind::Duration)))
            }
            Value::Length(length) => Some((length.seconds(), Unit::of(Kind::Duration))),
            _ => None,
        }
    }

    /// The order of labels and of `order by`: numbers by size, text by bytes, *no* before *yes*, missing last.
    pub fn order(&self, other: &Value) -> Ordering {
        fn rank(value: &Value) -> u8 {
            match value {
                Value::Bool(_) => 0,
                Value::Number(..) | Value::Elapsed { .. } | Value::Length(_) => 1,
                Value::Date(_) => 2,
                Value::Time(_) => 3,
                Value::Text(_) => 4,
                Value::Missing => 5,
            }
        }
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::Time(a), Value::Time(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            _ => match (self.as_number(), other.as_number()) {
                (Some((a, _)), Some((b, _))) => a.compare(b),
                _ => rank(self).cmp(&rank(other)),
            },
        }
    }

    /// Compares for `=`, `<` and so on: none where one is missing.
    ///
    /// # Errors
    /// In words, when the two are of kinds that do not compare.
    pub fn compare(&self, other: &Value, calendar: &Calendar) -> Result<Option<Ordering>, String> {
        Ok(Some(match (self, other) {
            (Value::Missing, _) | (_, Value::Missing) => return Ok(None),
            // `age(e) < 1 year` asks whether the anniversary has come, not for a number of seconds.
            (Value::Elapsed { from, to }, Value::Length(length)) => to.cmp(&calendar.add(*from, *length)),
            (Value::Length(length), Value::Elapsed { from, to }) => calendar.add(*from, *length).cmp(to),
            (Value::Time(a), Value::Time(b)) => a.cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::Time(a), Value::Date(b)) => a.cmp(&calendar.start_of_day(*b)),
            (Value::Date(a), Value::Time(b)) => calendar.start_of_day(*a).cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            _ => match (self.as_number(), other.as_number()) {
                (Some((a, _)), Some((b, _))) => a.compare(b),
                _ => return Err(format!("{self:?} and {other:?} do not compare")),
            },
        }))
    }

    /// Whether both are the same label.
    pub fn is_same_label(&self, other: &Value) -> bool {
        self.order(other) == Ordering::Equal
    }
}
