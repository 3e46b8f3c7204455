//! Made rows of a stretch of time: those that are made of the rows in it alone.

use crate::ExecError;
use crate::Source;
use crate::rows::{Frame, Frames, Program};
use kepi_model::core::Made;
use std::sync::Arc;

/// From an instant on, up to before another, and of whom; none: without an end, and everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) from: Option<i64>,
    pub(crate) until: Option<i64>,
    /// The first id, and the one behind the last.
    pub(crate) ids: Option<(u32, u32)>,
    /// Of attempts: those wanted begin before this; the rows up to `until` are read for their sake.
    pub(crate) begun: Option<i64>,
    /// Of attempts: only the one of each entity that got furthest, among those that begin in this time, the end excluded.
    /// The others of them may be left out, but for the first of all.
    pub(crate) furthest: Option<(i64, i64)>,
}

impl Source {
    /// The same, where some made rows are made of some rows only. Only who knows what that leaves out asks for it.
    pub(crate) fn of_stretch(&self, made: &Made, time: Stretch) -> Source {
        Source { stretch: Some(Arc::new((made.clone(), time))), ..self.clone() }
    }

    /// The same, where of attempts of a chain only those that got furthest are wanted.
    pub(crate) fn of_furthest(&self, made: &Made, from: i64, until: i64) -> Source {
        let time = self.stretch_of(made);
        let from = time.from.map_or(from, |first| first.max(from));
        let until = time.begun.map_or(until, |end| end.min(until));
        self.of_stretch(made, Stretch { furthest: Some((from, until)), ..time })
    }

    /// Of which rows made rows are made.
    pub(super) fn stretch_of(&self, made: &Made) -> Stretch {
        self.stretch.as_deref().filter(|stretch| stretch.0 == *made).map(|stretch| stretch.1).unwrap_or_default()
    }
}

impl Stretch {
    /// Begins to read its rows.
    pub(super) fn frames(self, program: &Program) -> Result<Frames, ExecError> {
        // What has a past sees all rows before.
        let from = self.from.filter(|_| !program.needs_past && !program.sequential);
        program.frames(from, self.until)
    }

    /// The next of its rows; those before it go by.
    pub(super) fn next(self, frames: &mut Frames, program: &mut Program) -> Result<Option<Frame>, ExecError> {
        loop {
            let Some(frame) = frames.next(program)? else { return Ok(None) };
            let (Some(from), Some(at)) = (self.from, &frame.at) else { return Ok(Some(frame)) };
            let before = at.partition_point(|&t| t < from);
            if before == 0 {
                return Ok(Some(frame));
            }
            let rows: Vec<u32> = (0..frame.len as u32).collect();
            let (gone, own) = rows.split_at(before);
            program.evaluate_past(&frame.rows(gone))?;
            if !own.is_empty() {
                return Ok(Some(frame.rows(own)));
            }
        }
    }
}
