//! Calls: which function a name means, and the scalar functions.

use super::bind::user_function;
use super::expr::{Scope, lower, text_value};
use super::literal::{fit, seconds, to_time};
use super::operator::{apply, plain_if_raw, report_clash};
use super::plugin::plugin_scalar;
use super::{Cx, Node};
use crate::core::Op;
use crate::declared::FunctionKind;
use crate::functions::{self, Lowering, Rule, elsewhere};
use crate::names;
use crate::units;
use crate::value::{Kind, Unit};
use kepi_syntax::ast::{Argument, BinaryOp, Chain, Expr, Path, Scoped};
use kepi_syntax::{Code, Span};

pub(super) fn call<N: Node>(
    cx: &mut Cx<'_>,
    scope: &mut dyn Scope<N>,
    function: &Path,
    args: &[Argument],
    span: Span,
) -> Option<N> {
    let name = names::text(function);
    if let Some(builtin) = functions::find(&name) {
        if let Some(done) = scope.call(cx, &builtin.lowering, builtin.name, args, span) {
            return done;
        }
        return match &builtin.lowering {
            Lowering::Scalar { op, arity, rule } => scalar(cx, scope, builtin, op, *arity, *rule, args, span),
            Lowering::Truncate(unit) => {
                let values = plain_arguments(cx, builtin.usage, args, (1, 1), span)?;
                let value = time_value(cx, scope, values[0])?;
                let grain = cx.catalog.settings.grain(*unit);
                Some(N::call(Op::Truncate(grain), vec![value], Unit::of(Kind::Time)))
            }
            Lowering::Ratio => {
                let values = plain_arguments(cx, builtin.usage, args, (2, 2), span)?;
                let a = lower(cx, scope, values[0]);
                let b = lower(cx, scope, values[1]);
                apply(cx, BinaryOp::Divide, a?, b?, span)
            }
            Lowering::NotYet(what) => cx.not_yet(span, what),
            _ => cx.error_help(
                Code::WrongKind,
                span,
                format!("`{name}` means nothing here"),
                format!("it is written as `{}`", builtin.usage),
            ),
        };
    }
    if let Some(signature) = cx.catalog.plugins.iter().find(|s| s.name == name) {
        return match signature.kind {
            FunctionKind::Scalar => plugin_scalar(cx, scope, signature, args, span),
            FunctionKind::Aggregate | FunctionKind::Model | FunctionKind::Series => {
                scope.plugin_aggregate(cx, signature, args, span)
            }
        };
    }
    if let Some(result) = user_function(cx, scope, function, args, span) {
        return result;
    }
    if let Some(result) = scope.definition_call(cx, function, args) {
        return result;
    }
    let known: Vec<&str> = functions::all()
        .map(|f| f.name)
        .chain(cx.catalog.functions.keys().map(|(_, n)| n.as_str()))
        .chain(cx.catalog.plugins.iter().map(|s| s.name.as_str()))
        .collect();
    let help = match elsewhere::written_here(&name) {
        Some(help) => help.to_string(),
        None => names::suggestion(&name, known).unwrap_or_else(|| {
            let some: Vec<&str> = functions::all().map(|f| f.name).take(12).collect();
            format!("there are {} and others: docs/functions.md lists them", some.join(", "))
        }),
    };
    cx.error_help(Code::UnknownFunction, function.span, format!("there is no function `{name}`"), help)
}

/// The arguments as plain expressions, without scopes and names.
pub(crate) fn plain_arguments<'e>(
    cx: &mut Cx<'_>,
    usage: &str,
    args: &'e [Argument],
    arity: (usize, usize),
    span: Span,
) -> Option<Vec<&'e Expr>> {
    let mut values = Vec::new();
    for arg in args {
        match plain(arg) {
            Some(scoped) if scoped.per.is_none() && scoped.filter.is_none() && scoped.over.is_none() => {
                values.push(&scoped.value);
            }
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
    if values.len() < arity.0 || values.len() > arity.1 {
        let message = format!("{} given, {} needed", counted(values.len()), needed(arity));
        return cx.error_help(Code::Arguments, span, message, format!("it is written as `{usage}`"));
    }
    Some(values)
}

pub(super) fn counted(n: usize) -> String {
    if n == 1 { "1 argument is".to_string() } else { format!("{n} arguments are") }
}

pub(super) fn needed((least, most): (usize, usize)) -> String {
    match (least, most) {
        (a, b) if a == b => format!("{a} {}", if a == 1 { "is" } else { "are" }),
        (a, b) if b > 16 => format!("at least {a} are"),
        (a, b) => format!("{a} to {b} are"),
    }
}

/// A plain argument: one step without a name.
pub(crate) fn plain(arg: &Argument) -> Option<&Scoped> {
    match arg {
        Argument::Plain(Chain { first, rest }) if rest.is_empty() => Some(first),
        _ => None,
    }
}

fn time_value<N: Node>(cx: &mut Cx<'_>, scope: &mut dyn Scope<N>, expr: &Expr) -> Option<N> {
    let mut value = lower(cx, scope, expr)?;
    match value.unit().kind {
        Kind::Time | Kind::Missing => Some(value),
        Kind::Date => Some(to_time(cx, value)),
        Kind::Raw => {
            value.set_unit(Unit::of(Kind::Time));
            Some(value)
        }
        _ => {
            let message = format!("a time is needed here, this is {}", value.unit());
            cx.error(Code::TypeMismatch, expr.span, message)
        }
    }
}

#[allow(clippy::too_many_arguments)] // One function's entry, spread out.
fn scalar<N: Node>(
    cx: &mut Cx<'_>,
    scope: &mut dyn Scope<N>,
    builtin: &functions::Builtin,
    op: &Op,
    arity: (usize, usize),
    rule: Rule,
    args: &[Argument],
    span: Span,
) -> Option<N> {
    let exprs = plain_arguments(cx, builtin.usage, args, arity, span)?;
    let mut values = Vec::new();
    let mut ok = true;
    for (index, expr) in exprs.iter().enumerate() {
        let lowered = match rule {
            Rule::Text | Rule::TextToNumber | Rule::TextToBool => text_value(cx, scope, expr),
            Rule::TimeToNumber => time_value(cx, scope, expr),
            _ => numeric_value(cx, scope, expr, rule, index),
        };
        match lowered {
            Some(value) => values.push(value),
            None => ok = false,
        }
    }
    if !ok {
        return None;
    }
    let unit = match rule {
        Rule::Text => Unit::of(Kind::Text),
        Rule::TextToNumber | Rule::TimeToNumber | Rule::Number => Unit::of(Kind::Number),
        Rule::TextToBool => Unit::of(Kind::Bool),
        Rule::FirstNumeric => values[0].unit().clone(),
        Rule::SameNumeric | Rule::SameOrdered => {
            let mut unit = values[0].unit().clone();
            for (value, expr) in values.iter().zip(&exprs).skip(1) {
                match units::join(&unit, value.unit()) {
                    Ok(joined) => unit = joined,
                    Err(clash) => {
                        let message = format!("this is {}, the arguments before are {unit}", value.unit());
                        return report_clash(cx, clash, expr.span, message);
                    }
                }
            }
            unit
        }
    };
    let values = values.into_iter().map(|v| if rule == Rule::SameOrdered { fit(cx, v, &unit) } else { v }).collect();
    Some(N::call(op.clone(), values, unit))
}

fn numeric_value<N: Node>(
    cx: &mut Cx<'_>,
    scope: &mut dyn Scope<N>,
    expr: &Expr,
    rule: Rule,
    index: usize,
) -> Option<N> {
    let mut value = lower(cx, scope, expr)?;
    plain_if_raw(&mut value);
    let value = seconds(value);
    let kind = &value.unit().kind;
    let plain = matches!(kind, Kind::Number | Kind::Count | Kind::Percent | Kind::Missing);
    let fits = match rule {
        Rule::Number => plain,
        Rule::FirstNumeric if index > 0 => plain,
        Rule::SameOrdered => kind.is_numeric() || matches!(kind, Kind::Time | Kind::Date | Kind::Text | Kind::Missing),
        _ => kind.is_numeric() || *kind == Kind::Missing,
    };
    if !fits {
        let message = format!("a number is needed here, this is {}", value.unit());
        return cx.error(Code::TypeMismatch, expr.span, message);
    }
    Some(value)
}
