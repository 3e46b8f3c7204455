//! The order of an answer's rows.

use super::names::dotted;
use super::query::{Found, labels_of};
use super::window::Period;
use kepi_syntax::ast::{ExprKind, OrderKey, Query};
use std::cmp::Ordering;

/// By the keys of `order by`, then by period, then by the labels in the order written; missing last.
pub(super) fn ordered(query: &Query, periods: &[Period], a: &Found, b: &Found) -> Ordering {
    // What `limit` cut comes behind the rest of its period, or behind all where rows do not come period by period.
    let of_period = |key: &OrderKey| matches!((&key.value.kind, &query.per), (ExprKind::Path(path), Some(per)) if dotted(path) == dotted(per));
    let by_rest = a.is_rest.cmp(&b.is_rest);
    let by_period = query.order.first().is_none_or(of_period);
    if !by_period && by_rest.is_ne() {
        return by_rest;
    }
    for (index, ((key, x), y)) in query.order.iter().zip(&a.keys).zip(&b.keys).enumerate() {
        if index > 0 && by_rest.is_ne() {
            return by_rest;
        }
        let order = match (x.is_missing(), y.is_missing()) {
            (false, false) if key.descending => y.order(x),
            _ => x.order(y),
        };
        if order.is_ne() {
            return order;
        }
    }
    let (x, y) = (labels_of(a), labels_of(b));
    let by_labels = x.iter().zip(&y).map(|(x, y)| x.order(y)).find(|order| order.is_ne());
    let by_labels = by_rest.then(by_labels.unwrap_or(Ordering::Equal));
    periods[a.period].start.cmp(&periods[b.period].start).then(by_labels)
}
