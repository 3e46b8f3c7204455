//! The same rows again add nothing; changed rows with an id replace the stored ones.

use crate::support::*;
use kepi_store::OnConflict;

const FILE: &str = "
    _at customer product amount
    1   ada      tea     1.5
    1   ada      tea     1.5
    2   bob      milk    2
    5   -        -       -
";

#[test]
fn the_same_load_again_adds_nothing() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    assert_eq!(counts(&load(&mut writer, &orders(), FILE)), (4, 0, 0));
    let again = load(&mut writer, &orders(), FILE);
    assert_eq!(counts(&again), (0, 4, 0));
    assert_eq!(again.snapshot, 1);
    assert_eq!(writer.loads().unwrap().len(), 1);
    assert_eq!(rows(&folder.reader(), "orders").len(), 4);
}

#[test]
fn rows_inserted_into_a_file_add_just_those() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), FILE);
    let longer = "
        _at customer product amount
        0   eve      beer    3
        1   ada      tea     1.5
        1   ada      tea     1.50
        1   ada      tea     1.5
        2   bob      milk    2
        2   bob      milk    2.01
        5   -        -       -
    ";
    assert_eq!(counts(&load(&mut writer, &orders(), longer)), (3, 4, 0));
    let expected = [
        "0 eve beer 3 -",
        "1 ada tea 1.5 -",
        "1 ada tea 1.5 -",
        "1 ada tea 1.5 -",
        "2 bob milk 2 -",
        "2 bob milk 2.01 -",
        "5 - - - -",
    ];
    assert_eq!(rows(&folder.reader(), "orders"), expected);
    assert_eq!(counts(&load(&mut writer, &orders(), longer)), (0, 7, 0));
}

#[test]
fn a_bulk_load_again_adds_only_what_is_new() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load_batches(&mut writer, &orders(), &[many(0, 70_000)]);
    let again = load_batches(&mut writer, &orders(), &[many(10_000, 70_000)]);
    assert_eq!(counts(&again), (10_000, 60_000, 0));
    assert_eq!(rows(&folder.reader(), "orders").len(), 80_000);
}

#[test]
fn a_changed_row_with_an_id_replaces_the_stored_one() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at _id customer amount\n1 a1 ada 1\n2 a2 bob 2\n3 a3 eve 3");
    let change = "_at _id customer amount\n1 a1 ada 1\n9 a2 bob 5\n4 a4 dan 4";
    assert_eq!(counts(&load(&mut writer, &orders(), change)), (1, 1, 1));
    let expected = ["1 a1 ada - 1 -", "3 a3 eve - 3 -", "4 a4 dan - 4 -", "9 a2 bob - 5 -"];
    assert_eq!(rows(&folder.reader(), "orders"), expected);
    let info = |folder: &Folder| kepi_extension::EventScan::stream(folder.reader().as_ref(), "orders").unwrap();
    assert_eq!((info(&folder).rows, info(&folder).last), (4, Some(9)));
    // The last row goes back: the stream ends earlier.
    load(&mut writer, &orders(), "_at _id customer amount\n2 a2 bob 5");
    assert_eq!((info(&folder).rows, info(&folder).last), (4, Some(4)));
    drop(writer);
    assert_eq!(rows(&folder.reader(), "orders")[1], "2 a2 bob - 5 -");
    drop(folder.writer());
    assert_eq!(rows(&folder.reader(), "orders")[1], "2 a2 bob - 5 -");
}

#[test]
fn a_stored_row_can_be_kept_instead() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at _id# amount\n1 7 1");
    let mut keep = options(0);
    keep.on_conflict = OnConflict::Keep;
    let mut second = writer.load(keep);
    second.events(&orders(), batch("_at _id# amount\n1 7 2\n2 8 3")).unwrap();
    assert_eq!(counts(&second.commit().unwrap()), (1, 1, 0));
    assert_eq!(rows(&folder.reader(), "orders"), ["1 7 - - 1 -", "2 8 - - 3 -"]);
}

#[test]
fn the_last_row_of_an_id_in_a_load_wins() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let summary = load(&mut writer, &orders(), "_at _id amount\n1 x 1\n3 y 2\n2 x 3");
    assert_eq!(counts(&summary), (2, 1, 0));
    assert_eq!(rows(&folder.reader(), "orders"), ["2 x - - 3 -", "3 y - - 2 -"]);
}

#[test]
fn replacing_rows_of_a_bulk_load_survives_sealing_and_compaction() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let file = |change: i64| {
        let mut text = String::from("_at _id# customer amount\n");
        (0..6_000).for_each(|i| text += &format!("{i} {i} c{} {}\n", i % 10, if i % 3 == 0 { change } else { 1 }));
        text
    };
    load(&mut writer, &orders(), &file(1));
    assert_eq!(counts(&load(&mut writer, &orders(), &file(2))), (0, 4_000, 2_000));
    let check = |folder: &Folder| {
        let all = rows(&folder.reader(), "orders");
        assert_eq!(all.len(), 6_000);
        assert_eq!(all[3], "3 3 c3 - 2 -");
        assert_eq!(all[4], "4 4 c4 - 1 -");
    };
    check(&folder);
    assert_eq!(counts(&load(&mut writer, &orders(), &file(7))), (0, 4_000, 2_000));
    assert_eq!(counts(&load(&mut writer, &orders(), &file(2))), (0, 4_000, 2_000));
    check(&folder);
    writer.compact().unwrap();
    check(&folder);
    drop(writer);
    drop(folder.writer());
    check(&folder);
    folder.reader().verify().unwrap();
}

#[test]
fn a_text_that_only_a_row_not_kept_had_takes_no_code() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at _id product\n1 x tea");
    let mut keep = options(0);
    keep.on_conflict = OnConflict::Keep;
    let mut second = writer.load(keep);
    second.events(&orders(), batch("_at _id product\n1 x milk")).unwrap();
    assert_eq!(counts(&second.commit().unwrap()), (0, 1, 0));
    load(&mut writer, &orders(), "_at _id product\n2 y milk\n3 z beer");
    assert_eq!(rows(&folder.reader(), "orders"), ["1 x - tea - -", "2 y - milk - -", "3 z - beer - -"]);
}

#[test]
fn rows_that_a_later_row_of_their_load_overtakes_are_told_from_equal_ones() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let lines = "
        _at _id customer product amount
        1   7   ada      tea     1
        1   7   ada      tea     1
        2   7   ada      milk    2
        3   8   bob      tea     1
    ";
    let first = load(&mut writer, &orders(), lines);
    assert_eq!((counts(&first), first.overtaken.get("orders")), ((2, 2, 0), Some(&1)));
    // So they are when they come again.
    let again = load(&mut writer, &orders(), lines);
    assert_eq!((counts(&again), again.overtaken.get("orders")), ((0, 4, 0), Some(&1)));
    let equal = "
        _at _id customer product amount
        9   9   eve      tea     1
        9   9   eve      tea     1
    ";
    let equal = load(&mut writer, &orders(), equal);
    assert_eq!((counts(&equal), equal.overtaken.len()), ((1, 1, 0), 0));
}
