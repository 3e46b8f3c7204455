//! Made rows, with numbers that a person can check.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use crate::pass::testing::*;
use kepi_model::calendar::Zone;
use kepi_model::core::*;
use kepi_model::value::{CalendarSpan, Kind};

/// Minutes of a day.
fn minute(number: i64) -> i64 {
    Zone::utc().instant("2024-01-01T00:00".parse().unwrap()) + number * 60_000_000
}

fn minutes(count: i64) -> CalendarSpan {
    CalendarSpan { months: 0, days: 0, micros: count * 60_000_000 }
}

fn of(made: Made) -> Events {
    Events { base: Base::Made(Box::new(made)), stages: vec![] }
}

fn own(kind: Kind, name: &str) -> Row {
    row(kind, RowNode::Field(name.into()))
}

fn sessions() -> Events {
    of(Made::Sessions { events: events("orders", vec![]), key: customer(), gap: minutes(30) })
}

/// Two customers whose rows lie between each other, and a row of nobody.
fn browsing() -> Memory {
    let rows = [(0, 0, 2), (10, 1, 3), (20, 0, 3), (50, 0, 4), (81, 0, 2), (90, 1, 4), (120, 1, 2)];
    let mut orders: Vec<Order> =
        rows.iter().map(|&(at, who, product)| (minute(at), Some(who), product, Some(at * 100), None)).collect();
    orders.push((minute(121), None, 2, None, None));
    shop(2, &orders, &[(minute(15), Some(0)), (minute(85), Some(0)), (minute(200), Some(1))])
}

#[test]
fn sessions_end_where_the_gap_is_longer() {
    // c0: 0, 20, 50 (exactly half an hour later) | 81; c1: 10 | 90, 120.
    let what = |row| aggregate(sessions(), None, Measure::First(row), vec![customer(), moment()]);
    let length = what(own(Kind::Duration, LENGTH));
    let count = what(own(Kind::Count, COUNT));
    let product = what(field("product"));
    let found = cells(&browsing(), &pass(vec![length, count, product]));
    assert_eq!(
        lines(&found),
        [
            "c0 2024-01-01T00:00:00Z 3000.000000 1 3 1 apple 1",
            "c0 2024-01-01T01:21:00Z 0.000000 1 1 1 apple 1",
            "c1 2024-01-01T00:10:00Z 0.000000 1 1 1 pear 1",
            "c1 2024-01-01T01:30:00Z 1800.000000 1 2 1 plum 1",
        ]
    );
}

#[test]
fn made_rows_have_histories_and_are_histories() {
    // How many sessions the customer has had, and how many visits, at each session.
    let nth = history(sessions(), None, Measure::Count, Reach::AllTime);
    let visits = history(events("visits", vec![]), None, Measure::Count, Reach::AllTime);
    let of_session = |row| aggregate(sessions(), None, Measure::Last(row), vec![customer(), moment()]);
    let found = cells(&browsing(), &pass(vec![of_session(nth), of_session(visits)]));
    assert_eq!(
        lines(&found),
        [
            "c0 2024-01-01T00:00:00Z 1 1 0 1",
            "c0 2024-01-01T01:21:00Z 2 1 1 1",
            "c1 2024-01-01T00:10:00Z 1 1 0 1",
            "c1 2024-01-01T01:30:00Z 2 1 0 1",
        ]
    );
    // The length of the session so far seen from visits, and from customers.
    let longest = history(sessions(), None, Measure::Max(own(Kind::Duration, LENGTH)), Reach::AllTime);
    let seen = aggregate(events("visits", vec![]), None, Measure::First(longest.clone()), vec![moment()]);
    assert_eq!(
        lines(&cells(&browsing(), &pass(vec![seen]))),
        [
            "2024-01-01T00:15:00Z 3000.000000 1",
            "2024-01-01T01:25:00Z 3000.000000 1",
            "2024-01-01T03:20:00Z 1800.000000 1",
        ]
    );
    let all = Events { base: Base::Entity("customer".into()), stages: vec![] };
    let of_customer = aggregate(all, None, Measure::Sum(longest), vec![]);
    assert_eq!(lines(&cells(&browsing(), &pass(vec![of_customer]))), ["4800.000000 2"]);
}

#[test]
fn made_rows_are_made_of_made_rows() {
    // Sessions of sessions: those of c0 begin 81 minutes apart, those of c1 80.
    let again = Made::Sessions { events: sessions(), key: customer(), gap: minutes(80) };
    let count = aggregate(of(again), None, Measure::Sum(own(Kind::Count, COUNT)), vec![customer(), field("product")]);
    assert_eq!(lines(&cells(&browsing(), &pass(vec![count]))), ["c0 apple 2 2", "c1 pear 2 1"]);
}

#[test]
fn the_gap_is_the_time_since_the_row_before() {
    let mut before = history(events("orders", vec![]), None, Measure::Last(moment()), Reach::AllTime);
    if let RowNode::History(history) = &mut before.node {
        history.before = true;
    }
    let gap = call(Op::Elapsed, &[moment(), before]);
    let of = |measure| aggregate(events("orders", vec![]), None, measure, vec![customer()]);
    let found =
        cells(&browsing(), &pass(vec![of(Measure::Sum(gap.clone())), of(Measure::Count), of(Measure::Min(gap))]));
    // c0: 20, 30, 31 minutes; c1: 80, 30; nobody has none.
    assert_eq!(
        lines(&found),
        ["c0 4860.000000 4 4 4 1200.000000 4", "c1 6600.000000 3 3 3 1800.000000 3", "- 0.000000 1 1 1 - 1"]
    );
}

#[test]
fn who_has_no_entity_is_counted() {
    let pass = pass(vec![aggregate(sessions(), None, Measure::Count, vec![])]);
    let leaf = crate::LeafExec::plan(pass, source(&browsing()), 2).unwrap();
    assert_eq!(lines(&collected(std::sync::Arc::clone(&leaf)).unwrap()), ["4 4"]);
    let report = leaf.report();
    assert_eq!((report.without_entity, report.rows_scanned, report.rows_kept), (vec![1], 8, 4));
}

#[test]
fn made_rows_are_made_once_and_counted_against_the_limit() {
    let memory = browsing();
    let source = source(&memory);
    let Base::Made(made) = sessions().base else { panic!("sessions are made") };
    let streams = std::thread::scope(|scope| {
        let ask = || {
            let stream = source.made(&made, "UTC", 0).unwrap();
            let rows = stream.rows(&source).unwrap();
            (std::sync::Arc::as_ptr(&stream) as usize, rows.at.as_ptr() as usize)
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(streams.iter().all(|s| *s == streams[0]));
    let small = crate::Source::new(std::sync::Arc::new(memory), Default::default(), Default::default());
    let small = small.with_memory_max(Some(40));
    let stream = small.made(&made, "UTC", 0).unwrap();
    assert!(matches!(stream.rows(&small), Err(crate::ExecError::Memory { limit: 40 })));
}
