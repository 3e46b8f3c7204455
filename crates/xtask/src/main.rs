//! Project chores, run as `cargo xtask COMMAND`.

#![allow(clippy::print_stdout, clippy::print_stderr)] // A chore talks to the terminal.

mod docs;
mod metadata;
mod plugins;
mod readme;
#[path = "../../kepi-plugin/src/source_hash.rs"]
#[allow(unreachable_pub)] // It is public in the crate that the file belongs to.
mod source_hash;
mod tidy;
mod walk;
mod wasm_toolchain;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Each command with its words for the help.
type Command = (&'static str, &'static str, fn(&Path, &[String]) -> Result<(), String>);

const COMMANDS: &[Command] = &[
    ("tidy", "                     check what compiler and linter do not see", tidy::run),
    ("docs", "[--check]            write the pages of docs/ that are made from the code, or check them", docs::run),
    (
        "plugins",
        "[NAME...] [--check]  build the wasm components in plugins/, or check that they fit their source",
        plugins::run,
    ),
    (
        "readme",
        "KEPI                 run the README's commands with this binary, and compare what they show",
        readme::run,
    ),
    (
        "walk",
        "KEPI                 run the walk-through of docs/plugins.md with this binary, and compare what it shows",
        walk::run,
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        return usage();
    };
    let Some((_, _, command)) = COMMANDS.iter().find(|(known, ..)| known == name) else {
        return usage();
    };
    match command(&root(), rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{name}: {message}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo xtask COMMAND");
    for (name, words, _) in COMMANDS {
        eprintln!("  {name:8}{words}");
    }
    ExitCode::from(2)
}

/// The top of the project, two folders above this crate.
fn root() -> PathBuf {
    // What cargo says now: a target folder shared by several checkouts may hold a binary that another one built.
    let own =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let top = own.ancestors().nth(2);
    top.expect("this crate lies in crates/xtask").to_path_buf()
}
