//! Rows on their way in: columns are checked against their declaration and turned into what is stored.

use crate::error::StoreError;
use crate::key_table::{KeyTable, string_array};
use crate::numbers::{Shape, settled};
use crate::segment_index::time_type;
use crate::state::{ColumnSchema, StoredKind};
use crate::strings::Strings;
use crate::writer::Writer;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, BooleanArray, StringArray, UInt32Array, new_null_array};
use arrow_schema::{DataType, TimeUnit};
use kepi_model::declared::FieldDecl;
use kepi_model::value::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A dictionary with more texts than this may turn into plain text …
const DICTIONARY_FEW: usize = 65_536;
/// … where at least every fourth row brings a new text, seen over this many rows …
const ROWS_BEFORE_PLAIN: usize = 262_144;
/// … and a dictionary never has more texts than this.
const DICTIONARY_MOST: usize = 1 << 20;
/// Fewer rows than this are not worth a thread of their own.
const ROWS_WORTH_A_THREAD: usize = 4096;

/// What all columns of a load share: the ids of keys and the codes of texts, old and new.
#[derive(Debug, Default)]
pub(crate) struct Names {
    keys: BTreeMap<String, KeyIds>,
    texts: BTreeMap<(String, String), TextCodes>,
}

/// The ids of an entity's keys that a load has met.
#[derive(Debug, Default)]
struct KeyIds {
    table: KeyTable,
    /// By number in the table.
    ids: Vec<u32>,
    /// Numbers in the table of the keys that are new, in the order of their ids.
    fresh: Vec<u32>,
    next: u32,
}

/// The codes of a column's texts.
#[derive(Debug, Default)]
pub(crate) struct TextCodes {
    pub(crate) table: KeyTable,
    /// How many of them were there before the load.
    committed: usize,
    rows: usize,
    /// There are too many texts: what comes is kept as it is.
    plain: bool,
}

impl Names {
    /// Turns keys into ids; keys that were never seen get the next ones.
    fn ids(
        all: &mut BTreeMap<String, KeyIds>,
        writer: &Writer,
        entity: &str,
        keys: &StringArray,
    ) -> Result<UInt32Array, StoreError> {
        let known = writer.current.entities.get(entity);
        if !all.contains_key(entity) {
            let next = known.map_or(0, |e| e.keys.len() as u32);
            all.insert(entity.into(), KeyIds { next, ..KeyIds::default() });
        }
        let ids = all.get_mut(entity).expect("it was put in just now");
        let mut out = Vec::with_capacity(keys.len());
        for row in 0..keys.len() {
            if keys.is_null(row) {
                out.push(0);
                continue;
            }
            let key = keys.value(row);
            let (number, new) = ids.table.insert(key);
            if new {
                let stored = match known {
                    Some(known) => stored_id(writer, entity, &known.keys, key)?,
                    None => None,
                };
                let id = match stored {
                    Some(id) => id,
                    None => {
                        let id = ids.next;
                        let beyond = || StoreError::Limit(format!("`{entity}` has more than 4,294,967,295 keys"));
                        ids.next = id.checked_add(1).ok_or_else(beyond)?;
                        ids.fresh.push(number);
                        id
                    }
                };
                ids.ids.push(id);
            }
            out.push(ids.ids[number as usize]);
        }
        Ok(UInt32Array::new(out.into(), keys.nulls().cloned()))
    }

    /// The codes of a column; made from what is committed when they are first asked for.
    fn codes(
        &mut self,
        writer: &mut Writer,
        of: &str,
        column: &str,
        known: Option<&Strings>,
    ) -> Result<&mut TextCodes, StoreError> {
        let key = (of.to_owned(), column.to_owned());
        if !self.texts.contains_key(&key) {
            let table = match writer.tables.remove(&key) {
                Some(table) => table,
                None => match known {
                    Some(known) => KeyTable::of(&*known.array()?),
                    None => KeyTable::default(),
                },
            };
            let committed = table.len();
            self.texts.insert(key.clone(), TextCodes { table, committed, rows: 0, plain: false });
        }
        Ok(self.texts.get_mut(&key).expect("it was put in just now"))
    }

    /// The codes of a column that has had rows in this load.
    pub(crate) fn codes_of(&self, of: &str, column: &str) -> Option<&TextCodes> {
        self.texts.get(&(of.to_owned(), column.to_owned()))
    }

    /// The texts of a stream or entity that are new, by column.
    pub(crate) fn new_texts(&self, of: &str) -> Result<Vec<(String, StringArray)>, StoreError> {
        let mut out = Vec::new();
        for ((name, column), codes) in &self.texts {
            if name == of && !codes.plain && codes.table.len() > codes.committed {
                out.push((column.clone(), text_array(codes.table.texts_from(codes.committed))?));
            }
        }
        Ok(out)
    }

    /// The keys that are new, by entity, in the order of their ids.
    pub(crate) fn new_keys(&self) -> Result<Vec<(String, StringArray)>, StoreError> {
        let mut out = Vec::new();
        for (entity, ids) in &self.keys {
            let fresh = ids.fresh.iter().map(|&number| ids.table.text(number as usize));
            out.push((entity.clone(), text_array(fresh)?));
        }
        Ok(out)
    }

    /// Gives the tables to the next load. Those of columns whose new texts were not committed, since the rows were
    /// known or not kept, have codes that nothing stands for: they are made anew when they are needed.
    pub(crate) fn return_tables(self, writer: &mut Writer, committed: &BTreeSet<String>) {
        for (key, codes) in self.texts {
            if !codes.plain && (codes.table.len() == codes.committed || committed.contains(&key.0)) {
                writer.tables.insert(key, codes.table);
            }
        }
    }
}

/// The id of a key that was committed: sealed ones are in maps, recent ones in the writer's memory.
fn stored_id(writer: &Writer, entity: &str, keys: &Strings, key: &str) -> Result<Option<u32>, StoreError> {
    if let Some(id) = keys.find_sealed(key)? {
        return Ok(Some(id));
    }
    if keys.len() == keys.sealed() {
        return Ok(None);
    }
    // The memory can only be wrong if it was damaged in a way that its checksums do not see; then the journal is right.
    match writer.memory.recent_key(entity, key)? {
        Some(id) if keys.is(id as usize, key)? => Ok(Some(id)),
        _ => Ok(keys.find_tail(key)),
    }
}

pub(crate) fn text_array<'a>(texts: impl Iterator<Item = &'a str>) -> Result<StringArray, StoreError> {
    string_array(texts).ok_or_else(|| StoreError::Limit("one load has more than 2 GiB of keys or texts".into()))
}

impl TextCodes {
    /// Codes, or the texts as they are once there are too many.
    fn take(&mut self, texts: &StringArray) -> ArrayRef {
        if self.plain {
            return Arc::new(texts.clone());
        }
        let mut codes = Vec::with_capacity(texts.len());
        for row in 0..texts.len() {
            if texts.is_null(row) {
                codes.push(0);
                continue;
            }
            let (code, new) = self.table.insert(texts.value(row));
            codes.push(code);
            if new && self.too_many(self.rows + row + 1) {
                self.plain = true;
                return Arc::new(texts.clone());
            }
        }
        self.rows += texts.len();
        Arc::new(UInt32Array::new(codes.into(), texts.nulls().cloned()))
    }

    fn too_many(&self, rows: usize) -> bool {
        let fresh = self.table.len() - self.committed;
        let few_rows_per_text = rows >= ROWS_BEFORE_PLAIN && fresh > rows / 4;
        self.table.len() > DICTIONARY_MOST || (self.table.len() > DICTIONARY_FEW && few_rows_per_text)
    }
}

/// A column of a load, in pieces, one per batch.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: StoredKind,
    pub(crate) history: bool,
    pub(crate) pieces: Vec<ArrayRef>,
}

/// A batch of a column that was checked but not taken yet.
pub(crate) struct Checked {
    values: ArrayRef,
    kind: StoredKind,
    /// Rows that cannot be stored, and why.
    pub(crate) rejected: Vec<(usize, String)>,
}

impl Column {
    /// A column as declared, on top of what is stored under its name.
    pub(crate) fn new(
        of: &str,
        name: &str,
        declared: &Kind,
        history: bool,
        stored: Option<&ColumnSchema>,
    ) -> Result<Column, StoreError> {
        let fresh = stored_kind(of, name, declared)?;
        let kind = match (stored.map(|s| &s.kind), fresh) {
            (None, fresh) => fresh,
            (Some(StoredKind::Number { float: true, .. }), StoredKind::Number { money: true, .. }) => {
                let reason = "it is declared as money, but numbers are stored in it that are not exact";
                return Err(StoreError::column(of, name, reason));
            }
            (Some(&StoredKind::Number { money, float, scale, most }), StoredKind::Number { money: now, .. }) => {
                StoredKind::Number { money: money || now, float, scale, most }
            }
            (Some(kind), fresh) if std::mem::discriminant(kind) == std::mem::discriminant(&fresh) => {
                if let (StoredKind::Id { entity: old }, StoredKind::Id { entity: new }) = (kind, &fresh)
                    && old != new
                {
                    return Err(StoreError::column(
                        of,
                        name,
                        format!("it refers to `{old}` in the store, not to `{new}`"),
                    ));
                }
                kind.clone()
            }
            (Some(kind), fresh) => {
                let reason = format!("it holds {} in the store and is declared as {}", words(kind), words(&fresh));
                return Err(StoreError::column(of, name, reason));
            }
        };
        Ok(Column { name: name.into(), kind, history, pieces: Vec::new() })
    }

    /// A field as declared.
    pub(crate) fn of_field(of: &str, field: &FieldDecl, stored: Option<&ColumnSchema>) -> Result<Column, StoreError> {
        // History that was ever kept stays.
        let history = field.history || stored.is_some_and(|s| s.history);
        Column::new(of, &field.name, &field.unit.kind, history, stored)
    }

    /// The column as the schema says it, after all of its batches.
    pub(crate) fn schema(&self, of: &str, names: &Names) -> ColumnSchema {
        let kind = match &self.kind {
            // Another group of rows of this load may have had too many texts.
            StoredKind::Text { plain } => {
                StoredKind::Text { plain: *plain || names.codes_of(of, &self.name).is_some_and(|codes| codes.plain) }
            }
            kind => kind.clone(),
        };
        ColumnSchema { name: self.name.clone(), kind, history: self.history }
    }

    /// Checks a batch; a column that is not given is all missing.
    pub(crate) fn check(&self, of: &str, given: Option<&ArrayRef>, rows: usize) -> Result<Checked, StoreError> {
        let kind = self.kind.clone();
        let wanted = match &self.kind {
            StoredKind::Id { .. } | StoredKind::Text { .. } => DataType::Utf8,
            StoredKind::Bool => DataType::Boolean,
            StoredKind::Time => time_type(),
            StoredKind::Date => DataType::Date32,
            StoredKind::Number { .. } => DataType::Decimal64(18, 0),
        };
        let Some(given) = given.filter(|given| *given.data_type() != DataType::Null) else {
            return Ok(Checked { values: new_null_array(&wanted, rows), kind, rejected: Vec::new() });
        };
        if let StoredKind::Number { money, float, scale, most } = self.kind {
            let numbers = Shape { money, float, scale, most }.convert(given);
            let numbers = numbers.ok_or_else(|| self.wrong(of, "numbers", given))?;
            let named = |(row, reason): (usize, String)| (row, format!("`{}` {reason}", self.name));
            let rejected = numbers.rejected.into_iter().map(named).collect();
            return Ok(Checked { values: numbers.values, kind: numbers.shape.kind(), rejected });
        }
        let values = match (given.data_type(), &wanted) {
            (have, wanted) if have == wanted => given.clone(),
            (DataType::Timestamp(TimeUnit::Microsecond, _), DataType::Timestamp(..)) => {
                Arc::new(given.as_primitive::<TimestampMicrosecondType>().clone().with_data_type(time_type()))
            }
            _ => return Err(self.wrong(of, &wanted.to_string(), given)),
        };
        Ok(Checked { values, kind, rejected: Vec::new() })
    }

    fn wrong(&self, of: &str, wanted: &str, given: &ArrayRef) -> StoreError {
        StoreError::column(of, &self.name, format!("{wanted} expected, {} given", given.data_type()))
    }

    /// Takes a checked batch without the rows that are not kept. `known`: the committed texts of the column.
    pub(crate) fn take(
        &mut self,
        writer: &mut Writer,
        names: &mut Names,
        of: &str,
        known: Option<&Strings>,
        checked: Checked,
        keep: Option<&BooleanArray>,
    ) -> Result<(), StoreError> {
        if let StoredKind::Id { .. } = checked.kind {
            return self.take_keys(writer, &mut names.keys, checked, keep);
        }
        self.prepare(writer, names, of, known, &checked.kind)?;
        self.take_values(&mut names.texts, of, checked, keep)
    }

    /// Gets the codes ready that [`Column::take_values`] will use.
    fn prepare(
        &self,
        writer: &mut Writer,
        names: &mut Names,
        of: &str,
        known: Option<&Strings>,
        kind: &StoredKind,
    ) -> Result<(), StoreError> {
        match kind {
            StoredKind::Text { plain: false } => names.codes(writer, of, &self.name, known).map(|_| ()),
            _ => Ok(()),
        }
    }

    fn take_keys(
        &mut self,
        writer: &Writer,
        ids: &mut BTreeMap<String, KeyIds>,
        checked: Checked,
        keep: Option<&BooleanArray>,
    ) -> Result<(), StoreError> {
        let values = filtered(checked.values, keep)?;
        self.kind = checked.kind;
        let piece: ArrayRef = match &self.kind {
            StoredKind::Id { entity } => Arc::new(Names::ids(ids, writer, entity, values.as_string::<i32>())?),
            _ => values,
        };
        self.pieces.push(piece);
        Ok(())
    }

    fn take_values(
        &mut self,
        texts: &mut BTreeMap<(String, String), TextCodes>,
        of: &str,
        checked: Checked,
        keep: Option<&BooleanArray>,
    ) -> Result<(), StoreError> {
        let values = filtered(checked.values, keep)?;
        self.kind = checked.kind;
        let piece: ArrayRef = match &mut self.kind {
            StoredKind::Text { plain } if !*plain => {
                let codes = texts.get_mut(&(of.to_owned(), self.name.clone()));
                let codes = codes.expect("`prepare` was called for this kind");
                let piece = codes.take(values.as_string::<i32>());
                *plain = codes.plain;
                piece
            }
            _ => values,
        };
        self.pieces.push(piece);
        Ok(())
    }

    /// All pieces as one array, as it is stored under the column's kind.
    pub(crate) fn joined(&self, of: &str, names: &Names) -> Result<ArrayRef, StoreError> {
        let pieces = match &self.schema(of, names).kind {
            &StoredKind::Number { money, float, scale, most } => {
                settled(&self.pieces, Shape { money, float, scale, most })
            }
            StoredKind::Text { plain: true } => {
                let texts = match names.codes_of(of, &self.name) {
                    Some(codes) => text_array(codes.table.texts_from(0))?,
                    None => StringArray::new_null(0),
                };
                let mut pieces = Vec::new();
                for piece in &self.pieces {
                    pieces.push(match piece.data_type() {
                        DataType::UInt32 => arrow_select::take::take(&texts, piece, None)?,
                        _ => piece.clone(),
                    });
                }
                pieces
            }
            _ => self.pieces.clone(),
        };
        match pieces.as_slice() {
            [one] => Ok(one.clone()),
            many => {
                let arrays: Vec<&dyn Array> = many.iter().map(AsRef::as_ref).collect();
                Ok(arrow_select::concat::concat(&arrays)?)
            }
        }
    }
}

fn filtered(values: ArrayRef, keep: Option<&BooleanArray>) -> Result<ArrayRef, StoreError> {
    match keep {
        Some(keep) => Ok(arrow_select::filter::filter(&values, keep)?),
        None => Ok(values),
    }
}

/// Takes checked batches, one per column. Looking keys up is most of the work, so it has a thread of its own where
/// there are enough rows.
pub(crate) fn take_all(
    columns: &mut [Column],
    writer: &mut Writer,
    names: &mut Names,
    of: &str,
    known: &BTreeMap<String, Strings>,
    checked: Vec<Checked>,
    keep: Option<&BooleanArray>,
) -> Result<(), StoreError> {
    for (column, checked) in columns.iter().zip(&checked) {
        column.prepare(writer, names, of, known.get(&column.name), &checked.kind)?;
    }
    let rows = checked.first().map_or(0, |checked| checked.values.len());
    let is_key = |checked: &Checked| matches!(checked.kind, StoredKind::Id { .. });
    let (keys, values): (Vec<_>, Vec<_>) = columns.iter_mut().zip(checked).partition(|(_, checked)| is_key(checked));
    let (writer, Names { keys: ids, texts }) = (&*writer, names);
    let take_keys = || keys.into_iter().try_for_each(|(column, checked)| column.take_keys(writer, ids, checked, keep));
    let take_values =
        || values.into_iter().try_for_each(|(column, checked)| column.take_values(texts, of, checked, keep));
    if rows < ROWS_WORTH_A_THREAD {
        return take_keys().and_then(|()| take_values());
    }
    std::thread::scope(|scope| {
        let keys = scope.spawn(take_keys);
        let values = take_values();
        match keys.join() {
            Ok(keys) => keys.and(values),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn stored_kind(of: &str, name: &str, declared: &Kind) -> Result<StoredKind, StoreError> {
    let number = |money| StoredKind::Number { money, float: false, scale: 0, most: 0 };
    Ok(match declared {
        Kind::Number | Kind::Count | Kind::Percent | Kind::Points | Kind::Duration => number(false),
        Kind::Money(_) | Kind::MoneyOf(_) => number(true),
        Kind::Text | Kind::Raw | Kind::Missing => StoredKind::Text { plain: false },
        Kind::Bool => StoredKind::Bool,
        Kind::Time => StoredKind::Time,
        Kind::Date => StoredKind::Date,
        Kind::Entity(entity) => StoredKind::Id { entity: entity.clone() },
        Kind::List(_) => return Err(StoreError::column(of, name, "lists cannot be stored")),
    })
}

fn words(kind: &StoredKind) -> &'static str {
    match kind {
        StoredKind::Id { .. } => "keys of an entity",
        StoredKind::Text { .. } => "text",
        StoredKind::Number { .. } => "numbers",
        StoredKind::Bool => "yes or no",
        StoredKind::Time => "moments",
        StoredKind::Date => "dates",
    }
}
