//! Attributes of an entity in a load: the last row of a key wins, and history is kept where it is declared.

use crate::change::EntityChange;
use crate::column::Presented;
use crate::entity::{Entity, moments};
use crate::error::StoreError;
use crate::identity::{Folded, hashes};
use crate::incoming::{Checked, Column};
use crate::load::RejectedRow;
use crate::names::{Names, text_array};
use crate::seal::table_of;
use crate::segment_index::time_type;
use crate::state::{ColumnSchema, ENTITY_ID, LoadCount, PRESENT, VALUE};
use crate::stream_load::{joined, kept, one_per_row};
use crate::writer::Writer;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, UInt32Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, TimestampMicrosecondArray, UInt32Array, new_null_array};
use arrow_schema::{DataType, TimeUnit};
use kepi_extension::{AT, ColumnKind};
use kepi_model::declared::{ENDS, EntityDecl};
use kepi_model::value::Kind;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

/// The column of keys in what is given.
const KEY: &str = "_key";
/// The moment of a value that holds from the beginning of time.
const BEGINNING: i64 = i64::MIN;
/// How others write the beginning of time: the first moment of the year 1, in UTC.
pub const EVER: i64 = -62_135_596_800_000_000;
/// Midnight of that day comes later in some zones.
const DAY: i64 = 86_400_000_000;

type ByNumber<K, V> = HashMap<K, V, BuildHasherDefault<Folded>>;

/// Rows of one entity that name the same attributes.
#[derive(Debug)]
pub(crate) struct EntityBuffer {
    name: String,
    /// Names its texts among those of the load; streams and entities may have the same name.
    texts: String,
    declared: EntityDecl,
    /// Names of the columns given.
    given: Vec<String>,
    keys: Column,
    columns: Vec<Column>,
    /// Schemas of the attributes that are declared but not given.
    others: Vec<ColumnSchema>,
    moments: Vec<i64>,
    /// Until when the values with history hold; empty: no row says so.
    ends: Vec<Option<i64>>,
    /// Which rows hold from the load on, since no moment was given with them.
    by_load: Vec<bool>,
    /// Whether the moments were given, not just the load's.
    dated: bool,
}

impl EntityBuffer {
    /// A buffer for the columns of a batch. `earlier`: the other buffers of the load, the last first.
    pub(crate) fn new<'a>(
        writer: &Writer,
        decl: &EntityDecl,
        rows: &RecordBatch,
        mut earlier: impl Iterator<Item = &'a EntityBuffer>,
    ) -> Result<EntityBuffer, StoreError> {
        let texts = format!("entity {}", decl.name);
        let given = names_of(rows);
        for name in &given {
            if name != KEY && name != AT && name != ENDS && !decl.fields.iter().any(|f| f.name == *name) {
                return Err(StoreError::column(&decl.name, name, "it is not declared"));
            }
        }
        if !given.iter().any(|name| name == KEY) {
            return Err(StoreError::column(&decl.name, KEY, "it is missing"));
        }
        let stored = writer.current.entities.get(&decl.name);
        let before = earlier.find(|b| b.name == decl.name);
        let mut columns = Vec::new();
        let mut others = Vec::new();
        for field in &decl.fields {
            let in_load = before.and_then(|b| b.schema_of(&field.name));
            let known = in_load.as_ref().or_else(|| stored.and_then(|s| s.schema(&field.name)));
            let mut column = Column::of_field(&decl.name, field, known)?;
            column.history |= field.history;
            match given.contains(&field.name) {
                true => columns.push(column),
                false => others.push(ColumnSchema { name: column.name, kind: column.kind, history: column.history }),
            }
        }
        let keys = Column::new(&decl.name, KEY, &Kind::Entity(decl.name.clone()), false, None)?;
        let dated = given.iter().any(|name| name == AT);
        let (name, declared) = (decl.name.clone(), decl.clone());
        Ok(EntityBuffer {
            name,
            texts,
            declared,
            given,
            keys,
            columns,
            others,
            moments: Vec::new(),
            ends: Vec::new(),
            by_load: Vec::new(),
            dated,
        })
    }

    /// The entity.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Under which name its texts are among those of the load.
    pub(crate) fn texts(&self) -> &str {
        &self.texts
    }

    /// Whether a batch can be added.
    pub(crate) fn fits(&self, decl: &EntityDecl, rows: &RecordBatch) -> bool {
        self.declared == *decl && self.given == names_of(rows)
    }

    fn schema_of(&self, field: &str) -> Option<ColumnSchema> {
        let column = self.columns.iter().find(|c| c.name == field);
        let here = column.map(|c| ColumnSchema { name: c.name.clone(), kind: c.kind.clone(), history: c.history });
        here.or_else(|| self.others.iter().find(|c| c.name == field).cloned())
    }

    /// Takes a batch; returns the rows that cannot be stored.
    pub(crate) fn take(
        &mut self,
        writer: &mut Writer,
        names: &mut Names,
        rows: &RecordBatch,
        now: i64,
    ) -> Result<Vec<RejectedRow>, StoreError> {
        let count = rows.num_rows();
        let keys = self.keys.check(&self.name, rows.column_by_name(KEY), count)?;
        let mut rejected: Vec<(usize, String)> = Vec::new();
        if let Some(given) = rows.column_by_name(KEY) {
            let nulls = given.logical_nulls();
            let missing = (0..count).filter(|&row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)));
            rejected.extend(missing.map(|row| (row, "it has no key".to_owned())));
        }
        let mut checked: Vec<Checked> = Vec::new();
        for column in &self.columns {
            let mut one = column.check(&self.name, rows.column_by_name(&column.name), count)?;
            rejected.append(&mut one.rejected);
            checked.push(one);
        }
        let moments = self.checked_moments(rows, AT)?;
        let ends = self.checked_moments(rows, ENDS)?;
        let rejected = one_per_row(rejected);
        let keep = (!rejected.is_empty()).then(|| kept(count, &rejected));
        let wanted = |row: &usize| keep.as_ref().is_none_or(|keep| keep.value(*row));
        self.moments.extend((0..count).filter(wanted).map(|row| moments[row].unwrap_or(now)));
        if rows.column_by_name(ENDS).is_some() {
            self.ends.extend((0..count).filter(wanted).map(|row| ends[row]));
        }
        self.by_load.extend((0..count).filter(wanted).map(|row| moments[row].is_none()));
        self.keys.take(writer, names, &self.texts, None, keys, keep.as_ref())?;
        let entity = writer.current.entities.get(&self.name).cloned();
        for (column, checked) in self.columns.iter_mut().zip(checked) {
            let known = entity.as_ref().and_then(|e| e.dictionaries.get(&column.name));
            column.take(writer, names, &self.texts, known, checked, keep.as_ref())?;
        }
        Ok(rejected)
    }

    /// The moment from which each row holds (or until which), where it was given.
    fn checked_moments(&self, rows: &RecordBatch, name: &str) -> Result<Vec<Option<i64>>, StoreError> {
        let Some(given) = rows.column_by_name(name).filter(|given| *given.data_type() != DataType::Null) else {
            return Ok(vec![None; rows.num_rows()]);
        };
        match given.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let times = given.as_primitive::<TimestampMicrosecondType>();
                Ok(times.iter().map(|time| time.map(|time| if time < EVER + DAY { BEGINNING } else { time })).collect())
            }
            other => {
                let reason = format!("a timestamp in microseconds expected, {other} given");
                Err(StoreError::column(&self.name, name, reason))
            }
        }
    }

    /// What the rows change in the entity, which has all keys of the load already.
    pub(crate) fn finish(
        &self,
        names: &Names,
        entity: &Entity,
    ) -> Result<(LoadCount, Option<EntityChange>), StoreError> {
        let mut next = entity.clone();
        let schemas = self.columns.iter().map(|c| c.schema(&self.texts, names)).chain(self.others.iter().cloned());
        for schema in schemas {
            match next.attributes.iter_mut().find(|a| a.name == schema.name) {
                Some(known) => *known = schema,
                None => next.attributes.push(schema),
            }
        }
        let ids = joined(&self.keys.settled(&self.texts, names)?, &DataType::UInt32)?;
        let ids = ids.as_primitive::<UInt32Type>().values();
        let mut order: Vec<u32> = (0..ids.len() as u32).collect();
        order.sort_by_key(|&row| self.moments[row as usize]);
        let winner = Winners::of(ids, &order, next.keys.len());

        let mut update = vec![];
        let mut histories = Vec::new();
        let mut adds_history: HashSet<u32, BuildHasherDefault<Folded>> = HashSet::default();
        for column in &self.columns {
            let Some(schema) = next.schema(&column.name) else { continue };
            let mut presented = next.presented(schema)?;
            if let (Presented::Field(ColumnKind::Text, dictionary), Some(codes)) =
                (&mut presented, names.codes_of(&self.texts, &column.name))
            {
                *dictionary = Some(Arc::new(text_array(codes.table.texts_from(0))?));
            }
            let given = joined(&column.settled(&self.texts, names)?, &DataType::Null)?;
            let given = presented.present(Some(given), ids.len())?;
            let current = padded(next.values(&column.name, &presented)?, next.keys.len())?;
            let mut values = Values { given, current, latest: HashMap::default() };
            if schema.history {
                let rows = self.history(&next, schema, ids, &order, &winner, &mut values)?;
                if !rows.is_empty() {
                    adds_history.extend(rows.iter().filter_map(|said| match said.value {
                        Says::Row(row) => Some(row),
                        Says::Current | Says::Missing => None,
                    }));
                    histories.push((column.name.clone(), said_batch(&rows, &values)?));
                }
            }
            update.push((column.name.clone(), values));
        }
        let (mut count, changed) = self.changed(&next, &update, ids, &winner)?;
        count.added += adds_history.iter().filter(|row| !winner.is(ids[**row as usize], **row)).count() as u64;
        count.known = ids.len() as u64 - count.added - count.replaced;

        let rows = match changed.is_empty() {
            true => None,
            false => Some(self.update_batch(&update, ids, &changed)?),
        };
        let same = rows.is_none() && histories.is_empty() && next.attributes == entity.attributes;
        let change = EntityChange {
            name: self.name.clone(),
            attributes: next.attributes,
            keys: text_array(std::iter::empty())?,
            rows,
            histories,
            texts: Vec::new(),
        };
        Ok((count, (!same).then_some(change)))
    }

    /// What the rows add to the history of an attribute. Dated by the load, a value is kept where it differs from the
    /// current one; with a moment of its own, unless the very same is known already. The first value that is dated by a
    /// load is no change, and holds from the beginning of time. Finds out, too, whose current value has a later moment
    /// than the load's.
    fn history(
        &self,
        entity: &Entity,
        schema: &ColumnSchema,
        ids: &[u32],
        order: &[u32],
        winner: &Winners,
        values: &mut Values,
    ) -> Result<Vec<Said>, StoreError> {
        let given = hashes(std::slice::from_ref(&values.given), values.given.len());
        let current = hashes(std::slice::from_ref(&values.current), values.current.len());
        let known = entity.history(schema)?;
        let known_ids = known.column(0).as_primitive::<UInt32Type>().values();
        let known_times = moments(&known).unwrap_or_default();
        let known_values = hashes(&known.columns()[2..], known.num_rows());
        let mut at_moment: HashMap<(u32, i64), u128, BuildHasherDefault<Folded>> = HashMap::default();
        for (row, id) in known_ids.iter().enumerate() {
            if winner.has(*id) {
                at_moment.insert((*id, known_times[row]), known_values[row]);
                values.latest.insert(*id, known_times[row]);
            }
        }
        let mut said: Vec<Said> = Vec::new();
        let mut fresh: HashSet<u32, BuildHasherDefault<Folded>> = HashSet::default();
        for &row in order {
            let (id, mut moment) = (ids[row as usize], self.moments[row as usize]);
            let (before, value) = (current[id as usize], given[row as usize]);
            let is_first = !values.latest.contains_key(&id) && !fresh.contains(&id);
            let wanted = match self.dated {
                // That nothing is known from the beginning on says nothing.
                true if moment == BEGINNING && is_first && value == 0 => false,
                true => at_moment.insert((id, moment), value) != Some(value),
                // The hash of a missing value is 0: missing before and missing now is no change.
                false => winner.is(id, row) && (before != value || is_first && value != 0),
            };
            if !wanted {
                continue;
            }
            fresh.insert(id);
            if is_first && self.by_load[row as usize] {
                if before == 0 || before == value {
                    moment = BEGINNING;
                } else {
                    // It was known before its past was kept.
                    said.push(Said { value: Says::Current, id, moment: BEGINNING });
                }
            }
            said.push(Said { value: Says::Row(row), id, moment });
        }
        if !self.ends.is_empty() {
            self.end(ids, order, &at_moment, &given, &mut said);
        }
        Ok(said)
    }

    /// Adds where values end: from then on the attribute is missing, unless the next one has begun before or begins then.
    /// An end that was known before lies inside a longer stay that is given now: there the value goes on.
    fn end(
        &self,
        ids: &[u32],
        order: &[u32],
        known: &HashMap<(u32, i64), u128, BuildHasherDefault<Folded>>,
        given: &[u128],
        said: &mut Vec<Said>,
    ) {
        let mut moments: BTreeMap<(u32, i64), u128> = known.iter().map(|(at, value)| (*at, *value)).collect();
        let own: BTreeSet<(u32, i64)> =
            order.iter().map(|&row| (ids[row as usize], self.moments[row as usize])).collect();
        for &row in order {
            let (id, from) = (ids[row as usize], self.moments[row as usize]);
            let until = self.ends[row as usize];
            if until.is_some_and(|until| until <= from) {
                continue;
            }
            let last = until.unwrap_or(i64::MAX);
            let inside: Vec<(i64, u128)> =
                moments.range((id, from + 1)..=(id, last)).map(|((_, at), value)| (*at, *value)).collect();
            let mut goes_on = true;
            for (at, value) in inside {
                goes_on = value == 0 && !own.contains(&(id, at)) && at < last;
                if !goes_on {
                    break;
                }
                moments.insert((id, at), given[row as usize]);
                said.push(Said { value: Says::Row(row), id, moment: at });
            }
            if let (true, Some(until)) = (goes_on, until) {
                moments.insert((id, until), 0);
                said.push(Said { value: Says::Missing, id, moment: until });
            }
        }
    }

    /// Counts, and the rows that change current values, by id.
    fn changed(
        &self,
        entity: &Entity,
        update: &[(String, Values)],
        ids: &[u32],
        winner: &Winners,
    ) -> Result<(LoadCount, Vec<u32>), StoreError> {
        let present = entity.present()?;
        let (mut given, mut current) = (Vec::new(), Vec::new());
        // Where nothing was said of any of them before, there is nothing to compare.
        if ids.iter().any(|&id| (id as usize) < present.len()) {
            let values = |of: fn(&Values) -> &ArrayRef| -> Vec<ArrayRef> {
                update.iter().map(|(_, values)| Arc::clone(of(values))).collect()
            };
            given = hashes(&values(|values| &values.given), ids.len());
            current = hashes(&values(|values| &values.current), entity.keys.len());
        }
        let mut count = LoadCount {
            name: self.name.clone(),
            entity: true,
            added: 0,
            known: 0,
            replaced: 0,
            first: self.moments.iter().copied().filter(|at| *at != BEGINNING).min().filter(|_| self.dated),
            last: self.moments.iter().copied().max().filter(|at| self.dated && *at != BEGINNING),
        };
        let mut rows: Vec<u32> = Vec::new();
        for (row, id) in ids.iter().enumerate() {
            if !winner.is(*id, row as u32) {
                continue;
            }
            let known = (*id as usize) < present.len() && present.is_valid(*id as usize) && present.value(*id as usize);
            if !known {
                count.added += 1;
            } else if given[row] != current[*id as usize] {
                count.replaced += 1;
            } else {
                continue;
            }
            rows.push(row as u32);
        }
        rows.sort_by_key(|&row| ids[row as usize]);
        Ok((count, rows))
    }

    fn update_batch(&self, update: &[(String, Values)], ids: &[u32], rows: &[u32]) -> Result<RecordBatch, StoreError> {
        let mut names = vec![ENTITY_ID.to_owned(), PRESENT.to_owned()];
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(|&row| ids[row as usize]))),
            Arc::new(BooleanArray::from(vec![true; rows.len()])),
        ];
        // Mostly each row is of another id, in their order.
        let all = rows.len() == ids.len() && rows.iter().zip(0..).all(|(row, next)| *row == next);
        for (name, values) in update {
            if all && values.latest.is_empty() {
                names.push(name.clone());
                columns.push(Arc::clone(&values.given));
                continue;
            }
            // Where history knows a later value, that one stays the current one.
            let offset = values.given.len() as u32;
            let source = rows.iter().map(|&row| {
                let id = ids[row as usize];
                let later = values.latest.get(&id).is_some_and(|latest| *latest > self.moments[row as usize]);
                if later { offset + id } else { row }
            });
            let both = arrow_select::concat::concat(&[values.given.as_ref(), values.current.as_ref()])?;
            names.push(name.clone());
            columns.push(arrow_select::take::take(&both, &UInt32Array::from_iter_values(source), None)?);
        }
        table_of(names, columns)
    }
}

/// Of the rows of each id the one whose values are current then.
enum Winners {
    /// By id, [`NO_ROW`] where there is none: where a load is about many of the ids.
    All(Vec<u32>),
    Few(ByNumber<u32, u32>),
}

const NO_ROW: u32 = u32::MAX;
/// For each row of a load so many ids may be gone through.
const IDS_PER_ROW: usize = 8;

impl Winners {
    /// `order`: the rows, the winner of each id last. `known`: how many ids there are.
    fn of(ids: &[u32], order: &[u32], known: usize) -> Winners {
        let rows = order.iter().map(|&row| (ids[row as usize], row));
        if known > ids.len().saturating_mul(IDS_PER_ROW) {
            return Winners::Few(rows.collect());
        }
        let mut all = vec![NO_ROW; known];
        rows.for_each(|(id, row)| all[id as usize] = row);
        Winners::All(all)
    }

    fn row(&self, id: u32) -> Option<u32> {
        match self {
            Winners::All(all) => all.get(id as usize).copied().filter(|row| *row != NO_ROW),
            Winners::Few(few) => few.get(&id).copied(),
        }
    }

    fn is(&self, id: u32, row: u32) -> bool {
        self.row(id) == Some(row)
    }

    fn has(&self, id: u32) -> bool {
        self.row(id).is_some()
    }
}

/// What is added to the history of an attribute.
struct Said {
    value: Says,
    id: u32,
    moment: i64,
}

/// Which value holds from a moment on.
enum Says {
    /// That of a row of the load.
    Row(u32),
    /// The one so far.
    Current,
    /// None: what held has ended.
    Missing,
}

fn said_batch(said: &[Said], values: &Values) -> Result<RecordBatch, StoreError> {
    let both = arrow_select::concat::concat(&[values.given.as_ref(), values.current.as_ref()])?;
    let offset = values.given.len() as u32;
    let places: UInt32Array = said
        .iter()
        .map(|said| match said.value {
            Says::Row(row) => Some(row),
            Says::Current => Some(offset + said.id),
            Says::Missing => None,
        })
        .collect();
    let times = TimestampMicrosecondArray::from_iter_values(said.iter().map(|said| said.moment));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(said.iter().map(|said| said.id))),
        Arc::new(times.with_data_type(time_type())),
        arrow_select::take::take(&both, &places, None)?,
    ];
    table_of(vec![ENTITY_ID.into(), AT.into(), VALUE.into()], columns)
}

/// An attribute's values in a load, by row, and as they are now, by id.
struct Values {
    given: ArrayRef,
    current: ArrayRef,
    /// The latest moment that the history knows of an id; only attributes with history.
    latest: ByNumber<u32, i64>,
}

fn padded(values: ArrayRef, rows: usize) -> Result<ArrayRef, StoreError> {
    if values.len() >= rows {
        return Ok(values);
    }
    let missing = new_null_array(values.data_type(), rows - values.len());
    Ok(arrow_select::concat::concat(&[values.as_ref(), missing.as_ref()])?)
}

fn names_of(rows: &RecordBatch) -> Vec<String> {
    let mut names: Vec<String> = rows.schema().fields().iter().map(|f| f.name().clone()).collect();
    names.sort();
    names
}
