//! Merges in a load: keys that mean another key of their entity.

use crate::change::EntityChange;
use crate::entity::Entity;
use crate::error::StoreError;
use crate::identity::Folded;
use crate::incoming::Column;
use crate::load::RejectedRow;
use crate::names::{Names, text_array};
use crate::seal::table_of;
use crate::state::{ENTITY_ID, INTO, LoadCount};
use crate::stream_load::{kept, one_per_row};
use crate::writer::Writer;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, UInt32Type};
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use kepi_model::value::Kind;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

/// The column of the keys that are merged.
const KEY: &str = "_key";

type ByNumber = HashMap<u32, u32, BuildHasherDefault<Folded>>;

/// The merges of one entity.
#[derive(Debug)]
pub(crate) struct MergeBuffer {
    entity: String,
    keys: Column,
    into: Column,
    /// What was merged before: by id the one that it was merged into.
    stored: Option<UInt32Array>,
    /// What this load merges.
    fresh: ByNumber,
    /// How far chains were followed already, so that a long one is not followed again for each of its keys.
    followed: ByNumber,
    count: LoadCount,
}

impl MergeBuffer {
    pub(crate) fn new(writer: &Writer, entity: &str) -> Result<MergeBuffer, StoreError> {
        let column = |name: &str| Column::new(entity, name, &Kind::Entity(entity.to_owned()), false, None);
        let stored = match writer.current.entities.get(entity) {
            // Asking what merged keys mean makes sure that no chain goes round in a circle.
            Some(stored) if stored.aliases()?.is_some() => stored.merged_ids()?,
            _ => None,
        };
        let count = LoadCount {
            name: format!("merges of {entity}"),
            entity: true,
            added: 0,
            known: 0,
            replaced: 0,
            first: None,
            last: None,
        };
        Ok(MergeBuffer {
            entity: entity.to_owned(),
            keys: column(KEY)?,
            into: column(INTO)?,
            stored,
            fresh: ByNumber::default(),
            followed: ByNumber::default(),
            count,
        })
    }

    /// Takes a batch; returns the rows that cannot be stored.
    pub(crate) fn take(
        &mut self,
        writer: &mut Writer,
        names: &mut Names,
        rows: &RecordBatch,
    ) -> Result<Vec<RejectedRow>, StoreError> {
        let count = rows.num_rows();
        let mut rejected: Vec<(usize, String)> = Vec::new();
        let mut checked = Vec::new();
        let mut given: Vec<&ArrayRef> = Vec::new();
        for column in [&self.keys, &self.into] {
            let values = rows.column_by_name(&column.name);
            let values = values.ok_or_else(|| StoreError::column(&self.entity, &column.name, "it is missing"))?;
            let nulls = values.logical_nulls();
            let missing = (0..count).filter(|&row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)));
            rejected.extend(missing.map(|row| (row, "it has no key".to_owned())));
            checked.push(column.check(&self.entity, Some(values), count)?);
            given.push(values);
        }
        let mut rejected = one_per_row(rejected);
        let keep = (!rejected.is_empty()).then(|| kept(count, &rejected));
        let places: Vec<usize> = (0..count).filter(|&row| keep.as_ref().is_none_or(|keep| keep.value(row))).collect();
        for (column, checked) in [&mut self.keys, &mut self.into].into_iter().zip(checked) {
            column.take(writer, names, "", None, checked, keep.as_ref())?;
        }
        let (keys, into) = (ids(&mut self.keys), ids(&mut self.into));
        for ((key, into), row) in keys.into_iter().zip(into).zip(places) {
            if !self.merge(key, into) {
                // All keys of a circle are in merges that were taken, so that none is known by this row only.
                let (key, into) = (text(given[0], row), text(given[1], row));
                rejected.push(RejectedRow {
                    row,
                    reason: format!("`{into}` is merged into `{key}` already: each would mean the other"),
                });
            }
        }
        rejected.sort_by_key(|rejected| rejected.row);
        Ok(rejected)
    }

    /// Merges a key into another one, unless that one means it already.
    fn merge(&mut self, key: u32, into: u32) -> bool {
        let before = self.next(key);
        if key == into || before == Some(into) {
            self.count.known += 1;
            return true;
        }
        let circle = match before {
            None => self.end(into) == key,
            Some(_) => self.passes(into, key),
        };
        if circle {
            return false;
        }
        match before {
            None => self.count.added += 1,
            Some(_) => {
                self.count.replaced += 1;
                self.followed.clear();
            }
        }
        self.fresh.insert(key, into);
        true
    }

    /// The key that a key was merged into.
    fn next(&self, key: u32) -> Option<u32> {
        let stored = || {
            let stored = self.stored.as_ref().filter(|stored| (key as usize) < stored.len())?;
            stored.is_valid(key as usize).then(|| stored.value(key as usize))
        };
        self.fresh.get(&key).copied().or_else(stored)
    }

    /// The key that a key means in the end.
    fn end(&mut self, key: u32) -> u32 {
        let mut end = key;
        while let Some(beyond) = self.followed.get(&end).copied().or_else(|| self.next(end)) {
            end = beyond;
        }
        if end != key {
            self.followed.insert(key, end);
        }
        end
    }

    /// Whether a key means another one, or is merged into one that does.
    fn passes(&self, key: u32, by: u32) -> bool {
        let mut next = Some(key);
        while let Some(key) = next {
            if key == by {
                return true;
            }
            next = self.next(key);
        }
        false
    }

    /// What the load changes in the entity, which has all keys of the load already.
    pub(crate) fn finish(&self, entity: &Entity) -> Result<(LoadCount, Option<EntityChange>), StoreError> {
        if self.fresh.is_empty() {
            return Ok((self.count.clone(), None));
        }
        let mut merges: Vec<(u32, u32)> = self.fresh.iter().map(|(key, into)| (*key, *into)).collect();
        merges.sort_unstable();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from_iter_values(merges.iter().map(|merge| merge.0))),
            Arc::new(UInt32Array::from_iter_values(merges.iter().map(|merge| merge.1))),
        ];
        let mut attributes = entity.attributes.clone();
        if entity.schema(INTO).is_none() {
            attributes.push(entity.merged_schema());
        }
        let change = EntityChange {
            name: self.entity.clone(),
            attributes,
            keys: text_array(std::iter::empty())?,
            rows: Some(table_of(vec![ENTITY_ID.into(), INTO.into()], columns)?),
            histories: Vec::new(),
            texts: Vec::new(),
        };
        Ok((self.count.clone(), Some(change)))
    }
}

/// The ids of the batch that was taken last; nothing of it is kept.
fn ids(column: &mut Column) -> Vec<u32> {
    let pieces = std::mem::take(&mut column.pieces);
    pieces.iter().flat_map(|piece| piece.as_primitive::<UInt32Type>().values().to_vec()).collect()
}

/// A key as it was given.
fn text(keys: &ArrayRef, row: usize) -> String {
    if let Some(texts) = keys.as_string_opt::<i32>() {
        return texts.value(row).to_owned();
    }
    if let Some(coded) = keys.as_dictionary_opt::<Int32Type>() {
        return coded.key(row).map_or(String::new(), |place| coded.values().as_string::<i32>().value(place).to_owned());
    }
    keys.as_primitive_opt::<Int64Type>().map_or(String::new(), |numbers| numbers.value(row).to_string())
}
