//! `over last 90 days`, `over all time`, `over period`: which time an aggregate looks at, where it is not the cell's.

use super::events::EventSet;
use super::{Cx, window};
use crate::core::{Move, Reach};
use kepi_syntax::ast::{Over, Scoped, Window};
use kepi_syntax::{Code, Span};

/// How far back a history goes from its row.
pub(super) fn reach(cx: &mut Cx<'_>, scoped: &Scoped) -> Option<Reach> {
    match &scoped.over {
        None | Some(Over::AllTime) => Some(Reach::AllTime),
        Some(Over::Period) => Some(Reach::Period),
        Some(Over::Window(Window::Last { length, to_date: false })) => Some(Reach::Last(window::span(cx, length)?)),
        Some(Over::Window(_)) => looks_back(cx, scoped.span, "a history looks back from its row"),
    }
}

/// How the window of a cell's aggregate differs from the cell's: where there is no row, the moment is the cell's end.
pub(super) fn moves(cx: &mut Cx<'_>, scoped: &Scoped, set: &EventSet) -> Option<Vec<Move>> {
    let Some(over) = &scoped.over else { return Some(Vec::new()) };
    if set.is_entity() {
        let message = format!("`{}` is seen at one moment, the cell's end: it has no `over`", set.name);
        return cx.error_help(
            Code::WrongKind,
            scoped.span,
            message,
            "leave out `over`, or put it on the events in its condition: `count(customer where count(orders over last 90 days) > 0)`",
        );
    }
    let moves = of(cx, over, scoped.span)?;
    if matches!(moves.as_slice(), [Move::Trailing(_)]) && !set.is_dated() {
        let message = format!("`{}` is undated: nothing of it lies in the last days", set.name);
        return cx.error_help(Code::Undated, scoped.span, message, "leave out `over`, or declare the event with `at`");
    }
    Some(moves)
}

/// The move that an `over` means.
pub(super) fn of(cx: &mut Cx<'_>, over: &Over, span: Span) -> Option<Vec<Move>> {
    match over {
        Over::Period => Some(Vec::new()),
        Over::AllTime => Some(vec![Move::AllTime]),
        Over::Window(Window::Last { length, to_date: false }) => Some(vec![Move::Trailing(window::span(cx, length)?)]),
        Over::Window(_) => looks_back(cx, span, "`over` looks back from the cell's end"),
    }
}

fn looks_back<T>(cx: &mut Cx<'_>, span: Span, why: &str) -> Option<T> {
    cx.error_help(Code::WrongKind, span, why, "write `over last 90 days`, `over all time` or `over period`")
}
