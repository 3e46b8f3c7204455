//! A connector that somebody describes for a service of their own network: cursors, times that are numbers, deletions, and a
//! service that asks to wait.

use super::mock::{Asked, Mock, said};
use super::{kepi, kepi_in, project_with};
use serde_json::{Value, json};
use std::fs;

const DESCRIPTION: &str = r#"
base_url = "BASE"
check = "/api/ping"
error_message = "fault.text"
[headers]
X-Api-Key = "{{secret:DESK_TOKEN}}"
[[stream]]
name = "tickets"
id = ["ticket_id"]
cursor_field = "changed"
time = "unix"
delete = { field = "gone", is = true }
[stream.read]
path = "/api/tickets"
records = "result.tickets"
page_size = 100
paginate = { kind = "cursor", token = "result.next_cursor" }
[stream.read.query]
changed_since = "{{since}}"
cursor = "{{cursor}}"
size = "{{page_size}}"
[stream.fields]
ticket_id = "count Its number."
changed = "time When it changed last."
minutes = "number How long it took."
"customer.ref" = "text Who asked."
"#;

const SERVICE: &str = r#"
fn answer(request) {
    if request.headers["x-api-key"] != "kepi-check-desk_token-7d41f0" { return #{ status: 401 }; }
    if request.path == "/api/ping" { return #{ body: #{ ok: true } }; }
    let query = request.query;
    let found = select(#{ stream: "tickets", order: ["changed", "ticket_id"], from: #{ changed: query.changed_since },
        skip: query.cursor, limit: query.size });
    #{ body: #{ result: #{ tickets: found.records, next_cursor: found.next } } }
}
"#;

const MODEL: &str = r#"
use plugin "my.desk" as desk
entity client key ref
event solved of client at changed { minutes: number }
source tickets from "desk:tickets" with allow = "BASE" {
  solved: at changed, id ticket_id, of client `customer.ref`, minutes
}
"#;

/// Three of a time; each fiftieth is gone.
fn ticket(number: usize) -> Value {
    json!({"ticket_id": number, "changed": 1_767_225_600 + number / 3 * 3_600, "customer": {"ref": format!("c{}", number % 7)},
        "minutes": number, "gone": number.is_multiple_of(50)})
}

/// The service itself: each fourth request comes too fast.
fn desk() -> Mock {
    Mock::start(|asked: &Asked, number| {
        if asked.header("x-api-key") != Some("key-12345") {
            return said(401, "{\"fault\": {\"text\": \"the key is not known\"}}");
        }
        if number % 4 == 2 {
            return said(429, "{}").with("Retry-After", "1");
        }
        let of = |name: &str| {
            let query = asked.target.split_once('?').map_or("", |(_, query)| query);
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.and_then(|value| value.parse::<usize>().ok())
        };
        let tickets: Vec<Value> = (1..=230).map(ticket).collect();
        let since = of("changed_since").unwrap_or(0) as u64;
        let found: Vec<&Value> = tickets.iter().filter(|t| t["changed"].as_u64() >= Some(since)).collect();
        let (at, size) = (of("cursor").unwrap_or(0), of("size").unwrap());
        let next = (at + size < found.len()).then(|| (at + size).to_string());
        let page: Vec<&&Value> = found.iter().skip(at).take(size).collect();
        said(200, &json!({"result": {"tickets": page, "next_cursor": next}}).to_string())
    })
}

#[test]
fn a_service_of_ones_own_network_is_described_checked_and_pulled() {
    let mock = desk();
    let base = mock.url("");
    let folder = project_with(&[("model/main.kepi", &MODEL.replace("BASE", &base))]);
    assert_eq!(kepi(folder.path(), &["plugin", "new", "desk", "--lang", "rest"]).code, 0);
    let write = |name: &str, text: &str| fs::write(folder.path().join("plugins/desk").join(name), text).unwrap();
    write("desk.toml", &DESCRIPTION.replace("BASE", &base));
    write("service.rhai", SERVICE);
    let few: Vec<Value> = (46..=52).map(ticket).collect();
    write("fixtures/tickets.json", &Value::from(few).to_string());
    fs::remove_file(folder.path().join("plugins/desk/fixtures/orders.json")).unwrap();
    let manifest = fs::read_to_string(folder.path().join("plugins/desk/kepi-plugin.toml")).unwrap();
    write("kepi-plugin.toml", &manifest.replace("api.example.com", &base));
    // One of the tickets is gone, and the host is this machine.
    let checked = kepi(folder.path(), &["plugin", "check", "my.desk"]);
    assert!(checked.code == 0 && checked.out.contains("ok    tickets: going on from any page"), "{}", checked.out);
    assert_eq!(kepi(folder.path(), &["plugin", "add", "my.desk", "--yes"]).code, 0);

    let sync = |arguments: &[&str]| {
        let all = [&["sync", "tickets"], arguments].concat();
        kepi_in(folder.path(), &all, &[("DESK_TOKEN", "key-12345")])
    };
    let refused = kepi_in(folder.path(), &["sync", "tickets"], &[("DESK_TOKEN", "key-other")]);
    assert!(refused.code != 0 && refused.err.contains("the key is not known"), "{}", refused.err);
    // The times are numbers, which the source does not say yet.
    let rejected = sync(&[]);
    assert_eq!(rejected.code, 4, "{}", rejected.err);
    for told in ["`dates = \"epoch\"`", "no row could be stored", "`kepi sync tickets --full`"] {
        assert!(rejected.err.contains(told), "{told}: {}", rejected.err);
    }
    let model = MODEL.replace("BASE", &base).replace("with allow", "with dates = \"epoch\", allow");
    fs::write(folder.path().join("model/main.kepi"), model).unwrap();
    let pulled = sync(&["--full"]);
    assert!(pulled.code == 0 && pulled.err.contains("226 new"), "{}", pulled.err);
    let shown = kepi(folder.path(), &["query", "show count(solved), sum(solved.minutes)", "--format", "csv"]);
    let minutes = (1..=230).sum::<usize>() - (50 + 100 + 150 + 200);
    assert_eq!(shown.out.lines().nth(1).unwrap(), format!("226,{minutes}"), "{}", shown.err);
    assert!(sync(&[]).err.contains("nothing new"));
}
