//! All figures in one go: for each scale the data, the questions on one and on two threads, cold starts, loads, other
//! orders of rows, and memory.

use crate::alone::Alone;
use crate::arrange::Arrangement;
use crate::clickhouse::CLICKHOUSE;
use crate::compare::{CompareOptions, compare_step_by_step};
use crate::duckdb::DUCKDB;
use crate::error::BenchError;
use crate::generate::{GenerateOptions, generate};
use crate::goals::{OfScale, growth};
use crate::report::Report;
use crate::table::Format;
use std::fs;
use std::path::{Path, PathBuf};

/// What figures to make.
#[derive(Clone, Debug)]
pub struct FigureOptions {
    /// A folder for the data: each scale has its own in it.
    pub folder: PathBuf,
    /// The scales, rising.
    pub scales: Vec<f64>,
    /// The threads; the cold starts, loads and other orders are measured with the most.
    pub threads: Vec<usize>,
    /// How often each file is loaded; the median counts. What takes seconds is loaded less often.
    pub loads: usize,
    /// How often each question is asked again; the median counts. What takes seconds is asked less often.
    pub repeats: usize,
    /// Whether the data of a scale stay when it is done. A scale whose data are there is not generated again.
    pub keep: bool,
    /// Whether ClickHouse is asked, too, where it has functions of its own for a question.
    pub clickhouse: bool,
}

/// Takes the Markdown of what has been measured so far.
type SoFar<'a> = &'a mut dyn FnMut(&str) -> Result<(), BenchError>;

/// Makes them; gives Markdown, and hands on what there is of it after each load and each question.
pub fn figures(options: &FigureOptions, progress: &dyn Fn(&str), so_far: SoFar<'_>) -> Result<String, BenchError> {
    let mut scales = Vec::new();
    for scale in &options.scales {
        let mut of = OfScale { scale: *scale, ..OfScale::default() };
        let text = |of: &OfScale| markdown(scales.iter().chain([of]));
        let mut shown = |of: &OfScale| so_far(&text(of));
        of_scale(options, &mut of, &|text| progress(&format!("scale {scale}: {text}")), &mut shown)?;
        scales.push(of);
    }
    let mut out = markdown(&scales);
    if scales.len() > 1 {
        // Writing to a String cannot fail.
        let _ = growth(&scales, &mut out);
    }
    Ok(out)
}

fn markdown<'a>(scales: impl IntoIterator<Item = &'a OfScale>) -> String {
    let mut out = String::new();
    for of in scales {
        // Writing to a String cannot fail.
        let _ = of.write(&mut out);
    }
    out
}

/// Measures one scale, and hands it on after each step.
fn of_scale(
    options: &FigureOptions,
    of: &mut OfScale,
    progress: &dyn Fn(&str),
    shown: &mut dyn FnMut(&OfScale) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    let folder = options.folder.join(format!("scale-{}", of.scale));
    prepare(&options.folder, &folder, of.scale, options.clickhouse, progress)?;
    let most = options.threads.iter().copied().max().unwrap_or(1);
    let base = CompareOptions { threads: most, repeats: options.repeats, goals: true, ..CompareOptions::of(&folder) };
    let mut run = |of: &mut OfScale, options: &CompareOptions, place: fn(&mut OfScale) -> &mut Report| {
        let measured = compare_step_by_step(options, progress, &mut |report| {
            *place(of) = report.clone();
            shown(of)
        })?;
        *place(of) = measured;
        shown(of)
    };
    run(
        of,
        &CompareOptions { loads: options.loads, cold: true, clickhouse: options.clickhouse, ..base.clone() },
        |of| &mut of.main,
    )?;
    for threads in options.threads.iter().filter(|threads| **threads != most) {
        progress(&format!("{threads} threads"));
        of.threads.push(Report::default());
        let options = CompareOptions { threads: *threads, loaded: true, ..base.clone() };
        run(of, &options, |of| {
            let last = of.threads.len() - 1;
            &mut of.threads[last]
        })?;
    }
    progress("memory while asking");
    of.memory.1 = Alone::Ask.measured(&folder, most)?;
    progress("memory while loading");
    of.memory.0 = Alone::Load.measured(&folder, most)?;
    type Place = fn(&mut OfScale) -> &mut Report;
    let orders: [(Arrangement, Place); 3] = [
        (Arrangement::Shuffled, |of| &mut of.shuffled),
        (Arrangement::Late, |of| &mut of.late),
        (Arrangement::New, |of| &mut of.new),
    ];
    for (arrangement, place) in orders {
        progress(&format!("rows in another order: {arrangement:?}"));
        run(of, &CompareOptions { arrangement, check_only: true, ..base.clone() }, place)?;
    }
    of.done = true;
    shown(of)?;
    match options.keep {
        true => Ok(()),
        false => fs::remove_dir_all(&folder).map_err(BenchError::io(&folder)),
    }
}

/// The other engines and the data of a scale, where they are not there yet.
fn prepare(all: &Path, folder: &Path, scale: f64, clickhouse: bool, progress: &dyn Fn(&str)) -> Result<(), BenchError> {
    fs::create_dir_all(folder).map_err(BenchError::io(folder))?;
    // The environments of the other engines are the same for all scales, and stay.
    for package in [Some(DUCKDB), clickhouse.then_some(CLICKHOUSE)].into_iter().flatten() {
        package.python(all, progress)?;
        let (environment, link) = (all.join(package.environment), folder.join(package.environment));
        if !link.exists() {
            let there = fs::canonicalize(&environment).map_err(BenchError::io(&environment))?;
            std::os::unix::fs::symlink(there, &link).map_err(BenchError::io(&link))?;
        }
    }
    let generated = folder.join("data").join("generated");
    if generated.is_file() {
        progress("using the data that are there");
        return crate::project::write(folder);
    }
    let formats = vec![Format::Parquet, Format::Csv];
    generate(
        &GenerateOptions { folder: folder.to_path_buf(), scale, seed: 1, formats, streams: Vec::new() },
        progress,
    )?;
    fs::write(&generated, "").map_err(BenchError::io(&generated))
}
