//! A consistent snapshot: what the manifest names, and the small loads in the journal's tail.

use crate::aliases::Aliases;
use crate::change::Change;
use crate::column::Presented;
use crate::entity::Entity;
use crate::error::StoreError;
use crate::journal::{self, Record};
use crate::layout::Layout;
use crate::manifest::{self, Manifest};
use crate::recovery::holds_commits;
use crate::scan::Scan;
use crate::splits;
use crate::state::{LoadRecord, State, StoredKind};
use crate::stream::Stream;
use arrow_array::{RecordBatch, StringArray, UInt32Array};
use kepi_extension::{
    Attribute, Batches, ColumnKind, Derived, EntityInfo, EventScan, ScanError, ScanRequest, SegmentInfo, Stored,
    StreamInfo,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// How often a reader starts again because the writer replaced files while they were being opened.
const ATTEMPTS: u32 = 20;

/// What is stored at one moment. It does not change, and keeps its files readable until it is dropped.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) number: u64,
    pub(crate) layout: Layout,
    /// The journal as far as it belongs to this snapshot.
    pub(crate) generation: u64,
    pub(crate) length: u64,
    pub(crate) next_file: u64,
    pub(crate) streams: BTreeMap<String, Arc<Stream>>,
    pub(crate) entities: BTreeMap<String, Arc<Entity>>,
    /// Where a reader has it from; none: made otherwise.
    origin: Option<Arc<Origin>>,
    derived: Arc<Derived>,
}

/// What a reader's snapshot was made of: while this is the same, so is what it gives.
#[derive(Debug, PartialEq)]
struct Origin {
    manifest: Manifest,
    /// When the journal was last written, where rows of it are part of the snapshot.
    journal: Option<SystemTime>,
}

impl Origin {
    fn of(layout: &Layout, manifest: Manifest) -> Origin {
        let written = |path| std::fs::metadata(path).and_then(|about| about.modified()).ok();
        let journal = (manifest.tail < manifest.length).then(|| written(layout.journal(manifest.generation))).flatten();
        Origin { manifest, journal }
    }
}

impl Snapshot {
    /// A snapshot without anything.
    pub(crate) fn empty(layout: &Layout) -> Snapshot {
        Snapshot {
            number: 0,
            layout: layout.clone(),
            generation: 0,
            length: 0,
            next_file: 1,
            streams: BTreeMap::new(),
            entities: BTreeMap::new(),
            origin: None,
            derived: Arc::default(),
        }
    }

    /// Opens what the current manifest names; an empty or missing folder is an empty snapshot.
    pub(crate) fn open(folder: &Path) -> Result<Snapshot, StoreError> {
        Ok(Arc::unwrap_or_clone(Snapshot::open_after(folder, None)?))
    }

    /// The same where `before` was opened before: files that it has open, and has found to be sound, are not opened
    /// again, and where nothing was stored since, it is `before` itself.
    pub(crate) fn open_after(folder: &Path, before: Option<&Arc<Snapshot>>) -> Result<Arc<Snapshot>, StoreError> {
        let layout = Layout::new(folder);
        let before = before.filter(|before| before.layout.root == layout.root);
        let mut attempt = 0;
        loop {
            let Some(manifest) = manifest::read(&layout)? else {
                // The first manifest is published before the first commit: without one nothing can be stored, unless
                // it was lost. An empty answer would then be a wrong number.
                if holds_commits(&layout)? {
                    let reason = "it is missing, though there are commits";
                    return Err(StoreError::damaged(&layout.manifest(), 0, reason));
                }
                return Ok(Arc::new(Snapshot::empty(&layout)));
            };
            let origin = Origin::of(&layout, manifest);
            if let Some(before) = before.filter(|before| before.origin.as_deref() == Some(&origin)) {
                return Ok(Arc::clone(before));
            }
            let manifest = &origin.manifest;
            match Snapshot::of_manifest(&layout, manifest, before.map(AsRef::as_ref)) {
                // The writer may have removed a file between our reading the manifest and opening the file; then
                // there is a newer manifest.
                Err(error) if error.is_missing_file() => {
                    attempt += 1;
                    let newer = manifest::read(&layout)?.is_some_and(|now| now != *manifest);
                    if !newer || attempt == ATTEMPTS {
                        return Err(error);
                    }
                }
                other => {
                    let snapshot = other?;
                    return Ok(Arc::new(Snapshot { origin: Some(Arc::new(origin)), ..snapshot }));
                }
            }
        }
    }

    fn of_manifest(layout: &Layout, manifest: &Manifest, before: Option<&Snapshot>) -> Result<Snapshot, StoreError> {
        let mut snapshot = Snapshot::of_state(layout, &manifest.state, before)?;
        let path = layout.journal(manifest.generation);
        if manifest.tail < manifest.length {
            let (entries, _) = journal::read(&path, manifest.tail, Some(manifest.length), manifest.length)?;
            for entry in entries {
                if let Record::Small { load, delta, .. } = entry.record {
                    let change = Change::from_delta(delta).map_err(|e| StoreError::damaged(&path, entry.end, e))?;
                    snapshot.apply(&change, load.snapshot);
                }
            }
        }
        snapshot.number = manifest.snapshot;
        snapshot.generation = manifest.generation;
        snapshot.length = manifest.length;
        Ok(snapshot)
    }

    /// Opens files; those that `before` has open are taken from there. The number is left to the caller.
    pub(crate) fn of_state(layout: &Layout, state: &State, before: Option<&Snapshot>) -> Result<Snapshot, StoreError> {
        let mut snapshot = Snapshot::empty(layout);
        snapshot.next_file = state.next_file;
        for stream in &state.streams {
            let known = before.and_then(|b| b.streams.get(&stream.schema.name)).map(AsRef::as_ref);
            let opened = Stream::open(layout, stream, known)?;
            snapshot.streams.insert(stream.schema.name.clone(), Arc::new(opened));
        }
        for entity in &state.entities {
            let known = before.and_then(|b| b.entities.get(&entity.name)).map(AsRef::as_ref);
            snapshot.entities.insert(entity.name.clone(), Arc::new(Entity::open(layout, entity, known)?));
        }
        Ok(snapshot)
    }

    /// Takes in what a load changes; `load` is the number of the snapshot that it makes.
    pub(crate) fn apply(&mut self, change: &Change, load: u64) {
        self.origin = None;
        self.derived = Arc::default();
        for stream in &change.streams {
            self.next_file = self.next_file.max(stream.segment + 1);
            let slot = self.streams.entry(stream.schema.name.clone());
            Arc::make_mut(slot.or_insert_with(|| Arc::new(Stream::new(stream.schema.clone())))).apply(stream, load);
        }
        for entity in &change.entities {
            let slot = self.entities.entry(entity.name.clone());
            Arc::make_mut(slot.or_insert_with(|| Arc::new(Entity::new(&entity.name)))).apply(entity);
        }
    }

    /// All loads up to this snapshot, the oldest first.
    pub fn loads(&self) -> Result<Vec<LoadRecord>, StoreError> {
        if self.generation == 0 {
            return Ok(Vec::new());
        }
        let path = self.layout.journal(self.generation);
        let entries = match journal::read(&path, 0, Some(self.length), self.length) {
            // A newer generation has replaced the file; it starts with all loads up to then.
            Err(error) if error.is_missing_file() => {
                let now = Snapshot::open(&self.layout.root)?;
                let mut loads = if now.generation == self.generation { return Err(error) } else { now.loads()? };
                loads.retain(|load| load.snapshot <= self.number);
                return Ok(loads);
            }
            other => other?.0,
        };
        let mut loads = Vec::new();
        for entry in entries {
            match entry.record {
                Record::Checkpoint { loads: earlier, .. } => loads = earlier,
                Record::Small { load, .. } => loads.push(load),
                Record::Sealed { load, .. } => loads.extend(load),
            }
        }
        Ok(loads)
    }

    /// Reads every file of the snapshot whole and checks its checksums; the first damage is the error.
    pub fn verify(&self) -> Result<(), StoreError> {
        self.verify_all().damages.into_iter().next().map_or(Ok(()), Err)
    }

    fn known_stream(&self, name: &str) -> Result<&Stream, ScanError> {
        self.streams.get(name).map(AsRef::as_ref).ok_or_else(|| ScanError::Unknown(name.into()))
    }

    /// An entity without keys is known where a column refers to it: all of its values are missing.
    fn referred_to(&self, name: &str) -> Result<(), ScanError> {
        let streams = self.streams.values().flat_map(|stream| &stream.schema.columns);
        let mut columns = streams.chain(self.entities.values().flat_map(|entity| &entity.attributes));
        let refers = columns.any(|c| matches!(&c.kind, StoredKind::Id { entity } if entity == name));
        refers.then_some(()).ok_or_else(|| ScanError::Unknown(name.into()))
    }

    /// What the merged ids of an entity mean; none: nothing of it was ever merged.
    fn aliases(&self, entity: &str) -> Result<Option<Arc<Aliases>>, StoreError> {
        self.entities.get(entity).map_or(Ok(None), |known| known.aliases())
    }

    fn known_entity(&self, name: &str) -> Result<&Entity, ScanError> {
        self.entities.get(name).map(AsRef::as_ref).ok_or_else(|| ScanError::Unknown(name.into()))
    }
}

impl EventScan for Snapshot {
    fn snapshot(&self) -> u64 {
        self.number
    }

    fn streams(&self) -> Vec<String> {
        self.streams.keys().cloned().collect()
    }

    fn stream(&self, name: &str) -> Option<StreamInfo> {
        self.streams.get(name).map(|stream| stream.info())
    }

    fn entity(&self, name: &str) -> Option<EntityInfo> {
        self.entities.get(name).map(|entity| entity.info())
    }

    fn scan(&self, request: &ScanRequest) -> Result<Batches, ScanError> {
        let stream = self.known_stream(&request.stream)?;
        let scan = Scan::new(stream, &request.columns, request.from, request.until)?;
        Ok(Box::new(scan.meaning(|entity| self.aliases(entity))?))
    }

    fn scan_of(&self, request: &ScanRequest, column: &str, id: u32) -> Result<Batches, ScanError> {
        let stream = self.known_stream(&request.stream)?;
        let scan = Scan::new(stream, &request.columns, request.from, request.until)?;
        let scan = scan.meaning(|entity| self.aliases(entity))?;
        // Where keys were merged, several stored ids mean one.
        let own = matches!(stream.presented(column)?, Some(Presented::Field(ColumnKind::Id { entity }, _))
            if self.aliases(&entity)?.is_none());
        Ok(Box::new(if own { scan.of(column, id) } else { scan }))
    }

    fn derived(&self) -> Option<&Derived> {
        Some(&self.derived)
    }

    fn splits(&self, stream: &str, from: Option<i64>, until: Option<i64>, parts: usize) -> Vec<i64> {
        self.streams.get(stream).map(|stream| splits::splits(stream, from, until, parts)).unwrap_or_default()
    }

    fn segments(&self, stream: &str) -> Vec<SegmentInfo> {
        self.segments_of(stream)
    }

    fn scan_segments(&self, request: &ScanRequest, segments: &[u64]) -> Result<Batches, ScanError> {
        let stream = self.known_stream(&request.stream)?.only(segments)?;
        let scan = Scan::new(&stream, &request.columns, request.from, request.until)?;
        Ok(Box::new(scan.meaning(|entity| self.aliases(entity))?))
    }

    fn version(&self, of: Stored<'_>) -> Option<u128> {
        self.version_of(of)
    }

    fn dictionary(&self, stream: &str, column: &str) -> Result<Arc<StringArray>, ScanError> {
        let known = self.known_stream(stream)?;
        if !known.schema.columns.iter().any(|c| c.name == column) {
            return Err(ScanError::Unknown(format!("{stream}.{column}")));
        }
        Ok(known.dictionaries.get(column).cloned().unwrap_or_default().array()?)
    }

    fn keys(&self, entity: &str) -> Result<Arc<StringArray>, ScanError> {
        match self.entities.get(entity) {
            Some(known) => Ok(known.keys.array()?),
            None => self.referred_to(entity).map(|()| Arc::new(StringArray::new_null(0))),
        }
    }

    fn id_of(&self, entity: &str, key: &str) -> Result<Option<u32>, ScanError> {
        match self.entities.get(entity) {
            Some(known) => {
                let (id, aliases) = (known.id_of(key)?, known.aliases()?);
                Ok(id.map(|id| aliases.map_or(id, |aliases| aliases.root(id))))
            }
            None => self.referred_to(entity).map(|()| None),
        }
    }

    fn attribute(&self, entity: &str, field: &str) -> Result<Attribute, ScanError> {
        let known = self.known_entity(entity)?;
        let attribute = known.attribute(field)?;
        let mut attribute = attribute.ok_or_else(|| ScanError::Unknown(format!("{entity}.{field}")))?;
        if let Some(aliases) = known.aliases()? {
            attribute.values = aliases.attribute(&attribute.values)?;
        }
        if let ColumnKind::Id { entity } = &attribute.kind
            && let Some(aliases) = self.aliases(entity)?
        {
            attribute.values = aliases.meant(&attribute.values);
        }
        Ok(attribute)
    }

    fn attribute_history(&self, entity: &str, field: &str) -> Result<RecordBatch, ScanError> {
        let known = self.known_entity(entity)?;
        let schema = known.schema(field).filter(|schema| schema.history);
        let schema = schema.ok_or_else(|| ScanError::Unknown(format!("the history of {entity}.{field}")))?;
        let mut history = known.history(schema)?;
        if let Some(aliases) = known.aliases()? {
            history = aliases.history(&history)?;
        }
        if let StoredKind::Id { entity } = &schema.kind
            && let Some(aliases) = self.aliases(entity)?
        {
            let mut columns = history.columns().to_vec();
            columns[2] = aliases.meant(&columns[2]);
            history = RecordBatch::try_new(history.schema(), columns).map_err(StoreError::from)?;
        }
        Ok(history)
    }

    fn merged(&self, entity: &str) -> Result<Option<UInt32Array>, ScanError> {
        Ok(self.aliases(entity)?.map(|aliases| aliases.roots().clone()))
    }
}
