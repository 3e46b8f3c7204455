//! The engine's door as the faces see it, while the rooms behind it are being built: what waits is refused in words.

use crate::api::{
    CheckReport, Completion, Defined, DemoReport, Described, EngineError, Explanation, Listed, LoadReport, LoadRequest,
    Progress, SyncRequest,
};
use crate::{Answer, Request};
use kepi_syntax::Diagnostic;
use std::path::{Path, PathBuf};

/// A project that is open for questions and loads.
#[derive(Debug)]
pub struct Engine {
    _project: PathBuf,
}

fn not_yet<T>(what: &str) -> Result<T, EngineError> {
    Err(EngineError::usage(format!("`{what}` is not there yet")))
}

impl Engine {
    /// Finds the nearest parent with a `kepi.toml`; the folder itself counts.
    pub fn find_project(start: &Path) -> Option<PathBuf> {
        start.ancestors().find(|folder| folder.join("kepi.toml").is_file()).map(Path::to_path_buf)
    }

    /// Opens a project: reads `kepi.toml`, the model and the plugins; the store is opened when it is needed.
    pub fn open(project: &Path) -> Result<Engine, EngineError> {
        Ok(Engine { _project: project.to_path_buf() })
    }

    /// The project's time zone by its IANA name.
    pub fn zone(&self) -> String {
        "UTC".to_string()
    }

    /// Answers every query of a text.
    pub fn query(&self, _request: Request) -> Result<Vec<Answer>, EngineError> {
        not_yet("query")
    }

    /// Explains every query of a text.
    pub fn explain(&self, _request: Request) -> Result<Vec<Explanation>, EngineError> {
        not_yet("explain")
    }

    /// Checks files beside the project's model; none: the model itself.
    pub fn check(&self, _files: &[PathBuf]) -> Result<CheckReport, EngineError> {
        not_yet("check")
    }

    /// Loads files into the store.
    pub fn load(&self, _request: LoadRequest, _progress: &dyn Fn(Progress)) -> Result<LoadReport, EngineError> {
        not_yet("load")
    }

    /// Pulls from a connector into the store.
    pub fn sync(&self, _request: SyncRequest, _progress: &dyn Fn(Progress)) -> Result<LoadReport, EngineError> {
        not_yet("sync")
    }

    /// Lists the definitions, by kind and name.
    pub fn list(&self) -> Vec<Listed> {
        Vec::new()
    }

    /// Describes a definition; none when there is no such name.
    pub fn describe(&self, _name: &str) -> Option<Described> {
        None
    }

    /// Says what may stand at the cursor.
    pub fn complete(&self, _text: &str, _cursor: usize) -> Vec<Completion> {
        Vec::new()
    }

    /// Keeps the definitions of a text for this session.
    pub fn define(&self, _text: &str) -> Result<Defined, EngineError> {
        not_yet("define")
    }

    /// Makes an empty project, or one with a template's model; gives the files written.
    pub fn init(_dir: &Path, _template: Option<&str>) -> Result<Vec<PathBuf>, EngineError> {
        not_yet("init")
    }

    /// Makes and loads the demo company.
    pub fn demo(_dir: &Path, _progress: &dyn Fn(Progress)) -> Result<DemoReport, EngineError> {
        not_yet("demo")
    }
}

/// Formats a text; a text with mistakes comes back as it is, with what is wrong.
pub fn format(text: &str) -> (String, Vec<Diagnostic>) {
    (text.to_string(), Vec::new())
}

/// Whether a text is a whole statement, so that a prompt need not wait for more.
pub fn is_complete(text: &str) -> bool {
    !text.trim().is_empty()
}
