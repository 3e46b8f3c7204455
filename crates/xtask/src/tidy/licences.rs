//! Whether every package that kepi is built from has a licence that `deny.toml` allows.

use crate::metadata::Package;
use serde::Deserialize;
use std::fs;
use std::path::Path;

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    allow: Vec<String>,
    #[serde(rename = "crate")]
    name: String,
}

/// What is not allowed, or allowed for nothing.
pub(crate) fn problems(root: &Path, packages: &[Package]) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(root.join("deny.toml")).map_err(|e| format!("deny.toml: {e}"))?;
    let deny: Deny = toml::from_str(&text).map_err(|e| format!("deny.toml: {}", e.message()))?;
    let mut problems = Vec::new();
    for package in packages {
        let Package { name, version, license, .. } = package;
        let Some(license) = license else {
            problems.push(format!("{name} {version} names no licence"));
            continue;
        };
        let exceptions = deny.licenses.exceptions.iter().filter(|e| e.name == *name).flat_map(|e| &e.allow);
        let allowed: Vec<&str> = deny.licenses.allow.iter().chain(exceptions).map(String::as_str).collect();
        if !satisfied(license, &allowed) {
            problems.push(format!("{name} {version} is under {license}, which deny.toml does not allow"));
        }
    }
    for exception in deny.licenses.exceptions.iter().filter(|e| !packages.iter().any(|p| p.name == e.name)) {
        problems.push(format!("deny.toml makes an exception for {}, which is not used", exception.name));
    }
    Ok(problems)
}

/// Whether an SPDX expression can be fulfilled with these licences. `A/B` is how older manifests write `A OR B`.
fn satisfied(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    either(&words, &mut at, allowed) && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    let mut fulfilled = both(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        fulfilled |= both(words, at, allowed);
    }
    fulfilled
}

fn both(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    let mut fulfilled = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        fulfilled &= one(words, at, allowed);
    }
    fulfilled
}

fn one(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let fulfilled = either(words, at, allowed);
        *at += 1; // The closing parenthesis; where it lacks, the end is missed and nothing is fulfilled.
        return fulfilled;
    }
    // `MPL-2.0+` is that version or a later one.
    let mut licence = word.trim_end_matches('+').to_string();
    if words.get(*at) == Some(&"WITH") {
        licence = format!("{licence} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    allowed.contains(&licence.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read() {
        let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "MPL-2.0"];
        for fine in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/GPL-3.0",
            "(MIT OR GPL-3.0) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
            "GPL-3.0 OR MIT AND Apache-2.0",
            "MPL-2.0+",
        ] {
            assert!(satisfied(fine, &allowed), "{fine}");
        }
        for wrong in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR GPL-3.0) AND GPL-3.0", "MIT WITH something", "(MIT", ""] {
            assert!(!satisfied(wrong, &allowed), "{wrong}");
        }
    }
}
