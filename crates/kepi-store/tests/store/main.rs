//! The store through its public API: loads, scans, snapshots, damage, crashes.
#![allow(clippy::unwrap_used)] // A failed test should stop where it fails.

mod bulk;
mod coded;
mod crash;
mod damage;
mod entities;
mod erasure;
mod format;
mod generations;
mod identity;
mod loads;
mod memory;
mod merges;
mod model;
mod order;
mod readers;
mod removal;
mod support;

/// A file that is not named above would never run.
#[test]
fn no_test_file_is_forgotten() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store");
    let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for file in support::files(&folder) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(name == "main" || main.contains(&format!("mod {name};")), "{name}.rs is not named in main.rs");
    }
}
