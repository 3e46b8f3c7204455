//! Moved windows in whole queries, by hand.

use super::testing::{Ask, ask, at, call as formula, lines};
use crate::pass::testing::{Memory, Order, aggregate, customer, events, field, region, shop};
use crate::{RunOptions, explain, run};
use kepi_extension::Functions;
use kepi_model::calendar::{Grain, TimeUnit};
use kepi_model::core::*;
use kepi_model::value::{CalendarSpan, Kind, Unit};
use std::sync::Arc;

fn rows(asked: &Ask, memory: &Memory) -> Vec<String> {
    let of = |threads| {
        let options = RunOptions { threads, ..RunOptions::default() };
        run(&asked.query, Arc::new(memory.clone()), &Functions::default(), &options).unwrap().rows
    };
    assert_eq!(of(1), of(3));
    lines(&of(1), &asked.query.zone)
}

/// Shows an aggregate over orders on moved windows.
fn show(asked: &mut Ask, name: &str, measure: Measure, moved: Vec<Move>) -> Formula {
    let labels = asked.query.by.iter().map(|_| region(false)).collect();
    let mut made = aggregate(events("orders", Vec::new()), None, measure, labels);
    (made.text, made.moved) = (name.into(), moved);
    let unit = made.unit.clone();
    asked.query.aggregates.push(made);
    let formula = Formula { unit, node: FormulaNode::Aggregate(asked.query.aggregates.len() - 1) };
    asked.show(name, formula.clone());
    formula
}

fn sum() -> Measure {
    Measure::Sum(field("amount"))
}

fn span(number: i64, unit: TimeUnit) -> CalendarSpan {
    kepi_model::calendar::span_of(number, unit).unwrap()
}

fn trailing(number: i64, unit: TimeUnit) -> Vec<Move> {
    vec![Move::Trailing(span(number, unit))]
}

fn prior(number: i64, unit: TimeUnit) -> Vec<Move> {
    vec![Move::Prior(span(number, unit))]
}

fn to_date(unit: TimeUnit) -> Vec<Move> {
    vec![Move::ToDate(Grain::ordinary(unit))]
}

/// Orders of customers 0 (north) and 1 (south): a date, who, an amount.
fn orders(of: &[(&str, u32, i64)]) -> Memory {
    let order = |&(date, who, amount): &(&str, u32, i64)| -> Order {
        (at("UTC", date), Some(who), 2 + who, Some(amount * 100), None)
    };
    shop(2, &of.iter().map(order).collect::<Vec<_>>(), &[])
}

fn year() -> Memory {
    orders(&[
        ("2024-11-30", 0, 1000),
        ("2024-12-31T23:00", 0, 100),
        ("2025-01-01", 1, 10),
        ("2025-01-31", 0, 1),
        ("2025-03-15", 0, 20),
        ("2025-04-10", 1, 300),
    ])
}

#[test]
fn each_move_looks_where_it_says() {
    let mut asked = ask("UTC", "2026-01-01").during("2025-01-01", "2025-05-01", "").per(TimeUnit::Month);
    show(&mut asked, "own", sum(), vec![]);
    show(&mut asked, "to date", sum(), to_date(TimeUnit::Year));
    show(&mut asked, "three months", sum(), trailing(3, TimeUnit::Month));
    show(&mut asked, "running", sum(), vec![Move::Running]);
    show(&mut asked, "all", sum(), vec![Move::AllTime]);
    show(&mut asked, "before", sum(), vec![Move::Start]);
    show(&mut asked, "last year", sum(), prior(1, TimeUnit::Year));
    show(&mut asked, "month before", sum(), prior(1, TimeUnit::Month));
    assert_eq!(
        rows(&asked, &year()),
        [
            "2025-01-01 11 11 1111 11 1111 1100 0 100",
            "2025-02-01 0 11 111 11 1111 1111 0 11",
            "2025-03-01 20 31 31 31 1131 1111 0 0",
            "2025-04-01 300 331 320 331 1431 1131 0 20"
        ]
    );
}

#[test]
fn moves_inside_moves_start_from_the_outer_window() {
    let mut asked = ask("UTC", "2026-01-01").during("2025-03-01", "2025-05-01", "").per(TimeUnit::Month);
    // The three months up to the end of the month before; the month before that of which all is taken.
    let both = [prior(1, TimeUnit::Month), trailing(3, TimeUnit::Month)].concat();
    show(&mut asked, "earlier", sum(), both);
    let start = [prior(2, TimeUnit::Month), vec![Move::Start]].concat();
    show(&mut asked, "before", sum(), start);
    assert_eq!(rows(&asked, &year()), ["2025-03-01 111 1100", "2025-04-01 31 1111"]);
}

#[test]
fn growth_is_a_formula_over_the_prior_window() {
    let mut asked = ask("UTC", "2026-01-01").during("2025-01-01", "2025-05-01", "").per(TimeUnit::Month);
    let now = show(&mut asked, "now", sum(), vec![]);
    let before = show(&mut asked, "before", sum(), prior(1, TimeUnit::Month));
    let growth = formula(
        Kind::Percent,
        Op::Divide,
        vec![formula(Kind::Number, Op::Subtract, vec![now, before.clone()]), before],
    );
    asked.show("growth", growth);
    assert_eq!(
        rows(&asked, &year()),
        ["2025-01-01 11 100 -0.89", "2025-02-01 0 11 -1", "2025-03-01 20 0 -", "2025-04-01 300 20 14"]
    );
}

#[test]
fn distinct_customers_count_once_in_every_window_that_sees_them() {
    let memory = orders(&[
        ("2025-01-01", 0, 1),
        ("2025-01-03", 0, 1),
        ("2025-01-03", 1, 1),
        ("2025-01-04", 0, 1),
        ("2025-01-09", 1, 1),
    ]);
    let mut asked = ask("UTC", "2026-01-01").during("2025-01-01", "2025-01-10", "").per(TimeUnit::Day);
    show(&mut asked, "3 days", Measure::Unique(customer()), trailing(3, TimeUnit::Day));
    show(&mut asked, "products", Measure::Unique(field("product")), trailing(3, TimeUnit::Day));
    show(&mut asked, "running", Measure::Unique(customer()), vec![Move::Running]);
    show(
        &mut asked,
        "median",
        Measure::Percentile { of: field("amount"), percent: 50.0, observed: false },
        trailing(3, TimeUnit::Day),
    );
    let found = rows(&asked, &memory);
    let three = ["1", "1", "2", "2", "2", "1", "0", "0", "1"];
    let running = ["1", "1", "2", "2", "2", "2", "2", "2", "2"];
    for (day, line) in found.iter().enumerate() {
        let median = if three[day] == "0" { "-" } else { "1" };
        assert_eq!(line, &format!("2025-01-0{} {} {} {} {median}", day + 1, three[day], three[day], running[day]));
    }
}

#[test]
fn a_label_has_a_cell_where_its_moved_window_has_a_row() {
    let mut asked = ask("UTC", "2026-01-01").during("2025-01-01", "2025-05-01", "").per(TimeUnit::Month);
    asked.query.by.push(Label { name: "region".into(), unit: Unit::of(Kind::Text), grain: None });
    show(&mut asked, "two months", sum(), trailing(2, TimeUnit::Month));
    assert_eq!(
        rows(&asked, &year()),
        [
            "2025-01-01 north 101",
            "2025-01-01 south 10",
            "2025-02-01 north 1",
            "2025-02-01 south 10",
            "2025-03-01 north 20",
            "2025-04-01 north 20",
            "2025-04-01 south 300"
        ]
    );
}

#[test]
fn a_window_that_is_cut_moves_as_it_is_cut() {
    let mut asked = ask("UTC", "2025-04-10T12:00").during("2025-01-31", "2025-04-11", "").per(TimeUnit::Month);
    show(&mut asked, "own", sum(), vec![]);
    // From 31 December, 28 days before 28 February and so on; the end is that of the window.
    show(&mut asked, "month before", sum(), prior(1, TimeUnit::Month));
    show(&mut asked, "10 days", sum(), trailing(10, TimeUnit::Day));
    assert_eq!(
        rows(&asked, &year()),
        ["2025-01-01 1 100 1", "2025-02-01 0 11 0", "2025-03-01 20 0 0", "2025-04-01 300 0 300"]
    );
}

#[test]
fn without_periods_there_is_one_window() {
    let mut asked = ask("UTC", "2026-01-01").during("2025-01-01", "2025-05-01", "");
    show(&mut asked, "before", sum(), prior(4, TimeUnit::Month));
    show(&mut asked, "month", sum(), trailing(1, TimeUnit::Month));
    show(&mut asked, "start", Measure::Count, vec![Move::Start]);
    assert_eq!(rows(&asked, &year()), ["1100 300 2"]);
    // At a moment everything before it counts, so nothing comes before that.
    asked.query.window = Window { from: None, until: at("UTC", "2025-02-01"), words: String::new(), moment: true };
    assert_eq!(rows(&asked, &year()), ["0 11 0"]);
    let mut asked = ask("UTC", "2026-01-01");
    asked.query.window = Window { from: None, until: at("UTC", "2025-02-01"), words: String::new(), moment: true };
    show(&mut asked, "running", sum(), vec![Move::Running]);
    show(&mut asked, "a month ago", sum(), prior(1, TimeUnit::Month));
    assert_eq!(rows(&asked, &year()), ["1111 1100"]);
}

#[test]
fn a_window_without_a_beginning_begins_with_the_first_row_shown_unmoved() {
    let mut asked = ask("UTC", "2025-05-01").per(TimeUnit::Month);
    show(&mut asked, "running", sum(), vec![Move::Running]);
    show(&mut asked, "before", sum(), prior(1, TimeUnit::Month));
    let found = rows(&asked, &year());
    assert_eq!(found[..2], ["2024-11-01 1000 0", "2024-12-01 1100 1000"]);
    assert_eq!(found.len(), 6);
    // Of those with a condition the first that fulfils it.
    let south = Row {
        unit: Unit::of(Kind::Bool),
        node: RowNode::Call { op: Op::Equal, args: vec![region(false), crate::pass::testing::text("south")] },
    };
    asked.query.aggregates.iter_mut().for_each(|a| a.filter = Some(south.clone()));
    assert_eq!(rows(&asked, &year()), ["2025-01-01 10 0", "2025-02-01 10 10", "2025-03-01 10 0", "2025-04-01 310 0"]);
    assert!(rows(&asked, &orders(&[])).is_empty());
    // Without periods, too.
    asked.query.per = None;
    assert_eq!(rows(&asked, &year()), ["310 10"]);
}

#[test]
fn both_sides_of_a_comparison_move_on_their_own_time() {
    let memory = orders(&[
        ("2024-01-10", 0, 1),
        ("2024-02-10", 0, 2),
        ("2024-03-09", 0, 4),
        ("2024-03-20", 0, 8),
        ("2025-01-10", 0, 16),
        ("2025-03-01", 0, 32),
    ]);
    let asked = ask("UTC", "2025-03-10").during("2025-01-01", "2025-04-01", "").per(TimeUnit::Month);
    let mut asked = asked.vs("previous year", CompareWith::Previous(Grain::ordinary(TimeUnit::Year)));
    show(&mut asked, "two months", sum(), trailing(2, TimeUnit::Month));
    // The running March ends now on both sides: two months back from the 10th is 10 January.
    assert_eq!(
        rows(&asked, &memory),
        ["2025-01-01 16 1 15 15", "2025-02-01 16 3 13 4.333333333333333", "2025-03-01 48 7 41 5.857142857142857"]
    );
    let mut running = ask("UTC", "2025-03-10").during("2025-01-01", "2025-04-01", "").per(TimeUnit::Month);
    running = running.vs("previous year", CompareWith::Previous(Grain::ordinary(TimeUnit::Year)));
    show(&mut running, "running", sum(), vec![Move::Running]);
    assert_eq!(
        rows(&running, &memory),
        ["2025-01-01 16 1 15 15", "2025-02-01 16 3 13 4.333333333333333", "2025-03-01 48 7 41 5.857142857142857"]
    );
}

#[test]
fn months_meet_as_long_a_time_on_the_same_weekdays() {
    // 364 days before 1 January 2025 is 3 January 2024, before 1 March 2 March.
    let memory = orders(&[
        ("2024-01-02", 0, 1),
        ("2024-01-03", 0, 2),
        ("2024-02-02", 0, 4),
        ("2024-02-03", 0, 8),
        ("2024-03-01", 0, 16),
        ("2024-03-02", 0, 32),
        ("2024-03-10", 0, 64),
        ("2024-03-11", 0, 128),
        ("2025-02-10", 0, 5),
    ]);
    let asked = |until: &str| {
        let asked = ask("UTC", "2025-03-10").during("2025-01-01", until, "").per(TimeUnit::Month);
        let mut asked = asked.vs("previous year", CompareWith::Days(364));
        show(&mut asked, "sum", sum(), vec![]);
        show(&mut asked, "running", sum(), vec![Move::Running]);
        asked
    };
    // Of the running March the same part: up to 11 March 2024.
    let expected = [
        "2025-01-01 0 6 -6 -1 0 6 -6 -1",
        "2025-02-01 5 24 -19 -0.7916666666666666 5 30 -25 -0.8333333333333334",
        "2025-03-01 0 96 -96 -1 5 126 -121 -0.9603174603174603",
    ];
    assert_eq!(rows(&asked("2025-03-10"), &memory), expected);
    assert_eq!(rows(&asked("2025-04-01"), &memory), expected);
    let ahead = [&expected[..], &["2025-04-01 0 - - - 5 - - -"]].concat();
    assert_eq!(rows(&asked("2025-05-01"), &memory), ahead);
    let told =
        explain(&asked("2025-04-01").query, Arc::new(memory.clone()), &Functions::default(), &RunOptions::default());
    let told = told.unwrap().words.join("\n");
    assert!(told.contains("from 2024-01-03 until before 2024-03-11, each month set against as long a time on the same weekdays, 364 days earlier"), "{told}");
    assert!(told.contains("over the time from the window's beginning to the end of each month."), "{told}");
}

#[test]
fn a_days_window_ends_with_the_day_also_when_clocks_change() {
    // 2025-03-30 has 23 hours in Amsterdam: it ends at 22:00 UTC.
    let memory = orders(&[
        ("2025-03-28T22:59", 0, 1),
        ("2025-03-28T23:00", 0, 2),
        ("2025-03-30T21:59", 0, 4),
        ("2025-03-30T22:00", 0, 8),
    ]);
    let asked = ask("Europe/Amsterdam", "2026-01-01").during("2025-03-30", "2025-04-01", "");
    let mut asked = asked.per(TimeUnit::Day);
    show(&mut asked, "two days", sum(), trailing(2, TimeUnit::Day));
    show(&mut asked, "48 hours", sum(), vec![Move::Trailing(span(48, TimeUnit::Hour))]);
    assert_eq!(rows(&asked, &memory), ["2025-03-30 6 7", "2025-03-31 12 12"]);
}

#[test]
fn months_are_clamped() {
    let memory = orders(&[("2025-02-27", 0, 1), ("2025-02-28T12:00", 0, 2), ("2025-03-31", 0, 4)]);
    let mut asked = ask("UTC", "2026-01-01").during("2025-03-27", "2025-04-01", "").per(TimeUnit::Day);
    show(&mut asked, "a month back", sum(), trailing(1, TimeUnit::Month));
    show(&mut asked, "a month before", sum(), prior(1, TimeUnit::Month));
    // The windows end on 28 March … 1 April; a month before the ends of the 28th to the 30th is always 28 February. So of
    // [s − 1 month, e − 1 month) nothing is left for the 28th to the 30th, and the 31st has all of 28 February.
    assert_eq!(
        rows(&asked, &memory),
        ["2025-03-27 2 1", "2025-03-28 2 0", "2025-03-29 2 0", "2025-03-30 2 0", "2025-03-31 4 2"]
    );
}

#[test]
fn explain_and_steps_say_where_windows_are_moved() {
    let mut asked = ask("UTC", "2026-01-01").during("2025-01-01", "2025-05-01", "").per(TimeUnit::Month);
    show(&mut asked, "r3m", sum(), trailing(3, TimeUnit::Month));
    let told = explain(&asked.query, Arc::new(year()), &Functions::default(), &RunOptions::default()).unwrap();
    assert_eq!(told.words[1], "`r3m` reads orders and adds up amount, over the 3 months up to the end of each month.");
    assert_eq!(
        told.steps[0].text,
        "orders: rows in the order of time, r3m over the 3 months up to the end of each month"
    );
}
