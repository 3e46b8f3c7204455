//! `kepi-plugin.toml`: what a plugin says of itself, read without starting it.

use crate::PluginError;
use crate::kinds::{parse_accepted, parse_returns};
use kepi_model::declared::{FunctionKind, Returns, Signature, SignatureParameter};
use kepi_model::value::Kind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Component, Path};
use toml::Spanned;

/// The contract that this kepi speaks.
const API: &str = "0.1";

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: Spanned<String>,
    version: Spanned<String>,
    api: Spanned<String>,
    runtime: Runtime,
    provides: Spanned<Vec<Provides>>,
    file: Option<Spanned<String>>,
    #[serde(default)]
    description: String,
    #[serde(default, rename = "function")]
    functions: Vec<WrittenFunction>,
    #[serde(default)]
    capabilities: Capabilities,
    #[serde(default)]
    oauth2: BTreeMap<String, ManifestOAuth>,
    #[serde(default, rename = "rate")]
    rates: Vec<ManifestRate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFunction {
    name: Spanned<String>,
    kind: Spanned<FunctionKind>,
    doc: Spanned<String>,
    params: Spanned<Vec<WrittenParameter>>,
    returns: Spanned<String>,
    #[serde(default)]
    sees_missing: bool,
    #[serde(default, rename = "sample")]
    samples: Vec<WrittenSample>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSample {
    args: Vec<toml::Value>,
    #[serde(default)]
    season: Option<u32>,
    #[serde(default)]
    now: Option<toml::value::Datetime>,
    gives: toml::Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenParameter {
    name: Spanned<String>,
    kind: Spanned<Kinds>,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    constant: bool,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a kind such as \"money\", or a list of kinds, is needed")]
enum Kinds {
    One(String),
    Several(Vec<String>),
}

/// A mistake and where it stands.
type Mistake = (Range<usize>, String);

impl Manifest {
    /// Reads a manifest; `path` is only for messages.
    pub fn parse(path: &Path, text: &str) -> Result<Manifest, PluginError> {
        let written = toml::from_str(text).map_err(|e| (e.span().unwrap_or(0..0), e.message().to_string()));
        written.and_then(check).map_err(|(span, message)| {
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

fn check(written: Written) -> Result<Manifest, Mistake> {
    if !is_id(written.id.get_ref()) {
        let what =
            "is no id: small letters, digits, `-` and `_` are needed, in parts joined by dots, as in \"acme.margins\"";
        return Err((written.id.span(), format!("`{}` {what}", written.id.get_ref())));
    }
    if written.version.get_ref().is_empty() {
        return Err((written.version.span(), "the version is empty".to_string()));
    }
    if written.api.get_ref() != API {
        let asked = written.api.get_ref();
        return Err((written.api.span(), format!("the plugin needs api \"{asked}\", and this kepi speaks \"{API}\"")));
    }
    if written.provides.get_ref().is_empty() {
        return Err((written.provides.span(), "it provides nothing".to_string()));
    }
    match (&written.file, written.runtime) {
        (None, Runtime::Native) => {}
        (Some(file), Runtime::Native) => {
            return Err((file.span(), "what is compiled in has no file: leave `file` out".to_string()));
        }
        (Some(file), _) => check_file(file)?,
        (None, _) => {
            return Err((written.id.span(), "`file` is missing: the component, script or description".to_string()));
        }
    }
    let name = match written.runtime {
        Runtime::Rest => "rest",
        Runtime::Native => "native",
        Runtime::Wasm | Runtime::Rhai => "",
    };
    if !name.is_empty() && *written.provides.get_ref() != [Provides::Connector] {
        let message =
            format!("the runtime \"{name}\" provides a connector, and nothing else: provides = [\"connector\"]");
        return Err((written.provides.span(), message));
    }
    let provides = written.provides.get_ref().clone();
    let mut functions: Vec<ManifestFunction> = Vec::new();
    for function in written.functions {
        let kind = *function.kind.get_ref();
        if !provides.contains(&Provides::functions(kind)) {
            return Err((function.kind.span(), format!("`provides` does not say \"{}\"", kind.word())));
        }
        if functions.iter().any(|f| f.signature.name == *function.name.get_ref()) {
            return Err((function.name.span(), format!("the function `{}` is there twice", function.name.get_ref())));
        }
        functions.push(check_function(function)?);
    }
    for kind in [FunctionKind::Scalar, FunctionKind::Aggregate, FunctionKind::Model, FunctionKind::Series] {
        if provides.contains(&Provides::functions(kind)) && !functions.iter().any(|f| f.signature.kind == kind) {
            let kind = kind.word();
            let message = format!("it provides \"{kind}\", but no [[function]] has kind = \"{kind}\"");
            return Err((written.provides.span(), message));
        }
    }
    Ok(Manifest {
        id: written.id.into_inner(),
        version: written.version.into_inner(),
        description: written.description,
        runtime: written.runtime,
        provides,
        file: written.file.map(Spanned::into_inner).unwrap_or_default(),
        functions,
        capabilities: written.capabilities,
        oauth2: written.oauth2,
        rates: written.rates,
    })
}

fn check_function(function: WrittenFunction) -> Result<ManifestFunction, Mistake> {
    check_name(&function.name)?;
    if function.doc.get_ref().trim().is_empty() {
        return Err((function.doc.span(), "the doc is empty; `kepi describe` shows it".to_string()));
    }
    let kind = *function.kind.get_ref();
    let params_span = function.params.span();
    if kind != FunctionKind::Scalar && function.params.get_ref().is_empty() {
        let which = if kind == FunctionKind::Aggregate { "an aggregate" } else { kind.word() };
        return Err((params_span, format!("{which} needs a parameter")));
    }
    let mut parameters: Vec<SignatureParameter> = Vec::new();
    for parameter in function.params.into_inner() {
        check_name(&parameter.name)?;
        let span = parameter.name.span();
        if parameters.iter().any(|p| p.name == *parameter.name.get_ref()) {
            return Err((span, format!("the parameter `{}` is there twice", parameter.name.get_ref())));
        }
        if !parameter.optional && parameters.last().is_some_and(|p| p.optional) {
            return Err((span, "a needed parameter cannot stand behind an optional one".to_string()));
        }
        let words = match parameter.kind.get_ref() {
            Kinds::One(word) => std::slice::from_ref(word),
            Kinds::Several(words) => words.as_slice(),
        };
        let mut accepts = Vec::new();
        for word in words {
            accepts.extend(parse_accepted(word).map_err(|message| (parameter.kind.span(), message))?);
        }
        parameters.push(SignatureParameter {
            name: parameter.name.into_inner(),
            accepts,
            optional: parameter.optional,
            constant: parameter.constant,
        });
    }
    check_shape(kind, &parameters).map_err(|message| (params_span, message))?;
    let names: Vec<&str> = parameters.iter().map(|p| p.name.as_str()).collect();
    let returns_span = function.returns.span();
    let returns = parse_returns(function.returns.get_ref(), &names);
    let returns = returns.map_err(|message| (function.returns.span(), message))?;
    if let Returns::SameAs(index) = returns
        && parameters[index].optional
    {
        return Err((function.returns.span(), "the result cannot be the same as an optional parameter".to_string()));
    }
    let (name, doc) = (function.name.into_inner(), function.doc.into_inner().trim().to_string());
    check_learned(kind, &parameters, &returns).map_err(|message| (returns_span, message))?;
    let signature = Signature { name, kind, doc, parameters, returns };
    let sample = |written: WrittenSample| ManifestSample {
        args: written.args.into_iter().map(plain).collect(),
        season: written.season,
        now: written.now.map(|now| now.to_string()),
        gives: plain(written.gives),
    };
    let samples = function.samples.into_iter().map(sample).collect();
    Ok(ManifestFunction { signature, sees_missing: function.sees_missing, samples })
}

/// A value of a sample; TOML has no word for what is missing.
fn plain(value: toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) if text == "missing" => serde_json::Value::Null,
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(yes) => yes.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(values) => values.into_iter().map(plain).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(name, value)| (name, plain(value))).collect(),
    }
}

/// What stands first in the parameters of a model and a series, and where constants may stand.
fn check_shape(kind: FunctionKind, parameters: &[SignatureParameter]) -> Result<(), String> {
    let entity = |p: &SignatureParameter| p.accepts.iter().any(|kind| matches!(kind, Kind::Entity(_)));
    for (index, parameter) in parameters.iter().enumerate() {
        let (name, first) = (&parameter.name, index == 0);
        let of_model = kind == FunctionKind::Model;
        if entity(parameter) && !(of_model && first && parameter.accepts.len() == 1 && !parameter.optional) {
            return Err(format!("`{name}` is an entity, which only the first parameter of a model can be"));
        }
        if of_model && first && !entity(parameter) {
            return Err(format!("the first parameter of a model is the entity: `{name}` needs kind = \"entity\""));
        }
        match kind {
            FunctionKind::Scalar | FunctionKind::Aggregate if parameter.constant => {
                return Err(format!("`{name}` is constant, which only parameters of a model or a series can be"));
            }
            FunctionKind::Model | FunctionKind::Series if first && (parameter.constant || parameter.optional) => {
                return Err(format!("`{name}`, the first parameter, can be neither constant nor optional"));
            }
            FunctionKind::Model if parameter.optional && !parameter.constant => {
                return Err(format!("`{name}` is optional, which only constants of a model can be"));
            }
            FunctionKind::Series if !first && !parameter.constant => {
                return Err(format!(
                    "`{name}` needs constant = true: a series has one parameter that is none, the first"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a model and a series can learn from, and give: numbers that have a mean.
fn check_learned(kind: FunctionKind, parameters: &[SignatureParameter], returns: &Returns) -> Result<(), String> {
    if !matches!(kind, FunctionKind::Model | FunctionKind::Series) {
        return Ok(());
    }
    let word = kind.word();
    let numbers =
        |kind: &Kind| matches!(kind, Kind::Number | Kind::Percent | Kind::Points | Kind::Money(_) | Kind::Duration);
    if kind == FunctionKind::Model && parameters.iter().any(|p| p.accepts.is_empty() || p.accepts.contains(&Kind::Text))
    {
        return Err("a model takes an entity, times, dates, numbers and yes/no, no text and not `any`".to_string());
    }
    let gives = match returns {
        Returns::Unit(unit) => numbers(&unit.kind),
        Returns::SameAs(index) => {
            let accepts = &parameters[*index].accepts;
            !accepts.is_empty()
                && accepts.iter().all(|k| numbers(k) || *k == Kind::Count && kind == FunctionKind::Series)
        }
    };
    if gives {
        return Ok(());
    }
    Err(format!("a {word} returns number, percent, points, money or duration"))
}

/// The file must lie in the plugin's own folder: no way out of it, whoever wrote the manifest.
fn check_file(file: &Spanned<String>) -> Result<(), Mistake> {
    let inside = Path::new(file.get_ref()).components().all(|part| matches!(part, Component::Normal(_)));
    if file.get_ref().is_empty() || file.get_ref().contains('\0') || !inside {
        let message = "the file must lie in the plugin's folder, named without `..` and from the manifest on";
        return Err((file.span(), message.to_string()));
    }
    Ok(())
}

fn check_name(name: &Spanned<String>) -> Result<(), Mistake> {
    if is_name(name.get_ref()) {
        return Ok(());
    }
    let message = format!("`{}` is no name: letters, digits and `_` are needed, with a letter first", name.get_ref());
    Err((name.span(), message))
}

/// Whether a text can name a function, a parameter or an alias.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_id(text: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    text.split('.').all(|part| part.starts_with(|c: char| c.is_ascii_lowercase()) && part.chars().all(good))
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
