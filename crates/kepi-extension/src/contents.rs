//! What names a plugin's code, so that what was computed with it is not taken for the work of other code.

use std::fmt;

/// What a function is computed with: the bytes of its component or script, and what its manifest promises.
pub trait Contents: fmt::Debug + Send + Sync {
    /// A number of these, the same for as long as the function is: what runs later is what was read for the number. None:
    /// they cannot be read.
    fn number(&self) -> Option<u128>;
}
