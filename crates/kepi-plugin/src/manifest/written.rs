//! A manifest as it is written, with the places of what may be wrong.

use super::{Capabilities, ManifestOAuth, ManifestRate, Provides, Runtime};
use kepi_model::declared::FunctionKind;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) id: Spanned<String>,
    pub(super) version: Spanned<String>,
    pub(super) api: Spanned<String>,
    pub(super) runtime: Runtime,
    pub(super) provides: Spanned<Vec<Provides>>,
    pub(super) file: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default, rename = "function")]
    pub(super) functions: Vec<WrittenFunction>,
    #[serde(default)]
    pub(super) capabilities: Capabilities,
    #[serde(default)]
    pub(super) oauth2: BTreeMap<String, ManifestOAuth>,
    #[serde(default, rename = "rate")]
    pub(super) rates: Vec<ManifestRate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenFunction {
    pub(super) name: Spanned<String>,
    pub(super) kind: Spanned<FunctionKind>,
    pub(super) doc: Spanned<String>,
    pub(super) params: Spanned<Vec<WrittenParameter>>,
    pub(super) returns: Spanned<String>,
    #[serde(default)]
    pub(super) sees_missing: bool,
    #[serde(default, rename = "sample")]
    pub(super) samples: Vec<WrittenSample>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenSample {
    pub(super) args: Vec<toml::Value>,
    #[serde(default)]
    pub(super) season: Option<u32>,
    #[serde(default)]
    pub(super) now: Option<toml::value::Datetime>,
    pub(super) gives: toml::Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenParameter {
    pub(super) name: Spanned<String>,
    pub(super) kind: Spanned<Kinds>,
    #[serde(default)]
    pub(super) optional: bool,
    #[serde(default)]
    pub(super) constant: bool,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a kind such as \"money\", or a list of kinds, is needed")]
pub(super) enum Kinds {
    One(String),
    Several(Vec<String>),
}
