//! Why a plugin cannot be used. What happens inside a call is a `kepi_extension::FunctionError`.

use std::path::PathBuf;

/// Why a plugin was not found or not loaded.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// A file or folder of the plugin could not be read.
    #[error("cannot read {path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The manifest says something that it cannot say.
    #[error("{path}:{line}:{column}: {message}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// Two folders hold a plugin of the same id.
    #[error("the plugin {id} is there twice: {first} and {second}")]
    Duplicate {
        /// The id.
        id: String,
        /// Where it was found first.
        first: PathBuf,
        /// Where it was found again.
        second: PathBuf,
    },
    /// What it asks for is not there yet.
    #[error("the plugin {id} {what}")]
    Unsupported {
        /// The plugin.
        id: String,
        /// What is not there yet.
        what: String,
    },
}
