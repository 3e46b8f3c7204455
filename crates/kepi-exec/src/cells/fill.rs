//! `fill`: what stands in a row where no shown aggregate has a row.

use super::cell::{Cell, CellType, Reader, read, write};
use crate::ExecError;
use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use kepi_model::core::Fill;
use kepi_model::value::{Unit, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is filled with what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Filling {
    /// What stands there.
    pub(crate) fill: Fill,
    /// The column of the period.
    pub(crate) period: Option<usize>,
    /// The columns that are filled.
    pub(crate) columns: Vec<Filled>,
}

/// A column that is filled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Filled {
    /// The column.
    pub(crate) column: usize,
    /// Its unit.
    pub(crate) unit: Unit,
    /// The column that says how many rows the shown aggregates have.
    pub(crate) rows: usize,
    /// The column that is missing where nothing can stand; none: something can stand everywhere.
    pub(crate) exists: Option<usize>,
}

impl Filling {
    /// The schema, in which a filled column holds the filling too.
    pub(crate) fn schema(&self, input: &SchemaRef) -> Result<SchemaRef, ExecError> {
        let mut fields: Vec<Field> = input.fields().iter().map(|f| f.as_ref().clone()).collect();
        let Fill::Value(value) = &self.fill else { return Ok(Arc::clone(input)) };
        let filling = constant(value)?.cell_type();
        for filled in &self.columns {
            let field = &fields[filled.column];
            let both = CellType::of_arrow(field.data_type())?.unify(filling)?;
            fields[filled.column] = Field::new(field.name(), both.arrow(&filled.unit), true);
        }
        Ok(Arc::new(Schema::new(fields)))
    }

    /// Fills the columns. Rows come label by label, the periods of each rising.
    pub(crate) fn apply(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ExecError> {
        let periods = match self.period {
            Some(column) => read(batch.column(column))?,
            None => Vec::new(),
        };
        let starts_label = |row: usize| match (row.checked_sub(1).and_then(|i| periods.get(i)), periods.get(row)) {
            (Some(Cell::Time(before)), Some(Cell::Time(now))) => now <= before,
            _ => true,
        };
        let mut columns = batch.columns().to_vec();
        for filled in &self.columns {
            let rows = Reader::of(batch.column(filled.rows))?;
            let exists = match filled.exists {
                Some(column) => Some(Reader::of(batch.column(column))?),
                None => None,
            };
            let mut cells = read(batch.column(filled.column))?;
            let mut last = Cell::Missing;
            for (row, cell) in cells.iter_mut().enumerate() {
                if starts_label(row) {
                    last = Cell::Missing;
                }
                if matches!(rows.cell(row), Cell::Number(n) if !n.is_zero()) {
                    last = cell.clone();
                } else if exists.as_ref().is_none_or(|e| !e.cell(row).is_missing()) {
                    *cell = match &self.fill {
                        Fill::Value(value) => constant(value)?,
                        Fill::Missing => Cell::Missing,
                        Fill::Previous => last.clone(),
                    };
                }
            }
            let field = schema.field(filled.column);
            columns[filled.column] = write(&cells, field.data_type(), field.name())?;
        }
        RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| ExecError::Plan(e.to_string()))
    }

    /// What it does, in words.
    pub(crate) fn words(&self) -> String {
        match &self.fill {
            Fill::Value(_) => "the value of `fill` where no row is".to_string(),
            Fill::Missing => "missing where no row is".to_string(),
            Fill::Previous => "the value of the period before where no row is".to_string(),
        }
    }
}

fn constant(value: &Value) -> Result<Cell, ExecError> {
    Cell::of_value(value).ok_or_else(|| ExecError::Plan("`fill` takes one value".into()))
}
