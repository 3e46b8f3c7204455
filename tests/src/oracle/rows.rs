//! Rows: their order, those of derived events, and what is known of an entity at a moment.

use super::evaluate::{Here, Moment, Scope};
use super::names::{MAKERS, dotted, only_argument};
use super::{EntityRow, Number, Oracle, Value};
use kepi_syntax::ast::{EventBody, ExprKind, Scoped};
use std::cmp::Ordering;
use std::rc::Rc;

impl Oracle {
    /// The order of two rows of one stored event: time, then the declared id, else the row in its source.
    pub(super) fn order(&self, a: usize, b: usize) -> Ordering {
        let (a, b) = (self.row(a), self.row(b));
        let by_id = match (&a.id, &b.id) {
            (Some(x), Some(y)) => match (Number::parse(x), Number::parse(y)) {
                (Some(x), Some(y)) if self.numbered.contains(&a.event) => x.compare(y),
                _ => x.cmp(y),
            },
            (x, y) => y.is_some().cmp(&x.is_some()),
        };
        a.time.cmp(&b.time).then(by_id).then(a.row.cmp(&b.row))
    }

    /// The rows of an event, stored or derived, in order.
    pub(super) fn rows_of(&self, event: &str) -> Result<Rc<Vec<usize>>, String> {
        if let Some(rows) = self.known.borrow().get(event) {
            return Ok(Rc::clone(rows));
        }
        let declared = self.names.events.get(event).ok_or_else(|| format!("there is no event {event}"))?;
        let rows = match &declared.body {
            EventBody::Stored { .. } => {
                let mut rows: Vec<usize> = (0..self.rows.len()).filter(|&r| self.rows[r].event == event).collect();
                rows.sort_by(|&a, &b| self.order(a, b));
                rows
            }
            EventBody::Derived { value, .. } => {
                // Also finds an event that is derived from itself, before it is asked for its rows.
                self.names.lineage(event)?;
                self.rows_of_scoped(value)?.1
            }
        };
        let rows = Rc::new(rows);
        self.known.borrow_mut().insert(event.to_string(), Rc::clone(&rows));
        Ok(rows)
    }

    /// The rows of `orders where …` or `first(orders where …) per customer`, and the event whose names they carry.
    pub(super) fn rows_of_scoped(&self, scoped: &Scoped) -> Result<(String, Vec<usize>), String> {
        if scoped.over.is_some() {
            return Err("`over` behind an event is not in the oracle".to_string());
        }
        let (event, mut rows) = match (&scoped.value.kind, &scoped.per) {
            (ExprKind::Path(path), None) => (dotted(path), self.rows_of(&dotted(path))?.to_vec()),
            (ExprKind::Call { function, arguments }, Some(per)) if dotted(function) == "first" => {
                let [entity] = &per.grains[..] else { return Err("first per one entity".to_string()) };
                let (event, rows) = self.rows_of_scoped(only_argument(arguments)?)?;
                let rows = self.firsts(&event, rows, &dotted(entity))?;
                (event, rows)
            }
            (ExprKind::Call { function, arguments }, None) if MAKERS.contains(&&dotted(function)[..]) => {
                (self.names.event_of(scoped)?, self.made_rows(&dotted(function), arguments)?.to_vec())
            }
            (other, _) => return Err(format!("{other:?} is no event")),
        };
        if let Some(filter) = &scoped.filter {
            let mut kept = Vec::new();
            for row in rows {
                let scope = Scope::at(Here::Row { event: event.clone(), row });
                if self.evaluate(filter, &scope)?.is_yes() {
                    kept.push(row);
                }
            }
            rows = kept;
        }
        Ok((event, rows))
    }

    /// The first row of each entity, in the order of the rows.
    fn firsts(&self, event: &str, rows: Vec<usize>, entity: &str) -> Result<Vec<usize>, String> {
        let about = self.names.about(event)?;
        let role = about.iter().find(|about| about.role == entity);
        let role = &role.ok_or_else(|| format!("{event} has no {entity}"))?.role;
        let mut firsts: Vec<(String, usize)> = Vec::new();
        for row in rows {
            if let Some(key) = self.key(row, role)
                && !firsts.iter().any(|(known, _)| *known == key)
            {
                firsts.push((key, row));
            }
        }
        Ok(firsts.into_iter().map(|(_, row)| row).collect())
    }

    /// The key of a row's entity; none when it is missing.
    pub(super) fn key(&self, row: usize, role: &str) -> Option<String> {
        match self.row(row).fields.get(role) {
            Some(Value::Text(key)) => Some(key.clone()),
            _ => None,
        }
    }

    /// A field of a row: its time, an entity's key or a declared field; none when the event has no such field.
    pub(super) fn field(&self, event: &str, row: usize, name: &str) -> Result<Option<Value>, String> {
        let (fields, at) = self.names.fields(event)?;
        // What was made of other rows has values of its own, before theirs.
        if row >= self.rows.len()
            && let ("value" | "length" | "count", Some(value)) = (name, self.row(row).fields.get(&format!("~{name}")))
        {
            return Ok(Some(value.clone()));
        }
        let is_role = self.names.about(event)?.iter().any(|about| about.role == name);
        if is_role || fields.iter().any(|field| field.name.text == name) {
            return Ok(Some(self.row(row).fields.get(name).cloned().unwrap_or(Value::Missing)));
        }
        if at == Some(name) || name == "at" {
            return Ok(Some(self.row(row).time.map_or(Value::Missing, Value::Time)));
        }
        Ok(None)
    }

    /// An attribute of an entity: as it is now, or with `history` as it was at the moment.
    pub(super) fn attribute(&self, entity: &str, key: &str, name: &str, moment: &Moment) -> Result<Value, String> {
        let declared = self.names.entities.get(entity).ok_or_else(|| format!("there is no entity {entity}"))?;
        let field = declared.fields.iter().find(|field| field.name.text == name);
        let field = field.ok_or_else(|| format!("{entity} has no {name}"))?;
        let holds = |row: &&EntityRow| {
            let from = match row.from {
                Some(from) if field.history => from,
                _ => return true,
            };
            match moment {
                Moment::Before(until) => from < *until,
                Moment::With { row } => self.row(*row).time.is_none_or(|at| from <= at),
            }
        };
        let mut of: Vec<&EntityRow> = self.entities.iter().filter(|r| r.entity == entity && r.key == key).collect();
        of.sort_by_key(|row| row.from);
        let last = of.into_iter().filter(holds).rfind(|row| row.fields.contains_key(name));
        let over = |until: i64| match moment {
            Moment::Before(end) => until < *end,
            Moment::With { row } => self.row(*row).time.is_some_and(|at| until <= at),
        };
        let last = last.filter(|row| !(field.history && row.until.is_some_and(over)));
        Ok(last.and_then(|row| row.fields.get(name)).cloned().unwrap_or(Value::Missing))
    }

    /// All entities of a kind, known by their table or by an event.
    pub(super) fn keys(&self, entity: &str) -> Result<Vec<String>, String> {
        if let Some(keys) = self.keys.borrow().get(entity) {
            return Ok(keys.clone());
        }
        let mut keys: Vec<String> =
            self.entities.iter().filter(|row| row.entity == entity).map(|row| row.key.clone()).collect();
        keys.extend(self.merged.iter().filter(|(of, _)| of == entity).map(|(_, key)| key.clone()));
        for (index, row) in self.rows.iter().enumerate() {
            for about in self.names.about(&row.event)?.iter().filter(|about| about.entity == entity) {
                keys.extend(self.key(index, &about.role));
            }
        }
        keys.sort();
        keys.dedup();
        self.keys.borrow_mut().insert(entity.to_string(), keys.clone());
        Ok(keys)
    }

    /// From when an entity exists: by the field that its declaration names, else its first event or an interval that began
    /// before that, else always.
    pub(super) fn exists_from(&self, entity: &str, key: &str) -> Result<Option<i64>, String> {
        let who = (entity.to_string(), key.to_string());
        if let Some(known) = self.begun.borrow().get(&who) {
            return Ok(*known);
        }
        let from = self.first_existence(entity, key)?;
        self.begun.borrow_mut().insert(who, from);
        Ok(from)
    }

    fn first_existence(&self, entity: &str, key: &str) -> Result<Option<i64>, String> {
        let declared = self.names.entities.get(entity).ok_or_else(|| format!("there is no entity {entity}"))?;
        if let Some(from) = &declared.from {
            match self.attribute(entity, key, &from.text, &Moment::Before(i64::MAX))? {
                Value::Time(at) => return Ok(Some(at)),
                Value::Date(day) => return Ok(Some(self.calendar.start_of_day(day))),
                _ => {}
            }
        }
        let (mut events, mut intervals) = (Vec::new(), Vec::new());
        for (index, row) in self.rows.iter().enumerate() {
            let of = if self.names.events.contains_key(&row.event) { &mut events } else { &mut intervals };
            for about in self.names.about(&row.event)?.iter().filter(|about| about.entity == entity) {
                if self.key(index, &about.role).as_deref() == Some(key) {
                    of.extend(row.time);
                }
            }
        }
        let event = events.into_iter().min();
        Ok(event.map(|event| intervals.into_iter().fold(event, i64::min)))
    }
}
