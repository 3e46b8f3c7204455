//! Rows go in and come out: small and bulk, kinds of columns, what is refused.

use crate::support::*;
use arrow_array::*;
use kepi_extension::{AT, ColumnKind, EventScan, ScanError, ScanRequest};
use kepi_model::value::Kind;
use kepi_store::{RejectedRow, Store, StoreError};
use std::sync::Arc;

const THREE: &str = "
    _at customer product amount express
    3   ada      tea     1.50   yes
    1   bob      -       20     no
    2   ada      milk    -      -
";

#[test]
fn an_empty_store_is_an_empty_snapshot() {
    let folder = Folder::new();
    assert_eq!(folder.reader().streams(), Vec::<String>::new());
    drop(folder.writer());
    assert_eq!(folder.reader().snapshot(), 0);
    assert!(folder.reader().stream("orders").is_none());
}

#[test]
fn rows_come_back_in_order_before_and_after_reopening() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let summary = load(&mut writer, &orders(), THREE);
    assert_eq!(summary.snapshot, 1);
    assert_eq!(counts(&summary), (3, 0, 0));
    let expected = ["1 bob - 20 no", "2 ada milk - -", "3 ada tea 1.5 yes"];
    assert_eq!(rows(&writer.snapshot().unwrap(), "orders"), expected);
    assert_eq!(rows(&folder.reader(), "orders"), expected);
    drop(writer);
    let writer = folder.writer();
    assert_eq!(rows(&writer.snapshot().unwrap(), "orders"), expected);
    let info = writer.snapshot().unwrap().stream("orders").unwrap();
    assert_eq!((info.rows, info.first, info.last, info.dated), (3, Some(1), Some(3), true));
    assert_eq!(info.column("amount").unwrap().kind, ColumnKind::Decimal { scale: 1 });
    assert_eq!(info.column("customer").unwrap().kind, ColumnKind::Id { entity: "customer".into() });
    assert_eq!(writer.loads().unwrap(), folder.reader().loads().unwrap());
    assert_eq!(writer.loads().unwrap()[0].counts[0].added, 3);
}

#[test]
fn a_bulk_load_is_read_in_chunks_and_windows() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load_batches(&mut writer, &orders(), &[many(0, 100_000), many(100_000, 100_000)]);
    drop(writer);
    let reader = folder.reader();
    reader.verify().unwrap();
    let all = rows(&reader, "orders");
    assert_eq!(all.len(), 200_000);
    assert_eq!(all[123_456], "123456000000 c825 p4 6172.8 -");
    assert_eq!(all[11], "11000000 c11 - 0.55 -");
    let window = rows_between(&reader, "orders", Some(65_535_000_000), Some(65_538_000_000));
    assert_eq!(window, all[65_535..65_538]);
    let cuts = reader.splits("orders", None, None, 4);
    assert_eq!(cuts.len(), 3);
    for (cut, part) in cuts.iter().zip(1..) {
        let wanted = part * 50_000_000_000i64;
        assert!((cut - wanted).abs() < 5_000_000_000, "{cut} is far from {wanted}");
    }
    assert_eq!(reader.id_of("customer", "c996").unwrap(), Some(996));
    assert_eq!(reader.id_of("customer", "nobody").unwrap(), None);
    // Only narrow columns lie in the file: time 8, key 4, product 1, amount 8 bytes, and bits for what is missing.
    let bytes: u64 = files(&folder.path().join("data")).iter().map(|f| f.metadata().unwrap().len()).sum();
    assert!(bytes < 200_000 * 23, "{bytes} bytes");
}

#[test]
fn a_column_that_comes_later_is_missing_before() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let mut decl = orders();
    let express = decl.fields.remove(2);
    load(&mut writer, &decl, "_at customer product amount\n1 ada tea 1");
    decl.fields.push(express);
    load(&mut writer, &decl, "_at customer product amount express\n2 ada tea 1 yes");
    assert_eq!(rows(&folder.reader(), "orders"), ["1 ada tea 1 -", "2 ada tea 1 yes"]);
    // The same row again, now with the new column missing, is the same row.
    let again = load(&mut writer, &decl, "_at customer product amount express\n1 ada tea 1 -");
    assert_eq!(counts(&again), (0, 1, 0));
}

#[test]
fn rows_that_cannot_be_stored_are_rejected_with_a_reason() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let amounts = Decimal128Array::from(vec![Some(1), Some(10i128.pow(30)), None, Some(5)]);
    let times = TimestampMicrosecondArray::from(vec![Some(1), Some(2), Some(3), None]).with_timezone("UTC");
    let rows_given = table(vec![
        (AT.into(), Arc::new(times)),
        ("amount".into(), Arc::new(amounts.with_precision_and_scale(38, 2).unwrap())),
    ]);
    let mut load = writer.load(options(0));
    let rejected = load.events(&orders(), rows_given).unwrap();
    let reason = |row, reason: &str| RejectedRow { row, reason: reason.into() };
    let expected = [reason(1, "`amount` has more than 9 decimals or 18 digits"), reason(3, "it has no time")];
    assert_eq!(rejected, expected);
    assert_eq!(counts(&load.commit().unwrap()), (2, 0, 0));
    assert_eq!(rows(&folder.reader(), "orders"), ["1 - - 0.01 -", "3 - - - -"]);
}

#[test]
fn a_column_that_is_not_declared_or_of_another_type_is_an_error() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let mut load = writer.load(options(0));
    let unknown = load.events(&orders(), batch("_at colour\n1 red")).unwrap_err();
    assert_eq!(unknown.to_string(), "column `colour` of `orders`: it is not declared");
    let text = table(vec![
        (AT.into(), Arc::new(TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC"))),
        ("amount".into(), Arc::new(StringArray::from(vec!["5"]))),
    ]);
    let wrong = load.events(&orders(), text).unwrap_err();
    assert_eq!(wrong.to_string(), "column `amount` of `orders`: numbers expected, Utf8 given");
    drop(load);
    crate::support::load(&mut writer, &orders(), THREE);
    let mut other = orders();
    other.fields[1].unit.kind = Kind::Text;
    let mut load = writer.load(options(0));
    let conflict = load.events(&other, batch("_at\n1")).unwrap_err();
    let expected = "column `amount` of `orders`: it holds numbers in the store and is declared as text";
    assert_eq!(conflict.to_string(), expected);
}

#[test]
fn numbers_are_exact_until_one_is_not_and_then_floats() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let mut decl = orders();
    decl.fields[1].unit.kind = Kind::Number;
    let one = |at: i64, value: f64| {
        table(vec![
            (AT.into(), Arc::new(TimestampMicrosecondArray::from(vec![at]).with_timezone("UTC"))),
            ("amount".into(), Arc::new(Float64Array::from(vec![value]))),
        ])
    };
    load_batches(&mut writer, &decl, &[one(1, 0.1), one(2, 12.25)]);
    let kind = |folder: &Folder| folder.reader().stream("orders").unwrap().column("amount").unwrap().kind.clone();
    assert_eq!(kind(&folder), ColumnKind::Decimal { scale: 2 });
    load_batches(&mut writer, &decl, &[one(3, 1.0 / 3.0)]);
    assert_eq!(kind(&folder), ColumnKind::Float);
    let third = format!("3 - - {} -", 1.0 / 3.0);
    assert_eq!(rows(&folder.reader(), "orders"), ["1 - - 0.1 -", "2 - - 12.25 -", third.as_str()]);
    // Money has no such way out.
    decl.fields[1].unit.kind = Kind::Money(None);
    let mut load = writer.load(options(0));
    assert!(load.events(&decl, one(4, 1.0)).unwrap_err().to_string().contains("are not exact"));
}

#[test]
fn scales_of_two_loads_are_presented_as_one() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at amount\n1 5");
    load(&mut writer, &orders(), "_at amount\n2 0.25");
    let reader = folder.reader();
    assert_eq!(reader.stream("orders").unwrap().column("amount").unwrap().kind, ColumnKind::Decimal { scale: 2 });
    assert_eq!(rows(&reader, "orders"), ["1 - - 5 -", "2 - - 0.25 -"]);
}

#[test]
fn text_with_too_many_values_is_presented_as_text_throughout() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at product\n0 tea");
    let count = 300_000i64;
    let times: TimestampMicrosecondArray = (0..count).map(|i| Some(i + 1)).collect();
    let texts: StringArray = (0..count).map(|i| Some(format!("text {i}"))).collect();
    let rows_given =
        table(vec![(AT.into(), Arc::new(times.with_timezone("UTC"))), ("product".into(), Arc::new(texts))]);
    load_batches(&mut writer, &orders(), &[rows_given]);
    let reader = folder.reader();
    assert_eq!(reader.stream("orders").unwrap().column("product").unwrap().kind, ColumnKind::Text);
    let all = rows(&reader, "orders");
    assert_eq!(
        (all.len(), all[0].as_str(), all[300_000].as_str()),
        (300_001, "0 - tea - -", "300000 - text 299999 - -")
    );
    let again = load(&mut writer, &orders(), "_at product\n0 tea");
    assert_eq!(counts(&again), (0, 1, 0));
}

#[test]
fn a_dropped_load_leaves_nothing_behind() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), THREE);
    let mut dropped = writer.load(options(0));
    dropped.events(&orders(), batch("_at customer product\n9 eve cake")).unwrap();
    drop(dropped);
    load(&mut writer, &orders(), "_at customer product\n5 dan beer");
    let reader = folder.reader();
    assert_eq!(reader.keys("customer").unwrap().iter().flatten().collect::<Vec<_>>(), ["ada", "bob", "dan"]);
    let products = reader.dictionary("orders", "product").unwrap();
    assert_eq!(products.iter().flatten().collect::<Vec<_>>(), ["tea", "milk", "beer"]);
}

#[test]
fn unknown_names_are_errors() {
    let folder = Folder::new();
    load(&mut folder.writer(), &orders(), THREE);
    let reader = folder.reader();
    let scan = |stream: &str, column: &str| {
        let columns = vec![column.to_owned()];
        reader.scan(&ScanRequest { stream: stream.into(), columns, from: None, until: None }).err()
    };
    assert!(matches!(scan("visits", "x"), Some(ScanError::Unknown(name)) if name == "visits"));
    assert!(matches!(scan("orders", "x"), Some(ScanError::Unknown(name)) if name == "orders.x"));
    assert!(reader.keys("campaign").is_err());
    assert!(reader.dictionary("orders", "colour").is_err());
}

#[test]
fn a_second_writer_is_told_who_writes() {
    let folder = Folder::new();
    let writer = Store::open_writer(&folder.path(), "kepi load big.csv").unwrap();
    let error = Store::open_writer(&folder.path(), "kepi sync").unwrap_err();
    match &error {
        StoreError::Held { pid, command } => {
            assert_eq!((*pid, command.as_str()), (std::process::id(), "kepi load big.csv"));
        }
        other => panic!("{other}"),
    }
    drop(writer);
    drop(folder.writer());
}

#[test]
fn a_cursor_is_committed_with_its_page() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    assert_eq!(writer.cursor("crm").unwrap(), None);
    let mut with_cursor = options(0);
    with_cursor.cursor = Some(("crm".into(), "page 2".into()));
    let mut load = writer.load(with_cursor.clone());
    load.events(&orders(), batch(THREE)).unwrap();
    drop(load);
    assert_eq!(writer.cursor("crm").unwrap(), None);
    let mut load = writer.load(with_cursor);
    load.events(&orders(), batch(THREE)).unwrap();
    load.commit().unwrap();
    assert_eq!(writer.cursor("crm").unwrap().as_deref(), Some("page 2"));
    drop(writer);
    assert_eq!(folder.writer().cursor("crm").unwrap().as_deref(), Some("page 2"));
}

#[test]
fn a_reader_keeps_its_snapshot_while_the_writer_goes_on() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load_batches(&mut writer, &orders(), &[many(0, 6_000)]);
    let reader = folder.reader();
    let scan = reader.scan(&ScanRequest { stream: "orders".into(), columns: vec![], from: None, until: None }).unwrap();
    load_batches(&mut writer, &orders(), &[many(3_000, 9_000)]);
    writer.compact().unwrap();
    load(&mut writer, &orders(), THREE);
    assert_eq!(scan.map(|b| b.unwrap().num_rows()).sum::<usize>(), 6_000);
    assert_eq!(rows(&reader, "orders").len(), 6_000);
    assert_eq!(reader.loads().unwrap().len(), 1);
    assert_eq!(rows(&folder.reader(), "orders").len(), 12_003);
    assert_eq!(rows(&writer.snapshot().unwrap(), "orders"), rows(&folder.reader(), "orders"));
}

#[test]
fn many_small_loads_are_sealed_and_read_the_same() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let mut expected = Vec::new();
    for i in 0..300 {
        // Every other load lies before the one before it.
        let at = if i % 2 == 0 { i * 10 } else { i * 10 - 15 };
        load(&mut writer, &orders(), &format!("_at customer product\n{at} c{} p{}", i % 13, i % 5));
        expected.push((at, format!("{at} c{} p{} - -", i % 13, i % 5)));
    }
    expected.sort_by_key(|row| row.0);
    let expected: Vec<String> = expected.into_iter().map(|row| row.1).collect();
    assert_eq!(rows(&folder.reader(), "orders"), expected);
    drop(writer);
    let writer = folder.writer();
    assert_eq!(rows(&writer.snapshot().unwrap(), "orders"), expected);
    assert_eq!(writer.loads().unwrap().len(), 300);
    assert_eq!(folder.reader().loads().unwrap(), writer.loads().unwrap());
}
