//! `vs target`: what a target asks for in each cell.

use super::align::zone;
use super::cell::{Cell, CellType, Reader, write};
use super::number::Number;
use super::periods::{Span, next};
use crate::ExecError;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use kepi_model::calendar::{Grain, Zone};
use kepi_model::core::TargetLine;
use kepi_model::value::{Unit, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Columns of targets that are put behind all others.
///
/// A cell is set against what was asked for by the end of its elapsed part: a month that runs against the part of its
/// target that has passed, one that has not begun against nothing, like every other comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Targets {
    /// The periods; none: a cell is the whole time.
    pub(crate) per: Option<Grain>,
    /// The project's zone.
    pub(crate) zone: String,
    /// How many labels stand behind the period.
    pub(crate) labels: usize,
    /// The time that is looked at, its beginning known.
    pub(crate) span: Span,
    /// The instant for which the query is evaluated.
    pub(crate) now: i64,
    /// Per column what is asked for, and its unit.
    pub(crate) columns: Vec<(Option<TargetLine>, Unit)>,
}

impl Targets {
    /// The schema with the targets behind.
    pub(crate) fn schema(&self, input: &SchemaRef) -> Result<SchemaRef, ExecError> {
        let mut fields: Vec<Field> = input.fields().iter().map(|f| f.as_ref().clone()).collect();
        for (i, (line, unit)) in self.columns.iter().enumerate() {
            let found = match line {
                None => CellType::Missing,
                Some(TargetLine::Level { reach, baseline: None, .. }) => constant(reach)?.cell_type(),
                Some(_) => CellType::Float,
            };
            fields.push(Field::new(format!("target_{i}"), found.arrow(unit), true));
        }
        Ok(Arc::new(Schema::new(fields)))
    }

    /// Adds the columns. The first column is the period, where there are periods.
    pub(crate) fn apply(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ExecError> {
        let zone = zone(&self.zone)?;
        let times: Vec<Option<(i64, i64)>> = match &self.per {
            None => vec![self.elapsed(self.span.from, self.span.until); batch.num_rows()],
            Some(grain) => {
                let periods = Reader::of(batch.column(0))?;
                let time = |row| match periods.cell(row) {
                    Cell::Time(start) => self.elapsed(Some(start), next(&zone, grain, start)),
                    _ => None,
                };
                (0..batch.num_rows()).map(time).collect()
            }
        };
        let first = usize::from(self.per.is_some());
        let mut columns = batch.columns().to_vec();
        for (line, _) in &self.columns {
            let field = schema.field(columns.len());
            let labels = &batch.columns()[first..first + self.labels];
            let mut cells = Vec::with_capacity(times.len());
            for (row, time) in times.iter().enumerate() {
                let line = line.as_ref().map_or(Ok(None), |line| of_part(line, labels, row))?;
                cells.push(match (line, time) {
                    (Some(line), Some(time)) => asked(line, &zone, *time)?,
                    _ => Cell::Missing,
                });
            }
            columns.push(write(&cells, field.data_type(), field.name())?);
        }
        RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| ExecError::Plan(e.to_string()))
    }

    /// The part of a cell's time that lies in the window and has passed; none of what lies ahead.
    fn elapsed(&self, start: Option<i64>, end: i64) -> Option<(i64, i64)> {
        let start = start.into_iter().chain(self.span.from).max()?;
        let end = end.min(self.span.until);
        // A moment is no stretch of time, and is set against its target also where it lies ahead.
        (start < self.now || start >= end).then_some((start, if start < self.now { end.min(self.now) } else { end }))
    }

    /// What it does, in words.
    pub(crate) fn words(&self) -> String {
        "what the targets ask for set beside".to_string()
    }
}

/// What is asked of the part that a row's labels name; without labels, of the whole.
fn of_part<'l>(line: &'l TargetLine, labels: &[ArrayRef], row: usize) -> Result<Option<&'l TargetLine>, ExecError> {
    let TargetLine::Split { parts, whole } = line else { return Ok(Some(line)) };
    if labels.is_empty() {
        return Ok(whole.as_deref());
    }
    let mut own = Vec::with_capacity(labels.len());
    for column in labels {
        match Reader::of(column)?.cell(row) {
            Cell::Text(text) => own.push(text),
            // Only texts name parts.
            _ => return Ok(None),
        }
    }
    let is_own =
        |part: &&(Vec<String>, TargetLine)| part.0.iter().map(String::as_str).eq(own.iter().map(|text| &**text));
    Ok(parts.iter().find(is_own).map(|(_, line)| line))
}

/// What a target asks for in a stretch of time; missing outside its own time.
fn asked(line: &TargetLine, zone: &Zone, (start, end): (i64, i64)) -> Result<Cell, ExecError> {
    let number = |value: Option<f64>| Cell::number(value.and_then(Number::float));
    Ok(match line {
        TargetLine::Total { from, until, reach, adds_up: false }
        | TargetLine::Each { from, until, reach, adds_up: false, .. } => {
            match part(zone, (*from, *until), (start, end)) {
                Some(_) => number(amount(reach)?),
                None => Cell::Missing,
            }
        }
        TargetLine::Total { from, until, reach, adds_up: true } => {
            let part = part(zone, (*from, *until), (start, end));
            number(amount(reach)?.zip(part).map(|(reach, part)| reach * part))
        }
        TargetLine::Each { from, until, grain, reach, adds_up: true } => {
            let (start, end) = (start.max(*from), end.min(*until));
            if start >= end {
                return Ok(Cell::Missing);
            }
            let mut periods = 0.0;
            let mut period = zone.truncate(grain, start);
            while period < end {
                let behind = next(zone, grain, period);
                periods += part(zone, (period, behind), (start, end)).unwrap_or(0.0);
                if behind <= period {
                    break;
                }
                period = behind;
            }
            number(amount(reach)?.map(|reach| reach * periods))
        }
        TargetLine::Several(lines) => {
            let mut parts = Vec::new();
            for line in lines {
                if let Cell::Number(part) = asked(line, zone, (start, end))? {
                    parts.push(part.as_f64());
                }
            }
            // What does not add up has nothing to reach where two of them meet.
            let add_up = lines.iter().all(TargetLine::adds_up);
            number((parts.len() == 1 || add_up && !parts.is_empty()).then(|| parts.iter().sum()))
        }
        TargetLine::Split { .. } => Cell::Missing,
        TargetLine::Level { by, .. } if start > *by => Cell::Missing,
        TargetLine::Level { reach, baseline: None, .. } => constant(reach)?,
        TargetLine::Level { baseline: Some((at, _)), .. } if end < *at => Cell::Missing,
        TargetLine::Level { by, reach, baseline: Some((at, value)) } => {
            // In the period in which it is due the goal itself is asked for.
            let end = end.min(*by);
            let way = if by > at { zone.part((*at, *by), (*at, end)) } else { 1.0 };
            let line = |(goal, begin): (f64, f64)| if way == 1.0 { goal } else { begin + (goal - begin) * way };
            number(amount(reach)?.zip(amount(value)?).map(line))
        }
    })
}

/// Which part of a stretch of time lies in another one, by days of the project's zone; none: nothing of it.
fn part(zone: &Zone, whole: (i64, i64), other: (i64, i64)) -> Option<f64> {
    let (from, until) = (whole.0.max(other.0), whole.1.min(other.1));
    (from < until).then(|| zone.part(whole, (from, until)))
}

fn constant(value: &Value) -> Result<Cell, ExecError> {
    Cell::of_value(value).ok_or_else(|| ExecError::Plan("a target is no single value".into()))
}

fn amount(value: &Value) -> Result<Option<f64>, ExecError> {
    match constant(value)? {
        Cell::Number(number) => Ok(Some(number.as_f64())),
        Cell::Missing => Ok(None),
        other => Err(ExecError::Plan(format!("a target is {:?}, not a number", other.cell_type()))),
    }
}
