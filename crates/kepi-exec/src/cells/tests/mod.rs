//! Answers, formulas, failures and explanations, on leaves that look at every row.
#![allow(clippy::unwrap_used)] // A test stops at what it did not expect.

mod across;
mod answers;
mod explained;
mod formulas;
mod shapes;
mod stops;
mod targets;
mod testing;
mod whole;
mod windows;
