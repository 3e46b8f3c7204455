//! @NAME@: orders of a service, page by page.
//!
//! The cursor is the time and the id of the last record. Time alone would lose records: a page may end between two of
//! the same time.

use kepi::host::{self, url_encode};
use kepi::{Page, PageRequest, SourceError, StreamField, StreamShape};
use kepi_plugin_sdk as kepi;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What the service answers. An order goes on as it was written: kepi reads its fields.
#[derive(Deserialize)]
struct Answer {
    orders: Vec<Box<RawValue>>,
    more: bool,
}

/// Where a page ends; of an order, what of it goes into the cursor.
#[derive(Default, Deserialize, Serialize)]
struct Place {
    updated_at: String,
    id: String,
}

struct Orders;

impl kepi::Connector for Orders {
    fn check(_: &str) -> Result<(), SourceError> {
        ask("/orders?limit=1").map(|_| ())
    }

    fn discover(_: &str) -> Result<Vec<StreamShape>, SourceError> {
        Ok(vec![StreamShape {
            name: "orders".to_string(),
            fields: vec![
                StreamField::new("id", "text", "Its id."),
                StreamField::new("updated_at", "time", "When it changed last."),
                StreamField::new("customer", "text", "Who ordered."),
                StreamField::new("amount", "money", "What it cost."),
            ],
            primary_key: vec!["id".to_string()],
            cursor_field: Some("updated_at".to_string()),
        }])
    }

    fn read(request: PageRequest) -> Result<Page, SourceError> {
        let last = match &request.cursor {
            Some(cursor) => place(cursor)?,
            None => Place::default(),
        };
        let (time, id) = (url_encode(&last.updated_at), url_encode(&last.id));
        let answer = ask(&format!("/orders?after_time={time}&after_id={id}&limit={}", request.page_size))?;
        let end = answer.orders.last().map_or(Ok(last), |order| place(order.get()))?;
        Ok(Page {
            records: answer.orders.iter().map(|order| order.get().to_string()).collect(),
            cursor: Some(serde_json::to_string(&end).map_err(|error| SourceError::Failed(error.to_string()))?),
            more: answer.more,
            deleted: Vec::new(),
        })
    }
}

kepi::plugin!(connector = Orders);

fn place(json: &str) -> Result<Place, SourceError> {
    serde_json::from_str(json)
        .map_err(|error| SourceError::Failed(format!("an order has no updated_at and id: {error}")))
}

/// The secret is put in by kepi, once it has seen that the address may be called.
fn ask(path: &str) -> Result<Answer, SourceError> {
    let token = ("Authorization".to_string(), "Bearer {{secret:@SECRET@}}".to_string());
    let url = format!("https://api.example.com{path}");
    let answer = host::fetch("GET", &url, &[token], None).map_err(SourceError::Failed)?;
    match answer.status {
        // An answer that was cut off is worth another try.
        200 => serde_json::from_slice(&answer.body)
            .map_err(|error| SourceError::Transient(format!("the answer cannot be read: {error}"), Some(5_000))),
        401 => Err(SourceError::Refused("the token is not accepted".to_string())),
        status => Err(SourceError::Transient(format!("status {status}"), Some(5_000))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kepi::host::Response;
    use kepi::testing::{self, Host};

    /// Two orders of one time, one to a page.
    struct Service;

    impl Host for Service {
        fn fetch(&self, _: &str, url: &str, _: &[(String, String)], _: Option<&[u8]>) -> Result<Response, String> {
            let (id, more) = if url.contains("after_id=&") { ("o1", true) } else { ("o2", false) };
            let body =
                format!(r#"{{"orders": [{{"id": "{id}", "updated_at": "2026-01-05T09:00:00Z"}}], "more": {more}}}"#);
            Ok(Response { status: 200, headers: Vec::new(), body: body.into_bytes() })
        }
    }

    #[test]
    fn a_page_ends_between_two_of_one_time() {
        let pages = testing::with_host(Service, || testing::pages::<Orders>("orders", "{}", 1)).unwrap();
        assert_eq!(pages.len(), 2);
        assert!(pages[1].records[0].contains("o2") && pages[0].cursor.as_ref().unwrap().contains("o1"));
    }
}
