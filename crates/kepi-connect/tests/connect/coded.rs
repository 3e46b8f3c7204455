//! Parquet columns as the file has them: dictionaries and short decimals.

use crate::{Folder, batches, open};
use arrow_array::{Array, ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Schema};
use kepi_connect::{Formats, Table, convert, convert_coded, whole_numbers};
use kepi_model::calendar::Zone;
use kepi_model::value::{Kind, Unit};
use parquet::file::properties::WriterProperties;
use std::sync::Arc;

fn decimals(values: impl Iterator<Item = Option<i128>>, precision: u8) -> ArrayRef {
    Arc::new(values.collect::<Decimal128Array>().with_precision_and_scale(precision, 2).unwrap())
}

/// A table of every kind of column that may stay as it is, or looks like it.
fn given(rows: i64) -> RecordBatch {
    let text = |i: i64, of: &str, every: i64| (i % 7 != 0).then(|| format!("{of}{}", i % every));
    let texts =
        |of: &str, every: i64| -> ArrayRef { Arc::new((0..rows).map(|i| text(i, of, every)).collect::<StringArray>()) };
    RecordBatch::try_from_iter_with_nullable([
        ("few", texts("p", 5), true),
        // Its dictionary becomes too large for the writer within a group.
        ("most", texts("a text that is somewhat longer ", 20_000), true),
        ("amount", decimals((0..rows).map(|i| (i % 3 != 0).then_some(i128::from(i) * 7 - 100_000)), 12), true),
        ("small", decimals((0..rows).map(|i| Some(i128::from(i % 100))), 4), true),
        ("large", decimals((0..rows).map(|i| Some(i128::from(i) << 64)), 38), true),
        ("id", Arc::new((0..rows).map(Some).collect::<Int64Array>()) as ArrayRef, true),
        ("at", Arc::new((0..rows).map(Some).collect::<TimestampMicrosecondArray>()) as ArrayRef, true),
    ])
    .unwrap()
}

fn written(rows: &RecordBatch, group: usize) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_data_page_row_count_limit(2_000)
        .set_write_batch_size(1_000)
        .set_dictionary_page_size_limit(100_000)
        .build();
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
    bytes
}

fn types(table: &Table) -> Vec<String> {
    let schema = batches(table)[0].records.schema();
    schema.fields().iter().map(|field| field.data_type().to_string()).collect()
}

/// All batches in the types of the table, as one.
fn whole(table: &Table) -> RecordBatch {
    let schema: Arc<Schema> = table.schema().clone();
    let plain = |batch: RecordBatch| {
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| arrow_cast::cast(column, field.data_type()).unwrap()).collect();
        RecordBatch::try_new(schema.clone(), columns).unwrap()
    };
    let all: Vec<RecordBatch> = batches(table).into_iter().map(|batch| plain(batch.records)).collect();
    arrow_select::concat::concat_batches(&schema, &all).unwrap()
}

#[test]
fn columns_stay_as_the_file_has_them_and_hold_the_same() {
    let folder = Folder::new();
    let rows = given(70_000);
    let plain =
        ["Utf8", "Utf8", "Decimal128(12, 2)", "Decimal128(4, 2)", "Decimal128(38, 2)", "Int64", "Timestamp(µs)"];
    let mut coded = plain;
    (coded[0], coded[2], coded[3]) = ("Dictionary(Int32, Utf8)", "Decimal64(12, 2)", "Decimal64(4, 2)");
    // One group, two, and many small ones, which are read across.
    for (group, expected) in [(100_000, coded), (35_000, coded), (1_000, plain)] {
        let table = open(&folder.file("a.parquet", written(&rows, group)), &[]);
        assert_eq!(types(&table), plain);
        assert_eq!(types(&table.coded()), expected, "groups of {group}");
        assert_eq!(table.coded().schema(), table.schema());
        let same = whole(&table.coded()) == whole(&table) && whole(&table).columns() == rows.columns();
        assert!(same, "groups of {group}");
        let numbers: Vec<u64> = batches(&table.coded()).into_iter().flat_map(|batch| batch.rows).collect();
        assert!(numbers == (1..=70_000).collect::<Vec<u64>>(), "groups of {group}");
    }
}

#[test]
fn a_reader_may_take_them_or_convert_them() {
    let folder = Folder::new();
    let table = open(&folder.file("a.parquet", written(&given(5_000), 100_000)), &[]);
    let (plain, coded) = (batches(&table).remove(0), batches(&table.coded()).remove(0));
    let formats = Formats { decimal: b'.', moment: None, zone: Zone::utc() };
    let kinds = [Kind::Text, Kind::Text, Kind::Money(None), Kind::Number, Kind::Number, Kind::Count, Kind::Time];
    for (place, kind) in kinds.into_iter().enumerate() {
        let unit = Unit::of(kind);
        let (column, faults) = convert(plain.records.column(place), &unit, &formats);
        assert!(faults.is_empty());
        // What is converted is the same, wherever it came from.
        assert_eq!(&convert(coded.records.column(place), &unit, &formats).0, &column, "column {place}");
        let (kept, faults) = convert_coded(coded.records.column(place), &unit, &formats);
        assert!(faults.is_empty());
        assert_eq!(&arrow_cast::cast(&kept, column.data_type()).unwrap(), &column, "column {place}");
    }
    // A text that is read as something else is converted, with the same words where that fails.
    for kind in [Kind::Number, Kind::Bool, Kind::Date] {
        let unit = Unit::of(kind);
        let expected = convert(plain.records.column(0), &unit, &formats);
        assert!(expected.1[0].1.contains("found `p1`"), "{}", expected.1[0].1);
        assert_eq!(convert_coded(coded.records.column(0), &unit, &formats), expected);
    }
    // A row that is rejected shows its texts.
    assert_eq!(coded.reject(1, "few", "is odd"), plain.reject(1, "few", "is odd"));
    assert!(coded.reject(1, "few", "").raw.starts_with("p1,a text that is somewhat longer 1,"));
}

#[test]
fn whole_numbers_are_those_that_fit() {
    let of = |values: ArrayRef| whole_numbers(&values).map(|numbers| numbers.data_type().clone());
    assert_eq!(of(Arc::new(arrow_array::UInt8Array::from(vec![1]))), Some(DataType::Int64));
    assert_eq!(of(Arc::new(arrow_array::Int32Array::from(vec![1]))), Some(DataType::Int64));
    assert_eq!(of(Arc::new(arrow_array::UInt64Array::from(vec![1]))), None);
    assert_eq!(of(Arc::new(arrow_array::Float64Array::from(vec![1.0]))), None);
    assert_eq!(of(Arc::new(StringArray::from(vec!["1"]))), None);
}
