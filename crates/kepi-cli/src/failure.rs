//! How a command fails: what it says and its exit code.

use crate::terminal::Terminal;
use kepi_engine::{EngineError, Severity};
use kepi_view::{ViewError, diagnostics_report, inert};
use std::path::Path;

/// Why a command ends without having done its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The engine says why.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An answer cannot be shown.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The command was asked for in a way that makes no sense.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// A repair.
        help: Option<String>,
    },
    /// A file cannot be read or written.
    #[error("{0}")]
    Io(String),
    /// All has been said; only the exit code is left.
    #[error("exit code {0}")]
    Said(u8),
    /// Nobody reads the output any more: no mistake of ours.
    #[error("nobody reads the output")]
    PipeClosed,
}

impl Failure {
    /// Makes a usage mistake.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::Usage { message: message.into(), help: None }
    }

    /// Makes a failure of files.
    pub(crate) fn io(message: impl Into<String>) -> Failure {
        Failure::Io(message.into())
    }

    /// Adds a repair to a usage mistake.
    pub(crate) fn with_help(mut self, text: impl Into<String>) -> Failure {
        if let Failure::Usage { help, .. } = &mut self {
            *help = Some(text.into());
        }
        self
    }

    /// Names the file that the text of a request came from, where the engine calls it `query`.
    pub(crate) fn in_file(mut self, file: Option<&Path>) -> Failure {
        if let (Failure::Engine(EngineError::Text { texts, .. }), Some(file)) = (&mut self, file) {
            for text in texts.iter_mut().filter(|t| t.path == Path::new("query")) {
                text.path = file.to_path_buf();
            }
        }
        self
    }

    /// The exit code: 1 the query failed, 2 usage, 4 data or files, 130 interrupted.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Engine(error) => error.exit_code(),
            Failure::View(_) => 1,
            Failure::Usage { .. } => 2,
            Failure::Io(_) => 4,
            Failure::Said(code) => *code,
            Failure::PipeClosed => 0,
        }
    }

    /// Says it on the standard error.
    pub(crate) fn say(&self, terminal: &Terminal) {
        let help = match self {
            Failure::Said(_) | Failure::PipeClosed => return,
            Failure::Engine(EngineError::Text { texts, diagnostics }) => {
                terminal.words(diagnostics_report(texts, diagnostics, terminal.err).trim_end());
                let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
                if errors > 1 {
                    terminal.error(&format!("{errors} mistakes"));
                }
                return;
            }
            Failure::Engine(error) => error.help(),
            Failure::Usage { help, .. } => help.as_deref(),
            Failure::View(_) | Failure::Io(_) => None,
        };
        terminal.error(&inert(&self.to_string()));
        if let Some(help) = help {
            terminal.hint(&inert(help));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_exit_code() {
        let engine = |error| Failure::Engine(error).exit_code();
        assert_eq!(engine(EngineError::failed("x")), 1);
        assert_eq!(engine(EngineError::usage("x")), 2);
        assert_eq!(engine(EngineError::data("x")), 4);
        assert_eq!(engine(EngineError::Held { pid: 7, command: "kepi load".to_string() }), 4);
        assert_eq!(engine(EngineError::Interrupted), 130);
        assert_eq!(Failure::usage("x").exit_code(), 2);
    }
}
