//! Random data and random queries: the engine must say what the oracle says; and laws that hold for any answer.
//!
//! `KEPI_CASES=n` runs n data sets (each with several queries), `KEPI_SEED=n` others than the usual ones. The same
//! numbers give the same cases. A failing case is printed as a Markdown case for `suite/`.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may stop, and says why it skips.

use kepi_tests::case::GivenTable;
use kepi_tests::given;
use kepi_tests::oracle::{Number, Oracle, Value};
use kepi_tests::project::{self, Project};
use kepi_tests::shown::{Shown, ShownTable, align};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::cell::Cell;

const NOW: &str = "2025-07-15T12:00";
const QUERIES_PER_DATA_SET: usize = 6;

const MODEL: &str = r#"
calendar fiscal = year starts "april", week starts "monday"
entity customer key id { region: text }
entity campaign key id { kind: text }
event orders of customer, campaign at ordered { amount: money(EUR)  items: number  product: text  gift: bool }
event leads of customer, campaign at created { score: number  source: text }
event spend of campaign at booked { amount: money(EUR) }
event new_customers = first(orders) per customer
event first_gifts = first(orders where gift) per customer
event repeats = orders where count(orders) > 1
event large = orders where amount >= 20 EUR
event second_large = large where count(large) = 2
measure revenue = orders.amount
segment first_year of orders = age(new_customers) < 1 year
segment loyal of customer = count(orders) >= 2
dimension size of customer = case when sum(orders.amount) >= 50 EUR then "big" when count(orders) > 0 then "small" else "none"
dimension basket of orders = case when items is missing then "unknown" when items > 2 then "many" else "few"
metric aov : money = ratio(sum(revenue), count(orders))
metric cac : money = ratio(sum(spend.amount), count(new_customers))
metric good : percent = share(leads where score >= 8)
function pct(a, b) = ratio(a - b, a) otherwise 0
"#;

const ZONES: [&str; 3] = ["UTC", "Europe/Amsterdam", "America/New_York"];

/// Local times around leap days, ends of periods and changes of clocks, few enough to collide.
const TIMES: [&str; 22] = [
    "2024-02-28",
    "2024-02-29",
    "2024-02-29T12:00",
    "2024-03-30T23:30",
    "2024-03-31T03:30",
    "2024-06-30T23:59:59",
    "2024-10-27",
    "2024-12-29T23:00",
    "2024-12-30",
    "2024-12-31T23:59:59",
    "2025-01-01",
    "2025-01-31",
    "2025-02-27T12:00",
    "2025-02-28",
    "2025-02-28T12:00",
    "2025-03-01",
    "2025-03-31",
    "2025-05-05T08:15",
    "2025-06-15T09:00",
    "2025-06-30T23:59",
    "2025-07-01",
    "2025-07-14T20:00",
];

/// A data set: zone, whether rows have ids, the rows as cells.
#[derive(Clone, Debug)]
struct Data {
    zone: &'static str,
    with_ids: bool,
    orders: Vec<Vec<&'static str>>,
    leads: Vec<Vec<&'static str>>,
    spend: Vec<Vec<&'static str>>,
    customers: Vec<&'static str>,
}

fn data() -> impl Strategy<Value = Data> {
    let time = || select(&TIMES[..]);
    let customer = || select(&["ada", "bob", "cyd", "dan", "-"][..]);
    let campaign = || select(&["a", "b", "-"][..]);
    let amount = || select(&["10", "20.5", "33.33", "0.01", "-7.25", "100", "-"][..]);
    let items = select(&["1", "2", "3", "0", "-"][..]);
    let product = select(&["pen", "ink", "nib", "-"][..]);
    let gift = select(&["yes", "no", "-"][..]);
    let score = select(&["10", "8", "3", "0", "-"][..]);
    let source = select(&["web", "mail", "-"][..]);
    let order = (time(), customer(), campaign(), amount(), items, product, gift)
        .prop_map(|(a, b, c, d, e, f, g)| vec![a, b, c, d, e, f, g]);
    let lead = (time(), customer(), campaign(), score, source).prop_map(|(a, b, c, d, e)| vec![a, b, c, d, e]);
    let spent = (time(), campaign(), amount()).prop_map(|(a, b, c)| vec![a, b, c]);
    let customers = vec(select(&["EU", "US", "-"][..]), 0..4);
    (select(&ZONES[..]), any::<bool>(), vec(order, 0..22), vec(lead, 0..12), vec(spent, 0..6), customers).prop_map(
        |(zone, with_ids, orders, leads, spend, customers)| Data { zone, with_ids, orders, leads, spend, customers },
    )
}

impl Data {
    fn model(&self) -> String {
        format!("set timezone = \"{}\"\n{}", self.zone, MODEL.trim_start())
    }

    fn tables(&self) -> Vec<GivenTable> {
        let table = |name: &str, columns: &str, rows: &[Vec<&str>]| {
            let mut table = GivenTable {
                name: name.to_string(),
                columns: columns.split(' ').map(str::to_string).collect(),
                rows: rows.iter().map(|row| row.iter().map(|cell| (*cell).to_string()).collect()).collect(),
            };
            if self.with_ids {
                table.columns.insert(0, "id".to_string());
                // Distinct, in no order, and of one to three digits.
                table.rows.iter_mut().enumerate().for_each(|(n, row)| row.insert(0, (n * 37 % 113).to_string()));
            }
            table
        };
        let people = ["ada", "bob", "cyd"].iter().zip(&self.customers);
        let entities = |name: &str, columns: &str, rows: Vec<Vec<String>>| GivenTable {
            name: name.to_string(),
            columns: columns.split(' ').map(str::to_string).collect(),
            rows,
        };
        vec![
            table("orders", "ordered customer campaign amount items product gift", &self.orders),
            table("leads", "created customer campaign score source", &self.leads),
            table("spend", "booked campaign amount", &self.spend),
            entities("customer", "id region", people.map(|(id, r)| vec![(*id).into(), (*r).into()]).collect()),
            entities("campaign", "id kind", vec![vec!["a".into(), "mail".into()]]),
        ]
    }
}

/// What a query asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    Orders,
    Leads,
    Spend,
    Customer,
}

/// Conditions on a row (or an entity) of a kind.
fn conditions(about: About) -> Vec<&'static str> {
    match about {
        About::Orders => vec![
            "amount > 15 EUR",
            "amount <= 20.5 EUR",
            "items >= 2",
            "items != 1",
            "product = \"pen\"",
            "product in [\"pen\", \"ink\"]",
            "product not in [\"pen\"]",
            "product matches \"n\"",
            "gift",
            "not gift",
            "items is missing",
            "region = \"EU\"",
            "region is known",
            "campaign.kind = \"mail\"",
            "count(orders) = 1",
            "count(orders where gift) >= 1",
            "count(orders over last 90 days) >= 2",
            "sum(orders.amount) > 40 EUR",
            "amount > avg(orders.amount)",
            "amount = max(orders.amount)",
            "product = first(orders.product)",
            "count(leads) >= 1",
            "last(leads.score) >= 8",
            "first(leads.at) is missing",
            "ordered - first(leads.at) > 30 days",
            "age(new_customers) < 2 months",
            "age(new_customers) >= 1 year",
            "age(new_customers, month) <= 3",
            "first_year",
            "count(repeats) >= 2",
            "count(repeats where items > 1) = 1",
            "unique(orders.product) >= 2",
            "share(orders where gift) > 30%",
            "basket = \"few\"",
            "weekday(ordered) >= 5",
            "month_of_year(ordered) in [2, 3]",
            "ordered < 2025-01-01",
            "(items otherwise 2) > 1",
        ],
        About::Leads => vec![
            "score >= 8",
            "score < 8",
            "source = \"web\"",
            "source is missing",
            "region = \"EU\"",
            "count(leads) > 1",
            "count(orders) = 0",
            "sum(orders.amount) > 20 EUR",
            "score = max(leads.score)",
            "age(new_customers) < 6 months",
            "last(orders.product) = \"pen\"",
            "count(large) >= 1",
            "campaign.kind is missing",
        ],
        About::Spend => {
            vec!["amount > 15 EUR", "campaign.kind = \"mail\"", "campaign.kind is missing", "booked < 2025-01-01"]
        }
        About::Customer => vec![
            "count(orders) >= 2",
            "count(orders) = 0",
            "region = \"EU\"",
            "region is missing",
            "sum(orders.amount over last 60 days) > 10 EUR",
            "count(orders over period) >= 1",
            "last(leads.score) >= 8",
            "loyal",
            "size = \"big\"",
            "age(new_customers) >= 1 year",
            "first(orders.at) >= 2025-01-01",
            "count(first_gifts) = 1",
            "median(orders.items) > 1",
        ],
    }
}

fn condition(about: About) -> BoxedStrategy<String> {
    let atom = || select(conditions(about)).prop_map(str::to_string);
    prop_oneof![
        4 => atom(),
        1 => atom().prop_map(|c| format!("not ({c})")),
        1 => (atom(), atom()).prop_map(|(a, b)| format!("{a} and {b}")),
        1 => (atom(), atom()).prop_map(|(a, b)| format!("({a}) or not ({b})")),
    ]
    .boxed()
}

/// A value to show, without an alias.
fn shown(about: About) -> BoxedStrategy<String> {
    let with = |templates: &'static [&'static str], events: &'static [&'static str]| {
        (select(templates), select(events), condition(about), any::<bool>())
            .prop_map(|(template, event, condition, filtered)| {
                let condition =
                    if filtered || template.contains("share") { format!(" where {condition}") } else { String::new() };
                template.replace("E", event).replace("?", &condition)
            })
            .boxed()
    };
    match about {
        About::Orders => {
            let simple = with(
                &[
                    "count(E?)",
                    "sum(E.amount?)",
                    "avg(E.amount?)",
                    "min(E.items?)",
                    "max(E.amount?)",
                    "median(E.amount?)",
                    "percentile(E.items?, 90)",
                    "unique(E.customer?)",
                    "unique(E.product?)",
                    "first(E.amount?)",
                    "last(E.items?)",
                    "share(E?)",
                    "stddev(E.items?)",
                    "sum(E.amount?) otherwise 1",
                ][..13],
                &["orders", "new_customers", "repeats", "large", "second_large", "first_gifts"],
            );
            let fixed = select(vec![
                "aov",
                "sum(revenue where first_year)",
                "ratio(sum(revenue where first_year), count(new_customers))",
                "pct(sum(orders.amount), sum(large.amount))",
                "count(repeats) - count(new_customers)",
                "avg(orders.at - first(leads.at))",
                "ratio(count(repeats), count(orders))",
                "sum(orders.amount * 2 + 1 EUR)",
                "sum(case when orders.gift then orders.amount else 0 EUR)",
                "avg(orders.items) otherwise 0",
                "count(first(orders where items > 1) per customer)",
                "max(orders.at)",
            ]);
            prop_oneof![3 => simple, 1 => fixed.prop_map(str::to_string)].boxed()
        }
        About::Leads => with(
            &["count(E?)", "avg(E.score?)", "share(E?)", "unique(E.customer?)", "min(E.score?)", "sum(E.score?)"],
            &["leads"],
        ),
        About::Spend => with(&["sum(E.amount?)", "count(E?)", "max(E.amount?)"], &["spend"]),
        About::Customer => with(&["count(E?)", "share(E?)"], &["customer"]),
    }
}

/// Labels that every one of these has.
fn labels(about: &[About]) -> Vec<&'static str> {
    let of = |about: About| match about {
        About::Orders => vec![
            "region",
            "customer",
            "campaign.kind",
            "cohort(new_customers, month) as cohort",
            "age(new_customers, quarter) as age",
            "product",
            "gift",
            "basket",
            "month(ordered) as month_of",
            "customer.region as where_from",
        ],
        About::Leads => {
            vec!["region", "customer", "campaign.kind", "cohort(new_customers, month) as cohort", "source"]
        }
        About::Spend => vec!["campaign.kind", "campaign"],
        // `loyal` and `size` are for entities only: of an event without its customer the engine says what they are of
        // a customer without orders, the oracle that they are missing.
        About::Customer => vec!["region", "customer", "size", "loyal", "cohort(new_customers, month) as cohort"],
    };
    let mut common = of(about[0]);
    common.retain(|label| about.iter().all(|about| of(*about).contains(label)));
    common
}

fn query() -> impl Strategy<Value = String> {
    let about = select(vec![
        vec![About::Orders],
        vec![About::Leads],
        vec![About::Customer],
        vec![About::Orders, About::Leads],
        vec![About::Orders, About::Spend],
        vec![About::Customer, About::Orders],
        vec![About::Orders, About::Orders],
    ]);
    about.prop_flat_map(|about| {
        let values: Vec<BoxedStrategy<String>> = about.iter().map(|about| shown(*about)).collect();
        let label = labels(&about);
        let by = if label.is_empty() {
            Just(vec![]).boxed()
        } else {
            proptest::sample::subsequence(label.clone(), 0..=label.len().min(2)).boxed()
        };
        let one = about.iter().all(|a| *a == about[0]);
        let filter = if one { condition(about[0]).prop_map(Some).boxed() } else { Just(None).boxed() };
        let event = match about[0] {
            About::Orders => "orders",
            About::Leads => "leads",
            About::Spend => "spend",
            About::Customer => "customer",
        };
        let period = prop_oneof![
            3 => Just(("", 0)),
            4 => select(vec!["month", "quarter", "year", "fiscal.quarter", "week"]).prop_map(|g| (g, 1)),
            1 => select(vec!["day"]).prop_map(|g| (g, 2)),
        ];
        // Entities that have always been there give no first row, so their queries have a window.
        let free = about.iter().all(|about| *about != About::Customer);
        let rest = (any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>());
        (values, by, filter, period, rest).prop_map(move |(values, by, filter, (grain, kind), rest)| {
            let (window, versus, filtered, tail, fill) = rest;
            let pick = |list: &[&'static str], byte: u8| list[usize::from(byte) % list.len()];
            let mut text = format!(
                "show {}",
                values.iter().enumerate().map(|(n, v)| format!("{v} as v{n}")).collect::<Vec<_>>().join(", ")
            );
            if !by.is_empty() {
                text.push_str(&format!(" by {}", by.join(", ")));
            }
            if kind > 0 {
                text.push_str(&format!(" per {grain}"));
            }
            if filtered % 3 == 0
                && let Some(filter) = filter
            {
                text.push_str(&format!(" where {filter}"));
            }
            let short = ["during 2025-03", "last 10 days", "since 2025-02-25 until 2025-03-03", "during 2024-W09"];
            let long = [
                "during 2025",
                "last 3 months",
                "last 5 months to date",
                "this year to date",
                "this year",
                "during 2025-Q1",
                "since 2025-01-15",
                "since 2024-02-29 until 2025-03-01T12:00",
                "during fiscal.2026",
                "last 400 days",
                "until 2025-03-01",
                "",
            ];
            let closed = &long[..10];
            let chosen = match kind {
                2 => pick(&short, window),
                _ if !free => pick(closed, window),
                _ => pick(&long, window),
            };
            text.push_str(&format!(" {chosen}"));
            // Entities in a window that goes on beyond now are compared as they are at the whole period's end by the
            // engine, at the end of the same elapsed part by the oracle.
            let ahead = ["during 2025", "during fiscal.2026", "this year"].contains(&chosen) && !free;
            let open = chosen.is_empty() || chosen.starts_with("until") || ahead;
            if versus % 3 == 0 && !open {
                text += match (grain, versus % 4) {
                    ("month" | "", 0) => " vs previous month",
                    (_, 1) => " vs previous",
                    _ => " vs previous year",
                };
            }
            match tail % 8 {
                0 => text.push_str(&format!(" having count({event}) >= 2")),
                1 => text += " order by v0 desc",
                2 => text += " order by v0 limit 3",
                _ => {}
            }
            if fill % 6 == 0 && kind > 0 && !versus.is_multiple_of(3) {
                let filled = pick(&[" fill 0", " fill missing", " fill previous"], fill / 6);
                // A time takes no number.
                text += if text.contains(".at)") && filled == " fill 0" { " fill missing" } else { filled };
            }
            text
        })
    })
}

fn runner() -> TestRunner {
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let cases = u32::try_from(number("KEPI_CASES", 30)).unwrap();
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("KEPI_SEED", 1).to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 120, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

fn ask(oracle: &Oracle, query: &str) -> Result<ShownTable, String> {
    let (parsed, problems) = kepi_syntax::parse_query(query);
    match (parsed, problems.is_empty()) {
        (Some(parsed), true) => Ok(ShownTable::of(&oracle.answer(&parsed)?, oracle.calendar())),
        _ => Err(format!("{query}: {problems:?}")),
    }
}

fn oracle_of(data: &Data) -> (Oracle, i64) {
    let empty = given::oracle(&data.model(), &[], 0).unwrap();
    let Value::Time(now) = empty.calendar().literal(NOW).unwrap() else { panic!("{NOW} is no time") };
    (given::oracle(&data.model(), &data.tables(), now).unwrap(), now)
}

/// The case as it would stand in `suite/`.
fn markdown(data: &Data, query: &str, answer: &ShownTable, oracle: &Oracle) -> String {
    let mut text = format!("## found by chance\n```kepi\n{}```\n", data.model());
    for table in data.tables().iter().filter(|table| !table.rows.is_empty()) {
        let kind = if table.name == "customer" || table.name == "campaign" { "entities" } else { "events" };
        let mut lines = vec![table.columns.clone()];
        lines.extend(table.rows.clone());
        text.push_str(&format!("```{kind} {}\n{}```\n", table.name, align(&lines)));
    }
    text.push_str(&format!(
        "```query now {NOW}\n{query}\n```\n```result\n{}```\n",
        answer.write(&[], oracle.calendar())
    ));
    text
}

#[test]
fn engine_and_oracle_agree() {
    if !project::is_there() {
        eprintln!("the engine does not load files yet: only the oracle answers the random queries");
    }
    let (asked, refused) = (Cell::new(0), Cell::new(0));
    let outcome = runner().run(&(data(), vec(query(), QUERIES_PER_DATA_SET)), |(data, queries)| {
        let (oracle, now) = oracle_of(&data);
        let files = given::files(&oracle, &data.tables());
        let project = match project::is_there() {
            true => Some(Project::new(&data.model(), &files).map_err(TestCaseError::fail)?),
            false => None,
        };
        for query in &queries {
            let expected = ask(&oracle, query).map_err(|e| TestCaseError::fail(format!("oracle, {query}: {e}")))?;
            let Some(project) = &project else { continue };
            asked.set(asked.get() + 1);
            let found = match project.answer(query, now, oracle.calendar()) {
                Err(problem) if problem.contains("not there yet") => {
                    refused.set(refused.get() + 1);
                    continue;
                }
                found => found.map_err(|e| {
                    TestCaseError::fail(format!("engine: {e}\n{}", markdown(&data, query, &expected, &oracle)))
                })?,
            };
            if let Some(difference) = expected.difference(&found, oracle.calendar()) {
                let case = markdown(&data, query, &expected, &oracle);
                let engine = found.write(&[], oracle.calendar());
                return Err(TestCaseError::fail(format!(
                    "oracle and engine: {difference}\n{case}the engine:\n{engine}"
                )));
            }
        }
        Ok(())
    });
    if let Err(problem) = outcome {
        panic!("{problem}");
    }
    // What is refused in words is no wrong answer, but a test that compares nothing would be none.
    assert!(refused.get() * 10 <= asked.get(), "{} of {} queries were refused", refused.get(), asked.get());
}

/// Asks the engine where it is there, else the oracle.
fn answer(data: &Data, query: &str) -> Result<ShownTable, TestCaseError> {
    let (oracle, now) = oracle_of(data);
    let answer = match project::is_there() {
        true => Project::new(&data.model(), &given::files(&oracle, &data.tables()))
            .and_then(|project| project.answer(query, now, oracle.calendar())),
        false => ask(&oracle, query),
    };
    answer.map_err(|problem| TestCaseError::fail(format!("{query}: {problem}")))
}

fn number(shown: &Shown) -> Number {
    match shown {
        Shown::Number(number) => *number,
        other => panic!("{other:?} is no number"),
    }
}

#[test]
fn a_condition_and_its_complement_split_the_set() {
    let laws = (data(), condition(About::Orders));
    let outcome = runner().run(&laws, |(data, c)| {
        let query = format!(
            "show count(orders where {c}), count(orders where not ({c})), count(orders), \
             sum(orders.amount where {c}), sum(orders.amount where not ({c})), sum(orders.amount)"
        );
        let table = answer(&data, &query)?;
        let row: Vec<Number> = table.rows[0].iter().map(number).collect();
        prop_assert!(row[0].plus(row[1]).is_close_to(row[2]), "{query}: {row:?}");
        prop_assert!(row[3].plus(row[4]).is_close_to(row[5]), "{query}: {row:?}");
        Ok(())
    });
    outcome.unwrap_or_else(|problem| panic!("{problem}"));
}

#[test]
fn labels_sum_to_the_total() {
    let laws = (data(), select(labels(&[About::Orders])), condition(About::Orders));
    let outcome = runner().run(&laws, |(data, label, c)| {
        let values = format!("show count(orders where {c}), sum(orders.amount where {c})");
        let all = answer(&data, &values)?;
        let split = answer(&data, &format!("{values} by {label}"))?;
        for value in 0..2 {
            let parts = split.rows.iter().map(|row| number(&row[split.labels + value]));
            let total = parts.fold(Number::ZERO, Number::plus);
            prop_assert!(total.is_close_to(number(&all.rows[0][value])), "{values} by {label}");
        }
        Ok(())
    });
    outcome.unwrap_or_else(|problem| panic!("{problem}"));
}

#[test]
fn the_order_of_rows_with_ids_changes_nothing() {
    let laws = (data(), query(), any::<u64>());
    let outcome = runner().run(&laws, |(data, query, turn)| {
        let data = Data { with_ids: true, ..data };
        let (oracle, now) = oracle_of(&data);
        let mut tables = data.tables();
        for table in &mut tables {
            let count = table.rows.len().max(1) as u64;
            table.rows.rotate_left((turn % count) as usize);
            table.rows.reverse();
        }
        let shuffled = given::oracle(&data.model(), &tables, now).unwrap();
        let straight = ask(&oracle, &query).map_err(TestCaseError::fail)?;
        let turned = ask(&shuffled, &query).map_err(TestCaseError::fail)?;
        let difference = straight.difference(&turned, oracle.calendar());
        prop_assert!(difference.is_none(), "the oracle: {query}: {difference:?}");
        if project::is_there() {
            let files = given::files(&shuffled, &tables);
            let project = Project::new(&data.model(), &files).map_err(TestCaseError::fail)?;
            match project.answer(&query, now, oracle.calendar()) {
                Err(problem) if problem.contains("not there yet") => {}
                found => {
                    let found = found.map_err(TestCaseError::fail)?;
                    let difference = straight.difference(&found, oracle.calendar());
                    prop_assert!(difference.is_none(), "the engine: {query}: {difference:?}");
                }
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|problem| panic!("{problem}"));
}
