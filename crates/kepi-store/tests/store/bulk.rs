//! Loads of more than one chunk: batches of any length, in order or not, with ids of every width.

use crate::support::*;
use arrow_array::*;
use kepi_extension::ID;
use std::sync::Arc;

/// The rows of [`many`] with rising ids, cut into batches of these lengths.
fn cut(first_id: i64, lengths: &[usize]) -> Vec<RecordBatch> {
    let total: usize = lengths.iter().sum();
    let whole = many(0, total as i64);
    let ids: ArrayRef = Arc::new((first_id..first_id + total as i64).map(Some).collect::<Int64Array>());
    let mut columns: Vec<(String, ArrayRef)> = vec![(ID.into(), ids)];
    let schema = whole.schema();
    columns.extend(schema.fields().iter().zip(whole.columns()).map(|(f, c)| (f.name().clone(), c.clone())));
    let whole = table(columns);
    let mut start = 0;
    let batches = lengths.iter().map(|&length| {
        start += length;
        whole.slice(start - length, length)
    });
    batches.collect()
}

fn expected(first_id: i64, total: i64) -> Vec<String> {
    let row = |i: i64| {
        let product = if i % 11 == 0 { "-".to_owned() } else { format!("p{}", i % 7) };
        let amount = (i * 5) as f64 / 100.0;
        format!("{} {} c{} {product} {amount} -", i * 1_000_000, first_id + i, i % 997)
    };
    (0..total).map(row).collect()
}

/// Bytes of the segments.
fn segment_bytes(folder: &Folder) -> u64 {
    let arrow = files(&folder.path()).into_iter().filter(|f| f.extension().is_some_and(|e| e == "arrow"));
    arrow.map(|file| std::fs::metadata(file).unwrap().len()).sum()
}

#[test]
fn batches_of_any_length_make_the_same_chunks() {
    let lengths = [1, 0, 20_000, 40_000, 9_998, 1];
    let total: usize = lengths.iter().sum();
    // Bytes of an id: four, four with a sign, eight.
    for (first_id, width) in [(0, 4), (-5, 4), (4_294_960_000, 8)] {
        let folder = Folder::new();
        let given = cut(first_id, &lengths);
        assert_eq!(counts(&load_batches(&mut folder.writer(), &orders(), &given)), (total as u64, 0, 0));
        let wanted = expected(first_id, total as i64);
        assert!(rows(&folder.reader(), "orders") == wanted, "ids from {first_id} on");
        folder.reader().verify().unwrap();
        // Moments 8, ids, customers 2, products 1, amounts 4; besides validity and what Arrow says of its chunks.
        let bytes = segment_bytes(&folder) as usize / total;
        assert!((15 + width..18 + width).contains(&bytes), "{bytes} bytes a row");
        if first_id >= 0 {
            continue;
        }
        // From the last batch to the first: the rows have to be sorted.
        let other = Folder::new();
        let backwards: Vec<RecordBatch> = given.iter().rev().cloned().collect();
        load_batches(&mut other.writer(), &orders(), &backwards);
        assert!(rows(&other.reader(), "orders") == wanted, "backwards, ids from {first_id} on");
        assert_eq!(segment_bytes(&other), segment_bytes(&folder));
        assert_eq!(counts(&load_batches(&mut other.writer(), &orders(), &given)), (0, total as u64, 0));
    }
}

#[test]
fn rows_of_narrow_segments_are_found_by_their_ids() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load_batches(&mut writer, &orders(), &cut(-5, &[70_000, 10_000]));
    // The same, another amount, a new one, and one whose id needs more bytes.
    let text = "_at _id# customer product amount\n\
        3000000 -2 c3 p3 0.15\n69000000000 68995 c203 p1 1\n1 -6 ada tea 2\n2 5000000000 ada tea 20000000.01";
    assert_eq!(counts(&load(&mut writer, &orders(), text)), (2, 1, 1));
    let mut wanted = expected(-5, 80_000);
    wanted[69_000] = "69000000000 68995 c203 p1 1 -".into();
    wanted.splice(1..1, ["1 -6 ada tea 2 -".to_owned(), "2 5000000000 ada tea 20000000.01 -".to_owned()]);
    assert!(rows(&writer.snapshot().unwrap(), "orders") == wanted);
    writer.seal().unwrap();
    assert!(rows(&folder.reader(), "orders") == wanted);
    writer.compact().unwrap();
    assert!(rows(&folder.reader(), "orders") == wanted);
    // An id that is no number makes text of all of them.
    assert_eq!(counts(&load(&mut writer, &orders(), "_at _id customer\n1 x1 ada\n69000000000 68995 bob")), (1, 0, 1));
    let all = rows(&writer.snapshot().unwrap(), "orders");
    assert_eq!(all.len(), wanted.len() + 1);
    assert_eq!(all[1..3], ["1 -6 ada tea 2 -", "1 x1 ada - - -"]);
    assert!(all.contains(&"69000000000 68995 bob - - -".to_owned()));
}

#[test]
fn ids_that_are_digits_as_text_are_stored_as_numbers_until_one_is_not() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let batches = ["_at _id\n1 7\n2 -", "_at _id#\n3 9", "_at _id\n4 x\n5 -1", "_at _id#\n6 3"];
    let summary = load_batches(&mut writer, &orders(), &batches.map(batch));
    assert_eq!(counts(&summary), (6, 0, 0));
    let expected = ["1 7 - - - -", "2 - - - - -", "3 9 - - - -", "4 x - - - -", "5 -1 - - - -", "6 3 - - - -"];
    assert_eq!(rows(&folder.reader(), "orders"), expected);
    assert_eq!(counts(&load(&mut writer, &orders(), "_at _id\n5 -1\n1 7\n1 07")), (1, 2, 0));
}
