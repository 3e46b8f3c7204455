//! Sessions, returns and lifecycles against loops over rows: tiny random data, the same made rows.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use super::Rows;
use crate::pass::testing::*;
use crate::rows::Values;
use kepi_model::calendar::{Grain, TimeUnit, Zone};
use kepi_model::core::*;
use kepi_model::value::{CalendarSpan, Kind};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

type Visit = (i64, Option<u32>);

/// Orders and visits of three people in rising order, every seven hours from a day in spring on.
fn happenings() -> impl Strategy<Value = (Vec<Order>, Vec<Visit>)> {
    let at = |step: i64| 19_780 * DAY + step * 7 * 3_600_000_000;
    let who = || proptest::option::weighted(0.9, 0..3_u32);
    let orders = proptest::collection::vec((0..700_i64, who(), 2..5_u32), 0..25);
    let visits = proptest::collection::vec((0..700_i64, who()), 0..25);
    (orders, visits).prop_map(move |(orders, visits)| {
        let mut orders: Vec<Order> = orders.into_iter().map(|o| (at(o.0), o.1, o.2, None, None)).collect();
        orders.sort_by_key(|o| o.0);
        let mut visits: Vec<Visit> = visits.into_iter().map(|v| (at(v.0), v.1)).collect();
        visits.sort_by_key(|v| v.0);
        (orders, visits)
    })
}

fn grains() -> impl Strategy<Value = Grain> {
    let units =
        [TimeUnit::Hour, TimeUnit::Day, TimeUnit::Week, TimeUnit::Month, TimeUnit::Quarter, TimeUnit::Year].to_vec();
    proptest::sample::select(units).prop_map(Grain::ordinary)
}

fn span(grain: &Grain, count: i64) -> CalendarSpan {
    let (months, days, micros) = match grain.unit {
        TimeUnit::Hour => (0, 0, 3_600_000_000),
        TimeUnit::Day => (0, 1, 0),
        TimeUnit::Week => (0, 7, 0),
        TimeUnit::Month => (1, 0, 0),
        TimeUnit::Quarter => (3, 0, 0),
        _ => (12, 0, 0),
    };
    let count32 = i32::try_from(count).unwrap();
    CalendarSpan { months: months * count32, days: days * count32, micros: micros * count }
}

fn made(memory: &Memory, made: &Made, zone: &str, look: impl FnOnce(&Rows)) {
    // Some have rows enough to be read in several stretches of time.
    let source = source(memory).with_threads(3);
    let stream = source.made(made, zone, 0).unwrap();
    look(stream.rows(&source).unwrap());
}

fn decimals(values: &Values) -> Vec<i64> {
    match values {
        Values::Decimal(v, _) => v.to_vec(),
        Values::Time(v) => v.to_vec(),
        other => panic!("{}", other.words()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn sessions_agree_with_loops_over_rows(
        (orders, visits) in happenings(), steps in 0..9_i64, days in 0..2_i32, batch in 1..9_usize,
    ) {
        let mut memory = shop(3, &orders, &visits);
        memory.batch = batch;
        let gap = CalendarSpan { months: 0, days, micros: steps * 7 * 3_600_000_000 };
        let zone = Zone::named("America/New_York").unwrap();
        let mut sessions: BTreeMap<usize, (i64, i64, i64)> = BTreeMap::new();
        for who in 0..3 {
            let own: Vec<usize> = (0..orders.len()).filter(|&i| orders[i].1 == Some(who)).collect();
            let mut first = None;
            for (i, &row) in own.iter().enumerate() {
                let joins = i > 0 && orders[row].0 <= zone.add(orders[own[i - 1]].0, gap);
                let first = match first {
                    Some(first) if joins => first,
                    _ => *first.insert(row),
                };
                let session = sessions.entry(first).or_insert((orders[first].0, 0, 0));
                (session.1, session.2) = (orders[row].0 - session.0, session.2 + 1);
            }
        }
        let of = Made::Sessions { events: events("orders", vec![]), key: customer(), gap };
        made(&memory, &of, "America/New_York", |rows| {
            let (lengths, counts) = (decimals(&rows.own[0].values), decimals(&rows.own[1].values));
            let found: Vec<_> = (0..rows.at.len())
                .map(|i| (rows.parents[0][i] as usize, (rows.at[i], lengths[i], counts[i])))
                .collect();
            assert_eq!(found, sessions.into_iter().collect::<Vec<_>>());
        });
    }

    #[test]
    fn returns_agree_with_loops_over_rows(
        (orders, visits) in happenings(), grain in grains(), own_clock in any::<bool>(), onward in any::<bool>(),
        brackets in proptest::collection::btree_set(1..40_i64, 0..4), firsts in any::<bool>(), same in any::<bool>(),
        batch in 1..9_usize, zone in proptest::sample::select(vec!["UTC", "America/New_York"]),
        at_least in 1..4_u32, hold in any::<bool>(),
    ) {
        let mut memory = shop(3, &orders, &visits);
        memory.batch = batch;
        // Visits have nothing to hold.
        let hold = hold && same;
        let brackets: Vec<i64> = brackets.into_iter().collect();
        let stages = if firsts { vec![Stage::First { per: customer() }] } else { vec![] };
        let keyed = |stream: &str, stages| Keyed { events: events(stream, stages), key: customer() };
        let returns = Returns {
            start: keyed("orders", stages),
            back: keyed(if same { "orders" } else { "visits" }, vec![]),
            grain: grain.clone(), own_clock, onward, brackets: brackets.clone(),
            hold: hold.then(|| Held { start: field("product"), back: field("product") }),
            at_least,
            asked: false,
        };
        let held = |product: u32| if hold { product } else { 0 };
        let of_order = |o: &Order| (o.0, o.1, held(o.2));
        let of_visit = |v: &Visit| (v.0, v.1, 0);
        let backs: Vec<(i64, Option<u32>, u32)> =
            if same { orders.iter().map(of_order).collect() } else { visits.iter().map(of_visit).collect() };
        let calendar = Zone::named(zone).unwrap();
        let age = |start: i64, back: i64| match own_clock {
            true => (1..).find(|&n| calendar.add(start, span(&grain, n)) > back).unwrap() - 1,
            false => calendar.periods_between(&grain, start, back),
        };
        let bracket = |age: i64| match brackets.iter().position(|&end| age <= end) {
            _ if brackets.is_empty() || age < 1 => Some(age),
            Some(place) => Some(place as i64 + 1),
            None => onward.then_some(brackets.len() as i64),
        };
        let mut begun = BTreeSet::new();
        let mut expected = Vec::new();
        for (place, order) in orders.iter().enumerate() {
            let Some(who) = order.1 else { continue };
            let cohort = calendar.truncate(&grain, order.0);
            if !begun.insert(if firsts { (who, 0, 0) } else { (who, held(order.2), cohort) }) {
                continue;
            }
            expected.push((order.0, place as u32, cohort, None));
            let same = |b: &&(i64, Option<u32>, u32)| b.1 == Some(who) && b.0 > order.0 && b.2 == held(order.2);
            let mut counts: BTreeMap<i64, u32> = BTreeMap::new();
            backs.iter().filter(same).for_each(|b| *counts.entry(age(order.0, b.0)).or_default() += 1);
            let ages = counts.into_iter().filter(|c| c.1 >= at_least).map(|c| c.0);
            let ages: BTreeSet<i64> = ages.filter_map(bracket).filter(|&a| a > 0).collect();
            let kept: Vec<i64> = if onward { ages.last().copied().into_iter().collect() } else { ages.into_iter().collect() };
            expected.extend(kept.into_iter().map(|age| (order.0, place as u32, cohort, Some(age))));
        }
        made(&memory, &Made::Returns(Box::new(returns)), zone, |rows| {
            let (cohorts, ages) = (decimals(&rows.own[0].values), decimals(&rows.own[1].values));
            let age = |i: usize| rows.own[1].is_known(i).then_some(ages[i]);
            let found: Vec<_> =
                (0..rows.at.len()).map(|i| (rows.at[i], rows.parents[0][i], cohorts[i], age(i))).collect();
            assert_eq!(found, expected);
        });
    }

    #[test]
    fn lifecycles_agree_with_loops_over_rows(
        (orders, visits) in happenings(), grain in grains(), same in any::<bool>(), batch in 1..9_usize,
        entities in any::<bool>(),
    ) {
        let mut memory = shop(3, &orders, &visits);
        memory.batch = batch;
        let zone = Zone::named("America/New_York").unwrap();
        let stream = if same { "orders" } else { "visits" };
        let by: Vec<Visit> = if same { orders.iter().map(|o| (o.0, o.1)).collect() } else { visits.clone() };
        let stage = |who: Option<u32>, moment: i64| {
            let periods: BTreeSet<i64> = by.iter().filter(|v| v.1.is_some() && v.1 == who && v.0 <= moment)
                .map(|v| zone.truncate(&grain, v.0)).collect();
            let own = zone.truncate(&grain, moment);
            let before = zone.truncate(&grain, own - 1);
            match (periods.contains(&own), periods.contains(&before), periods.first().is_some_and(|&p| p < own)) {
                (true, _, false) => "new",
                (true, true, _) => "returning",
                (true, false, _) => "resurrecting",
                (false, true, _) => "dormant",
                _ => "-",
            }
        };
        let rows = Box::new(Keyed { events: events(stream, vec![]), key: customer() });
        let node = RowNode::Lifecycle { rows, of: Box::new(customer()), grain: grain.clone() };
        let label = row(Kind::Text, node);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let base = match entities {
            true => Events { base: Base::Entity("customer".into()), stages: vec![] },
            false => events("orders", vec![]),
        };
        let mut pass = pass(vec![aggregate(base, None, Measure::Count, vec![label])]);
        pass.zone = "America/New_York".into();
        if entities {
            pass.until = 19_850 * DAY;
            (0..3).for_each(|who| *counts.entry(stage(Some(who), pass.until - 1).into()).or_default() += 1);
        } else {
            orders.iter().for_each(|o| *counts.entry(stage(o.1, o.0).into()).or_default() += 1);
        }
        let mut expected: Vec<String> = counts.into_iter().map(|(stage, n)| format!("{stage} {n} {n}")).collect();
        expected.sort();
        let mut found = lines(&cells(&memory, &pass));
        found.sort();
        prop_assert_eq!(found, expected);
    }
}
