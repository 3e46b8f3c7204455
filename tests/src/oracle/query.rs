//! A query: cells, values, comparisons, then `having`, order and limit.

use super::cells::{Asking, Cell, Labels, same};
use super::evaluate::{Here, Scope};
use super::names::dotted;
use super::value::{Kind, Unit};
use super::window::{self, Period};
use super::{Number, Oracle, Value};
use kepi_syntax::ast::{Against, Argument, Expr, ExprKind, Fill, Item, Query};
use std::cmp::Ordering;

/// An answer.
#[derive(Clone, Debug)]
pub struct Table {
    /// Period, labels, then each value with its comparisons behind it.
    pub columns: Vec<Column>,
    /// The rows, in order.
    pub rows: Vec<Vec<Value>>,
    /// The first instants of the periods that are not whole.
    pub partial: Vec<i64>,
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
struct Found {
    period: usize,
    labels: Labels,
    values: Vec<Value>,
    keys: Vec<Value>,
}

impl Oracle {
    /// Answers a query.
    ///
    /// # Errors
    /// In words, when the query has no meaning, or has one that the oracle does not know.
    pub fn answer(&self, query: &Query) -> Result<Table, String> {
        if query.currency.is_some() {
            return Err("`in` a currency is not in the oracle".to_string());
        }
        let grain = match &query.per {
            Some(per) => Some(self.calendar.grain(per).ok_or_else(|| format!("{} is no period", dotted(per)))?),
            None => None,
        };
        let mut range = window::range(query, &self.calendar, self.now)?;
        if let (None, Some(grain)) = (range.0, grain) {
            range.0 = self.first_moment(query, range.1)?.map(|first| self.calendar.start(grain, first));
        }
        let periods = window::periods(range, grain, &self.calendar, self.now);
        let asking = Asking::new(self, query, periods.iter().copied().map(Some).collect());
        let mut others = Vec::new();
        for against in &query.versus {
            let there = window::counterparts(against, &periods, range, grain, &self.calendar, self.now)?;
            others.push((against, Asking::new(self, query, there)));
        }

        let mut found = Vec::new();
        for (period, labels) in self.places(query, &asking, &others)? {
            let cell = Cell { asking: &asking, period, labels: Labels::One(labels), aliases: true };
            if let Some(having) = &query.having
                && !self.in_cell(having, &cell)?.is_yes()
            {
                continue;
            }
            found.push(self.row(query, cell, &others)?);
        }
        if matches!(query.fill, Some(Fill::Previous)) {
            carry_forward(&mut found, &asking, query)?;
        }
        found.sort_by(|a, b| ordered(query, &periods, a, b));
        if let Some(limit) = &query.limit {
            let count = limit.number.parse().map_err(|_| "a limit without a number")?;
            if found.len() > count {
                let rest = found.split_off(count);
                if limit.with_other {
                    if grain.is_some() {
                        return Err("`with other` beside `per` is not in the oracle".to_string());
                    }
                    let labels = rest.into_iter().filter_map(|row| match row.labels {
                        Labels::One(labels) => Some(labels),
                        Labels::AnyOf(_) => None,
                    });
                    let labels = Labels::AnyOf(labels.collect());
                    found.push(self.row(query, Cell { asking: &asking, period: 0, labels, aliases: true }, &others)?);
                }
            }
        }
        Ok(self.shown(query, &periods, found))
    }

    /// The time of the first row that any shown aggregate has.
    fn first_moment(&self, query: &Query, until: i64) -> Result<Option<i64>, String> {
        let ever = Period { start: i64::MIN, from: None, until, partial: false };
        let asking = Asking::new(self, query, vec![Some(ever)]);
        let mut first: Option<i64> = None;
        for (name, arguments) in shown_aggregates(query, &asking)? {
            for row in asking.placed(&name, &arguments)?.iter() {
                first = match (first, row.time) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
        }
        Ok(first)
    }

    /// The cells of the answer: dense in time without labels, else where a shown aggregate has a row on either side
    /// of a comparison; with `fill` every label in every period.
    fn places(
        &self,
        query: &Query,
        asking: &Asking<'_>,
        others: &[(&Against, Asking<'_>)],
    ) -> Result<Vec<(usize, Vec<Value>)>, String> {
        if query.by.is_empty() {
            return Ok((0..asking.periods.len()).map(|period| (period, vec![])).collect());
        }
        let mut places: Vec<(usize, Vec<Value>)> = Vec::new();
        for asking in std::iter::once(asking).chain(others.iter().map(|(_, other)| other)) {
            for (name, arguments) in shown_aggregates(query, asking)? {
                for row in asking.placed(&name, &arguments)?.iter() {
                    if !places.iter().any(|(period, labels)| *period == row.period && same(labels, &row.labels)) {
                        places.push((row.period, row.labels.clone()));
                    }
                }
            }
        }
        if query.fill.is_some() {
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

    fn in_cell(&self, expr: &Expr, cell: &Cell<'_>) -> Result<Value, String> {
        self.evaluate(expr, &Scope { here: Here::Cell, period: None, cell: Some(cell) })
    }

    fn row(&self, query: &Query, cell: Cell<'_>, others: &[(&Against, Asking<'_>)]) -> Result<Found, String> {
        let shown = Cell { asking: cell.asking, period: cell.period, labels: cell.labels.clone(), aliases: false };
        let mut values = Vec::new();
        for item in &query.items {
            let value = self.filled(query, item, &shown)?;
            values.push(value.clone());
            for (_, other) in others {
                let there = Cell { asking: other, period: cell.period, labels: cell.labels.clone(), aliases: false };
                let previous = match other.periods[cell.period] {
                    Some(_) => self.filled(query, item, &there)?,
                    None => Value::Missing,
                };
                let (change, percent) = change(&value, &previous);
                values.extend([previous, change, percent]);
            }
        }
        let mut keys = Vec::new();
        for key in &query.order {
            keys.push(self.in_cell(&key.value, &cell)?);
        }
        Ok(Found { period: cell.period, labels: cell.labels, values, keys })
    }

    /// A shown value, or that of `fill` where no shown aggregate has a row.
    pub(super) fn filled(&self, query: &Query, item: &Item, cell: &Cell<'_>) -> Result<Value, String> {
        if let Some(fill) = &query.fill
            && !has_row(query, cell)?
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
        for _ in &query.items {
            columns.push(Column::Value);
            for _ in &query.versus {
                columns.extend([Column::Previous, Column::Change, Column::ChangePercent]);
            }
        }
        let row = |found: Found| {
            let mut row = Vec::new();
            if query.per.is_some() {
                row.push(Value::Time(periods[found.period].start));
            }
            match found.labels {
                Labels::One(labels) => row.extend(labels),
                Labels::AnyOf(_) => row.extend(query.by.iter().map(|_| Value::Text("other".to_string()))),
            }
            row.extend(found.values);
            row
        };
        let partial = periods.iter().filter(|period| period.partial && query.per.is_some());
        Table {
            columns,
            partial: partial.map(|period| period.start).collect(),
            rows: found.into_iter().map(row).collect(),
        }
    }
}

fn shown_aggregates(query: &Query, asking: &Asking<'_>) -> Result<Vec<(String, Vec<Argument>)>, String> {
    let mut found = Vec::new();
    query.items.iter().try_for_each(|item| asking.aggregates(&item.value, &mut found))?;
    Ok(found)
}

fn has_row(query: &Query, cell: &Cell<'_>) -> Result<bool, String> {
    let Labels::One(labels) = &cell.labels else { return Ok(true) };
    for (name, arguments) in shown_aggregates(query, cell.asking)? {
        let placed = cell.asking.placed(&name, &arguments)?;
        if placed.iter().any(|row| row.period == cell.period && same(&row.labels, labels)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Value minus previous, and that over previous: none from a negative or zero base, and none of percents, whose
/// change is in points.
fn change(value: &Value, previous: &Value) -> (Value, Value) {
    if let (Value::Time(to), Value::Time(from)) = (value, previous) {
        return (Value::Elapsed { from: *from, to: *to }, Value::Missing);
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
fn carry_forward(found: &mut [Found], asking: &Asking<'_>, query: &Query) -> Result<(), String> {
    let labels_of = |row: &Found| match &row.labels {
        Labels::One(labels) => labels.clone(),
        Labels::AnyOf(_) => vec![],
    };
    found.sort_by_key(|row| row.period);
    for index in 0..found.len() {
        let labels = labels_of(&found[index]);
        let cell = Cell { asking, period: found[index].period, labels: found[index].labels.clone(), aliases: false };
        if has_row(query, &cell)? {
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

/// By the keys of `order by`, then by period, then by the labels in the order written; missing last.
fn ordered(query: &Query, periods: &[Period], a: &Found, b: &Found) -> Ordering {
    for ((key, x), y) in query.order.iter().zip(&a.keys).zip(&b.keys) {
        let order = match (x.is_missing(), y.is_missing()) {
            (false, false) if key.descending => y.order(x),
            _ => x.order(y),
        };
        if order.is_ne() {
            return order;
        }
    }
    let by_labels = match (&a.labels, &b.labels) {
        (Labels::One(x), Labels::One(y)) => {
            x.iter().zip(y).map(|(x, y)| x.order(y)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        }
        _ => Ordering::Equal,
    };
    periods[a.period].start.cmp(&periods[b.period].start).then(by_labels)
}
