//! Answers in a form in which those of different engines can be compared.

use crate::questions::Comparison;
use std::collections::BTreeMap;

/// Values by their keys: the period as `2023-04-01`, then the labels, then the number of the column.
type Cells<'a> = BTreeMap<(&'a [String], usize), f64>;

/// The answer to one question: rows of keys and values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// How many keys a row has.
    pub(crate) labels: usize,
    rows: Vec<(Vec<String>, Vec<Option<f64>>)>,
}

impl Answer {
    /// Takes cells of one value column.
    pub fn new(cells: impl IntoIterator<Item = (Vec<String>, Option<f64>)>) -> Answer {
        let rows: Vec<_> = cells.into_iter().map(|(keys, value)| (keys, vec![value])).collect();
        Answer { labels: rows.first().map_or(0, |(keys, _)| keys.len()), rows }
    }

    /// Takes rows with that many keys.
    pub(crate) fn of_rows(labels: usize, rows: impl IntoIterator<Item = (Vec<String>, Vec<Option<f64>>)>) -> Answer {
        Answer { labels, rows: rows.into_iter().collect() }
    }

    fn width(&self) -> usize {
        self.rows.first().map_or(0, |(_, values)| values.len())
    }

    /// The cells of the first columns. Those without a value, or with 0, are not there: engines differ in which empty
    /// cells they list.
    fn cells(&self, width: usize) -> Cells<'_> {
        let mut cells = Cells::new();
        for (keys, values) in &self.rows {
            for (column, value) in values.iter().enumerate().take(width) {
                if let Some(value) = value.filter(|value| *value != 0.0) {
                    cells.insert((keys, column), value);
                }
            }
        }
        cells
    }

    /// The first difference in words; none: the answers are equal, and there is something in them. Columns that only
    /// one side has are not looked at.
    pub fn difference(&self, other: &Answer, comparison: Comparison) -> Option<String> {
        let width = self.width().min(other.width());
        let (ours, theirs) = (self.cells(width), other.cells(width));
        if ours.is_empty() {
            return Some("the answer is empty".to_string());
        }
        let place = |(keys, column): &(&[String], usize)| match width {
            1 => keys.join(", "),
            _ => format!("{}, column {}", keys.join(", "), column + 1),
        };
        if let Some((cell, value)) = theirs.iter().find(|(cell, _)| !ours.contains_key(*cell)) {
            return Some(format!("{}: missing on one side, {value} on the other", place(cell)));
        }
        ours.iter().find_map(|(cell, value)| match theirs.get(cell) {
            None => Some(format!("{}: {value} on one side, missing on the other", place(cell))),
            Some(theirs) if same(*value, *theirs, comparison) => None,
            Some(theirs) => Some(format!("{}: {value} and {theirs}", place(cell))),
        })
    }

    /// Where the rows come in another order, in words.
    pub(crate) fn disorder(&self, other: &Answer) -> Option<String> {
        let place = self.rows.iter().zip(&other.rows).position(|(ours, theirs)| ours.0 != theirs.0)?;
        let (ours, theirs) = (self.rows[place].0.join(", "), other.rows[place].0.join(", "));
        Some(format!("row {} is {ours} and {theirs}", place + 1))
    }
}

fn same(a: f64, b: f64, comparison: Comparison) -> bool {
    match comparison {
        Comparison::Exact | Comparison::Same => a == b,
        Comparison::Cents => (a - b).abs() < 0.005,
        Comparison::About => (a - b).abs() <= 0.1 * a.abs().max(b.abs()),
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
