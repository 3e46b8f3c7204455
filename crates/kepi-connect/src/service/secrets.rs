//! Secrets: where their values are, and who may have which.

use super::keyring::Keyring;
use super::scrub::SECRET_CHARACTERS_MIN;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The secrets that were granted, by name. A value is looked for in the environment variable of that name, then in the
/// file, a TOML table of texts that only its owner may read, then in the keyring of the desktop.
#[derive(Clone, Default)]
pub struct Secrets {
    granted: BTreeSet<String>,
    file: Option<PathBuf>,
    /// The environment; a test gives one of its own.
    environment: BTreeMap<String, String>,
    process: bool,
    keyring: Option<Keyring>,
}

impl fmt::Debug for Secrets {
    /// Without values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("granted", &self.granted).field("file", &self.file).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Secrets in the environment of the process and in a file, which need not exist. None is granted yet.
    pub fn new(file: Option<PathBuf>) -> Secrets {
        Secrets { file, process: true, keyring: Keyring::of_system(), ..Secrets::default() }
    }

    /// Secrets with the values given, for tests and embedders.
    pub fn given(values: impl IntoIterator<Item = (String, String)>) -> Secrets {
        Secrets { environment: values.into_iter().collect(), ..Secrets::default() }
    }

    /// Grants a secret by its name: capital letters, digits and `_`, as environment variables are named.
    pub fn allow(&mut self, name: &str) -> Result<(), String> {
        let good = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) || !name.chars().all(good) {
            return Err(format!("`{name}` is no name of a secret: capital letters, digits and `_` are needed"));
        }
        self.granted.insert(name.to_string());
        Ok(())
    }

    /// The value of a granted secret; the error says where it was looked for.
    pub(crate) fn value(&self, name: &str) -> Result<String, String> {
        if !self.granted.contains(name) {
            return Err(format!("the secret {name} was not granted"));
        }
        let value = match self.in_environment(name)? {
            Some(value) => Some(value),
            None => match &self.file {
                Some(file) => in_file(file, name)?,
                None => None,
            },
        };
        let (value, keyring) = match (value, &self.keyring) {
            (None, Some(keyring)) => keyring.value(name)?,
            (value, _) => (value, String::new()),
        };
        let Some(value) = value else {
            let file = self.file.as_ref().map(|file| format!(", nor in {}", file.display())).unwrap_or_default();
            return Err(format!(
                "the secret {name} is not there: neither in the environment variable {name}{file}{keyring}"
            ));
        };
        if value.chars().count() < SECRET_CHARACTERS_MIN {
            return Err(format!("the secret {name} has fewer than {SECRET_CHARACTERS_MIN} characters"));
        }
        if value.chars().any(char::is_control) {
            return Err(format!("the secret {name} has a line break or another control character in it"));
        }
        Ok(value)
    }

    fn in_environment(&self, name: &str) -> Result<Option<String>, String> {
        if let Some(value) = self.environment.get(name) {
            return Ok(Some(value.clone()));
        }
        match self.process.then(|| std::env::var_os(name)).flatten() {
            None => Ok(None),
            Some(value) => {
                let text = |value: OsString| value.into_string().ok().filter(|value| !value.is_empty());
                text(value).map(Some).ok_or_else(|| format!("the environment variable {name} is empty or no text"))
            }
        }
    }
}

fn in_file(file: &Path, name: &str) -> Result<Option<String>, String> {
    let shown = file.display();
    let metadata = match fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read {shown}: {error}")),
    };
    check_mode(file, &metadata)?;
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {shown}: {error}"))?;
    // The message of a TOML error shows the line, which may hold a secret; its place is enough.
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        format!("{shown}:{}: this is no line such as NAME = \"value\"", before.matches('\n').count() + 1)
    })?;
    match table.get(name) {
        None => Ok(None),
        Some(toml::Value::String(value)) => Ok(Some(value.clone())),
        Some(_) => Err(format!("{shown}: {name} is no text")),
    }
}

#[cfg(unix)]
fn check_mode(file: &Path, metadata: &fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let shown = file.display();
        return Err(format!("{shown} may be read by others (mode {mode:04o}): `chmod 600 {shown}`"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_is_read_only_if_nobody_else_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets.toml");
        let mut secrets = Secrets::new(Some(file.clone()));
        secrets.allow("KEPI_TEST_TOKEN").unwrap();
        let missing = secrets.value("KEPI_TEST_TOKEN").unwrap_err();
        assert!(
            missing.starts_with("the secret KEPI_TEST_TOKEN is not there: neither in the environment"),
            "{missing}"
        );
        assert!(missing.contains("keyring"), "{missing}");
        fs::write(&file, "KEPI_TEST_TOKEN = \"tok-12345\"\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let error = secrets.value("KEPI_TEST_TOKEN").unwrap_err();
        assert!(error.contains("may be read by others (mode 0640): `chmod 600 "), "{error}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(secrets.value("KEPI_TEST_TOKEN").unwrap(), "tok-12345");
        assert_eq!(secrets.value("PATH").unwrap_err(), "the secret PATH was not granted");
        fs::write(&file, "KEPI_TEST_TOKEN = tok-12345\n").unwrap();
        let error = secrets.value("KEPI_TEST_TOKEN").unwrap_err();
        assert!(error.contains(":1: ") && !error.contains("tok-12345"), "{error}");
    }

    #[test]
    fn a_granted_variable_is_read_and_short_ones_are_refused() {
        let pairs = [("A", "secret value"), ("B", "x"), ("C", "line\nbreak")];
        let mut secrets = Secrets::given(pairs.map(|(name, value)| (name.to_string(), value.to_string())));
        for name in ["A", "B", "C"] {
            secrets.allow(name).unwrap();
        }
        assert_eq!(secrets.value("A").unwrap(), "secret value");
        assert!(secrets.value("B").unwrap_err().contains("fewer than 6 characters"));
        assert!(secrets.value("C").unwrap_err().contains("line break"));
        assert!(secrets.allow("a-b").is_err());
        assert!(!format!("{secrets:?}").contains("secret value"));
    }
}
