//! The language's meaning as its users see it: what queries lower to, and what is said about wrong ones.

#![allow(clippy::unwrap_used)] // A failing unwrap is a failing test.

mod behaviour;
mod chains;
mod check;
mod currencies;
mod definitions;
mod described;
mod dump;
mod events;
mod groups;
mod learned;
mod lift;
mod lints;
mod messages;
mod moves;
mod queries;
mod random;
mod scale;
mod shared;
mod shop;
mod sources;
mod states;
mod tables;
mod units;
mod versus;
mod windows;

#[test]
fn no_test_file_is_forgotten() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/model");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(include_str!("main.rs").contains(&format!("mod {module};")), "{name} is not listed in main.rs");
        }
    }
}
