//! Models and series of components.

use super::Component;
use super::bindings::exports::kepi::plugin::models::Table;
use super::bindings::kepi::plugin::types::{Column, DataType as WasmType};
use super::marshal::{from_column, to_column, wants_float};
use crate::columns::{plain_argument, result_type};
use crate::failure::{Failure, inert};
use arrow_array::ArrayRef;
use arrow_schema::DataType;
use kepi_extension::{Fitted, FunctionError, ModelFunction, ModelTable, SeriesFunction};
use kepi_model::declared::{Returns, Signature};
use std::sync::Arc;

/// The most names and values that a model tells of itself.
const DIAGNOSTICS_MAX: usize = 64;

/// A model in a component.
#[derive(Debug)]
pub(crate) struct WasmModel {
    component: Arc<Component>,
    name: String,
    signature: Signature,
}

impl WasmModel {
    /// The model `name` of the component, under the name in `signature`.
    pub(crate) fn new(component: Arc<Component>, name: &str, signature: Signature) -> WasmModel {
        WasmModel { component, name: name.to_string(), signature }
    }

    fn table(&self, table: &ModelTable<'_>) -> Result<Table, Failure> {
        let shape = self.component.shape(&self.name)?;
        let args = columns(table.args, &shape.accepts)?;
        let (entities, entity_count) = (table.entities.to_vec(), table.entity_count as u32);
        Ok(Table { entities, entity_count, args, now: table.now })
    }

    fn fitted(&self, table: &ModelTable<'_>) -> Result<Fitted, Failure> {
        let table = self.table(table)?;
        let instance = self.component.take()?;
        let (instance, fitted) =
            self.component.call(instance, |i| i.exports.models()?.call_fit(&mut i.store, &self.name, &table));
        if let Some(instance) = instance {
            self.component.give_back(instance);
        }
        let fitted = fitted?;
        let told = fitted.diagnostics.iter().take(DIAGNOSTICS_MAX);
        let diagnostics = told.map(|(name, value)| (inert(name), inert(value))).collect();
        Ok(Fitted { state: fitted.state, diagnostics })
    }

    fn applied(&self, state: &[u8], table: &ModelTable<'_>) -> Result<ArrayRef, Failure> {
        let asked = self.table(table)?;
        let instance = self.component.take()?;
        let (instance, column) =
            self.component.call(instance, |i| i.exports.models()?.call_apply(&mut i.store, &self.name, state, &asked));
        if let Some(instance) = instance {
            self.component.give_back(instance);
        }
        let wanted = match &self.signature.returns {
            Returns::SameAs(_) => DataType::Float64,
            Returns::Unit(_) => result_type(&self.signature, &[]),
        };
        from_column(column?, table.entity_count, &wanted, None)
    }

    fn named(&self, failure: Failure) -> FunctionError {
        failure.of(self.component.id(), &self.signature.name)
    }
}

impl ModelFunction for WasmModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn fit(&self, table: &ModelTable<'_>) -> Result<Fitted, FunctionError> {
        self.fitted(table).map_err(|failure| self.named(failure))
    }

    fn apply(&self, state: &[u8], table: &ModelTable<'_>) -> Result<ArrayRef, FunctionError> {
        self.applied(state, table).map_err(|failure| self.named(failure))
    }
}

/// A series in a component.
#[derive(Debug)]
pub(crate) struct WasmSeries {
    component: Arc<Component>,
    name: String,
    signature: Signature,
}

impl WasmSeries {
    /// The series `name` of the component, under the name in `signature`.
    pub(crate) fn new(component: Arc<Component>, name: &str, signature: Signature) -> WasmSeries {
        WasmSeries { component, name: name.to_string(), signature }
    }

    fn extended(
        &self,
        past: &ArrayRef,
        season: Option<u32>,
        wanted: usize,
        constants: &[ArrayRef],
    ) -> Result<ArrayRef, Failure> {
        let shape = self.component.shape(&self.name)?;
        let (first, others) =
            shape.accepts.split_first().ok_or_else(|| Failure::Failed("it has no parameter".into()))?;
        let past = to_column(&plain_argument(past, wants_float(first))?, true)?;
        let constants = columns(constants, others)?;
        let instance = self.component.take()?;
        let (instance, column) = self.component.call(instance, |i| {
            let series = i.exports.series()?;
            series.call_extend(&mut i.store, &self.name, &past, season, wanted as u32, &constants)
        });
        if let Some(instance) = instance {
            self.component.give_back(instance);
        }
        from_column(column?, wanted, &DataType::Float64, None)
    }
}

impl SeriesFunction for WasmSeries {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn extend(
        &self,
        past: &ArrayRef,
        season: Option<u32>,
        wanted: usize,
        constants: &[ArrayRef],
    ) -> Result<ArrayRef, FunctionError> {
        let extended = self.extended(past, season, wanted, constants);
        extended.map_err(|failure| failure.of(self.component.id(), &self.signature.name))
    }
}

fn columns(args: &[ArrayRef], accepts: &[Vec<WasmType>]) -> Result<Vec<Column>, Failure> {
    let column =
        |(array, accepts): (&ArrayRef, &Vec<WasmType>)| to_column(&plain_argument(array, wants_float(accepts))?, false);
    args.iter().zip(accepts).map(column).collect()
}
