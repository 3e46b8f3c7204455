//! Files in object stores, new and changed ones only: S3 and what speaks like it, Google Cloud Storage, Azure.

mod place;
mod rows;
mod store;

use super::config_error;
use super::options::{Known, Options, schema};
use kepi_extension::{Connector, ConnectorError, ConnectorHost, Page, PageRequest, StreamField, StreamShape};
use place::{Object, Place};
use rows::Rows;
use std::fmt;
use std::sync::Mutex;
use store::Bucket;

/// The id of the plugin.
pub(super) const ID: &str = "kepi.objects";
/// The field with an object's name.
const OBJECT: &str = "_object";
/// The field with a row's number in its object, from 1.
const ROW: &str = "_row";

const OPTIONS: &[Known] = &[
    ("url", "The bucket and what the names begin with: `s3://bucket/exports/`, `gs://…`, `az://container/…`."),
    ("pattern", "Which of the names below it are read: `*.csv.gz`, `2026-*/**`; all where it is left out."),
    ("region", "The region of an S3 bucket; us-east-1 where it is left out."),
    ("endpoint", "The address of a service that speaks like S3: `https://minio.example.com:9000`."),
    ("account", "The storage account of an Azure container."),
    ("anonymous", "`yes` for a public bucket: nothing is signed."),
    ("delimiter", "What stands between cells, where it is not to be found out."),
    ("header", "`no` where the first line is a row."),
    ("encoding", "How text is written, where it is not UTF-8."),
];

/// The options of those that say how a file is read.
const READ_OPTIONS: [&str; 3] = ["delimiter", "header", "encoding"];

/// Reads object stores. What a run has open is kept from page to page.
#[derive(Default)]
pub(super) struct Objects {
    open: Mutex<Option<Open>>,
}

/// A bucket, the objects that a run found in it, and the one that is being read.
struct Open {
    config: String,
    bucket: Bucket,
    /// None: to be listed.
    listed: Option<Vec<Object>>,
    reading: Option<(Object, Rows)>,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

impl Objects {
    /// Does something with the bucket; after a failure everything is opened anew.
    fn with<T>(
        &self,
        config: &str,
        host: &dyn ConnectorHost,
        act: impl FnOnce(&Options, &mut Open) -> Result<T, ConnectorError>,
    ) -> Result<T, ConnectorError> {
        let options = Options::parse(ID, config, OPTIONS)?;
        // A thread that panicked left nothing half done: what was open was taken out.
        let mut kept = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut open = match kept.take() {
            Some(open) if open.config == config => open,
            _ => {
                let bucket = Bucket::open(&options, host)?;
                Open { config: config.to_string(), bucket, listed: None, reading: None }
            }
        };
        let done = act(&options, &mut open)?;
        *kept = Some(open);
        Ok(done)
    }
}

impl Connector for Objects {
    fn config_schema(&self) -> Result<Option<String>, ConnectorError> {
        Ok(Some(schema(OPTIONS, &["url"])))
    }

    fn check(&self, config: &str, host: &dyn ConnectorHost) -> Result<(), ConnectorError> {
        self.with(config, host, |_, open| open.bucket.list().map(|_| ()))
    }

    fn discover(&self, _: &str, _: &dyn ConnectorHost) -> Result<Vec<StreamShape>, ConnectorError> {
        let field = |name: &str, kind: &str, doc: &str| StreamField {
            name: name.to_string(),
            kind: kind.to_string(),
            doc: doc.to_string(),
        };
        Ok(vec![StreamShape {
            name: "rows".to_string(),
            fields: vec![
                field(OBJECT, "text", "The name of the object that the row stands in."),
                field(ROW, "count", "The number of the row in it, from 1."),
            ],
            primary_key: vec![OBJECT.to_string(), ROW.to_string()],
            cursor_field: None,
        }])
    }

    fn read(&self, request: &PageRequest, host: &dyn ConnectorHost) -> Result<Page, ConnectorError> {
        let mut place =
            Place::parse(request.cursor.as_deref(), request.since).map_err(|reason| config_error(ID, reason))?;
        self.with(&request.config, host, |options, open| {
            let mut page = Page::default();
            let wanted = request.page_size as usize;
            while page.records.len() < wanted {
                let listed = match open.listed.take() {
                    Some(listed) => listed,
                    None => open.bucket.list()?,
                };
                let Some(object) = place.next(&listed) else {
                    // The next run looks again.
                    break;
                };
                open.listed = Some(listed);
                let row = place.row(&object);
                let mut rows = match open.reading.take() {
                    Some((known, rows)) if known == object && rows.done() == row => rows,
                    _ => open.bucket.fetch(&object)?.rows(options, &object.name, row)?,
                };
                let more = rows.take(wanted - page.records.len(), &mut page.records)?;
                if more {
                    place.within(&object, rows.done());
                    open.reading = Some((object, rows));
                } else {
                    place.read(&object);
                }
            }
            page.more = open.listed.as_ref().is_some_and(|listed| place.next(listed).is_some());
            if !page.more {
                open.listed = None;
            }
            page.cursor = Some(place.text());
            Ok(page)
        })
    }
}
