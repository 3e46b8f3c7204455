//! The questions, as kepi text and as DuckDB's SQL, a family of them a file.
//!
//! The SQL is what an expert would write for DuckDB: window functions, ASOF joins, running sums over changes instead of
//! joins with every period, each table read as few times as the question allows.

mod clickhouse;
mod cohorts;
mod events;
mod funnels;
mod goals;
mod groups;
mod numbers;
mod people;
mod states;
mod windows;

pub(crate) use clickhouse::in_clickhouse;
pub use goals::{GOALS, Goal};

/// When two values are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Whole numbers, exactly.
    Exact,
    /// Money, to the cent.
    Cents,
    /// To a billionth of their size.
    Quotient,
    /// Within a tenth: sketches.
    About,
    /// To the last digit: two answers of kepi.
    Same,
}

/// A question that is asked on both sides.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// What it asks, as the table shows it.
    pub title: &'static str,
    /// The query in kepi's language.
    pub kepi: &'static str,
    /// The query in SQL: first the keys, then the values.
    pub sql: &'static str,
    /// When two answers are equal.
    pub comparison: Comparison,
    /// Whether the order of the rows is part of the answer.
    pub ordered: bool,
}

impl Question {
    /// A question whose values are equal to a billionth of their size.
    const fn new(title: &'static str, kepi: &'static str, sql: &'static str) -> Question {
        Question { title, kepi, sql, comparison: Comparison::Quotient, ordered: false }
    }

    const fn exact(self) -> Question {
        Question { comparison: Comparison::Exact, ..self }
    }

    const fn cents(self) -> Question {
        Question { comparison: Comparison::Cents, ..self }
    }

    const fn about(self) -> Question {
        Question { comparison: Comparison::About, ..self }
    }

    const fn ordered(self) -> Question {
        Question { ordered: true, ..self }
    }
}

/// Questions of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Their kind, as the table shows it.
    pub title: &'static str,
    /// The streams that they need.
    pub streams: &'static [&'static str],
    /// In the order of the table.
    pub questions: &'static [Question],
}

/// All questions, in the order of the table.
pub static FAMILIES: [Family; 8] = [
    events::EVENTS,
    states::STATES,
    groups::GROUPS,
    windows::WINDOWS,
    people::PEOPLE,
    cohorts::COHORTS,
    funnels::FUNNELS,
    numbers::NUMBERS,
];
