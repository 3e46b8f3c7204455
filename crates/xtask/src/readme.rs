//! Runs the README as a new user would, and compares what it shows.
//!
//! Each block ```` ```sh ```` but the first (which builds) is run in one shell, one after the other, so `cd` and `export`
//! last. A plain block behind it is what it shows: its lines have to come in that order; `…` stands for others.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Commands with what the page shows behind them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Step {
    pub(crate) commands: String,
    pub(crate) shown: Vec<String>,
    /// What it needs beyond a shell: the word behind ```` ```sh ````; may be empty.
    pub(crate) needs: String,
}

/// `readme KEPI`: KEPI is the binary that the commands call.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), String> {
    let text = fs::read_to_string(root.join("README.md")).map_err(|e| format!("README.md: {e}"))?;
    let mut steps = steps(&text);
    // The first block builds.
    steps.drain(..1.min(steps.len()));
    in_scratch("README.md", arguments, &steps, "kepi demo")
}

/// Runs a page's steps with the binary that is named, in a folder that is removed behind it.
pub(crate) fn in_scratch(page: &str, arguments: &[String], steps: &[Step], first: &str) -> Result<(), String> {
    let [kepi] = arguments else { return Err("it takes the path of the kepi binary".to_string()) };
    let kepi = std::path::absolute(kepi).map_err(|e| format!("{kepi}: {e}"))?;
    let folder = kepi.parent().filter(|_| kepi.is_file()).ok_or_else(|| format!("there is no {}", kepi.display()))?;
    let scratch = std::env::temp_dir().join(format!("kepi-page-{}", std::process::id()));
    fs::create_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    let outcome = follow(page, steps, folder, &scratch, first);
    fs::remove_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    outcome
}

/// Runs the steps in a folder that is home as well, after what has to come first.
fn follow(page: &str, steps: &[Step], kepi: &Path, scratch: &Path, first: &str) -> Result<(), String> {
    let mark = |number: usize| format!("-- end of block {number} --");
    let mut script = format!("set -e\n{first}\n");
    for (number, step) in steps.iter().enumerate() {
        script.push_str(&format!("{}\necho '{}'\n", step.commands, mark(number)));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(kepi.to_path_buf()).chain(std::env::split_paths(&path));
    let mut shell = Command::new("bash");
    shell.args(["-c", &script]).current_dir(scratch).stdin(Stdio::null()).stderr(Stdio::inherit());
    shell.env("PATH", std::env::join_paths(paths).map_err(|e| e.to_string())?).env("HOME", scratch);
    // Cargo and rustup keep what they have below the real home.
    if let Some(home) = std::env::home_dir() {
        for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            shell.env(name, std::env::var_os(name).unwrap_or_else(|| home.join(folder).into()));
        }
    }
    shell.env_remove("KEPI_PROJECT");
    let output = shell.output().map_err(|e| format!("bash: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{text}");
    if !output.status.success() {
        return Err(format!("a command of {page} failed ({})", output.status));
    }
    let mut rest = text.as_str();
    for (number, step) in steps.iter().enumerate() {
        let (said, behind) = rest.split_once(&mark(number)).ok_or("the shell ended early")?;
        rest = behind;
        compare(page, step, said)?;
    }
    let shown = steps.iter().filter(|step| !step.shown.is_empty()).count();
    println!("{} blocks ran, {shown} of them show what {page} shows", steps.len());
    if shown == 0 { Err(format!("{page} shows nothing to compare with")) } else { Ok(()) }
}

/// Whether the lines that are shown come in that order.
fn compare(page: &str, step: &Step, said: &str) -> Result<(), String> {
    let mut lines = said.lines().map(str::trim_end);
    let lost = step.shown.iter().find(|shown| shown.as_str() != "…" && !lines.any(|line| line == shown.as_str()));
    lost.map_or(Ok(()), |line| Err(format!("{page} shows, and kepi does not:\n{line}")))
}

/// The blocks that are run.
pub(crate) fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else {
            // What is shown stands right behind the commands, or belongs to something else.
            if !line.is_empty() && steps.last().is_some_and(|step| !step.commands.is_empty()) {
                steps.push(Step::default());
            }
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match (kind, steps.last_mut()) {
            (sh, _) if sh == "sh" || sh.starts_with("sh ") => {
                let needs = sh.trim_start_matches("sh").trim().to_string();
                steps.push(Step { commands: block.join("\n"), shown: Vec::new(), needs });
            }
            ("", Some(step)) if !step.commands.is_empty() => {
                step.shown = block.iter().map(|line| line.trim_end().to_string()).collect();
            }
            _ => {}
        }
    }
    steps.retain(|step| !step.commands.is_empty());
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\n```sh\nbuild\n```\nb\n```sh\nrun\nit\n```\n\n```\n1\n…\n3\n```\nc\n```\nother\n```\n```sh\nmore\n```\nd\n```\nother\n```\n";

    #[test]
    fn blocks_are_found_with_what_they_show() {
        let step = |commands: &str, shown: &[&str]| Step {
            commands: commands.to_string(),
            shown: shown.iter().map(ToString::to_string).collect(),
            needs: String::new(),
        };
        let expected = [step("build", &[]), step("run\nit", &["1", "…", "3"]), step("more", &[])];
        assert_eq!(steps(TEXT), expected);
        assert_eq!(steps("```sh rust\na\n```\n")[0].needs, "rust");
    }

    #[test]
    fn lines_come_in_order() {
        let steps = steps(TEXT);
        assert_eq!(compare("README.md", &steps[1], "0\n1\n2\n3\n4"), Ok(()));
        assert!(compare("README.md", &steps[1], "3\n1").is_err());
    }
}
