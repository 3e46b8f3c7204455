//! The options that a source gives a compiled-in connector.

use super::config_error;
use kepi_extension::ConnectorError;
use serde_json::{Map, Value, json};

/// An option of a connector: its name, and what it is for.
pub(super) type Known = (&'static str, &'static str);

/// What a source has written behind `with`.
#[derive(Clone, Debug)]
pub(super) struct Options {
    id: &'static str,
    given: Map<String, Value>,
}

impl Options {
    /// Reads the configuration of a source. An option that is not known is an error that names those that are.
    pub(super) fn parse(id: &'static str, text: &str, known: &[Known]) -> Result<Options, ConnectorError> {
        let given: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| config_error(id, "the configuration is no JSON object"))?;
        if let Some(name) = given.keys().find(|name| !known.iter().any(|(known, _)| known == name)) {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            return Err(config_error(id, format!("there is no option `{name}`; there are {}", names.join(", "))));
        }
        Ok(Options { id, given })
    }

    /// An option's text; none where it is left out or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.given.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
    }

    /// An option that has to be there; `example` stands in the message.
    pub(super) fn need(&self, name: &str, example: &str) -> Result<&str, ConnectorError> {
        self.get(name).ok_or_else(|| {
            config_error(self.id, format!("the option `{name}` is missing: write `with {name} = \"{example}\"`"))
        })
    }

    /// Names that are separated by spaces or commas.
    pub(super) fn names(&self, name: &str) -> Vec<String> {
        let text = self.get(name).unwrap_or_default();
        text.split([' ', ',']).filter(|name| !name.is_empty()).map(str::to_string).collect()
    }
}

/// The JSON Schema of a connector's options.
pub(super) fn schema(known: &[Known], needed: &[&str]) -> String {
    let properties: Map<String, Value> =
        known.iter().map(|(name, doc)| (name.to_string(), json!({"type": "string", "description": doc}))).collect();
    let schema = "https://json-schema.org/draft/2020-12/schema";
    json!({
        "$schema": schema, "type": "object", "properties": properties, "required": needed, "additionalProperties": false
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    const KNOWN: &[Known] = &[("file", "The database."), ("key", "The columns that tell rows apart.")];

    #[test]
    fn what_is_not_known_or_missing_is_told() {
        let options = Options::parse("x", r#"{"file":" a.db ","key":"a, b c"}"#, KNOWN).unwrap();
        assert_eq!(options.need("file", "shop.db").unwrap(), "a.db");
        assert_eq!(options.names("key"), ["a", "b", "c"]);
        let unknown = Options::parse("x", r#"{"flie":"a.db"}"#, KNOWN).unwrap_err().to_string();
        assert_eq!(unknown, "x: there is no option `flie`; there are file, key");
        let empty = Options::parse("x", r#"{"file":""}"#, KNOWN).unwrap();
        let missing = empty.need("file", "shop.db").unwrap_err().to_string();
        assert_eq!(missing, "x: the option `file` is missing: write `with file = \"shop.db\"`");
        assert!(schema(KNOWN, &["file"]).contains("\"required\":[\"file\"]"));
    }
}
