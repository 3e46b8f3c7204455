//! The component that is shipped: a scalar and an aggregate, typed, cut into batches, merged and saved.

use crate::helpers::{as_floats, failure, floats, load_shipped, numbers, scalar};
use arrow_array::types::Decimal128Type;
use arrow_array::{ArrayRef, Int64Array, PrimitiveArray};
use kepi_extension::{Accumulator, AggregateFunction};
use kepi_model::declared::{FunctionKind, Returns};
use kepi_model::value::{Kind, Unit};
use std::sync::Arc;

fn gini() -> Arc<dyn AggregateFunction> {
    Arc::clone(&load_shipped("acme.margins", "m").functions().aggregates["m.gini"])
}

fn add(accumulator: &mut Box<dyn Accumulator>, groups: &[u32], count: usize, values: &[Option<f64>]) {
    accumulator.update(groups, count, &[floats(values)]).unwrap();
}

#[test]
fn signatures_carry_the_alias_and_the_units() {
    let loaded = load_shipped("acme.margins", "margins");
    let signatures = loaded.signatures();
    let names: Vec<&str> = signatures.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["margins.margin_pct", "margins.gini"]);
    assert_eq!(signatures[0].returns, Returns::Unit(Unit::of(Kind::Percent)));
    assert_eq!(signatures[0].parameters[1].accepts, [Kind::Money(None)]);
    assert!(signatures[1].kind == FunctionKind::Aggregate && signatures[1].doc.starts_with("The Gini coefficient"));
    assert!(loaded.connector().is_none());
}

#[test]
fn a_margin_is_missing_where_it_has_no_meaning() {
    let margin = scalar(&load_shipped("acme.margins", "m"), "m.margin_pct");
    let revenue = floats(&[Some(200.0), Some(0.0), None, Some(100.0)]);
    let cost = floats(&[Some(150.0), Some(1.0), Some(1.0), None]);
    assert_eq!(as_floats(&margin.call(4, &[revenue, cost]).unwrap()), [Some(0.25), None, None, None]);
    assert_eq!(as_floats(&margin.call(0, &[floats(&[]), floats(&[])]).unwrap()), []);
}

#[test]
fn decimals_and_counts_come_as_floats() {
    let margin = scalar(&load_shipped("acme.margins", "m"), "m.margin_pct");
    let cents = PrimitiveArray::<Decimal128Type>::from(vec![20_000, 5]).with_precision_and_scale(38, 2).unwrap();
    let counts: ArrayRef = Arc::new(Int64Array::from(vec![Some(150), None]));
    assert_eq!(as_floats(&margin.call(2, &[Arc::new(cents), counts]).unwrap()), [Some(0.25), None]);
}

#[test]
fn long_columns_are_cut_and_put_together_again() {
    let margin = scalar(&load_shipped("acme.margins", "m"), "m.margin_pct");
    let rows = 40_000;
    let revenue = floats(&(0..rows).map(|i| (i % 7 != 0).then_some(f64::from(i))).collect::<Vec<_>>());
    // A slice has an offset in its buffers; it must not show.
    let revenue = revenue.slice(1, 39_998);
    let cost = numbers((1..39_999).map(|i| f64::from(i) / 4.0));
    let expected: Vec<Option<f64>> = (1..39_999).map(|i| (i % 7 != 0).then_some(0.75)).collect();
    assert_eq!(as_floats(&margin.call(39_998, &[revenue, cost]).unwrap()), expected);
}

#[test]
fn wrong_arguments_are_said() {
    let margin = scalar(&load_shipped("acme.margins", "m"), "m.margin_pct");
    let one = floats(&[Some(1.0)]);
    assert_eq!(
        failure(margin.call(1, &[Arc::clone(&one)])),
        "m.margin_pct does not take this: 1 arguments instead of 2"
    );
    let text: ArrayRef = Arc::new(arrow_array::StringArray::from(vec!["a"]));
    let message = failure(margin.call(1, &[one, text]));
    assert_eq!(message, "the plugin acme.margins failed in m.margin_pct: argument 2 is no column of floats");
}

#[test]
fn groups_are_counted_apart_and_missing_rows_take_no_part() {
    let mut groups = gini().start().unwrap();
    add(
        &mut groups,
        &[0, 1, 0, 1, 0, 1, 0],
        2,
        &[Some(0.0), Some(3.0), Some(0.0), Some(1.0), Some(8.0), Some(2.0), None],
    );
    add(&mut groups, &[0], 3, &[Some(0.0)]);
    let values = as_floats(&groups.finish().unwrap());
    // By hand: of 0, 0, 0, 8 it is 3/4; of 1, 2, 3 it is 2/9; of nothing it is missing.
    assert_eq!(values.len(), 3);
    assert_eq!(values[0], Some(0.75));
    assert!((values[1].unwrap() - 2.0 / 9.0).abs() < 1e-15);
    assert_eq!(values[2], None);
    assert_eq!(as_floats(&groups.finish().unwrap()), values, "it stays usable");
}

#[test]
fn split_saved_and_merged_is_the_same_as_whole() {
    let amounts: Vec<Option<f64>> = (0..50_000_u32).map(|i| (i % 11 != 3).then_some(f64::from(i * i % 1009))).collect();
    let groups: Vec<u32> = (0..50_000).map(|i| i % 5).collect();
    let aggregate = gini();
    let mut whole = aggregate.start().unwrap();
    add(&mut whole, &groups, 5, &amounts);
    let mut merged = aggregate.start().unwrap();
    for (rows, values) in groups.chunks(20_000).zip(amounts.chunks(20_000)).rev() {
        let mut part = aggregate.start().unwrap();
        add(&mut part, rows, 5, values);
        let states = part.save().unwrap();
        assert_eq!(states.len(), 5);
        merged.merge(&[0, 1, 2, 3, 4], 5, &states).unwrap();
    }
    assert_eq!(as_floats(&merged.finish().unwrap()), as_floats(&whole.finish().unwrap()));
    let damaged = failure(merged.merge(&[0], 5, &[vec![1, 2, 3]]));
    assert_eq!(damaged, "the plugin acme.margins failed in m.gini: a saved state is damaged");
}

#[test]
fn threads_do_not_disturb_each_other() {
    let margin = scalar(&load_shipped("acme.margins", "m"), "m.margin_pct");
    std::thread::scope(|scope| {
        for thread in 1..=4_u32 {
            let margin = &margin;
            scope.spawn(move || {
                for _ in 0..20 {
                    let revenue = numbers(std::iter::repeat_n(f64::from(thread), 1000));
                    let answer = margin.call(1000, &[revenue, numbers(std::iter::repeat_n(0.0, 1000))]).unwrap();
                    assert!(as_floats(&answer).iter().all(|v| *v == Some(1.0)));
                }
            });
        }
    });
}
