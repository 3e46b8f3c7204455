//! `kepi plugin build`: calls the builder of a plugin's language, and makes a component of what comes out.

use crate::api::EngineError;
use kepi_plugin::{Found, Manifest, Provides, SOURCE_SECTION, append_custom_section, core_to_component, hash_sources};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What Rust is built for: no WASI, so that nothing is ambient.
const TARGET: &str = "wasm32-unknown-unknown";
/// A folder with a compiler that knows the target and has the standard library as source, where rustup cannot add it.
const TOOLCHAIN: &str = "KEPI_WASM_TOOLCHAIN";

/// Builds the component of the plugin in a folder; gives its file, and none where nothing has to be built. What builders say
/// goes to the standard error as it comes.
///
/// Errors: a builder that is absent, with what would bring it; one that fails.
pub fn build_plugin(folder: &Path) -> Result<Option<PathBuf>, EngineError> {
    let found = Found::in_folder(folder).map_err(crate::plugins::plugin_error)?;
    let component = folder.join(&found.manifest.file);
    if folder.join("Cargo.toml").is_file() {
        let bytes = rust(folder)?;
        fs::write(&component, bytes).map_err(|e| EngineError::data(format!("{}: {e}", component.display())))?;
    } else if folder.join("plugin.py").is_file() {
        python(folder, &component, world(&found.manifest)?)?;
    } else if folder.join("plugin.js").is_file() {
        javascript(folder, &component, world(&found.manifest)?)?;
    } else {
        return Ok(None);
    }
    sign(folder, &component)?;
    Ok(Some(component))
}

/// Writes into a component what it was built from.
fn sign(folder: &Path, component: &Path) -> Result<(), EngineError> {
    let unwritten = |error: std::io::Error| EngineError::data(format!("{}: {error}", component.display()));
    let mut bytes = fs::read(component).map_err(unwritten)?;
    let hash = hash_sources(folder).map_err(|e| EngineError::data(format!("the source cannot be hashed: {e}")))?;
    append_custom_section(&mut bytes, SOURCE_SECTION, hash.as_bytes());
    fs::write(component, bytes).map_err(unwritten)
}

/// The world of the contract that a component in Python or JavaScript is built for.
///
/// Errors: the manifest promises what stands in several of them.
fn world(manifest: &Manifest) -> Result<&'static str, EngineError> {
    let of = |provides: &Provides| match provides {
        Provides::Scalar | Provides::Aggregate => "functions-plugin",
        Provides::Model => "models-plugin",
        Provides::Series => "series-plugin",
        Provides::Connector => "connector-plugin",
    };
    let mut worlds: Vec<&str> = manifest.provides.iter().map(of).collect();
    worlds.dedup();
    match worlds.as_slice() {
        [world] => Ok(world),
        _ => Err(EngineError::usage(format!("{} provides what one component in this language cannot", manifest.id))
            .with_help("make a plugin each of its functions, its models, its series and its connector")),
    }
}

/// Whether the target can be built for, and how; the error says what is missing.
fn cargo(folder: &Path, target: &Path) -> Result<Command, EngineError> {
    let lacks = "`rustup target add wasm32-unknown-unknown` brings it";
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(&rustc).args(["--print", "sysroot"]).current_dir(folder).output();
    let sysroot = match asked {
        Ok(output) if output.status.success() => PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()),
        _ => {
            return Err(EngineError::usage("there is no Rust here: `rustc` cannot be called")
                .with_help("https://rustup.rs installs it, with cargo"));
        }
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--target", TARGET, "--manifest-path"]).arg(folder.join("Cargo.toml"));
    cargo.arg("--target-dir").arg(target).env_remove("RUSTC_WRAPPER").env_remove("RUSTFLAGS");
    let libraries = sysroot.join("lib/rustlib");
    if libraries.join(TARGET).join("lib").is_dir() {
        return Ok(cargo);
    }
    let Some(toolchain) = std::env::var_os(TOOLCHAIN).map(PathBuf::from) else {
        return Err(EngineError::usage(format!("Rust cannot build for {TARGET} here")).with_help(lacks));
    };
    let linker = fs::read_dir(&libraries).ok().into_iter().flatten().flatten();
    let linker = linker.map(|host| host.path().join("bin/rust-lld")).find(|linker| linker.is_file());
    let (compiler, Some(linker)) = (toolchain.join("rustc"), linker) else {
        return Err(EngineError::usage("there is no rust-lld beside this Rust").with_help(lacks));
    };
    if !compiler.is_file() {
        return Err(EngineError::usage(format!("{TOOLCHAIN} names a folder without rustc: {}", toolchain.display())));
    }
    cargo.arg("-Zbuild-std=std,panic_abort").env("RUSTC", compiler).env("RUSTC_BOOTSTRAP", "1");
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    Ok(cargo)
}

fn rust(folder: &Path) -> Result<Vec<u8>, EngineError> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| folder.join("target"), PathBuf::from);
    let target = std::path::absolute(target).map_err(EngineError::data)?;
    run(cargo(folder, &target)?, "cargo")?;
    let text = fs::read_to_string(folder.join("Cargo.toml")).map_err(EngineError::data)?;
    let manifest: toml::Table = toml::from_str(&text).map_err(|e| EngineError::usage(e.message()))?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(|name| name.as_str());
    let name = name.ok_or_else(|| EngineError::usage("Cargo.toml has no name of a package"))?.replace('-', "_");
    let module = target.join(TARGET).join("release").join(format!("{name}.wasm"));
    let core = fs::read(&module).map_err(|e| {
        EngineError::data(format!("{}: {e}", module.display()))
            .with_help("Cargo.toml needs [lib] crate-type = [\"cdylib\"]")
    })?;
    core_to_component(&core)
        .map_err(|reason| EngineError::failed(format!("no component can be made of {name}.wasm: {reason}")))
}

fn python(folder: &Path, component: &Path, world: &str) -> Result<(), EngineError> {
    let component = std::path::absolute(component).map_err(EngineError::data)?;
    let mut command = Command::new("componentize-py");
    command.current_dir(folder).args(["-d", "wit/kepi-plugin.wit", "-w", world]);
    command.args(["componentize", "--stub-wasi", "plugin", "-o"]).arg(&component);
    run_or(command, "componentize-py", "`pip install componentize-py` brings it")
}

/// Calls componentize-js, which is looked for as node looks for packages: from the plugin's folder upwards.
const JAVASCRIPT: &str = r#"
import { readFile, writeFile } from "node:fs/promises";
const [source, wit, world, out] = process.argv.slice(1);
let builder;
try {
    builder = await import("@bytecodealliance/componentize-js");
} catch (error) {
    if (error.code === "ERR_MODULE_NOT_FOUND") process.exit(77);
    throw error;
}
const disableFeatures = ["stdio", "random", "clocks", "http", "fetch-event"];
const { component } = await builder.componentize({ sourcePath: source, witPath: wit, worldName: world, disableFeatures });
await writeFile(out, component);
"#;
/// What the script ends with where the package is absent.
const NO_PACKAGE: i32 = 77;

fn javascript(folder: &Path, component: &Path, world: &str) -> Result<(), EngineError> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(EngineError::data);
    let mut command = Command::new("node");
    command.current_dir(folder).args(["--input-type=module", "-e", JAVASCRIPT, "--"]);
    command.arg(absolute(&folder.join("plugin.js"))?).arg(absolute(&folder.join("wit/kepi-plugin.wit"))?);
    command.arg(world).arg(absolute(component)?);
    let package = "`npm install @bytecodealliance/componentize-js` in the plugin's folder brings it";
    match command.stdout(std::io::stderr()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) if status.code() == Some(NO_PACKAGE) => {
            Err(EngineError::usage("there is no componentize-js here").with_help(package))
        }
        Ok(status) => Err(EngineError::failed(format!("componentize-js ended with {status}"))),
        Err(_) => {
            Err(EngineError::usage("there is no node here").with_help("https://nodejs.org installs it, with npm"))
        }
    }
}

fn run(command: Command, name: &str) -> Result<(), EngineError> {
    run_or(command, name, "install it, or add it to the PATH")
}

fn run_or(mut command: Command, name: &str, repair: &str) -> Result<(), EngineError> {
    // The standard output is for data.
    match command.stdout(std::io::stderr()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(EngineError::failed(format!("{name} ended with {status}"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(EngineError::usage(format!("there is no {name} here")).with_help(repair))
        }
        Err(error) => Err(EngineError::data(format!("{name} cannot be called: {error}"))),
    }
}
