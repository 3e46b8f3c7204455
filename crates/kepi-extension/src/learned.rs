//! Models and series: functions that learn from what they are given before they answer.

use crate::FunctionError;
use arrow_array::ArrayRef;
use kepi_model::declared::Signature;
use std::fmt;

/// A model: fitted on rows of entities, then applied to each entity.
pub trait ModelFunction: fmt::Debug + Send + Sync {
    /// Name, parameters, result and documentation.
    fn signature(&self) -> &Signature;

    /// Learns from a table. Too little to learn from is an error of kind `BadArgument`, in words.
    fn fit(&self, table: &ModelTable<'_>) -> Result<Fitted, FunctionError>;

    /// One value per entity of a table, in the Arrow type of the result's unit; missing where the model has none.
    fn apply(&self, state: &[u8], table: &ModelTable<'_>) -> Result<ArrayRef, FunctionError>;
}

/// The rows that a model learns from or is applied to, in the order of time.
#[derive(Clone, Copy, Debug)]
pub struct ModelTable<'a> {
    /// By row the entity that it belongs to: 0 to `entity_count` - 1.
    pub entities: &'a [u32],
    /// How many entities there are; each has at least one row.
    pub entity_count: usize,
    /// The arguments behind the entity, in the types of [`crate::ScalarFunction`]: columns with a value per row, but with
    /// one value where the parameter is constant.
    pub args: &'a [ArrayRef],
    /// The instant for which it is asked, in microseconds UTC: the end of the window.
    pub now: i64,
}

/// What a model has learned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fitted {
    /// Its state, opaque to kepi.
    pub state: Vec<u8>,
    /// Names and values that tell how well it fits: `("log likelihood", "-9595.4")`.
    pub diagnostics: Vec<(String, String)>,
}

/// A series: the values of past periods in, those of later periods out.
pub trait SeriesFunction: fmt::Debug + Send + Sync {
    /// Name, parameters, result and documentation; the first parameter is the series.
    fn signature(&self) -> &Signature;

    /// The next `wanted` values behind `past`, which has one value per period in order (missing where there was none).
    /// `season` is how many periods make a year or a week, where that is whole: 12 for months, 7 for days. `constants`
    /// are the other arguments, of length 1.
    fn extend(
        &self,
        past: &ArrayRef,
        season: Option<u32>,
        wanted: usize,
        constants: &[ArrayRef],
    ) -> Result<ArrayRef, FunctionError>;
}
