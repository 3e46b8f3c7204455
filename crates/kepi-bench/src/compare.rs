//! One run: loads on both sides, then questions on both sides, each first checked and then timed by turns.

use crate::alone::peak_bytes;
use crate::arrange::Arrangement;
use crate::clickhouse::{CLICKHOUSE, ClickHouse};
use crate::cold::Cold;
use crate::driver::Driver;
use crate::duckdb::DUCKDB;
use crate::error::BenchError;
use crate::floor::Floor;
use crate::kepi;
use crate::questions::{Comparison, FAMILIES, Family, Goal, Question};
use crate::report::{Asked, Beside, LoadLine, Report};
use crate::streams::STREAMS;
use crate::table::Format;
use kepi_engine::Engine;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What to compare, and how often.
#[derive(Clone, Debug)]
pub struct CompareOptions {
    /// The folder that `generate` has written.
    pub folder: PathBuf,
    /// Threads on both sides.
    pub threads: usize,
    /// How often each file is loaded on each side; 0: loads are not timed.
    pub loads: usize,
    /// How often each question is asked again on each side.
    pub repeats: usize,
    /// Only questions whose title or kind contains this.
    pub only: Option<String>,
    /// Only questions for which there are goals.
    pub goals: bool,
    /// In which order kepi gets the rows.
    pub arrangement: Arrangement,
    /// Whether each question is also asked in a process of its own.
    pub cold: bool,
    /// Whether ClickHouse is asked, too, where it has functions of its own for a question.
    pub clickhouse: bool,
    /// Use what an earlier run has loaded, on both sides.
    pub loaded: bool,
    /// Only check kepi's answers against DuckDB's tables as an earlier run has loaded them: DuckDB is asked once and
    /// not timed, the plain arrays are not asked.
    pub check_only: bool,
    /// A Python that has the packages; none: one for each in an environment of the folder, which is made where it is
    /// missing.
    pub python: Option<PathBuf>,
}

impl CompareOptions {
    /// Everything once on two threads, nothing of it twice.
    pub fn of(folder: &Path) -> CompareOptions {
        CompareOptions {
            folder: folder.to_path_buf(),
            threads: 2,
            loads: 0,
            repeats: 0,
            only: None,
            goals: false,
            arrangement: Arrangement::Whole,
            cold: false,
            clickhouse: false,
            loaded: false,
            check_only: false,
            python: None,
        }
    }

    fn wants(&self, family: &Family, question: &Question) -> bool {
        let named = |only: &String| family.title.contains(only.as_str()) || question.title.contains(only.as_str());
        self.only.as_ref().is_none_or(named) && (!self.goals || Goal::of(question.title).is_some())
    }
}

/// Runs everything.
///
/// Errors: one side cannot load, or DuckDB cannot answer. Different answers are no error: the report says so.
pub fn compare(options: &CompareOptions, progress: &dyn Fn(&str)) -> Result<Report, BenchError> {
    compare_step_by_step(options, progress, &mut |_| Ok(()))
}

/// Runs everything, and hands on what there is after each load and each question.
pub(crate) fn compare_step_by_step(
    options: &CompareOptions,
    progress: &dyn Fn(&str),
    so_far: &mut dyn FnMut(&Report) -> Result<(), BenchError>,
) -> Result<Report, BenchError> {
    let python = match &options.python {
        Some(python) => python.clone(),
        None => DUCKDB.python(&options.folder, progress)?,
    };
    let mut duckdb = Driver::start(DUCKDB, &python)?;
    let mut report = Report {
        duckdb: duckdb.version()?,
        threads: options.threads,
        load_average: load_average(),
        ..Report::default()
    };
    let streams: Vec<&str> =
        STREAMS.into_iter().filter(|s| data(&options.folder, s, Format::Parquet).is_file()).collect();
    if !streams.contains(&"purchases") {
        return Err(BenchError::Data("there is no data/purchases.parquet: run `generate` first".to_string()));
    }
    if options.loads > 0 && !options.loaded {
        for stream in &streams {
            for format in [Format::Csv, Format::Parquet] {
                let file = data(&options.folder, stream, format);
                if file.is_file() {
                    progress(&format!("loading {stream} from {}", format.ending()));
                    report.loads.push(load(options, &mut duckdb, stream, format, &file)?);
                    so_far(&report)?;
                }
            }
        }
        report.peak_bytes = peak_bytes();
    }
    let mut later = Vec::new();
    if options.loaded {
        duckdb.open(&database(&options.folder), options.threads)?;
    } else {
        progress("loading everything, for the questions");
        if options.check_only {
            kepi::forget(&options.folder)?;
            duckdb.open(&database(&options.folder), options.threads)?;
        } else {
            empty_both(options, &mut duckdb)?;
        }
        for stream in &streams {
            let mut files = options.arrangement.files(&options.folder, stream)?;
            if options.arrangement == Arrangement::New {
                later.extend(files.drain(1.min(files.len())..).map(|file| (*stream, file)));
            }
            kepi::load(&options.folder, stream, &files)?;
            if !options.check_only {
                create_table(&mut duckdb, stream, Format::Parquet, &data(&options.folder, stream, Format::Parquet))?;
            }
        }
    }
    let wanted: Vec<(&Family, &Question)> = FAMILIES
        .iter()
        .filter(|family| family.streams.iter().all(|stream| streams.contains(stream)))
        .flat_map(|family| family.questions.iter().map(move |question| (family, question)))
        .filter(|(family, question)| options.wants(family, question))
        .collect();
    // A fresh engine, so that a question's first time is that of an opened project.
    let engine = Engine::open(&options.folder)?;
    if options.arrangement == Arrangement::New {
        for (_, question) in &wanted {
            progress(&format!("before the new rows: {}", question.title));
            kepi::ask_kept(&engine, question.kepi, Some(options.threads))?;
        }
        for (stream, file) in later {
            kepi::load(&options.folder, stream, &[file])?;
        }
    }
    for stream in &streams {
        report.rows.push((stream.to_string(), duckdb.run(&format!("select count(*) from {stream}"))?.0.count()));
    }
    report.store_bytes = kepi::size(&options.folder)?;
    let start_clickhouse = || {
        let python = match &options.python {
            Some(python) => python.clone(),
            None => CLICKHOUSE.python(&options.folder, progress)?,
        };
        ClickHouse::start(&options.folder, &python, &streams, options.threads, progress)
    };
    let mut clickhouse = options.clickhouse.then(start_clickhouse).transpose()?;
    report.clickhouse = clickhouse.as_ref().map(|clickhouse| clickhouse.version.clone());
    let floor = (!options.check_only).then(|| Floor::read(&options.folder)).transpose()?;
    let cold = options.cold.then(|| Cold::prepare(&options.folder, &streams, progress)).transpose()?;
    for (family, question) in wanted {
        let mut asked = ask(options, &engine, &mut duckdb, floor.as_ref(), family, question)?;
        if let Some(clickhouse) = &mut clickhouse {
            ask_clickhouse(options, &engine, clickhouse, question, &mut asked)?;
        }
        if let Some(cold) = &cold {
            asked.cold = Some(cold.ask(question, options.repeats)?);
        }
        progress(&asked.told());
        report.asked.push(asked);
        so_far(&report)?;
    }
    report.load_average = report.load_average.zip(load_average()).map(|(before, after)| before.max(after));
    Ok(report)
}

fn data(folder: &Path, stream: &str, format: Format) -> PathBuf {
    folder.join("data").join(format!("{stream}.{}", format.ending()))
}

fn load(
    options: &CompareOptions,
    duckdb: &mut Driver,
    stream: &str,
    format: Format,
    file: &Path,
) -> Result<LoadLine, BenchError> {
    let (mut kepi, mut theirs) = (Vec::new(), Vec::new());
    let mut sizes = (0, 0);
    let mut rows = 0;
    let started = Instant::now();
    for turn in 0..options.loads.max(1) {
        if enough(turn, started) {
            break;
        }
        empty_both(options, duckdb)?;
        let (loaded, took) = load_both(options, duckdb, stream, format, file)?;
        rows = loaded.rows;
        kepi.push(loaded.elapsed);
        theirs.push(took);
        let database = database(&options.folder);
        let bytes = fs::metadata(&database).map_err(BenchError::io(&database))?.len();
        sizes = (kepi::size(&options.folder)?, bytes);
    }
    Ok(LoadLine {
        what: format!("{stream}.{}", format.ending()),
        rows,
        kepi: median(&mut kepi),
        duckdb: median(&mut theirs),
        kepi_bytes: sizes.0,
        duckdb_bytes: sizes.1,
    })
}

fn database(folder: &Path) -> PathBuf {
    folder.join("bench.duckdb")
}

/// Makes a store and a database anew; both are there then, and empty.
fn empty_both(options: &CompareOptions, duckdb: &mut Driver) -> Result<(), BenchError> {
    kepi::forget(&options.folder)?;
    kepi::make(&options.folder)?;
    let database = database(&options.folder);
    duckdb.open(Path::new(":memory:"), options.threads)?;
    if database.exists() {
        fs::remove_file(&database).map_err(BenchError::io(&database))?;
    }
    duckdb.open(&database, options.threads)?;
    // Else whoever waits for the disk first waits for all that was removed, too.
    fs::File::open(&options.folder).and_then(|folder| folder.sync_all()).map_err(BenchError::io(&options.folder))
}

/// Loads a file into the store and into the database.
fn load_both(
    options: &CompareOptions,
    duckdb: &mut Driver,
    stream: &str,
    format: Format,
    file: &Path,
) -> Result<(kepi::Loaded, Duration), BenchError> {
    let loaded = kepi::load(&options.folder, stream, &[file.to_path_buf()])?;
    Ok((loaded, create_table(duckdb, stream, format, file)?))
}

/// Makes a table of a file; gives how long that took without the checkpoint behind it.
fn create_table(duckdb: &mut Driver, stream: &str, format: Format, file: &Path) -> Result<Duration, BenchError> {
    let reader = match format {
        Format::Parquet => "read_parquet",
        Format::Csv => "read_csv",
    };
    let path = file.display().to_string().replace('\'', "''");
    let (_, took) = duckdb.run(&format!("create table {stream} as select * from {reader}('{path}')"))?;
    duckdb.run("checkpoint")?;
    Ok(took)
}

fn ask(
    options: &CompareOptions,
    engine: &Engine,
    duckdb: &mut Driver,
    floor: Option<&Floor>,
    family: &Family,
    question: &Question,
) -> Result<Asked, BenchError> {
    let threads = Some(options.threads);
    let (theirs, duckdb_first) =
        duckdb.run(question.sql).map_err(|error| BenchError::Data(format!("{}: {error}", question.title)))?;
    let mut asked = Asked {
        family: family.title,
        title: question.title,
        first: Duration::ZERO,
        again: Duration::ZERO,
        kept: None,
        after_new: None,
        cold: None,
        clickhouse: None,
        duckdb_first,
        duckdb_again: duckdb_first,
        floor: None,
        difference: None,
    };
    // What is kept of the rows before the new ones is used here, and only here: then everything is computed anew.
    let after_new = match options.arrangement {
        Arrangement::New => Some(kepi::ask_kept(engine, question.kepi, threads)?),
        Arrangement::Whole | Arrangement::Shuffled | Arrangement::Late => None,
    };
    let ours = match kepi::ask(engine, question.kepi, threads) {
        Ok((ours, first)) => {
            (asked.first, asked.again) = (first, first);
            ours
        }
        // The table says it, and goes on.
        Err(error) => return Ok(Asked { difference: Some(error.to_string()), ..asked }),
    };
    let theirs = theirs.answer(ours.labels);
    let by_floor = floor.and_then(|floor| floor.ask(question.title));
    let differs = |other| ours.difference(other, question.comparison);
    asked.difference = differs(&theirs).or_else(|| by_floor.as_ref().and_then(differs));
    if let Some((after, took)) = &after_new {
        asked.after_new = Some(*took);
        asked.difference = asked.difference.or_else(|| after.difference(&ours, Comparison::Same));
    }
    if question.ordered {
        asked.difference = asked.difference.or_else(|| ours.disorder(&theirs));
    }
    let (mut kepi_again, mut duckdb_again, mut floor_again) = (Vec::new(), Vec::new(), Vec::new());
    let all_began = Instant::now();
    for turn in 0..options.repeats {
        if enough(turn, all_began) {
            break;
        }
        kepi_again.push(kepi::ask(engine, question.kepi, threads)?.1);
        if !options.check_only {
            duckdb_again.push(duckdb.run(question.sql)?.1);
        }
        let started = Instant::now();
        if black_box(floor.and_then(|floor| floor.ask(question.title))).is_some() {
            floor_again.push(started.elapsed());
        }
    }
    if options.repeats > 0 {
        // The first of these keeps the answer.
        let mut kept = Vec::new();
        for _ in 0..=options.repeats {
            kept.push(kepi::ask_kept(engine, question.kepi, threads)?.1);
        }
        asked.kept = Some(median(&mut kept[1..]));
        asked.again = median(&mut kepi_again);
        if !duckdb_again.is_empty() {
            asked.duckdb_again = median(&mut duckdb_again);
        }
        asked.floor = (!floor_again.is_empty()).then(|| median(&mut floor_again));
    }
    Ok(asked)
}

/// Asks ClickHouse and kepi by turns, where ClickHouse has a text of the question.
fn ask_clickhouse(
    options: &CompareOptions,
    engine: &Engine,
    clickhouse: &mut ClickHouse,
    question: &Question,
    asked: &mut Asked,
) -> Result<(), BenchError> {
    let Some((theirs, first)) = clickhouse.ask(question)? else { return Ok(()) };
    let (ours, _) = kepi::ask(engine, question.kepi, Some(options.threads))?;
    let difference = ours.difference(&theirs.answer(ours.labels), question.comparison);
    let (mut kepi_again, mut again) = (Vec::new(), vec![first]);
    let all_began = Instant::now();
    for turn in 0..options.repeats {
        if enough(turn, all_began) {
            break;
        }
        kepi_again.push(kepi::ask(engine, question.kepi, Some(options.threads))?.1);
        again.extend(clickhouse.ask(question)?.map(|(_, took)| took));
    }
    // The first time is the only one where nothing is repeated.
    if again.len() > 1 {
        again.remove(0);
    }
    if kepi_again.is_empty() {
        kepi_again.push(asked.again);
    }
    asked.clickhouse = Some(Beside { kepi: median(&mut kepi_again), theirs: median(&mut again), difference });
    Ok(())
}

/// Whether what takes long has been repeated often enough: three times, or once where that took very long.
pub(crate) fn enough(turns: usize, since: Instant) -> bool {
    let took = since.elapsed();
    (turns >= 3 && took > Duration::from_millis(1_500)) || (turns >= 1 && took > Duration::from_secs(6))
}

/// The middle one; the later of the two in the middle. Zero of none.
pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// How busy the machine was in the last minute, where the system tells.
fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}
