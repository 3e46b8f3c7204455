//! The rows of a base, a frame at a time: stored ones out of a scan, made ones out of memory.

use super::program::{Base, Frame, Program};
use super::{BATCH, Column, Values};
use crate::ExecError;
use crate::made::Wanted;
use arrow_array::RecordBatch;
use arrow_buffer::ScalarBuffer;
use kepi_extension::{Batches, ScanRequest};
use std::ops::Range;
use std::sync::Arc;

/// Rows that are being read, in the order of time.
pub(crate) struct Frames {
    rest: Rest,
    scanned: u64,
}

/// What has not been read yet.
enum Rest {
    Nothing,
    /// `inputs`: those that are read, where not all are.
    Scanned {
        batches: Batches,
        batch: Option<RecordBatch>,
        inputs: Option<Vec<bool>>,
    },
    Made {
        at: ScalarBuffer<i64>,
        columns: Vec<Column>,
        rows: Range<usize>,
    },
}

impl Program {
    /// Begins to read the rows of the base that lie in a time; undated rows are all read. The program has been compiled
    /// by then: only the columns that it asks for are read.
    pub(crate) fn frames(&self, from: Option<i64>, until: Option<i64>) -> Result<Frames, ExecError> {
        self.frames_of(from, until, None, None)
    }

    /// The same for stored rows that only go by: columns that are of no matter then are not read.
    pub(crate) fn frames_to_let_by(&self, from: Option<i64>, until: Option<i64>) -> Result<Frames, ExecError> {
        let (Base::Stream(stream, Some(_)), Some(inputs)) = (&self.base, self.inputs_of_past()) else {
            return self.frames(from, until);
        };
        let columns = self.scanned().into_iter().zip(&inputs).filter(|(_, wanted)| **wanted).map(|(name, _)| name);
        let request = ScanRequest { stream: stream.clone(), columns: columns.collect(), from, until };
        let batches = self.source.scan.scan(&request)?;
        Ok(Frames { rest: Rest::Scanned { batches, batch: None, inputs: Some(inputs) }, scanned: 0 })
    }

    /// The same where only rows matter that have an id in a column (others may come, too), or that are stored in some
    /// segments.
    pub(crate) fn frames_of(
        &self,
        from: Option<i64>,
        until: Option<i64>,
        only: Option<(String, u32)>,
        segments: Option<&[u64]>,
    ) -> Result<Frames, ExecError> {
        let nothing = Frames { rest: Rest::Nothing, scanned: 0 };
        match &self.base {
            Base::Stream(_, None) => Ok(nothing),
            Base::Stream(stream, Some(info)) => {
                let (from, until) = if info.dated { (from, until) } else { (None, None) };
                let request = ScanRequest { stream: stream.clone(), columns: self.scanned(), from, until };
                let batches = match (segments, only) {
                    (Some(segments), _) => self.source.scan.scan_segments(&request, segments)?,
                    (None, Some((column, id))) => self.source.scan.scan_of(&request, &column, id)?,
                    (None, None) => self.source.scan.scan(&request)?,
                };
                Ok(Frames { rest: Rest::Scanned { batches, batch: None, inputs: None }, scanned: 0 })
            }
            Base::Made(stream) => {
                let at = stream.rows(&self.source)?.at.clone();
                let columns = stream.columns(self.made_columns(), &self.source)?;
                let start = from.map_or(0, |from| at.partition_point(|&t| t < from));
                let end = until.map_or(at.len(), |until| at.partition_point(|&t| t < until)).max(start);
                let scanned = stream.take_scanned();
                Ok(Frames { rest: Rest::Made { at, columns, rows: start..end }, scanned })
            }
            Base::Entity(_) | Base::Table(_) | Base::Groups(..) => {
                Err(ExecError::Plan("only rows of a stream are read in order".into()))
            }
        }
    }
}

/// Before all instants that mean anything.
pub(crate) const LONG_AGO: i64 = i64::MIN / 4;

impl Program {
    /// A row of changes for each of `count` entities, before anything is known of them but who they are.
    pub(crate) fn before_changes(&self, entity: &str, count: usize) -> Frame {
        let ids = Column::new(Values::Id((0..count as u32).collect(), Arc::from(entity)), None);
        let column = |wanted: &Wanted| match wanted {
            // Their first column is the entity.
            Wanted::Own(0) => ids.clone(),
            _ => Column::missing(count),
        };
        Frame {
            len: count,
            at: Some(vec![LONG_AGO; count].into()),
            back: 0,
            columns: self.made_columns().map(column).collect(),
            ids: None,
            cell_starts: None,
            cell_end: None,
            window: 0..count,
        }
    }
}

impl Frames {
    /// The next rows, at most [`BATCH`] of them.
    pub(crate) fn next(&mut self, program: &Program) -> Result<Option<Frame>, ExecError> {
        program.source.check()?;
        match &mut self.rest {
            Rest::Nothing => Ok(None),
            Rest::Scanned { batches, batch, inputs } => loop {
                let Some(whole) = batch.take() else {
                    match batches.next() {
                        Some(next) => *batch = Some(next?),
                        None => return Ok(None),
                    }
                    continue;
                };
                let len = whole.num_rows().min(BATCH);
                if len == 0 {
                    continue;
                }
                if whole.num_rows() > len {
                    *batch = Some(whole.slice(len, whole.num_rows() - len));
                }
                self.scanned += len as u64;
                return program.frame(&whole.slice(0, len), inputs.as_deref()).map(Some);
            },
            Rest::Made { at, columns, rows } => {
                let len = rows.len().min(BATCH);
                if len == 0 {
                    return Ok(None);
                }
                let columns = columns.iter().map(|c| c.slice(rows.start, len)).collect();
                let at = Some(at.slice(rows.start, len));
                rows.start += len;
                Ok(Some(Frame {
                    len,
                    at,
                    back: 0,
                    columns,
                    ids: None,
                    cell_starts: None,
                    cell_end: None,
                    window: 0..len,
                }))
            }
        }
    }

    /// How many stored rows were read, those that made rows were made of included (once per query).
    pub(crate) fn scanned(&self) -> u64 {
        self.scanned
    }
}
