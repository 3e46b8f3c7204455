//! Functions of plugins, checked against their signatures.

use super::call::{counted, needed, plain, plain_arguments};
use super::cell::{CellScope, Wanted};
use super::events::EventSet;
use super::expr::{Scope, condition, lower};
use super::home;
use super::literal::seconds;
use super::row::RowScope;
use super::{Cx, Node};
use crate::core::{Formula, Measure, Row};
use crate::declared::{Returns, Signature};
use crate::units;
use crate::value::{Kind, Unit};
use kepi_syntax::ast::Argument;
use kepi_syntax::{Code, Span};

/// Checks an argument of a plugin's function against its signature.
pub(crate) fn accepted(cx: &mut Cx<'_>, signature: &Signature, index: usize, unit: &Unit, span: Span) -> Option<()> {
    let parameter = &signature.parameters[index];
    let fits = parameter.accepts.is_empty()
        || unit.kind == Kind::Missing
        || parameter.accepts.iter().any(|kind| match (kind, &unit.kind) {
            (Kind::Entity(any), Kind::Entity(_)) if any.is_empty() => true,
            _ => units::accepts(&Unit::of(kind.clone()), &Unit::of(unit.kind.clone())),
        });
    if fits {
        return Some(());
    }
    let kinds: Vec<String> = parameter.accepts.iter().map(kind_words).collect();
    let message = format!("`{}` of `{}` takes {}, this is {unit}", parameter.name, signature.name, kinds.join(" or "));
    cx.error(Code::TypeMismatch, span, message)
}

/// A kind that a parameter takes, in words.
pub(crate) fn kind_words(kind: &Kind) -> String {
    match kind {
        Kind::Entity(any) if any.is_empty() => "an entity".to_string(),
        kind => kind.to_string(),
    }
}

/// How a plugin's function is written.
pub(crate) fn usage(signature: &Signature) -> String {
    let names: Vec<&str> = signature.parameters.iter().map(|p| p.name.as_str()).collect();
    format!("{}({})", signature.name, names.join(", "))
}

/// How many arguments a plugin's function takes.
pub(crate) fn arity(signature: &Signature) -> (usize, usize) {
    (signature.parameters.iter().filter(|p| !p.optional).count(), signature.parameters.len())
}

/// The unit that a plugin's function returns for these arguments.
pub(crate) fn returned(signature: &Signature, args: &[Unit]) -> Unit {
    match &signature.returns {
        Returns::Unit(unit) => unit.clone(),
        Returns::SameAs(index) => args.get(*index).cloned().unwrap_or(Unit::of(Kind::Number)),
    }
}

pub(super) fn plugin_scalar<N: Node>(
    cx: &mut Cx<'_>,
    scope: &mut dyn Scope<N>,
    signature: &Signature,
    args: &[Argument],
    span: Span,
) -> Option<N> {
    let exprs = plain_arguments(cx, &usage(signature), args, arity(signature), span)?;
    let mut values = Vec::new();
    for (index, expr) in exprs.iter().enumerate() {
        let mut value = lower::<N>(cx, scope, expr)?;
        if value.unit().kind == Kind::Raw {
            let kind = signature.parameters[index].accepts.first().cloned().unwrap_or(Kind::Text);
            value.set_unit(Unit::of(kind));
        }
        let value = seconds(value);
        accepted(cx, signature, index, value.unit(), expr.span)?;
        values.push(value);
    }
    let units: Vec<Unit> = values.iter().map(|v| v.unit().clone()).collect();
    Some(N::plugin(signature.name.clone(), values, returned(signature, &units)))
}

impl CellScope<'_> {
    pub(super) fn aggregate_of_plugin(
        &mut self,
        cx: &mut Cx<'_>,
        signature: &Signature,
        args: &[Argument],
        span: Span,
    ) -> Option<Formula> {
        let usage = usage(signature);
        let mut scopes = Vec::new();
        for arg in args {
            match plain(arg) {
                Some(scoped) if scoped.per.is_none() && scoped.over.is_none() => scopes.push(scoped),
                _ => {
                    return cx.error_help(
                        Code::Arguments,
                        span,
                        "this function takes plain values only",
                        format!("it is written as `{usage}`"),
                    );
                }
            }
        }
        let (least, most) = arity(signature);
        if scopes.len() < least || scopes.len() > most {
            let message = format!("{} given, {} needed", counted(scopes.len()), needed((least, most)));
            return cx.error_help(Code::Arguments, span, message, format!("it is written as `{usage}`"));
        }
        let mut home: Option<EventSet> = None;
        for scoped in &scopes {
            match home::home(cx, &scoped.value) {
                Ok(Some(set)) if home.as_ref().is_none_or(|h| set.names.contains(&h.names[0])) => home = Some(set),
                Ok(Some(set)) => {
                    let held = home.as_ref().is_some_and(|h| h.names.contains(&set.names[0]));
                    if !held {
                        return cx.error(Code::NoRow, scoped.span, "the arguments are values of different events");
                    }
                }
                Ok(None) => {}
                Err(()) => return None,
            }
        }
        let Some(set) = home else {
            return cx.error_help(
                Code::NoRow,
                span,
                "this is no value of an event",
                "write a measure or a field, such as `orders.amount`",
            );
        };
        let mut rows = Vec::new();
        let mut own = None;
        for (index, scoped) in scopes.iter().enumerate() {
            let row: Row = seconds(lower(cx, &mut RowScope::of(&set), &scoped.value)?);
            accepted(cx, signature, index, &row.unit, scoped.span)?;
            rows.push(row);
            if let Some(filter) = &scoped.filter {
                if index > 0 {
                    return cx.error(Code::Arguments, filter.span, "the condition belongs to the first argument");
                }
                own = Some(condition(cx, &mut RowScope::of(&set), filter)?);
            }
        }
        let given: Vec<Unit> = rows.iter().map(|r| r.unit.clone()).collect();
        let unit = returned(signature, &given);
        let measure = Measure::Plugin { name: signature.name.clone(), args: rows };
        let text = usage.clone();
        self.add(cx, &set, Wanted::of(text, own, measure, unit), span)
    }
}
