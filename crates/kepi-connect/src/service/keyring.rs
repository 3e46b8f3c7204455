//! Secrets in the keyring of the desktop, asked for through the system's own program.
//!
//! A library would bring D-Bus into a program that mostly runs on servers, where no keyring is. The programs are part of
//! the systems: `secret-tool` of libsecret, which GNOME's and KDE's keyrings answer, and `security` of macOS.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Under which name kepi's secrets are kept.
const SERVICE: &str = "kepi";

/// A keyring and the program that asks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keyring {
    program: PathBuf,
    before: &'static [&'static str],
    after: &'static [&'static str],
}

impl Keyring {
    /// That of this system; none: it has none that is known.
    pub(super) fn of_system() -> Option<Keyring> {
        match std::env::consts::OS {
            "linux" | "freebsd" => Some(Keyring::libsecret("secret-tool".into())),
            "macos" => Some(Keyring {
                program: "/usr/bin/security".into(),
                before: &["find-generic-password", "-s", SERVICE, "-a"],
                after: &["-w"],
            }),
            _ => None,
        }
    }

    /// What answers as `secret-tool` does.
    fn libsecret(program: PathBuf) -> Keyring {
        Keyring { program, before: &["lookup", "service", SERVICE, "account"], after: &[] }
    }

    /// The value of a secret; without one, in words where it was looked for. What the program says is never told: it may
    /// hold a secret.
    ///
    /// Errors: there is a keyring, and it cannot be asked.
    pub(super) fn value(&self, name: &str) -> Result<(Option<String>, String), String> {
        let mut command = Command::new(&self.program);
        command.args(self.before).arg(name).args(self.after);
        let shown = self.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let output = match command.stdin(Stdio::null()).output() {
            Ok(output) => output,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok((None, format!(", and there is no keyring here (no `{shown}`)")));
            }
            Err(error) => return Err(format!("the keyring cannot be asked for the secret {name}: {shown}: {error}")),
        };
        if !output.status.success() {
            // Both programs end so where they know no such secret, and where no desktop is there to unlock one.
            return Ok((
                None,
                format!(", nor does the keyring give it (`{shown}`, service {SERVICE}, account {name})"),
            ));
        }
        let text = String::from_utf8(output.stdout);
        let text = text.map_err(|_| format!("the keyring's value of the secret {name} is no text"))?;
        let value = text.strip_suffix('\n').unwrap_or(&text);
        Ok(((!value.is_empty()).then(|| value.to_string()), format!(", nor in the keyring (account {name})")))
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// A program that answers as libsecret's does: with the value and no line end, or with 1 and nothing.
    fn program(folder: &std::path::Path) -> PathBuf {
        let path = folder.join("secret-tool");
        let text = "#!/bin/sh\n[ \"$1 $2 $3 $4\" = 'lookup service kepi account' ] || exit 2\n\
            [ \"$5\" = CRM_TOKEN ] && printf 'tok-from-the-ring' && exit 0\necho 'no such secret tok-other' >&2; exit 1\n";
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn a_keyring_is_asked_by_service_and_account() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = Keyring::libsecret(program(folder.path()));
        assert_eq!(keyring.value("CRM_TOKEN").unwrap().0.as_deref(), Some("tok-from-the-ring"));
        let (value, told) = keyring.value("OTHER_TOKEN").unwrap();
        assert!(value.is_none() && told.contains("account OTHER_TOKEN") && !told.contains("tok-"), "{told}");
    }

    #[test]
    fn a_machine_without_one_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let (value, told) = Keyring::libsecret(folder.path().join("secret-tool")).value("CRM_TOKEN").unwrap();
        assert_eq!((value, told.as_str()), (None, ", and there is no keyring here (no `secret-tool`)"));
    }
}
