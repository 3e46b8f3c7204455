//! Pages of records in the order of their keys: what a script would have to sort itself, slowly.

use super::json;
use rhai::{Array, Dynamic, Map};
use std::cmp::Ordering;

/// A part of a record's key. Numbers come before texts, so a field that holds both has an order all the same.
#[derive(Clone, Debug)]
enum Part {
    Integer(i64),
    Float(f64),
    Text(String),
}

/// The first `size` records behind the cursor, in the order of the given fields: `#{ records, cursor, more }`.
///
/// `records` are texts of JSON objects; the cursor is the list of the fields' values in the last record that was given,
/// or nothing. Of several records with the same key all or none are behind a cursor, so the fields have to tell records
/// apart. A record in which a field is neither a number nor a text is an error with the record's number, from 1.
pub(super) fn page(records: Array, fields: &Array, cursor: &Dynamic, size: i64) -> Result<Map, String> {
    let size = usize::try_from(size).ok().filter(|s| *s > 0).ok_or("a page has at least one record")?;
    let fields = fields.iter().map(|f| f.clone().into_string().map_err(|_| "a field is named by a text"));
    let fields = fields.collect::<Result<Vec<String>, _>>()?;
    let behind = match cursor.as_array_ref() {
        Ok(parts) if parts.len() == fields.len() => parts.iter().map(part).collect::<Option<Vec<Part>>>(),
        _ => None,
    };
    if behind.is_none() && !cursor.is_unit() {
        return Err(format!("the cursor is no list of {} numbers or texts", fields.len()));
    }
    let mut found: Vec<(Vec<Part>, String)> = Vec::new();
    for (index, record) in records.into_iter().enumerate() {
        let text =
            record.into_string().map_err(|kind| format!("record {} is of type {kind}, not a text", index + 1))?;
        let key = key(&text, &fields).map_err(|what| format!("record {} {what}", index + 1))?;
        if behind.as_ref().is_none_or(|behind| order(&key, behind).is_gt()) {
            found.push((key, text));
        }
    }
    // Stable: of records with the same key the one that was read first comes first.
    found.sort_by(|a, b| order(&a.0, &b.0));
    let more = found.len() > size;
    found.truncate(size);
    let last = found.last().map(|(key, _)| key.iter().map(dynamic).collect::<Array>().into());
    let mut page = Map::new();
    page.insert("cursor".into(), last.unwrap_or_else(|| cursor.clone()));
    page.insert("records".into(), found.into_iter().map(|(_, text)| Dynamic::from(text)).collect::<Array>().into());
    page.insert("more".into(), more.into());
    Ok(page)
}

fn key(text: &str, fields: &[String]) -> Result<Vec<Part>, String> {
    let record = json::parse(text)?;
    let record = record.as_map_ref().map_err(|_| "is no JSON object".to_string())?;
    let value = |field: &String| record.get(field.as_str()).and_then(part);
    fields.iter().map(|f| value(f).ok_or_else(|| format!("has no number or text in the field {f}"))).collect()
}

fn part(value: &Dynamic) -> Option<Part> {
    let number = value.as_int().ok().map(Part::Integer).or_else(|| value.as_float().ok().map(Part::Float));
    number.or_else(|| value.clone().into_string().ok().map(Part::Text))
}

fn dynamic(part: &Part) -> Dynamic {
    match part {
        Part::Integer(i) => (*i).into(),
        Part::Float(f) => (*f).into(),
        Part::Text(t) => t.clone().into(),
    }
}

fn order(a: &[Part], b: &[Part]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| compare(a, b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

fn compare(a: &Part, b: &Part) -> Ordering {
    match (a, b) {
        (Part::Integer(a), Part::Integer(b)) => a.cmp(b),
        (Part::Text(a), Part::Text(b)) => a.cmp(b),
        (Part::Text(_), _) => Ordering::Greater,
        (_, Part::Text(_)) => Ordering::Less,
        (Part::Integer(a), Part::Float(b)) => (*a as f64).total_cmp(b),
        (Part::Float(a), Part::Integer(b)) => a.total_cmp(&(*b as f64)),
        (Part::Float(a), Part::Float(b)) => a.total_cmp(b),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    fn texts(texts: &[&str]) -> Array {
        texts.iter().map(|t| Dynamic::from(t.to_string())).collect()
    }

    #[test]
    fn numbers_texts_and_long_ids_have_one_order() {
        let records = texts(&[
            r#"{"k":"b"}"#,
            r#"{"k":18446744073709551615}"#,
            r#"{"k":2}"#,
            r#"{"k":1.5}"#,
            r#"{"k":"a"}"#,
            r#"{"k":10}"#,
        ]);
        let (mut cursor, mut seen) = (Dynamic::UNIT, Vec::new());
        loop {
            let page = page(records.clone(), &texts(&["k"]), &cursor, 1).unwrap();
            seen.extend(page["records"].clone().into_array().unwrap().into_iter().map(|r| r.to_string()));
            // As the host keeps it.
            cursor = json::parse(&json::write(&page["cursor"]).unwrap()).unwrap();
            if !page["more"].as_bool().unwrap() {
                break;
            }
        }
        let keys: Vec<&str> = seen.iter().map(|r| &r[5..r.len() - 1]).collect();
        assert_eq!(keys, ["1.5", "2", "10", "18446744073709551615", "\"a\"", "\"b\""]);
    }

    #[test]
    fn what_has_no_key_is_named() {
        let fields = texts(&["k"]);
        let of =
            |record: &str, cursor: Dynamic| page(texts(&[r#"{"k":1}"#, record]), &fields, &cursor, 10).unwrap_err();
        assert_eq!(of("{}", Dynamic::UNIT), "record 2 has no number or text in the field k");
        assert_eq!(of(r#"{"k":null}"#, Dynamic::UNIT), "record 2 has no number or text in the field k");
        assert_eq!(of("[]", Dynamic::UNIT), "record 2 is no JSON object");
        assert_eq!(of("{}", 7_i64.into()), "the cursor is no list of 1 numbers or texts");
    }
}
