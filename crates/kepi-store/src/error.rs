//! What can go wrong in the store, and how the errors of the files below become it.

use kepi_extension::ScanError;
use std::path::Path;

/// Why the store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process writes.
    #[error("the store is being written by process {pid} ({command})")]
    Held {
        /// Its process id; 0 where it could not be read.
        pid: u32,
        /// What it runs.
        command: String,
    },
    /// A file is damaged.
    #[error("{file} is damaged at byte {offset}: {reason}")]
    Damaged {
        /// The file.
        file: String,
        /// Where.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot use {file}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store was written by a newer version of kepi.
    #[error("the store has format {found}, this version of kepi reads up to {known}")]
    NewerFormat {
        /// Its format.
        found: u32,
        /// The newest format that is understood.
        known: u32,
    },
    /// A column does not fit its declaration, or what is stored.
    #[error("column `{column}` of `{of}`: {reason}")]
    Column {
        /// The stream or entity.
        of: String,
        /// The column.
        column: String,
        /// What is wrong.
        reason: String,
    },
    /// A limit of the store.
    #[error("{0}")]
    Limit(String),
    /// The writer's memory could not be used.
    #[error("the writer's memory (sled) failed")]
    Memory(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An earlier failure while writing left it unknown what is on the disk.
    #[error("the writer stopped after a failed write; open the store again")]
    Stopped,
}

impl StoreError {
    /// Names the file of an I/O error.
    pub(crate) fn io(file: &Path, source: std::io::Error) -> StoreError {
        StoreError::Io { file: file.display().to_string(), source }
    }

    /// Says where a file is damaged.
    pub(crate) fn damaged(file: &Path, offset: u64, reason: impl Into<String>) -> StoreError {
        StoreError::Damaged { file: file.display().to_string(), offset, reason: reason.into() }
    }

    /// A column that does not fit.
    pub(crate) fn column(of: &str, column: &str, reason: impl Into<String>) -> StoreError {
        StoreError::Column { of: of.into(), column: column.into(), reason: reason.into() }
    }

    /// Whether a file that should be there is not: it may just have been replaced by a newer snapshot.
    pub(crate) fn is_missing_file(&self) -> bool {
        matches!(self, StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}

impl From<ScanError> for StoreError {
    fn from(error: ScanError) -> StoreError {
        match error {
            ScanError::Damaged { file, offset, reason } => StoreError::Damaged { file, offset, reason },
            ScanError::Io { file, source } => StoreError::Io { file, source },
            other => StoreError::Limit(other.to_string()),
        }
    }
}

impl From<StoreError> for ScanError {
    fn from(error: StoreError) -> ScanError {
        match error {
            StoreError::Damaged { file, offset, reason } => ScanError::Damaged { file, offset, reason },
            StoreError::Io { file, source } => ScanError::Io { file, source },
            other => ScanError::Io { file: "the store".into(), source: std::io::Error::other(other.to_string()) },
        }
    }
}

impl From<arrow_schema::ArrowError> for StoreError {
    fn from(error: arrow_schema::ArrowError) -> StoreError {
        // Arrow's kernels fail only where offsets overflow: one column with more than 2 GiB of text in one load.
        StoreError::Limit(format!("too much for one load: {error}"))
    }
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> StoreError {
        StoreError::Memory(Box::new(error))
    }
}
