//! Whether a plugin is sound: its manifest, its file, its functions on the samples of the manifest, its connector
//! against the service beside it.

use crate::api::EngineError;
use crate::conformance;
use crate::granting::check_grants;
use crate::plugins::{connector_of, plugin_error, words};
use crate::samples;
use crate::{RuleResult, Verdict};
use kepi_plugin::{Found, Provides, SOURCE_SECTION, Settings, custom_section, hash_sources, load, shipped};
use std::path::Path;

/// What `kepi plugin check` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginCheck {
    /// The plugin's id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Each rule, in the order in which they were looked at.
    pub rules: Vec<RuleResult>,
}

impl PluginCheck {
    /// How many rules are broken.
    pub fn broken(&self) -> usize {
        self.rules.iter().filter(|rule| matches!(rule.verdict, Verdict::Broken(_))).count()
    }

    fn say(&mut self, rule: &'static str, outcome: Result<(), String>) {
        let verdict = outcome.map_or_else(|fault| Verdict::Broken(vec![fault]), |()| Verdict::Holds);
        self.rules.push(RuleResult { stream: String::new(), rule, verdict });
    }
}

/// Checks the plugin in a folder. Errors: there is no manifest, or it has a mistake; what is wrong with the plugin itself
/// stands in the result.
pub fn check_plugin(folder: &Path) -> Result<PluginCheck, EngineError> {
    let found = Found::in_folder(folder).map_err(plugin_error)?;
    let mut check =
        PluginCheck { id: found.manifest.id.clone(), version: found.manifest.version.clone(), rules: Vec::new() };
    check.say("what it asks for can be granted", check_grants(&found.manifest).map_err(|error| error.to_string()));
    let bytes = match found.read() {
        Ok(bytes) => bytes,
        Err(error) => {
            let hint = if has_source(folder) { "; `kepi plugin build` makes it" } else { "" };
            check.say("its file is there", Err(words(&error) + hint));
            return Ok(check);
        }
    };
    if has_source(folder) {
        check.say("its component is built from its source", built_from(folder, &bytes));
    }
    let settings = Settings::default();
    let loaded = match load(&found, "plugin", &settings) {
        Ok(loaded) => loaded,
        Err(error) => {
            check.say("it can be loaded", Err(words(&error)));
            return Ok(check);
        }
    };
    if !found.manifest.functions.is_empty() {
        check.rules.extend(samples::check(&found.manifest, &loaded));
    }
    if found.manifest.offers(Provides::Connector) {
        match connector_of(&found, &settings) {
            Err(error) => check.say("it can be loaded", Err(words(&error))),
            Ok(None) => {
                check.say("it can be loaded", Err("its manifest promises a connector, and there is none".into()))
            }
            Ok(Some(connector)) => match conformance::check(&found, connector) {
                Ok(rules) => check.rules.extend(rules),
                Err(error) => check.say("the connector at work", Err(error)),
            },
        }
    }
    Ok(check)
}

/// Whether an id is that of a plugin which is part of kepi.
pub fn is_shipped_plugin(id: &str) -> bool {
    shipped().iter().any(|found| found.manifest.id == id)
}

/// Whether the plugin is built from what lies in its folder.
fn has_source(folder: &Path) -> bool {
    ["Cargo.toml", "plugin.py", "plugin.js"].iter().any(|file| folder.join(file).is_file())
}

fn built_from(folder: &Path, component: &[u8]) -> Result<(), String> {
    let hash = hash_sources(folder).map_err(|error| format!("its source cannot be read: {error}"))?;
    match custom_section(component, SOURCE_SECTION) {
        Some(known) if known == hash.as_bytes() => Ok(()),
        Some(_) => Err("the source has changed since: `kepi plugin build`".to_string()),
        None => Err("the component does not say what it was built from: `kepi plugin build`".to_string()),
    }
}
