//! Memory that arrays by id take for as long as they are there, counted against the limit of their query.

use super::Cache;
use crate::{ExecError, Source};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes that are given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    from: Arc<Cache>,
    bytes: u64,
}

impl Source {
    /// Counts bytes as taken, next to all that others of the query have taken by now.
    ///
    /// Errors: there are not so many left.
    pub(crate) fn take(&self, bytes: usize) -> Result<Taken, ExecError> {
        // Given back at once where it does not fit.
        let taken = Taken { from: Arc::clone(&self.made), bytes: bytes as u64 };
        self.made.take(taken.bytes)?;
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.from.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
