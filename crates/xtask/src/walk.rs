//! Runs the walk-through of docs/plugins.md as an author would, and compares what it shows.
//!
//! A block ```` ```sh ```` is run always; ```` ```sh rust ```` where Rust can build for wasm, ```` ```sh python ```` and
//! ```` ```sh js ```` with KEPI_HEAVY=1 where their builders are. What is left out is told.

use crate::readme::{in_scratch, steps};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PAGE: &str = "docs/plugins.md";
const TARGET: &str = "wasm32-unknown-unknown";

/// `walk KEPI`: KEPI is the binary that the commands call.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), String> {
    let text = fs::read_to_string(root.join(PAGE)).map_err(|e| format!("{PAGE}: {e}"))?;
    let (mut runs, mut last) = (Vec::new(), String::new());
    for step in steps(&text) {
        match lacks(&step.needs) {
            None => runs.push(step),
            // Told once for the blocks of one language.
            Some(reason) if reason != last => {
                println!("left out: the steps in {}: {reason}", step.needs);
                last = reason;
            }
            Some(_) => {}
        }
    }
    // Packages are looked for from a plugin's folder upwards.
    in_scratch(PAGE, arguments, &runs, "[ -z \"$NODE_PATH\" ] || ln -s \"$NODE_PATH\" node_modules")
}

/// Why a block cannot be run here.
fn lacks(needs: &str) -> Option<String> {
    let heavy = std::env::var("KEPI_HEAVY").is_ok_and(|value| value == "1");
    match needs {
        "" => None,
        "rust" => (!builds_wasm()).then(|| {
            format!("neither `rustup target add {TARGET}` nor KEPI_WASM_TOOLCHAIN has brought a compiler for it")
        }),
        "python" | "js" if !heavy => Some("KEPI_HEAVY=1 runs them".to_string()),
        "python" => (!answers("componentize-py", &["--version"])).then(|| "there is no componentize-py".to_string()),
        "js" => {
            let there = answers("node", &["--version"]) && node_modules();
            (!there).then(|| "NODE_PATH names no folder with componentize-js".to_string())
        }
        other => Some(format!("`sh {other}` is not known")),
    }
}

fn builds_wasm() -> bool {
    if std::env::var_os("KEPI_WASM_TOOLCHAIN").is_some_and(|folder| PathBuf::from(folder).join("rustc").is_file()) {
        return true;
    }
    let output = Command::new("rustc").args(["--print", "sysroot"]).output();
    output.is_ok_and(|output| {
        let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
    })
}

fn node_modules() -> bool {
    let folder = std::env::var_os("NODE_PATH").map(PathBuf::from);
    folder.is_some_and(|folder| folder.join("@bytecodealliance/componentize-js").is_dir())
}

fn answers(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
