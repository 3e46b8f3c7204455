//! The other side of a comparison, dated by the query's own periods.

use super::cell::{Cell, Reader, time_array};
use super::compare::Alignment;
use crate::ExecError;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use kepi_model::calendar::Zone;
use std::collections::BTreeMap;

/// Puts in the first column the query's period for the other side's; cells that belong to none are dropped.
pub(crate) fn apply(alignment: &Alignment, batch: &RecordBatch) -> Result<RecordBatch, ExecError> {
    let zone = zone(&alignment.zone)?;
    let mut own: BTreeMap<i64, i64> = BTreeMap::new();
    for (period, other) in alignment.pairs(&zone)? {
        // Of two periods that would meet the same one (the doubled hour of autumn) the first has it.
        own.entry(other).or_insert(period);
    }
    let reader = Reader::of(batch.column(0))?;
    let periods: Vec<Option<i64>> = (0..batch.num_rows())
        .map(|row| match reader.cell(row) {
            Cell::Time(other) => own.get(&other).copied(),
            _ => None,
        })
        .collect();
    // Rows without a counterpart go first: a period is never missing, and the column's type says so.
    let kept: BooleanArray = periods.iter().map(|p| Some(p.is_some())).collect();
    let kept = filter_record_batch(batch, &kept).map_err(|e| ExecError::Plan(e.to_string()))?;
    let mut columns: Vec<ArrayRef> = kept.columns().to_vec();
    if let Some(first) = columns.first_mut() {
        *first = time_array(periods.into_iter().filter(Option::is_some));
    }
    RecordBatch::try_new(batch.schema(), columns).map_err(|e| ExecError::Plan(e.to_string()))
}

/// The zone of this name.
pub(crate) fn zone(name: &str) -> Result<Zone, ExecError> {
    Zone::named(name).ok_or_else(|| ExecError::Plan(format!("there is no time zone `{name}`")))
}
