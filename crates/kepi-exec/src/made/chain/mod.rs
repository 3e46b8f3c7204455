//! Attempts of a chain: for each row of the first step, how far it got and by which rows.
//!
//! The usual chains, ordered and without conditions between their steps, are read once from the last row to the first,
//! with arrays by id (`plain`). For all others the rows of all steps are put together by entity, each entity's in the
//! order of time (a counting sort by id), and then looked at entity by entity. Rows ask for no more than *not earlier*, so what happens at one moment has no order;
//! only a strict chain needs one: the order of the streams as the chain names them, then that within the stream.
//!
//! - **Ordered**: an attempt gets as far as any choice of rows allows, with each step as early as that permits. Between
//!   two steps with `without` no forbidden row may lie that is later than the one and earlier than the other.
//! - **Strict**: the very next row of the entity, among all steps' rows and those of `among`, must be the next step (with
//!   the same held value); any other ends the attempt.
//! - **Any**: how many of the steps have a row of their own, not earlier than the first.
//! - **Dropped** with `without_drops` is an attempt that ends before a step with `without` while a forbidden row lies
//!   behind the row that served the step before, within the attempt's time.
//! - **Credit**: each row of the last step is credited to one first step: the latest (earliest) from which a chain leads
//!   to it, in time. A first step with at least one credited row is converted. The step that an attempt reached does not
//!   depend on the credit.

mod any;
mod credit;
mod matching;
mod moments;
mod ordered;
mod plain;
mod read;
mod strict;
#[cfg(test)]
mod tests;

use super::{Maker, NOWHERE, Rows};
use crate::ExecError;
use crate::rows::{Clock, Column, Days, Type, Values};
use arrow_buffer::BooleanBuffer;
use kepi_model::calendar::Zone;
use kepi_model::core::{CONVERTED, Chain, ChainOrder, Credit, REACHED};
use moments::Moments;
use read::{Hold, Timelines};

/// The own columns of attempts.
pub(super) fn own() -> Vec<(String, Type)> {
    vec![(REACHED.into(), Type::Decimal(0)), (CONVERTED.into(), Type::Bool)]
}

/// A row in the time of an entity, in one of its roles.
#[derive(Clone, Copy, Debug)]
struct Entry<H> {
    at: i64,
    /// The place in its stream; of the first step the number of the attempt.
    row: u32,
    /// Below the number of steps: which step it may serve. Then, in the order of [`Shape::without`], what it forbids.
    /// Beyond: it only interrupts; [`Shape::alone`]: it is of the first step, but nothing can follow it.
    role: u32,
    hold: H,
}

/// What is known of a chain before its rows are looked at.
#[derive(Debug)]
struct Shape {
    steps: usize,
    order: ChainOrder,
    /// The steps with forbidden rows before them.
    without: Vec<usize>,
    /// Per step: the number of its forbidden rows in `without`, or none.
    forbids: Vec<Option<usize>>,
    drops: bool,
    credit: Option<Credit>,
    /// Per role: which stream its rows are of.
    bases: Vec<usize>,
}

impl Shape {
    /// The role of a row of the first step whose held value is missing.
    fn alone(&self) -> u32 {
        self.bases.len() as u32 - 1
    }

    /// The stream of an entry, and its place there.
    fn event<H>(&self, attempts: &Attempts, entry: &Entry<H>) -> (usize, u32) {
        let starts = entry.role == 0 || entry.role == self.alone();
        let place = if starts { attempts.all[entry.row as usize].place } else { entry.row };
        (self.bases[entry.role as usize], place)
    }
}

/// What is found out of each attempt, in the order of the first step's rows.
#[derive(Debug)]
struct Attempts {
    at: Vec<i64>,
    all: Vec<Attempt>,
    /// Attempt by attempt: per further step the place of the row that served it.
    rows: Vec<u32>,
    further: usize,
}

/// An attempt; those of an entity lie far from each other, so all of it lies together.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    /// The last instant that belongs to it.
    end: i64,
    /// The place of its first row.
    place: u32,
    reached: u16,
    converted: bool,
    dropped: bool,
}

/// The forbidden rows of one entity: per step of [`Shape::without`] their moments, rising.
#[derive(Debug, Default)]
struct Forbidden(Vec<Vec<i64>>);

impl Forbidden {
    /// The moment of the first forbidden row before a step that is later than `at`; the step may not be later than that.
    fn limit(&self, shape: &Shape, step: usize, at: i64) -> i64 {
        let Some(without) = shape.forbids[step] else { return i64::MAX };
        let times = &self.0[without];
        times.get(times.partition_point(|&t| t <= at)).copied().unwrap_or(i64::MAX)
    }

    /// The moment of the last forbidden row before a step that is earlier than `at`; the step before may not be earlier.
    fn floor(&self, shape: &Shape, step: usize, at: i64) -> i64 {
        let Some(without) = shape.forbids[step] else { return i64::MIN };
        let times = &self.0[without];
        times.partition_point(|&t| t < at).checked_sub(1).map_or(i64::MIN, |i| times[i])
    }
}

impl Attempts {
    /// Writes down how far an attempt got: `rows` serve the steps after the first; with the moment of the last of them.
    fn put(&mut self, shape: &Shape, attempt: u32, rows: &[u32], last: i64, forbidden: &Forbidden) {
        let first = attempt as usize * self.further;
        self.rows[first..first + rows.len()].copy_from_slice(rows);
        let attempt = &mut self.all[attempt as usize];
        let next = rows.len() + 1;
        attempt.reached = next as u16;
        // Where nothing is forbidden any more, the limit is the end of time.
        let limit = |step| forbidden.limit(shape, step, last);
        attempt.dropped = shape.drops
            && next < shape.steps
            && shape.forbids[next].is_some()
            && limit(next) <= attempt.end.min(i64::MAX - 1);
    }
}

/// Makes the attempts of a chain.
pub(super) fn make(maker: &Maker, chain: &Chain) -> Result<Rows, ExecError> {
    if chain.steps.len() < 2 {
        return Err(ExecError::Plan("a chain has at least two steps".into()));
    }
    if chain.steps.len() > usize::from(u16::MAX) {
        let (what, count) = ("steps of a chain".into(), chain.steps.len() as u64);
        return Err(ExecError::TooLarge { what, count, max: u64::from(u16::MAX) });
    }
    let without = chain.steps.iter().any(|s| s.without.is_some());
    if chain.order == ChainOrder::Any && without {
        return Err(ExecError::NotYet("`without` in a chain of any order".into()));
    }
    if chain.order == ChainOrder::Any && chain.credit.is_some() && chain.steps.len() > 2 {
        return Err(ExecError::NotYet("a conversion over more than two steps in any order".into()));
    }
    let held = chain.steps.iter().filter(|s| s.hold.is_some()).count();
    match held {
        0 => made::<()>(maker, chain),
        n if n == chain.steps.len() => made::<i64>(maker, chain),
        _ => Err(ExecError::Plan("some steps of a chain hold a value and some do not".into())),
    }
}

fn made<H: Hold>(maker: &Maker, chain: &Chain) -> Result<Rows, ExecError> {
    let mut all = Timelines::<H>::read(maker, chain)?;
    let zone = Zone::named(maker.zone).ok_or_else(|| ExecError::Plan(format!("no time zone `{}`", maker.zone)))?;
    if let Some(span) = chain.within {
        let ends = Clock::new(zone).add_all(span, &mut Days::default(), &all.attempts.at);
        all.attempts.all.iter_mut().zip(ends).for_each(|(attempt, end)| attempt.end = end);
    }
    if plain::takes(&all) {
        if plain::look_at(&mut all, maker.source)? {
            return Ok(all.attempts.rows(&all.shape, all.without, all.scanned));
        }
        all.attempts.begin_again();
    }
    let (mut entries, starts) = all.by_entity();
    let Timelines { shape, attempts, streams, without, scanned, .. } = all;
    let mut entities =
        Entities { shape, attempts, forbidden: Forbidden::default(), buffer: Vec::new(), work: Moments::default() };
    entities.forbidden.0.resize(entities.shape.without.len(), Vec::new());
    for (i, range) in starts.windows(2).enumerate() {
        if i % 65_536 == 0 {
            maker.source.check()?;
        }
        let own = &mut entries[range[0] as usize..range[1] as usize];
        if streams.len() > 1 {
            own.sort_by_key(|e| e.at);
        }
        entities.look_at(own);
    }
    Ok(entities.attempts.rows(&entities.shape, without, scanned))
}

/// The entities, one after the other, with what is used again for each.
struct Entities<H> {
    shape: Shape,
    attempts: Attempts,
    forbidden: Forbidden,
    buffer: Vec<Entry<H>>,
    work: Moments,
}

impl<H: Hold> Entities<H> {
    fn look_at(&mut self, entries: &[Entry<H>]) {
        let Entities { shape, attempts, forbidden, buffer, work } = self;
        let (steps, alone) = (shape.steps as u32, shape.alone());
        if entries.iter().all(|e| e.role != 0 && e.role != alone) {
            return;
        }
        forbidden.0.iter_mut().for_each(Vec::clear);
        for entry in entries.iter().filter(|e| e.role >= steps) {
            if let Some(times) = forbidden.0.get_mut((entry.role - steps) as usize) {
                times.push(entry.at);
            }
        }
        if H::HOLDS {
            for entry in entries.iter().filter(|e| e.role == alone) {
                attempts.put(shape, entry.row, &[], entry.at, forbidden);
            }
        }
        if shape.order == ChainOrder::Strict {
            strict::look_at(shape, attempts, forbidden, entries, buffer);
            return;
        }
        if H::HOLDS || !shape.without.is_empty() {
            buffer.clear();
            buffer.extend(entries.iter().filter(|e| e.role < steps));
            if H::HOLDS {
                buffer.sort_by_key(|e| e.hold);
            }
            for own in buffer.chunk_by(|a, b| a.hold == b.hold) {
                one(shape, attempts, forbidden, own, work);
            }
        } else {
            one(shape, attempts, forbidden, entries, work);
        }
    }
}

/// The attempts of one entity with one held value.
fn one<H: Hold>(
    shape: &Shape,
    attempts: &mut Attempts,
    forbidden: &Forbidden,
    entries: &[Entry<H>],
    work: &mut Moments,
) {
    if !entries.iter().any(|e| e.role == 0) {
        return;
    }
    work.read(shape, attempts, entries);
    match shape.order {
        ChainOrder::Any if shape.steps > 2 => any::look_at(shape, attempts, forbidden, work),
        _ => ordered::look_at(shape, attempts, forbidden, work),
    }
    if let Some(credit) = shape.credit {
        credit::look_at(shape, attempts, forbidden, work, credit);
    }
}

impl Attempts {
    fn new(shape: &Shape, at: Vec<i64>, places: &[u32]) -> Attempts {
        let attempt = |&place| Attempt { end: i64::MAX, place, reached: 1, converted: false, dropped: false };
        let further = shape.steps - 1;
        let rows = vec![NOWHERE; at.len() * further];
        Attempts { at, all: places.iter().map(attempt).collect(), rows, further }
    }

    /// Forgets what was found out.
    fn begin_again(&mut self) {
        self.all.iter_mut().for_each(|a| (a.reached, a.converted, a.dropped) = (1, false, false));
        self.rows.fill(NOWHERE);
    }

    fn rows(mut self, shape: &Shape, without: Vec<i64>, scanned: u64) -> Rows {
        if self.all.iter().any(|a| a.dropped) {
            let Attempts { at, all, rows, further } = &mut self;
            retain(at, |i| !all[i].dropped);
            retain(rows, |i| !all[i / *further].dropped);
            all.retain(|a| !a.dropped);
        }
        // Of a strict chain the last row tells the first.
        let credited = shape.credit.is_some() && shape.order != ChainOrder::Strict;
        let complete = |a: &Attempt| usize::from(a.reached) == shape.steps;
        let converted = BooleanBuffer::collect_bool(self.all.len(), |i| match credited {
            true => self.all[i].converted,
            false => complete(&self.all[i]),
        });
        let reached = self.all.iter().map(|a| i64::from(a.reached)).collect();
        let first = self.all.iter().map(|a| a.place).collect();
        let step = |step: usize| self.rows.iter().skip(step).step_by(self.further).copied().collect();
        let parents = std::iter::once(first).chain((0..self.further).map(step)).collect();
        let own = vec![Column::new(Values::Decimal(reached, 0), None), Column::of_mask(converted)];
        Rows { at: self.at.into(), own, parents, without, scanned }
    }
}

fn retain<T>(values: &mut Vec<T>, keep: impl Fn(usize) -> bool) {
    let mut i = 0;
    values.retain(|_| {
        i += 1;
        keep(i - 1)
    });
}
