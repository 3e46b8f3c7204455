//! Functions that answer with a table or several columns: `funnel`, `retention`, `lift`.

use super::bind::{bind, substitute};
use super::cell::CellScope;
use super::{Cx, funnel, retention};
use crate::catalog::{Catalog, SymbolKind};
use crate::core::{Column, Formula, Shape};
use crate::functions::{self, Lowering};
use crate::names;
use kepi_syntax::ast::{Argument, Expr, ExprKind, Item, Path};
use kepi_syntax::{Code, Span};

/// How deep metrics may stand for one another before a table is no longer looked for.
const DEPTH_MAX: usize = 16;

/// A call that answers with more than one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Funnel,
    Retention,
    Lift,
}

impl Kind {
    /// In words, for messages.
    pub(super) fn words(self) -> &'static str {
        match self {
            Kind::Funnel => "a funnel is a table",
            Kind::Retention => "retention is a table",
            Kind::Lift => "a lift is several columns",
        }
    }

    /// The names of its columns, where they are always the same.
    pub(super) fn columns(self) -> Vec<String> {
        match self {
            Kind::Funnel => funnel::COLUMNS.map(str::to_string).to_vec(),
            Kind::Retention => ["cohort", "age"].into_iter().chain(retention::COLUMNS).map(str::to_string).collect(),
            Kind::Lift => Vec::new(),
        }
    }
}

/// Columns, and how they become a table of their own.
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) shape: Option<Shape>,
    /// What names of `having` and `order by` mean beside the columns.
    pub(super) aliases: Vec<(String, Formula)>,
}

/// Whether an expression answers with several columns: a call, or a metric that is one.
pub(super) fn kind_of(catalog: &Catalog, module: &str, anywhere: bool, value: &Expr) -> Option<Kind> {
    kind_at(catalog, module, anywhere, value, 0)
}

fn kind_at(catalog: &Catalog, module: &str, anywhere: bool, value: &Expr, depth: usize) -> Option<Kind> {
    if depth > DEPTH_MAX {
        return None;
    }
    let path = match &value.kind {
        ExprKind::Call { function, arguments } => match functions::find(&names::text(function)).map(|f| &f.lowering) {
            Some(Lowering::Funnel) => return Some(Kind::Funnel),
            Some(Lowering::Retention) if !retention::is_number(arguments) => return Some(Kind::Retention),
            Some(Lowering::Lift) => return Some(Kind::Lift),
            Some(_) => return None,
            None => function,
        },
        ExprKind::Path(path) => path,
        _ => return None,
    };
    let parts = names::parts(path);
    let (symbol, used) = catalog.lookup(module, &parts, anywhere)?;
    match &symbol.kind {
        SymbolKind::Metric(definition) if used == parts.len() => {
            let anywhere = anywhere && symbol.module.is_empty();
            kind_at(catalog, &symbol.module, anywhere, &definition.value, depth + 1)
        }
        _ => None,
    }
}

/// Lowers a shown item that answers with several columns.
pub(super) fn lower(cx: &mut Cx<'_>, scope: &mut CellScope<'_>, kind: Kind, item: &Item) -> Option<Table> {
    let name = match (&item.alias, &item.value.kind) {
        (Some(alias), _) => alias.text.clone(),
        (None, ExprKind::Path(path)) => names::text(path),
        (None, _) => "lift".to_string(),
    };
    if let (Some(alias), Kind::Funnel | Kind::Retention) = (&item.alias, kind) {
        let names = if kind == Kind::Funnel { funnel::COLUMNS.join(", ") } else { retention::COLUMNS.join(", ") };
        let help = format!("leave out `as {}`: its columns are {names}", alias.text);
        return cx.error_help(Code::Arguments, alias.span, format!("{}: it has no one name", kind.words()), help);
    }
    expanded(cx, &item.value, &mut |cx, args, span| call(cx, scope, kind, &name, args, span))
}

/// What is made of a call's arguments.
type Lowered<'f, T> = dyn FnMut(&mut Cx<'_>, &[Argument], Span) -> Option<T> + 'f;

/// The call itself, behind the metrics that stand for it.
fn expanded<T>(cx: &mut Cx<'_>, value: &Expr, inner: &mut Lowered<'_, T>) -> Option<T> {
    let (path, args): (&Path, &[Argument]) = match &value.kind {
        ExprKind::Call { function, arguments } => (function, arguments),
        ExprKind::Path(path) => (path, &[]),
        _ => return None,
    };
    if functions::find(&names::text(path)).is_some() && matches!(value.kind, ExprKind::Call { .. }) {
        return inner(cx, args, value.span);
    }
    let catalog = cx.catalog;
    let (symbol, _) = catalog.lookup(&cx.module, &names::parts(path), cx.anywhere)?;
    let SymbolKind::Metric(definition) = &symbol.kind else { return None };
    let bindings = bind(cx, &symbol.name, &definition.parameters, args, path.span)?;
    let body = substitute(&definition.value, &bindings);
    cx.expand(&symbol.full_name(), &symbol.module, path.span, |cx| expanded(cx, &body, inner))
}

fn call(
    cx: &mut Cx<'_>,
    scope: &mut CellScope<'_>,
    kind: Kind,
    name: &str,
    args: &[Argument],
    span: Span,
) -> Option<Table> {
    let column = |name: String, formula: Formula| Column { name, formula, better: None };
    match kind {
        Kind::Funnel => {
            let found = scope.funnel(cx, args, span)?;
            let last = found.formulas.last().cloned().unwrap_or_default();
            let mut columns = Vec::new();
            for (index, formulas) in found.formulas.into_iter().enumerate() {
                let named = funnel::COLUMNS.iter().zip(formulas);
                columns.extend(named.map(|(name, formula)| column(format!("{name} {}", index + 1), formula)));
            }
            let shape = Shape::Steps {
                label: "step".to_string(),
                steps: found.steps,
                columns: funnel::COLUMNS.map(str::to_string).to_vec(),
            };
            let aliases = funnel::COLUMNS.iter().map(|c| (*c).to_string()).zip(last).collect();
            Some(Table { columns, shape: Some(shape), aliases })
        }
        Kind::Retention => {
            let (shape, formulas) = scope.retention(cx, args, span)?;
            let named = retention::COLUMNS.iter().zip(formulas);
            let columns = named.map(|(name, formula)| column((*name).to_string(), formula)).collect();
            Some(Table { columns, shape: Some(shape), aliases: Vec::new() })
        }
        Kind::Lift => {
            let columns = scope.lift(cx, args, span)?;
            let columns = columns.into_iter().map(|(suffix, formula)| {
                let name = if suffix.is_empty() { name.to_string() } else { format!("{name} {suffix}") };
                column(name, formula)
            });
            Some(Table { columns: columns.collect(), shape: None, aliases: Vec::new() })
        }
    }
}
