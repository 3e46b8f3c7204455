//! Texts that come with a dictionary, and keys that come as whole numbers.

use crate::support::*;
use arrow_array::*;
use kepi_extension::{AT, EventScan};
use std::sync::Arc;

const FIRST: &str = "_at customer product amount express\n1 ada tea 1 yes\n2 bob - 2 no\n3 - milk 3 -\n4 ada tea - yes";
const SECOND: &str = "_at customer product amount express\n5 cyd milk 1 yes\n6 bob cake 2 no\n7 eve - 3 -";

#[test]
fn dictionaries_give_the_same_store_as_texts() {
    let (plain, with_dictionaries, mixed) = (Folder::new(), Folder::new(), Folder::new());
    let given = [batch(FIRST), batch(SECOND)];
    load_batches(&mut plain.writer(), &orders(), &given);
    load_batches(&mut with_dictionaries.writer(), &orders(), &given.each_ref().map(coded));
    load_batches(&mut mixed.writer(), &orders(), &[given[0].clone(), coded(&given[1])]);
    for folder in [&with_dictionaries, &mixed] {
        let (reader, expected) = (folder.reader(), plain.reader());
        assert_eq!(rows(&reader, "orders"), rows(&expected, "orders"));
        // Ids and codes, too, are the same, and nobody has got one.
        assert_eq!(reader.keys("customer").unwrap(), expected.keys("customer").unwrap());
        assert_eq!(*reader.keys("customer").unwrap(), StringArray::from(vec!["ada", "bob", "cyd", "eve"]));
        assert_eq!(reader.dictionary("orders", "product").unwrap(), expected.dictionary("orders", "product").unwrap());
        // The rows are known, whichever way they come again.
        for again in [&given, &given.each_ref().map(coded)] {
            assert_eq!(counts(&load_batches(&mut folder.writer(), &orders(), again)), (0, 7, 0));
        }
    }
}

#[test]
fn keys_of_rejected_rows_are_not_taken_from_a_dictionary() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let mut load = writer.load(options(0));
    let refused =
        load.events(&orders(), coded(&batch("_at customer product\n1 ada tea\n- bob milk\n3 cyd tea"))).unwrap();
    assert_eq!(refused.iter().map(|r| (r.row, r.reason.as_str())).collect::<Vec<_>>(), [(1, "it has no time")]);
    load.commit().unwrap();
    assert_eq!(*folder.reader().keys("customer").unwrap(), StringArray::from(vec!["ada", "cyd"]));
    assert_eq!(*folder.reader().dictionary("orders", "product").unwrap(), StringArray::from(vec!["tea"]));
}

#[test]
fn a_dictionary_that_becomes_too_large_turns_into_text() {
    // Every row has a product of its own, so that the column is no label.
    let rows = |first: i64, count: i64| {
        let texts: StringArray = (first..first + count).map(|i| (i % 5 != 0).then(|| format!("p{i}"))).collect();
        let times: TimestampMicrosecondArray = (first..first + count).map(Some).collect();
        table(vec![(AT.into(), Arc::new(times.with_timezone("UTC"))), ("product".into(), Arc::new(texts))])
    };
    let given: Vec<RecordBatch> = (0..6).map(|i| rows(i * 60_000, 60_000)).collect();
    let (plain, with_dictionaries) = (Folder::new(), Folder::new());
    load_batches(&mut plain.writer(), &orders(), &given);
    let coded: Vec<RecordBatch> = given.iter().map(quickly_coded).collect();
    load_batches(&mut with_dictionaries.writer(), &orders(), &coded);
    let product = |folder: &Folder| folder.reader().stream("orders").unwrap().column("product").unwrap().kind.clone();
    assert_eq!(product(&plain), kepi_extension::ColumnKind::Text);
    assert_eq!(product(&with_dictionaries), kepi_extension::ColumnKind::Text);
    // Before, around and behind the row where it turns.
    for from in [0, 261_000, 359_000] {
        let some = |folder: &Folder| rows_between(&folder.reader(), "orders", Some(from), Some(from + 2_000));
        assert_eq!(some(&plain), some(&with_dictionaries), "from {from}");
    }
}

/// With a value of the dictionary for each row.
fn quickly_coded(rows: &RecordBatch) -> RecordBatch {
    let keys: Int32Array = (0..rows.num_rows() as i32).map(Some).collect();
    let coded = DictionaryArray::new(keys, rows.column(1).clone());
    table(vec![(AT.into(), rows.column(0).clone()), ("product".into(), Arc::new(coded))])
}

#[test]
fn a_key_of_digits_is_the_same_as_text_and_as_a_number() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let numbered = |keys: Vec<Option<i64>>| {
        let times: TimestampMicrosecondArray = (0..keys.len() as i64).map(Some).collect();
        table(vec![
            (AT.into(), Arc::new(times.with_timezone("UTC"))),
            ("customer".into(), Arc::new(Int64Array::from(keys))),
        ])
    };
    let keys = vec![Some(7), None, Some(-3), Some(7), Some(i64::MIN), Some(i64::MAX)];
    load_batches(&mut writer, &orders(), &[numbered(keys.clone()), numbered(keys)]);
    let text = "_at customer\n20 7\n21 007\n22 -3\n23 9223372036854775807";
    load(&mut writer, &orders(), text);
    let expected = StringArray::from(vec!["7", "-3", "-9223372036854775808", "9223372036854775807", "007"]);
    assert_eq!(*writer.snapshot().unwrap().keys("customer").unwrap(), expected);
    // Attributes go to the same customers.
    let mut attributes = writer.load(options(0));
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![Some(-3), None, Some(8)]));
    let country: ArrayRef = Arc::new(StringArray::from(vec!["es", "nl", "fr"]));
    let rows = coded(&table(vec![("_key".into(), keys), ("country".into(), country)]));
    let refused = attributes.entities(&customers(), rows).unwrap();
    assert_eq!(refused.iter().map(|r| (r.row, r.reason.as_str())).collect::<Vec<_>>(), [(1, "it has no key")]);
    attributes.commit().unwrap();
    let reader = folder.reader();
    let country = reader.attribute("customer", "country").unwrap();
    let texts: Vec<String> = (0..reader.keys("customer").unwrap().len())
        .map(|i| cell(&country.values, country.dictionary.as_deref(), i))
        .collect();
    assert_eq!(texts, ["-", "es", "-", "-", "-", "fr"]);
}
