//! Work in a process of its own, so that its memory is that of nothing else.

use crate::error::BenchError;
use crate::kepi;
use crate::questions::GOALS;
use crate::streams::STREAMS;
use kepi_engine::Engine;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What is done alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Alone {
    /// Load every stream's Parquet file into an empty store.
    Load,
    /// Ask the questions of the goals, one after the other, in one process.
    Ask,
}

impl Alone {
    fn name(self) -> &'static str {
        match self {
            Alone::Load => "load",
            Alone::Ask => "ask",
        }
    }

    /// Does it here; gives the most memory that this process has had, mapped files included. None: the system does not
    /// tell.
    pub fn run(self, folder: &Path, threads: usize) -> Result<Option<u64>, BenchError> {
        match self {
            Alone::Load => {
                kepi::forget(folder)?;
                for stream in STREAMS {
                    let file = folder.join("data").join(format!("{stream}.parquet"));
                    if file.is_file() {
                        kepi::load(folder, stream, &[file])?;
                    }
                }
            }
            Alone::Ask => {
                let engine = Engine::open(folder)?;
                for (_, question) in GOALS.iter().filter_map(|goal| goal.question()) {
                    kepi::ask(&engine, question.kepi, Some(threads))?;
                }
            }
        }
        Ok(peak_bytes())
    }

    /// Does it in a process of its own; gives its most memory.
    pub(crate) fn measured(self, folder: &Path, threads: usize) -> Result<Option<u64>, BenchError> {
        let own = std::env::current_exe().map_err(BenchError::io(Path::new("this program")))?;
        let mut command = Command::new(&own);
        command.args(["alone", self.name()]).arg(folder).args(["--threads", &threads.to_string()]);
        let output = command.output().map_err(BenchError::io(&own))?;
        if !output.status.success() {
            return Err(BenchError::Data(String::from_utf8_lossy(&output.stderr).trim().to_string()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().parse().ok())
    }
}

/// The most memory that this process has had, mapped files included, where the system tells.
pub(crate) fn peak_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}
