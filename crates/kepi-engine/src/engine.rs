//! A project that is open for questions and loads.

use crate::answer::{Answer, Request};
use crate::api::{DemoReport, EngineError, Explanation, Progress, SourceText};
use crate::kept::{Kept, Recorder};
use crate::memory;
use crate::model::{Model, Parsed};
use crate::otherwise;
use crate::project::{CONFIG, Project};
use crate::watch::Watch;
use kepi_exec::{Cancel, ExecError, Note, RunOptions};
use kepi_model::core;
use kepi_store::{Snapshot, Store, StoreError};
use kepi_syntax::{Diagnostic, Severity};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A project that is open for questions and loads. Safe to use from several threads at once.
#[derive(Debug)]
pub struct Engine {
    pub(crate) project: Project,
    /// The definitions of this session, a text per `define`.
    pub(crate) session: Mutex<Vec<String>>,
    /// The model files as they were when the project was opened or last loaded into.
    pub(crate) files: Mutex<Vec<SourceText>>,
    /// The snapshot that was read last, so that its files are opened and checked once.
    reader: Mutex<Option<Arc<Snapshot>>>,
    /// The model files as they were parsed last.
    parsed: Parsed,
    /// What is kept between queries.
    pub(crate) kept: Kept,
    /// What is said with every answer, where an erasure was begun and cannot be finished.
    unfinished: Option<String>,
}

impl Engine {
    /// Finds the nearest parent with a `kepi.toml`; the folder itself counts.
    pub fn find_project(start: &Path) -> Option<PathBuf> {
        start.ancestors().find(|folder| folder.join(CONFIG).is_file()).map(Path::to_path_buf)
    }

    /// Opens a project: reads `kepi.toml` and parses the model; the store and plugins are opened when they are needed.
    pub fn open(project: &Path) -> Result<Engine, EngineError> {
        let project = Project::open(project)?;
        let files = project.model_texts()?;
        let parsed = Parsed::of_files(&files);
        let kept = Kept::beside(&project.store());
        let mut engine = Engine {
            project,
            session: Mutex::new(Vec::new()),
            files: Mutex::new(files),
            reader: Mutex::new(None),
            parsed,
            kept,
            unfinished: None,
        };
        engine.unfinished = engine.finish_erasure_if_any();
        Ok(engine)
    }

    /// Makes an empty project in a folder, or one with a template's model; gives the files written. Other files that
    /// are there stay as they are.
    pub fn init(dir: &Path, template: Option<&str>) -> Result<Vec<PathBuf>, EngineError> {
        crate::project_files::init(dir, template)
    }

    /// Makes and loads the demo company; a second run finds everything there and adds nothing.
    pub fn demo(dir: &Path, progress: &dyn Fn(Progress)) -> Result<DemoReport, EngineError> {
        crate::demo::run(dir, progress)
    }

    /// The project's time zone by its IANA name.
    pub fn zone(&self) -> String {
        self.model("").map_or_else(|_| "UTC".to_string(), |model| model.catalog.settings.zone)
    }

    /// The model with the session's definitions and a text behind them.
    pub(crate) fn model(&self, text: &str) -> Result<Model, EngineError> {
        let mut texts = self.files.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        texts.extend(session.iter().map(|text| SourceText { path: PathBuf::from("session"), text: text.clone() }));
        drop(session);
        texts.push(SourceText { path: PathBuf::from("query"), text: text.to_string() });
        Model::parsed(&self.project, &self.parsed, texts)
    }

    /// The snapshot that a request reads.
    pub(crate) fn snapshot(&self, asked: Option<u64>) -> Result<Arc<Snapshot>, EngineError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = match reader.as_ref() {
            Some(before) => Store::open_reader_after(&self.project.store(), before),
            None => Store::open_reader(&self.project.store()),
        };
        let snapshot = snapshot.map_err(store_error)?;
        *reader = Some(Arc::clone(&snapshot));
        drop(reader);
        let found = kepi_extension::EventScan::snapshot(snapshot.as_ref());
        match asked {
            Some(wanted) if wanted != found => {
                Err(EngineError::failed(format!("snapshot {wanted} is no longer the current one, which is {found}")))
            }
            _ => Ok(snapshot),
        }
    }

    /// Answers every query of a text, in order.
    ///
    /// Errors: mistakes in the text (all of them), limits, damaged data, a plugin's failure, cancelled.
    pub fn query(&self, request: Request) -> Result<Vec<Answer>, EngineError> {
        let (model, prepared) = self.prepare(&request)?;
        let kept_so_far = self.kept.as_of_now();
        let snapshot = self.snapshot(request.snapshot)?;
        let options = self.run_options(&request, &kept_so_far)?;
        let _watch = Watch::over(&model.plugins, &options.cancel);
        let number = kepi_extension::EventScan::snapshot(snapshot.as_ref());
        let other_zone = self.other_zone(&model, &snapshot);
        let mut answers = Vec::new();
        for (query, warnings) in prepared {
            let started = Instant::now();
            // Of an empty store there is nothing to keep.
            let name = if request.no_cache || number == 0 {
                None
            } else {
                kept_so_far.name(&query, request.totals, &model.plugins.functions)
            };
            let before = name.and_then(|name| kept_so_far.read(name, snapshot.as_ref()));
            let kept = before.is_some();
            let frame = match before {
                Some(frame) => frame,
                None => {
                    let recorder =
                        Arc::new(Recorder::over(Arc::clone(&snapshot) as Arc<dyn kepi_extension::EventScan>));
                    let data = Arc::clone(&recorder) as Arc<dyn kepi_extension::EventScan>;
                    let frame = kepi_exec::run(&query, data, &model.plugins.functions, &options)
                        .map_err(|error| otherwise::failed(&model, error, &options.cancel))?;
                    if let Some(name) = name {
                        kept_so_far.write(name, &frame, started.elapsed(), &recorder);
                    }
                    frame
                }
            };
            let mut frame = frame;
            // This is about the settings, not about the rows, so that it is not kept with the answer.
            let zone = other_zone.iter().map(|text| Note { code: "other_zone".to_string(), text: text.clone() });
            frame.notes.extend(zone);
            answers.push(Answer {
                query: query.text,
                as_of: query.now,
                zone: query.zone,
                frame,
                warnings,
                elapsed: started.elapsed(),
                snapshot: number,
                kept,
                said: self.unfinished.iter().cloned().chain(self.kept.take_damaged()).collect(),
            });
        }
        Ok(answers)
    }

    /// Explains every query of a text: in words, in steps, as a plan. It runs them.
    pub fn explain(&self, request: Request) -> Result<Vec<Explanation>, EngineError> {
        let (model, prepared) = self.prepare(&request)?;
        let kept_so_far = self.kept.as_of_now();
        let snapshot = self.snapshot(request.snapshot)?;
        let options = self.run_options(&request, &kept_so_far)?;
        let _watch = Watch::over(&model.plugins, &options.cancel);
        let mut explanations = Vec::new();
        for (query, _) in prepared {
            let data = Arc::clone(&snapshot) as Arc<dyn kepi_extension::EventScan>;
            let told = kepi_exec::explain(&query, data, &model.plugins.functions, &options)
                .map_err(|error| otherwise::failed(&model, error, &options.cancel))?;
            let mut words = told.words;
            let name = kept_so_far.name(&query, request.totals, &model.plugins.functions);
            if name.is_some_and(|name| kept_so_far.read(name, snapshot.as_ref()).is_some()) {
                words.push(
                    "The answer is kept from before: asked again on this snapshot, it is read instead of computed."
                        .into(),
                );
            }
            words.extend(self.other_zone(&model, &snapshot));
            words.extend(self.kept.take_damaged());
            explanations.push(Explanation { query: query.text, words, steps: told.steps, plan: told.plan });
        }
        Ok(explanations)
    }

    /// The queries of a request as core nodes, each with its lints.
    #[allow(clippy::type_complexity)] // A query with its lints, said once.
    fn prepare(&self, request: &Request) -> Result<(Model, Vec<(core::Query, Vec<Diagnostic>)>), EngineError> {
        let model = self.model(&request.text)?;
        if let Some(mistakes) = model.mistakes_of_request() {
            return Err(model.text_error(mistakes));
        }
        if model.queries.is_empty() {
            return Err(EngineError::usage("there is no query in this text")
                .with_help("a query begins with `show`, or is an expression such as `count(orders)`"));
        }
        let now = model.now(&self.project, request.now)?;
        let mut prepared = Vec::new();
        let mut mistakes = Vec::new();
        for query in &model.queries {
            let (lowered, diagnostics) = model.catalog.query(query, now, model.last());
            match lowered {
                Some(lowered) => prepared.push((lowered, diagnostics)),
                None => mistakes.extend(diagnostics),
            }
        }
        if !mistakes.is_empty() {
            mistakes.extend(self.broken_model(&model, &mistakes));
            return Err(model.text_error(mistakes));
        }
        Ok((model, prepared))
    }

    /// Mistakes of the model's own files that a query's mistakes may come from: those in its syntax and declarations.
    fn broken_model(&self, model: &Model, mistakes: &[Diagnostic]) -> Vec<Diagnostic> {
        let unknown = mistakes
            .iter()
            .any(|d| matches!(d.code, kepi_syntax::Code::UnknownName | kepi_syntax::Code::UnknownFunction));
        if !unknown {
            return Vec::new();
        }
        let last = model.last();
        model.diagnostics.iter().filter(|d| d.severity == Severity::Error && d.file != last).cloned().collect()
    }

    /// `kept` is from before the snapshot that the request reads.
    pub(crate) fn run_options(&self, request: &Request, kept: &Kept) -> Result<RunOptions, EngineError> {
        let wall = request.limits.wall_time_max.or(self.project.time_limit()?);
        let cancel = match wall.and_then(|limit| Instant::now().checked_add(limit)) {
            Some(deadline) => request.cancel.with_deadline(deadline),
            None => request.cancel.clone(),
        };
        // How many cores there are is asked of the file system: only where it matters.
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(RunOptions {
            threads: request.limits.threads.unwrap_or_else(cores),
            memory_bytes_max: (request.limits.memory_bytes_max)
                .or(self.project.memory_limit()?)
                .or_else(memory::default_limit),
            cancel,
            totals: request.totals,
            partials: (!request.no_cache).then(|| kept.partials()),
        })
    }
}

/// A failure of a run that may have been stopped: what a stopped plugin says of it is not the reason.
pub(crate) fn ended(error: ExecError, cancel: &Cancel) -> EngineError {
    match error {
        _ if cancel.is_cancelled() => EngineError::Interrupted,
        _ if cancel.is_late() => exec_error(ExecError::Timeout),
        other => exec_error(other),
    }
}

/// A failure of execution as the faces know it.
pub(crate) fn exec_error(error: ExecError) -> EngineError {
    match error {
        ExecError::Cancelled => EngineError::Interrupted,
        ExecError::Scan(inner) => EngineError::data(with_causes(inner.as_ref())),
        outside @ ExecError::OutsideTable { .. } => EngineError::data(outside)
            .with_help("add the days to the table, or ask for a window inside it, such as `during` one of its years"),
        large @ ExecError::TooLarge { .. } if large.to_string().contains("cells to fill") => EngineError::failed(large)
            .with_help("`fill` gives every label every period: ask for coarser periods, fewer labels, or leave it out"),
        full @ ExecError::Memory { .. } => EngineError::failed(full).with_help(
            "give it more with `memory` under `[limits]` in kepi.toml, or ask for a shorter window, for fewer or coarser \
             labels and groups",
        ),
        other => EngineError::failed(with_causes(&other)),
    }
}

/// A failure of the store as the faces know it.
pub(crate) fn store_error(error: StoreError) -> EngineError {
    match error {
        StoreError::Held { pid, command } => EngineError::Held { pid, command },
        other => EngineError::data(with_causes(&other)),
    }
}

/// An error with what lies behind it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}
