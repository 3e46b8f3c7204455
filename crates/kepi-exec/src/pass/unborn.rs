//! What rows say of entities before these exist: it is left out of conditions on them, and a note says of how many.

use super::outside::{Outside, Told};
use crate::Source;
use kepi_model::core::State;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, Mutex, PoisonError};

/// Entities of which rows said something too early, of all states of a query.
#[derive(Debug, Default)]
pub(crate) struct Early(Mutex<BTreeMap<Rows, Births>>);

/// By id when each of them begins.
type Births = BTreeMap<u32, i64>;

/// Which rows said it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rows {
    /// What begins the state, in words.
    pub(crate) from: String,
    /// The entity, and its attribute that says since when it exists.
    pub(crate) entity: String,
    pub(crate) begins: String,
}

impl Early {
    /// Which rows spoke too early of entities that begin later than an instant, and of how many.
    pub(crate) fn later_than(&self, instant: i64) -> Vec<(Rows, usize)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |births: &Births| births.values().filter(|&&birth| birth > instant).count();
        known.iter().map(|(rows, births)| (rows.clone(), count(births))).filter(|(_, count)| *count > 0).collect()
    }
}

/// Those of one timeline.
#[derive(Debug, Default)]
pub(crate) struct Unborn {
    /// Who begins next, and when, of those of whom something was said already.
    ahead: BinaryHeap<Reverse<(i64, u32)>>,
    /// When the first of them began while something held of it.
    first: Option<i64>,
    told: Option<(Outside, Arc<Early>, Rows)>,
}

impl Unborn {
    /// Nobody yet, of a state whose rows may come too early.
    pub(crate) fn of(state: &State, source: &Source, outside: Option<&Outside>) -> Unborn {
        let field = state.existence.as_ref().and_then(|existence| existence.from.clone());
        let told = outside.zip(field).map(|(outside, begins)| {
            let rows = Rows { from: state.from.base.words(), entity: state.entity.clone(), begins };
            (outside.clone(), Arc::clone(source.early()), rows)
        });
        Unborn { told, ..Unborn::default() }
    }

    /// Takes a row; whether the entity did not exist by then.
    #[inline]
    pub(crate) fn takes(&mut self, id: usize, at: i64) -> bool {
        match &self.told {
            Some((outside, ..)) if outside.begin(id) > at => {
                self.note(id);
                true
            }
            _ => false,
        }
    }

    #[cold]
    fn note(&mut self, id: usize) {
        let Some((outside, early, rows)) = &self.told else { return };
        let (id, birth) = (id as u32, outside.begin(id));
        let mut known = early.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(rows.clone()).or_default().insert(id, birth);
        if outside.told(id as usize) == Told::While {
            self.ahead.push(Reverse((birth, id)));
        }
    }

    /// Looks at those who begin before an instant, where `until` says how long something holds of one.
    #[inline]
    pub(crate) fn pass(&mut self, instant: i64, until: impl Fn(usize) -> i64) {
        while let Some(&Reverse((birth, id))) = self.ahead.peek().filter(|Reverse((birth, _))| *birth < instant) {
            self.ahead.pop();
            if until(id as usize) > birth {
                self.first = Some(self.first.map_or(birth, |first| first.min(birth)));
            }
        }
    }

    /// When the first of them began while something held of it, of those that begin up to a moment.
    pub(crate) fn first(&self, moment: i64, until: impl Fn(usize) -> i64) -> Option<i64> {
        let begun = self
            .ahead
            .iter()
            .map(|Reverse(next)| next)
            .filter(|(birth, id)| *birth <= moment && until(*id as usize) > *birth);
        begun.map(|(birth, _)| *birth).chain(self.first).min()
    }
}
