//! A toolchain for wasm: rustup's own target where it is installed, else Debian's packages.
//!
//! Where rustup may add no target, a Debian system has all that is needed: `rustc-web` brings a compiler that knows the
//! target, `rust-web-src` the standard library as source, which `-Zbuild-std` builds; cargo and the linker come from
//! the toolchain that runs this. The packages are unpacked into the target folder, not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What plugins are built for: no WASI, so that nothing is ambient.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// The packages whose names do not change with the version.
const PACKAGES: &[&str] = &["rustc-web", "rust-web-src", "libstd-rust-web-dev"];
/// What they need besides, by the beginning of the name.
const NEEDED: &[&str] = &["libstd-rust-web-", "libllvm"];
/// The first minor version of Rust that is new enough for the plugins and for the cargo that runs this.
const RUST_MINOR_MIN: u32 = 95;

/// How wasm is built here.
pub(crate) enum Toolchain {
    /// With the target of rustup.
    Rustup,
    /// With another compiler and its standard library as source.
    BuildStd {
        /// The compiler.
        rustc: PathBuf,
        /// The linker.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Finds a toolchain, or makes one in `folder`.
    pub(crate) fn find(folder: &Path) -> Result<Toolchain, String> {
        let sysroot = PathBuf::from(output(Command::new(rustc()).args(["--print", "sysroot"]))?.trim());
        let libraries = sysroot.join("lib/rustlib");
        if libraries.join(TARGET).join("lib").is_dir() {
            return Ok(Toolchain::Rustup);
        }
        let add = format!("`rustup target add {TARGET}` is the simplest way");
        let linker = linker(&libraries).ok_or_else(|| format!("there is neither the target nor rust-lld; {add}"))?;
        println!("the target {TARGET} is not installed ({add}); trying Debian's rustc-web");
        let rustc = debian_rustc(folder).map_err(|error| format!("{error}; {add}"))?;
        Ok(Toolchain::BuildStd { rustc, linker })
    }

    /// The command that builds the crate in `crate_folder`.
    pub(crate) fn cargo(&self, crate_folder: &Path, target: &Path) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.arg("build").arg("--manifest-path").arg(crate_folder.join("Cargo.toml"));
        cargo.args(["--release", "--target", TARGET]).arg("--target-dir").arg(target);
        // Paths of this machine have no business in a component; panics would carry them there.
        let home =
            std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo")));
        let remapped = [(Some(target.to_path_buf()), "target"), (home, "cargo")].into_iter();
        let remapped = remapped.filter_map(|(from, to)| Some(format!("--remap-path-prefix={}={to}", from?.display())));
        cargo.env("CARGO_ENCODED_RUSTFLAGS", remapped.collect::<Vec<String>>().join("\x1f"));
        cargo.env_remove("RUSTC_WRAPPER").env_remove("RUSTFLAGS");
        if let Toolchain::BuildStd { rustc, linker } = self {
            cargo.arg("-Zbuild-std=std,panic_abort");
            cargo.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        cargo
    }
}

fn rustc() -> std::ffi::OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// The linker that rustup ships with its host target.
fn linker(libraries: &Path) -> Option<PathBuf> {
    let hosts = fs::read_dir(libraries).ok()?;
    hosts.flatten().map(|host| host.path().join("bin/rust-lld")).find(|linker| linker.is_file())
}

/// A compiler out of Debian's packages, unpacked into `folder` if that has not been done.
fn debian_rustc(folder: &Path) -> Result<PathBuf, String> {
    let wrapper = folder.join("rustc");
    if wrapper.is_file() {
        return Ok(wrapper);
    }
    if !new_enough()? {
        run(Command::new("apt-get").args(["update", "-q"]))?;
        if !new_enough()? {
            return Err(format!("Debian's rustc-web is older than Rust 1.{RUST_MINOR_MIN} here"));
        }
    }
    let packages = folder.join("packages");
    fs::create_dir_all(&packages).map_err(|e| format!("{}: {e}", packages.display()))?;
    let names = with_needed(PACKAGES)?;
    run(Command::new("apt-get").args(["download", "-q"]).args(names).current_dir(&packages))?;
    for package in fs::read_dir(&packages).map_err(|e| e.to_string())?.flatten() {
        run(Command::new("dpkg-deb").arg("-x").arg(package.path()).arg(folder))?;
    }
    fs::remove_dir_all(&packages).map_err(|e| e.to_string())?;
    let libraries = fs::read_dir(folder.join("usr/lib")).map_err(|e| e.to_string())?.flatten().map(|e| e.path());
    let libraries = libraries.filter(|path| path.to_string_lossy().ends_with("-linux-gnu"));
    let libraries: Vec<String> = libraries.map(|path| path.display().to_string()).collect();
    let script = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' \"$@\"\n",
        libraries.join(":"),
        folder.join("usr/bin/rustc").display()
    );
    // Written last: where it is, the folder is whole.
    fs::write(&wrapper, script).map_err(|e| format!("{}: {e}", wrapper.display()))?;
    run(Command::new("chmod").arg("+x").arg(&wrapper))?;
    Ok(wrapper)
}

/// These packages, and what they need of the compiler, directly or not.
fn with_needed(packages: &[&str]) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = packages.iter().map(ToString::to_string).collect();
    let mut next = 0;
    while let Some(name) = names.get(next) {
        let depends = output(Command::new("apt-cache").args(["depends", name]))?;
        for needed in depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")) {
            if NEEDED.iter().any(|prefix| needed.starts_with(prefix)) && !names.iter().any(|n| n == needed) {
                names.push(needed.to_string());
            }
        }
        next += 1;
    }
    Ok(names)
}

/// Whether the packages that could be downloaded are new enough.
fn new_enough() -> Result<bool, String> {
    let policy = output(Command::new("apt-cache").args(["policy", "rustc-web"]))?;
    let candidate = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: 1."));
    let minor = candidate.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    Ok(minor.is_some_and(|minor| minor >= RUST_MINOR_MIN))
}

fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", command.get_program().display())) }
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", command.get_program().display(), output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| e.to_string())
}
