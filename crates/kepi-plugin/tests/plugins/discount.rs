//! The rhai functions that are shipped.

use crate::helpers::{as_floats, as_texts, failure, floats, load_shipped, numbers, scalar};

#[test]
fn a_discount_is_a_share_of_the_list_price() {
    let discount = scalar(&load_shipped("kepi.discount", "d"), "d.discount");
    let list = floats(&[Some(200.0), Some(0.0), None, Some(80.0)]);
    let paid = floats(&[Some(150.0), Some(1.0), Some(1.0), Some(100.0)]);
    assert_eq!(as_floats(&discount.call(4, &[list, paid]).unwrap()), [Some(0.25), None, None, Some(-0.25)]);
}

#[test]
fn an_optional_parameter_may_be_left_out() {
    let band = scalar(&load_shipped("kepi.discount", "d"), "d.discount_band");
    let (list, paid) = (numbers([100.0; 4]), numbers([100.0, 95.0, 80.0, 70.0]));
    let words = |texts: Vec<Option<String>>| texts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let without = band.call(4, &[list.clone(), paid.clone()]).unwrap();
    assert_eq!(words(as_texts(&without)), "none small large steep");
    let with = band.call(4, &[list.clone(), paid.clone(), numbers([0.2; 4])]).unwrap();
    assert_eq!(words(as_texts(&with)), "none small steep steep");
    let message = failure(band.call(4, &[list, paid, numbers([0.05; 4])]));
    assert_eq!(message, "d.discount_band does not take this: steep_from is 0.05; it has to be above 0.1");
}

#[test]
fn long_columns_are_cut_and_put_together_again() {
    let discount = scalar(&load_shipped("kepi.discount", "d"), "d.discount");
    let paid = numbers((0..20_000).map(|i| f64::from(i % 4)));
    let answer = as_floats(&discount.call(20_000, &[numbers(std::iter::repeat_n(4.0, 20_000)), paid]).unwrap());
    assert!(answer.iter().enumerate().all(|(i, v)| *v == Some(1.0 - (i % 4) as f64 / 4.0)));
}
