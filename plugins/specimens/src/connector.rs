//! A connector of orders that reads by time and id. `fault` in its configuration names what it does wrong; without one it
//! does nothing wrong.

use kepi::host::{self, Response};
use kepi::{Page, PageRequest, SourceError, StreamField, StreamShape};
use kepi_plugin_sdk as kepi;
use serde_json::{Value, json};

pub struct Orders;

impl kepi::Connector for Orders {
    fn discover(_: &str) -> Result<Vec<StreamShape>, SourceError> {
        Ok(vec![StreamShape {
            name: "orders".to_string(),
            fields: vec![
                StreamField::new("id", "text", ""),
                StreamField::new("at", "time", ""),
                StreamField::new("amount", "money", ""),
            ],
            primary_key: vec!["id".to_string()],
            cursor_field: Some("at".to_string()),
        }])
    }

    fn read(request: PageRequest) -> Result<Page, SourceError> {
        let config = parse(&request.config)?;
        let fault = config["fault"].as_str().unwrap_or_default();
        let last = match &request.cursor {
            Some(cursor) if fault != "ignores_the_cursor" => parse(cursor)?,
            _ => json!({"at": 0, "id": "", "read": 0}),
        };
        if fault == "calls_another_host" {
            // It does not care whether it may.
            let _ = host::fetch("GET", "https://stats.example.org/seen?x=1", &[], None);
        }
        let (at, read) = (last["at"].as_i64().unwrap_or(0), last["read"].as_u64().unwrap_or(0));
        let place = match fault {
            // The time alone: what shares it with the last record of a page is passed over.
            "loses_ties" => format!("at={at}&id=~"),
            // Each page begins one record too early.
            "repeats_a_page" => format!("skip={read}"),
            _ => format!("at={at}&id={}", last["id"].as_str().unwrap_or_default()),
        };
        let url = format!("https://crm.example.com/orders?{place}&limit={}", request.page_size);
        let answer = ask(&url, fault)?;
        let mut records = answer["data"].as_array().cloned().unwrap_or_default();
        let mut cursor = last;
        if let Some(end) = records.last() {
            let next = read + (records.len() as u64 - 1).max(1);
            cursor = json!({"at": end["at"], "id": end["id"], "read": next});
        }
        if fault == "leaks_a_secret" {
            // kepi strikes it out of the log and of errors; the cursor is stored as it is.
            let token = host::secret("CRM_TOKEN").map_err(SourceError::Failed)?;
            host::log(&format!("asked with {token}"));
            cursor["token"] = token.into();
        }
        if fault == "retypes_a_column" && read > 0 {
            records.iter_mut().for_each(|record| record["amount"] = format!("{} EUR", record["amount"]).into());
        }
        Ok(Page {
            records: records.iter().map(Value::to_string).collect(),
            cursor: Some(cursor.to_string()),
            more: answer["more"].as_bool().unwrap_or(false),
            deleted: Vec::new(),
        })
    }
}

fn parse(text: &str) -> Result<Value, SourceError> {
    serde_json::from_str(text).map_err(|error| SourceError::Failed(error.to_string()))
}

fn ask(url: &str, fault: &str) -> Result<Value, SourceError> {
    let answer = fetch(url, fault).map_err(SourceError::Failed)?;
    match answer.status {
        200 => serde_json::from_slice(&answer.body).map_err(|e| SourceError::Transient(e.to_string(), Some(1_000))),
        401 => Err(SourceError::Refused("the token is not accepted".to_string())),
        status => Err(SourceError::Transient(format!("status {status}"), Some(1_000))),
    }
}

fn fetch(url: &str, fault: &str) -> Result<Response, String> {
    let token = ("Authorization".to_string(), "Bearer {{secret:CRM_TOKEN}}".to_string());
    let refused = match host::fetch("GET", url, &[token], None) {
        Err(refused) if fault == "follows_a_redirect" => refused,
        answer => return answer,
    };
    // It reads where it was sent out of the words of the refusal, and goes there by itself.
    match refused.split(' ').find(|word| word.starts_with("http://")) {
        Some(place) => host::fetch("GET", place, &[], None),
        None => Err(refused),
    }
}
