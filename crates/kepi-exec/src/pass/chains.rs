//! Passes over attempts of a chain, or over groups of them, that do not fit the memory: computed of one range of entities
//! after the other.
//!
//! An attempt is of one entity, and so is what was counted of it where distinct entities or groups of an entity are those
//! of the chain. So cells of some entities and cells of others make those of all.

use super::lots::adds_up;
use super::shares::{self, Share};
use super::state::Cells;
use super::{Pass, Source, groups};
use crate::ExecError;
use crate::made::Stretch;
use kepi_model::core::{Aggregate, Base, Chain, Made, Measure, Row};
use kepi_model::value::Kind;
use std::sync::{MutexGuard, TryLockError};
use std::time::{Duration, Instant};

/// How often who waits for its turn looks, and for how long: the other may wait for rows that this one makes.
const LOOK_EVERY: Duration = Duration::from_millis(1);
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A chain of whose entities cells add up.
struct Ranges<'a> {
    made: &'a Made,
    /// How many entities there are.
    count: usize,
}

/// The cells of a pass, which `run` computes on a source: in one go, or in as many ranges as it takes for each to fit.
pub(super) fn run(
    pass: &Pass,
    source: &Source,
    run: impl Fn(&Source) -> Result<Cells, ExecError>,
) -> Result<Cells, ExecError> {
    let Some(ranges) = Ranges::of(pass, source) else { return run(source) };
    let found = shares::read_if(&source.of_share(Share::default()), |shared| {
        let share = &shared.share;
        share.note_ids(ranges.count);
        let _turn = if share.is_all() { None } else { turn(source)? };
        let own = ranges.source(source, share);
        let cells = run(&own);
        if matches!(cells, Err(ExecError::Memory { .. })) {
            share.note_full();
        }
        if cells.is_err() || !share.is_all() {
            source.made.forget(ranges.made, &own);
        }
        let mut cells = cells?;
        if !share.is_first() {
            // All have read the same rows.
            cells.report.rows_scanned = 0;
        }
        Ok(Some(cells))
    })?;
    found.ok_or_else(|| ExecError::Plan("no entities have attempts".into()))
}

/// Waits until no other pass of the query reads range by range; none: it has waited long, and goes on beside the other.
fn turn(source: &Source) -> Result<Option<MutexGuard<'_, ()>>, ExecError> {
    let begin = Instant::now();
    while begin.elapsed() < WAIT_MAX {
        source.check()?;
        match source.made.turn.try_lock() {
            Ok(turn) => return Ok(Some(turn)),
            Err(TryLockError::Poisoned(turn)) => return Ok(Some(turn.into_inner())),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK_EVERY),
        }
    }
    Ok(None)
}

impl<'a> Ranges<'a> {
    /// None: there is no limit of memory, it is a range already, or its cells do not add up.
    fn of(pass: &'a Pass, source: &Source) -> Option<Ranges<'a>> {
        source.made.bytes_max()?;
        if source.stretch.is_some() {
            return None;
        }
        let (made, chain) = match groups::of(&pass.base) {
            None => chain(&pass.base)?,
            Some(groups) => {
                let (made, chain) = chain(&groups.aggregates.first()?.events.base)?;
                let own = |inner: &Aggregate| {
                    let keys = inner.labels.len().checked_sub(groups.keys.len()).map(|own| &inner.labels[own..]);
                    is(&inner.events.base, made) && keys.is_some_and(|keys| keys.iter().any(|key| is_who(key, chain)))
                };
                let all = groups.aggregates.iter().all(own);
                (all && pass.aggregates.iter().all(adds_up)).then_some((made, chain))?
            }
        };
        let adds_up = |aggregate: &Aggregate| match &aggregate.measure {
            Measure::Unique(of) => is_who(of, chain),
            _ => adds_up(aggregate),
        };
        let Kind::Entity(entity) = &chain.steps.first()?.rows.key.unit.kind else { return None };
        let count = source.scan.entity(entity)?.count as usize;
        pass.aggregates.iter().all(adds_up).then_some(Ranges { made, count })
    }

    /// A source for which attempts are those of a share of the entities.
    fn source(&self, source: &Source, share: &Share) -> Source {
        if share.is_all() {
            return source.clone();
        }
        let range = share.ids(self.count);
        let time = Stretch { ids: Some((range.start as u32, range.end as u32)), ..Stretch::default() };
        // What is kept is kept of everybody.
        Source { partials: None, ..source.of_stretch(self.made, time) }
    }
}

/// The chain of whose attempts a base is.
pub(super) fn chain(base: &Base) -> Option<(&Made, &Chain)> {
    match base {
        Base::Made(made) => match &**made {
            Made::Chain(chain) => Some((made, chain)),
            _ => None,
        },
        Base::Stream(_) | Base::Entity(_) => None,
    }
}

fn is(base: &Base, made: &Made) -> bool {
    matches!(base, Base::Made(own) if **own == *made)
}

/// Whether a row says whose an attempt is.
pub(super) fn is_who(row: &Row, chain: &Chain) -> bool {
    chain.steps.first().is_some_and(|step| step.rows.key.node == row.node)
}
