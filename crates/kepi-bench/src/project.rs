//! The kepi project around the generated files.

use crate::error::BenchError;
use std::fs;
use std::path::Path;

const FILES: [(&str, &str); 3] = [
    ("kepi.toml", include_str!("project/kepi.toml")),
    ("model/shop.kepi", include_str!("project/shop.kepi")),
    ("model/sources.kepi", include_str!("project/sources.kepi")),
];

/// Writes the project's files, over those of an earlier run.
pub(crate) fn write(folder: &Path) -> Result<(), BenchError> {
    let model = folder.join("model");
    fs::create_dir_all(&model).map_err(BenchError::io(&model))?;
    for (name, text) in FILES {
        let path = folder.join(name);
        fs::write(&path, text).map_err(BenchError::io(&path))?;
    }
    Ok(())
}

/// The source that maps a stream's files.
pub(crate) fn source_of(stream: &str) -> String {
    format!("{stream}_export")
}
