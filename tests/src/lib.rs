//! The oracle and the helpers of the end-to-end tests.

pub mod case;
pub mod given;
pub mod oracle;
pub mod project;
pub mod shown;
