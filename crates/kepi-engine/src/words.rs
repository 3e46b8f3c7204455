//! What a project declares, for people: lists, descriptions, completion, checks, definitions of a session.

use crate::api::{CheckReport, Completion, Defined, Described, EngineError, Listed, SourceText};
use crate::engine::Engine;
use crate::model::Model;
use crate::otherwise;
use kepi_extension::EventScan;
use kepi_model::calendar::Zone;
use kepi_syntax::ast::StatementKind;
use kepi_syntax::{Diagnostic, Severity, parse_file};
use std::path::PathBuf;
use std::sync::PoisonError;

impl Engine {
    /// Checks files beside the project's model; none: the model itself. Every mistake of every file comes back.
    pub fn check(&self, files: &[PathBuf]) -> Result<CheckReport, EngineError> {
        let (texts, wanted) = self.texts_with(files)?;
        let model = Model::of(&self.project, texts)?;
        let now = model.now(&self.project, None)?;
        let mut diagnostics = model.diagnostics.clone();
        diagnostics.extend(model.catalog.check(now));
        for query in &model.queries {
            diagnostics.extend(model.catalog.query(query, now, model.last()).1);
        }
        let data = self.data_lints(&model, now);
        diagnostics.extend(data.found);
        if let Ok(snapshot) = self.snapshot(None) {
            diagnostics.extend(otherwise::found(&model, snapshot.as_ref()));
        }
        if !wanted.is_empty() {
            diagnostics.retain(|d| wanted.contains(&d.file));
        }
        diagnostics.sort_by_key(|d| (d.file, d.span, d.code));
        diagnostics.dedup();
        let definitions = model.definitions();
        if files.is_empty() && diagnostics.iter().all(|d| d.severity != Severity::Error) {
            self.record_definitions();
        }
        let notes = self.snapshot(None).ok().and_then(|snapshot| self.other_zone(&model, &snapshot));
        let notes = notes.into_iter().collect();
        Ok(CheckReport { texts: model.texts, diagnostics, definitions, unseen: data.left, notes })
    }

    /// The model's texts with some files beside them, and the numbers of those files.
    pub(crate) fn texts_with(&self, files: &[PathBuf]) -> Result<(Vec<SourceText>, Vec<u32>), EngineError> {
        let mut texts = self.files.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut wanted = Vec::new();
        for path in files {
            let source = self.project.text(path)?;
            match texts.iter().position(|t| t.path == source.path) {
                Some(index) => wanted.push(index as u32),
                None => {
                    wanted.push(texts.len() as u32);
                    texts.push(source);
                }
            }
        }
        Ok((texts, wanted))
    }

    /// Lists the definitions, by kind and name.
    pub fn list(&self) -> Vec<Listed> {
        let Ok(model) = self.model("") else { return Vec::new() };
        let now = model.now(&self.project, None).unwrap_or_default();
        let listed = model.catalog.list(now).into_iter();
        listed
            .map(|l| {
                let (module, name) = match l.name.rsplit_once('.') {
                    // A plugin's name has its own; a test's title may have a point in it.
                    Some((module, name)) if !["plugin function", "test"].contains(&l.kind.as_str()) => {
                        (module.to_string(), name.to_string())
                    }
                    _ => (String::new(), l.name),
                };
                Listed { kind: l.kind, name, unit: l.unit.unwrap_or_default(), doc: l.doc.unwrap_or_default(), module }
            })
            .collect()
    }

    /// Describes a definition or a function; none when there is no such name.
    pub fn describe(&self, name: &str) -> Option<Described> {
        let model = self.model("").ok()?;
        let now = model.now(&self.project, None).ok()?;
        let found = model.catalog.describe(name, now)?;
        let text = found.place.and_then(|(file, span)| statement_at(&model, file, span)).unwrap_or_default();
        let mut attributes = found.attributes;
        attributes.extend(found.fields.into_iter().map(|(field, ty, doc)| {
            (field, doc.map_or(ty.clone(), |doc| format!("{ty}: {}", doc.lines().next().unwrap_or_default())))
        }));
        let stored = match found.kind.as_str() {
            "event" | "entity" => self.stored(&found.name, &model.catalog.settings.zone),
            _ => None,
        };
        Some(Described {
            kind: found.kind,
            name: found.name,
            text,
            unit: found.unit.unwrap_or_default(),
            doc: found.doc.unwrap_or_default(),
            attributes,
            uses: found.uses,
            used_by: found.used_by,
            stored,
        })
    }

    /// What is stored of an event or entity, in words.
    fn stored(&self, name: &str, zone: &str) -> Option<String> {
        let snapshot = self.snapshot(None).ok()?;
        if let Some(stream) = snapshot.stream(name) {
            let zone = Zone::named(zone)?;
            return Some(match (stream.first, stream.last) {
                (Some(first), Some(last)) => {
                    format!("{} rows from {} to {}", stream.rows, zone.local(first).date(), zone.local(last).date())
                }
                _ => format!("{} rows", stream.rows),
            });
        }
        snapshot.entity(name).map(|entity| format!("{} keys", entity.count))
    }

    /// Says what may stand at the cursor: names, functions and keywords that begin with what was typed.
    pub fn complete(&self, text: &str, cursor: usize) -> Vec<Completion> {
        let Some(before) = text.get(..cursor) else { return Vec::new() };
        let word_char = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let start = before.rfind(|c: char| !word_char(c)).map_or(0, |at| {
            // The character found is a whole one, so its length is that of its first byte's sequence.
            at + before[at..].chars().next().map_or(1, char::len_utf8)
        });
        let Ok(model) = self.model("") else { return Vec::new() };
        let found = model.catalog.suggest(&before[start..]).into_iter();
        found
            .map(|s| Completion { replace: start..cursor, text: s.text, kind: s.kind, description: s.description })
            .collect()
    }

    /// Keeps the definitions of a text for this session. Queries in it are handed back, their places unchanged.
    ///
    /// Errors: mistakes in the text; then nothing of it is kept.
    pub fn define(&self, text: &str) -> Result<Defined, EngineError> {
        let (tree, diagnostics) = parse_file(text);
        if diagnostics.iter().any(|d| d.severity == Severity::Error) {
            let texts = vec![SourceText { path: PathBuf::from("query"), text: text.to_string() }];
            return Err(EngineError::Text { texts, diagnostics });
        }
        let is_query = |kind: &StatementKind| matches!(kind, StatementKind::Query(_));
        let queries = tree
            .statements
            .iter()
            .any(|s| is_query(&s.kind))
            .then(|| blanked(text, tree.statements.iter().filter(|s| !is_query(&s.kind)).map(|s| s.span)));
        let names: Vec<String> = tree.statements.iter().filter_map(|s| name_of(&s.kind)).collect();
        let defines = tree.statements.iter().any(|s| !is_query(&s.kind));
        if !defines {
            return Ok(Defined { names, queries, warnings: diagnostics });
        }
        let definitions = blanked(text, tree.statements.iter().filter(|s| is_query(&s.kind)).map(|s| s.span));
        // A name defined anew in the session takes the place of its former definition there.
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept: Vec<String> = session.iter().map(|old| without(old, &names)).collect();
        kept.retain(|old| !old.trim().is_empty());
        let before = std::mem::replace(&mut *session, kept);
        drop(session);
        let model = self.model(&definitions)?;
        let now = model.now(&self.project, None)?;
        let last = model.last();
        let mut found: Vec<Diagnostic> = model.diagnostics.iter().filter(|d| d.file == last).cloned().collect();
        found.extend(model.catalog.check(now).into_iter().filter(|d| d.file == last));
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if found.iter().any(|d| d.severity == Severity::Error) {
            *session = before;
            return Err(model.text_error(found));
        }
        session.push(definitions);
        Ok(Defined { names, queries, warnings: found })
    }
}

/// Formats a text; a text with mistakes comes back as it is, with what is wrong.
pub fn format(text: &str) -> (String, Vec<Diagnostic>) {
    let (tree, diagnostics) = parse_file(text);
    if diagnostics.iter().any(|d| d.severity == Severity::Error) {
        return (text.to_string(), diagnostics);
    }
    (kepi_syntax::format_file(&tree, text), diagnostics)
}

/// How many statements of a text keep their form when it is formatted, since a comment stands in their middle.
pub fn kept_as_written(text: &str) -> usize {
    kepi_syntax::kept_as_written(&parse_file(text).0, text)
}

/// Whether a text is a whole statement, so that a prompt need not wait for more.
pub fn is_complete(text: &str) -> bool {
    kepi_syntax::is_complete(text)
}

/// The text with some places blanked out by spaces; line breaks stay, so places in the rest stay too.
fn blanked(text: &str, places: impl Iterator<Item = kepi_syntax::Span>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for span in places {
        for byte in &mut bytes[span.start as usize..span.end as usize] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    // Spans begin and end between characters, so what remains is the text's own characters and blanks.
    String::from_utf8(bytes).unwrap_or_default()
}

/// The text without the definitions of some names.
fn without(text: &str, names: &[String]) -> String {
    let (tree, _) = parse_file(text);
    let gone = tree.statements.iter().filter(|s| name_of(&s.kind).is_some_and(|n| names.contains(&n)));
    blanked(text, gone.map(|s| s.span))
}

pub(crate) fn name_of(kind: &StatementKind) -> Option<String> {
    let name = match kind {
        StatementKind::Entity(e) => &e.name,
        StatementKind::Event(e) => &e.name,
        StatementKind::State(s) => &s.name,
        StatementKind::Measure(d)
        | StatementKind::Segment(d)
        | StatementKind::Dimension(d)
        | StatementKind::Metric(d) => &d.name,
        StatementKind::Function(f) => &f.name,
        StatementKind::Source(s) => &s.name,
        StatementKind::Target(t) => &t.name,
        StatementKind::Report(r) => &r.name,
        _ => return None,
    };
    Some(name.text.clone())
}

/// The statement's own text, formatted.
fn statement_at(model: &Model, file: u32, span: kepi_syntax::Span) -> Option<String> {
    let source = model.texts.get(file as usize)?;
    let (tree, _) = parse_file(&source.text);
    let statement = tree.statements.iter().find(|s| s.span.start <= span.start && span.end <= s.span.end)?;
    source.text.get(statement.span.start as usize..statement.span.end as usize).map(|t| t.trim_end().to_string())
}
