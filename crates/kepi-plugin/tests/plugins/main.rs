//! Plugins as the engine uses them: those that are shipped, and one that does everything it must not.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.

mod connecting;
mod discount;
mod helpers;
mod json_folder;
mod learned;
mod margins;
mod misbehaves;
mod source;

#[test]
fn no_test_file_is_forgotten() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plugins");
    let listed = include_str!("main.rs");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.strip_suffix(".rs").unwrap_or_else(|| panic!("{name} is no Rust file"));
        assert!(module == "main" || listed.contains(&format!("mod {module};")), "{name} is not listed in main.rs");
    }
}
