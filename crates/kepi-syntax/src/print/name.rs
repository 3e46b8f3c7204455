//! Names, with backticks where they need them.

use crate::ast::{Name, Path};
use crate::words::{FOLLOWERS, continues_word, is_reserved, is_word};

/// Writes a name where a clause could stand as well: a reserved word gets backticks.
pub(super) fn name(name: &Name) -> String {
    if is_word(&name.text) && !is_reserved(&name.text) { name.text.clone() } else { ticked(&name.text) }
}

/// Writes a name where no clause can stand: before and after `:`, in a block.
pub(super) fn word(name: &Name) -> String {
    if is_word(&name.text) { name.text.clone() } else { ticked(&name.text) }
}

/// Writes a name behind a dot, where even digits may begin it.
pub(super) fn after_dot(name: &Name) -> String {
    let plain = !name.text.is_empty() && name.text.chars().all(continues_word);
    if plain { name.text.clone() } else { ticked(&name.text) }
}

/// Writes a dotted name.
pub(super) fn path(path: &Path) -> String {
    let mut parts = path.parts.iter();
    let first = parts.next().map(name).unwrap_or_default();
    parts.fold(first, |written, part| written + "." + &after_dot(part))
}

/// Writes a dotted name behind `per`, `this` and their like: there a word such as `last` would begin a clause.
pub(super) fn grain(grain: &Path) -> String {
    match grain.parts.as_slice() {
        [only] if FOLLOWERS.contains(&only.text.as_str()) || only.text == "every" => ticked(&only.text),
        _ => path(grain),
    }
}

/// Writes a column or field of a mapping; the words in `taken` would begin something else there.
pub(super) fn column(name: &Name, taken: &[&str]) -> String {
    if taken.contains(&name.text.as_str()) { ticked(&name.text) } else { word(name) }
}

fn ticked(text: &str) -> String {
    format!("`{text}`")
}
