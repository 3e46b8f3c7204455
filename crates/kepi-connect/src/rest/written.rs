//! A definition as it stands in its TOML file.

use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) base_url: Spanned<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) config: BTreeMap<String, WrittenConfig>,
    /// A path that `check` asks for.
    pub(super) check: Option<Spanned<String>>,
    /// Where an answer says what is wrong.
    #[serde(default)]
    pub(super) error_message: String,
    /// Words in an answer that say that the request may be made later, whatever its status.
    #[serde(default)]
    pub(super) busy_words: Vec<String>,
    #[serde(rename = "stream")]
    pub(super) streams: Vec<WrittenStream>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenConfig {
    pub(super) doc: String,
    pub(super) default: Option<String>,
    #[serde(default)]
    pub(super) optional: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenStream {
    pub(super) name: Spanned<String>,
    pub(super) id: Spanned<Vec<String>>,
    pub(super) cursor_field: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) time: WrittenTime,
    pub(super) settle: Option<Spanned<String>>,
    pub(super) lookback: Option<Spanned<String>>,
    pub(super) begin: Option<Spanned<String>>,
    pub(super) max_results: Option<u64>,
    pub(super) total: Option<String>,
    pub(super) delete: Option<WrittenDelete>,
    #[serde(default)]
    pub(super) fields: BTreeMap<String, Spanned<String>>,
    pub(super) read: WrittenRequest,
    /// A list of records that are gone at the source.
    pub(super) deleted: Option<WrittenRequest>,
    /// What happened since the last run, where records cannot be asked for by when they changed.
    pub(super) changes: Option<WrittenChanges>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenDelete {
    pub(super) field: String,
    pub(super) is: toml::Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenChanges {
    pub(super) list: WrittenRequest,
    #[serde(rename = "ref")]
    pub(super) reference: String,
    pub(super) object: Spanned<String>,
    pub(super) keep: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenRequest {
    pub(super) path: Spanned<String>,
    #[serde(default = "get")]
    pub(super) method: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, Spanned<OneOrMore>>,
    pub(super) body: Option<Spanned<toml::Value>>,
    #[serde(default)]
    pub(super) records: String,
    #[serde(default = "hundred")]
    pub(super) page_size: u32,
    pub(super) paginate: Spanned<WrittenPaginate>,
    /// The field by which only what happened since the last run counts.
    pub(super) only_since: Option<String>,
}

fn get() -> String {
    "GET".to_string()
}

fn hundred() -> u32 {
    100
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a text, or a list of texts, is needed")]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenPaginate {
    pub(super) kind: WrittenKind,
    /// `cursor`: where the answer has the token. `next`: where it has the address.
    pub(super) token: Option<String>,
    /// `cursor`: the last token is where the next run goes on.
    #[serde(default)]
    pub(super) keep: bool,
    /// `page`: the number of the first one.
    pub(super) first: Option<u64>,
    /// `keyset`: the fields that order the records.
    #[serde(default)]
    pub(super) keys: Vec<String>,
    /// `keyset`: what they are before the first page; a template each.
    #[serde(default)]
    pub(super) start: Vec<String>,
    /// Where the answer says yes or no to there being more, or to this being the end.
    pub(super) more: Option<String>,
    pub(super) end: Option<String>,
    /// `offset`: where the answer has the number of all records.
    pub(super) total: Option<String>,
    /// `keyset`: only an empty page is the last one.
    #[serde(default)]
    pub(super) until_empty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WrittenKind {
    None,
    Cursor,
    Offset,
    Page,
    Link,
    Next,
    Keyset,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenTime {
    #[default]
    Rfc3339,
    Unix,
    UnixMs,
}
