//! Which rows an expression is about: stored events, derived ones, entities.

use super::row::RowScope;
use super::{Cx, behaviour, call, edges, expr};
use crate::catalog::{Symbol, SymbolKind};
use crate::core::{Base, Events, KEY, Made, Row, RowNode, Stage};
use crate::declared::{EntityDecl, RoleDecl, StreamDecl};
use crate::functions::{self, Lowering};
use crate::names;
use crate::value::{Kind, Unit};
use kepi_syntax::ast::{Argument, Expr, ExprKind, InnerPer, Path, Scoped};
use kepi_syntax::{Code, Span};

/// Rows with what is known of them: their base, how they are derived, which names mean them.
#[derive(Clone, Debug)]
pub(crate) struct EventSet {
    /// As the user says it, for messages.
    pub(crate) name: String,
    /// Full names of the event and of all that it derives from.
    pub(crate) names: Vec<String>,
    /// What the rows are rows of; for made rows, whose fields and entities they keep.
    pub(crate) base: BaseDecl,
    /// How the rows are made, where they are not stored.
    pub(crate) made: Option<Box<Made>>,
    /// What made rows have beside the fields that they keep.
    pub(crate) extra: Vec<Extra>,
    /// The further steps of a chain, each with the rows that served it.
    pub(crate) steps: Vec<EventSet>,
    pub(crate) stages: Vec<Stage>,
    /// The entity that has such an event at most once.
    pub(crate) once: Option<String>,
}

/// A field that made rows have: `length`, `value`, `count`.
#[derive(Clone, Debug)]
pub(crate) struct Extra {
    /// Its name in the language.
    pub(crate) name: &'static str,
    /// Its name in the core.
    pub(crate) field: &'static str,
    pub(crate) unit: Unit,
}

/// What the rows are rows of.
#[derive(Clone, Debug)]
pub(crate) enum BaseDecl {
    Stream(StreamDecl),
    Entity(EntityDecl),
}

impl EventSet {
    pub(crate) fn events(&self) -> Events {
        let base = match (&self.made, &self.base) {
            (Some(made), _) => Base::Made(made.clone()),
            (None, BaseDecl::Stream(stream)) => Base::Stream(stream.name.clone()),
            (None, BaseDecl::Entity(entity)) => Base::Entity(entity.name.clone()),
        };
        Events { base, stages: self.stages.clone() }
    }

    /// Rows made of these: they keep their fields, their entities and the names that mean them.
    pub(crate) fn made_into(&self, name: String, made: Made, mut extra: Vec<Extra>) -> EventSet {
        extra.extend(self.extra.iter().cloned());
        let mut names = vec![name.clone()];
        names.extend(self.names.iter().cloned());
        EventSet {
            name,
            names,
            base: self.base.clone(),
            made: Some(Box::new(made)),
            extra,
            steps: Vec::new(),
            stages: Vec::new(),
            once: None,
        }
    }

    /// The entities of a row, the subject first.
    pub(crate) fn roles(&self) -> Vec<RoleDecl> {
        match &self.base {
            BaseDecl::Stream(stream) => stream.roles.clone(),
            BaseDecl::Entity(entity) => vec![RoleDecl { name: entity.name.clone(), entity: entity.name.clone() }],
        }
    }

    pub(crate) fn role_row(&self, role: &RoleDecl) -> Row {
        let stored = self.stored(&role.name);
        Row { unit: Unit::of(Kind::Entity(role.entity.clone())), node: RowNode::Role(stored) }
    }

    /// The name under which execution has a role or field: the keys of groups are numbered.
    pub(crate) fn stored(&self, name: &str) -> String {
        let keys = match self.made.as_deref() {
            Some(Made::Groups(groups)) => groups.keys.as_slice(),
            _ => &[],
        };
        let index = keys.iter().position(|key| names::bare(&key.name) == name);
        index.map_or(name.to_string(), |index| format!("{KEY}{index}"))
    }

    /// Whether its rows are entities, seen at the end of a cell.
    pub(crate) fn is_entity(&self) -> bool {
        self.made.is_none() && matches!(self.base, BaseDecl::Entity(_))
    }

    pub(crate) fn is_dated(&self) -> bool {
        match &self.base {
            BaseDecl::Stream(stream) => stream.at.is_some() || self.made.is_some(),
            BaseDecl::Entity(_) => true,
        }
    }
}

/// The rows of a symbol, if it is an event or an entity.
pub(crate) fn of_symbol(cx: &mut Cx<'_>, symbol: &Symbol, span: Span) -> Option<EventSet> {
    let full = symbol.full_name();
    match &symbol.kind {
        SymbolKind::Stream(stream) => Some(EventSet {
            name: symbol.name.clone(),
            names: vec![full],
            base: BaseDecl::Stream(stream.clone()),
            made: None,
            extra: Vec::new(),
            steps: Vec::new(),
            stages: Vec::new(),
            once: None,
        }),
        SymbolKind::Entity(entity) => Some(EventSet {
            name: symbol.name.clone(),
            names: vec![full],
            base: BaseDecl::Entity(entity.clone()),
            made: None,
            extra: Vec::new(),
            steps: Vec::new(),
            stages: Vec::new(),
            once: Some(entity.name.clone()),
        }),
        SymbolKind::Derived(body) => {
            let mut set = cx.expand(&full, &symbol.module, span, |cx| of_scoped(cx, body))?;
            set.name = symbol.name.clone();
            set.names.insert(0, full);
            Some(set)
        }
        _ => None,
    }
}

/// Whether an expression means rows rather than a value: an event's name, or a function that makes events.
pub(crate) fn is_event(cx: &Cx<'_>, value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Path(path) => {
            let parts = names::parts(path);
            cx.catalog.lookup(&cx.module, &parts, cx.anywhere).is_some_and(|(symbol, used)| {
                let event = matches!(symbol.kind, SymbolKind::Stream(_) | SymbolKind::Derived(_));
                used == parts.len() && (event || matches!(symbol.kind, SymbolKind::Entity(_)))
            })
        }
        ExprKind::Call { function, arguments } => match names::text(function).as_str() {
            "first" => arguments.iter().any(|a| call::plain(a).is_some_and(|s| is_event(cx, &s.value))),
            name => functions::find(name).is_some_and(|f| makes_events(&f.lowering)),
        },
        _ => false,
    }
}

/// Whether a function makes events.
pub(crate) fn makes_events(lowering: &Lowering) -> bool {
    matches!(lowering, Lowering::Edge(_) | Lowering::Sessions)
}

/// The rows of an event expression: `orders where c`, `first(orders where c) per customer`.
pub(crate) fn of_scoped(cx: &mut Cx<'_>, scoped: &Scoped) -> Option<EventSet> {
    let mut set = match &scoped.value.kind {
        ExprKind::Path(path) => {
            if let Some(per) = &scoped.per {
                return cx.error_help(
                    Code::WrongKind,
                    per.grains.first().map_or(scoped.span, |g| g.span),
                    "an event has no `per` by itself",
                    "write `first(orders) per customer` for the first of each customer",
                );
            }
            named(cx, path)?
        }
        ExprKind::Call { function, arguments } => derive(cx, function, arguments, scoped)?,
        _ => {
            return cx.error_help(
                Code::WrongKind,
                scoped.value.span,
                "an event is needed here",
                "write an event's name, `orders where …` or `first(orders) per customer`",
            );
        }
    };
    if let Some(over) = &scoped.over {
        let _ = over;
        return cx.error(Code::WrongKind, scoped.span, "an event has no `over`: its rows are all rows");
    }
    if let Some(filter) = &scoped.filter {
        let condition = expr::condition(cx, &mut RowScope::of(&set), filter)?;
        set.stages.push(Stage::Where(condition));
    }
    Some(set)
}

/// The rows that a name means.
pub(crate) fn named(cx: &mut Cx<'_>, path: &Path) -> Option<EventSet> {
    let parts = names::parts(path);
    let catalog = cx.catalog;
    match catalog.lookup(&cx.module, &parts, cx.anywhere) {
        Some((symbol, used)) if used == parts.len() => match &symbol.kind {
            SymbolKind::Stream(_) | SymbolKind::Derived(_) | SymbolKind::Entity(_) => of_symbol(cx, symbol, path.span),
            kind => cx.error_help(
                Code::WrongKind,
                path.span,
                format!("`{}` is {}, an event is needed here", names::text(path), kind.a_word()),
                event_instead(symbol),
            ),
        },
        Some((symbol, _)) => cx.error_help(
            Code::WrongKind,
            path.span,
            format!("`{}` is a field, an event is needed here", names::text(path)),
            format!("write `{}`", symbol.name),
        ),
        None => unknown(cx, path),
    }
}

/// Reports a name that nothing has.
pub(crate) fn unknown<T>(cx: &mut Cx<'_>, path: &Path) -> Option<T> {
    let text = names::text(path);
    let first = path.parts[0].text.as_str();
    let catalog = cx.catalog;
    if let Some((symbol, _)) = catalog.lookup(&cx.module, &names::parts(path), cx.anywhere) {
        return cx.error_help(
            Code::WrongKind,
            path.span,
            format!("`{text}` is {}, not a value of an event", symbol.kind.a_word()),
            event_instead(symbol),
        );
    }
    // A name of another module, spelled right, only has to be brought in.
    let elsewhere = cx.catalog.symbols().find(|s| s.name == first).map(|s| s.module.clone());
    if let Some(module) = elsewhere.filter(|m| !m.is_empty()) {
        return cx.error_help(
            Code::UnknownName,
            path.span,
            format!("`{text}` is unknown here"),
            format!("it is in the module `{module}`: write `use {module}` above, or `{module}.{text}`"),
        );
    }
    if let [module, name] = names::parts(path).as_slice() {
        let own = catalog.symbols().filter(|s| s.module == *module).map(|s| s.name.as_str());
        if let Some(near) = names::nearest(name, own) {
            let help = format!("did you mean `{module}.{near}`?");
            return cx.error_help(Code::UnknownName, path.span, format!("`{text}` is unknown"), help);
        }
    }
    let visible: Vec<&str> = cx.catalog.visible(&cx.module).collect();
    let functions: Vec<&str> = functions::all().map(|f| f.name).collect();
    let help = match owner_of(cx, first) {
        Some(owner) => Some(owner),
        None if functions.contains(&first) => Some(format!("`{first}` is a function: write `{first}(…)`")),
        None => names::suggestion(first, visible),
    };
    match help {
        Some(help) => cx.error_help(Code::UnknownName, path.span, format!("`{text}` is unknown"), help),
        None => cx.error_help(
            Code::UnknownName,
            path.span,
            format!("`{text}` is unknown"),
            "`kepi list` names everything that is declared",
        ),
    }
}

/// "did you mean `orders.amount`?" for a field's bare name.
fn owner_of(cx: &Cx<'_>, field: &str) -> Option<String> {
    let mut owners = cx.catalog.symbols().filter_map(|s| match &s.kind {
        SymbolKind::Stream(d) if d.fields.iter().any(|f| f.name == field) => Some(s.name.as_str()),
        SymbolKind::Entity(d) if d.fields.iter().any(|f| f.name == field) => Some(s.name.as_str()),
        _ => None,
    });
    let first = owners.next()?;
    Some(match owners.next() {
        Some(second) => format!("did you mean `{first}.{field}` or `{second}.{field}`?"),
        None => format!("did you mean `{first}.{field}`?"),
    })
}

/// What to write instead of a measure that is no value of an event.
pub(super) fn measure_instead(cx: &Cx<'_>, name: &str, value: &Expr) -> String {
    let field = match &value.kind {
        ExprKind::Path(path) if path.parts.len() == 1 => owner_of(cx, &path.parts[0].text),
        _ => None,
    };
    match field {
        Some(field) => format!("say of which event: {field}"),
        None if super::aggregate::has_aggregate(value) => {
            format!("a measure is a value of each row; what is measured of many is a metric: `metric {name} = …`")
        }
        None => "a measure is made of an event's fields, such as `orders.amount`".to_string(),
    }
}

/// What to write where an event is needed and this stands.
fn event_instead(symbol: &Symbol) -> String {
    let name = &symbol.name;
    match &symbol.kind {
        SymbolKind::Metric(_) => format!("a metric is shown as it is: `show {name}`"),
        SymbolKind::Measure(_) => format!("a measure is a value: write `sum({name})`, or count its event"),
        SymbolKind::Segment(_) => format!("a segment is a condition: `count(… where {name})` or `by {name}`"),
        SymbolKind::Dimension(_) => format!("a dimension is a label: write `by {name}`"),
        SymbolKind::State(_) => {
            format!("a state holds over time: write `started({name})`, `ended({name})` or `stays({name})`")
        }
        _ => "write an event's name".to_string(),
    }
}

/// The rows of a call that makes events, such as `sessions(views, 30 minutes)`; none: it makes none.
pub(crate) fn made_by(cx: &mut Cx<'_>, value: &Expr) -> Option<Option<EventSet>> {
    let ExprKind::Call { function, .. } = &value.kind else { return None };
    let found = functions::find(&names::text(function))?;
    if !makes_events(&found.lowering) {
        return None;
    }
    let scoped = Scoped { value: value.clone(), per: None, filter: None, over: None, span: value.span };
    Some(of_scoped(cx, &scoped))
}

fn derive(cx: &mut Cx<'_>, function: &Path, args: &[Argument], scoped: &Scoped) -> Option<EventSet> {
    let name = names::text(function);
    let span = scoped.value.span;
    if name != "first" {
        return match functions::find(&name).map(|f| &f.lowering) {
            Some(Lowering::Sessions) => behaviour::sessions(cx, args, span),
            Some(Lowering::Edge(edge)) => edges::made(cx, *edge, &name, args, scoped),
            Some(Lowering::NotYet(what)) => cx.not_yet(span, what),
            Some(_) => cx.error_help(
                Code::WrongKind,
                span,
                format!("`{name}` makes no event"),
                "events are made by `where`, `first(…) per …`, `sessions(…)`, `started(…)`, `ended(…)` and `stays(…)`",
            ),
            None => cx.error(Code::UnknownFunction, function.span, format!("there is no function `{name}`")),
        };
    }
    let [arg] = args else {
        return cx.error_help(Code::Arguments, span, "`first` takes one event", "write `first(orders) per customer`");
    };
    let Some(inner) = call::plain(arg) else {
        return cx.error_help(Code::Arguments, span, "`first` takes one event", "write `first(orders) per customer`");
    };
    let mut set = of_scoped(cx, inner)?;
    let Some(per) = &scoped.per else {
        let subject = set.roles().first().map_or("customer".to_string(), |r| r.name.clone());
        return cx.error_help(
            Code::NoSubject,
            span,
            "the first of whom?",
            format!("write `first({}) per {subject}`", set.name),
        );
    };
    let role = per_role(cx, &set, per)?;
    let row = set.role_row(&role);
    set.stages.push(Stage::First { per: row });
    set.once = Some(role.entity.clone());
    if scoped.filter.is_some() {
        cx.warn(
            Code::LintFirstWhere,
            scoped.span,
            "this takes the first of all, then drops it where the condition fails",
            format!("for the first of those that fit, write `first({} where …) per {}`", set.name, role.name),
        );
    }
    Some(set)
}

fn per_role(cx: &mut Cx<'_>, set: &EventSet, per: &InnerPer) -> Option<RoleDecl> {
    if per.every || per.grains.len() != 1 {
        let span = per.grains.first().map_or(Span::default(), |g| g.span);
        return cx.error_help(Code::WrongKind, span, "`first` is per one entity", "write `first(orders) per customer`");
    }
    let path = &per.grains[0];
    let text = names::text(path);
    let roles = set.roles();
    if let Some(role) = roles.iter().find(|r| r.is_called(&text)) {
        return Some(role.clone());
    }
    let known: Vec<&str> = roles.iter().map(|r| r.name.as_str()).collect();
    let help = format!("its entities are {}", known.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "));
    cx.error_help(Code::FieldLacking, path.span, format!("`{}` has no entity `{text}`", set.name), help)
}
