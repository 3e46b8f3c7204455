//! An entity in a snapshot: its keys, the current values of its attributes, and their history.

use crate::aliases::Aliases;
use crate::change::EntityChange;
use crate::column::{Presented, presented_kind};
use crate::error::StoreError;
use crate::layout::Layout;
use crate::segment::Segment;
use crate::segment_index::time_type;
use crate::state::{ColumnSchema, ENTITY_ID, EntityState, INTO, PRESENT, SegmentState, StoredKind, VALUE};
use crate::strings::Strings;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, UInt32Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use kepi_extension::{AT, Attribute, ColumnInfo, ColumnKind, EntityInfo};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// An entity in a snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entity {
    pub(crate) name: String,
    pub(crate) keys: Strings,
    pub(crate) attributes: Vec<ColumnSchema>,
    /// The values by id, in one chunk; `updates` change it, later ones win.
    pub(crate) table: Option<Arc<Segment>>,
    pub(crate) updates: Vec<Arc<RecordBatch>>,
    pub(crate) histories: BTreeMap<String, History>,
    pub(crate) dictionaries: BTreeMap<String, Strings>,
    /// What merged keys mean, once somebody has asked.
    aliases: OnceLock<Option<Arc<Aliases>>>,
}

/// What an attribute was, when.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) sealed: Option<Arc<Segment>>,
    pub(crate) updates: Vec<Arc<RecordBatch>>,
}

impl Entity {
    /// An entity of which nothing is known.
    pub(crate) fn new(name: &str) -> Entity {
        Entity { name: name.into(), ..Entity::default() }
    }

    /// Opens the files of an entity; those that `before` has open are taken from there.
    pub(crate) fn open(layout: &Layout, state: &EntityState, before: Option<&Entity>) -> Result<Entity, StoreError> {
        let reopen = |segment: &SegmentState, known: Option<&Arc<Segment>>| match known {
            Some(known) if known.state() == Some(segment) => Ok(known.clone()),
            _ => Segment::open(layout, segment).map(Arc::new),
        };
        let mut entity = Entity::new(&state.name);
        entity.keys = Strings::open(layout, &state.keys, before.map(|b| &b.keys))?;
        entity.attributes = state.attributes.clone();
        if let Some(table) = &state.table {
            entity.table = Some(reopen(table, before.and_then(|b| b.table.as_ref()))?);
        }
        for (field, segment) in &state.histories {
            let known = before.and_then(|b| b.histories.get(field)).and_then(|h| h.sealed.as_ref());
            let history = History { sealed: Some(reopen(segment, known)?), updates: Vec::new() };
            entity.histories.insert(field.clone(), history);
        }
        for (column, texts) in &state.dictionaries {
            let known = before.and_then(|b| b.dictionaries.get(column));
            entity.dictionaries.insert(column.clone(), Strings::open(layout, texts, known)?);
        }
        Ok(entity)
    }

    /// Takes in what a load changes.
    pub(crate) fn apply(&mut self, change: &EntityChange) {
        self.attributes = change.attributes.clone();
        self.aliases = OnceLock::new();
        if !change.keys.is_empty() {
            self.keys.push(change.keys.clone());
        }
        for (column, texts) in &change.texts {
            self.dictionaries.entry(column.clone()).or_default().push(texts.clone());
        }
        self.updates.extend(change.rows.iter().cloned().map(Arc::new));
        for (field, rows) in &change.histories {
            self.histories.entry(field.clone()).or_default().updates.push(Arc::new(rows.clone()));
        }
    }

    /// What the contract says of an entity.
    pub(crate) fn info(&self) -> EntityInfo {
        let shown = self.attributes.iter().filter(|a| a.name != INTO);
        let attributes = shown.map(|a| ColumnInfo { name: a.name.clone(), kind: presented_kind(a) }).collect();
        EntityInfo { name: self.name.clone(), count: self.keys.len() as u32, attributes }
    }

    /// The id of a key.
    pub(crate) fn id_of(&self, key: &str) -> Result<Option<u32>, StoreError> {
        match self.keys.find_tail(key) {
            Some(id) => Ok(Some(id)),
            None => self.keys.find_sealed(key),
        }
    }

    /// What merged keys mean; none: no key was ever merged.
    pub(crate) fn aliases(&self) -> Result<Option<Arc<Aliases>>, StoreError> {
        if let Some(known) = self.aliases.get() {
            return Ok(known.clone());
        }
        let aliases = Aliases::of(self)?.map(Arc::new);
        Ok(self.aliases.get_or_init(|| aliases).clone())
    }

    /// By id the one that it was merged into; none: no key was ever merged.
    pub(crate) fn merged_ids(&self) -> Result<Option<UInt32Array>, StoreError> {
        if self.schema(INTO).is_none() {
            return Ok(None);
        }
        let presented = Presented::Field(ColumnKind::Id { entity: self.name.clone() }, None);
        Ok(Some(self.values(INTO, &presented)?.as_primitive::<UInt32Type>().clone()))
    }

    /// The schema of [`INTO`].
    pub(crate) fn merged_schema(&self) -> ColumnSchema {
        ColumnSchema { name: INTO.into(), kind: StoredKind::Id { entity: self.name.clone() }, history: false }
    }

    /// The schema of an attribute.
    pub(crate) fn schema(&self, field: &str) -> Option<&ColumnSchema> {
        self.attributes.iter().find(|a| a.name == field)
    }

    /// How an attribute is presented.
    pub(crate) fn presented(&self, schema: &ColumnSchema) -> Result<Presented, StoreError> {
        let kind = presented_kind(schema);
        let dictionary = match kind {
            ColumnKind::Text => Some(self.dictionaries.get(&schema.name).cloned().unwrap_or_default().array()?),
            _ => None,
        };
        Ok(Presented::Field(kind, dictionary))
    }

    /// The current values of an attribute; none: there is no such attribute.
    pub(crate) fn attribute(&self, field: &str) -> Result<Option<Attribute>, StoreError> {
        let Some(schema) = self.schema(field) else { return Ok(None) };
        let presented = self.presented(schema)?;
        let kind = presented_kind(schema);
        let dictionary = match kind {
            ColumnKind::Code => Some(self.dictionaries.get(field).cloned().unwrap_or_default().array()?),
            _ => None,
        };
        Ok(Some(Attribute { kind, values: self.values(field, &presented)?, dictionary }))
    }

    /// Which ids have had attributes loaded; shorter arrays are no from there on.
    pub(crate) fn present(&self) -> Result<BooleanArray, StoreError> {
        let values = self.values(PRESENT, &Presented::Field(ColumnKind::Bool, None))?;
        Ok(values.as_boolean().clone())
    }

    /// A column by id, with the updates laid over the table.
    pub(crate) fn values(&self, column: &str, presented: &Presented) -> Result<ArrayRef, StoreError> {
        let base = match &self.table {
            Some(table) if table.rows > 0 => presented.present(table.column(0, column)?, table.rows)?,
            _ => arrow_array::new_empty_array(&presented.data_type()),
        };
        let mut pieces = vec![base];
        let mut place: Vec<Option<u32>> = Vec::new();
        let mut start = pieces[0].len();
        for update in &self.updates {
            let Some(values) = update.column_by_name(column) else { continue };
            let ids = entity_ids(update);
            if place.is_empty() {
                place = (0..start as u32).map(Some).collect();
            }
            for (row, &id) in ids.values().iter().enumerate() {
                if id as usize >= place.len() {
                    place.resize(id as usize + 1, None);
                }
                place[id as usize] = Some((start + row) as u32);
            }
            start += values.len();
            pieces.push(presented.present(Some(values.clone()), values.len())?);
        }
        if pieces.len() == 1 {
            return Ok(pieces.remove(0));
        }
        let arrays: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
        let all = arrow_select::concat::concat(&arrays)?;
        Ok(arrow_select::take::take(&all, &UInt32Array::from(place), None)?)
    }

    /// What an attribute was, in the order of (time, load): id, moment, value.
    pub(crate) fn history(&self, schema: &ColumnSchema) -> Result<RecordBatch, StoreError> {
        let presented = self.presented(schema)?;
        let history = self.histories.get(&schema.name).cloned().unwrap_or_default();
        let mut ids: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from(Vec::<u32>::new()))];
        let mut times: Vec<ArrayRef> = vec![arrow_array::new_empty_array(&time_type())];
        let mut values: Vec<ArrayRef> = vec![arrow_array::new_empty_array(&presented.data_type())];
        if let Some(sealed) = history.sealed.as_ref().filter(|s| s.rows > 0) {
            let odd = || StoreError::Limit(format!("the history of `{}` lacks a column", schema.name));
            ids.push(sealed.column(0, ENTITY_ID)?.ok_or_else(odd)?);
            times.push(sealed.column(0, AT)?.ok_or_else(odd)?);
            values.push(presented.present(sealed.column(0, VALUE)?, sealed.rows)?);
        }
        for update in &history.updates {
            ids.push(Arc::new(entity_ids(update).clone()));
            times.extend(update.column_by_name(AT).cloned());
            values.push(presented.present(update.column_by_name(VALUE).cloned(), update.num_rows())?);
        }
        let join = |pieces: &[ArrayRef]| {
            arrow_select::concat::concat(&pieces.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>())
        };
        let mut columns = vec![join(&ids)?, join(&times)?, join(&values)?];
        let rows = columns[0].len();
        if let Some(order) = crate::scan::order(Some(&columns[1]), None, rows) {
            for column in &mut columns {
                *column = arrow_select::take::take(column, &order, None)?;
            }
        }
        let fields = vec![
            Field::new("id", DataType::UInt32, false),
            Field::new(AT, time_type(), false),
            Field::new(VALUE, presented.data_type(), true),
        ];
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }
}

/// The ids of an update.
pub(crate) fn entity_ids(update: &RecordBatch) -> &UInt32Array {
    update.column_by_name(ENTITY_ID).map(|ids| ids.as_primitive::<UInt32Type>()).expect("every update is made with ids")
}

/// The moments of a batch.
pub(crate) fn moments(batch: &RecordBatch) -> Option<&[i64]> {
    Some(batch.column_by_name(AT)?.as_primitive::<TimestampMicrosecondType>().values())
}
