//! The manifests of a plugin that is begun: kepi's and cargo's.

use super::{PluginKind, PluginLanguage};

/// `kepi-plugin.toml`.
pub(super) fn of(name: &str, language: PluginLanguage, kind: PluginKind, secret: &str) -> String {
    let (runtime, file) = match language {
        PluginLanguage::Rhai => ("rhai", format!("{name}.rhai")),
        PluginLanguage::Rest => ("rest", format!("{name}.toml")),
        PluginLanguage::Rust | PluginLanguage::Python | PluginLanguage::JavaScript => ("wasm", format!("{name}.wasm")),
    };
    let provides = kind.word();
    let head = format!(
        r#"id = "my.{name}"
version = "0.1.0"               # the plugin's own
api = "0.1"                     # the contract that it is written for
runtime = "{runtime}"
provides = ["{provides}"]
file = "{file}"
description = ""
"#
    );
    let rest = match kind {
        PluginKind::Connector => format!(
            r#"
# What it asks for; `kepi plugin add my.{name}` shows and grants it.
[capabilities]
hosts = ["api.example.com"]
secrets = ["{secret}"]
"#
        ),
        PluginKind::Scalar => SCALAR.to_string(),
        PluginKind::Aggregate => AGGREGATE.to_string(),
        PluginKind::Model => MODEL.to_string(),
        PluginKind::Series => SERIES.to_string(),
    };
    format!("{head}{rest}")
}

const SCALAR: &str = r#"
[[function]]
name = "margin"
kind = "scalar"
doc = "Margin as a share of revenue. Missing where revenue is 0."
params = [{ name = "revenue", kind = "money" }, { name = "cost", kind = "money" }]
returns = "percent"
# `kepi plugin check` runs these.
sample = [{ args = [200.0, 150.0], gives = 0.25 }, { args = [0.0, 1.0], gives = "missing" }]
"#;

const AGGREGATE: &str = r#"
[[function]]
name = "spread"
kind = "aggregate"
doc = "The largest value less the smallest one. Missing of nothing."
params = [{ name = "x", kind = ["number", "percent", "money", "duration"] }]
returns = "same as x"
# `kepi plugin check` runs these.
sample = [{ args = [[3.0, 1.0, 8.0]], gives = 7.0 }, { args = [[]], gives = "missing" }]
"#;

const MODEL: &str = r#"
[[function]]
name = "next_order"
kind = "model"
doc = "What a customer's next order is expected to be worth: the mean of their orders, drawn towards everyone's mean."
params = [
  { name = "customer", kind = "entity" },
  { name = "amount", kind = "money" },
  { name = "weight", kind = "number", constant = true, optional = true },
]
returns = "same as amount"
# `kepi plugin check` runs these: rows in the order of time, and a value for each customer in the order in which they come.
sample = [
  { args = [["ada", "ada", "bob", "bob"], [10.0, 20.0, 40.0, 30.0]], gives = [20.0, 30.0] },
  { args = [["ada", "bob"], [10.0, 30.0], 1.0], gives = [15.0, 25.0] },
  { args = [["ada"], [10.0]], gives = "missing" },
]
"#;

const SERIES: &str = r#"
[[function]]
name = "as_before"
kind = "series"
doc = "The value of the same period a season ago, `growth` more each time; where there is no whole season yet, the last value."
params = [
  { name = "past", kind = ["number", "count", "percent", "money", "duration"] },
  { name = "growth", kind = "percent", constant = true, optional = true },
]
returns = "same as past"
# `kepi plugin check` runs these: the past, and as many values behind it as are listed.
sample = [
  { args = [[1.0, 2.0, "missing", 4.0]], season = 2, gives = ["missing", 4.0, "missing"] },
  { args = [[4.0], 0.5], gives = [6.0, 9.0] },
  { args = [[4.0]], season = 12, gives = [4.0] },
  { args = [[]], gives = "missing" },
]
"#;

/// `Cargo.toml`.
pub(super) fn of_cargo(name: &str, kind: PluginKind) -> String {
    let json = match kind {
        PluginKind::Connector => {
            "serde = { version = \"1\", features = [\"derive\"] }\nserde_json = { version = \"1\", features = [\"raw_value\"] }\n"
        }
        _ => "",
    };
    format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"
publish = false

# A plugin is a workspace of its own.
[workspace]

[lib]
crate-type = ["cdylib"]

[dependencies]
kepi-plugin-sdk = {{ path = "sdk" }}
{json}
[profile.release]
opt-level = "s"
lto = true
codegen-units = 1
panic = "abort"
strip = true
"#
    )
}
