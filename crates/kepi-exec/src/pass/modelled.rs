//! What a model of a plugin says of each entity, fitted on the rows of all of them up to a moment.

use super::feed::Feed;
use super::{Fit, Learned};
use crate::ExecError;
use crate::rows::{Column, Frame, Program, Type, Values, plugin_array};
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::DataType;
use arrow_select::concat::concat;
use arrow_select::take::take;
use kepi_extension::{FunctionError, ModelFunction, ModelTable};
use kepi_model::calendar::Zone;
use kepi_model::core::{Modelled, Row, Stage};
use kepi_model::value::Unit;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The rows that are kept may take so many bytes, as those of a model of cells.
const BYTES_MAX: usize = 1 << 30;
/// Of how many moments it is told how well a model fits.
const MOMENTS_TOLD: usize = 3;

/// A model that is asked of entities.
pub(crate) struct ModelOf {
    model: Arc<dyn ModelFunction>,
    name: String,
    subject: usize,
    /// Of the feed's program: the arguments behind the entity.
    args: Vec<(usize, Unit)>,
    feed: Feed,
    table: Option<Table>,
    now: i64,
    zone: Option<Zone>,
    /// The moment that was looked at last, and by id what the model says then.
    said: Option<(i64, HashMap<u32, f64>)>,
    learned: Learned,
}

impl fmt::Debug for ModelOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelOf").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All rows that a model may learn from, in the order of their time.
#[derive(Default)]
struct Table {
    at: Vec<i64>,
    /// By row the entity's number: the first one to come is 0.
    entities: Vec<u32>,
    /// By row how many entities there are up to it.
    counts: Vec<u32>,
    /// By number the entity's id.
    ids: Vec<u32>,
    args: Vec<ArrayRef>,
}

impl ModelOf {
    /// Of the entities that a node of a program gives.
    pub(crate) fn new(outer: &mut Program, of: &Modelled, subject: usize) -> Result<ModelOf, ExecError> {
        let model = outer.source.functions.models.get(&of.name).cloned();
        let model = model.ok_or_else(|| ExecError::Plan(format!("no plugin gives the model `{}`", of.name)))?;
        match outer.ty(subject) {
            Type::Id(own) if **own == *of.entity => {}
            Type::Missing => {}
            other => return Err(ExecError::Plan(format!("{} is asked of {}", of.name, other.words()))),
        }
        let Some((key, args)) = of.args.split_first() else {
            return Err(ExecError::Plan(format!("{} has no argument", of.name)));
        };
        outer.sequential = true;
        let mut program = Program::of_base(&of.events.base, &outer.source, &outer.zone, outer.now)?;
        let mut compile = |arg: &Row| Ok::<_, ExecError>((program.row(arg)?, arg.unit.clone()));
        let args = args.iter().map(&mut compile).collect::<Result<Vec<_>, _>>()?;
        let mut events = of.events.clone();
        events.stages.extend(of.filter.clone().map(Stage::Where));
        let feed = Feed::new(program, &events, key, &of.entity, "an entity of a model")?;
        let learned = Learned { text: of.text.clone(), ..Learned::default() };
        let (now, zone) = (outer.now, Zone::named(&outer.zone));
        Ok(ModelOf { model, name: of.name.clone(), subject, args, feed, table: None, now, zone, said: None, learned })
    }

    /// How many rows were read for it.
    pub(crate) fn rows_scanned(&self) -> u64 {
        self.feed.rows_scanned()
    }

    /// What it told; none: it was asked nothing.
    pub(crate) fn learned(&self) -> Option<Learned> {
        (self.learned.cells > 0).then(|| self.learned.clone())
    }

    /// What the model says of each row's entity.
    pub(crate) fn evaluate(&mut self, values: &[Column], frame: &Frame) -> Result<Column, ExecError> {
        let Some(at) = &frame.at else { return Err(ExecError::Plan("a row has no moment".into())) };
        let ids = &values[self.subject];
        let Values::Id(numbers, _) = &ids.values else { return Ok(Column::missing(frame.len)) };
        let mut out = vec![0.0; frame.len];
        let mut known = vec![false; frame.len];
        for row in (0..frame.len).filter(|&row| ids.is_known(row)) {
            let moment = at[row].min(self.now);
            if self.said.as_ref().is_none_or(|(last, _)| *last != moment) {
                let said = self.ask(moment)?;
                self.said = Some((moment, said));
            }
            if let Some(value) = self.said.as_ref().and_then(|(_, said)| said.get(&numbers[row])) {
                (out[row], known[row]) = (*value, true);
            }
        }
        let known = NullBuffer::new(BooleanBuffer::from(known));
        Ok(Column::new(Values::Float(out.into()), Some(known)))
    }

    /// By id what the model says when it is fitted on the rows before a moment.
    fn ask(&mut self, moment: i64) -> Result<HashMap<u32, f64>, ExecError> {
        if self.table.is_none() {
            self.table = Some(self.read()?);
        }
        let Some(table) = &self.table else { return Ok(HashMap::new()) };
        let rows = table.at.partition_point(|&at| at < moment);
        // Of no rows there is nothing to tell.
        let Some(&count) = rows.checked_sub(1).and_then(|last| table.counts.get(last)) else {
            return Ok(HashMap::new());
        };
        let parameters = &self.model.signature().parameters;
        let constant = |index: usize| parameters.get(index + 1).is_some_and(|p| p.constant);
        let args = table.args.iter().enumerate();
        let args: Vec<ArrayRef> = args.map(|(i, arg)| arg.slice(0, if constant(i) { 1 } else { rows })).collect();
        let asked =
            ModelTable { entities: &table.entities[..rows], entity_count: count as usize, args: &args, now: moment };
        self.learned.cells += 1;
        let fitted = match self.model.fit(&asked) {
            Ok(fitted) => fitted,
            Err(FunctionError::BadArgument { message, .. }) => {
                self.learned.missing += 1;
                self.learned.why.get_or_insert(message);
                return Ok(HashMap::new());
            }
            Err(error) => return Err(error.into()),
        };
        let said = self.model.apply(&fitted.state, &asked)?;
        if *said.data_type() != DataType::Float64 || said.len() != asked.entity_count {
            let plugin = self.name.split('.').next().unwrap_or_default().to_string();
            let message =
                format!("it gave {} values of {} for {} entities", said.len(), said.data_type(), asked.entity_count);
            return Err(FunctionError::Failed { plugin, function: self.name.clone(), message }.into());
        }
        if self.learned.fits.len() < MOMENTS_TOLD {
            let last = moment.saturating_sub(1);
            let day = self.zone.as_ref().map(|zone| zone.local(last).date().to_string()).unwrap_or_default();
            let (rows, entities) = (rows as u64, u64::from(count));
            self.learned.fits.push(Fit {
                of: format!("the rows up to {day}"),
                rows,
                entities,
                diagnostics: fitted.diagnostics,
            });
        }
        let said = said.as_primitive::<Float64Type>();
        let one = |(id, value): (&u32, Option<f64>)| Some((*id, value.filter(|v| v.is_finite())?));
        Ok(table.ids.iter().zip(said.iter()).filter_map(one).collect())
    }

    /// Reads all rows. Those with a missing argument are left out.
    fn read(&mut self) -> Result<Table, ExecError> {
        let mut table = Table::default();
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); self.args.len()];
        let each = 16 + 8 * self.args.len();
        while self.feed.peek()?.is_some() {
            self.feed.program.source.check()?;
            let mut taken: Vec<(u32, i64, u32)> = Vec::new();
            self.feed.take(i64::MAX, |row, at, id| taken.push((row as u32, at, id as u32)));
            let columns = self.args.iter().map(|(node, unit)| plugin_array(self.feed.column(*node), unit, None));
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            taken.retain(|(row, ..)| columns.iter().all(|column| column.is_valid(*row as usize)));
            let rows: UInt32Array = taken.iter().map(|(row, ..)| *row).collect();
            for (part, column) in parts.iter_mut().zip(&columns) {
                part.push(take(column, &rows, None).map_err(failed)?);
            }
            for (_, at, id) in taken {
                let next = numbers.len() as u32;
                let number = *numbers.entry(id).or_insert(next);
                if number == next {
                    table.ids.push(id);
                }
                table.at.push(at);
                table.entities.push(number);
                table.counts.push(table.ids.len() as u32);
            }
            if table.at.len() * each > BYTES_MAX {
                return Err(FunctionError::Limit {
                    plugin: self.name.split('.').next().unwrap_or_default().to_string(),
                    function: self.name.clone(),
                    limit: format!("{} MiB for the rows that it learns from", BYTES_MAX >> 20),
                }
                .into());
            }
        }
        for part in &parts {
            let part: Vec<&dyn Array> = part.iter().map(AsRef::as_ref).collect();
            if !part.is_empty() {
                table.args.push(concat(&part).map_err(failed)?);
            }
        }
        Ok(table)
    }
}

fn failed(error: arrow_schema::ArrowError) -> ExecError {
    ExecError::Failed(error.to_string())
}
