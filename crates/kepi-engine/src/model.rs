//! The model of a project: its files, what a session adds, what a request adds; parsed and declared together.

use crate::api::{EngineError, SourceText};
use crate::calendars;
use crate::plugins::Plugins;
use crate::project::{CONFIG, Project};
use kepi_model::calendar::Zone;
use kepi_model::catalog::{Catalog, ModelFile};
use kepi_model::settings::Settings;
use kepi_model::value::Currency;
use kepi_syntax::ast::{File, Query, StatementKind};
use kepi_syntax::{Diagnostic, Severity, parse_file, parse_files};
use std::sync::{Arc, Mutex, PoisonError};

/// Everything that is declared, with the texts that diagnostics point into.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) catalog: Catalog,
    pub(crate) plugins: Plugins,
    pub(crate) texts: Vec<SourceText>,
    /// What they say, in the same order.
    pub(crate) files: Vec<ModelFile>,
    /// Mistakes of the texts and of what they declare; definitions are not looked into.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The queries of the last text, in order.
    pub(crate) queries: Vec<Query>,
}

/// Texts that were parsed before.
#[derive(Debug, Default)]
pub(crate) struct Parsed(Mutex<Vec<Known>>);

/// A text with its tree and what is wrong with it.
#[derive(Clone, Debug)]
struct Known {
    text: Arc<str>,
    tree: Arc<(File, Vec<Diagnostic>)>,
}

impl Parsed {
    /// Parses some texts.
    pub(crate) fn of_files(texts: &[SourceText]) -> Parsed {
        let parsed = Parsed::default();
        parsed.read(texts);
        parsed
    }

    /// The trees of some texts; they take the place of those that were known.
    fn of(&self, texts: &[SourceText]) -> Vec<(File, Vec<Diagnostic>)> {
        self.read(texts).into_iter().map(|known| Arc::unwrap_or_clone(known.tree)).collect()
    }

    fn read(&self, texts: &[SourceText]) -> Vec<Known> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let find = |source: &SourceText| known.iter().find(|known| *known.text == source.text).cloned();
        let found: Vec<Option<Known>> = texts.iter().map(find).collect();
        let new = texts.iter().zip(&found).filter(|(_, found)| found.is_none());
        let new: Vec<&str> = new.map(|(source, _)| source.text.as_str()).collect();
        let mut parsed = new.iter().zip(parse_files(&new));
        let mut make = || parsed.next().map(|(text, tree)| Known { text: (*text).into(), tree: Arc::new(tree) });
        let all: Vec<Known> = found.into_iter().filter_map(|found| found.or_else(&mut make)).collect();
        known.clone_from(&all);
        all
    }
}

impl Model {
    /// Parses and declares texts. `last_is_request`: queries of the last text are wanted.
    pub(crate) fn of(project: &Project, texts: Vec<SourceText>) -> Result<Model, EngineError> {
        Model::parsed(project, &Parsed::default(), texts)
    }

    /// The same where texts may have been parsed before: all but the last are kept for the next time.
    pub(crate) fn parsed(project: &Project, parsed: &Parsed, texts: Vec<SourceText>) -> Result<Model, EngineError> {
        let mut diagnostics = Vec::new();
        let mut trees: Vec<File> = Vec::new();
        let files = texts.len().saturating_sub(1);
        let known = parsed.of(&texts[..files]);
        let last = texts[files..].iter().map(|source| parse_file(&source.text));
        for (index, (tree, mut found)) in known.into_iter().chain(last).enumerate() {
            // A project has far fewer files than fit into 32 bits.
            found.iter_mut().for_each(|d| d.file = index as u32);
            diagnostics.append(&mut found);
            trees.push(tree);
        }
        let mut settings = settings(project)?;
        settings.tables = calendars::tables(project, &trees);
        let numbered: Vec<(u32, &File)> = trees.iter().enumerate().map(|(i, t)| (i as u32, t)).collect();
        let plugins = Plugins::of(project, &numbered, &mut diagnostics)?;
        let mut queries = Vec::new();
        if let Some(last) = trees.last() {
            queries.extend(last.statements.iter().filter_map(|s| match &s.kind {
                StatementKind::Query(query) => Some(query.clone()),
                _ => None,
            }));
        }
        let files: Vec<ModelFile> =
            trees.into_iter().enumerate().map(|(i, tree)| ModelFile { index: i as u32, tree }).collect();
        let (catalog, mut found) = Catalog::build(&files, settings, plugins.signatures.clone());
        diagnostics.append(&mut found);
        Ok(Model { catalog, plugins, texts, files, diagnostics, queries })
    }

    /// The number of the last text, as diagnostics carry it.
    pub(crate) fn last(&self) -> u32 {
        self.texts.len().saturating_sub(1) as u32
    }

    /// How many statements are declared.
    pub(crate) fn definitions(&self) -> usize {
        self.catalog.symbols().count() + self.catalog.functions().count()
    }

    /// The mistakes of the last text, if it has any that forbid an answer.
    pub(crate) fn mistakes_of_request(&self) -> Option<Vec<Diagnostic>> {
        let last = self.last();
        let own: Vec<Diagnostic> = self.diagnostics.iter().filter(|d| d.file == last).cloned().collect();
        own.iter().any(|d| d.severity == Severity::Error).then_some(own)
    }

    /// An error about this model's texts.
    pub(crate) fn text_error(&self, diagnostics: Vec<Diagnostic>) -> EngineError {
        EngineError::Text { texts: self.texts.clone(), diagnostics }
    }

    /// The instant for which everything is answered, where the request says none.
    pub(crate) fn now(&self, project: &Project, asked: Option<i64>) -> Result<i64, EngineError> {
        if let Some(now) = asked {
            return Ok(now);
        }
        match &project.config.now {
            #[allow(clippy::disallowed_methods)] // The one place that reads the clock: nobody has said when it is.
            None => Ok(jiff::Timestamp::now().as_microsecond()),
            Some(text) => self.catalog.instant(text).ok_or_else(|| {
                EngineError::usage(format!("{CONFIG}: `now = \"{text}\"` is no day or time"))
                    .with_help("write it as `now = \"2026-03-01\"` or `now = \"2026-03-01T12:00:00\"`")
            }),
        }
    }
}

fn settings(project: &Project) -> Result<Settings, EngineError> {
    let mut settings = Settings::default();
    if let Some(zone) = &project.config.timezone {
        if Zone::named(zone).is_none() {
            return Err(EngineError::usage(format!("{CONFIG}: there is no time zone `{zone}`"))
                .with_help("use an IANA name such as `Europe/Amsterdam`"));
        }
        settings.zone.clone_from(zone);
    }
    if let Some(currency) = &project.config.currency {
        settings.currency = Some(Currency::parse(currency).ok_or_else(|| {
            EngineError::usage(format!("{CONFIG}: `{currency}` is no currency code"))
                .with_help("use three capitals such as `EUR`")
        })?);
    }
    Ok(settings)
}
