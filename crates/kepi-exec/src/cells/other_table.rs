//! `limit n with other` of a table of its own: the labels of a funnel or a retention whose rows come first, and all others
//! as one label, computed anew.

use super::cell::{Cell, read};
use super::other::{ROWS_MAX, by_periods, conform, is_text, rest_of, same};
use crate::{ExecError, Note};
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use kepi_model::core::{OrderBy, Query, Shape};

/// How many labels the query asks for: a retention adds its cohort and age behind them, a funnel its step.
fn asked(query: &Query) -> usize {
    match query.shape {
        Some(Shape::Ages { .. }) => query.by.len().saturating_sub(2),
        Some(Shape::Steps { .. }) | None => query.by.len(),
    }
}

/// The labels of each row, which begin with the column `first`.
fn labels(rows: &RecordBatch, first: usize, count: usize) -> Result<Vec<Vec<Cell>>, ExecError> {
    let columns =
        (first..first + count).map(|i| read(rows.column(i))).collect::<Result<Vec<Vec<Cell>>, ExecError>>()?;
    Ok((0..rows.num_rows()).map(|row| columns.iter().map(|cells| cells[row].clone()).collect()).collect())
}

/// What `limit` leaves of a table.
pub(crate) struct Rest {
    /// Asks for all labels but those that are kept.
    pub(crate) query: Query,
    /// The labels that come first.
    pub(crate) kept: Vec<Vec<Cell>>,
}

/// What is left beside the labels that come first; none: there are no more. `ranked`: the answer's rows, or with periods
/// those of the whole time, whose labels begin with the first column.
pub(crate) fn rest(query: &Query, ranked: &RecordBatch, kept: usize) -> Result<Option<Rest>, ExecError> {
    let count = asked(query);
    if count == 0 {
        return Err(ExecError::NotYet("`with other` without `by`".into()));
    }
    let apart = query.per.is_some() || matches!(query.shape, Some(Shape::Ages { .. }));
    if query.having.is_some() && apart {
        return Err(ExecError::NotYet("`with other` beside `having` in a table of cohorts or periods".into()));
    }
    let mut found: Vec<Vec<Cell>> = Vec::new();
    for own in labels(ranked, 0, count)? {
        if !found.iter().any(|known| same(known, &own)) {
            found.push(own);
        }
    }
    if found.len() <= kept {
        return Ok(None);
    }
    let others = found.split_off(kept);
    // With `having` the rest is only what has passed.
    let (picked, complement) = if query.having.is_some() { (&others, false) } else { (&found, true) };
    if picked.len() > ROWS_MAX {
        return Err(ExecError::NotYet(format!("`with other` over more than {ROWS_MAX} labels")));
    }
    let own: Vec<usize> = (0..count).collect();
    let query = rest_of(query, &own, picked, complement, &others)?;
    Ok(Some(Rest { query, kept: found }))
}

/// The rows of the labels that are kept, and those of the others: behind those of their period where rows come period by
/// period, else behind all. Where no label is a text, the others have missing ones, and a note says so.
pub(crate) fn together(
    query: &Query,
    rows: &RecordBatch,
    kept: &[Vec<Cell>],
    other: &RecordBatch,
) -> Result<(RecordBatch, Option<Note>), ExecError> {
    let failed = |e: arrow_schema::ArrowError| ExecError::Plan(e.to_string());
    let (first, count) = (usize::from(query.per.is_some()), asked(query));
    let own = labels(rows, first, count)?;
    let keep: BooleanArray = own.iter().map(|own| Some(kept.iter().any(|known| same(known, own)))).collect();
    let schema = rows.schema();
    let rows = filter_record_batch(rows, &keep).map_err(failed)?;
    let other = conform(other.columns().to_vec(), &schema)?;
    let mut all =
        concat_batches(&other.schema(), [&conform(rows.columns().to_vec(), &schema)?, &other]).map_err(failed)?;
    let descending = match query.order.first() {
        None => Some(false),
        Some(key) => (key.by == OrderBy::Period).then_some(key.descending),
    };
    if let (Some(descending), true) = (descending, query.per.is_some()) {
        all = by_periods(&all, descending)?;
    }
    let note = !query.by.iter().take(count).any(|label| is_text(&label.unit.kind));
    let note = note.then(|| Note {
        code: "other_row".into(),
        text: format!("the last rows are every other `{}` together", query.by[0].name),
    });
    Ok((all, note))
}
