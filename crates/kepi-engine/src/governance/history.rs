//! How definitions changed: each metric has a content hash of its expanded definition, and every hash that was ever
//! loaded or checked with is kept, with its author and date, in `.kepi/definitions.jsonl`.
//!
//! The file is plain text that is only ever added to, so it outlives the store and can be read without kepi.

use super::lineage::graph;
use crate::answer::{Answer, Request};
use crate::api::{EngineError, SourceText};
use crate::engine::{Engine, ended};
use crate::model::Model;
use kepi_extension::EventScan;
use kepi_model::catalog::{ModelFile, SymbolKind};
use kepi_syntax::{Severity, parse_file};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use xxhash_rust::xxh3::Xxh3Default;

/// A definition as it was, with everything it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The metric's full name.
    pub name: String,
    /// The hash of its expanded definition: 32 hexadecimal digits.
    pub hash: String,
    /// Who had it: `KEPI_AUTHOR`, else the user's name.
    pub author: String,
    /// When it was first seen, RFC 3339.
    pub at: String,
    /// The statements it is made of: module and name, and the text.
    pub statements: BTreeMap<String, String>,
}

/// How a definition changed, and its values.
#[derive(Clone, Debug)]
pub struct DefinitionDiff {
    /// The metric's full name.
    pub name: String,
    /// The hash of the definition there is.
    pub hash: String,
    /// The one before; none: it never changed as far as anybody recorded.
    pub before: Option<Recorded>,
    /// The statements that differ: name, text before, text now; none where there was or is none.
    pub changed: Vec<(String, Option<String>, Option<String>)>,
    /// The values by the definition before and by the one there is, per month of the last year.
    pub values: Option<(Answer, Answer)>,
    /// Why there are no values.
    pub without: Option<String>,
}

impl Engine {
    /// Keeps the hash of every metric that is new or has changed. What cannot be written is no reason to fail: the
    /// command that was asked for is another.
    pub(crate) fn record_definitions(&self) {
        if let Ok(model) = self.model("") {
            self.record(&self.unrecorded(&model));
        }
    }

    /// The lines that are to be recorded of a model; empty where there are none, or the model has mistakes.
    pub(crate) fn unrecorded(&self, model: &Model) -> String {
        let mut lines = String::new();
        if model.diagnostics.iter().any(|d| d.severity == Severity::Error) {
            return lines;
        }
        let known = read(&self.definitions_file());
        for found in expanded(model) {
            if known.iter().rev().find(|k| k.name == found.name).is_some_and(|k| k.hash == found.hash) {
                continue;
            }
            if let Ok(line) = serde_json::to_string(&found) {
                lines.push_str(&line);
                lines.push('\n');
            }
        }
        lines
    }

    /// Adds lines to what is recorded.
    pub(crate) fn record(&self, lines: &str) {
        if lines.is_empty() {
            return;
        }
        let file = std::fs::OpenOptions::new().create(true).append(true).open(self.definitions_file());
        if let Err(error) = file.and_then(|mut file| file.write_all(lines.as_bytes())) {
            tracing::warn!(%error, "the definitions are not recorded");
        }
    }

    /// How a metric changed since the definition before, and what that does to its values. Of the request, its moment,
    /// limits and cancellation count.
    pub fn diff(&self, name: &str, request: &Request) -> Result<DefinitionDiff, EngineError> {
        let model = self.model("")?;
        let symbol = model.catalog.find(name).ok_or_else(|| {
            EngineError::failed(format!("nothing is called `{name}`")).with_help("`kepi list` shows what there is")
        })?;
        if !matches!(symbol.kind, SymbolKind::Metric(_)) {
            let message = format!("`{name}` is no metric: only metrics have a history");
            return Err(EngineError::failed(message).with_help("`kepi lineage` says which metrics use it"));
        }
        let full = symbol.full_name();
        let all = expanded(&model);
        let Some(now) = all.into_iter().find(|e| e.name == full) else {
            return Err(EngineError::failed(format!("`{name}` has mistakes")).with_help("`kepi check` shows them"));
        };
        let before = read(&self.definitions_file()).into_iter().rev().find(|k| k.name == full && k.hash != now.hash);
        let mut diff = DefinitionDiff {
            name: full.clone(),
            hash: now.hash.clone(),
            before,
            changed: Vec::new(),
            values: None,
            without: None,
        };
        if let Some(before) = &diff.before {
            let names: std::collections::BTreeSet<&String> =
                before.statements.keys().chain(now.statements.keys()).collect();
            diff.changed = names
                .into_iter()
                .map(|n| (n.clone(), before.statements.get(n).cloned(), now.statements.get(n).cloned()))
                .filter(|(_, a, b)| a != b)
                .collect();
            match self.both(&model, before, &full, request) {
                Ok(values) => diff.values = Some(values),
                Err(EngineError::Interrupted) => return Err(EngineError::Interrupted),
                Err(error) => diff.without = Some(error.to_string()),
            }
        }
        self.record_definitions();
        Ok(diff)
    }

    /// The metric's values by the definition before and by the one there is.
    fn both(
        &self,
        model: &Model,
        before: &Recorded,
        name: &str,
        request: &Request,
    ) -> Result<(Answer, Answer), EngineError> {
        let text = format!("show {name} per month last 12 months to date");
        let mut old: Vec<SourceText> = model.texts.clone();
        for source in &mut old {
            source.text = without(&source.text, before);
        }
        let mut modules: BTreeMap<&str, String> = BTreeMap::new();
        for (full, statement) in &before.statements {
            let module = full.rsplit_once('.').map_or("", |(module, _)| module);
            let part = modules.entry(module).or_default();
            part.push_str(statement);
            part.push('\n');
        }
        for (module, statements) in modules {
            let head = if module.is_empty() { String::new() } else { format!("module {module}\n") };
            old.push(SourceText { path: PathBuf::from("before"), text: format!("{head}{statements}") });
        }
        let old = self.answer_with(old, &text, request)?;
        let new = self.answer_with(model.texts.clone(), &text, request)?;
        Ok((old, new))
    }

    /// The answer to one query on a model of other texts.
    fn answer_with(&self, mut texts: Vec<SourceText>, text: &str, request: &Request) -> Result<Answer, EngineError> {
        texts.push(SourceText { path: PathBuf::from("query"), text: text.to_string() });
        let model = Model::of(&self.project, texts)?;
        let now = model.now(&self.project, request.now)?;
        let Some(query) = model.queries.first() else {
            return Err(EngineError::failed("the definition before cannot be asked any more"));
        };
        let (lowered, diagnostics) = model.catalog.query(query, now, model.last());
        let Some(query) = lowered else {
            let first = diagnostics.first().map(|d| d.message.clone()).unwrap_or_default();
            return Err(EngineError::failed(format!("the definition before no longer fits the model: {first}")));
        };
        let options = self.run_options(request, &self.kept.as_of_now())?;
        let snapshot = self.snapshot(request.snapshot)?;
        let started = Instant::now();
        let data = Arc::clone(&snapshot) as Arc<dyn EventScan>;
        let frame = kepi_exec::run(&query, data, &model.plugins.functions, &options)
            .map_err(|error| ended(error, &options.cancel))?;
        Ok(Answer::computed(&query, frame, Vec::new(), started, EventScan::snapshot(snapshot.as_ref())))
    }

    fn definitions_file(&self) -> PathBuf {
        self.project.root.join(".kepi").join("definitions.jsonl")
    }
}

/// What is recorded, oldest first. Lines that cannot be read are nobody's history.
fn read(file: &Path) -> Vec<Recorded> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The text without the statements that a recorded definition is made of.
fn without(text: &str, recorded: &Recorded) -> String {
    let (tree, _) = parse_file(text);
    let module = kepi_model::catalog::module_of(&tree);
    let mut bytes = text.as_bytes().to_vec();
    for statement in &tree.statements {
        let Some(name) = crate::words::name_of(&statement.kind) else { continue };
        if recorded.statements.contains_key(&kepi_model::catalog::full_name(&module, &name)) {
            for byte in &mut bytes[statement.span.start as usize..statement.span.end as usize] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// Every metric with the statements it is made of, down to the stored events and entities, and their hash.
fn expanded(model: &Model) -> Vec<Recorded> {
    let lineage = graph(model);
    let mut statements: BTreeMap<String, String> = BTreeMap::new();
    for ModelFile { tree, .. } in &model.files {
        let module = kepi_model::catalog::module_of(tree);
        for statement in &tree.statements {
            if matches!(
                statement.kind,
                kepi_syntax::ast::StatementKind::Source(_)
                    | kepi_syntax::ast::StatementKind::Target(_)
                    | kepi_syntax::ast::StatementKind::Report(_)
            ) {
                continue;
            }
            let Some(name) = crate::words::name_of(&statement.kind) else { continue };
            let bare = kepi_syntax::ast::Statement { doc: None, kind: plain(&statement.kind), span: statement.span };
            let text = kepi_syntax::file_text(&kepi_syntax::ast::File { statements: vec![bare] });
            statements.insert(kepi_model::catalog::full_name(&module, &name), text.trim_end().to_string());
        }
    }
    let settings = &model.catalog.settings;
    let meant = format!("{:?} {:?} {:?}", settings.zone, settings.currency, settings.calendars);
    let author = author();
    let at = jiff_now();
    let mut found = Vec::new();
    for symbol in model.catalog.symbols() {
        if !matches!(symbol.kind, SymbolKind::Metric(_)) {
            continue;
        }
        let name = symbol.full_name();
        let parts: BTreeMap<String, String> = lineage
            .upstream(&name)
            .into_iter()
            .filter_map(|part| statements.get(&part).map(|text| (part, text.clone())))
            .collect();
        let mut hasher = Xxh3Default::new();
        for part in parts.iter().flat_map(|(name, text)| [name, text]).chain([&meant]) {
            // Lengths in front keep a part's end from being read as the next one's beginning.
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let hash = format!("{:032x}", hasher.digest128());
        found.push(Recorded { name, hash, author: author.clone(), at: at.clone(), statements: parts });
    }
    found
}

/// A statement without what stands after `with`: titles and owners change no number.
fn plain(kind: &kepi_syntax::ast::StatementKind) -> kepi_syntax::ast::StatementKind {
    use kepi_syntax::ast::StatementKind;
    let mut kind = kind.clone();
    match &mut kind {
        StatementKind::Measure(d)
        | StatementKind::Segment(d)
        | StatementKind::Dimension(d)
        | StatementKind::Metric(d) => d.with.clear(),
        StatementKind::State(state) => state.with.clear(),
        _ => {}
    }
    kind
}

fn author() -> String {
    ["KEPI_AUTHOR", "USER", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "unknown".to_string())
}

/// When it is: a record of what somebody did has the real time, whatever moment questions are answered for.
#[allow(clippy::disallowed_methods)] // It dates a record, and no answer depends on it.
fn jiff_now() -> String {
    let now = jiff::Timestamp::now();
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
