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
}

impl Source {
    /// The same, where some made rows are made of some rows only. Only who knows what that leaves out asks for it.
    pub(crate) fn of_stretch(&self, made: &Made, time: Stretch) -> Source {
        Source { stretch: Some(Arc::new((made.clone(), time))), ..self.clone() }
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
