//! A segment as it is read: rows in order, from a mapped file without decoding, or from memory (the journal's tail).

use crate::disk;
use crate::error::StoreError;
use crate::layout::{Blob, Layout};
use crate::segment_index::{Index, Piece, Range, Stored, range, time_type};
use crate::segment_write::checksum;
use crate::state::SegmentState;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal32Type, Decimal64Type, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
};
use arrow_array::{ArrayRef, BooleanArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use kepi_extension::AT;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

/// Rows in order, in chunks.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Names it within the store, also in lists of replaced rows.
    pub(crate) number: u64,
    pub(crate) rows: usize,
    pub(crate) chunks: Vec<Chunk>,
    source: Source,
}

/// Some rows of a segment that follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    /// The position of its first row in the segment.
    pub(crate) start: usize,
    pub(crate) rows: usize,
    /// The first and the last moment; zeros where undated.
    pub(crate) first: i64,
    pub(crate) last: i64,
}

#[derive(Debug)]
enum Source {
    File(Box<SegmentFile>),
    Memory(Vec<RecordBatch>),
}

#[derive(Debug)]
struct SegmentFile {
    path: PathBuf,
    state: SegmentState,
    bytes: Buffer,
    index: Index,
    /// When the file was written, in nanoseconds since 1970; none: the system does not say.
    written: Option<u64>,
    /// By chunk, then column: whether the checksum was found to be right.
    verified: Vec<AtomicBool>,
}

impl Segment {
    /// Opens the files of a segment. Lengths and the index are checked now, columns when they are first touched.
    pub(crate) fn open(layout: &Layout, state: &SegmentState) -> Result<Segment, StoreError> {
        let path = layout.data_file(state.number, "arrow");
        let bytes = disk::map(&path, state.length)?;
        let blob = Blob::open(layout, "index", &state.index)?;
        let index: Index =
            postcard::from_bytes(blob.bytes()?).map_err(|e| blob.damaged(0, format!("it cannot be read: {e}")))?;
        let time = index.columns.iter().position(|c| c.name == AT);
        let mut chunks = Vec::new();
        let mut start = 0;
        for chunk in &index.chunks {
            let (first, last) = match time.and_then(|t| chunk.pieces[t].range) {
                Some(Range::Whole(first, last)) => (first, last),
                _ => (0, 0),
            };
            chunks.push(Chunk { start, rows: chunk.rows as usize, first, last });
            start += chunk.rows as usize;
        }
        let verified = (0..index.columns.len() * chunks.len()).map(|_| AtomicBool::new(false)).collect();
        let written = std::fs::metadata(&path).and_then(|about| about.modified()).ok();
        let written = written.and_then(|at| u64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok());
        let file = SegmentFile { path, state: state.clone(), bytes, index, written, verified };
        Ok(Segment { number: state.number, rows: start, chunks, source: Source::File(Box::new(file)) })
    }

    /// Rows in memory, in order, a chunk each batch; none of them is empty.
    pub(crate) fn in_memory(number: u64, batches: Vec<RecordBatch>) -> Segment {
        let mut chunks = Vec::new();
        let mut start = 0;
        for batch in &batches {
            let times = batch.column_by_name(AT).and_then(|at| at.as_primitive_opt::<TimestampMicrosecondType>());
            let (first, last) = match times.map(|times| times.values().as_ref()) {
                Some([one]) => (*one, *one),
                Some([first, .., last]) => (*first, *last),
                _ => (0, 0),
            };
            chunks.push(Chunk { start, rows: batch.num_rows(), first, last });
            start += batch.num_rows();
        }
        Segment { number, rows: start, chunks, source: Source::Memory(batches) }
    }

    /// What the manifest says of it; none while it is only in the journal.
    pub(crate) fn state(&self) -> Option<&SegmentState> {
        match &self.source {
            Source::File(file) => Some(&file.state),
            Source::Memory(_) => None,
        }
    }

    /// When its file was written, in nanoseconds since 1970; none: it is in none, or that is not known.
    pub(crate) fn written(&self) -> Option<u64> {
        match &self.source {
            Source::File(file) => file.written,
            Source::Memory(_) => None,
        }
    }

    /// The rows of a segment in memory.
    pub(crate) fn memory(&self) -> Option<&[RecordBatch]> {
        match &self.source {
            Source::File(_) => None,
            Source::Memory(batches) => Some(batches),
        }
    }

    /// The first and the last moment.
    pub(crate) fn bounds(&self) -> (i64, i64) {
        (self.chunks.first().map_or(0, |c| c.first), self.chunks.last().map_or(0, |c| c.last))
    }

    /// The smallest and largest value of a column in a chunk, where that is known without reading it.
    pub(crate) fn range(&self, chunk: usize, column: &str) -> Option<Range> {
        match &self.source {
            Source::File(file) => {
                let position = file.index.columns.iter().position(|c| c.name == column)?;
                file.index.chunks[chunk].pieces[position].range
            }
            Source::Memory(batches) => range(batches[chunk].column_by_name(column)?),
        }
    }

    /// One column of one chunk as it is stored; none where this segment has no such column.
    pub(crate) fn column(&self, chunk: usize, column: &str) -> Result<Option<ArrayRef>, StoreError> {
        match &self.source {
            Source::Memory(batches) => Ok(batches[chunk].column_by_name(column).cloned()),
            Source::File(file) => match file.index.columns.iter().position(|c| c.name == column) {
                Some(position) => file.column(chunk, position).map(Some),
                None => Ok(None),
            },
        }
    }

    /// Verifies every column of every chunk, and says of each what is wrong with it.
    pub(crate) fn verify_each(&self, look: &mut dyn FnMut(Result<(), StoreError>)) {
        if let Source::File(file) = &self.source {
            for chunk in 0..self.chunks.len() {
                for column in 0..file.index.columns.len() {
                    look(file.column(chunk, column).map(drop));
                }
            }
        }
    }
}

impl SegmentFile {
    fn column(&self, chunk: usize, column: usize) -> Result<ArrayRef, StoreError> {
        let rows = self.index.chunks[chunk].rows as usize;
        let piece = &self.index.chunks[chunk].pieces[column];
        let stored = self.index.columns[column].stored;
        let place = piece.buffers.last().map_or(0, |b| b.0);
        let damaged = |reason: &str| StoreError::damaged(&self.path, place, reason);
        let verified = &self.verified[chunk * self.index.columns.len() + column];
        let seen = verified.load(Ordering::Acquire);
        if !seen && checksum(&self.bytes, &piece.buffers) != Some(piece.checksum) {
            let name = &self.index.columns[column].name;
            return Err(damaged(&format!("the checksum of column `{name}`, chunk {chunk}, does not fit")));
        }
        // The buffers were inside the file when they were summed; what is left to check is that they are long enough.
        let array = self.array(piece, stored, rows, seen);
        let array = array.ok_or_else(|| damaged("a column is shorter than its rows, or its text is no text"))?;
        verified.store(true, Ordering::Release);
        Ok(array)
    }

    fn buffer(&self, piece: &Piece, number: usize) -> Option<Buffer> {
        let (offset, length) = *piece.buffers.get(number)?;
        let (offset, length) = (usize::try_from(offset).ok()?, usize::try_from(length).ok()?);
        (offset.checked_add(length)? <= self.bytes.len()).then(|| self.bytes.slice_with_length(offset, length))
    }

    /// A column over the mapped bytes; `seen`: it was made before, so its offsets and text are known to be sound.
    fn array(&self, piece: &Piece, stored: Stored, rows: usize, seen: bool) -> Option<ArrayRef> {
        let values = self.buffer(piece, 1)?;
        if values.len() < stored.fixed_bytes(rows) {
            return None;
        }
        let nulls = match piece.nulls {
            0 => None,
            _ => {
                let bits = self.buffer(piece, 0)?;
                (bits.len() * 8 >= rows).then_some(())?;
                Some(NullBuffer::new(BooleanBuffer::new(bits, 0, rows)))
            }
        };
        Some(match stored {
            Stored::U8 => Arc::new(primitive::<UInt8Type>(values, rows, nulls)),
            Stored::U16 => Arc::new(primitive::<UInt16Type>(values, rows, nulls)),
            Stored::U32 => Arc::new(primitive::<UInt32Type>(values, rows, nulls)),
            Stored::I32 => Arc::new(primitive::<Int32Type>(values, rows, nulls)),
            Stored::I64 => Arc::new(primitive::<Int64Type>(values, rows, nulls)),
            Stored::F64 => Arc::new(primitive::<Float64Type>(values, rows, nulls)),
            Stored::Date => Arc::new(primitive::<Date32Type>(values, rows, nulls)),
            Stored::Decimal32(_) => {
                Arc::new(primitive::<Decimal32Type>(values, rows, nulls).with_data_type(stored.data_type()))
            }
            Stored::Decimal(_) => {
                Arc::new(primitive::<Decimal64Type>(values, rows, nulls).with_data_type(stored.data_type()))
            }
            Stored::Time => {
                Arc::new(primitive::<TimestampMicrosecondType>(values, rows, nulls).with_data_type(time_type()))
            }
            Stored::Bool => Arc::new(BooleanArray::new(BooleanBuffer::new(values, 0, rows), nulls)),
            Stored::Utf8 => {
                let offsets = ScalarBuffer::<i32>::new(values, 0, rows + 1);
                if seen {
                    let texts = self.buffer(piece, 2)?;
                    // SAFETY: the same bytes passed the checks below before, and files never change.
                    let array =
                        unsafe { StringArray::new_unchecked(OffsetBuffer::new_unchecked(offsets), texts, nulls) };
                    return Some(Arc::new(array));
                }
                let sound = offsets[0] >= 0 && offsets.windows(2).all(|pair| pair[0] <= pair[1]);
                sound.then_some(())?;
                let texts = self.buffer(piece, 2)?;
                Arc::new(StringArray::try_new(OffsetBuffer::new(offsets), texts, nulls).ok()?)
            }
        })
    }
}

fn primitive<T: ArrowPrimitiveType>(values: Buffer, rows: usize, nulls: Option<NullBuffer>) -> PrimitiveArray<T> {
    PrimitiveArray::new(ScalarBuffer::new(values, 0, rows), nulls)
}
