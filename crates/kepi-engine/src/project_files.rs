//! The files a project begins with.

use crate::api::EngineError;
use crate::demo::{COMPANY, METRICS};
use std::path::{Path, PathBuf};

const SETTINGS: &str = include_str!("demo/model/project.toml");
const MAIN: &str = include_str!("demo/model/main.kepi");
/// In the store's own folder: it is made of the data again, so it belongs into no version control.
pub(crate) const IGNORE: &str = "*\n";

/// Makes a project in a folder, with the model of a template where one is named; gives the files written.
///
/// A folder with a `kepi.toml` is an error, as is an unknown template. Other files that are there stay as they are.
pub(crate) fn init(folder: &Path, template: Option<&str>) -> Result<Vec<PathBuf>, EngineError> {
    let model: &[(&str, &str)] = match template {
        None => &[],
        Some("crm") => &[("model/company.kepi", COMPANY), ("model/metrics.kepi", METRICS)],
        Some(other) => {
            return Err(EngineError::usage(format!("there is no template {other}")).with_help("there is `crm`"));
        }
    };
    let settings = folder.join("kepi.toml");
    if settings.exists() {
        return Err(EngineError::usage(format!("{} is a project already", folder.display())));
    }
    let mut written = Vec::new();
    let always = [("model/main.kepi", MAIN), (".kepi/.gitignore", IGNORE)];
    for (file, text) in always.iter().chain(model) {
        written.extend(write_new(&folder.join(file), text)?);
    }
    let plugins = folder.join("plugins");
    std::fs::create_dir_all(&plugins)
        .map_err(|e| EngineError::data(format!("{} cannot be made: {e}", plugins.display())))?;
    // Last, since it makes the folder a project.
    written.extend(write_new(&settings, SETTINGS)?);
    Ok(written)
}

/// Writes a file that is not there yet, whole or not at all; gives its path if it was written.
pub(crate) fn write_new(file: &Path, text: &str) -> Result<Option<PathBuf>, EngineError> {
    if file.exists() {
        return Ok(None);
    }
    let fails = |e: std::io::Error| EngineError::data(format!("{} cannot be written: {e}", file.display()));
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(fails)?;
    }
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let part = file.with_file_name(name);
    std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, file)).map_err(|error| {
        // What is left of the part is of no use; that it cannot be removed changes nothing.
        let _ = std::fs::remove_file(&part);
        fails(error)
    })?;
    Ok(Some(file.to_path_buf()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    #[test]
    fn a_project_is_made_once_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("sales");
        std::fs::create_dir_all(project.join("model")).unwrap();
        std::fs::write(project.join("model/metrics.kepi"), "# mine\n").unwrap();
        let written = init(&project, Some("crm")).unwrap();
        assert_eq!(written.len(), 4, "{written:?}");
        assert_eq!(std::fs::read_to_string(project.join("model/metrics.kepi")).unwrap(), "# mine\n");
        assert!(project.join("plugins").is_dir() && project.join(".kepi").is_dir());
        assert_eq!(init(&project, None).unwrap_err().exit_code(), 2);
        assert_eq!(init(&folder.path().join("x"), Some("erp")).unwrap_err().exit_code(), 2);
        assert!(!folder.path().join("x").exists());
    }

    #[test]
    fn the_first_model_says_nothing_yet() {
        assert!(MAIN.lines().all(|line| line.starts_with('#')));
        assert!(SETTINGS.lines().all(|line| line.is_empty() || line.starts_with(['#', '['])));
    }
}
