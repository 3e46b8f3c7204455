//! `--all`: columns that a declaration does not name become fields of it, as texts, in the model file.

use super::fitting::columns_of;
use crate::api::{EngineError, LoadReport, LoadRequest, SourceText};
use crate::engine::Engine;
use crate::model::Model;
use kepi_model::declared::{MappingDecl, SourceDecl, Target};
use kepi_syntax::ast::{Event, EventBody, Mapping, SourceItem, Statement, StatementKind};
use kepi_syntax::{Severity, name_text};
use std::fs;
use std::path::PathBuf;
use std::sync::PoisonError;

/// Where something is written into a model file, and what.
struct Insertion {
    path: PathBuf,
    at: usize,
    text: String,
}

impl Engine {
    /// A source, and the model with it, after all columns that it does not read have become fields, where a load asks
    /// for that.
    pub(super) fn with_all(
        &self,
        request: &LoadRequest,
        model: Model,
        source: SourceDecl,
        report: &mut LoadReport,
    ) -> Result<(Model, SourceDecl), EngineError> {
        if !request.all {
            return Ok((model, source));
        }
        let columns = Self::table(request)?.columns();
        let [mapping] = source.mappings.as_slice() else {
            let read: Vec<String> = source.mappings.iter().flat_map(columns_of).collect();
            if columns.iter().all(|column| read.contains(column)) {
                return Ok((model, source));
            }
            let why =
                format!("the source `{}` fills several things, and nothing says whose the others are", source.name);
            return Err(EngineError::usage(format!("`--all`: {why}"))
                .with_help("add the columns to the declaration and to the mapping that they belong to"));
        };
        let unread = unread(&columns, mapping);
        if unread.is_empty() {
            return Ok((model, source));
        }
        let model = self.declare_more(&model, &mapping.target, &unread, Some(&source), report)?;
        let found = self.sources(&model)?.into_iter().find(|found| found.name == source.name);
        let found = found.ok_or_else(|| EngineError::failed(format!("the source `{}` is gone", source.name)))?;
        Ok((model, found))
    }

    /// Declares columns that nothing reads as text fields of what a load fills, and maps them in its source, if it has
    /// one. The model files are written only where the model holds together with them.
    ///
    /// Errors: it is declared nowhere in a file; a mapping of several facts, of which nothing says whose the columns are;
    /// a name that is taken.
    pub(super) fn declare_more(
        &self,
        model: &Model,
        target: &Target,
        columns: &[String],
        source: Option<&SourceDecl>,
        report: &mut LoadReport,
    ) -> Result<Model, EngineError> {
        let (Target::Stream(name) | Target::Entity(name) | Target::Merge(name)) = target;
        let listed = columns.join(", ");
        let refused = |why: String| {
            EngineError::usage(format!("`--all`: {why}"))
                .with_help(format!("add the columns to the declaration by hand: {listed}"))
        };
        let symbol = model.catalog.symbols().find(|symbol| symbol.full_name() == *name);
        let place = symbol.and_then(|symbol| {
            let file = model.texts.get(symbol.file as usize)?;
            let (tree, _) = kepi_syntax::parse_file(&file.text);
            let holds = |s: &&Statement| s.span.start <= symbol.span.start && symbol.span.end <= s.span.end;
            in_block(file, tree.statements.iter().find(holds)?, columns)
        });
        let place = place.ok_or_else(|| refused(format!("`{name}` is not declared in a model file")))?;
        let said = place.path.display().to_string();
        let mut insertions = vec![place];
        if let Some(source) = source {
            let place = model.texts.iter().find_map(|file| in_mapping(file, source, name, columns));
            insertions.push(place.ok_or_else(|| refused(format!("the source `{}` is in no model file", source.name)))?);
        }
        // What lies further behind goes first, so that the places before stay true.
        insertions.sort_by_key(|insertion| std::cmp::Reverse(insertion.at));
        let before = self.files.lock().unwrap_or_else(PoisonError::into_inner).clone();
        {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            for insertion in &insertions {
                let file = files.iter_mut().find(|file| file.path == insertion.path);
                file.into_iter().for_each(|file| file.text.insert_str(insertion.at, &insertion.text));
            }
        }
        let changed = self.model("").and_then(|changed| {
            let count = |model: &Model| model.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
            match count(&changed) > count(model) {
                true => Err(changed.text_error(changed.diagnostics.clone())),
                false => self.sources(&changed).map(|_| changed),
            }
        });
        let changed = changed.inspect_err(|_| {
            *self.files.lock().unwrap_or_else(PoisonError::into_inner) = before.clone();
        })?;
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for file in files.iter().filter(|file| insertions.iter().any(|insertion| insertion.path == file.path)) {
            let path = self.project.root.join(&file.path);
            fs::write(&path, &file.text)
                .map_err(|e| EngineError::data(format!("cannot write {}: {e}", path.display())))?;
        }
        report.notes.push(format!("`{name}` has new text fields in {said}: {listed}"));
        Ok(changed)
    }
}

/// The columns of a table that a mapping does not read.
pub(super) fn unread(columns: &[String], mapping: &MappingDecl) -> Vec<String> {
    let read = columns_of(mapping);
    columns.iter().filter(|column| !read.contains(column)).cloned().collect()
}

/// Where new fields go into a declaration: before the brace that closes its block, or behind it with a block.
fn in_block(file: &SourceText, statement: &Statement, columns: &[String]) -> Option<Insertion> {
    match &statement.kind {
        StatementKind::Entity(_) | StatementKind::Event(Event { body: EventBody::Stored { .. }, .. }) => {}
        _ => return None,
    }
    let (start, end) = (statement.span.start as usize, statement.span.end as usize);
    let text = file.text.get(start..end)?;
    let fields: Vec<String> = columns.iter().map(|column| format!("{}: text", name_text(column))).collect();
    let path = file.path.clone();
    let Some(inside) = text.strip_suffix('}') else {
        return Some(Insertion { path, at: end, text: format!(" {{\n  {}\n}}", fields.join("\n  ")) });
    };
    let text = match inside.contains('\n') {
        true => {
            let lines: String = fields.iter().map(|field| format!("  {field}\n")).collect();
            // A last field beside the brace keeps its line.
            if inside.ends_with('\n') { lines } else { format!("\n{lines}") }
        }
        false => format!(" {} ", fields.join("  ")),
    };
    Some(Insertion { path, at: end - 1, text })
}

/// Where new columns go into the mapping of a source: in front of the others.
fn in_mapping(file: &SourceText, source: &SourceDecl, target: &str, columns: &[String]) -> Option<Insertion> {
    let (tree, _) = kepi_syntax::parse_file(&file.text);
    let bare = |name: &str| name.rsplit('.').next().unwrap_or_default().to_string();
    let items = tree.statements.iter().find_map(|statement| match &statement.kind {
        StatementKind::Source(found) if found.name.text == bare(&source.name) => Some(&found.items),
        _ => None,
    })?;
    let mappings: Vec<&Mapping> = items
        .iter()
        .filter_map(|item| match item {
            SourceItem::Mapping(mapping) => Some(mapping),
            SourceItem::Merge { .. } => None,
        })
        .filter(|mapping| mapping.target.parts.last().is_some_and(|part| part.text == bare(target)))
        .collect();
    let [mapping] = mappings.as_slice() else { return None };
    let behind = mapping.target.span.end as usize;
    let at = behind + file.text.get(behind..)?.find(':')? + 1;
    let names: String = columns.iter().map(|column| format!(" {},", name_text(column))).collect();
    Some(Insertion { path: file.path.clone(), at, text: names })
}
