//! What a load fills: a source that was named, one that fits the files, a declaration by its columns' names, or what
//! the table is taken for.

use super::connect_error;
use super::declared::{dated_by, role_columns};
use super::more::unread;
use crate::api::{EngineError, LoadReport, LoadRequest, Progress, SourceText};
use crate::engine::Engine;
use crate::model::Model;
use kepi_connect::{ReadOptions, Table};
use kepi_model::catalog::SymbolKind;
use kepi_model::core::{Row, RowNode};
use kepi_model::declared::{EntityDecl, MappingDecl, SourceDecl, StreamDecl, Target};
use kepi_model::value::{Kind, Unit};
use kepi_syntax::Severity;

/// What a load does.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) source: SourceDecl,
    pub(crate) files: Vec<String>,
    /// The options stated by the source; flags come over them.
    pub(crate) options: Vec<(String, String)>,
    /// The table, where it had to be opened already.
    pub(crate) table: Option<Table>,
    /// The model as it is now; none: it is declared anew, since a file of it may have been written.
    pub(crate) model: Option<Model>,
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
                        [one] => format!("there is `{one}`"),
                        known => format!("there are {}", known.join(", ")),
                    },
                ));
            };
            let (model, source) = self.with_all(request, model, source.clone(), report)?;
            return self.of_source(request, model, source);
        }
        if request.files.is_empty() {
            return Err(
                EngineError::usage("no file is named").with_help("write `kepi load FILE`, or name a `--source`")
            );
        }
        if let Some(entity) = &request.entity {
            return self.by_entity(request, &model, &sources, entity, progress, report);
        }
        if let Some(event) = &request.as_event {
            if let Some(full) = model.catalog.find_kind(event, false) {
                let Some(stream) = model.catalog.stream(&full).cloned() else {
                    return Err(EngineError::failed(format!("`{event}` is declared, but its fields are not known")));
                };
                let table = Self::table(request);
                // What was loaded through a source stays known only through the same source: it says what the id is.
                if let Some(chosen) = self.filling(request, &model, &sources, &Target::Stream(full), &table, report)? {
                    return Ok(chosen);
                }
                return self.by_columns(request, &model, &stream, table?, report);
            }
            if let Some(symbol) = model.catalog.find(event) {
                let help = match &symbol.kind {
                    SymbolKind::Entity(decl) => {
                        format!("`kepi load {} --entity {event} --key {}` fills it", request.files.join(" "), decl.key)
                    }
                    _ => "choose another name with `--as`".to_string(),
                };
                return Err(EngineError::usage(format!(
                    "`{event}` is {}: rows go into stored events",
                    symbol.kind.a_word()
                ))
                .with_help(help));
            }
            return self.infer(request, &model, Self::table(request)?, progress, report);
        }
        let fitting: Vec<&SourceDecl> =
            sources.iter().filter(|s| request.files.iter().all(|f| self.fits(s, f))).collect();
        match fitting.as_slice() {
            [source] => {
                let source = (*source).clone();
                let (model, source) = self.with_all(request, model, source, report)?;
                self.of_source(request, model, source)
            }
            [] => {
                let table = Self::table(request)?;
                match self.declared(request, &model, &sources, &table, report)? {
                    Some(request) => self.choose(&request, progress, report),
                    None => self.infer(request, &model, table, progress, report),
                }
            }
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

    pub(super) fn table(request: &LoadRequest) -> Result<Table, EngineError> {
        let mut options = ReadOptions::from_pairs(&request.options).map_err(connect_error)?;
        let named = [&request.at, &request.id, &request.key].into_iter().flatten();
        options.asked = named.chain(request.of.iter().map(|(_, column)| column)).cloned().collect();
        Table::open(&request.files, &options).map_err(connect_error)
    }

    /// A declared event, filled by the columns that have its fields' names, and by those that flags name.
    fn by_columns(
        &self,
        request: &LoadRequest,
        model: &Model,
        stream: &StreamDecl,
        table: Table,
        report: &mut LoadReport,
    ) -> Result<Chosen, EngineError> {
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
            let guesses = role_columns(&model.catalog, role);
            if !roles.iter().any(|(name, _)| *name == role.name)
                && let Some(column) = guesses.iter().find_map(|g| find(g))
            {
                roles.push((role.name.clone(), field(&column, Unit::of(Kind::Text))));
            }
        }
        let fields: Vec<(String, Row)> = stream
            .fields
            .iter()
            .filter_map(|f| find(&f.name).map(|column| (f.name.clone(), field(&column, read_as(&f.unit)))))
            .collect();
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
        let unread = unread(&columns, &mapping);
        if request.all && !unread.is_empty() {
            let model = self.declare_more(model, &mapping.target, &unread, None, report)?;
            let more = model.catalog.stream(&stream.name).cloned().unwrap_or_else(|| stream.clone());
            let request = LoadRequest { all: false, ..request.clone() };
            return self.by_columns(&request, &model, &more, table, report);
        }
        Ok(self.chosen(request, mapping, table))
    }

    fn chosen(&self, request: &LoadRequest, mapping: MappingDecl, table: Table) -> Chosen {
        let source = SourceDecl {
            name: request.files.join(" "),
            from: request.files.join(" "),
            options: Vec::new(),
            mappings: vec![mapping],
        };
        Chosen { source, files: request.files.clone(), options: Vec::new(), table: Some(table), model: None }
    }

    fn of_source(&self, request: &LoadRequest, model: Model, source: SourceDecl) -> Result<Chosen, EngineError> {
        let chosen = self.with_source(request, &model, source)?;
        Ok(Chosen { model: Some(model), ..chosen })
    }

    pub(super) fn filter(&self, request: &LoadRequest, model: &Model) -> Result<Option<Row>, EngineError> {
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
        sources: &[SourceDecl],
        entity: &str,
        progress: &dyn Fn(Progress),
        report: &mut LoadReport,
    ) -> Result<Chosen, EngineError> {
        let Some(decl) = model.catalog.find_kind(entity, true).and_then(|full| model.catalog.entity(&full).cloned())
        else {
            return self.infer(request, model, Self::table(request)?, progress, report);
        };
        // An entity that events have made known has a key and nothing else: its attributes are still to be declared.
        if decl.fields.is_empty() {
            return self.infer(request, model, Self::table(request)?, progress, report);
        }
        let table = Self::table(request);
        if let Some(chosen) =
            self.filling(request, model, sources, &Target::Entity(decl.name.clone()), &table, report)?
        {
            return Ok(chosen);
        }
        let table = table?;
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
        let at = dated_by(&decl, &columns).map(|column| field(&column, Unit::of(Kind::Time)));
        let filter = self.filter(request, model)?;
        let key = Some(field(key, Unit::of(Kind::Text)));
        let mapping = MappingDecl {
            target: Target::Entity(decl.name.clone()),
            filter,
            at,
            id: None,
            key,
            roles: Vec::new(),
            fields,
        };
        let unread = unread(&columns, &mapping);
        if request.all && !unread.is_empty() {
            let model = self.declare_more(model, &mapping.target, &unread, None, report)?;
            let sources = self.sources(&model)?;
            let request = LoadRequest { all: false, ..request.clone() };
            return self.by_entity(&request, &model, &sources, entity, progress, report);
        }
        Ok(self.chosen(request, mapping, table))
    }
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
