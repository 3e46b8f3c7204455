//! Small declarations, rows written as text, and scans as text.

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::*;
use arrow_schema::{DataType, Field, Schema};
use kepi_extension::{AT, ColumnKind, EventScan, ID, ScanRequest};
use kepi_model::declared::{EntityDecl, FieldDecl, RoleDecl, StreamDecl};
use kepi_model::value::{Kind, Unit};
use kepi_store::{LoadOptions, LoadSummary, OnConflict, Snapshot, Store, Writer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder of a store that is removed with the value.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("store")
    }

    pub(crate) fn writer(&self) -> Writer {
        Store::open_writer(&self.path(), "test").unwrap()
    }

    pub(crate) fn reader(&self) -> Arc<Snapshot> {
        Store::open_reader(&self.path()).unwrap()
    }
}

pub(crate) fn field(name: &str, kind: Kind) -> FieldDecl {
    FieldDecl { name: name.into(), unit: Unit::of(kind), history: false, doc: None }
}

/// `event orders of customer at ordered { product: text, amount: money, express: bool }`
pub(crate) fn orders() -> StreamDecl {
    StreamDecl {
        name: "orders".into(),
        roles: vec![RoleDecl { name: "customer".into(), entity: "customer".into() }],
        at: Some("ordered".into()),
        fields: vec![field("product", Kind::Text), field("amount", Kind::Money(None)), field("express", Kind::Bool)],
    }
}

/// `entity customer { country: text, plan: text history, score: number }`
pub(crate) fn customers() -> EntityDecl {
    let mut plan = field("plan", Kind::Text);
    plan.history = true;
    EntityDecl {
        name: "customer".into(),
        key: "id".into(),
        from: None,
        fields: vec![field("country", Kind::Text), plan, field("score", Kind::Number)],
    }
}

/// A batch from lines of cells, the first line naming the columns; `-` is missing. `_at` and `_id#` are numbers,
/// `amount` and `score` decimals with two digits, `express` is yes/no, everything else text.
pub(crate) fn batch(text: &str) -> RecordBatch {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let names: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let rows: Vec<Vec<Option<&str>>> =
        lines.map(|line| line.split_whitespace().map(|cell| (cell != "-").then_some(cell)).collect()).collect();
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (position, name) in names.iter().enumerate() {
        let cells = rows.iter().map(|row| row[position]);
        let array: ArrayRef = match *name {
            AT => {
                let times: TimestampMicrosecondArray = cells.map(|c| c.map(|c| c.parse::<i64>().unwrap())).collect();
                Arc::new(times.with_timezone("UTC"))
            }
            "_id#" => Arc::new(cells.map(|c| c.map(|c| c.parse::<i64>().unwrap())).collect::<Int64Array>()),
            "amount" | "score" => {
                let digits = |c: &str| (c.parse::<f64>().unwrap() * 100.0).round() as i128;
                let digits: Decimal128Array = cells.map(|c| c.map(digits)).collect();
                Arc::new(digits.with_precision_and_scale(38, 2).unwrap())
            }
            "express" => Arc::new(cells.map(|c| c.map(|c| c == "yes")).collect::<BooleanArray>()),
            _ => Arc::new(cells.collect::<StringArray>()),
        };
        columns.push((name.trim_end_matches('#').to_string(), array));
    }
    table(columns)
}

pub(crate) fn table(columns: Vec<(String, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = columns.iter().map(|(n, c)| Field::new(n, c.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, c)| c).collect()).unwrap()
}

pub(crate) fn options(now: i64) -> LoadOptions {
    LoadOptions { label: "test".into(), at: now, now, on_conflict: OnConflict::Replace, cursor: None }
}

/// Loads events in one batch and expects no row to be rejected.
pub(crate) fn load(writer: &mut Writer, decl: &StreamDecl, text: &str) -> LoadSummary {
    load_batches(writer, decl, &[batch(text)])
}

/// Loads events and expects no row to be rejected. Loads of three batches and more wait in a file, as large ones do.
pub(crate) fn load_batches(writer: &mut Writer, decl: &StreamDecl, batches: &[RecordBatch]) -> LoadSummary {
    let mut load = writer.load(options(0));
    if batches.len() > 2 {
        load = load.in_memory(batches[0].get_array_memory_size() / 2);
    }
    for batch in batches {
        assert_eq!(load.events(decl, batch.clone()).unwrap(), []);
    }
    load.commit().unwrap()
}

/// Added, known, replaced.
pub(crate) fn counts(summary: &LoadSummary) -> (u64, u64, u64) {
    let count = &summary.counts[0];
    (count.added, count.known, count.replaced)
}

/// All rows of a stream as text, one line each: cells in the order of `AT`, `ID` and the declared columns.
pub(crate) fn rows(snapshot: &Snapshot, stream: &str) -> Vec<String> {
    rows_between(snapshot, stream, None, None)
}

pub(crate) fn rows_between(snapshot: &Snapshot, stream: &str, from: Option<i64>, until: Option<i64>) -> Vec<String> {
    let Some(info) = snapshot.stream(stream) else { return Vec::new() };
    let columns: Vec<String> = info.columns.iter().map(|c| c.name.clone()).filter(|name| name != AT).collect();
    let request = ScanRequest { stream: stream.into(), columns: columns.clone(), from, until };
    let mut out = Vec::new();
    for batch in snapshot.scan(&request).unwrap() {
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let mut cells = Vec::new();
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                let name = field.name();
                let kind = info.column(name).map(|c| c.kind.clone()).unwrap();
                let texts = match kind {
                    ColumnKind::Id { entity } => Some(snapshot.keys(&entity).unwrap()),
                    ColumnKind::Code => Some(snapshot.dictionary(stream, name).unwrap()),
                    _ => None,
                };
                assert!(name == ID || texts.is_none() || *column.data_type() == DataType::UInt32);
                cells.push(cell(column, texts.as_deref(), row));
            }
            out.push(cells.join(" "));
        }
    }
    out
}

/// One value as text; `-` is missing.
pub(crate) fn cell(column: &ArrayRef, texts: Option<&StringArray>, row: usize) -> String {
    if row >= column.len() || column.is_null(row) {
        return "-".into();
    }
    match column.data_type() {
        DataType::UInt32 => {
            let number = column.as_primitive::<UInt32Type>().value(row);
            texts.map_or(number.to_string(), |texts| texts.value(number as usize).to_owned())
        }
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Timestamp(..) => column.as_primitive::<TimestampMicrosecondType>().value(row).to_string(),
        DataType::Boolean => (if column.as_boolean().value(row) { "yes" } else { "no" }).into(),
        DataType::Decimal64(_, scale) => {
            let digits = column.as_primitive::<Decimal64Type>().value(row);
            (digits as f64 / 10f64.powi(i32::from(*scale))).to_string()
        }
        _ => column.as_string::<i32>().value(row).to_owned(),
    }
}

/// The same rows with dictionaries in place of texts but for ids: each text is there twice, a missing value in two ways,
/// and one text that no row has.
pub(crate) fn coded(rows: &RecordBatch) -> RecordBatch {
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| {
        let coded = match column.as_string_opt::<i32>() {
            Some(texts) if field.name() != ID => dictionary(texts),
            _ => column.clone(),
        };
        (field.name().clone(), coded)
    });
    table(columns.collect())
}

fn dictionary(texts: &StringArray) -> ArrayRef {
    let mut distinct: Vec<&str> = texts.iter().flatten().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let values = [Some("nobody")].into_iter().chain(distinct.iter().chain(&distinct).map(|text| Some(*text)));
    let values: StringArray = values.chain([None]).collect();
    let missing = values.len() as i32 - 1;
    let keys = texts.iter().enumerate().map(|(row, text)| match text {
        Some(text) => {
            let place = distinct.iter().position(|known| *known == text).unwrap();
            Some((1 + place + row % 2 * distinct.len()) as i32)
        }
        None => (row % 2 == 0).then_some(missing),
    });
    Arc::new(DictionaryArray::new(keys.collect::<Int32Array>(), Arc::new(values)))
}

/// The names of the files below a folder, with their paths.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => out.extend(files(&path)),
            false => out.push(path),
        }
    }
    out.sort();
    out
}

/// Many rows: `count` orders from row `first` on, one second apart, as one batch.
pub(crate) fn many(first: i64, count: i64) -> RecordBatch {
    let times: TimestampMicrosecondArray = (first..first + count).map(|i| Some(i * 1_000_000)).collect();
    let keys: StringArray = (first..first + count).map(|i| Some(format!("c{}", i % 997))).collect();
    let products: StringArray = (first..first + count).map(|i| (i % 11 != 0).then(|| format!("p{}", i % 7))).collect();
    let amounts: Decimal128Array = (first..first + count).map(|i| Some(i128::from(i) * 5)).collect();
    table(vec![
        (AT.into(), Arc::new(times.with_timezone("UTC"))),
        ("customer".into(), Arc::new(keys)),
        ("product".into(), Arc::new(products)),
        ("amount".into(), Arc::new(amounts.with_precision_and_scale(38, 2).unwrap())),
    ])
}
