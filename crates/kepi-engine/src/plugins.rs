//! The plugins that a project's files use.

use crate::api::EngineError;
use crate::project::Project;
use kepi_connect::{Definition, RestConnector};
use kepi_extension::{Connector, Functions};
use kepi_model::declared::Signature;
use kepi_plugin::{
    Found, LOCK, Lock, Manifest, PluginError, Runtime, Settings, Standing, Stop, discover, load, shipped,
};
use kepi_syntax::ast::{File, Name, StatementKind};
use kepi_syntax::{Code, Diagnostic};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What the plugins in use offer.
#[derive(Clone, Default)]
pub(crate) struct Plugins {
    pub(crate) signatures: Vec<Signature>,
    pub(crate) functions: Functions,
    /// By alias.
    pub(crate) connectors: BTreeMap<String, UsedConnector>,
    /// Ends their running calls.
    pub(crate) stop: Stop,
}

/// A connector that a project uses.
#[derive(Clone, Debug)]
pub(crate) struct UsedConnector {
    /// The plugin's id.
    pub(crate) id: String,
    pub(crate) connector: Arc<dyn Connector>,
    /// What it asks for.
    pub(crate) manifest: Manifest,
    /// How it stands to `kepi.lock`.
    pub(crate) standing: Standing,
}

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugins").field("signatures", &self.signatures.len()).finish_non_exhaustive()
    }
}

impl Plugins {
    /// Loads what `use plugin "…"` names in the files. Nothing is looked for where nothing is used.
    pub(crate) fn of(
        project: &Project,
        files: &[(u32, &File)],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Result<Plugins, EngineError> {
        let mut plugins = Plugins::default();
        let mut used: Vec<(u32, &str, Option<&Name>, kepi_syntax::Span)> = Vec::new();
        for (index, file) in files {
            for statement in &file.statements {
                if let StatementKind::Use { plugin: Some(id), alias, .. } = &statement.kind {
                    used.push((*index, id, alias.as_ref(), statement.span));
                }
            }
        }
        if used.is_empty() {
            return Ok(plugins);
        }
        let (mut found, errors) = discover(&[project.root.join("plugins")]);
        found.extend(shipped());
        let lock = match found.iter().all(Found::is_shipped) {
            true => Lock::default(),
            false => Lock::read(&project.root.join(LOCK)).map_err(plugin_error)?,
        };
        let settings = Settings { cache: Some(project.compiled()), stop: plugins.stop.clone(), ..Settings::default() };
        for (file, id, alias, span) in used {
            let mut error = |message: String, help: String| {
                let mut diagnostic = Diagnostic::error(Code::UnknownModule, span, message).help(help);
                diagnostic.file = file;
                diagnostics.push(diagnostic);
            };
            let Some(plugin) = found.iter_mut().find(|f| f.manifest.id == id) else {
                let broken = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                let known: Vec<&str> = found.iter().map(|f| f.manifest.id.as_str()).collect();
                let help = if broken.is_empty() {
                    format!("put its folder into plugins/; there are {}", known.join(", "))
                } else {
                    format!("a manifest in plugins/ cannot be read: {broken}")
                };
                error(format!("there is no plugin `{id}`"), help);
                continue;
            };
            let alias = alias.map_or_else(|| last_word(id), |name| name.text.clone());
            if plugins.has(&alias) {
                error(
                    format!("two plugins are used as `{alias}`"),
                    "give one of them another name with `as`".to_string(),
                );
                continue;
            }
            let standing = match lock.standing(plugin) {
                Ok(Standing::Changed(changes)) => {
                    error(
                        format!("the plugin `{id}` is not what was added: {}", changes.join("; ")),
                        format!("`kepi plugin add {id}` shows what it asks for now"),
                    );
                    continue;
                }
                Ok(standing) => standing,
                Err(failure) => {
                    error(words(&failure), "`kepi plugin check` says what is wrong with it".to_string());
                    continue;
                }
            };
            match plugins.add(plugin, &alias, standing, &settings) {
                Ok(()) => {}
                Err(failure) => error(failure.to_string(), "mend the plugin's kepi-plugin.toml".to_string()),
            }
        }
        Ok(plugins)
    }

    /// Whether anything is offered that could be called.
    pub(crate) fn are_used(&self) -> bool {
        !self.signatures.is_empty() || !self.connectors.is_empty()
    }

    fn has(&self, alias: &str) -> bool {
        let dotted = format!("{alias}.");
        self.connectors.contains_key(alias) || self.signatures.iter().any(|s| s.name.starts_with(&dotted))
    }

    fn add(&mut self, found: &Found, alias: &str, standing: Standing, settings: &Settings) -> Result<(), PluginError> {
        let loaded = load(found, alias, settings)?;
        self.signatures.extend(loaded.signatures());
        let functions = loaded.functions();
        self.functions.scalars.extend(functions.scalars);
        self.functions.aggregates.extend(functions.aggregates);
        self.functions.models.extend(functions.models);
        self.functions.series.extend(functions.series);
        self.functions.contents.extend(functions.contents);
        let connector = match loaded.connector() {
            Some(connector) => Some(connector),
            None => by_the_host(found)?,
        };
        if let Some(connector) = connector {
            let (id, manifest) = (loaded.id().to_string(), found.manifest.clone());
            self.connectors.insert(alias.to_string(), UsedConnector { id, connector, manifest, standing });
        }
        Ok(())
    }
}

/// `acme.margins` is used as `margins`, `json-folder` as `json_folder`.
fn last_word(id: &str) -> String {
    id.rsplit('.').next().unwrap_or(id).replace('-', "_")
}

/// A plugin's error in words, with its cause.
pub(crate) fn words(error: &PluginError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

pub(crate) fn plugin_error(error: PluginError) -> EngineError {
    match error {
        PluginError::Io { .. } => EngineError::data(words(&error)),
        _ => EngineError::usage(words(&error)),
    }
}

/// The connector of a plugin, if it is one.
pub(crate) fn connector_of(found: &Found, settings: &Settings) -> Result<Option<Arc<dyn Connector>>, PluginError> {
    match load(found, "plugin", settings)?.connector() {
        Some(connector) => Ok(Some(connector)),
        None => by_the_host(found),
    }
}

/// The connector of what has no code of its own: a description, or what is compiled in.
fn by_the_host(found: &Found) -> Result<Option<Arc<dyn Connector>>, PluginError> {
    match found.manifest.runtime {
        Runtime::Rest => described(found).map(Some),
        Runtime::Native => Ok(kepi_connect::native(&found.manifest.id)),
        Runtime::Wasm | Runtime::Rhai => Ok(None),
    }
}

/// The connector that a definition describes.
fn described(found: &Found) -> Result<Arc<dyn Connector>, PluginError> {
    let Manifest { id, file, .. } = &found.manifest;
    let unsupported = |what: String| PluginError::Unsupported { id: id.clone(), what };
    let bytes = found.read()?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unsupported(format!("has no UTF-8 text in {file}")))?;
    let definition = Definition::parse(file, text).map_err(|error| unsupported(format!("has a mistake: {error}")))?;
    Ok(Arc::new(RestConnector::new(id, definition)))
}
