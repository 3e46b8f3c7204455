//! Aggregates of scripts: called once for each group, with whole columns.

use super::columns::to_script;
use super::values::from_dynamics;
use super::{Script, context};
use crate::columns::{check_arguments, plain_argument, result_type};
use crate::failure::Failure;
use crate::gather::Gathered;
use crate::manifest::ManifestFunction;
use arrow_array::{Array, ArrayRef, TimestampMicrosecondArray};
use arrow_schema::DataType;
use kepi_extension::{Accumulator, AggregateFunction, FunctionError};
use kepi_model::declared::{Signature, SignatureParameter};
use rhai::Dynamic;
use std::sync::Arc;

/// A function of groups of rows in a script.
#[derive(Clone, Debug)]
pub(crate) struct ScriptAggregate {
    script: Arc<Script>,
    name: String,
    signature: Signature,
}

impl ScriptAggregate {
    /// The function of the script, under the name in `signature`.
    pub(crate) fn new(script: Arc<Script>, function: &ManifestFunction, signature: Signature) -> ScriptAggregate {
        ScriptAggregate { script, name: function.signature.name.clone(), signature }
    }

    fn named(&self, failure: Failure) -> FunctionError {
        failure.of(self.script.id(), &self.signature.name)
    }
}

impl AggregateFunction for ScriptAggregate {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn start(&self) -> Result<Box<dyn Accumulator>, FunctionError> {
        let rows = Gathered::new(self.script.settings.limits.gathered_bytes_max);
        Ok(Box::new(ScriptGroups { function: self.clone(), rows, types: Vec::new() }))
    }
}

/// The rows of the groups of one aggregation: a script sees a group when all of them are there, in the order of time.
struct ScriptGroups {
    function: ScriptAggregate,
    /// Behind the arguments stands each row's moment.
    rows: Gathered,
    /// The types of the arguments, once rows have come.
    types: Vec<DataType>,
}

impl ScriptGroups {
    fn add(
        &mut self,
        groups: &[u32],
        group_count: usize,
        args: &[ArrayRef],
        moments: Option<&[i64]>,
    ) -> Result<(), Failure> {
        let signature = &self.function.signature;
        check_arguments(signature, groups.len(), args)?;
        let plain = |(array, p): (&ArrayRef, &SignatureParameter)| plain_argument(array, super::scalar::wants_float(p));
        let mut args = args.iter().zip(&signature.parameters).map(plain).collect::<Result<Vec<_>, _>>()?;
        self.types = args.iter().map(|a| a.data_type().clone()).collect();
        // Rows without a moment stay in the order in which they come.
        let moments = moments.map_or_else(|| vec![0; groups.len()], <[i64]>::to_vec);
        args.push(Arc::new(TimestampMicrosecondArray::from(moments).with_timezone("UTC")));
        self.rows.add(groups, group_count, &args)
    }

    /// Puts rows in the order of their moments; those of one moment stay as they came.
    fn sort(&self, rows: &mut Vec<usize>, moments: usize) {
        if rows.is_empty() {
            return;
        }
        let times: Vec<i64> = self.rows.raw(moments, rows).into_iter().map(u64::cast_signed).collect();
        if !times.is_sorted() {
            let mut order: Vec<usize> = (0..rows.len()).collect();
            order.sort_by_key(|&i| times[i]);
            *rows = order.into_iter().map(|i| rows[i]).collect();
        }
    }

    fn values(&self) -> Result<ArrayRef, Failure> {
        let ScriptAggregate { script, name, signature } = &self.function;
        let mut groups = self.rows.rows();
        let width = self.rows.width().saturating_sub(1);
        groups.iter_mut().for_each(|rows| self.sort(rows, width));
        let empty: Vec<usize> = Vec::new();
        let types: Vec<DataType> = match self.types.is_empty() {
            true => (0..width).map(|i| self.rows.column(i, &empty).data_type().clone()).collect(),
            false => self.types.clone(),
        };
        let wanted = result_type(signature, &types);
        script.run(name, None, |function| {
            let mut answers = Vec::with_capacity(groups.len());
            for rows in &groups {
                if let Some(halt) = context::halt() {
                    return Err(halt.failure(&script.settings.limits));
                }
                if rows.is_empty() {
                    answers.push(Dynamic::UNIT);
                    continue;
                }
                let columns = (0..width).map(|i| to_script(&self.rows.column(i, rows), &script.settings.limits));
                let mut values = columns.collect::<Result<Vec<_>, _>>()?;
                // A script has one function per name: what was left out is missing to it.
                values.resize(signature.parameters.len(), Dynamic::UNIT);
                answers.push(function.call(values)?);
            }
            from_dynamics(&answers, &wanted)
        })
    }
}

impl Accumulator for ScriptGroups {
    fn update(&mut self, groups: &[u32], group_count: usize, args: &[ArrayRef]) -> Result<(), FunctionError> {
        self.add(groups, group_count, args, None).map_err(|failure| self.function.named(failure))
    }

    fn update_at(
        &mut self,
        groups: &[u32],
        group_count: usize,
        args: &[ArrayRef],
        moments: &[i64],
    ) -> Result<(), FunctionError> {
        self.add(groups, group_count, args, Some(moments)).map_err(|failure| self.function.named(failure))
    }

    fn merge(&mut self, groups: &[u32], group_count: usize, states: &[Vec<u8>]) -> Result<(), FunctionError> {
        self.rows.merge(groups, group_count, states).map_err(|failure| self.function.named(failure))
    }

    fn save(&mut self) -> Result<Vec<Vec<u8>>, FunctionError> {
        Ok(self.rows.save())
    }

    fn finish(&mut self) -> Result<ArrayRef, FunctionError> {
        self.values().map_err(|failure| self.function.named(failure))
    }
}
