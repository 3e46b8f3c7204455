//! A connector's view of the one folder that it was granted.

use glob::{MatchOptions, Pattern};
use kepi_extension::ConnectorHost;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// How many files and folders are looked at for one pattern.
const ENTRIES_MAX: usize = 100_000;

/// The host of a connector that reads files: one folder, one instant, nothing else.
#[derive(Clone, Debug)]
pub struct FolderHost {
    plugin: String,
    root: PathBuf,
    now: i64,
}

impl FolderHost {
    /// Grants a folder to a plugin, for the instant of the run in microseconds UTC. The folder has to be there.
    pub fn new(plugin: &str, folder: &Path, now: i64) -> io::Result<FolderHost> {
        let root = folder.canonicalize()?;
        if !root.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, "not a folder"));
        }
        Ok(FolderHost { plugin: plugin.to_string(), root, now })
    }

    /// The real place of a path below the folder. A link may lead elsewhere in the folder, but not out of it.
    fn inside(&self, path: &str) -> Result<PathBuf, String> {
        let shown = crate::failure::inert(path);
        if path.is_empty() || path.contains('\0') {
            return Err(format!("`{shown}` is no path"));
        }
        let relative = Path::new(path);
        if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(format!("`{shown}` leads out of the folder that was granted"));
        }
        let real =
            self.root.join(relative).canonicalize().map_err(|error| format!("cannot read `{shown}`: {error}"))?;
        if !real.starts_with(&self.root) {
            return Err(format!("`{shown}` leads out of the folder that was granted"));
        }
        Ok(real)
    }
}

impl ConnectorHost for FolderHost {
    fn read_file(&self, path: &str) -> Result<String, String> {
        let real = self.inside(path)?;
        let shown = crate::failure::inert(path);
        let failed = |error: io::Error| format!("cannot read `{shown}`: {error}");
        let metadata = fs::metadata(&real).map_err(failed)?;
        // A pipe or a device could block for ever.
        if !metadata.is_file() {
            return Err(format!("`{shown}` is no file"));
        }
        if metadata.len() > FILE_BYTES_MAX {
            return Err(format!("`{shown}` is larger than {} MiB", FILE_BYTES_MAX >> 20));
        }
        String::from_utf8(fs::read(&real).map_err(failed)?).map_err(|_| format!("`{shown}` is no UTF-8 text"))
    }

    fn list_files(&self, pattern: &str) -> Result<Vec<String>, String> {
        let shown = crate::failure::inert(pattern);
        let glob = Pattern::new(pattern).map_err(|error| format!("`{shown}` is no pattern: {}", error.msg))?;
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        let (mut files, mut folders, mut seen) = (Vec::new(), vec![PathBuf::new()], 0);
        while let Some(folder) = folders.pop() {
            let entries =
                fs::read_dir(self.root.join(&folder)).map_err(|error| format!("cannot list files: {error}"))?;
            for entry in entries {
                let entry = entry.map_err(|error| format!("cannot list files: {error}"))?;
                seen += 1;
                if seen > ENTRIES_MAX {
                    return Err(format!("there are more than {ENTRIES_MAX} files and folders"));
                }
                let path = folder.join(entry.file_name());
                // A name that is no UTF-8 could not be read again under that name.
                let Some(name) = path.to_str().map(|p| p.replace(std::path::MAIN_SEPARATOR, "/")) else { continue };
                // Links to folders are not followed: they could lead round in a circle.
                if entry.file_type().is_ok_and(|t| t.is_dir()) {
                    folders.push(path);
                } else if glob.matches_with(&name, options) && self.inside(&name).is_ok_and(|real| real.is_file()) {
                    files.push(name);
                }
            }
        }
        files.sort();
        Ok(files)
    }

    fn now(&self) -> i64 {
        self.now
    }

    fn log(&self, message: &str) {
        tracing::info!(plugin = self.plugin.as_str(), "{message}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    fn granted() -> (tempfile::TempDir, FolderHost) {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("granted");
        fs::create_dir_all(root.join("deep/er")).unwrap();
        for (name, text) in [("b.json", "b"), ("a.json", "a"), ("deep/c.json", "c"), ("deep/er/d.json", "d")] {
            fs::write(root.join(name), text).unwrap();
        }
        fs::write(outer.path().join("secret.json"), "secret").unwrap();
        let host = FolderHost::new("test", &root, 7).unwrap();
        (outer, host)
    }

    #[test]
    fn files_of_the_folder_are_read_and_listed_in_order() {
        let (_outer, host) = granted();
        assert_eq!(host.read_file("deep/er/d.json").unwrap(), "d");
        assert_eq!(host.read_file("./a.json").unwrap(), "a");
        assert_eq!(host.list_files("*.json").unwrap(), ["a.json", "b.json"]);
        assert_eq!(host.list_files("deep/*.json").unwrap(), ["deep/c.json"]);
        assert_eq!(host.list_files("**/*.json").unwrap().len(), 4);
        assert!(host.list_files("a[").unwrap_err().contains("is no pattern"));
        assert_eq!(host.now(), 7);
    }

    #[test]
    fn no_way_leads_out() {
        let (outer, host) = granted();
        let out = "leads out of the folder that was granted";
        assert_eq!(host.read_file("../secret.json").unwrap_err(), format!("`../secret.json` {out}"));
        assert_eq!(host.read_file("deep/../../secret.json").unwrap_err(), format!("`deep/../../secret.json` {out}"));
        let absolute = outer.path().join("secret.json").display().to_string();
        assert!(host.read_file(&absolute).unwrap_err().ends_with(out));
        assert!(host.read_file("a.json\0").unwrap_err().ends_with("is no path"));
        assert!(host.read_file("").unwrap_err().ends_with("is no path"));
        assert!(host.read_file("deep").unwrap_err().ends_with("is no file"));
        assert!(host.read_file("absent.json").unwrap_err().starts_with("cannot read `absent.json`: "));
        assert!(host.list_files("../*.json").unwrap().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_within_the_folder_only() {
        use std::os::unix::fs::symlink;
        let (outer, host) = granted();
        let root = outer.path().join("granted");
        symlink(outer.path().join("secret.json"), root.join("out.json")).unwrap();
        symlink(outer.path(), root.join("up")).unwrap();
        symlink(root.join("a.json"), root.join("z.json")).unwrap();
        assert!(host.read_file("out.json").unwrap_err().ends_with("leads out of the folder that was granted"));
        assert!(host.read_file("up/secret.json").unwrap_err().ends_with("leads out of the folder that was granted"));
        assert_eq!(host.read_file("z.json").unwrap(), "a");
        assert_eq!(host.list_files("*.json").unwrap(), ["a.json", "b.json", "z.json"]);
        assert!(host.list_files("up/*").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let (outer, host) = granted();
        fs::write(outer.path().join("granted/bytes"), [0xff, 0xfe]).unwrap();
        assert_eq!(host.read_file("bytes").unwrap_err(), "`bytes` is no UTF-8 text");
    }
}
