//! Snapshots that no test compares with any more.

use super::files::File;

/// Snapshots without their test, by the name of the test or of the snapshot, in the file that it names as its source.
pub(crate) fn problems(files: &[File]) -> Vec<String> {
    let mut problems = Vec::new();
    for snapshot in files.iter().filter(|file| file.path.ends_with(".snap")) {
        let path = &snapshot.path;
        let head = snapshot.text.trim_start_matches("---\n").split("\n---").next().unwrap_or_default();
        let Some(source) = head.lines().find_map(|line| line.strip_prefix("source: ")) else {
            problems.push(format!("{path} does not say which test it belongs to"));
            continue;
        };
        let source = source.trim_matches('"');
        let Some(test) = files.iter().find(|file| file.path == source) else {
            problems.push(format!("{path} belongs to {source}, which is gone"));
            continue;
        };
        let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".snap");
        let name = stem.rsplit("__").next().unwrap_or(stem);
        if !test.text.contains(name) && !test.text.contains(without_number(name)) {
            problems.push(format!("{path} is compared by no test of {source}"));
        }
    }
    problems
}

/// The name of a test of which this is the second or a later snapshot: `dates-2` is one of `dates`.
fn without_number(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((test, number)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => test,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_string(), text: text.to_string() }
    }

    #[test]
    fn a_snapshot_without_a_test_is_told() {
        let test = file("crates/a/tests/b.rs", "fn dates() {}");
        let head = "---\nsource: crates/a/tests/b.rs\nexpression: x\n---\ntext\n";
        let used = file("crates/a/tests/snapshots/b__dates-2.snap", head);
        let unused = file("crates/a/tests/snapshots/b__months.snap", head);
        let lost = file("crates/a/tests/snapshots/c__x.snap", "---\nsource: crates/a/tests/c.rs\n---\n");
        let told = problems(&[test, used, unused, lost]);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("b__months.snap is compared by no test"), "{told:?}");
        assert!(told[1].contains("c.rs, which is gone"), "{told:?}");
    }
}
