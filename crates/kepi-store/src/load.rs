//! A load: rows are taken batch by batch, and nothing is stored before it is committed.

use crate::change::{Change, EntityChange};
use crate::entity::Entity;
use crate::entity_load::EntityBuffer;
use crate::error::StoreError;
use crate::incoming::ROWS_WORTH_A_THREAD;
use crate::merge_load::MergeBuffer;
use crate::names::Names;
use crate::state::{LoadCount, LoadRecord};
use crate::stream_load::StreamBuffer;
use crate::writer::Writer;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use kepi_extension::ID;
use kepi_model::declared::{EntityDecl, StreamDecl};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Loads with more rows go to segments at once, smaller ones through the journal.
const SMALL_LOAD: u64 = 4096;

/// Bytes of a stream's rows that wait in memory for the commit; those of larger loads wait in a file.
const IN_MEMORY: usize = 1 << 30;

/// What happens to a row whose id is stored already, with other values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// It takes the place of the stored one.
    #[default]
    Replace,
    /// The stored one stays.
    Keep,
}

/// About a load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The file or source, for the list of loads.
    pub label: String,
    /// When it happens, for the list of loads, in microseconds since 1970 UTC.
    pub at: i64,
    /// The moment as of which questions are answered, which dates history without a moment of its own.
    pub now: i64,
    /// What happens to rows whose id is stored already.
    pub on_conflict: OnConflict,
    /// A connector and how far it has been read, committed together with the rows.
    pub cursor: Option<(String, String)>,
}

/// A row that cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// Its position in the batch given.
    pub row: usize,
    /// Why, in words that follow "row 12: ".
    pub reason: String,
}

/// What a load did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadSummary {
    /// The number of the snapshot that holds it: a new one where the load changed anything.
    pub snapshot: u64,
    /// By stream, then by entity, then the merges of entities (`merges of customer`).
    pub counts: Vec<LoadCount>,
    /// By stream how many stored rows were removed.
    pub removed: BTreeMap<String, u64>,
    /// By stream how many of the rows that count as known are not equal to what is stored: a later row of the same load
    /// has their id and other values.
    pub overtaken: BTreeMap<String, u64>,
}

/// A load that is not committed yet. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Load<'w> {
    writer: &'w mut Writer,
    options: LoadOptions,
    names: Names,
    streams: BTreeMap<String, StreamBuffer>,
    /// In the order in which they were given: later ones win.
    entities: Vec<EntityBuffer>,
    merges: BTreeMap<String, MergeBuffer>,
    in_memory: usize,
}

impl<'w> Load<'w> {
    pub(crate) fn new(writer: &'w mut Writer, options: LoadOptions) -> Load<'w> {
        let (streams, merges) = (BTreeMap::new(), BTreeMap::new());
        Load { writer, options, names: Names::default(), streams, entities: Vec::new(), merges, in_memory: IN_MEMORY }
    }

    /// The same load, of which at most so many bytes of a stream's rows wait in memory for the commit; others in a file.
    pub fn in_memory(mut self, bytes: usize) -> Load<'w> {
        self.in_memory = bytes;
        self
    }

    /// Takes rows of a stream; may be called many times, the rows are in the order of the calls.
    ///
    /// Columns by name: `_at` (a timestamp in µs, not in undated streams), `_id` (optional; text or 64-bit numbers),
    /// the key of each role as text, and the fields in the Arrow type of their unit; columns that are missing are
    /// missing values. Returns the rows that cannot be stored.
    ///
    /// Errors: a column that the declaration does not name, or of a type that is not its unit's.
    pub fn events(&mut self, decl: &StreamDecl, rows: RecordBatch) -> Result<Vec<RejectedRow>, StoreError> {
        if !self.streams.contains_key(&decl.name) {
            self.streams.insert(decl.name.clone(), StreamBuffer::new(self.writer, decl)?);
        }
        let buffer = self.streams.get_mut(&decl.name).expect("it was put in just now");
        buffer.take(self.writer, &mut self.names, &rows, self.in_memory)
    }

    /// Takes ids, text or 64-bit numbers, of rows of a stream that are gone at their source; may be called many times.
    /// Stored rows with such an id are no longer there, and rows of this load with one are not stored. An id that no row
    /// has means nothing.
    pub fn removals(&mut self, decl: &StreamDecl, ids: ArrayRef) -> Result<(), StoreError> {
        if !matches!(ids.data_type(), DataType::Int64 | DataType::Utf8) {
            let reason = format!("text or 64-bit numbers expected, {} given", ids.data_type());
            return Err(StoreError::column(&decl.name, ID, reason));
        }
        if !self.streams.contains_key(&decl.name) {
            self.streams.insert(decl.name.clone(), StreamBuffer::new(self.writer, decl)?);
        }
        self.streams.get_mut(&decl.name).expect("it was put in just now").remove(ids);
        Ok(())
    }

    /// Takes ids, text or 64-bit numbers, of rows that this load leaves out though their source has them; may be called many
    /// times. Where changed rows take the place of stored ones ([`OnConflict::Replace`]), stored rows with such an id are no
    /// longer there, unless a row of this load has it. An id that no row has means nothing.
    pub fn left_out(&mut self, decl: &StreamDecl, ids: ArrayRef) -> Result<(), StoreError> {
        if !matches!(ids.data_type(), DataType::Int64 | DataType::Utf8) {
            let reason = format!("text or 64-bit numbers expected, {} given", ids.data_type());
            return Err(StoreError::column(&decl.name, ID, reason));
        }
        if self.options.on_conflict == OnConflict::Keep {
            return Ok(());
        }
        if !self.streams.contains_key(&decl.name) {
            self.streams.insert(decl.name.clone(), StreamBuffer::new(self.writer, decl)?);
        }
        self.streams.get_mut(&decl.name).expect("it was put in just now").leave_out(self.writer, ids);
        Ok(())
    }

    /// Takes attributes of an entity; may be called many times, later rows win.
    ///
    /// Columns by name: `_key` (text), `_at` (optional: the moment from which the values hold), and attributes. An
    /// attribute without a column stays as it is; a missing value in a column makes it missing. Returns the rows that
    /// cannot be stored.
    pub fn entities(&mut self, decl: &EntityDecl, rows: RecordBatch) -> Result<Vec<RejectedRow>, StoreError> {
        let fits = self.entities.last().is_some_and(|last| last.fits(decl, &rows));
        if !fits {
            let buffer = EntityBuffer::new(self.writer, decl, &rows, self.entities.iter().rev())?;
            self.entities.push(buffer);
        }
        let buffer = self.entities.last_mut().expect("one was put in just now");
        buffer.take(self.writer, &mut self.names, &rows, self.options.now)
    }

    /// Takes keys of an entity that mean another one of it, from then on wherever they stand; may be called many times.
    ///
    /// Columns by name: `_key` and `_into`, both text or whole numbers. Keys that were never seen are known from then on.
    /// A key that was merged before is merged anew; one that is merged into itself stays as it is. Returns the rows that
    /// cannot be stored: without one of the keys, or where the second one means the first one already.
    pub fn merges(&mut self, entity: &str, rows: RecordBatch) -> Result<Vec<RejectedRow>, StoreError> {
        if !self.merges.contains_key(entity) {
            self.merges.insert(entity.to_owned(), MergeBuffer::new(self.writer, entity)?);
        }
        let buffer = self.merges.get_mut(entity).expect("it was put in just now");
        buffer.take(self.writer, &mut self.names, &rows)
    }

    /// Stores everything, or nothing: after a crash the load is there whole or not at all. A load that changes nothing
    /// makes no new snapshot.
    pub fn commit(self) -> Result<LoadSummary, StoreError> {
        let Load { writer, options, names, streams, entities, merges, .. } = self;
        let current = writer.current.clone();
        let mut change = Change::default();
        let (mut counts, mut removed, mut overtaken) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        // Neither looks at what comes of the other.
        let (here, of_names) = (&*writer, &names);
        let finish_entities = || finish_entities(here, of_names, &entities, &merges);
        let finish_streams = || {
            let finish = |(next_file, buffer): (u64, &StreamBuffer)| {
                buffer.finish(here, of_names, options.on_conflict, next_file)
            };
            (current.next_file..).zip(streams.values()).map(finish).collect::<Result<Vec<_>, _>>()
        };
        let few = streams.values().map(StreamBuffer::rows).sum::<usize>() < ROWS_WORTH_A_THREAD;
        let (of_entities, finished) = match few {
            true => (finish_entities(), finish_streams()),
            false => kepi_threads::both(finish_entities, finish_streams),
        };
        for (name, (count, stream, fewer)) in streams.keys().zip(finished?) {
            for (counts, count) in [(&mut removed, fewer.removed), (&mut overtaken, fewer.overtaken)] {
                if count > 0 {
                    counts.insert(name.clone(), count);
                }
            }
            counts.push(count);
            let schema_known = current.streams.get(name).is_some_and(|s| s.schema == stream.schema);
            if !schema_known || !stream.rows.is_empty() || !stream.gone.is_empty() {
                change.streams.push(stream);
            }
        }
        let mut renumbered = false;
        for stream in &change.streams {
            renumbered |= current.streams.get(&stream.schema.name).is_some_and(|s| s.schema.ids != stream.schema.ids);
        }
        let (entity_counts, entity_changes, entity_texts) = of_entities?;
        counts.extend(entity_counts);
        change.entities = entity_changes;
        if change.streams.is_empty() && change.entities.is_empty() && options.cursor.is_none() {
            names.return_tables(writer, &BTreeSet::new());
            return Ok(LoadSummary { snapshot: current.number, counts, removed, overtaken });
        }
        let streams_committed = change.streams.iter().map(|stream| stream.schema.name.clone());
        let committed: BTreeSet<String> = streams_committed.chain(entity_texts).collect();
        let snapshot = current.number + 1;
        let record = LoadRecord { snapshot, label: options.label, at: options.at, counts: counts.clone() };
        let changed: u64 = counts.iter().map(|c| c.added + c.replaced).sum();
        // Where the order of ids changes, segments are written anew, which only a bulk commit does.
        writer.commit(&change, record, options.cursor, changed > SMALL_LOAD || renumbered)?;
        names.return_tables(writer, &committed);
        Ok(LoadSummary { snapshot, counts, removed, overtaken })
    }
}

/// Counts, changes, and names of texts.
type EntityResults = (Vec<LoadCount>, Vec<EntityChange>, Vec<String>);

/// The changes of entities: new keys, also those that only events brought, and attributes in the order given; and
/// under which names the texts are that they bring.
fn finish_entities(
    writer: &Writer,
    names: &Names,
    buffers: &[EntityBuffer],
    merges: &BTreeMap<String, MergeBuffer>,
) -> Result<EntityResults, StoreError> {
    let mut counts: BTreeMap<String, LoadCount> = BTreeMap::new();
    let mut changes = Vec::new();
    let mut now = writer.current.entities.clone();
    for (name, keys) in names.new_keys()? {
        if keys.is_empty() {
            continue;
        }
        let entity = now.entry(name.clone()).or_insert_with(|| Arc::new(Entity::new(&name)));
        let change = EntityChange {
            name: name.clone(),
            attributes: entity.attributes.clone(),
            keys,
            rows: None,
            histories: Vec::new(),
            texts: Vec::new(),
        };
        Arc::make_mut(entity).apply(&change);
        changes.push(change);
    }
    let mut texts: Vec<String> = Vec::new();
    for buffer in buffers {
        let entity = now.entry(buffer.name().into()).or_insert_with(|| Arc::new(Entity::new(buffer.name())));
        let entity = Arc::make_mut(entity);
        let (count, change) = buffer.finish(names, entity)?;
        match counts.get_mut(&count.name) {
            Some(sum) => {
                sum.added += count.added;
                sum.known += count.known;
                sum.replaced += count.replaced;
                sum.first = sum.first.into_iter().chain(count.first).min();
                sum.last = sum.last.into_iter().chain(count.last).max();
            }
            None => {
                counts.insert(count.name.clone(), count);
            }
        }
        if let Some(mut change) = change {
            // New texts are told once, with the first rows of the entity that change anything.
            if !texts.iter().any(|name| name == buffer.texts()) {
                change.texts = names.new_texts(buffer.texts())?;
                texts.push(buffer.texts().to_owned());
            }
            entity.apply(&change);
            changes.push(change);
        }
    }
    let mut counts: Vec<LoadCount> = counts.into_values().collect();
    for (name, buffer) in merges {
        let entity = now.entry(name.clone()).or_insert_with(|| Arc::new(Entity::new(name)));
        let (count, change) = buffer.finish(entity)?;
        counts.push(count);
        changes.extend(change);
    }
    Ok((counts, changes, texts))
}
