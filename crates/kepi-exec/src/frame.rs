//! The answer as a frame: columns with units, rows in order, what must be said beside them.

use arrow_array::RecordBatch;
use kepi_model::calendar::Grain;
use kepi_model::core::Better;
use kepi_model::value::Unit;
use serde::{Deserialize, Serialize};

/// An answer.
///
/// Arrow types by unit: a count `Int64`; numbers, money, percent, points and durations (in seconds) `Decimal128(38, s)`
/// where exact, else `Float64`; text and entities (their keys) `Utf8`; `Boolean`; times and periods (their first
/// instant) `Timestamp(Microsecond, "UTC")`; dates and labels that are periods `Date32` or `Timestamp` by their unit.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What the columns are, in the order of the batch: period, labels, values (each with its comparison columns behind it).
    pub columns: Vec<FrameColumn>,
    /// The rows.
    pub rows: RecordBatch,
    /// The totals over all rows where they were asked for: one row, the period and labels missing; of a funnel one per
    /// step, of a retention one per age.
    pub totals: Option<RecordBatch>,
    /// Periods that are not whole, by their first instant.
    pub partial: Vec<PartialPeriod>,
    /// Rows that are not whole, though their period may be: of a cohort that is too young for its age.
    pub partial_rows: Vec<PartialRow>,
    /// What was left out, and what should be known.
    pub notes: Vec<Note>,
    /// Rows read.
    pub rows_scanned: u64,
    /// What ran, step by step, for `explain`.
    pub steps: Vec<Step>,
}

/// A column of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameColumn {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: FrameColumnKind,
    /// Its unit.
    pub unit: Unit,
    /// The grain, for the period and for labels that are periods.
    pub grain: Option<Grain>,
    /// Which direction is good, where the metric says.
    pub better: Option<Better>,
    /// What its whole numbers stand for, from 0: of a retention's brackets the periods of each, such as `4 to 14`. Empty:
    /// they stand for themselves.
    pub words: Vec<String>,
}

/// What a column of the answer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FrameColumnKind {
    /// The period.
    Period,
    /// A label.
    Dimension,
    /// A value.
    Value,
    /// The other side of a comparison with the value column of this index.
    Previous(usize),
    /// Value minus previous; of a percent in points.
    Change(usize),
    /// Change ÷ previous; missing from a negative or zero base, and for percents.
    ChangePercent(usize),
}

/// A period that is not whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialPeriod {
    /// Its first instant.
    pub start: i64,
    /// Why: "still running", "not begun", "cut by the window".
    pub reason: String,
}

/// A row that is not whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialRow {
    /// Its number, from 0.
    pub row: usize,
    /// Why: "the month still runs for some".
    pub reason: String,
}

/// A note on the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// A stable word: `no_data`, `without_entity`, `partial_period`, …
    pub code: String,
    /// In words.
    pub text: String,
}

/// A step that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// In words: "orders: rows in time order, revenue summed per month".
    pub text: String,
    /// Rows that came in.
    pub rows_in: u64,
    /// Rows that went out.
    pub rows_out: u64,
    /// How long it took.
    pub micros: u64,
}
