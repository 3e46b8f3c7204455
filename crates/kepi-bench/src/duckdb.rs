//! DuckDB's side: its Python package in an environment of its own, driven over a pipe.

use crate::answer::Answer;
use crate::error::BenchError;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// The rows of an answer.
#[derive(Debug)]
pub(crate) struct Rows(Value);

impl Rows {
    /// The number that a `select count(*)` gives.
    pub(crate) fn count(&self) -> u64 {
        self.0[0][0].as_u64().unwrap_or_default()
    }

    /// As an answer whose rows begin with that many keys.
    pub(crate) fn answer(&self, labels: usize) -> Answer {
        let text = |key: &Value| match key {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let rows = self.0.as_array().map(Vec::as_slice).unwrap_or_default();
        let rows = rows.iter().filter_map(Value::as_array).filter_map(|row| {
            let (keys, values) = row.split_at_checked(labels)?;
            Some((keys.iter().map(text).collect(), values.iter().map(Value::as_f64).collect()))
        });
        Answer::of_rows(labels, rows)
    }
}

/// A running DuckDB.
#[derive(Debug)]
pub(crate) struct DuckDb {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl DuckDb {
    /// Starts the driver; makes the environment and installs the package where that has not been done.
    pub(crate) fn start(folder: &Path, progress: &dyn Fn(&str)) -> Result<DuckDb, BenchError> {
        DuckDb::of(&environment(&folder.join("duckdb-venv"), progress)?)
    }

    /// Starts the driver with a Python that has the package.
    pub(crate) fn of(python: &Path) -> Result<DuckDb, BenchError> {
        let mut process = Command::new(python)
            .args(["-u", "-c", include_str!("driver.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(BenchError::io(python))?;
        match (process.stdin.take(), process.stdout.take()) {
            (Some(input), Some(output)) => Ok(DuckDb { process, input, output: BufReader::new(output) }),
            _ => Err(BenchError::DuckDb("its pipes are missing".to_string())),
        }
    }

    pub(crate) fn version(&mut self) -> Result<String, BenchError> {
        let answer = self.call(&json!({ "do": "version" }))?;
        Ok(answer["version"].as_str().unwrap_or("of an unknown version").to_string())
    }

    /// Opens a database file, and closes the one that was open.
    pub(crate) fn open(&mut self, path: &Path, threads: usize) -> Result<(), BenchError> {
        self.call(&json!({ "do": "open", "path": path.display().to_string(), "threads": threads })).map(|_| ())
    }

    /// Runs a statement; gives its rows and how long it took with fetching them, in Python.
    pub(crate) fn run(&mut self, sql: &str) -> Result<(Rows, Duration), BenchError> {
        let mut reply = self.call(&json!({ "do": "run", "sql": sql }))?;
        let seconds = reply["seconds"].as_f64().unwrap_or_default();
        Ok((Rows(reply["rows"].take()), Duration::from_secs_f64(seconds)))
    }

    fn call(&mut self, request: &Value) -> Result<Value, BenchError> {
        let gone = |error: std::io::Error| BenchError::DuckDb(format!("the driver has ended: {error}"));
        writeln!(self.input, "{request}").and_then(|()| self.input.flush()).map_err(gone)?;
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(gone)?;
        let answer: Value =
            serde_json::from_str(&line).map_err(|_| BenchError::DuckDb("the driver has ended".to_string()))?;
        match answer["error"].as_str() {
            Some(error) => Err(BenchError::DuckDb(error.to_string())),
            None => Ok(answer),
        }
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The Python of `KEPI_BENCH_PYTHON`, else `python3`, if it has DuckDB's package.
pub fn python_with_duckdb() -> Option<PathBuf> {
    let python = std::env::var_os("KEPI_BENCH_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    has_package(&python).then_some(python)
}

/// Whether a Python has the package.
fn has_package(python: &Path) -> bool {
    let check = Command::new(python).args(["-c", "import duckdb"]).stderr(Stdio::null()).status();
    check.is_ok_and(|status| status.success())
}

/// The Python of an environment that has the package.
pub(crate) fn environment(folder: &Path, progress: &dyn Fn(&str)) -> Result<PathBuf, BenchError> {
    let python = folder.join("bin").join("python");
    if has_package(&python) {
        return Ok(python);
    }
    progress("installing DuckDB's Python package");
    succeed(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    succeed(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "duckdb"]))?;
    Ok(python)
}

fn succeed(command: &mut Command) -> Result<(), BenchError> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| BenchError::DuckDb(format!("cannot run {shown}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(BenchError::DuckDb(format!("{shown} failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
}
