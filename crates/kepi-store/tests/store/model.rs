//! Under random loads a scan equals a simple list of rows, whatever was sealed, compacted or opened again between, and
//! whether the rows came in one batch, in two, or with dictionaries.

use crate::support::*;
use proptest::prelude::*;

/// A row as a person would note it: time, id, customer, product, cents.
type Row = (i64, Option<i64>, Option<u8>, Option<u8>, Option<i64>);

#[derive(Clone, Debug)]
enum Step {
    /// Rows, where they are cut into batches, and whether these have dictionaries.
    Load(Vec<Row>, usize, bool),
    Seal,
    Compact,
    Reopen,
}

fn row(ids: bool) -> impl Strategy<Value = Row> {
    // Ids and cents that need more and more bytes.
    let few = [-7, 255, 256, 70_000, 5_000_000_000, i64::MIN, i64::MAX];
    let id = prop_oneof![12 => 0..12i64, 1 => (0..few.len()).prop_map(move |i| few[i])];
    let many = [999_999_999, 1_000_000_000, -999_999_999, -1_000_000_000, 40_000_000_000_000];
    let cents = prop_oneof![12 => -500..500i64, 1 => (0..many.len()).prop_map(move |i| many[i])];
    let id = id.prop_map(move |id| ids.then_some(id));
    (-3..9i64, id, proptest::option::of(0..4u8), proptest::option::of(0..3u8), proptest::option::of(cents))
}

fn step(ids: bool) -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (proptest::collection::vec(row(ids), 0..15), 0..20usize, any::<bool>())
            .prop_map(|(rows, cut, coded)| Step::Load(rows, cut, coded)),
        2 => Just(Step::Seal),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

fn steps() -> impl Strategy<Value = (bool, Vec<Step>)> {
    any::<bool>().prop_flat_map(|ids| (Just(ids), proptest::collection::vec(step(ids), 1..9)))
}

/// What is stored, each row with the number of its load.
#[derive(Default)]
struct Model {
    rows: Vec<(Row, usize)>,
    loads: usize,
}

impl Model {
    /// Added, known, replaced.
    fn load(&mut self, rows: &[Row]) -> (u64, u64, u64) {
        let before = self.rows.clone();
        let mut used = vec![false; before.len()];
        let mut counts = (0, 0, 0);
        self.loads += 1;
        for (position, row) in rows.iter().enumerate() {
            match row.1 {
                None => match (0..before.len()).find(|&i| !used[i] && before[i].0 == *row) {
                    Some(same) => {
                        used[same] = true;
                        counts.1 += 1;
                    }
                    None => {
                        self.rows.push((*row, self.loads));
                        counts.0 += 1;
                    }
                },
                Some(id) => {
                    let later = rows[position + 1..].iter().any(|other| other.1 == Some(id));
                    let stored = self.rows.iter().position(|(other, _)| other.1 == Some(id));
                    match stored {
                        _ if later => counts.1 += 1,
                        None => {
                            self.rows.push((*row, self.loads));
                            counts.0 += 1;
                        }
                        Some(stored) if self.rows[stored].0 == *row => counts.1 += 1,
                        Some(stored) => {
                            self.rows.remove(stored);
                            self.rows.push((*row, self.loads));
                            counts.2 += 1;
                        }
                    }
                }
            }
        }
        counts
    }

    fn lines(&self, ids: bool) -> Vec<String> {
        let mut rows = self.rows.clone();
        // A stable sort: rows of one load stay in the order in which they were given.
        rows.sort_by_key(|(row, load)| (row.0, row.1, *load));
        rows.iter().map(|(row, _)| line(row, ids, true)).collect()
    }
}

fn line(row: &Row, ids: bool, cents_as_money: bool) -> String {
    let text = |prefix: &str, value: Option<i64>| value.map_or("-".into(), |v| format!("{prefix}{v}"));
    let amount = row.4.map_or("-".to_owned(), |cents| (cents as f64 / 100.0).to_string());
    let id = if ids { format!("{} ", text("", row.1)) } else { String::new() };
    let rest = if cents_as_money { " -" } else { "" };
    format!("{} {id}{} {} {amount}{rest}", row.0, text("c", row.2.map(i64::from)), text("p", row.3.map(i64::from)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_scan_equals_a_list_of_rows((ids, steps) in steps()) {
        let folder = Folder::new();
        let mut writer = folder.writer();
        let mut model = Model::default();
        let mut any_ids = false;
        for step in steps {
            match step {
                Step::Load(given, cut, with_dictionaries) => {
                    let header = if ids { "_at _id# customer product amount" } else { "_at customer product amount" };
                    let lines: Vec<String> = given.iter().map(|row| line(row, ids, false)).collect();
                    let text = format!("{header}\n{}", lines.join("\n"));
                    any_ids |= ids && !given.is_empty();
                    let whole = match with_dictionaries {
                        true => coded(&batch(&text)),
                        false => batch(&text),
                    };
                    let cut = cut.min(given.len());
                    let batches = [whole.slice(0, cut), whole.slice(cut, given.len() - cut)];
                    prop_assert_eq!(counts(&load_batches(&mut writer, &orders(), &batches)), model.load(&given));
                }
                Step::Seal => writer.seal().unwrap(),
                Step::Compact => writer.compact().unwrap(),
                Step::Reopen => {
                    drop(writer);
                    writer = folder.writer();
                }
            }
            let expected = model.lines(any_ids);
            prop_assert_eq!(rows(&writer.snapshot().unwrap(), "orders"), expected.clone());
            let reader = folder.reader();
            prop_assert_eq!(rows(&reader, "orders"), expected.clone());
            let window = rows_between(&reader, "orders", Some(1), Some(5));
            let inside = |row: &String| (1..5).contains(&row.split(' ').next().unwrap().parse::<i64>().unwrap());
            prop_assert_eq!(window, expected.into_iter().filter(inside).collect::<Vec<_>>());
        }
    }
}
