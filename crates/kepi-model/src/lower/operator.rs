//! Operators: conditions, comparisons, arithmetic with units, times and lengths.

use super::expr::{Scope, condition, lower, text_value};
use super::literal::{fit, seconds};
use super::{Cx, Node, convert, number};
use crate::core::Op;
use crate::units::{self, Clash};
use crate::value::{CalendarSpan, Kind, Unit, Value};
use kepi_syntax::ast::{BinaryOp, Expr, ExprKind, Path};
use kepi_syntax::{Code, Span};

pub(crate) fn report_clash<T>(cx: &mut Cx<'_>, clash: Clash, span: Span, message: String) -> Option<T> {
    match clash {
        Clash::Currencies => {
            let help = match cx.currency {
                Some(to) => format!("with `in {to}` every aggregate is in {to}: write amounts beside it in {to} too"),
                None => "write `in EUR` behind the query, which converts every amount that is measured".to_string(),
            };
            cx.error_help(Code::SeveralCurrencies, span, format!("{message}: the currencies differ"), help)
        }
        Clash::Units(Some(help)) => cx.error_help(Code::UnitMismatch, span, message, help),
        Clash::Units(None) => cx.error(Code::UnitMismatch, span, message),
    }
}

pub(super) fn binary<N: Node>(
    cx: &mut Cx<'_>,
    scope: &mut dyn Scope<N>,
    op: BinaryOp,
    left: &Expr,
    right: &Expr,
    whole: &Expr,
) -> Option<N> {
    match op {
        BinaryOp::And | BinaryOp::Or => logic(cx, scope, op, whole),
        BinaryOp::Matches => {
            let text = text_value(cx, scope, left);
            let pattern = lower::<N>(cx, scope, right)?;
            let Some(Value::Text(regex)) = pattern.as_constant() else {
                return cx.error(Code::TypeMismatch, right.span, "`matches` needs a regular expression in quotes");
            };
            if let Err(error) = regex::Regex::new(regex) {
                let reason =
                    error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_string();
                return cx.error(Code::TypeMismatch, right.span, format!("this is no regular expression: {reason}"));
            }
            Some(N::call(Op::Matches, vec![text?, pattern], Unit::of(Kind::Bool)))
        }
        BinaryOp::Otherwise => {
            let a = lower(cx, scope, left);
            let b = lower(cx, scope, right);
            let (a, b) = (a?, b?);
            match units::join(a.unit(), b.unit()) {
                Ok(unit) => {
                    let (a, b) = (fit(cx, a, &unit), fit(cx, b, &unit));
                    Some(N::call(Op::Otherwise, vec![a, b], unit))
                }
                // `otherwise 0` is the zero of any unit.
                Err(_)
                    if matches!(b.as_constant(), Some(Value::Decimal { digits: 0, .. }))
                        && a.unit().kind.is_numeric() =>
                {
                    let unit = a.unit().clone();
                    Some(N::call(Op::Otherwise, vec![a, b], unit))
                }
                Err(clash) => {
                    let message = format!("{} cannot stand in for {}", b.unit(), a.unit());
                    report_clash(cx, clash, right.span, message)
                }
            }
        }
        BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide => arithmetic(cx, scope, op, whole),
        _ => {
            let written = convert::written_out(right).or_else(|| convert::written_out(left));
            let outer = cx.beside;
            cx.beside = written.or(outer);
            let a = lower(cx, scope, left);
            let b = lower(cx, scope, right);
            cx.beside = outer;
            if let (Some(a), None, ExprKind::Path(path)) = (&a, &b, &right.kind) {
                quoted(cx, a.unit(), path);
            }
            compare(cx, op, a?, b?, whole.span)
        }
    }
}

/// `a or b or …`: a chain as a balanced tree, so that a long one is not a deep one.
fn logic<N: Node>(cx: &mut Cx<'_>, scope: &mut dyn Scope<N>, op: BinaryOp, whole: &Expr) -> Option<N> {
    let mut operands = Vec::new();
    let mut open = vec![whole];
    while let Some(next) = open.pop() {
        match &next.kind {
            ExprKind::Binary { op: inner, left, right } if *inner == op => open.extend([right.as_ref(), left.as_ref()]),
            _ => operands.push(next),
        }
    }
    let mut lowered = Vec::new();
    let mut ok = true;
    for operand in operands {
        match condition(cx, scope, operand) {
            Some(value) => lowered.push(value),
            None => ok = false,
        }
    }
    let op = if op == BinaryOp::And { Op::And } else { Op::Or };
    ok.then(|| balanced(&op, lowered))
}

fn balanced<N: Node>(op: &Op, mut nodes: Vec<N>) -> N {
    while nodes.len() > 1 {
        let mut halved = Vec::with_capacity(nodes.len().div_ceil(2));
        let mut left = None;
        for node in nodes {
            match left.take() {
                None => left = Some(node),
                Some(first) => halved.push(N::call(op.clone(), vec![first, node], Unit::of(Kind::Bool))),
            }
        }
        halved.extend(left);
        nodes = halved;
    }
    // The grammar gives every chain at least two operands.
    nodes.pop().expect("a chain of conditions has operands")
}

fn compare<N: Node>(cx: &mut Cx<'_>, op: BinaryOp, a: N, b: N, span: Span) -> Option<N> {
    let (core, mirrored) = match op {
        BinaryOp::Equal => (Op::Equal, Op::Equal),
        BinaryOp::NotEqual => (Op::NotEqual, Op::NotEqual),
        BinaryOp::Less => (Op::Less, Op::Greater),
        BinaryOp::LessEqual => (Op::LessEqual, Op::GreaterEqual),
        BinaryOp::Greater => (Op::Greater, Op::Less),
        _ => (Op::GreaterEqual, Op::LessEqual),
    };
    // Against a length by the calendar, an elapsed time is judged by moving the earlier moment: one year after
    // 29 February 2024 is 28 February 2025.
    if let Some(done) = compare_elapsed(&core, &a, &b).or_else(|| compare_elapsed(&mirrored, &b, &a)) {
        return Some(done);
    }
    let (mut a, mut b) = (a, b);
    if a.unit().kind == Kind::Raw && b.unit().kind != Kind::Raw {
        a.set_unit(raw_as(b.unit()));
    } else if b.unit().kind == Kind::Raw && a.unit().kind != Kind::Raw {
        b.set_unit(raw_as(a.unit()));
    }
    (a, b) = match (a.unit().kind.clone(), b.unit().kind.clone()) {
        (Kind::MoneyOf(_), Kind::Money(Some(to))) => (a.in_currency(cx, to, span)?, b),
        (Kind::Money(Some(to)), Kind::MoneyOf(_)) => (a, b.in_currency(cx, to, span)?),
        _ => (a, b),
    };
    let unit = match units::join(a.unit(), b.unit()) {
        Ok(unit) => unit,
        Err(clash) => {
            let message = format!("{} cannot be compared with {}", a.unit(), b.unit());
            let is_time = |node: &N| matches!(node.unit().kind, Kind::Time | Kind::Date);
            let text = match (b.as_constant(), a.as_constant()) {
                (Some(Value::Text(text)), _) if is_time(&a) => Some(text),
                (_, Some(Value::Text(text))) if is_time(&b) => Some(text),
                _ => None,
            };
            if let Some(text) = text {
                let help = format!("a date has no quotes, such as `{text}`");
                let help =
                    if text.len() == 10 { help } else { "a date has no quotes, such as `2025-03-01`".to_string() };
                return cx.error_help(Code::UnitMismatch, span, message, help);
            }
            let kinds = [&a.unit().kind, &b.unit().kind];
            if let (Clash::Units(None), true) = (&clash, kinds.contains(&&Kind::Bool)) {
                let help = "a condition stands by itself, as in `where active` or `where not active`";
                return cx.error_help(Code::UnitMismatch, span, message, help);
            }
            if matches!(clash, Clash::Units(None)) && (is_time(&a) || is_time(&b)) && kinds.contains(&&Kind::Number) {
                return cx.error_help(Code::UnitMismatch, span, message, "a date is a whole one, such as `2025-03-01`");
            }
            return report_clash(cx, clash, span, message);
        }
    };
    let ordered = !matches!(core, Op::Equal | Op::NotEqual);
    if ordered && matches!(unit.kind, Kind::Bool) {
        return cx.error(Code::TypeMismatch, span, "yes and no have no order");
    }
    let (a, b) = (fit(cx, a, &unit), fit(cx, b, &unit));
    Some(N::call(core, vec![a, b], Unit::of(Kind::Bool)))
}

/// Says of a name that is none, where a text is needed, that it may be one without its quotes.
fn quoted(cx: &mut Cx<'_>, beside: &Unit, path: &Path) {
    let [name] = path.parts.as_slice() else { return };
    let Some(last) = cx.diagnostics.last_mut() else { return };
    let unknown = matches!(last.code, Code::UnknownName | Code::FieldLacking) && last.span == path.span;
    let guessed = last.help.as_ref().is_some_and(|help| help.starts_with("did you mean"));
    if matches!(name.text.to_ascii_lowercase().as_str(), "null" | "none" | "nil") && unknown {
        last.help = Some("what has no value is asked for by `is missing` or `is known`".to_string());
    } else if unknown && beside.kind == Kind::Text && !guessed {
        last.help = Some(format!("a text stands in quotes: `\"{}\"`", name.text));
    }
}

/// What a column's text is read as beside a value of this unit.
fn raw_as(unit: &Unit) -> Unit {
    match &unit.kind {
        Kind::Missing | Kind::Entity(_) => Unit::of(Kind::Text),
        kind => Unit::of(kind.clone()),
    }
}

fn compare_elapsed<N: Node>(op: &Op, elapsed: &N, length: &N) -> Option<N> {
    let Some(Value::Span(span)) = length.as_constant() else { return None };
    let Some((Op::Elapsed, [later, earlier])) = elapsed.as_call() else { return None };
    let moved = N::call(Op::AddSpan(*span), vec![earlier.clone()], Unit::of(Kind::Time));
    Some(N::call(op.clone(), vec![later.clone(), moved], Unit::of(Kind::Bool)))
}

/// Sums and products; chains are walked without recursion so that a long one costs no stack.
fn arithmetic<N: Node>(cx: &mut Cx<'_>, scope: &mut dyn Scope<N>, _op: BinaryOp, whole: &Expr) -> Option<N> {
    let mut steps = Vec::new();
    let mut rest = whole;
    while let ExprKind::Binary { op, left, right } = &rest.kind {
        if !matches!(op, BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide) {
            break;
        }
        steps.push((*op, right.as_ref()));
        rest = left;
    }
    let mut value = lower(cx, scope, rest);
    for (op, right) in steps.into_iter().rev() {
        let right_value = lower(cx, scope, right);
        value = match (value, right_value) {
            (Some(a), Some(b)) => apply(cx, op, a, b, rest.span.to(right.span)),
            _ => None,
        };
    }
    value
}

pub(super) fn plain_if_raw<N: Node>(value: &mut N) {
    if value.unit().kind == Kind::Raw {
        value.set_unit(Unit::of(Kind::Number));
    }
}

/// One arithmetic operation.
pub(crate) fn apply<N: Node>(cx: &mut Cx<'_>, op: BinaryOp, mut a: N, mut b: N, span: Span) -> Option<N> {
    plain_if_raw(&mut a);
    plain_if_raw(&mut b);
    let words = |a: &N, b: &N| match op {
        BinaryOp::Add => format!("{} and {} do not add", a.unit(), b.unit()),
        BinaryOp::Subtract => format!("{} cannot be subtracted from {}", b.unit(), a.unit()),
        BinaryOp::Multiply => format!("{} and {} do not multiply", a.unit(), b.unit()),
        _ => format!("{} cannot be divided by {}", a.unit(), b.unit()),
    };
    let is_time = |n: &N| matches!(n.unit().kind, Kind::Time | Kind::Date) && n.unit().per.is_none();
    if matches!(op, BinaryOp::Add | BinaryOp::Subtract) && (is_time(&a) || is_time(&b)) {
        return time_sum(cx, op, a, b, span, &words);
    }
    let (a, b) = (seconds(a), seconds(b));
    if matches!(op, BinaryOp::Add | BinaryOp::Subtract) {
        return match units::sum(op, a.unit(), b.unit()) {
            Ok(unit) => {
                let core = if op == BinaryOp::Add { Op::Add } else { Op::Subtract };
                Some(N::call(core, vec![a, b], unit))
            }
            Err(clash) => {
                let message = words(&a, &b);
                report_clash(cx, clash, span, message)
            }
        };
    }
    let found =
        if op == BinaryOp::Multiply { units::product(a.unit(), b.unit()) } else { units::quotient(a.unit(), b.unit()) };
    match found {
        Ok((unit, factor)) => {
            let core = if op == BinaryOp::Multiply { Op::Multiply } else { Op::Divide };
            let plain = N::call(core, vec![a, b], unit.clone());
            Some(if factor == 1.0 { plain } else { N::call(Op::Multiply, vec![plain, number(factor)], unit) })
        }
        Err(clash) => {
            let message = words(&a, &b);
            report_clash(cx, clash, span, message)
        }
    }
}

fn time_sum<N: Node>(
    cx: &mut Cx<'_>,
    op: BinaryOp,
    a: N,
    b: N,
    span: Span,
    words: &dyn Fn(&N, &N) -> String,
) -> Option<N> {
    let time = |n: &N| matches!(n.unit().kind, Kind::Time | Kind::Date);
    match op {
        BinaryOp::Subtract if time(&a) && time(&b) => {
            let both = Unit::of(Kind::Time);
            let (a, b) = (fit(cx, a, &both), fit(cx, b, &both));
            Some(N::call(Op::Elapsed, vec![a, b], Unit::of(Kind::Duration)))
        }
        BinaryOp::Add | BinaryOp::Subtract if time(&a) && b.unit().kind == Kind::Duration => {
            let Some(Value::Span(length)) = b.as_constant() else {
                return cx.error_help(
                    Code::TypeMismatch,
                    span,
                    "only a written length can be added to a time",
                    "write it as a number with a unit, such as `30 days`",
                );
            };
            let sign = if op == BinaryOp::Add { 1 } else { -1 };
            let length = CalendarSpan {
                months: sign * length.months,
                days: sign * length.days,
                micros: i64::from(sign) * length.micros,
            };
            let unit = if a.unit().kind == Kind::Date && length.micros == 0 { Kind::Date } else { Kind::Time };
            let a = if unit == Kind::Time { fit(cx, a, &Unit::of(Kind::Time)) } else { a };
            Some(N::call(Op::AddSpan(length), vec![a], Unit::of(unit)))
        }
        BinaryOp::Add if time(&b) && a.unit().kind == Kind::Duration => time_sum(cx, op, b, a, span, words),
        _ => {
            let message = words(&a, &b);
            cx.error(Code::UnitMismatch, span, message)
        }
    }
}
