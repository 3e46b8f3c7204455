//! How large a query may be. Judged before any operator sees it, since deep trees and long chains end a process.

use crate::ExecError;
use kepi_model::core::{Base, Formula, Made, OrderBy, Query, Row};

/// The deepest nesting of an expression.
const DEPTH_MAX: u64 = 200;
/// The most nodes of all expressions together.
const NODES_MAX: u64 = 50_000;
/// The most aggregates.
const AGGREGATES_MAX: u64 = 1_000;
/// The most shown columns, with those of comparisons.
const COLUMNS_MAX: u64 = 2_000;
/// The most labels.
const LABELS_MAX: u64 = 64;
/// The deepest nesting of groups.
const GROUPS_MAX: u64 = 16;
/// The most comparisons.
const COMPARISONS_MAX: u64 = 16;

/// Refuses a query that is too large.
pub(crate) fn check(query: &Query) -> Result<(), ExecError> {
    at_most("labels", query.by.len() as u64, LABELS_MAX)?;
    at_most("comparisons", query.compare.len() as u64, COMPARISONS_MAX)?;
    at_most("aggregates", query.aggregates.len() as u64, AGGREGATES_MAX)?;
    at_most("columns", query.columns.len() as u64 * (1 + 3 * query.compare.len() as u64), COLUMNS_MAX)?;
    let mut size = Size { nodes: 0 };
    for column in &query.columns {
        size.formula(&column.formula, 1)?;
    }
    if let Some(having) = &query.having {
        size.formula(having, 1)?;
    }
    for key in &query.order {
        if let OrderBy::Formula(formula) = &key.by {
            size.formula(formula, 1)?;
        }
    }
    query.aggregates.iter().try_for_each(|aggregate| size.groups(&aggregate.events.base, 1))?;
    query.aggregates.iter().flat_map(|a| a.rows()).try_for_each(|row| size.row(row, 1))
}

fn at_most(what: &str, count: u64, max: u64) -> Result<(), ExecError> {
    if count <= max { Ok(()) } else { Err(ExecError::TooLarge { what: what.into(), count, max }) }
}

/// Counts nodes, and how deep they lie.
struct Size {
    nodes: u64,
}

impl Size {
    fn node(&mut self, depth: u64) -> Result<(), ExecError> {
        self.nodes += 1;
        at_most("nested expressions", depth, DEPTH_MAX)?;
        at_most("parts", self.nodes, NODES_MAX)
    }

    /// What groups are made of, before their expressions are looked into.
    fn groups(&mut self, base: &Base, depth: u64) -> Result<(), ExecError> {
        let Base::Made(made) = base else { return Ok(()) };
        let Made::Groups(groups) = &**made else { return Ok(()) };
        at_most("groups inside each other", depth, GROUPS_MAX)?;
        at_most("aggregates", groups.aggregates.len() as u64, AGGREGATES_MAX)?;
        at_most("labels", groups.keys.len() as u64, LABELS_MAX)?;
        self.formula(&groups.value, 1)?;
        groups.aggregates.iter().try_for_each(|aggregate| self.groups(&aggregate.events.base, depth + 1))
    }

    fn formula(&mut self, formula: &Formula, depth: u64) -> Result<(), ExecError> {
        self.node(depth)?;
        formula.parts().into_iter().try_for_each(|part| self.formula(part, depth + 1))
    }

    fn row(&mut self, row: &Row, depth: u64) -> Result<(), ExecError> {
        self.node(depth)?;
        row.parts().into_iter().try_for_each(|part| self.row(part, depth + 1))
    }
}
