//! A table that nothing declares: what it is taken for is written to a model file.

use super::choose::Chosen;
use super::connect_error;
use crate::api::{EngineError, LoadReport, LoadRequest, Progress};
use crate::engine::Engine;
use crate::model::Model;
use kepi_connect::{Hints, InferredKind, ReadOptions, Table, declaration, infer_table};
use kepi_model::catalog::SymbolKind;
use std::fs;
use std::path::PathBuf;
use std::sync::PoisonError;

impl Engine {
    /// Looks at the table, writes what it is taken for to a model file, and takes the source that was written.
    pub(super) fn infer(
        &self,
        request: &LoadRequest,
        model: &Model,
        table: Table,
        progress: &dyn Fn(Progress),
        report: &mut LoadReport,
    ) -> Result<Chosen, EngineError> {
        progress(Progress { what: format!("looking at {}", table.first_file()), done: 0, total: None });
        let key = |entity: &String| {
            request.key.clone().or_else(|| table.columns().first().cloned()).map(|k| (entity.clone(), k))
        };
        let hints = Hints {
            name: request.as_event.clone(),
            at: request.at.clone(),
            id: request.id.clone(),
            of: request.of.clone(),
            entity: request.entity.as_ref().and_then(key),
            currency: model.catalog.settings.currency,
            known_entities: model.catalog.entities().map(|e| e.name.clone()).collect(),
            from: Some(self.source_path(&request.files)),
        };
        let (inferred, options, profile) = infer_table(&table, &hints).map_err(connect_error)?;
        if profile.rows == 0 {
            return Err(EngineError::data(format!(
                "{} has names and no rows: nothing says what its columns are",
                table.first_file()
            ))
            .with_help("load a file with rows first, or declare the event or entity in the model"));
        }
        let text = declaration(&inferred, &options);
        let name = inferred.name.clone();
        // An entity that only events have made known so far gets its attributes: the bare declaration gives way.
        let bare = matches!(inferred.kind, InferredKind::Entity { .. }).then(|| bare_entity(model, &name)).flatten();
        if model.catalog.find(&name).is_some() && bare.is_none() {
            return Err(EngineError::usage(format!(
                "`{name}` is declared already, and this file does not fit it by itself"
            ))
            .with_help(format!("load it into that with `--as {name}`, or choose another name with `--as`")));
        }
        let mut path = self.project.model_folder().join(format!("{}.kepi", file_name(&name)));
        if path.exists() {
            path = self.project.model_folder().join(format!("{}_inferred.kepi", file_name(&name)));
        }
        // The declaration has to hold before it is written: a mistake in it would break the whole model.
        let (formatted, _) = crate::words::format(&text);
        if formatted.len() > kepi_syntax::STATEMENT_BYTES_MAX {
            return Err(EngineError::usage(format!(
                "{} has {} columns: their declaration is longer than the language allows",
                table.first_file(),
                table.columns().len()
            ))
            .with_help("declare the event with the columns that matter, and load the file with `--as`"));
        }
        let files_before = self.files.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((path, without)) = &bare {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            files.iter_mut().filter(|f| f.path == *path).for_each(|f| f.text.clone_from(without));
        }
        let tried = self.model(&formatted).and_then(|tried| match tried.mistakes_of_request() {
            Some(mistakes) => Err(tried.text_error(mistakes)),
            None => self.filter(request, &tried),
        });
        let filter = tried.inspect_err(|_| {
            *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files_before;
        })?;
        if let Some((file, without)) = &bare {
            let path = self.project.root.join(file);
            fs::write(&path, without)
                .map_err(|e| EngineError::data(format!("cannot write {}: {e}", path.display())))?;
            report
                .notes
                .push(format!("`{name}` was declared in {} without attributes; that line has moved", file.display()));
        }
        let io = |e: std::io::Error| EngineError::data(format!("cannot write {}: {e}", path.display()));
        fs::create_dir_all(self.project.model_folder()).map_err(io)?;
        fs::write(&path, &formatted).map_err(io)?;
        let source = self.project.text(&path)?;
        report.notes.extend(inferred.notes.clone());
        report.declared = Some(path.strip_prefix(&self.project.root).unwrap_or(&path).to_path_buf());
        self.files.lock().unwrap_or_else(PoisonError::into_inner).push(source);
        let model = self.model("")?;
        let sources = self.sources(&model)?;
        let found = sources.into_iter().find(|s| s.name == name);
        let Some(mut source) = found else {
            return Err(EngineError::failed(format!(
                "the declaration written to {} has no source `{name}`",
                path.display()
            )));
        };
        if filter.is_some() {
            source.mappings.iter_mut().for_each(|m| m.filter.clone_from(&filter));
        }
        let options = source.options.clone();
        // Standard input cannot be read again from where it came.
        let mut read = ReadOptions::from_pairs(&options).map_err(connect_error)?;
        for (name, value) in &request.options {
            read.set(name, value).map_err(connect_error)?;
        }
        let table = table.reopened(&read).map_err(connect_error)?;
        Ok(Chosen { source, files: request.files.clone(), options, table: Some(table) })
    }
}

/// The model file that declares an entity with nothing but its key, and its text without that declaration.
fn bare_entity(model: &Model, name: &str) -> Option<(PathBuf, String)> {
    let symbol = model.catalog.find(name)?;
    let SymbolKind::Entity(decl) = &symbol.kind else { return None };
    let source = model.texts.get(symbol.file as usize)?;
    if !decl.fields.is_empty() || source.path.extension().is_none() {
        return None;
    }
    let (tree, _) = kepi_syntax::parse_file(&source.text);
    let statement =
        tree.statements.iter().find(|s| s.span.start <= symbol.span.start && symbol.span.end <= s.span.end)?;
    let mut start = statement.span.start as usize;
    // Its doc comment goes with it.
    while let Some(above) = source.text[..start].strip_suffix('\n') {
        let line = above.rfind('\n').map_or(0, |at| at + 1);
        if !above[line..].trim_start().starts_with("##") {
            break;
        }
        start = line;
    }
    let end = statement.span.end as usize;
    let rest = source.text[end..].trim_start_matches([' ', '\n', '\r']);
    Some((source.path.clone(), format!("{}{rest}", &source.text[..start])))
}

fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect()
}
