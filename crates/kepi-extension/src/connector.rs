//! Connectors: records from outside, page by page.

use crate::{FunctionError, HttpError, HttpRequest, HttpResponse};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Pulls records of streams, page by page. Stateless: everything needed to go on is in the request, so a page can be
/// asked for again on a fresh instance.
pub trait Connector: fmt::Debug + Send + Sync {
    /// A JSON Schema (draft 2020-12, an object) of the configuration; secrets have `"format": "kepi-secret"`. None: the
    /// connector says nothing of it.
    fn config_schema(&self) -> Result<Option<String>, ConnectorError> {
        Ok(None)
    }

    /// Whether the configuration works, asked of the service where that is possible. The error says what is wrong.
    fn check(&self, config: &str, host: &dyn ConnectorHost) -> Result<(), ConnectorError> {
        let _ = (config, host);
        Ok(())
    }

    /// The streams it offers; none at all: any name will do.
    fn discover(&self, config: &str, host: &dyn ConnectorHost) -> Result<Vec<StreamShape>, ConnectorError>;

    /// Reads one page.
    fn read(&self, request: &PageRequest, host: &dyn ConnectorHost) -> Result<Page, ConnectorError>;
}

/// What a connector says of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamShape {
    /// Its name.
    pub name: String,
    /// Its fields; empty: not known before a page is read.
    pub fields: Vec<StreamField>,
    /// The fields that tell records apart; empty: none do.
    pub primary_key: Vec<String>,
    /// The field by which changed records are found; none: the stream is always read whole.
    pub cursor_field: Option<String>,
}

/// A field of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamField {
    /// Its name, with dots into nested objects.
    pub name: String,
    /// A word of the language: `number`, `count`, `money`, `text`, `bool`, `time`, `date`; empty: not known.
    pub kind: String,
    /// What it means; may be empty.
    pub doc: String,
}

/// Which page is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// The stream.
    pub stream: String,
    /// The connector's configuration as JSON.
    pub config: String,
    /// What the last page gave; none: from the start.
    pub cursor: Option<String>,
    /// How many records would be good.
    pub page_size: u32,
    /// Only records whose cursor field is not earlier than this, where the connector can say so to the service; in
    /// microseconds UTC. Counts only where there is no cursor yet.
    pub since: Option<i64>,
}

/// A page of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The records, each a JSON object.
    pub records: Vec<String>,
    /// Stored with the records in one transaction and handed to the next `read`, in this run or a later one.
    pub cursor: Option<String>,
    /// Whether there is more now.
    pub more: bool,
    /// The keys of records that are deleted at the source, each a JSON object of the primary key's fields.
    pub deleted: Vec<String>,
}

/// What a connector may ask of its host. Nothing else is ambient.
pub trait ConnectorHost: Send + Sync {
    /// Reads a file of the folder that was granted. A path out of it is an error.
    fn read_file(&self, path: &str) -> Result<String, String>;

    /// The files of the granted folder that fit a pattern, sorted.
    fn list_files(&self, pattern: &str) -> Result<Vec<String>, String>;

    /// Sends a request to an address that was granted. The host follows redirects within the grant, waits where the
    /// service says so, and tries again what may succeed. A host without a network refuses.
    fn fetch(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let _ = request;
        Err(HttpError::Denied("no network was granted".to_string()))
    }

    /// A secret in clear, for connectors that were granted to see it (to sign requests); others write
    /// `{{secret:NAME}}` into the request.
    fn secret(&self, name: &str) -> Result<String, String> {
        Err(format!("the secret {name} was not granted"))
    }

    /// The real place of a file that the source's options name, from the project's folder on; only for connectors that
    /// are compiled in and read what cannot be handed over as text.
    fn path(&self, path: &str) -> Result<PathBuf, String> {
        let _ = path;
        Err("only connectors that are compiled in open files themselves".to_string())
    }

    /// The instant of the run, in microseconds UTC.
    fn now(&self) -> i64;

    /// Says something to the log.
    fn log(&self, message: &str);
}

/// Why a connector gave no page.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The configuration makes no sense: the user's to mend.
    #[error("{connector}: {message}")]
    Config {
        /// The connector.
        connector: String,
        /// What is wrong with it.
        message: String,
    },
    /// The service does not accept the credentials.
    #[error("{connector} was refused: {message}")]
    Refused {
        /// The connector.
        connector: String,
        /// What the service says.
        message: String,
    },
    /// The service cannot answer now; the same page may be had later.
    #[error("{connector} cannot answer now: {message}")]
    Transient {
        /// The connector.
        connector: String,
        /// What is known of it.
        message: String,
        /// When to try again, where the service says so.
        retry_after: Option<Duration>,
    },
    /// The connector itself failed, or exceeded a limit.
    #[error(transparent)]
    Failed(#[from] FunctionError),
}
