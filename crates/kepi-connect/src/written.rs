//! Arrow to Parquet, for other engines: this crate is where parquet enters.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::io::{Error, Write};

/// Writes batches of one schema as a Parquet file, compressed with snappy, which every reader knows.
///
/// Errors: what `out` says, or a type that Parquet does not have.
pub fn write_parquet(
    schema: &SchemaRef,
    batches: impl Iterator<Item = RecordBatch>,
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(out, schema.clone(), Some(properties)).map_err(Error::other)?;
    for batch in batches {
        writer.write(&batch).map_err(Error::other)?;
    }
    writer.close().map(drop).map_err(Error::other)
}
