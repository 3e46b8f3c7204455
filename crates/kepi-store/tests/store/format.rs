//! Stores of every format version stay readable, and what is written does not change silently.
//!
//! `KEPI_BLESS=1` writes the fixture of the current format anew; do that only together with a new version number, or
//! before the format was ever released.

use crate::support::*;
use kepi_extension::EventScan;
use kepi_store::Store;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The format that is written.
const CURRENT: u32 = 4;

fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/format-{version}"))
}

/// A small store with every kind of file and a tail in the journal.
fn write() -> Folder {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let first = "_at _id# customer product amount express\n3 1 ada tea 1.50 yes\n1 2 bob - 20 no\n2 3 ada milk - -";
    load(&mut writer, &orders(), first);
    let mut attributes = writer.load(options(10));
    attributes.entities(&customers(), batch("_key country plan score\nada es free 1.5\nbob - pro -")).unwrap();
    attributes.merges("customer", batch("_key _into\nphone anon")).unwrap();
    attributes.commit().unwrap();
    writer.seal().unwrap();
    let mut text = String::from("_at _id# customer product amount express\n");
    (0..200).for_each(|i| text += &format!("{} {} c{} tea {i} yes\n", i + 10, i + 10, i % 5));
    load(&mut writer, &orders(), &text);
    // This one is merged with the small segment before it; of the result one row is replaced.
    writer.seal().unwrap();
    load(&mut writer, &orders(), "_at _id# customer product amount express\n3 1 ada tea 2.50 yes");
    writer.seal().unwrap();
    load(&mut writer, &orders(), "_at _id# customer product amount express\n2 3 ada milk 9 no\n400 400 eve cake 1 no");
    let mut with_cursor = options(20);
    with_cursor.cursor = Some(("crm".into(), "page 2".into()));
    let mut attributes = writer.load(with_cursor);
    attributes.entities(&customers(), batch("_key plan\nada pro")).unwrap();
    attributes.merges("customer", batch("_key _into\nanon ada")).unwrap();
    attributes.commit().unwrap();
    drop(writer);
    folder
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    for file in files(folder) {
        let name = file.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        // The writer's memory is rebuilt from the rest, the lock is of no meaning later.
        if !name.starts_with("sled/") && name != "lock" {
            out.insert(name, std::fs::read(&file).unwrap());
        }
    }
    out
}

fn put(folder: &Path, contents: &BTreeMap<String, Vec<u8>>) {
    for (name, bytes) in contents {
        let target = folder.join(name);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, bytes).unwrap();
    }
}

#[test]
fn all_formats_are_read() {
    if std::env::var_os("KEPI_BLESS").is_some() {
        let _ = std::fs::remove_dir_all(fixture(CURRENT));
        put(&fixture(CURRENT), &contents(&write().path()));
    }
    for version in 1..=CURRENT {
        is_read(version);
    }
}

fn is_read(version: u32) {
    let folder = Folder::new();
    put(&folder.path(), &contents(&fixture(version)));
    for _ in 0..2 {
        let reader = folder.reader();
        let all = rows(&reader, "orders");
        assert_eq!(all.len(), 204);
        let few = [0, 1, 2, 3, 202, 203].map(|i| all[i].as_str());
        let expected = [
            "1 2 bob - 20 no",
            "2 3 ada milk 9 no",
            "3 1 ada tea 2.5 yes",
            "10 10 c0 tea 0 yes",
            "209 209 c4 tea 199 yes",
            "400 400 eve cake 1 no",
        ];
        assert_eq!(few, expected);
        assert_eq!(reader.attribute_history("customer", "plan").unwrap().num_rows(), 3);
        let plan = reader.attribute("customer", "plan").unwrap();
        assert_eq!(cell(&plan.values, plan.dictionary.as_deref(), 0), "pro");
        assert_eq!(reader.loads().unwrap().len(), 6);
        // Keys are merged since version 3.
        let ada = (version >= 3).then(|| reader.id_of("customer", "ada").unwrap()).flatten();
        assert_eq!(reader.id_of("customer", "phone").unwrap(), ada);
        reader.verify().unwrap();
        // Once more after a writer has had it.
        let writer = folder.writer();
        assert_eq!(writer.cursor("crm").unwrap().as_deref(), Some("page 2"));
    }
    // What comes then is written in the current format, beside the older files and with them.
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at _id# customer product amount express\n1 2 bob - 21 no\n5 500 zoe tea 7 no");
    writer.seal().unwrap();
    assert_eq!(rows(&folder.reader(), "orders").len(), 205);
    writer.compact().unwrap();
    let all = rows(&folder.reader(), "orders");
    let few = [0, 1, 2, 3, 4, 203, 204].map(|i| all[i].as_str());
    let expected = [
        "1 2 bob - 21 no",
        "2 3 ada milk 9 no",
        "3 1 ada tea 2.5 yes",
        "5 500 zoe tea 7 no",
        "10 10 c0 tea 0 yes",
        "209 209 c4 tea 199 yes",
        "400 400 eve cake 1 no",
    ];
    assert_eq!(few, expected);
    folder.reader().verify().unwrap();
}

#[test]
fn what_is_written_is_the_current_format_to_the_byte() {
    assert_eq!(
        contents(&fixture(CURRENT)).keys().collect::<Vec<_>>(),
        contents(&write().path()).keys().collect::<Vec<_>>()
    );
    for (name, bytes) in contents(&write().path()) {
        let same = contents(&fixture(CURRENT)).get(&name) == Some(&bytes);
        assert!(same, "{name} is not written as before: a new format needs a new version number and a new fixture");
    }
}

#[test]
fn a_newer_format_is_refused_in_words() {
    let folder = write();
    let manifest = folder.path().join("manifest");
    let mut bytes = std::fs::read(&manifest).unwrap();
    bytes[8] = 9;
    let checksum = xxhash_rust::xxh3::xxh3_64(&[&bytes[8..12], &bytes[20..]].concat());
    bytes[12..20].copy_from_slice(&checksum.to_le_bytes());
    std::fs::write(&manifest, bytes).unwrap();
    let error = Store::open_reader(&folder.path()).unwrap_err();
    assert_eq!(error.to_string(), "the store has format 9, this version of kepi reads up to 4");
}
