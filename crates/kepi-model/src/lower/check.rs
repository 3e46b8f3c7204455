//! Looking into every definition for itself: `kepi check`.

use super::bind::substitute;
use super::cell::CellScope;
use super::events;
use super::expr;
use super::row::RowScope;
use super::{Cx, Node, home};
use crate::catalog::{Catalog, Symbol, SymbolKind};
use crate::core::{Formula, Row};
use crate::units;
use crate::value::Unit;
use kepi_syntax::ast::{Definition, ExprKind};
use kepi_syntax::{Code, Diagnostic, Severity};
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
            if cx.failed() {
                broken.insert(symbol.full_name());
            }
            found.append(&mut cx.diagnostics);
        }
        let (_, mut sources) = self.sources(now);
        found.append(&mut sources);
        for report in &self.reports {
            for query in &report.item.queries {
                let mut cx = Cx::new(self, &report.module, report.file, now, false);
                let mut diagnostics = self.query(query, now, report.file).1;
                cx.diagnostics.append(&mut diagnostics);
                found.append(&mut cx.diagnostics);
            }
        }
        let later = [
            (self.targets.iter().map(|t| (t.file, t.span)).collect::<Vec<_>>(), "targets"),
            (self.tests.iter().map(|t| (t.file, t.span)).collect(), "tests"),
        ];
        for (places, what) in later {
            for (file, span) in places {
                let mut diagnostic = Diagnostic::warning(Code::NotYet, span, format!("{what} are not there yet"));
                diagnostic.file = file;
                found.push(diagnostic);
            }
        }
        // A mistake of a definition is told where it stands, not again wherever the definition is used.
        found.retain(|d| !inner_name(&d.message).is_some_and(|name| broken.contains(name)));
        for diagnostic in &mut found {
            if diagnostic.code == Code::NotYet {
                diagnostic.severity = Severity::Warning;
            }
        }
        found.sort_by_key(|d| (d.file, d.span, d.code));
        found
    }

    /// The unit of a metric, for lists; none where it has mistakes or parameters without defaults.
    pub fn metric_unit(&self, symbol: &Symbol, now: i64) -> Option<Unit> {
        let SymbolKind::Metric(definition) = &symbol.kind else { return None };
        let mut cx = Cx::new(self, &symbol.module, symbol.file, now, symbol.module.is_empty());
        cx.begin(&symbol.full_name());
        metric(&mut cx, definition).map(|f| f.unit)
    }
}

/// The definition inside which a mistake was met: "in `x`: …".
fn inner_name(message: &str) -> Option<&str> {
    message.strip_prefix("in `")?.split_once('`').map(|(name, _)| name)
}

fn defaults(definition: &Definition) -> Option<Vec<(String, kepi_syntax::ast::Expr)>> {
    definition.parameters.iter().map(|p| p.default.clone().map(|d| (p.name.text.clone(), d))).collect()
}

fn check_symbol(cx: &mut Cx<'_>, symbol: &Symbol) {
    match &symbol.kind {
        SymbolKind::Entity(_) | SymbolKind::Stream(_) => {}
        SymbolKind::Derived(body) => {
            events::of_scoped(cx, body);
        }
        SymbolKind::State(state) => {
            cx.not_yet::<()>(state.name.span, "states");
        }
        SymbolKind::Measure(definition) => {
            if let Ok(home) = home::home(cx, &definition.value) {
                match home {
                    Some(set) => {
                        let _: Option<Row> = expr::lower(cx, &mut RowScope::of(&set), &definition.value);
                    }
                    None => {
                        cx.error_help::<()>(
                            Code::NoRow,
                            definition.value.span,
                            format!("`{}` is no value of an event", symbol.name),
                            "a measure is made of an event's fields, such as `orders.amount`",
                        );
                    }
                }
            }
        }
        SymbolKind::Segment(definition) | SymbolKind::Dimension(definition) => row_definition(cx, symbol, definition),
        SymbolKind::Metric(definition) => {
            let Some(formula) = metric(cx, definition) else { return };
            lint_metric(cx, symbol, definition, &formula);
        }
    }
}

fn row_definition(cx: &mut Cx<'_>, symbol: &Symbol, definition: &Definition) {
    let Some(of) = &definition.of else { return };
    let path = kepi_syntax::ast::Path { parts: vec![of.clone()], span: of.span };
    let Some(set) = events::named(cx, &path) else { return };
    let Some(bindings) = defaults(definition) else { return };
    let body = substitute(&definition.value, &bindings);
    let mut scope = RowScope::of_definition(&set);
    if matches!(symbol.kind, SymbolKind::Segment(_)) {
        let _: Option<Row> = expr::condition(cx, &mut scope, &body);
    } else {
        let _: Option<Row> = expr::lower(cx, &mut scope, &body);
    }
}

/// Lowers a metric for itself and compares its unit with the declared one.
fn metric(cx: &mut Cx<'_>, definition: &Definition) -> Option<Formula> {
    let body = substitute(&definition.value, &defaults(definition)?);
    let mut scope = CellScope::new(&[], None, None, false);
    let formula: Formula = expr::lower(cx, &mut scope, &body)?;
    let Some(ty) = &definition.ty else { return Some(formula) };
    let is_entity = |name: &str| cx.catalog.entities().any(|e| e.name == name);
    let unit = match units::named(ty, &is_entity) {
        Ok(unit) => unit,
        Err(message) => return cx.error(Code::TypeMismatch, ty.span, message),
    };
    if !units::accepts(&unit, formula.unit()) {
        return cx.error_help(
            Code::DeclaredType,
            ty.span,
            format!("`{}` is declared as {unit}, but its formula is {}", definition.name.text, formula.unit()),
            format!("declare it as `{}`, or mend the formula", formula.unit()),
        );
    }
    Some(super::cell::declared(cx, formula, Some(ty)))
}

fn lint_metric(cx: &mut Cx<'_>, symbol: &Symbol, definition: &Definition, _: &Formula) {
    let ratio =
        matches!(&definition.value.kind, ExprKind::Call { function, .. } if crate::names::text(function) == "ratio");
    let titled = definition.with.iter().any(|p| p.name.text == "title");
    if ratio && symbol.doc.is_none() && !titled {
        cx.warn(
            Code::LintNoDoc,
            definition.name.span,
            format!("`{}` is a ratio that nothing explains", symbol.name),
            "add a `##` comment above it, or `with title = \"…\"`",
        );
    }
}
