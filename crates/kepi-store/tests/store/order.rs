//! One order of rows, however they came: by time, then id, then load.

use crate::support::*;
use kepi_extension::EventScan;

#[test]
fn overlapping_loads_are_read_merged() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    for start in 0..5 {
        let mut text = String::from("_at customer\n");
        (0..10_000).for_each(|i| text += &format!("{} c{start}\n", i * 5 + start));
        load(&mut writer, &orders(), &text);
    }
    load(&mut writer, &orders(), "_at customer\n25 late\n7 late");
    let all = rows(&folder.reader(), "orders");
    assert_eq!(all.len(), 50_002);
    let times: Vec<i64> = all.iter().map(|row| row.split(' ').next().unwrap().parse().unwrap()).collect();
    assert!(times.is_sorted());
    assert_eq!(all[7..9], ["7 c2 - - -", "7 late - - -"]);
    let window = rows_between(&folder.reader(), "orders", Some(6), Some(9));
    assert_eq!(window, ["6 c1 - - -", "7 c2 - - -", "7 late - - -", "8 c3 - - -"]);
    writer.compact().unwrap();
    assert_eq!(rows(&folder.reader(), "orders"), all);
}

#[test]
fn a_load_as_twenty_batches_is_the_same_as_one() {
    let whole = Folder::new();
    let parts = Folder::new();
    let given = many(0, 50_000);
    load_batches(&mut whole.writer(), &orders(), std::slice::from_ref(&given));
    let batches: Vec<_> = (0..20).map(|i| given.slice(i * 2_500, 2_500)).collect();
    load_batches(&mut parts.writer(), &orders(), &batches);
    assert_eq!(rows(&whole.reader(), "orders"), rows(&parts.reader(), "orders"));
    let data = |folder: &Folder| {
        let files = files(&folder.path().join("data"));
        files.into_iter().map(|f| std::fs::read(f).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(data(&whole), data(&parts));
}

#[test]
fn rows_of_one_moment_keep_the_order_of_the_file_and_of_the_loads() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at customer product\n5 a x\n5 b x\n1 z x");
    load(&mut writer, &orders(), "_at customer product\n5 0 x\n5 a y");
    let expected = ["1 z x - -", "5 a x - -", "5 b x - -", "5 0 x - -", "5 a y - -"];
    assert_eq!(rows(&folder.reader(), "orders"), expected);
}

#[test]
fn ids_order_rows_of_one_moment_as_numbers_where_all_are() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at _id amount\n5 10 1\n5 9 2");
    load(&mut writer, &orders(), "_at _id amount\n5 -3 3\n4 99 4\n5 9999 5");
    let ids = |folder: &Folder| -> Vec<String> {
        rows(&folder.reader(), "orders").iter().map(|row| row.split(' ').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&folder), ["99", "-3", "9", "10", "9999"]);
    // One id that is no number: all compare as text, also those that are stored.
    load(&mut writer, &orders(), "_at _id amount\n5 x1 6\n5 007 7");
    assert_eq!(ids(&folder), ["99", "-3", "007", "10", "9", "9999", "x1"]);
    assert_eq!(counts(&load(&mut writer, &orders(), "_at _id amount\n5 9 2")), (0, 1, 0));
    drop(writer);
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at _id# amount\n5 8 6");
    assert_eq!(ids(&folder), ["99", "-3", "007", "10", "8", "9", "9999", "x1"]);
}

#[test]
fn loads_with_ids_in_any_order_give_the_same_rows() {
    let texts = ["_at _id# amount\n5 1 1\n7 2 1", "_at _id# amount\n5 3 1\n6 4 1", "_at _id# amount\n5 2000 1\n5 0 1"];
    let mut seen = Vec::new();
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let folder = Folder::new();
        let mut writer = folder.writer();
        order.iter().for_each(|&i| drop(load(&mut writer, &orders(), texts[i])));
        seen.push(rows(&folder.reader(), "orders"));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    assert_eq!(seen[0][0], "5 0 - - 1 -");
}

#[test]
fn undated_rows_keep_the_order_of_the_loads() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let mut decl = orders();
    decl.at = None;
    load(&mut writer, &decl, "customer amount\nb 1\na 2");
    load(&mut writer, &decl, "customer amount\na 2\n0 3");
    assert_eq!(rows(&folder.reader(), "orders"), ["b - 1 -", "a - 2 -", "0 - 3 -"]);
    let info = folder.reader().stream("orders").unwrap();
    assert_eq!((info.dated, info.first, info.rows), (false, None, 3));
    let mut dated = writer.load(options(0));
    assert!(dated.events(&orders(), batch("_at\n1")).unwrap_err().to_string().contains("undated in the store"));
}
