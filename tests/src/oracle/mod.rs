//! The oracle: a second reading of the language, row by row, written to be checked by eye and not to be fast.
//!
//! It shares nothing with the engine below the syntax tree: no types, no calendar, no arithmetic. Rows come in any
//! order; numbers are exact fractions; every aggregate looks at every row. What the oracle does not know it refuses
//! in words, so that a case can never pass because a part of it was skipped.

mod arithmetic;
mod calendar;
mod cells;
mod chains;
mod currency;
mod evaluate;
mod expand;
mod fold;
mod functions;
mod funnels;
mod groups;
mod history;
mod lifecycle;
mod lift;
mod made;
mod models;
mod moved;
mod names;
mod number;
mod order;
mod query;
mod retention;
mod rows;
mod state_cells;
mod states;
mod tables;
mod targets;
mod value;
mod window;

pub use calendar::{Calendar, TableDay};
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
    /// Until when those with history hold, where that is known; none: until the next row.
    pub until: Option<i64>,
    /// The attributes.
    pub fields: BTreeMap<String, Value>,
}

/// What one unit of a currency is worth in another from a moment on.
#[derive(Clone, Debug)]
pub struct Rate {
    /// Its day's first instant.
    pub at: i64,
    /// The currency that is converted.
    pub from: String,
    /// The currency that it becomes.
    pub to: String,
    /// How much of that.
    pub rate: Number,
}

/// Everything that is given beside the model.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Rows of events, and intervals of stored states (their end in the field `until`).
    pub rows: Vec<OracleRow>,
    /// Rows of entities.
    pub entities: Vec<EntityRow>,
    /// Rates of exchange.
    pub rates: Vec<Rate>,
    /// By entity: a key, and the key it is merged into.
    pub merges: Vec<(String, String, String)>,
}

/// A model with its data, and the moment for which questions are answered.
pub struct Oracle {
    names: Definitions,
    calendar: Calendar,
    now: i64,
    /// The rows that were given.
    rows: Vec<Rc<OracleRow>>,
    /// Rows that were made of others, numbered behind those given.
    made: RefCell<Vec<Rc<OracleRow>>>,
    entities: Vec<EntityRow>,
    /// By entity: keys that others are merged into, which are entities as well.
    merged: Vec<(String, String)>,
    rates: Vec<Rate>,
    /// The rows of each event once they are known, in order; also those of an expression that makes rows, by its text.
    known: RefCell<BTreeMap<String, Rc<Vec<usize>>>>,
    /// The times in each state once they are known, by its text.
    spells: RefCell<BTreeMap<String, Rc<states::Spells>>>,
    /// The attempts of each chain once they are known, by its text.
    attempts: RefCell<BTreeMap<String, Rc<Vec<chains::Attempt>>>>,
    /// The entities of a kind once they are known, and from when each exists.
    keys: RefCell<BTreeMap<String, Vec<String>>>,
    begun: RefCell<BTreeMap<(String, String), Option<i64>>>,
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
        Ok(Oracle {
            names,
            calendar,
            now,
            rows: vec![],
            made: RefCell::default(),
            entities: vec![],
            merged: vec![],
            rates: vec![],
            known: RefCell::default(),
            spells: RefCell::default(),
            attempts: RefCell::default(),
            keys: RefCell::default(),
            begun: RefCell::default(),
            numbered: BTreeSet::new(),
        })
    }

    /// The currency of money that names none.
    pub fn currency(&self) -> &str {
        &self.names.currency
    }

    /// Takes the periods of a calendar from its table.
    pub fn with_calendar(self, name: &str, days: Vec<TableDay>) -> Oracle {
        Oracle { calendar: self.calendar.with_table(name, days), ..self }
    }

    /// Takes the data, in any order.
    pub fn with_data(mut self, mut facts: Facts) -> Oracle {
        self.merged = self.merge(&mut facts);
        // An event is a point in time: what has none has not happened yet.
        facts.rows.retain(|row| row.time.is_some() || self.names.fields(&row.event).is_ok_and(|(_, at)| at.is_none()));
        for event in self.names.events.keys() {
            let mut ids = facts.rows.iter().filter(|row| row.event == *event).map(|row| row.id.as_deref());
            if ids.all(|id| id.is_some_and(|id| Number::parse(id).is_some())) {
                self.numbered.insert(event.clone());
            }
        }
        self.rows = facts.rows.into_iter().map(Rc::new).collect();
        self.entities = facts.entities;
        self.rates = facts.rates;
        self
    }

    /// Puts for every merged key the one that it is merged into, in the end; gives these.
    fn merge(&self, facts: &mut Facts) -> Vec<(String, String)> {
        let merges = facts.merges.clone();
        let last = |entity: &str, key: &str| {
            let mut key = key.to_string();
            // No chain is longer than there are merges, so a circle ends.
            for _ in 0..merges.len() {
                // Of several of one key the last one given holds.
                match merges.iter().rfind(|(of, from, _)| of == entity && *from == key) {
                    Some((_, _, into)) => key.clone_from(into),
                    None => break,
                }
            }
            key
        };
        for row in &mut facts.rows {
            let mut roles = self.names.about(&row.event).unwrap_or_default();
            if let Ok((fields, _)) = self.names.fields(&row.event) {
                let of = fields.iter().map(|f| (f.name.text.clone(), f.ty.name.text.clone()));
                roles.extend(of.map(|(role, entity)| names::About { role, entity }));
            }
            for about in roles {
                if let Some(Value::Text(key)) = row.fields.get_mut(&about.role) {
                    *key = last(&about.entity, key);
                }
            }
        }
        for row in &mut facts.entities {
            row.key = last(&row.entity, &row.key);
        }
        merges.iter().map(|(entity, _, into)| (entity.clone(), last(entity, into))).collect()
    }

    /// A row by its number.
    fn row(&self, number: usize) -> Rc<OracleRow> {
        match self.rows.get(number) {
            Some(row) => Rc::clone(row),
            None => Rc::clone(&self.made.borrow()[number - self.rows.len()]),
        }
    }

    /// Adds a row that stands for another one.
    fn add(&self, row: OracleRow) -> usize {
        self.made.borrow_mut().push(Rc::new(row));
        self.rows.len() + self.made.borrow().len() - 1
    }

    /// Adds a row that is made of another: with its fields, and others.
    fn make(&self, event: &str, time: i64, parent: OracleRow, fields: Vec<(&str, Value)>) -> usize {
        let number = self.rows.len() + self.made.borrow().len();
        let mut row = OracleRow { event: event.to_string(), time: Some(time), id: None, row: number as u64, ..parent };
        row.fields.extend(fields.into_iter().map(|(name, value)| (name.to_string(), value)));
        self.add(row)
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
        for (name, state) in self.names.stored_states() {
            let (roles, at) = (vec![state.of.text.clone()], Some("from".to_string()));
            tables.push(DeclaredTable { name: name.clone(), key: None, roles, at });
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
