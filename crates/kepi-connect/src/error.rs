//! What can go wrong with a whole table. A single bad row is a [`crate::Rejected`] instead.

use crate::options::OPTION_NAMES;

/// Why a table cannot be read. Every message names the file and, where there is one, the place in it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The file system refused, or the file is not there.
    #[error("cannot read {file}: {reason}")]
    Read {
        /// The file.
        file: String,
        /// What the system says.
        reason: String,
    },
    /// A pattern fits nothing.
    #[error("no file fits `{pattern}`")]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
    /// A file without a byte.
    #[error("{file} is empty")]
    Empty {
        /// The file.
        file: String,
    },
    /// The file is neither text nor a format that kepi reads.
    #[error("{file} is not a table: {reason}")]
    NotText {
        /// The file.
        file: String,
        /// What was found.
        reason: String,
    },
    /// Bytes that are no text in the encoding.
    #[error(
        "{file}, line {line}: this is not {encoding} ({found}); say which encoding it is, such as `--encoding {hint}`"
    )]
    Encoding {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The encoding that was tried.
        encoding: String,
        /// The bytes that do not fit.
        found: String,
        /// The encoding to try next.
        hint: &'static str,
    },
    /// Two columns with one name.
    #[error("{file}: columns {first} and {second} are both called `{name}`; name them yourself: `--columns {repair}`")]
    DuplicateColumn {
        /// The file.
        file: String,
        /// The name.
        name: String,
        /// The first column's place, from 1.
        first: usize,
        /// The second column's place.
        second: usize,
        /// A list of names that would do.
        repair: String,
    },
    /// A file whose columns are not those of the first file.
    #[error("{file} has other columns than {first}: {detail}")]
    OtherHeader {
        /// The file.
        file: String,
        /// The file that came first.
        first: String,
        /// What differs.
        detail: String,
    },
    /// `--columns` does not fit the file.
    #[error("{file}: `columns` gives {given} names, but the file has {found} columns")]
    ColumnCount {
        /// The file.
        file: String,
        /// How many names.
        given: usize,
        /// How many columns.
        found: usize,
    },
    /// A column that the table does not have.
    #[error("{file} has no column `{name}`; it has {columns}")]
    UnknownColumn {
        /// The file.
        file: String,
        /// The name.
        name: String,
        /// The columns there are.
        columns: String,
    },
    /// A column that is to be the time and holds none.
    #[error(
        "{file}: column `{name}` is no time, its values are like `{example}`; name another with `--at`, or state its format with `--dates`"
    )]
    NotATime {
        /// The file.
        file: String,
        /// The column.
        name: String,
        /// One of its values.
        example: String,
    },
    /// The contents break off or contradict the format.
    #[error("{file}: {reason}")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong, with the place.
        reason: String,
    },
    /// An option that does not exist.
    #[error("`{name}` is no option of a source; there are {}", OPTION_NAMES.join(", "))]
    UnknownOption {
        /// The name.
        name: String,
    },
    /// An option's value that makes no sense.
    #[error("`{name} = \"{value}\"`: {expected}")]
    OptionValue {
        /// The option.
        name: String,
        /// Its value.
        value: String,
        /// What would do.
        expected: String,
    },
}

/// The result of reading.
pub type Result<T> = std::result::Result<T, ConnectError>;

/// Makes a text safe and short enough for a message: control characters escaped, at most 60 characters.
pub fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(60).flat_map(shown_char).collect();
    if text.chars().nth(60).is_some() {
        out.push('…');
    }
    out
}

fn shown_char(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}
