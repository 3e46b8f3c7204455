//! Cells of an answer: which rows of an aggregate lie in which, and what it is worth there.

use super::evaluate::{Here, Moment, Scope, unscoped};
use super::fold::{self, Fold};
use super::names::{AGGREGATES, Base, Role, dotted};
use super::window::Period;
use super::{Oracle, Value, expand};
use kepi_syntax::ast::{Argument, Expr, ExprKind, Item, Query};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A query over certain periods: its own, or those it is compared with.
pub(super) struct Asking<'a> {
    pub(super) oracle: &'a Oracle,
    pub(super) query: &'a Query,
    /// None where a comparison has no such period.
    pub(super) periods: Vec<Option<Period>>,
    placed: RefCell<BTreeMap<String, Rc<Vec<Placed>>>>,
}

/// A row of an aggregate in its cell.
pub(super) struct Placed {
    pub(super) period: usize,
    pub(super) labels: Vec<Value>,
    pub(super) time: Option<i64>,
    value: Value,
}

/// Which labels a cell takes.
#[derive(Clone, Debug)]
pub(super) enum Labels {
    One(Vec<Value>),
    AnyOf(Vec<Vec<Value>>),
}

/// A cell of the answer.
pub(super) struct Cell<'a> {
    pub(super) asking: &'a Asking<'a>,
    pub(super) period: usize,
    pub(super) labels: Labels,
    /// Whether names of shown values may be used: in `having` and `order by`.
    pub(super) aliases: bool,
}

impl<'a> Asking<'a> {
    pub(super) fn new(oracle: &'a Oracle, query: &'a Query, periods: Vec<Option<Period>>) -> Asking<'a> {
        Asking { oracle, query, periods, placed: RefCell::default() }
    }

    /// The rows of an aggregate, each in its cell, in their order.
    pub(super) fn placed(&self, name: &str, arguments: &[Argument]) -> Result<Rc<Vec<Placed>>, String> {
        let key = format!("{name} {arguments:?}");
        if let Some(placed) = self.placed.borrow().get(&key) {
            return Ok(Rc::clone(placed));
        }
        let oracle = self.oracle;
        let asked = oracle.asked(name, arguments)?;
        if asked.over.is_some() {
            return Err("`over` without a row is not in the oracle".to_string());
        }
        let mut placed = Vec::new();
        let mut place = |period: usize, here: Here, time: Option<i64>| -> Result<(), String> {
            let range = self.periods[period].map(|p| (p.from, p.until));
            let scope = Scope { here, period: range, cell: None };
            let judge = |filter: &Option<Expr>| match filter {
                Some(filter) => oracle.evaluate(filter, &scope),
                None => Ok(Value::Bool(true)),
            };
            if !judge(&self.query.filter)?.is_yes() {
                return Ok(());
            }
            let kept = judge(&asked.filter)?;
            if !matches!(asked.how, Fold::Share) && !kept.is_yes() {
                return Ok(());
            }
            let value = match &asked.value {
                Some(value) => oracle.evaluate(value, &scope)?,
                None => kept,
            };
            let labels = self.query.by.iter().map(|label| oracle.evaluate(&label.value, &scope));
            placed.push(Placed { period, labels: labels.collect::<Result<_, _>>()?, time, value });
            Ok(())
        };
        match &asked.base {
            Some(Base::Event(event)) => {
                let rows = match asked.rows {
                    Some(rows) => rows,
                    None => oracle.rows_of(event)?.to_vec(),
                };
                for row in rows {
                    let time = oracle.rows[row].time;
                    if time.is_none() && (self.query.per.is_some() || self.query.window.is_some()) {
                        return Err(format!("{event} is undated"));
                    }
                    for (index, period) in self.periods.iter().enumerate() {
                        let Some(period) = period else { continue };
                        let inside = time.is_none_or(|at| period.from.is_none_or(|f| f <= at) && at < period.until);
                        if inside {
                            place(index, Here::Row { event: event.clone(), row }, time)?;
                        }
                    }
                }
            }
            Some(Base::Entity(entity)) => {
                let keys = oracle.keys(entity)?;
                for (index, period) in self.periods.iter().enumerate() {
                    let Some(period) = period else { continue };
                    for key in &keys {
                        let from = oracle.exists_from(entity, key)?;
                        if from.is_none_or(|from| from < period.until) {
                            let moment = Moment::Before(period.until);
                            place(index, Here::Entity { entity: entity.clone(), key: key.clone(), moment }, from)?;
                        }
                    }
                }
            }
            None => return Err(format!("{name} of no event")),
        }
        let placed = Rc::new(placed);
        self.placed.borrow_mut().insert(key, Rc::clone(&placed));
        Ok(placed)
    }

    /// All aggregates that an expression uses, with those of the metrics and functions in it.
    pub(super) fn aggregates(&self, expr: &Expr, found: &mut Vec<(String, Vec<Argument>)>) -> Result<(), String> {
        let names = &self.oracle.names;
        match &expr.kind {
            ExprKind::Path(path) => match names.values.get(&dotted(path)) {
                Some((Role::Metric, metric)) => {
                    let bound = expand::bind(&metric.parameters, &[])?;
                    self.aggregates(&expand::put_in(&metric.value, &bound), found)
                }
                _ => Ok(()),
            },
            ExprKind::Call { function, arguments } => {
                let name = dotted(function);
                if let Some(function) = names.functions.get(&name) {
                    let bound = expand::bind(&function.parameters, arguments)?;
                    return self.aggregates(&expand::put_in(&function.value, &bound), found);
                }
                if let Some((_, metric)) = names.values.get(&name) {
                    let bound = expand::bind(&metric.parameters, arguments)?;
                    return self.aggregates(&expand::put_in(&metric.value, &bound), found);
                }
                if AGGREGATES.contains(&&name[..]) {
                    found.push((name, arguments.clone()));
                    return Ok(());
                }
                arguments.iter().try_for_each(|argument| self.aggregates(&unscoped(argument)?, found))
            }
            ExprKind::Case { whens, otherwise } => {
                for (when, then) in whens {
                    self.aggregates(when, found)?;
                    self.aggregates(then, found)?;
                }
                otherwise.as_ref().map_or(Ok(()), |otherwise| self.aggregates(otherwise, found))
            }
            ExprKind::Binary { left, right, .. } => {
                self.aggregates(left, found)?;
                self.aggregates(right, found)
            }
            ExprKind::In { value, .. }
            | ExprKind::Negate(value)
            | ExprKind::Not(value)
            | ExprKind::IsMissing { value, .. } => self.aggregates(value, found),
            _ => Ok(()),
        }
    }
}

impl Oracle {
    /// The value of an aggregate in a cell.
    pub(super) fn cell_aggregate(&self, name: &str, arguments: &[Argument], cell: &Cell<'_>) -> Result<Value, String> {
        let how = self.asked(name, arguments)?.how;
        let placed = cell.asking.placed(name, arguments)?;
        let inside = placed.iter().filter(|row| row.period == cell.period && cell.labels.take(&row.labels));
        let values: Vec<Value> = inside.map(|row| row.value.clone()).collect();
        fold::fold(&how, &values)
    }

    /// A name in a cell: a shown value's alias where these hold, a label, the period.
    pub(super) fn cell_name(&self, parts: &[&str], cell: &Cell<'_>) -> Result<Option<Value>, String> {
        let name = parts.join(".");
        let query = cell.asking.query;
        let called = |item: &Item| item.alias.as_ref().is_some_and(|alias| alias.text == name);
        if cell.aliases
            && let Some(item) = query.items.iter().find(|item| called(item))
        {
            let plain = Cell { asking: cell.asking, period: cell.period, labels: cell.labels.clone(), aliases: false };
            // What is shown, also where `fill` says it.
            return self.filled(query, item, &plain).map(Some);
        }
        let is_label = |item: &Item| called(item) || matches!(&item.value.kind, ExprKind::Path(p) if dotted(p) == name);
        if let Some(index) = query.by.iter().position(is_label) {
            return match &cell.labels {
                Labels::One(labels) => Ok(Some(labels[index].clone())),
                Labels::AnyOf(_) => Ok(Some(Value::Missing)),
            };
        }
        if query.per.as_ref().is_some_and(|per| dotted(per) == name) {
            return Ok(cell.asking.periods[cell.period].map(|period| Value::Time(period.start)));
        }
        Ok(None)
    }
}

impl Labels {
    fn take(&self, labels: &[Value]) -> bool {
        match self {
            Labels::One(one) => same(one, labels),
            Labels::AnyOf(many) => many.iter().any(|one| same(one, labels)),
        }
    }
}

/// Whether two rows have the same labels.
pub(super) fn same(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same_label(b))
}
