//! The language's text side as its users see it: trees, messages, the formatter, limits.

#![allow(clippy::unwrap_used)] // A failing unwrap is a failing test.

mod complete;
mod dump;
mod format;
mod limits;
mod messages;
mod random;
mod recovery;
mod roundtrip;
mod shared;
mod trees;

#[test]
fn no_test_file_is_forgotten() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/syntax");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(include_str!("main.rs").contains(&format!("mod {module};")), "{name} is not listed in main.rs");
        }
    }
}
