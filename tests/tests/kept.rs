//! Answers that are kept: the same as computed anew, whatever was loaded in between.
#![allow(clippy::unwrap_used)] // A test may stop.

use kepi_engine::{Answer, Engine, LoadRequest, Request};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const MODEL: &str = r#"
entity customer key id { }
event orders of customer at ordered { amount: money(EUR) }
event new_customers = first(orders) per customer
state active of customer = from orders for 3 months
source orders_table from "orders.csv" { orders: at ordered, id order_no, of customer, amount }
"#;

const QUERIES: [&str; 5] = [
    "show sum(orders.amount), unique(orders.customer) per month during 2025",
    "show ratio(sum(orders.amount), count(new_customers)) per month vs previous month during 2025",
    "show opening(active), count(started(active)), count(ended(active)), closing(active) per month during 2025",
    "show trailing(unique(orders.customer), 28 days) per week during 2025",
    "show avg(sum(orders.amount) per customer) per quarter during 2025",
];

/// Rows of a table: number, customer, day of the year, cents.
fn table(rows: impl Iterator<Item = (u32, u32, u32, u32)>) -> String {
    let mut text = String::from("order_no,customer,ordered,amount\n");
    for (number, customer, day, cents) in rows {
        let (month, day) = (1 + day / 28 % 12, 1 + day % 28);
        writeln!(text, "{number},c{customer},2025-{month:02}-{day:02},{}.{:02}", cents / 100, cents % 100).unwrap();
    }
    text
}

fn load(engine: &Engine, folder: &Path, text: &str) {
    let file = folder.join("orders.csv");
    fs::write(&file, text).unwrap();
    let files = vec![file.display().to_string()];
    let request = LoadRequest { files, source: Some("orders_table".to_string()), ..LoadRequest::default() };
    assert_eq!(engine.load(request, &|_| {}).unwrap().rejected_count, 0);
}

fn ask(engine: &Engine, text: &str, no_cache: bool) -> Answer {
    let now = "2026-01-10T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let request = Request { text: text.to_string(), now: Some(now), no_cache, totals: true, ..Request::default() };
    engine.query(request).unwrap().remove(0)
}

fn same(a: &Answer, b: &Answer) {
    assert_eq!(a.frame.rows, b.frame.rows, "{}", a.query);
    assert_eq!(a.frame.totals, b.frame.totals, "{}", a.query);
    assert_eq!(a.frame.columns, b.frame.columns);
    assert_eq!(a.frame.partial, b.frame.partial);
    assert_eq!(a.frame.notes, b.frame.notes);
    assert_eq!(a.frame.rows_scanned, b.frame.rows_scanned);
}

#[test]
fn a_kept_answer_is_the_one_computed_anew_after_late_and_changed_rows() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("model")).unwrap();
    fs::write(root.join("kepi.toml"), "").unwrap();
    fs::write(root.join("model/main.kepi"), MODEL).unwrap();
    let engine = Engine::open(root).unwrap();
    // Enough rows that answers take long enough to be kept, in a build for tests at least.
    load(&engine, root, &table((0..20_000).map(|i| (i, i * 7919 % 900, i / 60, i * 31 % 9_000))));
    let mut kept = 0;
    for round in 0..4_u32 {
        for query in QUERIES {
            let first = ask(&engine, query, false);
            // The first one was asked already when the rows had come.
            let asked = round > 0 && query == QUERIES[0];
            assert!(asked || !first.kept, "round {round}: nothing was kept of this snapshot yet: {query}");
            let again = ask(&engine, query, false);
            kept += u32::from(again.kept);
            same(&first, &again);
            same(&again, &ask(&engine, query, true));
        }
        // Late rows, and rows that take the place of known ones.
        let late = (0..50).map(|i| (100_000 + round * 50 + i, 900 + i, i * 5, 1_000 + round));
        let changed = (0..50).map(|i| (i * 300 + round, i, i * 3, 77_700 + round));
        let before = ask(&engine, QUERIES[0], false);
        load(&engine, root, &table(late.chain(changed)));
        let after = ask(&engine, QUERIES[0], false);
        assert!(!after.kept && before.frame.rows != after.frame.rows);
    }
    assert!(kept > 0, "no answer was kept");
}

#[test]
fn a_damaged_answer_is_computed_anew() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("model")).unwrap();
    fs::write(root.join("kepi.toml"), "").unwrap();
    fs::write(root.join("model/main.kepi"), MODEL).unwrap();
    let engine = Engine::open(root).unwrap();
    load(&engine, root, &table((0..20_000).map(|i| (i, i * 7919 % 900, i / 60, i * 31 % 9_000))));
    let first = ask(&engine, QUERIES[2], false);
    let answers = root.join(".kepi/store/answers");
    let files: Vec<_> = fs::read_dir(&answers).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    let whole = fs::read(&files[0]).unwrap();
    for (cut, flipped) in
        [(0, 0), (7, 0), (whole.len() / 2, 0), (whole.len(), whole.len() / 2), (whole.len(), whole.len() - 1)]
    {
        let mut bytes = whole[..cut].to_vec();
        if let Some(byte) = bytes.get_mut(flipped).filter(|_| flipped > 0) {
            *byte ^= 0x20;
        }
        fs::write(&files[0], bytes).unwrap();
        let again = ask(&engine, QUERIES[2], false);
        assert!(!again.kept, "cut at {cut}, flipped {flipped}");
        same(&first, &again);
    }
}
