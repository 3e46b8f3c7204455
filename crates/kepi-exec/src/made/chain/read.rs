//! Reading the rows of a chain's steps, and sharing them out by entity.

use super::super::gather::too_long;
use super::super::read::Picked;
use super::super::{Maker, NOWHERE, Stretch as Time, Taken};
use super::open::Open;
use super::stretch::Stretch;
use super::{Attempt, Entry, Shape};
use crate::ExecError;
use crate::rows::{self, Clock, Days, Payload, Program, Type, common_type};
use crate::side_by_side::side_by_side;
use kepi_model::calendar::Zone;
use kepi_model::core::{Base, Chain, ChainOrder, Keyed, Row};
use std::sync::Arc;

/// The held value of a row: nothing, or a number that is the same for the same values.
pub(super) trait Hold: Copy + Ord + Default + Send {
    /// Whether there is one.
    const HOLDS: bool;
    /// Of the number of a value.
    fn of(number: i64) -> Self;
}

impl Hold for () {
    const HOLDS: bool = false;
    fn of(_: i64) -> Self {}
}

impl Hold for i64 {
    const HOLDS: bool = true;
    fn of(number: i64) -> Self {
        number
    }
}

/// The rows of all entities, shared out.
pub(super) struct Timelines<H> {
    pub(super) shape: Shape,
    /// The rows of each share of the entities, one part for each stretch of time that was read for itself.
    pub(super) shares: Vec<Vec<Part<H>>>,
    /// Which share each attempt is in, in the order of the first step's rows.
    pub(super) order: Vec<u32>,
    /// What kind the entities are; none: there are none.
    pub(super) entity: Option<Arc<str>>,
    pub(super) without: Vec<i64>,
    pub(super) scanned: u64,
    /// The memory that all of it takes.
    pub(super) room: Vec<Taken>,
}

/// How many ids a share has, as a power of two: what is kept by id stays in the processor's cache. Few in tests, so that
/// small data have several shares.
pub(super) const SHARE_BITS: u32 = if cfg!(test) { 1 } else { 14 };

/// Fewer rows than this are not worth a thread of their own.
const STRETCH_ROWS_MIN: u64 = if cfg!(any(test, debug_assertions)) { 4 } else { 100_000 };

/// More than moments can come closer together when the same span is added to them: clocks are put back, and a month
/// behind the last days of January is the same day.
pub(super) const BACK_MAX: i64 = 4 * 86_400_000_000;

/// What the rows of a derived event are to the chain.
struct Sort<'a> {
    rows: &'a Keyed,
    role: usize,
    hold: Option<&'a Row>,
    base: usize,
}

/// The same, compiled.
pub(super) struct Compiled {
    pub(super) picked: Picked,
    pub(super) role: u32,
    pub(super) hold: Option<usize>,
    /// The role of its rows whose held value is missing: they serve no step, but interrupt a strict chain, and those of
    /// the first step are attempts.
    pub(super) unheld: u32,
}

/// The program of a stream, and what its rows are.
pub(super) type Ready = (Program, Vec<Compiled>);

/// Reads all rows that play a part.
pub(super) fn timelines<H: Hold>(maker: &Maker, chain: &Chain) -> Result<Timelines<H>, ExecError> {
    let (sorts, bases, mut shape) = sorts(chain);
    let zone = || Zone::named(maker.zone).ok_or_else(|| ExecError::Plan(format!("no time zone `{}`", maker.zone)));
    if let Some(span) = chain.each {
        shape.each = Some((zone()?, span));
        shape.guarded = (1..shape.steps).collect();
    }
    let shape = shape;
    let compile = || compile(maker, &sorts, &bases, &shape);
    let programs = compile()?;
    let (room, entity) = room(&programs)?;
    let cuts = cuts(maker, &programs);
    let ends = cuts.iter().copied().map(Some).chain([maker.time.until]);
    let stretches = [maker.time.from].into_iter().chain(cuts.iter().copied().map(Some)).zip(ends).collect();
    drop(programs);
    let read = side_by_side(maker.source.threads, stretches, |(from, until): (Option<i64>, Option<i64>)| {
        let mut programs = compile()?;
        let payload = holds(&mut programs)?;
        let zone = zone()?;
        let before = match (from.filter(|_| from != maker.time.from), chain.within) {
            (None, _) => i64::MIN,
            (Some(_), None) => i64::MAX,
            (Some(from), Some(span)) => zone.add(from, span).saturating_add(BACK_MAX),
        };
        let stored = programs.iter().filter_map(|(program, _)| match &program.base {
            rows::Base::Stream(_, info) => info.as_ref(),
            _ => None,
        });
        let first = from.or_else(|| stored.clone().filter_map(|info| info.first).min());
        let last = until.or_else(|| stored.filter_map(|info| info.last).max());
        let length = chain.within.map(|span| zone.add(0, span));
        let time = (first.unwrap_or(0), last.unwrap_or(i64::MAX));
        let about = Open::new(room, time, before, length);
        let exact = length.is_some_and(|length| about.is_coarse_for(length));
        let mut stretch = Stretch::<H> {
            maker,
            steps: shape.steps as u32,
            strict: shape.order == ChainOrder::Strict,
            within: chain.within,
            clock: Clock::new(zone),
            days: Days::default(),
            room: room as u32,
            payload,
            open: if exact { vec![before; room] } else { Vec::new() },
            about,
            picked: Vec::new(),
            parts: (0..room.div_ceil(1 << SHARE_BITS)).map(|_| Part::default()).collect(),
            order: Vec::new(),
            without: Vec::new(),
            room_taken: maker.source.take(0)?,
        };
        let (rows, scanned) = stretch.read(programs, Time { from, until, ..maker.time })?;
        Ok((stretch.parts, stretch.order, stretch.without, stretch.room_taken, rows, scanned))
    })?;
    let (shares, order, without, taken) = Default::default();
    let mut all = Timelines { shape, shares, order, entity, without, scanned: 0, room: taken };
    all.shares.resize_with(room.div_ceil(1 << SHARE_BITS), Vec::new);
    // Where the rows of a stretch lie among all of their stream.
    let mut before = vec![0_u32; bases.len()];
    for (parts, order, without, room, rows, scanned) in read {
        all.room.push(room);
        for (share, mut part) in all.shares.iter_mut().zip(parts) {
            part.before.clone_from(&before);
            share.push(part);
        }
        all.order.extend(order);
        all.without.extend(without);
        all.scanned += scanned;
        for (before, rows) in before.iter_mut().zip(rows) {
            *before = before.checked_add(rows).filter(|&n| n < NOWHERE).ok_or_else(too_long)?;
        }
    }
    if all.order.len() >= NOWHERE as usize {
        return Err(too_long());
    }
    Ok(all)
}

/// The rows of some entities in a stretch of time.
pub(super) struct Part<H> {
    /// In the order of (moment, stream, row). Places are counted from the stretch's beginning, attempts within the part.
    pub(super) entries: Vec<Entry<H>>,
    /// The entities of the entries.
    pub(super) ids: Vec<u32>,
    /// The attempts that begin, and their moments.
    pub(super) at: Vec<i64>,
    pub(super) attempts: Vec<Attempt>,
    /// Their entities.
    pub(super) who: Vec<u32>,
    /// Whether some row may serve several steps.
    pub(super) shared: bool,
    /// By stream: how many of its rows lie before the stretch.
    pub(super) before: Vec<u32>,
}

impl<H> Default for Part<H> {
    fn default() -> Self {
        let (entries, ids, at, attempts, who) = Default::default();
        Part { entries, ids, at, attempts, who, shared: false, before: Vec::new() }
    }
}

fn compile(maker: &Maker, sorts: &[Sort], bases: &[&Base], shape: &Shape) -> Result<Vec<Ready>, ExecError> {
    let mut programs = Vec::new();
    for (number, base) in bases.iter().enumerate() {
        let mut program = maker.program(base)?;
        let mut own = Vec::new();
        for sort in sorts.iter().filter(|sort| sort.base == number) {
            let picked = Picked::new(&mut program, &sort.rows.events, &sort.rows.key)?;
            let hold = sort.hold.map(|hold| program.row(hold)).transpose()?;
            let unheld = match sort.role {
                0 => shape.alone(),
                _ => shape.alone() - (bases.len() - number) as u32,
            };
            own.push(Compiled { picked, role: sort.role as u32, hold, unheld });
        }
        programs.push((program, own));
    }
    Ok(programs)
}

/// The programs of the rows that a chain reads.
pub(super) fn programs(maker: &Maker, chain: &Chain) -> Result<Vec<Program>, ExecError> {
    let (sorts, bases, shape) = sorts(chain);
    Ok(compile(maker, &sorts, &bases, &shape)?.into_iter().map(|ready| ready.0).collect())
}

/// The moments at which time is cut, to be read by several threads; none: it is read in one go.
fn cuts(maker: &Maker, programs: &[Ready]) -> Vec<i64> {
    // What has a past needs all rows from the first on, and held texts have numbers as they are first seen.
    let whole = |(program, sorts): &Ready| {
        let texts = sorts.iter().filter_map(|s| s.hold).any(|hold| *program.ty(hold) == Type::Text);
        texts || program.needs_past || program.sequential || program.needs_period
    };
    // What goes on from a moment has few rows behind it.
    if maker.source.threads < 2 || maker.time.from.is_some() || programs.iter().any(whole) {
        return Vec::new();
    }
    let stored = programs.iter().filter_map(|(program, _)| match &program.base {
        rows::Base::Stream(name, Some(info)) => Some((name, info.rows)),
        _ => None,
    });
    let Some((name, rows)) = stored.max_by_key(|s| s.1) else { return Vec::new() };
    let threads = maker.source.threads.min((rows / STRETCH_ROWS_MIN) as usize);
    if threads < 2 {
        return Vec::new();
    }
    let mut cuts = maker.source.scan.splits(name, None, maker.time.until, threads);
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// The sorts of rows of a chain, the streams behind them in the order in which they are first named, and its shape.
fn sorts(chain: &Chain) -> (Vec<Sort<'_>>, Vec<&Base>, Shape) {
    fn add<'a>(sorts: &mut Vec<Sort<'a>>, bases: &mut Vec<&'a Base>, rows: &'a Keyed, hold: Option<&'a Row>) {
        let base = bases.iter().position(|b| **b == rows.events.base).unwrap_or_else(|| {
            bases.push(&rows.events.base);
            bases.len() - 1
        });
        sorts.push(Sort { rows, role: sorts.len(), hold, base });
    }
    let (mut sorts, mut bases) = (Vec::new(), Vec::new());
    for step in &chain.steps {
        add(&mut sorts, &mut bases, &step.rows, step.hold.as_ref());
    }
    let mut without = Vec::new();
    let mut forbids = vec![None; chain.steps.len()];
    for (step, of) in chain.steps.iter().enumerate() {
        if let Some(rows) = &of.without {
            forbids[step] = Some(without.len());
            without.push(step);
            add(&mut sorts, &mut bases, rows, None);
        }
    }
    for rows in &chain.among {
        add(&mut sorts, &mut bases, rows, None);
    }
    let shape = Shape {
        steps: chain.steps.len(),
        order: chain.order,
        guarded: without.clone(),
        without,
        forbids,
        each: None,
        drops: chain.without_drops,
        credit: chain.credit,
        bases: sorts.iter().map(|p| p.base).chain(0..bases.len()).chain([0]).collect(),
    };
    (sorts, bases, shape)
}

/// What numbers the held values of all steps.
fn holds(programs: &mut [Ready]) -> Result<Payload, ExecError> {
    let mut types = Vec::new();
    for (program, parts) in programs.iter() {
        types.extend(parts.iter().filter_map(|p| p.hold).map(|node| program.ty(node).clone()));
    }
    let ty = common_type(&types)?;
    if ty == Type::Text {
        for (program, parts) in programs {
            for hold in parts.iter_mut().filter_map(|p| p.hold.as_mut()) {
                *hold = program.as_text(*hold)?;
            }
        }
    }
    Ok(Payload::new(ty))
}

/// How many ids there are of the entity that all sorts of rows share, and its kind.
fn room(programs: &[Ready]) -> Result<(usize, Option<Arc<str>>), ExecError> {
    let mut entity: Option<&Type> = None;
    let mut ids = 0;
    for (program, parts) in programs {
        for part in parts {
            ids = ids.max(part.picked.ids(program)?);
            match (entity, part.picked.ty(program)) {
                (_, Type::Missing) => {}
                (Some(known), own) if known != own => {
                    return Err(ExecError::Plan("the steps of a chain are about different entities".into()));
                }
                (_, own) => entity = Some(own),
            }
        }
    }
    let entity = match entity {
        Some(Type::Id(entity)) => Some(Arc::clone(entity)),
        _ => None,
    };
    Ok((ids, entity))
}
