//! Rows of an event, or the attributes of an entity, written for others: with keys and texts, not ids and codes.

use super::pasts::Pasts;
use super::reports::{ExportFormat, moment};
use crate::api::EngineError;
use crate::engine::Engine;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal64Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType, UInt32Type,
};
use arrow_array::{Array, ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use kepi_exec::Cancel;
use kepi_extension::{AT, ColumnKind, EventScan, ID, ScanError, ScanRequest};
use kepi_store::{EVER, Snapshot};
use std::io::Write;
use std::sync::Arc;

/// Rows of an entity are written so many at once.
const TOGETHER: usize = 65_536;

/// A column that is written.
struct Out {
    /// As others call it.
    name: String,
    /// The Arrow type in which a scan gives it.
    stored: DataType,
    texts: Option<Arc<StringArray>>,
}

impl Engine {
    /// Writes all rows of an event, or the keys and attributes of an entity, in order; gives how many. Where attributes
    /// have a history, a key has a row for each moment from which they were what they were. Merged keys are written as
    /// those that they mean.
    ///
    /// Errors: nothing of this name is stored; `out` cannot be written; interrupted.
    pub fn store_export(
        &self,
        name: &str,
        format: ExportFormat,
        out: &mut (dyn Write + Send),
        cancel: &Cancel,
    ) -> Result<u64, EngineError> {
        let snapshot = self.snapshot(None)?;
        let model = self.model("")?;
        if let Some(info) = snapshot.stream(name) {
            let at = model.catalog.stream(name).and_then(|declared| declared.at.clone());
            let mut columns = Vec::new();
            for column in &info.columns {
                let texts = match &column.kind {
                    ColumnKind::Id { entity } => Some(snapshot.keys(entity).map_err(scan_error)?),
                    ColumnKind::Code => Some(snapshot.dictionary(name, &column.name).map_err(scan_error)?),
                    _ => None,
                };
                let taken = |wanted: &str| info.column(wanted).is_some();
                let shown = match column.name.as_str() {
                    AT => at.clone().filter(|at| !taken(at)).unwrap_or_else(|| free("at", &taken)),
                    ID => free("id", &taken),
                    other => other.to_string(),
                };
                let stored = match (column.name.as_str(), &column.kind) {
                    (ID, ColumnKind::Decimal { .. }) => DataType::Int64,
                    (_, kind) => stored_type(kind),
                };
                columns.push(Out { name: shown, stored, texts });
            }
            let wanted = info.columns.iter().map(|column| column.name.clone()).filter(|column| column != AT).collect();
            let request = ScanRequest { stream: name.to_string(), columns: wanted, from: None, until: None };
            let batches = snapshot.scan(&request).map_err(scan_error)?;
            let batches =
                batches.map(|batch| batch.map_err(scan_error).and_then(|batch| readable(&columns, batch.columns())));
            return write(&columns, batches, format, out, cancel);
        }
        let Some(info) = snapshot.entity(name) else {
            let known = snapshot.streams().join(", ");
            return Err(EngineError::failed(format!("nothing is stored of `{name}`")).with_help(
                match known.is_empty() {
                    true => "`kepi load` fills events".to_string(),
                    false => format!("there are {known}, and entities; `kepi store info` lists them"),
                },
            ));
        };
        let key = model.catalog.entity(name).map_or_else(|| "key".to_string(), |declared| declared.key.clone());
        let key = if info.attributes.iter().any(|attribute| attribute.name == key) { "_key".to_string() } else { key };
        let keys = snapshot.keys(name).map_err(scan_error)?;
        let mut columns = vec![Out { name: key.clone(), stored: DataType::UInt32, texts: Some(keys) }];
        let mut values = Vec::new();
        for attribute in &info.attributes {
            let found = snapshot.attribute(name, &attribute.name).map_err(scan_error)?;
            let texts = match &found.kind {
                ColumnKind::Id { entity } => Some(snapshot.keys(entity).map_err(scan_error)?),
                _ => found.dictionary,
            };
            columns.push(Out { name: attribute.name.clone(), stored: stored_type(&found.kind), texts });
            values.push(found.values);
        }
        let ids = own_ids(&snapshot, name, info.count)?;
        let declared = model.catalog.entity(name).map_or(&[][..], |declared| &declared.fields);
        let with_history = declared.iter().filter(|f| f.history && info.attributes.iter().any(|a| a.name == f.name));
        let with_history: Vec<String> = with_history.map(|field| field.name.clone()).collect();
        let pasts = Pasts::of(&snapshot, name, &with_history, &ids)?;
        let rows: Vec<(u32, i64)> = match &pasts {
            Some(pasts) => pasts.rows.clone(),
            None => ids.into_iter().map(|id| (id, EVER)).collect(),
        };
        let attributes = columns.len();
        if pasts.is_some() {
            let from = free("from", &|wanted| wanted == key || info.attributes.iter().any(|a| a.name == wanted));
            columns.push(Out { name: from, stored: stored_type(&ColumnKind::Time), texts: None });
        }
        let batches = rows.chunks(TOGETHER).map(|rows| {
            let ids: UInt32Array = rows.iter().map(|(id, _)| *id).collect();
            let mut written: Vec<ArrayRef> = vec![Arc::new(ids)];
            for (values, column) in values.iter().zip(&columns[1..attributes]) {
                let past = pasts.as_ref().and_then(|pasts| pasts.values(&column.name, rows));
                let places = rows.iter().map(|&(id, _)| ((id as usize) < values.len()).then_some(id));
                written.push(past.unwrap_or_else(|| taken(values.as_ref(), &places.collect()))?);
            }
            if pasts.is_some() {
                let moments = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|(_, moment)| *moment));
                written.push(Arc::new(moments.with_timezone("UTC")));
            }
            readable(&columns, &written)
        });
        write(&columns, batches, format, out, cancel)
    }
}

/// A name, or one that is not taken.
fn free(name: &str, taken: &dyn Fn(&str) -> bool) -> String {
    if taken(name) { format!("_{name}") } else { name.to_string() }
}

/// The ids that mean themselves.
fn own_ids(snapshot: &Snapshot, entity: &str, count: u32) -> Result<Vec<u32>, EngineError> {
    let merged = snapshot.merged(entity).map_err(scan_error)?;
    let own = |id: &u32| {
        let meant =
            merged.as_ref().filter(|merged| (*id as usize) < merged.len()).map(|merged| merged.value(*id as usize));
        meant.is_none_or(|meant| meant == *id)
    };
    Ok((0..count).filter(own).collect())
}

/// The columns with keys and texts.
fn readable(columns: &[Out], rows: &[ArrayRef]) -> Result<RecordBatch, EngineError> {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (column, values) in columns.iter().zip(rows) {
        let values: ArrayRef = match (&column.texts, values.data_type()) {
            (Some(texts), DataType::UInt32) => taken(texts.as_ref(), values.as_primitive::<UInt32Type>())?,
            (_, DataType::Decimal64(_, scale)) => {
                let wide: Decimal128Array = values.as_primitive::<Decimal64Type>().unary(i128::from);
                Arc::new(wide.with_data_type(DataType::Decimal128(18, *scale)))
            }
            _ => Arc::clone(values),
        };
        fields.push(Field::new(&column.name, values.data_type().clone(), true));
        arrays.push(values);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(EngineError::failed)
}

fn taken(values: &dyn Array, places: &UInt32Array) -> Result<ArrayRef, EngineError> {
    arrow_select::take::take(values, places, None).map_err(EngineError::failed)
}

fn write(
    columns: &[Out],
    batches: impl Iterator<Item = Result<RecordBatch, EngineError>>,
    format: ExportFormat,
    out: &mut (dyn Write + Send),
    cancel: &Cancel,
) -> Result<u64, EngineError> {
    let mut rows = 0;
    let mut batches = batches
        .inspect(|batch| rows += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64))
        .map(|batch| if cancel.is_cancelled() { Err(EngineError::Interrupted) } else { batch });
    let io = |error: std::io::Error| EngineError::data(format!("cannot write: {error}"));
    match format {
        ExportFormat::Parquet => {
            let arrays = columns.iter().map(|column| arrow_array::new_empty_array(&column.stored));
            let empty = readable(columns, &arrays.collect::<Vec<_>>())?;
            let mut failed = None;
            let rest = std::iter::from_fn(|| match batches.next()? {
                Ok(batch) => Some(batch),
                Err(error) => {
                    failed = Some(error);
                    None
                }
            });
            kepi_connect::write_parquet(&empty.schema(), rest, out).map_err(io)?;
            if let Some(error) = failed {
                return Err(error);
            }
        }
        ExportFormat::Csv => {
            let names: Vec<String> = columns.iter().map(|column| cell_of_csv(&column.name)).collect();
            writeln!(out, "{}", names.join(",")).map_err(io)?;
            for batch in batches {
                out.write_all(csv(&batch?).as_bytes()).map_err(io)?;
            }
        }
        ExportFormat::Jsonl => {
            let names: Vec<String> = columns.iter().map(|column| json_text(&column.name)).collect();
            for batch in batches {
                out.write_all(jsonl(&batch?, &names).as_bytes()).map_err(io)?;
            }
        }
    }
    out.flush().map_err(io)?;
    Ok(rows)
}

/// The Arrow type in which a scan gives a kind.
fn stored_type(kind: &ColumnKind) -> DataType {
    match kind {
        ColumnKind::Id { .. } | ColumnKind::Code => DataType::UInt32,
        ColumnKind::Text => DataType::Utf8,
        ColumnKind::Decimal { scale } => DataType::Decimal64(18, *scale as i8),
        ColumnKind::Float => DataType::Float64,
        ColumnKind::Bool => DataType::Boolean,
        ColumnKind::Time => DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("UTC".into())),
        ColumnKind::Date => DataType::Date32,
    }
}

fn csv(batch: &RecordBatch) -> String {
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        for (place, column) in batch.columns().iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            match value(column, row) {
                Value::Missing => {}
                Value::Text(cell) => text.push_str(&cell_of_csv(cell)),
                Value::Plain(cell) | Value::Quoted(cell) => text.push_str(&cell),
            }
        }
        text.push('\n');
    }
    text
}

/// A text as a cell; an empty text is told from a missing one by its quotes.
fn cell_of_csv(text: &str) -> String {
    // `NULL` and `\N` without quotes are missing values to who reads it, kepi among them.
    let word = ["", "NULL", "\\N"].contains(&text);
    let plain = !word && text.trim() == text && !text.contains([',', '"', '\n', '\r']);
    if plain { text.to_string() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

fn jsonl(batch: &RecordBatch, names: &[String]) -> String {
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        for (place, (column, name)) in batch.columns().iter().zip(names).enumerate() {
            text.push_str(if place > 0 { "," } else { "{" });
            text.push_str(name);
            text.push(':');
            match value(column, row) {
                Value::Missing => text.push_str("null"),
                Value::Text(cell) => text.push_str(&json_text(cell)),
                Value::Quoted(cell) => text.push_str(&json_text(&cell)),
                Value::Plain(cell) => text.push_str(&cell),
            }
        }
        text.push_str("}\n");
    }
    text
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// One value as a text.
enum Value<'a> {
    Missing,
    Text(&'a str),
    /// A number, yes or no.
    Plain(String),
    /// A moment or a day.
    Quoted(String),
}

fn value(column: &ArrayRef, row: usize) -> Value<'_> {
    if column.is_null(row) {
        return Value::Missing;
    }
    match column.data_type() {
        DataType::Utf8 => Value::Text(column.as_string::<i32>().value(row)),
        DataType::Boolean => Value::Plain(column.as_boolean().value(row).to_string()),
        DataType::Int64 => Value::Plain(column.as_primitive::<Int64Type>().value(row).to_string()),
        DataType::Float64 => match column.as_primitive::<Float64Type>().value(row) {
            number if number.is_finite() => Value::Plain(number.to_string()),
            _ => Value::Missing,
        },
        DataType::Decimal128(_, _) => {
            let digits = column.as_primitive::<Decimal128Type>().value_as_string(row);
            // All values of a column have one scale, which says nothing of this one.
            let short = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
            Value::Plain(short.to_string())
        }
        DataType::Timestamp(_, _) => {
            Value::Quoted(moment(column.as_primitive::<TimestampMicrosecondType>().value(row)))
        }
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row);
            let day = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(days));
            day.map_or(Value::Missing, |day| Value::Quoted(day.to_string()))
        }
        _ => Value::Missing,
    }
}

pub(super) fn scan_error(error: ScanError) -> EngineError {
    crate::engine::exec_error(kepi_exec::ExecError::from(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_would_be_read_otherwise() {
        let cells = [
            ("a", "a"),
            ("NULL", "\"NULL\""),
            ("", "\"\""),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            (" a", "\" a\""),
        ];
        for (text, cell) in cells {
            assert_eq!(cell_of_csv(text), cell);
        }
    }
}
