//! How many entities are in a state, come into it and leave it, period by period: counted from arrays by id while the rows
//! that begin and end it go by, without a list of stays.
//!
//! It takes a state without values: `from event for 12 months`, `from event until other`, one that a row says the end of.
//! Of it may be asked how often being in it begins and ends, and who is in it at the ends of windows, by labels and under
//! conditions that follow from the entity alone. Everything else reads timelines and stays.
//!
//! Time is cut at the ends of all windows. What happens in each piece is counted by group of entities; windows are put
//! together of these. The passes of a query that cut it alike share one reading, and it goes on from a moment (`kept`).

mod asked;
mod by_id;
mod cells;
mod enough;
#[cfg(test)]
mod enough_tests;
mod kept;
mod places;
mod tally;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use enough::{count as count_enough, history as history_counted};

use super::windows::{NO_BEGINNING, Window, windows};
use super::{Cells, Part, Pass, Source};
use crate::ExecError;
use asked::{Asked, Ends};
use by_id::ById;
use kepi_extension::StreamInfo;
use kepi_model::calendar::{Grain, Zone};
use kepi_model::core::{Base, Move, Row, State};
use kepi_model::value::CalendarSpan;
use places::Places;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tally::{Counts, Tally};
use walk::Walk;

/// What explain says of it.
const WAY: &str = "counted by period where stays begin and end, without a list of them";
/// So many counts there may be, by group of entities and piece of time.
const COUNTS_MAX: usize = 1 << 21;

/// What is counted, for all passes that ask it.
#[derive(Clone, Debug)]
struct Question {
    state: State,
    /// What tells entities apart.
    columns: Vec<Row>,
    /// Where time is cut, rising.
    bounds: Vec<i64>,
    /// Whether it is counted who is in it at both ends of a piece of time.
    both: bool,
    zone: String,
    now: i64,
    /// What the bounds are made of, whatever is stored: periods, beginning, moves.
    made_of: (Option<Grain>, Option<i64>, Vec<Move>, Option<CalendarSpan>),
}

/// What was counted.
#[derive(Debug)]
struct Counted {
    counts: Counts,
    by_id: Arc<ById>,
    places: Arc<Places>,
    /// The moment from which on rows were read, where what lies before it was kept.
    continued: Option<i64>,
    /// How many stored rows were read that nobody has accounted for yet.
    scanned: AtomicU64,
}

/// What was counted for a query, each by the first pass that asks.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Vec<Arc<Shared>>>);

#[derive(Debug)]
struct Shared {
    question: Question,
    counted: OnceLock<Result<Option<Arc<Counted>>, ExecError>>,
}

/// Whether a pass may be answered in this way.
pub(super) fn takes(pass: &Pass) -> bool {
    asked::of(pass).is_some()
}

/// The cells of a pass; none: it asks for something else, or is only a part of one.
pub(super) fn count(pass: &Pass, source: &Source, part: &Part) -> Result<Option<Cells>, ExecError> {
    if *part != Part::default() {
        return Ok(None);
    }
    let Some(asked) = asked::of(pass) else { return Ok(None) };
    let Some(Times { windows, together }) = times(pass, &asked, source)? else { return Ok(None) };
    let ends: Vec<Ends> = asked.counted.iter().filter_map(|counted| counted.of.ends()).collect();
    // Whoever counts for any of the aggregates took part.
    let any = ends.iter().copied().reduce(Ends::or);
    if !together && ends.into_iter().chain(any).any(Ends::needs_both) {
        return Ok(None);
    }
    let mut bounds: Vec<i64> = windows.iter().flat_map(|w| [w.from, w.until, w.cell.0, w.cell.1]).collect();
    bounds.retain(|&bound| bound != NO_BEGINNING);
    bounds.sort_unstable();
    bounds.dedup();
    if bounds.is_empty() {
        return Ok(None);
    }
    let moves = pass.moved().iter().filter(|of| **of != Move::Start).cloned().collect();
    let question = Question {
        state: asked.state.clone(),
        columns: asked.columns.clone(),
        bounds,
        // Who is there at both ends costs little, and so passes that ask for it share their reading with others.
        both: together,
        zone: pass.zone.clone(),
        now: pass.now,
        made_of: (pass.per.clone(), pass.first_instant(), moves, pass.shift),
    };
    let Some(counted) = source.counted(question)? else { return Ok(None) };
    Ok(Some(cells::of(pass, &asked, &windows, &counted, source)))
}

/// The windows of a pass.
struct Times {
    windows: Vec<Window>,
    /// Whether each begins where the one before ends, so that nothing cuts one in two.
    together: bool,
}

/// None: they are read in another way.
fn times(pass: &Pass, asked: &Asked<'_>, source: &Source) -> Result<Option<Times>, ExecError> {
    let Base::Stream(stream) = &asked.state.from.base else { return Ok(None) };
    let Some(zone) = Zone::named(&pass.zone) else { return Ok(None) };
    let Some(StreamInfo { dated: true, first, .. }) = source.scan.stream(stream) else { return Ok(None) };
    // Periods begin with the first row that may begin a stay, also where it begins none.
    let mut windows = windows(pass, first, &zone)?;
    match pass.base {
        Base::Entity(_) => windows.retain(|window| window.until > NO_BEGINNING),
        // Where nobody says when time begins, moved windows begin with the first edge; and edges of windows that go
        // back are counted for each of these.
        _ => {
            let moved = !pass.moved().is_empty() || pass.shift.is_some();
            if moved && pass.per.is_some() && pass.first_instant().is_none() {
                return Ok(None);
            }
            windows.retain(|window| window.from < window.until);
            if !windows.windows(2).all(|w| w[0].from <= w[1].from && w[0].until <= w[1].until) {
                return Ok(None);
            }
        }
    }
    let together =
        windows.iter().all(|w| w.cell.0 < w.cell.1) && windows.windows(2).all(|w| w[0].cell.1 == w[1].cell.0);
    Ok(Some(Times { windows, together }))
}

impl Question {
    /// Whether it is the same but for the words.
    fn is(&self, other: &Question) -> bool {
        (&self.state, &self.columns, &self.bounds, self.both, &self.zone, self.now)
            == (&other.state, &other.columns, &other.bounds, other.both, &other.zone, other.now)
    }

    /// Reads all rows that matter. None: entities differ too much to be counted by group.
    fn answer(&self, source: &Source) -> Result<Option<Arc<Counted>>, ExecError> {
        let Some(&last) = self.bounds.last() else { return Ok(None) };
        let most = COUNTS_MAX / (self.bounds.len() + 1);
        let about = (&self.zone[..], self.now);
        let Some(by_id) = ById::of(&self.columns, &self.state.entity, most, source, about)? else { return Ok(None) };
        let (by_id, places) = (Arc::new(by_id), Arc::new(Places::of(self.bounds.clone())));
        let mut walk = Walk::new(self, source, (None, last))?;
        let (ids, ends) = (walk.ids(&self.state.entity), walk.until.is_some());
        let _taken = source.take(by_id.bytes() + Tally::bytes(ids, ends, self.both))?;
        let tally = || Tally::new(ids, ends, self.both, Arc::clone(&by_id), Arc::clone(&places));
        let (tally, continued, scanned) = match kept::Going::new(self, &walk, &by_id, source, last)? {
            Some(going) => going.run(&tally)?,
            None => {
                let mut tally = tally();
                let scanned = walk.read(&mut tally)?;
                (tally, None, scanned)
            }
        };
        let (counts, scanned) = (tally.finish(), AtomicU64::new(scanned));
        Ok(Some(Arc::new(Counted { counts, by_id, places, continued, scanned })))
    }
}

impl Counted {
    /// How many stored rows were read that nobody has accounted for yet.
    fn take_scanned(&self) -> u64 {
        self.scanned.swap(0, Ordering::Relaxed)
    }
}

impl Source {
    /// What is counted of a state: the same for all passes that ask.
    fn counted(&self, question: Question) -> Result<Option<Arc<Counted>>, ExecError> {
        let shared = {
            let mut kept = self.made.turnover.0.lock().unwrap_or_else(PoisonError::into_inner);
            match kept.iter().find(|shared| shared.question.is(&question)) {
                Some(shared) => Arc::clone(shared),
                None => {
                    kept.push(Arc::new(Shared { question, counted: OnceLock::new() }));
                    Arc::clone(&kept[kept.len() - 1])
                }
            }
        };
        // Not under the lock: what begins a state may be made of other rows.
        kepi_threads::once(&shared.counted, || shared.question.answer(self)).clone()
    }
}
