//! Connectors written as scripts: `streams()` and `read(request)`.

use super::{Script, json};
use crate::failure::Failure;
use crate::settings::{Limits, bytes_in_words};
use kepi_extension::{Connector, ConnectorError, ConnectorHost, Page, PageRequest, StreamShape};
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
    /// The streams; none at all means that the connector takes any name.
    fn discover(&self, _: &str, _: &dyn ConnectorHost) -> Result<Vec<StreamShape>, ConnectorError> {
        let streams = self.script.run("streams", None, |function| {
            let names = function.call(Vec::new())?.into_typed_array::<String>();
            names.map_err(|_| Failure::Failed("streams() has to give an array of names".to_string()))
        });
        let names = streams.map_err(|failure| failure.of(self.script.id(), "streams"))?;
        Ok(names.into_iter().map(|name| StreamShape { name, ..StreamShape::default() }).collect())
    }

    fn read(&self, request: &PageRequest, host: &dyn ConnectorHost) -> Result<Page, ConnectorError> {
        Ok(self.read_page(request, host).map_err(|failure| failure.of(self.script.id(), "read"))?)
    }
}

/// The request as the script sees it.
fn asked(request: &PageRequest) -> Result<Dynamic, Failure> {
    let read =
        |what: &str, text: &str| json::parse(text).map_err(|error| Failure::Failed(format!("the {what} is {error}")));
    let config = if request.config.trim().is_empty() { "{}" } else { &request.config };
    let mut map = Map::new();
    map.insert("stream".into(), request.stream.clone().into());
    map.insert("config".into(), read("configuration", config)?);
    map.insert("cursor".into(), request.cursor.as_deref().map_or(Ok(Dynamic::UNIT), |c| read("cursor", c))?);
    map.insert("page_size".into(), i64::from(request.page_size).into());
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
    if let Some(other) = map.keys().next() {
        return Err(wrong(&format!("{} is not known", crate::failure::inert(other))));
    }
    if records.len() > limits.page_records_max {
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
    let records =
        records.iter().enumerate().map(|(i, r)| record(r).map_err(|what| wrong(&format!("record {i} {what}"))));
    Ok(Page { records: records.collect::<Result<_, _>>()?, cursor, more, deleted: Vec::new() })
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
