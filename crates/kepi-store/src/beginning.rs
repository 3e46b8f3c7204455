//! The files of a new store, on their way to the disk while its first rows are read.

use crate::disk::{self, Written};
use crate::error::StoreError;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

/// Waits for the first journal and the first manifest to have their names.
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
enum State {
    /// They are durable, or the store is not a new one.
    #[default]
    Done,
    Underway(JoinHandle<Result<(), StoreError>>),
    /// They are not: nothing can be stored.
    Failed,
}

impl Beginning {
    /// Begins to make files durable and to give them their names then.
    pub(crate) fn of(files: Vec<Written>) -> Beginning {
        let underway = std::thread::spawn(move || disk::sync_files(files));
        Beginning { state: Mutex::new(State::Underway(underway)) }
    }

    /// Waits until they are there. Nothing is written into the store's folders before.
    pub(crate) fn wait(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Failed) {
            State::Failed => return Err(StoreError::Stopped),
            State::Underway(underway) => underway.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?,
            State::Done => {}
        }
        *state = State::Done;
        Ok(())
    }
}

impl Drop for Beginning {
    /// Whoever opens the store next finds it made.
    fn drop(&mut self) {
        if let Err(error) = self.wait() {
            tracing::debug!(%error, "a new store was not made");
        }
    }
}
