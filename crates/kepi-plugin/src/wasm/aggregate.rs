//! Aggregate functions of components: an accumulator is an instance of its own, with a resource in it. The instance goes
//! when the accumulator does, since its memory may have grown with the groups.

use super::Component;
use super::component::Shape;
use super::instance::Instance;
use super::marshal::{from_column, to_column, wants_float};
use crate::columns::{check_arguments, plain_argument, result_type};
use crate::failure::Failure;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use arrow_select::filter::filter;
use kepi_extension::{Accumulator, AggregateFunction, FunctionError};
use kepi_model::declared::Signature;
use std::sync::Arc;
use wasmtime::component::ResourceAny;

/// A function of groups of rows in a component.
#[derive(Clone, Debug)]
pub(crate) struct WasmAggregate {
    component: Arc<Component>,
    name: String,
    signature: Signature,
}

impl WasmAggregate {
    /// The aggregate `name` of the component, under the name in `signature`.
    pub(crate) fn new(component: Arc<Component>, name: &str, signature: Signature) -> WasmAggregate {
        WasmAggregate { component, name: name.to_string(), signature }
    }

    fn open(&self) -> Result<WasmAccumulator, Failure> {
        let shape = self.component.shape(&self.name)?;
        let instance = self.component.take()?;
        let (instance, handle) =
            self.component.call(instance, |i| i.exports.functions()?.accumulator().call_open(&mut i.store, &self.name));
        let handle = match (&instance, handle) {
            (Some(_), Ok(handle)) => handle,
            (_, Err(failure)) => return Err(failure),
            (None, Ok(_)) => return Err(Failure::Failed("its instance is gone".to_string())),
        };
        let types = Vec::new();
        Ok(WasmAccumulator { function: self.clone(), shape, instance, handle, groups: 0, types, failure: None })
    }
}

impl AggregateFunction for WasmAggregate {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn start(&self) -> Result<Box<dyn Accumulator>, FunctionError> {
        match self.open() {
            Ok(accumulator) => Ok(Box::new(accumulator)),
            Err(failure) => Err(failure.of(self.component.id(), &self.signature.name)),
        }
    }
}

/// The groups of one aggregation, within an instance.
struct WasmAccumulator {
    function: WasmAggregate,
    shape: Shape,
    /// None once it has trapped; the groups are lost with it.
    instance: Option<Instance>,
    handle: ResourceAny,
    groups: usize,
    /// The types of the arguments of the last update.
    types: Vec<DataType>,
    /// Why the instance is gone.
    failure: Option<Failure>,
}

impl WasmAccumulator {
    fn call<R>(
        &mut self,
        call: impl FnOnce(
            &mut Instance,
            ResourceAny,
        ) -> wasmtime::Result<Result<R, super::bindings::kepi::plugin::types::Error>>,
    ) -> Result<R, Failure> {
        let Some(instance) = self.instance.take() else {
            return Err(self.failure.clone().unwrap_or(Failure::Failed("its instance is gone".to_string())));
        };
        let handle = self.handle;
        let (instance, answer) = self.function.component.call(instance, |i| call(i, handle));
        self.instance = instance;
        if let (None, Err(failure)) = (&self.instance, &answer) {
            self.failure = Some(failure.clone());
        }
        answer
    }

    fn update_rows(&mut self, groups: &[u32], group_count: usize, args: &[ArrayRef]) -> Result<(), Failure> {
        check_arguments(&self.function.signature, groups.len(), args)?;
        self.types = args.iter().map(|a| a.data_type().clone()).collect();
        let rows_max = self.function.component.settings.limits.batch_rows_max;
        // A call without rows is needed too: it says how many groups there are.
        for from in (0..groups.len().max(1)).step_by(rows_max) {
            let length = (groups.len() - from).min(rows_max);
            let slices: Vec<ArrayRef> = args.iter().map(|a| a.slice(from, length)).collect();
            self.update_batch(&groups[from..from + length], group_count, &slices)?;
        }
        Ok(())
    }

    fn update_batch(&mut self, groups: &[u32], group_count: usize, args: &[ArrayRef]) -> Result<(), Failure> {
        let mut arrays = Vec::new();
        let mut mask: Option<NullBuffer> = None;
        for (array, accepts) in args.iter().zip(&self.shape.accepts) {
            let array = plain_argument(array, wants_float(accepts))?;
            mask = NullBuffer::union(mask.as_ref(), array.nulls());
            arrays.push(array);
        }
        let mut groups = groups.to_vec();
        if let Some(mask) = mask.filter(|mask| !self.shape.sees_missing && mask.null_count() > 0) {
            groups = mask.valid_indices().map(|row| groups[row]).collect();
            let keep = BooleanArray::new(mask.into_inner(), None);
            for array in &mut arrays {
                *array = filter(array, &keep).map_err(|error| Failure::Failed(error.to_string()))?;
            }
        }
        let rows = arrays.iter().map(|a| to_column(a, self.shape.sees_missing)).collect::<Result<Vec<_>, _>>()?;
        self.groups = self.groups.max(group_count);
        let count = self.groups as u32;
        self.call(|i, handle| {
            let accumulator = i.exports.functions()?.accumulator();
            accumulator.call_update(&mut i.store, handle, &groups, count, &rows)
        })
    }

    fn merge_states(&mut self, groups: &[u32], group_count: usize, states: &[Vec<u8>]) -> Result<(), Failure> {
        if groups.len() != states.len() {
            let what = format!("it was handed {} states for {} groups", states.len(), groups.len());
            return Err(Failure::Failed(what));
        }
        self.groups = self.groups.max(group_count);
        let count = self.groups as u32;
        self.call(|i, handle| {
            let accumulator = i.exports.functions()?.accumulator();
            accumulator.call_merge(&mut i.store, handle, groups, count, states)
        })
    }

    fn saved(&mut self) -> Result<Vec<Vec<u8>>, Failure> {
        let states = self.call(|i, handle| {
            let accumulator = i.exports.functions()?.accumulator();
            accumulator.call_save(&mut i.store, handle)
        })?;
        if states.len() != self.groups {
            return Err(Failure::Failed(format!("it gave {} states for {} groups", states.len(), self.groups)));
        }
        Ok(states)
    }

    fn values(&mut self) -> Result<ArrayRef, Failure> {
        let column = self.call(|i, handle| {
            let accumulator = i.exports.functions()?.accumulator();
            accumulator.call_finish(&mut i.store, handle)
        })?;
        from_column(column, self.groups, &result_type(&self.function.signature, &self.types), None)
    }

    fn named(&self, failure: Failure) -> FunctionError {
        failure.of(self.function.component.id(), &self.function.signature.name)
    }
}

impl Accumulator for WasmAccumulator {
    fn update(&mut self, groups: &[u32], group_count: usize, args: &[ArrayRef]) -> Result<(), FunctionError> {
        self.update_rows(groups, group_count, args).map_err(|failure| self.named(failure))
    }

    fn merge(&mut self, groups: &[u32], group_count: usize, states: &[Vec<u8>]) -> Result<(), FunctionError> {
        self.merge_states(groups, group_count, states).map_err(|failure| self.named(failure))
    }

    fn save(&mut self) -> Result<Vec<Vec<u8>>, FunctionError> {
        self.saved().map_err(|failure| self.named(failure))
    }

    fn finish(&mut self) -> Result<ArrayRef, FunctionError> {
        self.values().map_err(|failure| self.named(failure))
    }
}
