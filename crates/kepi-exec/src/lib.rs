//! Core nodes to plans with kepi's own operators; the answer as a frame.

mod cancel;
mod frame;

pub use cancel::Cancel;
pub use frame::{Frame, FrameColumn, FrameColumnKind, Note, PartialPeriod, Step};
