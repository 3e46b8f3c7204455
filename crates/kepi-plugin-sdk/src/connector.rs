//! Connectors: one `read` is one page and a cursor.

/// Pulls records page by page. It keeps nothing between calls: everything that is needed to go on is in the request.
pub trait Connector {
    /// A JSON Schema of the configuration; secrets have `"format": "kepi-secret"`.
    fn config_schema() -> Option<String> {
        None
    }

    /// Whether the configuration works, asked of the service where that is possible.
    fn check(config: &str) -> Result<(), SourceError> {
        let _ = config;
        Ok(())
    }

    /// The streams; none at all: any name will do.
    fn discover(config: &str) -> Result<Vec<StreamShape>, SourceError>;

    /// Reads a page. Its cursor needs two parts, the time and the id of the last record: with the time alone, records
    /// of one time are lost where a page ends between them.
    fn read(request: PageRequest) -> Result<Page, SourceError>;
}

/// Which page is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// The stream.
    pub stream: String,
    /// The configuration, a JSON object.
    pub config: String,
    /// What the last page gave; none: from the start.
    pub cursor: Option<String>,
    /// How many records would be good.
    pub page_size: u32,
    /// Only records that are not earlier, in microseconds UTC; counts only without a cursor.
    pub since: Option<i64>,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The records, each a JSON object.
    pub records: Vec<String>,
    /// Where to go on, at most 64 KiB; needed where there is more.
    pub cursor: Option<String>,
    /// Whether there is more now.
    pub more: bool,
    /// The keys of records that are gone, each a JSON object.
    pub deleted: Vec<String>,
}

/// What a connector says of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamShape {
    /// Its name.
    pub name: String,
    /// Its fields; empty: not known before a page is read.
    pub fields: Vec<StreamField>,
    /// The fields that tell records apart.
    pub primary_key: Vec<String>,
    /// The field by which changed records are found; none: it is always read whole.
    pub cursor_field: Option<String>,
}

/// A field of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamField {
    /// Its name, with dots into nested objects.
    pub name: String,
    /// `number`, `count`, `money`, `text`, `bool`, `time`, `date`; empty: not known.
    pub kind: String,
    /// What it means.
    pub doc: String,
}

impl StreamField {
    /// A field with a name, a kind and what it means.
    pub fn new(name: &str, kind: &str, doc: &str) -> StreamField {
        StreamField { name: name.to_string(), kind: kind.to_string(), doc: doc.to_string() }
    }
}

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceError {
    /// The configuration makes no sense.
    Config(String),
    /// The service does not accept the credentials.
    Refused(String),
    /// The service cannot answer now; after so many milliseconds it may.
    Transient(String, Option<u64>),
    /// The connector failed.
    Failed(String),
}
