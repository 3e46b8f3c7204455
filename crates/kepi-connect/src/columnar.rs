//! Parquet and Arrow IPC. Columns keep their types; fields of structs become columns by their path, lists become JSON
//! text.

use crate::error::{ConnectError, Result};
use crate::input::{Input, head};
use crate::row_groups;
use crate::table::{Batch, Content};
use crate::text::{BATCH_ROWS, record_batch};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, StructArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef};
use std::io::BufReader;
use std::sync::Arc;

type Source = Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>> + Send>;

fn open(input: &Input, content: Content, coded: bool) -> Result<(SchemaRef, Source)> {
    let file = input.file()?;
    let broken = |what: &str, error: &dyn std::fmt::Display| ConnectError::Malformed {
        file: input.name.clone(),
        reason: format!("this {what} file is damaged or cut short ({error})"),
    };
    if content == Content::Parquet {
        return row_groups::open(file, coded).map_err(|e| broken("Parquet", &e));
    }
    let start = head(&mut input.bytes()?, 6).map_err(|e| input.broken(&e))?;
    if start.starts_with(b"ARROW1") {
        let reader = FileReader::try_new(BufReader::new(file), None).map_err(|e| broken("Arrow", &e))?;
        return Ok((reader.schema(), Box::new(reader)));
    }
    let reader = StreamReader::try_new(BufReader::new(file), None).map_err(|e| broken("Arrow", &e))?;
    Ok((reader.schema(), Box::new(reader)))
}

/// The columns of a file, unfolded.
pub(crate) fn schema(input: &Input, content: Content) -> Result<SchemaRef> {
    let (schema, _) = open(input, content, false)?;
    let mut fields = Vec::new();
    unfold_fields(schema.fields(), "", &mut fields);
    Ok(Arc::new(Schema::new(fields)))
}

fn unfold_fields(fields: &Fields, path: &str, out: &mut Vec<Field>) {
    for field in fields {
        let name = if path.is_empty() { field.name().clone() } else { format!("{path}.{}", field.name()) };
        match field.data_type() {
            DataType::Struct(inner) => unfold_fields(inner, &name, out),
            other => out.push(Field::new(name, flat_type(other), true)),
        }
    }
}

/// The type that a column has in a batch: nested ones and texts of other layouts become plain text.
fn flat_type(of: &DataType) -> DataType {
    match of {
        DataType::Dictionary(_, value) => flat_type(value),
        DataType::RunEndEncoded(_, value) => flat_type(value.data_type()),
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Timestamp(..)
        | DataType::Date32
        | DataType::Date64 => of.clone(),
        _ => DataType::Utf8,
    }
}

/// Whether a column that is declared as `flat` may come in this type where the reader takes it as the file has it.
fn is_coded(of: &DataType, flat: &DataType) -> bool {
    match (of, flat) {
        (DataType::Dictionary(place, text), DataType::Utf8) => **place == DataType::Int32 && **text == DataType::Utf8,
        (DataType::Decimal64(_, scale), DataType::Decimal128(_, other)) => scale == other,
        _ => false,
    }
}

/// Appends the columns that a column unfolds to; `skip` says for each whether it is left missing. With `coded`, those
/// of the file's own types that a reader may ask for stay as they are.
fn unfold(
    array: &ArrayRef,
    coded: bool,
    skip: &dyn Fn(usize) -> bool,
    out: &mut Vec<ArrayRef>,
) -> std::result::Result<(), ArrowError> {
    match array.data_type() {
        DataType::Struct(_) => {
            // A field of a missing struct is missing.
            let (fields, columns, nulls) = array.as_struct().clone().into_parts();
            for column in &columns {
                let masked = match &nulls {
                    None => column.clone(),
                    Some(nulls) => {
                        let mask = arrow_array::BooleanArray::new(!nulls.inner(), None);
                        arrow_select::nullif::nullif(column, &mask)?
                    }
                };
                unfold(&masked, coded, skip, out)?;
            }
            debug_assert_eq!(fields.len(), columns.len());
            Ok(())
        }
        _ => {
            let flat = flat_type(array.data_type());
            if skip(out.len()) {
                out.push(arrow_array::new_null_array(&flat, array.len()));
                return Ok(());
            }
            out.push(match array.data_type() {
                DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) | DataType::Map(..) => {
                    let texts: StringArray =
                        (0..array.len()).map(|i| array.is_valid(i).then(|| json(array, i).to_string())).collect();
                    Arc::new(texts)
                }
                DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                    let options = FormatOptions::default();
                    let format = ArrayFormatter::try_new(array.as_ref(), &options)?;
                    let texts = arrow_cast::cast(array, &DataType::Utf8);
                    match texts {
                        Ok(texts) => texts,
                        Err(_) => Arc::new(StringArray::from_iter(
                            (0..array.len()).map(|i| array.is_valid(i).then(|| format.value(i).to_string())),
                        )),
                    }
                }
                of if *of == flat || (coded && is_coded(of, &flat)) => array.clone(),
                _ => arrow_cast::cast(array, &flat)?,
            });
            Ok(())
        }
    }
}

/// A nested value as JSON.
fn json(array: &dyn Array, row: usize) -> serde_json::Value {
    use serde_json::Value;
    if array.is_null(row) {
        return Value::Null;
    }
    let list = |items: ArrayRef| Value::Array((0..items.len()).map(|i| json(&items, i)).collect());
    match array.data_type() {
        DataType::List(_) => list(array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(array.as_fixed_size_list().value(row)),
        DataType::Map(..) => list(Arc::new(array.as_map().value(row))),
        DataType::Struct(_) => json_object(array.as_struct(), row),
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Utf8 => Value::from(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Value::from(array.as_string::<i64>().value(row)),
        DataType::Int32 => Value::from(array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => Value::from(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::from(array.as_primitive::<Float64Type>().value(row)),
        _ => {
            let options = FormatOptions::default();
            let text = ArrayFormatter::try_new(array, &options).map(|f| f.value(row).to_string()).unwrap_or_default();
            if array.data_type().is_numeric()
                && let Ok(number) = serde_json::from_str(&text)
            {
                return number;
            }
            Value::String(text)
        }
    }
}

fn json_object(array: &StructArray, row: usize) -> serde_json::Value {
    let fields = array.fields().iter().zip(array.columns());
    serde_json::Value::Object(fields.map(|(f, c)| (f.name().clone(), json(c, row))).collect())
}

/// Reads a Parquet or Arrow file into batches.
pub(crate) struct ColumnarReader {
    source: Source,
    schema: SchemaRef,
    places: Vec<usize>,
    /// Which columns of the schema are read, where not all are.
    wanted: Option<Arc<[bool]>>,
    /// Columns may come as [`is_coded`] says.
    coded: bool,
    file: String,
    /// What is left of a batch that is longer than ours.
    rest: Option<RecordBatch>,
}

impl ColumnarReader {
    pub(crate) fn open(
        input: &Input,
        content: Content,
        schema: SchemaRef,
        places: Vec<usize>,
        wanted: Option<Arc<[bool]>>,
        coded: bool,
    ) -> Result<ColumnarReader> {
        let (_, source) = open(input, content, coded)?;
        Ok(ColumnarReader { source, schema, places, wanted, coded, file: input.name.clone(), rest: None })
    }

    /// The next batch; `before` rows of the table and `in_file` rows of the file came before it.
    pub(crate) fn next(&mut self, before: u64, in_file: u64) -> Result<Option<Batch>> {
        let broken = |e: ArrowError| ConnectError::Malformed {
            file: self.file.clone(),
            reason: format!("cannot be read behind row {in_file} ({e})"),
        };
        let batch = loop {
            let batch = match self.rest.take() {
                Some(rest) => rest,
                None => match self.source.next() {
                    None => return Ok(None),
                    Some(batch) => batch.map_err(broken)?,
                },
            };
            if batch.num_rows() > 0 {
                break batch;
            }
        };
        let count = batch.num_rows().min(BATCH_ROWS);
        if batch.num_rows() > count {
            self.rest = Some(batch.slice(count, batch.num_rows() - count));
        }
        let batch = batch.slice(0, count);
        let skip = |at: usize| {
            let wanted = self.places.get(at).and_then(|&place| self.wanted.as_ref()?.get(place).copied());
            wanted == Some(false)
        };
        let mut columns = Vec::new();
        for column in batch.columns() {
            unfold(column, self.coded, &skip, &mut columns).map_err(broken)?;
        }
        let mut arrays: Vec<Option<ArrayRef>> = vec![None; self.schema.fields().len()];
        for (column, &place) in columns.into_iter().zip(&self.places) {
            // A later file may have other types than the first.
            let wanted = self.schema.field(place).data_type();
            let coded = self.coded && is_coded(column.data_type(), wanted);
            let column = if column.data_type() == wanted || coded {
                column
            } else {
                arrow_cast::cast(&column, wanted).map_err(broken)?
            };
            arrays[place] = Some(column);
        }
        let arrays: Vec<ArrayRef> = arrays.into_iter().flatten().collect();
        let schema = match self.coded {
            true => {
                let fields = self.schema.fields().iter().zip(&arrays);
                let fields: Vec<Field> =
                    fields.map(|(f, a)| Field::new(f.name(), a.data_type().clone(), true)).collect();
                Arc::new(Schema::new(fields))
            }
            false => self.schema.clone(),
        };
        let records = record_batch(&schema, arrays, &self.file)?;
        let count = count as u64;
        Ok(Some(Batch {
            records,
            lines: (in_file + 1..=in_file + count).collect(),
            rows: (before + 1..=before + count).collect(),
            file: self.file.as_str().into(),
            rejected: Vec::new(),
            last_row: before + count,
        }))
    }
}
