//! Rows that are gone at their source are gone here, in every form of id, in memory and in segments.

use crate::support::*;
use arrow_array::{ArrayRef, Int64Array, StringArray};
use kepi_store::{LoadOptions, OnConflict};
use std::sync::Arc;

fn texts(ids: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(ids.to_vec()))
}

const FILE: &str = "
    _at _id customer product amount
    1   7   ada      tea     1.5
    2   8   bob      milk    2
    3   9   eve      beer    3
";

#[test]
fn removed_rows_are_gone_and_stay_gone() {
    for sealed in [false, true] {
        let folder = Folder::new();
        let mut writer = folder.writer();
        load(&mut writer, &orders(), FILE);
        if sealed {
            writer.seal().unwrap();
        }
        let mut removal = writer.load(options(1));
        // Ids that nobody has, and those that are no numbers, mean nothing.
        removal.removals(&orders(), texts(&["8", "80", "08", "x"])).unwrap();
        removal.removals(&orders(), Arc::new(Int64Array::from(vec![9]))).unwrap();
        let summary = removal.commit().unwrap();
        assert_eq!((counts(&summary), summary.removed["orders"]), ((0, 0, 0), 2));
        assert_eq!(rows(&folder.reader(), "orders").len(), 1);
        let mut again = writer.load(options(2));
        again.removals(&orders(), texts(&["8", "9"])).unwrap();
        let again = again.commit().unwrap();
        assert!(again.removed.is_empty() && again.snapshot == summary.snapshot);
        drop(writer);
        let mut writer = folder.writer();
        assert_eq!(rows(&folder.reader(), "orders").len(), 1);
        writer.compact().unwrap();
        assert_eq!(rows(&folder.reader(), "orders").len(), 1);
        // What comes back is new.
        assert_eq!(counts(&load(&mut writer, &orders(), FILE)), (2, 1, 0));
    }
}

#[test]
fn a_row_that_comes_and_goes_in_one_load_is_not_stored_nor_is_the_one_that_it_changed() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at _id customer product amount\n 1 a7 ada tea 1.5\n 2 a8 bob milk 2");
    let mut both = writer.load(options(1));
    both.events(&orders(), batch("_at _id customer product amount\n 1 a7 ada tea 99\n 5 a9 eve beer 3")).unwrap();
    both.removals(&orders(), texts(&["a7", "a9"])).unwrap();
    let summary = both.commit().unwrap();
    assert_eq!((counts(&summary), summary.removed["orders"]), ((0, 2, 0), 1));
    let left = rows(&folder.reader(), "orders");
    assert!(left.len() == 1 && left[0].contains("bob"), "{left:?}");
}

#[test]
fn a_first_load_may_remove_its_own_rows_and_an_empty_stream_has_none() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let mut empty = writer.load(options(0));
    empty.removals(&orders(), texts(&["7"])).unwrap();
    assert!(empty.commit().unwrap().removed.is_empty());
    let mut first = writer.load(options(1));
    first.events(&orders(), batch(FILE)).unwrap();
    first.removals(&orders(), texts(&["8"])).unwrap();
    first.commit().unwrap();
    assert_eq!(rows(&folder.reader(), "orders").len(), 2);
}

#[test]
fn what_a_load_leaves_out_is_gone_unless_the_load_has_it_too() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), FILE);
    let mut later = writer.load(options(1));
    // 7 is left out by one mapping and taken by another, 8 has changed, 9 was left out, twice.
    later.left_out(&orders(), texts(&["7", "9", "9", "70"])).unwrap();
    let given = "_at _id customer product amount\n 1 7 ada tea 1.5\n 2 8 bob milk 3\n 4 10 eve beer 3";
    later.events(&orders(), batch(given)).unwrap();
    let summary = later.commit().unwrap();
    assert_eq!((counts(&summary), summary.removed["orders"]), ((1, 1, 1), 1));
    assert_eq!(rows(&folder.reader(), "orders").len(), 3);
    // Where stored rows stay as they are, they also stay where they are.
    let mut keeping = writer.load(LoadOptions { on_conflict: OnConflict::Keep, ..options(2) });
    keeping.left_out(&orders(), texts(&["7"])).unwrap();
    assert!(keeping.commit().unwrap().removed.is_empty());
    // Only what is left out: no row is given at all.
    let mut nothing = writer.load(options(3));
    nothing.left_out(&orders(), Arc::new(Int64Array::from(vec![7, 8]))).unwrap();
    assert_eq!(nothing.commit().unwrap().removed["orders"], 2);
    assert_eq!(rows(&folder.reader(), "orders").len(), 1);
}
