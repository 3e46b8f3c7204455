//! Core nodes to plans with kepi's own operators; the answer as a frame.

mod cancel;
mod cells;
mod cuts;
mod error;
mod explain;
mod followed;
mod frame;
mod frame_bytes;
mod leaf;
mod made;
mod number_bytes;
mod pass;
mod permits;
mod rows;
mod run;
mod side_by_side;
mod steps;
mod tables;
mod told;
mod words;
mod zeros;

pub use cancel::Cancel;
pub use error::ExecError;
pub use explain::{Explanation, explain};
pub use frame::{Frame, FrameColumn, FrameColumnKind, Note, PartialPeriod, PartialRow, Step};
pub use leaf::LeafExec;
pub use pass::{Fit, Learned, Pass, Report, Source};
pub use rows::{evaluate_table, stored_otherwise};
pub use run::{RunOptions, run};
pub use words::grouped;
