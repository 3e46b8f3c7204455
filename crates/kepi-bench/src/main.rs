//! The command: `generate`, `compare`, `figures`, `plugins`.

use clap::{Parser, Subcommand};
use kepi_bench::{
    Alone, Arrangement, BenchError, CompareOptions, FigureOptions, Format, GenerateOptions, PluginOptions, compare,
    figures, generate, plugins,
};
use std::io::Write;
use std::path::{Path, PathBuf};
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
        /// Only the seventeen questions for which there are goals
        #[arg(long)]
        goals: bool,
        /// Ask each question in a process of its own, too, beside the `duckdb` program
        #[arg(long)]
        cold: bool,
        /// Ask ClickHouse, too, where it has functions of its own for a question; its Python package is some 250 MB
        #[arg(long)]
        clickhouse: bool,
        /// Load kepi's rows in shuffled halves
        #[arg(long, conflicts_with_all = ["late", "new", "loaded"])]
        shuffled: bool,
        /// Load one row in a hundred after all others
        #[arg(long, conflicts_with_all = ["new", "loaded"])]
        late: bool,
        /// Ask everything, load the last of a hundred rows, and ask again
        #[arg(long, conflicts_with = "loaded")]
        new: bool,
        /// Do not load: use what an earlier run has loaded
        #[arg(long)]
        loaded: bool,
        /// A file that the tables are written to as well
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Make all figures: for each scale data, questions, cold starts, loads, other orders of rows, memory; `--out` has at
    /// any moment what has been measured
    Figures {
        /// A folder for the data
        dir: PathBuf,
        /// The scales, rising
        #[arg(long, value_delimiter = ',', default_value = "0.1,1")]
        scales: Vec<f64>,
        /// The numbers of threads
        #[arg(long, value_delimiter = ',', default_value = "1,2")]
        threads: Vec<usize>,
        /// How often each file is loaded; the median counts
        #[arg(long, default_value_t = 3)]
        loads: usize,
        /// How often each question is asked again; the median counts
        #[arg(long, default_value_t = 5)]
        repeats: usize,
        /// Ask ClickHouse, too, where it has functions of its own for a question; its Python package is some 250 MB
        #[arg(long)]
        clickhouse: bool,
        /// Keep the data of each scale; the next run uses them
        #[arg(long)]
        keep: bool,
        /// A file that the tables are written to as well
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Time functions of plugins beside the built-in ones: a component made of Rust, and a script
    Plugins {
        /// A folder for the data
        dir: PathBuf,
        /// About how many rows
        #[arg(long, default_value_t = 10_000_000)]
        rows: u64,
        /// How often each question is asked again; the median counts
        #[arg(long, default_value_t = 5)]
        repeats: usize,
        /// Fail where the component takes more than so many times what the built-in function takes
        #[arg(long)]
        most: Option<f64>,
    },
    /// Do one thing alone in this process, and tell its most memory, in bytes
    #[command(hide = true)]
    Alone {
        /// What
        what: Alone,
        /// The folder that `generate` has written
        dir: PathBuf,
        /// Threads
        #[arg(long, default_value_t = 2)]
        threads: usize,
    },
}

fn main() -> ExitCode {
    // As the program that is measured does.
    kepi_engine::keep_memory();
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
        Command::Compare {
            dir,
            threads,
            loads,
            repeats,
            only,
            goals,
            cold,
            clickhouse,
            shuffled,
            late,
            new,
            loaded,
            out,
        } => {
            let arrangement = match (shuffled, late, new) {
                (true, ..) => Arrangement::Shuffled,
                (_, true, _) => Arrangement::Late,
                (_, _, true) => Arrangement::New,
                _ => Arrangement::Whole,
            };
            let options = CompareOptions {
                threads,
                loads,
                repeats,
                only,
                goals,
                cold,
                clickhouse,
                arrangement,
                loaded,
                ..CompareOptions::of(&dir)
            };
            show(&compare(&options, told)?.markdown(), out)
        }
        Command::Figures { dir, mut scales, threads, loads, repeats, clickhouse, keep, out } => {
            scales.sort_by(f64::total_cmp);
            let options = FigureOptions { folder: dir, scales, threads, loads, repeats, clickhouse, keep };
            let mut so_far = |text: &str| write_out(text, out.as_deref());
            let text = figures(&options, told, &mut so_far)?;
            show(&text, out)
        }
        Command::Plugins { dir, rows, repeats, most } => {
            let options = PluginOptions { folder: dir, rows, repeats, times_max: most };
            show(&plugins(&options, told)?, None)
        }
        Command::Alone { what, dir, threads } => {
            let bytes = what.run(&dir, threads)?;
            show(&bytes.map_or_else(String::new, |bytes| bytes.to_string()), None)
        }
    }
}

/// Writes a text to the standard output, and to a file where one is named.
fn show(text: &str, out: Option<PathBuf>) -> Result<(), BenchError> {
    write_out(text, out.as_deref())?;
    let stdout = PathBuf::from("the standard output");
    writeln!(std::io::stdout(), "{text}").map_err(|source| BenchError::Io { path: stdout, source })
}

fn write_out(text: &str, out: Option<&Path>) -> Result<(), BenchError> {
    match out {
        Some(path) => std::fs::write(path, text).map_err(|source| BenchError::Io { path: path.to_path_buf(), source }),
        None => Ok(()),
    }
}
