//! Attributes: current values, partial loads, history.

use crate::support::*;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, UInt32Type};
use kepi_extension::{ColumnKind, EventScan};
use kepi_model::declared::EntityDecl;
use kepi_store::{LoadSummary, Writer};

fn load_customers(writer: &mut Writer, now: i64, text: &str) -> LoadSummary {
    load_as(writer, &customers(), now, text)
}

fn load_as(writer: &mut Writer, decl: &EntityDecl, now: i64, text: &str) -> LoadSummary {
    let mut load = writer.load(options(now));
    assert_eq!(load.entities(decl, batch(text)).unwrap(), []);
    load.commit().unwrap()
}

fn attribute(folder: &Folder, key: &str, field: &str) -> String {
    let reader = folder.reader();
    let id = reader.id_of("customer", key).unwrap().unwrap();
    let attribute = reader.attribute("customer", field).unwrap();
    cell(&attribute.values, attribute.dictionary.as_deref(), id as usize)
}

fn history(folder: &Folder) -> Vec<String> {
    let reader = folder.reader();
    let history = reader.attribute_history("customer", "plan").unwrap();
    let dictionary = reader.attribute("customer", "plan").unwrap().dictionary;
    let keys = reader.keys("customer").unwrap();
    let ids = history.column(0).as_primitive::<UInt32Type>();
    let times = history.column(1).as_primitive::<TimestampMicrosecondType>();
    let line = |row: usize| {
        let value = cell(history.column(2), dictionary.as_deref(), row);
        format!("{} {} {value}", times.value(row), keys.value(ids.value(row) as usize))
    };
    (0..history.num_rows()).map(line).collect()
}

#[test]
fn the_last_load_wins_and_a_missing_value_is_missing_now() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let first = load_customers(&mut writer, 1, "_key country plan score\nada es free 1.5\nbob - pro -");
    assert_eq!(counts(&first), (2, 0, 0));
    assert_eq!(attribute(&folder, "ada", "country"), "es");
    assert_eq!(attribute(&folder, "ada", "score"), "1.5");
    assert_eq!(attribute(&folder, "bob", "country"), "-");
    // Columns that a load does not name stay as they are.
    let second = load_customers(&mut writer, 2, "_key country\nada -\nbob fr\neve de");
    assert_eq!(counts(&second), (1, 0, 2));
    assert_eq!(attribute(&folder, "ada", "country"), "-");
    assert_eq!(attribute(&folder, "ada", "plan"), "free");
    assert_eq!(attribute(&folder, "bob", "country"), "fr");
    let again = load_customers(&mut writer, 3, "_key country\nada -\nbob fr\neve de");
    assert_eq!((counts(&again), again.snapshot), ((0, 3, 0), 2));
    drop(writer);
    drop(folder.writer());
    assert_eq!(attribute(&folder, "eve", "country"), "de");
    assert_eq!(folder.reader().entity("customer").unwrap().count, 3);
}

#[test]
fn the_last_row_of_a_key_wins_within_a_load() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let summary = load_customers(&mut writer, 1, "_key country\nada es\nada fr");
    assert_eq!(counts(&summary), (1, 1, 0));
    assert_eq!(attribute(&folder, "ada", "country"), "fr");
}

#[test]
fn the_last_row_of_a_key_wins_whether_a_load_is_about_few_keys_or_many() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let line = |key: usize, country: &str| format!("\nc{key} {country}");
    let all = |country: &str| (0..100).map(|key| line(key, country)).collect::<String>();
    let summary = load_customers(&mut writer, 1, &format!("_key country{}", all("es")));
    assert_eq!(counts(&summary), (100, 0, 0));
    // Two rows of a hundred keys.
    let few = format!("_key country{}{}", line(70, "fr"), line(70, "de"));
    assert_eq!(counts(&load_customers(&mut writer, 2, &few)), (0, 1, 1));
    assert_eq!(
        (attribute(&folder, "c70", "country"), attribute(&folder, "c71", "country")),
        ("de".into(), "es".into())
    );
    // All keys twice, and a new one.
    let many = format!("_key country{}{}{}", all("fr"), all("it"), line(100, "pt"));
    assert_eq!(counts(&load_customers(&mut writer, 3, &many)), (1, 100, 100));
    for (key, country) in [("c0", "it"), ("c70", "it"), ("c99", "it"), ("c100", "pt")] {
        assert_eq!(attribute(&folder, key, "country"), country, "{key}");
    }
}

#[test]
fn keys_that_are_given_twice_are_the_same_also_where_an_event_leaves_a_row_out() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    // The second row of the event has no time.
    let events = batch("_at customer\n1 bob\n- ada\n3 eve\n4 bob");
    let keys = events.column_by_name("customer").unwrap().clone();
    let people = table(vec![("_key".into(), keys.clone())]);
    for events in [events.clone(), events.slice(2, 2), coded(&events)] {
        let mut load = writer.load(options(1));
        load.events(&orders(), events).unwrap();
        assert_eq!(load.entities(&customers(), people.clone()).unwrap(), []);
        load.commit().unwrap();
    }
    let reader = folder.reader();
    let id = |key: &str| reader.id_of("customer", key).unwrap();
    assert_eq!((id("bob"), id("eve"), id("ada")), (Some(0), Some(1), Some(2)));
    assert_eq!(reader.entity("customer").unwrap().count, 3);
    // In one load the same keys before and behind others.
    let mut load = writer.load(options(2));
    assert_eq!(load.entities(&customers(), people).unwrap(), []);
    assert_eq!(load.entities(&customers(), table(vec![("_key".into(), keys.slice(1, 2))])).unwrap(), []);
    let summary = load.commit().unwrap();
    assert_eq!(counts(&summary).0, 0);
}

#[test]
fn ids_are_shared_with_events() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load(&mut writer, &orders(), "_at customer\n1 bob\n2 ada");
    load_customers(&mut writer, 1, "_key country\nada es\neve de");
    let reader = folder.reader();
    let id = |key: &str| reader.id_of("customer", key).unwrap();
    assert_eq!((id("bob"), id("ada"), id("eve"), id("dan")), (Some(0), Some(1), Some(2), None));
    let kind = &reader.entity("customer").unwrap().attributes[0].kind;
    assert_eq!(*kind, ColumnKind::Code);
    assert_eq!(
        reader.attribute("customer", "score").unwrap().values.null_count(),
        reader.attribute("customer", "score").unwrap().values.len()
    );
}

#[test]
fn history_is_kept_where_it_is_declared() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load_customers(&mut writer, 10, "_key plan\nada free\nbob pro");
    load_customers(&mut writer, 20, "_key plan\nada free\nbob free");
    load_customers(&mut writer, 30, "_key plan\nada -\nbob free");
    // The first value is no change: it holds from the beginning of time.
    let first = i64::MIN;
    let expected = [&format!("{first} ada free"), &format!("{first} bob pro"), "20 bob free", "30 ada -"];
    assert_eq!(history(&folder), expected);
    drop(writer);
    drop(folder.writer());
    assert_eq!(history(&folder), expected);
    assert!(folder.reader().attribute_history("customer", "country").is_err());
}

#[test]
fn what_was_known_before_its_past_was_kept_is_its_first_value() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let mut plain = customers();
    plain.fields.iter_mut().for_each(|field| field.history = false);
    load_as(&mut writer, &plain, 10, "_key plan\nada free\nbob pro");
    load_customers(&mut writer, 20, "_key plan\nada free\nbob free\neve pro");
    load_customers(&mut writer, 30, "_key plan\nada pro");
    let first = i64::MIN;
    let expected = ["ada free", "bob pro", "eve pro"].map(|value| format!("{first} {value}"));
    let expected = [&expected[..], &["20 bob free".to_string(), "30 ada pro".to_string()]].concat();
    assert_eq!(history(&folder), expected);
}

#[test]
fn a_row_without_its_moment_is_dated_by_its_load_unless_it_is_the_first() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load_customers(&mut writer, 10, "_key _at plan\nada 5 free\nbob - pro");
    load_customers(&mut writer, 20, "_key _at plan\nada - pro\nbob - free");
    let expected = [&format!("{} bob pro", i64::MIN), "5 ada free", "20 ada pro", "20 bob free"];
    assert_eq!(history(&folder), expected);
}

#[test]
fn history_with_moments_of_its_own_does_not_depend_on_the_order_of_loads() {
    let parts = ["_key _at plan\nada 5 free\nada 9 pro", "_key _at plan\nada 7 basic\nbob 1 pro"];
    let mut seen = Vec::new();
    for order in [[0, 1], [1, 0]] {
        let folder = Folder::new();
        let mut writer = folder.writer();
        for part in order {
            load_customers(&mut writer, 100, parts[part]);
            load_customers(&mut writer, 101, parts[part]);
        }
        writer.compact().unwrap();
        assert_eq!(attribute(&folder, "ada", "plan"), "pro");
        seen.push(history(&folder));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], ["1 bob pro", "5 ada free", "7 ada basic", "9 ada pro"]);
}

#[test]
fn a_bulk_load_of_customers_is_sealed_at_once() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let mut text = String::from("_key country plan score\n");
    (0..20_000).for_each(|i| text += &format!("c{i} l{} p{} {i}\n", i % 20, i % 3));
    assert_eq!(counts(&load_customers(&mut writer, 1, &text)), (20_000, 0, 0));
    load_customers(&mut writer, 2, "_key plan\nc7 gold\nnew gold");
    assert_eq!(attribute(&folder, "c19999", "country"), "l19");
    assert_eq!(attribute(&folder, "c7", "plan"), "gold");
    assert_eq!(attribute(&folder, "c7", "score"), "7");
    assert_eq!(attribute(&folder, "new", "plan"), "gold");
    assert_eq!(attribute(&folder, "new", "score"), "-");
    writer.compact().unwrap();
    assert_eq!(attribute(&folder, "c7", "plan"), "gold");
    assert_eq!(attribute(&folder, "new", "score"), "-");
    let again = load_customers(&mut writer, 3, &text);
    assert_eq!(counts(&again), (0, 19_999, 1));
    folder.reader().verify().unwrap();
}

#[test]
fn a_row_without_a_key_is_rejected() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let mut load = writer.load(options(0));
    let rejected = load.entities(&customers(), batch("_key country\n- es\nada fr")).unwrap();
    assert_eq!(rejected.len(), 1);
    assert_eq!((rejected[0].row, rejected[0].reason.as_str()), (0, "it has no key"));
    load.commit().unwrap();
    assert_eq!(attribute(&folder, "ada", "country"), "fr");
}

#[test]
fn groups_of_columns_in_one_load_apply_one_after_the_other() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    load_customers(&mut writer, 1, "_key country\nada es");
    let mut load = writer.load(options(2));
    // The first group changes nothing, the second brings a new text for the same column.
    load.entities(&customers(), batch("_key country\nada es")).unwrap();
    load.entities(&customers(), batch("_key country score\nada fr 2\nbob it 3")).unwrap();
    load.entities(&customers(), batch("_key score\nbob 4")).unwrap();
    load.commit().unwrap();
    let values = ["country", "score"].map(|field| (attribute(&folder, "ada", field), attribute(&folder, "bob", field)));
    assert_eq!(values[0], ("fr".into(), "it".into()));
    assert_eq!(values[1], ("2".into(), "4".into()));
}
