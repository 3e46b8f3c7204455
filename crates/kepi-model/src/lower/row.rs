//! Names and functions in a row's expression: fields, entities and their attributes, definitions, and the history of
//! the row's subject.

use super::events::{self, BaseDecl, EventSet};
use super::expr::{self, Scope};
use super::{Cx, Node};
use crate::catalog::{Symbol, SymbolKind};
use crate::core::{History, Measure, Op, Reach, Row, RowNode};
use crate::declared::{EntityDecl, FieldDecl, RoleDecl, Signature};
use crate::functions::{AggregateKind, Lowering};
use crate::names;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::{Argument, Definition, Expr, NamedValue, Over, Path, Scoped, Window};
use kepi_syntax::{Code, Span};

/// A row of an event (or an entity), or an entity seen from a row.
pub(crate) struct RowScope<'e> {
    set: &'e EventSet,
    /// Inside a definition of an entity: which one, and how the row leads to it.
    focus: Option<(EntityDecl, Row)>,
    /// What names meant, in the order met: as written, and what was found.
    pub(crate) seen: Vec<(String, String)>,
}

impl<'e> RowScope<'e> {
    pub(crate) fn of(set: &'e EventSet) -> RowScope<'e> {
        RowScope { set, focus: None, seen: Vec::new() }
    }

    /// The scope in which a definition of these rows (or of this entity) is written.
    pub(crate) fn of_definition(set: &'e EventSet) -> RowScope<'e> {
        let focus = match &set.base {
            BaseDecl::Entity(entity) => Some((entity.clone(), set.role_row(&set.roles()[0]))),
            BaseDecl::Stream(_) => None,
        };
        RowScope { set, focus, seen: Vec::new() }
    }

    /// A scope for the definitions of one entity, seen from its rows.
    fn focused(&self, entity: EntityDecl, row: Row) -> RowScope<'e> {
        RowScope { set: self.set, focus: Some((entity, row)), seen: Vec::new() }
    }

    fn see(&mut self, path: &Path, found: String) {
        self.seen.push((names::text(path), found));
    }

    fn at(&self) -> Row {
        Row { unit: Unit::of(Kind::Time), node: RowNode::At }
    }

    /// The parts behind the event's own name, if the path begins with it. `Err`: it begins with another event's.
    fn stripped<'p>(&self, cx: &Cx<'_>, parts: &'p [&'p str]) -> Result<&'p [&'p str], String> {
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
                SymbolKind::Stream(_) | SymbolKind::Derived(_) => Err(symbol.name.clone()),
                _ => Ok(parts),
            },
            _ => Ok(parts),
        }
    }

    fn event_path(&mut self, cx: &mut Cx<'_>, path: &Path) -> Option<Row> {
        let all = names::parts(path);
        let parts = match self.stripped(cx, &all) {
            Ok(parts) => parts,
            Err(other) => {
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
        if let Some(role) = roles.iter().find(|r| r.name == name || (parts.len() > 1 && r.entity == name)) {
            let row = self.set.role_row(role);
            if parts.len() == 1 {
                self.see(path, format!("entity {}", role.name));
                return Some(row);
            }
            let entity = cx.catalog.entity(&role.entity).cloned()?;
            return self.entity_path(cx, path, row, &role.name.clone(), &entity, &parts[1..]);
        }
        if let [_] = parts {
            if let Some(done) = self.definition(cx, path, name, &[]) {
                return done;
            }
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

    /// A field of the event itself, or its moment.
    fn own_field(&mut self, path: &Path, name: &str) -> Option<Row> {
        match &self.set.base {
            BaseDecl::Stream(stream) => {
                if let Some(field) = stream.fields.iter().find(|f| f.name == name) {
                    self.see(path, format!("field {}.{name}", stream.name));
                    return Some(Row { unit: field.unit.clone(), node: RowNode::Field(name.to_string()) });
                }
                let own_time = stream.at.as_deref() == Some(name) || name == "at";
                if own_time && stream.at.is_some() {
                    self.see(path, "moment".to_string());
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
                self.see(path, format!("attribute {}.{name}", entity.name));
                Some(Row { unit: field.unit.clone(), node: RowNode::Field(name.to_string()) })
            }
        }
    }

    /// What follows an entity in a path: its key, an attribute, one of its definitions, an entity it refers to.
    fn entity_path(
        &mut self,
        cx: &mut Cx<'_>,
        path: &Path,
        row: Row,
        role: &str,
        entity: &EntityDecl,
        rest: &[&str],
    ) -> Option<Row> {
        let name = rest[0];
        if rest.len() == 1 && name == entity.key && !entity.fields.iter().any(|f| f.name == name) {
            self.see(path, format!("key {role}"));
            return Some(Row {
                unit: Unit::of(Kind::Text),
                node: RowNode::Key { of: Box::new(row), entity: entity.name.clone() },
            });
        }
        if let Some(field) = entity.fields.iter().find(|f| f.name == name) {
            let value = attribute(row, entity, field);
            if rest.len() == 1 {
                self.see(path, format!("attribute {role}.{name}"));
                return Some(value);
            }
            if let Kind::Entity(next) = &field.unit.kind {
                let next = cx.catalog.entity(next).cloned()?;
                let role = format!("{role}.{name}");
                return self.entity_path(cx, path, value, &role, &next, &rest[1..]);
            }
            let message = format!("`{name}` of `{}` is {}: it has no fields", entity.name, field.unit);
            return cx.error(Code::WrongKind, path.span, message);
        }
        if rest.len() == 1 {
            let symbol = definition_of(cx, name, &entity.name);
            if let Some((symbol, definition)) = symbol {
                self.see(path, format!("definition {}", symbol.full_name()));
                return self.expand(cx, path.span, &symbol, &definition, &[], Some((entity.clone(), row)));
            }
        }
        let known: Vec<&str> = entity.fields.iter().map(|f| f.name.as_str()).collect();
        let message = format!("`{}` has no `{name}`", entity.name);
        match names::suggestion(name, known.iter().copied()) {
            Some(help) => cx.error_help(Code::FieldLacking, path.span, message, help),
            None => cx.error_help(Code::FieldLacking, path.span, message, format!("it has {}", listed(&known))),
        }
    }

    fn focus_path(&mut self, cx: &mut Cx<'_>, path: &Path, entity: EntityDecl, row: Row) -> Option<Row> {
        let all = names::parts(path);
        let own = all.len() > 1 && (all[0] == entity.name || entity.name.ends_with(&format!(".{}", all[0])));
        let parts = if own { &all[1..] } else { &all[..] };
        let name = parts[0];
        if has(&entity, name) || definition_of(cx, name, &entity.name).is_some() {
            return self.entity_path(cx, path, row, &entity.name.clone(), &entity, parts);
        }
        if all.len() == 1 && (name == entity.name || entity.name.ends_with(&format!(".{name}"))) {
            return Some(row);
        }
        if let Some((symbol, _)) = cx.catalog.lookup(&cx.module, &all, cx.anywhere) {
            if matches!(symbol.kind, SymbolKind::State(_)) {
                return cx.not_yet(path.span, "states");
            }
            let word = symbol.kind.word();
            let symbol_name = symbol.name.clone();
            return cx.error_help(
                Code::NoRow,
                path.span,
                format!("`{symbol_name}` is a {word} with many values for one `{}`", entity.name),
                format!(
                    "take one value of its history, such as `last({})` or `count({symbol_name})`",
                    names::text(path)
                ),
            );
        }
        let known: Vec<&str> = entity.fields.iter().map(|f| f.name.as_str()).collect();
        let help =
            names::suggestion(name, known.iter().copied()).unwrap_or_else(|| format!("it has {}", listed(&known)));
        cx.error_help(Code::FieldLacking, path.span, format!("`{}` has no `{name}`", entity.name), help)
    }

    /// A measure, segment or dimension that holds for these rows. `None`: there is none of this name.
    fn definition(&mut self, cx: &mut Cx<'_>, path: &Path, name: &str, args: &[Argument]) -> Option<Option<Row>> {
        let parts = [name];
        let (symbol, _) = cx.catalog.lookup(&cx.module, &parts, cx.anywhere)?;
        let symbol = symbol.clone();
        match &symbol.kind {
            SymbolKind::Measure(definition) => {
                self.see(path, format!("definition {}", symbol.full_name()));
                Some(self.expand(cx, path.span, &symbol, definition, args, None))
            }
            SymbolKind::Segment(definition) | SymbolKind::Dimension(definition) => {
                let of = definition.of.as_ref()?;
                let catalog = cx.catalog;
                let owner = catalog.lookup(&symbol.module, &[of.text.as_str()], true).map(|(s, _)| s)?;
                let full = owner.full_name();
                self.see(path, format!("definition {}", symbol.full_name()));
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
                    _ => Some(cx.error(
                        Code::FieldLacking,
                        path.span,
                        format!("`{name}` is of `{}`, and `{}` has none", of.text, self.set.name),
                    )),
                }
            }
            _ => None,
        }
    }

    fn expand(
        &mut self,
        cx: &mut Cx<'_>,
        span: Span,
        symbol: &Symbol,
        definition: &Definition,
        args: &[Argument],
        focus: Option<(EntityDecl, Row)>,
    ) -> Option<Row> {
        let bindings = expr::bind(cx, &symbol.name, &definition.parameters, args, span)?;
        let body = events::substitute(&definition.value, &bindings);
        let mut scope = match focus {
            Some((entity, row)) => self.focused(entity, row),
            None => RowScope::of(self.set),
        };
        let condition = matches!(symbol.kind, SymbolKind::Segment(_));
        cx.expand(&symbol.full_name(), &symbol.module, span, |cx| {
            if condition { expr::condition(cx, &mut scope, &body) } else { expr::lower(cx, &mut scope, &body) }
        })
    }

    fn lacking(&mut self, cx: &mut Cx<'_>, path: &Path, name: &str) -> Option<Row> {
        let parts = names::parts(path);
        if let Some((symbol, used)) = cx.catalog.lookup(&cx.module, &parts, cx.anywhere) {
            let (word, symbol_name) = (symbol.kind.word(), symbol.name.clone());
            match &symbol.kind {
                SymbolKind::State(_) => return cx.not_yet(path.span, "states"),
                SymbolKind::Metric(_) => {
                    return cx.error_help(
                        Code::WrongKind,
                        path.span,
                        format!("`{symbol_name}` is a metric: it has a value per cell, not per row"),
                        "filter cells with `having`",
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
                SymbolKind::Entity(_) => {
                    return cx.error_help(
                        Code::FieldLacking,
                        path.span,
                        format!("`{}` has no `{symbol_name}`", self.set.name),
                        format!("its entities are {}", listed_owned(&self.set.roles())),
                    );
                }
                _ => {}
            }
        }
        let mut known: Vec<String> = Vec::new();
        if let BaseDecl::Stream(stream) = &self.set.base {
            known.extend(stream.fields.iter().map(|f| f.name.clone()));
        }
        for role in self.set.roles() {
            known.push(role.name.clone());
            if let Some(entity) = cx.catalog.entity(&role.entity) {
                known.extend(entity.fields.iter().map(|f| f.name.clone()));
            }
        }
        let message = format!("`{}` has no `{name}`", self.set.name);
        let refs: Vec<&str> = known.iter().map(String::as_str).collect();
        match names::suggestion(name, refs.iter().copied()) {
            Some(help) => cx.error_help(Code::FieldLacking, path.span, message, help),
            None => cx.error_help(Code::FieldLacking, path.span, message, format!("it has {}", listed(&refs))),
        }
    }

    /// Which entity's history an aggregate over `other` sees from here: the row of the outer side, of the inner side.
    fn subject(&self, cx: &mut Cx<'_>, other: &EventSet, chosen: Option<&str>, span: Span) -> Option<(Row, Row)> {
        let inner = other.roles();
        let outer: Vec<(RoleDecl, Row)> = match &self.focus {
            Some((entity, row)) => {
                vec![(RoleDecl { name: entity.name.clone(), entity: entity.name.clone() }, row.clone())]
            }
            None => self.set.roles().iter().map(|r| (r.clone(), self.set.role_row(r))).collect(),
        };
        let find = |entity: &str| inner.iter().find(|r| r.entity == entity);
        if let Some(name) = chosen {
            let picked = outer.iter().find(|(r, _)| r.name == name || r.entity == name);
            return match picked.and_then(|(r, row)| find(&r.entity).map(|i| (row.clone(), other.role_row(i)))) {
                Some(pair) => Some(pair),
                None => cx.error(
                    Code::NoSubject,
                    span,
                    format!("`{}` and `{}` do not share `{name}`", self.set.name, other.name),
                ),
            };
        }
        if let (Some((first, row)), Some(theirs)) = (outer.first(), inner.first())
            && first.entity == theirs.entity
        {
            return Some((row.clone(), other.role_row(theirs)));
        }
        let mut shared: Vec<(&RoleDecl, Row, Row)> = Vec::new();
        for (role, row) in &outer {
            if let Some(theirs) = find(&role.entity) {
                shared.push((role, row.clone(), other.role_row(theirs)));
            }
        }
        match shared.as_slice() {
            [(_, outer, inner)] => Some((outer.clone(), inner.clone())),
            [] => {
                let who = self.focus.as_ref().map_or(self.set.name.clone(), |(e, _)| e.name.clone());
                cx.error_help(
                    Code::NoSubject,
                    span,
                    format!(
                        "`{who}` and `{}` have no entity in common, so there is no history to look into",
                        other.name
                    ),
                    format!("`{}` is of {}", other.name, listed_owned(&inner)),
                )
            }
            several => {
                let names: Vec<&str> = several.iter().map(|(r, _, _)| r.name.as_str()).collect();
                cx.error_help(
                    Code::NoSubject,
                    span,
                    format!("`{}` and `{}` share {}", self.set.name, other.name, listed(&names)),
                    format!("choose one: `per: {}`", names[0]),
                )
            }
        }
    }

    fn history(&mut self, cx: &mut Cx<'_>, kind: AggregateKind, args: &[Argument], span: Span) -> Option<Row> {
        let Parsed { scoped, percent, observed, chosen } = aggregate_arguments(cx, kind, args, span)?;
        if let Some(per) = &scoped.per {
            let at = per.grains.first().map_or(span, |g| g.span);
            return cx.not_yet(at, "aggregates of aggregates (`per` in parentheses)");
        }
        let over = match &scoped.over {
            None | Some(Over::AllTime) => Reach::AllTime,
            Some(Over::Window(Window::Last { length, to_date: false })) => {
                Reach::Last(super::window::span(cx, length)?)
            }
            Some(Over::Period) => return cx.not_yet(scoped.span, "`over period`"),
            Some(Over::Window(_)) => {
                return cx.error_help(
                    Code::WrongKind,
                    scoped.span,
                    "a history looks back from its row",
                    "write `over last 90 days` or `over all time`",
                );
            }
        };
        let (set, arg) = aggregate_of(cx, kind, scoped, span)?;
        if matches!(set.base, BaseDecl::Entity(_)) {
            return cx.error_help(
                Code::WrongKind,
                span,
                format!("`{}` is an entity: it has no rows in a history", set.name),
                "take the history of an event",
            );
        }
        let (subject, key) = self.subject(cx, &set, chosen.as_deref(), span)?;
        let filter = match &scoped.filter {
            Some(filter) => Some(expr::condition(cx, &mut RowScope::of(&set), filter)?),
            None => None,
        };
        let (measure, unit) = measure(cx, kind, &set, arg, percent, observed, span)?;
        let history = History { events: set.events(), filter, measure, key, subject, over };
        Some(Row { unit, node: RowNode::History(Box::new(history)) })
    }

    /// The moment of an event that the row's entity has at most once.
    fn moment_of(&mut self, cx: &mut Cx<'_>, event: &Expr, function: &str) -> Option<Row> {
        let kepi_syntax::ast::ExprKind::Path(path) = &event.kind else {
            return cx.error(Code::WrongKind, event.span, format!("`{function}` needs an event's name"));
        };
        let set = events::named(cx, path)?;
        let BaseDecl::Stream(_) = &set.base else {
            return cx.error_help(
                Code::WrongKind,
                event.span,
                format!("`{}` is an entity, `{function}` needs an event", set.name),
                format!("declare one: `event new_{0}s = first(…) per {0}`", set.name),
            );
        };
        let Some(once) = set.once.clone() else {
            let subject = set.roles().first().map_or("customer".to_string(), |r| r.name.clone());
            return cx.error_help(
                Code::NotOnce,
                event.span,
                format!("a `{subject}` may have several `{}`, so they have no `{function}`", set.name),
                format!("take the first: `event … = first({}) per {subject}`", set.name),
            );
        };
        if !set.is_dated() {
            return cx.error(Code::Undated, event.span, format!("`{}` is undated", set.name));
        }
        let (subject, key) = self.subject(cx, &set, Some(&once), event.span)?;
        let history = History {
            events: set.events(),
            filter: None,
            measure: Measure::First(Row { unit: Unit::of(Kind::Time), node: RowNode::At }),
            key,
            subject,
            over: Reach::AllTime,
        };
        Some(Row { unit: Unit::of(Kind::Time), node: RowNode::History(Box::new(history)) })
    }
}

fn has(entity: &EntityDecl, name: &str) -> bool {
    entity.fields.iter().any(|f| f.name == name) || entity.key == name
}

fn attribute(row: Row, entity: &EntityDecl, field: &FieldDecl) -> Row {
    Row {
        unit: field.unit.clone(),
        node: RowNode::Attribute {
            of: Box::new(row),
            entity: entity.name.clone(),
            field: field.name.clone(),
            history: field.history,
        },
    }
}

/// A segment or dimension of an entity.
fn definition_of(cx: &Cx<'_>, name: &str, entity: &str) -> Option<(Symbol, Definition)> {
    let (symbol, _) = cx.catalog.lookup(&cx.module, &[name], cx.anywhere)?;
    let (SymbolKind::Segment(definition) | SymbolKind::Dimension(definition)) = &symbol.kind else { return None };
    let of = definition.of.as_ref()?;
    let (owner, _) = cx.catalog.lookup(&symbol.module, &[of.text.as_str()], true)?;
    (owner.full_name() == entity).then(|| (symbol.clone(), definition.clone()))
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        return "no fields".to_string();
    }
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

fn listed_owned(roles: &[RoleDecl]) -> String {
    let names: Vec<&str> = roles.iter().map(|r| r.name.as_str()).collect();
    listed(&names)
}

impl Scope<Row> for RowScope<'_> {
    fn path(&mut self, cx: &mut Cx<'_>, path: &Path) -> Option<Row> {
        match self.focus.clone() {
            Some((entity, row)) => self.focus_path(cx, path, entity, row),
            None => self.event_path(cx, path),
        }
    }

    fn now(&self, _cx: &Cx<'_>) -> Row {
        self.at()
    }

    fn call(
        &mut self,
        cx: &mut Cx<'_>,
        lowering: &Lowering,
        name: &str,
        args: &[Argument],
        span: Span,
    ) -> Option<Option<Row>> {
        match lowering {
            Lowering::Aggregate(kind) => Some(self.history(cx, *kind, args, span)),
            Lowering::Share => Some((|| {
                let counted = without_filter(cx, args, span)?;
                let part = self.history(cx, AggregateKind::Count, args, span)?;
                let all = self.history(cx, AggregateKind::Count, &counted, span)?;
                Some(Row::call(Op::Divide, vec![part, all], Unit::of(Kind::Percent)))
            })()),
            Lowering::Age => Some((|| {
                let values = expr::plain_arguments(cx, "age(event), age(event, grain)", args, (1, 2), span)?;
                let moment = self.moment_of(cx, values[0], name)?;
                let at = self.at();
                Some(match values.get(1) {
                    None => Row::call(Op::Elapsed, vec![at, moment], Unit::of(Kind::Duration)),
                    Some(word) => {
                        let grain = grain_word(cx, word)?;
                        Row::call(Op::PeriodsBetween(grain), vec![at, moment], Unit::of(Kind::Number))
                    }
                })
            })()),
            Lowering::Cohort => Some((|| {
                let values = expr::plain_arguments(cx, "cohort(event, grain)", args, (2, 2), span)?;
                let moment = self.moment_of(cx, values[0], name)?;
                let grain = grain_word(cx, values[1])?;
                Some(Row::call(Op::Truncate(grain), vec![moment], Unit::of(Kind::Time)))
            })()),
            _ => None,
        }
    }

    fn plugin_aggregate(&mut self, cx: &mut Cx<'_>, signature: &Signature, _: &[Argument], span: Span) -> Option<Row> {
        cx.not_yet(span, &format!("plugin aggregates over a history (`{}`)", signature.name))
    }

    fn definition_call(&mut self, cx: &mut Cx<'_>, path: &Path, args: &[Argument]) -> Option<Option<Row>> {
        if let Some((entity, row)) = self.focus.clone() {
            let (symbol, definition) = definition_of(cx, &names::text(path), &entity.name)?;
            return Some(self.expand(cx, path.span, &symbol, &definition, args, Some((entity, row))));
        }
        self.definition(cx, path, &names::text(path), args)
    }
}

fn grain_word(cx: &mut Cx<'_>, value: &Expr) -> Option<crate::calendar::Grain> {
    match &value.kind {
        kepi_syntax::ast::ExprKind::Path(path) => expr::grain(cx, path),
        _ => cx.error_help(Code::WrongKind, value.span, "a period is needed here", "write `month`, `week` …"),
    }
}

/// The arguments of an aggregate, taken apart.
pub(crate) struct Parsed<'a> {
    pub(crate) scoped: &'a Scoped,
    pub(crate) percent: f64,
    pub(crate) observed: bool,
    /// `per: campaign`.
    pub(crate) chosen: Option<String>,
}

pub(crate) fn aggregate_arguments<'a>(
    cx: &mut Cx<'_>,
    kind: AggregateKind,
    args: &'a [Argument],
    span: Span,
) -> Option<Parsed<'a>> {
    let mut plain = Vec::new();
    let mut observed = false;
    let mut chosen = None;
    for arg in args {
        match arg {
            Argument::Named { name, value: NamedValue::Word(word) } if name.text == "per" => {
                chosen = Some(word.text.clone());
            }
            Argument::Named { name, value } if name.text == "mode" && kind == AggregateKind::Percentile => {
                match value {
                    NamedValue::Word(word) if word.text == "observed" => observed = true,
                    _ => {
                        return cx.error_help(
                            Code::Arguments,
                            name.span,
                            "there is no such `mode`",
                            "leave it out to interpolate, or write `mode: observed`",
                        );
                    }
                }
            }
            Argument::Named { name, .. } => {
                return cx.error(Code::Arguments, name.span, format!("there is no argument `{}` here", name.text));
            }
            Argument::Within(value) => return cx.error(Code::Arguments, value.span, "`within` belongs to chains"),
            Argument::Plain(chain) if chain.rest.is_empty() => plain.push(&chain.first),
            Argument::Plain(_) => {
                return cx.error(Code::Arguments, span, "a chain belongs into `funnel` or `conversion`");
            }
        }
    }
    let needed = if kind == AggregateKind::Percentile { 2 } else { 1 };
    if plain.len() != needed {
        let help = match kind {
            AggregateKind::Percentile => "write `percentile(revenue, 95)`",
            _ => "it takes one value, such as `sum(revenue)` or `count(orders where …)`",
        };
        return cx.error_help(Code::Arguments, span, format!("{} arguments are given", plain.len()), help);
    }
    let percent = match kind {
        AggregateKind::Median => 50.0,
        AggregateKind::Percentile => percent_of(cx, &plain[1].value)?,
        _ => 0.0,
    };
    Some(Parsed { scoped: plain[0], percent, observed, chosen })
}

fn percent_of(cx: &mut Cx<'_>, value: &Expr) -> Option<f64> {
    let parsed = match &value.kind {
        kepi_syntax::ast::ExprKind::Quantity { number, unit } => {
            let plain = matches!(unit, None | Some(kepi_syntax::ast::UnitWord::Percent));
            kepi_syntax::decimal(number).filter(|_| plain).map(|(d, s)| d as f64 / 10f64.powi(i32::from(s)))
        }
        _ => None,
    };
    match parsed {
        Some(p) if (0.0..=100.0).contains(&p) => Some(p),
        _ => cx.error_help(
            Code::Arguments,
            value.span,
            "the percentile is a number from 0 to 100",
            "write `percentile(revenue, 95)`",
        ),
    }
}

/// The arguments of `share` without the condition, for the whole that the part is compared with.
pub(crate) fn without_filter(cx: &mut Cx<'_>, args: &[Argument], span: Span) -> Option<Vec<Argument>> {
    match args {
        [Argument::Plain(chain)] if chain.rest.is_empty() && chain.first.filter.is_some() => {
            let mut chain = chain.clone();
            chain.first.filter = None;
            Some(vec![Argument::Plain(chain)])
        }
        _ => cx.error_help(
            Code::Arguments,
            span,
            "`share` needs events and a condition",
            "write `share(rated where rating >= 4)`",
        ),
    }
}

/// The rows that an aggregate is over, and its value (none for `count`).
pub(crate) fn aggregate_of<'a>(
    cx: &mut Cx<'_>,
    kind: AggregateKind,
    scoped: &'a Scoped,
    span: Span,
) -> Option<(EventSet, Option<&'a Expr>)> {
    use kepi_syntax::ast::ExprKind;
    if kind == AggregateKind::Count {
        return match &scoped.value.kind {
            ExprKind::Path(path) => {
                let parts = names::parts(path);
                let catalog = cx.catalog;
                if let Some((symbol, used)) = catalog.lookup(&cx.module, &parts, cx.anywhere) {
                    match &symbol.kind {
                        SymbolKind::State(_) => {
                            return cx.error_help(
                                Code::StateMeasured,
                                scoped.value.span,
                                format!(
                                    "`{}` is a state: it holds over time and is not counted like an event",
                                    symbol.name
                                ),
                                format!(
                                    "write `closing({0})`, `opening({0})`, `avg({0})` or `count(started({0}))`",
                                    symbol.name
                                ),
                            );
                        }
                        SymbolKind::Stream(_) | SymbolKind::Derived(_) | SymbolKind::Entity(_)
                            if used < parts.len() =>
                        {
                            return cx.error_help(
                                Code::WrongKind,
                                scoped.value.span,
                                format!("`{}` is a field: `count` counts events", names::text(path)),
                                format!(
                                    "write `count({})` for rows, `unique({})` for distinct values",
                                    symbol.name,
                                    names::text(path)
                                ),
                            );
                        }
                        _ => {}
                    }
                }
                Some((events::named(cx, path)?, None))
            }
            _ => {
                let only = Scoped { filter: None, per: None, over: None, ..scoped.clone() };
                Some((events::of_scoped(cx, &only)?, None))
            }
        };
    }
    if let ExprKind::Path(path) = &scoped.value.kind {
        let parts = names::parts(path);
        let catalog = cx.catalog;
        if let Some((symbol, used)) = catalog.lookup(&cx.module, &parts, cx.anywhere) {
            match &symbol.kind {
                SymbolKind::State(_) if kind == AggregateKind::Avg => return cx.not_yet(scoped.value.span, "states"),
                SymbolKind::State(_) => {
                    return cx.error_help(
                        Code::StateMeasured,
                        scoped.value.span,
                        format!("`{}` is a state: it holds over time and has no rows", symbol.name),
                        format!("write `opening({0})`, `closing({0})` or `avg({0})`", symbol.name),
                    );
                }
                SymbolKind::Entity(_) if used == parts.len() => {
                    return cx.error_help(
                        Code::WrongKind,
                        scoped.value.span,
                        format!("`{}` is an entity: it is counted", symbol.name),
                        format!("write `count({})`", symbol.name),
                    );
                }
                SymbolKind::Stream(_) | SymbolKind::Derived(_) if used == parts.len() => {
                    return cx.error_help(
                        Code::WrongKind,
                        scoped.value.span,
                        format!("`{}` is an event: a value of it is needed", symbol.name),
                        format!("write `count({0})`, or one of its fields such as `{0}.amount`", symbol.name),
                    );
                }
                SymbolKind::Metric(_) => return nested(cx, scoped.value.span),
                _ => {}
            }
        }
    }
    match events::home(cx, &scoped.value) {
        Ok(Some(set)) => Some((set, Some(&scoped.value))),
        Ok(None) => {
            if let Some(what) = not_yet_inside(&scoped.value) {
                return cx.not_yet(scoped.value.span, what);
            }
            if let Some(path) = first_path(&scoped.value) {
                return events::unknown(cx, path);
            }
            if has_aggregate(&scoped.value) {
                return no_row(cx, &scoped.value);
            }
            cx.error_help(
                Code::NoRow,
                span,
                "this is no value of an event",
                "write a measure or a field, such as `orders.amount`",
            )
        }
        Err(()) => None,
    }
}

fn nested<T>(cx: &mut Cx<'_>, span: Span) -> Option<T> {
    cx.error_help(
        Code::NestedAggregate,
        span,
        "an aggregate stands inside an aggregate",
        "say per what: `avg(sum(margin) per customer)`",
    )
}

fn no_row<T>(cx: &mut Cx<'_>, value: &Expr) -> Option<T> {
    use kepi_syntax::ast::ExprKind;
    if matches!(value.kind, ExprKind::Call { .. }) {
        return nested(cx, value.span);
    }
    cx.error_help(
        Code::NoRow,
        value.span,
        "nothing dates this: it has aggregates, but no row",
        "take one side from a row, such as `wins.at - first(leads.at)`",
    )
}

fn has_aggregate(value: &Expr) -> bool {
    use kepi_syntax::ast::ExprKind;
    match &value.kind {
        ExprKind::Call { function, arguments } => {
            matches!(
                crate::functions::find(&names::text(function)).map(|f| &f.lowering),
                Some(Lowering::Aggregate(_) | Lowering::Share | Lowering::NotYet(_))
            ) || arguments.iter().any(|a| expr::plain(a).is_some_and(|s| has_aggregate(&s.value)))
        }
        ExprKind::Binary { left, right, .. } => has_aggregate(left) || has_aggregate(right),
        ExprKind::Negate(inner) | ExprKind::Not(inner) => has_aggregate(inner),
        _ => false,
    }
}

/// A part of the language inside a value that this version cannot run.
fn not_yet_inside(value: &Expr) -> Option<&'static str> {
    use kepi_syntax::ast::ExprKind;
    match &value.kind {
        ExprKind::Call { function, .. } => match crate::functions::find(&names::text(function)).map(|f| &f.lowering) {
            Some(Lowering::NotYet(what)) => Some(what),
            _ => None,
        },
        ExprKind::Field { of, .. } => not_yet_inside(of),
        ExprKind::Binary { left, right, .. } => not_yet_inside(left).or_else(|| not_yet_inside(right)),
        _ => None,
    }
}

fn first_path(value: &Expr) -> Option<&Path> {
    use kepi_syntax::ast::ExprKind;
    match &value.kind {
        ExprKind::Path(path) => Some(path),
        ExprKind::Binary { left, right, .. } => first_path(left).or_else(|| first_path(right)),
        ExprKind::Negate(inner) => first_path(inner),
        _ => None,
    }
}

/// The measure of an aggregate over rows, and its unit.
pub(crate) fn measure(
    cx: &mut Cx<'_>,
    kind: AggregateKind,
    set: &EventSet,
    arg: Option<&Expr>,
    percent: f64,
    observed: bool,
    span: Span,
) -> Option<(Measure, Unit)> {
    let Some(arg) = arg else { return Some((Measure::Count, Unit::of(Kind::Count))) };
    let value: Row = expr::seconds(expr::lower(cx, &mut RowScope::of(set), arg)?);
    let unit = value.unit.clone();
    let numeric = unit.kind.is_numeric();
    let ordered = numeric || matches!(unit.kind, Kind::Time | Kind::Date | Kind::Text);
    let fits = match kind {
        AggregateKind::Sum | AggregateKind::Avg | AggregateKind::Stddev => numeric,
        AggregateKind::Median | AggregateKind::Percentile => numeric,
        AggregateKind::Min | AggregateKind::Max => ordered,
        _ => true,
    };
    if !fits {
        let help = match unit.kind {
            Kind::Bool => "count the rows where it holds: `count(… where …)` or `share(… where …)`",
            Kind::Entity(_) => "distinct ones are counted by `unique(…)`",
            _ => "a number, an amount of money or a length of time is needed",
        };
        return cx.error_help(Code::TypeMismatch, span, format!("this cannot be taken of {unit}"), help);
    }
    if let (
        Kind::MoneyOf(field),
        AggregateKind::Sum | AggregateKind::Avg | AggregateKind::Median | AggregateKind::Percentile,
    ) = (&unit.kind, kind)
    {
        return cx.error_help(
            Code::SeveralCurrencies,
            span,
            format!("each row has the currency that its `{field}` says: they do not add up"),
            "convert them with `in EUR`, which is not there yet; until then keep one: `where …`",
        );
    }
    let constant_span = matches!(value.as_constant(), Some(Value::Span(_)));
    debug_assert!(!constant_span, "lengths by the calendar were made seconds above");
    Some(match kind {
        AggregateKind::Count => (Measure::Count, Unit::of(Kind::Count)),
        AggregateKind::Unique => (Measure::Unique(value), Unit::of(Kind::Count)),
        AggregateKind::Sum => (Measure::Sum(value), unit),
        AggregateKind::Avg => (Measure::Avg(value), averaged(unit)),
        AggregateKind::Min => (Measure::Min(value), unit),
        AggregateKind::Max => (Measure::Max(value), unit),
        AggregateKind::Median | AggregateKind::Percentile => {
            (Measure::Percentile { of: value, percent, observed }, averaged(unit))
        }
        AggregateKind::Stddev => (Measure::Stddev(value), averaged(unit)),
        AggregateKind::First => (Measure::First(value), unit),
        AggregateKind::Last => (Measure::Last(value), unit),
    })
}

/// An average of counts is a number.
fn averaged(unit: Unit) -> Unit {
    if unit.kind == Kind::Count { Unit { kind: Kind::Number, per: unit.per } } else { unit }
}
