//! A table: one or several files with the same columns, read in batches while the caller works.

use crate::columnar::{self, ColumnarReader};
use crate::convert::text;
use crate::dialect::{self, Dialect};
use crate::error::{ConnectError, Result};
use crate::input::{self, Input, head};
use crate::json::{self, JsonReader};
use crate::options::ReadOptions;
use crate::text::{Records, TextReader};
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use kepi_threads::{AtWork, give_way};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

/// A row that could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The file.
    pub file: String,
    /// Its line from 1; in Parquet and Arrow the row from 1.
    pub line: u64,
    /// Why, in words.
    pub reason: String,
    /// The row as it stands in the file; of formats that are no text, and of cells, what can be shown.
    pub raw: String,
}

/// Rows of one file.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The rows, with all columns of the table. An empty cell is null.
    pub records: RecordBatch,
    /// For each row its line in the file, from 1; in Parquet and Arrow the row in the file.
    pub lines: Vec<u64>,
    /// For each row its number in the table, from 1 and on through all files; rejected rows have theirs too.
    pub rows: Vec<u64>,
    /// The file.
    pub file: Arc<str>,
    /// The rows that were left out on the way to this batch.
    pub rejected: Vec<Rejected>,
    /// The number of the last row that was read, rejected or not.
    pub(crate) last_row: u64,
}

impl Batch {
    /// A rejected row for row `row` of the batch, whose cell in `column` could not be read.
    pub fn reject(&self, row: usize, column: &str, reason: &str) -> Rejected {
        let shown = |array: &arrow_array::ArrayRef| {
            let cell = text(&array.slice(row, 1));
            let cell = cell.as_string::<i32>();
            if cell.is_valid(0) { quoted(cell.value(0)) } else { String::new() }
        };
        let raw: Vec<String> = self.records.columns().iter().map(shown).collect();
        Rejected {
            file: self.file.to_string(),
            line: self.lines.get(row).copied().unwrap_or(0),
            reason: format!("column `{column}`: {reason}"),
            raw: raw.join(","),
        }
    }
}

/// A cell as CSV writes it: in quotes where a comma, a quote or a line break would end it.
fn quoted(cell: &str) -> String {
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_string(),
    }
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Delimited text.
    Text,
    /// A JSON object a line.
    JsonLines,
    /// One JSON array of objects.
    JsonArray,
    /// Parquet.
    Parquet,
    /// An Arrow IPC file or stream.
    Arrow,
}

/// One or several files with the same columns.
#[derive(Clone, Debug)]
pub struct Table {
    inputs: Vec<TableFile>,
    schema: SchemaRef,
    options: ReadOptions,
    dialect: Option<Dialect>,
    /// Which columns are read, where not all are.
    wanted: Option<Arc<[bool]>>,
    /// Columns come in the types that the file has them in.
    coded: bool,
}

#[derive(Clone, Debug)]
struct TableFile {
    input: Input,
    content: Content,
    header: bool,
    /// For each column of the file its place in the schema.
    places: Vec<usize>,
}

impl Table {
    /// Opens the files that the patterns name and looks at what they are; `-` is standard input.
    ///
    /// # Errors
    /// No such file, an empty file, a file that is no table, two columns of one name, files with different columns.
    pub fn open(patterns: &[String], options: &ReadOptions) -> Result<Table> {
        Table::of_inputs(input::find(patterns)?, options)
    }

    /// The same files, read in another way. Standard input is kept, since it can be read only once.
    ///
    /// # Errors
    /// As of [`Table::open`].
    pub fn reopened(&self, options: &ReadOptions) -> Result<Table> {
        Table::of_inputs(self.inputs.iter().map(|file| file.input.clone()).collect(), options)
    }

    fn of_inputs(inputs: Vec<Input>, options: &ReadOptions) -> Result<Table> {
        let mut files: Vec<TableFile> = Vec::new();
        let mut schema: Option<SchemaRef> = None;
        let mut dialect = None;
        // Later files are read like the first one, so that a short file is not guessed otherwise.
        let mut settled = options.clone();
        let several_json = json_columns(&inputs, options)?;
        for input in inputs {
            let content = content_of(&input, options)?;
            let mut header = false;
            let found: SchemaRef = match content {
                Content::Text => {
                    let (d, names) = dialect::detect(&input, &settled)?;
                    header = d.header;
                    settled.delimiter = Some(d.delimiter);
                    settled.header = Some(d.header);
                    dialect.get_or_insert(d);
                    text_schema(&names)
                }
                Content::JsonLines | Content::JsonArray => text_schema(&several_json),
                Content::Parquet | Content::Arrow => columnar::schema(&input, content)?,
            };
            let found = renamed(&input, found, content, options)?;
            let names: Vec<String> = found.fields().iter().map(|f| f.name().clone()).collect();
            dialect::refuse_duplicates(&input.name, &names)?;
            let schema = schema.get_or_insert(found);
            let places = places(schema, &names, &input.name, files.first().map_or("", |f| f.input.name.as_str()))?;
            files.push(TableFile { input, content, header, places });
        }
        let schema = schema.ok_or(ConnectError::NoMatch { pattern: String::new() })?;
        Ok(Table { inputs: files, schema, options: options.clone(), dialect, wanted: None, coded: false })
    }

    /// A table of records in memory, a JSON object a line: a connector's page.
    ///
    /// # Errors
    /// Records that are no JSON objects, two fields of one name.
    pub fn of_json_lines(name: &str, text: Vec<u8>, options: &ReadOptions) -> Result<Table> {
        let input = Input::in_memory(name.to_string(), text)?;
        let mut names = Vec::new();
        json::columns(&input, options, Content::JsonLines, &mut names)?;
        dialect::refuse_duplicates(name, &names)?;
        let schema = text_schema(&names);
        let places = (0..names.len()).collect();
        let file = TableFile { input, content: Content::JsonLines, header: false, places };
        Ok(Table { inputs: vec![file], schema, options: options.clone(), dialect: None, wanted: None, coded: false })
    }

    /// The columns with their types. Text formats and JSON have text only; Parquet and Arrow keep theirs.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The names of the columns.
    pub fn columns(&self) -> Vec<String> {
        self.schema.fields().iter().map(|f| f.name().clone()).collect()
    }

    /// The place of a column.
    ///
    /// # Errors
    /// There is none; the message lists those that there are.
    pub fn column(&self, name: &str) -> Result<usize> {
        self.schema.index_of(name).map_err(|_| ConnectError::UnknownColumn {
            file: self.first_file().to_string(),
            name: name.to_string(),
            columns: self.columns().join(", "),
        })
    }

    /// The same table, of which only these columns are needed. The others stay in the schema, but formats that can
    /// skip a column (Parquet, Arrow) leave it missing, which saves most of the time on wide tables.
    ///
    /// # Errors
    /// An unknown column.
    pub fn with_only(&self, columns: &[String]) -> Result<Table> {
        let mut wanted = vec![false; self.schema.fields().len()];
        for name in columns {
            wanted[self.column(name)?] = true;
        }
        Ok(Table { wanted: Some(wanted.into()), ..self.clone() })
    }

    /// The same table, for a reader that takes columns as a file has them: texts of Parquet and Arrow files may come as
    /// `Dictionary(Int32, Utf8)`, decimals as `Decimal64` where [`Table::schema`] says `Decimal128`. It says the same.
    pub fn coded(&self) -> Table {
        Table { coded: true, ..self.clone() }
    }

    /// The same table of JSON records with these columns too: one that no record has is missing in all of them.
    pub fn with_missing(&self, columns: &[String]) -> Table {
        let mut fields: Vec<_> = self.schema.fields().iter().cloned().collect();
        for name in columns.iter().filter(|name| self.schema.index_of(name).is_err()) {
            if !fields.iter().any(|f| f.name() == name) {
                fields.push(Arc::new(Field::new(name, DataType::Utf8, true)));
            }
        }
        Table { schema: Arc::new(Schema::new(fields)), ..self.clone() }
    }

    /// The delimiter and header that were found or stated; none for formats that have none.
    pub fn dialect(&self) -> Option<&Dialect> {
        self.dialect.as_ref()
    }

    /// How the table was asked to be read.
    pub fn options(&self) -> &ReadOptions {
        &self.options
    }

    /// The name of the first file.
    pub fn first_file(&self) -> &str {
        self.inputs.first().map_or("", |f| f.input.name.as_str())
    }

    /// The first file's name without folder and extension.
    pub fn stem(&self) -> String {
        self.inputs.first().map(|f| f.input.stem()).unwrap_or_default()
    }

    /// The names of all files, in the order of reading.
    pub fn files(&self) -> Vec<&str> {
        self.inputs.iter().map(|f| f.input.name.as_str()).collect()
    }

    /// Reads all rows. A thread of its own reads and cuts; it ends when the iterator is dropped. The iterator ends
    /// after the first error.
    pub fn read(&self) -> Batches {
        let (sender, receiver) = sync_channel(4);
        let table = self.clone();
        let worker = move || {
            let _at_work = AtWork::begin_beside();
            let mut rows = 0;
            for file in &table.inputs {
                let outcome = table.read_file(file, &mut rows, &mut |batch| sender.send(Ok(batch)).is_ok());
                match outcome {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        // The reader may be gone, and then nobody wants the error.
                        let _ = sender.send(Err(error));
                        return;
                    }
                }
            }
        };
        let spawned = std::thread::Builder::new().name("kepi-read".to_string()).spawn(worker);
        give_way();
        let failed =
            spawned.err().map(|e| ConnectError::Read { file: self.first_file().to_string(), reason: e.to_string() });
        Batches { receiver, failed }
    }

    fn read_file(&self, file: &TableFile, rows: &mut u64, send: &mut dyn FnMut(Batch) -> bool) -> Result<bool> {
        let before = *rows;
        let mut next: Box<dyn FnMut(u64) -> Result<Option<Batch>>> = match file.content {
            Content::Text => {
                let delimiter = self.dialect.as_ref().map(|d| d.delimiter);
                let delimiter = delimiter.unwrap_or(crate::options::Delimiter::Byte(b','));
                let records = Records::open(&file.input, self.options.encoding.as_deref(), delimiter)?;
                let mut reader = TextReader::new(records, self.schema.clone(), file.places.clone(), file.header)?;
                Box::new(move |rows| reader.next(rows))
            }
            Content::JsonLines | Content::JsonArray => {
                let mut reader = JsonReader::open(&file.input, &self.options, file.content, self.schema.clone())?;
                Box::new(move |rows| reader.next(rows))
            }
            Content::Parquet | Content::Arrow => {
                let mut reader = ColumnarReader::open(
                    &file.input,
                    file.content,
                    self.schema.clone(),
                    file.places.clone(),
                    self.wanted.clone(),
                    self.coded,
                )?;
                Box::new(move |rows| reader.next(rows, rows - before))
            }
        };
        while let Some(batch) = next(*rows)? {
            *rows = batch.last_row;
            if !send(batch) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The batches of a table, read ahead by a thread.
#[derive(Debug)]
pub struct Batches {
    receiver: Receiver<Result<Batch>>,
    failed: Option<ConnectError>,
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        match self.failed.take() {
            Some(error) => Some(Err(error)),
            None => self.receiver.recv().ok(),
        }
    }
}

fn text_schema(names: &[String]) -> SchemaRef {
    Arc::new(Schema::new(names.iter().map(|n| Field::new(n, DataType::Utf8, true)).collect::<Vec<_>>()))
}

/// The columns of all JSON files together: a field may be absent from a whole file.
fn json_columns(inputs: &[Input], options: &ReadOptions) -> Result<Vec<String>> {
    let mut columns = Vec::new();
    for input in inputs {
        let content = content_of(input, options)?;
        if matches!(content, Content::JsonLines | Content::JsonArray) {
            json::columns(input, options, content, &mut columns)?;
        }
    }
    Ok(columns)
}

/// With `columns` stated, gives formats that carry names of their own the stated ones.
fn renamed(input: &Input, found: SchemaRef, content: Content, options: &ReadOptions) -> Result<SchemaRef> {
    let Some(names) = options.columns.as_ref().filter(|_| matches!(content, Content::Parquet | Content::Arrow)) else {
        return Ok(found);
    };
    if names.len() != found.fields().len() {
        let (given, found) = (names.len(), found.fields().len());
        return Err(ConnectError::ColumnCount { file: input.name.clone(), given, found });
    }
    let fields: Vec<Field> =
        found.fields().iter().zip(names).map(|(f, n)| Field::new(n, f.data_type().clone(), true)).collect();
    Ok(Arc::new(Schema::new(fields)))
}

fn places(schema: &Schema, names: &[String], file: &str, first: &str) -> Result<Vec<usize>> {
    let other = |detail: String| ConnectError::OtherHeader { file: file.to_string(), first: first.to_string(), detail };
    let places: Vec<usize> =
        names.iter().map(|n| schema.index_of(n).map_err(|_| other(format!("`{n}` is new")))).collect::<Result<_>>()?;
    match schema.fields().iter().find(|f| !names.contains(f.name())) {
        Some(absent) => Err(other(format!("`{}` is not there", absent.name()))),
        None => Ok(places),
    }
}

fn content_of(input: &Input, options: &ReadOptions) -> Result<Content> {
    let start = head(&mut input.bytes()?, 4096).map_err(|e| input.broken(&e))?;
    if start.is_empty() {
        return Err(ConnectError::Empty { file: input.name.clone() });
    }
    if start.starts_with(b"PAR1") {
        return Ok(Content::Parquet);
    }
    if start.starts_with(b"ARROW1") || start.starts_with(&[0xff, 0xff, 0xff, 0xff]) {
        return Ok(Content::Arrow);
    }
    if options.delimiter.is_some() {
        return Ok(Content::Text);
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start).trim_ascii_start();
    let second = text.get(1..).unwrap_or_default().trim_ascii_start().first();
    Ok(match (text.first(), second) {
        (Some(b'{'), Some(b'"' | b'}')) => Content::JsonLines,
        (Some(b'['), Some(b'{' | b']')) => Content::JsonArray,
        (None, _) => return Err(ConnectError::Empty { file: input.name.clone() }),
        _ => Content::Text,
    })
}
