//! Asking a service: an address, headers and a body out, an answer in, and what its status says.

use super::connector::RestConnector;
use super::path::text_at;
use super::render::Values;
use kepi_extension::{ConnectorError, ConnectorHost, HttpError, HttpRequest, HttpResponse};
use serde_json::Value;
use std::time::Duration;

/// How much of an answer is shown in a message.
const SHOWN: usize = 300;

impl RestConnector {
    /// The address that paths stand behind.
    pub(super) fn base_url(&self, values: &Values) -> Result<String, ConnectorError> {
        if let Some(base) = values.config.get("base_url") {
            return Ok(base.trim_end_matches('/').to_string());
        }
        let base = values.plain(&self.definition.base_url).map_err(|reason| self.config_error(reason))?;
        let base = base.ok_or_else(|| self.config_error("an option that the address needs is empty"))?;
        Ok(base.trim_end_matches('/').to_string())
    }

    /// Asks for an address and gives the answer where it is a good one.
    pub(super) fn ask(
        &self,
        host: &dyn ConnectorHost,
        values: &Values,
        method: &str,
        url: String,
        body: Option<Value>,
    ) -> Result<HttpResponse, ConnectorError> {
        let mut headers = vec![("Accept".to_string(), "application/json".to_string())];
        for (name, template) in &self.definition.headers {
            if let Some(value) = values.plain(template).map_err(|reason| self.config_error(reason))? {
                headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                headers.push((name.clone(), value));
            }
        }
        if body.is_some() {
            headers.push(("Content-Type".to_string(), "application/json".to_string()));
        }
        let body = body.map(|body| body.to_string().into_bytes());
        let request = HttpRequest { method: method.to_string(), url, headers, body };
        host.fetch(&request).map_err(|error| match error {
            HttpError::Denied(reason) => self.config_error(reason),
            HttpError::Network(reason) => self.transient(reason, None),
            HttpError::TooLarge(reason) => self.failed(reason),
            HttpError::Cancelled => self.transient("cancelled".to_string(), None),
        })
    }

    /// The answer as JSON, or what its status says.
    pub(super) fn judged(&self, answer: &HttpResponse, what: &str) -> Result<Value, ConnectorError> {
        let text = String::from_utf8_lossy(&answer.body);
        let parsed: Option<Value> = serde_json::from_str(&text).ok();
        let status = answer.status;
        if (200..300).contains(&status) {
            return parsed
                .ok_or_else(|| self.transient(format!("the answer to {what} is no JSON, or it was cut off"), None));
        }
        let said = parsed.as_ref().and_then(|body| {
            let places = [
                self.definition.error_message.as_str(),
                "message",
                "error.message",
                "0.message",
                "description",
                "error",
            ];
            places.iter().filter(|place| !place.is_empty()).find_map(|place| text_at(body, place))
        });
        let said: String = said.unwrap_or_else(|| text.trim().to_string()).chars().take(SHOWN).collect();
        let message = if said.is_empty() {
            format!("status {status} for {what}")
        } else {
            format!("status {status} for {what}: {said}")
        };
        let busy = self.definition.busy_words.iter().any(|word| text.contains(word.as_str()));
        let seconds = answer.header("retry-after").and_then(|value| value.trim().parse().ok());
        Err(match status {
            _ if busy => self.transient(message, seconds.map(Duration::from_secs)),
            401 | 403 => ConnectorError::Refused { connector: self.id.clone(), message },
            408 | 425 | 429 | 500..=599 => self.transient(message, seconds.map(Duration::from_secs)),
            _ => self.failed(message),
        })
    }
}

/// An address without its parameters, for messages.
pub(super) fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}
