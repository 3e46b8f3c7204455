//! What groups are made by: entities, and labels that all rows have.

use super::cell::CellScope;
use super::events::EventSet;
use super::literal::seconds;
use super::row::{RowScope, listed_owned};
use super::{Cx, Node, expr};
use crate::catalog::SymbolKind;
use crate::core::Row;
use crate::names;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::{Expr, ExprKind, Path, TimeUnit};
use kepi_syntax::{Code, Span};

/// What groups are made by.
#[derive(Clone, Debug)]
pub(super) struct GroupKey {
    /// As it is written.
    pub(super) text: String,
    /// The module in which it is written.
    pub(super) module: String,
    pub(super) what: KeyKind,
    pub(super) span: Span,
}

#[derive(Clone, Debug)]
pub(super) enum KeyKind {
    /// The entity of a row, by its full name.
    Entity(String),
    /// A field or another name that all rows have.
    Path(Path),
}

/// A period such as `month` or `fiscal.year`, rather than a name.
pub(super) fn is_period(cx: &Cx<'_>, path: &Path) -> bool {
    let parts = names::parts(path);
    match parts.as_slice() {
        [word] => TimeUnit::named(word).is_some(),
        [calendar, word] => cx.catalog.settings.calendars.contains_key(*calendar) && TimeUnit::named(word).is_some(),
        _ => false,
    }
}

/// The key that a name means.
pub(super) fn key(cx: &mut Cx<'_>, path: &Path) -> Option<GroupKey> {
    let parts = names::parts(path);
    let catalog = cx.catalog;
    let what = match catalog.lookup(&cx.module, &parts, cx.anywhere) {
        Some((symbol, used)) if used == parts.len() => match &symbol.kind {
            SymbolKind::Entity(entity) => KeyKind::Entity(entity.name.clone()),
            SymbolKind::Stream(_) | SymbolKind::Derived(_) | SymbolKind::Metric(_) | SymbolKind::Measure(_) => {
                return cx.error_help(
                    Code::WrongKind,
                    path.span,
                    format!(
                        "`{}` is {}: groups are made per entity, label or period",
                        symbol.name,
                        symbol.kind.a_word()
                    ),
                    "write `per customer`, `per customer, month` or `per day`",
                );
            }
            _ => KeyKind::Path(path.clone()),
        },
        _ => KeyKind::Path(path.clone()),
    };
    Some(GroupKey { text: names::text(path), module: cx.module.clone(), what, span: path.span })
}

/// The entity of a row that groups are made by.
fn entity_key(cx: &mut Cx<'_>, set: &EventSet, key: &GroupKey, entity: &str) -> Option<Row> {
    let roles = set.roles();
    let bare = names::bare(entity);
    let mut of: Vec<_> = roles.iter().filter(|r| r.entity == entity).collect();
    if let Some(index) = of.iter().position(|r| r.name == bare) {
        of = vec![of[index]];
    }
    match of.as_slice() {
        [role] => Some(set.role_row(role)),
        [] => cx.error_help(
            Code::FieldLacking,
            key.span,
            format!("`{}` has no `{bare}`, so it makes no groups per {bare}", set.name),
            format!("`{}` is of {}", set.name, listed_owned(&roles)),
        ),
        [first, ..] => cx.error_help(
            Code::Ambiguous,
            key.span,
            format!("`{}` has several `{bare}`", set.name),
            format!("write which one is meant, such as `per {}`", first.name),
        ),
    }
}

/// The keys of the groups that an aggregate's rows are put into.
pub(super) fn key_labels(scope: &CellScope<'_>, cx: &mut Cx<'_>, set: &EventSet) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    let mut ok = true;
    for (index, key) in scope.keys.iter().enumerate() {
        if scope.blank.contains(&(scope.by.len() + index)) {
            rows.push(Row::constant(Value::Missing, Unit::of(Kind::Missing)));
            continue;
        }
        let row = in_module(cx, &key.module, |cx| match &key.what {
            KeyKind::Entity(entity) => entity_key(cx, set, key, entity),
            KeyKind::Path(path) => {
                let value = Expr { kind: ExprKind::Path(path.clone()), span: path.span };
                expr::lower(cx, &mut RowScope::of(set), &value).map(seconds)
            }
        });
        match row {
            Some(row) => rows.push(row),
            None => ok = false,
        }
    }
    ok.then_some(rows)
}

/// Names are those of the module in which something is written.
fn in_module<T>(cx: &mut Cx<'_>, module: &str, inner: impl FnOnce(&mut Cx<'_>) -> T) -> T {
    let outer = std::mem::replace(&mut cx.module, module.to_string());
    let result = inner(cx);
    cx.module = outer;
    result
}
