//! What all columns of a load share: the ids of entity keys and the codes of texts, old and new.

use crate::entity::Entity;
use crate::error::StoreError;
use crate::identity::Folded;
use crate::key_table::{BLOCK, KeyTable, NOT_FOUND, string_array};
use crate::strings::Strings;
use crate::writer::Writer;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, Int64Array, StringArray, UInt32Array};
use arrow_schema::DataType;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::ops::Range;
use std::sync::Arc;

/// A dictionary with more texts than this may turn into plain text …
const DICTIONARY_FEW: usize = 65_536;
/// … where at least every fourth row brings a new text, seen over this many rows …
const ROWS_BEFORE_PLAIN: usize = 262_144;
/// … and a dictionary never has more texts than this.
const DICTIONARY_MOST: usize = 1 << 20;

/// A dictionary may have this many values for each row of a batch to be looked up whole.
const VALUES_PER_ROW: usize = 16;

/// What all columns of a load share: the ids of keys and the codes of texts, old and new.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) keys: BTreeMap<String, KeyIds>,
    pub(crate) texts: BTreeMap<(String, String), TextCodes>,
}

/// The ids of an entity's keys that a load has met.
#[derive(Debug, Default)]
pub(crate) struct KeyIds {
    table: KeyTable,
    /// By number in the table.
    ids: Vec<u32>,
    /// Numbers in the table of the keys that are new, in the order of their ids.
    fresh: Vec<u32>,
    next: u32,
    /// What was turned into ids last. A file that fills an event and its entity gives the same keys twice.
    last: Option<(ArrayRef, UInt32Array)>,
}

/// The codes of a column's texts.
#[derive(Debug, Default)]
pub(crate) struct TextCodes {
    pub(crate) table: KeyTable,
    /// How many of them were there before the load.
    committed: usize,
    rows: usize,
    /// There are too many texts: what comes is kept as it is.
    pub(crate) plain: bool,
}

/// What the values of a column were turned into, so that a value that comes again is not looked up again: of the
/// dictionary that came last, and of whole numbers that are keys.
#[derive(Debug, Default)]
pub(crate) struct Translated {
    dictionary: Option<StringArray>,
    /// By place in the dictionary; [`NOT_FOUND`] where no row has had it yet. A value that no row has must not get a
    /// number: its rows may have been rejected.
    by_place: Vec<u32>,
    by_number: HashMap<i64, u32, BuildHasherDefault<Folded>>,
}

impl Translated {
    /// Makes ready for a dictionary: `known` finds the numbers that its values have already.
    fn prepare(
        &mut self,
        given: &DictionaryArray<Int32Type>,
        known: impl Fn(&StringArray, Range<usize>) -> [u32; BLOCK],
    ) {
        let texts = given.values().as_string::<i32>();
        // Batches of one file share their dictionaries; one that is held here cannot make room for another.
        let same = self.dictionary.as_ref().is_some_and(|known| {
            known.len() == texts.len()
                && std::ptr::eq(known.value_data(), texts.value_data())
                && std::ptr::eq(known.value_offsets(), texts.value_offsets())
        });
        if !same {
            self.dictionary = Some(texts.clone());
            self.by_place.clear();
            // Of a dictionary that is much larger than the batch most values would be looked up in vain.
            if texts.len() <= VALUES_PER_ROW * given.len() {
                for start in (0..texts.len()).step_by(BLOCK) {
                    let places = start..texts.len().min(start + BLOCK);
                    self.by_place.extend_from_slice(&known(texts, places.clone())[..places.len()]);
                }
            }
            self.by_place.resize(texts.len(), NOT_FOUND);
        }
    }

    /// Turns the rows of the dictionary array that was made ready into numbers, each value of the dictionary once; 0
    /// under nulls.
    fn dictionary<E>(
        &mut self,
        given: &DictionaryArray<Int32Type>,
        mut number: impl FnMut(usize, &str) -> Result<u32, E>,
    ) -> Result<UInt32Array, E> {
        let texts = given.values().as_string::<i32>();
        let nulls = given.logical_nulls();
        let mut out = Vec::with_capacity(given.len());
        for (row, &place) in given.keys().values().iter().enumerate() {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                out.push(0);
                continue;
            }
            let translated = &mut self.by_place[place as usize];
            if *translated == NOT_FOUND {
                *translated = number(row, texts.value(place as usize))?;
            }
            out.push(*translated);
        }
        Ok(UInt32Array::new(out.into(), nulls))
    }
}

impl Names {
    /// The codes of a column; made from what is committed when they are first asked for.
    pub(crate) fn codes(
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
            let keys = ids.table.texts_of(&ids.fresh).ok_or_else(too_much_text)?;
            out.push((entity.clone(), keys));
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

impl KeyIds {
    /// Turns keys into ids; keys that were never seen get the next ones. Keys are text, a dictionary of texts, or whole
    /// numbers, which are the same keys as their digits.
    pub(crate) fn ids(
        all: &mut BTreeMap<String, KeyIds>,
        translated: &mut Translated,
        writer: &Writer,
        entity: &str,
        keys: &ArrayRef,
    ) -> Result<UInt32Array, StoreError> {
        let known = writer.current.entities.get(entity);
        if !all.contains_key(entity) {
            let next = known.map_or(0, |e| e.keys.len() as u32);
            all.insert(entity.into(), KeyIds { next, ..KeyIds::default() });
        }
        let ids = all.get_mut(entity).expect("it was put in just now");
        if let Some((_, known)) = ids.last.as_ref().filter(|(last, _)| last.to_data().ptr_eq(&keys.to_data())) {
            return Ok(known.clone());
        }
        let found = ids.look_up(translated, writer, entity, known.map(AsRef::as_ref), keys)?;
        ids.last = Some((keys.clone(), found.clone()));
        Ok(found)
    }

    fn look_up(
        &mut self,
        translated: &mut Translated,
        writer: &Writer,
        entity: &str,
        known: Option<&Entity>,
        keys: &ArrayRef,
    ) -> Result<UInt32Array, StoreError> {
        match keys.data_type() {
            DataType::Dictionary(_, _) => {
                let keys = keys.as_dictionary::<Int32Type>();
                translated.prepare(keys, |texts, places| {
                    let id = |number: u32| self.ids.get(number as usize).copied().unwrap_or(NOT_FOUND);
                    self.table.find_many(texts, places).map(id)
                });
                translated.dictionary(keys, |_, key| self.id_of(writer, entity, known, key))
            }
            DataType::Int64 => self.of_numbers(translated, writer, entity, known, keys.as_primitive::<Int64Type>()),
            _ => self.of_texts(writer, entity, known, keys.as_string::<i32>()),
        }
    }

    fn of_texts(
        &mut self,
        writer: &Writer,
        entity: &str,
        known: Option<&Entity>,
        keys: &StringArray,
    ) -> Result<UInt32Array, StoreError> {
        let mut out = Vec::with_capacity(keys.len());
        for start in (0..keys.len()).step_by(BLOCK) {
            let rows = start..keys.len().min(start + BLOCK);
            for (row, number) in rows.clone().zip(self.table.find_many(keys, rows)) {
                out.push(match number {
                    _ if keys.is_null(row) => 0,
                    NOT_FOUND => self.id_of(writer, entity, known, keys.value(row))?,
                    number => self.ids[number as usize],
                });
            }
        }
        Ok(UInt32Array::new(out.into(), keys.nulls().cloned()))
    }

    fn of_numbers(
        &mut self,
        translated: &mut Translated,
        writer: &Writer,
        entity: &str,
        known: Option<&Entity>,
        keys: &Int64Array,
    ) -> Result<UInt32Array, StoreError> {
        let mut out = Vec::with_capacity(keys.len());
        for (row, &number) in keys.values().iter().enumerate() {
            if keys.is_null(row) {
                out.push(0);
                continue;
            }
            out.push(match translated.by_number.get(&number) {
                Some(id) => *id,
                None => {
                    let id = self.id_of(writer, entity, known, &number.to_string())?;
                    translated.by_number.insert(number, id);
                    id
                }
            });
        }
        Ok(UInt32Array::new(out.into(), keys.nulls().cloned()))
    }

    fn id_of(&mut self, writer: &Writer, entity: &str, known: Option<&Entity>, key: &str) -> Result<u32, StoreError> {
        let (number, new) = self.table.insert(key);
        if !new {
            return Ok(self.ids[number as usize]);
        }
        let stored = match known {
            Some(known) => stored_id(writer, entity, &known.keys, key)?,
            None => None,
        };
        let id = match stored {
            Some(id) => id,
            None => {
                let id = self.next;
                let beyond = || StoreError::Limit(format!("`{entity}` has more than 4,294,967,295 keys"));
                self.next = id.checked_add(1).ok_or_else(beyond)?;
                self.fresh.push(number);
                id
            }
        };
        self.ids.push(id);
        Ok(id)
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
    match writer.memory()?.recent_key(entity, key)? {
        Some(id) if keys.is(id as usize, key)? => Ok(Some(id)),
        _ => Ok(keys.find_tail(key)),
    }
}

pub(crate) fn text_array<'a>(texts: impl Iterator<Item = &'a str>) -> Result<StringArray, StoreError> {
    string_array(texts).ok_or_else(too_much_text)
}

fn too_much_text() -> StoreError {
    StoreError::Limit("one load has more than 2 GiB of keys or texts".into())
}

/// A dictionary has become too large to be worth it.
struct TooMany;

impl TextCodes {
    /// Codes, or the texts as they are once there are too many. Texts may be given with a dictionary.
    pub(crate) fn take(&mut self, translated: &mut Translated, texts: &ArrayRef) -> Result<ArrayRef, StoreError> {
        let codes = match texts.data_type() {
            _ if self.plain => Err(TooMany),
            DataType::Dictionary(_, _) => {
                let texts = texts.as_dictionary::<Int32Type>();
                translated.prepare(texts, |texts, places| self.table.find_many(texts, places));
                translated.dictionary(texts, |row, text| self.code_of(row, text))
            }
            _ => self.of_texts(texts.as_string::<i32>()),
        };
        match codes {
            Ok(codes) => {
                self.rows += texts.len();
                Ok(Arc::new(codes))
            }
            Err(TooMany) => {
                self.plain = true;
                match texts.as_any_dictionary_opt() {
                    Some(coded) => Ok(arrow_select::take::take(coded.values(), coded.keys(), None)?),
                    None => Ok(texts.clone()),
                }
            }
        }
    }

    fn of_texts(&mut self, texts: &StringArray) -> Result<UInt32Array, TooMany> {
        let mut codes = Vec::with_capacity(texts.len());
        for start in (0..texts.len()).step_by(BLOCK) {
            let rows = start..texts.len().min(start + BLOCK);
            for (row, number) in rows.clone().zip(self.table.find_many(texts, rows)) {
                codes.push(match number {
                    _ if texts.is_null(row) => 0,
                    NOT_FOUND => self.code_of(row, texts.value(row))?,
                    code => code,
                });
            }
        }
        Ok(UInt32Array::new(codes.into(), texts.nulls().cloned()))
    }

    fn code_of(&mut self, row: usize, text: &str) -> Result<u32, TooMany> {
        let (code, new) = self.table.insert(text);
        if new && self.too_many(self.rows + row + 1) { Err(TooMany) } else { Ok(code) }
    }

    fn too_many(&self, rows: usize) -> bool {
        let fresh = self.table.len() - self.committed;
        let few_rows_per_text = rows >= ROWS_BEFORE_PLAIN && fresh > rows / 4;
        self.table.len() > DICTIONARY_MOST || (self.table.len() > DICTIONARY_FEW && few_rows_per_text)
    }
}
