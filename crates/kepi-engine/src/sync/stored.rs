//! What the store keeps of a source between runs: the connector's cursor, and the shape of its records.

use super::shape::Shape;
use crate::api::EngineError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The state of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    /// The connector's own words; none: from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Shape::is_empty")]
    pub(super) columns: Shape,
}

impl Stored {
    /// What the store has.
    pub(super) fn parse(text: &str) -> Result<Stored, EngineError> {
        serde_json::from_str(text).map_err(|error| {
            EngineError::data(format!("the stored state of the source cannot be read: {error}"))
                .with_help("`kepi sync SOURCE --reset` forgets it")
        })
    }

    /// As the store keeps it.
    pub(super) fn text(&self) -> Result<String, EngineError> {
        serde_json::to_string(self).map_err(EngineError::failed)
    }

    /// As a reader sees it: a cursor that is JSON stands there as such.
    pub(super) fn shown(&self) -> Result<String, EngineError> {
        let mut value = serde_json::to_value(self).map_err(EngineError::failed)?;
        if let Some(Value::Object(cursor)) = self.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()) {
            value["cursor"] = Value::Object(cursor);
        }
        serde_json::to_string_pretty(&value).map_err(EngineError::failed)
    }

    /// What a reader wrote.
    pub(super) fn from_shown(text: &str) -> Result<Stored, EngineError> {
        let usage = |error: serde_json::Error| {
            EngineError::usage(format!("this is no state: {error}"))
                .with_help("`kepi sync SOURCE --state` shows one: {\"cursor\": …, \"columns\": {…}}")
        };
        let mut value: Value = serde_json::from_str(text).map_err(usage)?;
        if let Some(cursor @ Value::Object(_)) = value.get("cursor") {
            value["cursor"] = Value::String(cursor.to_string());
        }
        serde_json::from_value(value).map_err(usage)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    #[test]
    fn what_is_shown_can_be_given_back() {
        let mut stored = Stored { cursor: Some("{\"done\":7}".to_string()), columns: Shape::default() };
        stored.columns.take(&["{\"id\":1}".to_string()], &[]).unwrap();
        let shown = stored.shown().unwrap();
        assert!(shown.contains("\"done\": 7"), "{shown}");
        assert_eq!(Stored::from_shown(&shown).unwrap(), stored);
        assert_eq!(Stored::parse(&stored.text().unwrap()).unwrap(), stored);
        let opaque = Stored { cursor: Some("MTU3".to_string()), columns: Shape::default() };
        assert_eq!(Stored::from_shown(&opaque.shown().unwrap()).unwrap(), opaque);
        assert!(Stored::from_shown("{\"cursor\":1}").is_err());
        assert!(Stored::from_shown("{\"cusror\":\"x\"}").is_err());
    }
}
