//! Which event a value is a value of.

use super::events::{self, EventSet, of_symbol};
use super::{Cx, behaviour};
use crate::catalog::SymbolKind;
use crate::functions::{self, Lowering};
use crate::names;
use kepi_syntax::Code;
use kepi_syntax::ast::{Argument, Expr, ExprKind, NamedValue};

/// The one event (or else entity) that a value is a value of: `orders.amount`, `wins.at - first(leads.at)`, a measure.
/// `Err`: reported.
pub(crate) fn home(cx: &mut Cx<'_>, value: &Expr) -> Result<Option<EventSet>, ()> {
    let mut found = Vec::new();
    collect(cx, value, &mut found)?;
    let (events, entities): (Vec<EventSet>, Vec<EventSet>) = found.into_iter().partition(|set| !set.is_entity());
    // The most derived of them, if all others are its ancestors.
    let home = events.iter().find(|set| events.iter().all(|other| set.names.contains(&other.names[0])));
    if let Some(home) = home {
        return Ok(Some(home.clone()));
    }
    if let [first, second, ..] = events.as_slice() {
        let other = events.iter().find(|e| e.names[0] != first.names[0]).unwrap_or(second);
        let message = format!("`{}` and `{}` are different events: no row has both", first.name, other.name);
        let help = format!("compute each for itself, such as `sum({}.…) - sum({}.…)`", first.name, other.name);
        cx.error_help::<()>(Code::NoRow, value.span, message, help);
        return Err(());
    }
    let mut entities = entities.into_iter();
    match (entities.next(), entities.next()) {
        (Some(one), None) => Ok(Some(one)),
        (Some(one), Some(two)) if one.names[0] == two.names[0] => Ok(Some(one)),
        (Some(one), Some(two)) => {
            let message = format!("`{}` and `{}` are different entities: no row has both", one.name, two.name);
            cx.error::<()>(Code::NoRow, value.span, message);
            Err(())
        }
        (None, _) => Ok(None),
    }
}

fn collect(cx: &mut Cx<'_>, value: &Expr, found: &mut Vec<EventSet>) -> Result<(), ()> {
    match &value.kind {
        ExprKind::Path(path) => {
            let parts = names::parts(path);
            let catalog = cx.catalog;
            let Some((symbol, _)) = catalog.lookup(&cx.module, &parts, cx.anywhere) else { return Ok(()) };
            match &symbol.kind {
                SymbolKind::Stream(_) | SymbolKind::Derived(_) | SymbolKind::Entity(_) => {
                    let set = of_symbol(cx, symbol, path.span).ok_or(())?;
                    if !found.iter().any(|f| f.names[0] == set.names[0]) {
                        found.push(set);
                    }
                    Ok(())
                }
                SymbolKind::Measure(measure) => {
                    let mut result = Ok(());
                    let body = measure.value.clone();
                    cx.expand(&symbol.full_name(), &symbol.module, path.span, |cx| {
                        result = collect(cx, &body, found);
                        Some(())
                    })
                    .ok_or(())?;
                    result
                }
                _ => Ok(()),
            }
        }
        ExprKind::Call { function, arguments } => {
            let lowering = functions::find(&names::text(function)).map(|f| &f.lowering);
            if let (Some(Lowering::Gap), Some(Argument::Plain(chain))) = (lowering, arguments.first())
                && chain.rest.is_empty()
            {
                let set = behaviour::event_of(cx, "gap", &chain.first).ok_or(())?;
                if !found.iter().any(|f| f.names[0] == set.names[0]) {
                    found.push(set);
                }
                return Ok(());
            }
            if lowering.is_some_and(Lowering::sees_other_rows) {
                return Ok(());
            }
            for argument in arguments {
                match argument {
                    Argument::Plain(chain) => collect(cx, &chain.first.value, found)?,
                    Argument::Named { value: NamedValue::Chain(chain), .. } => collect(cx, &chain.first.value, found)?,
                    _ => {}
                }
            }
            Ok(())
        }
        ExprKind::Field { of, .. } => match events::made_by(cx, of) {
            Some(Some(set)) => {
                if !found.iter().any(|f| f.names[0] == set.names[0]) {
                    found.push(set);
                }
                Ok(())
            }
            Some(None) => Err(()),
            None => collect(cx, of, found),
        },
        ExprKind::List(items) => items.iter().try_for_each(|item| collect(cx, item, found)),
        ExprKind::Case { whens, otherwise } => {
            for (when, then) in whens {
                collect(cx, when, found)?;
                collect(cx, then, found)?;
            }
            otherwise.iter().try_for_each(|o| collect(cx, o, found))
        }
        ExprKind::Binary { left, right, .. } => {
            collect(cx, left, found)?;
            collect(cx, right, found)
        }
        ExprKind::Negate(inner) | ExprKind::Not(inner) => collect(cx, inner, found),
        ExprKind::In { value, list, .. } => {
            collect(cx, value, found)?;
            collect(cx, list, found)
        }
        ExprKind::IsMissing { value, .. } => collect(cx, value, found),
        _ => Ok(()),
    }
}
