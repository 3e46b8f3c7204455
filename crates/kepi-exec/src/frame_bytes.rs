//! A frame as bytes and back, for answers that are kept.

use crate::frame::{Frame, FrameColumn, Note, PartialPeriod, PartialRow};
use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};

/// A frame, its tables as Arrow's own bytes. What ran, step by step, is not kept: it belongs to one run.
#[derive(Serialize, Deserialize)]
struct Plain {
    columns: Vec<FrameColumn>,
    partial: Vec<PartialPeriod>,
    partial_rows: Vec<PartialRow>,
    notes: Vec<Note>,
    rows_scanned: u64,
    rows: Vec<u8>,
    totals: Option<Vec<u8>>,
}

impl Frame {
    /// The frame as bytes, without its steps; none: it cannot be written.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let plain = Plain {
            columns: self.columns.clone(),
            partial: self.partial.clone(),
            partial_rows: self.partial_rows.clone(),
            notes: self.notes.clone(),
            rows_scanned: self.rows_scanned,
            rows: table_bytes(&self.rows)?,
            totals: match &self.totals {
                Some(totals) => Some(table_bytes(totals)?),
                None => None,
            },
        };
        postcard::to_allocvec(&plain).ok()
    }

    /// The frame of some bytes; none: they are not a frame's, or another version's.
    pub fn from_bytes(bytes: &[u8]) -> Option<Frame> {
        let plain: Plain = postcard::from_bytes(bytes).ok()?;
        let totals = match &plain.totals {
            Some(bytes) => Some(table(bytes)?),
            None => None,
        };
        Some(Frame {
            rows: table(&plain.rows)?,
            totals,
            columns: plain.columns,
            partial: plain.partial,
            partial_rows: plain.partial_rows,
            notes: plain.notes,
            rows_scanned: plain.rows_scanned,
            steps: Vec::new(),
        })
    }
}

fn table_bytes(batch: &RecordBatch) -> Option<Vec<u8>> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).ok()?;
    writer.write(batch).ok()?;
    writer.into_inner().ok()
}

fn table(bytes: &[u8]) -> Option<RecordBatch> {
    StreamReader::try_new(bytes, None).ok()?.next()?.ok()
}
