//! Names, types, functions and lints of the language; lowers to core nodes.

pub mod calendar;
pub mod core;
pub mod declared;
pub mod value;
