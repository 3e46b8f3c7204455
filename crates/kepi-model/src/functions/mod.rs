//! The functions of the language: one table per family, each entry with its meaning and an example.
//!
//! A function is looked up here by its name; what it lowers to stands in its entry ([`Lowering`]).

mod aggregates;
mod behaviour;
mod compare;
pub(crate) mod elsewhere;
mod numbers;
mod states;
mod text;
mod time;
mod windows;

use crate::core::{Edge, Op};
use kepi_syntax::ast::TimeUnit;

/// A function of the language.
#[derive(Debug)]
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// Its family, as in the manual.
    pub family: Family,
    /// How it is written.
    pub usage: &'static str,
    /// What it means: a third-person sentence, then units and missing values.
    pub doc: &'static str,
    /// A query or expression that uses it.
    pub example: &'static str,
    /// What it becomes.
    pub lowering: Lowering,
}

/// The families of functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The variants are the manual's headings.
pub enum Family {
    Rows,
    States,
    Windows,
    Behaviour,
    Compare,
    Numbers,
    Text,
    Time,
}

/// What a function becomes.
#[derive(Clone, Debug, PartialEq)]
pub enum Lowering {
    /// An aggregate of rows; of the subject's history inside a row's expression.
    Aggregate(AggregateKind),
    /// `ratio(a, b)`.
    Ratio,
    /// `share(x where c)`.
    Share,
    /// `age(e)`, `age(e, grain)`.
    Age,
    /// `cohort(e, grain)`.
    Cohort,
    /// A measure of a state: one value per cell, or of the one entity inside a row's expression.
    State(StateMeasure),
    /// Events at the edges of a state.
    Edge(Edge),
    /// One value from values of the same row or cell.
    Scalar {
        /// The operation.
        op: Op,
        /// How many arguments: at least, at most.
        arity: (usize, usize),
        /// What it takes and gives.
        rule: Rule,
    },
    /// The first instant of a period of the project's calendar.
    Truncate(TimeUnit),
    /// The same formula on another window, or its place among the other cells.
    Window(WindowKind),
    /// `funnel(a -> b)`: a table.
    Funnel,
    /// `conversion(a -> b)`.
    Conversion,
    /// `retention(a -> b, period: month)`: a table, with `age: n` a value.
    Retention,
    /// `lifecycle(e, grain)`: a label of entities.
    Lifecycle,
    /// `tile(value, parts)`: a label of entities.
    Tile,
    /// `sessions(e, gap)`: an event.
    Sessions,
    /// `gap(e)`: a value of the event's rows.
    Gap,
    /// `lift(m, test: c, control: c)`: several columns.
    Lift,
    /// Part of the language that this version does not run; the text names it.
    NotYet(&'static str),
}

impl Lowering {
    /// Whether it gives one value per cell (of a row's expression: from the history), so that names in it are not those
    /// of the row.
    pub(crate) fn is_of_cells(&self) -> bool {
        matches!(
            self,
            Lowering::Aggregate(_)
                | Lowering::Share
                | Lowering::State(_)
                | Lowering::Window(_)
                | Lowering::Funnel
                | Lowering::Conversion
                | Lowering::Retention
                | Lowering::Lift
                | Lowering::NotYet(_)
        )
    }

    /// Whether its arguments are about other rows than the one that it has a value for.
    pub(crate) fn sees_other_rows(&self) -> bool {
        self.is_of_cells()
            || matches!(
                self,
                Lowering::Age | Lowering::Cohort | Lowering::Lifecycle | Lowering::Sessions | Lowering::Edge(_)
            )
    }
}

/// The functions that move windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The variants are the functions of the language.
pub enum WindowKind {
    Prior,
    Trailing,
    ToDate,
    Running,
    Growth,
    Total,
    OfTotal,
    Rank,
}

/// The aggregates of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The variants are the functions of the language.
pub enum AggregateKind {
    Count,
    Unique,
    Sum,
    Avg,
    Min,
    Max,
    Median,
    Percentile,
    Stddev,
    First,
    Last,
}

/// The measures of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The variants are the functions of the language.
pub enum StateMeasure {
    Opening,
    Closing,
    Kept,
    TimeIn,
}

/// What a scalar function takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Numbers of one unit, and the same unit back.
    SameNumeric,
    /// Values of one unit that can be ordered, and the same unit back.
    SameOrdered,
    /// The first is a number of any unit, the others plain numbers; the first one's unit back.
    FirstNumeric,
    /// A plain number in and out.
    Number,
    /// Text in and out.
    Text,
    /// Text in, a number out.
    TextToNumber,
    /// Texts in, yes or no out.
    TextToBool,
    /// A time or date in, a number out.
    TimeToNumber,
}

/// Every function, by family.
pub fn all() -> impl Iterator<Item = &'static Builtin> {
    [aggregates::ALL, states::ALL, windows::ALL, behaviour::ALL, compare::ALL, numbers::ALL, text::ALL, time::ALL]
        .into_iter()
        .flatten()
}

/// Finds a function by its name.
pub fn find(name: &str) -> Option<&'static Builtin> {
    all().find(|f| f.name == name)
}

#[allow(clippy::too_many_arguments)] // One row of a table, spread out.
const fn scalar(
    family: Family,
    name: &'static str,
    usage: &'static str,
    op: Op,
    arity: (usize, usize),
    rule: Rule,
    doc: &'static str,
    example: &'static str,
) -> Builtin {
    Builtin { name, family, usage, doc, example, lowering: Lowering::Scalar { op, arity, rule } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_documented() {
        let mut seen = BTreeSet::new();
        for function in all() {
            assert!(seen.insert(function.name), "{} stands twice", function.name);
            assert!(function.doc.ends_with('.'), "{} has no sentence", function.name);
            assert!(function.example.contains(function.name), "the example of {} does not use it", function.name);
            assert!(function.usage.starts_with(function.name), "{} is not shown by its usage", function.name);
        }
    }
}
