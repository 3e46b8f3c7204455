//! A query: cells, values, comparisons, then `having`, order and limit.

use super::cells::{Asking, Cell, Labels, Shape, Spot, exactly, same, takes};
use super::evaluate::{Here, Scope};
use super::names::dotted;
use super::order::ordered;
use super::value::{Kind, Unit};
use super::window::{self, Period};
use super::{Number, Oracle, Value};
use kepi_syntax::ast::{Against, Expr, ExprKind, Fill, Item, OrderKey, Query};
use std::cmp::Ordering;
use std::rc::Rc;

/// An answer.
#[derive(Clone, Debug)]
pub struct Table {
    /// Period, labels, then each value with its comparisons behind it.
    pub columns: Vec<Column>,
    /// The rows, in order.
    pub rows: Vec<Vec<Value>>,
    /// The first instants of the periods that are not whole.
    pub partial: Vec<i64>,
    /// The rows, from 0, of cohorts that are too young for what they show; none where the oracle does not say.
    pub young: Option<Vec<usize>>,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The variants say it.
pub enum Column {
    Period,
    Label,
    Value,
    Previous,
    Change,
    ChangePercent,
}

/// A row before it is shown.
pub(super) struct Found {
    pub(super) period: usize,
    labels: Labels,
    values: Vec<Value>,
    pub(super) keys: Vec<Value>,
    /// Whether it is what a limit cut, together.
    pub(super) is_rest: bool,
}

impl Oracle {
    /// Answers a query.
    ///
    /// # Errors
    /// In words, when the query has no meaning, or has one that the oracle does not know.
    pub fn answer(&self, query: &Query) -> Result<Table, String> {
        self.answer_of(query, !query.versus.is_empty())
    }

    /// The answer to a query whose own values are compared, or not: of what runs only the elapsed part is.
    fn answer_of(&self, query: &Query, compared: bool) -> Result<Table, String> {
        let query = Rc::new(self.with_lift(query)?);
        let grain = match &query.per {
            Some(per) => Some(self.calendar.grain(per).ok_or_else(|| format!("{} is no period", dotted(per)))?),
            None => None,
        };
        let mut range = window::range(&query, &self.calendar, self.now)?;
        let open = range.0.is_none() && query.moment.is_none();
        if open {
            // With periods, the first one that has a row is looked for below.
            let first = self.first_moment(&query, range.1, grain.is_some())?;
            range.0 = first.map(|first| grain.map_or(first, |grain| self.calendar.start(grain, first)));
        }
        let mut periods = window::periods(range, grain, &self.calendar, self.now);
        if open && grain.is_some() {
            periods.drain(..self.periods_before_rows(&query, &periods)?);
            range.0 = periods.first().map(|period| period.start);
        }
        if compared && query.moment.is_none() {
            let runs = |period: &&mut Period| period.from.is_none_or(|from| from < self.now) && self.now < period.until;
            periods.iter_mut().filter(runs).for_each(|period| period.until = self.now);
        }
        let asking = Asking::new(self, &query, periods.iter().copied().map(Some).collect());
        let mut others = Vec::new();
        for against in &query.versus {
            let other = match against {
                Against::Target { .. } => None,
                against => {
                    let there = window::counterparts(against, &periods, range, grain, &self.calendar, self.now)?;
                    Some(Asking::new(self, &query, there))
                }
            };
            others.push(other);
        }
        let places = self.places(&asking, &others)?;
        for asking in std::iter::once(&asking).chain(others.iter().flatten()) {
            asking.places.replace(places.clone());
        }
        let mut passed = Vec::new();
        for (period, labels) in &places {
            let cell = place(&asking, *period, labels);
            if let Some(having) = &query.having
                && !self.in_cell(having, &cell)?.is_yes()
            {
                continue;
            }
            passed.push((*period, labels.clone()));
        }
        let shown: Vec<Vec<Value>> = passed.iter().map(|(_, labels)| labels.clone()).collect();
        let kept = self.labels_kept(&query, &shown)?;
        let (mut found, mut rest) = (Vec::new(), Vec::new());
        for (period, labels) in &passed {
            let cell = place(&asking, *period, labels);
            if kept.as_ref().is_some_and(|kept| !kept.iter().any(|kept| same(kept, labels))) {
                rest.push((*period, cell.labels));
                continue;
            }
            found.extend(self.rows_in(cell, &others)?);
        }
        found.extend(self.others_of(rest, &asking, &others)?);
        if matches!(query.fill, Some(Fill::Previous)) && query.per.is_some() {
            carry_forward(&mut found, &asking)?;
        }
        found.sort_by(|a, b| ordered(&query, &periods, a, b));
        if let Some(limit) = query.limit.as_ref().filter(|_| kept.is_none()) {
            let count = limit.number.parse().map_err(|_| "a limit without a number")?;
            if found.len() > count {
                let rest = found.split_off(count);
                if limit.with_other {
                    let rest = rest.into_iter().map(|row: Found| (row.period, row.labels)).collect();
                    found.extend(self.others_of(rest, &asking, &others)?);
                }
            }
        }
        let table = self.shown(&query, &periods, found);
        Ok(Table { young: self.young_rows(&asking, &table.rows)?, ..table })
    }

    /// `limit n with other` beside `per`, and of a table, keeps the labels that come first over the whole window.
    fn labels_kept(&self, query: &Query, shown: &[Vec<Value>]) -> Result<Option<Vec<Vec<Value>>>, String> {
        let Some(limit) = query.limit.as_ref().filter(|limit| limit.with_other) else { return Ok(None) };
        let is_table = super::tables::call(query).is_some();
        if query.by.is_empty() || query.per.is_none() && !is_table {
            return Ok(None);
        }
        let per = query.per.as_ref().map(dotted);
        let of_period = |key: &OrderKey| matches!(&key.value.kind, ExprKind::Path(path) if Some(dotted(path)) == per);
        let order = query.order.iter().filter(|key| !of_period(key)).cloned().collect();
        let whole = Query { per: None, limit: None, fill: None, versus: vec![], having: None, order, ..query.clone() };
        let count: usize = limit.number.parse().map_err(|_| "a limit without a number")?;
        let mut rows: Vec<Vec<Value>> = Vec::new();
        for row in self.answer_of(&whole, !query.versus.is_empty())?.rows {
            // A table has several rows of each.
            if !rows.iter().any(|known| same(known, &row[..query.by.len()])) {
                rows.push(row[..query.by.len()].to_vec());
            }
        }
        // Where `having` leaves no row of a label, it takes no place among those that come first.
        Ok(Some(rows.into_iter().filter(|labels| shown.iter().any(|own| same(own, labels))).take(count).collect()))
    }

    /// The row of what `limit` cut, in each period that it cut something of.
    fn others_of<'o>(
        &self,
        rest: Vec<(usize, Labels)>,
        asking: &Rc<Asking<'o>>,
        others: &[Option<Rc<Asking<'o>>>],
    ) -> Result<Vec<Found>, String> {
        let mut cut: Vec<(usize, Labels)> = Vec::new();
        for (period, labels) in rest {
            match cut.iter_mut().find(|(known, _)| *known == period) {
                Some((_, all)) => all.extend(labels),
                None => cut.push((period, labels)),
            }
        }
        cut.sort_by_key(|(period, _)| *period);
        let mut found = Vec::new();
        for (period, labels) in cut {
            let cell = Cell { asking: Rc::clone(asking), period, labels, aliases: true, is_rest: true };
            found.extend(self.rows_in(cell, others)?);
        }
        Ok(found)
    }

    /// The time of the first row that any shown aggregate has, or would have without conditions.
    fn first_moment(&self, query: &Rc<Query>, until: i64, without_conditions: bool) -> Result<Option<i64>, String> {
        let ever = Period { start: window::EVER, from: None, until, partial: false };
        let asking = Asking::new(self, query, vec![]);
        let asking = Rc::new(Asking { without_conditions, ..asking.with(vec![Some(ever)]) });
        let mut first: Option<i64> = None;
        for (asking, name, arguments) in shown_aggregates(&asking, false)? {
            for row in asking.placed(&name, &arguments)?.iter() {
                first = match (first, row.time) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
        }
        Ok(first)
    }

    /// How many periods come before the first in which any shown aggregate has a row; a state has one where it begins.
    fn periods_before_rows(&self, query: &Rc<Query>, periods: &[Period]) -> Result<usize, String> {
        let Some(last) = periods.last() else { return Ok(0) };
        let asking = Asking::new(self, query, periods.iter().copied().map(Some).collect());
        let whole = Period { start: window::EVER, from: None, until: last.until, partial: false };
        let whole = Asking::new(self, query, vec![Some(whole)]);
        let mut first = periods.len();
        for (spot, of_all) in shown_aggregates(&asking, false)?.into_iter().zip(shown_aggregates(&whole, false)?) {
            let (cells, name, arguments) = spot;
            if matches!(self.shape(&name, &arguments)?, Shape::State(_)) {
                let times = of_all.0.placed(&name, &arguments)?;
                let begins = times.iter().filter_map(|row| row.time).min();
                first = first.min(begins.map_or(first, |at| periods.partition_point(|period| period.until <= at)));
            } else {
                first = cells.placed(&name, &arguments)?.iter().map(|row| row.period).fold(first, usize::min);
            }
        }
        Ok(first)
    }

    /// The cells of the answer: dense in time without labels, else where a shown aggregate has a row on either side
    /// of a comparison; with `fill` every label in every period.
    fn places<'o>(
        &self,
        asking: &Rc<Asking<'o>>,
        others: &[Option<Rc<Asking<'o>>>],
    ) -> Result<Vec<(usize, Vec<Value>)>, String> {
        if asking.by.is_empty() {
            return Ok((0..asking.periods.len()).map(|period| (period, vec![])).collect());
        }
        let mut places: Vec<(usize, Vec<Value>)> = Vec::new();
        for asking in std::iter::once(asking).chain(others.iter().flatten()) {
            for (asking, name, arguments) in shown_aggregates(asking, true)? {
                for row in asking.placed(&name, &arguments)?.iter() {
                    if !places.iter().any(|(period, labels)| *period == row.period && same(labels, &row.labels)) {
                        places.push((row.period, row.labels.clone()));
                    }
                }
            }
        }
        if asking.query.fill.is_some() {
            for (_, labels) in places.clone() {
                for period in 0..asking.periods.len() {
                    if !places.iter().any(|(p, known)| *p == period && same(known, &labels)) {
                        places.push((period, labels.clone()));
                    }
                }
            }
        }
        Ok(places)
    }

    pub(super) fn in_cell(&self, expr: &Expr, cell: &Cell<'_>) -> Result<Value, String> {
        self.evaluate(expr, &Scope { here: Here::Cell, period: None, cell: Some(cell) })
    }

    /// The rows of a cell: one, but for tables of their own.
    fn rows_in<'o>(&self, cell: Cell<'o>, others: &[Option<Rc<Asking<'o>>>]) -> Result<Vec<Found>, String> {
        let query = Rc::clone(&cell.asking.query);
        let shown = Cell { aliases: false, ..cell.clone() };
        let there = |other: &Rc<Asking<'o>>| Cell {
            asking: Rc::clone(other),
            period: cell.period,
            labels: cell.labels.clone(),
            aliases: false,
            is_rest: cell.is_rest,
        };
        let found = |values: Vec<Value>, keys: Vec<Value>| Found {
            period: cell.period,
            labels: cell.labels.clone(),
            values,
            keys,
            is_rest: cell.is_rest,
        };
        if let Some(table) = self.table_in(&shown)? {
            if !others.is_empty() || !query.order.is_empty() {
                return Err("a table of its own with `vs` or `order by` is not in the oracle".to_string());
            }
            return Ok(table.into_iter().map(|values| found(values, vec![])).collect());
        }
        let mut values = Vec::new();
        for item in &query.items {
            let value = self.filled(item, &shown)?;
            values.push(value.clone());
            for (other, against) in others.iter().zip(&query.versus) {
                let previous = match other {
                    None => {
                        let name = if let Against::Target { name, .. } = against { name.as_ref() } else { None };
                        self.target_of(&item.value, name.map(dotted).as_deref(), &shown)?
                    }
                    Some(other) => match other.periods[cell.period] {
                        Some(_) => self.filled(item, &there(other))?,
                        None => Value::Missing,
                    },
                };
                let (change, percent) = change(&value, &previous);
                values.extend([previous, change, percent]);
            }
        }
        let mut keys = Vec::new();
        for key in &query.order {
            keys.push(self.in_cell(&key.value, &cell)?);
        }
        Ok(vec![found(values, keys)])
    }

    /// A shown value, or that of `fill` where no shown aggregate has a row.
    pub(super) fn filled(&self, item: &Item, cell: &Cell<'_>) -> Result<Value, String> {
        let query = &cell.asking.query;
        if let Some(fill) = &query.fill
            // Without periods there is none before.
            && (query.per.is_some() || !matches!(fill, Fill::Previous))
            && !has_row(cell)?
        {
            return match fill {
                Fill::Value(value) => self.in_cell(value, cell),
                Fill::Missing | Fill::Previous => Ok(Value::Missing),
            };
        }
        self.in_cell(&item.value, cell)
    }

    fn shown(&self, query: &Query, periods: &[Period], found: Vec<Found>) -> Table {
        let mut columns = Vec::new();
        if query.per.is_some() {
            columns.push(Column::Period);
        }
        columns.extend(query.by.iter().map(|_| Column::Label));
        match super::tables::columns(query) {
            Some(of_table) => columns.extend(of_table),
            None => {
                for _ in &query.items {
                    columns.push(Column::Value);
                    for _ in &query.versus {
                        columns.extend([Column::Previous, Column::Change, Column::ChangePercent]);
                    }
                }
            }
        }
        let row = |found: Found| {
            let mut row = Vec::new();
            if query.per.is_some() {
                row.push(Value::Time(periods[found.period].start));
            }
            match found.is_rest {
                false => row.extend(labels_of(&found)),
                true => row.extend(query.by.iter().map(|_| Value::Text("other".to_string()))),
            }
            row.extend(found.values);
            row
        };
        let partial = periods.iter().filter(|period| period.partial && query.per.is_some());
        Table {
            columns,
            partial: partial.map(|period| period.start).collect(),
            rows: found.into_iter().map(row).collect(),
            young: None,
        }
    }
}

/// The cell of a row of the answer, where names of shown values may be used.
fn place<'a>(asking: &Rc<Asking<'a>>, period: usize, labels: &[Value]) -> Cell<'a> {
    Cell { asking: Rc::clone(asking), period, labels: exactly(labels), aliases: true, is_rest: false }
}

fn shown_aggregates<'a>(asking: &Rc<Asking<'a>>, moved: bool) -> Result<Vec<Spot<'a>>, String> {
    let mut found = Vec::new();
    asking.query.items.iter().try_for_each(|item| asking.spots(&item.value, moved, &mut found))?;
    Ok(found)
}

fn has_row(cell: &Cell<'_>) -> Result<bool, String> {
    for (asking, name, arguments) in shown_aggregates(&cell.asking, true)? {
        let placed = asking.placed(&name, &arguments)?;
        if placed.iter().any(|row| row.period == cell.period && takes(&cell.labels, &row.labels)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The labels of a row that has one of each.
pub(super) fn labels_of(row: &Found) -> Vec<Value> {
    let first = row.labels.first().into_iter().flatten();
    first.map(|label| label.clone().unwrap_or(Value::Missing)).collect()
}

/// Value minus previous, and that over previous: none from a negative or zero base, and none of percents, whose
/// change is in points.
fn change(value: &Value, previous: &Value) -> (Value, Value) {
    if let (Value::Time(to), Value::Time(from)) = (value, previous) {
        return (Value::Elapsed { from: *from, to: *to }, Value::Missing);
    }
    if let (Value::Date(to), Value::Date(from)) = (value, previous) {
        let days = i128::from(to.since(*from).map_or(0, |span| span.get_days()));
        return (Value::Number(Number::whole(days * 86_400), Unit::of(Kind::Duration)), Value::Missing);
    }
    let (Some((a, unit)), Some((b, _))) = (value.as_number(), previous.as_number()) else {
        return (Value::Missing, Value::Missing);
    };
    let difference = a.minus(b);
    let percent = match unit.kind {
        Kind::Percent | Kind::Points => None,
        _ if b.compare(Number::ZERO) != Ordering::Greater => None,
        _ => difference.divided_by(b),
    };
    let kind = if unit.kind == Kind::Percent { Kind::Points } else { unit.kind };
    let percent = percent.map_or(Value::Missing, |p| Value::Number(p, Unit::of(Kind::Percent)));
    (Value::Number(difference, Unit { kind, per: unit.per }), percent)
}

/// `fill previous`: where no aggregate has a row, the values of the period before with the same labels.
fn carry_forward(found: &mut [Found], asking: &Rc<Asking<'_>>) -> Result<(), String> {
    let query = &asking.query;
    found.sort_by_key(|row| row.period);
    for index in 0..found.len() {
        let labels = labels_of(&found[index]);
        let asking = Rc::clone(asking);
        let (period, labels_there) = (found[index].period, found[index].labels.clone());
        let cell = Cell { asking, period, labels: labels_there, aliases: false, is_rest: found[index].is_rest };
        if has_row(&cell)? {
            continue;
        }
        let before = found[..index].iter().rfind(|row| same(&labels_of(row), &labels));
        if let Some(values) = before.map(|row| row.values.clone()) {
            // `order by` an alias goes by what is shown.
            for (key, order) in query.order.iter().enumerate() {
                let called = |item: &Item| {
                    matches!((&order.value.kind, &item.alias),
                    (ExprKind::Path(path), Some(alias)) if dotted(path) == alias.text)
                };
                if let Some(item) = query.items.iter().position(called) {
                    found[index].keys[key] = values[item * (1 + 3 * query.versus.len())].clone();
                }
            }
            found[index].values = values;
        }
    }
    Ok(())
}
