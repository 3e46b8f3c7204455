//! A model as an aggregate: the rows of a group are kept until its window's end is known, then the model is fitted on
//! them and asked for each of their entities; the group's value is the mean of what it says.

use crate::failure::Failure;
use crate::gather::Gathered;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array};
use arrow_schema::DataType;
use kepi_extension::{Accumulator, AggregateFunction, FunctionError, ModelFunction, ModelTable, Told};
use kepi_model::declared::Signature;
use std::collections::HashMap;
use std::sync::Arc;

/// A model that can be asked of groups of rows. Its arguments are those of the model (the entity as text), and behind
/// them the row's time.
#[derive(Debug)]
pub(crate) struct ModelAggregate {
    model: Arc<dyn ModelFunction>,
    plugin: String,
    bytes_max: usize,
}

impl ModelAggregate {
    /// The model of a plugin; the rows of all groups may take so many bytes.
    pub(crate) fn new(model: Arc<dyn ModelFunction>, plugin: &str, bytes_max: usize) -> ModelAggregate {
        ModelAggregate { model, plugin: plugin.to_string(), bytes_max }
    }
}

impl AggregateFunction for ModelAggregate {
    fn signature(&self) -> &Signature {
        self.model.signature()
    }

    fn start(&self) -> Result<Box<dyn Accumulator>, FunctionError> {
        Ok(Box::new(ModelRows {
            model: Arc::clone(&self.model),
            plugin: self.plugin.clone(),
            rows: Gathered::new(self.bytes_max),
            told: Vec::new(),
        }))
    }
}

/// The rows of all groups.
struct ModelRows {
    model: Arc<dyn ModelFunction>,
    plugin: String,
    rows: Gathered,
    told: Vec<Told>,
}

impl ModelRows {
    fn named(&self, failure: Failure) -> FunctionError {
        failure.of(&self.plugin, &self.model.signature().name)
    }

    /// The value of a group of at least one row before the moment for which it is asked.
    fn value(&self, mut rows: Vec<usize>, now: i64) -> Result<(Option<f64>, Told), FunctionError> {
        let last = self.rows.width() - 1;
        // Rows of one moment keep the order in which they came.
        let times: Vec<i64> = self.rows.raw(last, &rows).into_iter().map(u64::cast_signed).collect();
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&i| times[i]);
        rows = order.into_iter().map(|i| rows[i]).collect();
        let mut numbers: HashMap<u64, u32> = HashMap::new();
        let mut entities = Vec::with_capacity(rows.len());
        for code in self.rows.raw(0, &rows) {
            let next = numbers.len() as u32;
            entities.push(*numbers.entry(code).or_insert(next));
        }
        // The time stands behind the arguments that were given; of a constant one value will do.
        let constant = |i: usize| self.model.signature().parameters.get(i).is_some_and(|p| p.constant);
        let args: Vec<ArrayRef> =
            (1..last).map(|i| self.rows.column(i, if constant(i) { &rows[..1] } else { &rows })).collect();
        let table = ModelTable { entities: &entities, entity_count: numbers.len(), args: &args, now };
        let read = Told { rows: rows.len() as u64, entities: numbers.len() as u64, ..Told::default() };
        let fitted = match self.model.fit(&table) {
            Ok(fitted) => fitted,
            Err(FunctionError::BadArgument { message, .. }) => {
                return Ok((None, Told { missing: Some(message), ..read }));
            }
            Err(error) => return Err(error),
        };
        let values = self.model.apply(&fitted.state, &table)?;
        if *values.data_type() != DataType::Float64 {
            return Err(self.named(Failure::Failed(format!("it gave {} for each entity", values.data_type()))));
        }
        let known: Vec<f64> = values.as_primitive::<Float64Type>().iter().flatten().collect();
        let mean = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
        let missing = mean.is_none().then(|| "the model has no value for any of them".to_string());
        Ok((mean, Told { missing, diagnostics: fitted.diagnostics, ..read }))
    }
}

impl Accumulator for ModelRows {
    fn update(&mut self, groups: &[u32], group_count: usize, args: &[ArrayRef]) -> Result<(), FunctionError> {
        self.rows.add(groups, group_count, args).map_err(|failure| self.named(failure))
    }

    fn merge(&mut self, groups: &[u32], group_count: usize, states: &[Vec<u8>]) -> Result<(), FunctionError> {
        self.rows.merge(groups, group_count, states).map_err(|failure| self.named(failure))
    }

    fn save(&mut self) -> Result<Vec<Vec<u8>>, FunctionError> {
        Ok(self.rows.save())
    }

    fn finish(&mut self) -> Result<ArrayRef, FunctionError> {
        let message = "a model has to be told when the window ends".to_string();
        Err(self.named(Failure::Failed(message)))
    }

    fn finish_at(&mut self, ends: &[i64]) -> Result<ArrayRef, FunctionError> {
        self.told.clear();
        let mut values = Vec::with_capacity(ends.len());
        for (group, mut rows) in self.rows.rows().into_iter().enumerate() {
            let now = ends.get(group).copied().unwrap_or(i64::MAX);
            // A window may go on behind now, and rows may lie there; nobody has learned of them yet.
            let times = self.rows.width().checked_sub(1).map(|last| self.rows.raw(last, &rows)).unwrap_or_default();
            let mut times = times.into_iter().map(u64::cast_signed);
            rows.retain(|_| times.next().is_some_and(|at| at < now));
            if rows.is_empty() {
                values.push(None);
                continue;
            }
            let (value, told) = self.value(rows, now)?;
            values.push(value.filter(|v| v.is_finite()));
            self.told.push(Told { group: group as u32, ..told });
        }
        values.resize(self.rows.group_count().max(ends.len()), None);
        Ok(Arc::new(Float64Array::from(values)))
    }

    fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }
}
