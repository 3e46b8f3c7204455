//! Looking into every definition for itself: `kepi check`.

use super::bind::substitute;
use super::cell::CellScope;
use super::events;
use super::expr;
use super::row::RowScope;
use super::{Cx, Node, home, lint, table};
use crate::catalog::{Catalog, Placed, Symbol, SymbolKind};
use crate::core::{Formula, Row};
use crate::units;
use crate::value::{Currency, Kind, Unit};
use kepi_syntax::ast::{DateTime, Definition, Expr, ExprKind, Function, Item, Parameter, TimeUnit, TypeName, UnitWord};
use kepi_syntax::{Code, Diagnostic, Severity, Span};
use std::collections::BTreeSet;

impl Catalog {
    /// All mistakes of all definitions, each where it stands. What this version cannot run yet is a warning.
    pub fn check(&self, now: i64) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let mut broken = BTreeSet::new();
        for symbol in self.symbols.values() {
            let mut cx = Cx::new(self, &symbol.module, symbol.file, now, symbol.module.is_empty());
            cx.begin(&symbol.full_name());
            check_symbol(&mut cx, symbol);
            if matches!(&symbol.kind, SymbolKind::Metric(d) | SymbolKind::Segment(d) | SymbolKind::Dimension(d) if is_open(d))
            {
                // Of a value that may be anything, only names can be judged.
                cx.diagnostics.retain(|d| is_of_names(d.code));
            }
            if cx.failed() {
                broken.insert(symbol.full_name());
            }
            // A circle is told by those that are in it.
            let itself = format!("`{}` is defined by itself", symbol.name);
            cx.diagnostics.retain(|d| d.code != Code::Cycle || d.message.ends_with(&itself));
            found.append(&mut once_not_yet(cx.diagnostics));
        }
        for function in self.functions.values() {
            found.append(&mut self.check_function(function, now));
        }
        let (_, mut sources) = self.sources(now);
        found.append(&mut sources);
        for report in &self.reports {
            if let Some(every) = &report.item.every {
                let mut cx = Cx::new(self, &report.module, report.file, now, report.module.is_empty());
                super::grain::grain(&mut cx, every);
                found.append(&mut cx.diagnostics);
            }
            for query in &report.item.queries {
                let anywhere = report.module.is_empty();
                found.append(&mut self.query_in(&report.module, anywhere, query, now, report.file).1);
            }
        }
        found.append(&mut self.targets(now).1);
        found.append(&mut self.check_tests(now));
        // A mistake of a definition is told where it stands, not again wherever the definition is used.
        found.retain(|d| d.code == Code::Cycle || !inner_name(&d.message).is_some_and(|name| broken.contains(name)));
        for diagnostic in &mut found {
            if diagnostic.code == Code::NotYet {
                diagnostic.severity = Severity::Warning;
            }
        }
        found.sort_by_key(|d| (d.file, d.span, d.code));
        found
    }

    /// The mistakes of a function that do not depend on what it is given: functions that do not exist, and itself.
    fn check_function(&self, function: &Placed<Function>, now: i64) -> Vec<Diagnostic> {
        let mut cx = Cx::new(self, &function.module, function.file, now, function.module.is_empty());
        cx.begin(&format!("{}()", function.item.name.text));
        let unknown =
            function.item.parameters.iter().map(|p| (p.name.text.clone(), missing(p.name.span))).collect::<Vec<_>>();
        let body = substitute(&function.item.value, &unknown);
        let _: Option<Formula> = expr::lower(&mut cx, &mut CellScope::alone(), &body);
        cx.diagnostics.retain(|d| matches!(d.code, Code::UnknownFunction | Code::Cycle | Code::TooLarge));
        cx.diagnostics
    }

    /// The unit of a metric or a state, for lists; none where it has none or has mistakes.
    pub fn unit_of(&self, symbol: &Symbol, now: i64) -> Option<Unit> {
        let SymbolKind::State(decl) = &symbol.kind else { return self.metric_unit(symbol, now) };
        let mut cx = Cx::new(self, &symbol.module, symbol.file, now, symbol.module.is_empty());
        cx.begin(&symbol.full_name());
        super::state::lower(&mut cx, symbol, decl).map(|set| set.core.unit)
    }

    /// The unit of a metric, for lists; none where it has mistakes or parameters of which nothing is known.
    pub fn metric_unit(&self, symbol: &Symbol, now: i64) -> Option<Unit> {
        let SymbolKind::Metric(definition) = &symbol.kind else { return None };
        let anywhere = symbol.module.is_empty();
        let several = table::kind_of(self, &symbol.module, anywhere, &definition.value);
        if is_open(definition) || several.is_some_and(|kind| kind != table::Kind::Lift) {
            return None;
        }
        let mut cx = Cx::new(self, &symbol.module, symbol.file, now, anywhere);
        cx.begin(&symbol.full_name());
        metric(&mut cx, definition).map(|f| f.unit)
    }
}

/// The definition inside which a mistake was met: "in `x`: …".
fn inner_name(message: &str) -> Option<&str> {
    message.strip_prefix("in `")?.split_once('`').map(|(name, _)| name)
}

/// Of what this version cannot run, one message per definition is enough.
fn once_not_yet(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut kept: Vec<Diagnostic> = Vec::new();
    for diagnostic in diagnostics {
        let told = |d: &Diagnostic| d.code == Code::NotYet && d.message == diagnostic.message;
        if !kept.iter().any(told) {
            kept.push(diagnostic);
        }
    }
    kept
}

fn missing(span: Span) -> Expr {
    Expr { kind: ExprKind::Missing, span }
}

/// What the parameters of a definition stand for while it is looked at by itself: their defaults, else a value of
/// their type, else a missing value of any type.
fn defaults(cx: &Cx<'_>, definition: &Definition) -> Vec<(String, Expr)> {
    let stand_in = |p: &Parameter| match (&p.default, &p.ty) {
        (Some(default), _) => default.clone(),
        (None, Some(ty)) => example_of(ty, cx.catalog.settings.currency),
        (None, None) => missing(p.name.span),
    };
    definition.parameters.iter().map(|p| (p.name.text.clone(), stand_in(p))).collect()
}

/// Whether a parameter has neither a default nor a type, so that nothing is known of what it stands for.
fn is_open(definition: &Definition) -> bool {
    definition.parameters.iter().any(|p| p.default.is_none() && p.ty.is_none())
}

/// A value of a written type; missing where the type has no literal.
fn example_of(ty: &TypeName, project: Option<Currency>) -> Expr {
    let quantity = |unit| ExprKind::Quantity { number: "1".to_string(), unit };
    let currency = ty.argument.as_ref().map(|a| a.text.clone()).or(project.map(|c| c.to_string()));
    let kind = match ty.name.text.as_str() {
        "number" | "count" => quantity(None),
        "percent" => quantity(Some(UnitWord::Percent)),
        "points" => quantity(Some(UnitWord::Points)),
        "duration" => quantity(Some(UnitWord::Time(TimeUnit::Day))),
        "money" => match currency {
            Some(code) => quantity(Some(UnitWord::Currency(code))),
            None => ExprKind::Missing,
        },
        "text" => ExprKind::Text(String::new()),
        "bool" => ExprKind::Bool(true),
        "date" => ExprKind::Date(DateTime { text: "2026-01-01".to_string(), span: ty.span }),
        "time" => ExprKind::Date(DateTime { text: "2026-01-01T00:00:00Z".to_string(), span: ty.span }),
        _ => ExprKind::Missing,
    };
    Expr { kind, span: ty.span }
}

fn check_symbol(cx: &mut Cx<'_>, symbol: &Symbol) {
    match &symbol.kind {
        SymbolKind::Entity(_) | SymbolKind::Stream(_) => {}
        SymbolKind::Derived(body) => {
            events::of_scoped(cx, body);
        }
        SymbolKind::State(decl) => {
            super::state::lower(cx, symbol, decl);
        }
        SymbolKind::Measure(definition) => {
            if let Ok(home) = home::home(cx, &definition.value) {
                match home {
                    Some(set) => {
                        let _: Option<Row> = expr::lower(cx, &mut RowScope::of(&set), &definition.value);
                    }
                    None => {
                        let help = events::measure_instead(cx, &symbol.name, &definition.value);
                        let message = format!("`{}` is no value of an event", symbol.name);
                        cx.error_help::<()>(Code::NoRow, definition.value.span, message, help);
                    }
                }
            }
        }
        SymbolKind::Segment(definition) | SymbolKind::Dimension(definition) => row_definition(cx, symbol, definition),
        SymbolKind::Metric(definition) => {
            if metric(cx, definition).is_some() {
                lint_metric(cx, symbol, definition);
            }
        }
    }
}

fn is_of_names(code: Code) -> bool {
    matches!(code, Code::UnknownName | Code::FieldLacking | Code::UnknownFunction | Code::Cycle | Code::NotYet)
}

fn row_definition(cx: &mut Cx<'_>, symbol: &Symbol, definition: &Definition) {
    let Some(of) = &definition.of else { return };
    let path = kepi_syntax::ast::Path { parts: vec![of.clone()], span: of.span };
    let catalog = cx.catalog;
    if let Some((other, _)) = catalog.lookup(&cx.module, &[of.text.as_str()], cx.anywhere)
        && !matches!(other.kind, SymbolKind::Entity(_) | SymbolKind::Stream(_) | SymbolKind::Derived(_))
    {
        let message =
            format!("`{}` is {}, a {} is of an entity or an event", of.text, other.kind.a_word(), symbol.kind.word());
        cx.error_help::<()>(
            Code::WrongKind,
            of.span,
            message,
            "write the entity or event that it describes, such as `of customer`",
        );
        return;
    }
    let Some(set) = events::named(cx, &path) else { return };
    let body = substitute(&definition.value, &defaults(cx, definition));
    let mut scope = RowScope::of_definition(&set);
    if matches!(symbol.kind, SymbolKind::Segment(_)) {
        let _: Option<Row> = expr::condition(cx, &mut scope, &body);
    } else {
        let _: Option<Row> = expr::lower(cx, &mut scope, &body);
    }
}

/// Lowers a metric for itself and compares its unit with the declared one.
fn metric(cx: &mut Cx<'_>, definition: &Definition) -> Option<Formula> {
    let body = substitute(&definition.value, &defaults(cx, definition));
    let mut scope = CellScope::alone();
    let place = definition.ty.as_ref().map_or(definition.name.span, |ty| ty.span);
    let formula: Formula = match table::kind_of(cx.catalog, &cx.module, cx.anywhere, &body) {
        None => expr::lower(cx, &mut scope, &body)?,
        Some(kind) => {
            let item = Item { value: body, alias: None };
            let columns = table::lower(cx, &mut scope, kind, &item)?.columns;
            if kind != table::Kind::Lift && definition.ty.is_some() {
                let message = format!("{}: it has no one type", kind.words());
                return cx.error_help(Code::DeclaredType, place, message, "leave out the type");
            }
            columns.into_iter().next()?.formula
        }
    };
    in_declared_unit(cx, definition, formula, place)
}

/// A metric's formula in the unit that the metric declares. A unit that does not fit is a mistake, at `place`.
pub(super) fn in_declared_unit(
    cx: &mut Cx<'_>,
    definition: &Definition,
    mut formula: Formula,
    place: Span,
) -> Option<Formula> {
    let Some(ty) = &definition.ty else { return Some(formula) };
    let is_entity = |name: &str| cx.catalog.entities().any(|e| e.name == name);
    let unit = match units::named(ty, &is_entity) {
        Ok(unit) => unit,
        Err(message) => {
            let help = crate::names::suggestion(&ty.name.text, units::TYPE_NAMES.iter().copied())
                .unwrap_or_else(|| format!("types are {}", units::TYPE_NAMES.join(", ")));
            return cx.error_help(Code::TypeMismatch, place, message, help);
        }
    };
    // `in USD` converts what is declared in another currency.
    let unit = match (&unit.kind, cx.currency) {
        (Kind::Money(Some(_)), Some(_)) => Unit { kind: Kind::Money(None), per: unit.per },
        _ => unit,
    };
    if !units::accepts(&unit, formula.unit()) {
        return cx.error_help(
            Code::DeclaredType,
            place,
            format!("`{}` is declared as {unit}, but its formula is {}", definition.name.text, formula.unit()),
            format!("declare it as `{}`, or mend the formula", formula.unit()),
        );
    }
    // `money` alone takes the currency of its formula.
    if unit.kind != Kind::Money(None) {
        formula.set_unit(unit);
    }
    Some(formula)
}

fn lint_metric(cx: &mut Cx<'_>, symbol: &Symbol, definition: &Definition) {
    lint::bare_rates(cx, &definition.value);
    let ratio =
        matches!(&definition.value.kind, ExprKind::Call { function, .. } if crate::names::text(function) == "ratio");
    let titled = definition.with.iter().any(|p| p.name.text.starts_with("title"));
    if ratio && symbol.doc.is_none() && !titled {
        cx.warn(
            Code::LintNoDoc,
            definition.name.span,
            format!("`{}` is a ratio that nothing explains", symbol.name),
            "add a `##` comment above it, or `with title = \"…\"`",
        );
    }
}
