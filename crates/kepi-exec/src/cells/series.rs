//! A plugin's series over the finished grid: for each label the values of complete periods go in, and what comes back
//! stands in those behind them.

use super::align::zone;
use super::cell::{Cell, read, write};
use super::number::Number;
use super::periods::{Span, partial};
use crate::ExecError;
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion_common::arrow::row::{RowConverter, SortField};
use kepi_extension::{FunctionError, SeriesFunction};
use kepi_model::calendar::{Grain, TimeUnit};
use kepi_model::value::Value;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// A column of values that a series goes on with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    /// The function.
    pub(crate) name: String,
    /// Its other arguments.
    pub(crate) constants: Vec<Value>,
    /// The columns of the labels; the period is column 0.
    pub(crate) labels: Vec<usize>,
    /// The column of the query's own values; the other sides of comparisons behind it stay as they are.
    pub(crate) column: usize,
    /// How many columns there are with those of other sides.
    pub(crate) columns: usize,
    /// The periods.
    pub(crate) per: Grain,
    /// The project's zone.
    pub(crate) zone: String,
    /// The time that is looked at.
    pub(crate) span: Span,
    /// The instant for which the query is evaluated.
    pub(crate) now: i64,
    /// The function itself, and what it said.
    #[serde(skip)]
    pub(crate) called: Called,
}

/// A function that is no plain data, and why it gave no values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Called {
    pub(crate) function: Option<Arc<dyn SeriesFunction>>,
    refused: Arc<Mutex<Vec<String>>>,
}

impl Called {
    /// A function that has not been called yet.
    pub(crate) fn new(function: Arc<dyn SeriesFunction>) -> Called {
        Called { function: Some(function), refused: Arc::default() }
    }
}

impl PartialEq for Called {
    /// Functions are told apart by their names.
    fn eq(&self, _: &Called) -> bool {
        true
    }
}

impl Series {
    /// The schema, in which the values are floats.
    pub(crate) fn schema(&self, input: &SchemaRef) -> SchemaRef {
        let own = self.column..self.column + self.columns;
        let fields = input.fields().iter().enumerate().map(|(i, field)| match own.contains(&i) {
            true => Field::new(field.name(), DataType::Float64, true),
            false => field.as_ref().clone(),
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Puts what the series goes on with into the periods that are not complete.
    pub(crate) fn apply(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ExecError> {
        let function = self.called.function.as_ref();
        let function = function.ok_or_else(|| ExecError::Plan(format!("no plugin gives `{}`", self.name)))?;
        let periods: Vec<Option<i64>> = read(batch.column(0))?.into_iter().map(instant).collect();
        let open = self.open(&periods)?;
        let values = read(batch.column(self.column))?;
        let mut extended: Vec<Cell> = values.clone();
        for mut rows in self.groups(batch)?.into_values() {
            rows.sort_by_key(|&row| periods[row]);
            let is_open = |row: &usize| periods[*row].is_none_or(|p| open.contains(&p));
            let complete: Vec<usize> = rows.iter().copied().filter(|row| !is_open(row)).collect();
            let last = complete.last().and_then(|&row| periods[row]);
            let behind: Vec<usize> = rows.into_iter().filter(|&row| periods[row] > last && is_open(&row)).collect();
            if behind.is_empty() {
                continue;
            }
            let past: Float64Array = complete.iter().map(|&row| number(&values[row])).collect();
            let found = self.extend(function.as_ref(), &(Arc::new(past) as ArrayRef), behind.len())?;
            for (row, value) in behind.into_iter().zip(found) {
                extended[row] = value.and_then(Number::float).map_or(Cell::Missing, Cell::Number);
            }
        }
        let mut columns = batch.columns().to_vec();
        columns[self.column] = write(&extended, &DataType::Float64, &self.name)?;
        for other in self.column + 1..self.column + self.columns {
            columns[other] = write(&read(batch.column(other))?, &DataType::Float64, &self.name)?;
        }
        RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| ExecError::Plan(e.to_string()))
    }

    /// The first instants of the periods that are not complete.
    fn open(&self, periods: &[Option<i64>]) -> Result<HashSet<i64>, ExecError> {
        let mut starts: Vec<i64> = periods.iter().flatten().copied().collect();
        starts.sort_unstable();
        starts.dedup();
        let found = partial(&zone(&self.zone)?, &self.per, &self.span, self.now, &starts);
        Ok(found.into_iter().map(|period| period.start).collect())
    }

    /// The rows of each label.
    fn groups(&self, batch: &RecordBatch) -> Result<BTreeMap<Vec<u8>, Vec<usize>>, ExecError> {
        let labels: Vec<ArrayRef> = self.labels.iter().map(|&i| Arc::clone(batch.column(i))).collect();
        let mut groups: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
        if labels.is_empty() {
            groups.insert(Vec::new(), (0..batch.num_rows()).collect());
            return Ok(groups);
        }
        let failed = |e: arrow_schema::ArrowError| ExecError::Plan(e.to_string());
        let sorts = labels.iter().map(|label| SortField::new(label.data_type().clone())).collect();
        let rows = RowConverter::new(sorts).and_then(|c| c.convert_columns(&labels)).map_err(failed)?;
        for (index, row) in rows.iter().enumerate() {
            groups.entry(row.as_ref().to_vec()).or_default().push(index);
        }
        Ok(groups)
    }

    fn extend(
        &self,
        function: &dyn SeriesFunction,
        past: &ArrayRef,
        wanted: usize,
    ) -> Result<Vec<Option<f64>>, ExecError> {
        let constants = self.constants.iter().map(constant).collect::<Result<Vec<_>, _>>()?;
        let answer = match function.extend(past, season(&self.per), wanted, &constants) {
            Ok(answer) => answer,
            // Too little to go on: there is no value, and a note says why.
            Err(FunctionError::BadArgument { message, .. }) => {
                self.called.refused.lock().unwrap_or_else(PoisonError::into_inner).push(message);
                return Ok(vec![None; wanted]);
            }
            Err(error) => return Err(error.into()),
        };
        let floats = answer.as_any().downcast_ref::<Float64Array>().filter(|a| a.len() == wanted);
        let floats = floats.ok_or_else(|| {
            let plugin = self.name.split('.').next().unwrap_or(&self.name).to_string();
            let message = format!("it gave {} values of {} for {wanted}", answer.len(), answer.data_type());
            ExecError::from(FunctionError::Failed { plugin, function: self.name.clone(), message })
        })?;
        Ok(floats.iter().collect())
    }

    /// What it does, in words.
    pub(crate) fn words(&self) -> String {
        format!("{} goes on with the periods that are not complete", self.name)
    }

    /// Why some of its values are missing, after it ran.
    pub(crate) fn refused(&self) -> Option<String> {
        let refused = self.called.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let first = refused.first()?;
        let name = &self.name;
        Some(match refused.len() {
            1 => format!("{name} has no forecast: {first}"),
            labels => format!("{name} has no forecast for {labels} labels; for the first of them: {first}"),
        })
    }
}

/// How many periods make the time after which things come again: a year, of days and hours a week and a day.
fn season(grain: &Grain) -> Option<u32> {
    match grain.unit {
        TimeUnit::Month => Some(12),
        TimeUnit::Quarter => Some(4),
        TimeUnit::Week => Some(52),
        TimeUnit::Day => Some(7),
        TimeUnit::Hour => Some(24),
        _ => None,
    }
}

fn instant(cell: Cell) -> Option<i64> {
    match cell {
        Cell::Time(at) => Some(at),
        _ => None,
    }
}

fn number(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Number(number) => Some(number.as_f64()),
        _ => None,
    }
}

/// A constant as plugins take it.
fn constant(value: &Value) -> Result<ArrayRef, ExecError> {
    match Cell::of_value(value) {
        Some(Cell::Number(number)) => Ok(Arc::new(Float64Array::from(vec![number.as_f64()]))),
        Some(Cell::Text(text)) => Ok(Arc::new(StringArray::from(vec![text.to_string()]))),
        Some(Cell::Bool(yes)) => Ok(Arc::new(arrow_array::BooleanArray::from(vec![yes]))),
        _ => Err(ExecError::NotYet("a constant of a series that is no number, text or yes/no".into())),
    }
}
