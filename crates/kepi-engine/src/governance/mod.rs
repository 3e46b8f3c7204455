//! Tests, targets and reports of a model, its lineage, and how its definitions changed.

mod given;
mod history;
mod lineage;
mod lints;
mod report;
mod target;
#[cfg(test)]
mod target_tests;
mod test;

pub use history::{DefinitionDiff, Recorded};
pub use lineage::{LineageItem, LineageReport};
pub use report::Report;
pub use target::{TargetPeriod, TargetState, TargetStatus};
pub use test::{ExpectReport, TestReport, TestResult};
