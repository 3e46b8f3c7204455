//! Names, types, functions and lints of the language; lowers to core nodes.
//!
//! [`catalog::Catalog::build`] declares what the files of a project say, `check` looks into every definition,
//! `query` says what a query means as a [`core::Query`]. Nothing here reads a file or a clock: "now" is an argument.

pub mod calendar;
pub mod catalog;
pub mod core;
mod declare;
pub mod declared;
pub mod describe;
pub mod functions;
pub mod lineage;
mod lower;
mod names;
pub mod settings;
mod units;
pub mod value;

pub use lower::{GivenColumn, GivenRows, Growth, SOURCE_OPTIONS, TargetDecl};
pub use units::{TYPE_NAMES, per_name};
// The language's own list, for who writes names without reading texts.
pub use kepi_syntax::RESERVED;
