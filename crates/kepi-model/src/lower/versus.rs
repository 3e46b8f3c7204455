//! `vs target`: which declared target each shown value has to reach.

use super::Cx;
use crate::calendar::{self, Grain, TimeUnit};
use crate::core::{Compare, CompareWith, TargetLine, Window};
use crate::lower::growth::Growth;
use crate::lower::target::TargetDecl;
use crate::names;
use crate::units;
use crate::value::Unit;
use kepi_syntax::ast::{self, BinaryOp, Expr, ExprKind};
use kepi_syntax::{Code, Span};

/// A shown value: as it is written (none: a part of a table), and its unit.
pub(super) type Shown<'q> = (Option<&'q Expr>, Unit);

/// The targets of what a query shows. Where nothing of it has one, that is said, and the column is empty: a report may
/// be written before its targets are.
pub(super) fn targets(
    cx: &mut Cx<'_>,
    query: &ast::Query,
    shown: &[Shown<'_>],
    window: Option<&Window>,
    per: Option<&Grain>,
    span: Span,
) -> Option<Compare> {
    let (declared, _) = cx.catalog.targets(cx.now);
    let filter = conjuncts(query.filter.as_ref());
    let mut lines = Vec::new();
    let mut ok = true;
    for (value, unit) in shown {
        let Some(value) = value else {
            lines.push(None);
            continue;
        };
        let fitting = declared
            .iter()
            .filter(|target| same_value(cx, target, value) && conjuncts(target.filter.as_ref()) == filter)
            .collect();
        let fitting = choose(fitting, window, per);
        let target = match fitting.as_slice() {
            [] => None,
            [first, ..] if fitting.len() == 1 || follow_each_other(&fitting) => Some(*first),
            several => {
                let names: Vec<String> = several.iter().map(|t| format!("`{}`", t.name)).collect();
                let message =
                    format!("`{}` has several targets here: {}", kepi_syntax::expr_text(value), names.join(", "));
                cx.error_help::<()>(
                    Code::Ambiguous,
                    span,
                    message,
                    "ask for a window in which only one of them lies, or for totals whose times do not overlap",
                );
                ok = false;
                continue;
            }
        };
        if let Some(target) = target
            && units::join(unit, &target.unit).is_err()
        {
            let message =
                format!("the target `{}` is in {}, here `{}` is in {unit}", target.name, target.unit, name_of(target));
            cx.error_help::<()>(Code::UnitMismatch, span, message, "leave out `in`, or `vs target`");
            ok = false;
        }
        for target in &fitting {
            other_period(cx, target, (window, per), span);
        }
        lines.push(match fitting.len() {
            0 | 1 => target.map(|target| target.line.clone()),
            _ => Some(TargetLine::Several(fitting.iter().map(|target| target.line.clone()).collect())),
        });
    }
    if !ok {
        return None;
    }
    if lines.iter().all(Option::is_none) {
        no_target(cx, &declared, shown, span);
    }
    Some(Compare { name: "target".to_string(), with: CompareWith::Target(lines) })
}

/// Periods of a calendar that comes from a table have counterparts in that calendar only.
pub(super) fn comparable(cx: &mut Cx<'_>, with: &Grain, per: Option<&Grain>, span: Span) -> Option<()> {
    let Some(per) = per else { return Some(()) };
    let (of_table, within_day) = (with.table.is_some() || per.table.is_some(), per.unit < TimeUnit::Day);
    if !of_table || with.table == per.table || (with.table.is_some() && per.unit == TimeUnit::Day) {
        return Some(());
    }
    let help = match (&per.calendar, &with.calendar) {
        (Some(calendar), _) if per.table.is_some() => {
            format!("write `vs previous {calendar}.{}`", calendar::unit_name(with.unit))
        }
        (_, Some(calendar)) if !within_day => format!("write `per {calendar}.{}`", calendar::unit_name(per.unit)),
        _ => "ask per day".to_string(),
    };
    let message = format!("`per {}` has no counterparts in the {} before", per.name(), with.name());
    cx.error_help(Code::WrongKind, span, message, help)
}

/// Warns of a value that changes with the length of its period where that is another one than the target's: what is
/// shown and what is asked for are of two times then.
fn other_period(cx: &mut Cx<'_>, target: &TargetDecl, (window, per): (Option<&Window>, Option<&Grain>), span: Span) {
    let goal = match (&target.line, target.growth) {
        (_, Growth::Level) | (TargetLine::Several(_), _) => return,
        // Amounts are spread over shorter times and summed up over longer ones.
        (TargetLine::Total { .. } | TargetLine::Each { .. }, Growth::Amount) => return,
        (TargetLine::Total { from, until, .. }, Growth::Rate) => Err((*from, *until)),
        (TargetLine::Each { grain, .. }, Growth::Rate) => Ok(grain),
        (TargetLine::Level { .. }, Growth::Amount | Growth::Rate) => Ok(&target.review),
    };
    if let (TargetLine::Total { from, until, .. } | TargetLine::Each { from, until, .. }, Some(window)) =
        (&target.line, window)
        && (window.until <= *from || window.from.is_some_and(|start| start >= *until))
    {
        // Nothing is asked for in that time.
        return;
    }
    let zone = super::window::zone_of(cx.catalog);
    // All of a period, or what is over of the one that runs.
    let ends = |window: &Window, until: i64| window.until == until || window.until == cx.now && cx.now < until;
    let same = match (goal, per, window) {
        (Ok(grain), Some(per), _) => grain == per,
        (Ok(grain), None, Some(window)) => window
            .from
            .is_some_and(|from| zone.truncate(grain, from) == from && ends(window, zone.step(grain, from, 1))),
        (Err((from, until)), None, Some(window)) => window.from == Some(from) && ends(window, until),
        _ => false,
    };
    if same {
        return;
    }
    let shown = per.map_or("all of the time".to_string(), |per| format!("a {}", per.name()));
    let (asked, help) = match goal {
        Ok(grain) => (format!("a {}", grain.name()), format!("ask `per {}`, as the target does", grain.name())),
        Err(_) => ("its whole time".to_string(), "ask for the target's own time, without `per`".to_string()),
    };
    let message = format!(
        "`{}` changes with the length of its period: here that is {shown}, for the target `{}` it is {asked}",
        name_of(target),
        target.name,
    );
    cx.warn(Code::LintOtherPeriod, span, message, help);
}

fn name_of(target: &TargetDecl) -> String {
    kepi_syntax::expr_text(&target.on)
}

/// Whether a target is on a shown value: the same metric, or the same text.
fn same_value(cx: &Cx<'_>, target: &TargetDecl, value: &Expr) -> bool {
    let metric = |module: &str, anywhere: bool, value: &Expr| match &value.kind {
        ExprKind::Path(path) => {
            let parts = names::parts(path);
            let found = cx.catalog.lookup(module, &parts, anywhere).filter(|(_, used)| *used == parts.len());
            found.map(|(symbol, _)| symbol.full_name())
        }
        _ => None,
    };
    let theirs = metric(&target.module, target.module.is_empty(), &target.on);
    match (theirs, metric(&cx.module, cx.anywhere, value)) {
        (Some(theirs), Some(ours)) => theirs == ours,
        (None, None) => name_of(target) == kepi_syntax::expr_text(value),
        _ => false,
    }
}

/// The parts of a condition that all must hold, in an order of their own.
fn conjuncts(filter: Option<&Expr>) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest: Vec<&Expr> = filter.into_iter().collect();
    while let Some(part) = rest.pop() {
        match &part.kind {
            ExprKind::Binary { op: BinaryOp::And, left, right } => rest.extend([left.as_ref(), right.as_ref()]),
            _ => parts.push(kepi_syntax::expr_text(part)),
        }
    }
    parts.sort();
    parts.dedup();
    parts
}

/// Whether targets are totals of times that do not overlap.
fn follow_each_other(targets: &[&TargetDecl]) -> bool {
    let times: Option<Vec<(i64, i64)>> = targets
        .iter()
        .map(|target| match &target.line {
            TargetLine::Total { from, until, .. } | TargetLine::Each { from, until, .. } => Some((*from, *until)),
            TargetLine::Level { .. } | TargetLine::Several(_) => None,
        })
        .collect();
    let Some(mut times) = times else { return false };
    times.sort_unstable();
    times.windows(2).all(|pair| pair[0].1 <= pair[1].0)
}

/// Of several targets on one value those of the window, and among them those of the query's periods.
fn choose<'t>(mut fitting: Vec<&'t TargetDecl>, window: Option<&Window>, per: Option<&Grain>) -> Vec<&'t TargetDecl> {
    let mut narrow = |keep: &dyn Fn(&TargetDecl) -> bool| {
        if fitting.len() > 1 && fitting.iter().any(|target| keep(target)) {
            fitting.retain(|target| keep(target));
        }
    };
    if let Some(window) = window {
        narrow(&|target| match &target.line {
            TargetLine::Total { from, until, .. } | TargetLine::Each { from, until, .. } => {
                *from < window.until && window.from.is_none_or(|start| start < *until)
            }
            TargetLine::Level { by, .. } => window.from.is_none_or(|start| start < *by),
            TargetLine::Several(_) => true,
        });
    }
    match per {
        Some(per) => narrow(&|target| matches!(&target.line, TargetLine::Each { grain, .. } if grain == per)),
        None => narrow(&|target| matches!(target.line, TargetLine::Total { .. })),
    }
    fitting
}

fn no_target(cx: &mut Cx<'_>, declared: &[TargetDecl], shown: &[Shown<'_>], span: Span) {
    if declared.is_empty() {
        let value =
            shown.iter().find_map(|(value, _)| *value).map_or("new_revenue".to_string(), kepi_syntax::expr_text);
        let help = format!("declare one: `target goal on {value} during 2026 reach …`");
        cx.warn(Code::UnknownName, span, "there are no targets", help);
        return;
    }
    let known: Vec<String> = declared
        .iter()
        .map(|target| match &target.filter {
            Some(filter) => {
                format!("`{}` on `{} where {}`", target.name, name_of(target), kepi_syntax::expr_text(filter))
            }
            None => format!("`{}` on `{}`", target.name, name_of(target)),
        })
        .collect();
    let close = declared.iter().any(|t| shown.iter().any(|(value, _)| value.is_some_and(|v| same_value(cx, t, v))));
    let message = if close {
        "the targets on what is shown are of other rows than this query's `where`"
    } else {
        "nothing that is shown has a target"
    };
    cx.warn(Code::UnknownName, span, message, format!("there are {}", known.join(", ")));
}
