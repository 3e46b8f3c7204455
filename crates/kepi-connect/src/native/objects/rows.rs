//! The rows of an object as JSON records, whatever its format: each with the object's name and its own number.

use super::super::options::Options;
use super::super::{config_error, failed};
use super::{ID, OBJECT, READ_OPTIONS, ROW};
use crate::convert::text;
use crate::{Batch, Batches, ReadOptions, Table};
use arrow_array::Array;
use arrow_array::cast::AsArray;
use kepi_extension::ConnectorError;
use serde_json::{Map, Value};
use std::collections::VecDeque;

/// An object that is being read. The file that holds it goes with it.
pub(super) struct Rows {
    name: String,
    /// Keeps the file until all is read.
    _file: tempfile::TempPath,
    batches: Batches,
    ready: VecDeque<String>,
    /// How many rows were given out, those of earlier runs too.
    done: u64,
    /// How many rows are behind those that are ready.
    seen: u64,
}

impl Rows {
    /// Opens an object that was fetched, behind its first `done` rows.
    pub(super) fn open(
        file: tempfile::TempPath,
        options: &Options,
        name: &str,
        done: u64,
    ) -> Result<Rows, ConnectorError> {
        let mut read = ReadOptions::default();
        for option in READ_OPTIONS {
            if let Some(value) = options.get(option) {
                read.set(option, value).map_err(|error| config_error(ID, error.to_string()))?;
            }
        }
        let path = file.to_string_lossy().into_owned();
        let wrong = |error: crate::ConnectError| failed(ID, error.to_string().replace(&path, name));
        // The path is a name, not a pattern.
        let table = Table::open(&[glob::Pattern::escape(&path)], &read).map_err(wrong)?;
        let batches = table.read();
        Ok(Rows { name: name.to_string(), _file: file, batches, ready: VecDeque::new(), done, seen: 0 })
    }

    /// How many rows were given out.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// Gives out up to so many rows; returns whether there are more.
    pub(super) fn take(&mut self, wanted: usize, into: &mut Vec<String>) -> Result<bool, ConnectorError> {
        for _ in 0..wanted {
            let Some(record) = self.next()? else { return Ok(false) };
            self.done += 1;
            into.push(record);
        }
        if self.ready.is_empty() {
            self.fill()?;
        }
        Ok(!self.ready.is_empty())
    }

    fn next(&mut self) -> Result<Option<String>, ConnectorError> {
        if self.ready.is_empty() {
            self.fill()?;
        }
        Ok(self.ready.pop_front())
    }

    /// Reads on until some rows are ready, or all are read.
    fn fill(&mut self) -> Result<(), ConnectorError> {
        while self.ready.is_empty() {
            let Some(batch) = self.batches.next() else { return Ok(()) };
            let batch = batch.map_err(|error| failed(ID, format!("{}: {error}", self.name)))?;
            let records = self.records(&batch);
            let known = self.done.saturating_sub(self.seen).min(records.len() as u64);
            self.seen += records.len() as u64;
            self.ready.extend(records.into_iter().skip(known as usize));
        }
        Ok(())
    }

    /// The rows of a batch, each cell as text. A row that cannot be read stands as it is: it is no record, and so is
    /// rejected, with its text, where the page is stored.
    fn records(&self, batch: &Batch) -> Vec<String> {
        let schema = batch.records.schema();
        let columns: Vec<_> = batch.records.columns().iter().map(text).collect();
        let mut records: Vec<(u64, String)> = Vec::with_capacity(batch.rows.len());
        for (row, number) in batch.rows.iter().enumerate() {
            let mut record = Map::new();
            for (field, column) in schema.fields().iter().zip(&columns) {
                let column = column.as_string::<i32>();
                let value = if column.is_valid(row) { Value::from(column.value(row)) } else { Value::Null };
                record.insert(field.name().clone(), value);
            }
            record.insert(OBJECT.to_string(), self.name.as_str().into());
            record.insert(ROW.to_string(), (*number).into());
            records.push((*number, Value::Object(record).to_string()));
        }
        let shown =
            |raw: &str, line: u64, why: &str| Value::from(format!("{}:{line}: {why}: {raw}", self.name)).to_string();
        records.extend(batch.rejected.iter().map(|row| (u64::MAX, shown(&row.raw, row.line, &row.reason))));
        records.into_iter().map(|(_, record)| record).collect()
    }
}
