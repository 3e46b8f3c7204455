//! Connectors written as scripts: `streams()` and `read(request)`.

use super::{Script, json};
use crate::failure::Failure;
use crate::settings::{Limits, bytes_in_words};
use kepi_extension::{Connector, ConnectorError, ConnectorHost, Page, PageRequest, StreamField, StreamShape};
use rhai::{Dynamic, Map};
use std::sync::Arc;

/// A connector in a script.
#[derive(Debug)]
pub(crate) struct ScriptConnector {
    script: Arc<Script>,
}

impl ScriptConnector {
    /// The connector of the script.
    pub(crate) fn new(script: Arc<Script>) -> ScriptConnector {
        ScriptConnector { script }
    }

    fn read_page(&self, request: &PageRequest, host: &dyn ConnectorHost) -> Result<Page, Failure> {
        let limits = &self.script.settings.limits;
        self.script.run("read", Some(host), |function| {
            let page = page(function.call(vec![asked(request)?])?, limits)?;
            // Without this a connector that forgets its cursor would be read for ever.
            if page.more && page.cursor == request.cursor {
                return Err(Failure::Failed("there is more, but the cursor is that of the page before".to_string()));
            }
            Ok(page)
        })
    }
}

impl Connector for ScriptConnector {
    /// What `check(config)` says, where the script has it.
    fn check(&self, config: &str, host: &dyn ConnectorHost) -> Result<(), ConnectorError> {
        let checked = self.script.run("check", Some(host), |function| match function.is_there(1) {
            true => function.call(vec![configuration(config)?]).map(|_| ()),
            false => Ok(()),
        });
        checked.map_err(|failure| failure.of_connector(self.script.id(), "check"))
    }

    /// The streams; none at all means that the connector takes any name.
    fn discover(&self, _: &str, _: &dyn ConnectorHost) -> Result<Vec<StreamShape>, ConnectorError> {
        let streams = self.script.run("streams", None, |function| {
            let due = "an array of names, or of maps #{ name, primary_key, cursor_field, fields }";
            let wrong = |what: &str| Failure::Failed(format!("streams() has to give {due}: {what}"));
            let streams = function.call(Vec::new())?.into_array().map_err(|_| wrong("it gave no array"))?;
            streams.into_iter().map(|stream| shape(stream).map_err(|what| wrong(&what))).collect::<Result<_, _>>()
        });
        streams.map_err(|failure| failure.of_connector(self.script.id(), "streams"))
    }

    fn read(&self, request: &PageRequest, host: &dyn ConnectorHost) -> Result<Page, ConnectorError> {
        self.read_page(request, host).map_err(|failure| failure.of_connector(self.script.id(), "read"))
    }
}

/// What a script says of a stream: its name, or a map.
fn shape(stream: Dynamic) -> Result<StreamShape, String> {
    if stream.is_string() {
        return Ok(StreamShape { name: stream.to_string(), ..StreamShape::default() });
    }
    let mut map = stream.try_cast::<Map>().ok_or("there is neither a name nor a map")?;
    let mut text = |key: &str| match map.remove(key) {
        None => Ok(None),
        Some(value) if value.is_unit() => Ok(None),
        Some(value) => value.into_string().map(Some).map_err(|kind| format!("{key} is of type {kind}, not a text")),
    };
    let name = text("name")?.ok_or("a map has no name")?;
    let cursor_field = text("cursor_field")?;
    let key = map.remove("primary_key").map_or(Ok(Vec::new()), Dynamic::into_typed_array::<String>);
    let primary_key = key.map_err(|_| "primary_key is no array of names".to_string())?;
    let mut fields = Vec::new();
    if let Some(given) = map.remove("fields") {
        let given = given.try_cast::<Map>().ok_or("fields is no map of names and kinds")?;
        for (name, words) in given {
            let words = words.into_string().map_err(|_| format!("the field {name} has no kind as text"))?;
            let (kind, doc) = words.split_once(' ').unwrap_or((&words, ""));
            fields.push(StreamField { name: name.to_string(), kind: kind.to_string(), doc: doc.trim().to_string() });
        }
    }
    match map.keys().next() {
        Some(other) => Err(format!("{} is not known", crate::failure::inert(other))),
        None => Ok(StreamShape { name, fields, primary_key, cursor_field }),
    }
}

/// The configuration as the script sees it.
fn configuration(config: &str) -> Result<Dynamic, Failure> {
    let config = if config.trim().is_empty() { "{}" } else { config };
    json::parse(config).map_err(|error| Failure::Failed(format!("the configuration is {error}")))
}

/// The request as the script sees it.
fn asked(request: &PageRequest) -> Result<Dynamic, Failure> {
    let cursor = |text: &str| json::parse(text).map_err(|error| Failure::Failed(format!("the cursor is {error}")));
    let mut map = Map::new();
    map.insert("stream".into(), request.stream.clone().into());
    map.insert("config".into(), configuration(&request.config)?);
    map.insert("cursor".into(), request.cursor.as_deref().map_or(Ok(Dynamic::UNIT), cursor)?);
    map.insert("page_size".into(), i64::from(request.page_size).into());
    map.insert("since".into(), request.since.map_or(Dynamic::UNIT, Dynamic::from));
    Ok(map.into())
}

/// Checks what the script gave.
fn page(answer: Dynamic, limits: &Limits) -> Result<Page, Failure> {
    let wrong = |what: &str| Failure::Failed(format!("read(request) has to give #{{ records, cursor, more }}: {what}"));
    let mut map = answer.try_cast::<Map>().ok_or_else(|| wrong("it gave no map"))?;
    let records =
        map.remove("records").and_then(|r| r.into_array().ok()).ok_or_else(|| wrong("records is no array"))?;
    let more =
        map.remove("more").and_then(|m| m.as_bool().ok()).ok_or_else(|| wrong("more is neither true nor false"))?;
    let cursor = map.remove("cursor").filter(|cursor| !cursor.is_unit());
    let deleted = map.remove("deleted").map_or(Ok(Vec::new()), Dynamic::into_array);
    let deleted = deleted.map_err(|_| wrong("deleted is no array"))?;
    if let Some(other) = map.keys().next() {
        return Err(wrong(&format!("{} is not known", crate::failure::inert(other))));
    }
    if records.len().max(deleted.len()) > limits.page_records_max {
        return Err(Failure::Limit(format!("{} records of a page", limits.page_records_max)));
    }
    let cursor =
        cursor.map(|c| json::write(&c)).transpose().map_err(|error| wrong(&format!("of the cursor {error}")))?;
    if cursor.as_ref().is_some_and(|c| c.len() > limits.cursor_bytes_max) {
        return Err(Failure::Limit(format!("{} of a cursor", bytes_in_words(limits.cursor_bytes_max))));
    }
    if more && cursor.is_none() {
        return Err(wrong("there is more, but no cursor"));
    }
    let objects = |what: &str, values: Vec<Dynamic>| {
        let object = |(i, value)| record(value).map_err(|error| wrong(&format!("{what} {i} {error}")));
        values.iter().enumerate().map(object).collect::<Result<Vec<_>, _>>()
    };
    Ok(Page { records: objects("record", records)?, cursor, more, deleted: objects("deletion", deleted)? })
}

/// A record is a map, or the text of a JSON object as it came from outside.
fn record(value: &Dynamic) -> Result<String, String> {
    if value.is_map() {
        return json::write(value);
    }
    let text = value.clone().into_string().map_err(|kind| format!("is of type {kind}, not a map"))?;
    let object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
    object.map(|_| text).map_err(|_| "is a text, but no JSON object".to_string())
}
