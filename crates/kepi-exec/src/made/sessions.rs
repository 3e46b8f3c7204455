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
    first: i64,
    last: i64,
    count: u32,
    session: u32,
}

const NONE: Open = Open { until: i64::MIN, first: 0, last: 0, count: 0, session: u32::MAX };

impl Open {
    /// Writes down the length and the count of a session that is over.
    #[inline]
    fn close(&self, done: &mut [(i64, i64)]) {
        if let Some(done) = done.get_mut(self.session as usize) {
            *done = (self.last - self.first, i64::from(self.count));
        }
    }
}

/// Makes one row per session, at its first row. An array by id holds the session that is open.
pub(super) fn make(maker: &Maker, events: &Events, key: &Row, gap: CalendarSpan) -> Result<Rows, ExecError> {
    let mut program = maker.program(&events.base)?;
    let picked = Picked::new(&mut program, events, key)?;
    let zone = Zone::named(maker.zone).ok_or_else(|| ExecError::Plan(format!("no time zone `{}`", maker.zone)))?;
    let (mut clock, mut days) = (Clock::new(zone), Days::default());
    let mut open = vec![NONE; picked.ids(&program)?];
    let (mut at, mut places, mut without) = (Vec::new(), Vec::new(), Vec::new());
    let mut done: Vec<(i64, i64)> = Vec::new();
    let scanned = read(&mut program, |program, frame, first| {
        let Some(times) = &frame.at else { return Ok(()) };
        let untils = clock.add_all(gap, &mut days, times);
        picked.each(program, frame, &mut without, |row, id| {
            let Some(open) = open.get_mut(id as usize) else { return };
            let time = times[row];
            if open.session == NONE.session || time > open.until {
                open.close(&mut done);
                (open.session, open.first, open.count) = (at.len() as u32, time, 0);
                at.push(time);
                places.push(first + row as u32);
                done.push((0, 0));
            }
            (open.until, open.last, open.count) = (untils[row], time, open.count + 1);
        })
    })?;
    open.iter().for_each(|open| open.close(&mut done));
    let own = vec![
        Column::new(Values::Decimal(done.iter().map(|d| d.0).collect(), 6), None),
        Column::new(Values::Decimal(done.iter().map(|d| d.1).collect(), 0), None),
    ];
    Ok(Rows { at: at.into(), own, parents: vec![places], known: Vec::new(), without, scanned })
}
