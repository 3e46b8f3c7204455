//! What a name may have been meant to be, where what is asked has nothing called so.

use super::Cx;
use super::row::listed;
use crate::calendar::unit_name;
use crate::catalog::{Symbol, SymbolKind};
use crate::declared::StreamDecl;
use crate::names;
use kepi_syntax::Names;
use kepi_syntax::ast::{Expr, Path, TimeUnit};

/// What to write instead of a name that an entity lacks: what of it is called nearly so (an attribute, a state, a segment,
/// a dimension), else the events that have a field of that name, else all that it has.
pub(super) fn of_entity(cx: &Cx<'_>, entity: &str, name: &str) -> String {
    let owned = owned(cx, entity);
    let known: Vec<&str> =
        cx.catalog.entity(entity).into_iter().flat_map(|e| &e.fields).map(|f| f.name.as_str()).collect();
    if let Some(events) = in_events(cx, entity, name) {
        return events;
    }
    let near = names::suggestion(name, known.iter().copied().chain(owned.iter().map(String::as_str)));
    near.unwrap_or_else(|| {
        let all: Vec<&str> = known.into_iter().chain(owned.iter().map(String::as_str)).collect();
        if all.is_empty() {
            "nothing is declared of it but its key".to_string()
        } else {
            format!("it has {}", listed(&all))
        }
    })
}

/// The states, segments and dimensions of an entity, in the order of their names.
pub(super) fn owned(cx: &Cx<'_>, entity: &str) -> Vec<String> {
    let is_of = |symbol: &&Symbol| {
        let of = match &symbol.kind {
            SymbolKind::State(state) => Some(&state.tree.of),
            SymbolKind::Segment(definition) | SymbolKind::Dimension(definition) => definition.of.as_ref(),
            _ => None,
        };
        let owner = of.and_then(|of| cx.catalog.lookup(&symbol.module, &[of.text.as_str()], true));
        owner.is_some_and(|(owner, _)| owner.full_name() == entity)
    };
    let mut all: Vec<String> = cx.catalog.symbols().filter(is_of).map(|symbol| symbol.name.clone()).collect();
    all.sort();
    all
}

/// Of an entity: which of its events have a field of a name, and how its history is asked for it.
pub(super) fn in_events(cx: &Cx<'_>, entity: &str, name: &str) -> Option<String> {
    let has = |stream: &&StreamDecl| {
        stream.roles.iter().any(|role| role.entity == entity) && stream.fields.iter().any(|field| field.name == name)
    };
    let mut events: Vec<&str> =
        cx.catalog.streams().filter(|stream| stream.at.is_some()).filter(has).map(|s| names::bare(&s.name)).collect();
    events.sort_unstable();
    let first = events.first()?;
    let whose = match events.as_slice() {
        [one] => format!("`{one}` has it"),
        all => format!("{} have it", listed(all)),
    };
    Some(format!("{whose}: ask the history, such as `last({first}.{name})` or `count({first} where {name} …)`"))
}

/// The state or segment that an unknown name in a condition nearly is.
pub(super) fn a_state(cx: &Cx<'_>, value: &Expr) -> Option<String> {
    let states = cx.catalog.symbols().filter(|s| matches!(s.kind, SymbolKind::State(_) | SymbolKind::Segment(_)));
    let states: Vec<&str> = states.map(|symbol| symbol.name.as_str()).collect();
    let mut bare = Bare::default();
    kepi_syntax::paths(value, &mut bare);
    let is_unknown = |name: &&&str| cx.catalog.lookup(&cx.module, &[**name], cx.anywhere).is_none();
    bare.names
        .iter()
        .filter(is_unknown)
        .find_map(|name| names::nearest(name, states.iter().copied()))
        .map(|state| format!("did you mean `{state}`?"))
}

/// The names of an expression that are no path.
#[derive(Default)]
struct Bare<'a> {
    names: Vec<&'a str>,
}

impl<'a> Names<'a> for Bare<'a> {
    fn name(&mut self, path: &'a Path) {
        if let [name] = path.parts.as_slice() {
            self.names.push(&name.text);
        }
    }
}

/// What to write instead of a period's or a part's name that rows lack: `by month`, `by weekday`.
pub(super) fn of_time(name: &str, event: &str, is_dated: bool) -> Option<String> {
    const PARTS: [&str; 6] =
        ["weekday", "day_of_month", "day_of_year", "month_of_year", "quarter_of_year", "hour_of_day"];
    if !is_dated {
        return None;
    }
    if PARTS.contains(&name) {
        return Some(format!("it is a function of a time: `{name}({event}.at)`"));
    }
    let unit = TimeUnit::named(name).map(unit_name)?;
    Some(format!("periods stand behind `per`: `per {unit}`; as a label write `{unit}({event}.at)`"))
}
