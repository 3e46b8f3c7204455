//! `vs target`: which declared target each shown value has to reach.

use super::Cx;
use crate::calendar::{self, Grain, TimeUnit};
use crate::core::{Compare, CompareWith, TargetLine, Window};
use crate::lower::growth::Growth;
use crate::lower::target::TargetDecl;
use crate::names;
use crate::units;
use crate::value::Unit;
use kepi_syntax::ast::{self, BinaryOp, Expr, ExprKind, Path};
use kepi_syntax::{Code, Span};
use std::collections::BTreeMap;

/// A shown value: as it is written (none: a part of a table), and its unit.
pub(super) type Shown<'q> = (Option<&'q Expr>, Unit);

/// What `vs target` is asked of.
#[derive(Clone, Copy)]
pub(super) struct Asked<'q> {
    pub(super) query: &'q ast::Query,
    /// The one target that is meant; none: those that fit.
    pub(super) name: Option<&'q Path>,
    pub(super) window: Option<&'q Window>,
    pub(super) per: Option<&'q Grain>,
    pub(super) span: Span,
}

/// The targets of what a query shows. Where nothing of it has one, that is said, and the column is empty: a report may
/// be written before its targets are. Beside labels each part has a target of its own, or none.
pub(super) fn targets(cx: &mut Cx<'_>, asked: Asked<'_>, shown: &[Shown<'_>]) -> Option<Compare> {
    let (declared, _) = cx.catalog.targets(cx.now);
    let meant: Vec<&TargetDecl> = match asked.name {
        None => declared.iter().collect(),
        Some(name) => vec![named(cx, &declared, name, shown)?],
    };
    let mut lines = Vec::new();
    let mut ok = true;
    for (value, unit) in shown {
        let Some(value) = value else {
            lines.push(None);
            continue;
        };
        let own: Vec<&TargetDecl> = meant.iter().copied().filter(|target| same_value(cx, target, value)).collect();
        let line = if asked.query.by.is_empty() {
            let filter = conjuncts(asked.query.filter.as_ref());
            let fitting = own.into_iter().filter(|target| conjuncts(target.filter.as_ref()) == filter).collect();
            one(cx, fitting, asked, value, unit)
        } else {
            split(cx, own, asked, value, unit)
        };
        match line {
            Ok(line) => lines.push(line),
            Err(()) => ok = false,
        }
    }
    if !ok {
        return None;
    }
    if lines.iter().all(Option::is_none) {
        no_target(cx, &meant, shown, asked);
    } else if lines.iter().flatten().all(|line| matches!(line, TargetLine::Split { parts, .. } if parts.is_empty())) {
        not_split(cx, &meant, shown, asked);
    }
    let name = match asked.name {
        Some(name) => format!("target {}", names::text(name)),
        None => "target".to_string(),
    };
    Some(Compare { name, with: CompareWith::Target(lines) })
}

/// The target of a name; it has to be on something that is shown.
fn named<'t>(cx: &mut Cx<'_>, declared: &'t [TargetDecl], name: &Path, shown: &[Shown<'_>]) -> Option<&'t TargetDecl> {
    let text = names::text(name);
    let own = crate::catalog::full_name(&cx.module, &text);
    let found = declared.iter().find(|target| target.name == own || target.name == text);
    let Some(target) = found.or_else(|| declared.iter().find(|target| names::bare(&target.name) == text)) else {
        let known: Vec<&str> = declared.iter().map(|target| target.name.as_str()).collect();
        let help = names::suggestion(&text, known.iter().copied()).unwrap_or_else(|| match known.as_slice() {
            [] => "there are none yet: `target goal on … during 2026 reach …`".to_string(),
            known => format!("there are {}", ticked(known)),
        });
        return cx.error_help(Code::UnknownName, name.span, format!("there is no target `{text}`"), help);
    };
    if shown.iter().any(|(value, _)| value.is_some_and(|value| same_value(cx, target, value))) {
        return Some(target);
    }
    let (on, target) = (on_what(target), &target.name);
    let message = format!("the target `{target}` is on {on}, which is not shown");
    cx.error_help(Code::UnknownName, name.span, message, format!("show {on}, or leave out `{text}`"))
}

/// What targets on the same rows ask for together: one, or totals of times that follow each other. `Err`: it is not said
/// which one is meant, and reported.
fn one(
    cx: &mut Cx<'_>,
    fitting: Vec<&TargetDecl>,
    asked: Asked<'_>,
    value: &Expr,
    unit: &Unit,
) -> Result<Option<TargetLine>, ()> {
    let fitting = choose(fitting, asked.window, asked.per);
    let first = match fitting.as_slice() {
        [] => return Ok(None),
        [first, ..] if fitting.len() == 1 || follow_each_other(&fitting) => *first,
        several => {
            let names: Vec<&str> = several.iter().map(|target| target.name.as_str()).collect();
            let message = format!("`{}` has several targets here: {}", kepi_syntax::expr_text(value), ticked(&names));
            let each: Vec<String> = names.iter().map(|name| format!("target {name}")).collect();
            let help = format!("say which one: `vs {}`; or all beside each other: `vs {}`", each[0], each.join(", "));
            cx.error_help::<()>(Code::Ambiguous, asked.span, message, help);
            return Err(());
        }
    };
    if units::join(unit, &first.unit).is_err() {
        let message =
            format!("the target `{}` is in {}, here `{}` is in {unit}", first.name, first.unit, name_of(first));
        cx.error_help::<()>(Code::UnitMismatch, asked.span, message, "leave out `in`, or `vs target`");
        return Err(());
    }
    for target in &fitting {
        other_period(cx, target, (asked.window, asked.per), asked.span);
    }
    Ok(Some(match fitting.len() {
        1 => first.line.clone(),
        _ => TargetLine::Several(fitting.iter().map(|target| target.line.clone()).collect()),
    }))
}

/// What is asked of each part that labels name, by targets that are on it alone: `… where region = "EU"` beside
/// `by region`. None where there is no target on the value at all, or on other rows.
fn split(
    cx: &mut Cx<'_>,
    own: Vec<&TargetDecl>,
    asked: Asked<'_>,
    value: &Expr,
    unit: &Unit,
) -> Result<Option<TargetLine>, ()> {
    let filter = conjuncts(asked.query.filter.as_ref());
    let mut parts: BTreeMap<Vec<String>, Vec<&TargetDecl>> = BTreeMap::new();
    let mut whole = Vec::new();
    for target in own {
        if conjuncts(target.filter.as_ref()) == filter {
            whole.push(target);
        } else if let Some(labels) = part_of(target, &filter, asked.query) {
            parts.entry(labels).or_default().push(target);
        }
    }
    let mut lines = Vec::new();
    for (labels, fitting) in parts {
        lines.extend(one(cx, fitting, asked, value, unit)?.map(|line| (labels, line)));
    }
    // That of the whole stands beside the total alone, which has none where it is not said which one is meant.
    let whole = match choose(whole, asked.window, asked.per).as_slice() {
        [target] if units::join(unit, &target.unit).is_ok() => Some(Box::new(target.line.clone())),
        _ => None,
    };
    let any = whole.is_some() || !lines.is_empty();
    Ok(any.then_some(TargetLine::Split { parts: lines, whole }))
}

/// The texts of a query's labels that a target is on, where its condition names one of each label beside what the query
/// filters by.
fn part_of(target: &TargetDecl, filter: &[String], query: &ast::Query) -> Option<Vec<String>> {
    let all = conditions(target.filter.as_ref());
    let (of_query, of_labels): (Vec<&Expr>, Vec<&Expr>) =
        all.into_iter().partition(|part| filter.contains(&kepi_syntax::expr_text(part)));
    if of_query.len() != filter.len() || of_labels.len() != query.by.len() {
        return None;
    }
    let label = |item: &ast::Item| {
        let wanted = kepi_syntax::expr_text(&item.value);
        of_labels.iter().find_map(|part| match &part.kind {
            ExprKind::Binary { op: BinaryOp::Equal, left, right } => match (&left.kind, &right.kind) {
                (_, ExprKind::Text(text)) if kepi_syntax::expr_text(left) == wanted => Some(text.clone()),
                (ExprKind::Text(text), _) if kepi_syntax::expr_text(right) == wanted => Some(text.clone()),
                _ => None,
            },
            _ => None,
        })
    };
    query.by.iter().map(label).collect()
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
        (_, Growth::Level) | (TargetLine::Several(_) | TargetLine::Split { .. }, _) => return,
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

/// The parts of a condition that all must hold.
fn conditions(filter: Option<&Expr>) -> Vec<&Expr> {
    let mut parts = Vec::new();
    let mut rest: Vec<&Expr> = filter.into_iter().collect();
    while let Some(part) = rest.pop() {
        match &part.kind {
            ExprKind::Binary { op: BinaryOp::And, left, right } => rest.extend([left.as_ref(), right.as_ref()]),
            _ => parts.push(part),
        }
    }
    parts
}

/// The same as texts, in an order of their own.
fn conjuncts(filter: Option<&Expr>) -> Vec<String> {
    let mut parts: Vec<String> = conditions(filter).into_iter().map(kepi_syntax::expr_text).collect();
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
            TargetLine::Level { .. } | TargetLine::Several(_) | TargetLine::Split { .. } => None,
        })
        .collect();
    let Some(mut times) = times else { return false };
    times.sort_unstable();
    times.windows(2).all(|pair| pair[0].1 <= pair[1].0)
}

/// Of several targets on one value those of the window, among them those that span it, and among these those of the
/// query's periods.
fn choose<'t>(mut fitting: Vec<&'t TargetDecl>, window: Option<&Window>, per: Option<&Grain>) -> Vec<&'t TargetDecl> {
    let mut narrow = |keep: &dyn Fn(&TargetDecl) -> bool| {
        if fitting.len() > 1 && fitting.iter().any(|target| keep(target)) {
            fitting.retain(|target| keep(target));
        }
    };
    if let Some(window) = window {
        let start = if window.moment { Some(window.until) } else { window.from };
        narrow(&|target| match &target.line {
            TargetLine::Total { from, until, .. } | TargetLine::Each { from, until, .. } => {
                *from < window.until && start.is_none_or(|start| start < *until)
            }
            // A level is due on its day, at the moment in which that begins.
            TargetLine::Level { by, .. } if window.moment => window.until <= *by,
            TargetLine::Level { by, .. } => start.is_none_or(|start| start < *by),
            TargetLine::Several(_) | TargetLine::Split { .. } => true,
        });
        narrow(&|target| match &target.line {
            TargetLine::Total { from, until, .. } | TargetLine::Each { from, until, .. } => {
                window.from.is_some_and(|start| *from <= start) && window.until <= *until
            }
            _ => false,
        });
    }
    match per {
        Some(per) => narrow(&|target| matches!(&target.line, TargetLine::Each { grain, .. } if grain == per)),
        None => narrow(&|target| matches!(target.line, TargetLine::Total { .. })),
    }
    fitting
}

fn no_target(cx: &mut Cx<'_>, declared: &[&TargetDecl], shown: &[Shown<'_>], asked: Asked<'_>) {
    if declared.is_empty() {
        let value =
            shown.iter().find_map(|(value, _)| *value).map_or("new_revenue".to_string(), kepi_syntax::expr_text);
        let help = format!("declare one: `target goal on {value} during 2026 reach …`");
        cx.warn(Code::UnknownName, asked.span, "there are no targets", help);
        return;
    }
    let known: Vec<String> =
        declared.iter().map(|target| format!("`{}` on {}", target.name, on_what(target))).collect();
    let message = if on_shown(cx, declared, shown).is_empty() {
        "nothing that is shown has a target"
    } else {
        "the targets on what is shown are of other rows than this query's `where`"
    };
    cx.warn(Code::UnknownName, asked.span, message, format!("there are {}", known.join(", ")));
}

/// Says that a target is on all parts together, and stands beside none of them.
fn not_split(cx: &mut Cx<'_>, declared: &[&TargetDecl], shown: &[Shown<'_>], asked: Asked<'_>) {
    let labels: Vec<String> = asked.query.by.iter().map(|item| kepi_syntax::expr_text(&item.value)).collect();
    let all = on_shown(cx, declared, shown);
    let Some(first) = all.iter().find(|target| target.filter.is_none()).or(all.first()) else { return };
    let message =
        format!("no target is split by `{}`: `{}` is on all of {}", labels.join(", "), first.name, on_what(first));
    let each: Vec<String> = labels.iter().map(|label| format!("{label} = \"…\"")).collect();
    let help = format!(
        "leave out `by {}`, or declare a target for each: `target … on {} where {} …`",
        labels.join(", "),
        name_of(first),
        each.join(" and ")
    );
    cx.warn(Code::UnknownName, asked.span, message, help);
}

fn on_shown<'t>(cx: &Cx<'_>, declared: &[&'t TargetDecl], shown: &[Shown<'_>]) -> Vec<&'t TargetDecl> {
    let is_shown = |target: &&&TargetDecl| shown.iter().any(|(v, _)| v.is_some_and(|v| same_value(cx, target, v)));
    declared.iter().filter(is_shown).copied().collect()
}

/// What a target is on, with its condition.
fn on_what(target: &TargetDecl) -> String {
    match &target.filter {
        Some(filter) => format!("`{} where {}`", name_of(target), kepi_syntax::expr_text(filter)),
        None => format!("`{}`", name_of(target)),
    }
}

fn ticked(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
