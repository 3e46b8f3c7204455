//! Who of the members comes back: the rows go by in the order of time, and count at the age of their member.

use super::Step;
use super::members::{Known, Member, NOBODY};
use super::numbers::Numbers;
use super::own::Own;
use crate::ExecError;
use crate::made::{bracket, largest_below};
use crate::pass::accumulate::Rows;
use crate::rows::{Program, Values};
use crate::side_by_side::side_by_side;
use crate::zeros::zeros;
use arrow_buffer::BooleanBuffer;
use kepi_model::core::Returns;

/// So many numbers of returns there may be, by kind of member and age.
const NUMBERS_MAX: usize = 1 << 23;
/// Fewer rows than this are not worth a thread of their own.
const STRETCH_ROWS_MIN: u64 = if cfg!(any(test, debug_assertions)) { 4 } else { 50_000 };

/// The rows of those who come back, compiled.
pub(super) struct Back {
    pub(super) program: Program,
    mask: Option<usize>,
    key: usize,
}

/// How often members came back in a stretch of time.
struct Found {
    by_id: Vec<Member>,
    /// By id the first age that was counted, or 0, where ages may lie in two stretches.
    first: Vec<i32>,
    /// By age and kind.
    counts: Vec<i64>,
    scanned: u64,
}

impl Back {
    pub(super) fn new(step: &Step<'_>) -> Result<Back, ExecError> {
        let (pass, back) = (step.pass, &step.asked.returns.back);
        let mut program = Program::of_base(&back.events.base, step.source, &pass.zone, pass.now)?;
        let mask = program.rows_of(&back.events, None)?;
        let key = program.row(&back.key)?;
        Ok(Back { program, mask, key })
    }

    /// Counts the rows of a stretch of time; none: there would be too many numbers.
    fn count(
        &mut self,
        step: &Step<'_>,
        (first_id, by_id, at): (u32, Vec<Member>, &[i64]),
        kinds: usize,
        (from, until): (Option<i64>, Option<i64>),
    ) -> Result<Option<Found>, ExecError> {
        let Back { program, mask, key } = self;
        let mut numbers = Numbers::new(step.asked.returns, step.zone);
        let returns = step.asked.returns;
        let plain = step.asked.is_plain();
        let own = returns.own_clock.then(|| Own::new(step, &by_id, at));
        // The ages of stretches behind the first one may have been counted in that before them.
        let first = zeros(if plain || returns.onward || from.is_none() { 0 } else { by_id.len() });
        let mut counter = Counter { returns, first_id, by_id, kinds, counts: Vec::new(), plain, own, first };
        let mut frames = program.frames(from, until)?;
        while let Some(frame) = frames.next(program)? {
            program.evaluate(&frame)?;
            let key = program.value(*key);
            let Values::Id(keys, _) = &key.values else { continue };
            let mask = mask.map(|mask| program.value(mask).mask()).transpose()?;
            let taken: Option<BooleanBuffer> = match (mask, key.known()) {
                (Some(mask), Some(known)) => Some(&mask & &known),
                (mask, known) => mask.or(known),
            };
            let at = frame.at.as_ref().map_or(&[][..], |at| at);
            if counter.own.is_some() {
                if !counter.add_at(Rows { range: &(0..frame.len), mask: taken.as_ref() }, keys, at) {
                    return Ok(None);
                }
                continue;
            }
            for (range, number) in numbers.cut(&frame)? {
                if !counter.add(Rows { range: &range, mask: taken.as_ref() }, keys, number) {
                    return Ok(None);
                }
            }
        }
        let scanned = frames.scanned() + program.rows_scanned_elsewhere();
        let Counter { by_id, counts, first, .. } = counter;
        Ok(Some(Found { by_id, first, counts, scanned }))
    }
}

/// Reads the rows of a stretch of time of those who come back. No: there would be too many numbers.
pub(super) fn back(step: &Step<'_>, whole: &mut Back, known: &mut Known) -> Result<bool, ExecError> {
    let Step { asked, source, zone, .. } = *step;
    let in_one_go = step.from.is_some() || whole.program.needs_past || whole.program.sequential;
    let threads = largest_below(&asked.returns.back.events.base, source).filter(|_| !in_one_go);
    let mut cuts = match threads.map(|info| (source.threads.min((info.rows / STRETCH_ROWS_MIN) as usize), info)) {
        Some((threads, info)) if threads > 1 => source.cuts(&info.name, (None, step.until), threads, false),
        _ => Vec::new(),
    };
    cuts.iter_mut().for_each(|at| *at = zone.truncate(&asked.returns.grain, *at));
    cuts.retain(|at| step.until.is_none_or(|until| *at < until));
    cuts.sort_unstable();
    cuts.dedup();
    let (kinds, first_id) = (known.kinds.len(), known.first_id);
    let moments = std::mem::take(&mut known.at);
    let found = if cuts.is_empty() {
        let by_id = std::mem::take(&mut known.by_id);
        vec![whole.count(step, (first_id, by_id, &moments), kinds, (step.from, step.until))?]
    } else {
        let ends = cuts.iter().copied().map(Some).chain([step.until]);
        let stretches: Vec<_> = [None].into_iter().chain(cuts.iter().copied().map(Some)).zip(ends).collect();
        let by_id = &known.by_id;
        side_by_side(source.threads, stretches, |time| {
            Back::new(step)?.count(step, (first_id, by_id.clone(), &moments), kinds, time)
        })?
    };
    known.at = moments;
    let Some(found) = found.into_iter().collect::<Option<Vec<Found>>>() else { return Ok(false) };
    for own in found {
        known.counts.resize(known.counts.len().max(own.counts.len()), 0);
        known.counts.iter_mut().zip(&own.counts).for_each(|(sum, n)| *sum += n);
        known.scanned += own.scanned;
        if known.by_id.is_empty() {
            known.by_id = own.by_id;
        } else {
            for ((member, &first), before) in own.by_id.iter().zip(&own.first).zip(&known.by_id) {
                if first > 0 && first == before.last {
                    known.counts[first as usize * kinds + member.kind as usize] -= 1;
                }
            }
            // Stretches follow each other, so who came back in the later one came back later.
            known.by_id.iter_mut().zip(own.by_id).for_each(|(all, own)| all.last = all.last.max(own.last));
        }
    }
    Ok(true)
}

/// Counts who comes back.
struct Counter<'a> {
    returns: &'a Returns,
    /// The id of the first of `by_id`.
    first_id: u32,
    by_id: Vec<Member>,
    kinds: usize,
    /// By age and kind.
    counts: Vec<i64>,
    /// Whether each calendar period is an age of its own.
    plain: bool,
    /// What tells ages by members' own clocks.
    own: Option<Own<'a>>,
    /// By id the first age that was counted, or 0; empty: nobody asks.
    first: Vec<i32>,
}

impl Counter<'_> {
    /// Takes rows of a period; whether there is room for what they add.
    fn add(&mut self, rows: Rows<'_>, ids: &[u32], number: i32) -> bool {
        let (kinds, first_id) = (self.kinds, self.first_id);
        if !self.plain {
            let mut fits_all = true;
            rows.each(|row| {
                let place = ids[row].wrapping_sub(first_id) as usize;
                let Some(member) = self.by_id.get(place).filter(|m| m.last != NOBODY) else { return };
                fits_all &= self.add_age(place, i64::from(number) - i64::from(member.since));
            });
            return fits_all;
        }
        let (by_id, counts) = (&mut self.by_id, &mut self.counts);
        let mut fits_all = true;
        rows.each(|row| {
            // Nobody's last period is later than all.
            let place = ids[row].wrapping_sub(first_id) as usize;
            let Some(member) = by_id.get_mut(place).filter(|member| member.last < number) else { return };
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

    /// Takes rows, the age of each by its member's own clock; whether there is room for what they add.
    fn add_at(&mut self, rows: Rows<'_>, ids: &[u32], at: &[i64]) -> bool {
        let mut fits_all = true;
        rows.each(|row| {
            let place = ids[row].wrapping_sub(self.first_id) as usize;
            if let Some(age) = self.own.as_mut().and_then(|own| own.age(place, at[row])) {
                fits_all &= self.add_age(place, age);
            }
        });
        fits_all
    }

    /// Takes a member's row of an age, not earlier than those before it; whether there is room.
    #[inline]
    fn add_age(&mut self, place: usize, age: i64) -> bool {
        let Returns { brackets, onward, .. } = self.returns;
        let age = bracket(age, brackets, *onward);
        let member = &mut self.by_id[place];
        if age <= i64::from(member.last) {
            return true;
        }
        if !fits(age, self.kinds) {
            return false;
        }
        member.last = age as i32;
        if *onward {
            return true;
        }
        if let Some(first) = self.first.get_mut(place).filter(|first| **first == 0) {
            *first = age as i32;
        }
        let place = age as usize * self.kinds + member.kind as usize;
        if place >= self.counts.len() {
            self.counts.resize((age as usize + 1) * self.kinds, 0);
        }
        self.counts[place] += 1;
        true
    }
}

/// Whether there is room for the numbers of an age.
fn fits(age: i64, kinds: usize) -> bool {
    usize::try_from(age).ok().and_then(|age| (age + 1).checked_mul(kinds)).is_some_and(|all| all <= NUMBERS_MAX)
}

/// How often members came back by age and kind where only the last time counts; none: there would be too many numbers.
pub(super) fn last_returns(known: &Known) -> Option<Vec<i64>> {
    let kinds = known.kinds.len();
    let mut counts = Vec::new();
    for member in known.by_id.iter().filter(|member| member.last != NOBODY && member.last > 0) {
        let place = member.last as usize * kinds + member.kind as usize;
        if place >= counts.len() {
            if !fits(i64::from(member.last), kinds) {
                return None;
            }
            counts.resize((member.last as usize + 1) * kinds, 0);
        }
        counts[place] += 1;
    }
    Some(counts)
}
