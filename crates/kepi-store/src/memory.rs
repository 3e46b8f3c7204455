//! The writer's memory: a sled database of small hot keys. Nothing in it that the journal and the files do not say;
//! it is opened when it is first asked, and filled anew whenever it is missing, damaged, behind or ahead.

use crate::disk;
use crate::error::StoreError;
use crate::layout::Layout;
use crate::snapshot::Snapshot;
use crate::state::LoadRecord;
use serde::Serialize;
use serde::de::DeserializeOwned;

const MARKER: &[u8] = b"marker";
const LOADS: &[u8] = b"load/";
const CURSORS: &[u8] = b"cursor/";
const KEYS: &[u8] = b"key/";
const STREAMS: &[u8] = b"stream/";
const SEGMENTS: &[u8] = b"segment/";

/// Where in the journal the memory stands: snapshot, generation, length, checksum of the last record.
pub(crate) type Marker = (u64, u64, u64, u64);

/// The open database.
#[derive(Debug)]
pub(crate) struct Memory {
    database: sled::Db,
}

/// What the journal says, for filling the memory.
pub(crate) struct Known<'a> {
    pub(crate) marker: Marker,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) loads: &'a [LoadRecord],
    pub(crate) cursors: &'a [(String, String)],
}

impl Memory {
    /// Opens the memory; where it does not stand at `known.marker` or cannot be opened, it is filled anew.
    pub(crate) fn open(layout: &Layout, known: &Known<'_>) -> Result<Memory, StoreError> {
        let folder = layout.memory();
        // sled 0.34.7 takes a snapshot file whose writing was interrupted for a broken database, and without it opens
        // well.
        for name in disk::list(&folder)? {
            if name.starts_with("snap.") && name.ends_with(".generating") {
                disk::remove(&folder.join(name))?;
            }
        }
        let database = match open_database(layout) {
            Ok(database) => database,
            Err(error) => {
                tracing::warn!(%error, "the writer's memory cannot be opened and is made anew");
                disk::remove_folder(&folder)?;
                open_database(layout)?
            }
        };
        let memory = Memory { database };
        if memory.get::<Marker>(MARKER).ok().flatten() != Some(known.marker) {
            memory.fill(known)?;
        }
        Ok(memory)
    }

    fn fill(&self, known: &Known<'_>) -> Result<(), StoreError> {
        self.database.clear()?;
        let mut batch = sled::Batch::default();
        for load in known.loads {
            batch.insert(load_key(load.snapshot), bytes(load)?);
        }
        for (connector, cursor) in known.cursors {
            batch.insert(key(CURSORS, connector.as_bytes()), cursor.as_bytes());
        }
        insert_recent_keys(&mut batch, known.snapshot);
        insert_catalogue(&mut batch, known.snapshot)?;
        batch.insert(MARKER, bytes(&known.marker)?);
        self.database.apply_batch(batch)?;
        Ok(())
    }

    /// Takes in a commit. `sealed`: all keys are in files now, and the catalogue of segments has changed.
    pub(crate) fn commit(
        &self,
        marker: Marker,
        snapshot: &Snapshot,
        load: Option<&LoadRecord>,
        cursor: Option<&(String, String)>,
        new_keys: &[(String, String, u32)],
        sealed: bool,
    ) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        if let Some(load) = load {
            batch.insert(load_key(load.snapshot), bytes(load)?);
        }
        if let Some((connector, cursor)) = cursor {
            batch.insert(key(CURSORS, connector.as_bytes()), cursor.as_bytes());
        }
        if sealed {
            for prefix in [KEYS, SEGMENTS] {
                for entry in self.database.scan_prefix(prefix).keys() {
                    batch.remove(entry?);
                }
            }
            insert_catalogue(&mut batch, snapshot)?;
        }
        for (entity, text, id) in new_keys {
            batch.insert(entity_key(entity, text), &id.to_be_bytes());
        }
        batch.insert(MARKER, bytes(&marker)?);
        self.database.apply_batch(batch)?;
        Ok(())
    }

    /// The id of a recent key, that is, of one that is not in a file yet.
    pub(crate) fn recent_key(&self, entity: &str, text: &str) -> Result<Option<u32>, StoreError> {
        let found = self.database.get(entity_key(entity, text))?;
        Ok(found.and_then(|id| Some(u32::from_be_bytes(id.as_ref().try_into().ok()?))))
    }

    /// The cursor of a connector.
    pub(crate) fn cursor(&self, connector: &str) -> Result<Option<String>, StoreError> {
        let found = self.database.get(key(CURSORS, connector.as_bytes()))?;
        Ok(found.and_then(|cursor| String::from_utf8(cursor.to_vec()).ok()))
    }

    /// All loads, the oldest first.
    pub(crate) fn loads(&self) -> Result<Vec<LoadRecord>, StoreError> {
        let mut loads = Vec::new();
        for value in self.database.scan_prefix(LOADS).values() {
            loads.push(postcard::from_bytes(&value?).map_err(|e| StoreError::Memory(Box::new(e)))?);
        }
        Ok(loads)
    }

    fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        match self.database.get(key)? {
            None => Ok(None),
            Some(value) => postcard::from_bytes(&value).map(Some).map_err(|e| StoreError::Memory(Box::new(e))),
        }
    }
}

fn open_database(layout: &Layout) -> Result<sled::Db, StoreError> {
    // The cache is small: the memory is a few entries per load and key since the last seal.
    Ok(sled::Config::new().path(layout.memory()).cache_capacity(32 << 20).open()?)
}

fn insert_recent_keys(batch: &mut sled::Batch, snapshot: &Snapshot) {
    for (name, entity) in &snapshot.entities {
        for (id, text) in entity.keys.tail_texts() {
            batch.insert(entity_key(name, text), &(id as u32).to_be_bytes());
        }
    }
}

fn insert_catalogue(batch: &mut sled::Batch, snapshot: &Snapshot) -> Result<(), StoreError> {
    for (name, stream) in &snapshot.streams {
        batch.insert(key(STREAMS, name.as_bytes()), bytes(&stream.schema)?);
        for slot in &stream.slots {
            let (first, last) = slot.segment.bounds();
            let entry = (name, slot.segment.rows as u64, first, last, slot.gone.len() as u64);
            batch.insert(key(SEGMENTS, &slot.segment.number.to_be_bytes()), bytes(&entry)?);
        }
    }
    Ok(())
}

fn bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    postcard::to_stdvec(value).map_err(|e| StoreError::Memory(Box::new(e)))
}

fn key(prefix: &[u8], rest: &[u8]) -> Vec<u8> {
    [prefix, rest].concat()
}

/// `load/` and the snapshot's number, big endian, so that the order of bytes is that of the loads.
fn load_key(snapshot: u64) -> Vec<u8> {
    key(LOADS, &snapshot.to_be_bytes())
}

/// `key/`, the length of the entity's name, its name, the key.
fn entity_key(entity: &str, text: &str) -> Vec<u8> {
    [KEYS, &(entity.len() as u32).to_be_bytes(), entity.as_bytes(), text.as_bytes()].concat()
}
