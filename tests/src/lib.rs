//! The oracle and the helpers of the end-to-end tests.

pub mod oracle;
