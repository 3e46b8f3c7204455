//! Everything from outside to Arrow: files, detection and inference.
mod boolean;
mod civil;
mod columnar;
mod convert;
mod dialect;
mod encoding;
mod error;
mod guess;
mod input;
mod json;
pub mod moment;
pub mod number;
mod options;
mod pattern;
mod profile;
mod records;
mod table;
mod text;

pub use convert::{Faults, Formats, convert};
pub use dialect::Dialect;
pub use error::{ConnectError, Result, shown};
pub use guess::{ColumnGuess, Guesser, detect_column};
pub use options::{Delimiter, OPTION_NAMES, ReadOptions};
pub use pattern::Pattern;
pub use profile::{ColumnProfile, Profile};
pub use table::{Batch, Batches, Content, Rejected, Table};
