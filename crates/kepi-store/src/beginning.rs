//! The first files of a new store: its journal, and a manifest that says that nothing is in it.

use crate::disk::{self, Written};
use crate::error::StoreError;
use crate::layout::Layout;
use crate::manifest::{self, Manifest};
use kepi_threads::give_way;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

/// Makes them durable and gives them their names, while the first rows are read.
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What is on its way to the disk: the journal, or both.
    underway: Option<JoinHandle<Result<(), StoreError>>>,
    /// What is still to be made: the first commit makes one of its own if it needs none before.
    manifest: Option<(Layout, Manifest)>,
    /// Something could not be made durable: nothing can be stored.
    failed: bool,
}

impl State {
    /// Waits for what is underway.
    fn join(&mut self) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Stopped);
        }
        let Some(underway) = self.underway.take() else { return Ok(()) };
        let done = underway.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        self.failed = done.is_err();
        done
    }
}

fn make(layout: &Layout, manifest: &Manifest) -> Result<(), StoreError> {
    disk::sync_files(vec![manifest::write(layout, manifest)?])
}

impl Beginning {
    /// Begins with the journal of a new store.
    pub(crate) fn of(layout: &Layout, journal: Written, manifest: Manifest) -> Beginning {
        let underway = Some(std::thread::spawn(move || disk::sync_files(vec![journal])));
        // It waits for the disk from then on.
        give_way();
        Beginning { state: Mutex::new(State { underway, manifest: Some((layout.clone(), manifest)), failed: false }) }
    }

    /// Begins with the manifest, too: files are going to be written before the first commit.
    pub(crate) fn go_on(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((layout, manifest)) = state.manifest.take() else { return };
        let before = state.underway.take();
        state.underway = Some(std::thread::spawn(move || {
            before.map_or(Ok(()), |before| before.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))?;
            make(&layout, &manifest)
        }));
    }

    /// Waits until the journal has its name. A commit that writes nothing but the journal makes the manifest then.
    pub(crate) fn wait_for_journal(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.join()?;
        state.manifest = None;
        Ok(())
    }

    /// Waits until both have their names. Nothing is written into the folder of data before.
    pub(crate) fn wait(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.join()?;
        let made = state.manifest.take().map_or(Ok(()), |(layout, manifest)| make(&layout, &manifest));
        state.failed = made.is_err();
        made
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
