//! Tables from files: what is read, what is refused and in which words, what is inferred.
#![allow(clippy::unwrap_used)] // A test fails by panicking.
#![allow(clippy::print_stderr)] // What is skipped is said.

mod bad_input;
mod coded;
mod conversion;
mod inference;
mod reading;
mod real_files;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use kepi_connect::{Batch, ReadOptions, Rejected, Table, as_text};
use std::path::{Path, PathBuf};

/// A folder that goes away, with files in it.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path: PathBuf = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes the folder's name out of a message.
    pub(crate) fn plain(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

pub(crate) fn options(pairs: &[(&str, &str)]) -> ReadOptions {
    let pairs: Vec<(String, String)> = pairs.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    ReadOptions::from_pairs(&pairs).unwrap()
}

pub(crate) fn open(file: &str, pairs: &[(&str, &str)]) -> Table {
    Table::open(&[file.to_string()], &options(pairs)).unwrap()
}

pub(crate) fn batches(table: &Table) -> Vec<Batch> {
    table.read().collect::<Result<Vec<_>, _>>().unwrap()
}

pub(crate) fn rejected(table: &Table) -> Vec<Rejected> {
    batches(table).into_iter().flat_map(|b| b.rejected).collect()
}

pub(crate) fn cells(column: &ArrayRef) -> Vec<String> {
    let decimal = matches!(column.data_type(), arrow_schema::DataType::Float64);
    let texts =
        if decimal { arrow_cast::cast(column, &arrow_schema::DataType::Utf8).unwrap() } else { as_text(column) };
    texts.as_string::<i32>().iter().map(|c| c.unwrap_or("·").to_string()).collect()
}

/// The rows as text: line, row number, cells. A missing cell is a dot.
pub(crate) fn rows(table: &Table) -> Vec<String> {
    let mut out = Vec::new();
    for batch in batches(table) {
        let columns: Vec<Vec<String>> = batch.records.columns().iter().map(cells).collect();
        for row in 0..batch.records.num_rows() {
            let texts: Vec<&str> = columns.iter().map(|c| c[row].as_str()).collect();
            out.push(format!("{} {} {}", batch.lines[row], batch.rows[row], texts.join("|")));
        }
    }
    out
}
