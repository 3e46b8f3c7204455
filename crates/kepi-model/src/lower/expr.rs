//! Expressions, the same for rows and cells; what names mean is up to the place (`Scope`).

use super::call::call;
use super::literal::{date_value, fit, quantity};
use super::operator::{binary, report_clash};
use super::{Cx, Node, convert};
use crate::core::Op;
use crate::declared::Signature;
use crate::functions::Lowering;
use crate::units;
use crate::value::{CalendarSpan, Kind, Unit, Value};
use kepi_syntax::ast::{Argument, Expr, ExprKind, Name, Path};
use kepi_syntax::{Code, Span};

/// Where an expression stands: what its names and its functions of rows mean there.
pub(crate) trait Scope<N: Node> {
    /// What a name means.
    fn path(&mut self, cx: &mut Cx<'_>, path: &Path) -> Option<N>;

    /// What `now` means. `None`: nothing here, and that has been reported.
    fn now(&self, cx: &mut Cx<'_>, span: Span) -> Option<N>;

    /// A field of an event that a call makes: `sessions(views, 30 minutes).length`. `None`: the call makes none.
    fn field(&mut self, _: &mut Cx<'_>, _: &Expr, _: &Name, _: &Expr) -> Option<Option<N>> {
        None
    }

    /// A function that depends on the place; `None`: it does not.
    fn call(
        &mut self,
        cx: &mut Cx<'_>,
        lowering: &Lowering,
        name: &str,
        args: &[Argument],
        span: Span,
    ) -> Option<Option<N>>;

    /// A plugin's aggregate function.
    fn plugin_aggregate(&mut self, cx: &mut Cx<'_>, signature: &Signature, args: &[Argument], span: Span) -> Option<N>;

    /// A definition with parameters that is called like a function: `at_risk(factor: 5)`. `None`: there is none.
    fn definition_call(&mut self, cx: &mut Cx<'_>, path: &Path, args: &[Argument]) -> Option<Option<N>>;
}

/// Lowers an expression. `None`: it is wrong, and that has been reported.
pub(crate) fn lower<N: Node>(cx: &mut Cx<'_>, scope: &mut dyn Scope<N>, expr: &Expr) -> Option<N> {
    match &expr.kind {
        ExprKind::Quantity { number, unit } => quantity(cx, number, unit.as_ref(), expr.span),
        ExprKind::Text(text) => Some(N::constant(Value::Text(text.clone()), Unit::of(Kind::Text))),
        ExprKind::Bool(value) => Some(N::constant(Value::Bool(*value), Unit::of(Kind::Bool))),
        ExprKind::Missing => Some(N::constant(Value::Missing, Unit::of(Kind::Missing))),
        ExprKind::Date(date) => {
            let (value, kind) = date_value(cx, date)?;
            Some(N::constant(value, Unit::of(kind)))
        }
        ExprKind::List(_) => {
            cx.error_help(Code::TypeMismatch, expr.span, "a list stands only behind `in`", "write `x in [a, b]`")
        }
        ExprKind::Path(path) if path.parts.len() == 1 && path.parts[0].text == "now" => scope.now(cx, expr.span),
        ExprKind::Path(path) => scope.path(cx, path),
        ExprKind::Call { function, arguments } => call(cx, scope, function, arguments, expr.span),
        ExprKind::Field { of, name } => {
            if let Some(done) = scope.field(cx, of, name, expr) {
                return done;
            }
            let _ = lower(cx, scope, of);
            if !cx.failed() {
                return cx.error(Code::WrongKind, expr.span, "only an event has fields");
            }
            None
        }
        ExprKind::Case { whens, otherwise } => case(cx, scope, whens, otherwise.as_deref()),
        ExprKind::Binary { op, left, right } => binary(cx, scope, *op, left, right, expr),
        ExprKind::Negate(inner) => {
            let value = lower(cx, scope, inner)?;
            if !value.unit().kind.is_numeric() {
                let message = format!("`-` needs a number, this is {}", value.unit());
                return cx.error(Code::TypeMismatch, inner.span, message);
            }
            let unit = value.unit().clone();
            Some(match value.as_constant() {
                Some(Value::Decimal { digits, scale }) => {
                    N::constant(Value::Decimal { digits: -digits, scale: *scale }, unit)
                }
                Some(Value::Span(s)) => {
                    N::constant(Value::Span(CalendarSpan { months: -s.months, days: -s.days, micros: -s.micros }), unit)
                }
                _ => N::call(Op::Negate, vec![value], unit),
            })
        }
        ExprKind::Not(inner) => {
            let value = condition(cx, scope, inner)?;
            Some(N::call(Op::Not, vec![value], Unit::of(Kind::Bool)))
        }
        ExprKind::In { value, list, negated } => {
            let found = member(cx, scope, value, list)?;
            Some(if *negated { N::call(Op::Not, vec![found], Unit::of(Kind::Bool)) } else { found })
        }
        ExprKind::IsMissing { value, negated } => {
            let value = lower(cx, scope, value)?;
            let missing = N::call(Op::IsMissing, vec![value], Unit::of(Kind::Bool));
            Some(if *negated { N::call(Op::Not, vec![missing], Unit::of(Kind::Bool)) } else { missing })
        }
    }
}

/// Lowers a condition: an expression that is yes or no.
pub(crate) fn condition<N: Node>(cx: &mut Cx<'_>, scope: &mut dyn Scope<N>, expr: &Expr) -> Option<N> {
    let mut value = lower(cx, scope, expr)?;
    match value.unit().kind {
        Kind::Bool => Some(value),
        Kind::Raw => {
            value.set_unit(Unit::of(Kind::Bool));
            Some(value)
        }
        _ => {
            let message = format!("a condition is needed here, this is {}", value.unit());
            cx.error_help(Code::TypeMismatch, expr.span, message, "compare it, such as `x > 5` or `x is known`")
        }
    }
}

fn case<N: Node>(
    cx: &mut Cx<'_>,
    scope: &mut dyn Scope<N>,
    whens: &[(Expr, Expr)],
    otherwise: Option<&Expr>,
) -> Option<N> {
    let mut lowered = Vec::new();
    let mut unit = Unit::of(Kind::Missing);
    let mut ok = true;
    for (when, then) in whens {
        let when = condition(cx, scope, when);
        let value = lower(cx, scope, then);
        match (when, value) {
            (Some(when), Some(value)) => {
                match units::join(&unit, value.unit()) {
                    Ok(joined) => unit = joined,
                    Err(clash) => {
                        let message = format!("this branch is {}, those before are {unit}", value.unit());
                        report_clash::<()>(cx, clash, then.span, message);
                        ok = false;
                    }
                }
                lowered.push((when, value));
            }
            _ => ok = false,
        }
    }
    let mut last = None;
    if let Some(expr) = otherwise {
        let value = lower(cx, scope, expr)?;
        match units::join(&unit, value.unit()) {
            Ok(joined) => unit = joined,
            Err(clash) => {
                let message = format!("this branch is {}, those before are {unit}", value.unit());
                return report_clash(cx, clash, expr.span, message);
            }
        }
        last = Some(value);
    }
    if !ok {
        return None;
    }
    let lowered = lowered.into_iter().map(|(when, then)| (when, fit(cx, then, &unit))).collect();
    let last = last.map(|value| Box::new(fit(cx, value, &unit)));
    Some(N::case(lowered, last, unit))
}

fn member<N: Node>(cx: &mut Cx<'_>, scope: &mut dyn Scope<N>, value: &Expr, list: &Expr) -> Option<N> {
    let written = convert::written_out(list);
    let outer = cx.beside;
    cx.beside = written.or(outer);
    let needle = lower(cx, scope, value);
    cx.beside = outer;
    let mut needle = needle?;
    if let (Kind::MoneyOf(_), Some(to)) = (&needle.unit().kind, written) {
        needle = needle.in_currency(cx, to, value.span)?;
    }
    let ExprKind::List(items) = &list.kind else {
        return cx.error_help(Code::TypeMismatch, list.span, "`in` needs a list", "write `x in [\"a\", \"b\"]`");
    };
    let mut unit = needle.unit().clone();
    if unit.kind == Kind::Raw {
        unit = Unit::of(Kind::Missing);
    }
    let mut args = vec![needle];
    for item in items {
        let item_value = lower(cx, scope, item)?;
        match units::join(&unit, item_value.unit()) {
            Ok(joined) => unit = joined,
            Err(clash) => {
                let message = format!("the list has {} where {unit} is looked for", item_value.unit());
                return report_clash(cx, clash, item.span, message);
            }
        }
        args.push(item_value);
    }
    let args = args.into_iter().map(|a| fit(cx, a, &unit)).collect();
    Some(N::call(Op::In, args, Unit::of(Kind::Bool)))
}

pub(super) fn text_value<N: Node>(cx: &mut Cx<'_>, scope: &mut dyn Scope<N>, expr: &Expr) -> Option<N> {
    let mut value = lower(cx, scope, expr)?;
    match value.unit().kind {
        Kind::Text | Kind::Missing | Kind::Entity(_) => Some(value),
        Kind::Raw => {
            value.set_unit(Unit::of(Kind::Text));
            Some(value)
        }
        _ => {
            let message = format!("text is needed here, this is {}", value.unit());
            cx.error(Code::TypeMismatch, expr.span, message)
        }
    }
}
