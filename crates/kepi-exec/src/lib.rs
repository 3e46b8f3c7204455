//! Core nodes to plans with kepi's own operators; the answer as a frame.

mod cancel;
mod error;
mod frame;
mod leaf;
mod pass;

pub use cancel::Cancel;
pub use error::ExecError;
pub use frame::{Frame, FrameColumn, FrameColumnKind, Note, PartialPeriod, Step};
pub use leaf::LeafExec;
pub use pass::{Pass, Report, Source};
