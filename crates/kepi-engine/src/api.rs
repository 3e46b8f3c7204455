//! What goes into the engine and comes out of it besides a [`Request`](crate::Request) and its answer: plain data.

use kepi_exec::{Cancel, Step};
use kepi_syntax::{Diagnostic, Severity};
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// How one query is understood and run.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// The query in the formatter's words.
    pub query: String,
    /// In words, a sentence each: which reading runs, which windows, what is left out.
    pub words: Vec<String>,
    /// The steps with their row counts; empty where the query was not run.
    pub steps: Vec<Step>,
    /// The physical plan, a node per line.
    pub plan: String,
}

/// A text that diagnostics point into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceText {
    /// The file, relative to the project where it lies inside; `query` or `input` for a text without a file.
    pub path: PathBuf,
    /// What stands in it.
    pub text: String,
}

/// What `check` found.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// The texts; `Diagnostic::file` is an index into them.
    pub texts: Vec<SourceText>,
    /// Errors and lints, by file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// How many definitions were checked.
    pub definitions: usize,
    /// Of how many of them the data were not looked at, since that took too long.
    pub unseen: usize,
    /// What should be known of the data as they were loaded, a sentence each.
    pub notes: Vec<String>,
}

impl CheckReport {
    /// Counts the errors; the rest are lints.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Error).count()
    }
}

/// Files to load, and how their columns are to be read.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// Paths and globs; `-` is the standard input.
    pub files: Vec<String>,
    /// The `source` block that maps them.
    pub source: Option<String>,
    /// The event that the rows are, where no source maps them.
    pub as_event: Option<String>,
    /// The column of the time.
    pub at: Option<String>,
    /// The column that identifies a row.
    pub id: Option<String>,
    /// Entities and the column of each one's key.
    pub of: Vec<(String, String)>,
    /// Which rows to take: a condition on the columns.
    pub where_: Option<String>,
    /// The entity whose attributes the rows are.
    pub entity: Option<String>,
    /// The column of the entity's key.
    pub key: Option<String>,
    /// Whether columns that no declaration names are kept as text.
    pub all: bool,
    /// Whether one malformed row refuses the file whole.
    pub strict: bool,
    /// What a changed row with a known id does.
    pub on_conflict: OnConflict,
    /// `delimiter`, `header`, `columns`, `encoding`, `dates`, `decimal`, `timezone`, as in `source … with`.
    pub options: Vec<(String, String)>,
    /// Stops it from another thread; nothing of the load is then stored.
    pub cancel: Cancel,
}

/// What a changed row with a known id does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// The new row takes the place of the known one.
    #[default]
    Replace,
    /// The known row stays.
    Keep,
}

/// What to pull from a connector.
#[derive(Clone, Debug, Default)]
pub struct SyncRequest {
    /// The source's name.
    pub source: String,
    /// Whether to begin anew, without the stored cursor.
    pub full: bool,
    /// Only what changed from this time on, microseconds UTC.
    pub since: Option<i64>,
    /// How many records at most.
    pub limit: Option<u64>,
    /// A folder that the answers from outside are written to.
    pub record: Option<PathBuf>,
    /// A folder with recorded answers, used instead of the outside.
    pub replay: Option<PathBuf>,
    /// Stops it from another thread, between two pages.
    pub cancel: Cancel,
}

/// How far a long run is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is being done: "reading orders.csv".
    pub what: String,
    /// How much is done, in the unit of `total`.
    pub done: u64,
    /// How much there is, where that is known.
    pub total: Option<u64>,
}

/// What a load or a sync did.
#[derive(Clone, Debug, Default)]
pub struct LoadReport {
    /// What was filled, in the order of the source.
    pub targets: Vec<TargetReport>,
    /// The first malformed rows.
    pub rejected: Vec<RejectedRow>,
    /// How many malformed rows there were in all.
    pub rejected_count: u64,
    /// The file that keeps all of them.
    pub rejected_path: Option<PathBuf>,
    /// The file that an inferred declaration was written to.
    pub declared: Option<PathBuf>,
    /// What was inferred and what should be known, a sentence each.
    pub notes: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

/// What one event, entity or built-in table got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetReport {
    /// Its name.
    pub name: String,
    /// `event`, `entity`, `state`, `rates` or `merge`.
    pub kind: String,
    /// Rows of the files that were looked at.
    pub read: u64,
    /// New rows.
    pub added: u64,
    /// Rows that were there already, unchanged.
    pub known: u64,
    /// Known ids whose row has changed and was replaced.
    pub replaced: u64,
    /// Rows whose place a later row of the same load took that has their id and other values.
    pub overtaken: u64,
    /// Rows that were removed, since their records are gone at their source.
    pub removed: u64,
    /// Rows that the mapping leaves out: another kind of row, or no time yet.
    pub skipped: u64,
    /// What should be known about them, a sentence each.
    pub notes: Vec<String>,
}

/// A row that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectedRow {
    /// The file.
    pub file: String,
    /// The line in it; the first is 1.
    pub line: u64,
    /// Why, in plain words.
    pub reason: String,
}

/// A definition in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// `metric`, `event`, `entity`, …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The unit in the language's words; empty where it has none.
    pub unit: String,
    /// The first line of its documentation, else its title; may be empty.
    pub doc: String,
    /// Its module; empty for the unnamed one.
    pub module: String,
}

/// Everything about a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// `metric`, `event`, `entity`, …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The definition in the formatter's words.
    pub text: String,
    /// The unit in the language's words; empty where it has none.
    pub unit: String,
    /// Its documentation; may be empty.
    pub doc: String,
    /// Its attributes as text, in the order written.
    pub attributes: Vec<(String, String)>,
    /// The definitions that it uses.
    pub uses: Vec<String>,
    /// The definitions that use it.
    pub used_by: Vec<String>,
    /// What is stored of it, in words: "12,482 rows from 2023-01-02 to 2026-03-16".
    pub stored: Option<String>,
}

/// Something that may stand at the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// The bytes of the text that it replaces.
    pub replace: Range<usize>,
    /// What comes in their place.
    pub text: String,
    /// `metric`, `keyword`, `function`, …
    pub kind: String,
    /// What it is, in a few words; may be empty.
    pub description: String,
}

/// What a text defined for the session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defined {
    /// The names, in the order written.
    pub names: Vec<String>,
    /// The text with its definitions blanked out by spaces (so places stay), where queries remain; else none.
    pub queries: Option<String>,
    /// Lints.
    pub warnings: Vec<Diagnostic>,
}

/// What `demo` made.
#[derive(Clone, Debug, Default)]
pub struct DemoReport {
    /// The project's folder.
    pub project: PathBuf,
    /// The files that were written; empty when all were there.
    pub written: Vec<PathBuf>,
    /// What each source loaded: its name and its report.
    pub loads: Vec<(String, LoadReport)>,
    /// The metrics of the dashboard, in its order.
    pub metrics: Vec<String>,
}

/// Why the engine could not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// The text has mistakes.
    #[error("{}", counted(.diagnostics))]
    Text {
        /// The texts; `Diagnostic::file` is an index into them.
        texts: Vec<SourceText>,
        /// What is wrong, errors and lints.
        diagnostics: Vec<Diagnostic>,
    },
    /// The text is sound and yet has no answer: over a limit, a missing rate, a failing plugin.
    #[error("{message}")]
    Failed {
        /// What happened; lower case, without a full stop.
        message: String,
        /// A repair, where one is known.
        help: Option<String>,
    },
    /// It was asked for in a way that makes no sense: no such project, source or file.
    #[error("{message}")]
    Usage {
        /// What happened.
        message: String,
        /// A repair, where one is known.
        help: Option<String>,
    },
    /// Data or files cannot be read or written.
    #[error("{message}")]
    Data {
        /// What happened.
        message: String,
        /// A repair, where one is known.
        help: Option<String>,
    },
    /// Another process writes to the store.
    #[error("the store is held by process {pid} (`{command}`)")]
    Held {
        /// The process.
        pid: u32,
        /// Its command line.
        command: String,
    },
    /// Somebody asked it to stop.
    #[error("interrupted")]
    Interrupted,
}

impl EngineError {
    /// Makes a failure of a sound text.
    pub fn failed(message: impl fmt::Display) -> Self {
        EngineError::Failed { message: message.to_string(), help: None }
    }

    /// Makes a mistake in how it was asked.
    pub fn usage(message: impl fmt::Display) -> Self {
        EngineError::Usage { message: message.to_string(), help: None }
    }

    /// Makes a failure of data or files.
    pub fn data(message: impl fmt::Display) -> Self {
        EngineError::Data { message: message.to_string(), help: None }
    }

    /// Adds the repair; errors that carry their own keep it.
    pub fn with_help(mut self, text: impl Into<String>) -> Self {
        if let EngineError::Failed { help, .. } | EngineError::Usage { help, .. } | EngineError::Data { help, .. } =
            &mut self
        {
            *help = Some(text.into());
        }
        self
    }

    /// The repair, where one is known.
    pub fn help(&self) -> Option<&str> {
        match self {
            EngineError::Failed { help, .. } | EngineError::Usage { help, .. } | EngineError::Data { help, .. } => {
                help.as_deref()
            }
            EngineError::Held { .. } => Some("wait until it is done; queries work beside it"),
            EngineError::Text { .. } | EngineError::Interrupted => None,
        }
    }

    /// The exit code of a command that ends with it.
    pub fn exit_code(&self) -> u8 {
        match self {
            EngineError::Text { .. } | EngineError::Failed { .. } => 1,
            EngineError::Usage { .. } => 2,
            EngineError::Data { .. } | EngineError::Held { .. } => 4,
            EngineError::Interrupted => 130,
        }
    }
}

fn counted(diagnostics: &[Diagnostic]) -> String {
    match diagnostics.iter().filter(|d| d.severity == Severity::Error).count() {
        1 => "the text has a mistake".to_string(),
        errors => format!("the text has {errors} mistakes"),
    }
}
