//! Parquet files: whole, or row group by row group with the columns in the types that the file has them in.

use crate::text::BATCH_ROWS;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{Encoding, Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use std::fs::File;
use std::sync::Arc;

/// The columns and batches of a file.
type Opened = (SchemaRef, Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>);

/// Opens a file. With `coded`, text that a row group holds with a dictionary comes as `Dictionary(Int32, Utf8)`, and
/// decimals of 64 bits as `Decimal64`; the schema is that of the plain types.
pub(crate) fn open(file: File, coded: bool) -> Result<Opened, ParquetError> {
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
    let groups = metadata.metadata().num_row_groups();
    let rows = metadata.metadata().file_metadata().num_rows();
    // A batch has rows of one group, so that it has one dictionary: many small groups would make many small batches.
    if coded && (groups == 1 || rows >= groups as i64 * BATCH_ROWS as i64) {
        let schema = metadata.schema().clone();
        return Ok((schema, Box::new(RowGroups { file, metadata, next: 0, current: None })));
    }
    let reader =
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_batch_size(BATCH_ROWS).build()?;
    Ok((reader.schema(), Box::new(reader)))
}

struct RowGroups {
    file: File,
    metadata: ArrowReaderMetadata,
    next: usize,
    current: Option<ParquetRecordBatchReader>,
}

impl RowGroups {
    fn open(&self, group: usize) -> Result<ParquetRecordBatchReader, ParquetError> {
        let plain = &self.metadata;
        let options = ArrowReaderOptions::new().with_schema(Arc::new(coded_schema(plain, group)));
        // What the reader does not give in these types it gives in its own.
        let metadata =
            ArrowReaderMetadata::try_new(plain.metadata().clone(), options).unwrap_or_else(|_| plain.clone());
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.try_clone()?, metadata)
            .with_row_groups(vec![group])
            .with_batch_size(BATCH_ROWS)
            .build()
    }
}

impl Iterator for RowGroups {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.current.as_mut().and_then(Iterator::next) {
                return Some(batch);
            }
            if self.next == self.metadata.metadata().num_row_groups() {
                return None;
            }
            match self.open(self.next) {
                Ok(reader) => self.current = Some(reader),
                Err(error) => {
                    self.next = self.metadata.metadata().num_row_groups();
                    return Some(Err(error.into()));
                }
            }
            self.next += 1;
        }
    }
}

/// The file's columns in the types in which a row group has them.
fn coded_schema(metadata: &ArrowReaderMetadata, group: usize) -> Schema {
    let columns = metadata.parquet_schema();
    let chunks = metadata.metadata().row_group(group).columns();
    let schema = metadata.schema();
    let fields = schema.fields().iter().enumerate().map(|(place, field)| {
        // Columns inside structs and lists are left as they are.
        let mut leaves = (0..columns.num_columns()).filter(|&leaf| columns.get_column_root_idx(leaf) == place);
        let chunk = leaves.next().filter(|_| leaves.next().is_none()).and_then(|leaf| chunks.get(leaf));
        let data_type = match (field.data_type(), chunk) {
            (DataType::Utf8, Some(chunk)) if has_dictionary(chunk) => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            }
            (&DataType::Decimal128(precision, scale), Some(chunk))
                if precision <= 18 && matches!(chunk.column_type(), Type::INT32 | Type::INT64) =>
            {
                DataType::Decimal64(precision, scale)
            }
            (plain, _) => plain.clone(),
        };
        Field::new(field.name(), data_type, field.is_nullable()).with_metadata(field.metadata().clone())
    });
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
}

/// Whether all pages of a column are written with its dictionary: a writer gives up on one that becomes too large.
fn has_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    chunk.dictionary_page_offset().is_some()
        && chunk
            .page_encoding_stats_mask()
            .is_some_and(|pages| pages.is_only(Encoding::RLE_DICTIONARY) || pages.is_only(Encoding::PLAIN_DICTIONARY))
}
