//! `limit n with other`, and totals: the same query on other labels, computed anew and not summed.

use super::cell::{Cell, read, row, write};
use super::labels::{blank, distinct, restricted, without};
use crate::{ExecError, Note};
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array, new_null_array};
use arrow_schema::{ArrowError, DataType, Schema};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take;
use datafusion_common::arrow::row::{RowConverter, SortField};
use kepi_model::core::{Aggregate, CompareWith, Formula, FormulaNode, Op, OrderBy, OrderKey, Query, Row, RowNode};
use kepi_model::value::{Kind, Unit, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// The most rows that `with other` tells apart.
const ROWS_MAX: usize = 1_000;
/// What the label of the other row is.
const OTHER: &str = "other";

/// The query without labels: one row over all of them. What only orders or picks rows goes.
pub(crate) fn without_labels(query: &Query) -> Query {
    let mut whole = query.clone();
    whole.by.clear();
    whole.order.clear();
    (whole.having, whole.limit, whole.fill) = (None, None, None);
    let all: Vec<usize> = (0..query.by.len()).collect();
    for aggregate in &mut whole.aggregates {
        without(aggregate, &all);
        only_old_enough(aggregate);
    }
    for column in &mut whole.columns {
        forget_labels(&mut column.formula);
    }
    whole
}

/// Leaves out the cohorts that are too young, of what is not a single one any more.
fn only_old_enough(aggregate: &mut Aggregate) {
    let Some(aging) = aggregate.aging.take() else { return };
    aggregate.filter = Some(match aggregate.filter.take() {
        Some(filter) => {
            let node = RowNode::Call { op: Op::And, args: vec![filter, aging.whole] };
            Row { unit: Unit::of(Kind::Bool), node }
        }
        None => aging.whole,
    });
}

fn forget_labels(formula: &mut Formula) {
    match &mut formula.node {
        FormulaNode::Label(_) => formula.node = FormulaNode::Const(Value::Missing),
        FormulaNode::Const(_) | FormulaNode::Aggregate(_) | FormulaNode::Period => {}
        FormulaNode::Call { args, .. } | FormulaNode::Plugin { args, .. } => args.iter_mut().for_each(forget_labels),
        // One row has no place among others.
        FormulaNode::Rank(_) => formula.node = FormulaNode::Const(Value::Missing),
        FormulaNode::Case { whens, otherwise } => {
            for (condition, value) in whens {
                forget_labels(condition);
                forget_labels(value);
            }
            if let Some(otherwise) = otherwise {
                forget_labels(otherwise);
            }
        }
    }
}

/// The query of the row that stands for all rows behind the first `kept`; none: there are no more.
pub(crate) fn rest(query: &Query, rows: &RecordBatch, kept: usize) -> Result<Option<Query>, ExecError> {
    if rows.num_rows() <= kept {
        return Ok(None);
    }
    if query.by.is_empty() {
        return Err(ExecError::NotYet("`with other` without `by`".into()));
    }
    // Without `having` the rest is what is not kept, also labels that only hidden aggregates have; with it, only what
    // passed.
    let picked = if query.having.is_some() { kept..rows.num_rows() } else { 0..kept };
    if picked.len() > ROWS_MAX {
        return Err(ExecError::NotYet(format!("`with other` over more than {ROWS_MAX} labels")));
    }
    let picked: Vec<Vec<Cell>> = picked.map(|i| row(rows, i)).collect::<Result<_, _>>()?;
    let mut whole = without_labels(query);
    for compare in &mut whole.compare {
        // A target is not one of the rest.
        if let CompareWith::Target(lines) = &mut compare.with {
            lines.fill(None);
        }
    }
    let others: Vec<Vec<Cell>> = (kept..rows.num_rows()).map(|i| row(rows, i)).collect::<Result<_, _>>()?;
    let all: Vec<usize> = (0..query.by.len()).collect();
    for (aggregate, own) in whole.aggregates.iter_mut().zip(&query.aggregates) {
        *aggregate = of_rest(own, query, &picked, query.having.is_none(), &others)?;
        without(aggregate, &all);
        only_old_enough(aggregate);
    }
    Ok(Some(whole))
}

/// The aggregate over the rows of the rest, which have the labels of `picked`, or (`complement`) none of them. What is
/// taken across labels is taken over all that has the other labels of one of the `others`, which are the rest's cells.
fn of_rest(
    own: &Aggregate,
    query: &Query,
    picked: &[Vec<Cell>],
    complement: bool,
    others: &[Vec<Cell>],
) -> Result<Aggregate, ExecError> {
    let kept: Vec<usize> = (0..query.by.len()).filter(|i| !own.across.contains(i)).collect();
    if own.across.is_empty() {
        return restricted(own, &kept, picked, complement);
    }
    if kept.is_empty() {
        return Ok(own.clone());
    }
    let others = distinct(others, &kept);
    if others.len() > ROWS_MAX {
        return Err(ExecError::NotYet(format!("`with other` over more than {ROWS_MAX} labels")));
    }
    restricted(own, &kept, &others, false)
}

/// The query that says which labels are kept beside periods: those that come first over the whole time.
pub(crate) fn ranking(query: &Query) -> Result<Query, ExecError> {
    if query.having.is_some() {
        return Err(ExecError::NotYet("`with other` together with `per` and `having`".into()));
    }
    let mut whole = query.clone();
    (whole.per, whole.limit, whole.fill) = (None, None, None);
    whole.compare.clear();
    whole.order.retain(|key| key.by != OrderBy::Period);
    Ok(whole)
}

/// The query of the rows that stand for all labels but those of the first `kept` rows of the ranking: each row has the
/// label `other`. None: there are no more.
pub(crate) fn rest_per_period(query: &Query, ranked: &RecordBatch, kept: usize) -> Result<Option<Query>, ExecError> {
    if query.by.is_empty() || ranked.num_rows() <= kept {
        return Ok(None);
    }
    if kept > ROWS_MAX {
        return Err(ExecError::NotYet(format!("`with other` over more than {ROWS_MAX} labels")));
    }
    let cells: Vec<Vec<Cell>> = (0..ranked.num_rows()).map(|i| row(ranked, i)).collect::<Result<_, _>>()?;
    let (kept, others) = cells.split_at(kept);
    let all: Vec<usize> = (0..query.by.len()).collect();
    let mut rest = query.clone();
    rest.limit = None;
    for compare in &mut rest.compare {
        if let CompareWith::Target(lines) = &mut compare.with {
            lines.fill(None);
        }
    }
    for aggregate in &mut rest.aggregates {
        *aggregate = of_rest(aggregate, query, kept, true, others)?;
        if aggregate.aging.as_ref().is_some_and(|aging| aging.label.is_some()) {
            only_old_enough(aggregate);
        }
        blank(aggregate, &all);
        for label in &mut aggregate.labels {
            let value = if is_text(&label.unit.kind) { Value::Text(OTHER.into()) } else { Value::Missing };
            let kind = if is_text(&label.unit.kind) { Kind::Text } else { label.unit.kind.clone() };
            *label = Row { unit: Unit::of(kind), node: RowNode::Const(value) };
        }
    }
    for column in &mut rest.columns {
        forget_labels(&mut column.formula);
    }
    Ok(Some(rest))
}

fn is_text(kind: &Kind) -> bool {
    matches!(kind, Kind::Text | Kind::Entity(_) | Kind::Raw)
}

/// The rows whose labels are those of the first `kept` rows of the ranking.
pub(crate) fn kept_labels(
    query: &Query,
    rows: &RecordBatch,
    ranked: &RecordBatch,
    kept: usize,
) -> Result<RecordBatch, ExecError> {
    let failed = |e: ArrowError| ExecError::Plan(e.to_string());
    let labels = |batch: &RecordBatch, first: usize| batch.columns()[first..first + query.by.len()].to_vec();
    let ranked = labels(&ranked.slice(0, kept.min(ranked.num_rows())), 0);
    let sorts = ranked.iter().map(|label| SortField::new(label.data_type().clone())).collect();
    let converter = RowConverter::new(sorts).map_err(failed)?;
    let known = converter.convert_columns(&ranked).map_err(failed)?;
    let known: HashSet<&[u8]> = known.iter().map(|row| row.data()).collect();
    let own = converter.convert_columns(&labels(rows, 1)).map_err(failed)?;
    let keep: BooleanArray = own.iter().map(|row| Some(known.contains(row.data()))).collect();
    filter_record_batch(rows, &keep).map_err(failed)
}

/// Puts the other rows among the kept ones: behind those of their period where rows come period by period, else behind
/// all.
pub(crate) fn among(query: &Query, kept: &RecordBatch, other: &RecordBatch) -> Result<RecordBatch, ExecError> {
    let schema = kept.schema();
    let other = conform(other.columns().to_vec(), &schema)?;
    let all = concat_batches(&other.schema(), [&conform(kept.columns().to_vec(), &schema)?, &other])
        .map_err(|e| ExecError::Plan(e.to_string()))?;
    let descending = match query.order.first() {
        None => false,
        Some(OrderKey { by: OrderBy::Period, descending }) => *descending,
        Some(_) => return Ok(all),
    };
    let periods = read(all.column(0))?;
    let period = |row: &u32| match periods.get(*row as usize) {
        Some(Cell::Time(start)) if descending => -start,
        Some(Cell::Time(start)) => *start,
        _ => i64::MAX,
    };
    let mut order: Vec<u32> = (0..all.num_rows() as u32).collect();
    order.sort_by_key(period);
    let order = UInt32Array::from(order);
    let columns = all.columns().iter().map(|column| take(column, &order, None));
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(|e| ExecError::Plan(e.to_string()))?;
    RecordBatch::try_new(all.schema(), columns).map_err(|e| ExecError::Plan(e.to_string()))
}

/// Puts the other row behind the kept ones. Its labels say "other"; where no label is a text, all are missing and a
/// note says what the row is.
pub(crate) fn append(
    query: &Query,
    kept: &RecordBatch,
    other: &RecordBatch,
) -> Result<(RecordBatch, Option<Note>), ExecError> {
    let schema = kept.schema();
    let is_text = |i: usize| *schema.field(i).data_type() == DataType::Utf8;
    let mut columns: Vec<ArrayRef> = Vec::new();
    for i in 0..query.by.len() {
        columns.push(match is_text(i) {
            true => write(&[Cell::Text(OTHER.into())], &DataType::Utf8, OTHER)?,
            false => new_null_array(schema.field(i).data_type(), 1),
        });
    }
    columns.extend(other.columns().iter().map(Arc::clone));
    let row = conform(columns, &schema)?;
    let rows = concat_batches(&schema, [kept, &row]).map_err(|e| ExecError::Plan(e.to_string()))?;
    let note = !(0..query.by.len()).any(is_text);
    let note = note.then(|| Note {
        code: "other_row".into(),
        text: format!("the last row is every other `{}` together", query.by[0].name),
    });
    Ok((rows, note))
}

/// A batch of this schema out of columns that mean the same.
pub(crate) fn conform(columns: Vec<ArrayRef>, schema: &Schema) -> Result<RecordBatch, ExecError> {
    let mut conformed = Vec::with_capacity(columns.len());
    for (column, field) in columns.into_iter().zip(schema.fields()) {
        conformed.push(match column.data_type() == field.data_type() {
            true => column,
            false => write(&read(&column)?, field.data_type(), field.name())?,
        });
    }
    let nullable: Vec<_> = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(nullable)), conformed).map_err(|e| ExecError::Plan(e.to_string()))
}
