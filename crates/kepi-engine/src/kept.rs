//! Results that are kept beside the store, in `.kepi/store/answers`: with the store, they go too.
//!
//! An answer depends on the query's core nodes, on "now", and on what was read, and on nothing else. The first two are the
//! name under which it is kept; what was read is noted while it is computed, with its versions, and an answer is read
//! only where all of these are what they were. Of a query that calls plugins the name holds the contents of each, too.
//! Partial results have names that say all they depend on (`kepi_exec`).

mod files;
mod recorder;

pub(crate) use recorder::Recorder;

use files::{Files, Stamp};
use kepi_exec::Frame;
use kepi_extension::{EventScan, Functions, Partials};
use kepi_model::core::{CompareWith, Query};
use recorder::Read;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use xxhash_rust::xxh3::Xxh3Default;

/// Answers that took less are computed again.
const WORTH: Duration = Duration::from_millis(5);
/// Partial results that took less are made again; but for tests, which have few rows on machines of any speed.
const PART_WORTH: Duration = Duration::from_millis(if cfg!(debug_assertions) { 0 } else { 1 });

/// What is kept of a project.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    files: Arc<Files>,
    /// The store as it was before a snapshot of it was opened: what is made of that one is kept only while this holds.
    stamp: Option<Stamp>,
}

/// The name of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name(u128);

/// An answer as it lies in its file.
#[derive(Serialize, Deserialize)]
struct Plain {
    read: Vec<(Read, u128)>,
    frame: Vec<u8>,
}

impl Kept {
    /// What is kept beside a store.
    pub(crate) fn beside(store: &Path) -> Kept {
        Kept { files: Arc::new(Files::beside(store)), stamp: None }
    }

    /// The same for who opens a snapshot after this. Whatever is erased meanwhile, nothing of it is kept: results made of
    /// a snapshot that is no longer the current one go again.
    pub(crate) fn as_of_now(&self) -> Kept {
        Kept { files: Arc::clone(&self.files), stamp: self.files.stamp() }
    }

    /// The partial results.
    pub(crate) fn partials(&self) -> Arc<dyn Partials> {
        Arc::new(self.clone())
    }

    /// The name of the answer to a query, which may call functions of plugins; none: it is not kept.
    pub(crate) fn name(&self, query: &Query, totals: bool, functions: &Functions) -> Option<Name> {
        let mut meant = query.clone();
        if !looks_at_now(query) {
            // What is over stays as it is, whenever it is asked. A window that ends now is not over.
            meant.now = i64::MAX;
        }
        let bytes = serde_json::to_vec(&meant).ok()?;
        let mut hasher = Xxh3Default::new();
        let called = postcard::to_allocvec(&called(&bytes, functions)?).ok()?;
        for part in [env!("CARGO_PKG_VERSION").as_bytes(), &[u8::from(totals)], &bytes, &called] {
            // Lengths in front keep a part's end from being read as the next one's beginning.
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Some(Name(hasher.digest128()))
    }

    /// The answer of a name, if it is kept whole, and what it was read of is what it was.
    pub(crate) fn read(&self, name: Name, scan: &dyn EventScan) -> Option<Frame> {
        let bytes = self.files.read('a', name.0)?;
        let plain: Plain = postcard::from_bytes(&bytes).ok()?;
        let holds = plain.read.iter().all(|(read, version)| read.version(scan) == Some(*version));
        if holds { Frame::from_bytes(&plain.frame) } else { None }
    }

    /// Keeps an answer that took long enough. Where nothing can be written, nothing is kept.
    pub(crate) fn write(&self, name: Name, frame: &Frame, took: Duration, recorder: &Recorder) {
        if took < WORTH {
            return;
        }
        let plain = || Some(Plain { read: recorder.versions()?, frame: frame.to_bytes()? });
        if let Some(bytes) = plain().and_then(|plain| postcard::to_allocvec(&plain).ok()) {
            self.files.write('a', name.0, &bytes, self.stamp);
        }
    }

    /// Looks at all that is kept: what is damaged is removed, and told by its file's name.
    pub(crate) fn damaged(&self) -> Vec<String> {
        self.files.damaged()
    }

    /// Removes all that is kept; gives how many they were. The error names the file.
    pub(crate) fn clear(&self) -> Result<u64, (PathBuf, std::io::Error)> {
        self.files.clear()
    }

    /// What was found damaged since somebody asked, in words.
    pub(crate) fn take_damaged(&self) -> Vec<String> {
        self.files.take_damaged()
    }
}

impl Partials for Kept {
    fn read(&self, name: u128) -> Option<Vec<u8>> {
        self.files.read('p', name)
    }

    fn write(&self, name: u128, bytes: &[u8], took: Duration) {
        if took >= PART_WORTH {
            self.files.write('p', name, bytes, self.stamp);
        }
    }
}

/// The functions of plugins that a query calls, with the contents of each; none: of one they are not known. Its name stands
/// in the query's bytes wherever a function is called; where it stands there for another reason, that costs nothing.
fn called<'a>(query: &[u8], functions: &'a Functions) -> Option<BTreeMap<&'a str, u128>> {
    let mut called = BTreeMap::new();
    for name in functions.contents.keys() {
        let quoted = format!("\"{name}\"");
        if query.windows(quoted.len()).any(|part| part == quoted.as_bytes()) {
            called.insert(name.as_str(), functions.contents_of(name)?);
        }
    }
    Some(called)
}

/// Whether the answer depends on "now" beside the instants that stand in it.
fn looks_at_now(query: &Query) -> bool {
    let elsewhere = |c: &CompareWith| matches!(c, CompareWith::Period { .. } | CompareWith::Target(_));
    query.window.until >= query.now || query.shape.is_some() || query.compare.iter().any(|c| elsewhere(&c.with))
}
