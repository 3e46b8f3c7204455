//! The columns of the answer on top of cells: ranked, computed, filled, compared, filtered, ordered and cut.

use super::fill::{Filled, Filling};
use super::formula::{FormulaExpr, Inputs, Setting};
use super::layout::Layout;
use super::output::{change, change_percent, frame_columns};
use super::plan::{Plan, Times};
use super::rank::{Over, Ranked, Ranking};
use super::series::{Called, Series};
use super::steps::Stepping;
use super::target::Targets;
use super::whole::{WholeExec, Work};
use crate::ExecError;
use arrow_schema::{DataType, Schema, SortOptions};
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::filter::FilterExec;
use datafusion_physical_plan::limit::GlobalLimitExec;
use datafusion_physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion_physical_plan::sorts::sort::SortExec;
use kepi_model::core::{CompareWith, Fill, Formula, FormulaNode, Label, Op, OrderBy, Query, Shape};
use kepi_model::value::{Kind, Unit, Value};
use std::sync::Arc;

/// The columns of values on top of cells.
pub(crate) struct Values<'a> {
    /// The query, its ranks taken out.
    pub(crate) query: &'a Query,
    /// What is ranked.
    pub(crate) ranked: &'a [Ranked],
    /// The shown aggregates that bring cells.
    pub(crate) shown: Vec<usize>,
    pub(crate) times: &'a Times,
    pub(crate) layout: &'a Layout,
    pub(crate) setting: &'a Arc<Setting>,
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
    pub(crate) fn ranked(&self, mut cells: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
        for (k, Ranked { of: formula, how }) in self.ranked.iter().enumerate() {
            let schema = cells.schema();
            let first = schema.fields().len();
            let mut columns = self.pass_on(&schema, 0..first);
            for side in 0..self.layout.sides {
                columns.push(self.formula(formula, side, "rank", format!("rank_{k}_of_{side}"), &schema)?);
            }
            let work = match how {
                Over::Rank(over) => {
                    let kept = (0..self.query.by.len()).filter(|label| over.is_some_and(|over| over != *label));
                    let period = self.layout.per.then_some(0).into_iter();
                    let equal = period.chain(kept.map(|i| self.layout.label(i))).collect();
                    Work::Rank(Ranking { equal, columns: first..first + self.layout.sides })
                }
                Over::Series { name, constants } => Work::Series(self.series(name, constants, first)?),
            };
            cells = WholeExec::over(Arc::new(ProjectionExec::try_new(columns, cells)?), work)?;
        }
        Ok(cells)
    }

    /// A series over the column of the query's own values.
    fn series(&self, name: &str, constants: &[Value], column: usize) -> Result<Series, ExecError> {
        let function = self.setting.functions.series.get(name);
        let function = function.ok_or_else(|| ExecError::Plan(format!("no plugin gives `{name}`")))?;
        let per = self.query.per.clone();
        let per = per.ok_or_else(|| ExecError::NotYet(format!("`{name}` of a total: it goes on with periods")))?;
        Ok(Series {
            name: name.to_string(),
            constants: constants.to_vec(),
            labels: (0..self.query.by.len()).map(|i| self.layout.label(i)).collect(),
            column,
            columns: self.layout.sides,
            per,
            zone: self.query.zone.clone(),
            span: self.times.span,
            now: self.query.now,
            called: Called::new(Arc::clone(function)),
        })
    }

    /// Computes every formula: keys, values of all sides, then (with `fill`) what filling needs, then what `having`
    /// and `order by` need.
    pub(crate) fn compute(&self, cells: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
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

    /// A key of the order that no shown column stands for. A cell that becomes several rows is ordered as one.
    fn hidden_order<'f>(&self, by: &'f OrderBy) -> Option<&'f Formula> {
        match by {
            OrderBy::Formula(formula) if self.shown_as(formula).is_none() || self.steps().is_some() => Some(formula),
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

    pub(crate) fn fill(&self, computed: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
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
    pub(crate) fn compare(&self, filled: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
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
        let (labels, now) = (query.by.len(), query.now);
        WholeExec::over(filled, Work::Target(Targets { per, zone, labels, span, now, columns }))
    }

    /// The label and the names of the steps that each cell becomes.
    fn steps(&self) -> Option<(&str, &[String])> {
        match &self.query.shape {
            Some(Shape::Steps { label, steps, .. }) => Some((label, steps)),
            Some(Shape::Ages { .. }) | None => None,
        }
    }

    fn hidden_count(&self) -> usize {
        let order = self.query.order.iter().filter(|key| self.hidden_order(&key.by).is_some()).count();
        usize::from(self.query.having.is_some()) + order
    }

    /// Filters, orders and cuts, and drops what nobody asked to see.
    pub(crate) fn finish(&self, shown: Arc<dyn ExecutionPlan>) -> Result<Plan, ExecError> {
        let mut schema = shown.schema();
        let mut visible = schema.fields().len() - self.hidden_count();
        let mut plan = shown;
        if self.query.having.is_some() {
            let is_bool = *schema.field(visible).data_type() == DataType::Boolean;
            if !is_bool {
                return Err(ExecError::Plan("`having` is no condition".into()));
            }
            plan = Arc::new(FilterExec::try_new(Arc::new(Column::new("having", visible)), plan)?);
        }
        let steps = self.steps();
        if let Some((label, steps)) = steps {
            let (keys, hidden) = (self.layout.keys(), self.hidden_count());
            let stepping = Stepping::new(keys, label, steps, hidden, visible)?;
            visible = stepping.visible();
            plan = WholeExec::over(plan, Work::Steps(stepping))?;
            schema = plan.schema();
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
        if schema.fields().len() > visible {
            plan = Arc::new(ProjectionExec::try_new(self.pass_on(&schema, 0..visible), plan)?);
        }
        Ok(Plan { root: plan, columns: frame_columns(&as_shown(self.query)) })
    }

    /// The order of the rows: the keys as written, then period and labels, so that equal ones have an order too.
    fn order(&self, schema: &Schema, visible: usize) -> Option<LexOrdering> {
        let mut hidden = visible + usize::from(self.query.having.is_some());
        let last = schema.fields().len().saturating_sub(1);
        let mut keys: Vec<(usize, bool)> = Vec::new();
        for key in &self.query.order {
            let column = match &key.by {
                OrderBy::Period => self.layout.per.then_some(0),
                OrderBy::Label(i) if *i == self.layout.labels && self.steps().is_some() => Some(last),
                OrderBy::Label(i) => (*i < self.layout.labels).then(|| self.layout.label(*i)),
                OrderBy::Formula(formula) => match self.shown_as(formula) {
                    Some(i) if self.steps().is_none() => {
                        Some(self.layout.keys() + i * (1 + 3 * self.query.compare.len()))
                    }
                    _ => {
                        hidden += 1;
                        Some(hidden - 1)
                    }
                },
            };
            keys.extend(column.map(|c| (c, key.descending)));
        }
        keys.extend((0..self.layout.keys()).map(|c| (c, false)));
        // The steps of a cell stay in their order, by the number behind all columns.
        keys.extend(self.steps().map(|_| (last, false)));
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

/// The query whose columns are those that are shown: of steps the label and one step's columns.
fn as_shown(query: &Query) -> Query {
    let mut shown = query.clone();
    if let Some(Shape::Steps { label, columns, .. }) = &query.shape {
        shown.by.push(Label { name: label.clone(), unit: Unit::of(Kind::Text), grain: None });
        // The last step has a value in every column.
        let first = shown.columns.len().saturating_sub(columns.len());
        shown.columns.drain(..first);
        for (column, name) in shown.columns.iter_mut().zip(columns) {
            column.name.clone_from(name);
        }
    }
    shown
}
