//! The manifest: one small checksummed file per snapshot, replaced by rename. All that a reader starts from.
//!
//! It is [`MAGIC`], the format (`u32`), the xxh3 of the body (`u64`), all little endian, then the body in postcard.

use crate::disk::{self, Written};
use crate::error::StoreError;
use crate::layout::Layout;
use crate::state::{FORMAT, State};
use serde::{Deserialize, Serialize};
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"kepi-man";
const HEADER: usize = 20;

/// What a snapshot is made of: files, then the small loads in `[tail, length)` of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) snapshot: u64,
    pub(crate) generation: u64,
    pub(crate) tail: u64,
    pub(crate) length: u64,
    pub(crate) state: State,
}

/// Reads the manifest; none where there is none.
pub(crate) fn read(layout: &Layout) -> Result<Option<Manifest>, StoreError> {
    let path = layout.manifest();
    disk::read(&path)?.map(|bytes| parse(&path, &bytes)).transpose()
}

/// Reads the bytes of a manifest.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Manifest, StoreError> {
    let damaged = |offset, reason: &str| StoreError::damaged(path, offset, reason);
    if bytes.len() < HEADER || &bytes[..8] != MAGIC {
        return Err(damaged(0, "it does not start as a manifest does"));
    }
    let format = u32::from_le_bytes(bytes[8..12].try_into().expect("four bytes were cut"));
    let checksum = u64::from_le_bytes(bytes[12..20].try_into().expect("eight bytes were cut"));
    // The checksum covers the format too, so that a flipped bit there is not taken for a newer format.
    if xxh3_64(&[&bytes[8..12], &bytes[HEADER..]].concat()) != checksum {
        return Err(damaged(12, "its checksum does not fit"));
    }
    if format > FORMAT {
        return Err(StoreError::NewerFormat { found: format, known: FORMAT });
    }
    postcard::from_bytes(&bytes[HEADER..]).map_err(|_| damaged(HEADER as u64, "it cannot be read"))
}

/// Makes a snapshot the current one. All it names must be durable before.
pub(crate) fn publish(layout: &Layout, manifest: &Manifest) -> Result<(), StoreError> {
    disk::sync_files(vec![write(layout, manifest)?])?;
    disk::sync_folder(&layout.root)
}

/// Writes a manifest under its temporary name: synced and renamed it makes its snapshot the current one.
pub(crate) fn write(layout: &Layout, manifest: &Manifest) -> Result<Written, StoreError> {
    let body = postcard::to_stdvec(manifest).map_err(|e| StoreError::Limit(format!("a manifest: {e}")))?;
    let format = FORMAT.to_le_bytes();
    let checksum = xxh3_64(&[&format[..], &body].concat()).to_le_bytes();
    disk::write_file(&layout.manifest(), &[MAGIC, &format, &checksum, &body])
}
