//! Queries back to text: the clauses in one order, on lines of their own where the query is long.

use super::expression::{expr, length};
use super::layout::Doc;
use super::name;
use crate::ast::{Against, Bound, Fill, Item, Query, Window};
use crate::words::{FOLLOWERS, continues_word};

/// Lays out a query that begins with `show`.
pub(super) fn query(query: &Query) -> Doc {
    laid_out(query, "show ")
}

/// Lays out a query behind a word such as `expect`, where `show` is only written if it is needed.
pub(super) fn query_behind_word(query: &Query) -> Doc {
    let bare = laid_out(query, "");
    let text = bare.flat();
    let end = text.find(|c| !continues_word(c)).unwrap_or(text.len());
    let (first, behind) = text.split_at(end);
    // `last(score)` is a call, whatever follows; the order's words are never more than that.
    let is_call = behind.starts_with('(') && !matches!(first, "asc" | "desc");
    if FOLLOWERS.contains(&first) && !is_call { laid_out(query, "show ") } else { bare }
}

fn laid_out(query: &Query, show: &str) -> Doc {
    let mut clauses: Vec<Doc> = Vec::new();
    let mut clause = |word: &str, doc: Doc| clauses.push(Doc::Cat(vec![Doc::text(word), doc]));
    if !query.by.is_empty() {
        clause("by ", Doc::nest(3, Doc::fill(query.by.iter().map(item))));
    }
    if let Some(grain) = &query.per {
        clause("per ", Doc::Text(name::grain(grain)));
    }
    if let Some(filter) = &query.filter {
        clause("where ", expr(filter));
    }
    if let Some(window) = &query.window {
        clause("", Doc::Text(self::window(window)));
    }
    if let Some(moment) = &query.moment {
        clause("at ", Doc::Text(bound(moment)));
    }
    if !query.versus.is_empty() {
        let versus: Vec<String> = query.versus.iter().map(against).collect();
        clause("vs ", Doc::Text(versus.join(", ")));
    }
    if let Some(having) = &query.having {
        clause("having ", expr(having));
    }
    if !query.order.is_empty() {
        let keys = query.order.iter().map(|key| {
            let desc = Doc::text(if key.descending { " desc" } else { "" });
            Doc::Cat(vec![expr(&key.value), desc])
        });
        clause("order by ", Doc::nest(9, Doc::fill(keys)));
    }
    if let Some(limit) = &query.limit {
        let other = if limit.with_other { " with other" } else { "" };
        clause("limit ", Doc::Text(format!("{}{other}", limit.number)));
    }
    if let Some(fill) = &query.fill {
        clause(
            "fill ",
            match fill {
                Fill::Value(value) => expr(value),
                Fill::Missing => Doc::text("missing"),
                Fill::Previous => Doc::text("previous"),
            },
        );
    }
    if let Some(currency) = &query.currency {
        clause("in ", Doc::text(&currency.text));
    }
    let items = Doc::fill(query.items.iter().map(item));
    let mut all = vec![Doc::text(show), Doc::nest(if show.is_empty() { 2 } else { 5 }, items)];
    for clause in clauses {
        all.push(Doc::nest(2, Doc::Cat(vec![Doc::Line, clause])));
    }
    Doc::group(Doc::Cat(all))
}

fn item(item: &Item) -> Doc {
    match &item.alias {
        None => expr(&item.value),
        Some(alias) => Doc::Cat(vec![expr(&item.value), Doc::Text(format!(" as {}", name::name(alias)))]),
    }
}

/// Writes a window of time.
pub(super) fn window(window: &Window) -> String {
    let to_date = |yes: bool| if yes { " to date" } else { "" };
    match window {
        Window::Last { length: long, to_date: yes } => format!("last {}{}", length(long), to_date(*yes)),
        Window::LastOf { number, grain, to_date: yes } => {
            format!("last {number} {}{}", name::grain(grain), to_date(*yes))
        }
        Window::This { grain, to_date: yes } => format!("this {}{}", name::grain(grain), to_date(*yes)),
        Window::During(period) => format!("during {}", bound(period)),
        Window::Since { from, until: None } => format!("since {}", bound(from)),
        Window::Since { from, until: Some(until) } => format!("since {} until {}", bound(from), bound(until)),
        Window::FromUntil { from, until } => format!("from {} until {}", bound(from), bound(until)),
        Window::Until(until) => format!("until {}", bound(until)),
    }
}

/// Writes an end of a window.
pub(super) fn bound(bound: &Bound) -> String {
    match bound {
        Bound::Date(date) => date.text.clone(),
        Bound::Period { calendar: Some(calendar), text, .. } => format!("{}.{text}", name::name(calendar)),
        Bound::Period { calendar: None, text, .. } => text.clone(),
        Bound::Now(_) => "now".to_owned(),
    }
}

fn against(against: &Against) -> String {
    match against {
        Against::Previous { grain, aligned, .. } => {
            let grain = grain.as_ref().map(|grain| format!(" {}", name::grain(grain))).unwrap_or_default();
            format!("previous{grain}{}", if *aligned { " aligned by weekday" } else { "" })
        }
        Against::Period { calendar: Some(calendar), text, .. } => format!("{}.{text}", name::name(calendar)),
        Against::Period { calendar: None, text, .. } => text.clone(),
        Against::Target { name: Some(name), .. } => format!("target {}", name::grain(name)),
        Against::Target { name: None, .. } => "target".to_owned(),
    }
}
