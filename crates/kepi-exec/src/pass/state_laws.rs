//! States against a reading of their definition: random shops, random states, the same numbers.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use super::naive::{V, shops, shown, shown_lines};
use super::state_naive::{Data, STATES, condition, days, edges, held, mean_of, of_customers, states, time_in};
use super::testing::*;
use kepi_model::calendar::{Grain, TimeUnit, Zone};
use kepi_model::core::*;
use kepi_model::value::{CalendarSpan, Kind, Unit, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A measure of a state.
fn measure(state: &State, which: u8) -> Measure {
    let number = state.unit.kind == Kind::Number;
    match which {
        0 => Measure::Count,
        1 if number => Measure::Sum(held(state, When::Closing)),
        2 if number => Measure::Sum(held(state, When::Opening)),
        3 if number => Measure::Avg(call(Op::Least, &[held(state, When::Opening), held(state, When::Closing)])),
        4 if state.unit.kind != Kind::Text => Measure::Sum(mean_of(state)),
        5 => Measure::Max(time_in(state)),
        6 => Measure::Last(held(state, When::Moment)),
        _ => Measure::Sum(time_in(state)),
    }
}

fn moves() -> Vec<Vec<Move>> {
    let months = |months| CalendarSpan { months, days: 0, micros: 0 };
    vec![
        vec![],
        vec![Move::Start],
        vec![Move::Prior(months(1))],
        vec![Move::Trailing(days(45))],
        vec![Move::ToDate(Grain::ordinary(TimeUnit::Year))],
        vec![Move::Running],
        vec![Move::AllTime],
        vec![Move::Prior(days(7)), Move::Trailing(months(2))],
        vec![Move::Prior(months(1)), Move::Start],
        vec![Move::Trailing(months(1)), Move::Start],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn states_agree_with_a_reading_of_their_definition(
        (orders, visits) in shops(),
        picked in proptest::collection::vec((0..STATES, 0..8_u8, 0..5_u8), 1..4),
        label in (0..4_u8, 0..STATES), moved in 0..10_usize, existing in any::<bool>(),
        per in proptest::option::of(proptest::sample::select(vec![TimeUnit::Day, TimeUnit::Week, TimeUnit::Month])),
        windowed in any::<bool>(), batch in 1..40_usize, zoned in any::<bool>(), now in 19_720..19_800_i64,
    ) {
        let mut memory = shop(5, &orders, &visits);
        memory.batch = batch;
        // Before a window without a beginning there is nothing, and the language asks for no such thing.
        let begins = (windowed || per.is_some()) && !moves()[moved].contains(&Move::AllTime);
        let before = if begins { When::Opening } else { When::Closing };
        let labels = match label {
            (0, of) => vec![held(&states()[of], When::Closing)],
            (1, _) => vec![region(false)],
            (2, of) => vec![region(false), held(&states()[of], before)],
            _ => vec![],
        };
        let aggregates = picked.into_iter().map(|(of, which, filter)| {
            let state = &states()[of];
            let filter = match filter {
                0 => None,
                1 => Some(condition(state, before)),
                2 => Some(call(Op::And, &[condition(state, before), condition(state, When::Closing)])),
                _ => Some(condition(state, When::Moment)),
            };
            let aggregate = of_customers(filter, measure(state, which), labels.clone());
            Aggregate { moved: moves()[moved].clone(), existing: existing && which == 0, ..aggregate }
        });
        let mut pass = pass(aggregates.collect());
        pass.per = per.map(Grain::ordinary);
        pass.zone = if zoned { "America/New_York".into() } else { "UTC".into() };
        (pass.until, pass.now) = (19_790 * DAY, now * DAY);
        pass.from = (windowed || pass.per.is_some()).then_some(19_730 * DAY);
        pass.exists = Some(Existence {
            entity: "customer".into(), from: None, streams: vec![("orders".into(), "customer".into())],
            intervals: Vec::new(),
        });
        let zone = Zone::named(&pass.zone).unwrap();
        let data = Data { orders: &orders, visits: &visits, texts: memory.texts.clone(), zone, now: pass.now };
        prop_assert_eq!(shown_lines(&cells(&memory, &pass), &pass), data.cells(&pass, 5));
    }

    #[test]
    fn what_changes_between_moments_makes_the_same_counts_and_sums(
        (orders, visits) in shops(), picked in proptest::collection::vec((0..STATES, 0..4_u8), 1..4),
        label in (0..4_u8, 0..STATES), moved in 0..10_usize, existing in any::<bool>(), batch in 1..40_usize,
        per in proptest::sample::select(vec![TimeUnit::Day, TimeUnit::Week, TimeUnit::Month]),
    ) {
        let mut memory = shop(5, &orders, &visits);
        memory.batch = batch;
        let labels = match label {
            (0, of) => vec![held(&states()[of], When::Closing)],
            (1, _) => vec![region(false)],
            (2, of) => vec![region(false), held(&states()[of], When::Moment)],
            _ => vec![],
        };
        let aggregates = picked.into_iter().map(|(of, which)| {
            let state = &states()[of];
            // Floats are not taken back: they are not exact.
            let exact = state.value == Some(field("amount")) && state.unit.kind == Kind::Number;
            let measure = match which {
                1 if exact => Measure::Avg(held(state, When::Moment)),
                2 if exact => Measure::Sum(held(state, When::Closing)),
                _ => Measure::Count,
            };
            let filter = (which < 3).then(|| condition(state, When::Moment));
            let aggregate = of_customers(filter, measure, labels.clone());
            Aggregate { moved: moves()[moved].clone(), existing, ..aggregate }
        });
        let mut pass = pass(aggregates.collect());
        pass.per = Some(Grain::ordinary(per));
        (pass.from, pass.until) = (Some(19_715 * DAY), 19_790 * DAY);
        pass.exists = Some(Existence {
            entity: "customer".into(), from: None, streams: vec![("orders".into(), "customer".into())],
            intervals: Vec::new(),
        });
        prop_assert!(super::plan::Plan::new(&pass, &source(&memory)).unwrap().kept(&pass.aggregates, 5).is_some());
        let data = Data { orders: &orders, visits: &visits, texts: memory.texts.clone(), zone: Zone::utc(), now: pass.now };
        prop_assert_eq!(shown_lines(&cells(&memory, &pass), &pass), data.cells(&pass, 5));
    }

    #[test]
    fn events_see_the_state_at_their_own_moment(
        (orders, visits) in shops(), of in 0..STATES, label in 0..STATES, ordered in any::<bool>(),
        batch in 1..40_usize, windowed in any::<bool>(),
    ) {
        let mut memory = shop(5, &orders, &visits);
        memory.batch = batch;
        let stream = if ordered { "orders" } else { "visits" };
        let labels = vec![held(&states()[label], When::Moment), customer()];
        let filter = condition(&states()[of], When::Moment);
        let mut pass = pass(vec![aggregate(events(stream, vec![]), Some(filter.clone()), Measure::Count, labels.clone())]);
        pass.from = windowed.then_some(19_730 * DAY);
        let zone = Zone::utc();
        let data = Data { orders: &orders, visits: &visits, texts: memory.texts.clone(), zone, now: pass.now };
        let mut counts: BTreeMap<Vec<String>, i64> = BTreeMap::new();
        for (place, (at, _)) in data.rows(stream).into_iter().enumerate() {
            if pass.from.is_none_or(|f| at >= f) && data.of_event(&filter, stream, place) == V::Bool(true) {
                let labels = labels.iter().map(|l| shown(&data.of_event(l, stream, place))).collect();
                *counts.entry(labels).or_default() += 1;
            }
        }
        let mut expected: Vec<String> = counts.into_iter()
            .map(|(labels, n)| format!("{} {} {n}", labels.join(" "), shown(&V::Number(n as f64))))
            .collect();
        expected.sort();
        prop_assert_eq!(shown_lines(&cells(&memory, &pass), &pass), expected);
    }

    #[test]
    fn edges_agree_with_what_holds_before_and_after_each_moment(
        (orders, visits) in shops(), of in 0..STATES, edge in 0..3_usize, batch in 1..40_usize,
    ) {
        let mut memory = shop(5, &orders, &visits);
        memory.batch = batch;
        let state = states()[of].clone();
        let edge = [Edge::Start, Edge::End, Edge::Stay][edge];
        let value = row(state.unit.kind.clone(), RowNode::Field(VALUE.into()));
        let length = row(Kind::Duration, RowNode::Field(LENGTH.into()));
        let product = match &state.from.base {
            Base::Stream(stream) if stream == "orders" => field("product"),
            _ => row(Kind::Text, RowNode::Const(Value::Missing)),
        };
        let labels = vec![customer(), moment(), value, length, product];
        let pass = pass(vec![aggregate(edges(&state, edge), None, Measure::Count, labels)]);
        let data = Data { orders: &orders, visits: &visits, texts: memory.texts.clone(), zone: Zone::utc(), now: pass.now };
        let without_count = |line: String| line.rsplitn(3, ' ').nth(2).unwrap().to_string();
        let number = |word: &str| word.parse::<f64>().map_or(word.to_string(), |n| shown(&V::Number(n)));
        let found = lines(&cells(&memory, &pass)).into_iter().map(without_count);
        let mut found: Vec<String> =
            found.map(|line| line.split(' ').map(number).collect::<Vec<_>>().join(" ")).collect();
        found.sort();
        prop_assert_eq!(found, data.edges(&state, edge, 5));
    }

    #[test]
    fn closing_is_opening_and_started_less_ended(
        (orders, visits) in shops(), of in 0..STATES, zoned in any::<bool>(),
        per in proptest::sample::select(vec![TimeUnit::Day, TimeUnit::Week, TimeUnit::Month]),
    ) {
        let memory = shop(5, &orders, &visits);
        let state = states()[of].clone();
        let known = match state.unit.kind {
            Kind::Bool => held(&state, When::Moment),
            // Whoever has a value is in it, also where that is 0: a state of numbers says so where it holds.
            _ => held(&State { holds: Some(call(Op::Not, &[call(Op::IsMissing, &[
                row(state.unit.kind.clone(), RowNode::Field(VALUE.into()))])])), unit: Unit::of(Kind::Bool), ..state.clone()
            }, When::Moment),
        };
        let count = |aggregate: Aggregate| -> BTreeMap<String, i64> {
            let mut pass = pass(vec![aggregate]);
            pass.per = Some(Grain::ordinary(per));
            pass.zone = if zoned { "America/New_York".into() } else { "UTC".into() };
            (pass.from, pass.until) = (Some(19_715 * DAY), 19_880 * DAY);
            let of = |line: String| {
                let words: Vec<&str> = line.split(' ').collect();
                (words[0].to_string(), words[1].parse().unwrap())
            };
            lines(&cells(&memory, &pass)).into_iter().map(of).collect()
        };
        let closing = of_customers(Some(known), Measure::Count, vec![]);
        let opening = Aggregate { moved: vec![Move::Start], ..closing.clone() };
        let edge = |edge| count(aggregate(edges(&state, edge), None, Measure::Count, vec![]));
        let (closing, opening, started, ended) = (count(closing), count(opening), edge(Edge::Start), edge(Edge::End));
        let mut periods: Vec<&String> = closing.keys().chain(opening.keys()).chain(started.keys()).chain(ended.keys()).collect();
        periods.sort();
        periods.dedup();
        let of = |counts: &BTreeMap<String, i64>, period: &String| counts.get(period).copied().unwrap_or(0);
        for period in periods {
            prop_assert_eq!(of(&closing, period), of(&opening, period) + of(&started, period) - of(&ended, period));
        }
    }
}
