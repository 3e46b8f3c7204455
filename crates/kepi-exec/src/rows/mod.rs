//! Row expressions: from core nodes to columns, a batch at a time.

mod carried;
mod choose;
mod clock;
mod column;
mod compare;
mod compile;
mod convert;
mod evaluate;
mod frames;
mod late;
mod numbers;
mod onward;
mod payload;
mod program;
mod stored;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod times;

pub(crate) use carried::Carried;
pub(crate) use choose::common_type;
pub(crate) use clock::{Clock, Days};
pub(crate) use column::{Column, Type, Values, arrow_type, power_f64};
pub(crate) use frames::{Frames, LONG_AGO};
pub(crate) use numbers::to_float;
pub(crate) use onward::{Before, Met, put};
pub(crate) use payload::{Payload, from_float, to_float as float_of};
pub(crate) use program::{Base, Frame, Program, plugin_array, take};
pub(crate) use stored::Unfilled;
pub use stored::stored_otherwise;
pub use table::evaluate_table;
pub(crate) use times::period_numbers;

/// How many rows are computed together: the columns of a program fit a processor's cache, and are small enough for memory
/// that was just let go to be used again.
pub(crate) const BATCH: usize = 8_192;
