//! `docs/functions.md`, from the table of functions.

use super::cell;
use kepi_model::functions::{Builtin, Family, Lowering, all};
use std::fmt::Write;

const HEAD: &str = "# Functions

Made by `cargo xtask docs` from `crates/kepi-model/src/functions/`; change it there.

A function of rows stands in a query or metric; inside the condition of a row it looks at the history of the row's subject, up to
the row itself. The others take values of the same row or cell. *Missing* is what has no value, shown as a dash; a function of
numbers, text or time of something missing is missing. What is *not there yet* is refused in words.
";

/// The page.
pub(super) fn page() -> String {
    let mut text = HEAD.to_string();
    let mut family = None;
    for function in all() {
        if family != Some(function.family) {
            family = Some(function.family);
            write(
                &mut text,
                format_args!(
                    "\n## {}\n\n| function | what it does | for example |\n|---|---|---|",
                    heading(function.family)
                ),
            );
        }
        write(
            &mut text,
            format_args!("| {} | {} | `{}` |", usage(function), meaning(function), cell(function.example)),
        );
    }
    text
}

fn write(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes whatever is written to it");
}

/// The ways to write it, one under the other.
fn usage(function: &Builtin) -> String {
    // A comma between two ways stands behind a parenthesis.
    let ways: Vec<String> =
        function.usage.replace("), ", ")\n").lines().map(|way| format!("`{}`", cell(way))).collect();
    ways.join("<br>")
}

fn meaning(function: &Builtin) -> String {
    match function.lowering {
        Lowering::NotYet(_) => format!("*Not there yet.* {}", cell(function.doc)),
        _ => cell(function.doc),
    }
}

fn heading(family: Family) -> &'static str {
    match family {
        Family::Rows => "Of rows",
        Family::States => "Of states",
        Family::Windows => "Of windows",
        Family::Behaviour => "Of behaviour",
        Family::Compare => "Of comparison",
        Family::Numbers => "Of numbers",
        Family::Text => "Of text",
        Family::Time => "Of time",
    }
}
