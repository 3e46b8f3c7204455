//! An aggregate taken apart: its arguments, the rows it is over, its measure and unit.

use super::call::{counted, plain};
use super::events::{self, EventSet};
use super::literal::seconds;
use super::row::RowScope;
use super::{Cx, Node, expr, home};
use crate::catalog::SymbolKind;
use crate::core::{Measure, Row};
use crate::functions::{self, AggregateKind, Lowering};
use crate::names;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::{Argument, Expr, ExprKind, NamedValue, Path, Scoped, UnitWord};
use kepi_syntax::{Code, Span};

/// The arguments of an aggregate, taken apart.
pub(crate) struct Parsed<'a> {
    pub(crate) scoped: &'a Scoped,
    pub(crate) percent: f64,
    pub(crate) observed: bool,
    /// `per: campaign`.
    pub(crate) chosen: Option<String>,
}

pub(crate) fn aggregate_arguments<'a>(
    cx: &mut Cx<'_>,
    kind: AggregateKind,
    args: &'a [Argument],
    span: Span,
) -> Option<Parsed<'a>> {
    let mut plain = Vec::new();
    let mut observed = false;
    let mut chosen = None;
    for arg in args {
        match arg {
            Argument::Named { name, value: NamedValue::Word(word) } if name.text == "per" => {
                chosen = Some(word.text.clone());
            }
            Argument::Named { name, value } if name.text == "mode" && kind == AggregateKind::Percentile => {
                match value {
                    NamedValue::Word(word) if word.text == "observed" => observed = true,
                    _ => {
                        return cx.error_help(
                            Code::Arguments,
                            name.span,
                            "there is no such `mode`",
                            "leave it out to interpolate, or write `mode: observed`",
                        );
                    }
                }
            }
            Argument::Named { name, .. } => {
                let message = format!("`{}` takes no argument `{}`", word(kind), name.text);
                let help = format!("it is written as `{}`", functions::find(word(kind)).map_or("", |f| f.usage));
                return cx.error_help(Code::Arguments, name.span, message, help);
            }
            Argument::Within(value) => return cx.error(Code::Arguments, value.span, "`within` belongs to chains"),
            Argument::Plain(chain) if chain.rest.is_empty() => plain.push(&chain.first),
            Argument::Plain(_) => {
                return cx.error(Code::Arguments, span, "a chain belongs into `funnel` or `conversion`");
            }
        }
    }
    let needed = if kind == AggregateKind::Percentile { 2 } else { 1 };
    if plain.len() != needed {
        let help = match kind {
            AggregateKind::Percentile => "write `percentile(revenue, 95)`",
            _ => "it takes one value, such as `sum(revenue)` or `count(orders where …)`",
        };
        let message = format!("{} given, {} needed", counted(plain.len()), super::call::needed((needed, needed)));
        return cx.error_help(Code::Arguments, span, message, help);
    }
    let percent = match kind {
        AggregateKind::Median => 50.0,
        AggregateKind::Percentile => percent_of(cx, &plain[1].value)?,
        _ => 0.0,
    };
    Some(Parsed { scoped: plain[0], percent, observed, chosen })
}

fn percent_of(cx: &mut Cx<'_>, value: &Expr) -> Option<f64> {
    let parsed = match &value.kind {
        ExprKind::Quantity { number, unit } => {
            let plain = matches!(unit, None | Some(UnitWord::Percent));
            kepi_syntax::decimal(number).filter(|_| plain).map(|(d, s)| d as f64 / 10f64.powi(i32::from(s)))
        }
        _ => None,
    };
    match parsed {
        Some(p) if (0.0..=100.0).contains(&p) => Some(p),
        _ => cx.error_help(
            Code::Arguments,
            value.span,
            "the percentile is a number from 0 to 100",
            "write `percentile(revenue, 95)`",
        ),
    }
}

/// The arguments of `share` without the condition, for the whole that the part is compared with.
pub(crate) fn without_filter(cx: &mut Cx<'_>, args: &[Argument], span: Span) -> Option<Vec<Argument>> {
    match args {
        [Argument::Plain(chain)] if chain.rest.is_empty() && chain.first.filter.is_some() => {
            let mut chain = chain.clone();
            chain.first.filter = None;
            Some(vec![Argument::Plain(chain)])
        }
        _ => cx.error_help(
            Code::Arguments,
            span,
            "`share` needs events and a condition",
            "write `share(rated where rating >= 4)`",
        ),
    }
}

/// The rows that an aggregate is over, and its value (none for `count`).
pub(crate) fn aggregate_of<'a>(
    cx: &mut Cx<'_>,
    kind: AggregateKind,
    scoped: &'a Scoped,
    span: Span,
) -> Option<(EventSet, Option<&'a Expr>)> {
    if kind == AggregateKind::Count {
        return match &scoped.value.kind {
            ExprKind::Path(path) => {
                let parts = names::parts(path);
                let catalog = cx.catalog;
                if let Some((symbol, used)) = catalog.lookup(&cx.module, &parts, cx.anywhere) {
                    match &symbol.kind {
                        SymbolKind::State(_) => {
                            return cx.error_help(
                                Code::StateMeasured,
                                scoped.value.span,
                                format!(
                                    "`{}` is a state: it holds over time and is not counted like an event",
                                    symbol.name
                                ),
                                format!(
                                    "write `closing({0})`, `opening({0})`, `avg({0})` or `count(started({0}))`",
                                    symbol.name
                                ),
                            );
                        }
                        SymbolKind::Stream(_) | SymbolKind::Derived(_) | SymbolKind::Entity(_)
                            if used < parts.len() =>
                        {
                            return cx.error_help(
                                Code::WrongKind,
                                scoped.value.span,
                                format!("`{}` is a field: `count` counts events", names::text(path)),
                                format!(
                                    "write `count({})` for rows, `unique({})` for distinct values",
                                    symbol.name,
                                    names::text(path)
                                ),
                            );
                        }
                        _ => {}
                    }
                }
                Some((events::named(cx, path)?, None))
            }
            _ => {
                let only = Scoped { filter: None, per: None, over: None, ..scoped.clone() };
                Some((events::of_scoped(cx, &only)?, None))
            }
        };
    }
    if let ExprKind::Path(path) = &scoped.value.kind {
        let parts = names::parts(path);
        let catalog = cx.catalog;
        if let Some((symbol, used)) = catalog.lookup(&cx.module, &parts, cx.anywhere) {
            match &symbol.kind {
                SymbolKind::State(_) => {
                    return cx.error_help(
                        Code::StateMeasured,
                        scoped.value.span,
                        format!("`{}` is a state: it holds over time and has no rows", symbol.name),
                        format!("write `opening({0})`, `closing({0})` or `avg({0})`", symbol.name),
                    );
                }
                SymbolKind::Entity(_) if used == parts.len() => {
                    return cx.error_help(
                        Code::WrongKind,
                        scoped.value.span,
                        format!("`{}` is an entity: it is counted", symbol.name),
                        format!("write `count({})`", symbol.name),
                    );
                }
                SymbolKind::Stream(_) | SymbolKind::Derived(_) if used == parts.len() => {
                    return cx.error_help(
                        Code::WrongKind,
                        scoped.value.span,
                        format!("`{}` is an event: a value of it is needed", symbol.name),
                        format!("write `count({0})`, or one of its fields such as `{0}.amount`", symbol.name),
                    );
                }
                SymbolKind::Metric(_) => {
                    return cx.error_help(
                        Code::NestedAggregate,
                        scoped.value.span,
                        format!("`{}` is a metric, so an aggregate already", symbol.name),
                        format!("show it as it is: `show {}`", symbol.name),
                    );
                }
                _ => {}
            }
        }
    }
    match home::home(cx, &scoped.value) {
        Ok(Some(set)) => Some((set, Some(&scoped.value))),
        Ok(None) => {
            if let Some(what) = not_yet_inside(&scoped.value) {
                return cx.not_yet(scoped.value.span, what);
            }
            if let Some(state) = first_state(cx, &scoped.value) {
                let (message, help) = (
                    format!("`{state}` is a state: it holds over time and has no rows"),
                    format!("write `opening({state})`, `closing({state})` or `avg({state})`, and compute with that"),
                );
                return cx.error_help(Code::StateMeasured, scoped.value.span, message, help);
            }
            if let Some(path) = first_path(&scoped.value) {
                return events::unknown(cx, path);
            }
            if has_aggregate(&scoped.value) {
                return no_row(cx, &scoped.value);
            }
            if let Some(name) = labels_any(&scoped.value) {
                return of_any_row(cx, name, span);
            }
            let text = kepi_syntax::expr_text(&scoped.value);
            let help = match text.split('(').next() {
                Some("started" | "ended" | "stays" | "sessions") => {
                    format!("these are events: count them, or take one of their values, such as `{text}.length`")
                }
                _ => "write a measure or a field, such as `orders.amount`".to_string(),
            };
            cx.error_help(Code::NoRow, span, "this is no value of an event", help)
        }
        Err(()) => None,
    }
}

/// `age` or `cohort`, which rows of every event have.
fn labels_any(value: &Expr) -> Option<&'static str> {
    match &value.kind {
        ExprKind::Call { function, .. } => {
            let found = functions::find(&names::text(function))?;
            matches!(found.lowering, Lowering::Age | Lowering::Cohort).then_some(found.name)
        }
        ExprKind::Binary { left, right, .. } => labels_any(left).or_else(|| labels_any(right)),
        _ => None,
    }
}

/// Says that rows of every event have this, so that one has to be chosen.
pub(super) fn of_any_row<T>(cx: &mut Cx<'_>, name: &str, span: Span) -> Option<T> {
    let example = if name == "age" { "age(new_customers)" } else { "cohort(new_customers, month)" };
    cx.error_help(
        Code::NotAggregated,
        span,
        format!("every event has `{name}`: it labels rows, and has no value by itself"),
        format!("use it in `by` or `where`, or give it to an entity: `dimension d of customer = {example}`, then `customer.d`"),
    )
}

/// The name of an aggregate.
pub(super) fn word(kind: AggregateKind) -> &'static str {
    let found = functions::all().find(|f| f.lowering == Lowering::Aggregate(kind));
    found.map_or("this", |f| f.name)
}

fn nested<T>(cx: &mut Cx<'_>, inner: &Expr) -> Option<T> {
    let function = match &inner.kind {
        ExprKind::Call { function, .. } => function.parts.last().map_or("", |name| name.text.as_str()),
        _ => "",
    };
    let text = kepi_syntax::expr_text(inner);
    let help = match function {
        "opening" | "closing" | "kept" | "time_in" => {
            format!(
                "`{text}` is one number already; a mean over time is `avg` of the state, one over groups says per what: `avg({text} per month)`"
            )
        }
        _ => "say per what: `avg(sum(margin) per customer)`".to_string(),
    };
    cx.error_help(Code::NestedAggregate, inner.span, "an aggregate stands inside an aggregate", help)
}

fn no_row<T>(cx: &mut Cx<'_>, value: &Expr) -> Option<T> {
    if matches!(value.kind, ExprKind::Call { .. }) {
        return nested(cx, value);
    }
    cx.error_help(
        Code::NoRow,
        value.span,
        "nothing dates this: it has aggregates, but no row",
        "take one side from a row, such as `wins.at - first(leads.at)`",
    )
}

pub(super) fn has_aggregate(value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Call { function, arguments } => {
            functions::find(&names::text(function)).is_some_and(|f| f.lowering.is_of_cells())
                || arguments.iter().any(|a| plain(a).is_some_and(|s| has_aggregate(&s.value)))
        }
        ExprKind::Binary { left, right, .. } => has_aggregate(left) || has_aggregate(right),
        ExprKind::Negate(inner) | ExprKind::Not(inner) => has_aggregate(inner),
        _ => false,
    }
}

/// A part of the language inside a value that this version cannot run.
fn not_yet_inside(value: &Expr) -> Option<&'static str> {
    match &value.kind {
        ExprKind::Call { function, .. } => match functions::find(&names::text(function)).map(|f| &f.lowering) {
            Some(Lowering::NotYet(what)) => Some(what),
            _ => None,
        },
        ExprKind::Field { of, .. } => not_yet_inside(of),
        ExprKind::Binary { left, right, .. } => not_yet_inside(left).or_else(|| not_yet_inside(right)),
        _ => None,
    }
}

/// The first state that an expression names beside its rows.
fn first_state(cx: &Cx<'_>, value: &Expr) -> Option<String> {
    match &value.kind {
        ExprKind::Path(path) => {
            let (symbol, _) = cx.catalog.lookup(&cx.module, &names::parts(path), cx.anywhere)?;
            symbol.is_state().then(|| symbol.name.clone())
        }
        ExprKind::Binary { left, right, .. } => first_state(cx, left).or_else(|| first_state(cx, right)),
        ExprKind::Negate(inner) | ExprKind::Not(inner) => first_state(cx, inner),
        ExprKind::In { value, .. } | ExprKind::IsMissing { value, .. } => first_state(cx, value),
        _ => None,
    }
}

fn first_path(value: &Expr) -> Option<&Path> {
    match &value.kind {
        ExprKind::Path(path) => Some(path),
        ExprKind::Binary { left, right, .. } => first_path(left).or_else(|| first_path(right)),
        ExprKind::Negate(inner) | ExprKind::Not(inner) => first_path(inner),
        ExprKind::In { value, .. } | ExprKind::IsMissing { value, .. } => first_path(value),
        ExprKind::Case { whens, otherwise } if !has_aggregate(value) => {
            let each = whens.iter().find_map(|(when, then)| first_path(when).or_else(|| first_path(then)));
            each.or_else(|| otherwise.as_ref().and_then(|value| first_path(value)))
        }
        _ => None,
    }
}

/// The measure of an aggregate over rows, and its unit.
pub(crate) fn measure(
    cx: &mut Cx<'_>,
    kind: AggregateKind,
    set: &EventSet,
    arg: Option<&Expr>,
    percent: f64,
    observed: bool,
    span: Span,
) -> Option<(Measure, Unit)> {
    let Some(arg) = arg else { return Some((Measure::Count, Unit::of(Kind::Count))) };
    let value: Row = seconds(expr::lower(cx, &mut RowScope::of(set), arg)?);
    measure_of(cx, kind, value, percent, observed, (arg.span, span))
}

/// The measure of an aggregate of a value, and its unit; with where the value and the aggregate stand.
pub(super) fn measure_of(
    cx: &mut Cx<'_>,
    kind: AggregateKind,
    value: Row,
    percent: f64,
    observed: bool,
    (inside, span): (Span, Span),
) -> Option<(Measure, Unit)> {
    let unit = value.unit.clone();
    let numeric = unit.kind.is_numeric();
    let ordered = numeric || matches!(unit.kind, Kind::Time | Kind::Date | Kind::Text);
    let fits = match kind {
        AggregateKind::Sum | AggregateKind::Avg | AggregateKind::Stddev => numeric,
        AggregateKind::Median | AggregateKind::Percentile => numeric,
        AggregateKind::Min | AggregateKind::Max => ordered,
        _ => true,
    };
    if !fits {
        let help = match unit.kind {
            Kind::Bool => "count the rows where it holds: `count(… where …)` or `share(… where …)`",
            Kind::Time | Kind::Date => "the length between two times is a number: `avg(orders.at - customer.created)`",
            Kind::Entity(_) => "distinct ones are counted by `unique(…)`",
            _ => "a number, an amount of money or a length of time is needed",
        };
        let what = match &unit.kind {
            Kind::Entity(name) => format!("an entity, `{}`", names::bare(name)),
            _ => unit.to_string(),
        };
        let message = format!("`{}` needs numbers, this is {what}", word(kind));
        return cx.error_help(Code::TypeMismatch, inside, message, help);
    }
    if let (
        Kind::MoneyOf(field),
        AggregateKind::Sum
        | AggregateKind::Avg
        | AggregateKind::Min
        | AggregateKind::Max
        | AggregateKind::Median
        | AggregateKind::Percentile
        | AggregateKind::Stddev,
    ) = (&unit.kind, kind)
        && cx.currency.is_none()
        && !cx.undecided
        && !(cx.looking_back && cx.beside.is_some())
    {
        if cx.looking_back {
            return cx.error_help(
                Code::SeveralCurrencies,
                span,
                format!("each row has the currency that its `{field}` says: they do not add up"),
                "compare it with an amount, such as `> 100 EUR`, or write `in EUR` behind the query",
            );
        }
        return cx.error_help(
            Code::SeveralCurrencies,
            span,
            format!("each row has the currency that its `{field}` says: they do not add up"),
            "convert them: write `in EUR` behind the query",
        );
    }
    let constant_span = matches!(value.as_constant(), Some(Value::Span(_)));
    debug_assert!(!constant_span, "lengths by the calendar were made seconds above");
    Some(match kind {
        AggregateKind::Count => (Measure::Count, Unit::of(Kind::Count)),
        AggregateKind::Unique => (Measure::Unique(value), Unit::of(Kind::Count)),
        AggregateKind::Sum => (Measure::Sum(value), unit),
        AggregateKind::Avg => (Measure::Avg(value), averaged(unit)),
        AggregateKind::Min => (Measure::Min(value), unit),
        AggregateKind::Max => (Measure::Max(value), unit),
        AggregateKind::Median | AggregateKind::Percentile => {
            (Measure::Percentile { of: value, percent, observed }, averaged(unit))
        }
        AggregateKind::Stddev => (Measure::Stddev(value), averaged(unit)),
        AggregateKind::First => (Measure::First(value), unit),
        AggregateKind::Last => (Measure::Last(value), unit),
    })
}

/// An average of counts is a number.
fn averaged(unit: Unit) -> Unit {
    if unit.kind == Kind::Count { Unit { kind: Kind::Number, per: unit.per } } else { unit }
}
