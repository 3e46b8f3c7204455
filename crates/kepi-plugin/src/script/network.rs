//! What a script may ask of the network: requests that its host sends, and secrets that it was granted to see.

use super::context::{self, Answer, Ask};
use super::engine::{Fallible, refuse};
use super::json;
use crate::failure::{Failure, inert};
use kepi_extension::{HttpError, HttpRequest};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map, Position};
use std::fmt;
use std::time::Duration;

/// What `refused("…")` and `transient("…", seconds)` make: thrown, it says whose fault it is that there is no page.
#[derive(Clone)]
enum Fault {
    Refused(String),
    Transient(String, Option<Duration>),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Refused(message) | Fault::Transient(message, _) => f.write_str(message),
        }
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Fault>("fault");
    engine.register_fn("to_string", |fault: &mut Fault| fault.to_string());
    engine.register_fn("refused", |message: ImmutableString| Fault::Refused(message.to_string()));
    engine.register_fn("transient", |message: ImmutableString| Fault::Transient(message.to_string(), None));
    engine.register_fn("transient", |message: ImmutableString, seconds: i64| {
        let wait = u64::try_from(seconds).ok().map(Duration::from_secs);
        Fault::Transient(message.to_string(), wait)
    });
    engine.register_fn("fetch", |url: ImmutableString| {
        fetch(HttpRequest { method: "GET".to_string(), url: url.to_string(), ..HttpRequest::default() })
    });
    engine.register_fn("fetch", |request: Map| fetch(request_of(request)?));
    engine.register_fn("secret", |name: ImmutableString| -> Fallible<ImmutableString> {
        match context::ask(Ask::Secret(name.to_string())) {
            Ok(Answer::Text(text)) => Ok(text.into()),
            other => refuse(&other.err().unwrap_or_default()),
        }
    });
    engine.register_fn("url_encode", |text: ImmutableString| -> ImmutableString { encoded(&text).into() });
}

/// What a thrown value says, if it is one of these.
pub(super) fn fault(value: &Dynamic) -> Option<Failure> {
    match value.clone().try_cast::<Fault>()? {
        Fault::Refused(message) => Some(Failure::Refused(inert(&message))),
        Fault::Transient(message, wait) => Some(Failure::Transient(inert(&message), wait)),
    }
}

/// `#{ method, url, headers: #{ … }, body }`; a body that is no text is sent as JSON.
fn request_of(mut map: Map) -> Fallible<HttpRequest> {
    let mut text = |key: &str| match map.remove(key) {
        None => Ok(None),
        Some(value) if value.is_unit() => Ok(None),
        Some(value) => {
            value.into_string().map(Some).or_else(|kind| refuse(&format!("{key} of fetch is of type {kind}")))
        }
    };
    let method = text("method")?.unwrap_or_else(|| "GET".to_string());
    let Some(url) = text("url")? else { return refuse("fetch has no url") };
    let mut headers: Vec<(String, String)> = Vec::new();
    if let Some(given) = map.remove("headers") {
        let Some(given) = given.try_cast::<Map>() else { return refuse("headers of fetch is no map") };
        headers.extend(given.into_iter().map(|(name, value)| (name.to_string(), value.to_string())));
    }
    let body = match map.remove("body") {
        None => None,
        Some(body) if body.is_unit() => None,
        Some(body) if body.is_string() => Some(body.to_string().into_bytes()),
        Some(body) => {
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                headers.push(("Content-Type".to_string(), "application/json".to_string()));
            }
            Some(json::write(&body).or_else(|error| refuse(&error))?.into_bytes())
        }
    };
    match map.keys().next() {
        Some(other) => refuse(&format!("fetch has no {}; it has method, url, headers and body", inert(other))),
        None => Ok(HttpRequest { method, url, headers, body }),
    }
}

/// `#{ status, headers, body }` of the answer. A network that fails is a fault that may pass.
fn fetch(request: HttpRequest) -> Fallible<Map> {
    let answer = match context::ask(Ask::Fetch(request)) {
        Ok(Answer::Http(Ok(answer))) => answer,
        Ok(Answer::Http(Err(HttpError::Network(message)))) => {
            let fault = Dynamic::from(Fault::Transient(message, None));
            return Err(Box::new(EvalAltResult::ErrorRuntime(fault, Position::NONE)));
        }
        Ok(Answer::Http(Err(error))) => return refuse(&error.to_string()),
        other => return refuse(&other.err().unwrap_or_default()),
    };
    let Ok(body) = String::from_utf8(answer.body) else { return refuse("the answer is no UTF-8 text") };
    let headers: Map = answer.headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    let mut map = Map::new();
    map.insert("status".into(), i64::from(answer.status).into());
    map.insert("headers".into(), headers.into());
    map.insert("body".into(), body.into());
    Ok(map)
}

/// A text as a part of an address: all but letters, digits and `-._~` as `%XX`.
fn encoded(text: &str) -> String {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, ENCODED).to_string()
}
