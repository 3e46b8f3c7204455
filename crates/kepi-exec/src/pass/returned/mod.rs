//! How many of a cohort come back, counted without a row for each who does: by calendar periods, where nobody is a member
//! of two cohorts.
//!
//! The rows that make members are read first: each member gets its period and its cells, a number by id. Then the rows of
//! those who come back go by in the order of time; one of a later period than the last that was counted counts at its age
//! in the cells of its member. Stretches of time that end with a period may be read by several threads. Where somebody
//! turns out to be a member twice, nothing is answered, and the rows of members and returns are made after all.

mod asked;
#[cfg(test)]
mod tests;

use super::accumulate::Rows;
use super::plan::{CellsOfRows, NO_CELL, Plan};
use super::scalar::{CellKey, Labels, Scalar};
use super::state::{Cells, Outcome, State};
use super::stream::Periods;
use super::{Part, Pass, Report, Source};
use crate::ExecError;
use crate::made::{Maker, bracket, largest_below};
use crate::rows::{Clock, Days, Frame, Program, Type, Values, period_numbers};
use crate::side_by_side::side_by_side;
use arrow_buffer::BooleanBuffer;
use asked::{Asked, Of};
use kepi_model::calendar::Zone;
use kepi_model::core::Returns;
use std::collections::HashMap;

/// What explain says of it.
const WAY: &str = "counted as they come back, without a row for each";
/// In place of a period: nobody has begun.
const NEVER: i32 = i32::MIN;
/// In place of the last period that was counted: nothing counts.
const NOBODY: i32 = i32::MAX;
/// So many numbers of returns there may be, by kind of member and age.
const NUMBERS_MAX: usize = 1 << 23;
/// Fewer rows than this are not worth a thread of their own.
const STRETCH_ROWS_MIN: u64 = if cfg!(any(test, debug_assertions)) { 4 } else { 200_000 };

/// What is kept by id.
#[derive(Clone, Copy)]
struct Member {
    /// The last period, or with ages in brackets the last age, that was counted.
    last: i32,
    /// The period of its cohort.
    since: i32,
    /// Which other members have all its cells.
    kind: u32,
}

/// The members of all cohorts.
struct Members {
    by_id: Vec<Member>,
    /// By id the moment of its row, where somebody needs it.
    at: Vec<i64>,
    /// By kind the cell of each aggregate.
    kinds: Vec<Box<[u32]>>,
    /// By aggregate and cell: how many members.
    counts: Vec<Vec<i64>>,
    /// Rows that name nobody.
    without: u64,
    kept: u64,
    first: Option<i64>,
    scanned: u64,
}

/// How often members came back in a stretch of time.
struct Found {
    /// By age and kind.
    counts: Vec<i64>,
    first: Option<i64>,
    scanned: u64,
}

/// Whether a pass may be answered in this way.
pub(super) fn takes(pass: &Pass) -> bool {
    asked::of(pass).is_some()
}

/// The cells of a pass over members and returns; none: it asks for something else, or is only a part of one.
pub(super) fn count(pass: &Pass, source: &Source, part: &Part) -> Result<Option<Cells>, ExecError> {
    if *part != Part::default() {
        return Ok(None);
    }
    let Some(asked) = asked::of(pass) else { return Ok(None) };
    let zone = Zone::named(&pass.zone).ok_or_else(|| ExecError::Plan(format!("no time zone `{}`", pass.zone)))?;
    let mut plan = Plan::new(&asked.members, source)?;
    let Some(Type::Id(entity)) = plan.argument(0).cloned() else { return Ok(None) };
    if !plan.program.is_dated() || plan.program.needs_period {
        return Ok(None);
    }
    let ids = plan.program.ids(&entity);
    let maker = Maker { source, zone: &pass.zone, now: pass.now };
    maker.fits((size_of::<Member>() * ids * (1 + source.threads)) as u64)?;
    let Some(members) = begun(&mut plan, &asked, &zone, ids)? else { return Ok(None) };
    let Some(found) = back(&asked, pass, source, &zone, &members)? else { return Ok(None) };
    Ok(Some(cells(&asked, &mut plan, members, found)))
}

/// Reads the rows that make members; none: somebody is one of several cohorts.
fn begun(plan: &mut Plan, asked: &Asked, zone: &Zone, ids: usize) -> Result<Option<Members>, ExecError> {
    let pass = &asked.members;
    let (from, aggregates) = (pass.first_instant(), asked.counted.len());
    let needs_moments = asked.counted.iter().all(|counted| counted.of != Of::Members);
    let mut members = Members {
        by_id: vec![Member { last: NOBODY, since: NEVER, kind: NO_CELL }; ids],
        at: vec![0; if needs_moments { ids } else { 0 }],
        kinds: Vec::new(),
        counts: vec![Vec::new(); aggregates],
        without: 0,
        kept: 0,
        first: None,
        scanned: 0,
    };
    let mut numbers = Numbers::new(asked.returns, zone);
    let mut periods = Periods::new(pass.per.clone());
    let mut kinds = Kinds::default();
    let mut own = vec![NO_CELL; aggregates];
    let mut frames = plan.program.frames(None, Some(pass.until))?;
    while let Some(frame) = frames.next(&plan.program)? {
        let frame = plan.evaluate(frame)?;
        let Some(at) = frame.at.as_ref().filter(|_| frame.len > 0) else { continue };
        let start = from.map_or(0, |from| at.partition_point(|&t| t < from));
        let inside = match start < frame.len {
            true => periods.cut(Some(at), start..frame.len, zone)?,
            false => Vec::new(),
        };
        let CellsOfRows { taken, argument, cells } = plan.placed(&frame, &inside)?;
        let Values::Id(keys, _) = &argument.values else { return Ok(None) };
        let (taken, lacking) = match &argument.valid {
            None => (taken, None),
            Some(valid) => {
                let lacking = taken.as_ref().map_or_else(|| !valid.inner(), |taken| taken & &!valid.inner());
                (Some(taken.map_or_else(|| valid.inner().clone(), |taken| &taken & valid.inner())), Some(lacking))
            }
        };
        if let Some(lacking) = lacking {
            members.without += lacking.slice(start, frame.len - start).count_set_bits() as u64;
        }
        for (range, number) in numbers.cut(&frame)? {
            let mut twice = false;
            Rows { range: &range, mask: taken.as_ref() }.each(|row| {
                let Some(member) = members.by_id.get_mut(keys[row] as usize).filter(|m| m.since != number) else {
                    return;
                };
                own.iter_mut().zip(&cells).for_each(|(own, cells)| *own = cells[row]);
                let counts = own.iter().any(|&cell| cell != NO_CELL);
                if member.kind != NO_CELL {
                    twice |= counts;
                    return;
                }
                member.since = number;
                if !counts {
                    return;
                }
                member.kind = kinds.kind(&own);
                member.last = number;
                if needs_moments {
                    members.at[keys[row] as usize] = at[row];
                }
                let mut kept = false;
                for ((counted, counts), &cell) in asked.counted.iter().zip(&mut members.counts).zip(&own) {
                    if counted.of == Of::Members && cell != NO_CELL {
                        if counts.len() <= cell as usize {
                            counts.resize(cell as usize + 1, 0);
                        }
                        counts[cell as usize] += 1;
                        kept = true;
                    }
                }
                if kept {
                    members.kept += 1;
                    members.first.get_or_insert(at[row]);
                }
            });
            if twice {
                return Ok(None);
            }
        }
    }
    members.kinds = kinds.all;
    members.scanned = frames.scanned() + plan.program.rows_scanned_elsewhere();
    Ok(Some(members))
}

/// Numbers what members have in common: their cells.
#[derive(Default)]
struct Kinds {
    all: Vec<Box<[u32]>>,
    index: HashMap<Box<[u32]>, u32>,
    /// By cell of the last aggregate: the kind that was last seen with it, which mostly is the only one.
    recent: Vec<u32>,
}

impl Kinds {
    fn kind(&mut self, cells: &[u32]) -> u32 {
        let place = cells.last().map_or(0, |&cell| cell.wrapping_add(1)) as usize;
        if let Some(&kind) = self.recent.get(place)
            && self.all.get(kind as usize).is_some_and(|known| **known == *cells)
        {
            return kind;
        }
        let next = self.all.len() as u32;
        let kind = *self.index.entry(cells.into()).or_insert_with_key(|cells| {
            self.all.push(cells.clone());
            next
        });
        if place >= self.recent.len() {
            self.recent.resize(place + 1, NO_CELL);
        }
        self.recent[place] = kind;
        kind
    }
}

/// Reads the rows of those who come back; none: there would be too many numbers.
fn back(
    asked: &Asked,
    pass: &Pass,
    source: &Source,
    zone: &Zone,
    members: &Members,
) -> Result<Option<Vec<Found>>, ExecError> {
    let returns = asked.returns;
    let program = || -> Result<(Program, Option<usize>, usize), ExecError> {
        let mut program = Program::of_base(&returns.back.events.base, source, &pass.zone, pass.now)?;
        let mask = program.rows_of(&returns.back.events, None)?;
        let key = program.row(&returns.back.key)?;
        Ok((program, mask, key))
    };
    let (whole, ..) = program()?;
    if !whole.is_dated() || whole.needs_period {
        return Ok(None);
    }
    let in_one_go = whole.needs_past || whole.sequential || returns.onward || !returns.brackets.is_empty();
    let threads = largest_below(&returns.back.events.base, source).filter(|_| !in_one_go);
    let mut cuts = match threads.map(|info| (source.threads.min((info.rows / STRETCH_ROWS_MIN) as usize), info)) {
        Some((threads, info)) if threads > 1 => source.cuts(&info.name, (None, None), threads, false),
        _ => Vec::new(),
    };
    cuts.iter_mut().for_each(|at| *at = zone.truncate(&returns.grain, *at));
    cuts.sort_unstable();
    cuts.dedup();
    let ends = cuts.iter().copied().map(Some).chain([None]);
    let stretches: Vec<_> = [None].into_iter().chain(cuts.iter().copied().map(Some)).zip(ends).collect();
    drop(whole);
    let found = side_by_side(source.threads, stretches, |(from, until): (Option<i64>, Option<i64>)| {
        let (mut program, mask, key) = program()?;
        let mut numbers = Numbers::new(returns, zone);
        let mut counter = Counter::new(members, returns);
        let mut frames = program.frames(from, until)?;
        while let Some(frame) = frames.next(&program)? {
            program.evaluate(&frame)?;
            let key = program.value(key);
            let Values::Id(keys, _) = &key.values else { continue };
            let mask = mask.map(|mask| program.value(mask).mask()).transpose()?;
            let taken: Option<BooleanBuffer> = match (mask, key.known()) {
                (Some(mask), Some(known)) => Some(&mask & &known),
                (mask, known) => mask.or(known),
            };
            for (range, number) in numbers.cut(&frame)? {
                if !counter.add(Rows { range: &range, mask: taken.as_ref() }, keys, number) {
                    return Ok(None);
                }
            }
        }
        let scanned = frames.scanned() + program.rows_scanned_elsewhere();
        Ok(counter.finish().map(|(counts, first)| Found { counts, first, scanned }))
    })?;
    Ok(found.into_iter().collect())
}

/// The numbers of the periods of cohorts.
struct Numbers<'a> {
    returns: &'a Returns,
    zone: &'a Zone,
    clock: Clock,
    days: [Days; 2],
    periods: Periods,
}

impl<'a> Numbers<'a> {
    fn new(returns: &'a Returns, zone: &'a Zone) -> Numbers<'a> {
        let periods = Periods::new(Some(returns.grain.clone()));
        Numbers { returns, zone, clock: Clock::new(zone.clone()), days: Default::default(), periods }
    }

    /// Cuts rows where a period ends: with the period's number.
    fn cut(&mut self, frame: &Frame) -> Result<Vec<(std::ops::Range<usize>, i32)>, ExecError> {
        let at = frame.at.as_ref().map(|at| &at[..]);
        let segments = self.periods.cut(at, 0..frame.len, self.zone)?;
        let number = |(range, start): (std::ops::Range<usize>, Option<i64>)| {
            let start = start.unwrap_or(0);
            let numbers = period_numbers(&[start], &self.returns.grain, &mut self.days, &mut self.clock);
            let number = numbers.first().and_then(|&number| i32::try_from(number).ok());
            let number = number.filter(|&number| number != NEVER && number != NOBODY);
            number.map(|number| (range, number)).ok_or_else(|| ExecError::Overflow("a period's number".into()))
        };
        segments.into_iter().map(number).collect()
    }
}

/// Counts who comes back.
struct Counter<'a> {
    members: &'a Members,
    returns: &'a Returns,
    by_id: Vec<Member>,
    kinds: usize,
    /// By age and kind.
    counts: Vec<i64>,
    /// Whether each period is an age of its own.
    plain: bool,
}

impl<'a> Counter<'a> {
    fn new(members: &'a Members, returns: &'a Returns) -> Counter<'a> {
        let plain = returns.brackets.is_empty() && !returns.onward;
        let mut by_id = members.by_id.clone();
        if !plain {
            by_id.iter_mut().filter(|member| member.kind != NO_CELL).for_each(|member| member.last = 0);
        }
        Counter { members, returns, by_id, kinds: members.kinds.len(), counts: Vec::new(), plain }
    }

    /// Takes rows of a period; whether there is room for what they add.
    fn add(&mut self, rows: Rows<'_>, ids: &[u32], number: i32) -> bool {
        let kinds = self.kinds;
        if !self.plain {
            let Returns { brackets, onward, .. } = self.returns;
            let mut most = 0;
            rows.each(|row| {
                let Some(member) = self.by_id.get_mut(ids[row] as usize).filter(|m| m.last != NOBODY) else { return };
                let age = i64::from(number) - i64::from(member.since);
                let age = bracket(age, brackets, *onward);
                if age > i64::from(member.last) {
                    member.last = age as i32;
                    most = most.max(age);
                    if !*onward {
                        let place = age as usize * kinds + member.kind as usize;
                        if place >= self.counts.len() {
                            if place > NUMBERS_MAX {
                                return;
                            }
                            self.counts.resize((age as usize + 1) * kinds, 0);
                        }
                        self.counts[place] += 1;
                    }
                }
            });
            return fits(most, kinds);
        }
        let (by_id, counts) = (&mut self.by_id, &mut self.counts);
        let mut fits_all = true;
        rows.each(|row| {
            // Nobody's last period is later than all.
            let Some(member) = by_id.get_mut(ids[row] as usize).filter(|member| member.last < number) else { return };
            member.last = number;
            let age = i64::from(number) - i64::from(member.since);
            let place = age as usize * kinds + member.kind as usize;
            if place >= counts.len() {
                fits_all &= fits(age, kinds);
                if !fits_all {
                    return;
                }
                counts.resize((age as usize + 1) * kinds, 0);
            }
            counts[place] += 1;
        });
        fits_all
    }

    /// What was counted by age and kind, and the first member's moment of those who came back where somebody needs it;
    /// none: there would be too many numbers.
    fn finish(mut self) -> Option<(Vec<i64>, Option<i64>)> {
        if self.returns.onward {
            for member in self.by_id.iter().filter(|member| member.last != NOBODY && member.last > 0) {
                let place = member.last as usize * self.kinds + member.kind as usize;
                if place >= self.counts.len() {
                    if !fits(i64::from(member.last), self.kinds) {
                        return None;
                    }
                    self.counts.resize((member.last as usize + 1) * self.kinds, 0);
                }
                self.counts[place] += 1;
            }
        }
        let came = |member: &Member| {
            let before = if self.plain { member.since } else { 0 };
            member.last != NOBODY && member.last != before
        };
        let moments = self.by_id.iter().zip(&self.members.at).filter(|(member, _)| came(member)).map(|(_, at)| *at);
        let first = moments.min();
        Some((self.counts, first))
    }
}

/// Whether there is room for the numbers of an age.
fn fits(age: i64, kinds: usize) -> bool {
    usize::try_from(age).ok().and_then(|age| (age + 1).checked_mul(kinds)).is_some_and(|all| all <= NUMBERS_MAX)
}

/// Puts together what was counted.
fn cells(asked: &Asked, plan: &mut Plan, members: Members, found: Vec<Found>) -> Cells {
    let kinds = members.kinds.len();
    let mut counts: Vec<i64> = Vec::new();
    let (mut scanned, mut first) = (members.scanned, members.first);
    for own in found {
        counts.resize(counts.len().max(own.counts.len()), 0);
        counts.iter_mut().zip(&own.counts).for_each(|(sum, n)| *sum += n);
        scanned += own.scanned;
        first = first.into_iter().chain(own.first).min();
    }
    let mut all = Sums { keys: Vec::new(), index: HashMap::new(), rows: vec![Vec::new(); asked.counted.len()] };
    let mut kept = vec![false; counts.len()];
    for (number, counted) in asked.counted.iter().enumerate() {
        let own = plan.cells_of(number + 1);
        match counted.of {
            Of::Members => {
                for (&count, (period, labels)) in members.counts[number].iter().zip(own).filter(|(n, _)| **n > 0) {
                    all.add(number, CellKey { period, labels }, count);
                }
            }
            Of::Returns(from, to) => {
                let ages = counts.len().checked_div(kinds).unwrap_or(0);
                // By cell, since cells that differ for other aggregates may be one for this.
                let mut by_cell = vec![0; own.len()];
                for age in 1..ages {
                    if !(from..=to).contains(&(age as i64)) {
                        continue;
                    }
                    for (kind, cells) in members.kinds.iter().enumerate() {
                        let place = age * kinds + kind;
                        let cell = cells[number];
                        if counts[place] > 0 && cell != NO_CELL {
                            by_cell[cell as usize] += counts[place];
                            kept[place] = true;
                        }
                    }
                    for (cell, count) in by_cell.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
                        let (period, labels) = &own[cell];
                        let labels = aged(labels, &counted.ages, age as i64);
                        all.add(number, CellKey { period: *period, labels }, std::mem::take(count));
                    }
                }
            }
        }
    }
    let aggregates = asked.counted.len();
    let rows_kept = counts.iter().zip(kept).filter(|(_, kept)| *kept).map(|(count, _)| *count as u64).sum::<u64>();
    let report = Report {
        rows_scanned: scanned,
        rows_kept: members.kept + rows_kept,
        without_entity: vec![members.without; aggregates],
        first,
        way: Some(WAY),
        ..Report::default()
    };
    let len = all.keys.len();
    all.rows.iter_mut().for_each(|rows| rows.resize(len, 0));
    Cells {
        keys: all.keys,
        rows: all.rows,
        states: vec![State::Count; aggregates],
        types: vec![Outcome::Other; aggregates],
        report,
        ..Cells::default()
    }
}

/// Labels of which some are the age.
fn aged(labels: &Labels, ages: &[usize], age: i64) -> Labels {
    if ages.is_empty() {
        return labels.clone();
    }
    let mut own = labels.to_vec();
    ages.iter().for_each(|&place| own[place] = Scalar::Number(age));
    own.into()
}

/// Cells in the making.
struct Sums {
    keys: Vec<CellKey>,
    index: HashMap<CellKey, usize>,
    rows: Vec<Vec<i64>>,
}

impl Sums {
    fn add(&mut self, aggregate: usize, key: CellKey, count: i64) {
        let next = self.keys.len();
        let place = *self.index.entry(key).or_insert_with_key(|key| {
            self.keys.push(key.clone());
            next
        });
        let rows = &mut self.rows[aggregate];
        if rows.len() <= place {
            rows.resize(place + 1, 0);
        }
        rows[place] += count;
    }
}
