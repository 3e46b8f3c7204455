//! The rows of the answer: every period where there are no labels, every label that has a row where there are.

use super::align::zone;
use super::cell::{Cell, Reader, time_array, time_type};
use super::compare::Side;
use super::layout::Layout;
use super::periods::{Span, starts};
use crate::ExecError;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::take::take;
use arrow_select::zip::zip;
use datafusion_common::arrow::row::{RowConverter, SortField};
use kepi_model::calendar::{Grain, Zone};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// The most cells that `fill` may make.
const CELLS_MAX: u64 = 10_000_000;

/// Which rows an answer has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grid {
    /// The columns.
    pub(crate) layout: Layout,
    /// The periods.
    pub(crate) per: Option<Grain>,
    /// The project's zone.
    pub(crate) zone: String,
    /// The time that is looked at.
    pub(crate) span: Span,
    /// Whether every label gets every period.
    pub(crate) full: bool,
    /// The aggregates whose rows make a row of the answer: those that a shown column uses.
    pub(crate) shown: Vec<usize>,
    /// Per aggregate, whether it is 0 of nothing.
    pub(crate) zero: Vec<bool>,
    /// The other sides of comparisons.
    pub(crate) sides: Vec<Side>,
}

/// A row of the answer before it has values.
#[derive(Clone, Copy)]
struct Place {
    /// The first instant of its period.
    period: Option<i64>,
    /// The matched row with its labels.
    labels: Option<u32>,
    /// The matched row with its values.
    values: Option<u32>,
}

impl Grid {
    /// The schema of the answer's cells, see [`Layout`].
    pub(crate) fn schema(&self, input: &SchemaRef) -> Result<SchemaRef, ExecError> {
        let keys = self.layout.keys();
        let expected = keys + self.layout.sides * self.layout.aggregates * 2;
        if input.fields().len() != expected {
            let found = input.fields().len();
            return Err(ExecError::Plan(format!("{found} matched columns come where {expected} are expected")));
        }
        let mut fields: Vec<Field> = input.fields()[..keys].iter().map(|f| f.as_ref().clone()).collect();
        let mut rest = input.fields()[keys..].iter();
        for side in 0..self.layout.sides {
            fields.push(Field::new(format!("period_of_{side}"), time_type(), true));
            fields
                .extend(rest.by_ref().take(self.layout.aggregates * 2).map(|f| f.as_ref().clone().with_nullable(true)));
        }
        Ok(Arc::new(Schema::new(fields)))
    }

    /// Makes the rows.
    pub(crate) fn apply(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ExecError> {
        let zone = zone(&self.zone)?;
        let places = self.places(batch, &zone)?;
        let keys = self.layout.keys();
        let labels: UInt32Array = places.iter().map(|p| p.labels).collect();
        let values: UInt32Array = places.iter().map(|p| p.values).collect();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        if self.per.is_some() {
            columns.push(time_array(places.iter().map(|p| p.period)));
        }
        for i in 0..self.layout.labels {
            columns.push(taken(batch.column(self.layout.label(i)), &labels)?);
        }
        let mut next = keys;
        for side in 0..self.layout.sides {
            columns.push(time_array(places.iter().map(|p| self.period_of(side, p, &zone))));
            for aggregate in 0..self.layout.aggregates {
                let value = taken(batch.column(next), &values)?;
                let zero = self.zero.get(aggregate).copied().unwrap_or(false);
                columns.push(if zero { zeros_for_nothing(value)? } else { value });
                columns.push(zeros_for_nothing(taken(batch.column(next + 1), &values)?)?);
                next += 2;
            }
        }
        RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| ExecError::Plan(e.to_string()))
    }

    /// The first instant of the period (or window) that a side has at a place.
    fn period_of(&self, side: usize, place: &Place, zone: &Zone) -> Option<i64> {
        let Some(other) = side.checked_sub(1).and_then(|i| self.sides.get(i)) else {
            return place.period.or(self.span.from);
        };
        match (&other.alignment, place.period) {
            (Some(alignment), Some(period)) => alignment.other(zone, period),
            (None, Some(period)) if let Some(shift) = other.shift => {
                Some(zone.add(period, shift)).filter(|at| other.begun && *at < other.until)
            }
            _ => other.begun.then_some(other.from),
        }
    }

    fn places(&self, batch: &RecordBatch, zone: &Zone) -> Result<Vec<Place>, ExecError> {
        let has = self.rows_that_have(batch)?;
        let Some(grain) = &self.per else {
            if self.layout.labels == 0 {
                let only = (batch.num_rows() > 0).then_some(0);
                return Ok(vec![Place { period: None, labels: None, values: only }]);
            }
            let place = |row| Place { period: None, labels: Some(row), values: Some(row) };
            return Ok(has.any.into_iter().map(place).collect());
        };
        let reader = Reader::of(batch.column(0))?;
        let period = |row: u32| match reader.cell(row as usize) {
            Cell::Time(start) => Some(start),
            _ => None,
        };
        let first = match self.span.from {
            Some(from) => Some(from),
            None => has.own.iter().filter_map(|row| period(*row)).min(),
        };
        // No time has no periods, also where its only instant lies within one.
        let Some(first) = first.filter(|first| *first < self.span.until) else { return Ok(Vec::new()) };
        let first = zone.truncate(grain, first);
        let inside = |row: &u32| period(*row).is_some_and(|p| p >= first && p < self.span.until);
        if self.layout.labels > 0 && !self.full {
            let place = |row| Place { period: period(row), labels: Some(row), values: Some(row) };
            return Ok(has.any.into_iter().filter(inside).map(place).collect());
        }
        let starts = starts(zone, grain, first, self.span.until)?;
        if self.layout.labels == 0 {
            let by_period: HashMap<i64, u32> =
                (0..batch.num_rows() as u32).filter_map(|row| Some((period(row)?, row))).collect();
            let place =
                |start: &i64| Place { period: Some(*start), labels: None, values: by_period.get(start).copied() };
            return Ok(starts.iter().map(place).collect());
        }
        let rows: Vec<u32> = has.any.into_iter().filter(&inside).collect();
        let all: Vec<u32> = (0..batch.num_rows() as u32).filter(inside).collect();
        self.every_label_in_every_period(batch, (&rows, &all), &starts, period)
    }

    /// A label is there where a shown aggregate has a row in some period; in the others there may still be rows of what
    /// is only asked for, by `having` or an order.
    fn every_label_in_every_period(
        &self,
        batch: &RecordBatch,
        (rows, all): (&[u32], &[u32]),
        starts: &[i64],
        period: impl Fn(u32) -> Option<i64>,
    ) -> Result<Vec<Place>, ExecError> {
        let labels: Vec<ArrayRef> =
            (0..self.layout.labels).map(|i| Arc::clone(batch.column(self.layout.label(i)))).collect();
        let sorts = labels.iter().map(|l| SortField::new(l.data_type().clone())).collect();
        let converter = RowConverter::new(sorts).map_err(|e| ExecError::Plan(e.to_string()))?;
        let encoded = converter.convert_columns(&labels).map_err(|e| ExecError::Plan(e.to_string()))?;
        let mut group_of: HashMap<&[u8], usize> = HashMap::new();
        let mut groups: Vec<(u32, HashMap<i64, u32>)> = Vec::new();
        for &row in rows {
            let key = encoded.row(row as usize).data();
            group_of.entry(key).or_insert_with(|| {
                groups.push((row, HashMap::new()));
                groups.len() - 1
            });
        }
        for &row in all {
            if let (Some(&group), Some(period)) = (group_of.get(encoded.row(row as usize).data()), period(row)) {
                groups[group].1.insert(period, row);
            }
        }
        let count = groups.len() as u64 * starts.len() as u64;
        if count > CELLS_MAX {
            return Err(ExecError::TooLarge { what: "cells to fill".into(), count, max: CELLS_MAX });
        }
        let mut places = Vec::with_capacity(count as usize);
        for (labels, by_period) in &groups {
            for start in starts {
                let values = by_period.get(start).copied();
                places.push(Place { period: Some(*start), labels: Some(*labels), values });
            }
        }
        Ok(places)
    }

    fn rows_that_have(&self, batch: &RecordBatch) -> Result<Having, ExecError> {
        let keys = self.layout.keys();
        let column = |side: usize, aggregate: usize| {
            let i = keys + (side * self.layout.aggregates + aggregate) * 2 + 1;
            batch
                .column(i)
                .as_primitive_opt::<Int64Type>()
                .ok_or_else(|| ExecError::Plan(format!("column {i} counts no rows")))
        };
        let mut own: Vec<&Int64Array> = Vec::new();
        let mut other: Vec<&Int64Array> = Vec::new();
        for &aggregate in &self.shown {
            own.push(column(0, aggregate)?);
            for side in 1..self.layout.sides {
                other.push(column(side, aggregate)?);
            }
        }
        let some = |columns: &[&Int64Array], row: &u32| {
            columns.iter().any(|c| c.is_valid(*row as usize) && c.value(*row as usize) > 0)
        };
        let all = || 0..batch.num_rows() as u32;
        Ok(Having {
            own: all().filter(|row| some(&own, row)).collect(),
            any: all().filter(|row| some(&own, row) || some(&other, row)).collect(),
        })
    }

    /// What it does, in words.
    pub(crate) fn words(&self) -> String {
        match (&self.per, self.layout.labels, self.full) {
            (None, 0, _) => "one row".to_string(),
            (None, _, _) => "a row for each label that has one".to_string(),
            (Some(grain), 0, _) => format!("a row for each {}", grain.name()),
            (Some(grain), _, false) => format!("a row for each {} and label that has one", grain.name()),
            (Some(grain), _, true) => format!("a row for each label in each {}", grain.name()),
        }
    }
}

/// Matched rows in which a shown aggregate has a row.
struct Having {
    /// In the query's own time.
    own: Vec<u32>,
    /// There or on another side of a comparison.
    any: Vec<u32>,
}

fn taken(column: &ArrayRef, rows: &UInt32Array) -> Result<ArrayRef, ExecError> {
    take(column, rows, None).map_err(|e| ExecError::Plan(e.to_string()))
}

/// Puts 0 where there is nothing.
fn zeros_for_nothing(column: ArrayRef) -> Result<ArrayRef, ExecError> {
    if column.null_count() == 0 {
        return Ok(column);
    }
    let zero: ArrayRef = match column.data_type() {
        DataType::Int64 => Arc::new(Int64Array::from(vec![0])),
        DataType::Float64 => Arc::new(Float64Array::from(vec![0.0])),
        DataType::Decimal128(precision, scale) => {
            let zero = Decimal128Array::from(vec![0]).with_precision_and_scale(*precision, *scale);
            Arc::new(zero.map_err(|e| ExecError::Plan(e.to_string()))?)
        }
        other => return Err(ExecError::Plan(format!("{other} has no zero"))),
    };
    let known = datafusion_common::arrow::compute::is_not_null(&column).map_err(|e| ExecError::Plan(e.to_string()))?;
    let zero = arrow_array::Scalar::new(zero);
    zip(&known, &column, &zero).map_err(|e| ExecError::Plan(e.to_string()))
}
