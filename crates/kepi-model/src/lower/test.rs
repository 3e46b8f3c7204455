//! `test` blocks: the rows that are given, and what is expected of them.

use super::cell::CellScope;
use super::literal::{fit, seconds};
use super::{Cx, Node, expr};
use crate::catalog::{Catalog, Placed, SymbolKind};
use crate::core::Formula;
use crate::names;
use crate::units;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::{Expr, Given, Query, Report, Test};
use kepi_syntax::{Code, Diagnostic, Span};

/// The rows that a test gives to one event or entity: a value per column, in the unit of its field.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenRows {
    /// The full name of the event, stored state or entity.
    pub name: String,
    /// Whether it is an entity.
    pub entity: bool,
    /// What each column fills.
    pub columns: Vec<GivenColumn>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

/// What a column of given rows fills.
#[derive(Clone, Debug, PartialEq)]
pub enum GivenColumn {
    /// The moment of the event, or from which an attribute with history holds.
    At,
    /// The id of the row.
    Id,
    /// The key of the entity.
    Key,
    /// The key of an entity that the event is about.
    Role(String),
    /// A field.
    Field(String, Unit),
}

impl Catalog {
    /// The tests of all files, in order.
    pub fn tests(&self) -> &[Placed<Test>] {
        &self.tests
    }

    /// The reports of all files, in order.
    pub fn reports(&self) -> &[Placed<Report>] {
        &self.reports
    }

    /// What a query means that stands in a test or report of a module.
    pub fn query_of(
        &self,
        module: &str,
        query: &Query,
        now: i64,
        file: u32,
    ) -> (Option<crate::core::Query>, Vec<Diagnostic>) {
        self.query_in(module, module.is_empty(), query, now, file)
    }

    /// The rows that a test gives. None: they have mistakes, which come back.
    pub fn given(&self, test: &Placed<Test>, now: i64) -> (Option<Vec<GivenRows>>, Vec<Diagnostic>) {
        let mut cx = Cx::new(self, &test.module, test.file, now, test.module.is_empty());
        let rows: Vec<Option<GivenRows>> = test.item.given.iter().map(|given| given_rows(&mut cx, given)).collect();
        let rows: Option<Vec<GivenRows>> = rows.into_iter().collect();
        let rows = if cx.failed() { None } else { rows };
        (rows, cx.diagnostics)
    }

    /// A constant that a test expects, with its unit. None: it has mistakes, which come back.
    pub fn expected(&self, test: &Placed<Test>, value: &Expr, now: i64) -> (Option<(Value, Unit)>, Vec<Diagnostic>) {
        let mut cx = Cx::new(self, &test.module, test.file, now, test.module.is_empty());
        let value = constant(&mut cx, value);
        let value = if cx.failed() { None } else { value };
        (value, cx.diagnostics)
    }

    /// The instant after the last moment that a test gives, at the start of a day: the test's `now` where it says none.
    pub fn now_of(&self, test: &Placed<Test>, given: &[GivenRows]) -> Option<i64> {
        if let Some(now) = &test.item.now {
            return self.instant(&now.text);
        }
        let zone = super::window::zone_of(self);
        let mut last = None;
        for rows in given {
            for (place, column) in rows.columns.iter().enumerate() {
                let timed = match column {
                    GivenColumn::At => true,
                    GivenColumn::Field(_, unit) => matches!(unit.kind, Kind::Time | Kind::Date),
                    _ => false,
                };
                let moments = rows.rows.iter().filter_map(|row| match row.get(place) {
                    Some(Value::Time(at)) => Some(*at),
                    Some(Value::Date(day)) => Some(zone.start_of_day(crate::calendar::date_of(*day))),
                    _ => None,
                });
                if timed && matches!(column, GivenColumn::At) {
                    last = last.max(moments.max());
                }
            }
        }
        let day = crate::calendar::Grain::ordinary(crate::calendar::TimeUnit::Day);
        last.map(|at| zone.step(&day, zone.truncate(&day, at), 1))
    }

    /// The mistakes of all tests.
    pub(super) fn check_tests(&self, now: i64) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for test in &self.tests {
            let (given, mut diagnostics) = self.given(test, now);
            found.append(&mut diagnostics);
            let now = given.and_then(|given| self.now_of(test, &given)).unwrap_or(now);
            for expect in &test.item.expect {
                found.append(&mut self.query_of(&test.module, &expect.query, now, test.file).1);
                for value in expect.gives.iter().flatten() {
                    found.append(&mut self.expected(test, value, now).1);
                }
            }
        }
        found
    }
}

fn constant(cx: &mut Cx<'_>, value: &Expr) -> Option<(Value, Unit)> {
    let lowered: Formula = expr::lower(cx, &mut CellScope::new(&[], None, None, false), value)?;
    let lowered = seconds(lowered);
    match lowered.as_constant() {
        Some(constant) => Some((constant.clone(), lowered.unit.clone())),
        None => cx.error_help(
            Code::TypeMismatch,
            value.span,
            "a test gives and expects constants",
            "write a value such as `100 EUR`, `2025-03-01`, `\"c1\"` or `missing`",
        ),
    }
}

fn given_rows(cx: &mut Cx<'_>, given: &Given) -> Option<GivenRows> {
    let parts = names::parts(&given.event);
    let catalog = cx.catalog;
    let text = names::text(&given.event);
    let Some((symbol, _)) = catalog.lookup(&cx.module, &parts, cx.anywhere).filter(|(_, used)| *used == parts.len())
    else {
        return super::events::unknown(cx, &given.event);
    };
    let stored = match &symbol.kind {
        SymbolKind::Entity(entity) => {
            let mut known = vec![(entity.key.clone(), GivenColumn::Key), ("at".to_string(), GivenColumn::At)];
            known.extend(
                entity.fields.iter().map(|f| (f.name.clone(), GivenColumn::Field(f.name.clone(), f.unit.clone()))),
            );
            Some((entity.name.clone(), true, known))
        }
        _ => catalog.stream(&symbol.full_name()).map(|stream| {
            let mut known: Vec<(String, GivenColumn)> =
                stream.roles.iter().map(|r| (r.name.clone(), GivenColumn::Role(r.name.clone()))).collect();
            known.extend(stream.at.iter().map(|at| (at.clone(), GivenColumn::At)));
            known.extend(
                stream.fields.iter().map(|f| (f.name.clone(), GivenColumn::Field(f.name.clone(), f.unit.clone()))),
            );
            if !known.iter().any(|(name, _)| name == "id") {
                known.push(("id".to_string(), GivenColumn::Id));
            }
            (stream.name.clone(), false, known)
        }),
    };
    let Some((name, entity, known)) = stored else {
        return cx.error_help(
            Code::WrongKind,
            given.event.span,
            format!("`{text}` is {} that is made of others: rows cannot be given to it", symbol.kind.a_word()),
            "give rows to the stored events and entities that it is made of",
        );
    };
    let mut columns = Vec::new();
    for column in &given.columns {
        match known.iter().find(|(name, _)| *name == column.text) {
            Some((_, found)) => columns.push(found.clone()),
            None => {
                let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
                let help = names::suggestion(&column.text, names.iter().copied())
                    .unwrap_or_else(|| format!("it has {}", names.join(", ")));
                cx.error_help::<()>(
                    Code::FieldLacking,
                    column.span,
                    format!("`{text}` has no `{}`", column.text),
                    help,
                );
            }
        }
    }
    let missing =
        known.iter().find(|(_, c)| matches!((c, entity), (GivenColumn::Key, true) | (GivenColumn::At, false)));
    if let Some((name, needed)) = missing
        && !columns.contains(needed)
        && columns.len() == given.columns.len()
    {
        let span = given.columns.first().map_or(given.span, |c| c.span);
        cx.error_help::<()>(
            Code::FieldLacking,
            span,
            format!("the rows of `{text}` are given without `{name}`"),
            format!("add `{name}` to the columns"),
        );
    }
    if columns.len() < given.columns.len() {
        return None;
    }
    let rows: Vec<Option<Vec<Value>>> = given.rows.iter().map(|row| given_row(cx, row, &columns, given.span)).collect();
    Some(GivenRows { name, entity, columns, rows: rows.into_iter().collect::<Option<Vec<_>>>()? })
}

fn given_row(cx: &mut Cx<'_>, row: &[Expr], columns: &[GivenColumn], span: Span) -> Option<Vec<Value>> {
    if row.len() != columns.len() {
        let span = row.first().map_or(span, |first| first.span);
        return cx.error_help(
            Code::Arguments,
            span,
            format!("this row has {} for {}", counted(row.len(), "value"), counted(columns.len(), "column")),
            "write a value for each column, `missing` where there is none",
        );
    }
    let mut values = Vec::new();
    for (cell, column) in row.iter().zip(columns) {
        let wanted = match column {
            GivenColumn::At => Unit::of(Kind::Time),
            GivenColumn::Id | GivenColumn::Key | GivenColumn::Role(_) => Unit::of(Kind::Text),
            GivenColumn::Field(_, unit) => match &unit.kind {
                Kind::Entity(_) => Unit::of(Kind::Text),
                _ => unit.clone(),
            },
        };
        values.push(given_value(cx, cell, &wanted)?);
    }
    Some(values)
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A given value in the unit of its column. A plain number stands for money, percents and the like too.
fn given_value(cx: &mut Cx<'_>, cell: &Expr, wanted: &Unit) -> Option<Value> {
    let lowered: Formula = expr::lower(cx, &mut CellScope::new(&[], None, None, false), cell)?;
    let lowered = seconds(fit(cx, lowered, wanted));
    let Some(value) = lowered.as_constant().cloned() else {
        return cx.error(Code::TypeMismatch, cell.span, "a given value is a constant");
    };
    let key = matches!(wanted.kind, Kind::Text) && matches!(value, Value::Decimal { scale: 0, .. });
    let plain = lowered.unit.kind == Kind::Number && wanted.kind.is_numeric();
    let fits = plain || key || matches!(value, Value::Missing) || units::join(wanted, lowered.unit()).is_ok();
    if !fits {
        return cx.error_help(
            Code::TypeMismatch,
            cell.span,
            format!("this is {}, the column is {wanted}", lowered.unit),
            "write a value of the column's type, or `missing`",
        );
    }
    Some(match value {
        Value::Decimal { digits, .. } if key => Value::Text(digits.to_string()),
        other => other,
    })
}
