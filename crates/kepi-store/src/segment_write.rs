//! Writing a segment: an Arrow IPC file, and its index.

use crate::disk::NewFile;
use crate::error::StoreError;
use crate::layout::{Blob, Layout};
use crate::narrow::{joined, narrowest};
use crate::segment_index::{Index, IndexChunk, IndexColumn, Piece, Range, Stored, range};
use crate::state::SegmentState;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_buffer::Buffer;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use xxhash_rust::xxh3::Xxh3;

/// Chunks that are ready before they are written.
const AHEAD: usize = 2;
/// From so many bytes on a file is synced as soon as it is written; smaller ones wait for the others of their commit.
const LARGE: usize = 4 << 20;

/// Writes rows as a segment of chunks of at most `chunk_rows` rows. The columns in `narrow` are stored as narrow as
/// their values allow. The batches have one schema; the folder is not synced.
pub(crate) fn write_segment(
    layout: &Layout,
    number: u64,
    batches: &[RecordBatch],
    narrow: &[&str],
    chunk_rows: usize,
) -> Result<SegmentState, StoreError> {
    let plan = Plan::new(batches, narrow);
    let path = layout.data_file(number, "arrow");
    let mut file = NewFile::create(&path)?;
    let options = IpcWriteOptions::try_new(64, false, arrow_ipc::MetadataVersion::V5)?;
    let mut writer = FileWriter::try_new_with_options(&mut file, &plan.schema, options)?;
    let mut ranges: Vec<ChunkRanges> = Vec::new();
    let mut write = |(chunk, about): (RecordBatch, ChunkRanges)| {
        ranges.push(about);
        writer.write(&chunk).map_err(|e| StoreError::io(&path, std::io::Error::other(e)))
    };
    if plan.rows <= chunk_rows {
        plan.chunks(chunk_rows).try_for_each(|chunk| write(chunk?))?;
    } else {
        // One thread makes chunks, this one writes them.
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(AHEAD);
            let plan = &plan;
            scope.spawn(move || {
                // Nobody listens any more after an error, which is told by the one who met it.
                plan.chunks(chunk_rows).try_for_each(|chunk| sender.send(chunk).ok())
            });
            receiver.into_iter().try_for_each(|chunk| write(chunk?))
        })?;
    }
    writer.finish().map_err(|e| StoreError::io(&path, std::io::Error::other(e)))?;
    drop(writer);

    let bytes = file.map()?;
    let mut file = file.written()?;
    let index = if bytes.len() < LARGE {
        index_of(&path, &bytes, &plan.schema, &ranges)
    } else {
        // The disk and the sums take their time side by side.
        let (synced, index) = std::thread::scope(|scope| {
            let synced = scope.spawn(|| file.sync());
            let index = index_of(&path, &bytes, &plan.schema, &ranges);
            (synced.join(), index)
        });
        synced.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        index
    };
    layout.note(file);
    let encoded = postcard::to_stdvec(&index?).map_err(|e| StoreError::Limit(format!("an index: {e}")))?;
    let index = Blob::write(layout, number, "index", &[&encoded])?;
    Ok(SegmentState { number, length: bytes.len() as u64, index, gone: None })
}

/// What a segment is going to be.
struct Plan<'a> {
    batches: &'a [RecordBatch],
    rows: usize,
    /// The columns that are stored: their places in the batches.
    places: Vec<usize>,
    schema: SchemaRef,
    /// By batch and stored column.
    ranges: Vec<Vec<Option<Range>>>,
}

impl<'a> Plan<'a> {
    fn new(batches: &'a [RecordBatch], narrow: &[&str]) -> Plan<'a> {
        let rows = batches.iter().map(|batch| batch.num_rows()).sum();
        let given = batches.first().map_or_else(|| Arc::new(Schema::empty()), |batch| batch.schema());
        let (mut places, mut fields, mut ranges) = (Vec::new(), Vec::new(), vec![Vec::new(); batches.len()]);
        for (place, field) in given.fields().iter().enumerate() {
            // A reader takes a column that is not there for all missing.
            let missing: usize = batches.iter().map(|batch| batch.column(place).null_count()).sum();
            if missing == rows {
                continue;
            }
            let mut whole: Option<Range> = None;
            for (batch, ranges) in batches.iter().zip(&mut ranges) {
                let range = range(batch.column(place));
                whole = whole.into_iter().chain(range).reduce(Range::with);
                ranges.push(range);
            }
            let stored = match narrow.contains(&field.name().as_str()) {
                true => narrowest(field.data_type(), whole),
                false => field.data_type().clone(),
            };
            places.push(place);
            fields.push(Field::new(field.name(), stored, true));
        }
        Plan { batches, rows, places, schema: Arc::new(Schema::new(fields)), ranges }
    }

    /// The chunks, each with what the index says of it.
    fn chunks(&self, chunk_rows: usize) -> impl Iterator<Item = Result<(RecordBatch, ChunkRanges), StoreError>> {
        let (mut batch, mut row) = (0, 0);
        std::iter::from_fn(move || {
            let mut parts: Vec<(usize, usize, usize)> = Vec::new();
            let mut left = chunk_rows.max(1);
            while left > 0 && batch < self.batches.len() {
                let length = left.min(self.batches[batch].num_rows() - row);
                parts.push((batch, row, length));
                (left, row) = (left - length, row + length);
                if row == self.batches[batch].num_rows() {
                    (batch, row) = (batch + 1, 0);
                }
            }
            parts.retain(|part| part.2 > 0);
            (!parts.is_empty()).then(|| self.chunk(&parts))
        })
    }

    /// A chunk of parts of batches: batch, first row, rows.
    fn chunk(&self, parts: &[(usize, usize, usize)]) -> Result<(RecordBatch, ChunkRanges), StoreError> {
        let rows = parts.iter().map(|part| part.2).sum();
        let whole = parts.iter().all(|part| part.2 == self.batches[part.0].num_rows());
        let (mut columns, mut about) = (Vec::new(), Vec::new());
        for (column, field) in self.schema.fields().iter().enumerate() {
            let slice = |&(batch, first, length): &(usize, usize, usize)| -> ArrayRef {
                self.batches[batch].column(self.places[column]).slice(first, length)
            };
            let pieces: Vec<ArrayRef> = parts.iter().map(slice).collect();
            let array = joined(&pieces, field.data_type())?;
            let range = match whole {
                true => parts.iter().filter_map(|part| self.ranges[part.0][column]).reduce(Range::with),
                false => range(&array),
            };
            about.push((range, array.null_count()));
            columns.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok((RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?, (rows, about)))
    }
}

/// How many rows a chunk has, and by column its range and how many values are missing.
type ChunkRanges = (usize, Vec<(Option<Range>, usize)>);

/// Reads back where the Arrow writer has put each buffer, and sums what really lies there.
fn index_of(path: &Path, bytes: &Buffer, schema: &Schema, ranges: &[ChunkRanges]) -> Result<Index, StoreError> {
    let odd =
        |what: &str| StoreError::damaged(path, 0, format!("what was just written reads as no Arrow file: {what}"));
    let mut columns = Vec::new();
    for field in schema.fields() {
        let stored = Stored::of(field.data_type()).ok_or_else(|| odd(&format!("{} is stored", field.data_type())))?;
        columns.push(IndexColumn { name: field.name().clone(), stored });
    }
    let trailer = bytes.len().checked_sub(10).ok_or_else(|| odd("short"))?;
    let footer_length: [u8; 4] = bytes[trailer..trailer + 4].try_into().expect("four bytes were cut");
    let footer_start = trailer.checked_sub(u32::from_le_bytes(footer_length) as usize).ok_or_else(|| odd("footer"))?;
    let footer = arrow_ipc::root_as_footer(&bytes[footer_start..trailer]).map_err(|e| odd(&e.to_string()))?;
    let mut chunks = Vec::new();
    let blocks = footer.recordBatches().into_iter().flatten();
    for (block, (rows, ranges)) in blocks.zip(ranges) {
        let start = block.offset() as usize;
        let body = start + block.metaDataLength() as usize;
        // Eight bytes: the continuation marker and the length of the metadata.
        let message = arrow_ipc::root_as_message(&bytes[start + 8..body]).map_err(|e| odd(&e.to_string()))?;
        let batch = message.header_as_record_batch().ok_or_else(|| odd("no record batch"))?;
        let mut buffers = batch.buffers().into_iter().flatten();
        let mut pieces = Vec::new();
        for (column, (range, nulls)) in columns.iter().zip(ranges) {
            let count = if column.stored == Stored::Utf8 { 3 } else { 2 };
            let places: Vec<(u64, u64)> = buffers
                .by_ref()
                .take(count)
                .map(|buffer| (body as u64 + buffer.offset() as u64, buffer.length() as u64))
                .collect();
            let checksum = checksum(bytes, &places).ok_or_else(|| odd("a buffer is outside"))?;
            pieces.push(Piece { buffers: places, nulls: *nulls as u32, checksum, range: *range });
        }
        chunks.push(IndexChunk { rows: *rows as u32, pieces });
    }
    if chunks.len() != ranges.len() {
        return Err(odd("record batches are missing"));
    }
    Ok(Index { columns, chunks })
}

/// xxh3 of some places of a file, one after the other; none where one is outside.
pub(crate) fn checksum(bytes: &[u8], places: &[(u64, u64)]) -> Option<u64> {
    let mut hasher = Xxh3::new();
    for (offset, length) in places {
        let start = usize::try_from(*offset).ok()?;
        hasher.update(bytes.get(start..start.checked_add(usize::try_from(*length).ok()?)?)?);
    }
    Some(hasher.digest())
}
