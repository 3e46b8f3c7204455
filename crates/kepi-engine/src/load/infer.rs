//! A table that nothing declares: what it is taken for is written to a model file.

use super::choose::Chosen;
use super::connect_error;
use super::fitting::columns_of;
use crate::api::{EngineError, LoadReport, LoadRequest, Progress};
use crate::engine::Engine;
use crate::model::Model;
use kepi_connect::{Hints, InferredKind, KnownEntity, ReadOptions, Table, declaration, infer_table};
use kepi_model::catalog::SymbolKind;
use kepi_model::declared::{SourceDecl, Target};
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
        let columns = table.columns();
        let key = |entity: &String| {
            let known = || model.catalog.find(entity).and_then(|symbol| key_of(&symbol.kind));
            let known = || known().filter(|key| columns.contains(key));
            let key = request.key.clone().or_else(known).or_else(|| columns.first().cloned());
            key.map(|key| (entity.clone(), key))
        };
        // What other modules declare is no name here.
        let own = || model.catalog.symbols().filter(|symbol| symbol.module.is_empty());
        let known = own().filter_map(|symbol| match &symbol.kind {
            SymbolKind::Entity(decl) => {
                Some(KnownEntity { name: decl.name.clone(), key: decl.key.clone(), open: decl.fields.is_empty() })
            }
            _ => None,
        });
        let hints = Hints {
            name: request.as_event.clone(),
            at: request.at.clone(),
            id: request.id.clone(),
            of: request.of.clone(),
            entity: request.entity.as_ref().and_then(key),
            currency: model.catalog.settings.currency,
            known: known.collect(),
            taken: own().map(|symbol| symbol.name.clone()).collect(),
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
            .with_help(match request.entity.is_some() {
                true => "choose another name with `--entity`".to_string(),
                false => "choose another name with `--as`".to_string(),
            }));
        }
        let mut path = self.project.model_folder().join(format!("{}.kepi", file_name(&name)));
        let mut number = 1;
        while path.exists() {
            let behind = if number == 1 { String::new() } else { format!("_{number}") };
            path = self.project.model_folder().join(format!("{}_inferred{behind}.kepi", file_name(&name)));
            number += 1;
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
            // What a source fills is looked into only here.
            None => self.sources(&tried).and_then(|_| self.filter(request, &tried)),
        });
        let filter = tried.map_err(|error| {
            *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files_before;
            match error {
                EngineError::Text { mut texts, diagnostics } => {
                    let written = texts.iter_mut().filter(|text| text.text == formatted);
                    written.for_each(|text| text.path = format!("what {} is taken for", table.first_file()).into());
                    EngineError::Text { texts, diagnostics }
                }
                other => other,
            }
        })?;
        if let Some(note) = self.same_columns(model, &columns, &name, &request.files)? {
            report.notes.push(note);
        }
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
        Ok(Chosen { source, files: request.files.clone(), options, table: Some(table), model: None })
    }

    /// Says where a file has the very columns that a source reads: it may be more of the same.
    fn same_columns(
        &self,
        model: &Model,
        columns: &[String],
        name: &str,
        files: &[String],
    ) -> Result<Option<String>, EngineError> {
        let same = |source: &SourceDecl| {
            let [mapping] = source.mappings.as_slice() else { return false };
            let read = columns_of(mapping);
            matches!(mapping.target, Target::Stream(_))
                && read.len() == columns.len()
                && read.len() > 2
                && columns.iter().all(|column| read.contains(column))
        };
        let found = self.sources(model)?.into_iter().find(same);
        Ok(found.map(|source| {
            format!(
                "it has the columns that the source `{0}` reads; more rows of that are loaded with `kepi load {1} --source \
                 {0}`, not as `{name}`",
                source.name,
                files.join(" ")
            )
        }))
    }
}

fn key_of(kind: &SymbolKind) -> Option<String> {
    match kind {
        SymbolKind::Entity(decl) => Some(decl.key.clone()),
        _ => None,
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
