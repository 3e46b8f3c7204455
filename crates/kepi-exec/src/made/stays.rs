//! The stays in a state without values that only ends by itself: read once per query, for its edges and for how many are
//! in it.

use crate::pass::Timeline;
use crate::{ExecError, Source};
use kepi_model::core::{State, Until};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// All stays of all entities.
#[derive(Debug, Default)]
pub(crate) struct Stays {
    /// In the order in which they begin.
    pub(crate) list: Vec<Stay>,
    /// The moments of the rows that name no entity, rising.
    pub(crate) without: Vec<i64>,
    /// How many stored rows were read that nobody has accounted for yet.
    scanned: AtomicU64,
}

/// A stay: rows of one entity whose times touch or overlap are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) began: i64,
    /// The instant from which on it does not last any more; `i64::MAX`: it does not end.
    pub(crate) until: i64,
    /// The places of the rows that began it and went on with it last, among the rows of the state's base.
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// Whose it is.
    pub(crate) id: u32,
}

/// The stay that an entity is in, or was in last.
#[derive(Clone, Copy)]
struct Open {
    began: i64,
    /// `i64::MIN`: there was none.
    until: i64,
    last: u32,
    /// Its number.
    number: u32,
}

/// The stays of the states of a query, each made by the first who asks.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Vec<Arc<Shared>>>);

#[derive(Debug)]
struct Shared {
    state: State,
    zone: String,
    now: i64,
    stays: OnceLock<Result<Arc<Stays>, ExecError>>,
}

impl Stays {
    /// How many stored rows were read that nobody has accounted for yet.
    pub(crate) fn take_scanned(&self) -> u64 {
        self.scanned.swap(0, Ordering::Relaxed)
    }

    /// Looks at each row once: that a stay has ended is found out when the entity's next row comes, or behind the last.
    fn read(mut timeline: Timeline) -> Result<Stays, ExecError> {
        let mut open = vec![Open { began: 0, until: i64::MIN, last: 0, number: 0 }; timeline.standing.ids()];
        let mut list: Vec<Stay> = Vec::new();
        let without = timeline.each_row(|id, at, until, place| {
            // It would end as it begins.
            if until <= at {
                return;
            }
            let own = &mut open[id];
            if own.until >= at {
                (own.until, own.last) = (own.until.max(until), place);
                // Of the rows at its first moment the last one counts.
                if own.began == at {
                    list[own.number as usize].first = place;
                }
                return;
            }
            if own.until != i64::MIN {
                let before = &mut list[own.number as usize];
                (before.until, before.last) = (own.until, own.last);
            }
            *own = Open { began: at, until, last: place, number: list.len() as u32 };
            list.push(Stay { began: at, until, first: place, last: place, id: id as u32 });
        })?;
        for own in open.iter().filter(|own| own.until != i64::MIN) {
            let last = &mut list[own.number as usize];
            (last.until, last.last) = (own.until, own.last);
        }
        Ok(Stays { list, without, scanned: AtomicU64::new(timeline.rows_scanned()) })
    }
}

impl Source {
    /// The stays in a state; none: it has values, rows end it, or it is a condition.
    pub(crate) fn stays(&self, state: &State, zone: &str, now: i64) -> Result<Option<Arc<Stays>>, ExecError> {
        // Of a condition it says what holds.
        let says_more = state.value.is_some() || state.holds.is_some();
        if says_more || matches!(state.until, Until::Event { .. }) {
            return Ok(None);
        }
        let shared = {
            let mut kept = self.made.stays.0.lock().unwrap_or_else(PoisonError::into_inner);
            match kept.iter().find(|s| s.zone == zone && s.now == now && s.state == *state) {
                Some(shared) => Arc::clone(shared),
                None => {
                    let (state, zone) = (state.clone(), zone.to_string());
                    kept.push(Arc::new(Shared { state, zone, now, stays: OnceLock::new() }));
                    Arc::clone(&kept[kept.len() - 1])
                }
            }
        };
        // Not under the lock: what begins a state may be made of other states.
        let make = || {
            // By one thread: what each of two would have to read of all rows takes longer than what is kept by entity.
            let stays = Stays::read(Timeline::new(state, self, zone, now, false)?)?;
            self.made.take((size_of::<Stay>() * stays.list.len() + 8 * stays.without.len()) as u64)?;
            Ok(Arc::new(stays))
        };
        kepi_threads::once(&shared.stays, make).clone().map(Some)
    }
}
