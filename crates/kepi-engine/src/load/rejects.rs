//! Rejected rows, kept beside the store with their reasons, a JSON object a line.

use crate::api::EngineError;
use kepi_connect::Rejected;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes the rejected rows of a load; the file is named by the snapshot and the source.
pub(super) fn keep(folder: &Path, snapshot: u64, label: &str, rows: &[Rejected]) -> Result<PathBuf, EngineError> {
    let name: String = label.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).take(60).collect();
    fs::create_dir_all(folder).map_err(|e| EngineError::data(format!("cannot make {}: {e}", folder.display())))?;
    let path = free_path(folder, &format!("{snapshot:06}-{name}"));
    let io = |e: std::io::Error| EngineError::data(format!("cannot write {}: {e}", path.display()));
    let mut file = BufWriter::new(fs::File::create(&path).map_err(io)?);
    for row in rows {
        let line = serde_json::to_string(row).map_err(EngineError::failed)?;
        writeln!(file, "{line}").map_err(io)?;
    }
    file.flush().map_err(io)?;
    Ok(path)
}

/// A path that no earlier load has taken.
fn free_path(folder: &Path, stem: &str) -> PathBuf {
    let mut path = folder.join(format!("{stem}.jsonl"));
    let mut number = 2;
    while path.exists() {
        path = folder.join(format!("{stem}-{number}.jsonl"));
        number += 1;
    }
    path
}
