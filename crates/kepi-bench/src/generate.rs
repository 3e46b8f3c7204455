//! Writes the events of the made-up shop, and a kepi project that maps them.

use crate::error::BenchError;
use crate::project;
use crate::shop::Shop;
use crate::streams::{self, STREAMS};
use crate::table::Format;
use std::fs;
use std::path::PathBuf;
use std::thread;

/// Customers at scale 1.
const CUSTOMERS: f64 = 500_000.0;
/// The stream with most rows.
const LARGEST: &str = "visits";

/// What to generate.
#[derive(Clone, Debug)]
pub struct GenerateOptions {
    /// The project's folder; it is made where it is not there.
    pub folder: PathBuf,
    /// 1 is 500,000 customers, about 19 million visits and 6 million purchases.
    pub scale: f64,
    /// Other seeds make other customers.
    pub seed: u64,
    /// The formats of the files.
    pub formats: Vec<Format>,
    /// Which streams; none: all.
    pub streams: Vec<String>,
}

/// What was generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// How many customers there are.
    pub customers: u32,
    /// Each stream with its rows.
    pub streams: Vec<(String, u64)>,
}

/// Writes the files `data/STREAM.parquet` and `data/STREAM.csv`, `kepi.toml` and `model/`. The same options give the
/// same bytes everywhere; a stream is the same whether or not others are written with it.
pub fn generate(options: &GenerateOptions, progress: &dyn Fn(&str)) -> Result<Generated, BenchError> {
    if !(options.scale.is_finite() && options.scale > 0.0 && options.scale <= 100.0) {
        return Err(BenchError::Data(format!("the scale is above 0 and at most 100, not {}", options.scale)));
    }
    let customers = (CUSTOMERS * options.scale).ceil() as u32;
    let data = options.folder.join("data");
    fs::create_dir_all(&data).map_err(BenchError::io(&data))?;
    project::write(&options.folder)?;
    let shop = Shop::new(options.seed);
    let wanted: Vec<&str> = match options.streams.is_empty() {
        true => STREAMS.to_vec(),
        false => options.streams.iter().map(String::as_str).collect(),
    };
    let write = |stream: &str| streams::write(stream, &shop, customers, &data, &options.formats);
    // The largest beside all others: a stream depends on no other.
    let is_large = |stream: &&str| *stream == LARGEST;
    let rows = thread::scope(|scope| -> Result<Vec<(&str, u64)>, BenchError> {
        let large = wanted.iter().find(|stream| is_large(stream)).map(|stream| scope.spawn(|| write(stream)));
        let small = wanted.iter().filter(|stream| !is_large(stream));
        let mut rows: Vec<(&str, u64)> =
            small.map(|stream| Ok((*stream, write(stream)?))).collect::<Result<_, BenchError>>()?;
        if let Some(large) = large {
            let written = large.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            rows.push((LARGEST, written));
        }
        Ok(rows)
    })?;
    let mut generated = Generated { customers, streams: Vec::new() };
    for stream in wanted {
        let rows = rows.iter().find(|(name, _)| *name == stream).map_or(0, |(_, rows)| *rows);
        progress(&format!("{stream}: {rows} rows"));
        generated.streams.push((stream.to_string(), rows));
    }
    Ok(generated)
}
