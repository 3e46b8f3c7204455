//! Members of cohorts, and the periods in which they come back.
//!
//! One reading, of which several threads read a stretch of time each, finds the members (who has a row of the one event in
//! a period) and the entities' rows of the other; then each member's returns are looked up in its entity's, by several
//! threads again. No entity's rows are looked at twice for one member.

use super::gather::too_long;
use super::own_periods::Period;
use super::read::Picked;
use super::{Maker, NOWHERE, Rows, largest_below};
use crate::ExecError;
use crate::rows::{Clock, Column, Days, Frame, Program, Type, Values, period_numbers};
use crate::side_by_side::side_by_side;
use crate::zeros::zeros;
use arrow_buffer::{BooleanBuffer, NullBuffer};
use kepi_extension::StreamInfo;
use kepi_model::calendar::{Grain, Zone};
use kepi_model::core::{AGE, COHORT, Returns};
use std::ops::Range;

/// The own columns of members and returns.
pub(super) fn own() -> Vec<(String, Type)> {
    vec![(COHORT.into(), Type::Time), (AGE.into(), Type::Decimal(0))]
}

/// What has been read of a stretch of time.
struct Found {
    grain: Grain,
    own_clock: bool,
    /// Whether only an entity's last row counts.
    onward: bool,
    clock: Clock,
    days: [Days; 2],
    /// By id: the last period with a row of the cohorts' event.
    begun: Vec<i64>,
    /// By id: what was last kept of its rows of the other event: see [`Found::backs`].
    back: Vec<i64>,
    members: Members,
    /// With a clock of its own the moments of the rows, else the periods with a row; with `onward` in `back` only.
    backs: Vec<(u32, i64)>,
    without: Vec<i64>,
    /// How many rows of the members' base lie in the stretch, where those before it were not read, too.
    rows: u32,
    /// How many stored rows were read.
    scanned: u64,
}

/// Who began in which period, in the order of time.
#[derive(Default)]
struct Members {
    ids: Vec<u32>,
    at: Vec<i64>,
    places: Vec<u32>,
    periods: Vec<i64>,
}

const NEVER: i64 = i64::MIN;

/// Fewer rows than this are not worth a thread of their own.
const STRETCH_ROWS_MIN: u64 = if cfg!(any(test, debug_assertions)) { 4 } else { 50_000 };
/// So many members are looked at together.
const MEMBERS: usize = if cfg!(test) { 2 } else { 16_384 };

/// A stretch of time that is read for itself.
#[derive(Clone, Copy)]
struct Stretch {
    from: Option<i64>,
    until: Option<i64>,
}

/// Makes the rows of members and returns: each member's behind it, by age.
pub(super) fn make(maker: &Maker, returns: &Returns) -> Result<Rows, ExecError> {
    let zone = Zone::named(maker.zone).ok_or_else(|| ExecError::Plan(format!("no time zone `{}`", maker.zone)))?;
    let ids = {
        let mut program = maker.program(&returns.start.events.base)?;
        let ids = Picked::new(&mut program, &returns.start.events, &returns.start.key)?.ids(&program)?;
        let mut program = maker.program(&returns.back.events.base)?;
        ids.max(Picked::new(&mut program, &returns.back.events, &returns.back.key)?.ids(&program)?)
    };
    // A member is the first row in its period, so no period lies in two stretches.
    let cuts: Vec<i64> = cuts(maker, returns)?.into_iter().map(|at| zone.truncate(&returns.grain, at)).collect();
    let ends = cuts.iter().copied().map(Some).chain([None]);
    let starts = [None].into_iter().chain(cuts.iter().copied().map(Some));
    let stretches = starts.zip(ends).map(|(from, until)| Stretch { from, until }).collect();
    let found = side_by_side(maker.source.threads, stretches, |stretch| {
        let mut found = Found {
            grain: returns.grain.clone(),
            own_clock: returns.own_clock,
            onward: returns.onward,
            clock: Clock::new(zone.clone()),
            days: [Days::default(), Days::default()],
            begun: vec![NEVER; ids],
            back: vec![NEVER; ids],
            members: Members::default(),
            backs: Vec::new(),
            without: Vec::new(),
            rows: 0,
            scanned: 0,
        };
        found.read(maker, returns, stretch)?;
        Ok(found)
    })?;
    rows(maker, returns, &zone, found, ids)
}

/// Where time is cut, to be read by several threads.
fn cuts(maker: &Maker, returns: &Returns) -> Result<Vec<i64>, ExecError> {
    let mut past = false;
    let mut largest: Option<StreamInfo> = None;
    for keyed in [&returns.start, &returns.back] {
        let mut program = maker.program(&keyed.events.base)?;
        Picked::new(&mut program, &keyed.events, &keyed.key)?;
        if program.sequential || program.needs_period {
            return Ok(Vec::new());
        }
        past |= program.needs_past;
        largest = largest.into_iter().chain(largest_below(&keyed.events.base, maker.source)).max_by_key(|i| i.rows);
    }
    let Some(info) = largest else { return Ok(Vec::new()) };
    let threads = maker.source.threads.min((info.rows / STRETCH_ROWS_MIN) as usize);
    if threads < 2 {
        return Ok(Vec::new());
    }
    let mut cuts = maker.source.cuts(&info.name, (None, None), threads, past);
    cuts.sort_unstable();
    cuts.dedup();
    Ok(cuts)
}

impl Found {
    /// Reads the rows of a stretch of time, and lets those before it go by where something has to be known of them.
    fn read(&mut self, maker: &Maker, returns: &Returns, stretch: Stretch) -> Result<(), ExecError> {
        let mut program = maker.program(&returns.start.events.base)?;
        let start = Picked::new(&mut program, &returns.start.events, &returns.start.key)?;
        if returns.start.events.base == returns.back.events.base {
            let back = Picked::new(&mut program, &returns.back.events, &returns.back.key)?;
            return self.go_through(&mut program, stretch, true, |found, program, frame, from, first| {
                let periods = found.periods(frame);
                found.start(program, frame, from, first, &start, &periods)?;
                found.back(program, frame, from, &back, &periods)
            });
        }
        let mut other = maker.program(&returns.back.events.base)?;
        let back = Picked::new(&mut other, &returns.back.events, &returns.back.key)?;
        self.go_through(&mut program, stretch, true, |found, program, frame, from, first| {
            let periods = found.periods(frame);
            found.start(program, frame, from, first, &start, &periods)
        })?;
        self.go_through(&mut other, stretch, false, |found, program, frame, from, _| {
            let periods = if found.own_clock { Vec::new() } else { found.periods(frame) };
            found.back(program, frame, from, &back, &periods)
        })
    }

    /// Calls with each frame of a stretch: with its first row that lies in it, and the place of its first row among those
    /// that are read. `counts`: whether places are counted in these rows.
    fn go_through(
        &mut self,
        program: &mut Program,
        stretch: Stretch,
        counts: bool,
        mut each: impl FnMut(&mut Found, &Program, &Frame, usize, u32) -> Result<(), ExecError>,
    ) -> Result<(), ExecError> {
        let Stretch { from, until } = stretch;
        let mut frames = program.frames(from.filter(|_| !program.needs_past), until)?;
        let mut first = 0_u32;
        while let Some(frame) = frames.next(program)? {
            let own = match (from, &frame.at) {
                (Some(from), Some(at)) => at.partition_point(|&t| t < from),
                _ => 0,
            };
            if own == frame.len {
                program.evaluate_past(&frame)?;
            } else {
                program.evaluate(&frame)?;
                each(self, program, &frame, own, first)?;
            }
            let next = u32::try_from(frame.len).ok().and_then(|len| first.checked_add(len));
            first = next.filter(|&next| next < NOWHERE).ok_or_else(too_long)?;
        }
        if counts {
            self.rows = if program.needs_past { 0 } else { first };
        }
        self.scanned += frames.scanned() + program.rows_scanned_elsewhere();
        Ok(())
    }

    fn periods(&mut self, frame: &Frame) -> Vec<i64> {
        let at = frame.at.as_ref().map_or(&[][..], |at| at);
        period_numbers(at, &self.grain, &mut self.days, &mut self.clock)
    }

    fn start(
        &mut self,
        program: &Program,
        frame: &Frame,
        from: usize,
        first: u32,
        picked: &Picked,
        periods: &[i64],
    ) -> Result<(), ExecError> {
        let Some(at) = &frame.at else { return Ok(()) };
        let Found { begun, members, without, .. } = self;
        let mut lacking = Vec::new();
        picked.each(program, frame, &mut lacking, |row, id| {
            let Some(begun) = begun.get_mut(id as usize).filter(|b| **b != periods[row] && row >= from) else { return };
            *begun = periods[row];
            members.ids.push(id);
            members.at.push(at[row]);
            members.places.push(first + row as u32);
            members.periods.push(periods[row]);
        })?;
        let before = at.get(from).copied().unwrap_or(i64::MAX);
        without.extend(lacking.into_iter().filter(|&moment| moment >= before));
        Ok(())
    }

    fn back(
        &mut self,
        program: &Program,
        frame: &Frame,
        from: usize,
        picked: &Picked,
        periods: &[i64],
    ) -> Result<(), ExecError> {
        let Some(at) = &frame.at else { return Ok(()) };
        let kept: &[i64] = if self.own_clock { at } else { periods };
        let Found { back, backs, onward, .. } = self;
        picked.each(program, frame, &mut Vec::new(), |row, id| {
            let Some(last) = back.get_mut(id as usize).filter(|last| **last != kept[row] && row >= from) else {
                return;
            };
            *last = kept[row];
            if !*onward {
                backs.push((id, kept[row]));
            }
        })
    }
}

impl Members {
    /// Adds those of a later stretch of time, before which so many rows lie.
    fn append(&mut self, mut later: Members, before: u32) -> Result<(), ExecError> {
        let fits = later.places.last().is_none_or(|&last| last.checked_add(before).is_some_and(|n| n < NOWHERE));
        if !fits {
            return Err(too_long());
        }
        later.places.iter_mut().for_each(|place| *place += before);
        self.ids.append(&mut later.ids);
        self.at.append(&mut later.at);
        self.places.append(&mut later.places);
        self.periods.append(&mut later.periods);
        Ok(())
    }
}

/// Puts together what was read, and looks for each member's returns.
fn rows(maker: &Maker, returns: &Returns, zone: &Zone, found: Vec<Found>, ids: usize) -> Result<Rows, ExecError> {
    let mut members = Members::default();
    let mut last = vec![NEVER; if returns.onward { ids } else { 0 }];
    let (mut all, mut without, mut scanned, mut before) = (Vec::new(), Vec::new(), 0, 0_u32);
    for own in found {
        members.append(own.members, before)?;
        without.extend(own.without);
        scanned += own.scanned;
        before = before.checked_add(own.rows).ok_or_else(too_long)?;
        last.iter_mut().zip(&own.back).filter(|(_, back)| **back != NEVER).for_each(|(last, back)| *last = *back);
        all.push(own.backs);
    }
    let backs = by_id(all, ids);
    let count = members.ids.len();
    let chunks = (0..count).step_by(MEMBERS).map(|first| first..count.min(first + MEMBERS)).collect();
    let made = side_by_side(maker.source.threads, chunks, |chunk: Range<usize>| {
        maker.source.check()?;
        Ok(Made::of(&members, chunk, returns, &last, &backs, Clock::new(zone.clone())))
    })?;
    let mut out = Made::with_capacity(made.iter().map(|made| made.at.len()).sum());
    maker.fits(56 * out.at.capacity() as u64)?;
    for mut made in made {
        out.at.append(&mut made.at);
        out.places.append(&mut made.places);
        out.cohorts.append(&mut made.cohorts);
        out.ages.append(&mut made.ages);
    }
    Ok(out.rows(without, scanned))
}

/// The number of the bracket that an age lies in, from 1; without brackets the age itself. What lies behind the last is
/// in none, but whoever comes back then has come back after all of them.
pub(crate) fn bracket(age: i64, brackets: &[i64], onward: bool) -> i64 {
    if brackets.is_empty() || age < 1 {
        return age;
    }
    match brackets.partition_point(|&end| end < age) {
        behind if behind == brackets.len() => {
            if onward {
                behind as i64
            } else {
                0
            }
        }
        place => place as i64 + 1,
    }
}

/// A counting sort by id, which keeps the order of the values of each; with the places at which each begins.
fn by_id(rows: Vec<Vec<(u32, i64)>>, ids: usize) -> (Vec<u32>, Vec<i64>) {
    let mut starts = zeros::<u32>(ids + 2);
    rows.iter().flatten().for_each(|row| starts[row.0 as usize + 2] += 1);
    for i in 2..starts.len() {
        starts[i] += starts[i - 1];
    }
    let mut values = vec![0; rows.iter().map(Vec::len).sum()];
    for (id, value) in rows.into_iter().flatten() {
        let next = &mut starts[id as usize + 1];
        values[*next as usize] = value;
        *next += 1;
    }
    (starts, values)
}

/// Rows in the making.
pub(super) struct Made {
    pub(super) at: Vec<i64>,
    places: Vec<u32>,
    cohorts: Vec<i64>,
    ages: Vec<i64>,
}

/// In place of an age: the row is the member's own.
pub(super) const MEMBER: i64 = 0;

impl Made {
    pub(super) fn with_capacity(rows: usize) -> Made {
        let of = || Vec::with_capacity(rows);
        Made { at: of(), places: Vec::with_capacity(rows), cohorts: of(), ages: of() }
    }

    /// As rows that are made.
    pub(super) fn rows(self, without: Vec<i64>, scanned: u64) -> Rows {
        let Made { at, places, cohorts, ages } = self;
        let aged = BooleanBuffer::collect_bool(ages.len(), |row| ages[row] != MEMBER);
        let own = vec![
            Column::new(Values::Time(cohorts.into()), None),
            Column::new(Values::Decimal(ages.into(), 0), Some(NullBuffer::new(aged))),
        ];
        Rows { at: at.into(), own, parents: vec![places], known: Vec::new(), without, scanned }
    }

    /// The rows of some members.
    fn of(
        members: &Members,
        chunk: Range<usize>,
        returns: &Returns,
        last: &[i64],
        (starts, backs): &(Vec<u32>, Vec<i64>),
        mut clock: Clock,
    ) -> Made {
        let Returns { grain, own_clock, onward, brackets, .. } = returns;
        let mut out = Made::with_capacity(2 * chunk.len());
        let cohorts = clock.truncate_all(grain, &mut Days::default(), &members.at[chunk.clone()]);
        for (member, cohort) in chunk.zip(cohorts) {
            let (at, place, id) = (members.at[member], members.places[member], members.ids[member] as usize);
            out.push(at, place, cohort, MEMBER);
            let own = match onward {
                true => std::slice::from_ref(&last[id]),
                false => &backs[starts[id] as usize..starts[id + 1] as usize],
            };
            let since = if *own_clock { at } else { members.periods[member] };
            let mut known = 0;
            let later = own.partition_point(|&back| back <= since);
            let mut period = Period::new(at);
            for &back in &own[later..] {
                let age = match own_clock {
                    true => period.go_to(&mut clock, grain, back),
                    false => back - since,
                };
                let age = bracket(age, brackets, *onward);
                if age > known {
                    known = age;
                    out.push(at, place, cohort, age);
                }
            }
        }
        out
    }

    #[inline]
    pub(super) fn push(&mut self, at: i64, place: u32, cohort: i64, age: i64) {
        self.at.push(at);
        self.places.push(place);
        self.cohorts.push(cohort);
        self.ages.push(age);
    }
}
