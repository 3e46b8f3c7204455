//! Sessions: rows of an entity that follow each other by no more than a gap.

use super::read::{Picked, read};
use super::{Maker, Rows};
use crate::ExecError;
use crate::rows::{Clock, Column, Days, Type, Values};
use kepi_model::calendar::Zone;
use kepi_model::core::{COUNT, Events, LENGTH, Row};
use kepi_model::value::CalendarSpan;

/// The own columns of sessions.
pub(super) fn own() -> Vec<(String, Type)> {
    vec![(LENGTH.into(), Type::Decimal(6)), (COUNT.into(), Type::Decimal(0))]
}

/// The session of an entity that may still go on.
#[derive(Clone, Copy)]
struct Open {
    /// The last instant at which a row still belongs to it.
    until: i64,
    last: i64,
    count: i64,
    session: u32,
}

const NONE: Open = Open { until: i64::MIN, last: 0, count: 0, session: u32::MAX };

/// Makes one row per session, at its first row. An array by id holds the session that is open.
pub(super) fn make(maker: &Maker, events: &Events, key: &Row, gap: CalendarSpan) -> Result<Rows, ExecError> {
    let mut program = maker.program(&events.base)?;
    let picked = Picked::new(&mut program, events, key)?;
    let zone = Zone::named(maker.zone).ok_or_else(|| ExecError::Plan(format!("no time zone `{}`", maker.zone)))?;
    let (mut clock, mut days) = (Clock::new(zone), Days::default());
    let mut open = vec![NONE; picked.ids(&program)?];
    let (mut at, mut places, mut without) = (Vec::new(), Vec::new(), Vec::new());
    let (mut lengths, mut counts) = (Vec::<i64>::new(), Vec::<i64>::new());
    let scanned = read(&mut program, |program, frame, first| {
        let Some(times) = &frame.at else { return Ok(()) };
        let untils = clock.add_all(gap, &mut days, times);
        picked.each(program, frame, &mut without, |row, id| {
            let Some(open) = open.get_mut(id as usize) else { return };
            let time = times[row];
            if open.session == NONE.session || time > open.until {
                if open.session != NONE.session {
                    let session = open.session as usize;
                    (lengths[session], counts[session]) = (open.last - at[session], open.count);
                }
                open.session = at.len() as u32;
                open.count = 0;
                at.push(time);
                places.push(first + row as u32);
                lengths.push(0);
                counts.push(0);
            }
            (open.until, open.last, open.count) = (untils[row], time, open.count + 1);
        })
    })?;
    for open in open.iter().filter(|open| open.session != NONE.session) {
        let session = open.session as usize;
        (lengths[session], counts[session]) = (open.last - at[session], open.count);
    }
    let own = vec![
        Column::new(Values::Decimal(lengths.into(), 6), None),
        Column::new(Values::Decimal(counts.into(), 0), None),
    ];
    Ok(Rows { at: at.into(), own, parents: vec![places], without, scanned })
}
