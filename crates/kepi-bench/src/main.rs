//! The command: `generate` and `compare`.

use clap::{Parser, Subcommand};
use kepi_bench::{BenchError, CompareOptions, Format, GenerateOptions, compare, generate};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "kepi-bench", about = "Generated events and timed questions, beside DuckDB")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write generated events and a kepi project that maps them
    Generate {
        /// The project's folder
        dir: PathBuf,
        /// 1 is 500,000 customers, about 19 million visits and 6 million purchases
        #[arg(long, default_value_t = 0.1)]
        scale: f64,
        /// Other seeds make other customers
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The formats of the files; both if none is named
        #[arg(long, value_delimiter = ',')]
        format: Vec<Format>,
        /// The streams, such as `purchases,visits`; all if none is named
        #[arg(long, value_delimiter = ',')]
        streams: Vec<String>,
    },
    /// Load the files into kepi and DuckDB, check that both answer alike, and time both
    Compare {
        /// The folder that `generate` has written
        dir: PathBuf,
        /// Threads on both sides
        #[arg(long, default_value_t = 2)]
        threads: usize,
        /// How often each file is loaded; the median counts. 0: loads are not timed
        #[arg(long, default_value_t = 3)]
        loads: usize,
        /// How often each question is asked again; the median counts
        #[arg(long, default_value_t = 5)]
        repeats: usize,
        /// Only questions whose title or kind contains this
        #[arg(long)]
        only: Option<String>,
        /// Do not load: use what an earlier run has loaded
        #[arg(long)]
        loaded: bool,
        /// A file that the tables are written to as well
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let told = |text: &str| {
        // Nobody may be listening; the work goes on.
        let _ = writeln!(std::io::stderr(), "{text}");
    };
    match run(Arguments::parse().command, &told) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            told(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, told: &dyn Fn(&str)) -> Result<(), BenchError> {
    match command {
        Command::Generate { dir, scale, seed, mut format, streams } => {
            if format.is_empty() {
                format = vec![Format::Parquet, Format::Csv];
            }
            generate(&GenerateOptions { folder: dir, scale, seed, formats: format, streams }, told).map(|_| ())
        }
        Command::Compare { dir, threads, loads, repeats, only, loaded, out } => {
            let options = CompareOptions { folder: dir, threads, loads, repeats, only, loaded, python: None };
            let text = compare(&options, told)?.markdown();
            if let Some(path) = out {
                std::fs::write(&path, &text).map_err(|source| BenchError::Io { path, source })?;
            }
            let stdout = PathBuf::from("the standard output");
            writeln!(std::io::stdout(), "{text}").map_err(|source| BenchError::Io { path: stdout, source })
        }
    }
}
