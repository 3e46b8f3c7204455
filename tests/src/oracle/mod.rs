//! The oracle: a second reading of the language, row by row, written to be checked by eye and not to be fast.
//!
//! It shares nothing with the engine below the syntax tree: no types, no calendar, no arithmetic. Rows come in any
//! order; numbers are exact fractions; every aggregate looks at every row. What the oracle does not know it refuses
//! in words, so that a case can never pass because a part of it was skipped.

mod arithmetic;
mod calendar;
mod cells;
mod evaluate;
mod expand;
mod fold;
mod functions;
mod history;
mod names;
mod number;
mod query;
mod rows;
mod value;
mod window;

pub use calendar::Calendar;
pub use number::Number;
pub use query::{Column, Table};
pub use value::{Kind, Unit, Value};

use kepi_syntax::ast::{self, File};
use names::Definitions;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A row of an event as it was given.
#[derive(Clone, Debug)]
pub struct OracleRow {
    /// The stored event.
    pub event: String,
    /// Its moment, microseconds UTC; none for an undated event.
    pub time: Option<i64>,
    /// The declared id.
    pub id: Option<String>,
    /// The number of the row in its source.
    pub row: u64,
    /// The keys of its entities (as text, by role) and its fields.
    pub fields: BTreeMap<String, Value>,
}

/// A row of an entity's table: attributes as they hold from a moment on.
#[derive(Clone, Debug)]
pub struct EntityRow {
    /// The entity.
    pub entity: String,
    /// Which one.
    pub key: String,
    /// From when the attributes hold; none: always.
    pub from: Option<i64>,
    /// The attributes.
    pub fields: BTreeMap<String, Value>,
}

/// A model with its data, and the moment for which questions are answered.
pub struct Oracle {
    names: Definitions,
    calendar: Calendar,
    now: i64,
    rows: Vec<OracleRow>,
    entities: Vec<EntityRow>,
    /// The rows of each event once they are known, in order.
    known: RefCell<BTreeMap<String, Rc<Vec<usize>>>>,
    /// The events whose ids are all numbers.
    numbered: BTreeSet<String>,
}

impl Oracle {
    /// Takes the definitions; `set timezone` in them comes before `zone`.
    ///
    /// # Errors
    /// In words, when the zone or a calendar's word is unknown.
    pub fn new(files: &[File], zone: &str, now: i64) -> Result<Oracle, String> {
        let names = Definitions::new(files);
        let calendar = Calendar::new(names.zone.as_deref().unwrap_or(zone), &names.calendars)?;
        let known = RefCell::default();
        Ok(Oracle { names, calendar, now, rows: vec![], entities: vec![], known, numbered: BTreeSet::new() })
    }

    /// Takes the data, in any order.
    pub fn with_data(mut self, rows: Vec<OracleRow>, entities: Vec<EntityRow>) -> Oracle {
        for event in self.names.events.keys() {
            let mut ids = rows.iter().filter(|row| row.event == *event).map(|row| row.id.as_deref());
            if ids.all(|id| id.is_some_and(|id| Number::parse(id).is_some())) {
                self.numbered.insert(event.clone());
            }
        }
        self.rows = rows;
        self.entities = entities;
        self.known.borrow_mut().clear();
        self
    }

    /// The calendar, to read dates as the model does.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The moment of the last row; none when no row has a time.
    pub fn last_moment(&self) -> Option<i64> {
        self.rows.iter().filter_map(|row| row.time).max()
    }

    /// The type that a field of an event or an entity was declared with; `at` and roles have none.
    pub fn declared_type(&self, table: &str, field: &str) -> Option<&ast::TypeName> {
        let fields = match self.names.entities.get(table) {
            Some(entity) => &entity.fields[..],
            None => self.names.fields(table).ok()?.0,
        };
        fields.iter().find(|f| f.name.text == field).map(|f| &f.ty)
    }

    /// The stored events, with their roles and the name of their time, and the entities with the name of their key.
    pub fn tables(&self) -> Vec<DeclaredTable> {
        let mut tables = Vec::new();
        for (name, entity) in &self.names.entities {
            let key = entity.key.as_ref().map_or("key", |key| &key.text).to_string();
            tables.push(DeclaredTable { name: name.clone(), key: Some(key), roles: vec![], at: None });
        }
        for (name, event) in &self.names.events {
            if let ast::EventBody::Stored { of, at, .. } = &event.body {
                tables.push(DeclaredTable {
                    name: name.clone(),
                    key: None,
                    roles: of.iter().map(|role| role.text.clone()).collect(),
                    at: at.as_ref().map(|at| at.text.clone()),
                });
            }
        }
        tables
    }
}

/// A table that a case may fill.
#[derive(Clone, Debug)]
pub struct DeclaredTable {
    /// The stored event or the entity.
    pub name: String,
    /// The name of an entity's key; none for an event.
    pub key: Option<String>,
    /// An event's entities.
    pub roles: Vec<String>,
    /// An event's time.
    pub at: Option<String>,
}
