//! The pages of `docs/` that are made from the code: the functions of the language and the numbers of the messages.

mod diagnostics;
mod functions;

use std::fs;
use std::path::Path;

/// Its path, and what makes its text.
type Page = (&'static str, fn() -> String);

const PAGES: &[Page] = &[("docs/functions.md", functions::page), ("docs/diagnostics.md", diagnostics::page)];

/// `docs [--check]`: writes the pages, or fails where they are not what would be written.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), String> {
    match arguments {
        [] => PAGES.iter().try_for_each(|(path, text)| {
            fs::write(root.join(path), text()).map_err(|e| format!("{path}: {e}"))?;
            println!("wrote {path}");
            Ok(())
        }),
        [option] if option == "--check" => match stale(root).as_slice() {
            [] => Ok(()),
            told => Err(told.join("; ")),
        },
        [argument, ..] => Err(format!("{argument} is not known; there is --check")),
    }
}

/// The pages that the code has left behind.
pub(crate) fn stale(root: &Path) -> Vec<String> {
    let is_stale = |path: &str, text: fn() -> String| fs::read_to_string(root.join(path)).ok() != Some(text());
    let stale = PAGES.iter().filter(|(path, text)| is_stale(path, *text));
    stale.map(|(path, _)| format!("{path} is not what the code says: run `cargo xtask docs`")).collect()
}

/// Text as it may stand in a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_what_the_code_says() {
        assert_eq!(stale(&crate::root()), Vec::<String>::new());
    }
}
