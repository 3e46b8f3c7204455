//! What is erased or unloaded is gone from every file, and the rest is as if it had never been there.

use crate::support::*;
use kepi_extension::{EventScan, Stored};
use kepi_store::{LoadLeft, Store};
use proptest::prelude::*;
use std::path::Path;

/// The files below a folder in which some bytes stand.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    let found = files(folder).into_iter().filter(|file| holds(&std::fs::read(file).unwrap()));
    found.map(|file| file.display().to_string()).collect()
}

fn erase(writer: &mut kepi_store::Writer, key: &str) -> kepi_store::Removed {
    let keys = [("customer".to_owned(), key.to_owned())];
    writer.erase(&keys, &[key.to_owned()], 7).unwrap()
}

/// Loads of every kind: sealed, in the journal, with attributes, history, merges; `secret-key` is in all of them.
fn filled(folder: &Folder) -> kepi_store::Writer {
    let mut writer = folder.writer();
    load(
        &mut writer,
        &orders(),
        "_at _id# customer product amount\n3 1 secret-key tea 1.50\n1 2 bob cake 20\n2 3 ada milk -",
    );
    let mut attributes = writer.load(options(10));
    attributes
        .entities(&customers(), batch("_key country plan score\nsecret-key atlantis gold 1.5\nbob es pro -"))
        .unwrap();
    attributes.merges("customer", batch("_key _into\nsecret-phone secret-key\ndevice secret-phone")).unwrap();
    attributes.commit().unwrap();
    writer.seal().unwrap();
    let mut text = String::from("_at _id# customer product amount\n");
    (0..200).for_each(|i| text += &format!("{} {} c{} tea {i}\n", i + 10, i + 10, i % 5));
    text += "500 500 device secret-tea 3\n";
    load(&mut writer, &orders(), &text);
    load(&mut writer, &orders(), "_at _id# customer product amount\n4 4 secret-phone tea 9\n5 5 bob tea 9");
    let mut attributes = writer.load(options(20));
    attributes.entities(&customers(), batch("_key plan\nsecret-key silver\nbob free")).unwrap();
    attributes.commit().unwrap();
    // The writer's memory is open, and has recent keys.
    assert_eq!(writer.loads().unwrap().len(), 5);
    writer
}

#[test]
fn no_file_has_anything_of_an_erased_key() {
    let folder = Folder::new();
    let mut writer = filled(&folder);
    for text in ["secret-key", "secret-phone", "atlantis", "silver", "secret-tea"] {
        assert!(!files_with(&folder.path(), text).is_empty(), "{text} was never there");
    }
    let before = folder.reader();
    let mut aliases = writer.aliases("customer", "secret-phone").unwrap();
    aliases.sort();
    assert_eq!(aliases, ["device", "secret-key", "secret-phone"]);
    // Any of the merged keys means the person.
    let removed = erase(&mut writer, "secret-phone");
    assert_eq!(removed.rows.get("orders"), Some(&3));
    assert_eq!(removed.keys.get("customer"), Some(&3));
    assert!(removed.mentions.is_empty(), "{:?}", removed.mentions);
    for text in ["secret-", "device", "atlantis", "gold", "silver"] {
        assert_eq!(files_with(&folder.path(), text), Vec::<String>::new(), "{text}");
    }
    // A reader that was there before keeps what it sees; the next one sees what is left.
    assert_eq!(rows(&before, "orders").len(), 206);
    let now = Store::open_reader_after(&folder.path(), &before).unwrap();
    assert_eq!(rows(&now, "orders").len(), 203);
    assert!(rows(&now, "orders").iter().all(|row| !row.contains("secret")));
    assert_eq!(now.id_of("customer", "secret-key").unwrap(), None);
    assert_eq!(now.attribute_history("customer", "plan").unwrap().num_rows(), 2);
    now.verify().unwrap();
    let entry = now.loads().unwrap().pop().unwrap();
    assert!(entry.is_removal() && entry.at == 7);
    assert_eq!(entry.label, "(erased) 3 keys of customer; 3 rows of orders");
    // Once more there is nothing, and the store goes on, with the same writer and with the next one.
    assert_eq!(erase(&mut writer, "secret-key").rows.len(), 0);
    load(&mut writer, &orders(), "_at _id# customer product amount\n9 4 zoe tea 1\n5 5 bob milk 9");
    drop(writer);
    let mut writer = folder.writer();
    assert_eq!(writer.loads().unwrap().len(), 7);
    writer.seal().unwrap();
    let all = rows(&folder.reader(), "orders");
    assert_eq!(all.len(), 204);
    assert!(all.contains(&"9 4 zoe tea 1 -".to_owned()) && all.contains(&"5 5 bob milk 9 -".to_owned()), "{all:?}");
}

#[test]
fn who_is_mentioned_in_what_stays_is_told() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let text = "_at customer product amount\n1 ada tea 1\n2 bob from:ada 2\n3 bob Canada 2\n4 bob from:ada 2";
    load(&mut writer, &orders(), text);
    let removed = erase(&mut writer, "ada");
    assert_eq!(removed.mentions.into_iter().collect::<Vec<_>>(), [("orders.product".to_owned(), 1)]);
    assert_eq!(rows(&folder.reader(), "orders").len(), 3);
}

#[test]
fn a_load_can_be_taken_out_again() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at _id# customer product amount\n1 1 ada tea 1\n2 2 bob tea 2\n3 3 bob tea 3");
    load(&mut writer, &orders(), "_at _id# customer product amount\n1 1 ada milk 9\n7 7 zoe cake 2\n2 2 bob tea 2");
    writer.seal().unwrap();
    load(&mut writer, &orders(), "_at _id# customer product amount\n8 8 bob tea 2");
    writer.compact().unwrap();
    let done = writer.unload(2, 0).unwrap().unwrap();
    assert_eq!(done.removed.rows.get("orders"), Some(&2));
    assert_eq!((done.load.counts[0].added, done.load.counts[0].replaced), (1, 1));
    // The row that it replaced does not come back; the one that it had too stays.
    let left = ["2 2 bob tea 2 -", "3 3 bob tea 3 -", "8 8 bob tea 2 -"];
    assert_eq!(rows(&folder.reader(), "orders"), left);
    assert_eq!(folder.reader().entity("customer").unwrap().count, 1);
    assert_eq!(files_with(&folder.path(), "zoe"), Vec::<String>::new());
    assert!(matches!(writer.unload(2, 0).unwrap(), Err(LoadLeft::Nothing(_))));
    assert_eq!(writer.unload(9, 0).unwrap(), Err(LoadLeft::Unknown));
    assert_eq!(writer.unload(4, 0).unwrap(), Err(LoadLeft::Removal));
    // Its file can be loaded again.
    let again = "_at _id# customer product amount\n1 1 ada milk 9\n7 7 zoe cake 2\n2 2 bob tea 2";
    assert_eq!(counts(&load(&mut writer, &orders(), again)), (2, 1, 0));
}

/// A row: moment, customer, product, cents.
type Row = (i64, u8, u8, i64);

fn text(rows: &[Row]) -> String {
    let line = |(at, customer, product, cents): &Row| format!("{at} k{customer} p{product} {cents}");
    let lines: Vec<String> = rows.iter().map(line).collect();
    format!("_at customer product amount\n{}", lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// A store from which a key was erased gives what one gives that never met it.
    #[test]
    fn what_is_left_is_what_a_store_has_that_never_met_it(
        loads in proptest::collection::vec(
            (proptest::collection::vec((0..50i64, 0..6u8, 0..4u8, 0..5i64), 1..12), 0..4u8, any::<bool>()), 1..6),
        gone in 0..6u8,
        by_load in any::<bool>(),
    ) {
        let (erased, plain) = (Folder::new(), Folder::new());
        let (mut first, mut second) = (erased.writer(), plain.writer());
        for (number, (given, after, attributes)) in loads.iter().enumerate() {
            load(&mut first, &orders(), &text(given));
            let stays: Vec<Row> = match by_load {
                true => if number == 0 { Vec::new() } else { given.clone() },
                false => given.iter().copied().filter(|row| row.1 != gone).collect(),
            };
            // Without ids a row of a later load that equals one of the first is known there: only erasure is compared
            // over several loads of the same rows.
            load(&mut second, &orders(), &text(&stays));
            if *attributes {
                for (writer, without) in [(&mut first, false), (&mut second, !by_load)] {
                    let mut next = writer.load(options(number as i64));
                    let people = (0..6u8).filter(|k| !(without && *k == gone));
                    let lines: Vec<String> = people.map(|k| format!("k{k} c{} pl{number}", k % 3)).collect();
                    next.entities(&customers(), batch(&format!("_key country plan\n{}", lines.join("\n")))).unwrap();
                    next.commit().unwrap();
                }
            }
            match after {
                0 => { first.seal().unwrap(); second.seal().unwrap(); }
                1 => { first.compact().unwrap(); second.compact().unwrap(); }
                2 => { drop(first); first = erased.writer(); }
                _ => {}
            }
        }
        if by_load {
            prop_assume!(loads.len() == 1 || loads[1..].iter().all(|l| l.0.iter().all(|row| !loads[0].0.contains(row))));
            first.unload(1, 0).unwrap().unwrap();
        } else {
            erase(&mut first, &format!("k{gone}"));
        }
        for _ in 0..2 {
            let (a, b) = (erased.reader(), plain.reader());
            prop_assert_eq!(rows(&a, "orders"), rows(&b, "orders"));
            let keys = |snapshot: &kepi_store::Snapshot, entity: &str| -> Vec<String> {
                let Ok(keys) = snapshot.keys(entity) else { return Vec::new() };
                let mut keys: Vec<String> = keys.iter().flatten().map(str::to_owned).collect();
                keys.sort();
                keys
            };
            prop_assert_eq!(keys(&a, "customer"), keys(&b, "customer"));
            for key in keys(&a, "customer") {
                let of = |snapshot: &kepi_store::Snapshot| {
                    let id = snapshot.id_of("customer", &key).unwrap().unwrap();
                    let values = snapshot.attribute("customer", "country").ok();
                    values.map_or("-".into(), |values| cell(&values.values, values.dictionary.as_deref(), id as usize))
                };
                prop_assert_eq!(of(&a), of(&b), "{}", key);
            }
            a.verify().unwrap();
            prop_assert!(a.version(Stored::All).is_some());
            // It goes on from there.
            for writer in [&mut first, &mut second] {
                load(writer, &orders(), &text(&[(60, gone, 1, 3), (61, 2, 9, 3)]));
                writer.seal().unwrap();
            }
        }
    }
}
