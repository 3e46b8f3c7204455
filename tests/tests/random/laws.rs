//! Laws that hold for any answer.

use super::plain::{About, condition, data, data_with_ids, labels, query};
use super::{ask, life, number, runner};
use kepi_tests::given;
use kepi_tests::oracle::Number;
use kepi_tests::project::Project;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;

#[test]
fn a_condition_and_its_complement_split_the_set() {
    let laws = (data(), condition(About::Orders));
    let outcome = runner().run(&laws, |(data, c)| {
        let query = format!(
            "show count(orders where {c}), count(orders where not ({c})), count(orders), \
             sum(orders.amount where {c}), sum(orders.amount where not ({c})), sum(orders.amount)"
        );
        let table = data.answer(&query)?;
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
        let all = data.answer(&values)?;
        let split = data.answer(&format!("{values} by {label}"))?;
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
    let laws = (data_with_ids(), query(), any::<u64>());
    let outcome = runner().run(&laws, |(data, query, turn)| {
        let (oracle, now) = data.oracle();
        let mut tables = data.tables.clone();
        for table in &mut tables {
            let count = table.rows.len().max(1) as u64;
            table.rows.rotate_left((turn % count) as usize);
            table.rows.reverse();
        }
        let shuffled = given::oracle(&data.model, &tables, now).unwrap();
        let straight = ask(&oracle, &query).map_err(TestCaseError::fail)?;
        let turned = ask(&shuffled, &query).map_err(TestCaseError::fail)?;
        let difference = straight.difference(&turned, oracle.calendar());
        prop_assert!(difference.is_none(), "the oracle: {query}: {difference:?}");
        let files = given::files(&shuffled, &tables);
        let project = Project::new(&data.model, &files).map_err(TestCaseError::fail)?;
        let found = project.answer(&query, now, oracle.calendar()).map_err(TestCaseError::fail)?;
        let difference = straight.difference(&found, oracle.calendar());
        prop_assert!(difference.is_none(), "the engine: {query}: {difference:?}");
        Ok(())
    });
    outcome.unwrap_or_else(|problem| panic!("{problem}"));
}

#[test]
fn what_is_there_is_what_was_plus_what_came_less_what_went() {
    let state = select(vec![
        "subscribed",
        "active",
        "paying",
        "plan = \"s\"",
        "keen",
        "plan = \"s\" and active",
        "not active or mrr > 15 EUR",
        "tier = \"gold\" and not subscribed",
        "big",
        "active or count(orders) >= 2",
    ]);
    let by = select(vec!["", " by region", " by customer"]);
    let windows = vec![
        " per month during 2025",
        " per week last 20 weeks",
        " during 2025-02",
        " per year since 2024-01-01 until 2026-01-01",
    ];
    let outcome = runner().run(&(life::life(), state, by, select(windows)), |(data, state, by, window)| {
        let query = format!(
            "show opening({state}), count(started({state})), count(ended({state})), closing({state}){by}{window}"
        );
        let table = data.answer(&query)?;
        for row in &table.rows {
            let values: Vec<Number> = row[table.labels..].iter().map(number).collect();
            let after = values[0].plus(values[1]).minus(values[2]);
            prop_assert!(after.is_close_to(values[3]), "{query}: {row:?}");
        }
        Ok(())
    });
    outcome.unwrap_or_else(|problem| panic!("{problem}"));
}

#[test]
fn the_time_in_a_condition_is_its_mean_times_the_length() {
    let state = select(vec!["active", "keen", "plan = \"s\" and active", "not active or mrr > 15 EUR", "european"]);
    let by = select(vec!["", " by region", " by plan"]);
    let outcome = runner().run(&(life::life(), state, by), |(data, state, by)| {
        // Thirty days without a change of the clocks.
        let query = format!(
            "show avg({state}) otherwise 0, time_in({state}), time_in(not ({state})), avg(not ({state})) otherwise 0{by} \
             since 2025-04-01 until 2025-05-01"
        );
        let table = data.answer(&query)?;
        for row in &table.rows {
            let values: Vec<Number> = row[table.labels..].iter().map(number).collect();
            for (mean, time) in [(values[0], values[1]), (values[3], values[2])] {
                prop_assert!(mean.times(Number::whole(30 * 86_400)).is_close_to(time), "{query}: {row:?}");
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|problem| panic!("{problem}"));
}
