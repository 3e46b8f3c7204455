//! JSON: an object a line, or one array of objects. Nested fields become columns by their path, `customer.id`; lists
//! stay JSON text. Cells are text as it stands in the file, so numbers lose no digit.

use crate::encoding;
use crate::error::{ConnectError, Result, shown};
use crate::input::{Bytes, Input};
use crate::options::ReadOptions;
use crate::table::{Batch, Content, Rejected};
use crate::text::{BATCH_ROWS, record_batch};
use arrow_array::builder::StringBuilder;
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::SchemaRef;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

/// How deep objects are unfolded; what is deeper stays JSON text.
const DEPTH_MAX: usize = 16;

/// The fields of an object in their order, with values as they are written.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Calls `each` with the path and the text of every field; none: the value is null.
fn flatten(json: &str, path: &str, depth: usize, each: &mut dyn FnMut(&str, Option<&str>)) -> serde_json::Result<()> {
    let Object(fields) = serde_json::from_str(json)?;
    for (name, value) in fields {
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        let raw = value.get();
        match raw.as_bytes().first() {
            Some(b'{') if depth < DEPTH_MAX && raw != "{}" => flatten(raw, &path, depth + 1, each)?,
            Some(b'"') => {
                let text: String = serde_json::from_str(raw)?;
                each(&path, Some(&text));
            }
            Some(b'n') => each(&path, None),
            _ => each(&path, Some(raw)),
        }
    }
    Ok(())
}

/// An element of the file.
struct Element {
    line: u64,
    text: String,
}

/// Cuts a file into its objects.
enum Elements {
    Lines { reader: BufReader<Bytes>, line: u64, file: Input, encoding: &'static str },
    Array { text: String, at: usize, line: u64, file: String },
}

impl Elements {
    fn open(input: &Input, options: &ReadOptions, content: Content) -> Result<Elements> {
        let mut text = encoding::open(input, options.encoding.as_deref())?;
        if content == Content::JsonLines {
            let reader = BufReader::with_capacity(1 << 18, text.bytes);
            return Ok(Elements::Lines { reader, line: 0, file: input.clone(), encoding: text.encoding });
        }
        // An array has no line structure to rely on, so it is held whole.
        let mut bytes = Vec::new();
        text.bytes.read_to_end(&mut bytes).map_err(|e| input.broken(&e))?;
        let whole = String::from_utf8(bytes).map_err(|e| {
            let line = 1 + e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() as u64;
            wrong_encoding(&input.name, line, text.encoding)
        })?;
        let at = whole.find('[').map_or(whole.len(), |at| at + 1);
        let line = 1 + whole[..at].matches('\n').count() as u64;
        Ok(Elements::Array { text: whole, at, line, file: input.name.clone() })
    }

    fn next(&mut self) -> Result<Option<Element>> {
        match self {
            Elements::Lines { reader, line, file, encoding } => loop {
                let mut bytes = Vec::new();
                if reader.read_until(b'\n', &mut bytes).map_err(|e| file.broken(&e))? == 0 {
                    return Ok(None);
                }
                *line += 1;
                let text = String::from_utf8(bytes).map_err(|_| wrong_encoding(&file.name, *line, encoding))?;
                if !text.trim().is_empty() {
                    return Ok(Some(Element { line: *line, text: text.trim().to_string() }));
                }
            },
            Elements::Array { text, at, line, file } => next_of_array(text, at, line, file),
        }
    }
}

fn next_of_array(text: &str, at: &mut usize, line: &mut u64, file: &str) -> Result<Option<Element>> {
    let bytes = text.as_bytes();
    while let Some(byte) = bytes.get(*at) {
        match byte {
            b'\n' => *line += 1,
            b']' => return Ok(None),
            b',' | b' ' | b'\t' | b'\r' => {}
            _ => break,
        }
        *at += 1;
    }
    let (start, first_line) = (*at, *line);
    let (mut depth, mut quoted) = (0usize, false);
    while let Some(byte) = bytes.get(*at) {
        match byte {
            b'\\' if quoted => *at += 1,
            b'"' => quoted = !quoted,
            b'\n' => *line += 1,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted && depth > 0 => depth -= 1,
            b',' | b']' if !quoted && depth == 0 => {
                return Ok(Some(Element { line: first_line, text: text[start..*at].trim().to_string() }));
            }
            _ => {}
        }
        *at += 1;
    }
    let reason = format!("the JSON array is not closed; its last element begins on line {first_line}");
    Err(ConnectError::Malformed { file: file.to_string(), reason })
}

fn wrong_encoding(file: &str, line: u64, encoding: &str) -> ConnectError {
    let (file, encoding) = (file.to_string(), encoding.to_string());
    ConnectError::Encoding {
        file,
        line,
        hint: encoding::hint(&encoding),
        encoding,
        found: "a byte that does not fit".into(),
    }
}

/// Adds the columns of a JSON file in the order in which they first appear. Reads the file to its end: a field may
/// appear late.
pub(crate) fn columns(input: &Input, options: &ReadOptions, content: Content, columns: &mut Vec<String>) -> Result<()> {
    let mut known: HashMap<String, ()> = columns.iter().map(|c| (c.clone(), ())).collect();
    let mut elements = Elements::open(input, options, content)?;
    let (mut first_fault, mut good) = (None, false);
    while let Some(element) = elements.next()? {
        let found = flatten(&element.text, "", 0, &mut |path, _| {
            if !known.contains_key(path) {
                known.insert(path.to_string(), ());
                columns.push(path.to_string());
            }
        });
        match found {
            Ok(()) => good = true,
            Err(e) => {
                first_fault.get_or_insert(format!("line {}: {}", element.line, fault(&e)));
            }
        }
    }
    match first_fault {
        Some(fault) if !good => Err(ConnectError::Malformed {
            file: input.name.clone(),
            reason: format!("{fault}; kepi reads a JSON object a line, or one array of objects"),
        }),
        _ => Ok(()),
    }
}

fn fault(error: &serde_json::Error) -> String {
    // The place within the element says little where the line is known.
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    format!("no JSON object ({text})")
}

/// Reads JSON objects into batches of text columns.
pub(crate) struct JsonReader {
    elements: Elements,
    schema: SchemaRef,
    places: HashMap<String, usize>,
    file: String,
    ended: bool,
}

impl JsonReader {
    pub(crate) fn open(
        input: &Input,
        options: &ReadOptions,
        content: Content,
        schema: SchemaRef,
    ) -> Result<JsonReader> {
        let places = schema.fields().iter().enumerate().map(|(i, f)| (f.name().clone(), i)).collect();
        let elements = Elements::open(input, options, content)?;
        Ok(JsonReader { elements, schema, places, file: input.name.clone(), ended: false })
    }

    pub(crate) fn next(&mut self, before: u64) -> Result<Option<Batch>> {
        if self.ended {
            return Ok(None);
        }
        let width = self.schema.fields().len();
        let mut columns: Vec<StringBuilder> = (0..width).map(|_| StringBuilder::new()).collect();
        let (mut lines, mut rows, mut rejected, mut row) = (Vec::new(), Vec::new(), Vec::new(), before);
        let mut cells: Vec<Option<String>> = vec![None; width];
        let mut bytes = 0;
        while rows.len() < BATCH_ROWS && rejected.len() < BATCH_ROWS && bytes < 64 << 20 {
            let Some(element) = self.elements.next()? else {
                self.ended = true;
                break;
            };
            row += 1;
            bytes += element.text.len();
            cells.fill(None);
            let mut twice = None;
            let read = flatten(&element.text, "", 0, &mut |path, value| {
                if let Some(&place) = self.places.get(path) {
                    if cells[place].is_some() {
                        twice = Some(path.to_string());
                    }
                    cells[place] = value.filter(|v| !v.is_empty()).map(str::to_string);
                }
            });
            let reason = match (read, twice) {
                (Err(e), _) => Some(fault(&e)),
                (Ok(()), Some(path)) => Some(format!("the field `{}` occurs twice", shown(&path))),
                (Ok(()), None) => None,
            };
            if let Some(reason) = reason {
                rejected.push(Rejected { file: self.file.clone(), line: element.line, reason, raw: element.text });
                continue;
            }
            for (column, cell) in columns.iter_mut().zip(&cells) {
                column.append_option(cell.as_deref());
            }
            lines.push(element.line);
            rows.push(row);
        }
        if rows.is_empty() && rejected.is_empty() {
            return Ok(None);
        }
        let arrays: Vec<ArrayRef> = columns.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef).collect();
        debug_assert!(arrays.iter().all(|a| a.len() == rows.len()));
        let records = record_batch(&self.schema, arrays, &self.file)?;
        Ok(Some(Batch { records, lines, rows, file: self.file.as_str().into(), rejected, last_row: row }))
    }
}
