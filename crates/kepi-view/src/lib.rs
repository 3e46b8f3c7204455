//! An Answer as table, line, Markdown, CSV and JSON; diagnostics for people.
//!
//! Data only: a format turns answers into bytes for the standard output. What has to be said beside them
//! ([`words`]) is for the standard error.

mod cell;
mod diagnostics;
mod excerpt;
mod formats;
mod grid;
mod lineage;
mod number;
mod period;
mod sparkline;
mod summary;
mod targets;
mod tests_report;
mod text;
mod unit;
mod words;

pub use diagnostics::{diagnostics_json, diagnostics_report};
pub use formats::{FORMATS, Format, FormatError, LATER, find_format, page};
pub use lineage::{definition_diff, lineage_dot, lineage_json, lineage_mermaid, lineage_text};
pub use sparkline::sparkline;
pub use summary::{Kpi, Series, kpis, series};
pub use targets::{targets_json, targets_table};
pub use tests_report::test_report;
pub use text::inert;
pub use words::words;

/// How text for people looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether escape codes for colours may be written.
    pub colour: bool,
    /// Columns of the terminal; none: not a terminal.
    pub width: Option<usize>,
}

/// Why an answer cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// A column has an Arrow type that answers do not have.
    #[error("column `{column}` has the type {found}, which no answer has")]
    ColumnType {
        /// The column.
        column: String,
        /// Its Arrow type.
        found: String,
    },
    /// The frame says other columns than the batch has.
    #[error("the answer describes {described} columns and has {present}")]
    ColumnCount {
        /// How many are described.
        described: usize,
        /// How many there are.
        present: usize,
    },
}

#[cfg(test)]
mod samples;
