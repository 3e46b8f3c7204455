//! `docs/diagnostics.md`, from the codes of the messages.

use super::cell;
use kepi_syntax::Code;

const HEAD: &str = "# Messages

Made by `cargo xtask docs` from `crates/kepi-syntax/src/diagnostic.rs`; change it there.

Every message about a text has a number that stays: it is never used for anything else. `kepi check --json` gives it with the place
and the words.
";

/// What the numbers of a hundred have in common.
const GROUPS: &[(u16, &str)] = &[
    (1, "The text"),
    (2, "Names"),
    (3, "Types and levels"),
    (4, "What is not there yet"),
    (5, "Warnings about definitions that mean something, but perhaps not what was wanted"),
];

/// The page.
pub(super) fn page() -> String {
    let mut text = HEAD.to_string();
    let mut group = 0;
    for (code, meaning) in Code::ALL {
        let hundred = *code as u16 / 100;
        if group != hundred {
            group = hundred;
            let heading = GROUPS.iter().find(|(number, _)| *number == hundred).map_or("Others", |(_, heading)| heading);
            text.push_str(&format!("\n## {heading}\n\n| number | meaning |\n|---|---|\n"));
        }
        text.push_str(&format!("| {code} | {} |\n", cell(meaning)));
    }
    text
}
