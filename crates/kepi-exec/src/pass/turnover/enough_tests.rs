//! Who has enough rows, counted, against entities looked at one by one.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use super::{count_enough, history_counted};
use crate::pass::naive::shops;
use crate::pass::state::Cells;
use crate::pass::state_naive::{days, of_customers};
use crate::pass::testing::*;
use crate::pass::{Part, entity};
use kepi_model::calendar::{Grain, TimeUnit};
use kepi_model::core::*;
use kepi_model::value::CalendarSpan;
use proptest::prelude::*;

fn rows(which: u8) -> (Events, Option<Row>) {
    let large = call(Op::Greater, &[field("amount"), number(2, 0)]);
    let firsts = Stage::First { per: customer() };
    match which {
        0 => (events("orders", vec![]), None),
        1 => (events("orders", vec![Stage::Where(large.clone())]), None),
        2 => (events("visits", vec![]), None),
        3 => (events("orders", vec![firsts]), None),
        _ => (events("orders", vec![Stage::Where(large.clone()), firsts]), Some(large)),
    }
}

fn reach(which: u8) -> Reach {
    match which {
        0 => Reach::AllTime,
        1 => Reach::Last(days(9)),
        2 => Reach::Last(CalendarSpan { months: 1, days: 0, micros: 0 }),
        3 => Reach::Last(CalendarSpan { months: 0, days: 0, micros: 40 * 3_600_000_000 }),
        _ => Reach::Period,
    }
}

/// A condition on a count, one of those that mean the same.
fn at_least(count: Row, least: i128, which: u8) -> Row {
    match which {
        0 => call(Op::GreaterEqual, &[count, number(least, 0)]),
        1 => call(Op::Greater, &[count, number(least * 10 - 5, 1)]),
        2 => call(Op::Less, &[number(least - 1, 0), count]),
        _ => call(Op::LessEqual, &[number(least * 100, 2), count]),
    }
}

fn existence(which: u8) -> Option<Existence> {
    let of = |from: Option<&str>, streams: &[&str]| Existence {
        entity: "customer".into(),
        from: from.map(String::from),
        streams: streams.iter().map(|stream| (stream.to_string(), "customer".to_string())).collect(),
        intervals: Vec::new(),
    };
    match which {
        0 => None,
        1 => Some(of(None, &["orders"])),
        2 => Some(of(None, &["visits"])),
        _ => Some(of(None, &["visits", "orders"])),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn who_has_enough_rows_is_whoever_is_found_to_have_them(
        (orders, visits) in shops(), of in 0..5_u8, over in 0..5_u8, exists in (0..4_u8, any::<bool>()),
        asked in proptest::collection::vec((1..4_i128, 0..4_u8, 0..3_u8), 1..4), labels in 0..3_u8,
        per in proptest::option::of(proptest::sample::select(vec![TimeUnit::Day, TimeUnit::Week, TimeUnit::Month])),
        (from, until, is_moment) in (proptest::option::of(19_700..19_760_i64), 19_761..19_800_i64, any::<bool>()),
        zone in proptest::sample::select(vec!["UTC", "America/New_York"]),
        (batch, threads) in (1..40_usize, 1..4_usize),
    ) {
        let mut memory = shop(5, &orders, &visits);
        memory.batch = batch;
        let labels = match labels {
            0 => vec![],
            1 => vec![region(false)],
            _ => vec![customer()],
        };
        let north = || call(Op::Equal, &[region(false), text("north")]);
        let aggregates = asked.iter().map(|&(least, written, filter)| {
            let (events, only) = rows(of);
            let enough = at_least(history(events, only, Measure::Count, reach(over)), least, written);
            let filter = match filter {
                0 => enough,
                1 => call(Op::And, &[enough, north()]),
                _ => call(Op::And, &[call(Op::Not, &[north()]), enough]),
            };
            Aggregate { existing: exists.1, ..of_customers(Some(filter), Measure::Count, labels.clone()) }
        });
        let mut pass = pass(aggregates.collect());
        pass.per = per.map(Grain::ordinary);
        pass.zone = zone.into();
        pass.from = from.map(|day| day * DAY + 7);
        pass.moment = is_moment && pass.per.is_none();
        (pass.until, pass.now) = (until * DAY, until * DAY);
        pass.exists = existence(exists.0);
        let source = source(&memory).with_threads(threads);
        let counted = count_enough(&pass, &source, &Part::default()).unwrap();
        // A month before days that it does not have comes in another order.
        prop_assert!(counted.is_some() || over == 2 || orders.is_empty() || visits.is_empty());
        let Some(counted) = counted else { return Ok(()) };
        let looked = entity::run(&pass, &source).unwrap();
        prop_assert_eq!(counted.report.rows_kept, looked.report.rows_kept);
        prop_assert!(pass.from.is_some() || counted.report.first == looked.report.first);
        let schema = pass.schema(&source).unwrap();
        let lines_of = |mut cells: Cells| lines(&cells.emit(&pass, &source, schema.clone()).unwrap());
        prop_assert_eq!(lines_of(counted), lines_of(looked));
    }
}

#[test]
fn what_asks_for_more_than_enough_rows_is_looked_at() {
    let counted = || history(events("orders", vec![]), None, Measure::Count, Reach::Last(days(9)));
    let least = |number_of| call(Op::GreaterEqual, &[counted(), number(number_of, 0)]);
    let of = |filter: Row| of_customers(Some(filter), Measure::Count, vec![]);
    assert!(history_counted(&of(least(2))).is_some());
    assert!(
        history_counted(&of(call(Op::And, &[least(2), call(Op::Equal, &[region(false), text("north")])]))).is_some()
    );
    // None at all; too many; not so many; two conditions; a region of that time; a sum.
    assert!(history_counted(&of(least(0))).is_none());
    assert!(history_counted(&of(least(9))).is_none());
    assert!(history_counted(&of(call(Op::Less, &[counted(), number(2, 0)]))).is_none());
    assert!(history_counted(&of(call(Op::And, &[least(2), least(1)]))).is_none());
    assert!(
        history_counted(&of(call(Op::And, &[least(2), call(Op::Equal, &[region(true), text("north")])]))).is_none()
    );
    let sum = history(events("orders", vec![]), None, Measure::Sum(field("amount")), Reach::AllTime);
    assert!(history_counted(&of(call(Op::GreaterEqual, &[sum, number(2, 0)]))).is_none());
    let of_moved = Aggregate { moved: vec![Move::Running], ..of(least(2)) };
    assert!(history_counted(&of_moved).is_none());
}
