//! What a definition probably does not mean: rates of no period in a product (rule 16).

use super::Cx;
use crate::catalog::{Catalog, SymbolKind};
use crate::functions;
use crate::names;
use kepi_syntax::Code;
use kepi_syntax::ast::{Argument, BinaryOp, Expr, ExprKind, Path};

/// How deep metrics are looked into.
const DEPTH_MAX: usize = 32;

/// Warns of a flow by a state, such as a churn rate, in a product: it is the rate of whatever period the query shows.
pub(super) fn bare_rates(cx: &mut Cx<'_>, value: &Expr) {
    let mut found = Vec::new();
    products(&Names { catalog: cx.catalog, module: &cx.module, depth: 0 }, value, &mut found);
    for rate in found {
        let text = kepi_syntax::expr_text(rate);
        cx.warn(
            Code::LintBareRate,
            rate.span,
            format!("`{text}` is the rate of whatever period the query shows, so this product changes with `per`"),
            format!("give it a window of its own, such as `trailing({text}, 12 months)`"),
        );
    }
}

/// Whose names an expression sees.
struct Names<'a> {
    catalog: &'a Catalog,
    module: &'a str,
    depth: usize,
}

impl Names<'_> {
    /// Asks the same of the metric that a name means; `false` where it means none.
    fn of_metric(&self, path: &Path, ask: &dyn Fn(&Names<'_>, &Expr) -> bool) -> bool {
        let parts = names::parts(path);
        let Some((symbol, used)) = self.catalog.lookup(self.module, &parts, self.module.is_empty()) else {
            return false;
        };
        match &symbol.kind {
            SymbolKind::Metric(definition) if used == parts.len() && self.depth < DEPTH_MAX => {
                let inner = Names { catalog: self.catalog, module: &symbol.module, depth: self.depth + 1 };
                ask(&inner, &definition.value)
            }
            _ => false,
        }
    }

    fn is_state(&self, value: &Expr) -> bool {
        let ExprKind::Path(path) = &value.kind else { return false };
        let found = self.catalog.lookup(self.module, &names::parts(path), self.module.is_empty());
        found.is_some_and(|(symbol, _)| matches!(symbol.kind, SymbolKind::State(_)))
    }
}

/// The bare rates that are factors or divisors in an expression.
fn products<'e>(names: &Names<'_>, value: &'e Expr, found: &mut Vec<&'e Expr>) {
    let mut check = |rate: &'e Expr, other: &Expr| {
        if is_bare_rate(names, rate) && !is_constant(other) {
            found.push(rate);
        }
    };
    match &value.kind {
        ExprKind::Binary { op: BinaryOp::Multiply, left, right } => {
            check(left, right);
            check(right, left);
        }
        ExprKind::Binary { op: BinaryOp::Divide, left, right } => check(right, left),
        ExprKind::Call { function, arguments } if names::text(function) == "ratio" => {
            if let [Some(above), Some(below)] = plain_values(arguments).as_slice() {
                check(below, above);
            }
        }
        _ => {}
    }
    match &value.kind {
        ExprKind::Binary { left, right, .. } => {
            products(names, left, found);
            products(names, right, found);
        }
        ExprKind::Negate(inner) => products(names, inner, found),
        ExprKind::Call { function, arguments } if !has_window(&names::text(function)) => {
            plain_values(arguments).into_iter().flatten().for_each(|inner| products(names, inner, found));
        }
        _ => {}
    }
}

/// Whether a function says the window of what it computes.
fn has_window(function: &str) -> bool {
    matches!(function, "trailing" | "to_date" | "running")
}

/// Whether an expression is a flow by a state, or differs from one only by what is added.
fn is_bare_rate(names: &Names<'_>, value: &Expr) -> bool {
    let by = |above: &Expr, below: &Expr| is_flow(names, above) && is_stock(names, below);
    match &value.kind {
        ExprKind::Path(path) => names.of_metric(path, &is_bare_rate),
        ExprKind::Call { function, arguments } if names::text(function) == "ratio" => {
            matches!(plain_values(arguments).as_slice(), [Some(above), Some(below)] if by(above, below))
        }
        ExprKind::Binary { op: BinaryOp::Divide, left, right } => by(left, right),
        ExprKind::Binary { op: BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Otherwise, left, right } => {
            is_bare_rate(names, left) || is_bare_rate(names, right)
        }
        ExprKind::Negate(inner) => is_bare_rate(names, inner),
        _ => false,
    }
}

/// Whether something is counted or summed over the period.
fn is_flow(names: &Names<'_>, value: &Expr) -> bool {
    contains(names, value, &|_, function, _| matches!(function, "count" | "sum" | "unique"))
}

/// Whether something is measured at a moment, or on average over the period.
fn is_stock(names: &Names<'_>, value: &Expr) -> bool {
    contains(names, value, &|names, function, arguments| match function {
        "opening" | "closing" | "kept" => true,
        "avg" => plain_values(arguments).into_iter().flatten().any(|argument| names.is_state(argument)),
        _ => false,
    })
}

fn contains(names: &Names<'_>, value: &Expr, wanted: &dyn Fn(&Names<'_>, &str, &[Argument]) -> bool) -> bool {
    match &value.kind {
        ExprKind::Path(path) => names.of_metric(path, &|names, value| contains(names, value, wanted)),
        ExprKind::Call { function, arguments } => {
            let name = names::text(function);
            if functions::find(&name).is_none() || has_window(&name) {
                return false;
            }
            wanted(names, &name, arguments)
                || (name == "ratio"
                    && plain_values(arguments).into_iter().flatten().any(|inner| contains(names, inner, wanted)))
        }
        ExprKind::Binary { left, right, .. } => contains(names, left, wanted) || contains(names, right, wanted),
        ExprKind::Negate(inner) => contains(names, inner, wanted),
        _ => false,
    }
}

fn plain_values(arguments: &[Argument]) -> Vec<Option<&Expr>> {
    arguments.iter().map(|argument| super::call::plain(argument).map(|scoped| &scoped.value)).collect()
}

/// Whether an expression only writes a rate in another way: 1, 100, per 1,000. Twelve times a monthly rate is no
/// yearly one.
fn is_constant(value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Quantity { number, unit: None } => {
            kepi_syntax::decimal(number).is_some_and(|(digits, scale)| scale == 0 && is_power_of_ten(digits))
        }
        ExprKind::Negate(inner) => is_constant(inner),
        ExprKind::Binary { left, right, .. } => is_constant(left) && is_constant(right),
        _ => false,
    }
}

fn is_power_of_ten(mut number: i128) -> bool {
    while number > 1 && number % 10 == 0 {
        number /= 10;
    }
    number == 1
}
