//! Readers that go on reading: the rows of one entity, and the snapshot that follows another one.

use crate::support::*;
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, UInt32Type};
use kepi_extension::{EventScan, ScanRequest};
use kepi_store::{Snapshot, Store};
use std::sync::Arc;

/// The moments of the rows of a customer in a window: out of all rows, and out of those that were asked for.
fn moments(reader: &Snapshot, customer: &str, from: Option<i64>, until: Option<i64>) -> [Vec<i64>; 2] {
    let columns = vec!["product".to_string(), "customer".to_string(), "amount".to_string()];
    let request = ScanRequest { stream: "orders".into(), columns, from, until };
    let id = reader.id_of("customer", customer).unwrap().unwrap();
    let all = reader.scan(&request).unwrap();
    let own = reader.scan_of(&request, "customer", id).unwrap();
    [all, own].map(|batches| {
        let mut found = Vec::new();
        for batch in batches {
            let batch = batch.unwrap();
            assert_eq!(batch.num_columns(), 4);
            let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
            let ids = batch.column(2).as_primitive::<UInt32Type>();
            let own = |row: &usize| ids.is_valid(*row) && ids.value(*row) == id;
            found.extend((0..batch.num_rows()).filter(own).map(|row| times.value(row)));
        }
        found
    })
}

#[test]
fn one_customers_rows_are_those_that_all_rows_have_of_them() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load_batches(&mut writer, &orders(), &[many(0, 200_000)]);
    // Between the others, at their moments, and in the journal's tail.
    load(&mut writer, &orders(), "_at customer amount\n5000000 c5 1\n5000000 new 2\n70000001 c5 3\n6 - 4");
    let reader = folder.reader();
    for customer in ["c0", "c5", "c996", "new"] {
        for (from, until) in [(None, None), (Some(70_000_000), Some(150_000_000_000)), (Some(1), Some(2))] {
            let [all, own] = moments(&reader, customer, from, until);
            assert_eq!(all, own, "{customer} {from:?} {until:?}");
        }
    }
    assert_eq!(moments(&reader, "c5", None, Some(80_000_000))[1], [5_000_000, 5_000_000, 70_000_001]);
    // Nothing else is read: as many rows as the customer has.
    let id = reader.id_of("customer", "c5").unwrap().unwrap();
    let request = ScanRequest { stream: "orders".into(), columns: Vec::new(), from: None, until: None };
    let count: usize = reader.scan_of(&request, "customer", id).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(count, 201 + 2);
}

#[test]
fn a_merged_customers_rows_are_found_under_all_their_keys() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at customer\n1 anon\n2 ada\n3 bob\n4 anon");
    let mut merge = writer.load(options(0));
    assert_eq!(merge.merges("customer", batch("_key _into\nanon ada")).unwrap(), []);
    merge.commit().unwrap();
    let reader = folder.reader();
    assert_eq!(moments(&reader, "ada", None, None), [vec![1, 2, 4], vec![1, 2, 4]]);
    assert_eq!(moments(&reader, "bob", None, None), [vec![3], vec![3]]);
}

#[test]
fn a_reader_goes_on_with_the_snapshot_that_is_current() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at customer\n1 ada");
    let first = folder.reader();
    let same = Store::open_reader_after(&folder.path(), &first).unwrap();
    assert!(Arc::ptr_eq(&first, &same), "nothing was stored since");
    load(&mut writer, &orders(), "_at customer\n2 bob");
    for step in 0..3 {
        let next = Store::open_reader_after(&folder.path(), &first).unwrap();
        assert!(!Arc::ptr_eq(&first, &next));
        assert_eq!(rows(&next, "orders"), rows(&folder.reader(), "orders"), "step {step}");
        assert_eq!((rows(&first, "orders").len(), rows(&next, "orders").len()), (1, 2 + step));
        writer.compact().unwrap();
        load(&mut writer, &orders(), &format!("_at customer\n{} cyd", 3 + step));
    }
    // A store of its own in the same place is another one.
    drop(writer);
    std::fs::remove_dir_all(folder.path()).unwrap();
    load(&mut folder.writer(), &orders(), "_at customer\n1 eve");
    let anew = Store::open_reader_after(&folder.path(), &first).unwrap();
    assert_eq!(rows(&anew, "orders"), rows(&folder.reader(), "orders"));
    assert_eq!(rows(&anew, "orders"), ["1 eve - - -"]);
}
