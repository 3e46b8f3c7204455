//! `kepi plugin new`: the files with which a plugin begins, in the languages and kinds that work.

mod build;
mod manifest;

pub use build::build_plugin;

use crate::api::EngineError;
use crate::project_files::write_new;
use std::path::{Path, PathBuf};

/// The contract of components.
const CONTRACT: &str = include_str!("../../../../plugins/wit/v0.1/kepi-plugin.wit");

/// The records of the imitated service.
const ORDERS: &str = include_str!("templates/orders.json");
/// When the recording was made: 2026-03-01, in microseconds.
const RECORDED: i64 = 1_772_323_200_000_000;

/// What the author writes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginLanguage {
    /// A script.
    Rhai,
    /// A component of Rust.
    Rust,
    /// A component of Python.
    Python,
    /// A component of JavaScript.
    JavaScript,
    /// No code: a file that describes a web service.
    Rest,
}

/// What is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginKind {
    /// A function of rows.
    Scalar,
    /// A function of groups of rows.
    Aggregate,
    /// Records from outside.
    Connector,
    /// A function that learns from entities.
    Model,
    /// A function that goes on with past periods.
    Series,
}

impl PluginKind {
    /// The word for it in a manifest.
    fn word(self) -> &'static str {
        match self {
            PluginKind::Scalar => "scalar",
            PluginKind::Aggregate => "aggregate",
            PluginKind::Connector => "connector",
            PluginKind::Model => "model",
            PluginKind::Series => "series",
        }
    }
}

/// The SDK as a plugin carries it: no registry has it, and none is needed.
const SDK: &[(&str, &str)] = &[
    ("src/aggregate.rs", include_str!("../../../kepi-plugin-sdk/src/aggregate.rs")),
    ("src/argument.rs", include_str!("../../../kepi-plugin-sdk/src/argument.rs")),
    ("src/column.rs", include_str!("../../../kepi-plugin-sdk/src/column.rs")),
    ("src/connector.rs", include_str!("../../../kepi-plugin-sdk/src/connector.rs")),
    ("src/host.rs", include_str!("../../../kepi-plugin-sdk/src/host.rs")),
    ("src/learned.rs", include_str!("../../../kepi-plugin-sdk/src/learned.rs")),
    ("src/lib.rs", include_str!("../../../kepi-plugin-sdk/src/lib.rs")),
    ("src/scalar.rs", include_str!("../../../kepi-plugin-sdk/src/scalar.rs")),
    ("src/state.rs", include_str!("../../../kepi-plugin-sdk/src/state.rs")),
    ("src/testing.rs", include_str!("../../../kepi-plugin-sdk/src/testing.rs")),
    ("src/testing/learned.rs", include_str!("../../../kepi-plugin-sdk/src/testing/learned.rs")),
    ("src/wasm.rs", include_str!("../../../kepi-plugin-sdk/src/wasm.rs")),
    ("wit/kepi-plugin.wit", CONTRACT),
    ("macros/src/described.rs", include_str!("../../../kepi-plugin-macros/src/described.rs")),
    ("macros/src/lib.rs", include_str!("../../../kepi-plugin-macros/src/lib.rs")),
    ("macros/src/scalar.rs", include_str!("../../../kepi-plugin-macros/src/scalar.rs")),
    ("macros/src/state.rs", include_str!("../../../kepi-plugin-macros/src/state.rs")),
    ("Cargo.toml", SDK_MANIFEST),
    ("macros/Cargo.toml", MACROS_MANIFEST),
];
const SDK_MANIFEST: &str = r#"[package]
name = "kepi-plugin-sdk"
version = "0.1.0"
edition = "2024"
license = "MIT OR Apache-2.0"
publish = false

[dependencies]
kepi-plugin-macros = { path = "macros" }

[target.'cfg(target_arch = "wasm32")'.dependencies]
wit-bindgen = { version = "0.61", default-features = false, features = ["macros", "realloc", "std"] }
"#;
const MACROS_MANIFEST: &str = r#"[package]
name = "kepi-plugin-macros"
version = "0.1.0"
edition = "2024"
license = "MIT OR Apache-2.0"
publish = false

[lib]
proc-macro = true

[dependencies]
proc-macro2 = "1"
quote = "1"
syn = { version = "2", features = ["full"] }
"#;

/// Makes the files of a plugin in a new folder of its name below `place`; gives them. Where `cargo` or another builder is
/// needed, `kepi plugin build` calls it.
///
/// Errors: a name that is none, a folder that is there, a kind that the language cannot do.
pub fn new_plugin(
    place: &Path,
    name: &str,
    language: PluginLanguage,
    kind: PluginKind,
) -> Result<Vec<PathBuf>, EngineError> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(good) {
        return Err(EngineError::usage(format!("`{name}` is no name of a plugin"))
            .with_help("small letters, digits and `-` are needed, as in `crm-orders`"));
    }
    let body = body(language, kind)?;
    let folder = place.join(name);
    if folder.exists() {
        return Err(EngineError::usage(format!("{} is there already", folder.display())));
    }
    // What a model can write.
    let alias = name.replace('-', "_");
    let secret = format!("{}_TOKEN", alias.to_uppercase());
    let fill = |text: &str| {
        let text = text.replace("@NAME@", name).replace("@SECRET@", &secret).replace("@ALIAS@", &alias);
        text.replace("@secret@", &secret.to_lowercase())
    };
    let mut files: Vec<(String, String)> =
        vec![("kepi-plugin.toml".to_string(), manifest::of(name, language, kind, &secret))];
    match language {
        PluginLanguage::Rhai => files.push((format!("{name}.rhai"), fill(body))),
        PluginLanguage::Rest => files.push((format!("{name}.toml"), fill(body))),
        PluginLanguage::Rust => {
            files.push(("src/lib.rs".to_string(), fill(body)));
            files.push(("Cargo.toml".to_string(), manifest::of_cargo(name, kind)));
            files.push((".gitignore".to_string(), "target/\n".to_string()));
            files.extend(SDK.iter().map(|(path, text)| (format!("sdk/{path}"), (*text).to_string())));
        }
        PluginLanguage::Python => {
            files.push(("plugin.py".to_string(), fill(body)));
            files.push(("words.py".to_string(), include_str!("templates/words.py").to_string()));
            if kind != PluginKind::Connector {
                files.push(("columns.py".to_string(), include_str!("templates/columns.py").to_string()));
            }
            // The contract looks for the groups of an aggregation in a module of their own.
            let groups = match kind {
                PluginKind::Scalar => Some(include_str!("templates/scalar_functions.py")),
                PluginKind::Aggregate => Some(include_str!("templates/aggregate_functions.py")),
                PluginKind::Model | PluginKind::Series | PluginKind::Connector => None,
            };
            files.extend(groups.map(|text| ("functions.py".to_string(), text.to_string())));
        }
        PluginLanguage::JavaScript => {
            // A component of JavaScript is made of one file.
            let columns = if kind == PluginKind::Connector { "" } else { include_str!("templates/columns.js") };
            files.push(("plugin.js".to_string(), fill(body) + columns));
        }
    }
    if matches!(language, PluginLanguage::Python | PluginLanguage::JavaScript) {
        files.push(("wit/kepi-plugin.wit".to_string(), CONTRACT.to_string()));
    }
    if kind == PluginKind::Connector {
        files.push(("service.rhai".to_string(), fill(include_str!("templates/service.rhai"))));
        files.push(("recording/recording.jsonl".to_string(), recording(&alias, language, &secret)?));
        files.push(("fixtures/orders.json".to_string(), ORDERS.to_string()));
        files.push((format!("{name}.kepi"), fill(include_str!("templates/connector.kepi"))));
    }
    let mut written = Vec::new();
    for (path, text) in files {
        written.extend(write_new(&folder.join(path), &text)?);
    }
    Ok(written)
}

/// What the service answered once: all orders on one page, as `kepi sync --record` would have written it.
fn recording(alias: &str, language: PluginLanguage, secret: &str) -> Result<String, EngineError> {
    // A description leaves out what has no value yet, and begins at the beginning of time.
    let query = if language == PluginLanguage::Rest {
        "limit=1000&since=1970-01-01T00%3A00%3A00Z"
    } else {
        "after_time=&after_id=&limit=1000"
    };
    let orders: serde_json::Value = serde_json::from_str(ORDERS).map_err(EngineError::failed)?;
    let body = serde_json::json!({"orders": orders, "more": false}).to_string();
    let head = serde_json::json!({"kepi_recording": 1, "source": format!("{alias}_orders"), "now": RECORDED});
    let answer = serde_json::json!({
        "method": "GET",
        "url": format!("https://api.example.com/orders?{query}"),
        "request_headers": [["Authorization", format!("Bearer {{{{secret:{secret}}}}}")]],
        "status": 200,
        "body": {"text": body},
    });
    Ok(format!("{head}\n{answer}\n"))
}

/// The author's part; the error says what works.
fn body(language: PluginLanguage, kind: PluginKind) -> Result<&'static str, EngineError> {
    use PluginKind::{Aggregate, Connector, Model, Scalar, Series};
    use PluginLanguage::{JavaScript, Python, Rest, Rhai, Rust};
    match (language, kind) {
        (Rhai, Scalar) => Ok(include_str!("templates/scalar.rhai")),
        (Rhai, Aggregate) => Ok(include_str!("templates/aggregate.rhai")),
        (Rhai, Series) => Ok(include_str!("templates/series.rhai")),
        (Rhai, Connector) => Ok(include_str!("templates/connector.rhai")),
        (Rust, Scalar) => Ok(include_str!("templates/scalar.rs")),
        (Rust, Aggregate) => Ok(include_str!("templates/aggregate.rs")),
        (Rust, Model) => Ok(include_str!("templates/model.rs")),
        (Rust, Series) => Ok(include_str!("templates/series.rs")),
        (Rust, Connector) => Ok(include_str!("templates/connector.rs")),
        (Python, Scalar) => Ok(include_str!("templates/scalar.py")),
        (Python, Aggregate) => Ok(include_str!("templates/aggregate.py")),
        (Python, Model) => Ok(include_str!("templates/model.py")),
        (Python, Series) => Ok(include_str!("templates/series.py")),
        (Python, Connector) => Ok(include_str!("templates/connector.py")),
        (JavaScript, Scalar) => Ok(include_str!("templates/scalar.js")),
        (JavaScript, Aggregate) => Ok(include_str!("templates/aggregate.js")),
        (JavaScript, Model) => Ok(include_str!("templates/model.js")),
        (JavaScript, Series) => Ok(include_str!("templates/series.js")),
        (JavaScript, Connector) => Ok(include_str!("templates/connector.js")),
        (Rest, Connector) => Ok(include_str!("templates/rest.toml")),
        _ => {
            let (language, works) = match language {
                Rest => ("rest", "connector"),
                _ => ("rhai", "scalar, aggregate, series and connector"),
            };
            let other = match kind {
                Model => "rust, python and js do models",
                _ => "rhai, rust, python and js do functions",
            };
            Err(EngineError::usage(format!("there is no {} in {language}", kind.word()))
                .with_help(format!("{language} does {works}; {other}")))
        }
    }
}
