//! Runs the README as a new user would, and compares what it shows.
//!
//! Each block ```` ```sh ```` but the first (which builds) is run in one shell, one after the other, so `cd` and `export`
//! last. A plain block behind it is what it shows: its lines have to come in that order; `…` stands for others.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Commands with what the README shows behind them.
#[derive(Debug, Default, PartialEq)]
struct Step {
    commands: String,
    shown: Vec<String>,
}

/// `readme KEPI`: KEPI is the binary that the commands call.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), String> {
    let [kepi] = arguments else { return Err("it takes the path of the kepi binary".to_string()) };
    let kepi = std::path::absolute(kepi).map_err(|e| format!("{kepi}: {e}"))?;
    let folder = kepi.parent().filter(|_| kepi.is_file()).ok_or_else(|| format!("there is no {}", kepi.display()))?;
    let text = fs::read_to_string(root.join("README.md")).map_err(|e| format!("README.md: {e}"))?;
    let scratch = std::env::temp_dir().join(format!("kepi-readme-{}", std::process::id()));
    fs::create_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    let outcome = follow(&steps(&text), folder, &scratch);
    fs::remove_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    outcome
}

/// Runs the steps in a folder that is home as well, after the demo that the first block makes.
fn follow(steps: &[Step], kepi: &Path, scratch: &Path) -> Result<(), String> {
    let mark = |number: usize| format!("-- end of block {number} --");
    let mut script = "set -e\nkepi demo\n".to_string();
    for (number, step) in steps.iter().enumerate() {
        script.push_str(&format!("{}\necho '{}'\n", step.commands, mark(number)));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(kepi.to_path_buf()).chain(std::env::split_paths(&path));
    let mut shell = Command::new("bash");
    shell.args(["-c", &script]).current_dir(scratch).stdin(Stdio::null()).stderr(Stdio::inherit());
    shell.env("PATH", std::env::join_paths(paths).map_err(|e| e.to_string())?).env("HOME", scratch);
    shell.env_remove("KEPI_PROJECT");
    let output = shell.output().map_err(|e| format!("bash: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{text}");
    if !output.status.success() {
        return Err(format!("a command of the README failed ({})", output.status));
    }
    let mut rest = text.as_str();
    for (number, step) in steps.iter().enumerate() {
        let (said, behind) = rest.split_once(&mark(number)).ok_or("the shell ended early")?;
        rest = behind;
        compare(step, said)?;
    }
    let shown = steps.iter().filter(|step| !step.shown.is_empty()).count();
    println!("{} blocks ran, {shown} of them show what the README shows", steps.len());
    if shown == 0 { Err("the README shows nothing to compare with".to_string()) } else { Ok(()) }
}

/// Whether the lines that are shown come in that order.
fn compare(step: &Step, said: &str) -> Result<(), String> {
    let mut lines = said.lines().map(str::trim_end);
    let lost = step.shown.iter().find(|shown| shown.as_str() != "…" && !lines.any(|line| line == shown.as_str()));
    lost.map_or(Ok(()), |line| Err(format!("README.md shows, and kepi does not:\n{line}")))
}

/// The blocks that are run, without the first.
fn steps(text: &str) -> Vec<Step> {
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
            ("sh", _) => steps.push(Step { commands: block.join("\n"), shown: Vec::new() }),
            ("", Some(step)) if !step.commands.is_empty() => {
                step.shown = block.iter().map(|line| line.trim_end().to_string()).collect();
            }
            _ => {}
        }
    }
    steps.retain(|step| !step.commands.is_empty());
    steps.drain(..1.min(steps.len()));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\n```sh\nbuild\n```\nb\n```sh\nrun\nit\n```\n\n```\n1\n…\n3\n```\nc\n```\nother\n```\n```sh\nmore\n```\nd\n```\nother\n```\n";

    #[test]
    fn blocks_are_found_with_what_they_show() {
        let run = Step { commands: "run\nit".to_string(), shown: vec!["1".into(), "…".into(), "3".into()] };
        let more = Step { commands: "more".to_string(), shown: Vec::new() };
        assert_eq!(steps(TEXT), [run, more]);
    }

    #[test]
    fn lines_come_in_order() {
        let steps = steps(TEXT);
        assert_eq!(compare(&steps[0], "0\n1\n2\n3\n4"), Ok(()));
        assert!(compare(&steps[0], "3\n1").is_err());
    }
}
