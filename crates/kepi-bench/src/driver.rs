//! Another engine: its Python package in an environment of its own, driven over a pipe, a JSON request a line in and a
//! JSON answer a line out.

use crate::answer::Answer;
use crate::error::BenchError;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// An engine that is spoken to in SQL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Package {
    /// As people call it.
    pub(crate) engine: &'static str,
    /// The Python package, which is also the name of its module.
    pub(crate) package: &'static str,
    /// The folder of its environment.
    pub(crate) environment: &'static str,
    /// What runs in Python.
    pub(crate) script: &'static str,
}

impl Package {
    fn error(&self, reason: impl Into<String>) -> BenchError {
        BenchError::Engine(self.engine, reason.into())
    }

    /// Whether a Python has the package.
    pub(crate) fn is_in(&self, python: &Path) -> bool {
        let import = format!("import {}", self.package);
        let check = Command::new(python).args(["-c", &import]).stderr(Stdio::null()).status();
        check.is_ok_and(|status| status.success())
    }

    /// The Python of an environment that has the package; both are made where they are missing.
    pub(crate) fn python(&self, folder: &Path, progress: &dyn Fn(&str)) -> Result<PathBuf, BenchError> {
        let environment = folder.join(self.environment);
        let python = environment.join("bin").join("python");
        if self.is_in(&python) {
            return Ok(python);
        }
        progress(&format!("installing the Python package `{}`", self.package));
        self.succeed(Command::new("python3").args(["-m", "venv"]).arg(environment))?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", self.package];
        self.succeed(Command::new(&python).args(install))?;
        Ok(python)
    }

    fn succeed(&self, command: &mut Command) -> Result<(), BenchError> {
        let shown = format!("{command:?}");
        let output = command.output().map_err(|error| self.error(format!("cannot run {shown}: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        Err(self.error(format!("{shown} failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
    }
}

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

/// A running engine.
#[derive(Debug)]
pub(crate) struct Driver {
    package: Package,
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Driver {
    /// Starts it with a Python that has the package.
    pub(crate) fn start(package: Package, python: &Path) -> Result<Driver, BenchError> {
        let mut process = Command::new(python)
            .args(["-u", "-c", package.script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(BenchError::io(python))?;
        match (process.stdin.take(), process.stdout.take()) {
            (Some(input), Some(output)) => Ok(Driver { package, process, input, output: BufReader::new(output) }),
            _ => Err(package.error("its pipes are missing")),
        }
    }

    pub(crate) fn version(&mut self) -> Result<String, BenchError> {
        let answer = self.call(&json!({ "do": "version" }))?;
        Ok(answer["version"].as_str().unwrap_or("of an unknown version").to_string())
    }

    /// Opens a database, and closes the one that was open.
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
        let package = self.package;
        let gone = |error: std::io::Error| package.error(format!("the driver has ended: {error}"));
        writeln!(self.input, "{request}").and_then(|()| self.input.flush()).map_err(gone)?;
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(gone)?;
        let answer: Value = serde_json::from_str(&line).map_err(|_| package.error("the driver has ended"))?;
        match answer["error"].as_str() {
            Some(error) => Err(package.error(error)),
            None => Ok(answer),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
