//! Queries and their clauses: windows, comparisons, order, limit, fill.

use super::{Expr, Name, Path};
use crate::span::Span;
use serde::{Deserialize, Serialize};

/// A query: what is shown, and its clauses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
#[allow(missing_docs)] // The fields are the language's own words.
pub struct Query {
    pub items: Vec<Item>,
    pub by: Vec<Item>,
    pub per: Option<Path>,
    pub filter: Option<Expr>,
    pub window: Option<Window>,
    /// `at T`.
    pub moment: Option<Bound>,
    pub versus: Vec<Against>,
    pub having: Option<Expr>,
    pub order: Vec<OrderKey>,
    pub limit: Option<Limit>,
    pub fill: Option<Fill>,
    /// `in USD`.
    pub currency: Option<Name>,
    pub span: Span,
}

/// A shown value or a label, with its alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields say it.
pub struct Item {
    pub value: Expr,
    pub alias: Option<Name>,
}

/// A window of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum Window {
    Last {
        length: Length,
        to_date: bool,
    },
    /// `last 4 fiscal.quarters`: so many periods of a calendar.
    LastOf {
        number: String,
        grain: Path,
        to_date: bool,
    },
    This {
        grain: Path,
        to_date: bool,
    },
    During(Bound),
    Since {
        from: Bound,
        until: Option<Bound>,
    },
    FromUntil {
        from: Bound,
        until: Bound,
    },
    Until(Bound),
}

/// A length of time: `24 months`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields say it.
pub struct Length {
    pub number: String,
    pub unit: TimeUnit,
    pub span: Span,
}

/// The units of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum TimeUnit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl TimeUnit {
    /// Returns the unit of a word, singular or plural.
    pub fn named(word: &str) -> Option<TimeUnit> {
        Some(match word.strip_suffix('s').unwrap_or(word) {
            "second" => TimeUnit::Second,
            "minute" => TimeUnit::Minute,
            "hour" => TimeUnit::Hour,
            "day" => TimeUnit::Day,
            "week" => TimeUnit::Week,
            "month" => TimeUnit::Month,
            "quarter" => TimeUnit::Quarter,
            "year" => TimeUnit::Year,
            _ => return None,
        })
    }

    /// Returns the unit's word in the singular.
    pub fn word(self) -> &'static str {
        match self {
            TimeUnit::Second => "second",
            TimeUnit::Minute => "minute",
            TimeUnit::Hour => "hour",
            TimeUnit::Day => "day",
            TimeUnit::Week => "week",
            TimeUnit::Month => "month",
            TimeUnit::Quarter => "quarter",
            TimeUnit::Year => "year",
        }
    }
}

/// An end of a window: a date, a period, or now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum Bound {
    Date(DateTime),
    /// `2025`, `2025-03`, `2025-Q3`, `2025-W07`, `fiscal.2026`.
    Period {
        calendar: Option<Name>,
        text: String,
        span: Span,
    },
    Now(Span),
}

/// A date or an instant as written: `2025-03-01`, `2025-03-01T12:00:00+01:00`. Its text is well formed, but the day may not exist.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields say it.
pub struct DateTime {
    pub text: String,
    pub span: Span,
}

/// What `vs` compares with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum Against {
    Previous { grain: Option<Path>, aligned: bool, span: Span },
    Period { calendar: Option<Name>, text: String, span: Span },
    Target { name: Option<Path>, span: Span },
}

/// A key of `order by`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields say it.
pub struct OrderKey {
    pub value: Expr,
    pub descending: bool,
}

/// `limit 5 with other`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields say it.
pub struct Limit {
    pub number: String,
    pub with_other: bool,
    pub span: Span,
}

/// `fill 0`, `fill missing`, `fill previous`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum Fill {
    Value(Expr),
    Missing,
    Previous,
}
