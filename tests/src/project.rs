//! The engine on a project of its own: a temporary folder with a model, its files and their store.

use crate::given::Files;
use crate::oracle::{Calendar, Number};
use crate::shown::{Shown, ShownTable};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use jiff::ToSpan;
use kepi_engine::{Engine, EngineError, Frame, FrameColumnKind, LoadRequest, Request};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A project in a folder that is removed with it.
pub struct Project {
    folder: TempDir,
    engine: Engine,
    threads: Option<usize>,
}

impl Project {
    /// Makes a project of a model (one file) and loads the files through the model's sources.
    ///
    /// # Errors
    /// In words, when the folder cannot be written, the model has a mistake or a row is rejected.
    pub fn new(model: &str, files: &Files) -> Result<Project, String> {
        let folder = TempDir::new().map_err(|e| e.to_string())?;
        let root = folder.path();
        let write = |name: &str, text: &str| fs::write(root.join(name), text).map_err(|e| e.to_string());
        fs::create_dir(root.join("model")).map_err(|e| e.to_string())?;
        write("kepi.toml", "")?;
        write("model/main.kepi", &format!("{model}\n{}", files.sources))?;
        if model.contains("test.specimens") {
            specimens(&root.join("plugins/specimens")).map_err(|e| e.to_string())?;
        }
        let loaded = files.files.iter().map(|(_, file, text)| (file, text));
        for (file, text) in loaded.chain(files.beside.iter().map(|(file, text)| (file, text))) {
            write(file, text)?;
        }
        let engine = Engine::open(root).map_err(|e| words(&e))?;
        let project = Project { folder, engine, threads: None };
        for (source, file, _) in &files.files {
            project.load(source, &project.folder.path().join(file))?;
        }
        Ok(project)
    }

    /// Makes a project of model files (name and text) without data.
    ///
    /// # Errors
    /// In words, when the folder cannot be written or the model has a mistake.
    pub fn of_models(models: &[(String, String)]) -> Result<Project, String> {
        let folder = TempDir::new().map_err(|e| e.to_string())?;
        let root = folder.path();
        fs::create_dir(root.join("model")).map_err(|e| e.to_string())?;
        fs::write(root.join("kepi.toml"), "").map_err(|e| e.to_string())?;
        for (name, text) in models {
            fs::write(root.join("model").join(name), text).map_err(|e| e.to_string())?;
        }
        let engine = Engine::open(root).map_err(|e| words(&e))?;
        Ok(Project { folder, engine, threads: None })
    }

    /// Answers on so many threads from now on, instead of one per core.
    pub fn on_threads(self, threads: usize) -> Project {
        Project { threads: Some(threads), ..self }
    }

    /// Loads a file through a source.
    ///
    /// # Errors
    /// In words, when the load fails or rejects a row.
    pub fn load(&self, source: &str, file: &Path) -> Result<(), String> {
        let request = LoadRequest {
            files: vec![file.display().to_string()],
            source: Some(source.to_string()),
            ..LoadRequest::default()
        };
        let report = self.engine.load(request, &|_| {}).map_err(|e| format!("{source}: {}", words(&e)))?;
        match report.rejected.first() {
            Some(row) => Err(format!("{source}: line {} was rejected: {}", row.line, row.reason)),
            None => Ok(()),
        }
    }

    /// The engine, for what is more than a query.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The answer to one query.
    ///
    /// # Errors
    /// In words, as the engine says them.
    pub fn answer(&self, query: &str, now: i64, calendar: &Calendar) -> Result<ShownTable, String> {
        let mut answers = self.answers(query, now, calendar)?;
        match answers.len() {
            1 => Ok(answers.remove(0)),
            count => Err(format!("{count} answers to one query")),
        }
    }

    /// The answers to all queries of a text, one below the other: the model is read once for them.
    ///
    /// # Errors
    /// In words, as the engine says them, where it does not answer one of them.
    pub fn answers(&self, text: &str, now: i64, calendar: &Calendar) -> Result<Vec<ShownTable>, String> {
        let mut request = Request { text: text.to_string(), now: Some(now), ..Request::default() };
        request.limits.threads = self.threads;
        let answers = self.engine.query(request).map_err(|e| words(&e))?;
        answers.iter().map(|answer| shown(&answer.frame, calendar)).collect()
    }

    /// The answers to several queries, asked at once; where one of them has a mistake, each by itself.
    pub fn each(&self, queries: &[String], now: i64, calendar: &Calendar) -> Vec<Result<ShownTable, String>> {
        match self.answers(&queries.join("\n"), now, calendar) {
            Ok(answers) if answers.len() == queries.len() => answers.into_iter().map(Ok).collect(),
            _ => queries.iter().map(|query| self.answer(query, now, calendar)).collect(),
        }
    }
}

/// Puts the plugin that is there for tests into a project.
fn specimens(to: &Path) -> std::io::Result<()> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/specimens");
    fs::create_dir_all(to)?;
    for file in ["kepi-plugin.toml", "specimens.wasm"] {
        fs::copy(from.join(file), to.join(file))?;
    }
    Ok(())
}

/// The table of an answer.
fn shown(frame: &Frame, calendar: &Calendar) -> Result<ShownTable, String> {
    let front = |kind: &FrameColumnKind| matches!(kind, FrameColumnKind::Period | FrameColumnKind::Dimension);
    let mut shown = ShownTable {
        columns: frame.columns.iter().map(|column| column.name.clone()).collect(),
        labels: frame.columns.iter().filter(|column| front(&column.kind)).count(),
        rows: vec![Vec::new(); frame.rows.num_rows()],
        partial: frame.partial.iter().map(|period| period.start).collect(),
        notes: Some(frame.notes.iter().map(|note| note.text.clone()).collect()),
        young: Some(frame.partial_rows.iter().map(|partial| partial.row + 1).collect()),
    };
    for column in frame.rows.columns() {
        for (index, row) in shown.rows.iter_mut().enumerate() {
            row.push(cell(column, index, calendar)?);
        }
    }
    Ok(shown.with_partial_of_rows())
}

/// A value of a column.
fn cell(column: &ArrayRef, row: usize, calendar: &Calendar) -> Result<Shown, String> {
    if column.is_null(row) {
        return Ok(Shown::Missing);
    }
    if let Some(values) = column.as_primitive_opt::<Int64Type>() {
        return Ok(Shown::Number(Number::whole(i128::from(values.value(row)))));
    }
    if let Some(values) = column.as_primitive_opt::<Decimal128Type>() {
        let (digits, scale) = (values.value(row), values.scale());
        let power = 10_i128.pow(u32::from(scale.unsigned_abs()));
        let number = if scale < 0 { Some(Number::whole(digits * power)) } else { Number::fraction(digits, power) };
        return Ok(number.map_or(Shown::Missing, Shown::Number));
    }
    if let Some(values) = column.as_primitive_opt::<Float64Type>() {
        return Ok(Shown::Number(Number::Float(values.value(row))));
    }
    if let Some(values) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        return Ok(Shown::Time(values.value(row)));
    }
    if let Some(values) = column.as_primitive_opt::<Date32Type>() {
        let day = jiff::civil::date(1970, 1, 1).checked_add(values.value(row).days());
        return day.map(|day| Shown::Time(calendar.start_of_day(day))).map_err(|e| e.to_string());
    }
    if let Some(values) = column.as_boolean_opt() {
        return Ok(Shown::Bool(values.value(row)));
    }
    if let Some(values) = column.as_string_opt::<i32>() {
        return Ok(Shown::Text(values.value(row).to_string()));
    }
    Err(format!("a column of {} is not expected in an answer", column.data_type()))
}

/// An error with the texts of its diagnostics.
fn words(error: &EngineError) -> String {
    match error {
        EngineError::Text { diagnostics, .. } => {
            diagnostics.iter().map(|d| format!("{d:?}")).collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    }
}

/// Whether the engine loads files at all. While it is being built it refuses in words, and only the oracle runs.
pub fn is_there() -> bool {
    let Ok(folder) = TempDir::new() else { return true };
    // A folder that cannot be written shows itself in the tests that follow.
    let _ = fs::write(folder.path().join("kepi.toml"), "");
    let Ok(engine) = Engine::open(folder.path()) else { return true };
    match engine.query(Request { text: "1".to_string(), ..Request::default() }) {
        Err(error) => !error.to_string().contains("`query` is not there yet"),
        Ok(_) => true,
    }
}
