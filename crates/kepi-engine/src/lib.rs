//! The facade: a Request in, an Answer out.

mod answer;
mod api;
mod waiting;

pub use answer::{Answer, Limits, Request};
pub use api::{
    CheckReport, Completion, Defined, DemoReport, Described, EngineError, Explanation, Listed, LoadReport, LoadRequest,
    OnConflict, Progress, RejectedRow, SourceText, SyncRequest, TargetReport,
};
// What stands in answers and errors, so that a face needs no other crate to read them.
pub use kepi_exec::{Cancel, Frame, FrameColumn, FrameColumnKind, Note, PartialPeriod, Step};
pub use kepi_syntax::{Code, Diagnostic, Severity, Span};
pub use waiting::{Engine, format, is_complete};
