//! The rows of an event, derived or not, that name an entity: read in the order of time, as far as somebody wants them.

use super::accumulate::Rows;
use crate::ExecError;
use crate::rows::{Base, Before, Column, Frames, Program, Type, Values};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use kepi_model::core::{Events, Row};

/// A batch of rows at a time.
pub(crate) struct Feed {
    pub(crate) program: Program,
    mask: Option<usize>,
    key: usize,
    /// What must be known of a row that takes part.
    needed: Option<usize>,
    frames: Option<Frames>,
    /// Only rows from one instant on and before another one are read.
    time: (Option<i64>, Option<i64>),
    at: ScalarBuffer<i64>,
    taken: Option<BooleanBuffer>,
    ids: Option<ScalarBuffer<u32>>,
    next: usize,
    /// How many rows of the base came before this batch.
    before: u32,
    batch: u64,
    ended: bool,
    /// The moments of the rows without the entity, where somebody wants to know.
    without: Option<Vec<i64>>,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("program", &self.program).finish_non_exhaustive()
    }
}

impl Feed {
    /// The rows of events with the entity of each, a node of kind `entity`. `what` it is for, in words, for errors.
    pub(crate) fn new(
        mut program: Program,
        events: &Events,
        key: &Row,
        entity: &str,
        what: &str,
    ) -> Result<Feed, ExecError> {
        if !program.is_dated() {
            return Err(ExecError::NotYet(format!("{what} by rows without a moment")));
        }
        let mask = program.rows_of(events, None)?;
        let key = program.row(key)?;
        match program.ty(key) {
            Type::Id(of) if **of == *entity => {}
            Type::Missing => {}
            other => return Err(ExecError::Plan(format!("{what} is one of {entity}, not of {}", other.words()))),
        }
        let at = ScalarBuffer::default();
        Ok(Feed {
            program,
            mask,
            key,
            needed: None,
            frames: None,
            time: (None, None),
            at,
            taken: None,
            ids: None,
            next: 0,
            before: 0,
            batch: 0,
            ended: false,
            without: None,
        })
    }

    /// Reads only rows from an instant on, if any, and before another one; nothing was read yet.
    pub(crate) fn between(self, from: Option<i64>, until: Option<i64>) -> Feed {
        Feed { time: (from, until), ..self }
    }

    /// The largest id that names an entity in rows before a moment; none: all may.
    pub(crate) fn most(&self, before: &Before, entity: &str) -> Result<Option<u32>, ExecError> {
        let source = &self.program.source;
        let merged = source.scan.entity(entity).is_some() && source.scan.merged(entity)?.is_some();
        // Of ids that mean others the largest says nothing.
        Ok(self.program.most(self.key, before).filter(|_| !merged))
    }

    /// Lets only rows take part of which a node is known.
    pub(crate) fn need(&mut self, node: usize) {
        self.needed = Some(node);
    }

    /// Keeps the moments of the rows that name no entity, from now on.
    pub(crate) fn keep_without(&mut self) {
        self.without = Some(Vec::new());
    }

    /// What has been kept of them.
    pub(crate) fn take_without(&mut self) -> Vec<i64> {
        self.without.take().unwrap_or_default()
    }

    /// How many rows were read, those of histories included.
    pub(crate) fn rows_scanned(&self) -> u64 {
        self.frames.as_ref().map_or(0, Frames::scanned) + self.program.rows_scanned_elsewhere()
    }

    /// The moment of the first row of all, whether it takes part or not.
    pub(crate) fn first_row(&self) -> Result<Option<i64>, ExecError> {
        match &self.program.base {
            Base::Stream(_, info) => Ok(info.as_ref().and_then(|i| i.first)),
            Base::Made(stream) => Ok(stream.rows(&self.program.source)?.at.first().copied()),
            Base::Entity(_) | Base::Table(_) | Base::Groups(..) => Ok(None),
        }
    }

    /// The moment of the next row, whether it takes part or not; none: there is no further one.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<Option<i64>, ExecError> {
        while self.next >= self.at.len() {
            if self.ended {
                return Ok(None);
            }
            self.fill()?;
        }
        Ok(Some(self.at[self.next]))
    }

    /// A number that grows with every batch.
    pub(crate) fn batch(&self) -> u64 {
        self.batch
    }

    /// A column of the batch.
    pub(crate) fn column(&self, node: usize) -> &Column {
        self.program.value(node)
    }

    /// The moments of the batch.
    pub(crate) fn at(&self) -> &ScalarBuffer<i64> {
        &self.at
    }

    /// Takes the rows of the batch that are not later than a moment: calls for each that takes part, with its place in
    /// the batch, its moment and its entity.
    #[inline]
    pub(crate) fn take(&mut self, moment: i64, mut each: impl FnMut(usize, i64, usize)) {
        let at = &self.at;
        let mut end = self.next;
        // Often it is only a row or two.
        while end < at.len() && end < self.next + 4 && at[end] <= moment {
            end += 1;
        }
        if end == self.next + 4 {
            end += at[end..].partition_point(|&t| t <= moment);
        }
        if let Some(ids) = &self.ids {
            let rows = Rows { range: &(self.next..end), mask: self.taken.as_ref() };
            rows.each(|row| each(row, at[row], ids[row] as usize));
        }
        self.next = end;
    }

    /// Takes rows of the batch as long as each is alone at its moment, one follows it, and the call says yes: with the
    /// row's place in the batch, its moment, and its entity where it takes part. The row for which it says no stays.
    #[inline]
    pub(crate) fn take_alone(&mut self, mut each: impl FnMut(usize, i64, Option<usize>) -> bool) {
        let at = &self.at;
        while self.next + 1 < at.len() && at[self.next] < at[self.next + 1] {
            let row = self.next;
            let taken = self.taken.as_ref().is_none_or(|t| t.value(row));
            let id = self.ids.as_ref().filter(|_| taken).map(|ids| ids[row] as usize);
            if !each(row, at[row], id) {
                return;
            }
            self.next += 1;
        }
    }

    /// Where a row of the batch is among all rows of the base.
    pub(crate) fn place(&self, row: usize) -> u32 {
        self.before.saturating_add(row as u32)
    }

    fn fill(&mut self) -> Result<(), ExecError> {
        let program = &mut self.program;
        if program.needs_period {
            return Err(ExecError::NotYet("`over period` inside a state".into()));
        }
        let frames = match &mut self.frames {
            Some(frames) => frames,
            none => none.insert(program.frames(self.time.0, self.time.1)?),
        };
        self.before = self.before.saturating_add(self.at.len() as u32);
        self.next = 0;
        self.batch += 1;
        let Some(frame) = frames.next(program)? else {
            (self.ended, self.at, self.ids) = (true, ScalarBuffer::default(), None);
            return Ok(());
        };
        program.evaluate(&frame)?;
        let mut taken = self.mask.map(|m| program.value(m).mask()).transpose()?;
        let key = program.value(self.key);
        if let (Some(without), Some(at)) = (&mut self.without, &frame.at) {
            let lacking = |row: &usize| !key.is_known(*row) && taken.as_ref().is_none_or(|t| t.value(*row));
            if key.known().is_some() {
                without.extend((0..frame.len).filter(lacking).map(|row| at[row]));
            }
        }
        let known = [key.known(), self.needed.and_then(|n| program.value(n).known())];
        for known in known.into_iter().flatten() {
            taken = Some(match taken {
                Some(taken) => &taken & &known,
                None => known,
            });
        }
        self.taken = taken;
        self.ids = match &key.values {
            Values::Id(ids, _) => Some(ids.clone()),
            _ => None,
        };
        self.at = frame.at.ok_or_else(|| ExecError::Plan("a row has no moment".into()))?;
        Ok(())
    }
}
