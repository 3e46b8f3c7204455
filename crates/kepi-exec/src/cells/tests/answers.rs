//! Answers that can be checked by hand, rule by rule.

use super::testing::*;
use crate::{ExecError, FrameColumnKind};
use kepi_model::calendar::{Grain, TimeUnit};
use kepi_model::core::*;
use kepi_model::value::{Kind, Unit, Value};
use proptest::prelude::*;

fn shop() -> Vec<Event> {
    vec![
        event("orders", "2025-01-10", &[("amount", "100"), ("region", "north"), ("kind", "new")]),
        event("orders", "2025-01-20", &[("amount", "50.5"), ("region", "south"), ("kind", "old")]),
        event("orders", "2025-03-05", &[("amount", "10"), ("region", "north"), ("kind", "old")]),
        event("orders", "2025-03-06", &[("amount", "5"), ("region", ""), ("kind", "new")]),
        event("spend", "2025-02-03", &[("amount", "30"), ("region", "north")]),
        event("spend", "2025-03-03", &[("amount", "20"), ("region", "west")]),
    ]
}

fn first_quarter() -> Ask {
    ask("UTC", "2026-01-01").during("2025-01-01", "2025-04-01", "2025-Q1")
}

#[test]
fn every_period_of_the_window_has_a_row_and_sums_of_nothing_are_0() {
    let mut asked = first_quarter().per(TimeUnit::Month).show_sum("orders", "amount").show_count("orders");
    let average = asked.aggregate("orders", Measure::Avg(field("amount")), None);
    asked.show("average", average);
    assert_eq!(asked.rows(&shop()), ["2025-01-01 150.5 2 75.25", "2025-02-01 0 0 -", "2025-03-01 15 2 7.5"]);
}

#[test]
fn results_of_different_streams_meet_and_none_is_lost() {
    let asked = first_quarter().by("region").show_sum("orders", "amount").show_sum("spend", "amount");
    assert_eq!(asked.rows(&shop()), ["north 110 30", "south 50.5 0", "west 0 20", "- 5 0"]);
    let mut with_months = first_quarter().per(TimeUnit::Month).by("region");
    with_months = with_months.show_sum("orders", "amount").show_sum("spend", "amount");
    assert_eq!(
        with_months.rows(&shop()),
        [
            "2025-01-01 north 100 0",
            "2025-01-01 south 50.5 0",
            "2025-02-01 north 0 30",
            "2025-03-01 north 10 0",
            "2025-03-01 west 0 20",
            "2025-03-01 - 5 0"
        ]
    );
}

#[test]
fn without_labels_and_periods_there_is_exactly_one_row() {
    let mut asked = first_quarter().show_sum("orders", "amount");
    let largest = asked.aggregate("refunds", Measure::Max(field("amount")), None);
    asked.show("largest refund", largest);
    assert_eq!(asked.rows(&shop()), ["165.5 -"]);
    assert_eq!(asked.rows(&[]), ["0 -"]);
    let mut constant = first_quarter();
    constant.show("one", number(1, 0));
    assert_eq!(constant.rows(&[]), ["1"]);
}

#[test]
fn a_ratio_by_zero_is_missing_and_otherwise_replaces_it() {
    let mut asked = first_quarter().per(TimeUnit::Month);
    let (sum, count) = (asked.sum("orders", "amount"), asked.count("orders"));
    let ratio = call(Kind::Money(None), Op::Divide, vec![sum, count]);
    asked.show("ratio", ratio.clone());
    asked.show("or 0", call(Kind::Money(None), Op::Otherwise, vec![ratio, number(0, 0)]));
    assert_eq!(asked.rows(&shop()), ["2025-01-01 75.25 75.25", "2025-02-01 - 0", "2025-03-01 7.5 7.5"]);
}

#[test]
fn an_answer_without_a_window_begins_with_the_first_row_that_is_shown() {
    let mut asked = ask("UTC", "2025-04-10").per(TimeUnit::Month).show_sum("spend", "amount");
    assert_eq!(asked.rows(&shop()), ["2025-02-01 30", "2025-03-01 20", "2025-04-01 0"]);
    let frame = asked.frame(&shop()).unwrap();
    assert_eq!(frame.partial.len(), 1);
    assert_eq!(frame.partial[0].reason, "still running");
    // An aggregate that only `having` uses begins nothing.
    let orders = asked.count("orders");
    asked.query.having = Some(call(Kind::Bool, Op::GreaterEqual, vec![orders, number(0, 0)]));
    assert_eq!(asked.rows(&shop()).len(), 3);
    assert!(asked.rows(&[]).is_empty());
}

#[test]
fn having_judges_rows_after_dense_ones_are_made() {
    let mut asked = first_quarter().per(TimeUnit::Month).show_sum("orders", "amount");
    let count = asked.count("orders");
    asked.query.having = Some(call(Kind::Bool, Op::Less, vec![count, number(1, 0)]));
    assert_eq!(asked.rows(&shop()), ["2025-02-01 0"]);
}

#[test]
fn rows_come_as_ordered_and_missing_comes_last_either_way() {
    let mut asked = first_quarter().by("region");
    let largest = asked.aggregate("orders", Measure::Max(field("amount")), None);
    let spend = asked.sum("spend", "amount");
    asked.show("largest", largest.clone());
    asked.show("spend", spend);
    let by = |descending| vec![OrderKey { by: OrderBy::Formula(largest.clone()), descending }];
    asked.query.order = by(false);
    assert_eq!(asked.rows(&shop()), ["- 5 0", "south 50.5 0", "north 100 30", "west - 20"]);
    asked.query.order = by(true);
    assert_eq!(asked.rows(&shop()), ["north 100 30", "south 50.5 0", "- 5 0", "west - 20"]);
    asked.query.order = vec![OrderKey { by: OrderBy::Label(0), descending: true }];
    assert_eq!(asked.rows(&shop()), ["west - 20", "south 50.5 0", "north 100 30", "- 5 0"]);
    // By what no column shows.
    let hidden = asked.count("orders");
    asked.query.order = vec![OrderKey { by: OrderBy::Formula(hidden), descending: true }];
    assert_eq!(asked.rows(&shop()), ["north 100 30", "south 50.5 0", "- 5 0", "west - 20"]);
}

#[test]
fn limit_keeps_the_first_rows_and_other_is_computed_not_summed() {
    let mut asked = first_quarter().by("region");
    let sum = asked.sum("orders", "amount");
    asked.show("sum", sum.clone());
    let average = asked.aggregate("orders", Measure::Avg(field("amount")), None);
    asked.show("average", average);
    asked.query.order = vec![OrderKey { by: OrderBy::Formula(sum), descending: true }];
    asked.query.limit = Some(Limit { rows: 1, with_other: false });
    assert_eq!(asked.rows(&shop()), ["north 110 55"]);
    asked.query.limit = Some(Limit { rows: 1, with_other: true });
    // South 50.5 and the missing region 5: the average of both rows, not of both averages.
    assert_eq!(asked.rows(&shop()), ["north 110 55", "other 55.5 27.75"]);
    asked.query.limit = Some(Limit { rows: 3, with_other: true });
    assert_eq!(asked.rows(&shop()).len(), 3);
    asked.query.per = Some(Grain::ordinary(TimeUnit::Month));
    asked.query.limit = Some(Limit { rows: 1, with_other: true });
    // Beside periods the label that is first over all of them is kept: North has 110 in all.
    let rows = asked.rows(&shop());
    assert_eq!(
        rows,
        ["2025-01-01 north 100 100", "2025-03-01 north 10 10", "2025-01-01 other 50.5 50.5", "2025-03-01 other 5 5"]
    );
    asked.query.order = Vec::new();
    asked.query.limit = Some(Limit { rows: 2, with_other: true });
    let rows = asked.rows(&shop());
    assert_eq!(
        rows,
        ["2025-01-01 north 100 100", "2025-01-01 south 50.5 50.5", "2025-03-01 north 10 10", "2025-03-01 other 5 5"]
    );
    asked.query.having = Some(call(Kind::Bool, Op::Less, vec![number(1, 0), number(2, 0)]));
    // What leaves all rows changes nothing.
    assert_eq!(asked.rows(&shop()), rows);
}

#[test]
fn fill_gives_every_label_every_period() {
    let mut asked = first_quarter().per(TimeUnit::Month).by("region").show_sum("orders", "amount");
    asked.query.fill = Some(Fill::Value(Value::Decimal { digits: -15, scale: 1 }));
    assert_eq!(
        asked.rows(&shop()),
        [
            "2025-01-01 north 100",
            "2025-01-01 south 50.5",
            "2025-01-01 - -1.5",
            "2025-02-01 north -1.5",
            "2025-02-01 south -1.5",
            "2025-02-01 - -1.5",
            "2025-03-01 north 10",
            "2025-03-01 south -1.5",
            "2025-03-01 - 5"
        ]
    );
    asked.query.fill = Some(Fill::Previous);
    let rows = asked.rows(&shop());
    assert_eq!(rows[2..5], ["2025-01-01 - -", "2025-02-01 north 100", "2025-02-01 south 50.5"]);
    asked.query.fill = Some(Fill::Missing);
    assert_eq!(asked.rows(&shop())[3], "2025-02-01 north -");
}

#[test]
fn fill_stands_only_in_rows_where_nothing_shown_happened() {
    let mut asked = first_quarter().per(TimeUnit::Month).show_sum("orders", "amount").show_sum("spend", "amount");
    asked.query.fill = Some(Fill::Missing);
    assert_eq!(asked.rows(&shop()[..3]), ["2025-01-01 150.5 0", "2025-02-01 - -", "2025-03-01 10 0"]);
}

#[test]
fn a_comparison_adds_previous_change_and_growth() {
    let mut events = shop();
    events.push(event("orders", "2024-01-15", &[("amount", "50"), ("region", "east")]));
    events.push(event("orders", "2024-03-31T23:59", &[("amount", "-5"), ("region", "north")]));
    let asked = first_quarter().per(TimeUnit::Month).show_sum("orders", "amount");
    let asked = asked.vs("previous year", CompareWith::Previous(Grain::ordinary(TimeUnit::Year)));
    // Growth from zero and from a negative base is missing.
    assert_eq!(asked.rows(&events), ["2025-01-01 150.5 50 100.5 2.01", "2025-02-01 0 0 0 -", "2025-03-01 15 -5 20 -"]);
    let frame = asked.frame(&events).unwrap();
    let names: Vec<&str> = frame.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        names,
        ["month", "orders amount", "orders amount previous", "orders amount change", "orders amount change %"]
    );
    assert_eq!(frame.columns[4].kind, FrameColumnKind::ChangePercent(1));
    // A label of last year alone has a row too.
    let by = first_quarter().by("region").show_sum("orders", "amount");
    let by = by.vs("previous year", CompareWith::Previous(Grain::ordinary(TimeUnit::Year)));
    assert_eq!(by.rows(&events), ["east 0 50 -50 -1", "north 110 -5 115 -", "south 50.5 0 50.5 -", "- 5 0 5 -"]);
}

#[test]
fn several_comparisons_are_told_apart_by_name() {
    let asked = first_quarter().show_count("orders");
    let asked = asked.vs("previous", CompareWith::WindowBefore);
    let asked = asked.vs("previous year", CompareWith::Previous(Grain::ordinary(TimeUnit::Year)));
    let frame = asked.frame(&shop()).unwrap();
    let names: Vec<&str> = frame.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "orders",
            "orders previous",
            "orders change on previous",
            "orders change % on previous",
            "orders previous year",
            "orders change on previous year",
            "orders change % on previous year"
        ]
    );
}

#[test]
fn the_change_of_a_percent_is_in_points() {
    let mut asked = first_quarter();
    let (new, all) = (asked.aggregate("orders", Measure::Count, Some(equals("kind", "new"))), asked.count("orders"));
    asked.show("share", call(Kind::Percent, Op::Divide, vec![new, all]));
    let mut events = shop();
    events.push(event("orders", "2024-12-15", &[("amount", "1"), ("kind", "old")]));
    let asked = asked.vs("previous", CompareWith::WindowBefore);
    assert_eq!(asked.rows(&events), ["0.5 0 0.5 -"]);
    let frame = asked.frame(&events).unwrap();
    assert_eq!(frame.columns[2].unit, Unit::of(Kind::Points));
}

#[test]
fn the_leap_day_and_week_53_stand_against_missing() {
    let events = vec![
        event("orders", "2024-02-29T10:00", &[("amount", "7")]),
        event("orders", "2023-02-28", &[("amount", "3")]),
    ];
    let previous = || CompareWith::Previous(Grain::ordinary(TimeUnit::Year));
    let days = ask("UTC", "2025-01-01").during("2024-02-28", "2024-03-02", "").per(TimeUnit::Day);
    let days = days.show_sum("orders", "amount").vs("previous year", previous());
    assert_eq!(days.rows(&events), ["2024-02-28 0 3 -3 -1", "2024-02-29 7 - - -", "2024-03-01 0 0 0 -"]);
    let weeks = ask("UTC", "2022-01-01").during("2020-12-21", "2021-01-11", "").per(TimeUnit::Week);
    let weeks = weeks.show_count("orders").vs("previous year", previous());
    let events = vec![event("orders", "2020-12-30", &[]), event("orders", "2019-12-31", &[])];
    // Week 53 of 2020 has no counterpart; week 1 of 2021 meets week 1 of 2020, which began on 2019-12-30.
    assert_eq!(weeks.rows(&events), ["2020-12-21 0 0 0 -", "2020-12-28 1 - - -", "2021-01-04 0 1 -1 -1"]);
}

#[test]
fn the_running_month_is_compared_with_the_same_elapsed_part() {
    let events = vec![
        event("orders", "2025-03-05", &[("amount", "10")]),
        event("orders", "2025-03-25", &[("amount", "1000")]),
        event("orders", "2025-04-25", &[("amount", "7")]),
        event("orders", "2024-03-10T11:59", &[("amount", "4")]),
        event("orders", "2024-03-10T12:00", &[("amount", "500")]),
        event("orders", "2024-04-02", &[("amount", "9")]),
    ];
    let asked = ask("UTC", "2025-03-10T12:00").during("2025-02-01", "2025-05-01", "").per(TimeUnit::Month);
    let asked = asked.show_sum("orders", "amount");
    let asked = asked.vs("previous year", CompareWith::Previous(Grain::ordinary(TimeUnit::Year)));
    // The running month is up to now on both sides, what lies ahead is due, and compared with nothing.
    assert_eq!(asked.rows(&events), ["2025-02-01 0 0 0 -", "2025-03-01 10 4 6 1.5", "2025-04-01 7 - - -"]);
    let frame = asked.frame(&events).unwrap();
    let reasons: Vec<&str> = frame.partial.iter().map(|p| p.reason.as_str()).collect();
    assert_eq!(reasons, ["still running", "not begun"]);
    assert_eq!(frame.notes.len(), 1);
    assert_eq!(frame.notes[0].code, "after_now");
    assert_eq!(
        frame.notes[0].text,
        "orders has rows later than now (2025-03-10 12:00:00), up to 2025-04-25; what still runs is compared up to now, \
         without them; those in periods that have not begun count"
    );
}

#[test]
fn days_are_those_of_the_zone_also_when_clocks_change() {
    // 2025-03-30 has 23 hours in Amsterdam; 22:30 UTC of the 29th is 23:30 there, of the 30th is already the 31st.
    let events = vec![
        event("orders", "2025-03-29T22:30", &[]),
        event("orders", "2025-03-29T23:00", &[]),
        event("orders", "2025-03-30T21:59", &[]),
        event("orders", "2025-03-30T22:00", &[]),
    ];
    let asked = ask("Europe/Amsterdam", "2026-01-01").during("2025-03-29", "2025-04-01", "").per(TimeUnit::Day);
    assert_eq!(asked.show_count("orders").rows(&events), ["2025-03-29 1", "2025-03-30 2", "2025-03-31 1"]);
}

#[test]
fn a_window_without_data_says_where_the_data_end() {
    let asked =
        ask("UTC", "2026-07-10").during("2026-06-01", "2026-07-01", "the last complete month").show_count("orders");
    let frame = asked.frame(&shop()).unwrap();
    assert_eq!(frame.notes[0].code, "no_data");
    assert_eq!(
        frame.notes[0].text,
        "there are no data in the last complete month: they end on 2025-03-06; `--now 2025-03-07` would show them"
    );
    let early = ask("UTC", "2026-07-10").during("2020-01-01", "2021-01-01", "during 2020").show_count("orders");
    assert_eq!(early.frame(&shop()).unwrap().notes[0].text, "there are no data during 2020: they begin on 2025-01-10");
}

#[test]
fn totals_are_computed_over_all_rows() {
    let mut asked = first_quarter().per(TimeUnit::Month).by("region");
    let average = asked.aggregate("orders", Measure::Avg(field("amount")), None);
    asked.show("average", average);
    asked.totals = true;
    let asked = asked.vs("previous", CompareWith::WindowBefore);
    let totals = asked.frame(&shop()).unwrap().totals.unwrap();
    assert_eq!(lines(&totals, "UTC"), ["- - 41.375 - - -"]);
}

#[test]
fn a_deep_formula_is_refused_before_anything_runs() {
    let mut asked = first_quarter();
    let mut deep = asked.count("orders");
    for _ in 0..300 {
        deep = call(Kind::Count, Op::Negate, vec![deep]);
    }
    asked.show("deep", deep);
    let error = asked.frame(&shop()).unwrap_err();
    assert!(matches!(error, ExecError::TooLarge { .. }));
    assert_eq!(error.to_string(), "the query has 201 nested expressions; the most is 200");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What a label splits sums to the whole, in every period.
    #[test]
    fn splitting_by_a_label_sums_to_the_total(
        rows in prop::collection::vec((0_u32..400, -500_i32..500, 0_usize..4), 0..60)
    ) {
        let regions = ["north", "south", "west", ""];
        let events: Vec<Event> = rows
            .iter()
            .map(|(day, amount, region)| {
                let date = jiff::civil::date(2025, 1, 1).saturating_add(jiff::Span::new().days(i64::from(*day)));
                event("orders", &date.to_string(), &[("amount", &amount.to_string()), ("region", regions[*region])])
            })
            .collect();
        let base = || ask("UTC", "2027-01-01").during("2025-01-01", "2026-01-01", "2025").per(TimeUnit::Month);
        let whole = base().show_sum("orders", "amount").rows(&events);
        let mut sums = [0_i64; 12];
        for line in base().by("region").show_sum("orders", "amount").rows(&events) {
            let parts: Vec<&str> = line.split(' ').collect();
            let month: usize = parts[0][5..7].parse().unwrap();
            sums[month - 1] += parts[2].parse::<i64>().unwrap();
        }
        let expected: Vec<String> = sums.iter().enumerate().map(|(i, s)| format!("2025-{:02}-01 {s}", i + 1)).collect();
        prop_assert_eq!(whole, expected);
    }
}
