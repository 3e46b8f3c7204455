//! Why a bench could not run.

use std::path::{Path, PathBuf};

/// Why a bench could not run.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file or folder.
    #[error("cannot use {path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A Parquet file cannot be written or read.
    #[error("cannot use {path}: {reason}")]
    Parquet {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// kepi gave no answer.
    #[error("kepi: {0}")]
    Kepi(#[from] kepi_engine::EngineError),
    /// Another engine, its driver or the environment it is installed in.
    #[error("{0}: {1}")]
    Engine(&'static str, String),
    /// Something in the folder is not as `generate` leaves it.
    #[error("{0}")]
    Data(String),
}

impl BenchError {
    /// For `map_err` behind everything that touches a path.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> BenchError {
        let path = path.to_path_buf();
        move |source| BenchError::Io { path, source }
    }

    /// For `map_err` behind everything that touches a Parquet file.
    pub(crate) fn parquet<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> BenchError {
        let path = path.to_path_buf();
        move |error| BenchError::Parquet { path, reason: error.to_string() }
    }
}
