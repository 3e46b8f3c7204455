//! A journal that has grown long is replaced by a new one that starts with all that the old one knew.

use crate::support::*;
use kepi_store::Writer;

/// A small load of rows with much text: a megabyte of journal.
fn load_much(writer: &mut Writer, number: i64) {
    let mut with_cursor = options(number);
    with_cursor.cursor = Some(("crm".into(), number.to_string()));
    let mut load = writer.load(with_cursor);
    let text = number.to_string().repeat(1 << 20);
    load.events(&orders(), batch(&format!("_at customer product\n{number} c{number} {text}"))).unwrap();
    load.commit().unwrap();
}

#[test]
fn a_long_journal_is_replaced_and_nothing_is_forgotten() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    (1..=9).for_each(|number| load_much(&mut writer, number));
    let before = folder.reader();
    (10..=14).for_each(|number| load_much(&mut writer, number));
    let length = |generation: u32| folder.path().join(format!("journal/0000000{generation}.log")).metadata();
    assert!(length(1).unwrap().len() > 16 << 20);
    writer.seal().unwrap();
    assert!(length(1).is_err(), "the old generation is removed");
    assert!(length(2).unwrap().len() < 1 << 16);
    assert_eq!(rows(&before, "orders").len(), 9);
    assert_eq!(before.loads().unwrap().len(), 9);
    load(&mut writer, &orders(), "_at customer\n99 c1");
    let check = |writer: &Writer| {
        assert_eq!(writer.loads().unwrap().len(), 15);
        assert_eq!(writer.cursor("crm").unwrap().as_deref(), Some("14"));
        assert_eq!(folder.reader().loads().unwrap(), writer.loads().unwrap());
        assert_eq!(rows(&folder.reader(), "orders").len(), 15);
    };
    check(&writer);
    drop(writer);
    std::fs::remove_dir_all(folder.path().join("sled")).unwrap();
    check(&folder.writer());
}
