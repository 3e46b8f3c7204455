//! Answers that are kept: the same query on the same snapshot is read instead of computed.
//!
//! An answer depends on the query's core nodes, the snapshot and "now", and on nothing else, so these are the name
//! under which it is kept, in `.kepi/store/answers`: with the store, answers go too. Queries that call plugins are not
//! kept, since a plugin's file may change. What is kept is bounded; the oldest go first.

use kepi_exec::Frame;
use kepi_model::core::{
    Aggregate, Base, CompareWith, Formula, FormulaNode, Made, Measure, OrderBy, Query, Row, RowNode,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

/// The first bytes of a file. A change of what frames are made of is a new number.
const MAGIC: &[u8; 8] = b"kepians2";
/// Answers that took less are computed again.
const WORTH: Duration = Duration::from_millis(5);
/// Answers with more bytes are not kept …
const BYTES_MAX: u64 = 8 << 20;
/// … and all of them together have at most these.
const TOTAL_MAX: u64 = 128 << 20;

/// The answers of a project.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    folder: PathBuf,
}

/// The name of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Kept {
    /// The answers beside a store.
    pub(crate) fn beside(store: &Path) -> Kept {
        Kept { folder: store.join("answers") }
    }

    /// The name of the answer to a query on a snapshot; none: it is not kept.
    pub(crate) fn name(&self, query: &Query, snapshot: u64, totals: bool) -> Option<Name> {
        if calls_plugins(query) || snapshot == 0 {
            return None;
        }
        let mut meant = query.clone();
        if !looks_at_now(query) {
            // What is over stays as it is, whenever it is asked.
            meant.now = query.window.until;
        }
        let bytes = serde_json::to_vec(&meant).ok()?;
        let mut hasher = Xxh3Default::new();
        for part in [env!("CARGO_PKG_VERSION").as_bytes(), &snapshot.to_le_bytes(), &[u8::from(totals)], &bytes] {
            // Lengths in front keep a part's end from being read as the next one's beginning.
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Some(Name(format!("{:032x}", hasher.digest128())))
    }

    /// The answer of a name, if it is kept whole.
    pub(crate) fn read(&self, name: &Name) -> Option<Frame> {
        let bytes = fs::read(self.folder.join(&name.0)).ok()?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let (checksum, body) = rest.split_first_chunk::<8>()?;
        (xxh3_64(body) == u64::from_le_bytes(*checksum)).then(|| Frame::from_bytes(body))?
    }

    /// Keeps an answer that took long enough. Where nothing can be written, nothing is kept.
    pub(crate) fn write(&self, name: &Name, frame: &Frame, took: Duration) {
        if took < WORTH {
            return;
        }
        let Some(body) = frame.to_bytes().filter(|body| body.len() as u64 <= BYTES_MAX) else { return };
        if let Err(error) = self.put(name, &body) {
            tracing::debug!(%error, "an answer is not kept");
        }
    }

    fn put(&self, name: &Name, body: &[u8]) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        self.make_room(body.len() as u64)?;
        let part = self.folder.join(format!("{}.{}.part", name.0, std::process::id()));
        let mut bytes = MAGIC.to_vec();
        bytes.extend(xxh3_64(body).to_le_bytes());
        bytes.extend(body);
        // Beside it first, so that nobody reads half of it.
        fs::write(&part, bytes)?;
        fs::rename(&part, self.folder.join(&name.0))
    }

    /// Removes the oldest answers until there is room for another one.
    fn make_room(&self, wanted: u64) -> std::io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // One that another process has just removed is no file of ours any more.
            let Ok(about) = entry.metadata() else { continue };
            files.push((about.modified().unwrap_or(SystemTime::UNIX_EPOCH), about.len(), entry.path()));
        }
        let mut total: u64 = files.iter().map(|f| f.1).sum();
        files.sort();
        for (_, bytes, path) in files {
            if total + wanted <= TOTAL_MAX {
                break;
            }
            if fs::remove_file(path).is_ok() {
                total -= bytes;
            }
        }
        Ok(())
    }
}

/// Whether the answer depends on "now" beside the instants that stand in it.
fn looks_at_now(query: &Query) -> bool {
    let elsewhere = |c: &CompareWith| matches!(c, CompareWith::Period { .. } | CompareWith::Target(_));
    query.window.until > query.now || query.shape.is_some() || query.compare.iter().any(|c| elsewhere(&c.with))
}

fn calls_plugins(query: &Query) -> bool {
    let ordered = query.order.iter().filter_map(|key| match &key.by {
        OrderBy::Formula(formula) => Some(formula),
        _ => None,
    });
    let formulas = query.columns.iter().map(|c| &c.formula).chain(&query.having).chain(ordered);
    formulas.into_iter().any(formula_calls) || query.aggregates.iter().any(aggregate_calls)
}

fn formula_calls(formula: &Formula) -> bool {
    matches!(formula.node, FormulaNode::Plugin { .. }) || formula.parts().into_iter().any(formula_calls)
}

fn aggregate_calls(aggregate: &Aggregate) -> bool {
    let inner = match &aggregate.events.base {
        Base::Made(made) => match &**made {
            Made::Groups(groups) => formula_calls(&groups.value) || groups.aggregates.iter().any(aggregate_calls),
            _ => false,
        },
        _ => false,
    };
    inner || matches!(aggregate.measure, Measure::Plugin { .. }) || aggregate.rows().into_iter().any(row_calls)
}

fn row_calls(row: &Row) -> bool {
    let own = match &row.node {
        RowNode::Plugin { .. } => true,
        RowNode::History(history) => matches!(history.measure, Measure::Plugin { .. }),
        _ => false,
    };
    own || row.parts().into_iter().any(row_calls)
}
