//! Answers with a history that go on from a moment: the same as computed anew, and gone on with only where nothing before
//! that moment has changed.

use crate::{load_table, same_but_rows_read};
use kepi_engine::{Answer, Engine, Request};
use kepi_store::Store;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::Cell;
use std::fmt::Write;
use std::fs;
use std::path::Path;

const MODEL: &str = r#"
entity shop key shop { }
entity customer key customer { region: text }
event signups of customer, shop at joined { plan: text }
event orders of customer, shop at ordered { product: text  amount: money(EUR)  weight: number }
event new_customers = first(orders) per customer
segment large of orders = amount >= CENTS EUR
state active of customer = from orders for 2 months
state waiting of customer = from signups until orders
state big of customer = from orders where large for 3 days
state fresh of customer = from new_customers for 40 days
source signups_table from "signups.csv" { signups: at joined, of customer, shop, plan }
source orders_table from "orders.csv" {
  orders: at ordered, id order_no, of customer, shop, product, amount, weight
}
source customers_table from "customers.csv" { customer: key customer, region }
source merges_table from "merges.csv" { merge customer old into new }
"#;

/// Each goes on where only later rows have come.
const HISTORIES: [&str; 46] = [
    "show count(new_customers) by customer.region per month during 2025",
    "show ratio(sum(orders.amount where age(new_customers) < 60 days), count(new_customers)) per month during 2025",
    "show share(orders where count(orders) > 1) by shop per week during 2025",
    "show sum(orders.amount where sum(orders.amount) > 400 EUR) per week during 2025",
    "show avg(orders.weight where age(new_customers) > 10 days), stddev(new_customers.weight) per quarter during 2025",
    "show unique(orders.customer where count(orders) > 2), unique(new_customers.customer) by product per month during 2025",
    "show sum(orders.weight where sum(orders.weight) > 400), min(new_customers.amount) by shop during 2025",
    "show median(new_customers.at - first(signups.at)), count(new_customers where count(signups) > 0) per quarter",
    "show count(orders where amount >= max(orders.amount)), count(orders where large and count(orders where large) = 3)",
    "show sum(new_customers.amount where large) per month since 2025-03-01",
    "show count(orders) by first(orders.shop), count(orders) = 1 as fresh per month since 2025-02-11",
    "show count(orders where last(orders.at) > first(signups.at) + 30 days) by customer.region during 2025",
    "show count(orders where avg(orders.weight) > 60), count(orders where last(signups.shop) = shop) per month",
    "show trailing(unique(orders.customer), 28 days) per week during 2025",
    "show trailing(unique(orders.customer), 2 months), trailing(unique(orders.customer where large), 2 months) per day since 2025-02-01",
    "show trailing(count(new_customers), 30 days) by customer.region per week during 2025",
    "show avg(sum(orders.amount) per customer) by customer.region during 2025",
    "show avg(sum(orders.amount where age(new_customers) < 60 days) per customer), sum(count(orders) per customer) per quarter during 2025",
    "show sum(orders.amount where count(orders over last 40 days) >= 3), count(orders where sum(orders.amount over last 1 month) > 90 EUR) per month during 2025",
    "show count(orders where max(orders.weight over last 20 days) > 100), count(orders where count(signups over last 1 year) = 1) per month",
    "show retention(new_customers -> orders, period: month) during 2025",
    "show retention(signups -> orders, period: month, mode: onward) by customer.region during 2025",
    "show retention(new_customers -> orders where large, period: week, brackets: [1, 4, 12]) by product during 2025",
    "show retention(signups -> new_customers, period: month) by plan, shop during 2025",
    "show retention(new_customers -> orders where count(orders) > 2, period: day) since 2025-11-01",
    "show ratio(count(ended(active)), opening(active)) per month during 2025",
    "show ratio(count(ended(active)), opening(active)), closing(active) by customer.region per month during 2025",
    "show count(customer where opening(active) and not kept(active)) / count(customer where opening(active)) per week during 2025",
    "show opening(waiting), count(started(waiting)), count(ended(waiting)), closing(waiting) per month during 2025",
    "show trailing(count(ended(active)), 3 months), prior(closing(active), 1 month) per month during 2025",
    "show count(started(big)), closing(big) per week during 2025",
    "show count(ended(fresh)), kept(fresh) by customer per quarter during 2025",
    "show sum(orders.amount where sum(orders.amount) > 400 EUR) per week since 2025-01-06 until 2025-12-01",
    "show percentile(avg(orders.amount) per customer, 90), max(count(orders where weight > 50) per customer) by customer.region during 2025",
    "show retention(new_customers -> orders, period: week, clock: own) by customer.region during 2025",
    "show retention(new_customers -> orders, period: month, clock: own, mode: onward) during 2025",
    "show retention(signups -> orders where large, period: month, clock: own, brackets: [1, 3, 9]) by plan during 2025",
    "show conversion(signups -> orders, within 14 days) by plan per month during 2025",
    "show conversion(orders where product = \"a\" -> orders where product = \"b\" -> orders where large, within 20 days, hold: shop) by customer.region per month during 2025",
    "show conversion(new_customers -> orders where large, within 14 days) per quarter during 2025",
    "show trailing(conversion(orders where large -> orders where weight > 100, each: 10 days), 2 months) by shop per month during 2025",
    "show funnel(orders where product = \"a\" -> orders where large -> orders where weight > 100, within 1 month, entry: every) by shop during 2025",
    "show funnel(orders where large -> orders where product = \"b\" -> orders where product = \"c\", within 7 days) by customer.region during 2025",
    "show funnel(orders where product = \"a\" -> orders where product = \"b\", within 30 days, order: strict, entry: first) per quarter during 2025",
    "show funnel(orders where product = \"a\" without signups -> orders where large without orders where product = \"d\" -> orders, within 20 days, exclude: drop) by product during 2025",
    "show funnel(orders where product = \"a\" -> orders where product = \"b\" -> orders where product = \"c\", within 15 days, order: any) by shop during 2025",
];

/// The same rows for the same numbers.
fn mixed(number: u32) -> u32 {
    number.wrapping_mul(2_654_435_761) >> 7
}

fn order(text: &mut String, number: u32, moment: &str, changed: bool) {
    let mixed = mixed(number);
    let (customer, shop, product) = (mixed % 900, mixed % 5, ["a", "b", "c", "d"][(mixed / 9 % 4) as usize]);
    let (cents, weight) = (mixed % 9_000 + 5 * u32::from(changed), f64::from(mixed % 1_000) / 7.0);
    let (euros, cents) = (cents / 100, cents % 100);
    writeln!(text, "{number},c{customer},s{shop},{moment},{product},{euros}.{cents:02},{weight}").unwrap();
}

/// Orders of the first eleven months.
fn orders(numbers: std::ops::Range<u32>, changed: bool) -> String {
    let mut text = String::from("order_no,customer,shop,ordered,product,amount,weight\n");
    for number in numbers {
        let day = number / 130 + mixed(number) % 20;
        let moment = format!("2025-{:02}-{:02}", 1 + day / 28 % 11, 1 + day % 28);
        order(&mut text, number, &moment, changed);
    }
    text
}

/// Orders behind all others, from a minute of December on.
fn later(numbers: std::ops::Range<u32>, minute: u32) -> String {
    let mut text = String::from("order_no,customer,shop,ordered,product,amount,weight\n");
    for (place, number) in numbers.enumerate() {
        let minute = minute + place as u32 / 20;
        let moment = format!("2025-12-{:02}T{:02}:{:02}:00Z", 1 + minute / 1_440, minute / 60 % 24, minute % 60);
        order(&mut text, number, &moment, false);
    }
    text
}

fn signups(customers: std::ops::Range<u32>, month: u32) -> String {
    let mut text = String::from("customer,shop,joined,plan\n");
    for customer in customers {
        let (shop, day, plan) = (customer % 5, 1 + customer % 28, ["free", "paid"][(customer % 2) as usize]);
        writeln!(text, "c{customer},s{shop},2025-{month:02}-{day:02},{plan}").unwrap();
    }
    text
}

fn regions(customers: std::ops::Range<u32>, shift: u32) -> String {
    let mut text = String::from("customer,region\n");
    for customer in customers {
        writeln!(text, "c{customer},{}", ["north", "south", "east", "west"][((customer + shift) % 4) as usize])
            .unwrap();
    }
    text
}

fn write_model(root: &Path, cents: u32) {
    let model = MODEL.replace("CENTS", &format!("{}.{:02}", cents / 100, cents % 100));
    fs::write(root.join("model/main.kepi"), model).unwrap();
}

/// A project in which enough is stored that something is worth keeping.
fn begin(root: &Path) -> Engine {
    fs::create_dir(root.join("model")).unwrap();
    fs::write(root.join("kepi.toml"), "").unwrap();
    write_model(root, 5_000);
    let engine = Engine::open(root).unwrap();
    load_table(&engine, root, "customers_table", "customers.csv", &regions(0..700, 0));
    load_table(&engine, root, "signups_table", "signups.csv", &signups(0..800, 1));
    load_table(&engine, root, "orders_table", "orders.csv", &orders(0..19_000, false));
    load_table(&engine, root, "orders_table", "orders.csv", &orders(19_000..24_000, false));
    engine
}

fn ask(engine: &Engine, query: &str, day: u32, no_cache: bool) -> Answer {
    let now = format!("2026-01-{day:02}T00:00:00Z").parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let request = Request { text: query.to_string(), now: Some(now), no_cache, totals: true, ..Request::default() };
    engine.query(request).unwrap().remove(0)
}

fn goes_on(answer: &Answer) -> bool {
    let goes_on = |text: &str| text.contains("continued from");
    let steps = || answer.frame.steps.iter().map(|step| step.text.as_str());
    // Of a chain all that reads attempts does, or nothing.
    let mut attempts = steps().filter(|text| text.starts_with("attempts of") || text.starts_with("groups per"));
    let chain = steps().any(|text| text.starts_with("attempts of"));
    !answer.kept && steps().any(goes_on) && (!chain || attempts.all(goes_on))
}

/// Asks everything as it comes and anew; gives the places of those that went on from a moment.
fn ask_all(engine: &Engine, what: &dyn std::fmt::Debug) -> Vec<usize> {
    ask_all_on(engine, 10, what)
}

/// The same on a day of January.
fn ask_all_on(engine: &Engine, day: u32, what: &dyn std::fmt::Debug) -> Vec<usize> {
    let mut went_on = Vec::new();
    for (place, query) in HISTORIES.into_iter().enumerate() {
        let (answer, anew) = (ask(engine, query, day, false), ask(engine, query, day, true));
        assert!(!anew.kept && !goes_on(&anew), "{query} after {what:?}");
        same_but_rows_read(&answer, &anew, &format!("after {what:?}"));
        went_on.extend(goes_on(&answer).then_some(place));
    }
    went_on
}

#[test]
fn after_later_rows_all_go_on_and_after_others_none_does() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let engine = begin(root);
    let (none, all): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..HISTORIES.len()).collect());
    let but =
        |places: &[usize]| -> Vec<usize> { all.iter().copied().filter(|place| !places.contains(place)).collect() };
    assert_eq!(ask_all(&engine, &"the first loads"), none);
    let mut minute = 0;
    let mut number = 100_000;
    let mut more = |engine: &Engine| {
        load_table(engine, root, "orders_table", "orders.csv", &later(number..number + 300, minute));
        (number, minute) = (number + 300, minute + 15);
    };
    more(&engine);
    // In a build that is optimised, so few rows are read sooner than a file.
    if !cfg!(debug_assertions) {
        return;
    }
    assert_eq!(ask_all(&engine, &"later rows"), all);
    more(&engine);
    // It is another day, too.
    assert_eq!(ask_all_on(&engine, 11, &"later rows again"), all);
    // Whoever is new has an attribute that nobody had, and has joined at last.
    load_table(&engine, root, "customers_table", "customers.csv", "customer,region\nc5000,centre\n");
    load_table(&engine, root, "signups_table", "signups.csv", &signups(5_000..5_001, 12));
    more(&engine);
    assert_eq!(ask_all(&engine, &"somebody new"), all);
    // While a late row waits in the journal, everything is computed anew; what is in a segment is gone on from.
    load_table(&engine, root, "orders_table", "orders.csv", &orders(50_000..50_001, false));
    assert_eq!(ask_all(&engine, &"a late row"), none);
    let compact = || Store::open_writer(&root.join(".kepi/store"), "test").unwrap().compact().unwrap();
    compact();
    assert_eq!(ask_all(&engine, &"compaction"), none);
    more(&engine);
    assert_eq!(ask_all(&engine, &"later rows after compaction"), all);
    load_table(&engine, root, "orders_table", "orders.csv", &orders(700..701, true));
    assert_eq!(ask_all(&engine, &"a changed row"), none);
    compact();
    assert_eq!(ask_all(&engine, &"compaction after a changed row"), none);
    more(&engine);
    assert_eq!(ask_all(&engine, &"later rows after a changed one"), all);
    // Those that look at the regions of rows are computed anew, the others go on; so do sums by customer.
    load_table(&engine, root, "customers_table", "customers.csv", &regions(3..4, 1));
    more(&engine);
    assert_eq!(ask_all(&engine, &"another region"), but(&[0, 11, 15, 21, 26, 34, 38, 42]));
    load_table(&engine, root, "signups_table", "signups.csv", &signups(850..851, 1));
    more(&engine);
    assert_eq!(ask_all(&engine, &"a late signup"), but(&[7, 11, 12, 19, 21, 23, 28, 36, 37, 44]));
    load_table(&engine, root, "merges_table", "merges.csv", "old,new\nc11,c12\n");
    more(&engine);
    assert_eq!(ask_all(&engine, &"a merge"), none);
    compact();
    ask_all(&engine, &"compaction after a merge");
    more(&engine);
    assert_eq!(ask_all(&engine, &"later rows after a merge"), all);
    engine.store_unload(engine.store_loads().unwrap()[3].load).unwrap();
    more(&engine);
    assert_eq!(ask_all(&engine, &"a load taken out"), none);
    engine.store_erase(&[("customer".to_string(), "c7".to_string())]).unwrap();
    more(&engine);
    assert_eq!(ask_all(&engine, &"somebody erased"), none);
    more(&engine);
    assert_eq!(ask_all(&engine, &"later rows after somebody was erased"), all);
    // Another condition is another question.
    write_model(root, 6_000);
    let engine = Engine::open(root).unwrap();
    more(&engine);
    assert_eq!(ask_all(&engine, &"another definition"), but(&[8, 9, 14, 22, 30, 36, 38, 39, 40, 41, 42, 44]));
}

/// What happens to a project between two questions.
#[derive(Clone, Debug)]
enum Change {
    /// So many rows behind all others.
    Later(u32),
    /// A row that may be late, known or changed.
    Row(u32, bool),
    /// Many of them.
    Rows(u32, u32),
    Signups(u32, u32),
    Regions(u32, u32),
    Merge(u32, u32),
    Erase(u32),
    Unload(u32),
    Compact,
    Definition(u32),
    Now(u32),
    Reopen,
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (1_u32..1_500).prop_map(Change::Later),
        1 => (0_u32..50_000, any::<bool>()).prop_map(|(number, changed)| Change::Row(number, changed)),
        1 => (100_u32..5_000, 0_u32..50_000).prop_map(|(rows, from)| Change::Rows(rows, from)),
        2 => (0_u32..1_200, 1_u32..13).prop_map(|(customer, month)| Change::Signups(customer, month)),
        1 => (600_u32..1_200, 0_u32..4).prop_map(|(from, shift)| Change::Regions(from, shift)),
        1 => (0_u32..400, 400_u32..900).prop_map(|(one, other)| Change::Merge(one, other)),
        1 => (0_u32..900).prop_map(Change::Erase),
        1 => (0_u32..12).prop_map(Change::Unload),
        1 => Just(Change::Compact),
        1 => (0_u32..9_000).prop_map(Change::Definition),
        2 => (1_u32..28).prop_map(Change::Now),
        1 => Just(Change::Reopen),
    ]
}

#[test]
fn whatever_goes_on_gives_what_is_computed_anew() {
    let cases = std::env::var("KEPI_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2_u32);
    let seed = std::env::var("KEPI_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(2_u8);
    let mut runner = TestRunner::new_with_rng(
        Config { cases, max_shrink_iters: 20, failure_persistence: None, ..Config::default() },
        TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]),
    );
    let (went_on, anew) = (Cell::new(0), Cell::new(0));
    let result = runner.run(&proptest::collection::vec(changes(), 8), |changes| {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let mut engine = begin(root);
        ask_all(&engine, &"the first loads");
        let (mut number, mut minute, mut day) = (100_000, 0, 10);
        // Something goes on whatever comes behind it.
        for change in [Change::Later(200)].iter().chain(&changes) {
            match *change {
                Change::Later(rows) => {
                    load_table(&engine, root, "orders_table", "orders.csv", &later(number..number + rows, minute));
                    (number, minute) = (number + rows, minute + rows / 20);
                }
                Change::Row(number, changed) => {
                    load_table(&engine, root, "orders_table", "orders.csv", &orders(number..number + 1, changed));
                }
                Change::Rows(rows, from) => {
                    load_table(&engine, root, "orders_table", "orders.csv", &orders(from..from + rows, true));
                }
                Change::Signups(customer, month) => {
                    let text = signups(customer..customer + 3, month);
                    load_table(&engine, root, "signups_table", "signups.csv", &text);
                }
                Change::Regions(from, shift) => {
                    load_table(&engine, root, "customers_table", "customers.csv", &regions(from..from + 9, shift));
                }
                Change::Merge(one, other) => {
                    let text = format!("old,new\nc{one},c{other}\n");
                    load_table(&engine, root, "merges_table", "merges.csv", &text);
                }
                // It may be nobody, or nothing that can be taken out: then nothing happens.
                Change::Erase(customer) => {
                    let _ = engine.store_erase(&[("customer".to_string(), format!("c{customer}"))]);
                }
                Change::Unload(which) => {
                    let loads = engine.store_loads().unwrap();
                    let _ = engine.store_unload(loads[which as usize % loads.len()].load);
                }
                Change::Compact => Store::open_writer(&root.join(".kepi/store"), "test").unwrap().compact().unwrap(),
                Change::Definition(cents) => {
                    write_model(root, cents);
                    engine = Engine::open(root).unwrap();
                }
                Change::Now(other) => day = other,
                Change::Reopen => engine = Engine::open(root).unwrap(),
            }
            let some = ask_all_on(&engine, day, change).len();
            went_on.set(went_on.get() + some);
            anew.set(anew.get() + HISTORIES.len() - some);
        }
        Ok(())
    });
    assert!(result.is_ok(), "{result:?}");
    assert!(anew.get() > 0);
    // In a build that is optimised, so few rows are read sooner than a file.
    assert!(went_on.get() > 0 || !cfg!(debug_assertions), "nothing went on from a moment");
}
