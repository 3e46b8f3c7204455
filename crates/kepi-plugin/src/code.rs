//! The code of a plugin: read once, so that what runs is what was named.

use crate::Found;
use crate::failure::Failure;
use kepi_extension::Contents;
use std::borrow::Cow;
use std::sync::OnceLock;
use xxhash_rust::xxh3::Xxh3Default;

/// The contract between host and components, and the way in which the host hands rows to either kind of plugin. Another
/// one wherever that changes.
const CONTRACT: &str = "kepi:plugin@0.1.0, 1";

/// A plugin's component or script, which may not have been read yet.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) found: Found,
    bytes: OnceLock<Result<Cow<'static, [u8]>, Failure>>,
    number: OnceLock<Option<u128>>,
}

impl Code {
    /// The code of a plugin that was found; nothing is read yet.
    pub(crate) fn of(found: &Found) -> Code {
        Code { found: found.clone(), bytes: OnceLock::new(), number: OnceLock::new() }
    }

    /// The bytes of the component or script, the same ones each time.
    pub(crate) fn bytes(&self) -> Result<&[u8], Failure> {
        let read = || {
            self.found.read().map_err(|error| {
                let why = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
                Failure::Failed(format!("{error}{why}"))
            })
        };
        self.bytes.get_or_init(read).as_deref().map_err(Clone::clone)
    }
}

impl Contents for Code {
    fn number(&self) -> Option<u128> {
        let number = || {
            let mut hasher = Xxh3Default::new();
            let manifest = format!("{:?}", self.found.manifest);
            for part in [CONTRACT.as_bytes(), manifest.as_bytes(), self.bytes().ok()?] {
                // Lengths in front keep a part's end from being read as the next one's beginning.
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
            Some(hasher.digest128())
        };
        *self.number.get_or_init(number)
    }
}
