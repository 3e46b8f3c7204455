//! An imitated service: a script that answers as a service would, so that a connector can be checked without one.
//!
//! The script has `answer(request)`, or `files()` for a connector that reads a folder, and may have `config()`. It gets
//! its records by `select`, which is answered by whoever checks the connector.

use super::context::{self, Context};
use super::engine::{self, Fallible, refuse};
use super::json;
use crate::Settings;
use crate::failure::{Failure, inert};
use kepi_extension::{HttpRequest, HttpResponse};
use rhai::{AST, CallFnOptions, Dynamic, Engine, ImmutableString, Map, Scope};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Answers `select(#{ … })` of a script, JSON for JSON.
pub type Select = Arc<dyn Fn(&Value) -> Result<Value, String> + Send + Sync>;

/// A script in the place of a service.
pub struct ImitatedService {
    name: String,
    engine: Engine,
    ast: AST,
    settings: Settings,
}

impl fmt::Debug for ImitatedService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImitatedService").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ImitatedService {
    /// The service of a script; `name` is its file in messages. The error is in words, with the script's line.
    pub fn new(name: &str, text: &str, select: Select) -> Result<ImitatedService, String> {
        let settings = Settings::default();
        let mut engine = engine::build(&settings.limits);
        engine.register_fn("select", move |wanted: Map| -> Fallible<Dynamic> {
            let wanted = json::to_value(&Dynamic::from(wanted)).or_else(|error| refuse(&error))?;
            select(&wanted).map(json::to_dynamic).or_else(|error| refuse(&error))
        });
        engine.register_fn("between", |text: ImmutableString, from: ImmutableString, to: ImmutableString| -> String {
            let behind = text.split_once(from.as_str()).map_or("", |(_, behind)| behind);
            behind.split_once(to.as_str()).map_or("", |(found, _)| found).to_string()
        });
        let ast = engine.compile(text).map_err(|error| {
            format!("{name}{}: {}", engine::place(error.position()), inert(&error.err_type().to_string()))
        })?;
        let service = ImitatedService { name: name.to_string(), engine, ast, settings };
        match service.has("answer", 1) || service.has("files", 0) {
            true => Ok(service),
            false => Err(format!("{name} has neither answer(request) nor files()")),
        }
    }

    /// The configuration that the connector is to have, a JSON object.
    pub fn config(&self) -> Result<String, String> {
        match self.has("config", 0) {
            true => self.call("config", Vec::new(), |value| json::write(&value)),
            false => Ok("{}".to_string()),
        }
    }

    /// Whether it answers requests.
    pub fn answers(&self) -> bool {
        self.has("answer", 1)
    }

    /// The files of a folder, by path; none: the connector reads no files.
    pub fn files(&self) -> Result<BTreeMap<String, String>, String> {
        if !self.has("files", 0) {
            return Ok(BTreeMap::new());
        }
        self.call("files", Vec::new(), |value| {
            let map = value.try_cast::<Map>().ok_or("files() gives no map of paths and texts")?;
            Ok(map.into_iter().map(|(path, text)| (path.to_string(), text.to_string())).collect())
        })
    }

    /// Answers a request.
    pub fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, String> {
        let asked = asked(request);
        self.call("answer", vec![asked.into()], response)
    }

    fn has(&self, name: &str, count: usize) -> bool {
        self.ast.iter_functions().any(|f| f.name == name && f.params.len() == count)
    }

    fn call<R: Send>(
        &self,
        name: &str,
        arguments: Vec<Dynamic>,
        read: impl FnOnce(Dynamic) -> Result<R, String> + Send,
    ) -> Result<R, String> {
        let answer = context::on_script_thread(Context::new(&self.name, &self.settings, false), None, || {
            let (options, mut scope) = (CallFnOptions::new().eval_ast(false), Scope::new());
            let answer = self.engine.call_fn_with_options(options, &mut scope, &self.ast, name, arguments);
            let answer = answer.map_err(|error| engine::explain(&error, &self.name, &self.settings.limits))?;
            read(answer).map_err(|what| Failure::Failed(format!("{}: {what}", self.name)))
        });
        answer.map_err(|failure| match failure {
            Failure::Limit(limit) => format!("{} exceeded its {limit}", self.name),
            Failure::Argument(what) | Failure::Failed(what) | Failure::Refused(what) | Failure::Transient(what, _) => {
                what
            }
        })
    }
}

/// A request as the script sees it: `#{ method, url, host, path, query, headers, body }`.
fn asked(request: &HttpRequest) -> Map {
    let rest = request.url.split_once("://").map_or(request.url.as_str(), |(_, rest)| rest);
    let (host, target) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name).into(), Dynamic::from(decoded(value)))
    });
    let headers = request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase().into(), value.clone().into()));
    let body = request.body.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    let mut map = Map::new();
    for (key, text) in [("method", &request.method), ("url", &request.url)] {
        map.insert(key.into(), text.clone().into());
    }
    map.insert("host".into(), host.to_string().into());
    map.insert("path".into(), path.to_string().into());
    map.insert("query".into(), pairs.collect::<Map>().into());
    map.insert("headers".into(), headers.collect::<Map>().into());
    map.insert("body".into(), body.into());
    map
}

/// An answer: `#{ status, headers, body }`; a body that is no text is written as JSON.
fn response(answer: Dynamic) -> Result<HttpResponse, String> {
    let mut map = answer.try_cast::<Map>().ok_or("answer(request) gives no map #{ status, headers, body }")?;
    let status = map.remove("status").map_or(Ok(200), |status| status.as_int().map_err(|_| "status is no number"))?;
    let headers = map.remove("headers").unwrap_or_else(|| Map::new().into());
    let headers = headers.try_cast::<Map>().ok_or("headers is no map")?;
    let body = match map.remove("body") {
        None => Vec::new(),
        Some(body) if body.is_string() => body.to_string().into_bytes(),
        Some(body) => json::write(&body)?.into_bytes(),
    };
    Ok(HttpResponse {
        status: u16::try_from(status).map_err(|_| "status is no status")?,
        headers: headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_string())).collect(),
        body,
    })
}

/// A part of an address without its escapes.
fn decoded(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| tail.get(..2).and_then(|two| std::str::from_utf8(two).ok()))
            .flatten()
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        let plain = if *first == b'+' { b' ' } else { *first };
        out.push(escaped.unwrap_or(plain));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    #[test]
    fn a_script_answers_in_the_place_of_a_service() {
        let select: Select = Arc::new(|wanted| Ok(serde_json::json!([wanted["stream"], 7])));
        let text = "fn config() { #{ account: `a` } }\nfn answer(request) {\n  if request.headers.key != `k` { return #{ status: 401 }; }\n  \
            #{ headers: #{ Link: `x` }, body: #{ data: select(#{ stream: request.query.name }), on: request.path } }\n}\n";
        let service = ImitatedService::new("service.rhai", text, select).unwrap();
        assert_eq!(service.config().unwrap(), "{\"account\":\"a\"}");
        let mut request =
            HttpRequest { url: "https://a.example/v1/x?name=a%20b".to_string(), ..HttpRequest::default() };
        assert_eq!(service.answer(&request).unwrap().status, 401);
        request.headers.push(("Key".to_string(), "k".to_string()));
        let answer = service.answer(&request).unwrap();
        assert_eq!(answer.header("link"), Some("x"));
        assert_eq!(String::from_utf8(answer.body).unwrap(), "{\"data\":[\"a b\",7],\"on\":\"/v1/x\"}");
        let broken =
            ImitatedService::new("service.rhai", "fn answer(r) {\n  throw `no`;\n}", Arc::new(|_| Ok(Value::Null)));
        assert_eq!(broken.unwrap().answer(&request).unwrap_err(), "service.rhai:2: no");
        let empty = ImitatedService::new("service.rhai", "", Arc::new(|_| Ok(Value::Null))).unwrap_err();
        assert_eq!(empty, "service.rhai has neither answer(request) nor files()");
    }
}
