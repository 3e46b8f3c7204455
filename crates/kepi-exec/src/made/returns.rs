//! Members of cohorts, and the periods in which they come back.
//!
//! One reading finds the members (who has a row of the one event in a period) and the entities' rows of the other; then
//! each member's returns are looked up in its entity's. No entity's rows are looked at twice for one member.

use super::read::{Picked, read};
use super::{Maker, Rows};
use crate::ExecError;
use crate::rows::{Clock, Column, Days, Frame, Program, Type, Values, period_numbers};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use kepi_model::calendar::{Grain, TimeUnit, Zone};
use kepi_model::core::{AGE, COHORT, Returns};

/// The own columns of members and returns.
pub(super) fn own() -> Vec<(String, Type)> {
    vec![(COHORT.into(), Type::Time), (AGE.into(), Type::Decimal(0))]
}

/// What has been read.
struct Found {
    grain: Grain,
    own_clock: bool,
    /// Whether only an entity's last row counts.
    onward: bool,
    clock: Clock,
    days: [Days; 2],
    firsts: Days,
    /// By id: the last period with a row of the cohorts' event.
    begun: Vec<i64>,
    /// By id: what was last kept of its rows of the other event: see [`Found::backs`].
    back: Vec<i64>,
    members: Members,
    /// With a clock of its own the moments of the rows, else the periods with a row; with `onward` in `back` only.
    backs: Vec<(u32, i64)>,
    without: Vec<i64>,
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

/// Makes the rows of members and returns: each member's behind it, by age.
pub(super) fn make(maker: &Maker, returns: &Returns) -> Result<Rows, ExecError> {
    let zone = Zone::named(maker.zone).ok_or_else(|| ExecError::Plan(format!("no time zone `{}`", maker.zone)))?;
    let mut program = maker.program(&returns.start.events.base)?;
    let start = Picked::new(&mut program, &returns.start.events, &returns.start.key)?;
    let mut ids = start.ids(&program)?;
    let mut found = Found {
        grain: returns.grain.clone(),
        own_clock: returns.own_clock,
        onward: returns.onward,
        clock: Clock::new(zone),
        days: [Days::default(), Days::default()],
        firsts: Days::default(),
        begun: Vec::new(),
        back: Vec::new(),
        members: Members::default(),
        backs: Vec::new(),
        without: Vec::new(),
    };
    let mut scanned = 0;
    if returns.start.events.base == returns.back.events.base {
        let back = Picked::new(&mut program, &returns.back.events, &returns.back.key)?;
        ids = ids.max(back.ids(&program)?);
        found.make_room(ids);
        scanned += read(&mut program, |program, frame, first| {
            let periods = found.periods(frame);
            found.start(program, frame, first, &start, &periods)?;
            found.back(program, frame, &back, &periods)
        })?;
    } else {
        let mut other = maker.program(&returns.back.events.base)?;
        let back = Picked::new(&mut other, &returns.back.events, &returns.back.key)?;
        ids = ids.max(back.ids(&other)?);
        found.make_room(ids);
        scanned += read(&mut program, |program, frame, first| {
            let periods = found.periods(frame);
            found.start(program, frame, first, &start, &periods)
        })?;
        scanned += read(&mut other, |program, frame, _| {
            let periods = if found.own_clock { Vec::new() } else { found.periods(frame) };
            found.back(program, frame, &back, &periods)
        })?;
    }
    found.rows(maker, &returns.brackets, scanned)
}

impl Found {
    fn make_room(&mut self, ids: usize) {
        self.begun = vec![NEVER; ids];
        self.back = vec![NEVER; ids];
    }

    fn periods(&mut self, frame: &Frame) -> Vec<i64> {
        let at = frame.at.as_ref().map_or(&[][..], |at| at);
        period_numbers(at, &self.grain, &mut self.days, &mut self.clock)
    }

    fn start(
        &mut self,
        program: &Program,
        frame: &Frame,
        first: u32,
        picked: &Picked,
        periods: &[i64],
    ) -> Result<(), ExecError> {
        let Some(at) = &frame.at else { return Ok(()) };
        let Found { begun, members, without, .. } = self;
        picked.each(program, frame, without, |row, id| {
            let Some(begun) = begun.get_mut(id as usize).filter(|b| **b != periods[row]) else { return };
            *begun = periods[row];
            members.ids.push(id);
            members.at.push(at[row]);
            members.places.push(first + row as u32);
            members.periods.push(periods[row]);
        })
    }

    fn back(&mut self, program: &Program, frame: &Frame, picked: &Picked, periods: &[i64]) -> Result<(), ExecError> {
        let Some(at) = &frame.at else { return Ok(()) };
        let kept: &[i64] = if self.own_clock { at } else { periods };
        let Found { back, backs, onward, .. } = self;
        picked.each(program, frame, &mut Vec::new(), |row, id| {
            let Some(last) = back.get_mut(id as usize).filter(|last| **last != kept[row]) else { return };
            *last = kept[row];
            if !*onward {
                backs.push((id, kept[row]));
            }
        })
    }

    fn rows(mut self, maker: &Maker, brackets: &[i64], scanned: u64) -> Result<Rows, ExecError> {
        let (starts, backs) = by_id(std::mem::take(&mut self.backs), self.back.len());
        let members = std::mem::take(&mut self.members);
        let cohorts = self.clock.truncate_all(&self.grain, &mut self.firsts, &members.at);
        let mut out = Made::with_capacity(members.ids.len() + backs.len());
        for (member, &id) in members.ids.iter().enumerate() {
            if member % 65_536 == 0 {
                maker.source.check()?;
                maker.fits(28 * out.at.len() as u64)?;
            }
            let (at, place, cohort) = (members.at[member], members.places[member], cohorts[member]);
            out.push(at, place, cohort, MEMBER);
            let id = id as usize;
            let own = match self.onward {
                true => std::slice::from_ref(&self.back[id]),
                false => &backs[starts[id] as usize..starts[id + 1] as usize],
            };
            let since = if self.own_clock { at } else { members.periods[member] };
            let mut known = 0;
            let later = own.partition_point(|&back| back <= since);
            let mut period = Period { start: at, number: 0, end: i64::MIN };
            for &back in &own[later..] {
                let age = match self.own_clock {
                    true => period.go_to(&mut self.clock, &self.grain, back),
                    false => back - since,
                };
                let age = bracket(age, brackets, self.onward);
                if age > known {
                    known = age;
                    out.push(at, place, cohort, age);
                }
            }
        }
        let aged = BooleanBuffer::collect_bool(out.ages.len(), |row| out.ages[row] != MEMBER);
        let own = vec![
            Column::new(Values::Time(out.cohorts.into()), None),
            Column::new(Values::Decimal(out.ages.into(), 0), Some(NullBuffer::new(aged))),
        ];
        Ok(Rows {
            at: out.at.into(),
            own,
            parents: vec![out.places],
            known: Vec::new(),
            without: self.without,
            scanned,
        })
    }
}

/// The own period of a member that was looked at last.
struct Period {
    start: i64,
    number: i64,
    /// Its end.
    end: i64,
}

impl Period {
    /// The number of the own period in which a moment lies, not earlier than those asked for before.
    fn go_to(&mut self, clock: &mut Clock, grain: &Grain, at: i64) -> i64 {
        if at >= self.end {
            let about = match (own_months(grain), own_days(grain)) {
                (0, 0) => at.saturating_sub(self.start).div_euclid(own_micros(grain)),
                (0, days) => (clock.local(at).0 - clock.local(self.start).0).div_euclid(days),
                (months, _) => {
                    let month = |clock: &mut Clock, at| month_of(clock.local(at).0).0;
                    (month(clock, at) - month(clock, self.start)).div_euclid(months)
                }
            };
            // The period may begin later in the day, or in the month.
            let late = own_start(clock, grain, self.start, about) > at;
            self.number = about - i64::from(late);
            self.end = own_start(clock, grain, self.start, self.number + 1);
        }
        self.number
    }
}

fn own_months(grain: &Grain) -> i64 {
    match grain.unit {
        TimeUnit::Month => 1,
        TimeUnit::Quarter => 3,
        TimeUnit::Year => 12,
        _ => 0,
    }
}

fn own_days(grain: &Grain) -> i64 {
    match grain.unit {
        TimeUnit::Day => 1,
        TimeUnit::Week => 7,
        _ => 0,
    }
}

fn own_micros(grain: &Grain) -> i64 {
    match grain.unit {
        TimeUnit::Second => 1_000_000,
        TimeUnit::Minute => 60_000_000,
        _ => 3_600_000_000,
    }
}

/// When the own period of this number begins: so many periods after the start, by the calendar.
fn own_start(clock: &mut Clock, grain: &Grain, start: i64, number: i64) -> i64 {
    let (months, days) = (own_months(grain), own_days(grain));
    if months == 0 && days == 0 {
        return start.saturating_add(own_micros(grain).saturating_mul(number));
    }
    let (day, of_day) = clock.local(start);
    clock.instant(add_months(day, months * number) + days * number, of_day)
}

/// The year and month of a day, as a number of months, and the day of the month from 0. By years of 146,097 days per
/// 400, which begin in March, so that a leap day is the last of one.
fn month_of(day: i64) -> (i64, i64) {
    let since = day + 719_468;
    let era = since.div_euclid(146_097);
    let of_era = since.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    ((era * 400 + year) * 12 + month + 2, of_year - (153 * month + 2) / 5)
}

/// The first day of a month.
fn first_of(month: i64) -> i64 {
    let (year, month) = ((month - 2).div_euclid(12), (month - 2).rem_euclid(12));
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + 365 * year + year / 4 - year / 100 + (153 * month + 2) / 5 - 719_468
}

/// The same day so many months later, or the month's last.
fn add_months(day: i64, months: i64) -> i64 {
    if months == 0 {
        return day;
    }
    let (month, of_month) = month_of(day);
    let first = first_of(month + months);
    (first + of_month).min(first_of(month + months + 1) - 1)
}

/// The number of the bracket that an age lies in, from 1; without brackets the age itself. What lies behind the last is
/// in none, but whoever comes back then has come back after all of them.
fn bracket(age: i64, brackets: &[i64], onward: bool) -> i64 {
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
fn by_id(rows: Vec<(u32, i64)>, ids: usize) -> (Vec<u32>, Vec<i64>) {
    let mut starts = vec![0_u32; ids + 2];
    rows.iter().for_each(|row| starts[row.0 as usize + 2] += 1);
    for i in 2..starts.len() {
        starts[i] += starts[i - 1];
    }
    let mut values = vec![0; rows.len()];
    for (id, value) in rows {
        let next = &mut starts[id as usize + 1];
        values[*next as usize] = value;
        *next += 1;
    }
    (starts, values)
}

/// Rows in the making.
struct Made {
    at: Vec<i64>,
    places: Vec<u32>,
    cohorts: Vec<i64>,
    ages: Vec<i64>,
}

/// In place of an age: the row is the member's own.
const MEMBER: i64 = 0;

impl Made {
    fn with_capacity(rows: usize) -> Made {
        let of = || Vec::with_capacity(rows);
        Made { at: of(), places: Vec::with_capacity(rows), cohorts: of(), ages: of() }
    }

    #[inline]
    fn push(&mut self, at: i64, place: u32, cohort: i64, age: i64) {
        self.at.push(at);
        self.places.push(place);
        self.cohorts.push(cohort);
        self.ages.push(age);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;
    use kepi_model::calendar::date_of;

    #[test]
    fn own_periods_are_as_long_as_their_unit() {
        let zone = Zone::named("Europe/Amsterdam").unwrap();
        let at = |text: &str| zone.instant(text.parse().unwrap());
        let mut clock = Clock::new(zone.clone());
        // The night of 31 March 2024 is an hour short.
        let start = at("2024-03-30T12:00");
        let of = [
            (TimeUnit::Second, 2, "2024-03-30T12:00:02"),
            (TimeUnit::Minute, 3, "2024-03-30T12:03"),
            (TimeUnit::Hour, 24, "2024-03-31T13:00"),
            (TimeUnit::Day, 2, "2024-04-01T12:00"),
            (TimeUnit::Week, 2, "2024-04-13T12:00"),
            (TimeUnit::Month, 11, "2025-02-28T12:00"),
            (TimeUnit::Quarter, 3, "2024-12-30T12:00"),
            (TimeUnit::Year, 2, "2026-03-30T12:00"),
        ];
        for (unit, number, begins) in of {
            let (grain, begins) = (Grain::ordinary(unit), at(begins));
            assert_eq!(own_start(&mut clock, &grain, start, number), begins, "{unit:?}");
            let period = || Period { start, number: 0, end: i64::MIN };
            assert_eq!(period().go_to(&mut clock, &grain, begins), number, "{unit:?}");
            assert_eq!(period().go_to(&mut clock, &grain, begins - 1), number - 1, "{unit:?}");
        }
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        // Every day of more than 400 years, around the epoch, leap years and the year 2000.
        for day in -200_000..50_000_i32 {
            let date = date_of(day);
            let (month, of_month) = month_of(i64::from(day));
            assert_eq!(month, i64::from(date.year()) * 12 + i64::from(date.month()) - 1, "{date}");
            assert_eq!(of_month, i64::from(date.day()) - 1, "{date}");
            assert_eq!(first_of(month) + of_month, i64::from(day), "{date}");
        }
    }
}
