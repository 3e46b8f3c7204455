//! Made rows, with numbers that a person can check.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use crate::pass::testing::*;
use kepi_model::calendar::{Grain, TimeUnit, Zone};
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

/// Visits of people, days counted from 2020-06-01 at 05:00, as orders.
fn visits(rows: &[(i64, u32)]) -> Memory {
    let start = Zone::utc().instant("2020-06-01T05:00".parse().unwrap());
    let mut orders: Vec<Order> =
        rows.iter().map(|&(day, who)| (start + day * DAY, Some(who), 2, Some(i64::from(who)), None)).collect();
    orders.sort_by_key(|o| o.0);
    shop(4, &orders, &[])
}

fn returns(unit: TimeUnit) -> Returns {
    let orders = || Keyed { events: events("orders", vec![]), key: customer() };
    of_returns(orders(), orders(), Grain::ordinary(unit))
}

/// Members and returns by cohort and age.
fn table(memory: &Memory, returns: Returns) -> Vec<String> {
    let base = of(Made::Returns(Box::new(returns)));
    let labels = vec![own(Kind::Time, COHORT), own(Kind::Count, AGE)];
    lines(&cells(memory, &pass(vec![aggregate(base, None, Measure::Count, labels)])))
}

#[test]
fn who_is_active_on_days_comes_back_on_days() {
    // PostHog, test_retention.py, test_day_interval.
    let memory = visits(&[(9, 0), (10, 0), (11, 0), (14, 0), (14, 0), (15, 0), (10, 1), (11, 1), (12, 1), (15, 1)]);
    let expected = [
        vec![1, 1, 1, 0, 0, 1, 1],
        vec![2, 2, 1, 0, 1, 2],
        vec![2, 1, 0, 1, 2],
        vec![1, 0, 0, 1],
        vec![0],
        vec![1, 1],
        vec![2],
    ];
    let mut wanted = Vec::new();
    for (day, counts) in expected.iter().enumerate() {
        let line = |(age, n): (usize, &i64)| format!("2020-06-{:02}T00:00:00Z {age} {n} {n}", day + 10);
        wanted.extend(counts.iter().enumerate().skip(1).filter(|c| *c.1 > 0).map(line));
        if counts[0] > 0 {
            wanted.push(format!("2020-06-{:02}T00:00:00Z - {} {}", day + 10, counts[0], counts[0]));
        }
    }
    assert_eq!(table(&memory, returns(TimeUnit::Day)), wanted);
}

#[test]
fn returns_by_weeks_onward_and_in_brackets() {
    let first = || events("orders", vec![Stage::First { per: customer() }]);
    let of_firsts = |unit| {
        let mut returns = returns(unit);
        returns.start.events = first();
        returns
    };
    // Weeks begin on 1, 8, 15, 22, 29 June. c0: weeks 0, 1, 3; c1: weeks 1, 2; c2: week 1 only.
    let memory = visits(&[(2, 0), (8, 0), (22, 0), (23, 0), (9, 1), (16, 1), (10, 2)]);
    assert_eq!(
        table(&memory, of_firsts(TimeUnit::Week)),
        [
            "2020-06-01T00:00:00Z 1 1 1",
            "2020-06-01T00:00:00Z 3 1 1",
            "2020-06-01T00:00:00Z - 1 1",
            "2020-06-08T00:00:00Z 1 1 1",
            "2020-06-08T00:00:00Z - 2 2",
        ]
    );
    let mut onward = of_firsts(TimeUnit::Week);
    onward.onward = true;
    assert_eq!(
        table(&memory, onward),
        [
            "2020-06-01T00:00:00Z 3 1 1",
            "2020-06-01T00:00:00Z - 1 1",
            "2020-06-08T00:00:00Z 1 1 1",
            "2020-06-08T00:00:00Z - 2 2",
        ]
    );
    let mut brackets = of_firsts(TimeUnit::Day);
    brackets.brackets = vec![1, 6, 14];
    // c0 comes back after 6, 20 and 21 days; c1 after 7; c2 never.
    let by_customer = |returns: Returns| {
        let base = of(Made::Returns(Box::new(returns)));
        let labels = vec![customer(), own(Kind::Count, AGE)];
        lines(&cells(&memory, &pass(vec![aggregate(base, None, Measure::Count, labels)])))
    };
    assert_eq!(by_customer(brackets.clone()), ["c0 2 1 1", "c0 - 1 1", "c1 3 1 1", "c1 - 1 1", "c2 - 1 1"]);
    brackets.onward = true;
    // Whoever comes back later still has come back after the last bracket.
    assert_eq!(by_customer(brackets), ["c0 3 1 1", "c0 - 1 1", "c1 3 1 1", "c1 - 1 1", "c2 - 1 1"]);
}

#[test]
fn a_clock_of_its_own_begins_with_the_member() {
    let at = |text: &str| Zone::utc().instant(text.parse().unwrap());
    let times = ["2024-01-31T12:00", "2024-02-29T11:59", "2024-02-29T12:00", "2024-03-31T11:59", "2024-06-30T12:00"];
    let orders: Vec<Order> = times.iter().map(|t| (at(t), Some(0), 2, None, None)).collect();
    let memory = shop(1, &orders, &[]);
    let mut own_clock = returns(TimeUnit::Month);
    own_clock.start.events = events("orders", vec![Stage::First { per: customer() }]);
    own_clock.own_clock = true;
    // Its periods begin on 31 January, 29 February, 31 March, 30 April, 31 May and 30 June, each at noon.
    let found = table(&memory, own_clock);
    assert_eq!(found, ["2024-01-01T00:00:00Z 1 1 1", "2024-01-01T00:00:00Z 5 1 1", "2024-01-01T00:00:00Z - 1 1"]);
}

#[test]
fn lifecycle_by_days() {
    // PostHog, test_lifecycle.py, test_lifecycle_trend: 9 January is day 0.
    let start = Zone::utc().instant("2020-01-09T12:00".parse().unwrap());
    let rows = [(0, 1), (2, 0), (3, 0), (3, 1), (3, 2), (4, 0), (6, 0), (6, 3), (8, 0), (10, 0)];
    let orders: Vec<Order> = rows.iter().map(|&(d, who)| (start + d * DAY, Some(who), 2, None, None)).collect();
    let memory = shop(4, &orders, &[]);
    let rows = Box::new(Keyed { events: events("orders", vec![]), key: customer() });
    let (of, grain) = (Box::new(customer()), Grain::ordinary(TimeUnit::Day));
    let stage = row(Kind::Text, RowNode::Lifecycle { rows, of, grain: grain.clone() });
    let all = Events { base: Base::Entity("customer".into()), stages: vec![] };
    let known = call(Op::Not, &[call(Op::IsMissing, std::slice::from_ref(&stage))]);
    let mut pass = pass(vec![aggregate(all, Some(known), Measure::Count, vec![stage.clone()])]);
    pass.per = Some(grain);
    let day = |n: i64| Zone::utc().instant("2020-01-12T00:00".parse().unwrap()) + n * DAY;
    (pass.from, pass.until) = (Some(day(0)), day(8));
    let expected = [
        ("dormant", [0, 2, 1, 0, 2, 0, 1, 0]),
        ("new", [1, 0, 0, 1, 0, 0, 0, 0]),
        ("resurrecting", [1, 0, 0, 1, 0, 1, 0, 1]),
        ("returning", [1, 1, 0, 0, 0, 0, 0, 0]),
    ];
    let mut wanted = Vec::new();
    for n in 0..8 {
        let stages = expected.iter().filter(|e| e.1[n] > 0);
        wanted.extend(stages.map(|e| format!("2020-01-{:02}T00:00:00Z {} {} {}", n + 12, e.0, e.1[n], e.1[n])));
    }
    assert_eq!(lines(&cells(&memory, &pass)), wanted);
    // Of a row: what its customer is by then.
    let rows = aggregate(events("orders", vec![]), None, Measure::Count, vec![stage]);
    let mut of_rows = super::super::pass::testing::pass(vec![rows]);
    of_rows.until = day(4);
    assert_eq!(lines(&cells(&memory, &of_rows)), ["new 4 4", "resurrecting 2 2", "returning 2 2"]);
}
