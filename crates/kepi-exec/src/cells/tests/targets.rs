//! `vs target`, by hand.

use super::testing::*;
use kepi_model::calendar::{Grain, TimeUnit};
use kepi_model::core::*;
use kepi_model::value::{Kind, Value};

fn orders() -> Vec<Event> {
    vec![
        event("orders", "2025-01-10", &[("amount", "100"), ("region", "north")]),
        event("orders", "2025-02-20", &[("amount", "30"), ("region", "south")]),
        event("orders", "2025-03-05", &[("amount", "10"), ("region", "north")]),
    ]
}

fn whole(number: i128) -> Value {
    Value::Decimal { digits: number, scale: 0 }
}

fn vs(asked: Ask, line: TargetLine) -> Ask {
    asked.vs("target", CompareWith::Target(vec![Some(line)]))
}

fn year(reach: i128) -> TargetLine {
    TargetLine::Total {
        from: at("UTC", "2025-01-01"),
        until: at("UTC", "2026-01-01"),
        reach: whole(reach),
        adds_up: true,
    }
}

#[test]
fn a_total_is_asked_for_by_elapsed_time() {
    // 3650 in a year of 365 days are 10 a day; March has 4 days and a half so far.
    let asked = ask("UTC", "2025-03-05T12:00").during("2024-12-01", "2025-05-01", "").per(TimeUnit::Month);
    let asked = vs(asked.show_sum("orders", "amount"), year(3650));
    assert_eq!(
        asked.rows(&orders()),
        [
            "2024-12-01 0 - - -",
            "2025-01-01 100 310 -210 -0.6774193548387096",
            "2025-02-01 30 280 -250 -0.8928571428571429",
            "2025-03-01 10 45 -35 -0.7777777777777778",
            // Of what lies ahead nothing is asked for yet.
            "2025-04-01 0 - - -"
        ]
    );
    let frame = asked.frame(&orders()).unwrap();
    let names: Vec<&str> = frame.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        names,
        ["month", "orders amount", "orders amount target", "orders amount change", "orders amount change %"]
    );
    // Without periods, and as a total: all that has passed of the window and of the target.
    let mut asked = ask("UTC", "2025-03-05T12:00").during("2024-12-01", "2025-05-01", "");
    asked = vs(asked.show_sum("orders", "amount"), year(3650));
    assert_eq!(asked.rows(&orders()), ["140 635 -495 -0.7795275590551181"]);
    asked.query.per = Some(Grain::ordinary(TimeUnit::Month));
    asked.totals = true;
    let totals = asked.frame(&orders()).unwrap().totals.unwrap();
    assert_eq!(lines(&totals, "UTC"), ["- 140 635 -495 -0.7795275590551181"]);
}

#[test]
fn a_target_for_each_month_adds_up_and_is_cut_by_time() {
    let each = || TargetLine::Each {
        from: at("UTC", "2025-01-01"),
        until: at("UTC", "2025-04-01"),
        grain: Grain::ordinary(TimeUnit::Month),
        reach: whole(62),
        adds_up: true,
    };
    let quarters = ask("UTC", "2026-01-01").during("2025-01-16", "2025-07-01", "").per(TimeUnit::Quarter);
    let quarters = vs(quarters.show_count("orders"), each());
    // From 16 January on it is 32 of 62, then February and March whole.
    let expected = ["2025-01-01 2 156 -154 -0.9871794871794872", "2025-04-01 0 - - -"];
    assert_eq!(quarters.rows(&orders()), expected);
    let weeks = ask("UTC", "2026-01-01").during("2025-01-27", "2025-02-10", "").per(TimeUnit::Week);
    let weeks = vs(weeks.show_count("orders"), each());
    // Five days of January at 2 a day, two of February at 62 / 28; then seven of those.
    let targets: Vec<String> =
        weeks.rows(&orders()).iter().map(|l| l.split(' ').nth(2).unwrap_or_default().to_string()).collect();
    assert_eq!(targets, ["14.428571428571429", "15.5"]);
}

#[test]
fn a_level_is_read_at_the_end_of_the_cell() {
    let level = |baseline| TargetLine::Level { by: at("UTC", "2025-03-31"), reach: whole(20), baseline };
    let asked = || ask("UTC", "2026-01-01").during("2024-12-01", "2025-05-01", "").per(TimeUnit::Month);
    let flat = vs(asked().show_count("orders"), level(None));
    assert_eq!(
        flat.rows(&orders()),
        [
            "2024-12-01 0 20 -20 -1",
            "2025-01-01 1 20 -19 -0.95",
            "2025-02-01 1 20 -19 -0.95",
            "2025-03-01 1 20 -19 -0.95",
            "2025-04-01 0 - - -"
        ]
    );
    // From 110 on 31 December down to 20 on 31 March: one a day.
    let line = vs(asked().show_count("orders"), level(Some((at("UTC", "2024-12-31"), whole(110)))));
    let targets: Vec<String> =
        line.rows(&orders()).iter().map(|l| l.split(' ').nth(2).unwrap_or_default().to_string()).collect();
    assert_eq!(targets, ["109", "78", "50", "20", "-"]);
}

#[test]
fn targets_stand_beside_other_comparisons_in_the_order_written() {
    let mut asked = ask("UTC", "2026-01-01").during("2025-01-01", "2025-04-01", "").by("region");
    let sum = asked.sum("orders", "amount");
    let count = asked.count("orders");
    asked.show("sum", sum.clone());
    asked.show("count", count);
    let asked = asked.vs("previous", CompareWith::WindowBefore);
    let mut asked = asked.vs("target", CompareWith::Target(vec![None, Some(year(365))]));
    asked = asked.vs("previous year", CompareWith::Previous(Grain::ordinary(TimeUnit::Year)));
    asked.query.order = vec![OrderKey { by: OrderBy::Formula(sum), descending: true }];
    let counts = "0 2 - 90 -88 -0.9777777777777777 0 2 -";
    assert_eq!(
        asked.rows(&orders()),
        [
            format!("north 110 0 110 - - - - 0 110 - 2 {counts}"),
            format!("south 30 0 30 - - - - 0 30 - 1 {}", "0 1 - 90 -89 -0.9888888888888889 0 1 -")
        ]
    );
    let names: Vec<String> = asked.frame(&orders()).unwrap().columns.into_iter().map(|c| c.name).collect();
    assert_eq!(names[5..8], ["sum target", "sum change on target", "sum change % on target"]);
    // The rest is no target's.
    asked.query.limit = Some(Limit { rows: 1, with_other: true });
    assert_eq!(asked.rows(&orders())[1], "other 30 0 30 - - - - 0 30 - 1 0 1 - - - - 0 1 -");
    asked.query.having = Some(call(Kind::Bool, Op::Less, vec![number(1, 0), number(2, 0)]));
    asked.query.fill = Some(Fill::Missing);
    // What is filled is what rows stand behind; a target needs none.
    assert_eq!(asked.rows(&orders())[0], "north 110 - - - - - - - - - 2 - - - 90 -88 -0.9777777777777777 - - -");
}

#[test]
fn what_does_not_add_up_has_the_same_to_reach_in_every_part() {
    let (from, until) = (at("UTC", "2025-01-01"), at("UTC", "2025-04-01"));
    let total = TargetLine::Total { from, until, reach: whole(2), adds_up: false };
    let grain = Grain::ordinary(TimeUnit::Month);
    let each = TargetLine::Each { from, until, grain, reach: whole(2), adds_up: false };
    for line in [total, each] {
        let months = ask("UTC", "2026-01-01").during("2025-03-01", "2025-05-01", "").per(TimeUnit::Month);
        let months = vs(months.show_count("orders"), line.clone());
        let found = months.rows(&orders());
        let wanted: Vec<&str> = found.iter().filter_map(|row| row.split(' ').nth(2)).collect();
        assert_eq!(wanted, ["2", "-"], "{found:?}");
        let quarter = ask("UTC", "2026-01-01").during("2025-01-01", "2025-04-01", "");
        let found = vs(quarter.show_count("orders"), line).rows(&orders());
        assert_eq!(found[0].split(' ').nth(1), Some("2"), "{found:?}");
    }
}
