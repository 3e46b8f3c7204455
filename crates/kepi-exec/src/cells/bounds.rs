//! How large a query may be. Judged before any operator sees it, since deep trees and long chains end a process.

use crate::ExecError;
use kepi_model::core::{Aggregate, Events, Formula, FormulaNode, Measure, OrderBy, Query, Row, RowNode, Stage};

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
    query.aggregates.iter().try_for_each(|aggregate| size.aggregate(aggregate))
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

    fn formula(&mut self, formula: &Formula, depth: u64) -> Result<(), ExecError> {
        self.node(depth)?;
        match &formula.node {
            FormulaNode::Const(_) | FormulaNode::Aggregate(_) | FormulaNode::Label(_) | FormulaNode::Period => Ok(()),
            FormulaNode::Call { args, .. } | FormulaNode::Plugin { args, .. } => {
                args.iter().try_for_each(|arg| self.formula(arg, depth + 1))
            }
            FormulaNode::Case { whens, otherwise } => {
                for (condition, value) in whens {
                    self.formula(condition, depth + 1)?;
                    self.formula(value, depth + 1)?;
                }
                otherwise.iter().try_for_each(|o| self.formula(o, depth + 1))
            }
        }
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<(), ExecError> {
        self.events(&aggregate.events, 1)?;
        aggregate.filter.iter().chain(&aggregate.labels).try_for_each(|row| self.row(row, 1))?;
        self.measure(&aggregate.measure, 1)
    }

    fn events(&mut self, events: &Events, depth: u64) -> Result<(), ExecError> {
        events.stages.iter().try_for_each(|stage| match stage {
            Stage::Where(row) | Stage::First { per: row } => self.row(row, depth),
        })
    }

    fn measure(&mut self, measure: &Measure, depth: u64) -> Result<(), ExecError> {
        match measure {
            Measure::Count => Ok(()),
            Measure::Sum(row)
            | Measure::Avg(row)
            | Measure::Min(row)
            | Measure::Max(row)
            | Measure::Percentile { of: row, .. }
            | Measure::Stddev(row)
            | Measure::First(row)
            | Measure::Last(row)
            | Measure::Unique(row) => self.row(row, depth),
            Measure::Plugin { args, .. } => args.iter().try_for_each(|row| self.row(row, depth)),
        }
    }

    fn row(&mut self, row: &Row, depth: u64) -> Result<(), ExecError> {
        self.node(depth)?;
        match &row.node {
            RowNode::Const(_) | RowNode::At | RowNode::Field(_) | RowNode::Role(_) => Ok(()),
            RowNode::Attribute { of, .. } | RowNode::Key { of, .. } => self.row(of, depth + 1),
            RowNode::History(history) => {
                self.events(&history.events, depth + 1)?;
                let rows = history.filter.iter().chain([&history.key, &history.subject]);
                rows.into_iter().try_for_each(|row| self.row(row, depth + 1))?;
                self.measure(&history.measure, depth + 1)
            }
            RowNode::Call { args, .. } | RowNode::Plugin { args, .. } => {
                args.iter().try_for_each(|arg| self.row(arg, depth + 1))
            }
            RowNode::Case { whens, otherwise } => {
                for (condition, value) in whens {
                    self.row(condition, depth + 1)?;
                    self.row(value, depth + 1)?;
                }
                otherwise.iter().try_for_each(|o| self.row(o, depth + 1))
            }
        }
    }
}
