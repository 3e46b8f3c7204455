//! A file that no source names, and something declared that waits for it: the columns say whether it is that.

use super::fitting::columns_of;
use crate::api::{EngineError, LoadReport, LoadRequest};
use crate::engine::Engine;
use crate::model::Model;
use kepi_connect::{Table, names_of, row_key};
use kepi_model::catalog::{Catalog, SymbolKind};
use kepi_model::declared::{EntityDecl, SourceDecl, Target};

/// A declared event or entity beside a table.
struct Match {
    name: String,
    /// "event", "entity" or "state".
    kind: &'static str,
    entity: bool,
    /// Whether the file is named like it.
    named: bool,
    /// Whether a source fills it.
    filled: bool,
    /// Whether that source says what the id of a row is.
    has_ids: bool,
    /// The columns that it takes, and what none of them gives.
    taken: Vec<String>,
    lacks: Vec<Lack>,
}

/// What a declaration has and a table does not.
enum Lack {
    Time(String),
    Key(String),
    Role(String),
    Field(String),
}

impl Lack {
    fn name(&self) -> &str {
        match self {
            Lack::Time(name) | Lack::Key(name) | Lack::Role(name) | Lack::Field(name) => name,
        }
    }
}

impl Engine {
    /// The load as it would be written with `--as` or `--entity`, where the file's columns are those of something
    /// declared, or it is named like it and has all its columns; none: nothing declared is meant.
    ///
    /// Errors: several are meant; the file is named like something that is declared and waits for rows, but has other
    /// columns.
    pub(super) fn declared(
        &self,
        request: &LoadRequest,
        model: &Model,
        sources: &[SourceDecl],
        table: &Table,
        report: &mut LoadReport,
    ) -> Result<Option<LoadRequest>, EngineError> {
        let columns = table.columns();
        let file = table.first_file();
        let stem = table.stem();
        let names = names_of(&stem);
        let all = matches(&model.catalog, sources, &columns, &names);
        let whole = |m: &&Match| m.lacks.is_empty() && (m.named || (!m.filled && m.taken.len() == columns.len()));
        let mut fitting: Vec<&Match> = all.iter().filter(whole).collect();
        if fitting.iter().any(|m| m.named) {
            fitting.retain(|m| m.named);
        }
        match fitting.as_slice() {
            [] => {}
            [found] => {
                report.notes.push(format!("{file} has the columns of the declared {} `{}`", found.kind, found.name));
                let mut request = LoadRequest::clone(request);
                let mut unread: Vec<&String> = columns.iter().filter(|c| !found.taken.contains(c)).collect();
                if found.filled {
                    // What its source takes as the id of a row is called `id` where it comes back.
                    unread.retain(|column| found.has_ids && *column == "id");
                }
                let id = match found.filled {
                    true => unread.first().map(|id| (*id).clone()),
                    false => row_key(&stem, unread.iter().copied()),
                };
                if !found.entity
                    && request.id.is_none()
                    && let Some(id) = id
                {
                    report.notes.push(format!("`{id}` says which row is the same when it comes again"));
                    unread.retain(|c| **c != id);
                    request.id = Some(id);
                }
                if !unread.is_empty() && !request.all {
                    let names: Vec<String> = unread.iter().map(|c| format!("`{c}`")).collect();
                    report.notes.push(format!(
                        "the declaration does not name {}: left out; `--all` keeps them",
                        names.join(", ")
                    ));
                }
                match found.entity {
                    true => request.entity = Some(found.name.clone()),
                    false => request.as_event = Some(found.name.clone()),
                }
                return Ok(Some(request));
            }
            several => {
                let commands: Vec<String> = several.iter().map(|m| m.command(file)).collect();
                let names: Vec<String> = several.iter().map(|m| format!("`{}`", m.name)).collect();
                return Err(EngineError::usage(format!("{file} has the columns of {}", names.join(" and of ")))
                    .with_help(format!("say which one: {}", commands.join(" or "))));
            }
        }
        // Something of that very name waits for rows, or gets them from elsewhere: a third thing helps nobody.
        let meant = |m: &&Match| match m.filled {
            true => !m.entity && names.first() == Some(&m.name),
            false => names.iter().take(3).any(|name| *name == m.name),
        };
        let Some(meant) = all.iter().find(meant) else { return Ok(None) };
        let lacks: Vec<String> = meant.lacks.iter().map(|l| format!("`{}`", l.name())).collect();
        Err(EngineError::usage(format!(
            "{file} has no column {} of the declared {} `{}`",
            lacks.join(", "),
            meant.kind,
            meant.name
        ))
        .with_help(format!(
            "`{}` fills what is there; a `source` block maps columns of other names; `kepi load {file} --as NAME` \
                 makes another event of it (the file has {})",
            meant.command(file),
            columns.join(", ")
        )))
    }
}

impl Match {
    /// The command that fills it from the file, with a word in capitals for each column that has to be named.
    fn command(&self, file: &str) -> String {
        let mut out = format!("kepi load {file} --{} {}", if self.entity { "entity" } else { "as" }, self.name);
        for lack in &self.lacks {
            match lack {
                Lack::Time(_) => out.push_str(" --at COLUMN"),
                Lack::Key(_) => out.push_str(" --key COLUMN"),
                Lack::Role(role) => out.push_str(&format!(" --of {role}=COLUMN")),
                Lack::Field(_) => {}
            }
        }
        if self.entity && !out.contains(" --key") {
            out.push_str(&format!(" --key {}", self.taken.first().map_or("COLUMN", String::as_str)));
        }
        out
    }
}

/// All declared events and entities beside the columns of a table.
fn matches(catalog: &Catalog, sources: &[SourceDecl], columns: &[String], names: &[String]) -> Vec<Match> {
    let has = |name: &str| columns.iter().any(|c| c == name);
    let mut all = Vec::new();
    for symbol in catalog.symbols() {
        let mut taken: Vec<String> = Vec::new();
        let mut lacks = Vec::new();
        let mut want = |guesses: &[String], lack: Lack| match guesses.iter().find(|g| has(g)) {
            Some(column) => taken.push(column.clone()),
            None => lacks.push(lack),
        };
        let target = match &symbol.kind {
            // One that events have made known has a key alone, and waits for whatever attributes there are.
            SymbolKind::Entity(decl) if !decl.fields.is_empty() => {
                want(std::slice::from_ref(&decl.key), Lack::Key(decl.key.clone()));
                for field in &decl.fields {
                    want(std::slice::from_ref(&field.name), Lack::Field(field.name.clone()));
                }
                taken.extend(dated_by(decl, columns));
                Target::Entity(decl.name.clone())
            }
            SymbolKind::Stream(_) | SymbolKind::State(_) => {
                let decl = match &symbol.kind {
                    SymbolKind::Stream(decl) => Some(decl),
                    SymbolKind::State(state) => state.stored.as_ref(),
                    _ => None,
                };
                let Some(decl) = decl else { continue };
                if let Some(at) = &decl.at {
                    want(&[at.clone(), "at".to_string()], Lack::Time(at.clone()));
                }
                for role in &decl.roles {
                    want(&role_columns(catalog, role), Lack::Role(role.name.clone()));
                }
                for field in &decl.fields {
                    want(std::slice::from_ref(&field.name), Lack::Field(field.name.clone()));
                }
                Target::Stream(decl.name.clone())
            }
            _ => continue,
        };
        let fills = |s: &SourceDecl| s.mappings.iter().any(|m| m.target == target && !columns_of(m).is_empty());
        let ids = |s: &SourceDecl| s.mappings.iter().any(|m| m.target == target && m.id.is_some());
        all.push(Match {
            has_ids: sources.iter().any(ids),
            name: symbol.full_name(),
            kind: match &symbol.kind {
                SymbolKind::Entity(_) => "entity",
                SymbolKind::State(_) => "state",
                _ => "event",
            },
            entity: matches!(target, Target::Entity(_)),
            named: names.contains(&symbol.name),
            filled: sources.iter().any(fills),
            taken,
            lacks,
        });
    }
    all
}

/// The column that says since when the attributes of an entity with history were what a row says, as `kepi store export`
/// writes it; none: no column is called so, or nothing of the entity has a history.
pub(super) fn dated_by(decl: &EntityDecl, columns: &[String]) -> Option<String> {
    let taken = |name: &str| name == decl.key || decl.fields.iter().any(|field| field.name == name);
    let name = if taken("from") { "_from" } else { "from" };
    let dated = decl.fields.iter().any(|field| field.history) && !taken(name);
    columns.iter().find(|column| dated && *column == name).cloned()
}

/// The columns that may hold the keys of a role, the likeliest first.
pub(super) fn role_columns(catalog: &Catalog, role: &kepi_model::declared::RoleDecl) -> [String; 4] {
    let key = catalog.entity(&role.entity).map(|e| e.key.clone()).unwrap_or_default();
    // The key's own name says whose it is, unless it is a word that is the key of many.
    let own =
        if key.contains('_') || key.chars().skip(1).any(char::is_uppercase) { key.clone() } else { String::new() };
    [role.name.clone(), format!("{}_{key}", role.name), format!("{}_id", role.name), own]
}
