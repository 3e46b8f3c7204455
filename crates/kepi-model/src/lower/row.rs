//! Names and functions in a row's expression: fields, entities, definitions.

use super::bind::{bind, substitute};
use super::call::plain_arguments;
use super::entity::{definition_of, has};
use super::events::{BaseDecl, EventSet};
use super::expr::{self, Scope};
use super::grain::grain_word;
use super::{Cx, Node, aggregate, meant, nobody};
use crate::calendar::Grain;
use crate::catalog::{Symbol, SymbolKind};
use crate::core::{Base, Made, Op, Row, RowNode};
use crate::declared::{EntityDecl, FunctionKind, RoleDecl, Signature, StreamDecl};
use crate::functions::{AggregateKind, Lowering};
use crate::names;
use crate::value::{Kind, Unit};
use kepi_syntax::ast::{Argument, Definition, Expr, Name, Path, Scoped};
use kepi_syntax::{Code, Span};

/// What a name turned out to mean.
#[derive(Clone, Debug)]
pub(crate) struct Meaning {
    /// The name as written.
    pub(crate) name: String,
    /// The declaration, whatever the way to it.
    pub(crate) found: String,
    /// In words, for messages: "the field `orders.kind`".
    pub(crate) words: String,
}

/// A row of an event (or an entity), or an entity seen from a row.
pub(crate) struct RowScope<'e> {
    pub(super) set: &'e EventSet,
    /// Inside a definition of an entity: which one, and how the row leads to it.
    pub(super) focus: Option<(EntityDecl, Row)>,
    /// What names meant, in the order met.
    pub(crate) seen: Vec<Meaning>,
    /// The entities of the row whose segments and dimensions were looked into.
    pub(crate) through: Vec<Row>,
}

impl<'e> RowScope<'e> {
    pub(crate) fn of(set: &'e EventSet) -> RowScope<'e> {
        RowScope { set, focus: None, seen: Vec::new(), through: Vec::new() }
    }

    /// The scope in which a definition of these rows (or of this entity) is written.
    pub(crate) fn of_definition(set: &'e EventSet) -> RowScope<'e> {
        let focus = match &set.base {
            BaseDecl::Entity(entity) => Some((entity.clone(), set.role_row(&set.roles()[0]))),
            BaseDecl::Stream(_) => None,
        };
        RowScope { set, focus, seen: Vec::new(), through: Vec::new() }
    }

    /// A scope for the definitions of one entity, seen from its rows.
    fn focused(&self, entity: EntityDecl, row: Row) -> RowScope<'e> {
        RowScope { set: self.set, focus: Some((entity, row)), seen: Vec::new(), through: Vec::new() }
    }

    /// Keeps what a name meant: the kind of declaration, the declaration itself, how it is written in full.
    pub(super) fn see(&mut self, path: &Path, kind: &str, declared: &str, written: &str) {
        let words = format!("the {kind} `{written}`");
        self.seen.push(Meaning { name: names::text(path), found: format!("{kind} {declared}"), words });
    }

    fn at(&self) -> Row {
        Row { unit: Unit::of(Kind::Time), node: RowNode::At }
    }

    /// Reports what needs the row's moment where the rows have none.
    pub(super) fn dated(&self, cx: &mut Cx<'_>, span: Span, why: &str) -> Option<()> {
        if self.set.is_dated() {
            return Some(());
        }
        let message = format!("`{}` is undated: {why}", self.set.name);
        cx.error_help(
            Code::Undated,
            span,
            message,
            "declare the event with `at`, such as `event … of customer at day { }`",
        )
    }

    /// The parts behind the event's own name, if the path begins with it. `Err`: it begins with another event's, with its
    /// name, its full name and how many parts they are.
    fn stripped<'p>(&self, cx: &Cx<'_>, parts: &'p [&'p str]) -> Result<&'p [&'p str], (String, String, usize)> {
        if parts.len() < 2 {
            return Ok(parts);
        }
        let is_role = self.set.roles().iter().any(|r| r.name == parts[0]);
        if is_role {
            return Ok(parts);
        }
        match cx.catalog.lookup(&cx.module, parts, cx.anywhere) {
            Some((symbol, used)) if used < parts.len() => match &symbol.kind {
                SymbolKind::Stream(_) | SymbolKind::Derived(_) | SymbolKind::Entity(_)
                    if self.set.names.contains(&symbol.full_name()) =>
                {
                    Ok(&parts[used..])
                }
                SymbolKind::Stream(_) | SymbolKind::Derived(_) => Err((symbol.name.clone(), symbol.full_name(), used)),
                _ => Ok(parts),
            },
            _ => Ok(parts),
        }
    }

    pub(super) fn event_path(&mut self, cx: &mut Cx<'_>, path: &Path) -> Option<Row> {
        let all = names::parts(path);
        let parts = match self.stripped(cx, &all) {
            Ok(parts) => parts,
            Err((_, full, used)) if self.step_named(&full).is_some() => return self.step_path(cx, path, &full, used),
            Err((other, ..)) => {
                return cx.error_help(
                    Code::FieldLacking,
                    path.span,
                    format!("`{}` is of `{other}`, the rows here are of `{}`", names::text(path), self.set.name),
                    format!("an aggregate looks into its history, such as `last({})`", names::text(path)),
                );
            }
        };
        let name = parts[0];
        if let [_] = parts
            && let Some(row) = self.own_field(path, name)
        {
            return Some(row);
        }
        let roles = self.set.roles();
        if let Some(role) = self.role(&roles, name, parts.len() > 1) {
            let row = self.set.role_row(role);
            if parts.len() == 1 {
                let name = names::bare(&role.name);
                self.see(path, "entity", name, name);
                return Some(row);
            }
            let entity = cx.catalog.entity(&role.entity).cloned()?;
            return self.entity_path(cx, path, row, &role.name.clone(), &entity, &parts[1..]);
        }
        if let Some(done) = self.definition(cx, path, &[]) {
            return done;
        }
        if let Some(done) = self.state(cx, path, parts) {
            return done;
        }
        // An entity's own row has its references at hand: `home.kind`.
        if parts.len() == 1 || self.set.is_entity() {
            let owners: Vec<&RoleDecl> =
                roles.iter().filter(|r| cx.catalog.entity(&r.entity).is_some_and(|e| has(e, name))).collect();
            match owners.as_slice() {
                [role] => {
                    let entity = cx.catalog.entity(&role.entity).cloned()?;
                    let row = self.set.role_row(role);
                    return self.entity_path(cx, path, row, &role.name.clone(), &entity, parts);
                }
                [a, b, ..] => {
                    return cx.error_help(
                        Code::Ambiguous,
                        path.span,
                        format!("`{name}` may be `{}.{name}` or `{}.{name}`", a.name, b.name),
                        "write which one is meant",
                    );
                }
                [] => {}
            }
        }
        self.lacking(cx, path, name)
    }

    /// The role of a name: its own, or, in front of a dot, the entity's where only one role has it.
    fn role<'r>(&self, roles: &'r [RoleDecl], name: &str, dotted: bool) -> Option<&'r RoleDecl> {
        if let Some(role) = roles.iter().find(|r| r.name == name) {
            return Some(role);
        }
        // An entity's own row is that entity.
        let dotted = dotted || self.set.is_entity();
        let mut called = roles.iter().filter(|r| dotted && r.is_called(name));
        called.next().filter(|_| called.next().is_none())
    }

    /// A field of the event itself, or its moment.
    pub(super) fn own_field(&mut self, path: &Path, name: &str) -> Option<Row> {
        if let Some(extra) = self.set.extra.iter().find(|e| e.name == name) {
            let owner = &self.set.names[0];
            self.see(path, "field", &format!("{owner}.{name}"), &format!("{}.{name}", self.set.name));
            return Some(Row { unit: extra.unit.clone(), node: RowNode::Field(extra.field.to_string()) });
        }
        match &self.set.base {
            BaseDecl::Stream(stream) => {
                if let Some(field) = stream.fields.iter().find(|f| f.name == name) {
                    let written = format!("{}.{name}", names::bare(&stream.name));
                    self.see(path, "field", &format!("{}.{name}", stream.name), &written);
                    let stored = self.set.stored(name);
                    return Some(Row { unit: field.unit.clone(), node: RowNode::Field(stored) });
                }
                let own_time = stream.at.as_deref() == Some(name) || name == "at";
                if own_time && stream.at.is_some() {
                    self.see(path, "moment", "", "at");
                    return Some(self.at());
                }
                None
            }
            BaseDecl::Entity(entity) => {
                let entity = entity.clone();
                let field = entity.fields.iter().find(|f| f.name == name && !f.history)?;
                if matches!(field.unit.kind, Kind::Entity(_)) {
                    return None;
                }
                let written = format!("{}.{name}", names::bare(&entity.name));
                self.see(path, "attribute", &format!("{}.{name}", entity.name), &written);
                Some(Row { unit: field.unit.clone(), node: RowNode::Field(name.to_string()) })
            }
        }
    }

    /// A measure, segment or dimension that holds for these rows. `None`: there is none of this name.
    fn definition(&mut self, cx: &mut Cx<'_>, path: &Path, args: &[Argument]) -> Option<Option<Row>> {
        let parts = names::parts(path);
        let (symbol, used) = cx.catalog.lookup(&cx.module, &parts, cx.anywhere)?;
        if used != parts.len() {
            return None;
        }
        let (symbol, name) = (symbol.clone(), symbol.name.clone());
        match &symbol.kind {
            SymbolKind::Measure(definition) => {
                self.see(path, "definition", &symbol.full_name(), &symbol.name);
                Some(self.expand(cx, path.span, &symbol, definition, args, None))
            }
            SymbolKind::Segment(definition) | SymbolKind::Dimension(definition) => {
                let of = definition.of.as_ref()?;
                let catalog = cx.catalog;
                let owner = catalog.lookup(&symbol.module, &[of.text.as_str()], true).map(|(s, _)| s)?;
                let full = owner.full_name();
                self.see(path, "definition", &symbol.full_name(), &symbol.name);
                if self.set.names.contains(&full) && !matches!(owner.kind, SymbolKind::Entity(_)) {
                    return Some(self.expand(cx, path.span, &symbol, definition, args, None));
                }
                let roles = self.set.roles();
                let mut fitting = roles.iter().filter(|r| r.entity == full);
                match (fitting.next(), fitting.next()) {
                    (Some(role), None) => {
                        let entity = catalog.entity(&full).cloned()?;
                        let row = self.set.role_row(role);
                        Some(self.expand(cx, path.span, &symbol, definition, args, Some((entity, row))))
                    }
                    (Some(_), Some(_)) => Some(cx.error_help(
                        Code::Ambiguous,
                        path.span,
                        format!("`{}` has several `{}`", self.set.name, of.text),
                        format!("write which one is meant, such as `{}.{name}`", roles[0].name),
                    )),
                    _ => Some(cx.error_help(
                        Code::FieldLacking,
                        path.span,
                        format!("`{name}` is of `{}`, and `{}` has none", of.text, self.set.name),
                        match self.set.is_entity() {
                            true => format!(
                                "what an entity has of `{}` is a history, such as `last({}.…)`",
                                of.text, of.text
                            ),
                            false => format!("`{}` is of {}", self.set.name, listed_owned(&roles)),
                        },
                    )),
                }
            }
            _ => None,
        }
    }

    pub(super) fn expand(
        &mut self,
        cx: &mut Cx<'_>,
        span: Span,
        symbol: &Symbol,
        definition: &Definition,
        args: &[Argument],
        focus: Option<(EntityDecl, Row)>,
    ) -> Option<Row> {
        let bindings = bind(cx, &symbol.name, &definition.parameters, args, span)?;
        let body = substitute(&definition.value, &bindings);
        let whose = focus.as_ref().map(|(_, row)| row.clone()).filter(|row| !self.is_of(row));
        let mut scope = match focus {
            Some((entity, row)) => {
                if !self.set.is_entity() {
                    self.through.push(row.clone());
                }
                self.focused(entity, row)
            }
            None => RowScope::of(self.set),
        };
        let condition = matches!(symbol.kind, SymbolKind::Segment(_));
        let row = cx.expand(&symbol.full_name(), &symbol.module, span, |cx| {
            if condition { expr::condition(cx, &mut scope, &body) } else { expr::lower(cx, &mut scope, &body) }
        })?;
        Some(match whose {
            None => row,
            Some(entity) => nobody::of_somebody(row, &entity, condition),
        })
    }

    /// Whether this is the entity that the rows are, or that is being looked at: it is never missing here.
    fn is_of(&self, entity: &Row) -> bool {
        match &self.focus {
            Some((_, here)) => here == entity,
            None => {
                self.set.is_entity() && self.set.roles().first().is_some_and(|own| self.set.role_row(own) == *entity)
            }
        }
    }

    /// How the rows become about an entity, where a field of theirs is named like its key.
    fn linked(&self, entity: &EntityDecl) -> Option<String> {
        let BaseDecl::Stream(stream) = &self.set.base else { return None };
        let named = |name: &str| name == entity.key || name == names::bare(&entity.name);
        let field = stream.fields.iter().find(|field| field.unit.kind == Kind::Text && named(&field.name))?;
        let (event, entity) = (names::bare(&stream.name), names::bare(&entity.name));
        let of: Vec<&str> = stream.roles.iter().map(|role| role.name.as_str()).chain([entity]).collect();
        Some(format!(
            "its `{field}` is a text: declare `event {event} of {}`, let its source map `{entity} {field}` instead of \
             `{field}`, and load its files again",
            of.join(", "),
            field = field.name,
        ))
    }

    /// Of a name that another entity has, or one that has a dot behind a text: how the rows become about that.
    fn of_another(&self, cx: &Cx<'_>, parts: &[&str]) -> Option<String> {
        let has = |entity: &EntityDecl, name: &str| entity.fields.iter().any(|field| field.name == name);
        let meant = |entity: &&EntityDecl| match parts {
            [name] => has(entity, name),
            [field, name] => entity.key == *field && has(entity, name),
            _ => false,
        };
        let mut meant = cx.catalog.entities().filter(meant).filter_map(|entity| self.linked(entity));
        meant.next().filter(|_| meant.next().is_none())
    }

    /// Of a name that one other event of the same entity has: that its latest value can be asked for.
    fn in_the_history(&self, cx: &Cx<'_>, parts: &[&str]) -> Option<String> {
        let ([name], Some(subject), false) = (parts, self.set.roles().into_iter().next(), self.set.is_entity()) else {
            return None;
        };
        let has = |stream: &&StreamDecl| {
            stream.roles.iter().any(|role| role.entity == subject.entity)
                && stream.fields.iter().any(|field| field.name == *name)
        };
        let mut having = cx.catalog.streams().filter(|stream| stream.at.is_some()).filter(has);
        let (one, none) = (having.next()?, having.next());
        let (event, entity) = (names::bare(&one.name), names::bare(&subject.entity));
        none.is_none().then(|| format!("`{event}` has it: `last({event}.{name})` is the latest of the same {entity}"))
    }

    /// Of `a.b`, where nothing is called `a`: the one entity of the rows that has a `b`.
    fn behind_another(&self, cx: &Cx<'_>, parts: &[&str]) -> Option<String> {
        let [_, name] = parts else { return None };
        let roles = self.set.roles();
        let owns = |role: &&RoleDecl| cx.catalog.entity(&role.entity).is_some_and(|e| has(e, name));
        let mut owners = roles.iter().filter(owns);
        let (one, none) = (owners.next()?, owners.next());
        none.is_none().then(|| format!("did you mean `{}.{name}`?", names::bare(&one.name)))
    }

    fn lacking(&mut self, cx: &mut Cx<'_>, path: &Path, name: &str) -> Option<Row> {
        let parts = names::parts(path);
        if let Some((symbol, used)) = cx.catalog.lookup(&cx.module, &parts, cx.anywhere) {
            let (word, symbol_name) = (symbol.kind.word(), symbol.name.clone());
            match &symbol.kind {
                SymbolKind::Metric(_) => {
                    return cx.error_help(
                        Code::WrongKind,
                        path.span,
                        format!("`{symbol_name}` is a metric: it has a value per cell, not per row"),
                        "a condition on it belongs into `having`",
                    );
                }
                SymbolKind::Stream(_) | SymbolKind::Derived(_) if used == parts.len() => {
                    return cx.error_help(
                        Code::WrongKind,
                        path.span,
                        format!("`{symbol_name}` is an {word}, a value is needed here"),
                        format!("take its history, such as `count({symbol_name})`, or one of its fields"),
                    );
                }
                SymbolKind::Entity(entity) => {
                    let help = self.linked(entity).unwrap_or_else(|| match self.set.roles().as_slice() {
                        [] => "it is of no entity".to_string(),
                        roles => format!("its entities are {}", listed_owned(roles)),
                    });
                    let message = format!("`{}` has no `{symbol_name}`", self.set.name);
                    return cx.error_help(Code::FieldLacking, path.span, message, help);
                }
                _ => {}
            }
        }
        let mut known: Vec<String> = Vec::new();
        let mut add = |name: &str| {
            if !known.iter().any(|k| k == name) {
                known.push(name.to_string());
            }
        };
        self.set.extra.iter().for_each(|e| add(e.name));
        if let BaseDecl::Stream(stream) = &self.set.base {
            stream.fields.iter().for_each(|f| add(&f.name));
        }
        for role in self.set.roles() {
            add(names::bare(&role.name));
            if let Some(entity) = cx.catalog.entity(&role.entity) {
                entity.fields.iter().for_each(|f| add(&f.name));
            }
        }
        let message = format!("`{}` has no `{name}`", self.set.name);
        let refs: Vec<&str> = known.iter().map(String::as_str).collect();
        let behind = || self.behind_another(cx, &parts).or_else(|| self.of_another(cx, &parts));
        let elsewhere = || {
            let entity = self.set.roles().into_iter().next().filter(|_| self.set.is_entity() && parts.len() == 1)?;
            meant::in_events(cx, &entity.entity, name)
        };
        let of_time =
            || meant::of_time(name, &self.set.name, self.set.is_dated() && !self.set.is_entity() && parts.len() == 1);
        let owned: Vec<String> = self.set.roles().iter().flat_map(|role| meant::owned(cx, &role.entity)).collect();
        let near = || names::suggestion(name, refs.iter().copied().chain(owned.iter().map(String::as_str)));
        match behind().or_else(elsewhere).or_else(of_time).or_else(near) {
            Some(help) => cx.error_help(Code::FieldLacking, path.span, message, help),
            None => {
                let more = owned.iter().map(String::as_str).filter(|_| self.set.is_entity());
                let refs: Vec<&str> = refs.iter().copied().chain(more).collect();
                let mut help = format!("it has {}", listed(&refs));
                if let Some(inside) = self.set.made.as_deref().and_then(|made| filtered_inside(cx, made, name)) {
                    help = format!("{help}; a condition on the rows belongs inside: `{inside}`");
                } else if let Some(elsewhere) = self.in_the_history(cx, &parts) {
                    help = format!("{help}; {elsewhere}");
                }
                cx.error_help(Code::FieldLacking, path.span, message, help)
            }
        }
    }
}

/// An event, which may be one that is made where it stands, and a period, where one is given.
fn event_and_grain<'e>(
    cx: &mut Cx<'_>,
    usage: &str,
    args: &'e [Argument],
    span: Span,
) -> Option<(&'e Scoped, Option<&'e Expr>)> {
    let [event, rest @ ..] = args else {
        return cx.error_help(Code::Arguments, span, "0 arguments are given", format!("it is written as `{usage}`"));
    };
    let keys = super::call::plain(event).and_then(|event| event.per.as_ref());
    if let (true, Some(per)) = (rest.is_empty(), keys.filter(|per| per.grains.len() > 1)) {
        return cx.error_help(
            Code::Arguments,
            per.grains.last().map_or(span, |grain| grain.span),
            "the comma goes on with `per` here: it does not say the period",
            format!("give the event a name, such as `event first_leads = first(leads) per customer`: `{usage}`"),
        );
    }
    let rest = plain_arguments(cx, usage, rest, (0, 1), span)?;
    match super::call::plain(event).filter(|event| event.over.is_none()) {
        Some(event) => Some((event, rest.first().copied())),
        None => {
            let message = "an event is needed here, such as `new_customers` or `first(orders) per customer`";
            cx.error_help(Code::Arguments, span, message, format!("it is written as `{usage}`"))
        }
    }
}

/// How a condition on the rows of groups is written: `sum(revenue where kind = …) per customer`.
fn filtered_inside(cx: &Cx<'_>, made: &Made, name: &str) -> Option<String> {
    let Made::Groups(groups) = made else { return None };
    let [aggregate, ..] = groups.aggregates.as_slice() else { return None };
    let Base::Stream(stream) = &aggregate.events.base else { return None };
    cx.catalog.stream(stream)?.fields.iter().find(|field| field.name == name)?;
    let inside = aggregate.text.strip_suffix(')')?;
    let joined = if inside.contains(" where ") { "and" } else { "where" };
    let keys =
        groups.keys.iter().map(|key| names::bare(&key.name).to_string()).chain(groups.per.iter().map(Grain::name));
    let keys: Vec<String> = keys.collect();
    Some(format!("{inside} {joined} {name} = …) per {}", keys.join(", ")))
}

pub(super) fn listed(found: &[&str]) -> String {
    if found.is_empty() {
        return "no fields".to_string();
    }
    found.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

pub(super) fn listed_owned(roles: &[RoleDecl]) -> String {
    let names: Vec<&str> = roles.iter().map(|r| names::bare(&r.name)).collect();
    listed(&names)
}

impl Scope<Row> for RowScope<'_> {
    fn path(&mut self, cx: &mut Cx<'_>, path: &Path) -> Option<Row> {
        match self.focus.clone() {
            Some((entity, row)) => self.focus_path(cx, path, entity, row),
            None => self.event_path(cx, path),
        }
    }

    fn now(&self, cx: &mut Cx<'_>, span: Span) -> Option<Row> {
        self.dated(cx, span, "`now` is the moment of the row")?;
        Some(self.at())
    }

    fn field(&mut self, cx: &mut Cx<'_>, of: &Expr, name: &Name, whole: &Expr) -> Option<Option<Row>> {
        self.field_of(cx, of, name, whole)
    }

    fn call(
        &mut self,
        cx: &mut Cx<'_>,
        lowering: &Lowering,
        name: &str,
        args: &[Argument],
        span: Span,
    ) -> Option<Option<Row>> {
        if let Some(done) = self.behaviour(cx, lowering, name, args, span) {
            return Some(done);
        }
        match lowering {
            Lowering::Aggregate(kind) => Some(self.history(cx, *kind, args, span)),
            Lowering::Share => Some((|| {
                let counted = aggregate::without_filter(cx, args, span)?;
                let part = self.history(cx, AggregateKind::Count, args, span)?;
                let all = self.history(cx, AggregateKind::Count, &counted, span)?;
                Some(Row::call(Op::Divide, vec![part, all], Unit::of(Kind::Percent)))
            })()),
            Lowering::Age => Some((|| {
                let (event, grain) = event_and_grain(cx, "age(event), age(event, grain)", args, span)?;
                let moment = self.moment_of(cx, event, name)?;
                self.dated(cx, span, "an age is that at the moment of the row")?;
                let at = self.at();
                Some(match grain {
                    None => Row::call(Op::Elapsed, vec![at, moment], Unit::of(Kind::Duration)),
                    Some(word) => {
                        let grain = grain_word(cx, word)?;
                        Row::call(Op::PeriodsBetween(grain), vec![at, moment], Unit::of(Kind::Number))
                    }
                })
            })()),
            Lowering::Cohort => Some((|| {
                let (event, grain) = event_and_grain(cx, "cohort(event, grain)", args, span)?;
                let Some(word) = grain else {
                    let help = "it is written as `cohort(event, grain)`";
                    return cx.error_help(Code::Arguments, span, "1 argument is given, 2 are needed", help);
                };
                let moment = self.moment_of(cx, event, name)?;
                let grain = grain_word(cx, word)?;
                Some(Row::call(Op::Truncate(grain), vec![moment], Unit::of(Kind::Time)))
            })()),
            Lowering::State(measure) => Some(self.state_measure(cx, *measure, name, args, span)),
            Lowering::Edge(_) => Some(cx.error_help(
                Code::WrongKind,
                span,
                format!("`{name}` makes events, a value is needed here"),
                format!("take their history, such as `count({name}(…))`, or one of their fields"),
            )),
            _ => None,
        }
    }

    fn plugin_aggregate(
        &mut self,
        cx: &mut Cx<'_>,
        signature: &Signature,
        args: &[Argument],
        span: Span,
    ) -> Option<Row> {
        if signature.kind == FunctionKind::Model {
            return self.model_of_plugin(cx, signature, args, span);
        }
        cx.not_yet(span, &format!("plugin aggregates over a history (`{}`)", signature.name))
    }

    fn definition_call(&mut self, cx: &mut Cx<'_>, path: &Path, args: &[Argument]) -> Option<Option<Row>> {
        if let Some((entity, row)) = self.focus.clone() {
            let (symbol, definition) = definition_of(cx, &names::parts(path), &entity.name)?;
            return Some(self.expand(cx, path.span, &symbol, &definition, args, Some((entity, row))));
        }
        self.definition(cx, path, args)
    }
}
