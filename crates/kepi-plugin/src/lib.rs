//! Finds, checks, permits and runs plugins: wasm components and rhai scripts.
//!
//! [`discover`] and [`shipped`] find manifests, [`load`] makes one usable under the alias of `use plugin "…" as alias`.
//! All of it is lazy: signatures come from the manifest alone; a component is compiled and a script is parsed at the
//! first call. A plugin gets nothing that is not in [`Limits`] or handed to it, and its failures name it.

mod code;
mod columns;
mod discover;
mod error;
mod failure;
mod folder;
mod gather;
mod kinds;
mod load;
mod lock;
mod manifest;
mod model;
mod script;
mod settings;
mod shipped;
mod source_hash;
mod wasm;

pub use discover::{Found, discover};
pub use error::PluginError;
pub use folder::FolderHost;
pub use load::{Loaded, load};
pub use lock::{LOCK, Lock, Locked, Standing, sha256};
pub use manifest::{
    Capabilities, FileAccess, Manifest, ManifestFunction, ManifestOAuth, ManifestRate, ManifestSample, Provides,
    Runtime,
};
pub use script::{ImitatedService, Select};
pub use settings::{Limits, Settings, Stop};
pub use shipped::shipped;
pub use source_hash::{SOURCE_SECTION, append_custom_section, custom_section, hash_sources};
pub use wasm::core_to_component;
