//! Connectors with one fault each, and the name that the suite gives it; and those that are part of kepi, which have
//! none.

use super::{Said, folder, kepi};
use std::fs;
use std::path::Path;

const MANIFEST: &str = "id = \"acme.crm\"\nversion = \"0.1.0\"\napi = \"0.1\"\nruntime = \"rhai\"\nprovides = [\"connector\"]\n\
    file = \"crm.rhai\"\n[capabilities]\nhosts = [\"crm.example.com\"]\nsecrets = [\"CRM_TOKEN\"]\nsees_secrets = true\n";

/// A connector without a fault: keyset by (time, id).
const GOOD: &str = r#"
fn streams() {
    [#{ name: "orders", primary_key: ["id"], cursor_field: "at", fields: #{ id: "text", at: "time", amount: "money" } }]
}

fn read(request) {
    let last = request.cursor ?? #{ at: 0, id: "" };
    let page = ask(`https://crm.example.com/orders?at=${last.at}&id=${last.id}&limit=${request.page_size}`);
    let records = page.data;
    let cursor = last;
    if !records.is_empty() {
        cursor = #{ at: records[records.len() - 1].at, id: records[records.len() - 1].id };
    }
    #{ records: records, cursor: cursor, more: page.more }
}

fn ask(url) {
    let answer = fetch(#{ url: url, headers: #{ Authorization: "Bearer {{secret:CRM_TOKEN}}" } });
    if answer.status == 401 { throw refused("the token is not accepted"); }
    if answer.status != 200 { throw transient(`status ${answer.status}`, 1); }
    parse_json(answer.body)
}
"#;

/// A service with a keyset, for faulty connectors also one by the time alone.
const SERVICE: &str = r#"
fn answer(request) {
    if request.headers.authorization != "Bearer kepi-check-crm_token-7d41f0" { return #{ status: 401 }; }
    let query = request.query;
    let wanted = #{ stream: "orders", order: ["at", "id"], limit: query.limit };
    if "skip" in query { wanted.skip = query.skip; } else { wanted.after = [query.at, query.id]; }
    let found = select(wanted);
    #{ body: #{ data: found.records, more: found.more } }
}
"#;

/// The faults that are named.
fn faults(said: &Said) -> Vec<String> {
    let lines = said.out.lines().filter_map(|line| line.trim_start().strip_prefix("fails "));
    let faults: Vec<String> = lines.map(|line| line.strip_prefix("orders: ").unwrap_or(line).to_string()).collect();
    assert_eq!(said.code, i32::from(!faults.is_empty()), "{}{}", said.out, said.err);
    faults
}

/// The faults of a connector that differs from the good one.
fn with(changes: &[(&str, &str)]) -> Vec<String> {
    let folder = folder();
    let mut script = GOOD.to_string();
    for (from, to) in changes {
        assert!(script.contains(from), "{from}");
        script = script.replace(from, to);
    }
    fs::create_dir(folder.path().join("fixtures")).unwrap();
    let order = |i: i64| format!("{{\"id\": \"o{i:02}\", \"at\": {}, \"amount\": {i}.5}}", 1_700_000_000 + i);
    let orders: Vec<String> = (0..12).map(order).collect();
    for (name, text) in [
        ("kepi-plugin.toml", MANIFEST),
        ("crm.rhai", &script),
        ("service.rhai", SERVICE),
        ("fixtures/orders.json", &format!("[{}]", orders.join(", "))),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    faults(&kepi(folder.path(), &["plugin", "check"]))
}

#[test]
fn a_good_connector_has_no_fault() {
    assert_eq!(with(&[]), Vec::<String>::new());
}

#[test]
fn lost_ties_are_named() {
    // The time alone: what shares it with the last record of a page is passed over.
    let found = with(&[("&id=${last.id}", "&id=~")]);
    assert!(found.iter().any(|fault| fault.starts_with("ties on the cursor: loses ties: ")), "{found:?}");
}

#[test]
fn a_repeated_page_is_named() {
    // Each page begins one record too early.
    let found = with(&[
        ("at=${last.at}&id=${last.id}", "skip=${last.at}"),
        (
            "#{ at: records[records.len() - 1].at, id: records[records.len() - 1].id }",
            "#{ at: last.at + max(1, records.len() - 1), id: `` }",
        ),
    ]);
    assert!(
        found.iter().any(|fault| fault.contains("repeats a page: \"o02\" came in page 1 and in page 2")),
        "{found:?}"
    );
}

#[test]
fn an_ignored_cursor_is_named() {
    let found = with(&[("request.cursor ?? #{ at: 0, id: \"\" }", "#{ at: 0, id: \"\" }")]);
    assert!(found.iter().any(|fault| fault.contains("every record once: ignores the cursor: ")), "{found:?}");
    // One that reads all at once, and again in each run.
    let all =
        "let last = #{ at: 0, id: \"\" };\n    let page = ask(`https://crm.example.com/orders?at=0&id=&limit=100000`);";
    let found = with(&[(
        "let last = request.cursor ?? #{ at: 0, id: \"\" };\n    let page = ask(`https://crm.example.com/orders?at=${last.at}&id=${last.id}&limit=${request.page_size}`);",
        all,
    )]);
    assert!(
        found.iter().any(|fault| fault.contains("only what is new: ignores the cursor: a second run gives")),
        "{found:?}"
    );
}

#[test]
fn a_leaked_secret_is_named() {
    let found = with(&[("let page = ask", "log(`asking with ${secret(\"CRM_TOKEN\")}`);\n    let page = ask")]);
    assert_eq!(found, ["secrets stay secret: leaks the secret CRM_TOKEN into the log"]);
    let found = with(&[(
        "let cursor = last;",
        "let cursor = last;\n    last.token = secret(\"CRM_TOKEN\");\n    cursor = last;",
    )]);
    assert!(
        found.contains(&"secrets stay secret: leaks the secret CRM_TOKEN into its cursor, which is stored".to_string()),
        "{found:?}"
    );
}

#[test]
fn a_host_that_is_not_granted_is_named() {
    let found = with(&[(
        "let page = ask",
        "try { fetch(\"https://stats.example.org/seen?x=1\"); } catch { }\n    let page = ask",
    )]);
    assert_eq!(found, ["only hosts that are granted: calls a host that is not granted: https://stats.example.org"]);
}

#[test]
fn a_redirect_to_a_private_address_is_named() {
    let follow = "let answer = try_ask(url);";
    let script = "fn try_ask(url) {\n    let headers = #{ Authorization: \"Bearer {{secret:CRM_TOKEN}}\" };\n    \
        try { return fetch(#{ url: url, headers: headers }); } catch (error) {\n        let words = `${error}`.split(\" \");\n        \
        for word in words { if word.starts_with(\"http://\") { return fetch(word); } }\n        throw error;\n    }\n}\n\nfn ask(url)";
    let found = with(&[
        ("let answer = fetch(#{ url: url, headers: #{ Authorization: \"Bearer {{secret:CRM_TOKEN}}\" } });", follow),
        ("fn ask(url)", script),
    ]);
    let named =
        "redirects lead nowhere else: follows a redirect to a private address: it asks for http://169.254.169.254";
    assert!(found.contains(&named.to_string()), "{found:?}");
}

#[test]
fn a_retyped_column_is_named() {
    let found = with(&[(
        "let cursor = last;",
        "let cursor = last;\n    if last.at > 0 { for i in 0..records.len() { records[i].amount = `${records[i].amount} EUR`; } }",
    )]);
    let named = "columns keep their kinds: retypes the column amount: number in page 1, text in page 2";
    assert!(found.iter().any(|fault| fault == named), "{found:?}");
}

#[test]
fn troubles_that_are_taken_for_an_end_are_named() {
    let found = with(&[("throw transient(`status ${answer.status}`, 1)", "return #{ data: [], more: false }")]);
    assert!(found.iter().any(|fault| fault.contains("loses 12 records where the service says 503")), "{found:?}");
    let found = with(&[("throw refused(\"the token is not accepted\")", "return #{ data: [], more: false }")]);
    assert_eq!(found, ["a refusal is told: takes a refusal (401) for a page"]);
}

/// The faults of the committed component with the fault that its configuration names.
fn component_with(fault: &str) -> Vec<String> {
    let folder = folder();
    let specimens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/specimens");
    for file in ["kepi-plugin.toml", "specimens.wasm"] {
        fs::copy(specimens.join(file), folder.path().join(file)).unwrap();
    }
    fs::create_dir(folder.path().join("fixtures")).unwrap();
    let order = |i: i64| format!("{{\"id\": \"o{i:02}\", \"at\": {}, \"amount\": {i}.5}}", 1_700_000_000 + i);
    let orders: Vec<String> = (0..12).map(order).collect();
    fs::write(folder.path().join("fixtures/orders.json"), format!("[{}]", orders.join(", "))).unwrap();
    let service = format!("fn config() {{ #{{ fault: \"{fault}\" }} }}\n{SERVICE}");
    fs::write(folder.path().join("service.rhai"), service).unwrap();
    faults(&kepi(folder.path(), &["plugin", "check"]))
}

#[test]
fn each_fault_of_a_component_is_named() {
    assert_eq!(component_with(""), Vec::<String>::new());
    for (fault, named) in [
        ("loses_ties", "ties on the cursor: loses ties: "),
        ("repeats_a_page", "repeats a page: "),
        ("ignores_the_cursor", "every record once: ignores the cursor: "),
        ("leaks_a_secret", "secrets stay secret: leaks the secret CRM_TOKEN into its cursor, which is stored"),
        (
            "calls_another_host",
            "only hosts that are granted: calls a host that is not granted: https://stats.example.org",
        ),
        (
            "follows_a_redirect",
            "redirects lead nowhere else: follows a redirect to a private address: it asks for http://169.254.169.254",
        ),
        ("retypes_a_column", "columns keep their kinds: retypes the column amount: number in page 1, text in page 2"),
    ] {
        let found = component_with(fault);
        assert!(found.iter().any(|told| told.contains(named)), "{fault}: {found:?}");
    }
}

#[test]
fn the_connectors_that_are_part_of_kepi_keep_every_rule() {
    for name in ["hubspot", "json-folder", "salesforce", "stripe", "zendesk"] {
        let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(name);
        let said = kepi(folder().path(), &["plugin", "check", plugin.to_str().unwrap()]);
        assert_eq!(faults(&said), Vec::<String>::new(), "{name}");
        assert!(said.out.lines().filter(|line| line.starts_with("  ok ")).count() >= 6, "{name}: {}", said.out);
    }
}
