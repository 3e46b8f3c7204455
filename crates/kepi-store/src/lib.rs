//! The event store: loads, keys, segments, manifest and journal.
//!
//! A store is a folder. One process at a time writes it ([`Store::open_writer`]), any number read it
//! ([`Store::open_reader`]), each on the snapshot that was current when it opened. The bytes on disk are described in
//! `docs/store-format.md`.

mod aliases;
mod aside;
mod backup;
mod beginning;
mod change;
mod column;
mod disk;
mod entity;
mod entity_load;
mod erasure;
mod error;
mod identity;
mod incoming;
mod journal;
mod key_map;
mod key_table;
mod layout;
mod load;
mod manifest;
mod memory;
mod merge_load;
mod names;
mod narrow;
mod numbers;
mod recovery;
mod removed;
mod renumber;
mod rewrite;
mod row_ids;
mod scan;
mod seal;
mod segment;
mod segment_index;
mod segment_write;
mod sizes;
mod snapshot;
mod splits;
mod state;
mod stream;
mod stream_load;
mod strings;
mod verify;
mod version;
mod writer;

pub use backup::Put;
pub use entity_load::EVER;
pub use erasure::{LoadLeft, Unloaded};
pub use error::StoreError;
pub use load::{Load, LoadOptions, LoadSummary, OnConflict, RejectedRow};
pub use rewrite::{Removed, mentions};
pub use sizes::{EntitySize, Sizes, StreamSize};
pub use snapshot::Snapshot;
pub use state::{LoadCount, LoadRecord};
pub use verify::Verified;
pub use writer::Writer;

use std::path::Path;
use std::sync::Arc;

/// The ways to open a store; the folder is `.kepi/store` of a project.
#[derive(Clone, Copy, Debug)]
pub struct Store;

impl Store {
    /// Opens the current snapshot for reading; an empty or missing folder is an empty snapshot. Nothing is written,
    /// no lock is taken.
    pub fn open_reader(folder: &Path) -> Result<Arc<Snapshot>, StoreError> {
        Snapshot::open_after(folder, None)
    }

    /// The current snapshot, for who has read an earlier one: files that it has open are not opened and checked again.
    /// Where nothing was stored since, it is the earlier one itself.
    pub fn open_reader_after(folder: &Path, before: &Arc<Snapshot>) -> Result<Arc<Snapshot>, StoreError> {
        Snapshot::open_after(folder, Some(before))
    }

    /// Opens a store for writing and makes it where there is none. `command` is what a second writer is told.
    ///
    /// Errors: [`StoreError::Held`] while another process writes.
    pub fn open_writer(folder: &Path, command: &str) -> Result<Writer, StoreError> {
        Writer::open(folder, command)
    }

    /// Gives each file that the current snapshot is made of to `put`: its path within the store, and its bytes in pieces.
    /// It works beside a writer: should that replace files meanwhile, `again` is called, and it begins anew with the
    /// snapshot that is current then. What `put` was given last, all of it, is a store. Gives the number of the snapshot;
    /// none: there is nothing.
    ///
    /// Errors: a damaged manifest, a file that cannot be read, what `put` says.
    pub fn backup(
        folder: &Path,
        again: &mut dyn FnMut() -> Result<(), StoreError>,
        put: Put<'_>,
    ) -> Result<Option<u64>, StoreError> {
        backup::backup(folder, again, put)
    }

    /// Makes manifest and writer's memory anew from the journal and the files.
    pub fn repair(folder: &Path, command: &str) -> Result<(), StoreError> {
        writer::repair(folder, command)
    }
}
