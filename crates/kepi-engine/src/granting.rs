//! Taking plugins into a project: what one asks for is shown before it is granted, and kepi.lock remembers both.

use crate::api::EngineError;
use crate::engine::Engine;
use crate::plugins::{plugin_error, words};
use kepi_plugin::{Capabilities, Found, LOCK, Lock, Locked, Manifest, Standing, discover, shipped};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of a project's own plugins.
const PLUGINS: &str = "plugins";
const MANIFEST: &str = "kepi-plugin.toml";

/// A plugin that a project could take in, and what it asks for.
#[derive(Clone, Debug)]
pub struct PluginOffer {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// What it is for; may be empty.
    pub description: String,
    /// What it asks for, a line each: "to call the host api.example.com".
    pub asks: Vec<String>,
    /// Why it has to be added anew, a sentence each; empty: it was never added.
    pub changes: Vec<String>,
    /// Whether it is added already, just as it is.
    pub added: bool,
    /// Where it will lie: a folder below `plugins/` of the project.
    pub folder: PathBuf,
    /// Where it comes from, as the lock says it.
    from: String,
    found: Found,
    /// The manifest's text, where it has to be copied.
    copied: Option<Vec<u8>>,
}

/// A plugin in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginListed {
    /// Its id, or its folder where the manifest cannot be read.
    pub id: String,
    /// Its version.
    pub version: String,
    /// `wasm`, `rhai`, `rest`.
    pub runtime: String,
    /// `scalar`, `connector`, …
    pub provides: String,
    /// `part of kepi`, `added`, `not added`, `changed`, `gone`, `broken`.
    pub standing: String,
}

/// What is true of the plugins of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginAudit {
    /// What each added plugin may do: its id and version, and a line per grant.
    pub granted: Vec<(String, Vec<String>)>,
    /// What is not as the lock says, or asks for what it was not granted: the plugin, what, and a repair.
    pub problems: Vec<(String, String, String)>,
}

impl Engine {
    /// Looks at a plugin that could be added: `what` is an id among the project's own, or a folder with a manifest.
    ///
    /// Errors: nothing of that name, a manifest with a mistake, a plugin that is part of kepi.
    pub fn plugin_offer(&self, what: &str) -> Result<PluginOffer, EngineError> {
        let (found, errors) = self.own_plugins();
        if let Some(own) = found.into_iter().find(|found| found.manifest.id == what) {
            let from = relative(&own.folder, &self.project.root);
            return self.offer(own, from, None);
        }
        let folder = Path::new(what);
        if folder.join(MANIFEST).is_file() {
            let found = Found::in_folder(folder).map_err(plugin_error)?;
            let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
            let (here, inside) = (real(folder), real(&self.project.root.join(PLUGINS)));
            let from = relative(&here, &real(&self.project.root));
            if here.parent() == Some(inside.as_path()) {
                return self.offer(found, from, None);
            }
            let path = folder.join(MANIFEST);
            let text =
                fs::read(&path).map_err(|e| EngineError::data(format!("cannot read {}: {e}", path.display())))?;
            return self.offer(found, from, Some(text));
        }
        if shipped().iter().any(|found| found.manifest.id == what) {
            return Err(EngineError::usage(format!("{what} is part of kepi, and needs not be added"))
                .with_help(format!("write `use plugin \"{what}\"` in a model file")));
        }
        let error =
            EngineError::usage(format!("there is no plugin `{what}` in {PLUGINS}/, nor a folder with a {MANIFEST}"));
        Err(match errors.first() {
            Some(broken) => error.with_help(format!("a manifest cannot be read: {broken}")),
            None => error.with_help("`kepi plugin new` makes one"),
        })
    }

    fn offer(&self, mut found: Found, from: String, copied: Option<Vec<u8>>) -> Result<PluginOffer, EngineError> {
        // A grant that could never be used is a mistake of the manifest, and better told now.
        check_grants(&found.manifest)?;
        let standing = self.lock()?.standing(&mut found).map_err(plugin_error)?;
        let manifest = &found.manifest;
        let folder = match copied {
            None => found.folder.clone(),
            Some(_) => self.place_for(manifest)?,
        };
        Ok(PluginOffer {
            id: manifest.id.clone(),
            version: manifest.version.clone(),
            description: manifest.description.clone(),
            asks: manifest.capabilities.in_words(),
            added: matches!(standing, Standing::Added(_)) && copied.is_none(),
            changes: match standing {
                Standing::Changed(changes) => changes,
                _ => Vec::new(),
            },
            folder,
            from,
            found,
            copied,
        })
    }

    /// Takes a plugin in with all that it asks for. One from elsewhere is copied to `plugins/`: its manifest, and the
    /// file that runs.
    pub fn plugin_add(&self, offer: &PluginOffer) -> Result<(), EngineError> {
        let mut found = offer.found.clone();
        if let Some(manifest) = &offer.copied {
            let bytes = found.read().map_err(plugin_error)?;
            let file = offer.folder.join(&found.manifest.file);
            let failed =
                |e: std::io::Error| EngineError::data(format!("cannot copy to {}: {e}", offer.folder.display()));
            fs::create_dir_all(file.parent().unwrap_or(&offer.folder)).map_err(failed)?;
            fs::write(&file, &bytes).map_err(failed)?;
            fs::write(offer.folder.join(MANIFEST), manifest).map_err(failed)?;
            found = Found::in_folder(&offer.folder).map_err(plugin_error)?;
        }
        let mut lock = self.lock()?;
        let locked = Locked::of(&found, &offer.from).map_err(plugin_error)?;
        if locked.granted != offer.found.manifest.capabilities {
            return Err(EngineError::usage(format!("the plugin {} changed while it was shown", offer.id))
                .with_help(format!("look again: `kepi plugin add {}`", offer.id)));
        }
        lock.plugins.insert(offer.id.clone(), locked);
        lock.write(&self.project.root.join(LOCK)).map_err(plugin_error)
    }

    /// Takes back what a plugin was granted; with `files`, its folder below `plugins/` goes too. Returns the folder that
    /// was removed.
    pub fn plugin_remove(&self, id: &str, files: bool) -> Result<Option<PathBuf>, EngineError> {
        let mut lock = self.lock()?;
        let known = lock.plugins.remove(id).is_some();
        let (found, _) = self.own_plugins();
        let folder = found.into_iter().find(|found| found.manifest.id == id).map(|found| found.folder);
        if !(known || files && folder.is_some()) {
            let error = EngineError::usage(format!("the plugin {id} was not added"));
            return Err(match (folder, lock.plugins.keys().cloned().collect::<Vec<_>>().join(", ")) {
                (Some(folder), _) => error.with_help(format!("`--files` removes its folder, {}", folder.display())),
                (None, added) if !added.is_empty() => error.with_help(format!("there are {added}")),
                _ => error,
            });
        }
        lock.write(&self.project.root.join(LOCK)).map_err(plugin_error)?;
        let Some(folder) = folder.filter(|_| files) else { return Ok(None) };
        fs::remove_dir_all(&folder)
            .map_err(|e| EngineError::data(format!("cannot remove {}: {e}", folder.display())))?;
        Ok(Some(folder))
    }

    /// The plugins that the project can use: its own first, each in the order of ids.
    pub fn plugins(&self) -> Result<Vec<PluginListed>, EngineError> {
        let lock = self.lock()?;
        let (mut own, errors) = self.own_plugins();
        own.sort_by(|a, b| a.manifest.id.cmp(&b.manifest.id));
        let mut listed = Vec::new();
        for found in &mut own {
            let standing = match lock.standing(found) {
                Ok(Standing::Shipped) => "part of kepi",
                Ok(Standing::Added(_)) => "added",
                Ok(Standing::Changed(_)) => "changed",
                Ok(Standing::NotAdded) => "not added",
                Err(_) => "broken",
            };
            listed.push(line(&found.manifest, standing));
        }
        for error in errors {
            let (id, standing) = (error.to_string(), "broken".to_string());
            listed.push(PluginListed { id, standing, ..PluginListed::default() });
        }
        for (id, locked) in lock.plugins.iter().filter(|(id, _)| !own.iter().any(|found| found.manifest.id == **id)) {
            let (id, version, standing) = (id.clone(), locked.version.clone(), "gone".to_string());
            listed.push(PluginListed { id, version, standing, ..PluginListed::default() });
        }
        let mut rest = shipped();
        rest.retain(|found| !own.iter().any(|own| own.manifest.id == found.manifest.id));
        rest.sort_by(|a, b| a.manifest.id.cmp(&b.manifest.id));
        listed.extend(rest.iter().map(|found| line(&found.manifest, "part of kepi")));
        Ok(listed)
    }

    /// Compares the project's plugins with the lock.
    pub fn plugin_audit(&self) -> Result<PluginAudit, EngineError> {
        let lock = self.lock()?;
        let (mut own, errors) = self.own_plugins();
        let mut audit = PluginAudit::default();
        let mut problem = |id: &str, what: String, help: String| audit.problems.push((id.to_string(), what, help));
        for error in errors {
            problem(PLUGINS, error, "mend its manifest, or remove its folder".to_string());
        }
        for found in &mut own {
            let id = found.manifest.id.clone();
            let again = || format!("`kepi plugin add {id}` shows what it asks for now");
            match lock.standing(found) {
                Err(error) => problem(&id, words(&error), "`kepi plugin check` says more".to_string()),
                Ok(Standing::Changed(changes)) => changes.into_iter().for_each(|change| problem(&id, change, again())),
                Ok(Standing::NotAdded) if !found.manifest.capabilities.is_empty() => {
                    let asks = found.manifest.capabilities.in_words().join(", ");
                    problem(&id, format!("it was not added, and asks {asks}"), again());
                }
                Ok(_) => {}
            }
            if shipped().iter().any(|part| part.manifest.id == id) {
                let what = "it takes the place of a plugin of that id which is part of kepi".to_string();
                problem(&id, what, "give it another id, if that is not meant".to_string());
            }
        }
        for (id, locked) in &lock.plugins {
            match own.iter().any(|found| found.manifest.id == *id) {
                true => audit.granted.push((format!("{id} {}", locked.version), grants_in_words(&locked.granted))),
                false => {
                    let help = format!("`kepi plugin remove {id}` takes its grants back");
                    audit.problems.push((id.clone(), format!("it is in {LOCK}, and no folder has it"), help));
                }
            }
        }
        Ok(audit)
    }

    /// The folders of the project's own plugins, by id.
    pub fn plugin_folders(&self) -> Vec<(String, PathBuf)> {
        let (found, _) = self.own_plugins();
        found.into_iter().map(|found| (found.manifest.id, found.folder)).collect()
    }

    fn lock(&self) -> Result<Lock, EngineError> {
        Lock::read(&self.project.root.join(LOCK)).map_err(plugin_error)
    }

    /// The plugins in the project's folder, and what cannot be read, in words.
    pub(crate) fn own_plugins(&self) -> (Vec<Found>, Vec<String>) {
        let (found, errors) = discover(&[self.project.root.join(PLUGINS)]);
        (found, errors.iter().map(words).collect())
    }

    /// Where a plugin from elsewhere will lie.
    fn place_for(&self, manifest: &Manifest) -> Result<PathBuf, EngineError> {
        let (own, _) = self.own_plugins();
        if let Some(known) = own.iter().find(|found| found.manifest.id == manifest.id) {
            return Ok(known.folder.clone());
        }
        let name = manifest.id.rsplit('.').next().unwrap_or(&manifest.id);
        let folder = self.project.root.join(PLUGINS).join(name);
        if folder.exists() {
            return Err(EngineError::usage(format!("{} is there already, with another plugin", folder.display()))
                .with_help("rename that folder; the id counts, not the folder's name"));
        }
        Ok(folder)
    }
}

fn grants_in_words(granted: &Capabilities) -> Vec<String> {
    match granted.is_empty() {
        true => vec!["nothing but to compute".to_string()],
        false => granted.in_words(),
    }
}

/// Whether what a manifest asks for can be granted at all.
pub(crate) fn check_grants(manifest: &Manifest) -> Result<(), EngineError> {
    let wrong = |reason: String| EngineError::usage(format!("the plugin {}: {reason}", manifest.id));
    let mut hosts = kepi_connect::Grants::default();
    manifest.capabilities.hosts.iter().try_for_each(|host| hosts.allow(host)).map_err(wrong)?;
    let mut secrets = kepi_connect::Secrets::default();
    manifest.capabilities.secrets.iter().try_for_each(|name| secrets.allow(name)).map_err(wrong)
}

/// A path as the lock keeps it: from the project on where it lies inside, with `/` between folders.
fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

fn line(manifest: &Manifest, standing: &str) -> PluginListed {
    // In a manifest each is written as its name in small letters.
    let word = |what: &dyn std::fmt::Debug| format!("{what:?}").to_lowercase();
    let provides: Vec<String> = manifest.provides.iter().map(|what| word(what)).collect();
    PluginListed {
        id: manifest.id.clone(),
        version: manifest.version.clone(),
        runtime: word(&manifest.runtime),
        provides: provides.join(", "),
        standing: standing.to_string(),
    }
}
