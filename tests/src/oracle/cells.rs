//! Cells of an answer: which rows of an aggregate lie in which, and what it is worth there.

use super::evaluate::{Here, Moment, Scope, unscoped};
use super::fold::{self, Fold};
use super::history::Asked;
use super::names::{Base, Role, dotted, is_aggregate, plain};
use super::window::Period;
use super::{Oracle, Value, expand};
use kepi_syntax::ast::{Argument, Expr, ExprKind, Item, Query, Scoped};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A query over certain periods: its own, those it is compared with, those of a moved window, or those of groups.
pub(super) struct Asking<'a> {
    pub(super) oracle: &'a Oracle,
    pub(super) query: Rc<Query>,
    /// The labels: the query's, and behind them the keys of groups.
    pub(super) by: Vec<Expr>,
    /// None where a comparison has no such period.
    pub(super) periods: Vec<Option<Period>>,
    /// Where the window starts, for `running`.
    pub(super) start: Option<i64>,
    /// In a row or an entity: whose history is looked at.
    pub(super) subject: Option<Scope<'static, 'static>>,
    /// Conditions beside the query's: those of a test group.
    pub(super) narrowed: Vec<Expr>,
    /// Whether these are the cells of groups, which also exist where a state holds at one end only.
    pub(super) grouped: bool,
    /// Whether conditions are left out, to find what there is at all.
    pub(super) without_conditions: bool,
    /// The cells of the answer once they are known.
    pub(super) places: RefCell<Vec<(usize, Vec<Value>)>>,
    pub(super) placed: RefCell<BTreeMap<String, Rc<Vec<Placed>>>>,
    pub(super) moved: RefCell<BTreeMap<String, Rc<Asking<'a>>>>,
}

/// A row of an aggregate in its cell.
#[derive(Clone)]
pub(super) struct Placed {
    pub(super) period: usize,
    pub(super) labels: Vec<Value>,
    pub(super) time: Option<i64>,
    pub(super) value: Value,
    /// Its number among what it was taken from.
    pub(super) index: usize,
}

/// Which labels a cell takes: any of these, where none stands for each value.
pub(super) type Labels = Vec<Vec<Option<Value>>>;

/// A cell of the answer.
#[derive(Clone)]
pub(super) struct Cell<'a> {
    pub(super) asking: Rc<Asking<'a>>,
    pub(super) period: usize,
    pub(super) labels: Labels,
    /// Whether names of shown values may be used: in `having` and `order by`.
    pub(super) aliases: bool,
    /// Whether it is all that a limit cut.
    pub(super) is_rest: bool,
}

/// An aggregate and the cells that it is asked in.
pub(super) type Spot<'a> = (Rc<Asking<'a>>, String, Vec<Argument>);

/// The kinds of aggregate.
pub(super) enum Shape {
    Rows(Asked),
    /// A state's measure, of this.
    State(Scoped),
    /// An aggregate of this aggregate.
    Groups(Scoped),
    /// `funnel` and `conversion`.
    Chain,
    Retention,
}

impl<'a> Asking<'a> {
    pub(super) fn new(oracle: &'a Oracle, query: &Rc<Query>, periods: Vec<Option<Period>>) -> Rc<Asking<'a>> {
        let start = periods.iter().flatten().filter_map(|period| period.from).min();
        Rc::new(Asking {
            oracle,
            query: Rc::clone(query),
            by: query.by.iter().map(|label| label.value.clone()).collect(),
            periods,
            start,
            subject: None,
            narrowed: vec![],
            grouped: false,
            without_conditions: false,
            places: RefCell::default(),
            placed: RefCell::default(),
            moved: RefCell::default(),
        })
    }

    /// The same question in other periods.
    pub(super) fn with(&self, periods: Vec<Option<Period>>) -> Asking<'a> {
        Asking {
            oracle: self.oracle,
            query: Rc::clone(&self.query),
            by: self.by.clone(),
            periods,
            start: self.start,
            subject: self.subject.clone(),
            narrowed: self.narrowed.clone(),
            grouped: self.grouped,
            without_conditions: self.without_conditions,
            places: RefCell::default(),
            placed: RefCell::default(),
            moved: RefCell::default(),
        }
    }

    /// The rows of an aggregate, each in its cell, in their order.
    pub(super) fn placed(self: &Rc<Self>, name: &str, arguments: &[Argument]) -> Result<Rc<Vec<Placed>>, String> {
        let key = format!("{name} {arguments:?}");
        if let Some(placed) = self.placed.borrow().get(&key) {
            return Ok(Rc::clone(placed));
        }
        let placed = match self.oracle.shape(name, arguments)? {
            Shape::Rows(asked) => self.place_rows(name, asked)?,
            Shape::State(of) => self.place_state(name, &of)?,
            Shape::Groups(inner) => self.place_groups(&inner)?,
            Shape::Chain => self.place_attempts(arguments)?,
            Shape::Retention => self.place_members(arguments)?,
        };
        let placed = Rc::new(placed);
        self.placed.borrow_mut().insert(key, Rc::clone(&placed));
        Ok(placed)
    }

    fn place_rows(&self, name: &str, asked: Asked) -> Result<Vec<Placed>, String> {
        let oracle = self.oracle;
        let mut placed = Vec::new();
        let share = matches!(asked.how, Fold::Share);
        match &asked.base {
            Some(Base::Event(event)) => {
                let rows = match asked.rows {
                    Some(rows) => rows,
                    None => oracle.rows_of(event)?.to_vec(),
                };
                for row in self.of_subject(event, rows)? {
                    let time = oracle.row(row).time;
                    if time.is_none() && (self.query.per.is_some() || self.query.window.is_some()) {
                        return Err(format!("{event} is undated"));
                    }
                    for index in self.periods_of(time) {
                        let here = Here::Row { event: event.clone(), row };
                        let found = self.place(index, &here, asked.filter.as_ref(), asked.value.as_ref(), share)?;
                        placed.extend(found.map(|found| Placed { time, index: row, ..found }));
                    }
                }
            }
            Some(Base::Entity(entity)) => {
                let keys = oracle.keys(entity)?;
                for (index, period) in self.periods.iter().enumerate() {
                    let Some(period) = period else { continue };
                    for (number, key) in keys.iter().enumerate() {
                        let from = oracle.exists_from(entity, key)?;
                        if from.is_none_or(|from| from < period.until) {
                            let moment = Moment::Before(period.until);
                            let here = Here::Entity { entity: entity.clone(), key: key.clone(), moment };
                            let found = self.place(index, &here, asked.filter.as_ref(), asked.value.as_ref(), share)?;
                            placed.extend(found.map(|found| Placed { time: from, index: number, ..found }));
                        }
                    }
                }
            }
            None => return Err(format!("{name} of no event")),
        }
        Ok(placed)
    }

    /// Those rows that belong to the history that is looked at.
    pub(super) fn of_subject(&self, event: &str, rows: Vec<usize>) -> Result<Vec<usize>, String> {
        match &self.subject {
            Some(scope) => self.oracle.history_rows(&self.oracle.names.about(event)?, rows, None, scope),
            None => Ok(rows),
        }
    }

    /// The periods that a moment lies in; of moved windows it may lie in several.
    pub(super) fn periods_of(&self, time: Option<i64>) -> Vec<usize> {
        let inside = |period: &Period| time.is_none_or(|at| period.from.is_none_or(|f| f <= at) && at < period.until);
        let periods = self.periods.iter().enumerate();
        periods.filter(|(_, period)| period.as_ref().is_some_and(inside)).map(|(index, _)| index).collect()
    }

    /// Whether the query's conditions take a row or an entity.
    pub(super) fn asks_for(&self, period: usize, here: &Here) -> Result<bool, String> {
        let range = self.periods[period].map(|p| (p.from, p.until));
        let scope = Scope { here: here.clone(), period: range, cell: None };
        for filter in self.query.filter.iter().chain(&self.narrowed).filter(|_| !self.without_conditions) {
            if !self.oracle.evaluate(filter, &scope)?.is_yes() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A row or an entity in a cell, where the conditions take it.
    pub(super) fn place(
        &self,
        period: usize,
        here: &Here,
        filter: Option<&Expr>,
        value: Option<&Expr>,
        share: bool,
    ) -> Result<Option<Placed>, String> {
        let oracle = self.oracle;
        let range = self.periods[period].map(|p| (p.from, p.until));
        let scope = Scope { here: here.clone(), period: range, cell: None };
        let judge = |filter: Option<&Expr>| match filter {
            Some(filter) if !self.without_conditions => oracle.evaluate(filter, &scope),
            _ => Ok(Value::Bool(true)),
        };
        if !self.asks_for(period, here)? {
            return Ok(None);
        }
        let kept = judge(filter)?;
        if !share && !kept.is_yes() {
            return Ok(None);
        }
        let value = match value {
            Some(value) => self.converted(oracle.evaluate(value, &scope)?, here)?,
            None => kept,
        };
        let mut labels = Vec::new();
        for label in &self.by {
            let found = oracle.evaluate(label, &scope)?;
            // Who is in no stage of a life cycle is not counted.
            let is_stage = matches!(&label.kind, ExprKind::Call { function, .. } if dotted(function) == "lifecycle");
            if found.is_missing() && is_stage {
                return Ok(None);
            }
            labels.push(found);
        }
        Ok(Some(Placed { period, labels, time: None, value, index: 0 }))
    }

    /// All aggregates that an expression uses, with those of the metrics and functions in it, each with the cells that
    /// it is asked in; unless `moved`, windows stay where they are.
    pub(super) fn spots(self: &Rc<Self>, expr: &Expr, moved: bool, found: &mut Vec<Spot<'a>>) -> Result<(), String> {
        let names = &self.oracle.names;
        match &expr.kind {
            ExprKind::Path(path) => match names.values.get(&dotted(path)) {
                Some((Role::Metric, metric)) => {
                    let bound = expand::bind(&metric.parameters, &[])?;
                    self.spots(&expand::put_in(&metric.value, &bound), moved, found)
                }
                _ => Ok(()),
            },
            ExprKind::Call { function, arguments } => {
                let name = dotted(function);
                if let Some(function) = names.functions.get(&name) {
                    let bound = expand::bind(&function.parameters, arguments)?;
                    return self.spots(&expand::put_in(&function.value, &bound), moved, found);
                }
                if let Some((_, metric)) = names.values.get(&name) {
                    let bound = expand::bind(&metric.parameters, arguments)?;
                    return self.spots(&expand::put_in(&metric.value, &bound), moved, found);
                }
                if let Some((first, rest)) = self.movement(&name, arguments)? {
                    let value = unscoped(first)?;
                    if name == "growth" || !moved {
                        self.spots(&value, moved, found)?;
                    }
                    return match moved {
                        true => self.moved_by(&rest)?.spots(&value, moved, found),
                        false => Ok(()),
                    };
                }
                if is_aggregate(&name) {
                    let (asking, arguments) = self.reached(arguments)?;
                    found.push((if moved { asking } else { Rc::clone(self) }, name, arguments));
                    return Ok(());
                }
                if name.starts_with("lift") {
                    let value = unscoped(arguments.first().ok_or("a lift of what?")?)?;
                    self.narrowed_to(arguments, "test")?.spots(&value, moved, found)?;
                    return self.narrowed_to(arguments, "control")?.spots(&value, moved, found);
                }
                if name == "total" || name == "of_total" || name == "rank" {
                    return match arguments.first() {
                        Some(first) => self.spots(&unscoped(first)?, moved, found),
                        None => Ok(()),
                    };
                }
                arguments.iter().try_for_each(|argument| self.spots(&unscoped(argument)?, moved, found))
            }
            ExprKind::Case { whens, otherwise } => {
                for (when, then) in whens {
                    self.spots(when, moved, found)?;
                    self.spots(then, moved, found)?;
                }
                otherwise.as_ref().map_or(Ok(()), |otherwise| self.spots(otherwise, moved, found))
            }
            ExprKind::Binary { left, right, .. } => {
                self.spots(left, moved, found)?;
                self.spots(right, moved, found)
            }
            ExprKind::In { value, .. }
            | ExprKind::Negate(value)
            | ExprKind::Not(value)
            | ExprKind::IsMissing { value, .. } => self.spots(value, moved, found),
            _ => Ok(()),
        }
    }
}

impl Oracle {
    /// What kind of aggregate a call is.
    pub(super) fn shape(&self, name: &str, arguments: &[Argument]) -> Result<Shape, String> {
        match name {
            "conversion" | "funnel" => return Ok(Shape::Chain),
            "retention" => return Ok(Shape::Retention),
            _ => {}
        }
        let of = plain(arguments.first().ok_or_else(|| format!("{name} of what?"))?)?;
        Ok(match name {
            "opening" | "closing" | "kept" | "time_in" => Shape::State(of.clone()),
            "avg" if of.per.is_none() && self.names.is_state(&of.value) => Shape::State(of.clone()),
            _ if of.per.is_some() && !self.names.is_event(of) => Shape::Groups(of.clone()),
            _ => Shape::Rows(self.asked(name, arguments)?),
        })
    }

    /// The value of an aggregate in a cell.
    pub(super) fn cell_aggregate(&self, name: &str, arguments: &[Argument], cell: &Cell<'_>) -> Result<Value, String> {
        let (asking, arguments) = cell.asking.reached(arguments)?;
        let cell = &Cell { asking, ..cell.clone() };
        let arguments = &arguments[..];
        let inside = |placed: &[Placed]| -> Vec<Placed> {
            let inside = placed.iter().filter(|row| row.period == cell.period && takes(&cell.labels, &row.labels));
            inside.cloned().collect()
        };
        let values = |placed: &[Placed]| inside(placed).into_iter().map(|row| row.value).collect::<Vec<_>>();
        match self.shape(name, arguments)? {
            Shape::Rows(asked) => fold::fold(&asked.how, &values(&cell.asking.placed(name, arguments)?)),
            Shape::State(of) => {
                let values = values(&cell.asking.placed(name, arguments)?);
                match values.first() {
                    Some(Value::Number(..)) => fold::fold(&Fold::Sum, &values),
                    None if name == "avg" => Ok(Value::Missing),
                    // Nothing of a number is a 0 of no unit.
                    None if name == "time_in" || (name != "kept" && !self.is_yes_no(&of.value)) => {
                        Ok(Value::number(super::Number::ZERO))
                    }
                    _ => fold::fold(&Fold::Count, &values),
                }
            }
            Shape::Groups(inner) => {
                let values = cell.group_values(name, &inner)?;
                fold::fold(&self.how(name, arguments)?, &values)
            }
            Shape::Chain => cell.conversion(&inside(&cell.asking.placed(name, arguments)?), arguments),
            Shape::Retention => cell.returned_at(&inside(&cell.asking.placed(name, arguments)?), arguments),
        }
    }

    /// A name in a cell: a shown value's alias where these hold, a label, the period.
    pub(super) fn cell_name(&self, parts: &[&str], cell: &Cell<'_>) -> Result<Option<Value>, String> {
        let name = parts.join(".");
        let query = &cell.asking.query;
        let called = |item: &Item| item.alias.as_ref().is_some_and(|alias| alias.text == name);
        if cell.aliases
            && let Some(item) = query.items.iter().find(|item| called(item))
        {
            let plain = Cell { aliases: false, ..cell.clone() };
            // What is shown, also where `fill` says it.
            return self.filled(item, &plain).map(Some);
        }
        let is_label = |item: &Item| called(item) || matches!(&item.value.kind, ExprKind::Path(p) if dotted(p) == name);
        if let Some(index) = query.by.iter().position(is_label) {
            return match &cell.labels[..] {
                [labels] => Ok(Some(labels[index].clone().unwrap_or(Value::Missing))),
                _ => Ok(Some(Value::Missing)),
            };
        }
        if query.per.as_ref().is_some_and(|per| dotted(per) == name) {
            return Ok(cell.asking.periods[cell.period].map(|period| Value::Time(period.start)));
        }
        Ok(None)
    }
}

/// Exactly these labels.
pub(super) fn exactly(labels: &[Value]) -> Labels {
    vec![labels.iter().cloned().map(Some).collect()]
}

/// Whether a cell takes a row with these labels.
pub(super) fn takes(cell: &Labels, labels: &[Value]) -> bool {
    let fits = |(a, b): (&Option<Value>, &Value)| a.as_ref().is_none_or(|a| a.is_same_label(b));
    cell.iter().any(|one| one.iter().zip(labels).all(fits))
}

/// Whether two rows have the same labels.
pub(super) fn same(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same_label(b))
}
