//! Connectors: records from outside, page by page.

use crate::FunctionError;
use std::fmt;

/// Pulls records of streams, page by page. Stateless: everything needed to go on is in the request, so a page can be
/// asked for again on a fresh instance.
pub trait Connector: fmt::Debug + Send + Sync {
    /// The streams it offers.
    fn streams(&self) -> Result<Vec<String>, FunctionError>;

    /// Reads one page.
    fn read(&self, request: &PageRequest, host: &dyn ConnectorHost) -> Result<Page, FunctionError>;
}

/// Which page is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The stream.
    pub stream: String,
    /// The connector's configuration as JSON.
    pub config: String,
    /// What the last page gave; none: from the start.
    pub cursor: Option<String>,
    /// How many records would be good.
    pub page_size: u32,
}

/// A page of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The records, each a JSON object.
    pub records: Vec<String>,
    /// Stored with the records in one transaction and handed to the next `read`, in this run or a later one.
    pub cursor: Option<String>,
    /// Whether there is more now.
    pub more: bool,
}

/// What a connector may ask of its host. Nothing else is ambient.
pub trait ConnectorHost: Send + Sync {
    /// Reads a file of the folder that was granted. A path out of it is an error.
    fn read_file(&self, path: &str) -> Result<String, String>;

    /// The files of the granted folder that fit a pattern, sorted.
    fn list_files(&self, pattern: &str) -> Result<Vec<String>, String>;

    /// The instant of the run, in microseconds UTC.
    fn now(&self) -> i64;

    /// Says something to the log.
    fn log(&self, message: &str);
}
