//! Expressions, the same for rows and cells: literals, operators, conditions, scalar functions.

use super::{Cx, Node, number};
use crate::calendar::{Grain, span_of};
use crate::core::Op;
use crate::declared::{Returns, Signature};
use crate::functions::{self, Lowering, Rule};
use crate::names;
use crate::units::{self, Clash};
use crate::value::{CalendarSpan, Currency, Kind, Unit, Value};
use kepi_syntax::ast::{
    Argument, BinaryOp, Chain, DateTime, Expr, ExprKind, NamedValue, Path, Scoped, TimeUnit, UnitWord,
};
use kepi_syntax::{Code, Diagnostic, Span};

/// Where an expression stands: what its names and its functions of rows mean there.
pub(crate) trait Scope<N: Node> {
    /// What a name means.
    fn path(&mut self, cx: &mut Cx<'_>, path: &Path) -> Option<N>;

    /// What `now` means.
    fn now(&self, cx: &Cx<'_>) -> N;

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
        ExprKind::Path(path) if path.parts.len() == 1 && path.parts[0].text == "now" => Some(scope.now(cx)),
        ExprKind::Path(path) => scope.path(cx, path),
        ExprKind::Call { function, arguments } => call(cx, scope, function, arguments, expr.span),
        ExprKind::Field { of, .. } => {
            // The only events written as calls are those of states and sessions.
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

fn quantity<N: Node>(cx: &mut Cx<'_>, text: &str, unit: Option<&UnitWord>, span: Span) -> Option<N> {
    let Some((digits, scale)) = kepi_syntax::decimal(text) else {
        return cx.error(Code::TooLarge, span, format!("`{text}` has more digits than kepi computes with"));
    };
    let decimal = |scale| Value::Decimal { digits, scale };
    Some(match unit {
        None => N::constant(decimal(scale), Unit::of(Kind::Number)),
        Some(UnitWord::Percent) => N::constant(decimal(scale + 2), Unit::of(Kind::Percent)),
        Some(UnitWord::Points) => N::constant(decimal(scale + 2), Unit::of(Kind::Points)),
        Some(UnitWord::Currency(code)) => N::constant(decimal(scale), Unit::of(Kind::Money(Currency::parse(code)))),
        Some(UnitWord::Time(unit)) => {
            let whole = (scale == 0).then(|| i64::try_from(digits).ok()).flatten();
            match whole.and_then(|n| span_of(n, *unit)) {
                Some(span) => N::constant(Value::Span(span), Unit::of(Kind::Duration)),
                None => {
                    let seconds = digits as f64 / 10f64.powi(i32::from(scale)) * unit_seconds(*unit);
                    N::constant(Value::Float(seconds), Unit::of(Kind::Duration))
                }
            }
        }
    })
}

fn unit_seconds(unit: TimeUnit) -> f64 {
    span_of(1, unit).map_or(0.0, CalendarSpan::seconds)
}

/// The value of a date literal: an instant where it has a time, else a day.
pub(crate) fn date_value(cx: &mut Cx<'_>, date: &DateTime) -> Option<(Value, Kind)> {
    match super::window::parse_instant(&cx.catalog.settings.zone, &date.text) {
        Some(super::window::Instant::Day(day)) => Some((Value::Date(crate::calendar::day_number(day)), Kind::Date)),
        Some(super::window::Instant::Moment(at)) => Some((Value::Time(at), Kind::Time)),
        None => cx.error(Code::NoSuchDay, date.span, format!("there is no `{}`", date.text)),
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
                    Err(_) => {
                        let message = format!("this branch is {}, those before are {unit}", value.unit());
                        cx.error::<()>(Code::UnitMismatch, then.span, message);
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
            Err(_) => {
                let message = format!("this branch is {}, those before are {unit}", value.unit());
                return cx.error(Code::UnitMismatch, expr.span, message);
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

/// Brings a value to the unit that it is joined to: a day becomes its first instant, a length by the calendar seconds,
/// raw text what is needed.
fn fit<N: Node>(cx: &Cx<'_>, mut value: N, unit: &Unit) -> N {
    match (&value.unit().kind, &unit.kind) {
        (Kind::Date, Kind::Time) => to_time(cx, value),
        (Kind::Raw, kind) if *kind != Kind::Raw => {
            let kind = if *kind == Kind::Missing { Kind::Text } else { kind.clone() };
            value.set_unit(Unit::of(kind));
            value
        }
        (Kind::Duration, _) => seconds(value),
        _ => value,
    }
}

fn to_time<N: Node>(cx: &Cx<'_>, value: N) -> N {
    if let Some(Value::Date(day)) = value.as_constant() {
        let zone = super::window::zone_of(cx.catalog);
        let at = zone.start_of_day(crate::calendar::date_of(*day));
        return N::constant(Value::Time(at), Unit::of(Kind::Time));
    }
    N::call(Op::ToTime, vec![value], Unit::of(Kind::Time))
}

/// A length by the calendar as a number of seconds; other values stay.
pub(crate) fn seconds<N: Node>(value: N) -> N {
    match value.as_constant() {
        Some(Value::Span(span)) => {
            let unit = value.unit().clone();
            let exact = span.months == 0;
            let constant = if exact {
                let micros = i128::from(span.days) * 86_400_000_000 + i128::from(span.micros);
                Value::Decimal { digits: micros, scale: 6 }
            } else {
                Value::Float(span.seconds())
            };
            N::constant(constant, unit)
        }
        _ => value,
    }
}

fn member<N: Node>(cx: &mut Cx<'_>, scope: &mut dyn Scope<N>, value: &Expr, list: &Expr) -> Option<N> {
    let needle = lower(cx, scope, value)?;
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

pub(crate) fn report_clash<T>(cx: &mut Cx<'_>, clash: Clash, span: Span, message: String) -> Option<T> {
    match clash {
        Clash::Currencies => cx.error_help(
            Code::SeveralCurrencies,
            span,
            format!("{message}: the currencies differ"),
            "convert one of them with `in`, such as `in EUR`",
        ),
        Clash::Units(Some(help)) => cx.error_help(Code::UnitMismatch, span, message, help),
        Clash::Units(None) => cx.error(Code::UnitMismatch, span, message),
    }
}

fn binary<N: Node>(
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
            let a = lower(cx, scope, left);
            let b = lower(cx, scope, right);
            compare(cx, op, a?, b?, whole.span)
        }
    }
}

/// `a or b or …`: a chain as a balanced tree, so that a long one is not a deep one.
fn logic<N: Node>(cx: &mut Cx<'_>, scope: &mut dyn Scope<N>, op: BinaryOp, whole: &Expr) -> Option<N> {
    let mut operands = Vec::new();
    let mut rest = whole;
    while let ExprKind::Binary { op: inner, left, right } = &rest.kind {
        if *inner != op {
            break;
        }
        operands.push(right.as_ref());
        rest = left;
    }
    operands.push(rest);
    operands.reverse();
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

fn text_value<N: Node>(cx: &mut Cx<'_>, scope: &mut dyn Scope<N>, expr: &Expr) -> Option<N> {
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
    let unit = match units::join(a.unit(), b.unit()) {
        Ok(unit) => unit,
        Err(clash) => {
            let message = format!("{} cannot be compared with {}", a.unit(), b.unit());
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

fn plain_if_raw<N: Node>(value: &mut N) {
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

fn call<N: Node>(
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
        if signature.aggregate {
            return scope.plugin_aggregate(cx, signature, args, span);
        }
        return plugin_scalar(cx, scope, signature, args, span);
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
    let help = names::suggestion(&name, known).unwrap_or_else(|| "`kepi list` names all functions".to_string());
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

fn counted(n: usize) -> String {
    if n == 1 { "1 argument is".to_string() } else { format!("{n} arguments are") }
}

fn needed((least, most): (usize, usize)) -> String {
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

/// Checks an argument of a plugin's function against its signature.
pub(crate) fn accepted(cx: &mut Cx<'_>, signature: &Signature, index: usize, unit: &Unit, span: Span) -> Option<()> {
    let parameter = &signature.parameters[index];
    let fits = parameter.accepts.is_empty()
        || unit.kind == Kind::Missing
        || parameter.accepts.iter().any(|kind| units::accepts(&Unit::of(kind.clone()), &Unit::of(unit.kind.clone())));
    if fits {
        return Some(());
    }
    let kinds: Vec<String> = parameter.accepts.iter().map(ToString::to_string).collect();
    let message = format!("`{}` of `{}` takes {}, this is {unit}", parameter.name, signature.name, kinds.join(" or "));
    cx.error(Code::TypeMismatch, span, message)
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

fn plugin_scalar<N: Node>(
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

/// A function written in the language: its body with the arguments in place of its parameters.
fn user_function<N: Node>(
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
    let body = super::events::substitute(&found.item.value, &bindings);
    Some(cx.expand(&format!("{name}()"), &found.module, span, |cx| lower(cx, scope, &body)))
}

/// Pairs parameters with arguments, by name or by place; what is not given takes its default.
pub(crate) fn bind(
    cx: &mut Cx<'_>,
    name: &str,
    parameters: &[kepi_syntax::ast::Parameter],
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
            let message = format!("`{name}` takes {} arguments, more are given", values.len());
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

/// Reads a grain: `month`, `fiscal.quarter`.
pub(crate) fn grain(cx: &mut Cx<'_>, path: &Path) -> Option<Grain> {
    let parts = names::parts(path);
    let (calendar, word) = match parts.as_slice() {
        [unit] => (None, *unit),
        [calendar, unit] => (Some(*calendar), *unit),
        _ => (None, ""),
    };
    let Some(unit) = unit_named(word) else {
        const UNITS: [&str; 7] = ["hour", "day", "week", "month", "quarter", "year", "minute"];
        let help = names::suggestion(word, UNITS)
            .unwrap_or_else(|| "periods are minute, hour, day, week, month, quarter, year".to_string());
        return cx.error_help(Code::UnknownName, path.span, format!("`{}` is no period", names::text(path)), help);
    };
    let Some(calendar) = calendar else { return Some(cx.catalog.settings.grain(unit)) };
    match cx.catalog.settings.grain_in(calendar, unit) {
        Some(grain) => Some(grain),
        None => {
            let known: Vec<&str> = cx.catalog.settings.calendars.keys().map(String::as_str).collect();
            let help = names::suggestion(calendar, known)
                .unwrap_or_else(|| format!("declare it: `calendar {calendar} = year starts \"april\"`"));
            cx.report(
                Diagnostic::error(Code::UnknownName, path.parts[0].span, format!("there is no calendar `{calendar}`"))
                    .help(help),
            );
            None
        }
    }
}

/// The unit of a word, singular or plural.
pub(crate) fn unit_named(word: &str) -> Option<TimeUnit> {
    Some(match word.strip_suffix('s').unwrap_or(word) {
        "second" => TimeUnit::Second,
        "minute" => TimeUnit::Minute,
        "hour" => TimeUnit::Hour,
        "day" => TimeUnit::Day,
        "week" => TimeUnit::Week,
        "month" => TimeUnit::Month,
        "quarter" => TimeUnit::Quarter,
        "year" => TimeUnit::Year,
        _ => return None,
    })
}
