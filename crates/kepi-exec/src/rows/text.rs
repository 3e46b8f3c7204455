//! Tests and functions of texts: once per dictionary entry where the texts are codes, not once per row.

use super::column::{Column, Values};
use super::compare::holds;
use crate::ExecError;
use arrow_array::{Array, StringArray};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use kepi_model::core::Op;
use regex::Regex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A condition on one text.
#[derive(Debug)]
pub(crate) enum Test {
    /// `=`, `<` … with a constant.
    Compare(Op, String),
    In(HashSet<String>),
    Matches(Box<Regex>),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
}

impl Test {
    /// Whether it holds for a text.
    fn holds(&self, text: &str) -> bool {
        match self {
            Test::Compare(op, with) => holds(op).is_ok_and(|holds| holds(text.cmp(with.as_str()))),
            Test::In(set) => set.contains(text),
            Test::Matches(regex) => regex.is_match(text),
            Test::Contains(part) => text.contains(part.as_str()),
            Test::StartsWith(part) => text.starts_with(part.as_str()),
            Test::EndsWith(part) => text.ends_with(part.as_str()),
        }
    }
}

/// Reads a regular expression of a condition.
pub(crate) fn regex(pattern: &str) -> Result<Regex, ExecError> {
    regex::RegexBuilder::new(pattern)
        .size_limit(1 << 22)
        .build()
        .map_err(|e| ExecError::Plan(format!("`{pattern}` is no regular expression: {e}")))
}

/// A function from text to text with constant further arguments.
#[derive(Debug)]
pub(crate) enum Map {
    Lower,
    Upper,
    Trim,
    Replace(String, String),
}

impl Map {
    fn of(&self, text: &str) -> String {
        match self {
            Map::Lower => text.to_lowercase(),
            Map::Upper => text.to_uppercase(),
            Map::Trim => text.trim().to_string(),
            Map::Replace(from, to) if from.is_empty() => {
                // Between every two characters there is an empty text; replacing those helps nobody.
                let _ = to;
                text.to_string()
            }
            Map::Replace(from, to) => text.replace(from.as_str(), to),
        }
    }
}

/// What was computed for a dictionary, kept from batch to batch.
#[derive(Debug)]
pub(crate) struct Cached<T> {
    of: Option<(Arc<StringArray>, T)>,
}

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Cached { of: None }
    }
}

impl<T> Cached<T> {
    fn get(&mut self, dictionary: &Arc<StringArray>, make: impl FnOnce(&StringArray) -> T) -> &T {
        let stale = self.of.as_ref().is_none_or(|(known, _)| !Arc::ptr_eq(known, dictionary));
        if stale {
            self.of = None;
        }
        &self.of.get_or_insert_with(|| (Arc::clone(dictionary), make(dictionary))).1
    }
}

/// Which rows pass a test; missing is *no*.
pub(crate) fn test(test: &Test, column: &Column, cache: &mut Cached<Vec<bool>>) -> Result<BooleanBuffer, ExecError> {
    let found = match &column.values {
        Values::Codes(codes, dictionary) => {
            let table = cache.get(dictionary, |texts| texts.iter().map(|t| test.holds(t.unwrap_or(""))).collect());
            // A missing row may hold any code, even one beyond the dictionary.
            BooleanBuffer::collect_bool(codes.len(), |row| table.get(codes[row] as usize).copied().unwrap_or(false))
        }
        Values::Text(texts) => BooleanBuffer::collect_bool(texts.len(), |row| test.holds(texts.value(row))),
        Values::Missing(len) => BooleanBuffer::new_unset(*len),
        other => return Err(ExecError::Plan(format!("{} is tested as a text", other.words()))),
    };
    Ok(match &column.valid {
        Some(valid) => &found & valid.inner(),
        None => found,
    })
}

/// New codes for the old ones, and the texts that they stand for, which are distinct.
pub(crate) type Recoded = (Vec<u32>, Arc<StringArray>);

/// A function of texts.
pub(crate) fn map(map: &Map, column: &Column, cache: &mut Cached<Recoded>) -> Result<Column, ExecError> {
    match &column.values {
        Values::Codes(codes, dictionary) => {
            let (table, texts) = cache.get(dictionary, |texts| {
                let mut union = Union::default();
                let table = texts.iter().map(|t| union.add(&map.of(t.unwrap_or("")))).collect();
                (table, union.finish())
            });
            let codes = codes.iter().map(|&c| table.get(c as usize).copied().unwrap_or(0)).collect();
            Ok(Column::new(Values::Codes(codes, Arc::clone(texts)), column.valid.clone()))
        }
        Values::Text(texts) => {
            let mapped = (0..texts.len()).map(|row| column.text(row).map(|t| map.of(t))).collect();
            Ok(Column::new(Values::Text(mapped), column.valid.clone()))
        }
        Values::Missing(len) => Ok(Column::missing(*len)),
        other => Err(ExecError::Plan(format!("a function of texts was given {}", other.words()))),
    }
}

/// How many characters each text has.
pub(crate) fn length(column: &Column, cache: &mut Cached<Vec<i64>>) -> Result<Column, ExecError> {
    let count = |text: &str| text.chars().count() as i64;
    let values: ScalarBuffer<i64> = match &column.values {
        Values::Codes(codes, dictionary) => {
            let table = cache.get(dictionary, |texts| texts.iter().map(|t| count(t.unwrap_or(""))).collect());
            codes.iter().map(|&c| table.get(c as usize).copied().unwrap_or(0)).collect()
        }
        Values::Text(texts) => (0..texts.len()).map(|row| count(texts.value(row))).collect(),
        Values::Missing(len) => return Ok(Column::missing(*len)),
        other => return Err(ExecError::Plan(format!("a function of texts was given {}", other.words()))),
    };
    Ok(Column::new(Values::Decimal(values, 0), column.valid.clone()))
}

/// The texts of several columns, one behind the other; missing where one is.
pub(crate) fn concat(columns: &[&Column]) -> Column {
    let len = columns.first().map_or(0, |c| c.len());
    let row = |row: usize| columns.iter().map(|c| c.text(row)).collect::<Option<String>>();
    let texts: StringArray = (0..len).map(row).collect();
    let valid = texts.nulls().cloned();
    Column::new(Values::Text(texts), valid)
}

/// Collects distinct texts and numbers them.
#[derive(Default)]
pub(crate) struct Union {
    index: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Union {
    /// The number of a text.
    pub(crate) fn add(&mut self, text: &str) -> u32 {
        if let Some(&code) = self.index.get(text) {
            return code;
        }
        let code = self.texts.len() as u32;
        self.index.insert(text.to_string(), code);
        self.texts.push(text.to_string());
        code
    }

    /// The texts by number.
    pub(crate) fn finish(self) -> Arc<StringArray> {
        Arc::new(StringArray::from_iter_values(self.texts))
    }
}
