//! What every command has at hand: the project and the terminal.

use crate::failure::Failure;
use crate::terminal::Terminal;
use kepi_engine::Engine;
use std::path::PathBuf;

/// Where a command runs.
pub(crate) struct Context {
    /// The project that was named.
    named: Option<PathBuf>,
    /// How it speaks.
    pub(crate) terminal: Terminal,
}

impl Context {
    /// Makes a context; nothing is read yet.
    pub(crate) fn new(named: Option<PathBuf>, terminal: Terminal) -> Context {
        Context { named, terminal }
    }

    /// The project's folder: the one that was named, else the nearest parent with a `kepi.toml`.
    pub(crate) fn project(&self) -> Result<PathBuf, Failure> {
        if let Some(folder) = &self.named {
            return match folder.join("kepi.toml").is_file() {
                true => Ok(folder.clone()),
                false => Err(Failure::usage(format!("there is no kepi.toml in {}", folder.display()))
                    .with_help(format!("`kepi init {}` makes a project there", folder.display()))),
            };
        }
        let here =
            std::env::current_dir().map_err(|e| Failure::io(format!("the current folder cannot be read: {e}")))?;
        Engine::find_project(&here).ok_or_else(|| {
            Failure::usage("there is no project here: neither this folder nor one above it has a kepi.toml")
                .with_help("`kepi init` makes one, `kepi demo` one with data, `--project DIR` names one")
        })
    }

    /// Opens the project.
    pub(crate) fn engine(&self) -> Result<Engine, Failure> {
        Ok(Engine::open(&self.project()?)?)
    }
}
