//! What plugins' functions make of rows is kept by segment, and their answers as a whole: the same as computed anew, and
//! never what other code made.

use crate::{load_table, order_rows, region_rows, same};
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use kepi_engine::{Answer, Engine, Request};
use kepi_store::Store;
use std::fs;
use std::path::Path;

const MODEL: &str = r#"
use plugin "acme.margins" as margins
use plugin "my.steps" as steps

entity shop key shop { }
entity customer key customer { region: text }
event orders of customer, shop at ordered { product: text  amount: money(EUR)  weight: number }
source orders_table from "orders.csv" {
  orders: at ordered, id order_no, of customer, shop, product, amount, weight
}
source customers_table from "customers.csv" { customer: key customer, region }
"#;

/// A script with two aggregates: one by itself, one that depends on the order of rows.
pub(crate) const MANIFEST: &str = r#"
id = "my.steps"
version = "0.1.0"
api = "0.1"
runtime = "rhai"
provides = ["aggregate"]
file = "steps.rhai"

[[function]]
name = "spread"
kind = "aggregate"
doc = "The largest less the smallest."
params = [{ name = "x", kind = "number" }]
returns = "number"

[[function]]
name = "rise"
kind = "aggregate"
doc = "The last less the first."
params = [{ name = "x", kind = "number" }]
returns = "number"
"#;

pub(crate) const SCRIPT: &str =
    "fn spread(x) { max(x) - min(x) }\nfn rise(x) { x[x.len - 1] - x[0] + 0.0 * sum(cumulated(x)) }\n";

/// Each is made of what a component and a script have saved.
const QUERIES: [&str; 5] = [
    "show margins.gini(orders.amount), sum(orders.amount) per month during 2025",
    "show margins.gini(orders.amount where customer.region = \"north\") by product per quarter during 2025",
    "show steps.spread(orders.weight), steps.rise(orders.weight) by shop during 2025",
    "show trailing(margins.gini(orders.amount), 28 days), trailing(steps.rise(orders.weight), 28 days) per week during 2025",
    "show avg(margins.margin_pct(orders.amount, orders.amount / 3)) by product during 2025",
];

/// Writes the plugin of the project: its script.
pub(crate) fn write_plugin(root: &Path, script: &str) {
    let folder = root.join("plugins/steps");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("kepi-plugin.toml"), MANIFEST).unwrap();
    fs::write(folder.join("steps.rhai"), script).unwrap();
}

/// A project with two large loads that overlap in time.
fn begin(root: &Path) -> Engine {
    fs::create_dir(root.join("model")).unwrap();
    fs::write(root.join("kepi.toml"), "").unwrap();
    fs::write(root.join("model/main.kepi"), MODEL).unwrap();
    write_plugin(root, SCRIPT);
    let engine = Engine::open(root).unwrap();
    load_table(&engine, root, "customers_table", "customers.csv", &region_rows(0, 0));
    load_table(&engine, root, "orders_table", "orders.csv", &order_rows(0..18_000));
    load_table(&engine, root, "orders_table", "orders.csv", &order_rows(18_000..36_000));
    engine
}

fn ask(engine: &Engine, query: &str, no_cache: bool) -> Answer {
    let now = "2026-01-10T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let request = Request { text: query.to_string(), now: Some(now), no_cache, totals: true, ..Request::default() };
    engine.query(request).unwrap().remove(0)
}

/// In a build that is optimised, so few rows are read sooner than a file, and nothing is kept.
const KEEPS: bool = cfg!(debug_assertions);

/// From how many segments something was kept, in all passes of an answer.
fn kept(answer: &Answer) -> u32 {
    let of = |step: &kepi_engine::Step| {
        let words: Vec<&str> = step.text.split(' ').collect();
        let place = words.iter().position(|word| *word == "kept")?;
        words[place - 1].parse::<u32>().ok()
    };
    answer.frame.steps.iter().filter_map(of).sum()
}

/// Asks everything as it comes, again, and anew; gives by query whether the first was made of what was kept.
fn ask_all(engine: &Engine, what: &str) -> Vec<bool> {
    let ask_twice = |query: &str| {
        let (first, again, anew) = (ask(engine, query, false), ask(engine, query, false), ask(engine, query, true));
        assert!(!first.kept && !anew.kept && kept(&anew) == 0, "{query} after {what}");
        // So many rows take long enough that the answer is kept, at least in a build for tests.
        assert!(again.kept || !KEEPS, "{query} after {what}");
        for answer in [&first, &again] {
            assert_eq!(answer.frame.rows, anew.frame.rows, "{query} after {what}");
            assert_eq!(answer.frame.totals, anew.frame.totals, "{query} after {what}");
            assert_eq!(answer.frame.notes, anew.frame.notes, "{query} after {what}");
        }
        kept(&first) > 0
    };
    QUERIES.into_iter().map(ask_twice).collect()
}

#[test]
fn states_of_a_component_and_a_script_are_kept_by_segment() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut engine = begin(root);
    let (none, all) = ([false; 5], [KEEPS; 5]);
    assert_eq!(ask_all(&engine, "the first loads"), none);
    let compact = || Store::open_writer(&root.join(".kepi/store"), "test").unwrap().compact().unwrap();
    // Later and late ones: numbers that are new, over the whole year.
    load_table(&engine, root, "orders_table", "orders.csv", &order_rows(40_000..40_100));
    assert_eq!(ask_all(&engine, "new rows"), all);
    // Those of known numbers take the place of others in both segments.
    load_table(&engine, root, "orders_table", "orders.csv", &order_rows(45_000..45_020));
    load_table(&engine, root, "orders_table", "orders.csv", &order_rows(63_000..63_020));
    assert_eq!(ask_all(&engine, "changed rows"), none);
    load_table(&engine, root, "orders_table", "orders.csv", &order_rows(40_100..40_110));
    assert_eq!(ask_all(&engine, "new rows again"), all);
    // Only those that look at regions are computed anew.
    load_table(&engine, root, "customers_table", "customers.csv", &region_rows(100, 1));
    let asked = ask(&engine, QUERIES[1], false);
    assert_eq!((asked.kept, kept(&asked)), (false, 0));
    same(&asked, &ask(&engine, QUERIES[1], true));
    engine.store_erase(&[("customer".to_string(), "c7".to_string())]).unwrap();
    assert_eq!(ask_all(&engine, "somebody erased"), none);
    compact();
    // It may have nothing to do, since the erasure has written everything anew.
    QUERIES.into_iter().for_each(|query| same(&ask(&engine, query, false), &ask(&engine, query, true)));
    load_table(&engine, root, "orders_table", "orders.csv", &order_rows(40_110..40_120));
    assert_eq!(ask_all(&engine, "new rows after compaction"), all);
    // Another process asks with the same code.
    engine = Engine::open(root).unwrap();
    load_table(&engine, root, "orders_table", "orders.csv", &order_rows(40_120..40_130));
    assert_eq!(ask_all(&engine, "another process"), all);
}

#[test]
fn other_code_never_meets_what_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    begin(root);
    let asked = |query: &str| {
        let engine = Engine::open(root).unwrap();
        let (answer, anew) = (ask(&engine, query, false), ask(&engine, query, true));
        same(&answer, &anew);
        answer
    };
    let value =
        |answer: &Answer, column: usize| answer.frame.rows.column(column).as_primitive::<Float64Type>().value(0);
    let first = asked("show steps.spread(orders.weight) during 2025");
    // Another script of the same name, that takes the same states.
    write_plugin(root, &SCRIPT.replace("max(x) - min(x)", "max(x) - min(x) + 1.0"));
    let second = asked("show steps.spread(orders.weight) during 2025");
    assert!(!second.kept && kept(&second) == 0);
    assert_eq!(value(&second, 0), value(&first, 0) + 1.0);
    // The first one again: its answer is still there, and right.
    write_plugin(root, SCRIPT);
    let third = asked("show steps.spread(orders.weight) during 2025");
    assert_eq!(value(&third, 0), value(&first, 0));
    assert!(third.kept || !KEEPS);
    // What the manifest promises is part of it.
    let promised = MANIFEST.replace("The largest less", "The greatest less");
    fs::write(root.join("plugins/steps/kepi-plugin.toml"), promised).unwrap();
    let fourth = asked("show steps.spread(orders.weight) during 2025");
    assert!(!fourth.kept && kept(&fourth) == 0);
    // A component that was built anew, with the same answers.
    let gini = asked(QUERIES[0]);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/acme-margins");
    let own = root.join("plugins/acme-margins");
    fs::create_dir(&own).unwrap();
    fs::copy(source.join("kepi-plugin.toml"), own.join("kepi-plugin.toml")).unwrap();
    let mut component = fs::read(source.join("acme-margins.wasm")).unwrap();
    fs::write(own.join("acme-margins.wasm"), &component).unwrap();
    let same_code = asked(QUERIES[0]);
    assert!(same_code.kept || !KEEPS);
    // A section of its own, of two bytes: its name "x", and nothing in it.
    component.extend([0, 2, 1, b'x']);
    fs::write(own.join("acme-margins.wasm"), &component).unwrap();
    let built_anew = asked(QUERIES[0]);
    assert!(!built_anew.kept && kept(&built_anew) == 0);
    assert_eq!(built_anew.frame.rows, gini.frame.rows);
}

#[test]
fn scripts_see_rows_in_the_order_of_time_and_agree_with_what_is_built_in() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let engine = begin(root);
    // Rows of one moment have no order of their own: there is one a minute.
    let mut text = String::from("order_no,customer,shop,ordered,product,amount,weight\n");
    let moment =
        |minute: u32| format!("2025-06-{:02}T{:02}:{:02}:00Z", 1 + minute / 1_440, minute / 60 % 24, minute % 60);
    let row = |number: u32, minute: u32| {
        format!("{number},c1,s9,{},z,1.00,{}\n", moment(minute), f64::from(minute * 7_919 % 1_009) / 8.0)
    };
    // The even minutes in one load, the odd ones in another: the two segments lie in the same time.
    (0..18_000).for_each(|i| text.push_str(&row(100_000 + i, 2 * i)));
    load_table(&engine, root, "orders_table", "orders.csv", &text);
    let mut text = String::from("order_no,customer,shop,ordered,product,amount,weight\n");
    (0..18_000).for_each(|i| text.push_str(&row(200_000 + i, 2 * i + 1)));
    load_table(&engine, root, "orders_table", "orders.csv", &text);
    let show = |what: &str| {
        let window = "where product = \"z\" per week since 2025-06-01 until 2025-06-20";
        ask(&engine, &format!("show {what} {window}"), false).frame
    };
    let script = show("steps.spread(orders.weight), steps.rise(orders.weight)");
    let of_segments = |step: &kepi_engine::Step| step.text.contains("from 0 kept segments, ");
    assert!(script.steps.iter().any(of_segments), "{:?}", script.steps);
    // What is built in looks at the rows in one go.
    let built_in = show("max(orders.weight) - min(orders.weight), last(orders.weight) - first(orders.weight)");
    assert!(script.rows.num_rows() >= 3 && !built_in.steps.iter().any(of_segments));
    let floats = |frame: &kepi_engine::Frame, column: usize| -> Vec<f64> {
        frame.rows.column(column).as_primitive::<Float64Type>().values().to_vec()
    };
    for column in 1..3 {
        let (a, b) = (floats(&script, column), floats(&built_in, column));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-9) && a.iter().any(|v| *v != 0.0), "{a:?} {b:?}");
    }
}
