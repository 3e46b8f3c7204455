//! One question as a process of its own, from its start to its end: `kepi query` beside the `duckdb` program.

use crate::compare::{enough, median};
use crate::duckdb::DUCKDB;
use crate::error::BenchError;
use crate::questions::Question;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The version of the program that it is compared with.
const DUCKDB_CLI: &str = "1.5.6";

/// The programs, and the database file that one of them made.
#[derive(Debug)]
pub(crate) struct Cold {
    kepi: PathBuf,
    project: PathBuf,
    duckdb: PathBuf,
    database: PathBuf,
}

impl Cold {
    /// Finds `kepi` beside this program, installs `duckdb` where it is missing, and lets it make a database of the
    /// streams' Parquet files.
    pub(crate) fn prepare(folder: &Path, streams: &[&str], progress: &dyn Fn(&str)) -> Result<Cold, BenchError> {
        let own = std::env::current_exe().map_err(BenchError::io(Path::new("this program")))?;
        let kepi = own.with_file_name(format!("kepi{}", std::env::consts::EXE_SUFFIX));
        if !kepi.is_file() {
            let kepi = kepi.display();
            return Err(BenchError::Data(format!(
                "there is no {kepi}: build it with `cargo build --release -p kepi-cli`"
            )));
        }
        let duckdb = program(folder, progress)?;
        let database = folder.join("cold.duckdb");
        if database.exists() {
            fs::remove_file(&database).map_err(BenchError::io(&database))?;
        }
        progress("letting the `duckdb` program make its file");
        let create = |stream: &&str| {
            let path = folder.join("data").join(format!("{stream}.parquet")).display().to_string().replace('\'', "''");
            format!("create table {stream} as select * from read_parquet('{path}');")
        };
        let script: String = streams.iter().map(create).collect();
        finish(Command::new(&duckdb).arg(&database).args(["-c", &script]))?;
        Ok(Cold { kepi, project: folder.to_path_buf(), duckdb, database })
    }

    /// Asks a question of each by turns; gives the median times, kepi's first. kepi computes it anew each time: nothing
    /// that was kept is read.
    pub(crate) fn ask(&self, question: &Question, repeats: usize) -> Result<(Duration, Duration), BenchError> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let started = Instant::now();
        for turn in 0..repeats.max(1) {
            if enough(turn, started) {
                break;
            }
            let mut kepi = Command::new(&self.kepi);
            kepi.arg("--project").arg(&self.project).args(["query", "--no-cache", "--format", "csv", question.kepi]);
            ours.push(finish(&mut kepi)?);
            let mut duckdb = Command::new(&self.duckdb);
            theirs.push(finish(duckdb.args(["-readonly", "-csv"]).arg(&self.database).args(["-c", question.sql]))?);
        }
        Ok((median(&mut ours), median(&mut theirs)))
    }
}

/// The `duckdb` program itself: its package starts it by a Python script, which is not what is to be measured.
fn program(folder: &Path, progress: &dyn Fn(&str)) -> Result<PathBuf, BenchError> {
    let python = DUCKDB.python(folder, progress)?;
    let find = || {
        let script = "import duckdb_cli, os; print(os.path.join(os.path.dirname(duckdb_cli.__file__), 'duckdb'))";
        let output = Command::new(&python).args(["-c", script]).stderr(Stdio::null()).output().ok()?;
        let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        (output.status.success() && path.is_file()).then_some(path)
    };
    if let Some(path) = find() {
        return Ok(path);
    }
    progress("installing the `duckdb` program");
    let package = format!("duckdb-cli=={DUCKDB_CLI}");
    finish(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", &package]))?;
    find().ok_or_else(|| BenchError::Engine(DUCKDB.engine, format!("{package} brings no program")))
}

/// Runs a process to its end, and says how long it took.
fn finish(command: &mut Command) -> Result<Duration, BenchError> {
    let shown = format!("{command:?}");
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
    let took = started.elapsed();
    let output = output.map_err(|error| BenchError::Data(format!("cannot run {shown}: {error}")))?;
    if output.status.success() {
        return Ok(took);
    }
    Err(BenchError::Data(format!("{shown} failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
}
