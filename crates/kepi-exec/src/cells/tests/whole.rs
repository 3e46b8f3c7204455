//! Whole queries on the leaves that read a store, here one in memory.

use super::testing::{Ask, ask, call as formula, lines, number};
use crate::pass::testing::{
    DAY, Memory, Order, aggregate, call, customer, events, field, history, moment, region, shop,
};
use crate::{Explanation, Frame, RunOptions, explain, run};
use kepi_extension::Functions;
use kepi_model::calendar::{Grain, TimeUnit};
use kepi_model::core::*;
use kepi_model::value::{CalendarSpan, Kind, Unit};
use proptest::prelude::*;
use std::sync::Arc;

fn frame(asked: &Ask, memory: &Memory, threads: usize) -> Frame {
    let options = RunOptions { threads, totals: asked.totals, ..RunOptions::default() };
    run(&asked.query, Arc::new(memory.clone()), &Functions::default(), &options).unwrap()
}

fn rows(asked: &Ask, memory: &Memory) -> Vec<String> {
    lines(&frame(asked, memory, 1).rows, &asked.query.zone)
}

fn explained(asked: &Ask, memory: &Memory) -> Explanation {
    explain(&asked.query, Arc::new(memory.clone()), &Functions::default(), &RunOptions::default()).unwrap()
}

/// Adds an aggregate as the rows half writes it.
fn add(
    asked: &mut Ask,
    text: &str,
    events: Events,
    filter: Option<Row>,
    measure: Measure,
    labels: Vec<Row>,
) -> Formula {
    let mut one = aggregate(events, filter, measure, labels);
    one.text = text.into();
    let unit = one.unit.clone();
    asked.query.aggregates.push(one);
    Formula { unit, node: FormulaNode::Aggregate(asked.query.aggregates.len() - 1) }
}

fn day(date: &str) -> i64 {
    super::testing::at("UTC", date)
}

/// Customer 0 buys in January 2024 (100), March 2024 (20) and February 2025 (7, after a year); customer 1 in February
/// 2025 (50); somebody unknown in February 2025 (1).
fn small() -> Memory {
    let order = |date: &str, who: Option<u32>, cents: i64| -> Order { (day(date), who, 2, Some(cents), None) };
    let orders = [
        order("2024-01-10", Some(0), 10_000),
        order("2024-03-10", Some(0), 2_000),
        order("2025-02-01", Some(0), 700),
        order("2025-02-02", Some(1), 5_000),
        order("2025-02-03", None, 100),
    ];
    shop(3, &orders, &[(day("2025-02-05"), Some(2))])
}

/// The user's own example, `ratio(sum(revenue where first_year), count(new_customers))`.
fn first_year_value(asked: &mut Ask, labels: &[Row]) {
    let first = || events("orders", vec![Stage::First { per: customer() }]);
    let began = history(first(), None, Measure::First(moment()), Reach::AllTime);
    let year = CalendarSpan { months: 12, ..CalendarSpan::default() };
    let first_year = call(Op::Less, &[moment(), call(Op::AddSpan(year), &[began])]);
    let sum = Measure::Sum(field("amount"));
    let orders = events("orders", Vec::new());
    let sum = add(asked, "sum(revenue where first_year)", orders, Some(first_year), sum, labels.to_vec());
    let count = add(asked, "count(new_customers)", first(), None, Measure::Count, labels.to_vec());
    asked.show("revenue", sum.clone());
    asked.show("new", count.clone());
    asked.show("value", formula(Kind::Money(None), Op::Divide, vec![sum, count]));
}

#[test]
fn the_users_example_in_its_event_dated_reading() {
    let mut asked = ask("UTC", "2025-03-01").per(TimeUnit::Quarter);
    first_year_value(&mut asked, &[]);
    let answer = rows(&asked, &small());
    assert_eq!(
        answer,
        ["2024-01-01 120 1 120", "2024-04-01 0 0 -", "2024-07-01 0 0 -", "2024-10-01 0 0 -", "2025-01-01 50 1 50"]
    );
}

#[test]
fn the_users_example_by_cohort() {
    let first = events("orders", vec![Stage::First { per: customer() }]);
    let began = history(first, None, Measure::First(moment()), Reach::AllTime);
    let cohort = call(Op::Truncate(Grain::ordinary(TimeUnit::Month)), &[began]);
    let mut asked = ask("UTC", "2025-03-01");
    let grain = Some(Grain::ordinary(TimeUnit::Month));
    asked.query.by.push(Label { name: "cohort".into(), unit: Unit::of(Kind::Time), grain });
    first_year_value(&mut asked, &[cohort]);
    assert_eq!(rows(&asked, &small()), ["2024-01-01 120 1 120", "2025-02-01 50 1 50"]);
    let words = explained(&asked, &small()).words.join("\n");
    assert!(words.contains("This is the cohort-dated reading"), "{words}");
}

#[test]
fn other_is_computed_over_entities_and_missing_labels() {
    let mut asked = ask("UTC", "2026-01-01");
    asked.query.by.push(Label {
        name: "customer".into(),
        unit: Unit::of(Kind::Entity("customer".into())),
        grain: None,
    });
    let orders = || events("orders", Vec::new());
    let sum = add(&mut asked, "sum", orders(), None, Measure::Sum(field("amount")), vec![customer()]);
    let average = add(&mut asked, "avg", orders(), None, Measure::Avg(field("amount")), vec![customer()]);
    asked.show("sum", sum.clone());
    asked.show("average", average);
    asked.query.order = vec![OrderKey { by: OrderBy::Formula(sum), descending: true }];
    assert_eq!(rows(&asked, &small()), ["c0 127 42.333333333333336", "c1 50 50", "- 1 1"]);
    asked.query.limit = Some(Limit { rows: 1, with_other: true });
    assert_eq!(rows(&asked, &small()), ["c0 127 42.333333333333336", "other 51 25.5"]);
}

#[test]
fn entities_without_events_are_counted_too() {
    let mut asked = ask("UTC", "2025-03-01");
    asked.query.by.push(Label { name: "region".into(), unit: Unit::of(Kind::Text), grain: None });
    let everyone = Events { base: Base::Entity("customer".into()), stages: Vec::new() };
    let count = add(&mut asked, "count(customer)", everyone, None, Measure::Count, vec![region(false)]);
    asked.show("customers", count);
    assert_eq!(rows(&asked, &small()), ["north 1", "south 1", "- 1"]);
}

#[test]
fn an_answer_without_a_window_asks_the_data_where_to_begin() {
    let mut asked = ask("UTC", "2025-03-01").per(TimeUnit::Month);
    let visits = events("visits", Vec::new());
    let count = add(&mut asked, "count(visits)", visits, None, Measure::Count, Vec::new());
    asked.show("visits", count);
    let asked = asked.vs("previous", CompareWith::WindowBefore);
    assert_eq!(rows(&asked, &small()), ["2025-02-01 1 0 1 -"]);
}

#[test]
fn rows_without_the_entity_are_noted() {
    let mut asked = ask("UTC", "2025-03-01").during("2025-01-01", "2025-03-01", "2025 so far");
    let unique = Measure::Unique(customer());
    let unique = add(&mut asked, "unique(orders.customer)", events("orders", Vec::new()), None, unique, Vec::new());
    asked.show("buyers", unique);
    let frame = frame(&asked, &small(), 1);
    assert_eq!(lines(&frame.rows, "UTC"), ["2"]);
    let notes: Vec<&str> = frame.notes.iter().map(|n| n.text.as_str()).collect();
    assert_eq!(notes, ["1 row of orders lacks the entity of `unique(orders.customer)` and takes no part in it"]);
    assert!(frame.rows_scanned >= 3);
    assert!(frame.steps.iter().any(|s| s.text.starts_with("orders: rows in the order of time")));
}

#[test]
fn explain_tells_words_steps_and_plan() {
    let mut asked = ask("UTC", "2025-03-01").during("2024-01-01", "2025-03-01", "14 months").per(TimeUnit::Month);
    first_year_value(&mut asked, &[]);
    let visits = add(&mut asked, "count(visits)", events("visits", vec![]), None, Measure::Count, Vec::new());
    asked.query.having = Some(formula(Kind::Bool, Op::GreaterEqual, vec![visits, number(0, 0)]));
    let told = explained(&asked, &small());
    assert!(told.words.iter().any(|w| w.starts_with("This is the event-dated reading")), "{:?}", told.words);
    assert!(told.words.iter().any(|w| w.starts_with("For orders")), "{:?}", told.words);
    assert!(told.plan.contains("HashJoinExec"), "{}", told.plan);
    assert!(told.plan.contains("LeafExec"), "{}", told.plan);
    let steps: Vec<&str> = told.steps.iter().map(|s| s.text.as_str()).collect();
    assert_eq!(
        steps,
        [
            "orders: rows in the order of time, sum(revenue where first_year), count(new_customers) per month",
            "visits: rows in the order of time, count(visits) per month",
            "results matched on period and labels, none lost",
            "a row for each month",
            "rows kept for which `having` holds",
            "rows put in order"
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// One thread or several, the same digits; and a label splits the sum.
    #[test]
    fn threads_change_nothing_and_labels_split_the_sum(
        orders in prop::collection::vec((0_i64..700, prop::option::of(0_u32..9), -900_i64..900, 0.0_f64..1.0), 0..80)
    ) {
        let mut orders: Vec<Order> = orders
            .into_iter()
            .map(|(day, who, cents, weight)| (19_700 * DAY + day * DAY / 3, who, 2, Some(cents), Some(weight)))
            .collect();
        orders.sort_by_key(|o| o.0);
        let memory = shop(9, &orders, &[]);
        let query = |labels: Vec<Row>| {
            let mut asked = ask("Europe/Amsterdam", "2026-01-01").per(TimeUnit::Week);
            if !labels.is_empty() {
                asked.query.by.push(Label { name: "region".into(), unit: Unit::of(Kind::Text), grain: None });
            }
            for (name, of) in [("amount", "amount"), ("weight", "weight")] {
                let sum = Measure::Sum(field(of));
                let sum = add(&mut asked, name, events("orders", Vec::new()), None, sum, labels.clone());
                asked.show(name, sum);
            }
            asked.totals = true;
            asked
        };
        let whole = query(Vec::new());
        let (one, several) = (frame(&whole, &memory, 1), frame(&whole, &memory, 4));
        prop_assert_eq!(&one.rows, &several.rows);
        prop_assert_eq!(&one.totals, &several.totals);
        let split = query(vec![region(false)]);
        let (one_split, several_split) = (frame(&split, &memory, 1), frame(&split, &memory, 4));
        prop_assert_eq!(&one_split.rows, &several_split.rows);
        let cents = |frame: &Frame, column: usize| {
            let cells = lines(&frame.rows, "UTC");
            let cents = |l: &String| (l.split(' ').nth_back(column).unwrap().parse::<f64>().unwrap() * 100.0).round() as i64;
            cells.iter().map(cents).sum::<i64>()
        };
        prop_assert_eq!(cents(&one, 1), cents(&one_split, 1));
    }
}
