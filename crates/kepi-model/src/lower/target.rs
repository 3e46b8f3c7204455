//! Targets: what is measured, what it has to reach, and the line on which it gets there.

use super::cell::CellScope;
use super::growth::{self, Growth};
use super::literal::{fit, seconds};
use super::{Cx, Node, expr, grain, window};
use crate::calendar::Grain;
use crate::catalog::{Catalog, Placed};
use crate::core::{Better, Formula, TargetLine};
use crate::units;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::{DateTime, Expr, ExprKind, Goal, Target, TimeUnit};
use kepi_syntax::{Code, Diagnostic};

/// A target, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetDecl {
    /// Its name, with the module in front if it has one.
    pub name: String,
    /// What it measures.
    pub on: Expr,
    /// Of which rows.
    pub filter: Option<Expr>,
    /// The unit of what it measures.
    pub unit: Unit,
    /// What a longer time makes of what it measures.
    pub growth: Growth,
    /// What it asks for over time.
    pub line: TargetLine,
    /// After which periods it is looked at.
    pub review: Grain,
    /// Which direction is good.
    pub better: Better,
    /// What stands after `with`: `owner`, `why` …
    pub attributes: Vec<(String, String)>,
    /// The module whose names it sees.
    pub module: String,
}

impl Catalog {
    /// Every target, and the mistakes of those that have some.
    pub fn targets(&self, now: i64) -> (Vec<TargetDecl>, Vec<Diagnostic>) {
        let mut targets = Vec::new();
        let mut diagnostics = Vec::new();
        for placed in &self.targets {
            let mut cx = Cx::new(self, &placed.module, placed.file, now, placed.module.is_empty());
            let found = target(&mut cx, placed);
            if !cx.failed() {
                targets.extend(found);
            }
            diagnostics.append(&mut cx.diagnostics);
        }
        (targets, diagnostics)
    }
}

fn target(cx: &mut Cx<'_>, placed: &Placed<Target>) -> Option<TargetDecl> {
    let Target { name, on, filter, goal, review, with } = &placed.item;
    let mut scope = CellScope::new(&[], filter.as_ref(), None, true);
    let measured: Formula = expr::lower(cx, &mut scope, on)?;
    if !measured.unit.kind.is_numeric() {
        return cx.error_help(
            Code::TypeMismatch,
            on.span,
            format!("`{}` is {}, a target is on a number", kepi_syntax::expr_text(on), measured.unit),
            "name a metric that is counted or summed",
        );
    }
    let unit = measured.unit.clone();
    let growth = growth::of(&measured, &scope.aggregates);
    let adds_up = growth == Growth::Amount;
    let zone = window::zone_of(cx.catalog);
    let line = match goal {
        Goal::Total { during, reach, each } => {
            let (from, until) = window::bounds(cx, &zone, during)?;
            let reach = amount(cx, reach, &unit)?;
            match each {
                None => TargetLine::Total { from, until, reach, adds_up },
                Some(path) => {
                    let grain = grain::grain(cx, path)?;
                    window::covered(cx, &zone, &grain, ("it begins on", from), path.span)?;
                    window::covered(cx, &zone, &grain, ("its last day is", until - 1), path.span)?;
                    TargetLine::Each { from, until, grain, reach, adds_up }
                }
            }
        }
        Goal::Level { by, reach, from } => {
            let reach = amount(cx, reach, &unit)?;
            let by = moment(cx, by)?;
            let baseline = match from {
                None => None,
                Some((value, at)) => {
                    let (value, since) = (amount(cx, value, &unit)?, moment(cx, at)?);
                    if since >= by {
                        return cx.error_help(
                            Code::NoSuchDay,
                            at.span,
                            "the baseline is not before the day of the target",
                            "write the day on which it was measured, which lies before the goal",
                        );
                    }
                    Some((since, value))
                }
            };
            TargetLine::Level { by, reach, baseline }
        }
    };
    let review = match (review, &line) {
        (Some(word), _) => reviewed(cx, word)?,
        (None, TargetLine::Each { grain, .. }) => grain.clone(),
        (None, _) => cx.catalog.settings.grain(TimeUnit::Month),
    };
    let said = super::query::said_better(with).or_else(|| super::query::better(cx, on));
    let better = said.unwrap_or(match &line {
        TargetLine::Level { reach, baseline: Some((_, from)), .. } if number(reach) < number(from) => Better::Down,
        _ => Better::Up,
    });
    let text = |value: &Expr| match &value.kind {
        ExprKind::Text(text) => text.clone(),
        _ => kepi_syntax::expr_text(value),
    };
    Some(TargetDecl {
        name: crate::catalog::full_name(&placed.module, &name.text),
        on: on.clone(),
        filter: filter.clone(),
        unit,
        growth,
        line,
        review,
        better,
        attributes: with.iter().map(|pair| (pair.name.text.clone(), text(&pair.value))).collect(),
        module: placed.module.clone(),
    })
}

/// A constant in the unit of what is measured.
fn amount(cx: &mut Cx<'_>, value: &Expr, unit: &Unit) -> Option<Value> {
    let lowered: Formula = expr::lower(cx, &mut CellScope::new(&[], None, None, false), value)?;
    let lowered = seconds(fit(cx, lowered, unit));
    let Some(constant) = lowered.as_constant().cloned() else {
        return cx.error_help(
            Code::TypeMismatch,
            value.span,
            "a target's amount is a constant",
            "write a number with its unit, such as `1.2M EUR` or `2%`",
        );
    };
    let plain = lowered.unit.kind == Kind::Number && matches!(unit.kind, Kind::Count | Kind::Number);
    if !plain && units::join(unit, lowered.unit()).is_err() {
        return cx.error_help(
            Code::TypeMismatch,
            value.span,
            format!("what is measured is {unit}, this is {}", lowered.unit),
            format!("write it in {unit}"),
        );
    }
    Some(constant)
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Decimal { digits, scale } => *digits as f64 / 10f64.powi(i32::from(*scale)),
        Value::Float(number) => *number,
        _ => 0.0,
    }
}

fn moment(cx: &mut Cx<'_>, date: &DateTime) -> Option<i64> {
    match cx.catalog.instant(&date.text) {
        Some(at) => Some(at),
        None => cx.error(Code::NoSuchDay, date.span, format!("there is no `{}`", date.text)),
    }
}

/// `review monthly`.
fn reviewed(cx: &mut Cx<'_>, word: &kepi_syntax::ast::Name) -> Option<Grain> {
    let unit = match word.text.as_str() {
        "daily" => TimeUnit::Day,
        "weekly" => TimeUnit::Week,
        "monthly" => TimeUnit::Month,
        "quarterly" => TimeUnit::Quarter,
        "yearly" => TimeUnit::Year,
        _ => {
            return cx.error_help(
                Code::UnknownName,
                word.span,
                format!("nothing is reviewed `{}`", word.text),
                "write `daily`, `weekly`, `monthly`, `quarterly` or `yearly`",
            );
        }
    };
    Some(cx.catalog.settings.grain(unit))
}
