//! The files of the project: what git tracks or would track.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file.
pub(crate) struct File {
    /// From the top of the project, with `/` between folders.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Whether it is a test: in `tests/`, or in the `tests/` of a crate.
    pub(crate) fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || (self.path.starts_with("crates/") && self.path.contains("/tests/"))
    }

    /// Its folder, with a `/` at the end; empty at the top.
    pub(crate) fn folder(&self) -> &str {
        self.path.rfind('/').map_or("", |end| &self.path[..=end])
    }
}

/// The files, by path; those that are no text are left out.
pub(crate) fn all(root: &Path) -> Result<Vec<File>, String> {
    let mut paths = match tracked(root) {
        Some(paths) => paths,
        // Not a checkout: somebody has unpacked an archive.
        None => walk(root)?,
    };
    paths.sort();
    paths.dedup();
    let text = |path: String| Some(File { text: fs::read_to_string(root.join(&path)).ok()?, path });
    Ok(paths.into_iter().filter_map(text).collect())
}

fn tracked(root: &Path) -> Option<Vec<String>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let output = git.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<String> = text.split('\0').filter(|path| !path.is_empty()).map(str::to_string).collect();
    // Without a single file this is the answer of somebody else's repository around an archive.
    (!paths.is_empty()).then_some(paths)
}

fn walk(root: &Path) -> Result<Vec<String>, String> {
    let mut paths = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder)).map_err(|e| format!("{}: {e}", folder.display()))?;
        for entry in entries {
            let entry = entry.map_err(|e| e.to_string())?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let hidden = name.starts_with('.') && name != ".ci";
            let kind = entry.file_type().map_err(|e| e.to_string())?;
            if kind.is_dir() && !hidden && name != "target" && name != "kepi-demo" {
                folders.push(folder.join(name));
            } else if kind.is_file() && !hidden {
                paths.push(folder.join(name).to_string_lossy().replace('\\', "/"));
            }
        }
    }
    Ok(paths)
}
