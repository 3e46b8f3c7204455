//! Made rows: stays, sessions, attempts of a chain, returns, groups. Each kind is made once per query, of all rows that
//! are stored, and then read like a stream.

mod attributes;
mod chain;
mod changes;
mod counted;
mod edges;
mod gather;
#[cfg(test)]
mod naive;
mod own_periods;
mod read;
mod returns;
mod sessions;
mod stays;
mod stretch;
mod taken;
#[cfg(test)]
mod tests;

pub(crate) use chain::Settling;
pub(crate) use own_periods::Period;
pub(crate) use returns::bracket;
pub(crate) use stretch::Stretch;
pub(crate) use taken::Taken;

use crate::pass::{Early, KeptTurnover};
use crate::rows::{Column, Type, Unfilled, Values};
use crate::{ExecError, Source};
use arrow_buffer::ScalarBuffer;
use kepi_extension::StreamInfo;
use kepi_model::core::{Aggregate, Base, Keyed, Made, Row, State};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The place of a row that is not there.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// What was made for a query, so that its passes, histories and comparisons share it.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    streams: Mutex<Vec<Arc<Stream>>>,
    stays: stays::Kept,
    /// What was counted where stays begin and end.
    pub(crate) turnover: KeptTurnover,
    /// Of whom rows said something too early.
    pub(crate) early: Arc<Early>,
    /// Which fields were asked for though nothing was loaded into them.
    pub(crate) unfilled: Unfilled,
    /// Current values of attributes.
    attributes: attributes::Attributes,
    /// How many bytes made rows and arrays by id may take together.
    bytes_max: Option<u64>,
    /// How many they take by now.
    bytes: AtomicU64,
    /// Who reads range by range does so alone.
    pub(crate) turn: Mutex<()>,
}

/// A stream of made rows. They are made when somebody first reads them; their columns' types are known before.
pub(crate) struct Stream {
    /// What they are.
    pub(crate) made: Made,
    zone: String,
    now: i64,
    /// Of which time the rows are that they are made of, counted from the first of them.
    time: Stretch,
    own: Vec<(String, Type)>,
    rows: OnceLock<Result<Rows, ExecError>>,
    /// The columns that were looked up in the rows that these were made of.
    columns: Mutex<HashMap<String, Column>>,
    scanned: AtomicU64,
    /// How many bytes it takes.
    bytes: AtomicU64,
}

/// Made rows, as a maker gives them: in the order of (moment, order of the rows that they are made of).
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Their moments.
    pub(crate) at: ScalarBuffer<i64>,
    /// Their own columns, in the order of [`Stream::own`].
    pub(crate) own: Vec<Column>,
    /// For each of the bases that [`parents`] names: the place in it, counted in its order of time from 0, of the row
    /// whose values a made row has; [`NOWHERE`]: it has none.
    pub(crate) parents: Vec<Vec<u32>>,
    /// Columns of the parents that need not be looked up: the number of the parent, the expression over its rows, and
    /// its value per made row.
    pub(crate) known: Vec<(usize, Row, Column)>,
    /// The moments of the rows that could take no part because they lack the entity, rising.
    pub(crate) without: Vec<i64>,
    /// How many stored rows were read.
    pub(crate) scanned: u64,
}

/// A column of made rows that somebody wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wanted {
    /// The own column with this number.
    Own(usize),
    /// An expression over the rows of the base with this number.
    Of(usize, Box<Row>),
}

/// The bases whose rows' values can be asked of made rows; the first gives their fields and roles.
pub(crate) fn parents(made: &Made) -> Vec<&Base> {
    match made {
        Made::Edges { state, .. } => vec![&state.from.base],
        Made::Sessions { events, .. } => vec![&events.base],
        Made::Chain(chain) => chain.steps.iter().map(|step| &step.rows.events.base).collect(),
        Made::Returns(returns) => vec![&returns.start.events.base],
        Made::Groups(_) | Made::Changes(_) => Vec::new(),
    }
}

/// The stored stream with the most rows of those that a base's rows are read from or made of; none: there is none.
pub(crate) fn largest_below(base: &Base, source: &Source) -> Option<StreamInfo> {
    match base {
        Base::Stream(name) => source.scan.stream(name),
        Base::Entity(_) => None,
        Base::Made(made) => {
            let groups: &[Aggregate] = match &**made {
                Made::Groups(groups) => &groups.aggregates,
                _ => &[],
            };
            let (states, rows): (&[State], &[Keyed]) = match &**made {
                Made::Changes(changes) => (&changes.states, &changes.rows),
                _ => (&[], &[]),
            };
            let below = parents(made).into_iter().chain(groups.iter().map(|a| &a.events.base));
            let below = below.chain(states.iter().map(|state| &state.from.base));
            let below = below.chain(rows.iter().map(|keyed| &keyed.events.base));
            below.filter_map(|base| largest_below(base, source)).max_by_key(|info| info.rows)
        }
    }
}

/// The names and types of the own columns, in the order in which the maker gives them.
fn own(made: &Made, maker: &Maker) -> Result<Vec<(String, Type)>, ExecError> {
    match made {
        Made::Edges { state, .. } => edges::own(state, maker),
        Made::Sessions { .. } => Ok(sessions::own()),
        Made::Chain(_) => Ok(chain::own()),
        Made::Returns(_) => Ok(returns::own()),
        Made::Groups(_) => Err(ExecError::NotYet(made.words())),
        Made::Changes(changes) => changes::own(changes, maker),
    }
}

/// Makes the rows.
fn make(made: &Made, maker: &Maker) -> Result<Rows, ExecError> {
    match made {
        Made::Edges { state, edge } => edges::make(maker, state, *edge),
        Made::Sessions { events, key, gap } => sessions::make(maker, events, key, *gap),
        Made::Chain(chain) => chain::make(maker, chain),
        Made::Returns(returns) if returns.hold.is_some() || returns.at_least > 1 => counted::make(maker, returns),
        Made::Returns(returns) => returns::make(maker, returns),
        Made::Groups(_) => Err(ExecError::NotYet(made.words())),
        Made::Changes(changes) => changes::make(maker, changes),
    }
}

/// What makers need.
pub(crate) struct Maker<'a> {
    /// Where stored rows come from, and made ones.
    pub(crate) source: &'a Source,
    /// The project's time zone.
    pub(crate) zone: &'a str,
    /// The instant for which the query is evaluated.
    pub(crate) now: i64,
    /// Of which time rows are read.
    pub(crate) time: Stretch,
}

impl Maker<'_> {
    /// Fails where rows in the making already take more memory than there may be.
    pub(crate) fn fits(&self, bytes: u64) -> Result<(), ExecError> {
        self.source.made.fits(bytes)
    }
}

impl Cache {
    /// An empty one.
    pub(crate) fn new(bytes_max: Option<u64>) -> Cache {
        Cache { bytes_max, ..Cache::default() }
    }

    /// How many bytes there may be; none: no limit.
    pub(crate) fn bytes_max(&self) -> Option<u64> {
        self.bytes_max
    }

    /// Counts memory that made rows take from now on, until the query ends or they are forgotten.
    fn take(&self, bytes: u64) -> Result<(), ExecError> {
        let all = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        match self.bytes_max {
            Some(limit) if all > limit => {
                self.bytes.fetch_sub(bytes, Ordering::Relaxed);
                Err(ExecError::Memory { limit })
            }
            _ => Ok(()),
        }
    }

    /// Lets go rows that were made for a source. That they could not be made is kept in mind.
    pub(crate) fn forget(&self, made: &Made, source: &Source) {
        let all = |time: Stretch| Stretch { furthest: None, ..time };
        let time = all(source.stretch_of(made));
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| {
            let failed = stream.rows.get().is_some_and(Result::is_err);
            let kept = failed || all(stream.time) != time || stream.made != *made;
            if !kept {
                self.bytes.fetch_sub(stream.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            kept
        });
    }

    /// Refuses early what would not fit.
    fn fits(&self, bytes: u64) -> Result<(), ExecError> {
        match self.bytes_max {
            Some(limit) if self.bytes.load(Ordering::Relaxed).saturating_add(bytes) > limit => {
                Err(ExecError::Memory { limit })
            }
            _ => Ok(()),
        }
    }

    fn find(&self, made: &Made, zone: &str, now: i64, time: Stretch) -> Option<Arc<Stream>> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.iter().find(|s| s.is(made, zone, now, time)).map(Arc::clone)
    }
}

impl Source {
    /// The stream of made rows: the same for all who ask during a query.
    pub(crate) fn made(&self, made: &Made, zone: &str, now: i64) -> Result<Arc<Stream>, ExecError> {
        let time = self.stretch_of(made);
        if let Some(known) = self.made.find(made, zone, now, time) {
            return Ok(known);
        }
        // Not under the lock: made rows may be made of other made rows.
        let own = own(made, &Maker { source: self, zone, now, time })?;
        let stream = Arc::new(Stream {
            made: made.clone(),
            zone: zone.to_string(),
            now,
            time,
            own,
            rows: OnceLock::new(),
            columns: Mutex::default(),
            scanned: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        });
        let mut streams = self.made.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let known = streams.iter().find(|s| s.is(made, zone, now, time));
        match known {
            Some(known) => Ok(Arc::clone(known)),
            None => {
                streams.push(Arc::clone(&stream));
                Ok(stream)
            }
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("made", &self.made.words()).finish_non_exhaustive()
    }
}

impl Stream {
    fn is(&self, made: &Made, zone: &str, now: i64, time: Stretch) -> bool {
        self.zone == zone && self.now == now && self.time == time && self.made == *made
    }

    /// The own column of this name.
    pub(crate) fn own(&self, name: &str) -> Option<usize> {
        self.own.iter().position(|own| own.0 == name)
    }

    /// The type of a column.
    pub(crate) fn ty(&self, wanted: &Wanted, source: &Source) -> Result<Type, ExecError> {
        match wanted {
            Wanted::Own(own) => Ok(self.own[*own].1.clone()),
            Wanted::Of(parent, row) => {
                let parents = parents(&self.made);
                let base = parents.get(*parent).ok_or_else(|| {
                    ExecError::Plan(format!("{} are not made of {} streams", self.made.words(), parent + 1))
                })?;
                let mut program = self.maker(source).program(base)?;
                let node = program.row(row)?;
                Ok(program.ty(node).clone())
            }
        }
    }

    /// The rows, which are made by the first who asks; others wait meanwhile.
    pub(crate) fn rows(&self, source: &Source) -> Result<&Rows, ExecError> {
        let make = || {
            let rows = make(&self.made, &self.maker(source))?;
            debug_assert!(rows.at.is_sorted());
            debug_assert!(rows.own.iter().all(|own| own.len() == rows.at.len()));
            debug_assert!(rows.parents.iter().all(|places| places.len() == rows.at.len()));
            debug_assert!(rows.known.iter().all(|known| known.2.len() == rows.at.len()));
            let columns = rows.own.iter().chain(rows.known.iter().map(|known| &known.2)).map(bytes).sum::<u64>();
            self.take(columns + (8 + 4 * rows.parents.len() as u64) * rows.at.len() as u64, source)?;
            self.scanned.fetch_add(rows.scanned, Ordering::Relaxed);
            Ok(rows)
        };
        kepi_threads::once(&self.rows, make).as_ref().map_err(Clone::clone)
    }

    fn take(&self, bytes: u64, source: &Source) -> Result<(), ExecError> {
        source.made.take(bytes)?;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// How many stored rows were read that nobody has accounted for yet.
    pub(crate) fn take_scanned(&self) -> u64 {
        self.scanned.swap(0, Ordering::Relaxed)
    }

    fn maker<'a>(&'a self, source: &'a Source) -> Maker<'a> {
        Maker { source, zone: &self.zone, now: self.now, time: self.time }
    }
}

/// What a column takes of memory, about.
fn bytes(column: &Column) -> u64 {
    let each = match &column.values {
        Values::Wide(..) => 16,
        Values::Decimal(..) | Values::Float(_) | Values::Time(_) | Values::Text(_) => 8,
        Values::Codes(..) | Values::Id(..) | Values::Date(_) => 4,
        Values::Bool(_) => 1,
        Values::Missing(_) => 0,
    };
    each * column.len() as u64
}
