//! Members of cohorts whose returns are counted, or must have the member's own value.
//!
//! The rows of the cohorts' event are read first, then those of the other event. An entity is a member once for each
//! value that it has in a period (`hold`), so what is kept is kept by entity and value. A period counts as one of coming
//! back from the row on with which it has enough of them (`at_least`).

use super::own_periods::Period;
use super::read::{Picked, read};
use super::returns::{MEMBER, Made, bracket};
use super::{Maker, NOWHERE, Rows};
use crate::ExecError;
use crate::rows::{Clock, Days, Frame, Payload, Program, Type, common_type, period_numbers};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use kepi_model::calendar::Zone;
use kepi_model::core::{Keyed, Returns, Row};
use std::collections::HashMap;

/// The rows of one of the events, compiled.
struct Side {
    program: Program,
    picked: Picked,
    hold: Option<usize>,
}

/// An entity with the number of its held value; without `hold` all have the same, and a missing one is none.
type Holder = (u32, Option<i64>);

/// A member, in the order of the cohorts' event.
struct Member {
    at: i64,
    place: u32,
    period: i64,
    holder: u32,
}

/// What has been read.
struct Reading<'a> {
    returns: &'a Returns,
    clock: Clock,
    days: [Days; 2],
    payload: Payload,
    /// Each holder's number, and the period in which it was last a member.
    holders: HashMap<Holder, u32>,
    begun: Vec<i64>,
    members: Vec<Member>,
    /// By holder: moments and periods of the rows that may count as coming back, rising.
    backs: Vec<Vec<(i64, i64)>>,
    without: Vec<i64>,
}

/// Makes the rows of members and returns: each member's behind it, by age.
pub(super) fn make(maker: &Maker, returns: &Returns) -> Result<Rows, ExecError> {
    let zone = Zone::named(maker.zone).ok_or_else(|| ExecError::Plan(format!("no time zone `{}`", maker.zone)))?;
    let held = returns.hold.as_ref();
    let mut start = side(maker, &returns.start, held.map(|held| &held.start))?;
    let mut back = side(maker, &returns.back, held.map(|held| &held.back))?;
    let payload = payload(&mut start, &mut back)?;
    let mut reading = Reading {
        returns,
        clock: Clock::new(zone),
        days: [Days::default(), Days::default()],
        payload,
        holders: HashMap::new(),
        begun: Vec::new(),
        members: Vec::new(),
        backs: Vec::new(),
        without: Vec::new(),
    };
    let mut scanned = reading.starts(maker, start)?;
    scanned += reading.backs(maker, back)?;
    let made = reading.rows(maker)?;
    maker.fits(56 * made.at.capacity() as u64)?;
    Ok(made.rows(reading.without, scanned))
}

fn side(maker: &Maker, rows: &Keyed, hold: Option<&Row>) -> Result<Side, ExecError> {
    let mut program = maker.program(&rows.events.base)?;
    let picked = Picked::new(&mut program, &rows.events, &rows.key)?;
    let hold = hold.map(|hold| program.row(hold)).transpose()?;
    Ok(Side { program, picked, hold })
}

/// What numbers the held values of both events.
fn payload(start: &mut Side, back: &mut Side) -> Result<Payload, ExecError> {
    let types: Vec<Type> =
        [&*start, &*back].iter().filter_map(|side| Some(side.program.ty(side.hold?).clone())).collect();
    if types.is_empty() {
        return Ok(Payload::new(Type::Missing));
    }
    let ty = common_type(&types)?;
    if ty == Type::Text {
        for side in [start, back] {
            if let Some(hold) = side.hold {
                side.hold = Some(side.program.as_text(hold)?);
            }
        }
    }
    Ok(Payload::new(ty))
}

/// The held values of a frame's rows, as numbers.
struct Values {
    numbers: Option<(ScalarBuffer<i64>, Option<BooleanBuffer>)>,
}

impl Values {
    fn of(payload: &mut Payload, program: &Program, hold: Option<usize>) -> Result<Values, ExecError> {
        let Some(hold) = hold else { return Ok(Values { numbers: None }) };
        let column = program.value(hold);
        Ok(Values { numbers: Some((payload.encode(column)?, column.known())) })
    }

    /// Of a row: none where it is missing.
    fn at(&self, row: usize) -> Option<i64> {
        match &self.numbers {
            None => Some(0),
            Some((_, Some(known))) if !known.value(row) => None,
            Some((numbers, _)) => Some(numbers[row]),
        }
    }
}

impl Reading<'_> {
    /// Reads who begins in which period.
    fn starts(&mut self, maker: &Maker, side: Side) -> Result<u64, ExecError> {
        let Side { mut program, picked, hold } = side;
        read(&mut program, |program, frame, first| {
            maker.source.check()?;
            maker.fits((self.members.len() * size_of::<Member>() + self.holders.len() * 48) as u64)?;
            let values = Values::of(&mut self.payload, program, hold)?;
            let (periods, Reading { holders, begun, members, without, .. }) = self.periods(frame);
            let Some(at) = &frame.at else { return Ok(()) };
            picked.each(program, frame, without, |row, id| {
                let next = holders.len() as u32;
                let holder = *holders.entry((id, values.at(row))).or_insert(next);
                if holder == next {
                    begun.push(i64::MIN);
                }
                let begun = &mut begun[holder as usize];
                if *begun != periods[row] {
                    *begun = periods[row];
                    let place = first.saturating_add(row as u32).min(NOWHERE - 1);
                    members.push(Member { at: at[row], place, period: periods[row], holder });
                }
            })
        })
    }

    /// Reads when they come back.
    fn backs(&mut self, maker: &Maker, side: Side) -> Result<u64, ExecError> {
        let Side { mut program, picked, hold } = side;
        self.backs.resize_with(self.begun.len(), Vec::new);
        let mut kept = 0_u64;
        read(&mut program, |program, frame, _| {
            maker.source.check()?;
            maker.fits(32 * kept)?;
            let values = Values::of(&mut self.payload, program, hold)?;
            let (periods, Reading { holders, backs, .. }) = self.periods(frame);
            let Some(at) = &frame.at else { return Ok(()) };
            picked.each(program, frame, &mut Vec::new(), |row, id| {
                let Some(value) = values.at(row) else { return };
                if let Some(holder) = holders.get(&(id, Some(value))) {
                    backs[*holder as usize].push((at[row], periods[row]));
                    kept += 1;
                }
            })
        })
    }

    /// The numbers of the periods of a frame's rows.
    fn periods(&mut self, frame: &Frame) -> (Vec<i64>, &mut Self) {
        let at = frame.at.as_ref().map_or(&[][..], |at| at);
        (period_numbers(at, &self.returns.grain, &mut self.days, &mut self.clock), self)
    }

    /// The members, each with the ages at which it is back.
    fn rows(&mut self, maker: &Maker) -> Result<Made, ExecError> {
        let Returns { grain, own_clock, onward, brackets, at_least, .. } = self.returns;
        let moments: Vec<i64> = self.members.iter().map(|member| member.at).collect();
        let cohorts = self.clock.truncate_all(grain, &mut Days::default(), &moments);
        let mut made = Made::with_capacity(2 * self.members.len());
        for (number, (member, cohort)) in self.members.iter().zip(cohorts).enumerate() {
            if number % 4096 == 0 {
                maker.source.check()?;
            }
            let Member { at, place, period, holder } = *member;
            made.push(at, place, cohort, MEMBER);
            let own = &self.backs[holder as usize];
            let later = match own_clock {
                true => own.partition_point(|back| back.0 <= at),
                false => own.partition_point(|back| back.1 <= period),
            };
            let mut clock = Period::new(at);
            let (mut age, mut count) = (0, 0);
            // The last age that has been kept, and the last one at which there were enough rows.
            let (mut known, mut last) = (0, 0);
            for back in &own[later..] {
                let next = match own_clock {
                    true => clock.go_to(&mut self.clock, grain, back.0),
                    false => back.1 - period,
                };
                count = if next == age { count + 1 } else { 1 };
                age = next;
                if count != *at_least {
                    continue;
                }
                last = bracket(age, brackets, *onward);
                if !onward && last > known {
                    known = last;
                    made.push(at, place, cohort, last);
                }
            }
            if *onward && last > 0 {
                made.push(at, place, cohort, last);
            }
        }
        Ok(made)
    }
}
