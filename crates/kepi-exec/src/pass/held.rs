//! What a state is for the entities of rows: read while the rows go by in the order of time.

use super::exact::FloatSum;
use super::standing::Standing;
use super::timeline::Timeline;
use super::windows::NO_BEGINNING;
use super::{Lot, Source};
use crate::ExecError;
use crate::made::Taken;
use crate::rows::{Column, Frame, Program, Type, Values, power_f64};
use crate::zeros::zeros;
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use kepi_model::core::{Row, RowNode, State, When};
use kepi_model::value::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is asked of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Its value.
    Value(When),
    /// Its mean over the window.
    Average,
    /// For how long it held in the window.
    Time,
}

/// A state as a column.
#[derive(Debug)]
pub(crate) struct Held {
    of: usize,
    asked: Asked,
    state: State,
    now: i64,
    /// Read up to the moment, or up to the end of the window.
    at: Arc<Mutex<Line>>,
    /// Whether it is the first of those that read it.
    leads: bool,
    /// Whether only that anything holds is read from it.
    any: bool,
    /// Whose it is.
    lot: Lot,
    ty: Type,
    /// What had come together up to the beginning of a window.
    begun: Option<Begun>,
    /// Read up to the beginning of the window, where that cannot be noted on the way.
    before: Option<Timeline>,
    scanned: u64,
}

/// What had come together for each entity up to an instant, as [`super::standing::Standing`] gives it.
#[derive(Debug)]
struct Begun {
    at: i64,
    _taken: Taken,
    micros: Vec<i64>,
    digits: Vec<i128>,
    floats: Vec<FloatSum>,
}

impl Begun {
    /// Errors: it takes more memory than there may be.
    fn of(standing: &Standing, at: i64, ty: &Type, means: bool, source: &Source) -> Result<Begun, ExecError> {
        let ids = 0..standing.ids();
        let digits = means && matches!(ty, Type::Decimal(_));
        let floats = means && *ty == Type::Float;
        let value = match (digits, floats) {
            (true, _) => size_of::<i128>(),
            (_, true) => size_of::<FloatSum>(),
            _ => 0,
        };
        Ok(Begun {
            at,
            _taken: source.take(ids.len() * (size_of::<i64>() + value))?,
            micros: ids.clone().map(|id| standing.micros(id, at)).collect(),
            digits: if digits { ids.clone().map(|id| standing.digits(id, at)).collect() } else { Vec::new() },
            floats: if floats { ids.map(|id| standing.floats(id, at)).collect() } else { Vec::new() },
        })
    }
}

/// A timeline, which several columns of a program may read.
#[derive(Debug)]
struct Line {
    timeline: Timeline,
    /// Where the same timeline says what held at the beginning of a window and what holds at its end.
    opening: Option<Opening>,
}

/// What held for each entity at the beginning of a window.
#[derive(Debug)]
struct Opening {
    values: Vec<i64>,
    held: Vec<bool>,
    /// For whom something has changed since.
    stale: Vec<u32>,
}

fn locked(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    /// Goes on to the beginning of a window, and notes what holds there; then to its end. Names everybody for whom either
    /// has changed since the window before.
    fn changed(&mut self, from: i64, until: i64, mut each: impl FnMut(u32)) -> Result<(), ExecError> {
        let Line { timeline, opening: Some(Opening { values, held, stale }) } = self else { return Ok(()) };
        let begin = from.saturating_sub(1);
        timeline.changed(begin, |id| stale.push(id))?;
        for id in stale.drain(..) {
            let value = timeline.standing.value(id as usize, begin);
            (values[id as usize], held[id as usize]) = (value.unwrap_or(0), value.is_some());
            each(id);
        }
        timeline.changed(until.saturating_sub(1), |id| {
            each(id);
            stale.push(id);
        })
    }
}

impl Held {
    /// A state of the entities that a node of a program gives.
    pub(crate) fn new(outer: &mut Program, state: &State, of: usize, asked: Asked) -> Result<Held, ExecError> {
        if !outer.is_dated() {
            return Err(ExecError::NotYet(format!("`{}` of rows without a moment", state.text)));
        }
        match outer.ty(of) {
            Type::Id(entity) if **entity == *state.entity => {}
            Type::Missing => {}
            other => {
                let (text, entity) = (&state.text, &state.entity);
                return Err(ExecError::Plan(format!("`{text}` of {entity} is asked of {}", other.words())));
            }
        }
        let cells = outer.is_of_entities() || outer.is_of_groups();
        match asked {
            Asked::Value(When::Moment) => {}
            Asked::Value(When::Closing) if cells => {}
            Asked::Value(When::Opening) => outer.needs_period = true,
            Asked::Average | Asked::Time if cells => outer.needs_period = true,
            _ => return Err(ExecError::NotYet(format!("what `{}` will be at the end of a row's period", state.text))),
        }
        outer.sequential = true;
        let totals = matches!(asked, Asked::Average | Asked::Time);
        let timeline = || Timeline::new(state, &outer.source, &outer.zone, outer.now, totals);
        let at = timeline()?;
        if asked == Asked::Average && !at.ty().is_number() && *at.ty() != Type::Bool {
            return Err(ExecError::Plan(format!("the mean of `{}` is one of {}", state.text, at.ty().words())));
        }
        let ty = at.ty().clone();
        let at = Arc::new(Mutex::new(Line { timeline: at, opening: None }));
        Ok(Held {
            of,
            asked,
            state: state.clone(),
            now: outer.now,
            at,
            leads: true,
            any: false,
            lot: Lot::ALL,
            ty,
            begun: None,
            before: None,
            scanned: 0,
        })
    }

    /// The type of what it gives.
    pub(crate) fn ty(&self) -> Type {
        match self.asked {
            Asked::Value(_) => self.ty.clone(),
            Asked::Average => Type::Float,
            Asked::Time => Type::Decimal(6),
        }
    }

    /// How many rows were read for it.
    pub(crate) fn rows_scanned(&self) -> u64 {
        let own = if self.leads { locked(&self.at).timeline.rows_scanned() } else { 0 };
        self.scanned + own + self.before.as_ref().map_or(0, Timeline::rows_scanned)
    }

    /// The moment of the first row that may begin it.
    pub(crate) fn first_row(&self) -> Result<Option<i64>, ExecError> {
        locked(&self.at).timeline.first_row()
    }

    /// The moment of the first row that began it, of those that have been read.
    pub(crate) fn first(&self) -> Option<i64> {
        locked(&self.at).timeline.first()
    }

    /// Whose state it is: a node.
    pub(crate) fn subject(&self) -> usize {
        self.of
    }

    /// Whether it is given as it is at one moment of a window.
    pub(crate) fn is_of_moment(&self) -> bool {
        matches!(self.asked, Asked::Value(_))
    }

    /// Whether it takes the end of the cell to say it.
    pub(crate) fn is_of_end(&self) -> bool {
        !matches!(self.asked, Asked::Value(When::Moment | When::Opening))
    }

    /// Looks only at the rows of some entities.
    pub(crate) fn look_at(&mut self, lot: Lot) {
        locked(&self.at).timeline.look_at(lot);
        self.lot = lot;
    }

    /// Keeps from now on for whom it changes.
    pub(crate) fn watch(&mut self) {
        locked(&self.at).timeline.watch_changes();
    }

    /// Whether it has values that another column may only ask for being there.
    pub(crate) fn has_values(&self) -> bool {
        self.state.value.is_some() && self.state.holds.is_none()
    }

    /// Reads the timeline of another column of the same state, where both ask for it at moments of windows; whether that
    /// is possible. `apart`: no window begins before the one before it ends.
    pub(crate) fn joins(&mut self, leader: &Held, apart: bool) -> bool {
        let opening = [self.asked, leader.asked].contains(&Asked::Value(When::Opening));
        let values = |held: &Held| matches!(held.asked, Asked::Value(_));
        let any = leader.has_values() && of_any_value(&self.state, &leader.state);
        let same = leader.state == self.state || any;
        if !leader.leads || !same || !values(self) || !values(leader) || opening && !apart {
            return false;
        }
        if opening {
            let mut line = locked(&leader.at);
            let ids = line.timeline.standing.ids();
            let nothing = || Opening { values: zeros(ids), held: vec![false; ids], stale: Vec::new() };
            line.opening.get_or_insert_with(nothing);
        }
        (self.at, self.leads, self.any) = (Arc::clone(&leader.at), false, any);
        // Whoever goes back in time reads what all of them read anew.
        self.state = leader.state.clone();
        true
    }

    /// Goes on to the moment of a window, and names everybody for whom it has changed since the one before, some more
    /// than once.
    pub(crate) fn changed(&mut self, from: i64, until: i64, each: impl FnMut(u32)) -> Result<(), ExecError> {
        if !self.leads {
            return Ok(());
        }
        let mut line = locked(&self.at);
        if line.opening.is_some() {
            return line.changed(from, until, each);
        }
        let instant = if self.asked == Asked::Value(When::Opening) { from } else { until };
        line.timeline.changed(instant.saturating_sub(1), each)
    }

    /// Reads the state for each row.
    pub(crate) fn evaluate(&mut self, values: &[Column], frame: &Frame) -> Result<Column, ExecError> {
        let subjects = match &values[self.of].values {
            Values::Id(ids, _) => Subjects { ids: Some(ids), known: values[self.of].valid.as_ref() },
            _ => Subjects { ids: None, known: None },
        };
        match self.asked {
            Asked::Value(when) => self.values(subjects, when, frame),
            Asked::Average | Asked::Time => self.totals(subjects, frame),
        }
    }

    fn values(&mut self, subjects: Subjects<'_>, when: When, frame: &Frame) -> Result<Column, ExecError> {
        let Some(at) = &frame.at else { return Err(ExecError::Plan("a row has no moment".into())) };
        let moment = |row: usize| match (when, &frame.cell_starts, frame.cell_end) {
            (When::Opening, Some(starts), _) => starts[row].saturating_sub(1),
            (When::Closing, _, Some(end)) => end.saturating_sub(1),
            _ => at[row].saturating_sub(frame.back),
        };
        let mut out = vec![0; frame.len];
        let line = Arc::clone(&self.at);
        let mut line = locked(&line);
        let Line { timeline, opening } = &mut *line;
        // The rows of an entity's frame have one moment, and most states are read once for all of them.
        let one = frame.ids.is_some() || frame.len == 1;
        let held = match (frame.len, &*opening) {
            (0, _) => BooleanBuffer::new_unset(0),
            (_, Some(opening)) if when == When::Opening => BooleanBuffer::collect_bool(frame.len, |row| {
                let Some(id) = subjects.get(row) else { return false };
                out[row] = opening.values.get(id).copied().unwrap_or(0);
                opening.held.get(id).copied().unwrap_or(false)
            }),
            _ if one => {
                go_to(timeline, moment(0), &self.state, &mut self.scanned)?;
                let (standing, moment) = (&timeline.standing, moment(0));
                BooleanBuffer::collect_bool(frame.len, |row| {
                    let Some(id) = subjects.get(row) else { return false };
                    let value = if id < standing.ids() { standing.value(id, moment) } else { None };
                    out[row] = value.unwrap_or(0);
                    value.is_some()
                })
            }
            (len, _) => {
                let mut held = vec![false; len];
                for (row, held) in held.iter_mut().enumerate() {
                    let moment = moment(row);
                    go_to(timeline, moment, &self.state, &mut self.scanned)?;
                    let standing = &timeline.standing;
                    let id = subjects.get(row).filter(|&id| id < standing.ids());
                    let value = id.and_then(|id| standing.value(id, moment));
                    out[row] = value.unwrap_or(0);
                    *held = value.is_some();
                }
                BooleanBuffer::from(held)
            }
        };
        let payload = &mut timeline.payload;
        Ok(match &self.ty {
            Type::Bool if self.any => Column::of_mask(held),
            Type::Bool => Column::of_mask(BooleanBuffer::collect_bool(frame.len, |row| out[row] != 0)),
            // A number is 0 where nothing holds.
            Type::Decimal(_) => payload.decode(out, None),
            Type::Float => {
                let zero = crate::rows::from_float(0.0);
                out.iter_mut().enumerate().filter(|(row, _)| !held.value(*row)).for_each(|(_, v)| *v = zero);
                payload.decode(out, None)
            }
            _ => payload.decode(out, Some(NullBuffer::new(held))),
        })
    }

    fn totals(&mut self, subjects: Subjects<'_>, frame: &Frame) -> Result<Column, ExecError> {
        let ends = frame.cell_end.as_ref().or(frame.at.as_ref().and_then(|at| at.first()));
        let starts = frame.cell_starts.as_ref().and_then(|starts| starts.first());
        let (Some(&end), Some(&start)) = (ends, starts) else { return Ok(Column::missing(frame.len)) };
        let end = end.min(self.now);
        let line = Arc::clone(&self.at);
        let mut line = locked(&line);
        let at = &mut line.timeline;
        if start != NO_BEGINNING && start < end {
            self.begin(at, start)?;
        }
        go_to(at, end.saturating_sub(1), &self.state, &mut self.scanned)?;
        // Without a beginning it begins with the first row, before which there is nothing.
        let (start, begun) = match start {
            NO_BEGINNING => (at.first().unwrap_or(end), None),
            start => (start, self.begun.as_ref()),
        };
        if start >= end {
            return Ok(Column::missing(frame.len));
        }
        let length = (end - start) as f64;
        let mut micros = vec![0; frame.len];
        let mut means = vec![0.0; if self.asked == Asked::Average { frame.len } else { 0 }];
        let scale = if let Type::Decimal(scale) = at.ty() { power_f64(*scale) } else { 1.0 };
        let held = BooleanBuffer::collect_bool(frame.len, |row| {
            let Some(id) = subjects.get(row).filter(|&id| id < at.standing.ids()) else { return false };
            let before = match (begun, at.standing.outside()) {
                (Some(begun), _) => begun.micros[id],
                (None, Some(outside)) => outside.micros_before(id, start),
                (None, None) => 0,
            };
            micros[row] = at.standing.micros(id, end) - before;
            if micros[row] == 0 {
                return false;
            }
            if let Some(mean) = means.get_mut(row) {
                *mean = match at.ty() {
                    Type::Decimal(_) => {
                        let before = begun.map_or(0, |begun| begun.digits[id]);
                        (at.standing.digits(id, end) - before) as f64 / (length * scale)
                    }
                    Type::Float => {
                        let mut sum = at.standing.floats(id, end);
                        if let Some(begun) = begun {
                            sum.subtract(&begun.floats[id]);
                        }
                        sum.value() / length
                    }
                    _ => micros[row] as f64 / length,
                };
            }
            true
        });
        let values = match self.asked {
            Asked::Average => Values::Float(ScalarBuffer::from(means)),
            _ => Values::Decimal(ScalarBuffer::from(micros), 6),
        };
        Ok(Column::new(values, Some(NullBuffer::new(held))))
    }

    /// Notes what has come together up to an instant: on the way, where the timeline is not beyond it.
    fn begin(&mut self, timeline: &mut Timeline, start: i64) -> Result<(), ExecError> {
        if self.begun.as_ref().is_some_and(|begun| begun.at == start) {
            return Ok(());
        }
        let means = self.asked == Asked::Average;
        if !timeline.is_beyond(start.saturating_sub(1)) {
            timeline.advance(start.saturating_sub(1))?;
            // What was noted before makes room first.
            self.begun = None;
            self.begun = Some(Begun::of(&timeline.standing, start, &self.ty, means, timeline.source())?);
            return Ok(());
        }
        let before = match &mut self.before {
            Some(before) => before,
            none => {
                let mut again = timeline.again(&self.state)?;
                again.look_at(self.lot);
                none.insert(again)
            }
        };
        go_to(before, start.saturating_sub(1), &self.state, &mut self.scanned)?;
        self.begun = None;
        self.begun = Some(Begun::of(&before.standing, start, &self.ty, means, before.source())?);
        Ok(())
    }
}

/// Whether a yes/no state is that of having any value of another one.
fn of_any_value(state: &State, values: &State) -> bool {
    let yes = |row: &Row| row.node == RowNode::Const(Value::Bool(true));
    let State { entity, from, key, value, until, .. } = values;
    state.holds.as_ref().is_some_and(yes)
        && state.existence.is_none()
        && (&state.entity, &state.from, &state.key, &state.value, &state.until) == (entity, from, key, value, until)
}

/// Reads a state up to a moment, anew where moments go back: then `scanned` grows by what had been read.
#[inline]
fn go_to(timeline: &mut Timeline, moment: i64, state: &State, scanned: &mut u64) -> Result<(), ExecError> {
    if timeline.is_beyond(moment) {
        *scanned += timeline.begin_again(state)?;
    }
    timeline.advance(moment)
}

/// The entities of rows.
#[derive(Clone, Copy)]
struct Subjects<'a> {
    ids: Option<&'a ScalarBuffer<u32>>,
    known: Option<&'a NullBuffer>,
}

impl Subjects<'_> {
    #[inline]
    fn get(&self, row: usize) -> Option<usize> {
        let id = self.ids?[row] as usize;
        self.known.is_none_or(|k| k.is_valid(row)).then_some(id)
    }
}
