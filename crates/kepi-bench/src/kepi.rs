//! kepi's side: loads and questions through the engine's one door.

use crate::answer::Answer;
use crate::civil::date_text;
use crate::error::BenchError;
use crate::project::source_of;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use kepi_engine::{Engine, Frame, FrameColumnKind, Limits, LoadRequest, Request};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a load took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loaded {
    pub(crate) rows: u64,
    pub(crate) elapsed: Duration,
}

/// Makes the project's store empty.
pub(crate) fn forget(folder: &Path) -> Result<(), BenchError> {
    let store = folder.join(".kepi");
    match fs::remove_dir_all(&store) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(BenchError::Io { path: store, source: error })
        }
        _ => Ok(()),
    }
}

/// Makes an empty store, as whoever opens a database has an empty one.
pub(crate) fn make(folder: &Path) -> Result<(), BenchError> {
    Engine::open(folder)?.store_compact()?;
    Ok(())
}

/// Loads files of a stream, one after the other.
pub(crate) fn load(folder: &Path, stream: &str, files: &[PathBuf]) -> Result<Loaded, BenchError> {
    let engine = Engine::open(folder)?;
    let mut loaded = Loaded { rows: 0, elapsed: Duration::ZERO };
    for file in files {
        let request = LoadRequest {
            files: vec![file.display().to_string()],
            source: Some(source_of(stream)),
            strict: true,
            ..LoadRequest::default()
        };
        let started = Instant::now();
        let report = engine.load(request, &|_| ())?;
        loaded.elapsed += started.elapsed();
        match report.targets.first() {
            Some(target) if target.added == target.read => loaded.rows += target.added,
            _ => return Err(BenchError::Data(format!("not every row of {} was new", file.display()))),
        }
    }
    Ok(loaded)
}

/// Bytes of the store on disk.
pub(crate) fn size(folder: &Path) -> Result<u64, BenchError> {
    fn sum(path: &Path) -> std::io::Result<u64> {
        let about = fs::symlink_metadata(path)?;
        if !about.is_dir() {
            return Ok(about.len());
        }
        fs::read_dir(path)?.try_fold(0, |bytes, entry| Ok(bytes + sum(&entry?.path())?))
    }
    let store = folder.join(".kepi").join("store");
    sum(&store).map_err(BenchError::io(&store))
}

/// Asks one question; gives the answer, computed anew, and how long it took, from the text to the table.
///
/// Errors: no answer, a column of a type that the bench does not know.
pub fn ask(engine: &Engine, text: &str, threads: Option<usize>) -> Result<(Answer, Duration), BenchError> {
    take(engine, text, threads, true)
}

/// Asks one question where a kept answer will do.
pub(crate) fn ask_kept(engine: &Engine, text: &str, threads: Option<usize>) -> Result<(Answer, Duration), BenchError> {
    take(engine, text, threads, false)
}

fn take(engine: &Engine, text: &str, threads: Option<usize>, no_cache: bool) -> Result<(Answer, Duration), BenchError> {
    let limits = Limits { threads, ..Limits::default() };
    let request = Request { text: text.to_string(), limits, no_cache, ..Request::default() };
    let started = Instant::now();
    let answers = engine.query(request)?;
    let elapsed = started.elapsed();
    match answers.as_slice() {
        [answer] => Ok((comparable(&answer.frame)?, elapsed)),
        several => Err(BenchError::Data(format!("`{text}` has {} answers", several.len()))),
    }
}

fn comparable(frame: &Frame) -> Result<Answer, BenchError> {
    let is_key = |kind: &FrameColumnKind| matches!(kind, FrameColumnKind::Period | FrameColumnKind::Dimension);
    let columns = || frame.columns.iter().zip(frame.rows.columns());
    let keys: Vec<&ArrayRef> = columns().filter(|(column, _)| is_key(&column.kind)).map(|(_, array)| array).collect();
    let values: Vec<&ArrayRef> =
        columns().filter(|(column, _)| !is_key(&column.kind)).map(|(_, array)| array).collect();
    let mut rows = Vec::with_capacity(frame.rows.num_rows());
    for row in 0..frame.rows.num_rows() {
        let keys = keys.iter().map(|array| key(array, row)).collect::<Result<Vec<_>, _>>()?;
        rows.push((keys, values.iter().map(|array| number(array, row)).collect::<Result<Vec<_>, _>>()?));
    }
    Ok(Answer::of_rows(keys.len(), rows))
}

fn key(array: &ArrayRef, row: usize) -> Result<String, BenchError> {
    if array.is_null(row) {
        return Ok(String::new());
    }
    match array.data_type() {
        DataType::Boolean => Ok(array.as_boolean().value(row).to_string()),
        DataType::Int64 => Ok(array.as_primitive::<Int64Type>().value(row).to_string()),
        DataType::Decimal128(_, 0) => Ok(array.as_primitive::<Decimal128Type>().value(row).to_string()),
        DataType::Float64 => Ok(array.as_primitive::<Float64Type>().value(row).to_string()),
        DataType::Utf8 => Ok(array.as_string::<i32>().value(row).to_string()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Ok(date_text(array.as_primitive::<TimestampMicrosecondType>().value(row)))
        }
        DataType::Date32 => {
            let day = i64::from(array.as_primitive::<Date32Type>().value(row));
            Ok(date_text(day * crate::civil::DAY))
        }
        other => Err(BenchError::Data(format!("a key of type {other}"))),
    }
}

fn number(array: &ArrayRef, row: usize) -> Result<Option<f64>, BenchError> {
    if array.is_null(row) {
        return Ok(None);
    }
    match array.data_type() {
        DataType::Int64 => Ok(Some(array.as_primitive::<Int64Type>().value(row) as f64)),
        DataType::Float64 => Ok(Some(array.as_primitive::<Float64Type>().value(row))),
        DataType::Decimal128(_, scale) => {
            let digits = array.as_primitive::<Decimal128Type>().value(row) as f64;
            Ok(Some(digits / 10f64.powi(i32::from(*scale))))
        }
        other => Err(BenchError::Data(format!("a value of type {other}"))),
    }
}
