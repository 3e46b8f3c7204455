//! Cells: what leaves give, matched, made into the rows of the answer, computed, filtered and ordered.

mod across;
pub(crate) mod ages;
mod align;
pub(crate) mod bounds;
mod by_number;
mod cell;
pub(crate) mod compare;
pub(crate) mod due;
mod fill;
pub(crate) mod formula;
mod grid;
mod labels;
mod layout;
mod matching;
pub(crate) mod notes;
mod number;
pub(crate) mod openings;
mod ops;
pub(crate) mod other;
pub(crate) mod other_table;
mod output;
pub(crate) mod periods;
pub(crate) mod plan;
mod rank;
pub(crate) mod rest;
mod series;
mod steps;
mod target;
#[cfg(test)]
mod tests;
mod values;
mod whole;

pub(crate) use align::zone;
pub(crate) use whole::WholeExec;
