//! Definitions with parameters: arguments paired with parameters, and put in their place.

use super::call::{counted, needed, plain};
use super::expr::{Scope, lower};
use super::{Cx, Node};
use crate::names;
use kepi_syntax::ast::{Argument, Chain, Expr, ExprKind, Link, NamedValue, Parameter, Path, Scoped};
use kepi_syntax::{Code, Span};

/// A function written in the language: its body with the arguments in place of its parameters.
pub(super) fn user_function<N: Node>(
    cx: &mut Cx<'_>,
    scope: &mut dyn Scope<N>,
    function: &Path,
    args: &[Argument],
    span: Span,
) -> Option<Option<N>> {
    let name = names::text(function);
    let (module, bare) = name.rsplit_once('.').unwrap_or(("", &name));
    let own = (cx.module.clone(), bare.to_string());
    let catalog = cx.catalog;
    let found = if module.is_empty() {
        catalog.functions.get(&own).or_else(|| catalog.functions.get(&(String::new(), bare.to_string()))).or_else(
            || {
                let used = catalog.uses.get(&cx.module).into_iter().flatten();
                let mut used = used.filter_map(|m| catalog.functions.get(&(m.clone(), bare.to_string())));
                used.next().or_else(|| {
                    let mut any = catalog.functions.iter().filter(|((_, n), _)| n == bare && cx.anywhere);
                    any.next().map(|(_, f)| f)
                })
            },
        )
    } else {
        catalog.functions.get(&(module.to_string(), bare.to_string()))
    }?;
    let parameters = &found.item.parameters;
    let bindings = match bind(cx, &name, parameters, args, span) {
        Some(bindings) => bindings,
        None => return Some(None),
    };
    let body = substitute(&found.item.value, &bindings);
    Some(cx.expand(&format!("{name}()"), &found.module, span, |cx| lower(cx, scope, &body)))
}

/// Pairs parameters with arguments, by name or by place; what is not given takes its default.
pub(crate) fn bind(
    cx: &mut Cx<'_>,
    name: &str,
    parameters: &[Parameter],
    args: &[Argument],
    span: Span,
) -> Option<Vec<(String, Expr)>> {
    let usage = format!("{name}({})", parameters.iter().map(|p| p.name.text.as_str()).collect::<Vec<_>>().join(", "));
    let mut values: Vec<Option<Expr>> = vec![None; parameters.len()];
    let mut place = 0;
    for arg in args {
        let (index, value) = match arg {
            Argument::Named { name: given, value } => {
                let index = parameters.iter().position(|p| p.name.text == given.text);
                let value = match value {
                    NamedValue::Word(word) => Expr {
                        kind: ExprKind::Path(Path { parts: vec![word.clone()], span: word.span }),
                        span: word.span,
                    },
                    NamedValue::Chain(chain) => chain.first.value.clone(),
                };
                match index {
                    Some(index) => (index, value),
                    None => {
                        return cx.error_help(
                            Code::Arguments,
                            given.span,
                            format!("`{name}` has no parameter `{}`", given.text),
                            format!("it is written as `{usage}`"),
                        );
                    }
                }
            }
            Argument::Within(value) => {
                return cx.error(Code::Arguments, value.span, format!("`{name}` takes no `within`"));
            }
            Argument::Plain(_) => match plain(arg) {
                Some(scoped) if scoped.per.is_none() && scoped.filter.is_none() && scoped.over.is_none() => {
                    place += 1;
                    (place - 1, scoped.value.clone())
                }
                _ => return cx.error(Code::Arguments, span, format!("`{name}` takes plain values only")),
            },
        };
        if index >= values.len() {
            let given = args.len();
            let message = format!("{} given, {} needed", counted(given), needed((values.len(), values.len())));
            return cx.error_help(Code::Arguments, span, message, format!("it is written as `{usage}`"));
        }
        values[index] = Some(value);
    }
    let mut bound = Vec::new();
    for (parameter, value) in parameters.iter().zip(values) {
        match value.or_else(|| parameter.default.clone()) {
            Some(value) => bound.push((parameter.name.text.clone(), value)),
            None => {
                return cx.error_help(
                    Code::Arguments,
                    span,
                    format!("`{}` of `{name}` is not given", parameter.name.text),
                    format!("it is written as `{usage}`"),
                );
            }
        }
    }
    Some(bound)
}

/// The expression with values in place of names; what is bound to a name may also begin a path.
pub(crate) fn substitute(expr: &Expr, bindings: &[(String, Expr)]) -> Expr {
    if bindings.is_empty() {
        return expr.clone();
    }
    let sub = |e: &Expr| substitute(e, bindings);
    let boxed = |e: &Expr| Box::new(substitute(e, bindings));
    let kind = match &expr.kind {
        ExprKind::Path(path) => {
            let bound = bindings.iter().find(|(name, _)| *name == path.parts[0].text);
            match bound {
                Some((_, value)) if path.parts.len() == 1 => return value.clone(),
                Some((_, Expr { kind: ExprKind::Path(head), .. })) => {
                    let mut parts = head.parts.clone();
                    parts.extend(path.parts[1..].iter().cloned());
                    ExprKind::Path(Path { parts, span: path.span })
                }
                _ => expr.kind.clone(),
            }
        }
        ExprKind::List(items) => ExprKind::List(items.iter().map(sub).collect()),
        ExprKind::Call { function, arguments } => ExprKind::Call {
            function: function.clone(),
            arguments: arguments
                .iter()
                .map(|a| match a {
                    Argument::Within(value) => Argument::Within(sub(value)),
                    Argument::Plain(chain) => Argument::Plain(substitute_chain(chain, bindings)),
                    Argument::Named { name, value: NamedValue::Chain(chain) } => Argument::Named {
                        name: name.clone(),
                        value: NamedValue::Chain(substitute_chain(chain, bindings)),
                    },
                    other => other.clone(),
                })
                .collect(),
        },
        ExprKind::Field { of, name } => ExprKind::Field { of: boxed(of), name: name.clone() },
        ExprKind::Case { whens, otherwise } => ExprKind::Case {
            whens: whens.iter().map(|(a, b)| (sub(a), sub(b))).collect(),
            otherwise: otherwise.as_ref().map(|o| boxed(o)),
        },
        ExprKind::Binary { op, left, right } => ExprKind::Binary { op: *op, left: boxed(left), right: boxed(right) },
        ExprKind::Negate(inner) => ExprKind::Negate(boxed(inner)),
        ExprKind::Not(inner) => ExprKind::Not(boxed(inner)),
        ExprKind::In { value, list, negated } => {
            ExprKind::In { value: boxed(value), list: boxed(list), negated: *negated }
        }
        ExprKind::IsMissing { value, negated } => ExprKind::IsMissing { value: boxed(value), negated: *negated },
        _ => expr.kind.clone(),
    };
    Expr { kind, span: expr.span }
}

fn substitute_chain(chain: &Chain, bindings: &[(String, Expr)]) -> Chain {
    let step = |s: &Scoped| Scoped {
        value: substitute(&s.value, bindings),
        per: s.per.clone(),
        filter: s.filter.as_ref().map(|f| substitute(f, bindings)),
        over: s.over.clone(),
        span: s.span,
    };
    Chain {
        first: step(&chain.first),
        rest: chain.rest.iter().map(|l| Link { without: l.without.as_ref().map(step), step: step(&l.step) }).collect(),
    }
}
