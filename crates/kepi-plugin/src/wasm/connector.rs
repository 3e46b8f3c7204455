//! Connectors of components: each call on a fresh instance, so that nothing can be kept between pages.

use super::Component;
use super::bindings::exports::kepi::plugin::source as contract;
use super::instance::Instance;
use super::services::{self, Services};
use crate::failure::{Failure, inert};
use crate::settings::{Limits, bytes_in_words};
use kepi_extension::{Connector, ConnectorError, ConnectorHost, Page, PageRequest, StreamField, StreamShape};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The longest description of a configuration, in bytes.
const SCHEMA_BYTES_MAX: usize = 1 << 20;
/// The most streams that a connector offers.
const STREAMS_MAX: usize = 10_000;

/// A connector in a component.
#[derive(Debug)]
pub(crate) struct WasmConnector {
    component: Arc<Component>,
}

impl WasmConnector {
    /// The connector of the component.
    pub(crate) fn new(component: Arc<Component>) -> WasmConnector {
        WasmConnector { component }
    }

    /// Calls a fresh instance, while `host` answers what it asks.
    fn run<R: Send>(
        &self,
        name: &str,
        host: &dyn ConnectorHost,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<Result<R, contract::SourceError>> + Send,
    ) -> Result<R, ConnectorError> {
        let (way, asked) = Services::new(self.component.capabilities());
        let component = &self.component;
        let answer = thread::scope(|scope| {
            let builder = thread::Builder::new().name("kepi-connector".to_string());
            let running = builder.spawn_scoped(scope, move || {
                let mut instance = component.fresh()?;
                instance.store.data_mut().services = Some(way);
                let (instance, answer) = component.call_any(instance, call);
                // What it was told must not stand in what it says.
                let answer = answer.map(|a| a.map_err(|e| Box::new((e, instance))));
                Ok(answer)
            });
            let running = running.map_err(|error| Failure::Failed(format!("it cannot be started: {error}")))?;
            services::serve(host, &asked);
            running.join().unwrap_or_else(|_| Err(Failure::Failed("the host of components panicked".to_string())))
        });
        let failed = |failure: Failure| ConnectorError::from(failure.of(self.component.id(), name));
        match answer.and_then(|answer| answer).map_err(failed)? {
            Ok(answer) => Ok(answer),
            Err(told) => {
                let (error, instance) = *told;
                let clean = |text: &str| match &instance {
                    Some(instance) => inert(&instance.store.data().without_secrets(text)),
                    None => inert(text),
                };
                let connector = self.component.id().to_string();
                Err(match error {
                    contract::SourceError::Config(m) => ConnectorError::Config { connector, message: clean(&m) },
                    contract::SourceError::Refused(m) => ConnectorError::Refused { connector, message: clean(&m) },
                    contract::SourceError::Transient((m, after)) => ConnectorError::Transient {
                        connector,
                        message: clean(&m),
                        retry_after: after.map(Duration::from_millis),
                    },
                    contract::SourceError::Failed(m) => failed(Failure::Failed(clean(&m))),
                })
            }
        }
    }
}

impl Connector for WasmConnector {
    fn config_schema(&self) -> Result<Option<String>, ConnectorError> {
        let named = |failure: Failure| ConnectorError::from(failure.of(self.component.id(), "config-schema"));
        let instance = self.component.fresh().map_err(named)?;
        let (_, schema) = self.component.call_any(instance, |i| i.exports.source()?.call_config_schema(&mut i.store));
        let schema = schema.map_err(named)?;
        if schema.as_ref().is_some_and(|text| text.len() > SCHEMA_BYTES_MAX) {
            return Err(named(Failure::Limit(format!("{} of a schema", bytes_in_words(SCHEMA_BYTES_MAX)))));
        }
        let is_object =
            |text: &String| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok();
        match schema {
            Some(text) if !is_object(&text) => Err(named(Failure::Failed("its schema is no JSON object".to_string()))),
            schema => Ok(schema),
        }
    }

    fn check(&self, config: &str, host: &dyn ConnectorHost) -> Result<(), ConnectorError> {
        self.run("check", host, |i| i.exports.source()?.call_check(&mut i.store, config))
    }

    fn discover(&self, config: &str, host: &dyn ConnectorHost) -> Result<Vec<StreamShape>, ConnectorError> {
        let shapes = self.run("discover", host, |i| i.exports.source()?.call_discover(&mut i.store, config))?;
        if shapes.len() > STREAMS_MAX {
            let limit = Failure::Limit(format!("{STREAMS_MAX} streams"));
            return Err(limit.of(self.component.id(), "discover").into());
        }
        Ok(shapes.into_iter().map(shape).collect())
    }

    fn read(&self, request: &PageRequest, host: &dyn ConnectorHost) -> Result<Page, ConnectorError> {
        let asked = contract::PageRequest {
            stream: request.stream.clone(),
            config: request.config.clone(),
            cursor: request.cursor.clone(),
            page_size: request.page_size,
            since: request.since,
        };
        let page = self.run("read", host, |i| i.exports.source()?.call_read(&mut i.store, &asked))?;
        let checked = check(&page, request, &self.component.settings.limits);
        checked.map_err(|failure| failure.of(self.component.id(), "read"))?;
        Ok(Page { records: page.records, cursor: page.cursor, more: page.more, deleted: page.deleted })
    }
}

fn shape(shape: contract::StreamShape) -> StreamShape {
    let field = |f: contract::StreamField| StreamField { name: f.name, kind: f.kind, doc: f.doc };
    StreamShape {
        name: shape.name,
        fields: shape.fields.into_iter().map(field).collect(),
        primary_key: shape.primary_key,
        cursor_field: shape.cursor_field,
    }
}

/// Nothing of a page is believed before it is checked.
fn check(page: &contract::Page, request: &PageRequest, limits: &Limits) -> Result<(), Failure> {
    if page.records.len() + page.deleted.len() > limits.page_records_max {
        return Err(Failure::Limit(format!("{} records of a page", limits.page_records_max)));
    }
    if page.cursor.as_ref().is_some_and(|c| c.len() > limits.cursor_bytes_max) {
        return Err(Failure::Limit(format!("{} of a cursor", bytes_in_words(limits.cursor_bytes_max))));
    }
    if page.more && page.cursor.is_none() {
        return Err(Failure::Failed("there is more, but no cursor".to_string()));
    }
    // Without this a connector that forgets its cursor would be read for ever.
    if page.more && page.cursor == request.cursor {
        return Err(Failure::Failed("there is more, but the cursor is that of the page before".to_string()));
    }
    for (what, texts) in [("record", &page.records), ("deleted key", &page.deleted)] {
        let object = |text: &String| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok();
        if let Some(index) = texts.iter().position(|text| !object(text)) {
            return Err(Failure::Failed(format!("{what} {index} is no JSON object")));
        }
    }
    Ok(())
}
