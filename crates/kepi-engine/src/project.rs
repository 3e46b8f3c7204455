//! A project on disk: `kepi.toml`, the model files, where the store lies.

use crate::api::{EngineError, SourceText};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file that makes a folder a project.
pub(crate) const CONFIG: &str = "kepi.toml";

/// A project's folder and settings.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub(crate) root: PathBuf,
    pub(crate) config: Config,
}

/// What `kepi.toml` says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The instant for which everything is answered.
    pub(crate) now: Option<String>,
    /// The time zone, unless the model sets it.
    pub(crate) timezone: Option<String>,
    /// The currency of plain `money`, unless the model sets it.
    pub(crate) currency: Option<String>,
    #[serde(default)]
    pub(crate) limits: ConfigLimits,
}

/// `[limits]` of `kepi.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigLimits {
    /// Memory of a query: `"2 GiB"`.
    pub(crate) memory: Option<String>,
    /// Time of a query: `"30 s"`.
    pub(crate) timeout: Option<String>,
}

impl Project {
    pub(crate) fn open(root: &Path) -> Result<Project, EngineError> {
        let path = root.join(CONFIG);
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                EngineError::usage(format!("there is no {}", path.display())).with_help("`kepi init` makes a project")
            }
            std::io::ErrorKind::InvalidData => {
                EngineError::usage(format!("{} is not UTF-8", path.display())).with_help("save the file as UTF-8")
            }
            _ => EngineError::data(format!("cannot read {}: {error}", path.display())),
        })?;
        let config: Config = toml::from_str(&text).map_err(|error| {
            let place = error.span().map_or_else(String::new, |span| {
                let before = &text[..text.floor_char_boundary(span.start)];
                let line = before.matches('\n').count() + 1;
                format!(":{line}:{}", before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1)
            });
            EngineError::usage(format!("{}{place}: {}", path.display(), error.message().trim_end()))
                .with_help("it may have now, timezone, currency and [limits] with memory and timeout")
        })?;
        let project = Project { root: root.to_path_buf(), config };
        project.memory_limit()?;
        project.time_limit()?;
        Ok(project)
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join(".kepi").join("store")
    }

    pub(crate) fn rejected(&self) -> PathBuf {
        self.root.join(".kepi").join("rejected")
    }

    pub(crate) fn compiled(&self) -> PathBuf {
        self.root.join(".kepi").join("compiled")
    }

    pub(crate) fn model_folder(&self) -> PathBuf {
        self.root.join("model")
    }

    /// The model files with their texts, sorted by path; folders inside `model/` count.
    pub(crate) fn model_texts(&self) -> Result<Vec<SourceText>, EngineError> {
        let mut paths = Vec::new();
        collect(&self.model_folder(), &mut paths)?;
        paths.sort();
        paths.into_iter().map(|path| self.text(&path)).collect()
    }

    /// Reads a model file; its path is shown relative to the project.
    pub(crate) fn text(&self, path: &Path) -> Result<SourceText, EngineError> {
        let unreadable = |e: std::io::Error| EngineError::data(format!("cannot read {}: {e}", path.display()));
        // A pipe would be waited for.
        if !fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(EngineError::data(format!("cannot read {}: it is no file", path.display())));
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let line = e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
            EngineError::data(format!("{}, line {line}: this is not UTF-8", path.display()))
                .with_help("save the file as UTF-8")
        })?;
        let shown = path.strip_prefix(&self.root).unwrap_or(path).to_path_buf();
        Ok(SourceText { path: shown, text })
    }

    pub(crate) fn memory_limit(&self) -> Result<Option<u64>, EngineError> {
        let Some(text) = &self.config.limits.memory else { return Ok(None) };
        const UNITS: [(&str, u64); 6] = [
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("TiB", 1 << 40),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("TB", 1_000_000_000_000),
        ];
        let parsed = UNITS.iter().find_map(|(unit, size)| {
            let number: f64 = text.trim().strip_suffix(unit)?.trim().parse().ok()?;
            (number > 0.0).then_some((number * *size as f64) as u64)
        });
        parsed.map(Some).ok_or_else(|| {
            EngineError::usage(format!("{CONFIG}: `{text}` is no amount of memory"))
                .with_help("write it as `memory = \"2 GB\"`")
        })
    }

    pub(crate) fn time_limit(&self) -> Result<Option<Duration>, EngineError> {
        let Some(text) = &self.config.limits.timeout else { return Ok(None) };
        const UNITS: [(&str, f64); 3] = [("ms", 0.001), ("min", 60.0), ("s", 1.0)];
        let parsed = UNITS.iter().find_map(|(unit, seconds)| {
            let number: f64 = text.trim().strip_suffix(unit)?.trim().parse().ok()?;
            Duration::try_from_secs_f64(number * seconds).ok().filter(|d| !d.is_zero())
        });
        parsed.map(Some).ok_or_else(|| {
            EngineError::usage(format!("{CONFIG}: `{text}` is no length of time"))
                .with_help("write it as `timeout = \"30 s\"`")
        })
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), EngineError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(EngineError::data(format!("cannot read {}: {error}", folder.display()))),
    };
    for entry in entries {
        let entry = entry.map_err(|e| EngineError::data(format!("cannot read {}: {e}", folder.display())))?;
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if path.is_dir() && !hidden {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|e| e == "kepi") && !hidden {
            paths.push(path);
        }
    }
    Ok(())
}
