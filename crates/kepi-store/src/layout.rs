//! Names of the store's files, and the whole-file checksums of the small ones.

use crate::disk::{self, Written};
use crate::error::StoreError;
use crate::state::BlobState;
use arrow_buffer::Buffer;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_64;

/// Folders and files below `.kepi/store/`.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
    /// Data files that are written, but not durable yet.
    written: Arc<Mutex<Vec<Written>>>,
}

impl Layout {
    /// The layout of a store in this folder.
    pub(crate) fn new(root: &Path) -> Layout {
        Layout { root: root.into(), written: Arc::default() }
    }

    /// Notes a data file that is written.
    pub(crate) fn note(&self, file: Written) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).push(file);
    }

    /// Forgets the data files that were written for a commit that did not come; the writer removes them.
    pub(crate) fn forget_written(&self) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Gives all data files that were written their names, and makes them durable with their folder.
    pub(crate) fn sync_written(&self) -> Result<(), StoreError> {
        let written = std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner));
        disk::sync_named(written, &self.data())
    }

    /// The lock file of the writer.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// What readers start from.
    pub(crate) fn manifest(&self) -> PathBuf {
        self.root.join("manifest")
    }

    /// Where the journal's files are: `<generation>.log`.
    pub(crate) fn journals(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// A file of the journal.
    pub(crate) fn journal(&self, generation: u64) -> PathBuf {
        self.journals().join(format!("{generation:08}.log"))
    }

    /// Whether data files lie here, or a journal that is longer than one of an empty store.
    pub(crate) fn holds_files(&self, empty_journal: u64) -> bool {
        let longer = |folder: PathBuf, length: u64| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.metadata().ok()).any(|data| data.is_file() && data.len() > length)
        };
        longer(self.data(), 0) || longer(self.journals(), empty_journal)
    }

    /// Where files that are written once are: `<number>.<what>`.
    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// A file that is written once.
    pub(crate) fn data_file(&self, number: u64, what: &str) -> PathBuf {
        self.data().join(format!("{number:08}.{what}"))
    }

    /// The writer's memory.
    pub(crate) fn memory(&self) -> PathBuf {
        self.root.join("sled")
    }
}

/// A file written once, mapped, its checksum verified when it is first read.
#[derive(Debug)]
pub(crate) struct Blob {
    path: PathBuf,
    bytes: Buffer,
    state: BlobState,
    verified: AtomicBool,
}

impl Blob {
    /// Writes a file that [`BlobState`] then names; it is made durable with all others of a commit.
    pub(crate) fn write(layout: &Layout, number: u64, what: &str, pieces: &[&[u8]]) -> Result<BlobState, StoreError> {
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        pieces.iter().for_each(|piece| hasher.update(piece));
        layout.note(disk::write_file(&layout.data_file(number, what), pieces)?);
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        Ok(BlobState { file: number, length, checksum: hasher.digest() })
    }

    /// Maps a file; its length is checked now, its checksum by [`Blob::bytes`].
    pub(crate) fn open(layout: &Layout, what: &str, state: &BlobState) -> Result<Blob, StoreError> {
        let path = layout.data_file(state.file, what);
        let bytes = disk::map(&path, state.length)?;
        Ok(Blob { path, bytes, state: state.clone(), verified: AtomicBool::new(false) })
    }

    /// The bytes, verified.
    pub(crate) fn bytes(&self) -> Result<&Buffer, StoreError> {
        if !self.verified.load(Ordering::Acquire) {
            if xxh3_64(&self.bytes) != self.state.checksum {
                return Err(self.damaged(0, "its checksum does not fit"));
            }
            self.verified.store(true, Ordering::Release);
        }
        Ok(&self.bytes)
    }

    /// An error that names this file.
    pub(crate) fn damaged(&self, offset: u64, reason: impl Into<String>) -> StoreError {
        StoreError::damaged(&self.path, offset, reason)
    }
}
