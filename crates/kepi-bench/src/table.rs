//! Writes rows as Parquet and as CSV at once.

use crate::civil::text_of;
use crate::error::BenchError;
use arrow_array::builder::{Decimal128Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows that are handed to the Parquet writer at once.
const BATCH_ROWS: u64 = 65_536;
/// Rows of a Parquet row group: several of them, so that readers can share the work.
pub(crate) const GROUP_ROWS: usize = 262_144;
/// Decimals of money.
const CENTS: i8 = 2;
const DIGITS: u8 = 12;

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Parquet, snappy.
    Parquet,
    /// CSV with a header.
    Csv,
}

impl Format {
    /// The ending of a file's name.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv => "csv",
        }
    }
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    /// Microseconds UTC; written without a zone, as exports do.
    Time,
    /// Cents.
    Money,
    Text,
}

enum Column {
    Number(Int64Builder),
    Time(TimestampMicrosecondBuilder),
    Money(Decimal128Builder),
    Text(StringBuilder),
}

impl Column {
    fn new(kind: Kind) -> Column {
        match kind {
            Kind::Number => Column::Number(Int64Builder::new()),
            Kind::Time => Column::Time(TimestampMicrosecondBuilder::new()),
            Kind::Money => Column::Money(Decimal128Builder::new()),
            Kind::Text => Column::Text(StringBuilder::new()),
        }
    }

    fn finish(&mut self) -> Result<ArrayRef, arrow_schema::ArrowError> {
        Ok(match self {
            Column::Number(values) => Arc::new(values.finish()),
            Column::Time(values) => Arc::new(values.finish()),
            Column::Money(values) => Arc::new(values.finish().with_precision_and_scale(DIGITS, CENTS)?),
            Column::Text(values) => Arc::new(values.finish()),
        })
    }
}

/// Takes rows cell by cell, in the order of the columns.
pub(crate) struct TableWriter {
    columns: Vec<Column>,
    at: usize,
    rows: u64,
    schema: Arc<Schema>,
    parquet: Option<(PathBuf, ArrowWriter<File>)>,
    csv: Option<(PathBuf, BufWriter<File>)>,
    /// The row's line so far.
    line: String,
}

impl TableWriter {
    pub(crate) fn create(
        folder: &Path,
        name: &str,
        columns: &[(&str, Kind)],
        formats: &[Format],
    ) -> Result<TableWriter, BenchError> {
        let field = |(name, kind): &(&str, Kind)| {
            let data_type = match kind {
                Kind::Number => DataType::Int64,
                Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
                Kind::Money => DataType::Decimal128(DIGITS, CENTS),
                Kind::Text => DataType::Utf8,
            };
            Field::new(*name, data_type, false)
        };
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let path = |format: Format| folder.join(format!("{name}.{}", format.ending()));
        let create = |path: &Path| File::create(path).map_err(BenchError::io(path));
        let mut parquet = None;
        if formats.contains(&Format::Parquet) {
            let path = path(Format::Parquet);
            let settings = WriterProperties::builder()
                .set_compression(Compression::SNAPPY)
                .set_max_row_group_row_count(Some(GROUP_ROWS));
            let writer = ArrowWriter::try_new(create(&path)?, schema.clone(), Some(settings.build()))
                .map_err(BenchError::parquet(&path))?;
            parquet = Some((path, writer));
        }
        let mut csv = None;
        if formats.contains(&Format::Csv) {
            let path = path(Format::Csv);
            let mut file = BufWriter::with_capacity(1 << 20, create(&path)?);
            let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
            writeln!(file, "{}", names.join(",")).map_err(BenchError::io(&path))?;
            csv = Some((path, file));
        }
        let columns = columns.iter().map(|(_, kind)| Column::new(*kind)).collect();
        Ok(TableWriter { columns, at: 0, rows: 0, schema, parquet, csv, line: String::new() })
    }

    pub(crate) fn number(&mut self, value: i64) {
        if let Some(Column::Number(column)) = self.columns.get_mut(self.at) {
            column.append_value(value);
        }
        self.cell(|line| line.push_str(&value.to_string()));
    }

    pub(crate) fn time(&mut self, at: i64) {
        if let Some(Column::Time(column)) = self.columns.get_mut(self.at) {
            column.append_value(at);
        }
        self.cell(|line| line.push_str(&text_of(at)));
    }

    pub(crate) fn money(&mut self, cents: i64) {
        if let Some(Column::Money(column)) = self.columns.get_mut(self.at) {
            column.append_value(i128::from(cents));
        }
        self.cell(|line| line.push_str(&format!("{}.{:02}", cents / 100, cents % 100)));
    }

    pub(crate) fn text(&mut self, value: &str) {
        if let Some(Column::Text(column)) = self.columns.get_mut(self.at) {
            column.append_value(value);
        }
        self.cell(|line| line.push_str(value));
    }

    fn cell(&mut self, write: impl FnOnce(&mut String)) {
        if self.csv.is_some() {
            if self.at > 0 {
                self.line.push(',');
            }
            write(&mut self.line);
        }
        self.at += 1;
    }

    /// Ends a row; each column must have got its cell.
    pub(crate) fn end_row(&mut self) -> Result<(), BenchError> {
        if let Some((path, file)) = &mut self.csv {
            self.line.push('\n');
            file.write_all(self.line.as_bytes()).map_err(BenchError::io(path))?;
            self.line.clear();
        }
        self.at = 0;
        self.rows += 1;
        if self.rows.is_multiple_of(BATCH_ROWS) {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BenchError> {
        let arrays = self.columns.iter_mut().map(Column::finish).collect::<Result<Vec<_>, _>>();
        if let Some((path, writer)) = &mut self.parquet {
            // A cell of another kind than its column would leave columns of different lengths, which is refused here.
            let batch = arrays.and_then(|arrays| RecordBatch::try_new(self.schema.clone(), arrays));
            writer.write(&batch.map_err(BenchError::parquet(path))?).map_err(BenchError::parquet(path))?;
        }
        Ok(())
    }

    /// Writes what is left; gives the number of rows.
    pub(crate) fn close(mut self) -> Result<u64, BenchError> {
        self.flush()?;
        if let Some((path, writer)) = self.parquet {
            writer.close().map_err(BenchError::parquet(&path))?;
        }
        if let Some((path, mut file)) = self.csv {
            file.flush().map_err(BenchError::io(&path))?;
        }
        Ok(self.rows)
    }
}
