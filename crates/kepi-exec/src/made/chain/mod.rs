//! Attempts of a chain: for each row of the first step, how far it got and by which rows.
//!
//! The streams are read side by side in the order of time, by several threads a stretch of it each, without the rows
//! that come when no attempt of their entity is open (`stretch`). What is left is shared out by entity, so that a share's
//! arrays fit the processor's cache and shares can be looked at by several threads. The usual chains, ordered and without
//! conditions between their steps, are read once more from the last row to the first, with arrays by id (`plain`), and
//! so are strict ones. For all others the rows are put in the order of their entities (a counting sort by id), and then looked at entity by
//! entity. Rows ask for no more than *not earlier*, so what happens at one moment has no order; only a strict chain needs
//! one: the order of the streams as the chain names them, then that within the stream.
//!
//! - **Ordered**: an attempt gets as far as any choice of rows allows, with each step as early as that permits. Between
//!   two steps with `without` no forbidden row may lie that is later than the one and earlier than the other.
//! - **Later**: the same, but each step is later than the one before, so that a moment serves one step.
//! - **Strict**: the very next row of the entity, among all steps' rows and those of `among`, must be the next step (with
//!   the same held value); any other ends the attempt.
//! - **Any**: how many of the steps have a row of their own, not earlier than the first.
//! - **Free**: how many of the steps behind the first have a row of their own, where the first has the rows of all.
//! - **Each** step no later than so long after the one before closes a way just as a forbidden row does.
//! - **Dropped** with `without_drops` is an attempt that ends before a step with `without` while a forbidden row lies
//!   behind the row that served the step before, within the attempt's time.
//! - **Credit**: each row of the last step is credited to one first step: the latest (earliest) from which a chain leads
//!   to it, in time. A first step with at least one credited row is converted. The step that an attempt reached does not
//!   depend on the credit. In any order it is each row with which all steps are done.

mod any;
mod any_credit;
mod credit;
mod free;
mod furthest;
mod matching;
mod moments;
mod open;
mod ordered;
mod plain;
mod read;
mod rows;
mod settles;
mod share;
mod stretch;
mod strict;
#[cfg(test)]
mod tests;

pub(crate) use settles::Settling;

use super::{Maker, NOWHERE, Rows};
use crate::rows::Type;
use crate::side_by_side::side_by_side;
use crate::{ExecError, Source};
use arrow_buffer::BooleanBuffer;
use kepi_model::calendar::Zone;
use kepi_model::core::{CONVERTED, Chain, ChainOrder, Credit, REACHED};
use kepi_model::value::CalendarSpan;
use moments::Moments;
use read::{Hold, Part, Timelines};
use share::Share;

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
    /// How soon each step must follow the one before, by the calendar of a zone.
    each: Option<(Zone, CalendarSpan)>,
    /// The steps to which a way may be closed: by forbidden rows, or by the time since the step before.
    guarded: Vec<usize>,
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

    /// The last moment at which a step may follow one that was served at `at`.
    fn soon(&self, at: i64) -> i64 {
        self.each.as_ref().map_or(i64::MAX, |(zone, span)| zone.add(at, *span))
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
    /// Their entities.
    who: Vec<u32>,
    /// Attempt by attempt: per further step the place of the row that served it, and its moment.
    rows: Vec<u32>,
    times: Vec<i64>,
    further: usize,
    /// Which of those that were begun are left; none: all of them.
    left: Option<BooleanBuffer>,
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
    /// The last moment at which a step may be served whose step before was served at `at`.
    fn limit(&self, shape: &Shape, step: usize, at: i64) -> i64 {
        self.next(shape, step, at).min(shape.soon(at))
    }

    /// The moment of the first forbidden row before a step that is later than `at`; the step may not be later than that.
    fn next(&self, shape: &Shape, step: usize, at: i64) -> i64 {
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

/// Since when the step before one that is served at a moment may have been served.
struct Since<'a> {
    shape: &'a Shape,
    /// The last forbidden row.
    floor: i64,
    at: i64,
}

impl Since<'_> {
    fn new<'a>(shape: &'a Shape, forbidden: &Forbidden, step: usize, at: i64) -> Since<'a> {
        Since { shape, floor: forbidden.floor(shape, step, at), at }
    }

    /// Whether a moment is too early: a forbidden row lies behind it, or it is too long ago.
    fn is_behind(&self, moment: i64) -> bool {
        moment < self.floor || self.shape.soon(moment) < self.at
    }
}

impl Attempts {
    fn new(shape: &Shape, at: Vec<i64>, all: Vec<Attempt>, who: Vec<u32>) -> Attempts {
        Attempts { at, all, who, rows: Vec::new(), times: Vec::new(), further: shape.steps - 1, left: None }
    }

    /// Makes room for the rows that serve further steps.
    fn make_room(&mut self) {
        self.rows.resize(self.at.len() * self.further, NOWHERE);
        self.times.resize(self.at.len() * self.further, 0);
    }

    /// Writes down how far an attempt got: the rows that serve the steps after the first with their moments, and the
    /// moment of the last of them.
    fn put(&mut self, shape: &Shape, attempt: u32, path: &[(u32, i64)], last: i64, forbidden: &Forbidden) {
        let first = attempt as usize * self.further;
        for (step, (row, time)) in path.iter().enumerate() {
            (self.rows[first + step], self.times[first + step]) = (*row, *time);
        }
        let attempt = &mut self.all[attempt as usize];
        let next = path.len() + 1;
        attempt.reached = next as u16;
        // Where nothing is forbidden any more, the limit is the end of time.
        let limit = |step| forbidden.next(shape, step, last);
        attempt.dropped = shape.drops
            && next < shape.steps
            && shape.forbids[next].is_some()
            && limit(next) <= attempt.end.min(shape.soon(last)).min(i64::MAX - 1);
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
    let any = matches!(chain.order, ChainOrder::Any | ChainOrder::Free);
    if any && without {
        return Err(ExecError::NotYet("`without` in a chain of any order".into()));
    }
    let first = &chain.steps[0].rows.events.base;
    if chain.order == ChainOrder::Free
        && (chain.credit.is_some() || chain.steps.iter().any(|step| step.rows.events.base != *first))
    {
        return Err(ExecError::Plan(
            "in any order, any step first, rows of several events, or their conversions".into(),
        ));
    }
    if chain.each.is_some() && any {
        return Err(ExecError::Plan("in any order no step has one before it, so there is no time between them".into()));
    }
    let held = chain.steps.iter().filter(|s| s.hold.is_some()).count();
    match held {
        0 => made::<()>(maker, chain),
        n if n == chain.steps.len() => made::<i64>(maker, chain),
        _ => Err(ExecError::Plan("some steps of a chain hold a value and some do not".into())),
    }
}

fn made<H: Hold>(maker: &Maker, chain: &Chain) -> Result<Rows, ExecError> {
    let Timelines { shape, shares, order, entity, without, scanned, room: _room } = read::timelines::<H>(maker, chain)?;
    let source = maker.source;
    // By attempt and further step a row and its moment, here and in the columns; and what else each attempt has.
    let _more = source.take(order.len() * (24 * (shape.steps - 1) + 60))?;
    let attempts = side_by_side(source.threads, shares, |parts| look_at(&shape, parts, maker))?;
    let known = rows::Known { key: &chain.steps[0].rows.key, entity };
    rows::together(&shape, attempts, order, known, source.threads).map(|rows| Rows { without, scanned, ..rows })
}

/// How far the attempts of some entities get, those of them that are left.
fn look_at<H: Hold>(shape: &Shape, parts: Vec<Part<H>>, maker: &Maker) -> Result<Attempts, ExecError> {
    let mut share = Share::new(shape, parts);
    // It leaves them out before it writes down by which rows they got there.
    if plain::takes::<H>(shape) && plain::look_at(shape, &mut share, maker)? {
        return Ok(share.attempts);
    }
    let mut attempts = look_at_all(shape, share, maker.source)?;
    attempts.leave_out(maker.time.furthest);
    Ok(attempts)
}

fn look_at_all<H: Hold>(shape: &Shape, mut share: Share<H>, source: &Source) -> Result<Attempts, ExecError> {
    share.attempts.make_room();
    if shape.order == ChainOrder::Strict && shape.guarded.is_empty() {
        strict::look_at_all(shape, &mut share, source)?;
        return Ok(share.attempts);
    }
    let (entries, starts) = share.by_entity();
    let mut entities = Entities {
        shape,
        attempts: share.attempts,
        forbidden: Forbidden(vec![Vec::new(); shape.without.len()]),
        buffer: Vec::new(),
        work: Moments::default(),
    };
    for (i, range) in starts.windows(2).enumerate() {
        if i % 4096 == 0 {
            source.check()?;
        }
        entities.look_at(&entries[range[0] as usize..range[1] as usize]);
    }
    Ok(entities.attempts)
}

/// The entities of a share, one after the other, with what is used again for each.
struct Entities<'a, H> {
    shape: &'a Shape,
    attempts: Attempts,
    forbidden: Forbidden,
    buffer: Vec<Entry<H>>,
    work: Moments,
}

impl<H: Hold> Entities<'_, H> {
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
        ChainOrder::Free => free::look_at(shape, attempts, forbidden, work),
        _ => ordered::look_at(shape, attempts, forbidden, work),
    }
    match shape.credit {
        Some(credit) if shape.order == ChainOrder::Any && shape.steps > 2 => {
            any_credit::look_at(shape.steps, attempts, work, credit);
        }
        Some(credit) => credit::look_at(shape, attempts, forbidden, work, credit),
        None => {}
    }
}
