//! Statements back to text.

use super::expression::{begins_with, expr, length, scoped, sum};
use super::layout::{Doc, WIDTH};
use super::lines::Lines;
use super::{fitted, name, query};
use crate::ast::*;
use crate::scan::{Comment, Lexer};
use crate::span::Span;
use crate::text::quote;

/// Where a statement came from, for the blocks that keep their comments and their shape.
#[derive(Clone, Copy)]
pub(super) struct Origin<'t> {
    pub(super) source: &'t str,
    /// The comments inside the statement.
    pub(super) comments: &'t [Comment],
    pub(super) span: Span,
}

/// Something on a line of its own in a block.
struct Item {
    text: String,
    doc: Option<String>,
    span: Span,
    indent: usize,
}

impl Item {
    fn new(text: String, span: Span) -> Self {
        Item { text, doc: None, span, indent: 2 }
    }
}

/// Writes a statement; broken where it is too long.
pub(super) fn text(kind: &StatementKind, origin: Option<Origin<'_>>) -> String {
    match kind {
        StatementKind::Module(path) => format!("module {}", name::path(path)),
        StatementKind::Use { path, plugin, alias } => {
            let what = match plugin {
                Some(plugin) => format!("plugin {}", quote(plugin)),
                None => name::path(path),
            };
            let alias = alias.as_ref().map(|alias| format!(" as {}", name::name(alias))).unwrap_or_default();
            format!("use {what}{alias}")
        }
        StatementKind::Set { name, value } => defined(&format!("set {} =", name::name(name)), expr(value), &[]),
        StatementKind::Calendar(calendar) => self::calendar(calendar),
        StatementKind::Entity(entity) => self::entity(entity, origin),
        StatementKind::Event(event) => self::event(event, origin),
        StatementKind::State(state) => self::state(state, origin),
        StatementKind::Measure(definition) => self::definition("measure", definition),
        StatementKind::Segment(definition) => self::definition("segment", definition),
        StatementKind::Dimension(definition) => self::definition("dimension", definition),
        StatementKind::Metric(definition) => self::definition("metric", definition),
        StatementKind::Function(function) => {
            let parameters = parameters(&function.parameters);
            defined(&format!("function {}{parameters} =", name::name(&function.name)), expr(&function.value), &[])
        }
        StatementKind::Source(source) => self::source(source, origin),
        StatementKind::Target(target) => self::target(target),
        StatementKind::Report(report) => self::report(report, origin),
        StatementKind::Test(test) => self::test(test, origin),
        StatementKind::Query(query) => fitted(query::query(query), 0),
    }
}

/// Writes `head value with …`: on one line, else the attributes on their own, else the value as well.
fn defined(head: &str, value: Doc, with: &[Pair]) -> String {
    let flat = value.flat();
    let attributes = with_flat(with);
    let wide = |parts: &[&str]| parts.iter().map(|part| part.chars().count() + 1).sum::<usize>() > WIDTH + 1;
    let mut out = if attributes.is_empty() && !wide(&[head, &flat]) || !wide(&[head, &flat, &attributes]) {
        let attributes = if attributes.is_empty() { attributes } else { format!(" {attributes}") };
        return format!("{head} {flat}{attributes}");
    } else if !wide(&[head, &flat]) {
        format!("{head} {flat}")
    } else {
        format!("{head}\n  {}", fitted(value, 2))
    };
    if !with.is_empty() {
        let pairs = with
            .iter()
            .map(|pair| Doc::Cat(vec![Doc::Text(format!("{} = ", name::word(&pair.name))), expr(&pair.value)]));
        let doc = Doc::Cat(vec![Doc::text("with "), Doc::nest(5, Doc::fill(pairs))]);
        out.push_str("\n  ");
        out.push_str(&doc.broken(2, 2));
    }
    out
}

fn with_flat(with: &[Pair]) -> String {
    if with.is_empty() {
        return String::new();
    }
    let pairs: Vec<String> =
        with.iter().map(|pair| format!("{} = {}", name::word(&pair.name), expr(&pair.value).flat())).collect();
    format!("with {}", pairs.join(", "))
}

fn calendar(calendar: &Calendar) -> String {
    let head = format!("calendar {}", name::name(&calendar.name));
    if let Some(from) = &calendar.from {
        return format!("{head} from {}", quote(from));
    }
    let rules = calendar.rules.iter().map(|rule| match rule {
        CalendarRule::Starts(unit, start) => Doc::Text(format!("{} starts {}", unit.text, quote(start))),
        CalendarRule::NamedByStart => Doc::text("named by start"),
    });
    defined(&format!("{head} ="), Doc::fill(rules), &[])
}

fn type_name(ty: &TypeName) -> String {
    let argument = ty.argument.as_ref().map(|word| format!("({})", name::word(word))).unwrap_or_default();
    let per = ty.per.as_ref().map(|per| format!(" per {}", name::name(per))).unwrap_or_default();
    format!("{}{argument}{per}", name::name(&ty.name))
}

fn parameters(parameters: &[Parameter]) -> String {
    if parameters.is_empty() {
        return String::new();
    }
    let all: Vec<String> = parameters
        .iter()
        .map(|parameter| {
            let ty = parameter.ty.as_ref().map(|ty| format!(": {}", type_name(ty))).unwrap_or_default();
            let default = parameter.default.as_ref().map(|value| format!(" = {}", expr(value).flat()));
            format!("{}{ty}{}", name::name(&parameter.name), default.unwrap_or_default())
        })
        .collect();
    format!("({})", all.join(", "))
}

fn definition(word: &str, definition: &Definition) -> String {
    let mut head = format!("{word} {}{}", name::name(&definition.name), parameters(&definition.parameters));
    if let Some(of) = &definition.of {
        head.push_str(&format!(" of {}", name::name(of)));
    }
    if let Some(ty) = &definition.ty {
        head.push_str(&format!(" : {}", type_name(ty)));
    }
    head.push_str(" =");
    defined(&head, expr(&definition.value), &definition.with)
}

fn fields(fields: &[Field]) -> Vec<Item> {
    let item = |field: &Field| {
        let history = if field.history { " history" } else { "" };
        let text = format!("{}: {}{history}", name::word(&field.name), type_name(&field.ty));
        Item { doc: field.doc.clone(), ..Item::new(text, field.name.span.to(field.ty.span)) }
    };
    fields.iter().map(item).collect()
}

fn entity(entity: &Entity, origin: Option<Origin<'_>>) -> String {
    let key = entity.key.as_ref().map(|key| format!(" key {}", name::word(key))).unwrap_or_default();
    let from = entity.from.as_ref().map(|from| format!(" from {}", name::word(from))).unwrap_or_default();
    block(&format!("entity {}{key}{from}", name::name(&entity.name)), fields(&entity.fields), "  ", origin)
}

fn event(event: &Event, origin: Option<Origin<'_>>) -> String {
    let head = format!("event {}", name::name(&event.name));
    match &event.body {
        EventBody::Stored { of, at, fields: stored } => {
            let of: Vec<String> = of.iter().map(name::name).collect();
            let of = if of.is_empty() { String::new() } else { format!(" of {}", of.join(", ")) };
            let at = at.as_ref().map(|at| format!(" at {}", name::word(at))).unwrap_or_default();
            block(&format!("{head}{of}{at}"), fields(stored), "  ", origin)
        }
        EventBody::Derived { value, with } => defined(&format!("{head} ="), scoped(value), with),
    }
}

fn state(state: &State, origin: Option<Origin<'_>>) -> String {
    let head = format!("state {} of {}", name::name(&state.name), name::name(&state.of));
    let line = |word: &str, rest: Doc| Doc::Cat(vec![Doc::Line, Doc::text(word), rest]);
    let value = match &state.body {
        StateBody::Stored { fields: stored } => return block(&head, fields(stored), "  ", origin),
        StateBody::From { from, until } => {
            Doc::Cat(vec![Doc::text("from "), scoped(from), line("until ", scoped(until))])
        }
        StateBody::For { from, length: long } => {
            Doc::Cat(vec![Doc::text("from "), scoped(from), line("for ", Doc::Text(length(long)))])
        }
        StateBody::Value { value, until } => {
            let doc = expr(value);
            // A field called `from` would begin an interval here.
            let guarded = begins_with(value, "from");
            let doc = if guarded { Doc::Cat(vec![Doc::text("("), doc, Doc::text(")")]) } else { doc };
            match until {
                Some(until) => Doc::Cat(vec![doc, line("until ", scoped(until))]),
                None => doc,
            }
        }
    };
    defined(&format!("{head} ="), value, &state.with)
}

fn source(source: &Source, origin: Option<Origin<'_>>) -> String {
    let with = with_flat(&source.with);
    let with = if with.is_empty() { with } else { format!(" {with}") };
    let head = format!("source {} from {}{with}", name::name(&source.name), quote(&source.from));
    let items = source.items.iter().map(|item| match item {
        SourceItem::Merge { entity, column, into } => {
            let column = name::column(column, &["where", "merge"]);
            let text = format!("merge {} {column} into {}", name::name(entity), name::word(into));
            Item::new(text, entity.span.to(into.span))
        }
        SourceItem::Mapping(mapping) => {
            let parts = Doc::nest(2, Doc::fill(mapping.parts.iter().map(part)));
            let mut all = vec![Doc::Text(format!("{}: ", name::path(&mapping.target))), parts];
            if let Some(filter) = &mapping.filter {
                all.push(Doc::nest(2, Doc::Cat(vec![Doc::Line, Doc::text("where "), expr(filter)])));
            }
            Item::new(fitted(Doc::Cat(all), 2), mapping.span)
        }
    });
    block(&head, items.collect(), " ", origin)
}

/// Words that begin another kind of part.
const ROLES: &[&str] = &["at", "id", "key", "from", "until", "to", "of", "where", "merge"];

fn part(part: &Part) -> Doc {
    match part {
        Part::Role { role, column } => {
            let role = match role {
                Role::At => "at",
                Role::Id => "id",
                Role::Key => "key",
                Role::From => "from",
                Role::Until => "until",
                Role::To => "to",
            };
            Doc::Text(format!("{role} {}", name::column(column, &["where", "merge"])))
        }
        Part::Column { field, column, of } => {
            let of = if *of { "of " } else { "" };
            let other = if field.text == column.text {
                String::new()
            } else {
                format!(" {}", name::column(column, &["where", "merge"]))
            };
            Doc::Text(format!("{of}{}{other}", name::column(field, ROLES)))
        }
        Part::Computed { field, value } => {
            Doc::Cat(vec![Doc::Text(format!("{} = ", name::word(field))), Doc::nest(2, expr(value))])
        }
    }
}

fn target(target: &Target) -> String {
    let head = format!("target {} on", name::name(&target.name));
    let mut value = vec![expr(&target.on)];
    let mut line = |doc: Doc| value.push(Doc::nest(2, Doc::Cat(vec![Doc::Line, doc])));
    if let Some(filter) = &target.filter {
        line(Doc::Cat(vec![Doc::text("where "), expr(filter)]));
    }
    match &target.goal {
        Goal::Total { during, reach, each } => {
            line(Doc::Text(format!("during {}", query::bound(during))));
            let each = each.as_ref().map(|each| format!(" each {}", name::grain(each))).unwrap_or_default();
            line(Doc::Cat(vec![Doc::text("reach "), sum(reach), Doc::Text(each)]));
        }
        Goal::Level { by, reach, from } => {
            line(Doc::Text(format!("by {}", by.text)));
            line(Doc::Cat(vec![Doc::text("reach "), sum(reach)]));
            if let Some((baseline, at)) = from {
                line(Doc::Cat(vec![Doc::text("from "), sum(baseline), Doc::Text(format!(" at {}", at.text))]));
            }
        }
    }
    if let Some(review) = &target.review {
        line(Doc::Text(format!("review {}", name::word(review))));
    }
    defined(&head, Doc::Cat(value), &target.with)
}

fn report(report: &Report, origin: Option<Origin<'_>>) -> String {
    let every = report.every.as_ref().map(|every| format!(" every {}", name::grain(every))).unwrap_or_default();
    let with = with_flat(&report.with);
    let with = if with.is_empty() { with } else { format!(" {with}") };
    let head = format!("report {}{every}{with}", name::name(&report.name));
    let queries = report.queries.iter().map(|query| Item::new(fitted(query::query(query), 2), query.span));
    block(&head, queries.collect(), "  ", origin)
}

fn test(test: &Test, origin: Option<Origin<'_>>) -> String {
    let mut items = Vec::new();
    if let Some(now) = &test.now {
        items.push(Item::new(format!("given now {}", now.text), now.span));
    }
    for given in &test.given {
        let columns: Vec<String> = given.columns.iter().map(name::word).collect();
        let head = format!("given {} ({})", name::path(&given.event), columns.join(", "));
        items.push(Item::new(head, head_span(given)));
        items.extend(given.rows.iter().map(|row| Item { indent: 4, ..Item::new(row_text(row), row_span(row)) }));
    }
    for expect in &test.expect {
        let gives = match expect.gives.as_slice() {
            [row] if row.len() == 1 => row.iter().map(|value| expr(value).flat()).collect(),
            rows => rows.iter().map(|row| row_text(row)).collect::<Vec<_>>().join(" "),
        };
        let doc = Doc::Cat(vec![
            Doc::text("expect "),
            query::query_behind_word(&expect.query),
            Doc::nest(2, Doc::Cat(vec![Doc::Line, Doc::Text(format!("gives {gives}"))])),
        ]);
        items.push(Item::new(fitted(doc, 2), expect.span));
    }
    lines(&format!("test {}", quote(&test.title)), items, origin)
}

/// Where the words of `given`, its event and its columns stand.
fn head_span(given: &Given) -> Span {
    given.columns.last().map_or(given.event.span, |last| Span { start: given.span.start, end: last.span.end })
}

fn row_text(row: &[Expr]) -> String {
    let values: Vec<String> = row.iter().map(|value| expr(value).flat()).collect();
    format!("({})", values.join(", "))
}

fn row_span(row: &[Expr]) -> Span {
    row.iter().map(|value| value.span).reduce(Span::to).unwrap_or_default()
}

/// Writes a block: on one line if it was short in the source and fits, else each item on its own.
fn block(head: &str, items: Vec<Item>, gap: &str, origin: Option<Origin<'_>>) -> String {
    let was_short = match origin {
        None => true,
        Some(origin) => {
            let written = origin.source.get(origin.span.start as usize..origin.span.end as usize);
            let inside = written.and_then(|text| text.get(brace(text)?..));
            origin.comments.is_empty() && inside.is_some_and(|inside| !inside.contains('\n'))
        }
    };
    // An empty block that was left out stays out.
    let left_out = |origin: &Origin<'_>| {
        let written = origin.source.get(origin.span.start as usize..origin.span.end as usize);
        written.is_some_and(|text| brace(text).is_none())
    };
    if items.is_empty() && origin.as_ref().is_some_and(left_out) {
        return head.to_string();
    }
    let has_docs = items.iter().any(|item| item.doc.is_some() || item.text.contains('\n'));
    // Two mappings on one line would be hard to read, and a number could take the next one's name as its unit.
    let is_crowded = head.starts_with("source ") && items.len() > 1;
    if was_short && !has_docs && !is_crowded {
        let inside: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
        let inside = if inside.is_empty() { String::new() } else { format!("{} ", inside.join(gap)) };
        let flat = format!("{head} {{ {inside}}}");
        if flat.chars().count() <= WIDTH {
            return flat;
        }
    }
    lines(head, items, origin)
}

/// Returns the offset of the brace that opens the block.
pub(super) fn brace(statement: &str) -> Option<usize> {
    Lexer::new(statement, 0).find(|token| token.of(statement) == "{").map(|token| token.start)
}

/// Writes a block with each item on a line of its own, and the comments between them.
fn lines(head: &str, items: Vec<Item>, origin: Option<Origin<'_>>) -> String {
    let Some(origin) = origin else {
        let mut out = format!("{head} {{\n");
        for item in items {
            let indent = " ".repeat(item.indent);
            for line in item.doc.iter().flat_map(|doc| doc.split('\n')) {
                out.push_str(format!("{indent}## {line}").trim_end());
                out.push('\n');
            }
            out.push_str(&format!("{indent}{}\n", item.text));
        }
        return out + "}";
    };
    let (start, end) = (origin.span.start as usize, origin.span.end as usize);
    let opens = origin.source.get(start..end).and_then(brace).map_or(start, |at| start + at + 1);
    let mut lines = Lines::new(origin.source, origin.comments, opens);
    lines.out = format!("{head} {{");
    lines.comment_behind();
    for item in items {
        lines.item(&item.text, item.span.start as usize, item.span.end as usize, item.indent);
    }
    lines.comments_until(end, 2);
    lines.out + "\n}"
}

/// Returns the places of the items that stand on lines of their own, so that comments between them can be kept there.
pub(super) fn item_spans(kind: &StatementKind) -> Option<Vec<Span>> {
    let fields = |fields: &[Field]| Some(fields.iter().map(|field| field.name.span.to(field.ty.span)).collect());
    match kind {
        StatementKind::Entity(entity) => fields(&entity.fields),
        StatementKind::Event(Event { body: EventBody::Stored { fields: stored, .. }, .. })
        | StatementKind::State(State { body: StateBody::Stored { fields: stored }, .. }) => fields(stored),
        StatementKind::Source(source) => {
            let span = |item: &SourceItem| match item {
                SourceItem::Mapping(mapping) => mapping.span,
                SourceItem::Merge { entity, into, .. } => entity.span.to(into.span),
            };
            Some(source.items.iter().map(span).collect())
        }
        StatementKind::Report(report) => Some(report.queries.iter().map(|query| query.span).collect()),
        StatementKind::Test(test) => {
            let mut spans: Vec<Span> = test.now.iter().map(|now| now.span).collect();
            for given in &test.given {
                spans.push(head_span(given));
                spans.extend(given.rows.iter().map(|row| row_span(row)));
            }
            spans.extend(test.expect.iter().map(|expect| expect.span));
            Some(spans)
        }
        _ => None,
    }
}
