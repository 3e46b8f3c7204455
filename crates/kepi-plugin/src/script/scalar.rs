//! Scalar functions of scripts, called row by row.

use super::values::{from_dynamics, to_dynamic};
use super::{Callable, Script, context};
use crate::columns::{check_arguments, plain_argument, result_type};
use crate::failure::Failure;
use crate::manifest::ManifestFunction;
use arrow_array::{Array, ArrayRef, new_empty_array};
use arrow_schema::DataType;
use arrow_select::concat::concat;
use kepi_extension::{FunctionError, ScalarFunction};
use kepi_model::declared::{Signature, SignatureParameter};
use kepi_model::value::Kind;
use rhai::Dynamic;
use std::sync::Arc;

/// After so many rows it is asked whether the time is over: a row may be too short for the interpreter to ask.
const ROWS_BETWEEN_CHECKS: usize = 64;

/// A function of rows in a script.
#[derive(Debug)]
pub(crate) struct ScriptScalar {
    script: Arc<Script>,
    name: String,
    signature: Signature,
    sees_missing: bool,
}

impl ScriptScalar {
    /// The function of the script, under the name in `signature`.
    pub(crate) fn new(script: Arc<Script>, function: &ManifestFunction, signature: Signature) -> ScriptScalar {
        ScriptScalar { script, name: function.signature.name.clone(), signature, sees_missing: function.sees_missing }
    }

    fn run(&self, rows: usize, args: &[ArrayRef]) -> Result<ArrayRef, Failure> {
        check_arguments(&self.signature, rows, args)?;
        let types: Vec<DataType> = args.iter().map(|a| a.data_type().clone()).collect();
        let wanted = result_type(&self.signature, &types);
        let plain =
            |(array, parameter): (&ArrayRef, &SignatureParameter)| plain_argument(array, wants_float(parameter));
        let args = args.iter().zip(&self.signature.parameters).map(plain).collect::<Result<Vec<_>, _>>()?;
        let mut parts: Vec<ArrayRef> = Vec::new();
        for from in (0..rows).step_by(self.script.settings.limits.batch_rows_max) {
            let until = rows.min(from + self.script.settings.limits.batch_rows_max);
            // Converted on the script's thread: what a script makes may be nested too deeply to be dropped on another.
            let part = |function: Callable<'_>| from_dynamics(&self.batch(&function, from, until, &args)?, &wanted);
            parts.push(self.script.run(&self.name, None, part)?);
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

    fn batch(
        &self,
        function: &Callable<'_>,
        from: usize,
        until: usize,
        args: &[ArrayRef],
    ) -> Result<Vec<Dynamic>, Failure> {
        let mut answers = Vec::with_capacity(until - from);
        for row in from..until {
            if (row - from).is_multiple_of(ROWS_BETWEEN_CHECKS)
                && let Some(halt) = context::halt()
            {
                return Err(halt.failure(&self.script.settings.limits));
            }
            if !self.sees_missing && args.iter().any(|a| a.is_null(row)) {
                answers.push(Dynamic::UNIT);
                continue;
            }
            let mut values: Vec<Dynamic> = args.iter().map(|a| to_dynamic(a, row)).collect();
            // A script has one function per name: what was left out is missing to it.
            values.resize(self.signature.parameters.len(), Dynamic::UNIT);
            answers.push(function.call(values)?);
        }
        Ok(answers)
    }
}

/// Whether a count is to come as a float: where the parameter takes numbers and no counts. The script could not divide
/// it otherwise without losing the remainder.
pub(super) fn wants_float(parameter: &SignatureParameter) -> bool {
    !parameter.accepts.is_empty() && !parameter.accepts.contains(&Kind::Count)
}

impl ScalarFunction for ScriptScalar {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn call(&self, rows: usize, args: &[ArrayRef]) -> Result<ArrayRef, FunctionError> {
        self.run(rows, args).map_err(|failure| failure.of(self.script.id(), &self.signature.name))
    }
}
