//! Reading a stream of a connector to its end, page by page, as a sync does.

use super::key_of;
use super::stage::{Stage, Trouble};
use kepi_extension::{PageRequest, StreamShape};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A stream that has more pages is taken for one without end.
const PAGES_MAX: usize = 600;
/// A cursor that stays the same so often means that the connector does not go on, as in a sync.
const STUCK_PAGES: usize = 3;
/// How often a page is asked for before the run is given up.
const ATTEMPTS_MAX: usize = 4;

/// A page as it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// The keys of its records, in order.
    pub(super) keys: Vec<String>,
    pub(super) records: Vec<Value>,
    /// The keys of records that are gone.
    pub(super) gone: Vec<String>,
    pub(super) cursor: Option<String>,
}

/// A run.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) pages: Vec<Seen>,
    /// What the connector said of pages that it could not give.
    pub(super) errors: Vec<String>,
    /// It was given up.
    pub(super) failed: Option<String>,
    /// It does not end.
    pub(super) endless: bool,
}

/// How a stream is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct How<'a> {
    pub(super) page_size: u32,
    pub(super) cursor: Option<&'a str>,
    pub(super) now: i64,
    pub(super) trouble: Trouble,
}

impl Reading {
    /// Reads a stream to its end.
    pub(super) fn of(stage: &Stage, shape: &StreamShape, how: How<'_>) -> Result<Reading, String> {
        let host = stage.host(how.now, how.trouble)?;
        let mut reading = Reading::default();
        let mut cursor = how.cursor.map(str::to_string);
        let (mut attempts, mut stuck) = (0, 0);
        loop {
            let request = PageRequest {
                stream: shape.name.clone(),
                config: stage.config.clone(),
                cursor: cursor.clone(),
                page_size: how.page_size,
                since: None,
            };
            let page = match stage.connector.read(&request, &host) {
                Ok(page) => page,
                Err(error) => {
                    attempts += 1;
                    reading.errors.push(error.to_string());
                    if attempts >= ATTEMPTS_MAX || how.trouble == Trouble::Refused || how.trouble == Trouble::Astray {
                        reading.failed = Some(error.to_string());
                        return Ok(reading);
                    }
                    continue;
                }
            };
            attempts = 0;
            let records: Vec<Value> =
                page.records.iter().map(|text| serde_json::from_str(text).unwrap_or(Value::Null)).collect();
            let gone = page.deleted.iter().map(|text| serde_json::from_str(text).unwrap_or(Value::Null));
            reading.pages.push(Seen {
                gone: gone.map(|record| key_of(&record, shape)).collect(),
                keys: records.iter().map(|record| key_of(record, shape)).collect(),
                records,
                cursor: page.cursor.clone(),
            });
            let same = page.cursor == cursor;
            cursor = page.cursor.or(cursor);
            if !page.more {
                return Ok(reading);
            }
            stuck += usize::from(same);
            if stuck >= STUCK_PAGES || reading.pages.len() >= PAGES_MAX {
                reading.endless = true;
                return Ok(reading);
            }
        }
    }

    pub(super) fn keys(&self) -> BTreeSet<&str> {
        self.pages.iter().flat_map(|page| &page.keys).map(String::as_str).collect()
    }

    /// The cursor behind the last page.
    pub(super) fn end(&self) -> Option<&str> {
        self.pages.iter().rev().find_map(|page| page.cursor.as_deref())
    }

    /// A key that came twice, with the numbers of its pages, from 1.
    pub(super) fn repeated(&self) -> Option<(&str, usize, usize)> {
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        for (number, page) in self.pages.iter().enumerate() {
            for key in &page.keys {
                if let Some(first) = known.insert(key, number) {
                    return Some((key, first + 1, number + 1));
                }
            }
        }
        None
    }

    /// Whether the second page is the first one again.
    pub(super) fn begins_anew(&self) -> bool {
        matches!(self.pages.as_slice(), [first, second, ..] if !first.keys.is_empty() && first.keys == second.keys)
    }
}
