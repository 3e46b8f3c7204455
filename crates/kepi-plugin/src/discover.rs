//! Finding plugins: the folders with a `kepi-plugin.toml`.

use crate::lock::sha256;
use crate::{Manifest, PluginError};
use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of a manifest.
pub(crate) const MANIFEST: &str = "kepi-plugin.toml";
/// The largest component or script that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A plugin that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Where it lies; for a plugin that is part of kepi only a name.
    pub folder: PathBuf,
    /// The component or script of a plugin that is part of kepi.
    pub(crate) shipped: Option<&'static [u8]>,
    /// The SHA-256 of the manifest as it was read; empty for a plugin that is part of kepi.
    pub(crate) manifest_hash: String,
    /// The component or script as it was when it was compared with the lock: what runs is what was looked at.
    pub(crate) pinned: Option<Arc<[u8]>>,
}

impl Found {
    /// Reads the plugin in this folder.
    pub fn in_folder(folder: &Path) -> Result<Found, PluginError> {
        let path = folder.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(|source| PluginError::Io { path: path.clone(), source })?;
        let manifest_hash = sha256(text.as_bytes());
        let manifest = Manifest::parse(&path, &text)?;
        Ok(Found { manifest, folder: folder.to_path_buf(), shipped: None, manifest_hash, pinned: None })
    }

    /// Whether it is part of kepi.
    pub fn is_shipped(&self) -> bool {
        self.shipped.is_some()
    }

    /// The bytes of its component or script.
    pub fn read(&self) -> Result<Cow<'static, [u8]>, PluginError> {
        match (self.shipped, &self.pinned) {
            (Some(bytes), _) => Ok(Cow::Borrowed(bytes)),
            (None, Some(bytes)) => Ok(Cow::Owned(bytes.to_vec())),
            (None, None) => {
                let path = self.folder.join(&self.manifest.file);
                read_within(&self.folder, &path).map(Cow::Owned).map_err(|source| PluginError::Io { path, source })
            }
        }
    }
}

/// Reads a file that must lie in a folder, also where links lead elsewhere.
fn read_within(folder: &Path, path: &Path) -> io::Result<Vec<u8>> {
    let path = path.canonicalize()?;
    if !path.starts_with(folder.canonicalize()?) {
        return Err(io::Error::other("a link leads out of the plugin's folder"));
    }
    let size = fs::metadata(&path)?;
    if !size.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if size.len() > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {} MiB", FILE_BYTES_MAX >> 20)));
    }
    fs::read(path)
}

/// Finds the plugins in these folders, each in a folder of its own: `FOLDER/NAME/kepi-plugin.toml`.
///
/// The result is in the order of the folders, then by name. Where two folders hold the same id, the first folder
/// counts; within one folder that is an error. A folder that is not there holds nothing.
pub fn discover(folders: &[PathBuf]) -> (Vec<Found>, Vec<PluginError>) {
    let (mut found, mut errors): (Vec<Found>, Vec<PluginError>) = (Vec::new(), Vec::new());
    for folder in folders {
        let here = match subfolders(folder) {
            Ok(here) => here,
            Err(source) => {
                errors.push(PluginError::Io { path: folder.clone(), source });
                continue;
            }
        };
        let known = found.len();
        for candidate in here.into_iter().filter(|c| c.join(MANIFEST).is_file()) {
            match Found::in_folder(&candidate) {
                Err(error) => errors.push(error),
                Ok(plugin) => match found.iter().position(|f| f.manifest.id == plugin.manifest.id) {
                    None => found.push(plugin),
                    Some(index) if index < known => {}
                    Some(index) => errors.push(PluginError::Duplicate {
                        id: plugin.manifest.id,
                        first: found[index].folder.clone(),
                        second: plugin.folder,
                    }),
                },
            }
        }
    }
    (found, errors)
}

fn subfolders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = entries.map(|entry| entry.map(|e| e.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    fn plugin(root: &Path, name: &str, id: &str) {
        fs::create_dir_all(root.join(name)).unwrap();
        let text = format!(
            "id = \"{id}\"\nversion = \"1\"\napi = \"0.1\"\nruntime = \"rhai\"\nprovides = [\"connector\"]\nfile = \"a.rhai\"\n"
        );
        fs::write(root.join(name).join(MANIFEST), text).unwrap();
    }

    #[test]
    fn the_first_folder_counts_and_twice_in_one_is_an_error() {
        let (near, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        plugin(near.path(), "b", "acme.b");
        plugin(near.path(), "a", "acme.a");
        plugin(near.path(), "a2", "acme.a");
        plugin(far.path(), "b", "acme.b");
        plugin(far.path(), "c", "acme.c");
        fs::create_dir(far.path().join("no-plugin")).unwrap();
        let folders = [near.path().to_path_buf(), near.path().join("absent"), far.path().to_path_buf()];
        let (found, errors) = discover(&folders);
        let ids: Vec<(&str, bool)> =
            found.iter().map(|f| (f.manifest.id.as_str(), f.folder.starts_with(near.path()))).collect();
        assert_eq!(ids, [("acme.a", true), ("acme.b", true), ("acme.c", false)]);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().starts_with("the plugin acme.a is there twice: "), "{}", errors[0]);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_does_not_lie_outside() {
        let root = tempfile::tempdir().unwrap();
        plugin(root.path(), "a", "acme.a");
        fs::write(root.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(root.path().join("secret"), root.path().join("a/a.rhai")).unwrap();
        let error = Found::in_folder(&root.path().join("a")).unwrap().read().unwrap_err();
        let PluginError::Io { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.to_string(), "a link leads out of the plugin's folder");
    }
}
