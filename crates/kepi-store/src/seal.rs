//! Sealing: what is in memory (the journal's tail, or a bulk load) becomes files.

use crate::column::presented_kind;
use crate::entity::Entity;
use crate::error::StoreError;
use crate::layout::{Blob, Layout};
use crate::scan::Scan;
use crate::segment_index::CHUNK_ROWS;
use crate::segment_write::write_segment;
use crate::snapshot::Snapshot;
use crate::state::{
    ColumnSchema, ENTITY_ID, EntityState, IdKind, LOAD, PRESENT, SegmentState, State, StreamState, StringsState, VALUE,
};
use crate::stream::{Slot, Stream, gone_bytes};
use crate::strings::{Strings, take_number};
use arrow_array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{Field, Schema};
use kepi_extension::{AT, ColumnKind, ID};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Segments with fewer rows are merged with the next ones, so that small loads do not leave many small segments.
const SMALL_SEGMENT: usize = 1 << 20;

/// Writes all that is only in memory and returns what is in files then. They are not durable yet, and have temporary
/// names.
pub(crate) fn seal(layout: &Layout, snapshot: &Snapshot) -> Result<State, StoreError> {
    layout.forget_written();
    let mut next = snapshot.next_file;
    let mut reserved = |files: usize| {
        let first = next;
        next += files as u64;
        first
    };
    // Every stream and entity has file numbers of its own, more than it may need, so that both kinds can be written at
    // the same time: the map of keys takes about as long as the rows.
    let streams: Vec<(&Stream, u64)> = snapshot
        .streams
        .values()
        .map(|stream| (stream.as_ref(), reserved(stream.slots.len() + 1 + stream.dictionaries.len())))
        .collect();
    let entities: Vec<(&Entity, u64)> = snapshot
        .entities
        .values()
        .map(|entity| (entity.as_ref(), reserved(3 + entity.histories.len() + entity.dictionaries.len())))
        .collect();
    let seal_entities = || {
        let seal = |(entity, first): (&Entity, u64)| seal_entity(layout, entity, &mut first.clone());
        entities.into_iter().map(seal).collect::<Result<Vec<_>, _>>()
    };
    let seal_streams = || {
        let seal = |(stream, first): (&Stream, u64)| seal_stream(layout, stream, &mut first.clone(), false);
        streams.into_iter().map(seal).collect::<Result<Vec<_>, _>>()
    };
    let (entities, streams) = kepi_threads::both(seal_entities, seal_streams);
    Ok(State { next_file: next, streams: streams?, entities: entities? })
}

/// Writes a stream's new rows; with `whole` all of its rows become one segment.
pub(crate) fn seal_stream(
    layout: &Layout,
    stream: &Stream,
    next: &mut u64,
    whole: bool,
) -> Result<StreamState, StoreError> {
    let mut kept = stream.slots.as_slice();
    let mut fresh = 0;
    while let Some((last, before)) = kept.split_last() {
        let small = fresh > 0 && last.segment.rows < SMALL_SEGMENT && last.segment.rows <= 2 * fresh;
        if last.segment.state().is_some() && !small && !whole {
            break;
        }
        fresh += last.segment.rows;
        kept = before;
    }
    // Ids that turned from numbers to text order rows of one moment differently: all segments are written anew.
    if stream.schema.ids == IdKind::Text && has_number_ids(kept)? {
        kept = &[];
    }
    let mut segments = Vec::new();
    for slot in kept {
        segments.extend(seal_slot(layout, slot, next)?);
    }
    let merged = Stream { slots: stream.slots[kept.len()..].to_vec(), ..stream.clone() };
    if merged.rows() > 0 {
        let rows = match merged.slots.as_slice() {
            [one] if one.gone.is_empty() => one.segment.memory().map(<[_]>::to_vec),
            _ => None,
        };
        let rows = match rows {
            Some(rows) => rows,
            None => Scan::new(&merged, &stored_columns(stream), None, None)?.collect::<Result<Vec<_>, _>>()?,
        };
        segments.push(write_rows(layout, stream, take_number(next), &rows)?);
    }
    let dictionaries = seal_dictionaries(layout, &stream.dictionaries, next)?;
    Ok(StreamState { schema: stream.schema.clone(), segments, dictionaries })
}

/// Writes rows of a stream as a segment.
pub(crate) fn write_rows(
    layout: &Layout,
    stream: &Stream,
    number: u64,
    rows: &[RecordBatch],
) -> Result<SegmentState, StoreError> {
    let mut narrow = vec![ID, LOAD];
    narrow.extend(stream.schema.columns.iter().filter(|c| c.name != ID).map(|c| c.name.as_str()));
    write_segment(layout, number, rows, &narrow, CHUNK_ROWS)
}

/// All that is stored of rows but the moment.
pub(crate) fn stored_columns(stream: &Stream) -> Vec<String> {
    let mut columns = all_columns(stream);
    columns.push(LOAD.to_owned());
    columns
}

/// The columns of a stream with the id, without the moment.
pub(crate) fn all_columns(stream: &Stream) -> Vec<String> {
    let id = (stream.schema.ids != IdKind::None).then(|| ID.to_owned());
    id.into_iter().chain(stream.schema.columns.iter().map(|c| c.name.clone())).collect()
}

fn has_number_ids(slots: &[Slot]) -> Result<bool, StoreError> {
    for slot in slots.iter().filter(|slot| slot.segment.rows > 0) {
        if slot.segment.column(0, ID)?.is_some_and(|ids| *ids.data_type() != arrow_schema::DataType::Utf8) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A segment that stays as it is; none where all of its rows were replaced.
fn seal_slot(layout: &Layout, slot: &Slot, next: &mut u64) -> Result<Option<SegmentState>, StoreError> {
    let Some(state) = slot.segment.state() else { return Ok(None) };
    if slot.gone.len() == slot.segment.rows {
        return Ok(None);
    }
    let gone = match (&slot.gone_state, slot.gone.is_empty()) {
        (_, true) => None,
        (Some(written), _) => Some(written.clone()),
        (None, _) => Some(Blob::write(layout, take_number(next), "gone", &[&gone_bytes(&slot.gone)])?),
    };
    Ok(Some(SegmentState { gone, ..state.clone() }))
}

pub(crate) fn seal_dictionaries(
    layout: &Layout,
    dictionaries: &BTreeMap<String, Strings>,
    next: &mut u64,
) -> Result<Vec<(String, StringsState)>, StoreError> {
    let mut out = Vec::new();
    for (column, texts) in dictionaries {
        out.push((column.clone(), texts.seal(layout, next, false)?));
    }
    Ok(out)
}

fn seal_entity(layout: &Layout, entity: &Entity, next: &mut u64) -> Result<EntityState, StoreError> {
    let keys = entity.keys.seal(layout, next, true)?;
    let dictionaries = seal_dictionaries(layout, &entity.dictionaries, next)?;
    let table = match entity.updates.is_empty() {
        true => entity.table.as_ref().and_then(|t| t.state().cloned()),
        false => Some(seal_table(layout, entity, next)?),
    };
    let mut histories = Vec::new();
    for (field, history) in &entity.histories {
        let Some(schema) = entity.schema(field) else { continue };
        match (&history.sealed, history.updates.is_empty()) {
            (Some(sealed), true) => histories.extend(sealed.state().map(|state| (field.clone(), state.clone()))),
            _ => {
                let rows = entity.history(schema)?;
                let columns = rows.columns().to_vec();
                let rows = table_of(vec![ENTITY_ID.into(), AT.into(), VALUE.into()], columns)?;
                let codes = if presented_kind(schema) == ColumnKind::Code { vec![VALUE] } else { Vec::new() };
                histories.push((field.clone(), write_segment(layout, take_number(next), &[rows], &codes, usize::MAX)?));
            }
        }
    }
    let attributes = entity.attributes.clone();
    Ok(EntityState { name: entity.name.clone(), keys, attributes, table, histories, dictionaries })
}

/// Writes the current values by id. One chunk, so that a reader gets each column as one array without a copy.
fn seal_table(layout: &Layout, entity: &Entity, next: &mut u64) -> Result<SegmentState, StoreError> {
    let mut names = vec![PRESENT.to_owned()];
    let mut columns: Vec<ArrayRef> = vec![Arc::new(entity.present()?)];
    for attribute in &entity.attributes {
        names.push(attribute.name.clone());
        columns.push(entity.values(&attribute.name, &entity.presented(attribute)?)?);
    }
    let rows = columns.iter().map(|c| c.len()).max().unwrap_or(0);
    for column in &mut columns {
        if column.len() < rows {
            let missing = new_null_array(column.data_type(), rows - column.len());
            *column = arrow_select::concat::concat(&[column.as_ref(), missing.as_ref()])?;
        }
    }
    let table = table_of(names, columns)?;
    write_segment(layout, take_number(next), &[table], &codes(&entity.attributes), usize::MAX)
}

/// Columns with names, all of them nullable.
pub(crate) fn table_of(names: Vec<String>, columns: Vec<ArrayRef>) -> Result<RecordBatch, StoreError> {
    let fields: Vec<Field> =
        names.into_iter().zip(&columns).map(|(name, c)| Field::new(name, c.data_type().clone(), true)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// The columns that hold codes.
pub(crate) fn codes(columns: &[ColumnSchema]) -> Vec<&str> {
    columns.iter().filter(|c| presented_kind(c) == ColumnKind::Code).map(|c| c.name.as_str()).collect()
}
