//! The facade: a [`Request`] in, an [`Answer`] out; one path for every face.

mod answer;
mod api;
mod calendars;
mod conformance;
mod demo;
mod engine;
mod governance;
mod granting;
mod kept;
mod learned;
mod load;
mod memory;
mod model;
mod otherwise;
mod plugin_calls;
mod plugin_check;
mod plugins;
mod process;
mod project;
mod project_files;
mod samples;
mod scaffold;
mod sync;
mod upkeep;
mod watch;
mod words;

pub use answer::{Answer, Limits, Request};
pub use api::{
    CheckReport, Completion, Defined, DemoReport, Described, EngineError, Explanation, Listed, LoadReport, LoadRequest,
    OnConflict, Progress, RejectedRow, SourceText, SyncRequest, TargetReport,
};
pub use conformance::{RuleResult, Verdict};
pub use engine::Engine;
pub use governance::{
    DefinitionDiff, ExpectReport, LineageItem, LineageReport, Recorded, Report, TargetPeriod, TargetState,
    TargetStatus, TestReport, TestResult,
};
pub use granting::{PluginAudit, PluginListed, PluginOffer};
pub use plugin_check::{PluginCheck, check_plugin, is_shipped_plugin};
pub use process::keep_memory;
pub use scaffold::{PluginKind, PluginLanguage, build_plugin, new_plugin};
pub use upkeep::{
    BackupReport, CompactReport, EntityStored, EraseReport, EventStored, ExportFormat, LoadListed, LoadTarget, Sized,
    StoreInfo, UnloadReport, VerifyReport,
};
// What stands in answers and errors, so that a face needs no other crate to read them.
pub use kepi_exec::{
    Cancel, Fit, Frame, FrameColumn, FrameColumnKind, Learned, Note, PartialPeriod, PartialRow, Step, grouped,
};
pub use kepi_syntax::{Code, Diagnostic, Severity, Span};
pub use words::{format, is_complete, kept_as_written};
