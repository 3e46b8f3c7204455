//! Aggregates of aggregates: a value for each group, then one of them all.

use super::calendar::Length;
use super::cells::{Asking, Cell, Placed, same, takes};
use super::evaluate::{Here, Moment, Scope};
use super::fold;
use super::window::Period;
use super::{Oracle, Value};
use kepi_syntax::ast::{Argument, Expr, ExprKind, Over, Path, Query, Scoped, Window};
use std::cmp::Ordering;
use std::rc::Rc;

/// The cells of groups.
struct Groups<'a> {
    asking: Rc<Asking<'a>>,
    /// The outer period of each inner one.
    outer: Vec<usize>,
    /// The entity that the groups are of, where they are, and which key it is.
    entity: Option<(String, usize)>,
    /// Whether they are those of every entity: inside, rows have no labels but the keys.
    every: bool,
    /// Where groups are: inner period, labels and keys.
    places: Vec<(usize, Vec<Value>, Option<i64>)>,
}

impl<'a> Asking<'a> {
    /// A row for each group, in the outer cell that it belongs to.
    pub(super) fn place_groups(self: &Rc<Self>, inner: &Scoped) -> Result<Vec<Placed>, String> {
        let groups = self.groups(inner)?;
        let place = |(period, labels, time): &(usize, Vec<Value>, Option<i64>)| Placed {
            period: groups.outer[*period],
            labels: labels[..self.by.len()].to_vec(),
            time: *time,
            value: Value::Missing,
            index: 0,
        };
        Ok(groups.places.iter().map(place).collect())
    }

    fn groups(self: &Rc<Self>, inner: &Scoped) -> Result<Groups<'a>, String> {
        let oracle = self.oracle;
        let per = inner.per.as_ref().ok_or("groups without `per`")?;
        let (mut grain, mut keys) = (None, Vec::new());
        let mut entity = None;
        let labels = if per.every { 0 } else { self.by.len() };
        for path in &per.grains {
            let name = &path.parts[path.parts.len() - 1].text;
            let is_entity = oracle.names.entities.contains_key(name);
            match oracle.calendar.grain(path).filter(|_| !is_entity) {
                Some(found) => grain = Some(found),
                None => {
                    if is_entity && path.parts.len() == 1 {
                        entity = Some((name.clone(), labels + keys.len()));
                    }
                    keys.push(path_of(path));
                }
            }
        }
        let (mut periods, mut outer) = (Vec::new(), Vec::new());
        for (index, period) in self.periods.iter().enumerate() {
            let Some(period) = period else { continue };
            let parts = match grain {
                Some(grain) => {
                    let from = match period.from {
                        Some(from) => Some(from),
                        None => self.first_of(&inner.value, period.until)?,
                    };
                    super::window::periods((from, period.until), Some(grain), &oracle.calendar, oracle.now)
                }
                None => vec![*period],
            };
            outer.extend(parts.iter().map(|_| index));
            periods.extend(parts.into_iter().map(Some));
        }
        let by = self.by.iter().take(labels).cloned().chain(keys).collect();
        let mut asking = Asking { by, grouped: true, ..self.with(periods) };
        if per.every {
            // What is asked beside every entity is asked of the entity.
            asking.query = Rc::new(Query { filter: None, ..Query::clone(&self.query) });
            asking.narrowed.clear();
        }
        let every = per.every;
        let mut groups = Groups { asking: Rc::new(asking), outer, entity, every, places: Vec::new() };
        let mut spots = Vec::new();
        groups.asking.spots(&inner.value, true, &mut spots)?;
        for (asking, name, arguments) in spots {
            for row in asking.placed(&name, &arguments)?.iter() {
                groups.add(row.period, &row.labels, row.time);
            }
        }
        if per.every {
            groups.add_every(oracle)?;
        }
        // Whoever is no entity is no group of entities.
        if let Some((_, key)) = groups.entity {
            groups.places.retain(|(_, labels, _)| !labels[key].is_missing());
        }
        if per.every {
            groups.label(self)?;
        }
        groups.places.sort_by(|(p, a, _), (q, b, _)| {
            let keys = a.iter().zip(b).map(|(a, b)| a.order(b)).find(|order| order.is_ne());
            p.cmp(q).then(keys.unwrap_or(Ordering::Equal))
        });
        let mut kept = Vec::new();
        for place in std::mem::take(&mut groups.places) {
            if groups.keeps(oracle, inner, self, &place)? {
                kept.push(place);
            }
        }
        groups.places = kept;
        Ok(groups)
    }

    /// The first moment of an expression's rows.
    fn first_of(self: &Rc<Self>, expr: &Expr, until: i64) -> Result<Option<i64>, String> {
        let ever = Period { start: super::window::EVER, from: None, until, partial: false };
        let asking = Rc::new(self.with(vec![Some(ever)]));
        let mut spots = Vec::new();
        asking.spots(expr, false, &mut spots)?;
        let mut first: Option<i64> = None;
        for (asking, name, arguments) in spots {
            for time in asking.placed(&name, &arguments)?.iter().filter_map(|row| row.time) {
                first = Some(first.map_or(time, |first| first.min(time)));
            }
        }
        Ok(first)
    }
}

impl Groups<'_> {
    fn add(&mut self, period: usize, labels: &[Value], time: Option<i64>) {
        match self.places.iter_mut().find(|(p, known, _)| *p == period && same(known, labels)) {
            Some((_, _, first)) => {
                *first = match (*first, time) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            None => self.places.push((period, labels.to_vec(), time)),
        }
    }

    /// `per every customer`: also those that have no row.
    fn add_every(&mut self, oracle: &Oracle) -> Result<(), String> {
        let Some((entity, _)) = self.entity.clone() else { return Err("`per every` of no entity".to_string()) };
        for index in 0..self.asking.periods.len() {
            let Some(period) = self.asking.periods[index] else { continue };
            for key in oracle.keys(&entity)? {
                let from = oracle.exists_from(&entity, &key)?;
                if from.is_none_or(|from| from < period.until) {
                    self.add(index, &[Value::Text(key)], from);
                }
            }
        }
        Ok(())
    }

    /// Puts every entity where it belongs at the end of its group's time, by the labels and conditions of the query.
    fn label(&mut self, outside: &Asking<'_>) -> Result<(), String> {
        let Some((entity, _)) = self.entity.clone() else { return Err("`per every` of no entity".to_string()) };
        let ends = self.asking.periods.iter().zip(&self.outer);
        let of_cell = |(own, outer): (&Option<Period>, &usize)| {
            outside.periods[*outer].zip(*own).map(|(outer, own)| Period { until: own.until, ..outer })
        };
        let asking = outside.with(ends.map(of_cell).collect());
        for (period, labels, time) in std::mem::take(&mut self.places) {
            let Value::Text(key) = &labels[0] else { continue };
            let until = self.asking.periods[period].map_or(0, |period| period.until);
            let here = Here::Entity { entity: entity.clone(), key: key.clone(), moment: Moment::Before(until) };
            if let Some(found) = asking.place(period, &here, None, None, false)? {
                self.places.push((period, found.labels.into_iter().chain(labels).collect(), time));
            }
        }
        self.entity = Some((entity, outside.by.len()));
        Ok(())
    }

    /// Whether the condition beside `per` takes a group: it is asked of the entity at the group's end.
    fn keeps(
        &self,
        oracle: &Oracle,
        inner: &Scoped,
        outside: &Asking<'_>,
        (period, labels, _): &(usize, Vec<Value>, Option<i64>),
    ) -> Result<bool, String> {
        let Some(filter) = inner.filter.as_ref().filter(|_| !outside.without_conditions) else { return Ok(true) };
        let (entity, key) = match (&self.entity, &outside.subject) {
            (Some((entity, key)), _) => match &labels[*key] {
                Value::Text(key) => (entity.clone(), key.clone()),
                _ => return Ok(false),
            },
            // Groups of a history are those of whose history it is.
            (None, Some(scope)) => match oracle.subject_of(scope)? {
                Some(found) => found,
                None => return Ok(false),
            },
            (None, None) => return Err("a condition on groups of no entity".to_string()),
        };
        let until = self.asking.periods[*period].map_or(0, |period| period.until);
        let here = Here::Entity { entity, key, moment: Moment::Before(until) };
        let range = outside.periods[self.outer[*period]].map(|p| (p.from, p.until));
        Ok(oracle.evaluate(filter, &Scope { here, period: range, cell: None })?.is_yes())
    }
}

impl Oracle {
    /// The entity, and which one, that a row or an entity is about first of all.
    fn subject_of(&self, scope: &Scope<'_, '_>) -> Result<Option<(String, String)>, String> {
        match &scope.here {
            Here::Entity { entity, key, .. } => Ok(Some((entity.clone(), key.clone()))),
            Here::Row { event, row } => {
                let about = self.names.about(event)?;
                let first = about.first().ok_or("a row of nobody")?;
                Ok(self.key(*row, &first.role).map(|key| (first.entity.clone(), key)))
            }
            Here::Cell => Err("a cell is about nobody".to_string()),
        }
    }

    /// Groups within the history of a row's (or the) entity.
    pub(super) fn groups_here(
        &self,
        name: &str,
        arguments: &[Argument],
        inner: &Scoped,
        scope: &Scope<'_, '_>,
    ) -> Result<Value, String> {
        let until = match &scope.here {
            Here::Row { row, .. } | Here::Entity { moment: Moment::With { row }, .. } => {
                self.row(*row).time.ok_or("groups of an undated row")? + 1
            }
            // Of an entity the whole period of the cell counts, also where a state of it is read at the beginning.
            Here::Entity { moment: Moment::Before(until), .. } => match (&inner.over, scope.period) {
                (Some(Over::Period), Some((_, until))) => until,
                _ => *until,
            },
            Here::Cell => return Err("a cell has no history".to_string()),
        };
        let from = match &inner.over {
            None | Some(Over::AllTime) => None,
            Some(Over::Period) => scope.period.and_then(|(from, _)| from),
            Some(Over::Window(Window::Last { length, to_date: false })) => {
                let number: i64 = length.number.parse().map_err(|_| "a length without a number")?;
                let from = self.calendar.add(until, Length::of(number, length.unit).negated());
                Some(from)
            }
            Some(other) => return Err(format!("over {other:?} is not in the oracle")),
        };
        let inner = Scoped { over: None, ..inner.clone() };
        let period = Period { start: 0, from, until, partial: false };
        let asking = Asking::new(self, &Rc::new(Query::default()), vec![Some(period)]);
        let subject = Scope { here: scope.here.clone(), period: scope.period, cell: None };
        let asking = Rc::new(Asking { subject: Some(subject), ..asking.with(asking.periods.clone()) });
        let values = Cell { asking, period: 0, labels: vec![vec![]], aliases: false, is_rest: false }
            .group_values(name, &inner)?;
        fold::fold(&self.how(name, arguments)?, &values)
    }
}

impl Cell<'_> {
    /// The values of the groups in a cell, in the order of their periods.
    pub(super) fn group_values(&self, name: &str, inner: &Scoped) -> Result<Vec<Value>, String> {
        let groups = self.asking.groups(inner)?;
        let width = self.asking.by.len();
        let every = groups.every;
        let mut seen: Vec<(usize, Vec<Value>)> = Vec::new();
        let mut values = Vec::new();
        for (period, labels, _) in &groups.places {
            let (outer, keys) = (&labels[..width], labels[width..].to_vec());
            if groups.outer[*period] != self.period || !takes(&self.labels, outer) {
                continue;
            }
            // The rest of `with other` and a total see a group that lies under several labels once.
            if seen.iter().any(|(p, known)| p == period && same(known, &keys)) {
                continue;
            }
            let with_keys = |one: &Vec<Option<Value>>| {
                let keys = keys.iter().cloned().map(Some);
                one.iter().filter(|_| !every).cloned().chain(keys).collect::<Vec<_>>()
            };
            let cell = Cell {
                asking: Rc::clone(&groups.asking),
                period: *period,
                labels: self.labels.iter().map(with_keys).collect(),
                aliases: false,
                is_rest: false,
            };
            let value = self.asking.oracle.in_cell(&inner.value, &cell)?;
            values.push(if name == "count" { Value::Bool(true) } else { value });
            seen.push((*period, keys));
        }
        Ok(values)
    }
}

fn path_of(path: &Path) -> Expr {
    Expr { kind: ExprKind::Path(path.clone()), span: path.span }
}
