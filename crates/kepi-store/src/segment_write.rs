//! Writing a segment: an Arrow IPC file, and its index.

use crate::disk::{self, NewFile};
use crate::error::StoreError;
use crate::layout::{Blob, Layout};
use crate::segment_index::{Index, IndexChunk, IndexColumn, Piece, Range, Stored, range};
use crate::state::SegmentState;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt8Array, UInt16Array};
use arrow_buffer::Buffer;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::{Field, Schema};
use std::path::Path;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Writes rows as a segment of chunks of at most `chunk_rows` rows. The columns in `codes` are stored as narrow as
/// their largest value allows. The folder is not synced.
pub(crate) fn write_segment(
    layout: &Layout,
    number: u64,
    rows: &RecordBatch,
    codes: &[&str],
    chunk_rows: usize,
) -> Result<SegmentState, StoreError> {
    let rows = narrowed(rows, codes)?;
    let path = layout.data_file(number, "arrow");
    let mut file = NewFile::create(&path)?;
    let options = IpcWriteOptions::try_new(64, false, arrow_ipc::MetadataVersion::V5)?;
    let mut writer = FileWriter::try_new_with_options(&mut file, &rows.schema(), options)?;
    let mut ranges: Vec<ChunkRanges> = Vec::new();
    for start in (0..rows.num_rows()).step_by(chunk_rows.max(1)) {
        let chunk = rows.slice(start, chunk_rows.min(rows.num_rows() - start));
        writer.write(&chunk).map_err(|e| StoreError::io(&path, std::io::Error::other(e)))?;
        ranges.push((chunk.num_rows(), chunk.columns().iter().map(|c| (range(c), c.null_count())).collect::<Vec<_>>()));
    }
    writer.finish().map_err(|e| StoreError::io(&path, std::io::Error::other(e)))?;
    drop(writer);
    file.finish()?;

    let length = std::fs::metadata(&path).map_err(|e| StoreError::io(&path, e))?.len();
    let bytes = disk::map(&path, length)?;
    let index = index_of(&path, &bytes, &rows.schema(), &ranges)?;
    let encoded = postcard::to_stdvec(&index).map_err(|e| StoreError::Limit(format!("an index: {e}")))?;
    let index = Blob::write(layout, number, "index", &[&encoded])?;
    Ok(SegmentState { number, length, index, gone: None })
}

fn narrowed(rows: &RecordBatch, codes: &[&str]) -> Result<RecordBatch, StoreError> {
    let schema = rows.schema();
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in schema.fields().iter().zip(rows.columns()) {
        // A reader takes a column that is not there for all missing.
        if column.null_count() == rows.num_rows() {
            continue;
        }
        let column = if codes.contains(&field.name().as_str()) { narrow(column) } else { column.clone() };
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}

fn narrow(column: &ArrayRef) -> ArrayRef {
    let Some(codes) = column.as_primitive_opt::<UInt32Type>() else { return column.clone() };
    match range(codes) {
        Some(Range::Whole(_, most)) if most <= i64::from(u8::MAX) => {
            Arc::new(codes.unary::<_, arrow_array::types::UInt8Type>(|code| code as u8)) as Arc<UInt8Array>
        }
        Some(Range::Whole(_, most)) if most <= i64::from(u16::MAX) => {
            Arc::new(codes.unary::<_, arrow_array::types::UInt16Type>(|code| code as u16)) as Arc<UInt16Array>
        }
        _ => column.clone(),
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
