//! Answers that are kept: the same as computed anew, whatever was loaded in between.
#![allow(clippy::unwrap_used)] // A test may stop.

mod continued;
mod plugins;
mod ranges;

use kepi_engine::{Answer, Engine, LoadRequest, Request};
use kepi_store::Store;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
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
    ask_at(engine, "2026-01-10T00:00:00Z", text, no_cache)
}

fn ask_at(engine: &Engine, now: &str, text: &str, no_cache: bool) -> Answer {
    let now = now.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let request = Request { text: text.to_string(), now: Some(now), no_cache, totals: true, ..Request::default() };
    engine.query(request).unwrap().remove(0)
}

fn same(a: &Answer, b: &Answer) {
    same_but_rows_read(a, b, "");
    assert_eq!(a.frame.rows_scanned, b.frame.rows_scanned);
}

/// The same where the rows of other streams may be read as far as somebody asks.
fn same_but_rows_read(a: &Answer, b: &Answer, when: &str) {
    assert_eq!(a.frame.rows, b.frame.rows, "{} {when}", a.query);
    assert_eq!(a.frame.totals, b.frame.totals, "{} {when}", a.query);
    assert_eq!(a.frame.columns, b.frame.columns, "{} {when}", a.query);
    assert_eq!(a.frame.partial, b.frame.partial, "{} {when}", a.query);
    assert_eq!(a.frame.partial_rows, b.frame.partial_rows, "{} {when}", a.query);
    assert_eq!(a.frame.notes, b.frame.notes, "{} {when}", a.query);
    assert!(a.said.is_empty(), "{:?}", a.said);
}

/// A new project with the model.
fn project(root: &Path) -> Engine {
    project_of(root, MODEL)
}

/// A new project with a model.
fn project_of(root: &Path, model: &str) -> Engine {
    fs::create_dir(root.join("model")).unwrap();
    fs::write(root.join("kepi.toml"), "").unwrap();
    fs::write(root.join("model/main.kepi"), model).unwrap();
    Engine::open(root).unwrap()
}

#[test]
fn a_kept_answer_is_the_one_computed_anew_after_late_and_changed_rows() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let engine = project(root);
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
fn a_window_that_ends_now_is_not_the_one_that_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let engine = project(folder.path());
    load(&engine, folder.path(), &table((0..20_000).map(|i| (i, i * 7919 % 900, i / 60, i * 31 % 9_000))));
    // The last week of the year goes on until the fifth of January.
    let query = "show median(orders.amount) per week during 2025";
    let reason = |answer: &Answer| answer.frame.partial.last().map(|partial| partial.reason.clone()).unwrap();
    for now in ["2026-01-10T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"] {
        let (answer, anew) = (ask_at(&engine, now, query, false), ask_at(&engine, now, query, true));
        same(&answer, &anew);
        let running = now == "2026-01-01T00:00:00Z";
        assert_eq!(reason(&answer), if running { "still running" } else { "cut by the window" });
    }
}

#[test]
fn a_damaged_answer_is_computed_anew() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let engine = project(root);
    load(&engine, root, &table((0..20_000).map(|i| (i, i * 7919 % 900, i / 60, i * 31 % 9_000))));
    // Nothing but the answer is kept of it.
    let query = "show median(orders.amount) per month during 2025";
    let first = ask(&engine, query, false);
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
        let again = ask(&engine, query, false);
        assert!(!again.kept, "cut at {cut}, flipped {flipped}");
        same(&first, &again);
    }
}

/// What happens to a project between two questions.
#[derive(Clone, Debug)]
enum Change {
    /// Rows of which some are late, some known, some changed: how many, and where their numbers begin.
    Orders { rows: u32, from: u32 },
    /// The same in a small load, which stays in the journal for a while.
    Few { from: u32 },
    /// Customers' regions.
    Regions { from: u32, shift: u32 },
    /// Two customers turn out to be one.
    Merge { one: u32, other: u32 },
    /// The store is written anew, without overlaps.
    Compact,
    /// A customer is erased; later loads may bring it back.
    Erase { customer: u32 },
    /// One of the loads so far is taken out.
    Unload { which: u32 },
    /// The condition of a segment is another.
    Definition { cents: u32 },
    /// Another "now".
    Now { day: u32 },
    /// The engine is opened again, as by another process.
    Reopen,
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        (5_000_u32..20_000, 0_u32..60_000).prop_map(|(rows, from)| Change::Orders { rows, from }),
        (0_u32..60_000).prop_map(|from| Change::Few { from }),
        (0_u32..60_000).prop_map(|from| Change::Few { from }),
        (0_u32..900, 0_u32..4).prop_map(|(from, shift)| Change::Regions { from, shift }),
        (0_u32..400, 400_u32..900).prop_map(|(one, other)| Change::Merge { one, other }),
        Just(Change::Compact),
        (0_u32..900).prop_map(|customer| Change::Erase { customer }),
        (0_u32..12).prop_map(|which| Change::Unload { which }),
        (0_u32..9_000).prop_map(|cents| Change::Definition { cents }),
        (1_u32..28).prop_map(|day| Change::Now { day }),
        Just(Change::Reopen),
    ]
}

const SHOP: &str = r#"
use plugin "acme.margins" as margins
use plugin "my.steps" as steps
entity shop key shop { }
entity customer key customer { region: text }
event orders of customer, shop at ordered { product: text  amount: money(EUR)  weight: number }
event new_customers = first(orders) per customer
segment large of orders = amount >= CENTS EUR
source orders_table from "orders.csv" {
  orders: at ordered, id order_no, of customer, shop, product, amount, weight
}
source customers_table from "customers.csv" { customer: key customer, region }
source merges_table from "merges.csv" { merge customer old into new }
"#;

const LOCAL: [&str; 24] = [
    "show sum(orders.amount), count(orders), avg(orders.amount) per month during 2025",
    "show sum(orders.amount where large) by product per week during 2025",
    "show unique(orders.customer) per month during 2025",
    "show unique(orders.customer), count(orders) by product during 2025",
    "show unique(orders.customer where large) by customer.region per quarter during 2025",
    "show sum(orders.amount) by customer.region, shop per month during 2025",
    "show min(orders.amount), max(orders.weight), stddev(orders.weight) by shop during 2025",
    "show sum(orders.weight), avg(orders.weight) per quarter during 2025",
    "show count(orders where customer = \"c5\"), sum(orders.amount where customer = \"c7\") during 2025",
    "show count(orders where customer.region = \"north\") per month last 3 months",
    "show sum(orders.amount) per month since 2025-02-11 until 2025-10-03",
    "show growth(sum(orders.amount), 1 month) by product per month since 2025-03-01 until 2025-12-01",
    "show trailing(sum(orders.amount), 28 days), trailing(unique(orders.customer), 28 days) per week during 2025",
    "show unique(orders.product), median(orders.amount) per month during 2025",
    "show share(orders where count(orders) > 1) per month during 2025",
    "show avg(sum(orders.amount) per customer) per quarter during 2025",
    "show count(new_customers) by customer.region per month during 2025",
    "show ratio(sum(orders.amount where age(new_customers) < 60 days), count(new_customers)) per month during 2025",
    "show retention(new_customers -> orders, period: month) during 2025-Q2",
    "show count(customer where count(orders) > 2), count(customer) per month last 6 months",
    "show funnel(new_customers -> orders where large, within 30 days) during 2025-Q3",
    "show margins.gini(orders.amount where large), count(orders) by customer.region per quarter during 2025",
    "show steps.spread(orders.weight), steps.rise(orders.weight) by product during 2025",
    "show trailing(margins.gini(orders.amount), 28 days) by shop per month during 2025",
];

fn order_rows(rows: std::ops::Range<u32>) -> String {
    let mut text = String::from("order_no,customer,shop,ordered,product,amount,weight\n");
    for i in rows {
        let mixed = i.wrapping_mul(2_654_435_761) >> 7;
        // Rows of the same number are other rows from some number on: changed ones.
        let number = i % 45_000;
        let day = number / 130 + mixed % 40;
        let (month, day) = (1 + day / 28 % 12, 1 + day % 28);
        let weight = f64::from(mixed % 1_000) / 7.0;
        let (customer, shop, product) = (mixed % 900, mixed % 5, ["a", "b", "c", "d"][(mixed / 9 % 4) as usize]);
        let cents = mixed % 9_000;
        writeln!(
            text,
            "{number},c{customer},s{shop},2025-{month:02}-{day:02},{product},{}.{:02},{weight}",
            cents / 100,
            cents % 100
        )
        .unwrap();
    }
    text
}

fn load_table(engine: &Engine, root: &Path, source: &str, file: &str, text: &str) {
    fs::write(root.join(file), text).unwrap();
    let files = vec![root.join(file).display().to_string()];
    let request = LoadRequest { files, source: Some(source.to_string()), ..LoadRequest::default() };
    // A merge that would close a circle is rejected, and nothing happens.
    engine.load(request, &|_| {}).unwrap();
}

fn write_model(root: &Path, cents: u32) {
    let model = SHOP.replace("CENTS", &format!("{}.{:02}", cents / 100, cents % 100));
    fs::write(root.join("model/main.kepi"), model).unwrap();
    plugins::write_plugin(root, plugins::SCRIPT);
}

/// Asks everything as it comes, again, and anew; gives how many answers were kept, and how many were made of kept parts.
fn ask_all(engine: &Engine, now: i64, what: &dyn std::fmt::Debug) -> (u32, u32) {
    let (mut kept, mut parts) = (0, 0);
    for query in LOCAL {
        let ask = |no_cache| {
            let request =
                Request { text: query.to_string(), now: Some(now), no_cache, totals: true, ..Request::default() };
            engine.query(request).unwrap().remove(0)
        };
        let first = ask(false);
        let from_parts = |answer: &Answer| answer.frame.steps.iter().any(|s| s.text.contains("kept segment"));
        parts += u32::from(from_parts(&first));
        let again = ask(false);
        kept += u32::from(again.kept);
        let anew = ask(true);
        assert!(!anew.kept && !from_parts(&anew));
        for answer in [&first, &again] {
            assert!(answer.said.is_empty(), "{:?}", answer.said);
            assert_eq!(answer.frame.rows, anew.frame.rows, "{query} after {what:?}");
            assert_eq!(answer.frame.totals, anew.frame.totals, "{query} after {what:?}");
            assert_eq!(answer.frame.notes, anew.frame.notes, "{query} after {what:?}");
            assert_eq!(answer.frame.partial, anew.frame.partial, "{query} after {what:?}");
        }
    }
    (kept, parts)
}

fn region_rows(from: u32, shift: u32) -> String {
    let mut text = String::from("customer,region\n");
    for customer in from..(from + 200).min(900) {
        let region = ["north", "south", "east", "west"][((customer + shift) % 4) as usize];
        writeln!(text, "c{customer},{region}").unwrap();
    }
    text
}

#[test]
fn whatever_is_kept_gives_what_is_computed_anew() {
    let cases = std::env::var("KEPI_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2_u32);
    let seed = std::env::var("KEPI_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1_u8);
    let mut runner = TestRunner::new_with_rng(
        Config { cases, max_shrink_iters: 20, failure_persistence: None, ..Config::default() },
        TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]),
    );
    let used = std::cell::Cell::new((0, 0));
    let removed = std::cell::Cell::new(0);
    let result = runner.run(&proptest::collection::vec(changes(), 5), |changes| {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("model")).unwrap();
        fs::write(root.join("kepi.toml"), "").unwrap();
        write_model(root, 5_000);
        let mut engine = Engine::open(root).unwrap();
        load_table(&engine, root, "customers_table", "customers.csv", &region_rows(0, 0));
        // A segment that is worth keeping parts of, and one that overlaps it.
        load_table(&engine, root, "orders_table", "orders.csv", &order_rows(0..18_000));
        load_table(&engine, root, "orders_table", "orders.csv", &order_rows(18_000..36_000));
        let moment = |day: u32| {
            let text = format!("2025-12-{day:02}T12:00:00Z");
            text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
        };
        let mut now = moment(20);
        let add = |(kept, parts): (u32, u32)| used.set((used.get().0 + kept, used.get().1 + parts));
        add(ask_all(&engine, now, &"the first loads"));
        let always = [Change::Unload { which: 2 }, Change::Erase { customer: 7 }];
        for change in changes.iter().chain(&always) {
            match change {
                Change::Orders { rows, from } => {
                    load_table(&engine, root, "orders_table", "orders.csv", &order_rows(*from..from + rows));
                }
                Change::Few { from } => {
                    load_table(&engine, root, "orders_table", "orders.csv", &order_rows(*from..from + 60));
                }
                Change::Regions { from, shift } => {
                    load_table(&engine, root, "customers_table", "customers.csv", &region_rows(*from, *shift));
                }
                Change::Merge { one, other } => {
                    let text = format!("old,new\nc{one},c{other}\n");
                    load_table(&engine, root, "merges_table", "merges.csv", &text);
                }
                Change::Erase { customer } => {
                    // It may be nobody: merged ones go with the one that they mean.
                    let gone = engine.store_erase(&[("customer".to_string(), format!("c{customer}"))]);
                    removed.set(removed.get() + usize::from(gone.is_ok()));
                }
                Change::Unload { which } => {
                    // Of some loads nothing can be taken out, such as those of regions.
                    let loads = engine.store_loads().unwrap();
                    let gone = engine.store_unload(loads[*which as usize % loads.len()].load);
                    removed.set(removed.get() + usize::from(gone.is_ok()));
                }
                Change::Compact => Store::open_writer(&root.join(".kepi/store"), "test").unwrap().compact().unwrap(),
                Change::Definition { cents } => {
                    write_model(root, *cents);
                    engine = Engine::open(root).unwrap();
                }
                Change::Now { day } => now = moment(*day),
                Change::Reopen => engine = Engine::open(root).unwrap(),
            }
            add(ask_all(&engine, now, change));
        }
        Ok(())
    });
    assert!(result.is_ok(), "{result:?}");
    let (kept, parts) = used.get();
    assert!(kept > 0, "no answer was kept");
    assert!(removed.get() >= cases as usize, "only {} of what was to be erased or taken out was", removed.get());
    // In a build that is optimised, so few rows are read sooner than a file.
    assert!(parts > 0 || !cfg!(debug_assertions), "no answer was made of kept parts");
}

#[test]
fn a_damaged_part_is_computed_anew_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("model")).unwrap();
    fs::write(root.join("kepi.toml"), "").unwrap();
    write_model(root, 5_000);
    let engine = Engine::open(root).unwrap();
    load_table(&engine, root, "orders_table", "orders.csv", &order_rows(0..18_000));
    let first = ask(&engine, LOCAL[1], false);
    let mut damaged = 0;
    for file in fs::read_dir(root.join(".kepi/store/answers")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        damaged += 1;
    }
    let again = ask(&engine, LOCAL[1], false);
    assert_eq!((again.said.len(), again.kept), (damaged, false), "{:?}", again.said);
    assert!(damaged > 0 || !cfg!(debug_assertions));
    same(&first, &again);
    assert!(ask(&engine, LOCAL[1], false).said.is_empty());
}
