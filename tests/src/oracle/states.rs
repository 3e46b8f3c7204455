//! States: when each entity was in one, and with which value.

use super::calendar::Length;
use super::evaluate::{Here, Moment, Scope};
use super::names::dotted;
use super::value::{Kind, Unit};
use super::{Oracle, Value};
use kepi_syntax::ast::{Expr, ExprKind, Scoped, StateBody};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The times that each entity was in a state.
pub(super) type Spells = BTreeMap<String, Vec<Spell>>;

/// A time in a state, `[from, until)`, without a break.
#[derive(Clone, Debug)]
pub(super) struct Spell {
    pub(super) from: i64,
    /// None: it lasts.
    pub(super) until: Option<i64>,
    /// One after the other, each with a value of its own.
    pub(super) stays: Vec<Stay>,
}

/// A time with one value.
#[derive(Clone, Debug)]
pub(super) struct Stay {
    pub(super) from: i64,
    pub(super) until: Option<i64>,
    pub(super) value: Value,
    /// The first row that said so; none for what is computed.
    pub(super) began: Option<usize>,
    /// The last row that said so.
    pub(super) row: Option<usize>,
}

impl Stay {
    fn holds(&self, at: i64) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// The value that holds at an instant; none when none does.
pub(super) fn value_at(spells: &[Spell], at: i64) -> Option<&Value> {
    spells.iter().flat_map(|spell| &spell.stays).find(|stay| stay.holds(at)).map(|stay| &stay.value)
}

/// The stays that have a part in `[from, until)`, each with that part's length.
pub(super) fn parts(spells: &[Spell], from: i64, until: i64) -> Vec<(&Stay, i64)> {
    let stays = spells.iter().flat_map(|spell| &spell.stays);
    let part = |stay: &Stay| stay.until.map_or(until, |end| end.min(until)) - stay.from.max(from);
    stays.map(|stay| (stay, part(stay))).filter(|(_, length)| *length > 0).collect()
}

impl Oracle {
    /// The spells of a state, of a segment or of a condition, by the key of the entity.
    pub(super) fn spells(&self, state: &Expr) -> Result<Rc<Spells>, String> {
        let key = format!("{:?}", state.kind);
        if let Some(known) = self.spells.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let body = match &state.kind {
            ExprKind::Path(path) => self.names.states.get(&dotted(path)).map(|state| &state.body),
            _ => None,
        };
        let mut spells = Spells::new();
        for (key, stays) in match body {
            Some(body) => self.stays_of(state, body)?,
            None => self.stays_of_condition(state)?,
        } {
            spells.insert(key, joined(stays));
        }
        let spells = Rc::new(spells);
        self.spells.borrow_mut().insert(key, Rc::clone(&spells));
        Ok(spells)
    }

    /// What a state is at a moment: where it does not hold no, 0 or missing, after its kind.
    pub(super) fn state_value(&self, state: &Expr, key: Option<&str>, at: i64) -> Result<Value, String> {
        let spells = self.spells(state)?;
        let held = key.and_then(|key| spells.get(key)).and_then(|spells| value_at(spells, at));
        match held {
            Some(value) => Ok(value.clone()),
            None => self.outside(state),
        }
    }

    /// What stands for a state that does not hold.
    fn outside(&self, state: &Expr) -> Result<Value, String> {
        let spells = self.spells(state)?;
        let one = spells.values().flatten().flat_map(|spell| &spell.stays).next();
        Ok(match one.map(|stay| &stay.value) {
            Some(Value::Bool(_)) => Value::Bool(false),
            Some(Value::Number(_, unit)) => Value::Number(super::Number::ZERO, unit.clone()),
            _ if self.is_yes_no(state) => Value::Bool(false),
            // It never was anything: what it would have been is as declared.
            None => self.declared_unit(state)?.map_or(Value::Missing, |unit| Value::Number(super::Number::ZERO, unit)),
            _ => Value::Missing,
        })
    }

    /// The unit of a state whose values are numbers.
    fn declared_unit(&self, state: &Expr) -> Result<Option<Unit>, String> {
        let ExprKind::Path(path) = &state.kind else { return Ok(None) };
        let ty = match self.names.states.get(&dotted(path)).map(|state| &state.body) {
            Some(StateBody::Stored { fields }) => fields.first().map(|field| &field.ty),
            Some(StateBody::Value { value, .. }) => match (&value.kind, self.names.base_of(value)?) {
                (ExprKind::Path(path), Some(super::names::Base::Event(event))) => {
                    path.parts.last().and_then(|field| self.declared_type(&event, &field.text))
                }
                _ => None,
            },
            _ => None,
        };
        let Some(ty) = ty else { return Ok(None) };
        let kind = match &ty.name.text[..] {
            "number" => Kind::Number,
            "count" => Kind::Count,
            "percent" => Kind::Percent,
            "points" => Kind::Points,
            "duration" => Kind::Duration,
            "money" => Kind::Money(ty.argument.as_ref().map_or(self.currency(), |code| code.text.as_str()).to_string()),
            _ => return Ok(None),
        };
        Ok(Some(Unit::of(kind)))
    }

    /// Whether a state only holds or not.
    pub(super) fn is_yes_no(&self, state: &Expr) -> bool {
        match &state.kind {
            ExprKind::Path(path) => match self.names.states.get(&dotted(path)).map(|state| &state.body) {
                Some(StateBody::Value { .. }) => false,
                Some(StateBody::Stored { fields }) => fields.is_empty(),
                _ => true,
            },
            _ => true,
        }
    }

    /// The stays of a declared state, in order, without overlap.
    fn stays_of(&self, state: &Expr, body: &StateBody) -> Result<BTreeMap<String, Vec<Stay>>, String> {
        let yes = ExprKind::Bool(true);
        let yes = Expr { kind: yes, span: state.span };
        match body {
            StateBody::From { from, until } => {
                let ends = self.moments(state, until)?;
                let (event, rows) = self.rows_of_scoped(from)?;
                let begins = self.beginnings(state, &event, rows, &yes)?;
                Ok(begins.into_iter().map(|(k, b)| (k.clone(), swept(b, ends.get(&k)))).collect())
            }
            StateBody::Value { value, until } => {
                let event = match self.names.base_of(value)? {
                    Some(super::names::Base::Event(event)) => event,
                    other => return Err(format!("a state of {other:?}")),
                };
                let ends = match until {
                    Some(until) => self.moments(state, until)?,
                    None => BTreeMap::new(),
                };
                let begins = self.beginnings(state, &event, self.rows_of(&event)?.to_vec(), value)?;
                Ok(begins.into_iter().map(|(k, b)| (k.clone(), swept(b, ends.get(&k)))).collect())
            }
            StateBody::For { from, length } => {
                let number: i64 = length.number.parse().map_err(|_| "a length without a number")?;
                let length = Length::of(number, length.unit);
                let (event, rows) = self.rows_of_scoped(from)?;
                let mut all = BTreeMap::new();
                for (key, begins) in self.beginnings(state, &event, rows, &yes)? {
                    let end = |begin: &Begin| Some(self.calendar.add(begin.at, length));
                    all.insert(key, united(begins.iter().map(|begin| (begin, end(begin))).collect()));
                }
                Ok(all)
            }
            StateBody::Stored { fields } => {
                let ExprKind::Path(name) = &state.kind else { return Err("a state without a name".to_string()) };
                let name = dotted(name);
                let mut rows: Vec<usize> = (0..self.rows.len()).filter(|row| self.rows[*row].event == name).collect();
                rows.sort_by(|a, b| self.order(*a, *b));
                let value = match &fields[..] {
                    [] => yes,
                    [field, ..] => {
                        let path = kepi_syntax::ast::Path { parts: vec![field.name.clone()], span: state.span };
                        Expr { kind: ExprKind::Path(path), span: state.span }
                    }
                };
                let end = |begin: &Begin| match self.row(begin.row).fields.get("until") {
                    Some(Value::Time(until)) => Some(*until),
                    _ => None,
                };
                let mut all = BTreeMap::new();
                for (key, begins) in self.beginnings(state, &name, rows, &value)? {
                    let ends: Vec<_> = begins.iter().map(|begin| (begin, end(begin))).collect();
                    all.insert(key, if fields.is_empty() { united(ends) } else { replaced(ends) });
                }
                Ok(all)
            }
        }
    }

    /// When a state begins anew, by entity: rows without the entity or without a value begin nothing.
    fn beginnings(
        &self,
        state: &Expr,
        event: &str,
        rows: Vec<usize>,
        value: &Expr,
    ) -> Result<BTreeMap<String, Vec<Begin>>, String> {
        let role = self.role_of(state, event)?;
        let mut all: BTreeMap<String, Vec<Begin>> = BTreeMap::new();
        for row in rows {
            let value = self.evaluate(value, &Scope::at(Here::Row { event: event.to_string(), row }))?;
            let (key, at) = (self.key(row, &role), self.row(row).time);
            if let (Some(key), Some(at), false) = (key, at, value.is_missing()) {
                all.entry(key).or_default().push(Begin { at, row, value });
            }
        }
        Ok(all)
    }

    /// When each entity has a row of an event.
    fn moments(&self, state: &Expr, event: &Scoped) -> Result<BTreeMap<String, BTreeSet<i64>>, String> {
        let (event, rows) = self.rows_of_scoped(event)?;
        let role = self.role_of(state, &event)?;
        let mut all: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for row in rows {
            if let (Some(key), Some(at)) = (self.key(row, &role), self.row(row).time) {
                all.entry(key).or_default().insert(at);
            }
        }
        Ok(all)
    }

    fn role_of(&self, state: &Expr, event: &str) -> Result<String, String> {
        let entity = self.names.entity_of(state)?.ok_or("a state of nobody")?;
        let about = self.names.about(event)?;
        let found = about.into_iter().find(|about| about.entity == entity);
        found.map(|about| about.role).ok_or_else(|| format!("{event} has no {entity}"))
    }

    /// The stays of what is computed of an entity: looked at whenever anything about it may change.
    fn stays_of_condition(&self, state: &Expr) -> Result<BTreeMap<String, Vec<Stay>>, String> {
        let entity = self.names.entity_of(state)?.ok_or("a condition on nobody")?;
        let looked_at = match self.names.state_in(state) {
            Some((path, state)) => self.stays_of(&path, &state.body)?,
            None => BTreeMap::new(),
        };
        let mut all = BTreeMap::new();
        for key in self.keys(&entity)? {
            // The last row by then that began the state which it looks at.
            let row_at = |at: i64| {
                let stay = looked_at.get(&key)?.iter().rfind(|stay| stay.from <= at)?;
                if stay.from == at { stay.began } else { stay.row }
            };
            let mut stays: Vec<Stay> = Vec::new();
            for at in self.instants(&entity, &key)? {
                if let Some(last) = stays.last_mut()
                    && last.until.is_none()
                {
                    last.until = Some(at);
                }
                let here = Here::Entity { entity: entity.clone(), key: key.clone(), moment: Moment::Before(at + 1) };
                let exists = self.exists_from(&entity, &key)?.is_none_or(|from| from <= at);
                if exists && self.evaluate(state, &Scope::at(here))?.is_yes() {
                    let (value, row) = (Value::Bool(true), row_at(at));
                    stays.push(Stay { from: at, until: None, value, began: row, row });
                }
            }
            all.insert(key, stays);
        }
        Ok(all)
    }

    /// Whenever something about an entity may change, from the beginning of time on.
    fn instants(&self, entity: &str, key: &str) -> Result<BTreeSet<i64>, String> {
        let mut instants = BTreeSet::from([i64::MIN / 4]);
        for (index, row) in self.rows.iter().enumerate() {
            for about in self.names.about(&row.event)?.iter().filter(|about| about.entity == entity) {
                if self.key(index, &about.role).as_deref() == Some(key) {
                    instants.extend(row.time);
                }
            }
        }
        let of = self.entities.iter().filter(|row| row.entity == entity && row.key == key);
        instants.extend(of.filter_map(|row| row.from));
        instants.extend(self.exists_from(entity, key)?);
        for (name, state) in &self.names.states {
            if state.of.text == entity {
                let path = kepi_syntax::ast::Path { parts: vec![state.name.clone()], span: state.name.span };
                debug_assert_eq!(dotted(&path), *name);
                let spells = self.spells(&Expr { kind: ExprKind::Path(path), span: state.name.span })?;
                for stay in spells.get(key).into_iter().flatten().flat_map(|spell| &spell.stays) {
                    instants.insert(stay.from);
                    instants.extend(stay.until);
                }
            }
        }
        Ok(instants)
    }
}

/// A row that begins a state, or gives it another value.
struct Begin {
    at: i64,
    row: usize,
    value: Value,
}

/// From one beginning to the next, or to the first end that is not earlier. What ends and begins at the same instant
/// goes on: the end is that of what held before. What did not hold before ends as it begins, so it never was.
fn swept(begins: Vec<Begin>, ends: Option<&BTreeSet<i64>>) -> Vec<Stay> {
    let none = BTreeSet::new();
    let ends = ends.unwrap_or(&none);
    let instants: BTreeSet<i64> = begins.iter().map(|begin| begin.at).chain(ends.iter().copied()).collect();
    let mut stays = Vec::new();
    let mut current: Option<Stay> = None;
    for at in instants {
        let held = current.is_some();
        let begins_now = begins.iter().rfind(|begin| begin.at == at);
        let ends_now = ends.contains(&at);
        if begins_now.is_none() && !ends_now {
            continue;
        }
        if let Some(stay) = current.take() {
            stays.push(Stay { until: Some(at), ..stay });
        }
        if let Some(begin) = begins_now
            && (held || !ends_now)
        {
            current = Some(Stay {
                from: at,
                until: None,
                value: begin.value.clone(),
                began: Some(begin.row),
                row: Some(begin.row),
            });
        }
    }
    stays.extend(current);
    stays
}

/// Intervals of a yes/no state: those that touch or overlap are one.
fn united(mut intervals: Vec<(&Begin, Option<i64>)>) -> Vec<Stay> {
    intervals.retain(|(begin, until)| until.is_none_or(|until| until > begin.at));
    intervals.sort_by_key(|(begin, _)| begin.at);
    let mut stays: Vec<Stay> = Vec::new();
    for (begin, until) in intervals {
        match stays.last_mut() {
            Some(last) if last.until.is_none_or(|end| begin.at <= end) => {
                last.until = match (last.until, until) {
                    (Some(a), Some(b)) => Some(a.max(b)),
                    _ => None,
                };
                last.row = Some(begin.row);
                // Of one moment the last row holds, as with values.
                if begin.at == last.from {
                    last.began = last.row;
                }
            }
            _ => stays.push(Stay {
                from: begin.at,
                until,
                value: Value::Bool(true),
                began: Some(begin.row),
                row: Some(begin.row),
            }),
        }
    }
    stays
}

/// Intervals of a state of values: one at a time, the later one replaces.
fn replaced(mut intervals: Vec<(&Begin, Option<i64>)>) -> Vec<Stay> {
    intervals.retain(|(begin, until)| until.is_none_or(|until| until > begin.at));
    let mut stays = Vec::new();
    for (index, (begin, until)) in intervals.iter().enumerate() {
        let next = intervals.get(index + 1).map(|(next, _)| next.at);
        let until = match (next, *until) {
            (Some(next), Some(until)) => Some(until.min(next)),
            (a, b) => a.or(b),
        };
        if until.is_none_or(|until| until > begin.at) {
            stays.push(Stay {
                from: begin.at,
                until,
                value: begin.value.clone(),
                began: Some(begin.row),
                row: Some(begin.row),
            });
        }
    }
    stays
}

/// Stays that touch are one spell, and one stay where the value is the same.
fn joined(stays: Vec<Stay>) -> Vec<Spell> {
    let mut spells: Vec<Spell> = Vec::new();
    for stay in stays {
        match spells.last_mut() {
            Some(spell) if spell.until == Some(stay.from) => {
                spell.until = stay.until;
                match spell.stays.last_mut() {
                    Some(last) if last.value.is_same_label(&stay.value) => {
                        last.until = stay.until;
                        last.row = stay.row;
                    }
                    _ => spell.stays.push(stay),
                }
            }
            _ => spells.push(Spell { from: stay.from, until: stay.until, stays: vec![stay] }),
        }
    }
    spells
}
