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
pub(super) const ROWS_MAX: usize = 1_000;
/// The most sets of labels that periods may leave beside those that are kept.
const SETS_MAX: usize = 100;
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
        // One row has no place among others, and no period to go on with.
        FormulaNode::Rank { .. } | FormulaNode::Series { .. } => formula.node = FormulaNode::Const(Value::Missing),
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
        *aggregate = of_rest(own, &all, &picked, query.having.is_none(), &others)?;
        without(aggregate, &all);
        only_old_enough(aggregate);
    }
    Ok(Some(whole))
}

/// The aggregate over the rows of the rest, which have the labels of `picked`, or (`complement`) none of them. What is
/// taken across labels is taken over all that has the other labels of one of the `others`, which are the rest's cells.
fn of_rest(
    own: &Aggregate,
    asked: &[usize],
    picked: &[Vec<Cell>],
    complement: bool,
    others: &[Vec<Cell>],
) -> Result<Aggregate, ExecError> {
    let kept: Vec<usize> = asked.iter().copied().filter(|i| !own.across.contains(i)).collect();
    if kept.len() == asked.len() {
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
pub(crate) fn ranking(query: &Query) -> Query {
    let mut whole = query.clone();
    (whole.per, whole.limit, whole.fill, whole.having) = (None, None, None, None);
    whole.compare.clear();
    whole.order.retain(|key| key.by != OrderBy::Period);
    whole
}

/// Of a ranking only the labels that some row of the answer has: `having` may have left none of the others.
pub(crate) fn shown_labels(query: &Query, ranked: &RecordBatch, rows: &RecordBatch) -> Result<RecordBatch, ExecError> {
    if query.having.is_none() {
        return Ok(ranked.clone());
    }
    labelled(query, (ranked, 0), (rows, 1))
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
    rest_of(query, &all_labels(query), kept, true, others).map(Some)
}

/// Where `having` leaves other labels in each period: the queries of the rows that stand for those that are left beside
/// the first `kept` of the ranking, each with the periods in which it is these.
pub(crate) fn rests_of_periods(
    query: &Query,
    rows: &RecordBatch,
    ranked: &RecordBatch,
    kept: usize,
) -> Result<Vec<(Query, Vec<Cell>)>, ExecError> {
    let count = query.by.len();
    let labels = |batch: &RecordBatch, at: usize, i: usize| Ok(row(batch, i)?[at..at + count].to_vec());
    let kept: Vec<Vec<Cell>> =
        (0..kept.min(ranked.num_rows())).map(|i| labels(ranked, 0, i)).collect::<Result<_, ExecError>>()?;
    let periods = read(rows.column(0))?;
    let mut left: Vec<(Cell, Vec<Vec<Cell>>)> = Vec::new();
    for (i, period) in periods.into_iter().enumerate() {
        let own = labels(rows, 1, i)?;
        if kept.iter().any(|known| same(known, &own)) {
            continue;
        }
        match left.iter_mut().find(|(known, _)| same(known, &period)) {
            Some((_, all)) => all.push(own),
            None => left.push((period, vec![own])),
        }
    }
    let mut sets: Vec<(Vec<Vec<Cell>>, Vec<Cell>)> = Vec::new();
    for (period, mut labels) in left {
        labels.sort_by_key(|own| format!("{own:?}"));
        match sets.iter_mut().find(|(known, _)| same(known, &labels)) {
            Some((_, periods)) => periods.push(period),
            None => sets.push((labels, vec![period])),
        }
    }
    if sets.len() > SETS_MAX || sets.iter().any(|(labels, _)| labels.len() > ROWS_MAX) {
        let what = format!("`with other` and `having` over more than {SETS_MAX} periods or {ROWS_MAX} labels");
        return Err(ExecError::NotYet(what));
    }
    let all = all_labels(query);
    sets.into_iter().map(|(labels, periods)| Ok((rest_of(query, &all, &labels, false, &labels)?, periods))).collect()
}

/// Whether labels or periods, read from columns of the same types, are the same.
pub(super) fn same<T: std::fmt::Debug>(a: &T, b: &T) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

/// The rows of some periods.
pub(crate) fn of_periods(rows: &RecordBatch, periods: &[Cell]) -> Result<RecordBatch, ExecError> {
    let own = read(rows.column(0))?;
    let keep: BooleanArray = own.iter().map(|period| Some(periods.iter().any(|known| same(known, period)))).collect();
    filter_record_batch(rows, &keep).map_err(|e| ExecError::Plan(e.to_string()))
}

fn all_labels(query: &Query) -> Vec<usize> {
    (0..query.by.len()).collect()
}

/// The query of the rest in each period: each row has the label `other` for those that are `asked` for.
pub(super) fn rest_of(
    query: &Query,
    asked: &[usize],
    picked: &[Vec<Cell>],
    complement: bool,
    others: &[Vec<Cell>],
) -> Result<Query, ExecError> {
    let mut rest = query.clone();
    (rest.limit, rest.having) = (None, None);
    for compare in &mut rest.compare {
        if let CompareWith::Target(lines) = &mut compare.with {
            lines.fill(None);
        }
    }
    for aggregate in &mut rest.aggregates {
        *aggregate = of_rest(aggregate, asked, picked, complement, others)?;
        if aggregate.aging.as_ref().is_some_and(|aging| aging.label.is_some()) {
            only_old_enough(aggregate);
        }
        blank(aggregate, asked);
        for label in aggregate.labels.iter_mut().take(asked.len()) {
            let value = if is_text(&label.unit.kind) { Value::Text(OTHER.into()) } else { Value::Missing };
            let kind = if is_text(&label.unit.kind) { Kind::Text } else { label.unit.kind.clone() };
            *label = Row { unit: Unit::of(kind), node: RowNode::Const(value) };
        }
    }
    for column in &mut rest.columns {
        forget_labels(&mut column.formula);
    }
    Ok(rest)
}

pub(super) fn is_text(kind: &Kind) -> bool {
    matches!(kind, Kind::Text | Kind::Entity(_) | Kind::Raw)
}

/// The rows whose labels are those of the first `kept` rows of the ranking.
pub(crate) fn kept_labels(
    query: &Query,
    rows: &RecordBatch,
    ranked: &RecordBatch,
    kept: usize,
) -> Result<RecordBatch, ExecError> {
    labelled(query, (rows, 1), (&ranked.slice(0, kept.min(ranked.num_rows())), 0))
}

/// The rows whose labels are those of a row of another batch; the labels begin with these columns.
fn labelled(
    query: &Query,
    (rows, at): (&RecordBatch, usize),
    (wanted, first): (&RecordBatch, usize),
) -> Result<RecordBatch, ExecError> {
    let failed = |e: ArrowError| ExecError::Plan(e.to_string());
    let labels = |batch: &RecordBatch, first: usize| batch.columns()[first..first + query.by.len()].to_vec();
    let ranked = labels(wanted, first);
    let sorts = ranked.iter().map(|label| SortField::new(label.data_type().clone())).collect();
    let converter = RowConverter::new(sorts).map_err(failed)?;
    let known = converter.convert_columns(&ranked).map_err(failed)?;
    let known: HashSet<&[u8]> = known.iter().map(|row| row.data()).collect();
    let own = converter.convert_columns(&labels(rows, at)).map_err(failed)?;
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
    by_periods(&all, descending)
}

/// Rows in the order of their periods, which are the first column; those of one period stay as they are.
pub(super) fn by_periods(all: &RecordBatch, descending: bool) -> Result<RecordBatch, ExecError> {
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
