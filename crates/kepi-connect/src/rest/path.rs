//! Places in a JSON document: `data.items`, `paging.next.after`, empty for the whole.

use serde_json::Value;

/// What stands at a place; none: nothing, or null.
pub(crate) fn at<'v>(document: &'v Value, path: &str) -> Option<&'v Value> {
    if path.is_empty() {
        return Some(document);
    }
    // A name may have dots in it: the whole one counts first.
    let found = document.get(path).or_else(|| {
        let mut here = document;
        for name in path.split('.') {
            here = match here {
                Value::Array(items) => items.get(name.parse::<usize>().ok()?)?,
                other => other.get(name)?,
            };
        }
        Some(here)
    });
    found.filter(|value| !value.is_null())
}

/// A text, number or yes/no at a place as text.
pub(crate) fn text_at(document: &Value, path: &str) -> Option<String> {
    match at(document, path)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found() {
        let document = serde_json::json!({"a": {"b": [{"c": 7}]}, "d.e": "x", "n": null});
        assert_eq!(text_at(&document, "a.b.0.c").as_deref(), Some("7"));
        assert_eq!(text_at(&document, "d.e").as_deref(), Some("x"));
        assert_eq!(at(&document, ""), Some(&document));
        for absent in ["a.x", "a.b.1", "n", "a.b.0.c.d", "z"] {
            assert_eq!(at(&document, absent), None, "{absent}");
        }
    }
}
