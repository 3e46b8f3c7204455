//! What is measured of states: a declared one, a condition that makes a state of another one, or any segment.

use super::events::{self, EventSet};
use super::expr;
use super::row::RowScope;
use super::state::{self, StateSet};
use super::{Cx, holds};
use crate::catalog::{Symbol, SymbolKind};
use crate::core::Row;
use crate::declared::EntityDecl;
use crate::functions::Lowering;
use crate::names;
use kepi_syntax::Code;
use kepi_syntax::ast::{Expr, ExprKind, Path};

/// What a measure of states is of.
pub(super) enum Held {
    /// A declared state.
    State(Box<StateSet>),
    /// A condition on an entity.
    Condition(Box<Condition>),
}

/// A condition on an entity: a segment, or written where it is measured.
pub(super) struct Condition {
    pub(super) of: EntityDecl,
    /// The condition at a row's moment.
    pub(super) holds: Row,
    /// The state that it is, where it depends on states, attributes and histories alone; else what else it depends on, in words.
    pub(super) state: Result<Box<StateSet>, String>,
}

/// The state that an expression means: one that says when it begins and ends. Anything else is reported.
pub(super) fn state(cx: &mut Cx<'_>, value: &Expr, function: &str) -> Option<StateSet> {
    match held(cx, value, function)? {
        Held::State(set) => Some(*set),
        Held::Condition(condition) => match condition.state {
            Ok(set) => Some(*set),
            Err(why) => no_state(cx, value, function, &why),
        },
    }
}

/// Reports a condition that does not say when it begins and ends.
pub(super) fn no_state<T>(cx: &mut Cx<'_>, value: &Expr, function: &str, why: &str) -> Option<T> {
    cx.error_help(
        Code::StateMeasured,
        value.span,
        format!("`{function}` needs states, to know when the condition begins and ends: {why}"),
        "a condition on states, attributes and all that happened so far works, such as `stage = \"won\" and count(talks) > 3`; of others `opening`, `closing` and `kept` can be asked",
    )
}

/// Whether an expression is about states and not about the rows of an event: `mrr`, `stage = "won"`, a segment of an
/// entity.
pub(super) fn is_held(cx: &Cx<'_>, value: &Expr) -> bool {
    if let ExprKind::Path(path) = &value.kind {
        let parts = names::parts(path);
        return match cx.catalog.lookup(&cx.module, &parts, cx.anywhere) {
            Some((symbol, used)) if used == parts.len() => {
                matches!(symbol.kind, SymbolKind::State(_)) || segment_of(cx, symbol).is_some()
            }
            _ => false,
        };
    }
    mentioned(cx, value).is_some() && is_condition(cx, value)
}

/// Whether an expression can only be yes or no.
fn is_condition(cx: &Cx<'_>, value: &Expr) -> bool {
    use kepi_syntax::ast::BinaryOp as B;
    match &value.kind {
        ExprKind::Not(_) | ExprKind::In { .. } | ExprKind::IsMissing { .. } | ExprKind::Bool(_) => true,
        ExprKind::Call { function, .. } => called_segment(cx, function).is_some(),
        ExprKind::Binary { op, .. } => matches!(
            op,
            B::Or
                | B::And
                | B::Equal
                | B::NotEqual
                | B::Less
                | B::LessEqual
                | B::Greater
                | B::GreaterEqual
                | B::Matches
        ),
        _ => false,
    }
}

/// What an expression means to a measure of states.
pub(super) fn held(cx: &mut Cx<'_>, value: &Expr, function: &str) -> Option<Held> {
    if let ExprKind::Path(path) = &value.kind {
        return named(cx, path, function);
    }
    let Some(entity) = mentioned(cx, value) else {
        // What is wrong with its names is told first.
        let help = if let Some(help) = super::meant::a_state(cx, value) {
            help
        } else if is_condition(cx, value) && super::aggregate::has_aggregate(value) {
            let text = kepi_syntax::expr_text(value);
            format!(
                "a condition on a history says of whom in a segment: `segment s of customer = {text}`, then `{function}(s)`"
            )
        } else {
            format!(
                "write a state or a condition on one, such as `{function}(active)` or `{function}(stage = \"won\")`"
            )
        };
        let message = format!("`{function}` measures a state, and there is none here");
        return cx.error_help(Code::StateMeasured, value.span, message, help);
    };
    if !is_condition(cx, value) {
        let name = kepi_syntax::expr_text(value);
        return cx.error_help(
            Code::StateMeasured,
            value.span,
            format!("`{function}` takes a state as it is, or a condition on one"),
            format!("compute with what it measures, such as `{function}(mrr) * 12` instead of `{function}({name})`"),
        );
    }
    let text = kepi_syntax::expr_text(value);
    condition(cx, value, entity, &text)
}

/// A name: a state, or a segment of an entity.
fn named(cx: &mut Cx<'_>, path: &Path, function: &str) -> Option<Held> {
    let parts = names::parts(path);
    let text = names::text(path);
    let catalog = cx.catalog;
    let found = catalog.lookup(&cx.module, &parts, cx.anywhere);
    // `deal.stage`: the entity in front.
    let found = match found {
        Some((owner, used)) if used < parts.len() && matches!(owner.kind, SymbolKind::Entity(_)) => {
            let behind = catalog.lookup(&cx.module, &parts[used..], cx.anywhere);
            behind.map(|(symbol, more)| (symbol, used + more)).or(found)
        }
        found => found,
    };
    let Some((symbol, used)) = found else { return events::unknown(cx, path) };
    if used < parts.len() {
        return cx.error_help(
            Code::StateMeasured,
            path.span,
            format!("`{text}` is a field: `{function}` measures states"),
            format!("declare what changes as a state, such as `state s of customer = {text}`"),
        );
    }
    let help = match &symbol.kind {
        SymbolKind::State(decl) => {
            return state::of_symbol(cx, symbol, decl, path.span).map(|set| Held::State(Box::new(set)));
        }
        SymbolKind::Segment(_) => match segment_of(cx, symbol) {
            Some(entity) => {
                let value = Expr { kind: ExprKind::Path(path.clone()), span: path.span };
                return condition(cx, &value, entity, &text);
            }
            None => format!("it is a condition on an event's rows: `count(… where {text})`"),
        },
        SymbolKind::Stream(_) | SymbolKind::Derived(_) => {
            format!("an event happens, a state holds: `count({text})`, or `state s of customer = from {text} until …`")
        }
        SymbolKind::Entity(_) => format!("entities are counted: `count({text})`"),
        SymbolKind::Metric(_) => {
            format!("a metric is shown as it is, and on another window by `prior({text}, 1 month)`")
        }
        SymbolKind::Measure(_) => format!("add it up: `sum({text})`"),
        SymbolKind::Dimension(_) => format!("a dimension is a label: `by {text}`"),
    };
    let message = format!("`{text}` is {}: `{function}` measures states", symbol.kind.a_word());
    cx.error_help(Code::StateMeasured, path.span, message, help)
}

/// The entity of a segment that is one of an entity.
fn segment_of(cx: &Cx<'_>, symbol: &Symbol) -> Option<EntityDecl> {
    let SymbolKind::Segment(definition) = &symbol.kind else { return None };
    let of = definition.of.as_ref()?;
    let (owner, _) = cx.catalog.lookup(&symbol.module, &[of.text.as_str()], true)?;
    match &owner.kind {
        SymbolKind::Entity(entity) => Some(entity.clone()),
        _ => None,
    }
}

/// The entity of a segment that is called with arguments: `at_risk(factor: 5)`.
fn called_segment(cx: &Cx<'_>, function: &Path) -> Option<EntityDecl> {
    let parts = names::parts(function);
    let (symbol, used) = cx.catalog.lookup(&cx.module, &parts, cx.anywhere)?;
    if used == parts.len() { segment_of(cx, symbol) } else { None }
}

/// The entity of the first state or segment that an expression names outside of aggregates.
pub(super) fn mentioned(cx: &Cx<'_>, value: &Expr) -> Option<EntityDecl> {
    let each = |items: &[&Expr]| items.iter().find_map(|item| mentioned(cx, item));
    match &value.kind {
        ExprKind::Path(path) => {
            let parts = names::parts(path);
            let (symbol, used) = cx.catalog.lookup(&cx.module, &parts, cx.anywhere)?;
            let (symbol, used) = match &symbol.kind {
                SymbolKind::Entity(_) if used < parts.len() => {
                    let (behind, more) = cx.catalog.lookup(&cx.module, &parts[used..], cx.anywhere)?;
                    (behind, used + more)
                }
                _ => (symbol, used),
            };
            match &symbol.kind {
                SymbolKind::State(decl) if used == parts.len() => state::owner(cx, symbol, decl).cloned(),
                SymbolKind::Segment(_) if used == parts.len() => segment_of(cx, symbol),
                _ => None,
            }
        }
        ExprKind::Binary { left, right, .. } => each(&[left, right]),
        ExprKind::Not(inner) | ExprKind::Negate(inner) => mentioned(cx, inner),
        ExprKind::In { value, .. } | ExprKind::IsMissing { value, .. } => mentioned(cx, value),
        ExprKind::Case { whens, otherwise } => whens
            .iter()
            .find_map(|(when, then)| each(&[when, then]))
            .or_else(|| otherwise.as_ref().and_then(|o| mentioned(cx, o))),
        ExprKind::Call { function, arguments } => {
            let Some(found) = crate::functions::find(&names::text(function)) else {
                return called_segment(cx, function);
            };
            let scalar = matches!(found.lowering, Lowering::Scalar { .. } | Lowering::Truncate(_) | Lowering::Ratio);
            let mut plain = arguments.iter().filter_map(super::call::plain);
            if scalar { plain.find_map(|a| mentioned(cx, &a.value)) } else { None }
        }
        _ => None,
    }
}

/// A condition on an entity, and the state that it is where it depends on states, attributes and histories alone.
fn condition(cx: &mut Cx<'_>, value: &Expr, entity: EntityDecl, text: &str) -> Option<Held> {
    let set = entity_set(&entity);
    let holds = expr::condition(cx, &mut RowScope::of_definition(&set), value)?;
    let state = holds::state_of(cx, value, &entity, text).map(Box::new);
    Some(Held::Condition(Box::new(Condition { of: entity, holds, state })))
}

/// The rows of an entity.
pub(super) fn entity_set(entity: &EntityDecl) -> EventSet {
    EventSet {
        name: names::bare(&entity.name).to_string(),
        names: vec![entity.name.clone()],
        base: events::BaseDecl::Entity(entity.clone()),
        made: None,
        extra: Vec::new(),
        steps: Vec::new(),
        stages: Vec::new(),
        once: Some(entity.name.clone()),
    }
}
