//! Builds the plugins that are written in Rust to the components that lie beside their source.

use crate::source_hash::{SOURCE_SECTION, append_custom_section, custom_section, hash_sources};
use crate::wasm_toolchain::{TARGET, Toolchain};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use wit_component::ComponentEncoder;

#[derive(Deserialize)]
struct Manifest {
    file: String,
}

#[derive(Deserialize)]
struct CargoManifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

/// A plugin with Rust source.
struct Guest {
    name: String,
    folder: PathBuf,
    component: PathBuf,
}

/// `plugins [NAME...] [--check]`.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), String> {
    let (options, names): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|a| a.starts_with('-'));
    if let Some(option) = options.iter().find(|o| **o != "--check") {
        return Err(format!("{option} is not known; there is --check"));
    }
    let mut guests = guests(&root.join("plugins"))?;
    if let Some(name) = names.iter().find(|name| !guests.iter().any(|g| g.name == ***name)) {
        return Err(format!("there is no Rust plugin {name} in plugins/"));
    }
    guests.retain(|g| names.is_empty() || names.contains(&&g.name));
    if !options.is_empty() {
        return check(&guests);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = std::path::absolute(target).map_err(|e| e.to_string())?.join("wasm-plugins");
    let toolchain = Toolchain::find(&target.join("toolchain"))?;
    guests.iter().try_for_each(|guest| build(guest, &toolchain, &target))
}

/// The plugins with a `Cargo.toml`, by name.
fn guests(plugins: &Path) -> Result<Vec<Guest>, String> {
    let mut guests = Vec::new();
    for entry in fs::read_dir(plugins).map_err(|e| format!("{}: {e}", plugins.display()))? {
        let folder = entry.map_err(|e| e.to_string())?.path();
        if folder.join("Cargo.toml").is_file() && folder.join("kepi-plugin.toml").is_file() {
            let manifest: Manifest = read_toml(&folder.join("kepi-plugin.toml"))?;
            let cargo: CargoManifest = read_toml(&folder.join("Cargo.toml"))?;
            guests.push(Guest { name: cargo.package.name, component: folder.join(manifest.file), folder });
        }
    }
    guests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(guests)
}

fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    toml::from_str(&text).map_err(|e| format!("{}: {}", path.display(), e.message()))
}

fn build(guest: &Guest, toolchain: &Toolchain, target: &Path) -> Result<(), String> {
    let failed = |what: &str, why: String| format!("{}: {what}: {why}", guest.name);
    println!("building {}", guest.name);
    let status = toolchain.cargo(&guest.folder, target).status().map_err(|e| failed("cargo", e.to_string()))?;
    if !status.success() {
        return Err(failed("cargo", status.to_string()));
    }
    let module = target.join(TARGET).join("release").join(format!("{}.wasm", guest.name.replace('-', "_")));
    let core = fs::read(&module).map_err(|e| failed(&module.display().to_string(), e.to_string()))?;
    let encoded = ComponentEncoder::default().validate(true).module(&core).and_then(|mut encoder| encoder.encode());
    let mut component = encoded.map_err(|e| failed("making a component", format!("{e:#}")))?;
    let hash = hash_sources(&guest.folder).map_err(|e| failed("hashing the source", e.to_string()))?;
    append_custom_section(&mut component, SOURCE_SECTION, hash.as_bytes());
    fs::write(&guest.component, &component)
        .map_err(|e| failed(&guest.component.display().to_string(), e.to_string()))?;
    println!("{}: {} KiB, source {hash}", guest.component.display(), component.len().div_ceil(1024));
    Ok(())
}

/// Compares the hash in each component with that of its source.
fn check(guests: &[Guest]) -> Result<(), String> {
    let mut parted = Vec::new();
    for guest in guests {
        let component = fs::read(&guest.component).map_err(|e| format!("{}: {e}", guest.component.display()))?;
        let hash = hash_sources(&guest.folder).map_err(|e| format!("{}: {e}", guest.folder.display()))?;
        let same = custom_section(&component, SOURCE_SECTION) == Some(hash.as_bytes());
        println!("{}: {}", guest.name, if same { "fits its source" } else { "is not built from this source" });
        if !same {
            parted.push(guest.name.as_str());
        }
    }
    if parted.is_empty() { Ok(()) } else { Err(format!("run `cargo xtask plugins {}`", parted.join(" "))) }
}
