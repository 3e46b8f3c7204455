//! Merged keys: whatever was loaded under one key belongs to the key it was merged into.

use crate::support::*;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, UInt32Type};
use kepi_extension::EventScan;
use kepi_store::{LoadSummary, Snapshot, Writer};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn merge(writer: &mut Writer, text: &str) -> LoadSummary {
    let mut load = writer.load(options(0));
    assert_eq!(load.merges("customer", batch(&format!("_key _into\n{text}"))).unwrap(), []);
    load.commit().unwrap()
}

fn attributes(writer: &mut Writer, now: i64, text: &str) {
    let mut load = writer.load(options(now));
    assert_eq!(load.entities(&customers(), batch(text)).unwrap(), []);
    load.commit().unwrap();
}

/// Whom the orders belong to, in order.
fn owners(snapshot: &Snapshot) -> String {
    let owner = |row: String| row.split(' ').nth(1).unwrap().to_owned();
    rows(snapshot, "orders").into_iter().map(owner).collect::<Vec<_>>().join(" ")
}

fn meant(snapshot: &Snapshot, key: &str) -> String {
    let id = snapshot.id_of("customer", key).unwrap().unwrap();
    snapshot.keys("customer").unwrap().value(id as usize).to_owned()
}

fn attribute(snapshot: &Snapshot, key: &str, field: &str) -> String {
    let id = snapshot.id_of("customer", key).unwrap().unwrap();
    let attribute = snapshot.attribute("customer", field).unwrap();
    cell(&attribute.values, attribute.dictionary.as_deref(), id as usize)
}

#[test]
fn rows_of_a_merged_key_belong_to_the_other_one() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at customer\n1 anon\n2 ada\n3 bob");
    assert_eq!(owners(&folder.reader()), "anon ada bob");
    assert!(folder.reader().merged("customer").unwrap().is_none());
    assert_eq!(counts(&merge(&mut writer, "anon ada")), (1, 0, 0));
    assert_eq!(owners(&folder.reader()), "ada ada bob");
    // Rows that come later, and keys that were never seen.
    merge(&mut writer, "phone bob\nada eve");
    load(&mut writer, &orders(), "_at customer\n4 phone\n5 anon\n6 eve");
    for step in 0..4 {
        let reader = folder.reader();
        assert_eq!(owners(&reader), "eve eve bob bob eve eve", "step {step}");
        assert_eq!(["anon", "ada", "eve", "phone"].map(|key| meant(&reader, key)), ["eve", "eve", "eve", "bob"]);
        let merged = reader.merged("customer").unwrap().unwrap();
        let apart = (0..).zip(merged.values()).filter(|(id, root)| id != *root).count();
        assert_eq!(apart, 3);
        assert_eq!(reader.entity("customer").unwrap().attributes.len(), 0, "the merges are no attribute");
        match step {
            0 => writer.seal().unwrap(),
            1 => writer.compact().unwrap(),
            _ => {
                drop(writer);
                // The writer's memory is made anew from the rest.
                let _ = std::fs::remove_dir_all(folder.path().join("sled"));
                writer = folder.writer();
            }
        }
        reader.verify().unwrap();
    }
}

#[test]
fn the_same_merges_again_change_nothing() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let first = merge(&mut writer, "a b\nb c\nc c\na b");
    assert_eq!(counts(&first), (2, 2, 0));
    let again = merge(&mut writer, "a b\nb c\nc c\na b");
    assert_eq!((counts(&again), again.snapshot), ((0, 4, 0), first.snapshot));
    // The last word on a key holds.
    assert_eq!(counts(&merge(&mut writer, "a d")), (0, 0, 1));
    assert_eq!(["a", "b", "d"].map(|key| meant(&folder.reader(), key)), ["d", "c", "d"]);
}

#[test]
fn circles_and_rows_without_a_key_are_refused_in_words() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    merge(&mut writer, "a b");
    let mut load = writer.load(options(0));
    let given = batch("_key _into\nb c\nc a\n- d\nd -\nx y");
    let refused = load.merges("customer", given.clone()).unwrap();
    let lines: Vec<String> = refused.iter().map(|r| format!("{}: {}", r.row, r.reason)).collect();
    let circle = "1: `a` is merged into `c` already: each would mean the other";
    assert_eq!(lines, [circle, "2: it has no key", "3: it has no key"]);
    let summary = load.commit().unwrap();
    assert_eq!(counts(&summary), (2, 0, 0));
    assert_eq!(["a", "c", "y"].map(|key| meant(&folder.reader(), key)), ["c", "c", "y"]);
    // A key that is merged anew must not close a circle either, whether it comes with a dictionary or not.
    let mut load = writer.load(options(0));
    let refused = load.merges("customer", coded(&batch("_key _into\nb a"))).unwrap();
    assert_eq!(refused[0].reason, "`a` is merged into `b` already: each would mean the other");
    assert!(load.merges("customer", batch("_key\na")).is_err());
}

#[test]
fn attributes_are_those_of_the_key_merged_into_else_the_nearest_others() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    attributes(&mut writer, 1, "_key country score\nanon fr 1\nphone de 2\nada - 3\nold it 4");
    merge(&mut writer, "old phone\nphone ada\nanon ada\nlast ada");
    let reader = folder.reader();
    assert_eq!(attribute(&reader, "ada", "score"), "3");
    // `anon` and `phone` are one merge away, `old` two; of the former the first key counts.
    assert_eq!(["ada", "anon", "old"].map(|key| attribute(&reader, key, "country")), ["fr", "fr", "fr"]);
    attributes(&mut writer, 2, "_key country\nanon -");
    assert_eq!(attribute(&folder.reader(), "ada", "country"), "de");
    writer.seal().unwrap();
    attributes(&mut writer, 3, "_key country\nada nl");
    assert_eq!(attribute(&folder.reader(), "old", "country"), "nl");
}

#[test]
fn the_past_of_merged_keys_is_one_past() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    attributes(&mut writer, 0, "_key _at plan\nanon 1 trial\nada 5 free\nanon 7 pro\nada 9 -\nanon 11 gold\nbob 6 x");
    merge(&mut writer, "anon ada");
    let reader = folder.reader();
    let history = reader.attribute_history("customer", "plan").unwrap();
    let dictionary = reader.attribute("customer", "plan").unwrap().dictionary;
    let keys = reader.keys("customer").unwrap();
    let lines: Vec<String> = (0..history.num_rows())
        .map(|row| {
            let key = keys.value(history.column(0).as_primitive::<UInt32Type>().value(row) as usize);
            let at = history.column(1).as_primitive::<TimestampMicrosecondType>().value(row);
            format!("{at} {key} {}", cell(history.column(2), dictionary.as_deref(), row))
        })
        .collect();
    // From 5 to 9 ada's own word counts, then `anon`'s again, which has become `pro` meanwhile.
    assert_eq!(lines, ["1 ada trial", "5 ada free", "6 bob x", "9 ada pro", "11 ada gold"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Ten keys merged at random mean what a list of pairs says, whatever was sealed or opened again between.
    #[test]
    fn merges_equal_a_list_of_pairs(steps in proptest::collection::vec((0..10u8, 0..10u8, 0..5u8), 0..40)) {
        let folder = Folder::new();
        let mut writer = folder.writer();
        let text: Vec<String> = (0..10).map(|i| format!("{i} k{i}")).collect();
        load(&mut writer, &orders(), &format!("_at customer\n{}", text.join("\n")));
        let mut pairs: BTreeMap<u8, u8> = BTreeMap::new();
        let end = |pairs: &BTreeMap<u8, u8>, mut key: u8| {
            while let Some(into) = pairs.get(&key) {
                key = *into;
            }
            key
        };
        for (key, into, after) in steps {
            let mut load = writer.load(options(0));
            let refused = load.merges("customer", batch(&format!("_key _into\nk{key} k{into}"))).unwrap();
            load.commit().unwrap();
            let mut without = pairs.clone();
            without.remove(&key);
            let circle = key != into && pairs.get(&key) != Some(&into) && end(&without, into) == key;
            prop_assert_eq!(refused.len(), usize::from(circle));
            if key != into && !circle {
                pairs.insert(key, into);
            }
            match after {
                0 => writer.seal().unwrap(),
                1 => {
                    drop(writer);
                    writer = folder.writer();
                }
                _ => {}
            }
            let wanted: Vec<String> = (0..10).map(|key| format!("k{}", end(&pairs, key))).collect();
            prop_assert_eq!(owners(&folder.reader()), wanted.join(" "));
        }
    }
}
