//! Core nodes to plans with kepi's own operators; the answer as a frame.

mod cancel;
mod error;
mod frame;

pub use cancel::Cancel;
pub use error::ExecError;
pub use frame::{Frame, FrameColumn, FrameColumnKind, Note, PartialPeriod, Step};
