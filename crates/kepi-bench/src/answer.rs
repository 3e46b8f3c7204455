//! Answers in a form in which those of different engines can be compared.

use crate::questions::Comparison;
use std::collections::BTreeMap;

/// Values by their keys: the period as `2023-04-01`, then the labels.
pub type Cells = BTreeMap<Vec<String>, f64>;

/// The answer to one question: one value per cell. Cells without a value, or with 0, are not there: engines differ in
/// which empty cells they list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer(Cells);

impl Answer {
    /// Takes cells; leaves out the empty ones.
    pub fn new(cells: impl IntoIterator<Item = (Vec<String>, Option<f64>)>) -> Answer {
        let full = |(keys, value): (Vec<String>, Option<f64>)| Some((keys, value.filter(|v| *v != 0.0)?));
        Answer(cells.into_iter().filter_map(full).collect())
    }

    /// Its cells.
    pub fn cells(&self) -> &Cells {
        &self.0
    }

    /// The first difference in words; none: the answers are equal, and there is something in them.
    pub fn difference(&self, other: &Answer, comparison: Comparison) -> Option<String> {
        if self.0.is_empty() {
            return Some("the answer is empty".to_string());
        }
        let place = |keys: &[String]| keys.join(", ");
        if let Some(keys) = other.0.keys().find(|keys| !self.0.contains_key(*keys)) {
            return Some(format!("{}: missing on one side", place(keys)));
        }
        self.0.iter().find_map(|(keys, value)| match other.0.get(keys) {
            None => Some(format!("{}: missing on the other side", place(keys))),
            Some(theirs) if same(*value, *theirs, comparison) => None,
            Some(theirs) => Some(format!("{}: {value} and {theirs}", place(keys))),
        })
    }
}

fn same(a: f64, b: f64, comparison: Comparison) -> bool {
    match comparison {
        Comparison::Exact => a == b,
        Comparison::Cents => (a - b).abs() < 0.005,
        Comparison::Quotient => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(cells: &[(&str, f64)]) -> Answer {
        Answer::new(cells.iter().map(|(key, value)| (vec![(*key).to_string()], Some(*value))))
    }

    #[test]
    fn tells_where_answers_differ() {
        let one = answer(&[("a", 1.0), ("b", 2.0)]);
        assert_eq!(one.difference(&answer(&[("a", 1.0), ("b", 2.0), ("c", 0.0)]), Comparison::Exact), None);
        assert_eq!(one.difference(&answer(&[("a", 1.0), ("b", 2.004)]), Comparison::Cents), None);
        assert_eq!(
            one.difference(&answer(&[("a", 1.0), ("b", 2.01)]), Comparison::Cents).as_deref(),
            Some("b: 2 and 2.01")
        );
        assert!(one.difference(&answer(&[("a", 1.0)]), Comparison::Exact).is_some());
        assert!(answer(&[("a", 1.0)]).difference(&one, Comparison::Exact).is_some());
        assert!(one.difference(&answer(&[("a", 1.0), ("b", 2.000_000_01)]), Comparison::Quotient).is_some());
        assert!(answer(&[]).difference(&answer(&[]), Comparison::Exact).is_some());
    }
}
