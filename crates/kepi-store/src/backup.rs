//! A copy of a snapshot's files, taken beside a running writer.
//!
//! Files are written once and never changed, and of the journal only the part counts that the manifest names. So a
//! manifest and the files that it names are a whole store, whatever the writer does meanwhile; only where it has removed
//! one of them is there a newer manifest to begin with.

use crate::disk;
use crate::error::StoreError;
use crate::layout::Layout;
use crate::manifest;
use crate::recovery::{holds_commits, names_of};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How often it begins anew because the writer has replaced files.
const ATTEMPTS: u32 = 20;

/// Takes a file: its path within the store, its size and its bytes.
pub type Put<'a> = &'a mut dyn FnMut(&str, u64, &mut dyn Read) -> Result<(), StoreError>;

pub(crate) fn backup(
    folder: &Path,
    again: &mut dyn FnMut() -> Result<(), StoreError>,
    put: Put<'_>,
) -> Result<Option<u64>, StoreError> {
    let layout = Layout::new(folder);
    for attempt in 1.. {
        let Some(bytes) = disk::read(&layout.manifest())? else {
            return match holds_commits(&layout)? {
                true => Err(StoreError::damaged(&layout.manifest(), 0, "it is missing, though there are commits")),
                false => Ok(None),
            };
        };
        let manifest = manifest::parse(&layout.manifest(), &bytes)?;
        match copy(&layout, &manifest, put) {
            Err(error) if error.is_missing_file() && attempt < ATTEMPTS => {
                if manifest::read(&layout)?.as_ref() == Some(&manifest) {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
            Ok(()) => {
                put("manifest", bytes.len() as u64, &mut bytes.as_slice())?;
                return Ok(Some(manifest.snapshot));
            }
        }
        again()?;
    }
    Ok(None)
}

fn copy(layout: &Layout, manifest: &manifest::Manifest, put: Put<'_>) -> Result<(), StoreError> {
    for (number, kind) in names_of(&manifest.state) {
        let path = layout.data_file(number, kind);
        let mut file = File::open(&path).map_err(|e| StoreError::io(&path, e))?;
        let length = file.metadata().map_err(|e| StoreError::io(&path, e))?.len();
        put(&format!("data/{number:08}.{kind}"), length, &mut file)?;
    }
    let path = layout.journal(manifest.generation);
    let file = File::open(&path).map_err(|e| StoreError::io(&path, e))?;
    let held = file.metadata().map_err(|e| StoreError::io(&path, e))?.len();
    if held < manifest.length {
        return Err(StoreError::damaged(&path, held, "it is shorter than the manifest says"));
    }
    put(&format!("journal/{:08}.log", manifest.generation), manifest.length, &mut file.take(manifest.length))
}
