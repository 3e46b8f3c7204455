//! A funnel's answer: every cell becomes one row per step.

use super::cell::{Cell, CellType, read, write};
use super::number::Number;
use crate::ExecError;
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use kepi_model::value::{Kind, Unit};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Columns of all steps side by side that become rows of one step each.
///
/// The columns before: keys, then those of the first step, of the second …, then hidden ones. Those behind: the same
/// keys, the step's name, the columns of one step, the hidden ones, the step's number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stepping {
    keys: usize,
    label: String,
    steps: Vec<String>,
    /// How many columns a step has.
    width: usize,
    hidden: usize,
}

impl Stepping {
    /// Of cells that have `visible` columns, keys included, before the hidden ones.
    pub(crate) fn new(
        keys: usize,
        label: &str,
        steps: &[String],
        hidden: usize,
        visible: usize,
    ) -> Result<Stepping, ExecError> {
        let values = visible.saturating_sub(keys);
        if steps.is_empty() || !values.is_multiple_of(steps.len()) {
            return Err(ExecError::Plan(format!("{values} columns are not those of {} steps", steps.len())));
        }
        let width = values / steps.len();
        Ok(Stepping { keys, label: label.to_string(), steps: steps.to_vec(), width, hidden })
    }

    /// How many columns are shown.
    pub(crate) fn visible(&self) -> usize {
        self.keys + 1 + self.width
    }

    /// The column of a step before.
    fn column(&self, step: usize, i: usize) -> usize {
        self.keys + step * self.width + i
    }

    /// The schema, in which a column holds the values of all steps.
    pub(crate) fn schema(&self, input: &SchemaRef) -> Result<SchemaRef, ExecError> {
        let mut fields: Vec<Field> = input.fields()[..self.keys].iter().map(|f| f.as_ref().clone()).collect();
        fields.push(Field::new(&self.label, DataType::Utf8, false));
        for i in 0..self.width {
            let types: Vec<&DataType> =
                (0..self.steps.len()).map(|step| input.field(self.column(step, i)).data_type()).collect();
            let same = types.iter().all(|data_type| *data_type == types[0]);
            let data_type = match same {
                true => types[0].clone(),
                false => types
                    .into_iter()
                    .try_fold(CellType::Missing, |all, next| all.unify(CellType::of_arrow(next)?))?
                    .arrow(&Unit::of(Kind::Number)),
            };
            fields.push(Field::new(format!("step_{i}"), data_type, true));
        }
        let hidden = self.column(self.steps.len(), 0);
        fields.extend(input.fields()[hidden..hidden + self.hidden].iter().map(|f| f.as_ref().clone()));
        fields.push(Field::new("step_number", DataType::Int64, false));
        Ok(Arc::new(Schema::new(fields)))
    }

    /// Makes the rows: those of a cell stay together, in the order of the steps.
    pub(crate) fn apply(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ExecError> {
        let count = self.steps.len();
        let each = |column: usize| -> Result<Vec<Cell>, ExecError> {
            let cells = read(batch.column(column))?;
            Ok(cells.into_iter().flat_map(|cell| std::iter::repeat_n(cell, count)).collect())
        };
        let in_turn = |of: &dyn Fn(usize) -> Cell| -> Vec<Cell> {
            (0..batch.num_rows()).flat_map(|_| (0..count).map(of)).collect()
        };
        let mut columns = (0..self.keys).map(each).collect::<Result<Vec<_>, _>>()?;
        columns.push(in_turn(&|step| Cell::Text(self.steps[step].as_str().into())));
        for i in 0..self.width {
            let of_steps = (0..count).map(|step| read(batch.column(self.column(step, i))));
            let of_steps = of_steps.collect::<Result<Vec<Vec<Cell>>, ExecError>>()?;
            let cells = (0..batch.num_rows()).flat_map(|row| of_steps.iter().map(move |cells| cells[row].clone()));
            columns.push(cells.collect());
        }
        let hidden = self.column(count, 0);
        for i in hidden..hidden + self.hidden {
            columns.push(each(i)?);
        }
        columns.push(in_turn(&|step| Cell::Number(Number::whole(step as i64))));
        let arrays = columns.iter().zip(schema.fields()).map(|(c, field)| write(c, field.data_type(), field.name()));
        RecordBatch::try_new(Arc::clone(schema), arrays.collect::<Result<Vec<_>, _>>()?)
            .map_err(|e| ExecError::Plan(e.to_string()))
    }

    /// What it does, in words.
    pub(crate) fn words(&self) -> String {
        format!("a row for each of the {} steps", self.steps.len())
    }
}
