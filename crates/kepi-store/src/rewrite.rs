//! Writing the whole store anew without some of its rows and keys, so that no file has anything of them any more.
//!
//! What is left is what a store would have that had never met them: keys that only removed rows named are not there, ids
//! and codes are dense again, dictionaries have the texts that rows have.

use crate::column::presented_kind;
use crate::entity::Entity;
use crate::error::StoreError;
use crate::layout::Layout;
use crate::renumber::{GONE, Numbers};
use crate::scan::Scan;
use crate::seal::{codes, stored_columns, table_of, write_rows};
use crate::segment_write::write_segment;
use crate::snapshot::Snapshot;
use crate::state::{
    ColumnSchema, ENTITY_ID, EntityState, INTO, LOAD, PRESENT, SegmentState, State, StoredKind, StreamState, VALUE,
};
use crate::stream::{Slot, Stream};
use crate::strings::{Strings, take_number};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray, UInt32Array};
use kepi_extension::{AT, ColumnKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Segments that follow each other are written as one up to this many rows.
const TOGETHER: usize = 1 << 20;

/// What is left out.
#[derive(Debug, Default)]
pub(crate) struct Without {
    /// By entity the ids that go, as they are stored, with all rows that name them.
    pub(crate) ids: BTreeMap<String, BTreeSet<u32>>,
    /// The load whose rows go.
    pub(crate) load: Option<u64>,
    /// Texts that are looked for in what stays.
    pub(crate) texts: Vec<String>,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The number of the snapshot without it.
    pub snapshot: u64,
    /// By stream how many rows.
    pub rows: BTreeMap<String, u64>,
    /// By entity how many keys, with those that nothing names any more.
    pub keys: BTreeMap<String, u64>,
    /// Where the erased keys still stand as texts of what stays, such as `tickets.note`, and in how many texts.
    pub mentions: BTreeMap<String, u64>,
}

/// Writes what is left; the files are not durable yet, and have temporary names.
pub(crate) fn rewrite(layout: &Layout, snapshot: &Snapshot, without: &Without) -> Result<(State, Removed), StoreError> {
    layout.forget_written();
    let mut work =
        Rewrite { layout, without, ids: BTreeMap::new(), next: snapshot.next_file, removed: Removed::default() };
    work.choose_ids(snapshot)?;
    let mut state = State::default();
    for stream in snapshot.streams.values() {
        state.streams.push(work.stream(stream)?);
    }
    for entity in snapshot.entities.values() {
        state.entities.push(work.entity(entity)?);
    }
    state.next_file = work.next;
    Ok((state, work.removed))
}

struct Rewrite<'a> {
    layout: &'a Layout,
    without: &'a Without,
    /// By entity the new number of each id.
    ids: BTreeMap<String, Numbers>,
    next: u64,
    removed: Removed,
}

impl Rewrite<'_> {
    /// Finds the ids that stay: those that are left in a row, an attribute or a merge, or whose attributes were loaded.
    fn choose_ids(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let mut named: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
        for (name, entity) in &snapshot.entities {
            named.insert(name, vec![false; entity.keys.len()]);
        }
        for stream in snapshot.streams.values() {
            let columns: Vec<(&str, &str)> = id_columns(&stream.schema.columns).collect();
            let mut wanted: Vec<String> = columns.iter().map(|(column, _)| (*column).to_owned()).collect();
            wanted.push(LOAD.to_owned());
            for batch in Scan::new(stream, &wanted, None, None)? {
                let batch = batch?;
                let keep = self.keep(&stream.schema.columns, &batch);
                for (column, entity) in &columns {
                    let ids = batch.column_by_name(column).map(|ids| ids.as_primitive::<UInt32Type>());
                    let (Some(ids), Some(named)) = (ids, named.get_mut(entity)) else { continue };
                    let kept = (0..ids.len()).filter(|&row| keep.as_ref().is_none_or(|keep| keep.value(row)));
                    for id in kept.filter(|&row| ids.is_valid(row)).map(|row| ids.value(row)) {
                        named.get_mut(id as usize).into_iter().for_each(|named| *named = true);
                    }
                }
            }
        }
        for (name, entity) in &snapshot.entities {
            let goes = |id: usize| self.goes(name, id as u32);
            let present = entity.present()?;
            let own = (0..present.len()).filter(|&id| present.is_valid(id) && present.value(id));
            own.for_each(|id| mark(&mut named, name, id));
            for schema in &entity.attributes {
                let StoredKind::Id { entity: target } = &schema.kind else { continue };
                let values = entity.values(&schema.name, &entity.presented(schema)?)?;
                let values = values.as_primitive::<UInt32Type>();
                for id in (0..values.len()).filter(|&id| values.is_valid(id) && !goes(id)) {
                    mark(&mut named, target, values.value(id) as usize);
                    if schema.name == INTO {
                        mark(&mut named, name, id);
                    }
                }
                if schema.history {
                    let history = entity.history(schema)?;
                    let ids = history.column(0).as_primitive::<UInt32Type>();
                    let values = history.column(2).as_primitive::<UInt32Type>();
                    for row in (0..ids.len()).filter(|&row| values.is_valid(row) && !goes(ids.value(row) as usize)) {
                        mark(&mut named, target, values.value(row) as usize);
                    }
                }
            }
        }
        for (name, named) in named {
            let stays = named.iter().enumerate().map(|(id, named)| *named && !self.goes(name, id as u32));
            let numbers = Numbers::of(stays);
            let gone = (named.len() - numbers.kept().len()) as u64;
            if gone > 0 {
                self.removed.keys.insert(name.to_owned(), gone);
            }
            self.ids.insert(name.to_owned(), numbers);
        }
        Ok(())
    }

    fn goes(&self, entity: &str, id: u32) -> bool {
        self.without.ids.get(entity).is_some_and(|ids| ids.contains(&id))
    }

    /// Which rows stay; none: all of them.
    fn keep(&self, columns: &[ColumnSchema], rows: &RecordBatch) -> Option<BooleanArray> {
        let mut goes: Vec<(&UInt32Array, &BTreeSet<u32>)> = Vec::new();
        for (column, entity) in id_columns(columns) {
            let ids = rows.column_by_name(column).map(|ids| ids.as_primitive::<UInt32Type>());
            goes.extend(ids.zip(self.without.ids.get(entity)));
        }
        let load = self.without.load.and_then(|load| {
            let loads = rows.column_by_name(LOAD)?.as_primitive::<UInt32Type>();
            Some((loads, u32::try_from(load).ok()?))
        });
        if goes.is_empty() && load.is_none() {
            return None;
        }
        let keep = |row: usize| {
            let names =
                |(ids, gone): &(&UInt32Array, &BTreeSet<u32>)| ids.is_valid(row) && gone.contains(&ids.value(row));
            let came = |(loads, load): (&UInt32Array, u32)| loads.is_valid(row) && loads.value(row) == load;
            Some(!goes.iter().any(names) && !load.is_some_and(came))
        };
        Some((0..rows.num_rows()).map(keep).collect())
    }

    /// Writes a stream's rows, a segment for each one that there is; small ones are put together.
    fn stream(&mut self, stream: &Stream) -> Result<StreamState, StoreError> {
        let mut dictionaries = BTreeMap::new();
        for schema in stream.schema.columns.iter().filter(|schema| presented_kind(schema) == ColumnKind::Code) {
            let texts = stream.dictionaries.get(&schema.name).cloned().unwrap_or_default();
            dictionaries.insert(schema.name.as_str(), (Numbers::none(texts.len()), texts));
        }
        let wanted = stored_columns(stream);
        let mut segments = Vec::new();
        for slots in together(&stream.slots) {
            let part = Stream { slots: slots.to_vec(), ..stream.clone() };
            let mut rows = Vec::new();
            for batch in Scan::new(&part, &wanted, None, None)? {
                let mut batch = batch?;
                if let Some(keep) = self.keep(&stream.schema.columns, &batch) {
                    let before = batch.num_rows();
                    batch = arrow_select::filter::filter_record_batch(&batch, &keep)?;
                    let gone = (before - batch.num_rows()) as u64;
                    if gone > 0 {
                        *self.removed.rows.entry(stream.schema.name.clone()).or_default() += gone;
                    }
                }
                if batch.num_rows() > 0 {
                    rows.push(self.renumbered(stream, &batch, &mut dictionaries)?);
                }
            }
            if !rows.is_empty() {
                segments.push(write_rows(self.layout, stream, take_number(&mut self.next), &rows)?);
            }
        }
        let mut written = Vec::new();
        for (column, (numbers, texts)) in dictionaries {
            let place = format!("{}.{column}", stream.schema.name);
            written.push((column.to_owned(), self.texts(&texts, &numbers, false, &place)?));
        }
        Ok(StreamState { schema: stream.schema.clone(), segments, dictionaries: written })
    }

    fn renumbered(
        &mut self,
        stream: &Stream,
        rows: &RecordBatch,
        dictionaries: &mut BTreeMap<&str, (Numbers, Strings)>,
    ) -> Result<RecordBatch, StoreError> {
        let (mut names, mut columns) = (Vec::new(), Vec::new());
        for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
            let name = field.name();
            let schema = stream.schema.columns.iter().find(|schema| schema.name == *name);
            let column: ArrayRef = match (schema.map(|schema| &schema.kind), dictionaries.get_mut(name.as_str())) {
                (Some(StoredKind::Id { entity }), _) => match self.ids.get(entity) {
                    Some(numbers) => Arc::new(numbers.renumber(column.as_primitive())),
                    None => column.clone(),
                },
                (Some(_), Some((numbers, _))) => Arc::new(numbers.take_in(column.as_primitive())),
                _ => {
                    if let Some(texts) = column.as_string_opt::<i32>() {
                        self.look_for(&format!("{}.{}", stream.schema.name, shown(name)), texts.iter().flatten());
                    }
                    column.clone()
                }
            };
            names.push(name.clone());
            columns.push(column);
        }
        table_of(names, columns)
    }

    fn entity(&mut self, entity: &Entity) -> Result<EntityState, StoreError> {
        let numbers = self.ids.get(&entity.name).cloned().unwrap_or_else(|| Numbers::none(0));
        let keys = self.texts(&entity.keys, &numbers, true, &format!("the keys of {}", entity.name))?;
        let mut dictionaries: BTreeMap<String, Numbers> = BTreeMap::new();
        let (mut names, mut columns) =
            (vec![PRESENT.to_owned()], vec![of_ids(&(Arc::new(entity.present()?) as _), &numbers)?]);
        let mut histories = Vec::new();
        for schema in &entity.attributes {
            let values = of_ids(&entity.values(&schema.name, &entity.presented(schema)?)?, &numbers)?;
            names.push(schema.name.clone());
            columns.push(self.values(entity, schema, &values, &mut dictionaries)?);
            if entity.histories.contains_key(&schema.name) {
                let history = self.history(entity, schema, &numbers, &mut dictionaries)?;
                histories.push((schema.name.clone(), history));
            }
        }
        let table = match entity.table.is_some() || !entity.updates.is_empty() {
            true => {
                let table = table_of(names, columns)?;
                let codes = codes(&entity.attributes);
                Some(write_segment(self.layout, take_number(&mut self.next), &[table], &codes, usize::MAX)?)
            }
            false => None,
        };
        let mut written = Vec::new();
        for (column, numbers) in dictionaries {
            let texts = entity.dictionaries.get(&column).cloned().unwrap_or_default();
            let place = format!("{}.{column}", entity.name);
            written.push((column, self.texts(&texts, &numbers, false, &place)?));
        }
        let (name, attributes) = (entity.name.clone(), entity.attributes.clone());
        Ok(EntityState { name, keys, attributes, table, histories, dictionaries: written })
    }

    fn history(
        &mut self,
        entity: &Entity,
        schema: &ColumnSchema,
        numbers: &Numbers,
        dictionaries: &mut BTreeMap<String, Numbers>,
    ) -> Result<SegmentState, StoreError> {
        let history = entity.history(schema)?;
        let ids = history.column(0).as_primitive::<UInt32Type>();
        let keep: BooleanArray = ids.values().iter().map(|&id| Some(numbers.new_of(id) != GONE)).collect();
        let history = arrow_select::filter::filter_record_batch(&history, &keep)?;
        let ids: ArrayRef = Arc::new(numbers.renumber(history.column(0).as_primitive()));
        let values = self.values(entity, schema, history.column(2), dictionaries)?;
        let names = vec![ENTITY_ID.into(), AT.into(), VALUE.into()];
        let rows = table_of(names, vec![ids, history.column(1).clone(), values])?;
        let codes = if presented_kind(schema) == ColumnKind::Code { vec![VALUE] } else { Vec::new() };
        write_segment(self.layout, take_number(&mut self.next), &[rows], &codes, usize::MAX)
    }

    /// The values of an attribute in the new numbers; what means an id that is gone is missing.
    fn values(
        &mut self,
        entity: &Entity,
        schema: &ColumnSchema,
        values: &ArrayRef,
        dictionaries: &mut BTreeMap<String, Numbers>,
    ) -> Result<ArrayRef, StoreError> {
        Ok(match &schema.kind {
            StoredKind::Id { entity } => match self.ids.get(entity) {
                Some(numbers) => Arc::new(numbers.renumber(values.as_primitive())),
                None => values.clone(),
            },
            StoredKind::Text { plain: false } => {
                let texts = entity.dictionaries.get_key_value(&schema.name);
                // An attribute without texts has no values either.
                let Some((name, texts)) = texts else { return Ok(values.clone()) };
                let numbers = dictionaries.entry(name.clone()).or_insert_with(|| Numbers::none(texts.len()));
                Arc::new(numbers.take_in(values.as_primitive()))
            }
            StoredKind::Text { plain: true } => {
                let place = format!("{}.{}", entity.name, schema.name);
                self.look_for(&place, values.as_string::<i32>().iter().flatten());
                values.clone()
            }
            _ => values.clone(),
        })
    }

    /// Writes the texts that are left, by their new numbers.
    fn texts(
        &mut self,
        texts: &Strings,
        numbers: &Numbers,
        mapped: bool,
        place: &str,
    ) -> Result<crate::state::StringsState, StoreError> {
        let all = texts.array()?;
        let kept = UInt32Array::from(numbers.kept().to_vec());
        let kept = arrow_select::take::take(all.as_ref(), &kept, None)?;
        let kept: &StringArray = kept.as_string::<i32>();
        self.look_for(place, kept.iter().flatten());
        let mut fresh = Strings::default();
        if !kept.is_empty() {
            fresh.push(kept.clone());
        }
        fresh.seal(self.layout, &mut self.next, mapped)
    }

    fn look_for<'t>(&mut self, place: &str, texts: impl Iterator<Item = &'t str>) {
        if self.without.texts.is_empty() {
            return;
        }
        let found = texts.filter(|text| self.without.texts.iter().any(|key| mentions(text, key))).count() as u64;
        if found > 0 {
            *self.removed.mentions.entry(place.to_owned()).or_default() += found;
        }
    }
}

/// Whether a key stands in a text, and not as a part of a longer word or number.
pub fn mentions(text: &str, key: &str) -> bool {
    let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !key.is_empty()
        && text.match_indices(key).any(|(place, _)| {
            !inside(text[..place].chars().next_back()) && !inside(text[place + key.len()..].chars().next())
        })
}

/// How people call a column.
fn shown(column: &str) -> &str {
    if column == kepi_extension::ID { "id" } else { column }
}

fn mark(named: &mut BTreeMap<&str, Vec<bool>>, entity: &str, id: usize) {
    if let Some(named) = named.get_mut(entity).and_then(|named| named.get_mut(id)) {
        *named = true;
    }
}

/// The columns of ids, each with its entity.
fn id_columns(columns: &[ColumnSchema]) -> impl Iterator<Item = (&str, &str)> {
    columns.iter().filter_map(|column| match &column.kind {
        StoredKind::Id { entity } => Some((column.name.as_str(), entity.as_str())),
        _ => None,
    })
}

/// Values by id, of the ids that stay.
fn of_ids(values: &ArrayRef, numbers: &Numbers) -> Result<ArrayRef, StoreError> {
    let places = numbers.kept().iter().map(|&id| ((id as usize) < values.len()).then_some(id));
    Ok(arrow_select::take::take(values, &places.collect::<UInt32Array>(), None)?)
}

/// Segments that are written as one: they follow each other and are small.
fn together(slots: &[Slot]) -> Vec<&[Slot]> {
    let (mut parts, mut first, mut rows) = (Vec::new(), 0, 0);
    for (place, slot) in slots.iter().enumerate() {
        if place > first && rows + slot.segment.rows > TOGETHER {
            parts.push(&slots[first..place]);
            (first, rows) = (place, 0);
        }
        rows += slot.segment.rows;
    }
    if first < slots.len() {
        parts.push(&slots[first..]);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_as_a_word_only() {
        let found = [("ada", "ada"), ("to ada!", "ada"), ("<ada@x.org>", "ada@x.org"), ("c-5,c-6", "c-5")];
        assert!(found.iter().all(|(text, key)| mentions(text, key)));
        let not = [("Canada", "ada"), ("c57", "c5"), ("17", "7"), ("", "a"), ("éada", "ada"), ("a", "")];
        assert!(!not.iter().any(|(text, key)| mentions(text, key)));
    }
}
