//! `source` blocks: how the columns of a table fill events and entities.

use super::expr::{self, Scope};
use super::{Cx, Node};
use crate::catalog::{Catalog, Placed, SymbolKind};
use crate::core::{Op, Row, RowNode};
use crate::declared::{ENDS, EntityDecl, INTO, MappingDecl, Signature, SourceDecl, StreamDecl, Target};
use crate::functions::Lowering;
use crate::names;
use crate::units;
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::{Argument, ExprKind, Mapping, Name, Part, Path, Role, Source, SourceItem};
use kepi_syntax::{Code, Diagnostic, Span};

/// The options that a source may have after `with`.
pub const SOURCE_OPTIONS: &[&str] =
    &["delimiter", "header", "columns", "encoding", "dates", "decimal", "timezone", "format", "folder"];

impl Catalog {
    /// All sources whose mappings have no mistakes; the mistakes come back too.
    pub fn sources(&self, now: i64) -> (Vec<SourceDecl>, Vec<Diagnostic>) {
        let mut sources = Vec::new();
        let mut diagnostics = Vec::new();
        for placed in &self.sources {
            let mut cx = Cx::new(self, &placed.module, placed.file, now, placed.module.is_empty());
            let source = lower(&mut cx, placed);
            if !cx.failed() {
                sources.push((placed, source));
            }
            diagnostics.append(&mut cx.diagnostics);
        }
        diagnostics.append(&mut super::same_ids::lints(&sources));
        (sources.into_iter().map(|(_, source)| source).collect(), diagnostics)
    }

    /// Reads a condition on the columns of a table (`kepi load --where`).
    pub fn table_condition(&self, text: &kepi_syntax::ast::Expr, now: i64) -> (Option<Row>, Vec<Diagnostic>) {
        let mut cx = Cx::new(self, "", 0, now, true);
        let row = expr::condition(&mut cx, &mut TableScope, text);
        let row = if cx.failed() { None } else { row };
        (row, cx.diagnostics)
    }
}

fn lower(cx: &mut Cx<'_>, placed: &Placed<Source>) -> SourceDecl {
    let source = &placed.item;
    let mut options = Vec::new();
    // A connector has options of its own, which it checks itself.
    let connector = source.from.contains(':');
    for pair in &source.with {
        if !connector && !SOURCE_OPTIONS.contains(&pair.name.text.as_str()) {
            let help = match &pair.name.text[..] {
                "time" | "times" | "date" => {
                    "how dates and times are written says `dates`: `dates = \"%d/%m/%Y\"`, or `dates = \"epoch\"` for \
                     seconds since 1970"
                        .to_string()
                }
                name => names::suggestion(name, SOURCE_OPTIONS.iter().copied())
                    .unwrap_or_else(|| format!("options are {}", SOURCE_OPTIONS.join(", "))),
            };
            cx.error_help::<()>(
                Code::BadSetting,
                pair.name.span,
                format!("a source has no option `{}`", pair.name.text),
                help,
            );
            continue;
        }
        let text = match &pair.value.kind {
            ExprKind::Text(text) => text.clone(),
            ExprKind::Bool(true) => "yes".to_string(),
            ExprKind::Bool(false) => "no".to_string(),
            _ => {
                cx.error::<()>(Code::BadSetting, pair.value.span, format!("`{}` takes a text", pair.name.text));
                continue;
            }
        };
        options.push((pair.name.text.clone(), text));
    }
    let mut mappings = Vec::new();
    for item in &source.items {
        match item {
            SourceItem::Merge { entity, column, into } => mappings.extend(lower_merge(cx, entity, column, into)),
            SourceItem::Mapping(mapping) => mappings.extend(lower_mapping(cx, mapping)),
        }
    }
    SourceDecl {
        name: crate::catalog::full_name(&placed.module, &source.name.text),
        from: source.from.clone(),
        options,
        mappings,
    }
}

fn lower_mapping(cx: &mut Cx<'_>, mapping: &Mapping) -> Option<MappingDecl> {
    let parts = names::parts(&mapping.target);
    let catalog = cx.catalog;
    let text = names::text(&mapping.target);
    let filter = match &mapping.filter {
        Some(filter) => Some(expr::condition(cx, &mut TableScope, filter)?),
        None => None,
    };
    match catalog.lookup(&cx.module, &parts, true) {
        Some((symbol, used)) if used == parts.len() => match &symbol.kind {
            SymbolKind::Stream(stream) => fill_stream(cx, mapping, &stream.clone(), filter, false),
            SymbolKind::Entity(entity) => fill_entity(cx, mapping, &entity.clone(), filter),
            SymbolKind::State(state) => match &state.stored {
                Some(stream) => fill_stream(cx, mapping, &stream.clone(), filter, true),
                None => cx.error_help(
                    Code::Mapping,
                    mapping.target.span,
                    format!("`{text}` is made of events: nothing can be loaded into it"),
                    format!("load the events, or store it: `state {text} of {} {{ value: … }}`", state.tree.of.text),
                ),
            },
            kind => cx.error_help(
                Code::Mapping,
                mapping.target.span,
                format!("`{text}` is {}: nothing can be loaded into it", kind.a_word()),
                "a source fills stored events, stored states and entities",
            ),
        },
        _ => {
            let known: Vec<&str> = catalog.streams().map(|s| s.name.as_str()).collect();
            let help = names::suggestion(&text, known).unwrap_or_else(|| {
                format!("declare it: `event {text} of customer at day {{ }}` or `entity {text} key id {{ }}`")
            });
            cx.error_help(Code::UnknownName, mapping.target.span, format!("there is no event or entity `{text}`"), help)
        }
    }
}

/// `merge customer anonymous_id into user_id`
fn lower_merge(cx: &mut Cx<'_>, entity: &Name, from: &Name, into: &Name) -> Option<MappingDecl> {
    let catalog = cx.catalog;
    let known = catalog.lookup(&cx.module, &[entity.text.as_str()], true);
    let Some((SymbolKind::Entity(decl), _)) = known.map(|(symbol, used)| (&symbol.kind, used)) else {
        let names: Vec<&str> = catalog.entities().map(|e| names::bare(&e.name)).collect();
        let help = names::suggestion(&entity.text, names.iter().copied())
            .unwrap_or_else(|| "`merge` takes an entity, whose keys it merges".to_string());
        return cx.error_help(Code::Mapping, entity.span, format!("there is no entity `{}`", entity.text), help);
    };
    if from.text == into.text {
        let message = format!("`{}` would be merged into itself", from.text);
        return cx.error_help(Code::Mapping, into.span, message, "name the column of the key that each means");
    }
    Some(MappingDecl {
        key: Some(column(from, Kind::Text)),
        fields: vec![(INTO.to_string(), column(into, Kind::Text))],
        ..MappingDecl::of(Target::Merge(decl.name.clone()), None)
    })
}

fn column(name: &Name, kind: Kind) -> Row {
    Row { unit: Unit::of(kind), node: RowNode::Field(name.text.clone()) }
}

/// Fills an event, or with `intervals` a stored state.
fn fill_stream(
    cx: &mut Cx<'_>,
    mapping: &Mapping,
    stream: &StreamDecl,
    filter: Option<Row>,
    intervals: bool,
) -> Option<MappingDecl> {
    let mut filled = MappingDecl::of(Target::Stream(stream.name.clone()), filter);
    let mut ok = true;
    for part in &mapping.parts {
        let done = match part {
            Part::Role { role: Role::From, column: name } if intervals => {
                filled.at = Some(column(name, Kind::Time));
                Some(())
            }
            Part::Role { role: Role::Until, column: name } if intervals => {
                filled.fields.push(("until".to_string(), column(name, Kind::Time)));
                Some(())
            }
            Part::Role { role, column: name } if intervals && *role != Role::Id => {
                let message = format!("a state has no `{}`", role_word(*role));
                cx.error_help::<()>(
                    Code::Mapping,
                    name.span,
                    message,
                    "a stored state has `of`, `from`, `until`, `id` and `value`",
                )
            }
            Part::Role { role: Role::At, column: name } => {
                if stream.at.is_none() {
                    let message = format!("`{}` is undated: it has no `at`", names::bare(&stream.name));
                    cx.error_help::<()>(
                        Code::Mapping,
                        name.span,
                        message,
                        "declare it with `at`, such as `event … at day { }`",
                    )
                } else {
                    filled.at = Some(column(name, Kind::Time));
                    Some(())
                }
            }
            Part::Role { role: Role::Id, column: name } => {
                filled.id = Some(column(name, Kind::Text));
                Some(())
            }
            // The currencies of a rate are its `from` and `to`.
            Part::Role { role: role @ (Role::From | Role::To), column: name } if stream.name == super::RATES => {
                filled.fields.push((role_word(*role).to_string(), column(name, Kind::Text)));
                Some(())
            }
            Part::Role { role, column: name } => {
                let message = format!("an event has no `{}`", role_word(*role));
                let word = role_word(*role);
                let help = match stream.fields.iter().any(|field| field.name == word) {
                    true => {
                        format!("a field of that name is filled by `{word} = {}`", kepi_syntax::name_text(&name.text))
                    }
                    false => "an event has `at`, `id`, `of` and fields".to_string(),
                };
                cx.error_help::<()>(Code::Mapping, name.span, message, help)
            }
            Part::Column { field, column: name, of } => {
                let row = column(name, Kind::Raw);
                put(cx, stream, &mut filled, field, row, *of, name.span)
            }
            Part::Computed { field, value } if is_own_id(stream, field) => {
                let row = expr::lower::<Row>(cx, &mut TableScope, value)
                    .and_then(|row| coerce(cx, row, &Unit::of(Kind::Text), value.span));
                if filled.id.is_some() {
                    cx.error::<()>(Code::Mapping, field.span, "`id` is filled twice")
                } else {
                    filled.id = row;
                    filled.id.is_some().then_some(())
                }
            }
            Part::Computed { field, value } => expr::lower::<Row>(cx, &mut TableScope, value)
                .and_then(|row| put(cx, stream, &mut filled, field, row, false, value.span)),
        };
        ok &= done.is_some();
    }
    if stream.at.is_some() && filled.at.is_none() && ok {
        let bare = names::bare(&stream.name);
        let (message, help) = if intervals {
            (format!("nothing says from when `{bare}` holds"), "add `from COLUMN`")
        } else {
            (format!("nothing says when `{bare}` happened"), "add `at COLUMN`")
        };
        return cx.error_help(Code::Mapping, mapping.span, message, help);
    }
    ok.then_some(filled)
}

/// Whether `id = …` is the id of the row, and no field that is called so.
fn is_own_id(stream: &StreamDecl, field: &Name) -> bool {
    let is_field = stream.fields.iter().any(|known| known.name == field.text);
    field.text == "id" && !is_field && !stream.roles.iter().any(|role| role.name == field.text)
}

fn put(
    cx: &mut Cx<'_>,
    stream: &StreamDecl,
    filled: &mut MappingDecl,
    field: &Name,
    row: Row,
    of: bool,
    span: Span,
) -> Option<()> {
    let taken = filled.roles.iter().chain(&filled.fields).any(|(name, _)| *name == field.text);
    if taken {
        return cx.error(Code::Mapping, field.span, format!("`{}` is filled twice", field.text));
    }
    let role = stream.roles.iter().find(|r| r.name == field.text);
    if let Some(role) = role {
        let row = coerce(cx, row, &Unit::of(Kind::Text), span)?;
        filled.roles.push((role.name.clone(), row));
        return Some(());
    }
    if of {
        let known: Vec<&str> = stream.roles.iter().map(|r| r.name.as_str()).collect();
        let message = format!("`{}` is not of `{}`", names::bare(&stream.name), field.text);
        return cx.error_help(Code::Mapping, field.span, message, format!("it is of {}", known.join(", ")));
    }
    if stream.at.as_deref() == Some(field.text.as_str()) {
        filled.at = Some(coerce(cx, row, &Unit::of(Kind::Time), span)?);
        return Some(());
    }
    let Some(declared) = stream.fields.iter().find(|f| f.name == field.text) else {
        let known: Vec<&str> = stream.fields.iter().map(|f| f.name.as_str()).collect();
        let help = names::suggestion(&field.text, known.iter().copied()).unwrap_or_else(|| match &field.text[..] {
            role @ ("id" | "at") => {
                format!(
                    "`{role} COLUMN` names the column of a row's {role}: write `{role} {role}` for the one called so"
                )
            }
            name => format!("its fields are {}; declare `{name}` there if it is wanted", known.join(", ")),
        });
        return cx.error_help(
            Code::Mapping,
            field.span,
            format!("`{}` has no field `{}`", names::bare(&stream.name), field.text),
            help,
        );
    };
    let row = coerce(cx, row, &declared.unit, span)?;
    filled.fields.push((declared.name.clone(), row));
    Some(())
}

fn fill_entity(cx: &mut Cx<'_>, mapping: &Mapping, entity: &EntityDecl, filter: Option<Row>) -> Option<MappingDecl> {
    let mut filled = MappingDecl::of(Target::Entity(entity.name.clone()), filter);
    let mut ok = true;
    let mut ends = None;
    for part in &mapping.parts {
        let (field, row, span) = match part {
            Part::Role { role: Role::Key, column: name } => {
                filled.key = Some(column(name, Kind::Text));
                continue;
            }
            Part::Role { role: Role::From, column: name } => {
                filled.at = Some(column(name, Kind::Time));
                continue;
            }
            Part::Role { role: Role::Until, column: name } => {
                filled.fields.push((ENDS.to_string(), column(name, Kind::Time)));
                ends = Some(name.span);
                continue;
            }
            Part::Role { role, column: name } => {
                let message = format!("an entity has no `{}`", role_word(*role));
                cx.error_help::<()>(Code::Mapping, name.span, message, "an entity has `key` and its attributes");
                ok = false;
                continue;
            }
            Part::Column { field, column: name, .. } => (field, Some(column(name, Kind::Raw)), name.span),
            Part::Computed { field, value } => (field, expr::lower::<Row>(cx, &mut TableScope, value), value.span),
        };
        let Some(row) = row else {
            ok = false;
            continue;
        };
        if field.text == entity.key && filled.key.is_none() {
            match coerce(cx, row, &Unit::of(Kind::Text), span) {
                Some(row) => filled.key = Some(row),
                None => ok = false,
            }
            continue;
        }
        let Some(declared) = entity.fields.iter().find(|f| f.name == field.text) else {
            let known: Vec<&str> = entity.fields.iter().map(|f| f.name.as_str()).collect();
            let help = names::suggestion(&field.text, known.iter().copied())
                .unwrap_or_else(|| format!("its attributes are {}", known.join(", ")));
            cx.error_help::<()>(
                Code::Mapping,
                field.span,
                format!("`{}` has no attribute `{}`", names::bare(&entity.name), field.text),
                help,
            );
            ok = false;
            continue;
        };
        match coerce(cx, row, &declared.unit.clone(), span) {
            Some(row) => filled.fields.push((declared.name.clone(), row)),
            None => ok = false,
        }
    }
    if let (Some(span), None) = (ends, &filled.at) {
        let message = "these attributes end, and nothing says when they begin";
        return cx.error_help(Code::Mapping, span, message, "add `from COLUMN`");
    }
    if let (Some(span), false) = (ends, entity.fields.iter().any(|field| field.history)) {
        let message = format!("no attribute of `{}` has a history that could end", names::bare(&entity.name));
        return cx.error_help(Code::Mapping, span, message, "declare one with `history`, such as `tier: text history`");
    }
    if filled.key.is_none() && ok {
        let message = format!("nothing says which `{}` a row is about", names::bare(&entity.name));
        return cx.error_help(Code::Mapping, mapping.span, message, "add `key COLUMN`");
    }
    ok.then_some(filled)
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::At => "at",
        Role::Id => "id",
        Role::Key => "key",
        Role::From => "from",
        Role::Until => "until",
        Role::To => "to",
    }
}

/// Brings a value to the unit of the field it fills. A column's text is read as that unit; a plain number fills money,
/// since the numbers of a table have no units of their own.
fn coerce(cx: &mut Cx<'_>, row: Row, unit: &Unit, span: Span) -> Option<Row> {
    let target = match &unit.kind {
        Kind::Entity(_) => Unit::of(Kind::Text),
        Kind::MoneyOf(_) => Unit::of(Kind::Money(None)),
        _ => unit.clone(),
    };
    if row.unit.kind == Kind::Raw {
        return Some(read_as(row, &target));
    }
    let plain = matches!(row.unit.kind, Kind::Number | Kind::Count | Kind::Missing);
    let numeric = target.kind.is_numeric() && target.kind != Kind::Duration;
    if units::accepts(&target, &row.unit) || (plain && numeric) {
        return Some(row);
    }
    match (&row.unit.kind, &target.kind) {
        (Kind::Date, Kind::Time) => Some(Row::call(Op::ToTime, vec![row], target)),
        (Kind::Time, Kind::Date) => Some(Row::call(Op::ToDate, vec![row], target)),
        _ => cx.error(Code::Mapping, span, format!("the field is {target}, this is {}", row.unit)),
    }
}

/// A column's text, wherever it stands in an expression that only hands it on, as this unit.
fn read_as(row: Row, unit: &Unit) -> Row {
    let node = match row.node {
        RowNode::Case { whens, otherwise } => RowNode::Case {
            whens: whens.into_iter().map(|(when, then)| (when, read_as(then, unit))).collect(),
            otherwise: otherwise.map(|o| Box::new(read_as(*o, unit))),
        },
        RowNode::Call { op: Op::Otherwise, args } => {
            RowNode::Call { op: Op::Otherwise, args: args.into_iter().map(|a| read_as(a, unit)).collect() }
        }
        node => node,
    };
    Row { unit: unit.clone(), node }
}

/// The columns of a table.
struct TableScope;

impl Scope<Row> for TableScope {
    fn path(&mut self, _: &mut Cx<'_>, path: &Path) -> Option<Row> {
        Some(Row { unit: Unit::of(Kind::Raw), node: RowNode::Field(names::text(path)) })
    }

    fn now(&self, cx: &mut Cx<'_>, _: Span) -> Option<Row> {
        Some(Row::constant(Value::Time(cx.now), Unit::of(Kind::Time)))
    }

    fn call(
        &mut self,
        cx: &mut Cx<'_>,
        lowering: &Lowering,
        name: &str,
        _: &[Argument],
        span: Span,
    ) -> Option<Option<Row>> {
        match lowering {
            Lowering::Aggregate(_)
            | Lowering::Share
            | Lowering::Age
            | Lowering::Cohort
            | Lowering::State(_)
            | Lowering::Edge(_) => Some(cx.error_help(
                Code::WrongKind,
                span,
                format!("`{name}` looks at many rows, a source at one"),
                "compute it in a measure or metric",
            )),
            _ => None,
        }
    }

    fn plugin_aggregate(&mut self, cx: &mut Cx<'_>, signature: &Signature, _: &[Argument], span: Span) -> Option<Row> {
        cx.error(Code::WrongKind, span, format!("`{}` looks at many rows, a source at one", signature.name))
    }

    fn definition_call(&mut self, _: &mut Cx<'_>, _: &Path, _: &[Argument]) -> Option<Option<Row>> {
        None
    }
}
