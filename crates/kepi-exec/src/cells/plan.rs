//! The plan of a query: passes, matched, made into rows, computed, filtered, ordered and cut.

use super::across;
use super::cell::time_type;
use super::compare::Side;
use super::fill::{Filled, Filling};
use super::formula::{FormulaExpr, Inputs, Setting, aggregates_of};
use super::grid::Grid;
use super::layout::Layout;
use super::matching::{Part, matched};
use super::output::{change, change_percent, frame_columns};
use super::periods::Span;
use super::rank::{self, Ranking};
use super::target::Targets;
use super::whole::{WholeExec, Work};
use crate::{ExecError, FrameColumn, Pass};
use arrow_schema::{DataType, Field, Schema, SchemaRef, SortOptions};
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::empty::EmptyExec;
use datafusion_physical_plan::filter::FilterExec;
use datafusion_physical_plan::limit::GlobalLimitExec;
use datafusion_physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion_physical_plan::sorts::sort::SortExec;
use kepi_model::core::{
    Aggregate, Base, CompareWith, Fill, Formula, FormulaNode, Measure, Op, OrderBy, Query, Reach, Row, RowNode, When,
};
use kepi_model::value::{Kind, Unit, Value};
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
    let cells = across::cells(query, times, &layout, leaves)?;
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
fn asks_for_period(aggregate: &Aggregate) -> bool {
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

/// The aggregates that shown columns use.
pub(crate) fn shown_aggregates(query: &Query) -> Vec<usize> {
    let mut shown = Vec::new();
    for column in &query.columns {
        aggregates_of(&column.formula, &mut shown);
    }
    shown.sort_unstable();
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
        hole: None,
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
            _ => (times.span.from, times.span.until),
        };
        for (base, group) in passes(query) {
            let mut pass = pass(query, &base, &group, from, until);
            pass.shift = other.and_then(|o| o.shift);
            if let Some(hole) = other.and_then(|o| o.hole) {
                match (&query.per, &base) {
                    (Some(_), _) => pass.hole = Some(hole),
                    // Where all time is one cell, what lies behind the hole counts.
                    (None, Base::Stream(_) | Base::Made(_)) if pass.moved().is_empty() => {
                        pass.aggregates.iter_mut().for_each(|aggregate| leave_out(aggregate, hole));
                    }
                    (None, _) => {}
                }
            }
            let mut plan = leaves.leaf(pass)?;
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

/// Lets only rows take part that lie outside a stretch of time.
fn leave_out(aggregate: &mut Aggregate, (from, until): (i64, i64)) {
    let condition = |op, args| Row { unit: Unit::of(Kind::Bool), node: RowNode::Call { op, args } };
    let time = |node| Row { unit: Unit::of(Kind::Time), node };
    let instant = |micros| time(RowNode::Const(Value::Time(micros)));
    let before = condition(Op::Less, vec![time(RowNode::At), instant(from)]);
    let behind = condition(Op::GreaterEqual, vec![time(RowNode::At), instant(until)]);
    let outside = condition(Op::Or, vec![before, behind]);
    aggregate.filter = Some(match aggregate.filter.take() {
        Some(filter) => condition(Op::And, vec![filter, outside]),
        None => outside,
    });
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

/// The columns of values on top of cells.
struct Values<'a> {
    /// The query, its ranks taken out.
    query: &'a Query,
    /// What is ranked.
    ranked: &'a [Formula],
    /// The shown aggregates that bring cells.
    shown: Vec<usize>,
    times: &'a Times,
    layout: &'a Layout,
    setting: &'a Arc<Setting>,
}

impl Values<'_> {
    /// The columns before comparing: keys, then per shown column its value on each side.
    fn value(&self, column: usize, side: usize) -> usize {
        self.layout.keys() + column * self.layout.sides + side
    }

    fn values_end(&self) -> usize {
        self.value(self.query.columns.len(), 0)
    }

    /// The column with the places by the k-th ranked formula: they lie behind the cells.
    fn place(&self, side: usize, k: usize) -> usize {
        self.layout.period_of(self.layout.sides) + k * self.layout.sides + side
    }

    /// Puts the places of each row behind the cells, one ranked formula after the other.
    fn ranked(&self, mut cells: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
        for (k, formula) in self.ranked.iter().enumerate() {
            let schema = cells.schema();
            let first = schema.fields().len();
            let mut columns = self.pass_on(&schema, 0..first);
            for side in 0..self.layout.sides {
                columns.push(self.formula(formula, side, "rank", format!("rank_{k}_of_{side}"), &schema)?);
            }
            let period = self.layout.per.then_some(0);
            let ranking = Ranking { period, columns: first..first + self.layout.sides };
            cells = WholeExec::over(Arc::new(ProjectionExec::try_new(columns, cells)?), Work::Rank(ranking))?;
        }
        Ok(cells)
    }

    /// Computes every formula: keys, values of all sides, then (with `fill`) what filling needs, then what `having`
    /// and `order by` need.
    fn compute(&self, cells: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
        let schema = cells.schema();
        let mut columns = self.pass_on(&schema, 0..self.layout.keys());
        for (i, column) in self.query.columns.iter().enumerate() {
            for side in 0..self.layout.sides {
                let alias = format!("value_{i}_of_{side}");
                columns.push(self.formula(&column.formula, side, &column.name, alias, &schema)?);
            }
        }
        if self.query.fill.is_some() {
            for side in 0..self.layout.sides {
                columns.push(self.rows_behind(side, &schema)?);
            }
            for side in 0..self.layout.sides {
                let at = self.layout.period_of(side);
                columns.extend(self.pass_on(&schema, at..at + 1));
            }
        }
        columns.extend(self.hidden(&schema)?);
        Ok(Arc::new(ProjectionExec::try_new(columns, cells)?))
    }

    /// What `having` and `order by` look at and no column shows.
    fn hidden(&self, schema: &Schema) -> Result<Vec<ProjectionExpr>, ExecError> {
        let mut columns = Vec::new();
        if let Some(having) = &self.query.having {
            columns.push(self.formula(having, 0, "having", "having".into(), schema)?);
        }
        for (i, key) in self.query.order.iter().enumerate() {
            if let Some(formula) = self.hidden_order(&key.by) {
                columns.push(self.formula(formula, 0, "order by", format!("order_{i}"), schema)?);
            }
        }
        Ok(columns)
    }

    /// A key of the order that no shown column stands for.
    fn hidden_order<'f>(&self, by: &'f OrderBy) -> Option<&'f Formula> {
        match by {
            OrderBy::Formula(formula) if self.shown_as(formula).is_none() => Some(formula),
            _ => None,
        }
    }

    fn shown_as(&self, formula: &Formula) -> Option<usize> {
        self.query.columns.iter().position(|c| c.formula.node == formula.node)
    }

    fn formula(
        &self,
        formula: &Formula,
        side: usize,
        name: &str,
        alias: String,
        schema: &Schema,
    ) -> Result<ProjectionExpr, ExecError> {
        let own = (0..self.layout.aggregates).map(|i| self.layout.value(side, i));
        let inputs = Inputs {
            aggregates: own.chain((0..self.ranked.len()).map(|k| self.place(side, k))).collect(),
            labels: (0..self.layout.labels).map(|i| self.layout.label(i)).collect(),
            period: self.layout.period_of(side),
            needs_period: side > 0,
        };
        let expr = Arc::new(FormulaExpr::new(formula, inputs, name, schema, self.setting)?);
        Ok(ProjectionExpr { expr, alias })
    }

    /// How many rows all shown aggregates have together; 1 where nothing is read.
    fn rows_behind(&self, side: usize, schema: &Schema) -> Result<ProjectionExpr, ExecError> {
        let count = |node| Formula { unit: Unit::of(Kind::Count), node };
        let sum = self.shown.iter().map(|i| count(FormulaNode::Aggregate(*i)));
        let sum = sum.reduce(|a, b| count(FormulaNode::Call { op: Op::Add, args: vec![a, b] }));
        let sum = sum.unwrap_or_else(|| count(FormulaNode::Const(Value::Decimal { digits: 1, scale: 0 })));
        let inputs = Inputs {
            aggregates: (0..self.layout.aggregates).map(|i| self.layout.rows(side, i)).collect(),
            labels: Vec::new(),
            period: self.layout.period_of(side),
            needs_period: false,
        };
        let expr = Arc::new(FormulaExpr::new(&sum, inputs, "rows", schema, self.setting)?);
        Ok(ProjectionExpr { expr, alias: format!("rows_of_{side}") })
    }

    fn fill(&self, computed: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
        let Some(fill) = &self.query.fill else { return Ok(computed) };
        if matches!(fill, Fill::Previous) && self.query.per.is_none() {
            return Ok(computed);
        }
        let rows = self.values_end();
        let exists = rows + self.layout.sides;
        let mut columns = Vec::new();
        for (i, column) in self.query.columns.iter().enumerate() {
            for side in 0..self.layout.sides {
                columns.push(Filled {
                    column: self.value(i, side),
                    unit: column.formula.unit.clone(),
                    rows: rows + side,
                    // The query's own side is always there, also where no window says when it begins.
                    exists: (side > 0).then_some(exists + side),
                });
            }
        }
        let period = self.query.per.as_ref().map(|_| 0);
        // Putting totals beside the rows has changed their order.
        let across = self.query.aggregates.iter().any(|aggregate| !aggregate.across.is_empty());
        let computed = match fill {
            Fill::Previous if across => self.label_by_label(computed),
            _ => computed,
        };
        WholeExec::over(computed, Work::Fill(Filling { fill: fill.clone(), period, columns }))
    }

    /// Orders rows by label, and those of a label by period.
    fn label_by_label(&self, plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        let schema = plan.schema();
        let labels = (0..self.layout.labels).map(|i| self.layout.label(i));
        let keys = labels.chain(self.layout.per.then_some(0)).map(|i| {
            let expr: Arc<dyn PhysicalExpr> = Arc::new(Column::new(schema.field(i).name(), i));
            PhysicalSortExpr::new(expr, SortOptions { descending: false, nulls_first: false })
        });
        match LexOrdering::new(keys) {
            Some(order) => Arc::new(SortExec::new(order, plan)),
            None => plan,
        }
    }

    /// Puts the comparison's columns behind each value, and drops what filling needed.
    fn compare(&self, filled: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
        if self.query.compare.is_empty() && self.query.fill.is_none() {
            return Ok(filled);
        }
        // Targets come behind everything else, all columns of the first comparison with targets, then of the next.
        let mut targets = filled.schema().fields().len();
        let all = targets;
        let filled = self.with_targets(filled)?;
        let schema = filled.schema();
        let mut others = Vec::with_capacity(self.query.compare.len());
        let mut side = 0;
        for compare in &self.query.compare {
            let values: Vec<usize> = match &compare.with {
                CompareWith::Target(_) => {
                    targets += self.query.columns.len();
                    (targets - self.query.columns.len()..targets).collect()
                }
                _ => {
                    side += 1;
                    (0..self.query.columns.len()).map(|i| self.value(i, side)).collect()
                }
            };
            others.push(values);
        }
        let mut columns = self.pass_on(&schema, 0..self.layout.keys());
        for (i, column) in self.query.columns.iter().enumerate() {
            let own = self.value(i, 0);
            columns.extend(self.pass_on(&schema, own..own + 1));
            for (comparison, others) in others.iter().enumerate() {
                let other = others[i];
                columns.extend(self.pass_on(&schema, other..other + 1));
                let inputs =
                    Inputs { aggregates: vec![own, other], labels: Vec::new(), period: own, needs_period: false };
                let unit = &column.formula.unit;
                for (formula, what) in [(change(unit), "change"), (change_percent(unit), "change_percent")] {
                    let name = format!("{} {what}", column.name);
                    let expr = FormulaExpr::new(&formula, inputs.clone(), &name, &schema, self.setting)?;
                    columns.push(ProjectionExpr { expr: Arc::new(expr), alias: format!("{what}_{i}_of_{comparison}") });
                }
            }
        }
        columns.extend(self.pass_on(&schema, all - self.hidden_count()..all));
        Ok(Arc::new(ProjectionExec::try_new(columns, filled)?))
    }

    /// Puts what targets ask for behind all columns.
    fn with_targets(&self, filled: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
        let mut columns = Vec::new();
        for compare in &self.query.compare {
            if let CompareWith::Target(lines) = &compare.with {
                let shown = self.query.columns.iter().enumerate();
                columns.extend(shown.map(|(i, c)| (lines.get(i).cloned().flatten(), c.formula.unit.clone())));
            }
        }
        if columns.is_empty() {
            return Ok(filled);
        }
        let query = self.query;
        let (per, zone, span) = (query.per.clone(), query.zone.clone(), self.times.span);
        WholeExec::over(filled, Work::Target(Targets { per, zone, span, now: query.now, columns }))
    }

    fn hidden_count(&self) -> usize {
        let order = self.query.order.iter().filter(|key| self.hidden_order(&key.by).is_some()).count();
        usize::from(self.query.having.is_some()) + order
    }

    /// Filters, orders and cuts, and drops what nobody asked to see.
    fn finish(&self, shown: Arc<dyn ExecutionPlan>) -> Result<Plan, ExecError> {
        let schema = shown.schema();
        let visible = schema.fields().len() - self.hidden_count();
        let mut plan = shown;
        if self.query.having.is_some() {
            let is_bool = *schema.field(visible).data_type() == DataType::Boolean;
            if !is_bool {
                return Err(ExecError::Plan("`having` is no condition".into()));
            }
            plan = Arc::new(FilterExec::try_new(Arc::new(Column::new("having", visible)), plan)?);
        }
        if let Some(order) = self.order(&schema, visible) {
            plan = Arc::new(SortExec::new(order, plan));
        }
        if let Some(limit) = &self.query.limit
            && !limit.with_other
        {
            let rows = usize::try_from(limit.rows).unwrap_or(usize::MAX);
            plan = Arc::new(GlobalLimitExec::new(plan, 0, Some(rows)));
        }
        if self.hidden_count() > 0 {
            plan = Arc::new(ProjectionExec::try_new(self.pass_on(&schema, 0..visible), plan)?);
        }
        Ok(Plan { root: plan, columns: frame_columns(self.query) })
    }

    /// The order of the rows: the keys as written, then period and labels, so that equal ones have an order too.
    fn order(&self, schema: &Schema, visible: usize) -> Option<LexOrdering> {
        let mut hidden = visible + usize::from(self.query.having.is_some());
        let mut keys: Vec<(usize, bool)> = Vec::new();
        for key in &self.query.order {
            let column = match &key.by {
                OrderBy::Period => self.layout.per.then_some(0),
                OrderBy::Label(i) => (*i < self.layout.labels).then(|| self.layout.label(*i)),
                OrderBy::Formula(formula) => match self.shown_as(formula) {
                    Some(i) => Some(self.layout.keys() + i * (1 + 3 * self.query.compare.len())),
                    None => {
                        hidden += 1;
                        Some(hidden - 1)
                    }
                },
            };
            keys.extend(column.map(|c| (c, key.descending)));
        }
        keys.extend((0..self.layout.keys()).map(|c| (c, false)));
        LexOrdering::new(keys.into_iter().map(|(i, descending)| {
            let expr: Arc<dyn PhysicalExpr> = Arc::new(Column::new(schema.field(i).name(), i));
            PhysicalSortExpr::new(expr, SortOptions { descending, nulls_first: false })
        }))
    }

    fn pass_on(&self, schema: &Schema, columns: std::ops::Range<usize>) -> Vec<ProjectionExpr> {
        let column = |i: usize| {
            let name = schema.field(i).name();
            ProjectionExpr { expr: Arc::new(Column::new(name, i)), alias: name.clone() }
        };
        columns.map(column).collect()
    }
}
