//! Shares of a total and ranks, by hand and against sums over the rows of the answer.

use super::testing::*;
use kepi_model::calendar::{Grain, TimeUnit};
use kepi_model::core::*;
use kepi_model::value::{Kind, Unit, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn shop() -> Vec<Event> {
    let order =
        |time, amount, region, kind| event("orders", time, &[("amount", amount), ("region", region), ("kind", kind)]);
    vec![
        order("2025-01-10", "100", "north", "new"),
        order("2025-01-20", "50", "south", "old"),
        order("2025-01-21", "50", "north", "old"),
        order("2025-03-05", "10", "north", "old"),
        order("2025-03-06", "10", "", "new"),
        order("2025-03-07", "20", "west", "new"),
    ]
}

fn quarter() -> Ask {
    ask("UTC", "2026-01-01").during("2025-01-01", "2025-04-01", "2025-Q1")
}

impl Ask {
    /// A sum taken across labels.
    fn total(&mut self, across: &[usize]) -> Formula {
        let sum = self.sum("orders", "amount");
        if let Some(aggregate) = self.query.aggregates.last_mut() {
            aggregate.across = across.to_vec();
        }
        sum
    }

    /// Shows the sum and its share of the total across labels.
    fn show_share(mut self, across: &[usize]) -> Ask {
        let sum = self.sum("orders", "amount");
        let total = self.total(across);
        self.show("sum", sum.clone());
        self.show("share", call(Kind::Percent, Op::Divide, vec![sum, total]));
        self
    }

    fn show_rank(&mut self, of: &Formula) {
        self.show("rank", rank(of));
    }
}

fn rank(of: &Formula) -> Formula {
    Formula { unit: Unit::of(Kind::Number), node: FormulaNode::Rank { of: Box::new(of.clone()), over: None } }
}

#[test]
fn the_share_of_all() {
    let asked = quarter().by("region").show_share(&[0]);
    let all = 240.0;
    assert_eq!(
        asked.rows(&shop()),
        [
            format!("north 160 {}", 160.0 / all),
            format!("south 50 {}", 50.0 / all),
            format!("west 20 {}", 20.0 / all),
            format!("- 10 {}", 10.0 / all),
        ]
    );
    // A total is all there is of itself.
    let asked = Ask { totals: true, ..asked };
    assert_eq!(lines(&asked.frame(&shop()).unwrap().totals.unwrap(), "UTC"), ["- 240 1"]);
}

#[test]
fn the_share_of_one_of_two_labels() {
    let by_both = || quarter().by("region").by("kind");
    assert_eq!(
        by_both().show_share(&[1]).rows(&shop()),
        ["north new 100 0.625", "north old 60 0.375", "south old 50 1", "west new 20 1", "- new 10 1"]
    );
    assert_eq!(
        by_both().show_share(&[0]).rows(&shop())[..2],
        [format!("north new 100 {}", 100.0 / 130.0), format!("north old 60 {}", 60.0 / 110.0)]
    );
    let mut both = by_both().show_share(&[0]);
    let (one, all) = (both.total(&[1]), both.total(&[1, 0]));
    both.show("of its region", one);
    both.show("of all", all);
    assert_eq!(both.rows(&shop())[2], format!("south old 50 {} 50 240", 50.0 / 110.0));
}

#[test]
fn a_share_is_of_its_own_period_and_of_its_own_side() {
    let asked = quarter().by("region").per(TimeUnit::Month).show_share(&[0]);
    assert_eq!(
        asked.rows(&shop()),
        [
            "2025-01-01 north 150 0.75",
            "2025-01-01 south 50 0.25",
            "2025-03-01 north 10 0.25",
            "2025-03-01 west 20 0.5",
            "2025-03-01 - 10 0.25",
        ]
    );
    let year = CompareWith::Previous(Grain::ordinary(TimeUnit::Year));
    let mut last = shop();
    last.push(event("orders", "2024-01-10", &[("amount", "30"), ("region", "north")]));
    last.push(event("orders", "2024-01-10", &[("amount", "10"), ("region", "west")]));
    let asked = quarter().by("region").per(TimeUnit::Month).show_share(&[0]).vs("previous year", year);
    assert_eq!(
        asked.rows(&last)[..3],
        [
            "2025-01-01 north 150 30 120 4 0.75 0.75 0 -",
            "2025-01-01 south 50 0 50 - 0.25 0 0.25 -",
            "2025-01-01 west 0 10 -10 -1 0 0.25 -0.25 -",
        ]
    );
}

#[test]
fn a_total_across_labels_brings_no_rows_and_follows_the_rows_that_are_there() {
    let mut asked = quarter().by("region").per(TimeUnit::Month);
    let total = asked.total(&[0]);
    let spend = asked.sum("spend", "amount");
    asked.show("spend", spend);
    asked.show("orders of all", total);
    let mut events = shop();
    events.push(event("spend", "2025-01-03", &[("amount", "7"), ("region", "north")]));
    assert_eq!(asked.rows(&events), ["2025-01-01 north 7 200"]);
    // Every label has every period, in order; also where the total has nothing.
    asked.query.fill = Some(Fill::Previous);
    assert_eq!(asked.rows(&events), ["2025-01-01 north 7 200", "2025-02-01 north 7 200", "2025-03-01 north 7 200"]);
    asked.query.fill = None;
    asked.query.per = None;
    asked.query.by.clear();
    asked.query.aggregates.iter_mut().for_each(|a| a.labels.clear());
    assert_eq!(asked.rows(&events), ["7 240"]);
}

#[test]
fn shares_pick_and_order_rows() {
    let mut asked = quarter().by("region").show_share(&[0]);
    let share = asked.query.columns[1].formula.clone();
    asked.query.having = Some(call(Kind::Bool, Op::Greater, vec![share.clone(), number(5, 2)]));
    asked.query.order = vec![OrderKey { by: OrderBy::Formula(share), descending: true }];
    let found: Vec<String> = asked.rows(&shop()).iter().map(|r| r.split(' ').next().unwrap().to_string()).collect();
    assert_eq!(found, ["north", "south", "west"]);
}

#[test]
fn the_other_row_has_its_share_too() {
    let mut asked = quarter().by("region").show_share(&[0]);
    asked.query.order =
        vec![OrderKey { by: OrderBy::Formula(asked.query.columns[0].formula.clone()), descending: true }];
    asked.query.limit = Some(Limit { rows: 1, with_other: true });
    let all = 240.0;
    assert_eq!(asked.rows(&shop()), [format!("north 160 {}", 160.0 / all), format!("other 80 {}", 80.0 / all)]);
    // Of one of two labels: over what has one of the others' regions.
    let mut asked = quarter().by("region").by("kind").show_share(&[1]);
    asked.query.limit = Some(Limit { rows: 3, with_other: true });
    assert_eq!(asked.rows(&shop())[3], "other other 30 1");
    asked.query.limit = Some(Limit { rows: 1, with_other: true });
    assert_eq!(asked.rows(&shop())[1], format!("other other 140 {}", 140.0 / 240.0));
}

#[test]
fn equal_values_share_the_first_of_their_places() {
    let mut asked = quarter().by("region").show_sum("orders", "amount");
    let sum = asked.query.columns[0].formula.clone();
    asked.show_rank(&sum);
    let mut events = shop();
    events.push(event("orders", "2025-02-01", &[("amount", "30"), ("region", "west")]));
    assert_eq!(asked.rows(&events), ["north 160 1", "south 50 2", "west 50 2", "- 10 4"]);
    // Places are given before rows are left out, and rows are ordered by them.
    asked.query.having = Some(call(Kind::Bool, Op::Less, vec![sum.clone(), number(100, 0)]));
    asked.query.order = vec![OrderKey { by: OrderBy::Formula(rank(&sum)), descending: true }];
    assert_eq!(asked.rows(&events), ["- 10 4", "south 50 2", "west 50 2"]);
    asked.query.having = Some(call(Kind::Bool, Op::LessEqual, vec![rank(&sum), number(1, 0)]));
    let asked = Ask { totals: true, ..asked };
    let frame = asked.frame(&events).unwrap();
    assert_eq!(lines(&frame.rows, "UTC"), ["north 160 1"]);
    // One row has no place among others.
    assert_eq!(lines(&frame.totals.unwrap(), "UTC"), ["- 270 -"]);
}

#[test]
fn places_are_those_of_the_period_and_of_the_side() {
    let year = CompareWith::Previous(Grain::ordinary(TimeUnit::Year));
    let mut asked = quarter().by("region").per(TimeUnit::Month).vs("previous year", year);
    let sum = asked.sum("orders", "amount");
    let known = Formula {
        unit: Unit::of(Kind::Number),
        node: FormulaNode::Case {
            whens: vec![(call(Kind::Bool, Op::Greater, vec![sum.clone(), number(0, 0)]), sum)],
            otherwise: None,
        },
    };
    asked.show_rank(&known);
    let mut events = shop();
    events.push(event("orders", "2024-01-10", &[("amount", "30"), ("region", "south")]));
    events.push(event("orders", "2024-01-10", &[("amount", "10"), ("region", "north")]));
    assert_eq!(
        asked.rows(&events),
        [
            "2025-01-01 north 1 2 -1 -0.5",
            "2025-01-01 south 2 1 1 1",
            "2025-03-01 north 2 - - -",
            "2025-03-01 west 1 - - -",
            "2025-03-01 - 2 - - -",
        ]
    );
}

#[test]
fn a_place_by_a_place() {
    let mut asked = quarter().by("region").show_sum("orders", "amount");
    let sum = asked.query.columns[0].formula.clone();
    // Whoever has the largest place has the first place by it.
    asked.show_rank(&rank(&sum));
    asked.show("twice", call(Kind::Number, Op::Multiply, vec![rank(&sum), number(2, 0)]));
    assert_eq!(asked.rows(&shop()), ["north 160 4 2", "south 50 3 4", "west 20 2 6", "- 10 1 8"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn totals_and_places_are_what_the_rows_say(
        rows in prop::collection::vec((0_u32..3, 0_usize..4, 0_usize..3, -5_i64..9), 0..40),
        per: bool,
        across in prop::sample::select(vec![vec![0], vec![1], vec![0, 1]]),
    ) {
        const WORDS: [&str; 4] = ["a", "b", "c", ""];
        let events: Vec<Event> = rows.iter().map(|(month, region, kind, amount)| {
            let fields = [("amount", amount.to_string()), ("region", WORDS[*region].to_string()), ("kind", WORDS[*kind].to_string())];
            let fields: Vec<(&'static str, &str)> = fields.iter().map(|(name, text)| (*name, text.as_str())).collect();
            event("orders", &format!("2025-0{}-10", month + 1), &fields)
        }).collect();
        let mut asked = quarter().by("region").by("kind");
        if per {
            asked = asked.per(TimeUnit::Month);
        }
        let sum = asked.sum("orders", "amount");
        let total = asked.total(&across);
        asked.show("sum", sum.clone());
        asked.show("total", total);
        asked.show_rank(&sum);
        let found = asked.rows(&events);
        let parts: Vec<Vec<&str>> = found.iter().map(|line| line.split(' ').collect()).collect();
        let keys = usize::from(per) + 2;
        let key = |row: &Vec<&str>| -> Vec<String> {
            let left_out = |i: &usize| *i >= usize::from(per) && across.contains(&(i - usize::from(per)));
            (0..keys).filter(|i| !left_out(i)).map(|i| row[i].to_string()).collect()
        };
        let mut sums: BTreeMap<Vec<String>, f64> = BTreeMap::new();
        for row in &parts {
            *sums.entry(key(row)).or_default() += row[keys].parse::<f64>().unwrap();
        }
        for row in &parts {
            let value: f64 = row[keys].parse().unwrap();
            prop_assert_eq!(row[keys + 1].parse::<f64>().unwrap(), sums[&key(row)]);
            let same = |other: &&Vec<&str>| !per || other[0] == row[0];
            let larger = parts.iter().filter(same).filter(|other| other[keys].parse::<f64>().unwrap() > value).count();
            prop_assert_eq!(row[keys + 2].parse::<usize>().unwrap(), larger + 1);
        }
    }
}

#[test]
fn a_constant_has_a_place() {
    let mut asked = quarter();
    asked.show_rank(&Formula { unit: Unit::of(Kind::Number), node: FormulaNode::Const(Value::Missing) });
    asked.show_rank(&number(3, 0));
    assert_eq!(asked.rows(&[]), ["- 1"]);
}
