//! `kepi-plugin.toml`: what a plugin says of itself, read without starting it.

mod check;
mod functions;
mod written;

pub(crate) use check::is_name;

use crate::PluginError;
use kepi_model::declared::{FunctionKind, Signature};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// A plugin's description of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Its name for `use plugin "…"`: `acme.margins`.
    pub id: String,
    /// Its own version.
    pub version: String,
    /// What it is for; may be empty.
    pub description: String,
    /// What runs it.
    pub runtime: Runtime,
    /// What it offers.
    pub provides: Vec<Provides>,
    /// The component or script, relative to the manifest and within its folder; empty for what is compiled in.
    pub file: String,
    /// Its functions.
    pub functions: Vec<ManifestFunction>,
    /// What it asks for.
    pub capabilities: Capabilities,
    /// Access tokens that it uses as `{{oauth2:NAME}}`, by name.
    pub oauth2: BTreeMap<String, ManifestOAuth>,
    /// How many requests its service takes.
    pub rates: Vec<ManifestRate>,
}

/// How an access token is had; the values are secrets, given by their names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestOAuth {
    /// Where tokens are given out.
    pub token_url: String,
    /// The secret with the client's id.
    pub client_id: String,
    /// The secret with the client's secret.
    pub client_secret: String,
    /// The secret with the refresh token.
    pub refresh_token: String,
}

/// How many requests a part of a service takes in a time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestRate {
    /// What it is called while it is waited for.
    pub name: String,
    /// The hosts, as a pattern; empty: all.
    #[serde(default)]
    pub host: String,
    /// The paths, as a pattern; empty: all.
    #[serde(default)]
    pub path: String,
    /// `5/s`, `100/10s`.
    pub limit: String,
}

/// A function of a plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestFunction {
    /// Its signature, by its own name.
    pub signature: Signature,
    /// Whether it is called for rows with a missing argument.
    pub sees_missing: bool,
    /// What it gives for some arguments; `kepi plugin check` runs them.
    pub samples: Vec<ManifestSample>,
}

/// A call of a function and its answer, in JSON's values. An aggregate has a list of values for each parameter; so has a
/// model but for its constants, and it gives a list with a value per entity; a series has a list first, and gives a list of
/// the values behind it. In a manifest, what is missing is the text `missing`.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestSample {
    /// The arguments.
    pub args: Vec<serde_json::Value>,
    /// For a series: how many periods make a season.
    pub season: Option<u32>,
    /// For a model: the instant for which it is asked; none: 2026-01-01.
    pub now: Option<String>,
    /// The answer.
    pub gives: serde_json::Value,
}

/// What runs a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// A WebAssembly component.
    Wasm,
    /// A rhai script.
    Rhai,
    /// No code: a TOML file that describes a web service.
    Rest,
    /// Compiled into kepi: no file of its own.
    Native,
}

/// What a plugin offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provides {
    /// Functions of rows.
    Scalar,
    /// Functions of groups of rows.
    Aggregate,
    /// Functions that learn from a table of entities.
    Model,
    /// Functions that go on with a series of periods.
    Series,
    /// Records from outside.
    Connector,
}

impl Provides {
    /// What offers functions of a kind.
    pub fn functions(kind: FunctionKind) -> Provides {
        match kind {
            FunctionKind::Scalar => Provides::Scalar,
            FunctionKind::Aggregate => Provides::Aggregate,
            FunctionKind::Model => Provides::Model,
            FunctionKind::Series => Provides::Series,
        }
    }
}

/// What a plugin asks for; the user grants it. Nothing else can be had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capabilities {
    /// Files of one folder, which the user names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<FileAccess>,
    /// Hosts that it calls: `api.example.com`, `*.example.com`.
    pub hosts: Vec<String>,
    /// Secrets that the host puts into its requests, by name.
    pub secrets: Vec<String>,
    /// Whether it is shown the secrets themselves, to sign with them.
    pub sees_secrets: bool,
}

/// What may be done with files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileAccess {
    /// Read them.
    Read,
}

impl Manifest {
    /// Reads a manifest; `path` is only for messages.
    pub fn parse(path: &Path, text: &str) -> Result<Manifest, PluginError> {
        let written = toml::from_str(text).map_err(|e| (e.span().unwrap_or(0..0), e.message().to_string()));
        written.and_then(check::check).map_err(|(span, message)| {
            let before = text.get(..span.start).unwrap_or_default();
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            PluginError::Manifest {
                path: path.to_path_buf(),
                line: before.matches('\n').count() + 1,
                column: before[line_start..].chars().count() + 1,
                message,
            }
        })
    }

    /// Whether it offers this.
    pub fn offers(&self, what: Provides) -> bool {
        self.provides.contains(&what)
    }
}

#[cfg(test)]
mod tests;
