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
        self.made.take(bytes as u64)?;
        Ok(Taken { from: Arc::clone(&self.made), bytes: bytes as u64 })
    }
}

impl Taken {
    /// Counts as many bytes as there are by now, where they are more than before.
    ///
    /// Errors: there are not so many left.
    pub(crate) fn grow(&mut self, bytes: u64) -> Result<(), ExecError> {
        if bytes > self.bytes {
            self.from.take(bytes - self.bytes)?;
            self.bytes = bytes;
        }
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.from.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
