//! Reads delimited text record by record, and into Arrow batches of text columns.

use crate::encoding::{self, Text};
use crate::error::{ConnectError, Result, shown};
use crate::input::{Bytes, Input};
use crate::options::Delimiter;
use crate::records::{Cell, Step, append, split};
use crate::table::{Batch, Rejected};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::SchemaRef;
use std::io::Read;
use std::sync::Arc;

/// How many rows a batch has at most.
pub(crate) const BATCH_ROWS: usize = 32_768;
/// How many bytes of text a batch has at most, so that offsets stay far from their limit.
const BATCH_BYTES: usize = 64 << 20;
/// A line that is longer is an error: the file is no table.
const RECORD_BYTES_MAX: usize = 64 << 20;
const BLOCK: usize = 1 << 20;

/// Cuts a text file into records.
pub(crate) struct Records {
    input: Input,
    bytes: Bytes,
    encoding: &'static str,
    decoded: bool,
    delimiter: Delimiter,
    buffer: Vec<u8>,
    start: usize,
    last: bool,
    /// The line of the next record, from 1.
    line: u64,
    cells: Vec<Cell>,
}

/// A record within [`Records`].
pub(crate) struct Record {
    /// Its first line.
    pub(crate) line: u64,
    /// Where it is in the buffer.
    from: usize,
    length: usize,
    /// Whether its quote is never closed.
    pub(crate) unclosed: bool,
}

impl Records {
    pub(crate) fn open(input: &Input, encoding: Option<&str>, delimiter: Delimiter) -> Result<Records> {
        let Text { bytes, encoding, decoded } = encoding::open(input, encoding)?;
        let (input, buffer, cells) = (input.clone(), Vec::new(), Vec::new());
        Ok(Records { input, bytes, encoding, decoded, delimiter, buffer, start: 0, last: false, line: 1, cells })
    }

    /// The next record that is not blank.
    pub(crate) fn next(&mut self) -> Result<Option<Record>> {
        loop {
            if self.start == self.buffer.len() && self.last {
                return Ok(None);
            }
            let step = split(self.delimiter, &self.buffer[self.start..], self.last, &mut self.cells);
            let (length, lines, unclosed) = match step {
                Step::More => {
                    self.fill()?;
                    continue;
                }
                Step::Record { length, lines } => (length, lines, false),
                Step::Unclosed { length } => (length, 1, true),
            };
            let record = Record { line: self.line, from: self.start, length, unclosed };
            self.start += length;
            self.line += lines;
            let blank = !unclosed
                && self.cells.len() <= 1
                && self.buffer[record.from..self.start].iter().all(u8::is_ascii_whitespace);
            if !blank {
                return Ok(Some(record));
            }
        }
    }

    fn fill(&mut self) -> Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let have = self.buffer.len();
        if have > RECORD_BYTES_MAX {
            let reason = format!("line {} is longer than {} MiB", self.line, RECORD_BYTES_MAX >> 20);
            return Err(ConnectError::NotText { file: self.input.name.clone(), reason });
        }
        // Doubling keeps the work linear when a record spans many blocks.
        let want = BLOCK.max(have) as u64;
        let read = (&mut self.bytes).take(want).read_to_end(&mut self.buffer).map_err(|e| self.input.broken(&e))?;
        self.last = (read as u64) < want;
        Ok(())
    }

    /// The cells of the last record.
    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The cells of the last record as text.
    pub(crate) fn texts(&self, record: &Record) -> Result<Vec<String>> {
        let buffer = &self.buffer[record.from..];
        let mut texts = Vec::with_capacity(self.cells.len());
        for &cell in &self.cells {
            let mut out = Vec::new();
            append(buffer, cell, &mut out);
            texts.push(String::from_utf8(out).map_err(|e| self.wrong_encoding(record.line, e.as_bytes()))?);
        }
        Ok(texts)
    }

    /// The record as it stands in the file, without its line break.
    pub(crate) fn raw(&self, record: &Record) -> String {
        let bytes = &self.buffer[record.from..record.from + record.length];
        String::from_utf8_lossy(bytes).trim_end_matches(['\r', '\n']).to_string()
    }

    fn wrong_encoding(&self, line: u64, bytes: &[u8]) -> ConnectError {
        let found = match std::str::from_utf8(bytes) {
            Err(e) => {
                let near = String::from_utf8_lossy(&bytes[..e.valid_up_to()]).into_owned();
                let tail: Vec<char> = near.chars().rev().take(20).collect();
                let near: String = tail.into_iter().rev().collect();
                format!("byte {:#04X} behind `{}`", bytes[e.valid_up_to()], shown(&near))
            }
            Ok(_) => "a byte that does not fit".to_string(),
        };
        ConnectError::Encoding {
            file: self.input.name.clone(),
            line,
            encoding: self.encoding.to_string(),
            found,
            hint: encoding::hint(self.encoding),
        }
    }
}

/// Whether a cell is what databases write for nothing in their exports: `NULL` or `\N`, without quotes.
fn is_null(buffer: &[u8], cell: Cell) -> bool {
    matches!(&buffer[cell.start..cell.end], b"NULL" | b"\\N") && (cell.start == 0 || buffer[cell.start - 1] != b'"')
}

/// A text column under construction.
struct Column {
    values: Vec<u8>,
    offsets: Vec<i32>,
    valid: Vec<bool>,
    missing: bool,
}

impl Column {
    fn new() -> Column {
        let mut offsets = Vec::with_capacity(BATCH_ROWS + 1);
        offsets.push(0);
        Column {
            values: Vec::with_capacity(BATCH_ROWS * 8),
            offsets,
            valid: Vec::with_capacity(BATCH_ROWS),
            missing: false,
        }
    }

    #[inline]
    fn end_cell(&mut self) {
        let from = self.offsets.last().copied().unwrap_or(0);
        // Batches end long before an offset could overflow, see `BATCH_BYTES` and `RECORD_BYTES_MAX`.
        let end = self.values.len() as i32;
        self.offsets.push(end);
        self.valid.push(end > from);
        self.missing |= end == from;
    }

    fn finish(self) -> std::result::Result<ArrayRef, Vec<u8>> {
        if std::str::from_utf8(&self.values).is_err() {
            return Err(self.values);
        }
        let nulls = self.missing.then(|| NullBuffer::from(self.valid));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        match StringArray::try_new(offsets, self.values.into(), nulls) {
            Ok(array) => Ok(Arc::new(array)),
            Err(_) => Err(Vec::new()),
        }
    }
}

/// Reads a text file into batches.
pub(crate) struct TextReader {
    records: Records,
    schema: SchemaRef,
    /// For each column of the file its place in the schema.
    places: Vec<usize>,
    ended: bool,
}

impl TextReader {
    /// `skip`: the first record holds the names.
    pub(crate) fn new(mut records: Records, schema: SchemaRef, places: Vec<usize>, skip: bool) -> Result<TextReader> {
        if skip {
            records.next()?;
        }
        Ok(TextReader { records, schema, places, ended: false })
    }

    /// The next batch; its row numbers count this file's records from 1.
    pub(crate) fn next(&mut self, before: u64) -> Result<Option<Batch>> {
        if self.ended {
            return Ok(None);
        }
        let mut columns: Vec<Column> = self.places.iter().map(|_| Column::new()).collect();
        let (mut lines, mut rows, mut rejected) =
            (Vec::with_capacity(BATCH_ROWS), Vec::with_capacity(BATCH_ROWS), Vec::new());
        let (mut row, mut bytes) = (before, 0);
        let width = self.places.len();
        while rows.len() < BATCH_ROWS && rejected.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            let Some(record) = self.records.next()? else {
                self.ended = true;
                break;
            };
            row += 1;
            bytes += record.length;
            let cells = &self.records.cells;
            // Empty cells beyond the last column are a trailing delimiter.
            let extra = cells.iter().skip(width).any(|c| c.start < c.end);
            if record.unclosed || cells.len() < width || extra {
                let reason = if record.unclosed {
                    "a quote is opened and never closed".to_string()
                } else {
                    format!("{} where the header has {width}", counted(cells.len()))
                };
                rejected.push(self.reject(&record, reason)?);
                continue;
            }
            let buffer = &self.records.buffer[record.from..];
            if buffer[..record.length].contains(&0) {
                let at = cells.iter().position(|c| buffer[c.start..c.end].contains(&0)).unwrap_or(0);
                let name = self.places.get(at).map_or("", |&p| self.schema.field(p).name());
                rejected.push(self.reject(&record, format!("a NUL byte in column `{name}`"))?);
                continue;
            }
            for (&cell, column) in cells.iter().zip(&mut columns) {
                if !is_null(buffer, cell) {
                    append(buffer, cell, &mut column.values);
                }
                column.end_cell();
            }
            lines.push(record.line);
            rows.push(row);
        }
        if rows.is_empty() && rejected.is_empty() {
            return Ok(None);
        }
        let mut arrays: Vec<Option<ArrayRef>> = vec![None; width];
        for (column, &place) in columns.into_iter().zip(&self.places) {
            let offsets = if self.records.decoded { Vec::new() } else { column.offsets.clone() };
            arrays[place] = Some(column.finish().map_err(|values| self.find_wrong_byte(&values, &offsets, &lines))?);
        }
        let records = record_batch(&self.schema, arrays.into_iter().flatten().collect(), &self.records.input.name)?;
        Ok(Some(Batch { records, lines, rows, file: self.records.input.name.as_str().into(), rejected, last_row: row }))
    }

    fn reject(&self, record: &Record, reason: String) -> Result<Rejected> {
        let raw = self.records.raw(record);
        let bytes = &self.records.buffer[record.from..record.from + record.length];
        if !self.records.decoded && std::str::from_utf8(bytes).is_err() {
            return Err(self.records.wrong_encoding(record.line, bytes));
        }
        Ok(Rejected { file: self.records.input.name.clone(), line: record.line, reason, raw })
    }

    fn find_wrong_byte(&self, values: &[u8], offsets: &[i32], lines: &[u64]) -> ConnectError {
        for (pair, &line) in offsets.windows(2).zip(lines) {
            let cell = values.get(pair[0] as usize..pair[1] as usize).unwrap_or_default();
            if std::str::from_utf8(cell).is_err() {
                return self.records.wrong_encoding(line, cell);
            }
        }
        self.records.wrong_encoding(lines.first().copied().unwrap_or(1), values)
    }
}

fn counted(cells: usize) -> String {
    if cells == 1 { "1 cell".to_string() } else { format!("{cells} cells") }
}

/// Makes a batch; the arrays have the schema's types and one length.
pub(crate) fn record_batch(schema: &SchemaRef, arrays: Vec<ArrayRef>, file: &str) -> Result<RecordBatch> {
    RecordBatch::try_new(schema.clone(), arrays)
        .map_err(|e| ConnectError::Malformed { file: file.to_string(), reason: e.to_string() })
}
