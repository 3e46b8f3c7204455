//! Whether the documents name what is there: links, paths, crates.

use super::files::File;
use crate::metadata::Package;
use std::path::Path;

/// The map of the crates.
const MAP: &str = "docs/architecture.md";
/// Folders of the project that a document may name in backticks.
const FOLDERS: &[&str] = &["crates/", "docs/", "grammar/", "plugins/", "tests/", ".ci/"];

/// Links that lead nowhere, paths that are gone, crates that the map lacks or invents.
pub(crate) fn problems(root: &Path, files: &[File], own: &[Package]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md") && !file.is_test()) {
        for (number, line) in (1..).zip(file.text.lines()) {
            for link in links(line).filter(|link| !link.contains("://") && !link.starts_with('#')) {
                let target = link.split('#').next().unwrap_or(link);
                if !root.join(file.folder()).join(target).exists() {
                    problems.push(format!("{}:{number}: the link {link} leads nowhere", file.path));
                }
            }
        }
    }
    let Some(map) = files.iter().find(|file| file.path == MAP) else {
        problems.push(format!("{MAP} is gone"));
        return problems;
    };
    for package in own.iter().filter(|package| !map.text.contains(&format!("`{}`", package.name))) {
        problems.push(format!("{MAP} does not name the crate {}", package.name));
    }
    for (number, line) in (1..).zip(map.text.lines()) {
        for word in line.split('`').skip(1).step_by(2) {
            let is_crate = word.starts_with("kepi-") && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            if is_crate && !own.iter().any(|package| package.name == word) {
                problems.push(format!("{MAP}:{number}: there is no crate {word}"));
            }
            let is_path = FOLDERS.iter().any(|folder| word.starts_with(folder)) && !word.contains(['*', ' ', '<']);
            if is_path && !root.join(word).exists() {
                problems.push(format!("{MAP}:{number}: there is no {word}"));
            }
        }
    }
    problems
}

/// The targets of the Markdown links of a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found() {
        let found: Vec<&str> = links("see [a](b.md) and [c](d.md#e), not (f)").collect();
        assert_eq!(found, ["b.md", "d.md#e"]);
    }
}
