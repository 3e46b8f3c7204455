//! Events at the edges of states: `started(active)`, `ended(active)`, `stays(stage)`.

use super::call::plain;
use super::events::{EventSet, Extra};
use super::{Cx, held};
use crate::core::{Edge, LENGTH, Made, VALUE};
use crate::value::{Kind, Unit};
use kepi_syntax::Code;
use kepi_syntax::ast::{Argument, Scoped};

/// The events that a function makes of a state.
pub(super) fn made(cx: &mut Cx<'_>, edge: Edge, name: &str, args: &[Argument], scoped: &Scoped) -> Option<EventSet> {
    let span = scoped.value.span;
    if let Some(per) = &scoped.per {
        return cx.error_help(
            Code::WrongKind,
            per.grains.first().map_or(span, |g| g.span),
            format!("`{name}` makes an event for every entity by itself"),
            format!("write `first({name}(…)) per customer` for the first of each"),
        );
    }
    let one = match args {
        [arg] => plain(arg),
        _ => None,
    };
    let Some(arg) = one else {
        return cx.error_help(
            Code::Arguments,
            span,
            format!("`{name}` takes one state"),
            format!("write `{name}(active)`"),
        );
    };
    let text = kepi_syntax::expr_text(&arg.value);
    if arg.filter.is_some() || arg.per.is_some() || arg.over.is_some() {
        let filter = arg.filter.as_ref().map_or("…".to_string(), kepi_syntax::expr_text);
        return cx.error_help(
            Code::Arguments,
            arg.span,
            format!("`{name}` takes a state alone"),
            format!("the condition is one on the events: `{name}({text}) where {filter}`"),
        );
    }
    let set = held::state(cx, &arg.value, name)?;
    let whole = format!("{name}({text})");
    let mut extra = Vec::new();
    if set.core.value.is_some() {
        // Of a condition it is yes.
        extra.push(Extra { name: "value", field: VALUE, unit: set.core.unit.clone() });
    }
    if edge != Edge::Start {
        extra.push(Extra { name: "length", field: LENGTH, unit: Unit::of(Kind::Duration) });
    }
    Some(set.from.made_into(whole, Made::Edges { state: set.core, edge }, extra))
}
