//! Functions that plugins add.

use crate::{Contents, ModelFunction, SeriesFunction};
use arrow_array::ArrayRef;
use kepi_model::declared::Signature;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A function of rows: one value per row. Arguments come as `Float64` (numbers, money, percent, durations in seconds),
/// `Int64` (counts), `Utf8`, `Boolean`, `Timestamp(Microsecond, "UTC")` or `Date32` arrays of the same length.
pub trait ScalarFunction: fmt::Debug + Send + Sync {
    /// Name, parameters, result and documentation.
    fn signature(&self) -> &Signature;

    /// Computes `rows` values; the answer has the Arrow type of the result's unit, as listed above.
    fn call(&self, rows: usize, args: &[ArrayRef]) -> Result<ArrayRef, FunctionError>;
}

/// A function of groups of rows.
pub trait AggregateFunction: fmt::Debug + Send + Sync {
    /// Name, parameters, result and documentation.
    fn signature(&self) -> &Signature;

    /// Starts an aggregation without groups.
    fn start(&self) -> Result<Box<dyn Accumulator>, FunctionError>;
}

/// All groups of one aggregation, numbered from 0.
pub trait Accumulator: Send {
    /// Adds rows: `groups[i]` is the group of row i, and all are below `group_count`.
    fn update(&mut self, groups: &[u32], group_count: usize, args: &[ArrayRef]) -> Result<(), FunctionError>;

    /// The same with the moment of each row, in microseconds UTC, for functions that are promised the order of time: rows
    /// may come in any order.
    fn update_at(
        &mut self,
        groups: &[u32],
        group_count: usize,
        args: &[ArrayRef],
        moments: &[i64],
    ) -> Result<(), FunctionError> {
        let _ = moments;
        self.update(groups, group_count, args)
    }

    /// Folds saved states into groups.
    fn merge(&mut self, groups: &[u32], group_count: usize, states: &[Vec<u8>]) -> Result<(), FunctionError>;

    /// One state per group, in group order.
    fn save(&mut self) -> Result<Vec<Vec<u8>>, FunctionError>;

    /// One value per group, in group order.
    fn finish(&mut self) -> Result<ArrayRef, FunctionError>;

    /// The same for functions that look from an instant: `ends[i]`, in microseconds UTC, is the end of group i's window.
    fn finish_at(&mut self, ends: &[i64]) -> Result<ArrayRef, FunctionError> {
        let _ = ends;
        self.finish()
    }

    /// What there is to tell of the values that were given last; nothing for most functions.
    fn told(&mut self) -> Vec<Told> {
        Vec::new()
    }
}

/// What a function has to tell of the value of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The group.
    pub group: u32,
    /// Why its value is missing; none: it is not, or there was nothing to compute it of.
    pub missing: Option<String>,
    /// How many rows it was learned from.
    pub rows: u64,
    /// Of how many entities these are.
    pub entities: u64,
    /// Names and values that tell how well it fits.
    pub diagnostics: Vec<(String, String)>,
}

/// Every plugin function of a project, by full name.
#[derive(Clone, Debug, Default)]
pub struct Functions {
    /// Functions of rows.
    pub scalars: BTreeMap<String, Arc<dyn ScalarFunction>>,
    /// Functions of groups.
    pub aggregates: BTreeMap<String, Arc<dyn AggregateFunction>>,
    /// Models.
    pub models: BTreeMap<String, Arc<dyn ModelFunction>>,
    /// Series.
    pub series: BTreeMap<String, Arc<dyn SeriesFunction>>,
    /// Of each of these, what it is computed with.
    pub contents: BTreeMap<String, Arc<dyn Contents>>,
}

impl Functions {
    /// A number for all that a function's answers depend on beside its arguments; none: nobody knows it.
    pub fn contents_of(&self, name: &str) -> Option<u128> {
        self.contents.get(name)?.number()
    }
}

/// Why a plugin's function gave no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FunctionError {
    /// The caller gave values that make no sense.
    #[error("{function} does not take this: {message}")]
    BadArgument {
        /// The function.
        function: String,
        /// What it says of them.
        message: String,
    },
    /// The plugin failed: never the user's mistake.
    #[error("the plugin {plugin} failed in {function}: {message}")]
    Failed {
        /// The plugin.
        plugin: String,
        /// The function.
        function: String,
        /// What is known of it.
        message: String,
    },
    /// The plugin used more than it may.
    #[error("the plugin {plugin} exceeded its {limit} in {function}")]
    Limit {
        /// The plugin.
        plugin: String,
        /// The function.
        function: String,
        /// Which limit, with its number: "64 MiB of memory", "10 s".
        limit: String,
    },
}
