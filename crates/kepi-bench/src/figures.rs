//! All figures in one go: for each scale the data, the questions on one and on two threads, cold starts, loads, other
//! orders of rows, and memory.

use crate::alone::Alone;
use crate::arrange::Arrangement;
use crate::compare::{CompareOptions, compare};
use crate::error::BenchError;
use crate::generate::{GenerateOptions, generate};
use crate::goals::{OfScale, growth};
use crate::table::Format;
use std::fs;
use std::path::PathBuf;

/// What figures to make.
#[derive(Clone, Debug)]
pub struct FigureOptions {
    /// A folder for the data: each scale has its own in it.
    pub folder: PathBuf,
    /// The scales, rising.
    pub scales: Vec<f64>,
    /// The threads; the cold starts, loads and other orders are measured with the most.
    pub threads: Vec<usize>,
    /// How often each file is loaded; the median counts.
    pub loads: usize,
    /// How often each question is asked again; the median counts.
    pub repeats: usize,
    /// Whether the data of a scale stay when it is done.
    pub keep: bool,
}

/// Makes them; gives Markdown.
pub fn figures(options: &FigureOptions, progress: &dyn Fn(&str)) -> Result<String, BenchError> {
    let mut scales = Vec::new();
    for scale in &options.scales {
        scales.push(of_scale(options, *scale, &|text| progress(&format!("scale {scale}: {text}")))?);
    }
    let mut out = String::new();
    // Writing to a String cannot fail.
    for of in &scales {
        let _ = of.write(&mut out);
    }
    if scales.len() > 1 {
        let _ = growth(&scales, &mut out);
    }
    Ok(out)
}

fn of_scale(options: &FigureOptions, scale: f64, progress: &dyn Fn(&str)) -> Result<OfScale, BenchError> {
    let folder = options.folder.join(format!("scale-{scale}"));
    // The environment with DuckDB is the same for all scales, and stays.
    let environment = options.folder.join("duckdb-venv");
    fs::create_dir_all(&folder).map_err(BenchError::io(&folder))?;
    crate::duckdb::environment(&environment, progress)?;
    let link = folder.join("duckdb-venv");
    if !link.exists() {
        let there = fs::canonicalize(&environment).map_err(BenchError::io(&environment))?;
        std::os::unix::fs::symlink(there, &link).map_err(BenchError::io(&link))?;
    }
    let formats = vec![Format::Parquet, Format::Csv];
    generate(&GenerateOptions { folder: folder.clone(), scale, seed: 1, formats, streams: Vec::new() }, progress)?;
    let most = options.threads.iter().copied().max().unwrap_or(1);
    let base = CompareOptions { threads: most, repeats: options.repeats, goals: true, ..CompareOptions::of(&folder) };
    let mut of = OfScale { scale, ..OfScale::default() };
    of.main = compare(&CompareOptions { loads: options.loads, cold: true, ..base.clone() }, progress)?;
    for threads in options.threads.iter().filter(|threads| **threads != most) {
        of.threads.push(compare(&CompareOptions { threads: *threads, loaded: true, ..base.clone() }, progress)?);
    }
    progress("memory while asking");
    of.memory.1 = Alone::Ask.measured(&folder, most)?;
    progress("memory while loading");
    of.memory.0 = Alone::Load.measured(&folder, most)?;
    for (arrangement, report) in
        [(Arrangement::Shuffled, &mut of.shuffled), (Arrangement::Late, &mut of.late), (Arrangement::New, &mut of.new)]
    {
        progress(&format!("{arrangement:?}"));
        *report = compare(&CompareOptions { arrangement, ..base.clone() }, progress)?;
    }
    if !options.keep {
        fs::remove_dir_all(&folder).map_err(BenchError::io(&folder))?;
    }
    Ok(of)
}
