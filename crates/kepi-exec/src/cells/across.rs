//! Values taken across labels (`of_total`): computed without these labels, put beside every cell that has the others.

use super::labels::without;
use super::layout::Layout;
use super::matching::beside;
use super::plan::{Leaves, Times, grid, is_zero_of_nothing, matched_passes};
use super::whole::{WholeExec, Work};
use crate::ExecError;
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::projection::{ProjectionExec, ProjectionExpr};
use kepi_model::core::Query;
use std::sync::Arc;

/// Aggregates that leave out the same labels, by their numbers in the query.
struct Across {
    labels: Vec<usize>,
    aggregates: Vec<usize>,
}

/// The cells of a query in the columns of its layout.
pub(crate) fn cells(
    query: &Query,
    times: &Times,
    layout: &Layout,
    leaves: &dyn Leaves,
) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
    let (own, others) = sorted(query);
    let part = only(query, &own, &[]);
    let own_layout = Layout { aggregates: own.len(), ..*layout };
    let matched = matched_passes(&part, times, &own_layout, leaves)?;
    let mut grid = grid(&part, times, own_layout);
    // The columns are not in the part: what goes on with a series needs every period of every label.
    grid.full |= super::plan::reads_series(query);
    grid.shown = super::plan::shown_aggregates(query);
    grid.shown = grid.shown.iter().filter_map(|shown| own.iter().position(|i| i == shown)).collect();
    let mut cells = WholeExec::over(matched, Work::Grid(grid))?;
    if others.is_empty() {
        return Ok(cells);
    }
    // Where each value lies: the number of its column; that of its rows is the next.
    let mut places = vec![vec![0; layout.aggregates]; layout.sides];
    for (side, places) in places.iter_mut().enumerate() {
        own.iter().enumerate().for_each(|(k, i)| places[*i] = own_layout.value(side, k));
    }
    for across in others {
        let part = only(query, &across.aggregates, &across.labels);
        let kept: Vec<usize> = (0..layout.labels).filter(|i| !across.labels.contains(i)).collect();
        let part_layout = Layout { labels: kept.len(), aggregates: across.aggregates.len(), ..*layout };
        let total = matched_passes(&part, times, &part_layout, leaves)?;
        let period = layout.per.then_some(0);
        let keys: Vec<usize> = period.into_iter().chain(kept.into_iter().map(|i| layout.label(i))).collect();
        let width = cells.schema().fields().len();
        let zero: Vec<bool> = part.aggregates.iter().map(is_zero_of_nothing).collect();
        cells = beside(cells, total, &keys, |i| i % 2 == 1 || zero[i / 2 % zero.len()])?;
        for (side, places) in places.iter_mut().enumerate() {
            let place = |k: usize| width + 2 * (side * across.aggregates.len() + k);
            across.aggregates.iter().enumerate().for_each(|(k, i)| places[*i] = place(k));
        }
    }
    in_layout(cells, layout, &own_layout, &places)
}

/// The aggregates that bring cells, and the others by the labels that they leave out.
fn sorted(query: &Query) -> (Vec<usize>, Vec<Across>) {
    let mut own = Vec::new();
    let mut others: Vec<Across> = Vec::new();
    for (i, aggregate) in query.aggregates.iter().enumerate() {
        let mut labels = aggregate.across.clone();
        labels.retain(|label| *label < query.by.len());
        labels.sort_unstable();
        labels.dedup();
        if labels.is_empty() {
            own.push(i);
            continue;
        }
        match others.iter_mut().find(|across| across.labels == labels) {
            Some(across) => across.aggregates.push(i),
            None => others.push(Across { labels, aggregates: vec![i] }),
        }
    }
    (own, others)
}

/// The query with some of its aggregates, and without some of its labels.
fn only(query: &Query, aggregates: &[usize], left_out: &[usize]) -> Query {
    let mut part = query.clone();
    part.by = (0..query.by.len()).filter(|i| !left_out.contains(i)).map(|i| query.by[i].clone()).collect();
    part.aggregates = aggregates.iter().map(|i| query.aggregates[*i].clone()).collect();
    for aggregate in &mut part.aggregates {
        without(aggregate, left_out);
    }
    // What is shown names aggregates by numbers that they have no more.
    part.columns.clear();
    part
}

/// Brings columns into the order of a layout.
fn in_layout(
    cells: Arc<dyn ExecutionPlan>,
    layout: &Layout,
    own: &Layout,
    places: &[Vec<usize>],
) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
    let schema = cells.schema();
    let mut columns = Vec::new();
    let mut push = |from: usize, alias: String| {
        let expr = Arc::new(Column::new(schema.field(from).name(), from));
        columns.push(ProjectionExpr { expr, alias });
    };
    for key in 0..layout.keys() {
        push(key, schema.field(key).name().clone());
    }
    for (side, places) in places.iter().enumerate() {
        push(own.period_of(side), format!("period_of_{side}"));
        for (i, place) in places.iter().enumerate() {
            push(*place, format!("value_{i}_of_{side}"));
            push(place + 1, format!("rows_{i}_of_{side}"));
        }
    }
    Ok(Arc::new(ProjectionExec::try_new(columns, cells)?))
}
