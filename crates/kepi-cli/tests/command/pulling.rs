//! Pulling with everything that goes wrong on the way: the same rows in the end, and none twice.

use super::mock::{Asked, Mock, Said, said};
use super::{kepi, kepi_in, project_with};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A plugin of the project's own: keyset by (time, id), deletes marked in the records.
const MANIFEST: &str = "id = \"acme.crm\"\nversion = \"0.1.0\"\napi = \"0.1\"\nruntime = \"rest\"\nprovides = [\"connector\"]\n\
    file = \"crm.toml\"\n[capabilities]\nhosts = [\"crm.example.com\"]\nsecrets = [\"CRM_TOKEN\"]\n";
const DEFINITION: &str = r#"base_url = "https://crm.example.com"
[headers]
X-Key = "{{secret:CRM_TOKEN}}"
[[stream]]
name = "orders"
id = ["id"]
cursor_field = "at"
time = "unix"
lookback = "1s"
delete = { field = "gone", is = true }
[stream.read]
path = "/orders"
query = { since = "{{since}}", until = "{{until}}", time = "{{last.at}}", id = "{{last.id}}" }
records = "data"
page_size = 1000
paginate = { kind = "keyset", keys = ["at", "id"] }
"#;

fn model(mock: &Mock, more: &str) -> String {
    let here = mock.url("");
    format!(
        "use plugin \"acme.crm\" as crm\nevent orders at at {{ amount: money(EUR) }}\n\
         source crm_orders from \"crm:orders\" with base_url = \"{here}\", allow = \"{here}\", secrets = \"CRM_TOKEN\",\n\
           dates = \"epoch\" {{\n  orders: at `at`, id `id`, amount{more}\n}}\n"
    )
}

fn project(mock: &Mock) -> tempfile::TempDir {
    let folder = not_added(mock);
    let added = kepi(folder.path(), &["plugin", "add", "acme.crm", "--yes"]);
    assert_eq!(added.code, 0, "{}", added.err);
    folder
}

/// The same, before `kepi plugin add`.
fn not_added(mock: &Mock) -> tempfile::TempDir {
    let model = model(mock, "");
    project_with(&[
        ("plugins/crm/kepi-plugin.toml", MANIFEST),
        ("plugins/crm/crm.toml", DEFINITION),
        ("model/crm.kepi", &model),
    ])
}

const SECRET: [(&str, &str); 1] = [("CRM_TOKEN", "very-secret-1")];

fn number(asked: &Asked, name: &str) -> Option<i64> {
    let query = asked.target.split_once('?')?.1;
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(known, _)| *known == name)?.1.parse().ok()
}

/// 10,050 orders: times that rise by a second, but for thirty that share one around the end of the first page; every
/// 1,000th is gone.
fn orders() -> Vec<Value> {
    let order = |id: i64| {
        let at = 1_700_000_000 + if (985..1_015).contains(&id) { 985 } else { id };
        match id % 1_000 {
            999 => json!({"id": id, "at": at, "gone": true}),
            _ => json!({"id": id, "at": at, "amount": id}),
        }
    };
    (0..10_050).map(order).collect()
}

fn page(orders: &[Value], asked: &Asked) -> Value {
    let behind = (number(asked, "time").unwrap_or(0), number(asked, "id").unwrap_or(-1));
    let key = |order: &Value| (order["at"].as_i64().unwrap(), order["id"].as_i64().unwrap());
    let (since, until) = (number(asked, "since").unwrap(), number(asked, "until").unwrap());
    let found = orders.iter().filter(|order| key(order) > behind && (since..until).contains(&key(order).0));
    json!({"data": found.take(1_000).collect::<Vec<_>>()})
}

/// What is stored: how many orders, and the sum of their amounts.
fn stored(folder: &Path) -> (i64, i64) {
    let ran = kepi(folder, &["query", "show count(orders) as n, sum(orders.amount) as a", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    let whole = |place: usize| answer["rows"][0][place].as_f64().unwrap_or(0.0) as i64;
    (whole(0), whole(1))
}

fn expected() -> (i64, i64) {
    let left = (0..10_050i64).filter(|id| id % 1_000 != 999);
    (left.clone().count() as i64, left.sum())
}

#[test]
fn ties_a_full_service_a_cut_answer_and_a_repeated_page_lose_nothing() {
    let last: Mutex<String> = Mutex::default();
    let orders = orders();
    let mock = Mock::start(move |asked: &Asked, number| {
        let whole = page(&orders, asked).to_string();
        match number {
            1 => said(429, "{}").with("Retry-After", "1"),
            3 => said(200, &whole[..whole.len() / 2]),
            5 => Said { cut: Some(100), ..said(200, &whole) },
            // The page before once more.
            7 => said(200, &last.lock().unwrap()),
            _ => {
                last.lock().unwrap().clone_from(&whole);
                said(200, &whole)
            }
        }
    });
    let folder = project(&mock);
    let ran = kepi_in(folder.path(), &["sync", "crm_orders"], &SECRET);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(stored(folder.path()), expected(), "{}", ran.err);
    assert!(ran.err.contains("it was waited for: status 429"), "{}", ran.err);
    assert!(ran.err.contains("known"), "the repeated page is known: {}", ran.err);
    let again = kepi_in(folder.path(), &["sync", "crm_orders"], &SECRET);
    assert!(again.err.contains("`crm_orders` has nothing new"), "{}", again.err);
    let full = kepi_in(folder.path(), &["sync", "crm_orders", "--full"], &SECRET);
    assert!(full.err.contains("10,040 known") && !full.err.contains("new,"), "{}", full.err);
    assert_eq!(stored(folder.path()), expected());
}

#[test]
fn killed_after_every_page_and_at_any_moment_the_rows_are_the_same() {
    let child: Arc<Mutex<Option<Child>>> = Arc::default();
    let orders = orders();
    // At each second request the process that asks is killed: the page before is stored, and nobody was told.
    let (victim, killed) = (Arc::clone(&child), Arc::new(Mutex::new(0)));
    let kills = Arc::clone(&killed);
    let mock = Mock::start(move |asked: &Asked, number| {
        if number % 2 == 1 && *kills.lock().unwrap() < 12 {
            *kills.lock().unwrap() += 1;
            if let Some(child) = victim.lock().unwrap().as_mut() {
                child.kill().unwrap();
            }
        }
        said(200, &page(&orders, asked).to_string())
    });
    let folder = project(&mock);
    let mut runs = 0;
    loop {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kepi"));
        command.args(["sync", "crm_orders"]).current_dir(folder.path()).env_remove("KEPI_PROJECT").envs(SECRET);
        {
            // The server has the child before its first request can be answered.
            let mut place = child.lock().unwrap();
            *place = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        }
        // Some runs are killed by the clock, between commit and acknowledgement as well as anywhere else.
        let pause = std::time::Duration::from_millis(40 * runs);
        let by_clock = runs % 3 == 2;
        let ended = loop {
            std::thread::sleep(std::time::Duration::from_millis(10).max(if by_clock { pause } else { pause / 100 }));
            let mut place = child.lock().unwrap();
            let Some(running) = place.as_mut() else { break None };
            if by_clock {
                running.kill().unwrap();
            }
            if let Some(status) = running.try_wait().unwrap() {
                break Some(status);
            }
        };
        runs += 1;
        assert!(runs < 60, "it does not end");
        if ended.is_some_and(|status| status.success()) {
            break;
        }
        // What is there is whole pages, and can be read at any time.
        let (count, _) = stored(folder.path());
        assert!(count <= expected().0);
    }
    assert!(*killed.lock().unwrap() >= 10, "only {} kills", killed.lock().unwrap());
    assert_eq!(stored(folder.path()), expected());
}

#[test]
fn ended_between_each_commit_and_its_acknowledgement_the_rows_are_the_same() {
    let orders = orders();
    let mock = Mock::start(move |asked: &Asked, _| said(200, &page(&orders, asked).to_string()));
    let folder = project(&mock);
    let variables = [SECRET[0], ("KEPI_TEST_END_AFTER_COMMIT", "1")];
    let mut ends = 0;
    loop {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kepi"));
        command.args(["sync", "crm_orders"]).current_dir(folder.path()).env_remove("KEPI_PROJECT").envs(variables);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        if status.success() || cfg!(not(debug_assertions)) {
            break;
        }
        ends += 1;
        assert!(ends < 30, "it does not end");
        // What was committed is there, whole, though nobody was told.
        let (count, _) = stored(folder.path());
        assert!(count <= expected().0 && count >= (ends * 990).min(expected().0), "{count} after {ends}");
    }
    assert!(ends >= 11 || cfg!(not(debug_assertions)), "only {ends} ends");
    assert_eq!(stored(folder.path()), expected());
}

#[test]
fn a_recording_gives_the_same_rows_without_the_service() {
    let orders = orders();
    let mock = Mock::start(move |asked: &Asked, _| said(200, &page(&orders[..50], asked).to_string()));
    let folder = project(&mock);
    let ran = kepi_in(folder.path(), &["sync", "crm_orders", "--record", "tape"], &SECRET);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let tape = std::fs::read_to_string(folder.path().join("tape/recording.jsonl")).unwrap();
    assert!(tape.contains("{{secret:CRM_TOKEN}}") && !tape.contains("very-secret-1"), "{tape}");
    let asked = mock.asked().len();
    let elsewhere = project(&mock);
    std::fs::create_dir(elsewhere.path().join("tape")).unwrap();
    std::fs::copy(folder.path().join("tape/recording.jsonl"), elsewhere.path().join("tape/recording.jsonl")).unwrap();
    // No secret is needed.
    let replayed = kepi(elsewhere.path(), &["sync", "crm_orders", "--replay", "tape"]);
    assert_eq!(replayed.code, 0, "{}", replayed.err);
    assert_eq!(stored(elsewhere.path()), stored(folder.path()));
    assert_eq!(mock.asked().len(), asked);
    std::fs::write(elsewhere.path().join("tape/recording.jsonl"), tape.lines().next().unwrap()).unwrap();
    let missing = kepi(elsewhere.path(), &["sync", "crm_orders", "--replay", "tape"]);
    assert!(
        missing.code == 2 && missing.err.contains("/orders?") && missing.err.contains("is not in the recording"),
        "{}",
        missing.err
    );
}

#[test]
fn a_state_is_shown_edited_and_forgotten_and_since_begins_anew() {
    let orders = orders();
    let mock = Mock::start(move |asked: &Asked, _| said(200, &page(&orders[..50], asked).to_string()));
    let folder = project(&mock);
    let sync = |more: &[&str]| kepi_in(folder.path(), &[&["sync", "crm_orders"], more].concat(), &SECRET);
    assert!(sync(&["--state"]).err.contains("was never pulled"));
    assert!(sync(&["--since", "2023-11-14T22:13:50Z", "--limit", "5"]).err.contains("5 new"));
    assert_eq!(number(&mock.asked()[0], "since"), Some(1_700_000_030));
    let state: Value = serde_json::from_str(&sync(&["--state"]).out).unwrap();
    assert_eq!(state["cursor"]["run"]["skip"], 5);
    assert!(state["columns"]["amount"]["kinds"][0] == "number", "{state}");
    assert!(sync(&[]).err.contains("15 new"));
    let since = json!({"cursor": {"done": 1_700_000_010_000_000i64}}).to_string();
    assert_eq!(sync(&["--set-state", &since]).code, 0);
    // A second of lookback before the tenth: 9 to 49.
    assert!(sync(&[]).err.contains("20 known, 21 new"));
    assert_eq!(sync(&["--set-state", "{\"cusror\":1}"]).code, 2);
    assert_eq!(sync(&["--reset"]).code, 0);
    assert!(sync(&[]).err.contains("41 known, 9 new"));
    assert_eq!(stored(folder.path()).0, 50);
}

#[test]
fn a_changed_shape_stops_the_run_and_leaves_the_rows() {
    let shape = Arc::new(Mutex::new("amount"));
    let now = Arc::clone(&shape);
    let mock = Mock::start(move |asked: &Asked, _| {
        let from = number(asked, "since").unwrap();
        let record = |id: i64| match *now.lock().unwrap() {
            "amount" => json!({"id": id, "at": 1_700_000_000 + id, "amount": id}),
            "new" => json!({"id": id, "at": 1_700_000_000 + id, "amount": id, "colour": "red"}),
            "text" => json!({"id": id, "at": 1_700_000_000 + id, "amount": "much"}),
            _ => json!({"id": id, "at": 1_700_000_000 + id, "price": id}),
        };
        let start = if from == 0 { 0 } else { 30 };
        said(200, &json!({"data": (start..start + 30).map(record).collect::<Vec<_>>()}).to_string())
    });
    let folder = project(&mock);
    let sync = |more: &[&str]| kepi_in(folder.path(), &[&["sync", "crm_orders"], more].concat(), &SECRET);
    assert_eq!(sync(&[]).code, 0);
    let before = stored(folder.path());
    for (kind, said) in [
        ("text", "`amount` is text now and was number before"),
        ("gone", "`amount` was in all 30 records so far, and none of these 30 has it"),
    ] {
        *shape.lock().unwrap() = kind;
        let ran = sync(&[]);
        assert!(ran.code == 4 && ran.err.contains(said) && ran.err.contains("--full"), "{}", ran.err);
        assert_eq!(stored(folder.path()), before);
    }
    *shape.lock().unwrap() = "new";
    let ran = sync(&[]);
    assert!(ran.code == 0 && ran.err.contains("new in the records of `crm_orders`: colour"), "{}", ran.err);
    assert_eq!(stored(folder.path()).0, 60);
}

#[test]
fn nothing_is_called_that_nobody_granted() {
    let mock = Mock::start(|_, _| said(200, "{\"data\":[]}"));
    let folder = project(&mock);
    let written = model(&mock, "");
    let with =
        |from: &str, to: &str| std::fs::write(folder.path().join("model/crm.kepi"), written.replace(from, to)).unwrap();
    let error = |variables: &[(&str, &str)]| kepi_in(folder.path(), &["sync", "crm_orders"], variables).err;
    assert!(
        error(&[]).contains("the secret CRM_TOKEN is not there: neither in the environment variable CRM_TOKEN, nor in")
    );
    with("secrets = \"CRM_TOKEN\"", "secrets = \"OTHER_TOKEN\"");
    assert!(error(&SECRET).contains("names OTHER_TOKEN, for which the plugin acme.crm does not ask"));
    // A secret that the source leaves out is not had, whatever the plugin asks for.
    with("secrets = \"CRM_TOKEN\"", "secrets = \"\"");
    assert!(error(&SECRET).contains("the secret CRM_TOKEN was not granted"));
    with(&format!("allow = \"{}\"", mock.url("")), "allow = \"http://other.example\"");
    assert!(error(&SECRET).contains("is not among the hosts that were granted"));
    with(&format!("allow = \"{}\", ", mock.url("")), "");
    assert!(error(&SECRET).contains("is not among the hosts that were granted"));
    assert_eq!(mock.asked().len(), 0);
}

#[test]
fn a_plugin_that_was_not_added_or_changed_since_gets_nothing() {
    let mock = Mock::start(|_, _| said(200, "{\"data\":[]}"));
    let folder = not_added(&mock);
    let sync = || kepi_in(folder.path(), &["sync", "crm_orders"], &SECRET);
    let refused = sync();
    let told = "the plugin acme.crm was granted nothing yet, and it asks to call the host crm.example.com, \
                to have kepi send the secret CRM_TOKEN";
    assert!(refused.code == 2 && refused.err.contains(told), "{}", refused.err);
    assert!(refused.err.contains("hint: `kepi plugin add acme.crm` grants it"), "{}", refused.err);
    // Its host is no grant of the model's alone, either.
    std::fs::write(
        folder.path().join("plugins/crm/kepi-plugin.toml"),
        MANIFEST.split("[capabilities]").next().unwrap(),
    )
    .unwrap();
    let model = std::fs::read_to_string(folder.path().join("model/crm.kepi")).unwrap();
    std::fs::write(folder.path().join("model/crm.kepi"), model.replace(", secrets = \"CRM_TOKEN\"", "")).unwrap();
    let refused = sync();
    assert!(refused.code == 2 && refused.err.contains("the source `crm_orders` lets it call hosts"), "{}", refused.err);
    std::fs::write(folder.path().join("plugins/crm/kepi-plugin.toml"), MANIFEST).unwrap();
    assert_eq!(mock.asked().len(), 0);
    assert_eq!(kepi(folder.path(), &["plugin", "add", "acme.crm", "--yes"]).code, 0);
    assert_eq!(sync().code, 0);
    let before = mock.asked().len();
    assert!(before > 0);
    // Another description of the service under the same name: not even asked.
    std::fs::write(folder.path().join("plugins/crm/crm.toml"), format!("{DEFINITION}# changed\n")).unwrap();
    let refused = sync();
    let told = "the plugin `acme.crm` is not what was added: crm.toml has changed";
    assert!(refused.code == 1 && refused.err.contains(told), "{}", refused.err);
    assert_eq!(mock.asked().len(), before);
}

#[test]
fn the_zone_in_which_local_times_were_pulled_is_remembered() {
    let folder = project_with(&[
        (
            "model/a.kepi",
            "use plugin \"kepi.json-folder\" as json\nevent orders at at { amount: number }\n\
             source files from \"json:orders\" with folder = \"inbox\" { orders: at updated_at, id `id`, amount }\n",
        ),
        ("inbox/orders.json", "[{\"id\": 1, \"updated_at\": \"2026-01-05 23:30\", \"amount\": 5}]"),
    ]);
    let check = |told: bool| {
        let checked = kepi(folder.path(), &["check"]);
        let said = format!("{}{}", checked.out, checked.err);
        let words = "days and times of `orders` were read in UTC, and the zone is Europe/Amsterdam now";
        assert_eq!(said.contains(words), told, "{said}");
    };
    let sync = |arguments: &[&str]| {
        let pulled = kepi(folder.path(), &[&["sync", "files"], arguments].concat());
        assert_eq!(pulled.code, 0, "{}", pulled.err);
    };
    sync(&[]);
    check(false);
    fs::write(folder.path().join("kepi.toml"), "timezone = \"Europe/Amsterdam\"\n").unwrap();
    check(true);
    // Further records do not move those that are there; all anew does.
    fs::write(
        folder.path().join("inbox/orders.jsonl"),
        "{\"id\": 2, \"updated_at\": \"2026-01-06 23:30\", \"amount\": 5}\n",
    )
    .unwrap();
    sync(&[]);
    check(true);
    sync(&["--full"]);
    check(false);
}
