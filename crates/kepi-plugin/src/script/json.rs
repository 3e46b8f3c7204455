//! JSON as values of a script and back.

use rhai::{Array, Dynamic, Map};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

/// Reads JSON. An integer that does not fit 64 bits with sign becomes text, so that no digit of an id is lost.
pub(super) fn parse(text: &str) -> Result<Dynamic, String> {
    serde_json::from_str::<Value>(text).map(to_dynamic).map_err(|error| format!("no JSON: {error}"))
}

/// Cuts a JSON array, or JSON objects one a line, into the texts of its records, each as it was written.
pub(super) fn records(text: &str) -> Result<Array, String> {
    let no_json = |error: serde_json::Error| format!("no JSON: {error}");
    let texts: Vec<&RawValue> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(no_json)?
    } else {
        serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>().map_err(no_json)?
    };
    Ok(texts.into_iter().map(|t| Dynamic::from(t.get().to_string())).collect())
}

pub(super) fn to_dynamic(value: Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(b) => b.into(),
        Value::Number(n) => match (n.as_i64(), n.is_u64(), n.as_f64()) {
            (Some(i), _, _) => i.into(),
            (None, false, Some(f)) => f.into(),
            _ => n.to_string().into(),
        },
        Value::String(s) => s.into(),
        Value::Array(items) => items.into_iter().map(to_dynamic).collect::<Array>().into(),
        Value::Object(entries) => entries.into_iter().map(|(k, v)| (k.into(), to_dynamic(v))).collect::<Map>().into(),
    }
}

/// Writes a value as JSON. What JSON does not know (a function, a number that is not finite) is an error.
pub(super) fn write(value: &Dynamic) -> Result<String, String> {
    to_value(value).map(|v| v.to_string())
}

pub(super) fn to_value(value: &Dynamic) -> Result<Value, String> {
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(b) = value.as_bool() {
        return Ok(Value::Bool(b));
    }
    if let Ok(i) = value.as_int() {
        return Ok(Value::Number(i.into()));
    }
    if let Ok(f) = value.as_float() {
        return Number::from_f64(f).map(Value::Number).ok_or_else(|| format!("{f} is no JSON number"));
    }
    if value.is_string() || value.is_char() {
        return Ok(Value::String(value.to_string()));
    }
    if let Ok(items) = value.as_array_ref() {
        return items.iter().map(to_value).collect::<Result<_, _>>().map(Value::Array);
    }
    if let Ok(entries) = value.as_map_ref() {
        let entries = entries.iter().map(|(k, v)| Ok((k.to_string(), to_value(v)?)));
        return entries.collect::<Result<_, String>>().map(Value::Object);
    }
    Err(format!("a {} cannot be written as JSON", value.type_name()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let text = r#"{"big":18446744073709551615,"f":12.3,"i":-7,"list":[null,true,"a"]}"#;
        let back = write(&parse(text).unwrap()).unwrap();
        assert_eq!(back, r#"{"big":"18446744073709551615","f":12.3,"i":-7,"list":[null,true,"a"]}"#);
        assert_eq!(write(&Dynamic::from(f64::NAN)).unwrap_err(), "NaN is no JSON number");
    }

    #[test]
    fn records_stay_as_they_were_written() {
        let texts = |text: &str| records(text).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts("[{\"b\": 1.50}, {}]"), ["{\"b\": 1.50}", "{}"]);
        assert_eq!(texts("{\"a\":1}\n{\"a\":2}\n"), ["{\"a\":1}", "{\"a\":2}"]);
        assert!(texts("").is_empty());
        assert!(records("[{\"a\":1").unwrap_err().starts_with("no JSON: EOF"));
    }
}
