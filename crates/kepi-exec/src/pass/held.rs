//! What a state is for the entities of rows: read while the rows go by in the order of time.

use super::timeline::Timeline;
use super::windows::NO_BEGINNING;
use crate::ExecError;
use crate::rows::{Column, Frame, Program, Type, Values, power_f64};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use kepi_model::core::{State, When};

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
    at: Timeline,
    /// Read up to the beginning of the window.
    before: Option<Timeline>,
    scanned: u64,
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
        let entities = outer.is_of_entities();
        match asked {
            Asked::Value(When::Moment) => {}
            Asked::Value(When::Closing) if entities => {}
            Asked::Value(When::Opening) => outer.needs_period = true,
            Asked::Average | Asked::Time if entities => outer.needs_period = true,
            _ => return Err(ExecError::NotYet(format!("what `{}` will be at the end of a row's period", state.text))),
        }
        outer.sequential = true;
        let totals = matches!(asked, Asked::Average | Asked::Time);
        let timeline = || Timeline::new(state, &outer.source, &outer.zone, outer.now, totals);
        let at = timeline()?;
        if asked == Asked::Average && !at.ty().is_number() && *at.ty() != Type::Bool {
            return Err(ExecError::Plan(format!("the mean of `{}` is one of {}", state.text, at.ty().words())));
        }
        let before = if totals { Some(timeline()?) } else { None };
        Ok(Held { of, asked, state: state.clone(), now: outer.now, at, before, scanned: 0 })
    }

    /// The type of what it gives.
    pub(crate) fn ty(&self) -> Type {
        match self.asked {
            Asked::Value(_) => self.at.ty().clone(),
            Asked::Average => Type::Float,
            Asked::Time => Type::Decimal(6),
        }
    }

    /// How many rows were read for it.
    pub(crate) fn rows_scanned(&self) -> u64 {
        self.scanned + self.at.rows_scanned() + self.before.as_ref().map_or(0, Timeline::rows_scanned)
    }

    /// The moment of the first row that may begin it.
    pub(crate) fn first_row(&self) -> Result<Option<i64>, ExecError> {
        self.at.first_row()
    }

    /// The moment of the first row that began it, of those that have been read.
    pub(crate) fn first(&self) -> Option<i64> {
        self.at.first()
    }

    /// Whose state it is, a node, where it is given as it is at a row's own moment.
    pub(crate) fn of_moment(&self) -> Option<usize> {
        matches!(self.asked, Asked::Value(When::Moment | When::Closing)).then_some(self.of)
    }

    /// Keeps from now on for whom it changes.
    pub(crate) fn watch(&mut self) {
        self.at.watch_changes();
    }

    /// Goes on to a moment, and names everybody for whom it has changed since the one before, some more than once.
    pub(crate) fn changed(&mut self, moment: i64, each: impl FnMut(u32)) -> Result<(), ExecError> {
        self.at.changed(moment, each)
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
        let moment = |row: usize| match (when, &frame.cell_starts) {
            (When::Opening, Some(starts)) => starts[row].saturating_sub(1),
            _ => at[row].saturating_sub(frame.back),
        };
        let mut out = vec![0; frame.len];
        // The rows of an entity's frame have one moment, and most states are read once for all of them.
        let one = frame.ids.is_some() || frame.len == 1;
        let held = match frame.len {
            0 => BooleanBuffer::new_unset(0),
            _ if one => {
                self.go_to(moment(0))?;
                let (standing, moment) = (&self.at.standing, moment(0));
                BooleanBuffer::collect_bool(frame.len, |row| {
                    let Some(id) = subjects.get(row) else { return false };
                    let value = if id < standing.ids() { standing.value(id, moment) } else { None };
                    out[row] = value.unwrap_or(0);
                    value.is_some()
                })
            }
            len => {
                let mut held = vec![false; len];
                for (row, held) in held.iter_mut().enumerate() {
                    let moment = moment(row);
                    self.go_to(moment)?;
                    let standing = &self.at.standing;
                    let id = subjects.get(row).filter(|&id| id < standing.ids());
                    let value = id.and_then(|id| standing.value(id, moment));
                    out[row] = value.unwrap_or(0);
                    *held = value.is_some();
                }
                BooleanBuffer::from(held)
            }
        };
        Ok(match self.at.ty() {
            Type::Bool => Column::of_mask(BooleanBuffer::collect_bool(frame.len, |row| out[row] != 0)),
            // A number is 0 where nothing holds.
            Type::Decimal(_) => self.at.payload.decode(out, None),
            Type::Float => {
                let zero = crate::rows::from_float(0.0);
                out.iter_mut().enumerate().filter(|(row, _)| !held.value(*row)).for_each(|(_, v)| *v = zero);
                self.at.payload.decode(out, None)
            }
            _ => self.at.payload.decode(out, Some(NullBuffer::new(held))),
        })
    }

    fn totals(&mut self, subjects: Subjects<'_>, frame: &Frame) -> Result<Column, ExecError> {
        let ends = frame.at.as_ref().and_then(|at| at.first());
        let starts = frame.cell_starts.as_ref().and_then(|starts| starts.first());
        let (Some(&end), Some(&start)) = (ends, starts) else { return Ok(Column::missing(frame.len)) };
        let end = end.min(self.now);
        self.go_to(end.saturating_sub(1))?;
        // Without a beginning it begins with the first row.
        let start = if start == NO_BEGINNING { self.at.first().unwrap_or(end) } else { start };
        if start >= end {
            return Ok(Column::missing(frame.len));
        }
        self.go_before(start.saturating_sub(1))?;
        let (Some(before), at) = (&self.before, &self.at) else { return Ok(Column::missing(frame.len)) };
        let length = (end - start) as f64;
        let mut micros = vec![0; frame.len];
        let mut means = vec![0.0; if self.asked == Asked::Average { frame.len } else { 0 }];
        let scale = if let Type::Decimal(scale) = at.ty() { power_f64(*scale) } else { 1.0 };
        let held = BooleanBuffer::collect_bool(frame.len, |row| {
            let Some(id) = subjects.get(row).filter(|&id| id < at.standing.ids()) else { return false };
            micros[row] = at.standing.micros(id, end) - before.standing.micros(id, start);
            if micros[row] == 0 {
                return false;
            }
            if let Some(mean) = means.get_mut(row) {
                *mean = match at.ty() {
                    Type::Decimal(_) => {
                        (at.standing.digits(id, end) - before.standing.digits(id, start)) as f64 / (length * scale)
                    }
                    Type::Float => {
                        let mut sum = at.standing.floats(id, end);
                        sum.subtract(&before.standing.floats(id, start));
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

    /// Reads the state up to a moment, anew where moments go back.
    #[inline]
    fn go_to(&mut self, moment: i64) -> Result<(), ExecError> {
        if self.at.is_beyond(moment) {
            self.scanned += self.at.begin_again(&self.state)?;
        }
        self.at.advance(moment)
    }

    fn go_before(&mut self, moment: i64) -> Result<(), ExecError> {
        let Some(before) = &mut self.before else { return Ok(()) };
        if before.is_beyond(moment) {
            self.scanned += before.begin_again(&self.state)?;
        }
        before.advance(moment)
    }
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
