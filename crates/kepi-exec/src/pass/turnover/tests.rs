//! Who comes and goes, counted, against timelines and made edges; and numbers that a person can check.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use super::{WAY, count, takes};
use crate::pass::naive::shops;
use crate::pass::state::Cells;
use crate::pass::state_naive::{days, edges, held, of_customers, state, states};
use crate::pass::testing::*;
use crate::pass::{Part, Pass, entity, run_part, together};
use kepi_model::calendar::{Grain, TimeUnit};
use kepi_model::core::*;
use kepi_model::value::{CalendarSpan, Kind, Unit};
use proptest::prelude::*;

/// So many of [`states`] have no values.
const PLAIN: usize = 5;

fn plain_states() -> Vec<State> {
    let orders = || events("orders", vec![]);
    let mut states: Vec<State> = states().into_iter().take(PLAIN).collect();
    states.push(state(orders(), None, Until::Never, None));
    states.push(state(orders(), None, Until::After(days(3)), None));
    let firsts = events("orders", vec![Stage::First { per: customer() }]);
    states.push(state(
        firsts,
        None,
        Until::After(CalendarSpan { months: 0, days: 0, micros: 200 * 3_600_000_000 }),
        None,
    ));
    states
}

/// Conditions on who is in a state at the ends of a window.
fn at_ends(state: &State, which: usize) -> Row {
    let (opening, closing) = (held(state, When::Opening), held(state, When::Closing));
    let not = |row: &Row| call(Op::Not, std::slice::from_ref(row));
    let and = |a: Row, b: Row| call(Op::And, &[a, b]);
    match which {
        0 => held(state, When::Moment),
        1 => opening,
        2 => closing,
        3 => and(opening, closing),
        4 => and(opening, not(&closing)),
        5 => and(not(&opening), closing),
        6 => call(Op::Or, &[opening, closing]),
        7 => and(opening.clone(), not(&and(opening, closing))),
        _ => and(held(state, When::Moment), not(&opening)),
    }
}

fn north() -> Row {
    call(Op::Equal, &[region(false), text("north")])
}

fn key() -> Row {
    row(Kind::Text, RowNode::Key { of: Box::new(customer()), entity: "customer".into() })
}

fn moves() -> Vec<Vec<Move>> {
    let months = |months| CalendarSpan { months, days: 0, micros: 0 };
    vec![
        vec![],
        vec![],
        vec![Move::Start],
        vec![Move::Prior(months(1))],
        vec![Move::Trailing(days(45))],
        vec![Move::ToDate(Grain::ordinary(TimeUnit::Year))],
        vec![Move::Running],
        vec![Move::Prior(months(1)), Move::Start],
        vec![Move::Trailing(months(1)), Move::Start],
        vec![Move::AllTime],
    ]
}

/// A pass that asks for counts of a state: by `whose` of entities, else of its edges.
fn pass_of(state: &State, whose: bool, edge: Edge, asked: &[(usize, u8)], labels: u8, moved: usize) -> Pass {
    let labels = match labels {
        0 => vec![],
        1 => vec![region(false)],
        2 => vec![customer(), region(false)],
        _ => vec![key()],
    };
    let aggregates = asked.iter().map(|&(which, filter)| {
        let filtered = match filter {
            0 => Some(north()),
            1 => Some(call(Op::Not, &[north()])),
            _ => None,
        };
        let aggregate = match whose {
            true => {
                let held = at_ends(state, which);
                let filter = filtered.map_or(held.clone(), |only| call(Op::And, &[held, only]));
                Aggregate { existing: false, ..of_customers(Some(filter), Measure::Count, labels.clone()) }
            }
            false => aggregate(edges(state, edge), filtered, Measure::Count, labels.clone()),
        };
        Aggregate { moved: moves()[moved].clone(), ..aggregate }
    });
    pass(aggregates.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn counted_stays_are_those_that_are_followed(
        (orders, visits) in shops(), of in 0..PLAIN + 3, whose in any::<bool>(), start in any::<bool>(),
        asked in proptest::collection::vec((0..9_usize, 0..4_u8), 1..4), labels in 0..5_u8, moved in 0..10_usize,
        per in proptest::option::of(proptest::sample::select(vec![TimeUnit::Day, TimeUnit::Week, TimeUnit::Month])),
        (from, until) in (proptest::option::of(19_700..19_760_i64), 19_761..19_800_i64),
        zone in proptest::sample::select(vec!["UTC", "America/New_York"]), batch in 1..40_usize,
    ) {
        let mut memory = shop(5, &orders, &visits);
        memory.batch = batch;
        let state = plain_states().swap_remove(of);
        let edge = if start { Edge::Start } else { Edge::End };
        let mut pass = pass_of(&state, whose, edge, &asked, labels, moved);
        pass.per = per.map(Grain::ordinary);
        pass.zone = zone.into();
        pass.from = from.map(|day| day * DAY + 7);
        (pass.until, pass.now) = (until * DAY, until * DAY);
        let source = source(&memory);
        let counted = count(&pass, &source, &Part::default()).unwrap();
        prop_assert!(takes(&pass));
        prop_assert!(counted.is_some() || !pass.moved().is_empty());
        let Some(counted) = counted else { return Ok(()) };
        let made = match whose {
            true => entity::run(&pass, &source).unwrap(),
            // A part that is all of it is read row by row.
            false => {
                let all = Part { until: Some(i64::MAX), ..Part::default() };
                together(run_part(&pass, &source, &all).unwrap(), &pass, &source).unwrap()
            }
        };
        let (a, b) = (&counted.report, &made.report);
        prop_assert_eq!((a.rows_kept, &a.without_entity), (b.rows_kept, &b.without_entity));
        prop_assert_eq!(a.first, b.first);
        prop_assert_eq!(a.way, Some(WAY));
        let schema = pass.schema(&source).unwrap();
        let lines_of = |mut cells: Cells| lines(&cells.emit(&pass, &source, schema.clone()).unwrap());
        prop_assert_eq!(lines_of(counted), lines_of(made));
    }
}

#[test]
fn a_gap_within_a_month_is_an_end_and_a_start_and_who_was_there_at_both_ends_has_kept() {
    let on = |day: i64| 19_723 * DAY + day * DAY;
    let order = |day, who| (on(day), Some(who), 2, Some(100), None);
    // For three days each: c0 from 30 December to 2 January, then from 30 January on; c1 goes on over the new year, and
    // leaves; c2 comes and goes within January; c3 renews as it ends.
    let orders = [order(-2, 0), order(-1, 1), order(1, 1), order(10, 2), order(12, 3), order(15, 3), order(29, 0)];
    let memory = shop(4, &orders, &[]);
    let state = state(events("orders", vec![]), None, Until::After(days(3)), None);
    let found = |mut pass: Pass| {
        pass.per = Some(Grain::ordinary(TimeUnit::Month));
        (pass.from, pass.until, pass.now) = (Some(on(-31)), on(60), on(60));
        let source = source(&memory);
        let mut cells = count(&pass, &source, &Part::default()).unwrap().unwrap();
        let schema = pass.schema(&source).unwrap();
        let lines = lines(&cells.emit(&pass, &source, schema).unwrap());
        lines.into_iter().map(|line| line[5..7].to_string() + &line[20..line.len()]).collect::<Vec<_>>()
    };
    let whose = |which| found(pass_of(&state, true, Edge::Start, &[(which, 3)], 0, 0));
    assert_eq!(whose(1), ["01 2 2", "02 1 1"]);
    assert_eq!(whose(2), ["12 2 2", "01 1 1"]);
    assert_eq!(whose(3), ["01 1 1"]);
    assert_eq!(whose(4), ["01 1 1", "02 1 1"]);
    assert_eq!(found(pass_of(&state, false, Edge::Start, &[(0, 3)], 0, 0)), ["12 2 2", "01 3 3"]);
    assert_eq!(found(pass_of(&state, false, Edge::End, &[(0, 3)], 0, 0)), ["01 4 4", "02 1 1"]);
}

#[test]
fn what_is_asked_of_more_than_the_entity_is_followed() {
    let orders = || events("orders", vec![]);
    let plain = state(orders(), None, Until::After(days(3)), None);
    let of = |filter: Row| pass(vec![of_customers(Some(filter), Measure::Count, vec![])]);
    assert!(takes(&Pass {
        aggregates: vec![Aggregate { existing: false, ..of(held(&plain, When::Opening)).aggregates[0].clone() }],
        ..of(held(&plain, When::Opening))
    }));
    // Of entities that are in it at neither end; of one that was another once; of a value; of another measure.
    assert!(!takes(&of(call(Op::Not, &[held(&plain, When::Opening)]))));
    assert!(!takes(&of(call(Op::And, &[held(&plain, When::Moment), call(Op::Equal, &[region(true), text("north")])]))));
    let value = state(orders(), Some(field("amount")), Until::After(days(3)), None);
    assert!(!takes(&of(call(Op::GreaterEqual, &[held(&value, When::Moment), number(1, 0)]))));
    let sum = Measure::Sum(number(1, 0));
    assert!(!takes(&pass(vec![of_customers(Some(held(&plain, When::Moment)), sum, vec![])])));
    // Of the row that began it.
    let by_product = Row { unit: Unit::of(Kind::Text), ..field("product") };
    assert!(!takes(&pass(vec![aggregate(edges(&plain, Edge::Start), None, Measure::Count, vec![by_product])])));
    assert!(!takes(&pass(vec![aggregate(edges(&plain, Edge::Stay), None, Measure::Count, vec![])])));
}
