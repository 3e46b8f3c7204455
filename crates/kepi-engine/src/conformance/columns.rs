//! Whether the columns of records keep their kinds, from page to page and as the connector promises.

use super::reading::Reading;
use kepi_extension::StreamShape;
use serde_json::Value;
use std::collections::BTreeMap;

/// The faults of a reading, each named once.
pub(super) fn faults(reading: &Reading, shape: &StreamShape) -> Vec<String> {
    let mut known: BTreeMap<String, (&'static str, usize)> = BTreeMap::new();
    let mut faults: BTreeMap<String, String> = BTreeMap::new();
    for (number, page) in (1..).zip(&reading.pages) {
        for record in &page.records {
            each(record, "", &mut |column, value| {
                let Some(kind) = kind_of(value) else { return };
                match known.get(column) {
                    Some((before, first)) if *before != kind => {
                        let told =
                            format!("retypes the column {column}: {before} in page {first}, {kind} in page {number}");
                        faults.entry(column.to_string()).or_insert(told);
                    }
                    Some(_) => {}
                    None => {
                        known.insert(column.to_string(), (kind, number));
                    }
                }
                let promised = shape.fields.iter().find(|field| field.name == column);
                if let Some(field) = promised.filter(|field| !fits(&field.kind, value)) {
                    let told =
                        format!("gives {} in the column {column}, which it promises as {}", short(value), field.kind);
                    faults.entry(column.to_string()).or_insert(told);
                }
            });
        }
    }
    faults.into_values().collect()
}

fn each(value: &Value, path: &str, told: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                each(member, &path, told);
            }
        }
        other => told(path, other),
    }
}

fn kind_of(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some("yes or no"),
        Value::Number(_) => Some("number"),
        Value::String(_) => Some("text"),
        Value::Array(_) => Some("list"),
        Value::Object(_) => Some("object"),
    }
}

/// Whether a value can be read as the kind that was promised. Services write numbers as text and ids as numbers.
fn fits(kind: &str, value: &Value) -> bool {
    let text = value.as_str();
    match kind {
        "number" | "count" | "money" => {
            value.is_number() || text.is_some_and(|text| text.is_empty() || text.trim().parse::<f64>().is_ok())
        }
        "bool" => value.is_boolean() || matches!(text, Some("true" | "false" | "")),
        "text" => !value.is_array() && !value.is_object(),
        "time" | "date" => {
            value.is_number()
                || text.is_some_and(|text| text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()))
        }
        _ => true,
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.chars().count() > 40 {
        true => format!("{}…", text.chars().take(40).collect::<String>()),
        false => text,
    }
}
