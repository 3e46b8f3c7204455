//! A snapshot that notes what was read of it, so that an answer depends on just that.

use arrow_array::{RecordBatch, StringArray, UInt32Array};
use kepi_extension::{
    Attribute, Batches, Derived, EntityInfo, EventScan, ScanError, ScanRequest, SegmentInfo, Stored, StreamInfo,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Something that was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Read {
    Stream(String),
    Entity(String),
    /// What is stored at all.
    All,
}

impl Read {
    /// Its version now.
    pub(super) fn version(&self, scan: &dyn EventScan) -> Option<u128> {
        scan.version(match self {
            Read::Stream(name) => Stored::Stream(name),
            Read::Entity(name) => Stored::Entity(name),
            Read::All => Stored::All,
        })
    }
}

/// A snapshot that notes what is read.
#[derive(Debug)]
pub(crate) struct Recorder {
    scan: Arc<dyn EventScan>,
    read: Mutex<BTreeSet<Read>>,
}

impl Recorder {
    pub(crate) fn over(scan: Arc<dyn EventScan>) -> Recorder {
        Recorder { scan, read: Mutex::default() }
    }

    /// What was read, each with its version; none: of something that is not known.
    pub(super) fn versions(&self) -> Option<Vec<(Read, u128)>> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.iter().map(|read| Some((read.clone(), read.version(self.scan.as_ref())?))).collect()
    }

    fn note(&self, read: Read) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(read);
    }

    fn stream_of(&self, name: &str) -> &dyn EventScan {
        self.note(Read::Stream(name.to_string()));
        // Columns of ids say what their merged ids mean.
        for column in self.scan.stream(name).into_iter().flat_map(|info| info.columns) {
            if let kepi_extension::ColumnKind::Id { entity } = column.kind {
                self.note(Read::Entity(entity));
            }
        }
        self.scan.as_ref()
    }

    fn entity_of(&self, name: &str) -> &dyn EventScan {
        self.note(Read::Entity(name.to_string()));
        for attribute in self.scan.entity(name).into_iter().flat_map(|info| info.attributes) {
            if let kepi_extension::ColumnKind::Id { entity } = attribute.kind {
                self.note(Read::Entity(entity));
            }
        }
        self.scan.as_ref()
    }
}

impl EventScan for Recorder {
    fn snapshot(&self) -> u64 {
        self.note(Read::All);
        self.scan.snapshot()
    }

    fn streams(&self) -> Vec<String> {
        self.note(Read::All);
        self.scan.streams()
    }

    fn stream(&self, name: &str) -> Option<StreamInfo> {
        self.stream_of(name).stream(name)
    }

    fn entity(&self, name: &str) -> Option<EntityInfo> {
        self.entity_of(name).entity(name)
    }

    fn scan(&self, request: &ScanRequest) -> Result<Batches, ScanError> {
        self.stream_of(&request.stream).scan(request)
    }

    fn scan_of(&self, request: &ScanRequest, column: &str, id: u32) -> Result<Batches, ScanError> {
        self.stream_of(&request.stream).scan_of(request, column, id)
    }

    fn derived(&self) -> Option<&Derived> {
        // Who finds a value there does not say what it was made of.
        self.note(Read::All);
        self.scan.derived()
    }

    fn splits(&self, stream: &str, from: Option<i64>, until: Option<i64>, parts: usize) -> Vec<i64> {
        self.stream_of(stream).splits(stream, from, until, parts)
    }

    fn segments(&self, stream: &str) -> Vec<SegmentInfo> {
        self.stream_of(stream).segments(stream)
    }

    fn scan_segments(&self, request: &ScanRequest, segments: &[u64]) -> Result<Batches, ScanError> {
        self.stream_of(&request.stream).scan_segments(request, segments)
    }

    fn version(&self, of: Stored<'_>) -> Option<u128> {
        match of {
            Stored::Stream(name) => self.note(Read::Stream(name.to_string())),
            Stored::Entity(name) => self.note(Read::Entity(name.to_string())),
            Stored::All => self.note(Read::All),
        }
        self.scan.version(of)
    }

    fn dictionary(&self, stream: &str, column: &str) -> Result<Arc<StringArray>, ScanError> {
        self.stream_of(stream).dictionary(stream, column)
    }

    fn merged(&self, entity: &str) -> Result<Option<UInt32Array>, ScanError> {
        self.entity_of(entity).merged(entity)
    }

    fn keys(&self, entity: &str) -> Result<Arc<StringArray>, ScanError> {
        self.entity_of(entity).keys(entity)
    }

    fn id_of(&self, entity: &str, key: &str) -> Result<Option<u32>, ScanError> {
        self.entity_of(entity).id_of(entity, key)
    }

    fn attribute(&self, entity: &str, field: &str) -> Result<Attribute, ScanError> {
        self.entity_of(entity).attribute(entity, field)
    }

    fn attribute_history(&self, entity: &str, field: &str) -> Result<RecordBatch, ScanError> {
        self.entity_of(entity).attribute_history(entity, field)
    }
}
