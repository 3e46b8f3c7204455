//! What no file may say, and how long a file may be.

use super::files::File;

/// Lines of a source file above which it is told, and above which it is refused.
const LINES_TOLD: usize = 400;
const LINES_MAX: usize = 800;

/// Tests that are switched off and code that is not there. In parts, so that this file does not say it.
const STUBS: &[&str] = &[
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[", "ignore"),
    concat!("should_", "panic"),
    concat!("allow(", "dead_code"),
];

/// Folders of the machine on which somebody wrote this.
const PLACES: &[&str] = &[concat!("/", "work/"), concat!("/", "root/"), concat!("/", "tmp/"), concat!("/", "home/")];

/// What lies beside some checkouts and in no clone.
const BESIDE: &str = concat!("../", "shared");

/// What a page says where a figure is still to be measured.
const GAP: &str = "@@";

/// What has to be mended.
pub(crate) fn problems(files: &[File]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files {
        let path = &file.path;
        if path.ends_with(".snap.new") || path.ends_with(".pending-snap") {
            problems.push(format!("{path} waits for `cargo insta review`"));
        }
        let is_rust = path.ends_with(".rs");
        for (number, line) in (1..).zip(file.text.lines()) {
            if let Some(stub) = STUBS.iter().find(|stub| is_rust && line.contains(**stub)) {
                problems.push(format!("{path}:{number}: `{stub}`: finish it, or refuse it in words"));
            }
            if file.is_test() {
                continue;
            }
            if let Some(place) = PLACES.iter().find(|place| names(line, place)) {
                problems.push(format!("{path}:{number}: `{place}` is a folder of one machine"));
            }
            if path.ends_with(".md") && line.contains(GAP) {
                problems.push(format!("{path}:{number}: `{GAP}` holds the place of a figure that has to be filled in"));
            }
            if line.contains(BESIDE) {
                problems.push(format!("{path}:{number}: `{BESIDE}` is in no clone; only tests may look for it"));
            }
        }
        let lines = file.text.lines().count();
        if is_rust && lines > LINES_MAX && !file.is_test() {
            problems.push(format!("{path} has {lines} lines, and {LINES_MAX} are the most: split it by purpose"));
        }
        if is_rust {
            problems.extend(dropped_answers(file));
        }
    }
    problems
}

/// Source files that grow out of their place.
pub(crate) fn warnings(files: &[File]) -> Vec<String> {
    let lines = files.iter().filter(|f| f.path.ends_with(".rs") && !f.is_test());
    let lines = lines.map(|f| (f, f.text.lines().count())).filter(|(_, lines)| *lines > LINES_TOLD);
    lines.map(|(file, lines)| format!("{} has {lines} lines", file.path)).collect()
}

/// Whether the line names a folder at the top of the disk, not one of that name in a longer path.
fn names(line: &str, place: &str) -> bool {
    let outside =
        |before: char| !before.is_alphanumeric() && !matches!(before, '/' | '.' | '_' | '-' | '~' | '}' | '*');
    line.match_indices(place).any(|(at, _)| line[..at].chars().next_back().is_none_or(outside))
}

/// `matches!(…);` as a statement: it looks like a check, and drops the answer.
fn dropped_answers(file: &File) -> Vec<String> {
    let check = concat!("matches", "!(");
    let mut told = Vec::new();
    let mut before = ';';
    let mut start = 0;
    for (number, line) in (1..).zip(file.text.split_inclusive('\n')) {
        let code = line.trim_start();
        if code.starts_with(check) && matches!(before, ';' | '{' | '}') && ends_as_statement(&file.text[start..]) {
            told.push(format!("{}:{number}: `{check}…);` drops its answer: say `assert!(…)`", file.path));
        }
        if !code.is_empty() && !code.starts_with("//") {
            before = code.trim_end().chars().next_back().unwrap_or(before);
        }
        start += line.len();
    }
    told
}

/// Whether a `;` follows where the first parenthesis of this text is closed.
fn ends_as_statement(text: &str) -> bool {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return text[at + 1..].trim_start().starts_with(';'),
            ')' => depth -= 1,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, text: &str) -> Vec<String> {
        problems(&[File { path: path.to_string(), text: text.to_string() }])
    }

    #[test]
    fn an_answer_that_is_dropped_is_told() {
        let check = concat!("matches", "!");
        let dropped = format!("fn f() {{\n    let x = 1;\n    {check}(\n        x,\n        (1)\n    );\n}}\n");
        assert_eq!(told("crates/a/src/b.rs", &dropped).len(), 1);
        let kept = format!("fn f() -> bool {{\n    let y =\n        {check}(x, 1);\n    {check}(y, 2)\n}}\n");
        assert_eq!(told("crates/a/src/b.rs", &kept), Vec::<String>::new());
    }

    #[test]
    fn folders_of_a_machine_are_told_outside_tests() {
        let line = format!("see {}notes.md", concat!("/", "work/"));
        assert_eq!(told("docs/a.md", &line).len(), 1);
        assert_eq!(told("crates/a/tests/b.rs", &line), Vec::<String>::new());
        let longer = format!("https://example.org{}notes.md", concat!("/", "work/"));
        assert_eq!(told("docs/a.md", &longer), Vec::<String>::new());
    }

    #[test]
    fn a_figure_that_lacks_is_told() {
        assert_eq!(told("docs/a.md", "it takes @@MINUTES@@ minutes").len(), 1);
    }

    #[test]
    fn stubs_and_long_files_are_told() {
        assert_eq!(told("crates/a/src/b.rs", &format!("fn f() {{ {}) }}", concat!("todo", "!("))).len(), 1);
        assert_eq!(told("crates/a/src/b.rs", &"//\n".repeat(LINES_MAX + 1)).len(), 1);
        assert_eq!(told("crates/a/src/b.rs", &"//\n".repeat(LINES_MAX)), Vec::<String>::new());
    }
}
