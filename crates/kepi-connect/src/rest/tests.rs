//! The REST connector against a server on this machine.
#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.

use super::*;
use crate::service::mock::{Asked, Mock, Said, said};
use crate::service::{Grants, HttpService, HttpSettings};
use kepi_extension::{
    Connector, ConnectorError, ConnectorHost, HttpError, HttpRequest, HttpResponse, Page, PageRequest,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// 2024-05-01T10:00:00Z.
const NOW: i64 = 1_714_557_600_000_000;

struct Host {
    service: HttpService,
    now: i64,
}

impl ConnectorHost for Host {
    fn read_file(&self, _: &str) -> Result<String, String> {
        Err("none".to_string())
    }

    fn list_files(&self, _: &str) -> Result<Vec<String>, String> {
        Err("none".to_string())
    }

    fn fetch(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        self.service.fetch(request)
    }

    fn now(&self) -> i64 {
        self.now
    }

    fn log(&self, _: &str) {}
}

fn host(mock: &Mock, now: i64) -> Host {
    let mut grants = Grants::default();
    grants.allow_own(&format!("http://127.0.0.1:{}", mock.port)).unwrap();
    Host { service: HttpService::new(HttpSettings { grants, ..HttpSettings::default() }), now }
}

fn connector(text: &str) -> RestConnector {
    RestConnector::new("test.crm", Definition::parse("crm.toml", text).unwrap())
}

fn read(
    connector: &RestConnector,
    mock: &Mock,
    cursor: Option<&str>,
    size: u32,
    now: i64,
) -> Result<Page, ConnectorError> {
    let request = PageRequest {
        stream: "deals".to_string(),
        config: json!({"base_url": mock.url("")}).to_string(),
        cursor: cursor.map(str::to_string),
        page_size: size,
        since: None,
    };
    connector.read(&request, &host(mock, now))
}

/// A whole run: records, deleted keys, the last cursor. Every page is asked for on its own.
fn run(
    connector: &RestConnector,
    mock: &Mock,
    cursor: Option<String>,
    size: u32,
    now: i64,
) -> (Vec<Value>, Vec<String>, Option<String>) {
    let (mut records, mut deleted, mut cursor) = (Vec::new(), Vec::new(), cursor);
    for _ in 0..1_000 {
        let page = read(connector, mock, cursor.as_deref(), size, now).unwrap();
        assert!(page.records.len() + page.deleted.len() <= size as usize);
        records.extend(page.records.iter().map(|record| serde_json::from_str(record).unwrap()));
        deleted.extend(page.deleted);
        cursor = page.cursor;
        if !page.more {
            return (records, deleted, cursor);
        }
    }
    panic!("the run does not end");
}

fn ids(records: &[Value]) -> Vec<i64> {
    records.iter().map(|record| record["id"].as_i64().unwrap()).collect()
}

/// A value in the query of a request.
fn asked_for(asked: &Asked, name: &str) -> Option<String> {
    let query = asked.target.split_once('?')?.1;
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.replace("%3A", ":"))
}

fn number(asked: &Asked, name: &str) -> Option<i64> {
    asked_for(asked, name)?.parse().ok()
}

fn page_of(ids: impl Iterator<Item = i64>) -> Vec<Value> {
    ids.map(|id| json!({"id": id})).collect()
}

const HEAD: &str = "base_url = \"https://api.example.com\"\n[[stream]]\nname = \"deals\"\nid = [\"id\"]\n";

#[test]
fn every_way_of_paging_gives_every_record_once() {
    let mock = Mock::start(|asked: &Asked, _| {
        let size = number(asked, "size").unwrap_or(10);
        let from = |after: i64| page_of((after + 1..=23).take(usize::try_from(size).unwrap()));
        let last = |records: &[Value]| records.last().map_or(23, |record| record["id"].as_i64().unwrap());
        match asked.target.split('?').next().unwrap() {
            "/cursor" => {
                let records = from(number(asked, "after").unwrap_or(0));
                let next = last(&records);
                said(200, &json!({"data": records, "next": (next < 23).then(|| next.to_string())}).to_string())
            }
            "/offset" => said(200, &json!({"data": from(number(asked, "offset").unwrap()), "total": 23}).to_string()),
            "/page" => said(200, &json!({"data": from((number(asked, "page").unwrap() - 1) * size)}).to_string()),
            "/keyset" => said(200, &json!({"data": from(number(asked, "after").unwrap_or(0))}).to_string()),
            "/next" => {
                let records = from(number(asked, "after").unwrap_or(0));
                let next = last(&records);
                said(
                    200,
                    &json!({"data": records, "next": (next < 23).then(|| format!("/next?after={next}"))}).to_string(),
                )
            }
            _ => {
                let records = from(number(asked, "after").unwrap_or(0));
                let next = last(&records);
                let answer = said(200, &Value::from(records).to_string());
                if next < 23 { answer.with("Link", &format!("</link?after={next}>; rel=\"next\"")) } else { answer }
            }
        }
    });
    for (path, rest) in [
        (
            "cursor",
            "query = { size = \"{{page_size}}\", after = \"{{cursor}}\" }\nrecords = \"data\"\npaginate = { kind = \"cursor\", token = \"next\" }",
        ),
        (
            "offset",
            "query = { size = \"{{page_size}}\", offset = \"{{offset}}\" }\nrecords = \"data\"\npaginate = { kind = \"offset\", total = \"total\" }",
        ),
        (
            "page",
            "query = { size = \"{{page_size}}\", page = \"{{page}}\" }\nrecords = \"data\"\npaginate = { kind = \"page\" }",
        ),
        (
            "keyset",
            "query = { size = \"{{page_size}}\", after = \"{{last.id}}\" }\nrecords = \"data\"\npaginate = { kind = \"keyset\", keys = [\"id\"] }",
        ),
        ("next", "records = \"data\"\npaginate = { kind = \"next\", token = \"next\" }"),
        ("link", "paginate = { kind = \"link\" }"),
    ] {
        let connector = connector(&format!("{HEAD}[stream.read]\npath = \"/{path}\"\npage_size = 10\n{rest}\n"));
        // Also where fewer are wanted than a page of the service has.
        for size in [500, 10, 4] {
            let (records, _, cursor) = run(&connector, &mock, None, size, NOW);
            assert_eq!(ids(&records), (1..=23).collect::<Vec<_>>(), "{path} {size}");
            // A stream without a cursor field is read whole each time.
            assert_eq!(cursor.as_deref(), Some("{}"), "{path}");
        }
    }
}

const WINDOWED: &str = r#"base_url = "https://api.example.com"
[[stream]]
name = "deals"
id = ["id"]
cursor_field = "at"
time = "unix"
settle = "60s"
lookback = "1h"
begin = "2024-01-01"
max_results = 100
total = "total"
delete = { field = "archived", is = true }
[stream.read]
path = "/search"
query = { since = "{{since}}", until = "{{until}}", size = "{{page_size}}", after = "{{cursor}}" }
records = "data"
page_size = 20
paginate = { kind = "cursor", token = "next" }
"#;

/// Records one a second, thirty of them at the same one; the service gives no more than the first 100 of a search.
fn search(records: &[(i64, i64)], asked: &Asked) -> Said {
    let (since, until) = (number(asked, "since").unwrap(), number(asked, "until").unwrap());
    let found: Vec<&(i64, i64)> = records.iter().filter(|(_, at)| (since..until).contains(at)).collect();
    let after = usize::try_from(number(asked, "after").unwrap_or(0)).unwrap();
    if after + 20 > 100 {
        return said(400, "{\"message\":\"no more than 100 results\"}");
    }
    let page: Vec<Value> = found
        .iter()
        .skip(after)
        .take(20)
        .map(|(id, at)| json!({"id": id, "at": at, "archived": id % 50 == 0}))
        .collect();
    let next = after + page.len();
    said(200, &json!({"data": page, "total": found.len(), "next": (next < found.len()).then_some(next)}).to_string())
}

#[test]
fn a_capped_search_is_cut_into_windows_and_the_next_run_begins_where_it_ended() {
    let now = NOW / 1_000_000;
    let records: Vec<(i64, i64)> =
        (1..=1_000).map(|id| (id, if id <= 30 { now - 9_000 } else { now - 9_000 + id })).collect();
    let mock = Mock::start(move |asked: &Asked, _| search(&records, asked));
    let connector = connector(WINDOWED);
    let (found, deleted, cursor) = run(&connector, &mock, None, 500, NOW);
    let all: BTreeSet<i64> = ids(&found).into_iter().collect();
    assert_eq!((found.len(), all.len(), deleted.len()), (980, 980, 20));
    assert!(deleted.contains(&"{\"id\":50}".to_string()));
    // Up to the settle delay, in the service's own unit.
    assert_eq!(cursor.as_deref(), Some(format!("{{\"done\":{}}}", NOW - 60_000_000).as_str()));
    let before = mock.asked().len();
    let (again, _, _) = run(&connector, &mock, cursor, 500, NOW + 60_000_000);
    assert_eq!(again.len(), 0);
    let asked = &mock.asked()[before];
    assert_eq!((number(asked, "since"), number(asked, "until")), (Some(now - 60 - 3_600), Some(now)));
}

#[test]
fn records_of_one_moment_beyond_the_cap_are_an_error_not_a_loss() {
    let now = NOW / 1_000_000;
    let records: Vec<(i64, i64)> = (1..=101).map(|id| (id, now - 9_000)).collect();
    let mock = Mock::start(move |asked: &Asked, _| search(&records, asked));
    let connector = connector(WINDOWED);
    let mut cursor = None;
    let error = loop {
        match read(&connector, &mock, cursor.as_deref(), 500, NOW) {
            Ok(page) => {
                assert!(page.more && page.records.is_empty());
                cursor = page.cursor;
            }
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("101 records share one moment, and the service gives only 100"), "{error}");
}

#[test]
fn changes_are_read_as_events_and_each_object_anew() {
    let text = r#"base_url = "https://api.example.com"
[[stream]]
name = "deals"
id = ["id"]
cursor_field = "created"
time = "unix"
delete = { field = "deleted", is = true }
[stream.read]
path = "/deals"
query = { "created[gte]" = "{{since}}", "created[lt]" = "{{until}}", after = "{{last.id}}" }
records = "data"
paginate = { kind = "keyset", keys = ["id"], more = "has_more" }
[stream.changes]
ref = "data.object.id"
object = "/deals/{{ref}}"
keep = "30d"
[stream.changes.list]
path = "/events"
query = { "types[]" = ["deal.updated", "deal.deleted"], "created[gte]" = "{{since}}" }
records = "data"
paginate = { kind = "none" }
"#;
    let mock = Mock::start(|asked: &Asked, _| match asked.target.split('?').next().unwrap() {
        "/deals" => said(200, &json!({"data": [{"id": "d1"}, {"id": "d2"}], "has_more": false}).to_string()),
        "/events" => {
            let of = |id: &str| json!({"data": {"object": {"id": id}}});
            said(200, &json!({"data": [of("d2"), of("d1"), of("d2"), of("d/3")]}).to_string())
        }
        "/deals/d1" => said(200, "{\"id\":\"d1\",\"deleted\":true}"),
        "/deals/d2" => said(200, "{\"id\":\"d2\",\"amount\":7}"),
        _ => said(404, "{}"),
    });
    let connector = connector(text);
    let (first, _, cursor) = run(&connector, &mock, None, 500, NOW);
    assert_eq!(first.len(), 2);
    assert!(mock.asked().iter().all(|asked| asked.target.starts_with("/deals?created%5Bgte%5D=0&created%5Blt%5D=")));
    let (second, deleted, cursor) = run(&connector, &mock, cursor, 500, NOW + 1_000_000);
    assert_eq!(second, [json!({"id": "d2", "amount": 7})]);
    assert_eq!(deleted, ["{\"id\":\"d1\"}", "{\"id\":\"d/3\"}"]);
    let asked: Vec<String> = mock.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(
        asked[1..],
        [
            format!("/events?created%5Bgte%5D={}&types%5B%5D=deal.updated&types%5B%5D=deal.deleted", NOW / 1_000_000),
            "/deals/d2".to_string(),
            "/deals/d1".to_string(),
            "/deals/d%2F3".to_string()
        ]
    );
    // The service has forgotten what happened so long ago.
    let (third, _, _) = run(&connector, &mock, cursor, 500, NOW + 40 * 86_400_000_000);
    assert_eq!(third.len(), 2);
}

#[test]
fn a_token_that_stays_good_is_where_the_next_run_goes_on() {
    let text = format!(
        "{HEAD}cursor_field = \"at\"\ntime = \"unix\"\nbegin = \"2020-01-01\"\n[stream.read]\npath = \"/export\"\nquery = {{ start_time = \"{{{{since}}}}\", cursor = \"{{{{cursor}}}}\" }}\nrecords = \"data\"\npaginate = {{ kind = \"cursor\", token = \"after\", keep = true, end = \"end\" }}\n"
    );
    let mock = Mock::start(|asked: &Asked, number| {
        let (token, end) = (format!("t{}", number + 1), number >= 1);
        assert_eq!(asked_for(asked, "cursor"), (number > 0).then(|| format!("t{number}")));
        said(200, &json!({"data": [{"id": number}], "after": token, "end": end}).to_string())
    });
    let connector = connector(&text);
    let (first, _, cursor) = run(&connector, &mock, None, 500, NOW);
    assert_eq!(ids(&first), [0, 1]);
    let (second, _, _) = run(&connector, &mock, cursor, 500, NOW);
    assert_eq!(ids(&second), [2]);
}

#[test]
fn what_a_service_says_wrong_has_a_kind() {
    let mock = Mock::start(|asked: &Asked, _| match asked.target.as_str() {
        "/1" => said(401, "{\"message\":\"bad token\"}"),
        "/2" => said(400, "{\"error\":{\"message\":\"no such property\"}}"),
        "/3" => said(200, "{\"data\":[{\"id\":1}"),
        "/4" => said(403, "[{\"message\":\"TotalRequests Limit exceeded.\",\"errorCode\":\"REQUEST_LIMIT_EXCEEDED\"}]"),
        "/5" => said(200, "{\"items\":[]}"),
        "/6" => said(200, "{\"data\":null}"),
        _ => said(200, "{\"data\":[7]}"),
    });
    let error = |path: &str| {
        let text = format!(
            "busy_words = [\"REQUEST_LIMIT_EXCEEDED\"]\n{HEAD}[stream.read]\npath = \"{path}\"\nrecords = \"data\"\npaginate = {{ kind = \"none\" }}\n"
        );
        read(&connector(&text), &mock, None, 10, NOW)
    };
    assert!(
        matches!(error("/1"), Err(ConnectorError::Refused { message, .. }) if message == "status 401 for GET /1: bad token")
    );
    assert!(error("/2").unwrap_err().to_string().ends_with("status 400 for GET /2: no such property"));
    assert!(
        matches!(error("/3"), Err(ConnectorError::Transient { message, .. }) if message.ends_with("no JSON, or it was cut off"))
    );
    assert!(matches!(error("/4"), Err(ConnectorError::Transient { .. })));
    assert!(error("/5").unwrap_err().to_string().ends_with("the answer has no `data`"));
    assert_eq!(error("/6").unwrap().records.len(), 0);
    assert!(error("/7").unwrap_err().to_string().ends_with("a record is no object"));
}

#[test]
fn mistakes_in_a_definition_have_a_line_and_a_column() {
    let message = |text: &str| Definition::parse("crm.toml", text).unwrap_err().to_string();
    let changed = |from: &str, to: &str| {
        assert!(WINDOWED.contains(from), "{from}");
        message(&WINDOWED.replacen(from, to, 1))
    };
    for (from, to, said) in [
        ("{{since}}\", until", "{{sinse}}\", until", "crm.toml:15:19: `{{sinse}}` is not known"),
        ("\"60s\"", "\"soon\"", "crm.toml:7:10: `soon` is no length of time"),
        ("path = \"/search\"", "path = \"search\"", "crm.toml:14:8: the path does not begin with `/`"),
        (
            ", after = \"{{cursor}}\"",
            "",
            "crm.toml:18:12: the request has no {{cursor}}: each page would be the first one",
        ),
        ("kind = \"cursor\"", "kind = \"curser\"", "crm.toml:18:21: unknown variant `curser`"),
        ("id = [\"id\"]", "id = []", "crm.toml:4:6: the fields that tell records apart are missing"),
        ("cursor_field = \"at\"\n", "", "crm.toml:13:8: `{{since}}` and `{{until}}` need a cursor_field"),
        ("since = \"{{since}}\", ", "", "crm.toml:3:8: max_results needs `total`"),
        ("https://api", "ftp://api", "crm.toml:1:12: the address begins with neither"),
        ("records = \"data\"", "recods = \"data\"", "crm.toml:16:1: unknown field `recods`"),
        ("{{page_size}}", "{{config.size}}", "crm.toml:15:60: `{{config.size}}` is not declared"),
    ] {
        let message = changed(from, to);
        assert!(message.starts_with(said), "{message}\n{said}");
    }
}

#[test]
fn options_are_checked_and_described() {
    let text = format!(
        "{}[config.account]\ndoc = \"The account.\"\n[config.region]\ndoc = \"Its region.\"\ndefault = \"eu\"\n",
        "base_url = \"https://{{config.account}}.{{config.region}}.example.com\"\nstream = []\n"
    );
    let connector = RestConnector::new("test.crm", Definition::parse("crm.toml", &text).unwrap());
    let schema: Value = serde_json::from_str(&connector.config_schema().unwrap().unwrap()).unwrap();
    assert_eq!(schema["required"], json!(["account"]));
    assert_eq!(schema["properties"]["region"]["default"], "eu");
    let mock = Mock::start(|_, _| said(200, "{}"));
    let error = |config: Value| connector.check(&config.to_string(), &host(&mock, NOW)).unwrap_err().to_string();
    assert_eq!(error(json!({})), "test.crm: the option `account` is missing: The account.");
    assert_eq!(
        error(json!({"acount": "x"})),
        "test.crm: there is no option `acount`; there are account, region, base_url"
    );
}

#[test]
fn the_definitions_that_are_shipped_are_read() {
    for name in ["hubspot", "stripe", "salesforce", "zendesk"] {
        let path = format!("{}/../../plugins/{name}/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap();
        let definition = Definition::parse(&path, &text).map_err(|error| error.to_string());
        assert!(definition.as_ref().is_ok_and(|definition| definition.streams.len() >= 3), "{definition:?}");
    }
}
