//! The output formats. A new one is a file here and a line in [`FORMATS`].

mod csv;
mod html;
mod json;
mod jsonl;
mod line;
mod md;
mod raw;
mod table;

pub use html::page;
pub(crate) use raw::json_text;

use crate::{Look, ViewError};
use kepi_engine::Answer;

/// A way to write answers.
pub struct Format {
    /// What `--format` calls it.
    pub name: &'static str,
    /// What it is for, in a few words.
    pub about: &'static str,
    /// Endings of file names that mean it.
    pub endings: &'static [&'static str],
    /// Whether the notes of an answer stand in what it writes, so that they need not be said beside it.
    pub has_notes: bool,
    /// Whether it shows the totals.
    pub has_totals: bool,
    /// Writes the answers to the queries of one text.
    pub write: fn(&[Answer], Look) -> Result<Vec<u8>, ViewError>,
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The formats that are there.
pub const FORMATS: &[&Format] = &[
    &table::FORMAT,
    &line::FORMAT,
    &md::FORMAT,
    &html::FORMAT,
    &csv::FORMAT,
    &csv::SHEET,
    &json::FORMAT,
    &jsonl::FORMAT,
];

/// The formats that are promised and not there.
pub const LATER: &[&str] = &["svg", "parquet", "arrow"];

/// Why a format cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It is promised.
    #[error("the format {0} is not there yet; there are {names}", names = names())]
    NotYet(String),
    /// Nobody knows it.
    #[error("there is no format {0}; there are {names}", names = names())]
    Unknown(String),
}

fn names() -> String {
    FORMATS.iter().map(|f| f.name).collect::<Vec<_>>().join(", ")
}

/// Finds a format by its name.
pub fn find_format(name: &str) -> Result<&'static Format, FormatError> {
    match FORMATS.iter().find(|f| f.name == name) {
        Some(format) => Ok(format),
        None if LATER.contains(&name) => Err(FormatError::NotYet(name.to_string())),
        None => Err(FormatError::Unknown(name.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::find_format;

    #[test]
    fn formats_that_are_not_there_are_refused_in_words() {
        let refused = |name| find_format(name).err().map(|e| e.to_string());
        assert_eq!(
            refused("svg").as_deref(),
            Some("the format svg is not there yet; there are table, line, md, html, csv, sheet, json, jsonl")
        );
        assert_eq!(
            refused("xls").as_deref(),
            Some("there is no format xls; there are table, line, md, html, csv, sheet, json, jsonl")
        );
        assert_eq!(refused("json"), None);
    }
}
