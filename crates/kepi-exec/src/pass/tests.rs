//! Passes over a small shop, with numbers that a person can check.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use super::testing::*;
use super::*;
use crate::LeafExec;
use arrow_array::{ArrayRef, Float64Array};
use kepi_extension::{Accumulator, AggregateFunction, FunctionError};
use kepi_model::calendar::{Grain, TimeUnit, Zone};
use kepi_model::core::*;
use kepi_model::declared::{FunctionKind, Returns, Signature};
use kepi_model::value::{CalendarSpan, Kind, Unit, Value};

/// Days of 2024, counted from 1 January.
fn day(number: i64) -> i64 {
    Zone::utc().instant("2024-01-01T00:00".parse().unwrap()) + number * DAY
}

const APPLE: u32 = 2;
const PEAR: u32 = 3;

/// Three customers: c0 (north), c1 (south), c2 (no region), and an order of nobody.
fn small() -> Memory {
    shop(
        3,
        &[
            (day(0), Some(0), APPLE, Some(1000), Some(0.1)),
            (day(3), Some(1), PEAR, Some(2050), Some(0.2)),
            (day(3), Some(0), PEAR, None, None),
            (day(31), Some(0), APPLE, Some(500), Some(0.3)),
            (day(31), None, APPLE, Some(100), None),
            (day(40), Some(2), PEAR, Some(0), Some(-0.5)),
            (day(45), Some(0), PEAR, Some(250), Some(1e16)),
            (day(400), Some(0), APPLE, Some(9999), Some(1.0)),
        ],
        &[(day(1), Some(0)), (day(3), Some(1)), (day(31), Some(0)), (day(44), Some(0))],
    )
}

fn orders() -> Events {
    events("orders", vec![])
}

fn first_orders() -> Events {
    events("orders", vec![Stage::First { per: customer() }])
}

fn all(measure: Measure) -> Aggregate {
    aggregate(orders(), None, measure, vec![])
}

fn per(mut pass: Pass, unit: TimeUnit) -> Pass {
    pass.per = Some(Grain::ordinary(unit));
    pass
}

fn months(count: i32) -> CalendarSpan {
    CalendarSpan { months: count, days: 0, micros: 0 }
}

#[test]
fn each_measure_of_all_rows() {
    let amount = || field("amount");
    let percentile = |percent, observed| Measure::Percentile { of: amount(), percent, observed };
    let measures = vec![
        Measure::Count,
        Measure::Sum(amount()),
        Measure::Avg(amount()),
        Measure::Min(amount()),
        Measure::Max(amount()),
        percentile(50.0, false),
        percentile(75.0, true),
        Measure::First(field("product")),
        Measure::Last(field("weight")),
        Measure::Unique(customer()),
        Measure::Unique(field("product")),
        Measure::Min(field("product")),
        Measure::Max(moment()),
        Measure::Sum(field("weight")),
    ];
    let found = cells(&small(), &pass(measures.into_iter().map(all).collect()));
    // Amounts: 0, 1, 2.50, 5, 10, 20.50, 99.99.
    // The weights are 1e16 + 1.1 together, which lies nearer to 1e16 + 2 than to 1e16.
    let sum_of_weights = 10_000_000_000_000_002_i64;
    let expected = format!(
        "8 8 138.99 8 19.855714285714285 8 0.00 8 99.99 8 5 8 20.5 8 apple 8 1 8 3 8 2 8 apple 8 2025-02-04T00:00:00Z 8 {sum_of_weights} 8"
    );
    assert_eq!(lines(&found), [expected]);
}

#[test]
fn without_rows_there_are_no_cells() {
    let none = call(Op::Less, &[field("amount"), number(-1, 0)]);
    let found = cells(&small(), &pass(vec![aggregate(orders(), Some(none), Measure::Count, vec![])]));
    assert_eq!(found.num_rows(), 0);
    let unknown = aggregate(events("refunds", vec![]), None, Measure::Sum(field("amount")), vec![field("product")]);
    let found = cells(&small(), &pass(vec![unknown]));
    assert_eq!((found.num_rows(), found.num_columns()), (0, 3));
}

#[test]
fn an_aggregate_without_rows_in_a_cell_says_so() {
    let apples = call(Op::Equal, &[field("product"), text("apple")]);
    let some = aggregate(orders(), Some(apples.clone()), Measure::Sum(field("amount")), vec![region(false)]);
    let avg = aggregate(orders(), Some(apples), Measure::Avg(field("amount")), vec![region(false)]);
    let every = aggregate(orders(), None, Measure::Count, vec![region(false)]);
    let found = cells(&small(), &pass(vec![some, avg, every]));
    assert_eq!(lines(&found), ["north 114.99 3 38.33 3 5 5", "south 0.00 0 - 0 1 1", "- 1.00 1 1 1 2 2"]);
}

#[test]
fn periods_are_those_of_the_zone() {
    let memory = shop(1, &[(day(0) - 1, Some(0), APPLE, Some(1), None), (day(0), Some(0), APPLE, Some(2), None)], &[]);
    let query = |zone: &str| {
        let mut pass = per(pass(vec![all(Measure::Sum(field("amount")))]), TimeUnit::Day);
        pass.zone = zone.into();
        lines(&cells(&memory, &pass))
    };
    assert_eq!(query("UTC"), ["2023-12-31T00:00:00Z 0.01 1", "2024-01-01T00:00:00Z 0.02 1"]);
    assert_eq!(query("Europe/Amsterdam"), ["2023-12-31T23:00:00Z 0.03 2"]);
}

#[test]
fn the_window_does_not_change_what_is_first() {
    let new = |filter| aggregate(first_orders(), filter, Measure::Count, vec![field("product")]);
    let mut late = pass(vec![new(None)]);
    late.from = Some(day(31));
    assert_eq!(lines(&cells(&small(), &late)), ["pear 1 1"]);
    late.moment = true;
    assert_eq!(lines(&cells(&small(), &late)), ["apple 1 1", "pear 2 2"]);
    // A filter of the query looks at the first order, and never takes a later one instead.
    let pears = call(Op::Equal, &[field("product"), text("pear")]);
    assert_eq!(lines(&cells(&small(), &pass(vec![new(Some(pears))]))), ["pear 2 2"]);
}

#[test]
fn the_report_says_what_was_left_out() {
    let aggregates = vec![
        aggregate(first_orders(), None, Measure::Count, vec![]),
        all(Measure::Unique(customer())),
        all(Measure::Count),
    ];
    let mut pass = pass(aggregates);
    pass.from = Some(day(3));
    let plan = LeafExec::plan(pass, source(&small()), 1).unwrap();
    collected(Arc::clone(&plan)).unwrap();
    let report = plan.report();
    assert_eq!(report.without_entity, [1, 1, 0]);
    assert_eq!((report.rows_scanned, report.rows_kept, report.first), (8, 7, Some(day(3))));
}

#[test]
fn the_users_example() {
    // ratio(sum(revenue where age(first order) < 1 year), count(first orders)) per month
    let first = history(orders(), None, Measure::First(moment()), Reach::AllTime);
    let year = row(Kind::Duration, RowNode::Const(Value::Span(months(12))));
    let young = call(Op::Less, &[call(Op::Elapsed, &[moment(), first]), year]);
    let revenue = aggregate(orders(), Some(young), Measure::Sum(field("amount")), vec![]);
    let new = aggregate(first_orders(), None, Measure::Count, vec![]);
    let found = cells(&small(), &per(pass(vec![revenue, new]), TimeUnit::Month));
    // The order of nobody has no first order, and that of February 2025 is older than a year.
    assert_eq!(lines(&found), ["2024-01-01T00:00:00Z 30.50 3 2 2", "2024-02-01T00:00:00Z 7.50 3 1 1"]);
}

#[test]
fn a_year_ends_on_the_day_before_its_anniversary() {
    let leap = Zone::utc().instant("2024-02-29T12:00".parse().unwrap());
    let at = |text: &str| Zone::utc().instant(text.parse().unwrap());
    let times = [leap, at("2025-02-28T11:59"), at("2025-02-28T12:00")];
    let rows: Vec<Order> = times.iter().map(|&t| (t, Some(0), APPLE, Some(100), None)).collect();
    let first = history(orders(), None, Measure::First(moment()), Reach::AllTime);
    let young = call(Op::Less, &[moment(), call(Op::AddSpan(months(12)), &[first])]);
    let found = cells(&shop(1, &rows, &[]), &pass(vec![aggregate(orders(), Some(young), Measure::Count, vec![])]));
    assert_eq!(lines(&found), ["2 2"]);
}

#[test]
fn a_history_ends_with_the_row_itself() {
    let nth = history(orders(), None, Measure::Count, Reach::AllTime);
    let found = cells(&small(), &pass(vec![aggregate(orders(), None, Measure::Count, vec![nth.clone()])]));
    // The order of nobody has the history of nothing.
    assert_eq!(lines(&found), ["0 1 1", "1 3 3", "2 1 1", "3 1 1", "4 1 1", "5 1 1"]);
    let seen = history(events("visits", vec![]), None, Measure::Count, Reach::AllTime);
    let found = cells(&small(), &pass(vec![aggregate(orders(), None, Measure::Count, vec![seen])]));
    // c0: 0, 1, 2, 3, 3 visits; c1 visits at the moment of the order; c2 and nobody never.
    assert_eq!(lines(&found), ["0 3 3", "1 2 2", "2 1 1", "3 2 2"]);
}

#[test]
fn a_moving_history_forgets() {
    let days = |days| Reach::Last(CalendarSpan { months: 0, days, micros: 0 });
    let recent = history(orders(), None, Measure::Count, days(31));
    let found = cells(&small(), &pass(vec![aggregate(orders(), None, Measure::Max(recent), vec![customer()])]));
    // c0 orders on days 0, 3, 31, 45: on day 31 that of day 0 is exactly 31 days old and out.
    assert_eq!(lines(&found), ["c0 2 5", "c1 1 1", "c2 1 1", "- 0 1"]);
    let sum = history(orders(), None, Measure::Sum(field("amount")), days(32));
    let found = cells(&small(), &pass(vec![aggregate(orders(), None, Measure::Max(sum), vec![customer()])]));
    assert_eq!(lines(&found), ["c0 99.99 5", "c1 20.50 1", "c2 0.00 1", "- 0.00 1"]);
    let period = history(orders(), None, Measure::Count, Reach::Period);
    let found =
        cells(&small(), &per(pass(vec![aggregate(orders(), None, Measure::Max(period), vec![])]), TimeUnit::Month));
    assert_eq!(lines(&found), ["2024-01-01T00:00:00Z 2 3", "2024-02-01T00:00:00Z 2 4", "2025-02-01T00:00:00Z 1 1"]);
}

#[test]
fn a_history_may_stand_inside_another() {
    // The amounts of the orders that were a customer's second one, per visit so far.
    let nth = history(orders(), None, Measure::Count, Reach::AllTime);
    let second = Stage::Where(call(Op::Equal, &[nth, number(2, 0)]));
    let sum = history(events("orders", vec![second]), None, Measure::Count, Reach::AllTime);
    let found = cells(&small(), &pass(vec![aggregate(events("visits", vec![]), None, Measure::Count, vec![sum])]));
    // c0 had its second order on day 3; visits of day 31 and 44 see it.
    assert_eq!(lines(&found), ["0 2 2", "1 2 2"]);
}

#[test]
fn distinct_buyers_of_a_product_are_counted_once_each() {
    let unique = |labels| aggregate(orders(), None, Measure::Unique(customer()), labels);
    let found = cells(&small(), &per(pass(vec![unique(vec![field("product")])]), TimeUnit::Month));
    assert_eq!(
        lines(&found),
        [
            "2024-01-01T00:00:00Z apple 1 1",
            "2024-01-01T00:00:00Z pear 2 2",
            "2024-02-01T00:00:00Z apple 1 2",
            "2024-02-01T00:00:00Z pear 2 2",
            "2025-02-01T00:00:00Z apple 1 1"
        ]
    );
    let found = cells(&small(), &pass(vec![unique(vec![field("product"), region(false)])]));
    assert_eq!(lines(&found), ["apple north 1 3", "apple - 0 1", "pear north 1 2", "pear south 1 1", "pear - 1 1"]);
    let found = cells(&small(), &pass(vec![unique(vec![region(false)])]));
    assert_eq!(lines(&found), ["north 1 5", "south 1 1", "- 1 2"]);
}

#[test]
fn an_attribute_with_history_is_as_it_was() {
    let mut memory = small();
    with_past(&mut memory, "region", &[(day(0), 1, 0), (day(3), 0, 1), (day(31), 0, 0), (day(399), 0, 1)]);
    let found = cells(&memory, &pass(vec![aggregate(orders(), None, Measure::Count, vec![region(true)])]));
    // c0 is south from day 3, north from day 31, south from day 399; before day 3 nothing is known.
    assert_eq!(lines(&found), ["north 3 3", "south 2 2", "- 3 3"]);
}

#[test]
fn entities_are_counted_at_the_end_of_each_period() {
    let entity = Events { base: Base::Entity("customer".into()), stages: vec![] };
    let existence = Existence {
        entity: "customer".into(),
        from: None,
        streams: vec![("orders".into(), "customer".into()), ("visits".into(), "customer".into())],
        intervals: Vec::new(),
    };
    let loyal = history(orders(), None, Measure::Count, Reach::AllTime);
    let loyal = call(Op::GreaterEqual, &[loyal, number(3, 0)]);
    let count = |filter, labels| aggregate(entity.clone(), filter, Measure::Count, labels);
    let mut query = per(pass(vec![count(None, vec![]), count(Some(loyal.clone()), vec![])]), TimeUnit::Month);
    query.exists = Some(existence.clone());
    query.until = day(100);
    assert_eq!(
        lines(&cells(&small(), &query)),
        [
            "2024-01-01T00:00:00Z 2 2 0 0",
            "2024-02-01T00:00:00Z 3 3 1 1",
            "2024-03-01T00:00:00Z 3 3 1 1",
            "2024-04-01T00:00:00Z 3 3 1 1"
        ]
    );
    // An order at the very end is not yet there.
    let mut at = pass(vec![count(Some(loyal), vec![])]);
    (at.exists, at.until, at.moment) = (Some(existence), day(31), true);
    assert_eq!(cells(&small(), &at).num_rows(), 0);
    at.until += 1;
    assert_eq!(lines(&cells(&small(), &at)), ["1 1"]);
    // The repeat rate's numerator: who bought at least twice in the period.
    let active = history(orders(), None, Measure::Count, Reach::Period);
    let twice = call(Op::GreaterEqual, &[active, number(2, 0)]);
    let mut repeat = per(pass(vec![count(Some(twice), vec![region(false)])]), TimeUnit::Month);
    (repeat.from, repeat.until) = (Some(day(0)), day(60));
    assert_eq!(lines(&cells(&small(), &repeat)), ["2024-01-01T00:00:00Z north 1 1", "2024-02-01T00:00:00Z north 1 1"]);
}

#[test]
fn rows_without_moments_all_count() {
    let mut memory = small();
    memory.streams.get_mut("orders").unwrap().at = None;
    let mut query =
        pass(vec![all(Measure::Sum(field("amount"))), aggregate(first_orders(), None, Measure::Count, vec![])]);
    query.from = Some(day(50));
    assert_eq!(lines(&cells(&memory, &query)), ["138.99 8 3 3"]);
    let refused = LeafExec::plan(per(query, TimeUnit::Month), source(&memory), 1).and_then(collected);
    assert!(matches!(refused, Err(ExecError::Plan(_))), "{refused:?}");
}

#[test]
fn a_cancelled_pass_stops() {
    let source = source(&small());
    source.cancel.cancel();
    let plan = LeafExec::plan(pass(vec![all(Measure::Count)]), source, 1).unwrap();
    assert!(matches!(collected(plan), Err(ExecError::Cancelled)));
}

#[test]
fn a_sum_beyond_64_bits_is_exact() {
    let rows: Vec<Order> = (0..30).map(|i| (day(i), Some(0), APPLE, Some(999_999_999_999_999_999), None)).collect();
    let memory = shop(1, &rows, &[]);
    let double = call(Op::Add, &[field("amount"), field("amount")]);
    let eleven = call(Op::Multiply, &[double.clone(), number(11, 0)]);
    let found = cells(&memory, &pass(vec![all(Measure::Sum(double)), all(Measure::Sum(eleven))]));
    assert_eq!(lines(&found), ["599999999999999999.40 30 6599999999999999993.40 30"]);
}

/// The largest value times ten; its state is the value as text.
#[derive(Debug)]
struct TenTimes(Signature);

#[derive(Default)]
struct Largest(Vec<f64>);

impl AggregateFunction for TenTimes {
    fn signature(&self) -> &Signature {
        &self.0
    }

    fn start(&self) -> Result<Box<dyn Accumulator>, FunctionError> {
        Ok(Box::new(Largest::default()))
    }
}

impl Accumulator for Largest {
    fn update(&mut self, groups: &[u32], group_count: usize, args: &[ArrayRef]) -> Result<(), FunctionError> {
        self.0.resize(group_count, f64::NEG_INFINITY);
        let values = args[0].as_any().downcast_ref::<Float64Array>().unwrap();
        for (&group, value) in groups.iter().zip(values) {
            // Rows whose argument is missing do not come.
            self.0[group as usize] = self.0[group as usize].max(value.unwrap());
        }
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], group_count: usize, states: &[Vec<u8>]) -> Result<(), FunctionError> {
        self.0.resize(group_count, f64::NEG_INFINITY);
        for (&group, state) in groups.iter().zip(states) {
            let value: f64 = std::str::from_utf8(state).unwrap().parse().unwrap();
            self.0[group as usize] = self.0[group as usize].max(value);
        }
        Ok(())
    }

    fn save(&mut self) -> Result<Vec<Vec<u8>>, FunctionError> {
        Ok(self.0.iter().map(|v| v.to_string().into_bytes()).collect())
    }

    fn finish(&mut self) -> Result<ArrayRef, FunctionError> {
        let shown = |v: &f64| v.is_finite().then_some(v * 10.0);
        Ok(Arc::new(self.0.iter().map(shown).collect::<Float64Array>()))
    }
}

fn source_with_plugin() -> Source {
    let unit = Unit::of(Kind::Number);
    let signature = Signature {
        name: "most.ten".into(),
        kind: FunctionKind::Aggregate,
        doc: String::new(),
        parameters: vec![],
        returns: Returns::Unit(unit),
    };
    let mut source = source(&small());
    source.functions.aggregates.insert("most.ten".into(), Arc::new(TenTimes(signature)));
    source
}

#[test]
fn a_plugin_takes_rows_together() {
    let ten = Measure::Plugin { name: "most.ten".into(), args: vec![field("amount")] };
    let apples = call(Op::Equal, &[field("product"), text("apple")]);
    let of_apples = aggregate(orders(), Some(apples), ten, vec![customer()]);
    let count = aggregate(orders(), None, Measure::Count, vec![customer()]);
    let plan = LeafExec::plan(pass(vec![of_apples, count]), source_with_plugin(), 1).unwrap();
    let found = collected(plan).unwrap();
    assert_eq!(lines(&found), ["c0 999.9 3 5 5", "c1 - 0 1 1", "c2 - 0 1 1", "- 10 1 1 1"]);
}

#[test]
fn a_plugin_merges_the_pieces_of_moved_windows() {
    let ten = Measure::Plugin { name: "most.ten".into(), args: vec![field("amount")] };
    let mut two_months = all(ten);
    two_months.moved = vec![Move::Trailing(months(2))];
    let mut pass = per(pass(vec![two_months]), TimeUnit::Month);
    (pass.from, pass.until) = (Some(day(0)), day(121));
    let found = collected(LeafExec::plan(pass, source_with_plugin(), 1).unwrap()).unwrap();
    // The largest is 20.50 in January and 5 in February; nothing is later. What is missing is a row, but no value.
    let expected = ["2024-01-01T00:00:00Z 205 3", "2024-02-01T00:00:00Z 205 7", "2024-03-01T00:00:00Z 50 4"];
    assert_eq!(lines(&found), expected);
}

#[test]
fn distinct_values_that_do_not_fit_are_read_in_ranges_and_refused_in_words_where_one_id_does_not() {
    // A thousand orders by half as many customers, with many labels: arrays by label would not fit.
    let orders_of: Vec<Order> =
        (0..1_000).map(|i| (day(i / 100), Some(i as u32 % 500), APPLE, Some(i % 250), None)).collect();
    let memory = shop(500, &orders_of, &[]);
    let unlimited = pass(vec![
        aggregate(orders(), None, Measure::Unique(customer()), vec![field("amount")]),
        aggregate(orders(), None, Measure::Unique(field("amount")), vec![field("amount")]),
    ]);
    let limited = |bytes| {
        let source = source(&memory).with_memory_max(Some(bytes));
        let leaf = LeafExec::plan(per(unlimited.clone(), TimeUnit::Month), source, 2)?;
        Ok::<_, ExecError>((collected(Arc::clone(&leaf))?, leaf.report()))
    };
    let expected = lines(&cells(&memory, &per(unlimited.clone(), TimeUnit::Month)));
    assert_eq!(expected.len(), 250);
    // With arrays, with arrays for some of the labels, with tables alone.
    let whole = limited(64 << 20).unwrap().1;
    for (bytes, in_ranges) in [(64 << 20, false), (400_000, false), (30_000, true), (4_000, true)] {
        let (found, report) = limited(bytes).unwrap();
        assert_eq!(lines(&found), expected, "{bytes}");
        assert_eq!(report.ranges > 1, in_ranges, "{bytes}: {}", report.ranges);
        assert_eq!((report.rows_kept, &report.without_entity), (whole.rows_kept, &whole.without_entity));
    }
    let refused = limited(100).unwrap_err();
    assert!(matches!(refused, ExecError::Memory { limit: 100 }), "{refused}");
}
