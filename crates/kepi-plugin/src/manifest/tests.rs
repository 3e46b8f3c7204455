//! Manifests that are right, and what is said of those that are not.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.

use super::*;
use kepi_model::declared::Returns;
use kepi_model::value::{Currency, Kind, Unit};

const GOOD: &str = r#"id = "acme.margins"
version = "1.2.0"
api = "0.1"
runtime = "wasm"
provides = ["scalar", "aggregate"]
file = "margins.wasm"

[[function]]
name = "margin"
kind = "scalar"
doc = "A margin."
params = [{ name = "revenue", kind = "money(EUR)" }, { name = "cost", kind = ["money", "number"], optional = true }]
returns = "percent"

[[function]]
name = "top"
kind = "aggregate"
doc = "The largest."
params = [{ name = "x", kind = "any" }]
returns = "same as x"
sees_missing = true
"#;

fn parse(text: &str) -> Result<Manifest, String> {
    Manifest::parse(Path::new("p/kepi-plugin.toml"), text).map_err(|e| e.to_string())
}

/// What is said of the good manifest with one change.
fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    parse(&GOOD.replacen(from, to, 1)).unwrap_err()
}

#[test]
fn a_good_manifest_is_read() {
    let manifest = parse(GOOD).unwrap();
    assert_eq!(
        (manifest.id.as_str(), manifest.runtime, manifest.file.as_str()),
        ("acme.margins", Runtime::Wasm, "margins.wasm")
    );
    let [margin, top] = manifest.functions.as_slice() else { panic!("{manifest:?}") };
    let eur = Kind::Money(Currency::parse("EUR"));
    assert_eq!(margin.signature.parameters[0].accepts, [eur]);
    assert_eq!(margin.signature.parameters[1].accepts, [Kind::Money(None), Kind::Number]);
    assert!(
        margin.signature.parameters[1].optional
            && margin.signature.kind == FunctionKind::Scalar
            && !margin.sees_missing
    );
    assert_eq!(margin.signature.returns, Returns::Unit(Unit::of(Kind::Percent)));
    assert_eq!(top.signature.returns, Returns::SameAs(0));
    assert!(
        top.signature.kind == FunctionKind::Aggregate
            && top.sees_missing
            && top.signature.parameters[0].accepts.is_empty()
    );
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let cases = [
        (changed("\"acme.margins\"", "\"Acme Margins\""), "p/kepi-plugin.toml:1:6: `Acme Margins` is no id: "),
        (
            changed("\"0.1\"", "\"0.2\""),
            "p/kepi-plugin.toml:3:7: the plugin needs api \"0.2\", and this kepi speaks \"0.1\"",
        ),
        (
            changed("\"wasm\"", "\"python\""),
            "p/kepi-plugin.toml:4:11: unknown variant `python`, expected one of `wasm`, `rhai`, `rest`",
        ),
        (
            changed("\"money(EUR)\"", "\"euros\""),
            "p/kepi-plugin.toml:12:38: `euros` is no kind; there are number, count, ",
        ),
        (
            changed("\"percent\"", "\"same as profit\""),
            "p/kepi-plugin.toml:13:11: `same as profit` names no parameter; there are revenue, cost",
        ),
        (
            changed("\"percent\"", "\"same as cost\""),
            "p/kepi-plugin.toml:13:11: the result cannot be the same as an optional parameter",
        ),
        (changed("\"scalar\", ", ""), "p/kepi-plugin.toml:10:8: `provides` does not say \"scalar\""),
        (changed("\"top\"", "\"margin\""), "p/kepi-plugin.toml:16:8: the function `margin` is there twice"),
        (changed("\"cost\"", "\"revenue\""), "the parameter `revenue` is there twice"),
        (changed("\"A margin.\"", "\" \""), "p/kepi-plugin.toml:11:7: the doc is empty"),
        (changed("sees_missing", "sees_misssing"), "p/kepi-plugin.toml:21:1: unknown field `sees_misssing`"),
        (changed("version = \"1.2.0\"\n", ""), "missing field `version`"),
        (changed("runtime =", "runtime"), "p/kepi-plugin.toml:4:"),
        (changed("kind = \"any\" }]", "kind = 3 }]"), "a kind such as \"money\", or a list of kinds, is needed"),
        (changed("[{ name = \"x\", kind = \"any\" }]", "[]"), "an aggregate needs a parameter"),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{message}\nlacks: {expected}");
    }
}

#[test]
fn the_file_lies_in_the_folder() {
    for file in ["../other.wasm", "/etc/passwd", "a/../../b", "", "a\\u0000b", "."] {
        let message = changed("\"margins.wasm\"", &format!("\"{file}\""));
        assert!(message.contains(":6:8: the file must lie in the plugin's folder"), "{file}: {message}");
    }
}

#[test]
fn what_is_provided_is_there() {
    let none = GOOD.split("\n[[function]]").next().unwrap();
    assert!(parse(none).unwrap_err().contains("it provides \"scalar\", but no [[function]] has kind = \"scalar\""));
    assert!(parse(&none.replace("\"scalar\", \"aggregate\"", "")).unwrap_err().contains("it provides nothing"));
    assert!(parse("").unwrap_err().starts_with("p/kepi-plugin.toml:1:1: missing field"));
}

#[test]
fn a_description_of_a_service_asks_for_hosts_secrets_and_room() {
    let text = r#"id = "acme.crm"
version = "1.0.0"
api = "0.1"
runtime = "rest"
provides = ["connector"]
file = "crm.toml"
[capabilities]
hosts = ["api.example.com", "*.example.org"]
secrets = ["CRM_ID", "CRM_KEY", "CRM_REFRESH"]
[oauth2.crm]
token_url = "https://api.example.com/token"
client_id = "CRM_ID"
client_secret = "CRM_KEY"
refresh_token = "CRM_REFRESH"
[[rate]]
name = "search"
path = "/*/search"
limit = "5/s"
"#;
    let manifest = parse(text).unwrap();
    assert_eq!(manifest.runtime, Runtime::Rest);
    assert_eq!(manifest.capabilities.hosts, ["api.example.com", "*.example.org"]);
    assert_eq!(manifest.capabilities.secrets.len(), 3);
    assert!(!manifest.capabilities.sees_secrets && manifest.capabilities.files.is_none());
    assert_eq!(manifest.oauth2["crm"].refresh_token, "CRM_REFRESH");
    let rate = &manifest.rates[0];
    assert_eq!((rate.name.as_str(), rate.host.as_str(), rate.limit.as_str()), ("search", "", "5/s"));
    let message = parse(&text.replace("[\"connector\"]", "[\"scalar\"]")).unwrap_err();
    assert!(message.starts_with("p/kepi-plugin.toml:5:12: the runtime \"rest\" provides a connector"), "{message}");
}
