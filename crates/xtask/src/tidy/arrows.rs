//! Which crate may use which: the table that a new dependency changes, so that it is seen.

use crate::metadata::Package;

/// The arrows between the crates of the workspace. Tests and build scripts may use more.
///
/// A new arrow is a decision about the architecture: change this table in a commit of its own, and say why.
pub(crate) const ARROWS: &[(&str, &[&str])] = &[
    ("kepi-bench", &["kepi-engine"]),
    ("kepi-cli", &["kepi-engine", "kepi-view"]),
    ("kepi-connect", &["kepi-extension", "kepi-model", "kepi-threads"]),
    (
        "kepi-engine",
        &[
            "kepi-connect",
            "kepi-exec",
            "kepi-extension",
            "kepi-model",
            "kepi-plugin",
            "kepi-store",
            "kepi-syntax",
            "kepi-threads",
        ],
    ),
    ("kepi-exec", &["kepi-extension", "kepi-model", "kepi-threads"]),
    ("kepi-extension", &["kepi-model"]),
    ("kepi-model", &["kepi-syntax"]),
    ("kepi-plugin", &["kepi-extension", "kepi-model"]),
    // What guests use: nothing of kepi's own.
    ("kepi-plugin-macros", &[]),
    ("kepi-plugin-sdk", &["kepi-plugin-macros"]),
    ("kepi-store", &["kepi-extension", "kepi-model", "kepi-threads"]),
    ("kepi-syntax", &["kepi-threads"]),
    ("kepi-tests", &["kepi-engine", "kepi-syntax", "kepi-view"]),
    // How threads begin: nothing of kepi's own.
    ("kepi-threads", &[]),
    ("kepi-view", &["kepi-engine", "kepi-model", "kepi-syntax"]),
    ("xtask", &["kepi-model", "kepi-syntax"]),
];

/// Heavy dependencies, by the beginning of their names, each with the crates through which it may enter.
const HEAVY: &[(&str, &[&str])] = &[
    ("pest", &["kepi-syntax"]),
    ("datafusion", &["kepi-exec"]),
    ("tokio", &["kepi-exec", "kepi-connect"]),
    ("sled", &["kepi-store"]),
    ("wasmtime", &["kepi-plugin"]),
    ("rhai", &["kepi-plugin"]),
    ("parquet", &["kepi-connect", "kepi-bench"]),
    ("ureq", &["kepi-connect"]),
    ("postgres", &["kepi-connect"]),
    ("rusqlite", &["kepi-connect"]),
    ("object_store", &["kepi-connect"]),
    ("reedline", &["kepi-cli"]),
    ("miette", &["kepi-view"]),
];

/// What differs between the tables and the manifests.
pub(crate) fn problems(own: &[Package]) -> Vec<String> {
    let mut problems = Vec::new();
    for package in own {
        let mut needs: Vec<&str> = package.needs().filter(|d| d.path.is_some()).map(|d| d.name.as_str()).collect();
        needs.sort_unstable();
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package.name) else {
            problems.push(format!("{} is not in the table of arrows (crates/xtask/src/tidy/arrows.rs)", package.name));
            continue;
        };
        for need in needs.iter().filter(|need| !allowed.contains(need)) {
            problems.push(format!("{} → {need} is a new arrow (crates/xtask/src/tidy/arrows.rs)", package.name));
        }
        for gone in allowed.iter().filter(|arrow| !needs.contains(arrow)) {
            problems.push(format!("{} → {gone} is in the table of arrows, and in no manifest", package.name));
        }
        for need in package.needs().filter(|d| d.path.is_none()) {
            let heavy = HEAVY.iter().find(|(start, _)| need.name.starts_with(start));
            if let Some((_, doors)) = heavy.filter(|(_, doors)| !doors.contains(&package.name.as_str())) {
                problems.push(format!(
                    "{} uses {}, which enters through {}",
                    package.name,
                    need.name,
                    doors.join(", ")
                ));
            }
        }
    }
    for (name, _) in ARROWS.iter().filter(|(name, _)| !own.iter().any(|package| package.name == *name)) {
        problems.push(format!("{name} is in the table of arrows, and there is no such crate"));
    }
    problems
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test may stop.

    use super::*;
    use crate::metadata::{self, Dependency};

    #[test]
    fn the_crates_use_each_other_as_the_table_says() {
        assert_eq!(problems(&metadata::own(&crate::root()).unwrap()), Vec::<String>::new());
    }

    #[test]
    fn a_new_arrow_and_a_heavy_dependency_are_told() {
        let mut own = metadata::own(&crate::root()).unwrap();
        let dependency = |name: &str, path: Option<&str>| Dependency {
            name: name.to_string(),
            kind: None,
            path: path.map(str::to_string),
        };
        let model = own.iter_mut().find(|package| package.name == "kepi-model").unwrap();
        model.dependencies.push(dependency("kepi-store", Some("crates/kepi-store")));
        model.dependencies.push(dependency("sled", None));
        let told = problems(&own);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("kepi-model → kepi-store is a new arrow"), "{told:?}");
        assert_eq!(told[1], "kepi-model uses sled, which enters through kepi-store");
    }
}
