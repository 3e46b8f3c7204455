//! A connector with a stream for each fault.

use crate::Misbehaves;
use crate::exports::kepi::plugin::source::{Guest, Page, PageRequest, SourceError, StreamField, StreamShape};
use crate::kepi::plugin::{clock, files, http, log, secrets};
use std::cell::Cell;
use std::hint::black_box;

const STREAMS: &[&str] = &[
    "fine",
    "loops",
    "panics",
    "grows",
    "floods_the_log",
    "repeats_its_cursor",
    "forgets_its_cursor",
    "gives_no_json",
    "gives_too_many",
    "huge_cursor",
    "keeps_state",
    "reads_outside",
    "calls_elsewhere",
    "asks_for_any_secret",
    "logs_its_secret",
    "tells_its_secret",
    "panics_with_its_secret",
    "is_refused",
    "is_throttled",
    "wrong_config",
];

thread_local! {
    static PAGES: Cell<u32> = const { Cell::new(0) };
}

impl Guest for Misbehaves {
    fn config_schema() -> Option<String> {
        Some(r#"{"type": "object", "properties": {"token": {"type": "string", "format": "kepi-secret"}}}"#.to_string())
    }

    fn check(config: String) -> Result<(), SourceError> {
        if config.contains("wrong") { Err(SourceError::Config("the account is wrong".to_string())) } else { Ok(()) }
    }

    fn discover(_: String) -> Result<Vec<StreamShape>, SourceError> {
        let field = |name: &str, kind: &str| StreamField { name: name.to_string(), kind: kind.to_string(), doc: String::new() };
        let shape = |name: &&str| StreamShape {
            name: name.to_string(),
            fields: vec![field("id", "number"), field("at", "time")],
            primary_key: vec!["id".to_string()],
            cursor_field: Some("at".to_string()),
        };
        Ok(STREAMS.iter().map(shape).collect())
    }

    fn read(request: PageRequest) -> Result<Page, SourceError> {
        let page = |records: Vec<String>, cursor: Option<&str>, more: bool| {
            let deleted = if more { Vec::new() } else { vec![r#"{"id": 0}"#.to_string()] };
            Ok(Page { records, cursor: cursor.map(str::to_string), more, deleted })
        };
        let record = |id: u32| format!(r#"{{"id": {id}, "at": {}}}"#, clock::now());
        let failed = |error: String| SourceError::Failed(error);
        match request.stream.as_str() {
            // Two pages, the second one with a deleted key; of the service it asks for the records.
            "fine" => match request.cursor.as_deref() {
                None => {
                    let url = format!("https://api.example.com/records?since={}", request.since.unwrap_or(0));
                    let headers = [("authorization".to_string(), "Bearer {{secret:TOKEN}}".to_string())];
                    let (status, _, body) = http::fetch("GET", &url, &headers, None).map_err(failed)?;
                    if status != 200 {
                        return Err(SourceError::Failed(format!("status {status}")));
                    }
                    page(vec![String::from_utf8_lossy(&body).to_string(), record(1)], Some("1"), true)
                }
                Some(_) => page(vec![record(2)], Some("2"), false),
            },
            "loops" => loop {
                black_box(&request);
            },
            "panics" => {
                report_panics();
                panic!("of 3 records there is no fourth")
            }
            "grows" => {
                let mut kept = Vec::new();
                loop {
                    kept.push(black_box(vec![1_u8; 1 << 20]));
                }
            }
            "floods_the_log" => loop {
                log::write("info", "again");
            },
            "repeats_its_cursor" => page(vec![record(1)], Some(request.cursor.as_deref().unwrap_or("same")), true),
            "forgets_its_cursor" => page(vec![record(1)], None, true),
            "gives_no_json" => page(vec![record(1), "<html>".to_string()], None, false),
            "gives_too_many" => page((0..20_000).map(record).collect(), None, false),
            "huge_cursor" => page(Vec::new(), Some(&"x".repeat(100_000)), true),
            "keeps_state" => {
                let pages = PAGES.with(|pages| pages.replace(pages.get() + 1));
                page(vec![record(pages)], None, false)
            }
            "reads_outside" => {
                let path = request.cursor.as_deref().unwrap_or("../secret.txt");
                page(vec![files::read_file(path).map_err(failed)?], None, false)
            }
            "calls_elsewhere" => {
                let url = request.cursor.as_deref().unwrap_or("https://evil.example.org/");
                http::fetch("GET", url, &[], None).map_err(failed)?;
                page(Vec::new(), None, false)
            }
            "asks_for_any_secret" => page(vec![secrets::get("HOME").map_err(failed)?], None, false),
            "logs_its_secret" => {
                let token = secrets::get("TOKEN").map_err(failed)?;
                log::write("info", &format!("signing with {token}"));
                page(Vec::new(), None, false)
            }
            "tells_its_secret" => {
                let token = secrets::get("TOKEN").map_err(failed)?;
                Err(SourceError::Refused(format!("{token} is not accepted")))
            }
            "panics_with_its_secret" => {
                report_panics();
                let token = secrets::get("TOKEN").map_err(failed)?;
                panic!("{token} is too short")
            }
            "is_refused" => Err(SourceError::Refused("the token has expired".to_string())),
            "is_throttled" => Err(SourceError::Transient(("too many requests".to_string(), Some(38_000)))),
            "wrong_config" => Err(SourceError::Config("there is no account 7".to_string())),
            other => Err(SourceError::Config(format!("there is no stream {other}"))),
        }
    }
}

fn report_panics() {
    std::panic::set_hook(Box::new(|info| log::write("error", &info.to_string())));
}
