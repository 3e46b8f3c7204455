//! Writes what was inferred as a model file.

use crate::error::shown;
use crate::infer::{Inferred, InferredColumn, InferredKind, Role};
use crate::naming::written;
use crate::options::ReadOptions;
use kepi_model::value::{Kind, Unit};
use std::fmt::Write;

/// The declaration of an inferred table as kepi text: its entities, the event or entity itself, and the source that
/// fills it with the options that were found.
pub fn declaration(inferred: &Inferred, options: &ReadOptions) -> String {
    let mut out = String::new();
    let file = inferred.from.rsplit(['/', '\\']).next().unwrap_or_default();
    let file = shown(file);
    let name = name_of(&inferred.name);
    let rows = if inferred.rows == 1 { "1 row".to_string() } else { format!("{} rows", inferred.rows) };
    for note in &inferred.notes {
        line(&mut out, &format!("# {}", shown_line(note)));
    }
    for (entity, column) in &inferred.new_entities {
        line(&mut out, &format!("## Known from `{}` in {file}.", shown(column)));
        line(&mut out, &format!("entity {} key {} {{ }}\n", name_of(entity), field_of(inferred, column)));
    }
    match &inferred.kind {
        InferredKind::Entity { key, from } => {
            line(&mut out, &format!("## {rows} of {file}, one for each {}.", shown(key)));
            let from = from.as_ref().map_or_else(String::new, |from| format!(" from {}", field_of(inferred, from)));
            line(&mut out, &format!("entity {name} key {}{from} {{", field_of(inferred, key)));
        }
        kind => {
            let dated = match kind {
                InferredKind::Event { time } => format!(", dated by {}", shown(time)),
                _ => ", without a date".to_string(),
            };
            line(&mut out, &format!("## {rows} of {file}{dated}."));
            let of: Vec<String> = inferred.entities.iter().map(|e| name_of(e)).collect();
            let of = if of.is_empty() { String::new() } else { format!(" of {}", of.join(", ")) };
            let at = match kind {
                InferredKind::Event { time } => format!(" at {}", field_of(inferred, time)),
                _ => String::new(),
            };
            line(&mut out, &format!("event {name}{of}{at} {{"));
        }
    }
    for column in inferred.columns.iter().filter(|c| c.role == Role::Field) {
        if !column.why.is_empty() {
            line(&mut out, &format!("  ## {}", shown_line(&column.why)));
        }
        line(&mut out, &format!("  {}: {}", column.field, unit(&column.unit)));
    }
    line(&mut out, "}\n");
    source(&mut out, inferred, options, &name);
    out
}

fn source(out: &mut String, inferred: &Inferred, options: &ReadOptions, name: &str) {
    let pairs: Vec<String> = options.to_pairs().iter().map(|(n, v)| format!("{n} = {}", quoted(v))).collect();
    let with = if pairs.is_empty() { String::new() } else { format!("\n  with {}", pairs.join(", ")) };
    line(out, &format!("source {name} from {}{with} {{", quoted(&inferred.from)));
    let mut parts = Vec::new();
    let mut add = |role: &str, column: &InferredColumn| {
        parts.extend(written(&column.column).map(|c| format!("{role} {c}")));
    };
    for column in &inferred.columns {
        match &column.role {
            Role::Time => add("at", column),
            Role::Key => add("key", column),
            Role::Id | Role::EntityKey { id: true, .. } => add("id", column),
            _ => {}
        }
    }
    // `at` and `key` first, then `id`, then the entities in the order of the declaration.
    parts.sort_by_key(|p| p.starts_with("id "));
    let with_role = inferred.entities.iter().filter_map(|entity| {
        inferred
            .columns
            .iter()
            .find(|c| matches!(&c.role, Role::EntityKey { entity: e, .. } if e == entity))
            .map(|c| (name_of(entity), c))
    });
    let mut subject = true;
    for (entity, column) in with_role {
        let of = if subject { "of " } else { "" };
        subject = false;
        parts.extend(
            written(&column.column).map(|c| if c == entity { format!("{of}{c}") } else { format!("{of}{entity} {c}") }),
        );
    }
    for column in inferred.columns.iter().filter(|c| c.role == Role::Field) {
        parts.extend(written(&column.column).map(
            |c| {
                if c == column.field { c } else { format!("{} {c}", column.field) }
            },
        ));
    }
    let indent = " ".repeat(name.chars().count() + 4);
    let mut text = format!("  {name}: ");
    let mut width = text.chars().count();
    for (i, part) in parts.iter().enumerate() {
        let part = if i + 1 < parts.len() { format!("{part},") } else { part.clone() };
        if i > 0 && width + part.chars().count() + 1 > 110 {
            let _ = write!(text, "\n{indent}");
            width = indent.len();
        } else if i > 0 {
            text.push(' ');
            width += 1;
        }
        width += part.chars().count();
        text.push_str(&part);
    }
    line(out, &text);
    line(out, "}");
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// A comment ends with its line, so nothing in it may break one.
fn shown_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn name_of(name: &str) -> String {
    written(name).unwrap_or_else(|| crate::naming::snake(name))
}

fn field_of(inferred: &Inferred, column: &str) -> String {
    let field = inferred.columns.iter().find(|c| c.column == column).map(|c| c.field.clone());
    field.filter(|f| !f.is_empty()).unwrap_or_else(|| crate::naming::snake(column))
}

fn unit(unit: &Unit) -> String {
    match &unit.kind {
        Kind::Number => "number".to_string(),
        Kind::Count => "count".to_string(),
        Kind::Percent => "percent".to_string(),
        Kind::Points => "points".to_string(),
        Kind::Money(Some(currency)) => format!("money({currency})"),
        Kind::Money(None) => "money".to_string(),
        Kind::MoneyOf(field) => format!("money({})", name_of(field)),
        Kind::Duration => "duration".to_string(),
        Kind::Bool => "bool".to_string(),
        Kind::Time => "time".to_string(),
        Kind::Date => "date".to_string(),
        Kind::Entity(entity) => name_of(entity),
        Kind::Text | Kind::List(_) | Kind::Raw | Kind::Missing => "text".to_string(),
    }
}

/// A text in quotes. Every backslash and quote is escaped, so nothing in it can end it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
