//! Returns that are counted, against those that are made.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use super::{WAY, count, takes};
use crate::pass::state::Cells;
use crate::pass::testing::*;
use crate::pass::{Part, run_part, together};
use kepi_model::calendar::{Grain, TimeUnit};
use kepi_model::core::*;
use kepi_model::value::Kind;
use proptest::prelude::*;

fn age() -> Row {
    row(Kind::Number, RowNode::Field(AGE.into()))
}

fn cohort() -> Row {
    row(Kind::Time, RowNode::Field(COHORT.into()))
}

fn units() -> impl Strategy<Value = TimeUnit> {
    proptest::sample::select(vec![TimeUnit::Day, TimeUnit::Week, TimeUnit::Month, TimeUnit::Hour])
}

fn happenings() -> impl Strategy<Value = (Vec<Order>, Vec<(i64, Option<u32>)>)> {
    let at = || (0..260_i64).prop_map(|n| 19_700 * DAY + n * DAY / 2 + n % 3 * 3_600_000_000);
    let order = (at(), proptest::option::weighted(0.9, 0..5_u32), 2..5_u32);
    let order = order.prop_map(|(at, who, product)| (at, who, product, Some(100), None));
    let visit = (at(), proptest::option::weighted(0.9, 0..5_u32));
    (proptest::collection::vec(order, 0..40), proptest::collection::vec(visit, 0..60)).prop_map(|(mut o, mut v)| {
        o.sort_by_key(|o| o.0);
        v.sort_by_key(|v| v.0);
        (o, v)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn counted_returns_are_those_that_are_made(
        (orders, visits) in happenings(), unit in units(), onward in any::<bool>(), firsts in any::<bool>(),
        brackets in proptest::collection::btree_set(1..9_i64, 0..3), (same, own_clock) in any::<(bool, bool)>(),
        batch in 1..9_usize,
        zone in proptest::sample::select(vec!["UTC", "America/New_York"]), per in proptest::option::of(units()),
        (by_region, by_product, by_cohort, by_age) in any::<(bool, bool, bool, bool)>(),
        from in proptest::option::of(0..90_i64), until in 60..140_i64, only in proptest::option::of(1..4_i128),
        (asked, filtered, sizes) in any::<(bool, bool, bool)>(),
    ) {
        let mut memory = shop(5, &orders, &visits);
        memory.batch = batch;
        let mut stages = if firsts { vec![Stage::First { per: customer() }] } else { vec![] };
        let apple = call(Op::Equal, &[field("product"), text("apple")]);
        if asked {
            stages.push(Stage::Where(apple.clone()));
        }
        let keyed = |stream: &str, stages| Keyed { events: events(stream, stages), key: customer() };
        let returns = Returns {
            start: keyed("orders", stages),
            back: keyed(if same { "orders" } else { "visits" }, vec![]),
            grain: Grain::ordinary(unit), own_clock, onward, brackets: brackets.into_iter().collect(),
            hold: None, at_least: 1, asked,
        };
        let base = Events { base: Base::Made(Box::new(Made::Returns(Box::new(returns)))), stages: vec![] };
        let mut labels = Vec::new();
        labels.extend(by_region.then(|| region(false)));
        labels.extend(by_product.then(|| field("product")));
        labels.extend(by_cohort.then(cohort));
        labels.extend(by_age.then(age));
        let member = call(Op::IsMissing, &[age()]);
        let mut back = call(Op::Not, std::slice::from_ref(&member));
        if let Some(only) = only {
            let op = if onward { Op::GreaterEqual } else { Op::Equal };
            back = call(op, &[age(), number(only, 0)]);
        }
        if filtered {
            back = call(Op::And, &[back, apple]);
        }
        let mut aggregates = Vec::new();
        if sizes {
            aggregates.push(aggregate(base.clone(), Some(member), Measure::Count, labels.clone()));
        }
        aggregates.push(aggregate(base, Some(back), Measure::Count, labels));
        let mut pass = pass(aggregates);
        pass.zone = zone.into();
        pass.per = per.map(Grain::ordinary);
        pass.from = from.map(|day| (19_700 + day) * DAY + 7);
        pass.until = (19_700 + until) * DAY;
        let source = source(&memory);
        let counted = count(&pass, &source, &Part::default()).unwrap();
        // Who begins once at most is never made.
        let limited = !sizes && only.is_some_and(|only| !onward || only > 1);
        prop_assert!(counted.is_some() || unit == TimeUnit::Hour || !firsts || limited);
        prop_assert_eq!(takes(&pass), unit != TimeUnit::Hour && (firsts || !same) && !limited);
        let Some(counted) = counted else { return Ok(()) };
        // A part that is all of it is read row by row.
        let all = Part { until: Some(i64::MAX), ..Part::default() };
        let made = together(run_part(&pass, &source, &all).unwrap(), &pass, &source).unwrap();
        let (a, b) = (&counted.report, &made.report);
        prop_assert_eq!((a.rows_kept, &a.without_entity), (b.rows_kept, &b.without_entity));
        prop_assert_eq!(a.first, b.first);
        let schema = pass.schema(&source).unwrap();
        let lines_of = |mut cells: Cells| lines(&cells.emit(&pass, &source, schema.clone()).unwrap());
        // Where only some ids fit at once, down to one of them.
        for bytes in [1_000, 1_500, 2_400] {
            let limited = source.clone().with_memory_max(Some(bytes));
            let cut = count(&pass, &limited, &Part::default()).unwrap().unwrap();
            let (c, own) = (&cut.report, &counted.report);
            prop_assert_eq!((c.rows_kept, c.rows_scanned, c.first), (own.rows_kept, own.rows_scanned, own.first));
            prop_assert_eq!(&c.without_entity, &own.without_entity);
            prop_assert_eq!(lines_of(cut), lines_of(counted.clone()), "{} bytes", bytes);
        }
        prop_assert_eq!(lines_of(counted), lines_of(made));
    }
}

/// Who comes back to visit, by day, of those with an order, or the first of them.
fn daily(stages: Vec<Stage>) -> Events {
    let keyed = |stream: &str, stages| Keyed { events: events(stream, stages), key: customer() };
    let returns = of_returns(keyed("orders", stages), keyed("visits", vec![]), Grain::ordinary(TimeUnit::Day));
    Events { base: Base::Made(Box::new(Made::Returns(Box::new(returns)))), stages: vec![] }
}

#[test]
fn who_begins_twice_is_made_and_who_begins_once_is_counted() {
    let day = |n: i64| 19_700 * DAY + n * DAY;
    let order = |n, who| (day(n), Some(who), 2, Some(1), None);
    let pass_of = |firsts: bool| {
        let stages = if firsts { vec![Stage::First { per: customer() }] } else { vec![] };
        let base = daily(stages);
        let back = call(Op::Not, &[call(Op::IsMissing, &[age()])]);
        pass(vec![aggregate(base, Some(back), Measure::Count, vec![cohort(), age()])])
    };
    let visits = [(day(1), Some(0)), (day(1), Some(1)), (day(3), Some(1)), (day(3), Some(1))];
    let once = shop(2, &[order(0, 0), order(0, 1)], &visits);
    let twice = shop(2, &[order(0, 0), order(0, 1), order(2, 1)], &visits);
    let counted = |memory: &Memory, firsts| count(&pass_of(firsts), &source(memory), &Part::default()).unwrap();
    assert!(counted(&once, false).is_some() && counted(&twice, true).is_some() && counted(&twice, false).is_none());
    let expected = ["2023-12-09T00:00:00Z 1 2 2", "2023-12-09T00:00:00Z 3 1 1"];
    assert_eq!(lines(&cells(&once, &pass_of(false))), expected);
    let both = ["2023-12-09T00:00:00Z 1 2 2", "2023-12-09T00:00:00Z 3 1 1", "2023-12-11T00:00:00Z 1 1 1"];
    assert_eq!(lines(&cells(&twice, &pass_of(false))), both);
    let leaf = crate::LeafExec::plan(pass_of(true), source(&twice), 2).unwrap();
    collected(std::sync::Arc::clone(&leaf)).unwrap();
    assert_eq!(leaf.report().way, Some(WAY));
}

#[test]
fn members_that_do_not_fit_are_read_in_ranges_of_ids_and_refused_where_not_one_does() {
    let day = |n: i64| 19_700 * DAY + n * DAY;
    let orders: Vec<Order> = (0..500_u32).map(|n| (day(i64::from(n) / 100), Some(n), 2, Some(1), None)).collect();
    let visits: Vec<(i64, Option<u32>)> = (0..900).map(|n| (day(n / 90), Some((n * 7 % 500) as u32))).collect();
    let memory = shop(500, &orders, &visits);
    let base = daily(vec![Stage::First { per: customer() }]);
    let member = call(Op::IsMissing, &[age()]);
    let back = call(Op::Not, std::slice::from_ref(&member));
    let labels = || vec![cohort(), age()];
    let asked = pass(vec![
        aggregate(base.clone(), Some(member), Measure::Count, labels()),
        aggregate(base, Some(back), Measure::Count, labels()),
    ]);
    let limited = |bytes: u64, threads: usize| {
        let source = source(&memory).with_threads(threads).with_memory_max(Some(bytes));
        let leaf = crate::LeafExec::plan(asked.clone(), source, 2)?;
        let found = collected(std::sync::Arc::clone(&leaf))?;
        Ok::<_, crate::ExecError>((lines(&found), leaf.report()))
    };
    let (expected, whole) = limited(1 << 20, 2).unwrap();
    assert!(expected.len() > 30 && whole.ranges == 0, "{expected:?}");
    for (bytes, threads) in [(15_000, 1), (20_000, 2), (5_000, 1), (5_000, 2), (5_000, 3)] {
        let (found, report) = limited(bytes, threads).unwrap();
        assert_eq!(found, expected, "{bytes}");
        assert!(report.ranges > 1, "{bytes}: {}", report.ranges);
        assert_eq!((report.rows_kept, &report.without_entity), (whole.rows_kept, &whole.without_entity));
    }
    let refused = limited(100, 2).unwrap_err();
    assert!(matches!(refused, crate::ExecError::Memory { limit: 100 }), "{refused}");
}
