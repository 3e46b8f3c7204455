//! Why a query gave no answer.

use datafusion_common::DataFusionError;
use kepi_extension::{FunctionError, ScanError};
use std::error::Error;
use std::sync::Arc;

/// Why a query gave no answer. Cheap to clone, since one failure may reach several waiting operators.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExecError {
    /// Somebody stopped it.
    #[error("the query was cancelled")]
    Cancelled,
    /// It took longer than it may.
    #[error("the query took longer than its time limit")]
    Timeout,
    /// It needed more memory than it may use.
    #[error("the query needs more memory than its limit of {}", bytes(*limit))]
    Memory {
        /// The limit in bytes.
        limit: u64,
    },
    /// The query is larger than the engine takes.
    #[error("the query has {count} {what}; the most is {max}")]
    TooLarge {
        /// What there is too much of, in the plural: "aggregates".
        what: String,
        /// How many there are.
        count: u64,
        /// How many there may be.
        max: u64,
    },
    /// A value is exact and has more digits than the engine keeps.
    #[error("a value of {0} has more than 38 digits")]
    Overflow(String),
    /// An amount is asked for in a currency for which nothing says how much it was worth.
    #[error("no rate says what {from} was worth in {to} on {day}: the table `rates` has none of that day or before")]
    NoRate {
        /// The amount's currency.
        from: String,
        /// The wanted currency.
        to: String,
        /// The day of the amount, by the project's clock.
        day: String,
    },
    /// Time for which a calendar's table has no periods.
    #[error("{what} is outside the table of `{grain}`, which goes from {first} until {end}")]
    OutsideTable {
        /// The day.
        what: String,
        /// The periods that are asked for: "retail.month".
        grain: String,
        /// The table's first day.
        first: String,
        /// The day behind its last.
        end: String,
    },
    /// A field is stored otherwise than it is declared now.
    #[error("`{field}` of `{of}` is declared as {declared}, and {stored} are stored in it")]
    StoredOtherwise {
        /// The event, state or entity.
        of: String,
        /// The field.
        field: String,
        /// What is stored, in the plural: "texts".
        stored: String,
        /// The declared unit.
        declared: String,
    },
    /// The stored data could not be read.
    #[error(transparent)]
    Scan(Arc<ScanError>),
    /// A plugin's function failed.
    #[error(transparent)]
    Function(#[from] FunctionError),
    /// A part of the language that the engine does not run yet.
    #[error("{0} is not there yet")]
    NotYet(String),
    /// The query contradicts itself or the stored data: never the fault of who wrote a checked query.
    #[error("the plan does not fit together: {0}")]
    Plan(String),
    /// An operator failed in a way that has no name of its own.
    #[error("the query failed: {0}")]
    Failed(String),
}

impl From<ScanError> for ExecError {
    fn from(error: ScanError) -> ExecError {
        match error {
            ScanError::Cancelled => ExecError::Cancelled,
            other => ExecError::Scan(Arc::new(other)),
        }
    }
}

impl From<ExecError> for DataFusionError {
    fn from(error: ExecError) -> DataFusionError {
        DataFusionError::External(Box::new(error))
    }
}

impl From<DataFusionError> for ExecError {
    fn from(error: DataFusionError) -> ExecError {
        of_datafusion(&error)
    }
}

impl From<arrow_schema::ArrowError> for ExecError {
    fn from(error: arrow_schema::ArrowError) -> ExecError {
        ExecError::Failed(error.to_string())
    }
}

/// Finds what failed behind the layers that operators put around an error.
fn of_datafusion(error: &DataFusionError) -> ExecError {
    match error.find_root() {
        // The caller knows the limit and fills it in, see `run`.
        DataFusionError::ResourcesExhausted(_) => ExecError::Memory { limit: 0 },
        DataFusionError::External(inner) => of_external(inner.as_ref()),
        root => ExecError::Failed(root.strip_backtrace()),
    }
}

fn of_external(error: &(dyn Error + Send + Sync + 'static)) -> ExecError {
    if let Some(own) = error.downcast_ref::<ExecError>() {
        return own.clone();
    }
    if let Some(function) = error.downcast_ref::<FunctionError>() {
        return function.clone().into();
    }
    match error.downcast_ref::<ScanError>() {
        Some(scan) => copy(scan).into(),
        None => ExecError::Failed(error.to_string()),
    }
}

/// A second copy of an error that other operators hold too.
fn copy(error: &ScanError) -> ScanError {
    match error {
        ScanError::Unknown(name) => ScanError::Unknown(name.clone()),
        ScanError::Damaged { file, offset, reason } => {
            ScanError::Damaged { file: file.clone(), offset: *offset, reason: reason.clone() }
        }
        ScanError::Io { file, source } => {
            ScanError::Io { file: file.clone(), source: std::io::Error::new(source.kind(), source.to_string()) }
        }
        ScanError::Cancelled => ScanError::Cancelled,
    }
}

/// A number of bytes as people say it.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = "bytes";
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if value.fract() == 0.0 { format!("{value} {unit}") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_name_behind_the_layers_of_operators() {
        let shared = DataFusionError::Shared(Arc::new(ExecError::Timeout.into())).context("while joining");
        assert!(matches!(ExecError::from(shared), ExecError::Timeout));
        let damaged = ScanError::Damaged { file: "a.seg".into(), offset: 7, reason: "checksum".into() };
        let error = ExecError::from(DataFusionError::External(Box::new(damaged)));
        assert_eq!(error.to_string(), "a.seg is damaged at byte 7: checksum");
        let full = DataFusionError::ResourcesExhausted("x".into());
        assert!(matches!(ExecError::from(full), ExecError::Memory { .. }));
    }

    #[test]
    fn a_limit_is_said_in_its_unit() {
        let text = ExecError::Memory { limit: 1_610_612_736 }.to_string();
        assert_eq!(text, "the query needs more memory than its limit of 1.5 GiB");
        assert_eq!(bytes(100), "100 bytes");
    }
}
