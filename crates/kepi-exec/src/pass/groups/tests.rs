//! Groups, with numbers that a person can check, and against loops over rows.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use crate::LeafExec;
use crate::pass::testing::*;
use crate::pass::*;
use kepi_model::calendar::{TimeUnit, Zone};
use kepi_model::core::*;
use kepi_model::value::{Kind, Unit, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn day(number: i64) -> i64 {
    Zone::utc().instant("2024-01-01T00:00".parse().unwrap()) + number * DAY
}

const APPLE: u32 = 2;
const PEAR: u32 = 3;

/// c0 (north): 10.00 on 1 January, 5.00 on 1 February, 2.50 on 15 February; c1 (south): 20.50 on 4 January;
/// c2 (no region): 0.00 on 10 February; c3 (north): nothing; nobody: 1.00 on 1 February.
fn small() -> Memory {
    shop(
        4,
        &[
            (day(0), Some(0), APPLE, Some(1000), Some(0.1)),
            (day(3), Some(1), PEAR, Some(2050), Some(0.2)),
            (day(31), Some(0), APPLE, Some(500), Some(0.3)),
            (day(31), None, APPLE, Some(100), None),
            (day(40), Some(2), PEAR, Some(0), Some(-0.5)),
            (day(45), Some(0), PEAR, Some(250), Some(0.7)),
        ],
        &[(day(1), Some(0)), (day(3), Some(3)), (day(33), Some(0))],
    )
}

fn grain(unit: TimeUnit) -> Grain {
    Grain::ordinary(unit)
}

fn key(row: &Row) -> Label {
    Label { name: "key".into(), unit: row.unit.clone(), grain: None }
}

fn value(of: usize) -> Formula {
    Formula { unit: Unit::of(Kind::Number), node: FormulaNode::Aggregate(of) }
}

/// Groups of these keys: the labels of the aggregates are those of the query, then the keys.
fn groups(keys: &[Row], per: Option<TimeUnit>, aggregates: Vec<Aggregate>, value: Formula) -> Events {
    let keys = keys.iter().map(key).collect();
    let groups = Groups { keys, per: per.map(grain), aggregates, value, existence: Vec::new() };
    Events { base: Base::Made(Box::new(Made::Groups(Box::new(groups)))), stages: Vec::new() }
}

fn amounts(labels: Vec<Row>) -> Aggregate {
    aggregate(events("orders", vec![]), None, Measure::Sum(field("amount")), labels)
}

fn own(kind: Kind, name: &str) -> Row {
    row(kind, RowNode::Field(name.into()))
}

fn group_value() -> Row {
    own(Kind::Number, VALUE)
}

fn who() -> Row {
    row(Kind::Entity("customer".into()), RowNode::Role("_key_0".into()))
}

/// The cells, which are the same where groups have to be made of some entities at a time.
fn show(memory: &Memory, pass: &Pass) -> Vec<String> {
    let whole = limited(memory, pass, 1 << 30, 3).unwrap();
    for (bytes, threads) in [(700, 1), (1_500, 2), (4_000, 1), (8_000, 3)] {
        match limited(memory, pass, bytes, threads) {
            Ok((found, report)) => {
                assert_eq!(found, whole.0, "{bytes} bytes");
                let told = |r: &Report| (r.rows_kept, r.without_entity.clone(), r.first, r.rows_scanned);
                assert_eq!(told(&report), told(&whole.1), "{bytes} bytes, {} ranges", report.ranges);
            }
            // What is kept beside the groups does not fit, or they cannot be cut.
            Err(error) => assert!(matches!(error, crate::ExecError::Memory { .. }), "{error}"),
        }
    }
    assert_eq!(lines(&cells(memory, pass)), whole.0);
    whole.0
}

fn limited(
    memory: &Memory,
    pass: &Pass,
    bytes: u64,
    threads: usize,
) -> Result<(Vec<String>, Report), crate::ExecError> {
    let source = source(memory).with_threads(threads).with_memory_max(Some(bytes));
    let leaf = LeafExec::plan(pass.clone(), source, threads)?;
    let found = collected(std::sync::Arc::clone(&leaf))?;
    Ok((lines(&found), leaf.report()))
}

fn each(events: &Events, measures: &[Measure], labels: &[Row]) -> Vec<Aggregate> {
    measures.iter().map(|m| aggregate(events.clone(), None, m.clone(), labels.to_vec())).collect()
}

fn avg_and_count() -> [Measure; 2] {
    [Measure::Avg(group_value()), Measure::Count]
}

#[test]
fn the_average_of_sums_per_customer() {
    let sums = groups(&[customer()], None, vec![amounts(vec![customer()])], value(0));
    let query = pass(each(&sums, &avg_and_count(), &[]));
    // 17.50, 20.50 and 0; the order of nobody is no customer's.
    assert_eq!(show(&small(), &query), ["12.666666666666666 3 3 3"]);
    let plan = LeafExec::plan(query, source(&small()), 1).unwrap();
    collected(plan.clone()).unwrap();
    assert_eq!(plan.report().without_entity, [1, 1]);
    assert_eq!(plan.report().first, Some(day(0)));
}

#[test]
fn the_average_of_sums_per_customer_in_each_month() {
    let sums = groups(&[customer()], None, vec![amounts(vec![customer()])], value(0));
    let mut query = pass(each(&sums, &avg_and_count(), &[]));
    query.per = Some(grain(TimeUnit::Month));
    assert_eq!(show(&small(), &query), ["2024-01-01T00:00:00Z 15.25 2 2 2", "2024-02-01T00:00:00Z 3.75 2 2 2"]);
}

#[test]
fn groups_per_customer_and_month() {
    let sums = groups(&[customer()], Some(TimeUnit::Month), vec![amounts(vec![customer()])], value(0));
    let measures = [Measure::Avg(group_value()), Measure::Sum(group_value()), Measure::Max(group_value())];
    let mut query = pass(each(&sums, &measures, &[]));
    // 10.00, 20.50 | 7.50, 0.00
    assert_eq!(show(&small(), &query), ["9.5 4 38.00 4 20.50 4"]);
    query.per = Some(grain(TimeUnit::Year));
    assert_eq!(show(&small(), &query), ["2024-01-01T00:00:00Z 9.5 4 38.00 4 20.50 4"]);
    // A period that the window cuts is computed on what is inside.
    query.from = Some(day(40));
    assert_eq!(show(&small(), &query), ["2024-01-01T00:00:00Z 1.25 2 2.50 2 2.50 2"]);
}

#[test]
fn groups_by_the_labels_of_the_query() {
    let inner = amounts(vec![field("product"), customer()]);
    let sums = groups(&[customer()], None, vec![inner], value(0));
    let label = own(Kind::Text, "_label_0");
    let query = pass(each(&sums, &avg_and_count(), &[label]));
    // Apples: 15.00 by c0; pears: 20.50, 0.00, 2.50.
    assert_eq!(show(&small(), &query), ["apple 15 1 1 1", "pear 7.666666666666667 3 3 3"]);
}

#[test]
fn every_customer_has_a_group() {
    let every = aggregate(
        Events { base: Base::Entity("customer".into()), stages: vec![] },
        None,
        Measure::Count,
        vec![row(Kind::Entity("customer".into()), RowNode::Role("customer".into()))],
    );
    let orders = aggregate(events("orders", vec![]), None, Measure::Avg(field("amount")), vec![customer()]);
    let all = groups(&[customer()], None, vec![amounts(vec![customer()]), orders, every], value(0));
    let query = pass(each(&all, &avg_and_count(), &[]));
    assert_eq!(show(&small(), &query), ["9.5 4 4 4"]);
    let Base::Made(made) = &all.base else { panic!("groups are made") };
    let Made::Groups(found) = &**made else { panic!("groups are groups") };
    // Of those without orders a sum is 0, an average missing.
    let averages = Groups { value: value(1), ..Groups::clone(found) };
    let averages = Events { base: Base::Made(Box::new(Made::Groups(Box::new(averages)))), stages: vec![] };
    let query = pass(each(&averages, &[Measure::Sum(group_value()), Measure::Min(group_value())], &[who()]));
    assert_eq!(
        show(&small(), &query),
        ["c0 5.833333333333333 1 5.833333333333333 1", "c1 20.5 1 20.5 1", "c2 0 1 0 1", "c3 0 1 - 1"]
    );
}

#[test]
fn groups_of_groups() {
    // The sums of each customer and month, the largest of each customer, their average.
    let months = groups(&[customer()], Some(TimeUnit::Month), vec![amounts(vec![customer()])], value(0));
    let largest = aggregate(months, None, Measure::Max(group_value()), vec![who()]);
    let best = groups(&[customer()], None, vec![largest], value(0));
    let query = pass(each(&best, &avg_and_count(), &[]));
    assert_eq!(show(&small(), &query), ["10.166666666666666 3 3 3"]);
    // Once more around it: each customer's own value is its average.
    let again = aggregate(best, None, Measure::Avg(group_value()), vec![who()]);
    let again = groups(&[customer()], None, vec![again], value(0));
    let query = pass(each(&again, &avg_and_count(), &[]));
    assert_eq!(show(&small(), &query), ["10.166666666666666 3 3 3"]);
}

#[test]
fn the_first_of_inner_periods_and_weeks_across_months() {
    let days = groups(&[], Some(TimeUnit::Day), vec![amounts(vec![])], value(0));
    let measures = [Measure::First(group_value()), Measure::Last(group_value()), Measure::Count];
    let mut query = pass(each(&days, &measures, &[]));
    query.per = Some(grain(TimeUnit::Month));
    assert_eq!(
        show(&small(), &query),
        ["2024-01-01T00:00:00Z 10.00 2 20.50 2 2 2", "2024-02-01T00:00:00Z 6.00 3 2.50 3 3 3"]
    );
    // The week of 29 January has a part in each month.
    let weeks = groups(&[], Some(TimeUnit::Week), vec![amounts(vec![])], value(0));
    let mut query = pass(each(&weeks, &measures, &[]));
    query.per = Some(grain(TimeUnit::Month));
    assert_eq!(
        show(&small(), &query),
        ["2024-01-01T00:00:00Z 30.50 1 30.50 1 1 1", "2024-02-01T00:00:00Z 6.00 3 2.50 3 3 3"]
    );
}

#[test]
fn groups_have_a_value_of_several_aggregates() {
    let count = aggregate(events("visits", vec![]), None, Measure::Count, vec![customer()]);
    let of = |op, args| Formula { unit: Unit::of(Kind::Number), node: FormulaNode::Call { op, args } };
    let one =
        Formula { unit: Unit::of(Kind::Number), node: FormulaNode::Const(Value::Decimal { digits: 1, scale: 0 }) };
    let value = of(Op::Divide, vec![value(0), of(Op::Add, vec![value(1), one])]);
    let both = groups(&[customer()], None, vec![amounts(vec![customer()]), count], value);
    let query = pass(each(&both, &[Measure::Max(group_value()), Measure::Count], &[who()]));
    // 17.50 / 3, 20.50 / 1, 0 / 1, and c3, who only came.
    assert_eq!(show(&small(), &query), ["c0 5.833333333333333 1 1 1", "c1 20.5 1 1 1", "c2 0 1 1 1", "c3 0 1 1 1"]);
}

#[test]
fn a_group_is_seen_from_the_end_of_its_time() {
    let sums = groups(&[customer()], None, vec![amounts(vec![customer()])], value(0));
    let entity = "customer".to_string();
    let of = Box::new(who());
    let region = row(Kind::Text, RowNode::Attribute { of, entity, field: "region".into(), history: true });
    let visits = RowNode::History(Box::new(History {
        events: events("visits", vec![]),
        filter: None,
        measure: Measure::Count,
        key: customer(),
        subject: who(),
        over: Reach::AllTime,
        before: false,
    }));
    let visits = row(Kind::Number, visits);
    let mut memory = small();
    // c0 moves south on 1 March, when February is over.
    with_past(&mut memory, "region", &[(day(-9), 0, 0), (day(-9), 1, 1), (day(60), 0, 1)]);
    let count = aggregate(sums.clone(), None, Measure::Count, vec![region.clone()]);
    let came = aggregate(sums.clone(), None, Measure::Sum(visits), vec![region.clone()]);
    let few = call(Op::Less, &[group_value(), number(5, 0)]);
    let few = aggregate(sums, Some(few), Measure::Max(moment()), vec![region]);
    let mut query = pass(vec![count, came, few]);
    query.per = Some(grain(TimeUnit::Month));
    query.until = day(45);
    assert_eq!(
        show(&memory, &query),
        [
            "2024-01-01T00:00:00Z north 1 1 1 1 - 0",
            "2024-01-01T00:00:00Z south 1 1 0 1 - 0",
            "2024-02-01T00:00:00Z north 1 1 2 1 - 0",
            "2024-02-01T00:00:00Z - 1 1 0 1 2024-02-15T00:00:00Z 1",
        ]
    );
}

#[test]
fn moved_windows_over_inner_periods() {
    let months = groups(&[], Some(TimeUnit::Month), vec![amounts(vec![])], value(0));
    let mut largest = aggregate(months, None, Measure::Max(group_value()), vec![]);
    let two_months = kepi_model::value::CalendarSpan { months: 2, days: 0, micros: 0 };
    largest.moved = vec![Move::Trailing(two_months)];
    let mut query = pass(vec![largest]);
    query.per = Some(grain(TimeUnit::Month));
    (query.from, query.until) = (Some(day(0)), day(121));
    // January has 30.50, February 8.50; nothing since.
    assert_eq!(
        show(&small(), &query),
        ["2024-01-01T00:00:00Z 30.50 1", "2024-02-01T00:00:00Z 30.50 2", "2024-03-01T00:00:00Z 8.50 1"]
    );
}

/// What a group is told apart by: the outer cell's period, the group's period, its key.
type Group = (i64, i64, u32);

/// Cents per group, by looking at every order.
fn naive(orders: &[Order], pass: &Pass, per: Option<TimeUnit>, by_product: bool) -> BTreeMap<Group, i64> {
    let zone = Zone::named(&pass.zone).unwrap();
    let mut sums = BTreeMap::new();
    for order in orders.iter().filter(|o| pass.from.is_none_or(|from| o.0 >= from) && o.0 < pass.until) {
        let period = |grain: Option<&Grain>| grain.map_or(0, |grain| zone.truncate(grain, order.0));
        let Some(key) = (if by_product { Some(order.2) } else { order.1 }) else { continue };
        let group = (period(pass.per.as_ref()), period(per.map(grain).as_ref()), key);
        *sums.entry(group).or_insert(0) += order.3.unwrap_or(0);
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn groups_are_what_loops_over_rows_find(
        rows in prop::collection::vec((0_i64..200, prop::option::of(0_u32..5), 2_u32..5, prop::option::of(-500_i64..900)), 0..60),
        outer in prop::option::of(prop::sample::select(vec![TimeUnit::Week, TimeUnit::Month, TimeUnit::Quarter])),
        inner in prop::option::of(prop::sample::select(vec![TimeUnit::Day, TimeUnit::Week, TimeUnit::Month])),
        by_product: bool,
        from in prop::option::of(0_i64..150),
        batch in 1_usize..20,
        cuts in prop::collection::vec(0_i64..200, 0..3),
        zone in prop::sample::select(vec!["UTC", "America/New_York"]),
    ) {
        prop_assume!(!(inner == Some(TimeUnit::Month) && outer == Some(TimeUnit::Week)));
        let mut orders: Vec<Order> = rows.iter().map(|r| (day(0) + r.0 * DAY / 2, r.1, r.2, r.3, None)).collect();
        orders.sort_by_key(|o| o.0);
        let mut memory = shop(5, &orders, &[]);
        memory.batch = batch;
        let keys = if by_product { field("product") } else { customer() };
        let sums = groups(std::slice::from_ref(&keys), inner, vec![amounts(vec![keys.clone()])], value(0));
        let mut query = pass(each(&sums, &[Measure::Sum(group_value()), Measure::Max(group_value()), Measure::Count], &[]));
        query.per = outer.map(grain);
        query.from = from.map(day);
        query.until = day(120);
        query.zone = zone.into();
        let mut expected: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for ((period, _, _), cents) in naive(&orders, &query, inner, by_product) {
            expected.entry(period).or_default().push(cents);
        }
        let money = |cents: i64| format!("{}{}.{:02}", if cents < 0 { "-" } else { "" }, cents.abs() / 100, cents.abs() % 100);
        let expected: Vec<String> = expected.iter().map(|(period, cents)| {
            let (sum, max, n) = (cents.iter().sum(), *cents.iter().max().unwrap(), cents.len());
            let period = match outer {
                Some(_) => format!("{} ", jiff::Timestamp::from_microsecond(*period).unwrap()),
                None => String::new(),
            };
            format!("{period}{} {n} {} {n} {n} {n}", money(sum), money(max))
        }).collect();
        prop_assert_eq!(show(&memory, &query), expected.clone());
        if outer.is_some() {
            let zone = Zone::named(zone).unwrap();
            let mut cuts: Vec<i64> = cuts.into_iter().map(|c| zone.truncate(query.per.as_ref().unwrap(), day(c))).collect();
            cuts.sort_unstable();
            cuts.dedup();
            prop_assert_eq!(lines(&cells_of_parts(&memory, &query, &cuts)), expected);
        }
    }
}

#[test]
fn groups_that_do_not_fit_are_made_of_some_entities_at_a_time() {
    let orders: Vec<Order> = (0..3_000_i64)
        .map(|n| {
            (day(0) + n * DAY / 30, Some(n as u32 * 7 % 500).filter(|id| id % 50 > 0), 2 + n as u32 % 3, Some(n), None)
        })
        .collect();
    let memory = shop(500, &orders, &[]);
    let of = |labels: Vec<Row>, measure: Measure| aggregate(events("orders", vec![]), None, measure, labels);
    let sums = |per| groups(&[customer()], per, vec![amounts(vec![customer()])], value(0));
    let by_product = groups(&[customer()], None, vec![amounts(vec![field("product"), customer()])], value(0));
    let products = groups(
        &[customer()],
        Some(TimeUnit::Week),
        vec![of(vec![customer()], Measure::Unique(field("product")))],
        value(0),
    );
    let months = groups(&[customer()], Some(TimeUnit::Month), vec![amounts(vec![customer()])], value(0));
    let largest = aggregate(months, None, Measure::Max(group_value()), vec![who()]);
    let best = groups(&[customer()], None, vec![largest], value(0));
    let median = || Measure::Percentile { of: group_value(), percent: 50.0, observed: false };
    let measures = || vec![Measure::Max(group_value()), median(), Measure::Count, Measure::Unique(who())];
    let label = own(Kind::Text, "_label_0");
    let asked = [
        (pass(each(&sums(None), &measures(), &[])), None),
        (pass(each(&sums(None), &measures(), &[])), Some(TimeUnit::Quarter)),
        (pass(each(&sums(Some(TimeUnit::Week)), &measures(), &[])), None),
        (pass(each(&by_product, &measures(), &[label])), Some(TimeUnit::Month)),
        (pass(each(&products, &measures(), &[])), Some(TimeUnit::Year)),
        (pass(each(&best, &measures(), &[])), None),
    ];
    for (number, (mut query, per)) in asked.into_iter().enumerate() {
        query.per = per.map(grain);
        let (expected, whole) = limited(&memory, &query, 1 << 30, 2).unwrap();
        assert_eq!(whole.ranges, 0);
        let mut most = 0;
        for (bytes, threads) in [(300_000, 1), (60_000, 1), (60_000, 2)] {
            let (found, report) = limited(&memory, &query, bytes, threads).unwrap_or_else(|e| panic!("{number}: {e}"));
            assert_eq!(found, expected, "{number} in {bytes}");
            let told = |r: &Report| (r.rows_kept, r.without_entity.clone(), r.first, r.rows_scanned);
            assert_eq!(told(&report), told(&whole), "{number} in {bytes}, {} ranges", report.ranges);
            most = most.max(report.ranges);
        }
        assert!(most > 1, "{number}");
        let refused = limited(&memory, &query, 150, 1).unwrap_err();
        assert!(matches!(refused, crate::ExecError::Memory { limit: 150 }), "{refused}");
    }
    // Which group came first is known of all together.
    let first = pass(each(&sums(Some(TimeUnit::Week)), &[Measure::First(group_value())], &[]));
    let refused = limited(&memory, &first, 60_000, 1).unwrap_err();
    assert!(matches!(refused, crate::ExecError::Memory { limit: 60_000 }), "{refused}");
}

#[test]
fn moved_windows_over_groups_of_each_cell() {
    let sums = groups(&[customer()], None, vec![amounts(vec![customer()])], value(0));
    let months = |months| kepi_model::value::CalendarSpan { months, days: 0, micros: 0 };
    let moved = |moves: Vec<Move>| {
        let mut aggregates = each(&sums, &avg_and_count(), &[]);
        aggregates.iter_mut().for_each(|a| a.moved.clone_from(&moves));
        let mut query = pass(aggregates);
        query.per = Some(grain(TimeUnit::Month));
        (query.from, query.until) = (Some(day(0)), day(121));
        show(&small(), &query)
    };
    // Over January and February the sums are 17.50, 20.50 and 0.
    assert_eq!(
        moved(vec![Move::Trailing(months(2))]),
        [
            "2024-01-01T00:00:00Z 15.25 2 2 2",
            "2024-02-01T00:00:00Z 12.666666666666666 3 3 3",
            "2024-03-01T00:00:00Z 3.75 2 2 2"
        ]
    );
    assert_eq!(moved(vec![Move::Prior(months(1))])[0], "2024-02-01T00:00:00Z 15.25 2 2 2");
    assert_eq!(
        moved(vec![Move::Running])[2..],
        ["2024-03-01T00:00:00Z 12.666666666666666 3 3 3", "2024-04-01T00:00:00Z 12.666666666666666 3 3 3"]
    );
    // What is computed for each month of a year that is looked at in each quarter.
    let inner = groups(&[customer()], Some(TimeUnit::Month), vec![amounts(vec![customer()])], value(0));
    let mut query = pass(each(&inner, &avg_and_count(), &[]));
    query.aggregates.iter_mut().for_each(|a| a.moved = vec![Move::ToDate(grain(TimeUnit::Year))]);
    query.per = Some(grain(TimeUnit::Quarter));
    (query.from, query.until) = (Some(day(0)), day(182));
    assert_eq!(show(&small(), &query), ["2024-01-01T00:00:00Z 9.5 4 4 4", "2024-04-01T00:00:00Z 9.5 4 4 4"]);
}
