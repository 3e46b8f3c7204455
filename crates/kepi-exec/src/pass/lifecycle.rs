//! What entities are by the periods in which they have rows: new, returning, resurrecting, dormant.

use super::Lot;
use super::feed::Feed;
use crate::ExecError;
use crate::rows::{Clock, Column, Days, Frame, Program, Type, Values, period_numbers};
use arrow_array::StringArray;
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use kepi_model::calendar::Grain;
use kepi_model::core::Keyed;
use std::sync::Arc;

/// The stages, by code.
const STAGES: [&str; 4] = ["new", "returning", "resurrecting", "dormant"];
const NEW: u32 = 0;
const RETURNING: u32 = 1;
const RESURRECTING: u32 = 2;
const DORMANT: u32 = 3;

/// The stage of the entities that a node gives, at the rows' moments: what comes later is not known yet, so somebody who
/// returns in the second half of a month is dormant in the first.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    of: usize,
    feed: Feed,
    grain: Grain,
    /// The node of a row's period.
    period: usize,
    periods: ScalarBuffer<i64>,
    batch: u64,
    entities: Vec<Periods>,
    days: [Days; 2],
    stages: Arc<StringArray>,
    /// While changes are followed: who has had rows since the moment that was last asked about, or had a stage then.
    touched: Option<Touched>,
    /// Whose rows are looked at.
    lot: Lot,
}

/// Some entities, each once.
#[derive(Debug)]
struct Touched {
    ids: Vec<u32>,
    /// By id.
    listed: Vec<bool>,
}

/// The numbers of the periods in which an entity had its first row, its last, and its last in another period than that.
#[derive(Clone, Copy, Debug)]
struct Periods {
    first: i64,
    last: i64,
    before: i64,
}

const NEVER: i64 = i64::MIN;

impl Periods {
    fn add(&mut self, period: i64) {
        if self.first == NEVER {
            self.first = period;
        }
        if self.last != period {
            (self.before, self.last) = (self.last, period);
        }
    }

    fn stage(self, period: i64) -> Option<u32> {
        if self.last == NEVER {
            return None;
        }
        if self.last == period {
            return Some(match (self.first == period, self.before == period - 1) {
                (true, _) => NEW,
                (false, true) => RETURNING,
                (false, false) => RESURRECTING,
            });
        }
        (self.last == period - 1).then_some(DORMANT)
    }
}

impl Lifecycle {
    /// Of the entities that a node of a program gives, by the rows of an event.
    pub(crate) fn new(outer: &mut Program, rows: &Keyed, of: usize, grain: &Grain) -> Result<Lifecycle, ExecError> {
        if !outer.is_dated() {
            return Err(ExecError::NotYet("the lifecycle at rows without a moment".into()));
        }
        let (entity, ids) = match outer.ty(of) {
            Type::Id(entity) => (entity.to_string(), outer.ids(entity)),
            Type::Missing => (String::new(), 0),
            other => return Err(ExecError::Plan(format!("{} has a lifecycle", other.words()))),
        };
        let mut program = Program::of_base(&rows.events.base, &outer.source, &outer.zone, outer.now)?;
        let period = program.period_of_moment(grain)?;
        let feed = Feed::new(program, &rows.events, &rows.key, &entity, "a lifecycle")?;
        outer.sequential = true;
        let nothing = Periods { first: NEVER, last: NEVER, before: NEVER };
        Ok(Lifecycle {
            of,
            feed,
            grain: grain.clone(),
            period,
            periods: ScalarBuffer::default(),
            batch: 0,
            entities: vec![nothing; ids],
            days: [Days::default(), Days::default()],
            stages: Arc::new(StringArray::from_iter_values(STAGES)),
            touched: None,
            lot: Lot::ALL,
        })
    }

    /// How many rows were read for it.
    pub(crate) fn rows_scanned(&self) -> u64 {
        self.feed.rows_scanned()
    }

    /// Looks only at the rows of some entities.
    pub(crate) fn look_at(&mut self, lot: Lot) {
        self.lot = lot;
    }

    /// Whose stage it is: a node.
    pub(crate) fn subject(&self) -> usize {
        self.of
    }

    /// Keeps from now on for whom it changes.
    pub(crate) fn watch(&mut self) {
        self.touched = Some(Touched { ids: Vec::new(), listed: vec![false; self.entities.len()] });
    }

    /// Goes on to a moment, and names everybody for whom it may have changed since the one before, some more than once.
    pub(crate) fn changed(&mut self, moment: i64, mut each: impl FnMut(u32)) -> Result<(), ExecError> {
        self.advance(moment)?;
        let Some(touched) = &mut self.touched else { return Ok(()) };
        touched.ids.iter().for_each(|&id| each(id));
        // Who has a stage may have another one later without doing anything; who has none has to do something first.
        let clock = &mut self.feed.program.clock;
        let period = period_numbers(&[moment], &self.grain, &mut self.days, clock)[0];
        let entities = &self.entities;
        let Touched { ids, listed } = touched;
        ids.retain(|&id| {
            let stays = entities.get(id as usize).is_some_and(|e| e.stage(period).is_some());
            listed[id as usize] = stays;
            stays
        });
        Ok(())
    }

    /// Reads the stage for each row.
    pub(crate) fn evaluate(
        &mut self,
        values: &[Column],
        frame: &Frame,
        clock: &mut Clock,
    ) -> Result<Column, ExecError> {
        let Some(at) = &frame.at else { return Err(ExecError::Plan("a row has no moment".into())) };
        let of = &values[self.of];
        let Values::Id(ids, _) = &of.values else { return Ok(Column::missing(frame.len)) };
        let seen: Vec<i64> = at.iter().map(|&t| t.saturating_sub(frame.back)).collect();
        let periods = period_numbers(&seen, &self.grain, &mut self.days, clock);
        let mut codes = vec![0; frame.len];
        let mut known = vec![false; frame.len];
        for row in 0..frame.len {
            self.advance(seen[row])?;
            let entity = self.entities.get(ids[row] as usize).filter(|_| of.is_known(row));
            if let Some(stage) = entity.and_then(|e| e.stage(periods[row])) {
                (codes[row], known[row]) = (stage, true);
            }
        }
        let valid = NullBuffer::new(BooleanBuffer::from(known));
        Ok(Column::new(Values::Codes(codes.into(), Arc::clone(&self.stages)), Some(valid)))
    }

    /// Adds all rows that are not later than a moment.
    fn advance(&mut self, moment: i64) -> Result<(), ExecError> {
        while self.feed.peek()?.is_some_and(|at| at <= moment) {
            if self.batch != self.feed.batch() {
                self.batch = self.feed.batch();
                self.periods = match &self.feed.column(self.period).values {
                    Values::Decimal(periods, _) => periods.clone(),
                    other => return Err(ExecError::Plan(format!("the number of a period is {}", other.words()))),
                };
            }
            let (entities, periods, touched, lot) = (&mut self.entities, &self.periods, &mut self.touched, self.lot);
            self.feed.take(moment, |row, _, id| {
                if let Some(entity) = entities.get_mut(id).filter(|_| lot.has(id)) {
                    entity.add(periods[row]);
                    if let Some(Touched { ids, listed }) = touched
                        && !std::mem::replace(&mut listed[id], true)
                    {
                        ids.push(id as u32);
                    }
                }
            });
        }
        Ok(())
    }
}
