//! Series of scripts: past values in, later values out.

use super::Script;
use super::values::{from_dynamics, to_dynamic};
use crate::columns::plain_argument;
use crate::failure::Failure;
use crate::manifest::ManifestFunction;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use kepi_extension::{FunctionError, SeriesFunction};
use kepi_model::declared::Signature;
use rhai::{Array as ScriptArray, Dynamic};
use std::sync::Arc;

/// A series in a script: `fn name(past, season, wanted, …constants)` gives an array of `wanted` numbers.
#[derive(Debug)]
pub(crate) struct ScriptSeries {
    script: Arc<Script>,
    name: String,
    signature: Signature,
}

impl ScriptSeries {
    /// The function of the script, under the name in `signature`.
    pub(crate) fn new(script: Arc<Script>, function: &ManifestFunction, signature: Signature) -> ScriptSeries {
        ScriptSeries { script, name: function.signature.name.clone(), signature }
    }

    fn extended(
        &self,
        past: &ArrayRef,
        season: Option<u32>,
        wanted: usize,
        constants: &[ArrayRef],
    ) -> Result<ArrayRef, Failure> {
        let past = plain_argument(past, true)?;
        let items_max = self.script.settings.limits.script_array_items_max;
        if past.len() + wanted > items_max {
            return Err(Failure::Limit(format!("{items_max} items of an array")));
        }
        let constants = constants.iter().map(|c| plain_argument(c, true)).collect::<Result<Vec<_>, _>>()?;
        self.script.run(&self.name, None, |function| {
            let values: ScriptArray = (0..past.len()).map(|row| to_dynamic(&past, row)).collect();
            let season = season.map_or(Dynamic::UNIT, |s| Dynamic::from(i64::from(s)));
            let mut args = vec![Dynamic::from(values), season, Dynamic::from(wanted as i64)];
            args.extend(constants.iter().map(|c| to_dynamic(c, 0)));
            // A script has one function per name: what was left out is missing to it.
            args.resize(self.signature.parameters.len() + 2, Dynamic::UNIT);
            let answer = function.call(args)?;
            let given = answer
                .try_cast::<ScriptArray>()
                .ok_or_else(|| Failure::Failed(format!("{}(…) has to give an array of {wanted} numbers", self.name)))?;
            if given.len() != wanted {
                let (name, given) = (&self.name, given.len());
                return Err(Failure::Failed(format!("{name}(…) gave {given} values where {wanted} were due")));
            }
            from_dynamics(&given, &DataType::Float64)
        })
    }
}

impl SeriesFunction for ScriptSeries {
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
        extended.map_err(|failure| failure.of(self.script.id(), &self.signature.name))
    }
}
