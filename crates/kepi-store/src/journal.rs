//! The journal: one checksummed record per commit, in files that only grow until the next generation replaces them.
//!
//! A file starts with [`MAGIC`], the format (`u32`), the generation (`u64`) and the xxh3 of these two (`u64`), all
//! little endian. A record is its length (`u32`), the xxh3 of its bytes (`u64`) and its bytes (a [`Record`] in
//! postcard). The first is a checkpoint.

use crate::disk::{self, Written};
use crate::error::StoreError;
use crate::state::{Delta, FORMAT, LoadRecord, State};
use serde::{Deserialize, Serialize};
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// The first bytes of a journal file.
pub(crate) const MAGIC: &[u8; 8] = b"kepi-log";
/// Bytes before the first record.
pub(crate) const HEADER: u64 = 28;
const RECORD_HEADER: usize = 12;

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// Everything at the start of a generation.
    Checkpoint { snapshot: u64, state: State, loads: Vec<LoadRecord>, cursors: Vec<(String, String)> },
    /// A small load: its rows are here.
    Small { load: LoadRecord, cursor: Option<(String, String)>, delta: Delta },
    /// From here on everything is in files: after a bulk load, or when the tail was sealed (without a load).
    Sealed { snapshot: u64, load: Option<LoadRecord>, cursor: Option<(String, String)>, state: State },
}

/// A record with its framing.
pub(crate) fn framed(record: &Record) -> Result<Vec<u8>, StoreError> {
    let body = postcard::to_stdvec(record).map_err(|e| StoreError::Limit(format!("a journal record: {e}")))?;
    let length = u32::try_from(body.len()).map_err(|_| StoreError::Limit("a journal record above 4 GiB".into()))?;
    let mut bytes = Vec::with_capacity(RECORD_HEADER + body.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&xxh3_64(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Writes a new generation that starts with this record, and returns it, to be synced, with its length.
pub(crate) fn start(path: &Path, generation: u64, checkpoint: &Record) -> Result<(Written, u64), StoreError> {
    let record = framed(checkpoint)?;
    let about = [&FORMAT.to_le_bytes()[..], &generation.to_le_bytes()].concat();
    let file = disk::write_file(path, &[MAGIC, &about, &xxh3_64(&about).to_le_bytes(), &record])?;
    Ok((file, HEADER + record.len() as u64))
}

/// Where reading ended: how far, and whether something that is no whole record follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) offset: u64,
    pub(crate) torn: bool,
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// Where it ends, that is, where the next one starts.
    pub(crate) end: u64,
    pub(crate) checksum: u64,
    pub(crate) record: Record,
}

/// Reads the records from `from` (a record's start, or 0 for the first) up to `until` (none: the end of the file),
/// each with its end. Bytes below `promised` were committed, so a bad record there is damage; behind, it is the rest
/// of a write that never finished, and reading ends before it.
pub(crate) fn read(path: &Path, from: u64, until: Option<u64>, promised: u64) -> Result<(Vec<Entry>, End), StoreError> {
    let header = disk::read_range(path, 0, HEADER)?;
    if header.len() < HEADER as usize || &header[..8] != MAGIC {
        return Err(StoreError::damaged(path, 0, "it does not start as a journal does"));
    }
    let checksum = u64::from_le_bytes(header[20..28].try_into().expect("eight bytes were cut"));
    if xxh3_64(&header[8..20]) != checksum {
        return Err(StoreError::damaged(path, 8, "the checksum of its header does not fit"));
    }
    let format = u32::from_le_bytes(header[8..12].try_into().expect("four bytes were cut"));
    if format > FORMAT {
        return Err(StoreError::NewerFormat { found: format, known: FORMAT });
    }
    let start = from.max(HEADER);
    let bytes = disk::read_range(path, start, until.unwrap_or(u64::MAX))?;
    let mut records = Vec::new();
    let mut position = 0usize;
    loop {
        let offset = start + position as u64;
        let rest = &bytes[position..];
        if rest.is_empty() && offset >= promised {
            return Ok((records, End { offset, torn: false }));
        }
        match one(rest) {
            Ok((record, checksum, length)) => {
                position += length;
                records.push(Entry { end: start + position as u64, checksum, record });
            }
            Err(reason) if offset < promised => return Err(StoreError::damaged(path, offset, reason)),
            Err(_) => return Ok((records, End { offset, torn: true })),
        }
    }
}

fn one(bytes: &[u8]) -> Result<(Record, u64, usize), &'static str> {
    let header = bytes.get(..RECORD_HEADER).ok_or("the journal is shorter than the manifest says")?;
    let length = u32::from_le_bytes(header[..4].try_into().expect("four bytes were cut")) as usize;
    let checksum = u64::from_le_bytes(header[4..].try_into().expect("eight bytes were cut"));
    let body = bytes.get(RECORD_HEADER..RECORD_HEADER + length).ok_or("a journal record is cut off")?;
    if xxh3_64(body) != checksum {
        return Err("the checksum of a journal record does not fit");
    }
    let record = postcard::from_bytes(body).map_err(|_| "a journal record cannot be read")?;
    Ok((record, checksum, RECORD_HEADER + length))
}

/// The checksum in a framed record.
pub(crate) fn checksum_of(framed: &[u8]) -> u64 {
    u64::from_le_bytes(framed[4..RECORD_HEADER].try_into().expect("eight bytes were cut"))
}
