//! The plan of a query: passes, matched, made into rows, computed, filtered, ordered and cut.

use super::across;
use super::ages;
use super::cell::time_type;
use super::compare::Side;
use super::due::Cut;
use super::formula::{Setting, aggregates_of};
use super::grid::Grid;
use super::layout::Layout;
use super::matching::{Part, matched};
use super::periods::Span;
use super::rank;
use super::values::Values;
use super::whole::{WholeExec, Work};
use crate::pass::history_counted;
use crate::{ExecError, FrameColumn, Pass};
use arrow_schema::{Field, Schema, SchemaRef};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::empty::EmptyExec;
use kepi_model::core::{Aggregate, Base, Formula, FormulaNode, Measure, OrderBy, Query, Reach, Row, RowNode, When};
use std::sync::Arc;

/// Makes the leaf of a pass.
pub(crate) trait Leaves {
    /// A plan that gives the cells of the pass as [`crate::LeafExec`] describes them.
    fn leaf(&self, pass: Pass) -> Result<Arc<dyn ExecutionPlan>, ExecError>;
}

/// What a plan is made of beside the query: the time that is looked at, worked out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Times {
    /// The query's own time.
    pub(crate) span: Span,
    /// The other times of its comparisons, targets left out.
    pub(crate) sides: Vec<Side>,
    /// Where the query's own values end in the period that runs; none: where the window does.
    pub(crate) cut: Option<Cut>,
    /// Whether totals over the cells are wanted in place of the cells, where the query has a shape whose totals are.
    pub(crate) total: bool,
}

impl Times {
    /// The query's own time as one, beside nothing.
    pub(crate) fn whole(&self) -> Times {
        let cut = self.cut.as_ref().map(Cut::without_periods);
        Times { span: self.span, sides: Vec::new(), cut, total: false }
    }
}

/// A plan and what its columns are.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The plan; one partition.
    pub(crate) root: Arc<dyn ExecutionPlan>,
    /// What its columns are.
    pub(crate) columns: Vec<FrameColumn>,
}

/// Makes the plan of a query. The same query, times and leaves give the same plan.
pub(crate) fn plan(
    query: &Query,
    times: &Times,
    leaves: &dyn Leaves,
    setting: &Arc<Setting>,
) -> Result<Plan, ExecError> {
    let layout = Layout {
        per: query.per.is_some(),
        labels: query.by.len(),
        aggregates: query.aggregates.len(),
        sides: 1 + times.sides.len(),
    };
    let query = &ages::with_members(query);
    let mut cells = across::cells(query, times, &layout, leaves)?;
    if let Some(ages) = ages::of(query, times, layout) {
        cells = WholeExec::over(cells, Work::Ages(ages))?;
    }
    let own = |i: &usize| query.aggregates.get(*i).is_some_and(|aggregate| aggregate.across.is_empty());
    let shown: Vec<usize> = shown_aggregates(query).into_iter().filter(own).collect();
    let (query, ranked) = &rank::take_out(query);
    let values = Values { query, times, ranked, shown, layout: &layout, setting };
    let computed = values.compute(values.ranked(cells)?)?;
    let shown = values.compare(values.fill(computed)?)?;
    values.finish(shown)
}

/// The aggregates of a query by what they read and when: one pass each.
pub(crate) fn passes(query: &Query) -> Vec<(Base, Vec<usize>)> {
    passes_of(&query.aggregates)
}

/// Aggregates by what they read and when.
pub(crate) fn passes_of(aggregates: &[Aggregate]) -> Vec<(Base, Vec<usize>)> {
    let mut passes: Vec<(Base, Vec<usize>)> = Vec::new();
    for (i, aggregate) in aggregates.iter().enumerate() {
        let together = |group: &[usize]| {
            let first = group.first().and_then(|i| aggregates.get(*i));
            first.is_some_and(|first| {
                first.moved == aggregate.moved
                    // What is counted in another way is counted for itself.
                    && history_counted(first) == history_counted(aggregate)
                    // Rows that ask for the cell's period may have to be read once per window.
                    && (first.moved.is_empty() || asks_for_period(first) == asks_for_period(aggregate))
            })
        };
        match passes.iter_mut().find(|(base, group)| *base == aggregate.events.base && together(group)) {
            Some((_, group)) => group.push(i),
            None => passes.push((aggregate.events.base.clone(), vec![i])),
        }
    }
    passes
}

/// Whether a row's value depends on the period of the cell that it is in.
pub(super) fn asks_for_period(aggregate: &Aggregate) -> bool {
    fn row(of: &Row) -> bool {
        let asks = match &of.node {
            RowNode::History(history) => history.over == Reach::Period,
            RowNode::State { when, .. } => *when != When::Moment,
            RowNode::StateAverage { .. } | RowNode::TimeIn { .. } => true,
            _ => false,
        };
        asks || of.parts().into_iter().any(row)
    }
    aggregate.rows().into_iter().any(row)
}

/// The aggregates that shown columns use, and of totals those that they are totals of: a total alone has their rows.
pub(crate) fn shown_aggregates(query: &Query) -> Vec<usize> {
    let mut shown = Vec::new();
    for column in &query.columns {
        aggregates_of(&column.formula, &mut shown);
    }
    let part = |total: &usize| {
        let total = query.aggregates.get(*total).filter(|total| !total.across.is_empty())?;
        query.aggregates.iter().position(|one| *one == Aggregate { across: Vec::new(), ..total.clone() })
    };
    shown.extend(shown.iter().filter_map(part).collect::<Vec<_>>());
    shown.sort_unstable();
    shown.dedup();
    shown
}

/// A pass over some aggregates of a query, on a time of its own.
pub(crate) fn pass(query: &Query, base: &Base, group: &[usize], from: Option<i64>, until: i64) -> Pass {
    let exists = match base {
        Base::Entity(name) => query.existence.iter().find(|e| e.entity == *name).cloned(),
        Base::Stream(_) | Base::Made(_) => None,
    };
    Pass {
        base: base.clone(),
        aggregates: group.iter().map(|i| query.aggregates[*i].clone()).collect(),
        labels: query.by.clone(),
        per: query.per.clone(),
        zone: query.zone.clone(),
        from,
        until,
        now: query.now,
        moment: query.window.moment,
        exists,
        shift: None,
    }
}

/// The values of a query's aggregates on all sides, matched.
pub(crate) fn matched_passes(
    query: &Query,
    times: &Times,
    layout: &Layout,
    leaves: &dyn Leaves,
) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
    let mut parts = Vec::new();
    for side in 0..layout.sides {
        let other = side.checked_sub(1).and_then(|i| times.sides.get(i));
        let (from, until) = match other {
            Some(other) if other.shift.is_none() => (Some(other.from), other.until),
            // The query's own time, of which what has passed is shifted.
            Some(_) => {
                let passed = times.span.until.min(query.now);
                (times.span.from, times.span.from.map_or(passed, |from| passed.max(from)))
            }
            None => (times.span.from, times.span.until),
        };
        for (base, group) in passes(query) {
            let mut plan = match &times.cut {
                Some(cut) if side == 0 => cut.cells(query, (&base, &group), (from, until), leaves)?,
                _ => {
                    let mut pass = pass(query, &base, &group, from, until);
                    pass.shift = other.and_then(|o| o.shift);
                    leaves.leaf(pass)?
                }
            };
            if let Some(alignment) = other.and_then(|o| o.alignment.clone()) {
                plan = WholeExec::over(plan, Work::Align(alignment))?;
            }
            parts.push(Part { plan, columns: group.iter().map(|i| side * layout.aggregates + i).collect() });
        }
    }
    if parts.is_empty() {
        return Ok(Arc::new(EmptyExec::new(keys_only(query))));
    }
    matched(parts, layout.keys())
}

/// The keys of a query that reads nothing.
fn keys_only(query: &Query) -> SchemaRef {
    let period = query.per.iter().map(|_| Field::new("period", time_type(), true));
    let labels =
        query.by.iter().enumerate().map(|(i, label)| {
            Field::new(format!("label_{i}"), super::cell::CellType::Missing.arrow(&label.unit), true)
        });
    Arc::new(Schema::new(period.chain(labels).collect::<Vec<_>>()))
}

/// Whether an aggregate is 0 of nothing.
pub(crate) fn is_zero_of_nothing(aggregate: &Aggregate) -> bool {
    matches!(aggregate.measure, Measure::Count | Measure::Sum(_) | Measure::Unique(_))
}

/// Whether a shown, picked or ordering value goes on with a series: then every label needs every period.
pub(crate) fn reads_series(query: &Query) -> bool {
    fn reads(formula: &Formula) -> bool {
        matches!(formula.node, FormulaNode::Series { .. }) || formula.parts().into_iter().any(reads)
    }
    let ordered = query.order.iter().filter_map(|key| match &key.by {
        OrderBy::Formula(formula) => Some(formula),
        _ => None,
    });
    query.columns.iter().map(|c| &c.formula).chain(&query.having).chain(ordered).any(reads)
}

/// Which rows the answer has.
pub(crate) fn grid(query: &Query, times: &Times, layout: Layout) -> Grid {
    Grid {
        layout,
        per: query.per.clone(),
        zone: query.zone.clone(),
        span: times.span,
        full: query.fill.is_some(),
        shown: shown_aggregates(query),
        zero: query.aggregates.iter().map(is_zero_of_nothing).collect(),
        sides: times.sides.clone(),
    }
}
