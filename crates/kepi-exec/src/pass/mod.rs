//! Passes: all aggregates of one base, computed together in one reading in the order of time.

mod accumulate;
mod chains;
#[cfg(test)]
mod converted;
mod coverage;
mod dense;
mod distinct;
mod entity;
mod exact;
mod existence;
mod feed;
mod fold;
mod fold_bytes;
mod fold_rows;
mod fold_sums;
mod frontier;
mod furthest;
mod groups;
mod held;
mod in_turns;
mod labels;
mod learned;
mod lifecycle;
mod lookback;
mod lots;
mod modelled;
#[cfg(test)]
mod naive;
mod onward;
mod outside;
mod overlap;
mod packed;
mod percentile;
mod pieces;
mod plan;
mod ranked;
mod returned;
mod saved;
mod scalar;
mod sets;
mod shares;
mod shown;
mod standing;
mod state;
#[cfg(test)]
mod state_laws;
#[cfg(test)]
mod state_naive;
#[cfg(test)]
mod state_tests;
mod stream;
mod sum;
mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tile;
mod timeline;
mod together;
mod turnover;
mod unborn;
mod units;
mod windows;

pub(crate) use fold::Kept;
pub(crate) use groups::{Apart, Grouped, groups_apart};
pub(crate) use held::{Asked, Held};
pub(crate) use lifecycle::Lifecycle;
pub(crate) use lookback::{Elsewhere, Lookback, Over};
pub(crate) use lots::Lot;
pub(crate) use modelled::ModelOf;
pub(crate) use shown::shown;
pub(crate) use standing::Standing;
pub(crate) use state::Cells;
pub(crate) use stream::parts;
pub(crate) use tile::Tile;
pub(crate) use timeline::Timeline;
pub(crate) use turnover::{Kept as KeptTurnover, history_counted};
pub(crate) use unborn::{Early, Rows as EarlyRows};

use crate::made::{Cache, Stretch};
use crate::permits::Permits;
use crate::rows::Unfilled;
use crate::{Cancel, ExecError};
use arrow_schema::SchemaRef;
use kepi_extension::{EventScan, Functions, Partials};
use kepi_model::calendar::Grain;
use kepi_model::core::{Aggregate, Base, Existence, Label, Made, Move};
use kepi_model::value::CalendarSpan;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// All aggregates of a query that share one base, as plain data: what a leaf computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    /// The rows that are read.
    pub base: Base,
    /// What is computed of them; each with as many label rows as there are `labels`, and all moved alike.
    pub aggregates: Vec<Aggregate>,
    /// The labels' names and units.
    pub labels: Vec<Label>,
    /// The periods.
    pub per: Option<Grain>,
    /// The project's time zone (IANA name).
    pub zone: String,
    /// First instant that is looked at; none: from the first row on.
    pub from: Option<i64>,
    /// The instant behind the last.
    pub until: i64,
    /// The instant for which the query is evaluated.
    pub now: i64,
    /// Whether this is a single moment: rows are cumulated up to `until`, whatever `from` says.
    pub moment: bool,
    /// For a base of entities: since when one exists; none: always.
    pub exists: Option<Existence>,
    /// By how much the windows of all periods are shifted before they are moved any further.
    pub shift: Option<CalendarSpan>,
}

/// What a pass has to say beside its numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Rows read, of all streams.
    pub rows_scanned: u64,
    /// Rows of the base that at least one aggregate took.
    pub rows_kept: u64,
    /// Per aggregate: rows in the window that could take no part because they lack the entity that is counted or of
    /// which the first row is taken.
    pub without_entity: Vec<u64>,
    /// The moment of the first row that any aggregate took; none: no row, or no moments.
    pub first: Option<i64>,
    /// How long it took.
    pub micros: u64,
    /// What functions of plugins had to tell of their values: models, how well they fit, or why there is none.
    pub learned: Vec<Learned>,
    /// By which shorter way it was computed, in words; none: row by row.
    #[serde(skip)]
    pub way: Option<&'static str>,
    /// In how many ranges of ids they were read, each for itself; 0: all in one go.
    #[serde(skip)]
    pub ranges: u32,
    /// The segments of which something was kept from before, by unit.
    pub kept: Vec<u64>,
    /// The segments that were read, by unit; none of either: it was not read by segments.
    pub read: Vec<u64>,
    /// The moment from which it went on: rows before it were not read, since what they come to was kept.
    pub continued: Option<i64>,
}

/// What a function of a plugin told of the values of an aggregate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// The aggregate, as it is written.
    pub text: String,
    /// How many cells it was asked for.
    pub cells: u64,
    /// In how many of them its value is missing for a reason that it gave.
    pub missing: u64,
    /// The first of these reasons.
    pub why: Option<String>,
    /// The fits of the first cells that have a value.
    pub fits: Vec<Fit>,
}

/// What a model learned, once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fit {
    /// Of what: the cell's labels and period, or "the rows up to 2026-02-28"; empty where there is one cell.
    pub of: String,
    /// How many rows it learned from.
    pub rows: u64,
    /// Of how many entities these are.
    pub entities: u64,
    /// Names and values that tell how well it fits. One whose name is `warning` is one.
    pub diagnostics: Vec<(String, String)>,
}

/// What a pass is run on.
#[derive(Clone)]
pub struct Source {
    /// The events and entities.
    pub scan: Arc<dyn EventScan>,
    /// The functions of plugins.
    pub functions: Functions,
    /// Looked at between batches.
    pub cancel: Cancel,
    /// Where partial results stay between queries; none: nowhere.
    pub(crate) partials: Option<Arc<dyn Partials>>,
    /// What is made of rows, once for all clones.
    pub(crate) made: Arc<Cache>,
    /// How many threads may work at once.
    pub(crate) threads: usize,
    /// What passes wait for.
    pub(crate) permits: Arc<Permits>,
    /// Whether nobody waits for the answer any more: another part of the query has failed.
    pub(crate) over: Arc<AtomicBool>,
    /// Of which ids distinct ones are counted.
    pub(crate) share: shares::Share,
    /// Of which ids groups are made.
    pub(crate) groups: shares::Share,
    /// Where a pass makes groups: of whom.
    pub(crate) ranged: Option<groups::Ranged>,
    /// Which made rows are made of a stretch of time only.
    pub(crate) stretch: Option<Arc<(Made, Stretch)>>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("scan", &self.scan).finish_non_exhaustive()
    }
}

impl Source {
    /// A source on which nothing has been made yet: one per query.
    pub fn new(scan: Arc<dyn EventScan>, functions: Functions, cancel: Cancel) -> Source {
        let permits = Arc::new(Permits::new(1));
        let (made, over) = (Arc::default(), Arc::default());
        let share = shares::Share::default();
        let groups = share.clone();
        let (partials, ranged, stretch) = (None, None, None);
        Source { scan, functions, cancel, partials, made, threads: 1, permits, over, share, groups, ranged, stretch }
    }

    /// The same, where some ids only are counted.
    fn of_share(&self, share: shares::Share) -> Source {
        Source { share, ..self.clone() }
    }

    /// The same for what is read on the way, which is read for all.
    fn apart(&self) -> Source {
        let (share, groups) = (shares::Share::default(), shares::Share::default());
        Source { share, groups, ranged: None, ..self.clone() }
    }

    /// The same, where made rows may take so many bytes; none: no limit.
    pub fn with_memory_max(self, bytes: Option<u64>) -> Source {
        Source { made: Arc::new(Cache::new(bytes)), ..self }
    }

    /// The same, where so many threads may work at once; 0 means one.
    pub fn with_threads(self, threads: usize) -> Source {
        Source { threads: threads.max(1), permits: Arc::new(Permits::new(threads)), ..self }
    }

    /// The same, where partial results stay between queries.
    pub fn with_partials(self, partials: Option<Arc<dyn Partials>>) -> Source {
        Source { partials, ..self }
    }

    /// Of whom rows said something before they exist.
    pub(crate) fn early(&self) -> &Arc<unborn::Early> {
        &self.made.early
    }

    /// Which fields were asked for though nothing was loaded into them.
    pub(crate) fn unfilled(&self) -> &Unfilled {
        &self.made.unfilled
    }

    /// Fails when somebody asked to stop, or the time is over.
    pub fn check(&self) -> Result<(), ExecError> {
        if self.cancel.is_cancelled() {
            return Err(ExecError::Cancelled);
        }
        if self.cancel.is_late() {
            return Err(ExecError::Timeout);
        }
        if self.over.load(Ordering::Relaxed) {
            return Err(ExecError::Cancelled);
        }
        Ok(())
    }
}

impl Report {
    /// Adds what another part of the same pass has to say.
    fn merge(&mut self, other: &Report) {
        self.rows_scanned += other.rows_scanned;
        self.rows_kept += other.rows_kept;
        self.without_entity.resize(self.without_entity.len().max(other.without_entity.len()), 0);
        for (sum, n) in self.without_entity.iter_mut().zip(&other.without_entity) {
            *sum += n;
        }
        self.first = match (self.first, other.first) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.micros = self.micros.max(other.micros);
        self.way = self.way.or(other.way);
        self.ranges = self.ranges.max(other.ranges);
        self.kept.extend(&other.kept);
        self.read.extend(&other.read);
        self.continued = self.continued.or(other.continued);
        self.learned.extend(other.learned.iter().cloned());
    }
}

impl Pass {
    /// Where the window begins; a single moment has everything before it.
    pub(crate) fn first_instant(&self) -> Option<i64> {
        self.from.filter(|_| !self.moment)
    }

    /// How the windows of its aggregates differ from those of the cells.
    pub(crate) fn moved(&self) -> &[Move] {
        self.aggregates.first().map_or(&[], |a| &a.moved)
    }

    /// The Arrow schema of the cells: `period` (only with `per`), `label_0` …, then `value_i` and `rows_i` by turns.
    pub fn schema(&self, source: &Source) -> Result<SchemaRef, ExecError> {
        plan::Plan::new(self, source)?.schema(self)
    }
}

/// Which rows of the base's stream a part of a pass reads, by time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// First instant; none: from the first row on.
    pub(crate) from: Option<i64>,
    /// The instant behind the last; none: to the window's end.
    pub(crate) until: Option<i64>,
    /// Only what is stored in these segments; none: whatever they are.
    pub(crate) segments: Option<Vec<u64>>,
    /// Only rows of these entities, which this column says; rows without one are of the first lot. None: all rows.
    pub(crate) lot: Option<(String, Lot)>,
}

/// Computes a pass in one go.
pub(crate) fn run(pass: &Pass, source: &Source) -> Result<Cells, ExecError> {
    together(run_part(pass, source, &Part::default())?, pass, source)
}

/// Computes a part of a pass; of entities there is only one part. Where all parts are merged, [`together`] has the last
/// word.
pub(crate) fn run_part(pass: &Pass, source: &Source, part: &Part) -> Result<Cells, ExecError> {
    let begin = Instant::now();
    source.check()?;
    let mut cells = chains::run(pass, source, |source| run_here(pass, source, part))?;
    cells.report.micros = begin.elapsed().as_micros() as u64;
    Ok(cells)
}

fn run_here(pass: &Pass, source: &Source, part: &Part) -> Result<Cells, ExecError> {
    Ok(match (&pass.base, groups::of(&pass.base)) {
        (_, Some(groups)) => groups::run(groups, pass, source, part)?,
        // Other ways know nobody of whom alone groups are made.
        (Base::Stream(_) | Base::Made(_), None) if source.ranged.is_some() => stream::run(pass, source, part)?,
        (Base::Stream(_) | Base::Made(_), None) => match returned::count(pass, source, part)? {
            Some(cells) => cells,
            None => match turnover::count(pass, source, part)? {
                Some(cells) => cells,
                None => stream::run(pass, source, part)?,
            },
        },
        (Base::Entity(_), None) => match turnover::count(pass, source, part)? {
            Some(cells) => cells,
            None => match turnover::count_enough(pass, source, part)? {
                Some(cells) => cells,
                None => entity::run(pass, source)?,
            },
        },
    })
}

/// The cells of all parts: where they are of pieces of windows, those of the windows.
pub(crate) fn together(cells: Cells, pass: &Pass, source: &Source) -> Result<Cells, ExecError> {
    if !cells.pieces {
        return Ok(cells);
    }
    match plan::Plan::new(pass, source)?.reading {
        pieces::Reading::Pieces(pieces) => together::together(cells, pass, source, &pieces),
        pieces::Reading::Plain | pieces::Reading::Apart(_) => {
            Err(ExecError::Plan("a pass does not know the pieces that it was read in".into()))
        }
    }
}

/// What a pass computes, in words.
pub(crate) fn words(pass: &Pass) -> String {
    let mut words = pass.base.words();
    if let Some(grain) = &pass.per {
        words.push_str(&format!(" per {}", grain.name()));
    }
    if !pass.moved().is_empty() {
        words.push_str(&format!(", over {}", crate::words::moved(pass.moved(), "the cell's time")));
    }
    for (i, label) in pass.labels.iter().enumerate() {
        words.push_str(if i == 0 { " by " } else { ", " });
        words.push_str(&label.name);
    }
    let what: Vec<&str> = pass.aggregates.iter().map(|a| a.text.as_str()).collect();
    words + ": " + &what.join("; ")
}
