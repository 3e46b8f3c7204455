//! Where the columns of cells stand.

use serde::{Deserialize, Serialize};

/// The columns of cells: the period (if any), the labels, then per side (the query's own, then each comparison's) the
/// first instant of its period and per aggregate its value and how many rows it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// Whether there are periods.
    pub(crate) per: bool,
    /// How many labels.
    pub(crate) labels: usize,
    /// How many aggregates.
    pub(crate) aggregates: usize,
    /// How many sides: one, and one per comparison.
    pub(crate) sides: usize,
}

impl Layout {
    /// How many columns tell cells apart.
    pub(crate) fn keys(&self) -> usize {
        usize::from(self.per) + self.labels
    }

    /// The column of a label.
    pub(crate) fn label(&self, i: usize) -> usize {
        usize::from(self.per) + i
    }

    /// The column with the first instant of a side's period, or window.
    pub(crate) fn period_of(&self, side: usize) -> usize {
        self.keys() + side * (1 + 2 * self.aggregates)
    }

    /// The column with the value of an aggregate.
    pub(crate) fn value(&self, side: usize, aggregate: usize) -> usize {
        self.period_of(side) + 1 + 2 * aggregate
    }

    /// The column with the number of rows of an aggregate.
    pub(crate) fn rows(&self, side: usize, aggregate: usize) -> usize {
        self.value(side, aggregate) + 1
    }
}
