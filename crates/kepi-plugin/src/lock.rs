//! `kepi.lock`: which plugins a project took in, by their hashes, and what each was granted.
//!
//! A plugin of the project's own that is not in the lock may run its functions, which can do nothing but compute, and
//! gets no host, no secret and no folder. One that is in the lock has to be what it was when it was added.

use crate::{Capabilities, Found, PluginError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The name of the lock, beside `kepi.toml`.
pub const LOCK: &str = "kepi.lock";
/// The form of the file.
const FORM: u32 = 1;
const HEAD: &str = "# What the plugins of this project are, and what they were granted. Written by `kepi plugin add`; \
                    commit it.\n";

/// The SHA-256 of some bytes, as kepi.lock writes it: 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The plugins that a project took in, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// By id.
    pub plugins: BTreeMap<String, Locked>,
}

/// A plugin as it was when it was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// Its version.
    pub version: String,
    /// Where it came from: a folder, relative to the project where it lies inside.
    pub from: String,
    /// The SHA-256 of its component, script or description.
    pub file: String,
    /// The SHA-256 of its manifest.
    pub manifest: String,
    /// What it was granted.
    #[serde(default)]
    pub granted: Capabilities,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kepi_lock: u32,
    #[serde(default)]
    plugin: BTreeMap<String, Locked>,
}

/// How a plugin stands to the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is part of kepi, and needs no entry.
    Shipped,
    /// It has no entry.
    NotAdded,
    /// It is what it was when it was added.
    Added(Capabilities),
    /// It is not what it was; what differs, a sentence each.
    Changed(Vec<String>),
}

impl Lock {
    /// Reads a project's lock; where there is none, nothing was added.
    pub fn read(path: &Path) -> Result<Lock, PluginError> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Lock::default()),
            Err(source) => return Err(PluginError::Io { path: path.to_path_buf(), source }),
            Ok(text) => text,
        };
        let mistake = |span: std::ops::Range<usize>, message: String| {
            let before = text.get(..span.start).unwrap_or_default();
            PluginError::Manifest {
                path: path.to_path_buf(),
                line: before.matches('\n').count() + 1,
                column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
                message,
            }
        };
        let written: Written = toml::from_str(&text)
            .map_err(|error| mistake(error.span().unwrap_or(0..0), error.message().trim_end().to_string()))?;
        if written.kepi_lock != FORM {
            let message = format!("the lock has form {}, and this kepi reads form {FORM}", written.kepi_lock);
            return Err(mistake(0..0, message));
        }
        Ok(Lock { plugins: written.plugin })
    }

    /// Writes the lock, whole or not at all; an empty one is removed.
    pub fn write(&self, path: &Path) -> Result<(), PluginError> {
        let failed = |source| PluginError::Io { path: path.to_path_buf(), source };
        if self.plugins.is_empty() {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
                _ => Ok(()),
            };
        }
        let written = Written { kepi_lock: FORM, plugin: self.plugins.clone() };
        let body = toml::to_string(&written).map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        let part = path.with_extension(format!("lock.{}.part", std::process::id()));
        fs::write(&part, format!("{HEAD}{body}")).and_then(|()| fs::rename(&part, path)).map_err(failed)
    }

    /// How a plugin stands to the lock. One that is as it was is pinned: what runs later is what was hashed here.
    pub fn standing(&self, found: &mut Found) -> Result<Standing, PluginError> {
        if found.is_shipped() {
            return Ok(Standing::Shipped);
        }
        let Some(locked) = self.plugins.get(&found.manifest.id) else { return Ok(Standing::NotAdded) };
        let bytes = found.read()?;
        let mut changes = Vec::new();
        if sha256(&bytes) != locked.file {
            changes.push(format!("{} has changed", found.manifest.file));
        }
        if found.manifest_hash != locked.manifest {
            changes.push("kepi-plugin.toml has changed".to_string());
        }
        changes.extend(wider(&locked.granted, &found.manifest.capabilities));
        if !changes.is_empty() {
            return Ok(Standing::Changed(changes));
        }
        found.pinned = Some(Arc::from(bytes.into_owned()));
        Ok(Standing::Added(locked.granted.clone()))
    }
}

impl Locked {
    /// What the lock says of a plugin that is added now, with all that it asks for.
    pub fn of(found: &Found, from: &str) -> Result<Locked, PluginError> {
        Ok(Locked {
            version: found.manifest.version.clone(),
            from: from.to_string(),
            file: sha256(&found.read()?),
            manifest: found.manifest_hash.clone(),
            granted: found.manifest.capabilities.clone(),
        })
    }
}

impl Capabilities {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Capabilities::default()
    }

    /// What is asked for, a line each, in the words in which it is granted.
    pub fn in_words(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.hosts.iter().map(|host| format!("to call the host {host}")).collect();
        let use_ = if self.sees_secrets { "to see the secret" } else { "to have kepi send the secret" };
        lines.extend(self.secrets.iter().map(|secret| format!("{use_} {secret}")));
        if self.files.is_some() {
            lines.push("to read the files of the one folder that its source names".to_string());
        }
        lines
    }
}

/// What is asked for and was not granted, a sentence each.
fn wider(granted: &Capabilities, asked: &Capabilities) -> Vec<String> {
    let mut more = Vec::new();
    for host in asked.hosts.iter().filter(|host| !granted.hosts.contains(host)) {
        more.push(format!("it asks for the host {host}, which was not granted"));
    }
    for secret in asked.secrets.iter().filter(|secret| !granted.secrets.contains(secret)) {
        more.push(format!("it asks for the secret {secret}, which was not granted"));
    }
    if asked.files.is_some() && granted.files.is_none() {
        more.push("it asks for files, which were not granted".to_string());
    }
    if asked.sees_secrets && !granted.sees_secrets {
        more.push("it asks to see its secrets, which was not granted".to_string());
    }
    more
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    const MANIFEST: &str = "id = \"acme.crm\"\nversion = \"1.2\"\napi = \"0.1\"\nruntime = \"rhai\"\n\
        provides = [\"connector\"]\nfile = \"crm.rhai\"\n[capabilities]\nhosts = [\"crm.example.com\"]\n";

    fn plugin(folder: &Path, manifest: &str, script: &str) -> Found {
        fs::write(folder.join("kepi-plugin.toml"), manifest).unwrap();
        fs::write(folder.join("crm.rhai"), script).unwrap();
        Found::in_folder(folder).unwrap()
    }

    #[test]
    fn hashes_are_those_of_the_standard() {
        // FIPS 180-4, the example of one block.
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn what_was_added_is_known_again_and_a_change_is_told() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(LOCK);
        let mut found = plugin(root.path(), MANIFEST, "fn a() {}");
        let mut lock = Lock::read(&path).unwrap();
        assert_eq!(lock.standing(&mut found).unwrap(), Standing::NotAdded);
        lock.plugins.insert("acme.crm".to_string(), Locked::of(&found, "plugins/crm").unwrap());
        lock.write(&path).unwrap();
        assert_eq!(Lock::read(&path).unwrap(), lock);
        let granted = Capabilities { hosts: vec!["crm.example.com".to_string()], ..Capabilities::default() };
        assert_eq!(lock.standing(&mut found).unwrap(), Standing::Added(granted));
        // What runs is what was looked at, also where the file is another one by then.
        fs::write(root.path().join("crm.rhai"), "fn evil() {}").unwrap();
        assert_eq!(found.read().unwrap().as_ref(), b"fn a() {}");
        let changed = |found: &mut Found| match lock.standing(found).unwrap() {
            Standing::Changed(changes) => changes.join("; "),
            other => panic!("{other:?}"),
        };
        assert_eq!(changed(&mut Found::in_folder(root.path()).unwrap()), "crm.rhai has changed");
        let wider = MANIFEST.replace("hosts = [", "secrets = [\"TOKEN\"]\nhosts = [\"b.example.com\", ");
        assert_eq!(
            changed(&mut plugin(root.path(), &wider, "fn a() {}")),
            "kepi-plugin.toml has changed; it asks for the host b.example.com, which was not granted; \
             it asks for the secret TOKEN, which was not granted"
        );
        Lock::default().write(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_lock_that_was_edited_to_grant_less_is_heard() {
        let root = tempfile::tempdir().unwrap();
        let mut found = plugin(root.path(), MANIFEST, "fn a() {}");
        let mut locked = Locked::of(&found, "plugins/crm").unwrap();
        locked.granted.hosts.clear();
        let lock = Lock { plugins: BTreeMap::from([("acme.crm".to_string(), locked)]) };
        let told = Standing::Changed(vec!["it asks for the host crm.example.com, which was not granted".to_string()]);
        assert_eq!(lock.standing(&mut found).unwrap(), told);
    }

    #[test]
    fn a_damaged_lock_has_a_place() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(LOCK);
        fs::write(&path, "kepi_lock = 1\n[plugin.\"a\"]\nversion = 3\n").unwrap();
        let error = Lock::read(&path).unwrap_err().to_string();
        assert!(error.contains("kepi.lock:3:11: invalid type"), "{error}");
        fs::write(&path, "kepi_lock = 2\n").unwrap();
        assert!(Lock::read(&path).unwrap_err().to_string().contains("the lock has form 2"));
    }
}
