//! States as declared: what begins them, what ends them, whose they are.

use super::events::{self, BaseDecl, EventSet};
use super::literal::seconds;
use super::row::{RowScope, listed_owned};
use super::{Cx, Node, expr, home, window};
use crate::catalog::{StateDecl, Symbol, SymbolKind};
use crate::core::{Reach, Row, RowNode, State, Until, VALUE, When};
use crate::declared::EntityDecl;
use crate::names;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::{self, Expr, ExprKind, Name, Scoped, StateBody};
use kepi_syntax::{Code, Span};

/// A state with what is known of it.
#[derive(Clone, Debug)]
pub(super) struct StateSet {
    /// As the user says it, for messages.
    pub(super) name: String,
    pub(super) entity: EntityDecl,
    /// The events that begin it.
    pub(super) from: EventSet,
    pub(super) core: State,
}

impl StateSet {
    /// Whether it holds or not, and has no further value.
    pub(super) fn is_yes_no(&self) -> bool {
        self.core.unit.kind == Kind::Bool
    }

    /// Whether its values add up.
    pub(super) fn is_number(&self) -> bool {
        self.core.unit.kind.is_numeric()
    }

    /// The yes/no state of having any value.
    pub(super) fn holding(&self) -> State {
        if self.is_yes_no() {
            return self.core.clone();
        }
        let yes = Row::constant(Value::Bool(true), Unit::of(Kind::Bool));
        State { unit: Unit::of(Kind::Bool), holds: Some(yes), ..self.core.clone() }
    }

    /// What it is for an entity.
    pub(super) fn row(&self, of: &Row, when: When) -> Row {
        let node = RowNode::State { state: Box::new(self.core.clone()), of: Box::new(of.clone()), when };
        Row { unit: self.core.unit.clone(), node }
    }

    /// Whether it holds for an entity.
    pub(super) fn held(&self, of: &Row, when: When) -> Row {
        let node = RowNode::State { state: Box::new(self.holding()), of: Box::new(of.clone()), when };
        Row { unit: Unit::of(Kind::Bool), node }
    }
}

/// The value of a state in its own conditions and in the events at its edges.
pub(super) fn value_row(unit: Unit) -> Row {
    Row { unit, node: RowNode::Field(VALUE.to_string()) }
}

/// The entity that a declared state is of.
pub(super) fn owner<'a>(cx: &Cx<'a>, symbol: &Symbol, decl: &StateDecl) -> Option<&'a EntityDecl> {
    let catalog = cx.catalog;
    let (found, _) = catalog.lookup(&symbol.module, &[decl.tree.of.text.as_str()], true)?;
    match &found.kind {
        SymbolKind::Entity(entity) => Some(entity),
        _ => None,
    }
}

/// The state of a symbol, seen from a place that uses it.
pub(super) fn of_symbol(cx: &mut Cx<'_>, symbol: &Symbol, decl: &StateDecl, span: Span) -> Option<StateSet> {
    cx.expand(&symbol.full_name(), &symbol.module, span, |cx| lower(cx, symbol, decl))
}

/// A declared state.
pub(super) fn lower(cx: &mut Cx<'_>, symbol: &Symbol, decl: &StateDecl) -> Option<StateSet> {
    let ast::State { name, of, body, .. } = &decl.tree;
    let Some(entity) = owner(cx, symbol, decl) else {
        if decl.stored.is_some() {
            // That has been said where it is declared.
            return None;
        }
        let known: Vec<&str> = cx.catalog.entities().map(|e| names::bare(&e.name)).collect();
        let help = names::suggestion(&of.text, known)
            .unwrap_or_else(|| format!("declare it: `entity {} key id {{ }}`", of.text));
        return cx.error_help(Code::UnknownName, of.span, format!("there is no entity `{}`", of.text), help);
    };
    let entity = entity.clone();
    let (from, value, until) = match body {
        StateBody::Stored { .. } => {
            let stream = decl.stored.clone()?;
            let field = |name: &str| stream.fields.iter().find(|f| f.name == name);
            let stored = |name: &str, unit| Row { unit, node: RowNode::Field(name.to_string()) };
            let value = match stream.roles.iter().find(|r| r.name == "value") {
                Some(role) => Some(Row {
                    unit: Unit::of(Kind::Entity(role.entity.clone())),
                    node: RowNode::Role("value".to_string()),
                }),
                None => field("value").map(|f| stored("value", f.unit.clone())),
            };
            let until = Until::At(stored("until", Unit::of(Kind::Time)));
            let names = vec![stream.name.clone()];
            let set = EventSet {
                name: symbol.name.clone(),
                names,
                base: BaseDecl::Stream(stream),
                made: None,
                extra: Vec::new(),
                steps: Vec::new(),
                stages: Vec::new(),
                once: None,
            };
            (set, value, until)
        }
        StateBody::From { from, until } => {
            let from = begins(cx, from);
            let until = ended_by(cx, until, &entity);
            (from?, None, until?)
        }
        StateBody::For { from, length } => {
            let from = begins(cx, from);
            let length = window::span(cx, length);
            (from?, None, Until::After(length?))
        }
        StateBody::Value { value, until } => {
            let found = value_of(cx, name, value);
            let until = match until {
                Some(until) => ended_by(cx, until, &entity),
                None => Some(Until::Never),
            };
            let (set, row) = found?;
            (set, Some(row), until?)
        }
    };
    let key = key(cx, &from, &entity, name.span)?;
    let unit = value.as_ref().map_or(Unit::of(Kind::Bool), |row| row.unit.clone());
    // A state whose values are yes and no holds while they are yes.
    let holds = value.as_ref().filter(|_| unit.kind == Kind::Bool).map(|_| value_row(unit.clone()));
    let events = from.events();
    let (text, entity_name) = (symbol.name.clone(), entity.name.clone());
    let core = State { text, entity: entity_name, unit, from: events, key, value, until, holds, existence: None };
    if core.rows().into_iter().any(needs_a_cell) {
        return cx.error_help(
            Code::NoRow,
            name.span,
            format!(
                "`{}` would be another state in every period: it uses `over period`, `opening` or the like",
                name.text
            ),
            "a state is made of events alone; look back with `over last 90 days` or `over all time`",
        );
    }
    Some(StateSet { name: symbol.name.clone(), entity, from, core })
}

/// Whether an expression has a value only in a cell.
pub(super) fn needs_a_cell(row: &Row) -> bool {
    let own = match &row.node {
        RowNode::History(history) => history.over == Reach::Period,
        RowNode::State { when, .. } => *when != When::Moment,
        RowNode::StateAverage { .. } | RowNode::TimeIn { .. } => true,
        _ => false,
    };
    own || row.parts().into_iter().any(needs_a_cell)
}

fn begins(cx: &mut Cx<'_>, from: &Scoped) -> Option<EventSet> {
    let set = events::of_scoped(cx, from)?;
    dated_events(cx, set, from.span, "begin")
}

fn dated_events(cx: &mut Cx<'_>, set: EventSet, span: Span, what: &str) -> Option<EventSet> {
    if set.is_entity() {
        let message = format!("`{}` is an entity: nothing happens that could {what} a state", set.name);
        return cx.error_help(
            Code::WrongKind,
            span,
            message,
            format!("write an event, such as `first(…) per {}`", set.name),
        );
    }
    if !set.is_dated() {
        let message = format!("`{}` is undated: no state can {what} with it", set.name);
        return cx.error_help(Code::Undated, span, message, "declare the event with `at`");
    }
    Some(set)
}

fn ended_by(cx: &mut Cx<'_>, until: &Scoped, entity: &EntityDecl) -> Option<Until> {
    let set = events::of_scoped(cx, until)?;
    let set = dated_events(cx, set, until.span, "end")?;
    let key = key(cx, &set, entity, until.span)?;
    Some(Until::Event { events: set.events(), key })
}

/// The value of one event that a state takes.
fn value_of(cx: &mut Cx<'_>, name: &Name, value: &Expr) -> Option<(EventSet, Row)> {
    if let ExprKind::Path(path) = &value.kind {
        let parts = names::parts(path);
        let found = cx.catalog.lookup(&cx.module, &parts, cx.anywhere);
        let is_event = |symbol: &Symbol| matches!(symbol.kind, SymbolKind::Stream(_) | SymbolKind::Derived(_));
        if found.is_some_and(|(symbol, used)| used == parts.len() && is_event(symbol)) {
            let event = names::text(path);
            let message = format!("`{event}` is an event: a state takes a value of it, or begins with it");
            let help = format!("write `from {event} until …`, `from {event} for 12 months`, or one of its fields");
            return cx.error_help(Code::WrongKind, value.span, message, help);
        }
    }
    let set = match home::home(cx, value) {
        Ok(Some(set)) => set,
        Ok(None) => {
            // Names that mean nothing are told first.
            return cx.error_help(
                Code::NoRow,
                value.span,
                format!("nothing says when `{}` changes: this is no value of an event", name.text),
                "a state takes the value of the last event, such as `stage_changes.stage`; what is computed of many events is a dimension",
            );
        }
        Err(()) => return None,
    };
    let set = dated_events(cx, set, value.span, "begin")?;
    let row: Row = seconds(expr::lower(cx, &mut RowScope::of(&set), value)?);
    if row.unit.kind == Kind::Missing {
        return cx.error(Code::TypeMismatch, value.span, "a state that is always missing never holds");
    }
    Some((set, row))
}

/// The entity of an event's row that a state is about.
fn key(cx: &mut Cx<'_>, set: &EventSet, entity: &EntityDecl, span: Span) -> Option<Row> {
    let roles = set.roles();
    let bare = names::bare(&entity.name);
    let mut of: Vec<_> = roles.iter().filter(|r| r.entity == entity.name).collect();
    if let Some(index) = of.iter().position(|r| r.name == bare) {
        of = vec![of[index]];
    }
    match of.as_slice() {
        [role] => Some(set.role_row(role)),
        [] => cx.error_help(
            Code::NoSubject,
            span,
            format!("`{}` is not of `{bare}`, so it says nothing about its state", set.name),
            format!("`{}` is of {}", set.name, listed_owned(&roles)),
        ),
        _ => cx.error_help(
            Code::Ambiguous,
            span,
            format!("`{}` has several `{bare}`", set.name),
            format!("declare the event with the one that is meant after `of`; it is of {}", listed_owned(&roles)),
        ),
    }
}
