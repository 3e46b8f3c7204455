//! Scalar functions of components.

use super::Component;
use super::component::Shape;
use super::marshal::{from_column, to_column, wants_float};
use crate::columns::{check_arguments, plain_argument, result_type};
use crate::failure::Failure;
use arrow_array::{Array, ArrayRef, new_empty_array};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use arrow_select::concat::concat;
use kepi_extension::{FunctionError, ScalarFunction};
use kepi_model::declared::Signature;
use std::sync::Arc;

/// A function of rows in a component.
#[derive(Debug)]
pub(crate) struct WasmScalar {
    component: Arc<Component>,
    name: String,
    signature: Signature,
}

impl WasmScalar {
    /// The function `name` of the component, under the name in `signature`.
    pub(crate) fn new(component: Arc<Component>, name: &str, signature: Signature) -> WasmScalar {
        WasmScalar { component, name: name.to_string(), signature }
    }

    fn run(&self, rows: usize, args: &[ArrayRef]) -> Result<ArrayRef, Failure> {
        check_arguments(&self.signature, rows, args)?;
        let types: Vec<DataType> = args.iter().map(|a| a.data_type().clone()).collect();
        let wanted = result_type(&self.signature, &types);
        let shape = self.component.shape(&self.name)?;
        let mut parts: Vec<ArrayRef> = Vec::new();
        for from in (0..rows).step_by(self.component.settings.limits.batch_rows_max) {
            let length = (rows - from).min(self.component.settings.limits.batch_rows_max);
            let slices: Vec<ArrayRef> = args.iter().map(|a| a.slice(from, length)).collect();
            parts.push(self.batch(length, &slices, &shape, &wanted)?);
        }
        match parts.as_slice() {
            [] => Ok(new_empty_array(&wanted)),
            [part] => Ok(Arc::clone(part)),
            _ => {
                let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                concat(&parts).map_err(|error| Failure::Failed(error.to_string()))
            }
        }
    }

    fn batch(&self, rows: usize, args: &[ArrayRef], shape: &Shape, wanted: &DataType) -> Result<ArrayRef, Failure> {
        let mut columns = Vec::new();
        let mut mask: Option<NullBuffer> = None;
        for (array, accepts) in args.iter().zip(&shape.accepts) {
            let array = plain_argument(array, wants_float(accepts))?;
            if !shape.sees_missing {
                mask = NullBuffer::union(mask.as_ref(), array.nulls());
            }
            columns.push(to_column(&array, shape.sees_missing)?);
        }
        let instance = self.component.take()?;
        let (instance, answer) = self.component.call(instance, |i| {
            i.exports.functions()?.call_call_scalar(&mut i.store, &self.name, rows as u32, &columns)
        });
        if let Some(instance) = instance {
            self.component.give_back(instance);
        }
        from_column(answer?, rows, wanted, mask.as_ref())
    }
}

impl ScalarFunction for WasmScalar {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn call(&self, rows: usize, args: &[ArrayRef]) -> Result<ArrayRef, FunctionError> {
        self.run(rows, args).map_err(|failure| failure.of(self.component.id(), &self.signature.name))
    }
}
