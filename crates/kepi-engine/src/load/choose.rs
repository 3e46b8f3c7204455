//! What a load fills: a source that was named, one that fits the files, a declaration by its columns' names, or what
//! the table is taken for.

use super::connect_error;
use crate::api::{EngineError, LoadReport, LoadRequest, Progress, SourceText};
use crate::engine::Engine;
use crate::model::Model;
use kepi_connect::{Hints, InferredKind, ReadOptions, Table, declaration, infer_table};
use kepi_model::catalog::SymbolKind;
use kepi_model::core::{Row, RowNode};
use kepi_model::declared::{EntityDecl, MappingDecl, SourceDecl, StreamDecl, Target};
use kepi_model::value::{Kind, Unit};
use kepi_syntax::Severity;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// What a load does.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) source: SourceDecl,
    pub(crate) files: Vec<String>,
    /// The options stated by the source; flags come over them.
    pub(crate) options: Vec<(String, String)>,
    /// The table, where it had to be opened already.
    pub(crate) table: Option<Table>,
}

impl Engine {
    pub(super) fn choose(
        &self,
        request: &LoadRequest,
        progress: &dyn Fn(Progress),
        report: &mut LoadReport,
    ) -> Result<Chosen, EngineError> {
        let model = self.model("")?;
        let sources = self.sources(&model)?;
        if let Some(name) = &request.source {
            let Some(source) = sources.iter().find(|s| s.name == *name || s.name.ends_with(&format!(".{name}"))) else {
                let known: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
                return Err(EngineError::usage(format!("there is no source `{name}`")).with_help(
                    match known.as_slice() {
                        [] => "the model declares none".to_string(),
                        known => format!("there are {}", known.join(", ")),
                    },
                ));
            };
            return Ok(self.with_source(request, source.clone()));
        }
        if request.files.is_empty() {
            return Err(
                EngineError::usage("no file is named").with_help("write `kepi load FILE`, or name a `--source`")
            );
        }
        if let Some(entity) = &request.entity {
            return self.by_entity(request, &model, entity, progress, report);
        }
        if let Some(event) = &request.as_event {
            if let Some(full) = model.catalog.find_kind(event, false) {
                let Some(stream) = model.catalog.stream(&full).cloned() else {
                    return Err(EngineError::failed(format!("`{event}` is declared, but its fields are not known")));
                };
                return self.by_columns(request, &model, &stream);
            }
            if let Some(symbol) = model.catalog.find(event) {
                return Err(EngineError::usage(format!(
                    "`{event}` is a {}: rows go into stored events",
                    symbol.kind.word()
                ))
                .with_help("choose another name with `--as`"));
            }
            return self.infer(request, &model, progress, report);
        }
        let fitting: Vec<&SourceDecl> = sources.iter().filter(|s| request.files.iter().all(|f| fits(s, f))).collect();
        match fitting.as_slice() {
            [source] => Ok(self.with_source(request, (*source).clone())),
            [] => self.infer(request, &model, progress, report),
            several => {
                let names: Vec<&str> = several.iter().map(|s| s.name.as_str()).collect();
                Err(EngineError::usage(format!("several sources read this file: {}", names.join(", ")))
                    .with_help("say which one with `--source`"))
            }
        }
    }

    /// The sources of the model; a mistake in one of them is an error, since a load would quietly leave it out.
    pub(crate) fn sources(&self, model: &Model) -> Result<Vec<SourceDecl>, EngineError> {
        let now = model.now(&self.project, None)?;
        let (sources, diagnostics) = model.catalog.sources(now);
        let broken: Vec<_> =
            model.diagnostics.iter().chain(&diagnostics).filter(|d| d.severity == Severity::Error).cloned().collect();
        if broken.is_empty() { Ok(sources) } else { Err(model.text_error(broken)) }
    }

    /// The files as the source is to name them: relative to the project where they lie inside it.
    fn relative(&self, files: &[String]) -> String {
        let root = self.project.root.canonicalize().unwrap_or_else(|_| self.project.root.clone());
        let named = files.iter().map(|file| {
            let full = Path::new(file).canonicalize();
            let inside = full.as_ref().ok().and_then(|full| full.strip_prefix(&root).ok());
            inside.map_or_else(|| file.clone(), |inside| inside.display().to_string())
        });
        named.collect::<Vec<_>>().join(" ")
    }

    fn with_source(&self, request: &LoadRequest, source: SourceDecl) -> Chosen {
        let files = if request.files.is_empty() {
            let path = Path::new(&source.from);
            let path = if path.is_absolute() { path.to_path_buf() } else { self.project.root.join(path) };
            vec![path.display().to_string()]
        } else {
            request.files.clone()
        };
        let options = source.options.clone();
        Chosen { source, files, options, table: None }
    }

    fn table(request: &LoadRequest) -> Result<Table, EngineError> {
        let options = ReadOptions::from_pairs(&request.options).map_err(connect_error)?;
        Table::open(&request.files, &options).map_err(connect_error)
    }

    /// A declared event, filled by the columns that have its fields' names, and by those that flags name.
    fn by_columns(&self, request: &LoadRequest, model: &Model, stream: &StreamDecl) -> Result<Chosen, EngineError> {
        let table = Self::table(request)?;
        let columns = table.columns();
        let find = |name: &str| columns.iter().find(|c| c.as_str() == name).cloned();
        let need = |flag: &str, name: &str| {
            find(name).ok_or_else(|| {
                EngineError::usage(format!("{}: there is no column `{name}`", table.first_file()))
                    .with_help(format!("`{flag}` names a column; there are {}", columns.join(", ")))
            })
        };
        let at = match (&stream.at, &request.at) {
            (None, Some(_)) => {
                return Err(EngineError::usage(format!("`{}` is undated", stream.name)).with_help("leave out `--at`"));
            }
            (None, None) => None,
            (Some(_), Some(name)) => Some(field(&need("--at", name)?, Unit::of(Kind::Time))),
            (Some(declared), None) => match find(declared).or_else(|| find("at")) {
                Some(column) => Some(field(&column, Unit::of(Kind::Time))),
                None => {
                    return Err(EngineError::usage(format!(
                        "{}: there is no column `{declared}`, the time of `{}`",
                        table.first_file(),
                        stream.name
                    ))
                    .with_help(format!("name it with `--at COLUMN`; there are {}", columns.join(", "))));
                }
            },
        };
        let id = match &request.id {
            Some(name) => Some(field(&need("--id", name)?, Unit::of(Kind::Text))),
            None => None,
        };
        let mut roles = Vec::new();
        for (entity, column) in &request.of {
            let Some(role) = stream.roles.iter().find(|r| r.name == *entity || r.entity == *entity) else {
                let known: Vec<&str> = stream.roles.iter().map(|r| r.name.as_str()).collect();
                return Err(EngineError::usage(format!("`{}` is not of `{entity}`", stream.name))
                    .with_help(format!("it is of {}", known.join(", "))));
            };
            roles.push((role.name.clone(), field(&need("--of", column)?, Unit::of(Kind::Text))));
        }
        for role in &stream.roles {
            let key = model.catalog.entity(&role.entity).map(|e| e.key.clone()).unwrap_or_default();
            let guesses = [role.name.clone(), format!("{}_{key}", role.name), format!("{}_id", role.name)];
            if !roles.iter().any(|(name, _)| *name == role.name) {
                if let Some(column) = guesses.iter().find_map(|g| find(g)) {
                    roles.push((role.name.clone(), field(&column, Unit::of(Kind::Text))));
                }
            }
        }
        let fields: Vec<(String, Row)> = stream
            .fields
            .iter()
            .filter_map(|f| find(&f.name).map(|column| (f.name.clone(), field(&column, read_as(&f.unit)))))
            .collect();
        self.refuse_all(request, &columns, stream.fields.len())?;
        if fields.is_empty() && roles.is_empty() && !stream.fields.is_empty() {
            return Err(EngineError::usage(format!(
                "{}: no column has the name of a field of `{}`",
                table.first_file(),
                stream.name
            ))
            .with_help(format!("its fields are {}; a `source` block maps other names", names(stream))));
        }
        let filter = self.filter(request, model)?;
        let mapping =
            MappingDecl { target: Target::Stream(stream.name.clone()), filter, at, id, key: None, roles, fields };
        Ok(self.chosen(request, mapping, table))
    }

    fn chosen(&self, request: &LoadRequest, mapping: MappingDecl, table: Table) -> Chosen {
        let source = SourceDecl {
            name: request.files.join(" "),
            from: request.files.join(" "),
            options: Vec::new(),
            mappings: vec![mapping],
        };
        Chosen { source, files: request.files.clone(), options: Vec::new(), table: Some(table) }
    }

    fn refuse_all(&self, request: &LoadRequest, columns: &[String], fields: usize) -> Result<(), EngineError> {
        if request.all && columns.len() > fields {
            return Err(EngineError::usage("`--all` is not there yet for what is declared already")
                .with_help("add the columns to the declaration; a table without one keeps all its columns"));
        }
        Ok(())
    }

    fn filter(&self, request: &LoadRequest, model: &Model) -> Result<Option<Row>, EngineError> {
        let Some(text) = &request.where_ else { return Ok(None) };
        let (tree, mut diagnostics) = kepi_syntax::parse_query(text);
        let condition = tree.and_then(|query| query.items.into_iter().next()).map(|item| item.value);
        let mut row = None;
        if let Some(condition) = condition {
            let now = model.now(&self.project, None)?;
            let (lowered, mut found) = model.catalog.table_condition(&condition, now);
            diagnostics.append(&mut found);
            row = lowered;
        }
        match row {
            Some(row) => Ok(Some(row)),
            None => {
                let texts = vec![SourceText { path: "--where".into(), text: text.clone() }];
                Err(EngineError::Text { texts, diagnostics })
            }
        }
    }

    fn by_entity(
        &self,
        request: &LoadRequest,
        model: &Model,
        entity: &str,
        progress: &dyn Fn(Progress),
        report: &mut LoadReport,
    ) -> Result<Chosen, EngineError> {
        let Some(decl) = model.catalog.find_kind(entity, true).and_then(|full| model.catalog.entity(&full).cloned())
        else {
            return self.infer(request, model, progress, report);
        };
        // An entity that events have made known has a key and nothing else: its attributes are still to be declared.
        if decl.fields.is_empty() {
            return self.infer(request, model, progress, report);
        }
        let table = Self::table(request)?;
        let columns = table.columns();
        let wanted = request.key.clone().unwrap_or_else(|| decl.key.clone());
        let Some(key) = columns.iter().find(|c| **c == wanted) else {
            return Err(EngineError::usage(format!(
                "{}: there is no column `{wanted}`, the key of `{entity}`",
                table.first_file()
            ))
            .with_help(format!("name it with `--key COLUMN`; there are {}", columns.join(", "))));
        };
        let fields = entity_fields(&decl, &columns);
        self.refuse_all(request, &columns, fields.len() + 1)?;
        let filter = self.filter(request, model)?;
        let key = Some(field(key, Unit::of(Kind::Text)));
        let mapping = MappingDecl {
            target: Target::Entity(decl.name.clone()),
            filter,
            at: None,
            id: None,
            key,
            roles: Vec::new(),
            fields,
        };
        Ok(self.chosen(request, mapping, table))
    }

    /// Looks at the table, writes what it is taken for to a model file, and takes the source that was written.
    fn infer(
        &self,
        request: &LoadRequest,
        model: &Model,
        progress: &dyn Fn(Progress),
        report: &mut LoadReport,
    ) -> Result<Chosen, EngineError> {
        let table = Self::table(request)?;
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
            from: Some(self.relative(&request.files)),
        };
        let (inferred, options, _) = infer_table(&table, &hints).map_err(connect_error)?;
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
        let files_before = self.files.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((path, without)) = &bare {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            files.iter_mut().filter(|f| f.path == *path).for_each(|f| f.text.clone_from(without));
        }
        let tried = self.model(&formatted)?;
        if let Some(mistakes) = tried.mistakes_of_request() {
            *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files_before;
            return Err(tried.text_error(mistakes));
        }
        let filter = self.filter(request, &tried)?;
        if let Some((file, without)) = &bare {
            let path = self.project.root.join(file);
            fs::write(&path, without).map_err(|e| EngineError::data(format!("cannot write {}: {e}", path.display())))?;
            report.notes.push(format!("`{name}` was declared in {} without attributes; that line has moved", file.display()));
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
        Ok(Chosen { source, files: request.files.clone(), options, table: None })
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
    let statement = tree.statements.iter().find(|s| s.span.start <= symbol.span.start && symbol.span.end <= s.span.end)?;
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

fn field(column: &str, unit: Unit) -> Row {
    Row { unit, node: RowNode::Field(column.to_string()) }
}

/// What a column is read as to fill a field of this unit.
fn read_as(unit: &Unit) -> Unit {
    match &unit.kind {
        Kind::Entity(_) => Unit::of(Kind::Text),
        _ => unit.clone(),
    }
}

fn entity_fields(decl: &EntityDecl, columns: &[String]) -> Vec<(String, Row)> {
    let fits = |name: &str| columns.iter().find(|c| c.as_str() == name);
    decl.fields.iter().filter_map(|f| fits(&f.name).map(|c| (f.name.clone(), field(c, read_as(&f.unit))))).collect()
}

fn names(stream: &StreamDecl) -> String {
    let mut names: Vec<&str> = stream.roles.iter().map(|r| r.name.as_str()).collect();
    names.extend(stream.fields.iter().map(|f| f.name.as_str()));
    names.join(", ")
}

/// Whether a source reads a file: the same path, or the same file name.
fn fits(source: &SourceDecl, file: &str) -> bool {
    if file == "-" {
        return false;
    }
    let name = |path: &str| Path::new(path).file_name().map(|n| n.to_string_lossy().into_owned());
    let from = source.from.split(' ').next_back().unwrap_or(&source.from);
    if source.from == file || from == file || name(from) == name(file) {
        return true;
    }
    match glob_name(from) {
        Some(pattern) => name(file).is_some_and(|file| pattern.matches(&file)),
        None => false,
    }
}

/// The pattern of a source's file name, where it is one.
fn glob_name(from: &str) -> Option<glob::Pattern> {
    let name = Path::new(from).file_name()?.to_string_lossy().into_owned();
    if name.contains(['*', '?', '[']) { glob::Pattern::new(&name).ok() } else { None }
}
