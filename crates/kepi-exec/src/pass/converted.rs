//! Amounts in another currency, with numbers that a person can check, and against a loop over rows and rates.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use super::testing::*;
use crate::{ExecError, LeafExec};
use arrow_array::{ArrayRef, Decimal64Array, Float64Array, UInt32Array};
use kepi_extension::ColumnKind;
use kepi_model::calendar::{Grain, TimeUnit, Zone};
use kepi_model::core::*;
use kepi_model::value::{Kind, Value};
use proptest::prelude::*;
use std::sync::Arc;

fn day(number: i64) -> i64 {
    Zone::utc().instant("2024-01-01T00:00".parse().unwrap()) + number * DAY
}

const CURRENCIES: [&str; 4] = ["EUR", "USD", "GBP", "JPY"];
const EUR: u32 = 0;
const USD: u32 = 1;
const GBP: u32 = 2;
const JPY: u32 = 3;

/// A rate: its day, the currencies, its ten-thousandths.
type Rate = (i64, u32, u32, i64);
/// A payment: its day, its currency, its cents.
type Payment = (i64, Option<u32>, Option<i64>);

fn bank(payments: &[Payment], rates: &[Rate], exact: bool) -> Memory {
    let column = |name: &str, kind, array: ArrayRef| (name.to_string(), kind, array);
    let decimal = |values: Vec<Option<i64>>, scale| {
        Arc::new(Decimal64Array::from(values).with_precision_and_scale(18, scale).unwrap())
    };
    let codes = |values: Vec<Option<u32>>| Arc::new(UInt32Array::from(values));
    let amounts = decimal(payments.iter().map(|p| p.2).collect(), 2);
    let paid = Stream {
        at: Some(payments.iter().map(|p| p.0).collect()),
        columns: vec![
            column("amount", ColumnKind::Decimal { scale: 2 }, amounts),
            column("currency", ColumnKind::Code, codes(payments.iter().map(|p| p.1).collect())),
        ],
        rows: payments.len(),
    };
    let rate: (ColumnKind, ArrayRef) = match exact {
        true => (ColumnKind::Decimal { scale: 4 }, decimal(rates.iter().map(|r| Some(r.3)).collect(), 4)),
        false => {
            let floats = rates.iter().map(|r| r.3 as f64 / 1e4);
            (ColumnKind::Float, Arc::new(floats.collect::<Float64Array>()))
        }
    };
    let stored = Stream {
        at: Some(rates.iter().map(|r| r.0).collect()),
        columns: vec![
            column("from", ColumnKind::Code, codes(rates.iter().map(|r| Some(r.1)).collect())),
            column("to", ColumnKind::Code, codes(rates.iter().map(|r| Some(r.2)).collect())),
            column("rate", rate.0, rate.1),
        ],
        rows: rates.len(),
    };
    let texts = CURRENCIES.map(String::from).to_vec();
    let mut memory = Memory { texts, batch: 2, ..Memory::default() };
    memory.streams.insert("payments".into(), paid);
    memory.streams.insert("rates".into(), stored);
    memory
}

fn amount() -> Row {
    row(Kind::Number, RowNode::Field("amount".into()))
}

fn currency() -> Row {
    row(Kind::Text, RowNode::Field("currency".into()))
}

fn converted(from: Row, to: &str) -> Row {
    row(
        Kind::Number,
        RowNode::Convert { of: Box::new(amount()), from: Box::new(from), to: to.into(), when: When::Moment },
    )
}

fn sum(of: Row, filter: Option<Row>) -> Aggregate {
    aggregate(events("payments", vec![]), filter, Measure::Sum(of), vec![])
}

/// Rates of pounds and dollars in euros; yen only the other way round.
fn rates() -> Vec<Rate> {
    vec![
        (day(0), USD, EUR, 9_000),
        (day(0), GBP, EUR, 11_500),
        (day(0), EUR, JPY, 1_600_000),
        (day(10), USD, EUR, 9_500),
        // The way back is stored for dollars too: it is not used where the way there is.
        (day(10), EUR, USD, 5_000),
    ]
}

fn found(memory: &Memory, aggregates: Vec<Aggregate>) -> Vec<String> {
    lines(&cells(memory, &pass(aggregates)))
}

fn error(memory: &Memory, aggregate: Aggregate) -> String {
    let plan = LeafExec::plan(pass(vec![aggregate]), source(memory), 1);
    plan.and_then(collected).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn amounts_take_the_latest_rate_of_their_day_and_stay_exact() {
    let payments = [
        (day(0), Some(USD), Some(10_000)),
        (day(9), Some(USD), Some(10_000)),
        (day(10), Some(USD), Some(10_000)),
        (day(11), Some(EUR), Some(7_01)),
        (day(12), None, Some(500)),
        (day(13), Some(GBP), None),
        (day(14), Some(GBP), Some(10_10)),
    ];
    let memory = bank(&payments, &rates()[..2], true);
    let at = |from: i64| call(Op::GreaterEqual, &[moment(), row(Kind::Time, RowNode::Const(Value::Time(day(from))))]);
    // 90 + 90 + 90 + 7.01 + 11.615; what has no currency is missing.
    assert_eq!(found(&memory, vec![sum(converted(currency(), "EUR"), None)]), ["288.6250 7"]);
    let memory = bank(&payments, &[rates()[0], rates()[1], rates()[3], rates()[4]], true);
    let late = sum(converted(currency(), "EUR"), Some(at(9)));
    assert_eq!(found(&memory, vec![sum(converted(currency(), "EUR"), None), late]), ["293.6250 7 203.6250 6"]);
    // Rates that are floats give floats.
    let memory = bank(&payments, &rates()[..2], false);
    assert_eq!(found(&memory, vec![sum(converted(currency(), "EUR"), None)]), ["288.625 7"]);
}

#[test]
fn a_rate_is_turned_round_only_where_it_is_the_only_one() {
    let payments = [(day(1), Some(JPY), Some(32_000)), (day(11), Some(EUR), Some(100))];
    let memory = bank(&payments, &rates(), true);
    assert_eq!(found(&memory, vec![sum(converted(currency(), "EUR"), None)]), ["3 2"]);
    let yen = row(Kind::Text, RowNode::Const(Value::Text("EUR".into())));
    let euros = call(Op::Equal, &[currency(), yen.clone()]);
    assert_eq!(found(&memory, vec![sum(converted(yen, "JPY"), Some(euros))]), ["160.00 1"]);
    // To dollars the way there is stored, from the tenth day on.
    assert_eq!(
        error(&memory, sum(converted(currency(), "USD"), None)),
        "no rate says what JPY was worth in USD on 2024-01-02: the table `rates` has none of that day or before"
    );
}

#[test]
fn only_rows_that_count_need_a_rate() {
    let payments = [
        (day(-1), Some(USD), Some(100)),
        (day(1), Some(JPY), Some(100)),
        (day(2), Some(USD), Some(100)),
        (day(3), Some(JPY), Some(0)),
        (day(4), Some(JPY), None),
    ];
    let memory = bank(&payments, &rates()[..1], true);
    let euros = || converted(currency(), "EUR");
    let text = |text: &str| row(Kind::Text, RowNode::Const(Value::Text(text.into())));
    let dollars = call(Op::Equal, &[currency(), text("USD")]);
    let mut query = pass(vec![sum(euros(), Some(dollars.clone()))]);
    query.from = Some(day(0));
    assert_eq!(lines(&cells(&memory, &query)), ["0.900 1"]);
    query.per = Some(Grain::ordinary(TimeUnit::Month));
    assert_eq!(lines(&cells(&memory, &query)), ["2024-01-01T00:00:00Z 0.900 1"]);
    assert_eq!(
        error(&memory, sum(euros(), Some(dollars))),
        "no rate says what USD was worth in EUR on 2023-12-31: the table `rates` has none of that day or before"
    );
    assert!(error(&memory, sum(euros(), None)).starts_with("no rate says what USD was worth"));
    // An amount of nothing needs none, whatever else is done with it.
    let later = call(Op::GreaterEqual, &[moment(), row(Kind::Time, RowNode::Const(Value::Time(day(2))))]);
    let twice = call(Op::Add, &[euros(), euros()]);
    assert_eq!(found(&memory, vec![sum(twice.clone(), Some(later))]), ["1.800 3"]);
    assert!(error(&memory, sum(twice, None)).starts_with("no rate says what USD was worth"));
    // Where nothing is stored, there is no rate at all.
    let mut empty = bank(&payments[..1], &[], true);
    empty.streams.remove("rates");
    assert!(error(&empty, sum(euros(), None)).starts_with("no rate says what USD was worth"));
    let first = Measure::First(euros());
    let condition = call(Op::Less, &[euros(), number(1, 0)]);
    let counted = aggregate(events("payments", vec![]), Some(condition), first, vec![]);
    assert!(error(&memory, counted).starts_with("no rate says what USD was worth"));
}

#[test]
fn parts_convert_as_the_whole_does() {
    let payments: Vec<Payment> = (0..40).map(|i| (day(i / 2), Some((i % 3) as u32), Some(i * 7))).collect();
    let memory = bank(&payments, &rates(), true);
    let mut query = pass(vec![sum(converted(currency(), "EUR"), None)]);
    query.per = Some(Grain::ordinary(TimeUnit::Week));
    let whole = lines(&cells(&memory, &query));
    assert_eq!(lines(&cells_of_parts(&memory, &query, &[day(7), day(14)])), whole);
    assert_eq!(whole.len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn amounts_are_what_a_loop_over_rates_finds(
        payments in prop::collection::vec((0_i64..30, prop::option::of(0_u32..3), prop::option::of(-900_i64..900)), 0..30),
        rates in prop::collection::vec((0_i64..30, 0_u32..3, 0_u32..3, 1_i64..30_000), 0..20),
    ) {
        let mut payments: Vec<Payment> = payments.into_iter().map(|p| (day(p.0), p.1, p.2)).collect();
        payments.sort_by_key(|p| p.0);
        let mut rates: Vec<Rate> = rates.into_iter().map(|r| (day(r.0), r.1, r.2, r.3)).collect();
        rates.sort_by_key(|r| r.0);
        let memory = bank(&payments, &rates, false);
        let rate = |at: i64, from: u32| -> Option<f64> {
            if from == EUR {
                return Some(1.0);
            }
            let direct: Vec<&Rate> = rates.iter().filter(|r| (r.1, r.2) == (from, EUR)).collect();
            let found = |rates: &[&Rate]| rates.iter().rfind(|r| r.0 <= at).map(|r| r.3 as f64 / 1e4);
            if !direct.is_empty() {
                return found(&direct);
            }
            let inverse: Vec<&Rate> = rates.iter().filter(|r| (r.1, r.2) == (EUR, from)).collect();
            found(&inverse).map(|rate| 1.0 / rate)
        };
        let mut expected = Some(0.0);
        for (at, currency, cents) in &payments {
            let (Some(currency), Some(cents)) = (currency, cents) else { continue };
            let value = match *cents {
                0 => Some(0.0),
                cents => rate(*at, *currency).map(|rate| cents as f64 / 100.0 * rate),
            };
            expected = expected.zip(value).map(|(sum, value)| sum + value);
        }
        let plan = LeafExec::plan(pass(vec![sum(converted(currency(), "EUR"), None)]), source(&memory), 1);
        match (plan.and_then(collected), expected) {
            (Ok(found), Some(expected)) => {
                let line = lines(&found).pop().unwrap_or_else(|| "0 0".into());
                let sum: f64 = line.split(' ').next().unwrap().parse().unwrap();
                prop_assert!((sum - expected).abs() < 1e-6, "{sum} and {expected}");
            }
            (Err(ExecError::NoRate { to, .. }), None) => prop_assert_eq!(to, "EUR"),
            (found, expected) => prop_assert!(false, "{found:?} and {expected:?}"),
        }
    }
}
