//! What `cargo metadata` says about the workspace.

use serde::Deserialize;
use std::path::Path;
use std::process::Command;

/// All packages that were asked for.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    /// The workspace's own, or with them all that they build on.
    pub(crate) packages: Vec<Package>,
}

/// One package.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression.
    pub(crate) license: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// What a package names in its manifest.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev` or `build`; none for those that the package itself needs.
    pub(crate) kind: Option<String>,
    /// Where it lies, if it is part of the workspace.
    pub(crate) path: Option<String>,
}

impl Package {
    /// What it needs when it is built for others: neither for tests nor for its build script.
    pub(crate) fn needs(&self) -> impl Iterator<Item = &Dependency> {
        self.dependencies.iter().filter(|d| d.kind.is_none())
    }
}

/// The workspace's own packages, by name. Needs no network.
pub(crate) fn own(root: &Path) -> Result<Vec<Package>, String> {
    let mut packages = read(root, &["--no-deps", "--offline"])?.packages;
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

/// All packages that the workspace is built from on this machine.
pub(crate) fn all(root: &Path) -> Result<Vec<Package>, String> {
    let host = host()?;
    Ok(read(root, &["--locked", "--filter-platform", &host])?.packages)
}

fn read(root: &Path, options: &[&str]) -> Result<Metadata, String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--format-version", "1"]).args(options).current_dir(root);
    let output = cargo.output().map_err(|e| format!("cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata: {e}"))
}

/// The target that this machine's compiler builds for.
fn host() -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().map_err(|e| format!("rustc -vV: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_string).ok_or_else(|| "rustc -vV names no host".to_string())
}
