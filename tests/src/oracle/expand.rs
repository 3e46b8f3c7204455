//! Parameters: a call of a function (or of a metric with parameters) is its text with the arguments put in.

use super::names::plain;
use kepi_syntax::ast::{Argument, Chain, Expr, ExprKind, Link, NamedValue, Parameter, Path, Scoped};
use std::collections::BTreeMap;

/// The arguments of a call by the names of the parameters.
///
/// # Errors
/// In words, when a parameter without a default gets no argument, or an argument fits none.
pub(super) fn bind(parameters: &[Parameter], arguments: &[Argument]) -> Result<BTreeMap<String, Expr>, String> {
    let mut bound = BTreeMap::new();
    for (index, argument) in arguments.iter().enumerate() {
        let (name, value) = match argument {
            Argument::Named { name, value: NamedValue::Chain(chain) } if chain.rest.is_empty() => {
                (name.text.clone(), chain.first.value.clone())
            }
            Argument::Named { name, value: NamedValue::Word(word) } => {
                let path = Path { parts: vec![word.clone()], span: word.span };
                (name.text.clone(), Expr { kind: ExprKind::Path(path), span: word.span })
            }
            _ => {
                let parameter = parameters.get(index).ok_or("an argument too many")?;
                (parameter.name.text.clone(), plain(argument)?.value.clone())
            }
        };
        if !parameters.iter().any(|p| p.name.text == name) {
            return Err(format!("there is no parameter {name}"));
        }
        bound.insert(name, value);
    }
    for parameter in parameters {
        if !bound.contains_key(&parameter.name.text) {
            let default = parameter.default.clone();
            let default = default.ok_or_else(|| format!("the parameter {} is not given", parameter.name.text))?;
            bound.insert(parameter.name.text.clone(), default);
        }
    }
    Ok(bound)
}

/// The expression with the parameters replaced.
pub(super) fn put_in(expr: &Expr, bound: &BTreeMap<String, Expr>) -> Expr {
    let each = |expr: &Expr| put_in(expr, bound);
    let boxed = |expr: &Expr| Box::new(put_in(expr, bound));
    let kind = match &expr.kind {
        ExprKind::Path(path) => match (&path.parts[..], bound.get(&path.parts[0].text)) {
            ([_], Some(argument)) => return argument.clone(),
            _ => ExprKind::Path(path.clone()),
        },
        ExprKind::List(items) => ExprKind::List(items.iter().map(each).collect()),
        ExprKind::Call { function, arguments } => ExprKind::Call {
            function: function.clone(),
            arguments: arguments.iter().map(|argument| in_argument(argument, bound)).collect(),
        },
        ExprKind::Field { of, name } => ExprKind::Field { of: boxed(of), name: name.clone() },
        ExprKind::Case { whens, otherwise } => ExprKind::Case {
            whens: whens.iter().map(|(when, then)| (each(when), each(then))).collect(),
            otherwise: otherwise.as_deref().map(boxed),
        },
        ExprKind::Binary { op, left, right } => ExprKind::Binary { op: *op, left: boxed(left), right: boxed(right) },
        ExprKind::Negate(value) => ExprKind::Negate(boxed(value)),
        ExprKind::Not(value) => ExprKind::Not(boxed(value)),
        ExprKind::In { value, list, negated } => {
            ExprKind::In { value: boxed(value), list: boxed(list), negated: *negated }
        }
        ExprKind::IsMissing { value, negated } => ExprKind::IsMissing { value: boxed(value), negated: *negated },
        literal => literal.clone(),
    };
    Expr { kind, span: expr.span }
}

fn in_argument(argument: &Argument, bound: &BTreeMap<String, Expr>) -> Argument {
    match argument {
        Argument::Within(expr) => Argument::Within(put_in(expr, bound)),
        Argument::Named { name, value: NamedValue::Chain(chain) } => {
            Argument::Named { name: name.clone(), value: NamedValue::Chain(in_chain(chain, bound)) }
        }
        Argument::Named { .. } => argument.clone(),
        Argument::Plain(chain) => Argument::Plain(in_chain(chain, bound)),
    }
}

fn in_chain(chain: &Chain, bound: &BTreeMap<String, Expr>) -> Chain {
    let link = |link: &Link| Link {
        without: link.without.as_ref().map(|scoped| in_scoped(scoped, bound)),
        step: in_scoped(&link.step, bound),
    };
    Chain { first: in_scoped(&chain.first, bound), rest: chain.rest.iter().map(link).collect() }
}

fn in_scoped(scoped: &Scoped, bound: &BTreeMap<String, Expr>) -> Scoped {
    Scoped {
        value: put_in(&scoped.value, bound),
        filter: scoped.filter.as_ref().map(|filter| put_in(filter, bound)),
        ..scoped.clone()
    }
}
