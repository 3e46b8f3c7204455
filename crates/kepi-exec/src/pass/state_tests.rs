//! States, with numbers that a person can check.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use super::state_naive::{condition, edges, held, mean_of, of_customers, state, time_in};
use super::testing::*;
use super::*;
use crate::LeafExec;
use kepi_model::calendar::{Grain, TimeUnit, Zone};
use kepi_model::core::*;
use kepi_model::value::{CalendarSpan, Kind, Unit};

fn on(text: &str) -> i64 {
    let text = if text.contains('T') { text.to_string() } else { format!("{text}T00:00") };
    Zone::utc().instant(text.parse().unwrap())
}

fn order(at: &str, who: u32, cents: i64) -> Order {
    (on(at), Some(who), 2, Some(cents), None)
}

fn of_orders() -> Events {
    events("orders", vec![])
}

fn until_visits() -> Until {
    Until::Event { events: events("visits", vec![]), key: customer() }
}

fn after(months: i32) -> Until {
    Until::After(CalendarSpan { months, days: 0, micros: 0 })
}

fn monthly(aggregates: Vec<Aggregate>, from: &str, until: &str) -> Pass {
    let mut pass = pass(aggregates);
    pass.per = Some(Grain::ordinary(TimeUnit::Month));
    (pass.from, pass.until, pass.now) = (Some(on(from)), on(until), on(until));
    pass
}

fn at_start(aggregate: Aggregate) -> Aggregate {
    Aggregate { moved: vec![Move::Start], ..aggregate }
}

/// Per month: the period's month and the value.
fn per_month(memory: &Memory, pass: &Pass) -> Vec<String> {
    let of = |line: String| {
        let words: Vec<&str> = line.split(' ').collect();
        format!("{} {}", &words[0][5..7], words[1..words.len() - 1].join(" "))
    };
    lines(&cells(memory, pass)).into_iter().map(of).collect()
}

#[test]
fn a_renewal_on_the_day_it_ends_is_no_end_and_a_return_is_a_start() {
    // c0 renews on the very day, c1 returns a month late, c2 leaves for good.
    let orders = [
        order("2024-01-10", 0, 100),
        order("2024-01-20", 1, 100),
        order("2024-01-31", 2, 100),
        order("2024-02-10", 0, 100),
        order("2024-04-05", 1, 100),
    ];
    let memory = shop(3, &orders, &[]);
    let active = state(of_orders(), None, after(1), None);
    let months = |aggregate| per_month(&memory, &monthly(vec![aggregate], "2024-01-01", "2024-07-01"));
    let closing = || of_customers(Some(held(&active, When::Moment)), Measure::Count, vec![]);
    // 31 January and a month is 29 February: c2 is not in it at the end of that day.
    assert_eq!(months(closing()), ["01 3", "02 1", "04 1"]);
    assert_eq!(months(at_start(closing())), ["02 3", "03 1", "05 1"]);
    let count = |edge| aggregate(edges(&active, edge), None, Measure::Count, vec![]);
    assert_eq!(months(count(Edge::Start)), ["01 3", "04 1"]);
    assert_eq!(months(count(Edge::End)), ["02 2", "03 1", "05 1"]);
    let kept = call(Op::And, &[held(&active, When::Opening), held(&active, When::Closing)]);
    assert_eq!(months(of_customers(Some(kept), Measure::Count, vec![])), ["02 1"]);
}

#[test]
fn a_cancellation_ends_what_held_before_and_only_else_what_begins_with_it() {
    // c0 changes over on the 10th and then leaves, c1 begins as it ends, twice over, and again on the 20th.
    let orders = [
        order("2024-01-01", 0, 100),
        order("2024-01-10", 0, 200),
        order("2024-01-10", 1, 300),
        order("2024-01-10", 0, 400),
        order("2024-01-10", 1, 500),
        order("2024-01-20", 1, 500),
    ];
    let visits = ["2024-01-10", "2024-01-25"].map(|at| (on(at), Some(0)));
    let mut visits = visits.to_vec();
    visits.insert(1, (on("2024-01-10"), Some(1)));
    let memory = shop(2, &orders, &visits);
    let yes = state(of_orders(), None, until_visits(), None);
    let mrr = state(of_orders(), Some(field("amount")), until_visits(), None);
    let value = row(Kind::Number, RowNode::Field(VALUE.into()));
    let of = |state: &State, edge| {
        let labels = vec![moment(), row(Kind::Number, RowNode::Field("amount".into())), value.clone()];
        let labels = if state.value.is_none() { labels[..2].to_vec() } else { labels };
        lines(&cells(&memory, &pass(vec![aggregate(edges(state, edge), None, Measure::Count, labels)])))
    };
    assert_eq!(of(&yes, Edge::Start), ["2024-01-01T00:00:00Z 1.00 1 1", "2024-01-20T00:00:00Z 5.00 1 1"]);
    assert_eq!(of(&yes, Edge::End), ["2024-01-25T00:00:00Z 4.00 1 1"]);
    assert_eq!(of(&mrr, Edge::Start), ["2024-01-01T00:00:00Z 1.00 1.00 1 1", "2024-01-20T00:00:00Z 5.00 5.00 1 1"]);
    assert_eq!(of(&mrr, Edge::End), ["2024-01-25T00:00:00Z 4.00 4.00 1 1"]);
    assert_eq!(of(&mrr, Edge::Stay), ["2024-01-10T00:00:00Z 1.00 1.00 1 1", "2024-01-25T00:00:00Z 4.00 4.00 1 1"]);
    // 9 days of 1 and 15 of 4 in 31 days, and 12 days of 5 for c1.
    let avg = of_customers(None, Measure::Sum(mean_of(&mrr)), vec![]);
    let sum = of_customers(None, Measure::Sum(held(&mrr, When::Closing)), vec![]);
    let found = per_month(&memory, &monthly(vec![avg, sum], "2024-01-01", "2024-02-01"));
    assert_eq!(found, [format!("01 {} 2 5.00", 69.0 / 31.0 + 60.0 / 31.0)]);
}

#[test]
fn a_plan_change_is_neither_start_nor_end_but_the_end_of_a_stay() {
    // 10 EUR from 1 January, 20 from 11 January, paused on 21 January, back with 20 on 1 February.
    let orders = [order("2024-01-01", 0, 1000), order("2024-01-11", 0, 2000), order("2024-02-01", 0, 2000)];
    let memory = shop(1, &orders, &[(on("2024-01-21"), Some(0))]);
    let mrr = state(of_orders(), Some(field("amount")), until_visits(), None);
    let value = row(Kind::Number, RowNode::Field(VALUE.into()));
    let length = row(Kind::Duration, RowNode::Field(LENGTH.into()));
    let of = |edge| {
        let labels = vec![moment(), value.clone(), length.clone()];
        lines(&cells(&memory, &pass(vec![aggregate(edges(&mrr, edge), None, Measure::Count, labels)])))
    };
    assert_eq!(of(Edge::Start), ["2024-01-01T00:00:00Z 10.00 0.000000 1 1", "2024-02-01T00:00:00Z 20.00 0.000000 1 1"]);
    assert_eq!(of(Edge::End), ["2024-01-21T00:00:00Z 20.00 1728000.000000 1 1"]);
    assert_eq!(
        of(Edge::Stay),
        ["2024-01-11T00:00:00Z 10.00 864000.000000 1 1", "2024-01-21T00:00:00Z 20.00 864000.000000 1 1"]
    );
    // 10 days of 10 and 10 days of 20 in 31 days; then 20 all of February.
    let avg = of_customers(None, Measure::Sum(mean_of(&mrr)), vec![]);
    let time = of_customers(None, Measure::Sum(time_in(&mrr)), vec![]);
    let sum = of_customers(None, Measure::Sum(held(&mrr, When::Closing)), vec![]);
    let found = per_month(&memory, &monthly(vec![avg, time, sum], "2024-01-01", "2024-03-01"));
    assert_eq!(
        found,
        [format!("01 {} 1 1728000.000000 1 0.00", 300.0 / 31.0), "02 20 1 2505600.000000 1 20.00".into()]
    );
}

#[test]
fn the_mean_and_the_time_go_up_to_now() {
    let memory = shop(1, &[order("2024-01-21", 0, 1000)], &[]);
    let mrr = state(of_orders(), Some(field("amount")), after(1), None);
    let avg = of_customers(None, Measure::Sum(mean_of(&mrr)), vec![]);
    let time = of_customers(None, Measure::Sum(time_in(&mrr)), vec![]);
    // What holds at a moment is known for longer: it ends on 21 February.
    let holds = || of_customers(Some(condition(&mrr, When::Closing)), Measure::Count, vec![]);
    let mut pass = monthly(vec![avg, time, holds()], "2024-01-01", "2024-04-01");
    pass.now = on("2024-01-26");
    let found = per_month(&memory, &pass);
    assert_eq!(found, ["01 2 1 432000.000000 1 1", "02 0 1 0.000000 1 0", "03 0 1 0.000000 1 0"]);
    pass.aggregates = vec![holds()];
    (pass.per, pass.until) = (None, on("2024-02-20"));
    assert_eq!(lines(&cells(&memory, &pass)), ["1 1"]);
}

#[test]
fn without_a_beginning_nothing_opens_and_the_mean_begins_with_the_first_row() {
    let memory = shop(2, &[order("2024-01-01", 0, 1000), order("2024-01-06", 1, 1000)], &[]);
    let mrr = state(of_orders(), Some(field("amount")), Until::Never, None);
    let avg = of_customers(None, Measure::Sum(mean_of(&mrr)), vec![]);
    let opening = of_customers(None, Measure::Sum(held(&mrr, When::Opening)), vec![]);
    let closing = of_customers(None, Measure::Sum(held(&mrr, When::Closing)), vec![]);
    let mut pass = pass(vec![avg, opening.clone(), closing]);
    (pass.until, pass.now) = (on("2024-01-11"), on("2024-01-11"));
    // 10 of c0 all the time, 10 of c1 half of it.
    assert_eq!(lines(&cells(&memory, &pass)), ["15 2 0.00 2 20.00 2"]);
    pass.moment = true;
    assert_eq!(lines(&cells(&memory, &pass)), ["15 2 0.00 2 20.00 2"]);
    // Events are cumulated up to the moment, so nothing was there before them.
    pass.aggregates = vec![at_start(of_customers(Some(condition(&mrr, When::Moment)), Measure::Count, vec![]))];
    assert!(lines(&cells(&memory, &pass)).is_empty());
}

#[test]
fn months_end_where_the_zone_says() {
    // Midnight in Amsterdam is 22:00 UTC in summer, and the night of 31 March is an hour short.
    let memory = shop(1, &[order("2024-02-29T23:00", 0, 100)], &[]);
    let active = state(of_orders(), None, after(1), None);
    let closing = of_customers(Some(held(&active, When::Closing)), Measure::Count, vec![]);
    let time = of_customers(None, Measure::Sum(time_in(&active)), vec![]);
    let mut pass = monthly(vec![closing, time], "2024-02-29T23:00", "2024-04-30T22:00");
    pass.zone = "Europe/Amsterdam".into();
    // From 1 March 00:00 until 1 April 00:00 of the zone: 31 days less an hour, and not in April.
    let found = lines(&cells(&memory, &pass));
    let march = format!("2024-02-29T23:00:00Z 1 1 {}.000000 1", 31 * 86_400 - 3_600);
    assert_eq!(found, [march, "2024-03-31T22:00:00Z 0 0 0.000000 1".to_string()]);
}

#[test]
fn nobody_is_in_a_state_that_nothing_begins() {
    let memory = shop(2, &[], &[(on("2024-01-01"), Some(0))]);
    let refunded = state(events("refunds", vec![]), None, until_visits(), None);
    let closing = || of_customers(Some(held(&refunded, When::Closing)), Measure::Count, vec![]);
    assert!(lines(&cells(&memory, &pass(vec![closing()]))).is_empty());
    let amount = state(events("refunds", vec![]), Some(field("amount")), Until::Never, None);
    let sum = of_customers(None, Measure::Sum(held(&amount, When::Closing)), vec![]);
    assert_eq!(lines(&cells(&memory, &pass(vec![sum]))), ["0 2"]);
    let started = aggregate(edges(&refunded, Edge::Start), None, Measure::Count, vec![]);
    assert!(lines(&cells(&memory, &pass(vec![started]))).is_empty());
}

#[test]
fn edges_of_one_state_begin_another() {
    // Lapsed: since the end of a stay, until the next order.
    let orders = [order("2024-01-10", 0, 100), order("2024-04-20", 0, 100)];
    let memory = shop(1, &orders, &[]);
    let active = state(of_orders(), None, after(1), None);
    let back = Until::Event { events: of_orders(), key: customer() };
    let lapsed = state(edges(&active, Edge::End), None, back, None);
    let closing = of_customers(Some(held(&lapsed, When::Closing)), Measure::Count, vec![]);
    let found = per_month(&memory, &monthly(vec![closing], "2024-01-01", "2024-07-01"));
    assert_eq!(found, ["02 1", "03 1", "05 1", "06 1"]);
}

#[test]
fn a_plan_with_states_comes_back_from_bytes_and_says_what_it_read() {
    let memory = shop(2, &[order("2024-01-10", 0, 100), order("2024-01-12", 1, 100)], &[(on("2024-02-01"), Some(1))]);
    let active = state(of_orders(), None, until_visits(), None);
    let closing = of_customers(Some(held(&active, When::Closing)), Measure::Count, vec![region(false)]);
    let pass = monthly(vec![closing], "2024-01-01", "2024-04-01");
    let plan = LeafExec::plan(pass.clone(), source(&memory), 2).unwrap();
    let again = LeafExec::from_bytes(&plan.to_bytes().unwrap(), source(&memory)).unwrap();
    let found = collected(Arc::clone(&again)).unwrap();
    assert_eq!(found, cells(&memory, &pass));
    assert_eq!(per_month(&memory, &pass), ["01 north 1", "01 south 1", "02 north 1", "03 north 1"]);
    // Two orders, a visit, two customers.
    assert_eq!((again.report().rows_scanned, again.report().first), (5, Some(on("2024-01-10"))));
}

#[test]
fn what_will_be_at_the_end_of_a_rows_period_is_refused() {
    let memory = shop(1, &[order("2024-01-10", 0, 100)], &[]);
    let active = state(of_orders(), None, after(1), None);
    let ahead = aggregate(of_orders(), Some(held(&active, When::Closing)), Measure::Count, vec![]);
    let error = LeafExec::plan(pass(vec![ahead]), source(&memory), 1).unwrap_err();
    assert_eq!(error.to_string(), "what `a state` will be at the end of a row's period is not there yet");
    // What was at its beginning is known.
    let opened = aggregate(of_orders(), Some(held(&active, When::Opening)), Measure::Count, vec![]);
    let memory = shop(1, &[order("2024-01-10", 0, 100), order("2024-02-20", 0, 100)], &[]);
    assert_eq!(per_month(&memory, &monthly(vec![opened], "2024-01-01", "2024-04-01")), ["02 1"]);
    let text = row(Kind::Text, RowNode::Field("product".into()));
    let product = State { unit: Unit::of(Kind::Text), ..state(of_orders(), Some(text), Until::Never, None) };
    let mean = of_customers(None, Measure::Sum(mean_of(&product)), vec![]);
    assert!(LeafExec::plan(pass(vec![mean]), source(&memory), 1).is_err());
}

#[test]
fn rows_that_see_a_state_are_read_in_one_go() {
    let memory = shop(1, &[order("2024-01-10", 0, 100)], &[]);
    let active = state(of_orders(), None, after(1), None);
    let pass = pass(vec![aggregate(of_orders(), Some(held(&active, When::Moment)), Measure::Count, vec![])]);
    assert!(!super::plan::Plan::new(&pass, &source(&memory)).unwrap().can_be_split(&pass, true));
}

#[test]
fn states_of_more_entities_than_there_is_memory_for_are_refused() {
    let orders: Vec<Order> = (0..500).map(|who| order("2024-01-10", who, i64::from(who))).collect();
    let memory = shop(500, &orders, &[]);
    let worth = state(of_orders(), Some(field("amount")), Until::Never, None);
    let active = state(of_orders(), None, after(1), None);
    let value = |measure| monthly(vec![of_customers(None, measure, vec![])], "2024-01-01", "2024-04-01");
    let asked = [
        value(Measure::Sum(held(&worth, When::Closing))),
        value(Measure::Avg(mean_of(&active))),
        monthly(
            vec![of_customers(Some(held(&active, When::Closing)), Measure::Count, vec![])],
            "2024-01-01",
            "2024-04-01",
        ),
    ];
    for pass in asked {
        let limited = |bytes| {
            let leaf = LeafExec::plan(pass.clone(), source(&memory).with_memory_max(Some(bytes)), 1)?;
            // The types are known without room for anybody.
            Ok::<_, ExecError>(lines(&collected(leaf)?))
        };
        assert_eq!(limited(1 << 20).unwrap(), lines(&cells(&memory, &pass)));
        let refused = limited(3_000).unwrap_err();
        assert!(matches!(refused, ExecError::Memory { limit: 3_000 }), "{refused}");
    }
}
