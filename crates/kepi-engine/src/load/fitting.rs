//! Which source reads a file, how a source names files, and whether a load's flags say the same as its source.

use super::choose::Chosen;
use super::connect_error;
use super::more::unread;
use crate::api::{EngineError, LoadReport, LoadRequest};
use crate::engine::Engine;
use crate::model::Model;
use kepi_connect::{ReadOptions, Table};
use kepi_model::core::{Op, Row, RowNode};
use kepi_model::declared::{MappingDecl, SourceDecl, Target};
use kepi_model::value::{Kind, Unit};
use std::path::Path;

impl Engine {
    /// The files as a source is to name them: relative to the project where they lie inside it; several by what their
    /// names have in common.
    pub(super) fn source_path(&self, files: &[String]) -> String {
        let names: Vec<String> = files.iter().map(|file| self.named(file)).collect();
        common_pattern(&names)
    }

    fn named(&self, file: &str) -> String {
        let root = self.project.root.canonicalize().unwrap_or_else(|_| self.project.root.clone());
        let path = Path::new(file);
        let full = path.canonicalize().or_else(|error| match (path.parent(), path.file_name()) {
            // A pattern is no path, but the folder that it begins in may be one.
            (Some(folder), Some(name)) if is_pattern(file) => {
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                folder.canonicalize().map(|folder| folder.join(name))
            }
            _ => Err(error),
        });
        let inside = full.as_ref().ok().and_then(|full| full.strip_prefix(&root).ok());
        inside.map_or_else(|| file.to_string(), |inside| inside.display().to_string())
    }

    /// Whether a source reads a file: the same path, the same file name, or a pattern that fits it.
    pub(super) fn fits(&self, source: &SourceDecl, file: &str) -> bool {
        if file == "-" {
            return false;
        }
        let (from, path) = (source.from.as_str(), self.named(file));
        if from == file || from == path {
            return true;
        }
        if !is_pattern(from) {
            return file_name(from) == file_name(file);
        }
        let matches = |pattern: &str, text: &str| {
            let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
            glob::Pattern::new(pattern).is_ok_and(|p| p.matches_with(text, options))
        };
        let name = file_name(from);
        // A newer export may lie elsewhere under a name like it; `*.csv` says nothing about what is in a file.
        matches(from, &path) || (says_something(name) && matches(name, file_name(file)))
    }

    /// A source that was named or that fits, with what the flags of the load add to it.
    ///
    /// Errors: a flag that contradicts the source.
    pub(super) fn with_source(
        &self,
        request: &LoadRequest,
        model: &Model,
        mut source: SourceDecl,
    ) -> Result<Chosen, EngineError> {
        let alias = source.from.split_once(':').map_or("", |(alias, _)| alias);
        if model.plugins.connectors.contains_key(alias) && request.files.is_empty() {
            return Err(EngineError::usage(format!("the source `{}` reads a connector", source.name))
                .with_help(format!("pull from it: `kepi sync {}`", source.name)));
        }
        if let Some(contradiction) = contradiction(&source, request) {
            return Err(EngineError::usage(contradiction).with_help(format!(
                "change the source `{}`, or load the file as something else with `--as NAME`",
                source.name
            )));
        }
        if let Some(wanted) = self.filter(request, model)? {
            source.mappings.iter_mut().for_each(|m| m.filter = Some(both(m.filter.take(), &wanted)));
        }
        let files = if request.files.is_empty() {
            let path = Path::new(&source.from);
            let path = if path.is_absolute() { path.to_path_buf() } else { self.project.root.join(path) };
            vec![path.display().to_string()]
        } else {
            request.files.clone()
        };
        let options = source.options.clone();
        Ok(Chosen { source, files, options, table: None, model: None })
    }

    /// The one source that fills a declared event or entity, finds all its columns in the files, and is not
    /// contradicted by the flags; none: the columns' names have to do.
    pub(super) fn filling(
        &self,
        request: &LoadRequest,
        model: &Model,
        sources: &[SourceDecl],
        target: &Target,
        table: &Result<Table, EngineError>,
        report: &mut LoadReport,
    ) -> Result<Option<Chosen>, EngineError> {
        let mut found: Vec<Chosen> = Vec::new();
        for source in sources {
            let Some(mapping) = source.mappings.iter().find(|m| m.target == *target) else { continue };
            let source = SourceDecl { mappings: vec![mapping.clone()], ..source.clone() };
            // A connector's settings are no way to read a file.
            let Ok(options) = options(&source, request) else { continue };
            let opened = match table {
                Ok(table) => table.reopened(&options),
                Err(_) => Table::open(&request.files, &options),
            };
            let Ok(opened) = opened else { continue };
            let complete = columns_of(mapping).iter().all(|c| opened.column(c).is_ok());
            if complete && contradiction(&source, request).is_none() {
                let chosen = self.with_source(&LoadRequest { all: false, ..request.clone() }, model, source)?;
                found.push(Chosen { table: Some(opened), ..chosen });
            }
        }
        if found.len() > 1 {
            let names: Vec<&str> = found.iter().map(|c| c.source.name.as_str()).collect();
            return Err(EngineError::usage(format!("several sources can read this file: {}", names.join(", ")))
                .with_help("say which one with `--source` instead of `--as`"));
        }
        let Some(chosen) = found.pop() else { return Ok(None) };
        let (Some(mapping), Some(opened)) = (chosen.source.mappings.first(), &chosen.table) else {
            return Ok(Some(chosen));
        };
        let unread = unread(&opened.columns(), mapping);
        if request.all && !unread.is_empty() {
            let model = self.declare_more(model, target, &unread, Some(&chosen.source), report)?;
            let sources = self.sources(&model)?;
            let request = LoadRequest { all: false, ..request.clone() };
            return self.filling(&request, &model, &sources, target, table, report);
        }
        Ok(Some(chosen))
    }
}

/// How a source reads a file: its own options, and the load's flags over them.
fn options(source: &SourceDecl, request: &LoadRequest) -> Result<ReadOptions, EngineError> {
    let mut options = ReadOptions::from_pairs(&source.options).map_err(connect_error)?;
    for (name, value) in &request.options {
        options.set(name, value).map_err(connect_error)?;
    }
    options.asked = source.mappings.iter().flat_map(columns_of).collect();
    Ok(options)
}

/// What a flag says that no mapping of the source says.
fn contradiction(source: &SourceDecl, request: &LoadRequest) -> Option<String> {
    let reads = |row: &Option<Row>, column: &str| matches!(row, Some(r) if is_column(r, column));
    let any = |says: &dyn Fn(&MappingDecl) -> bool| source.mappings.iter().any(says);
    let name = &source.name;
    if let Some(at) = request.at.as_deref().filter(|at| !any(&|m| reads(&m.at, at))) {
        return Some(format!("the source `{name}` does not take the time from `{at}`"));
    }
    if let Some(id) = request.id.as_deref().filter(|id| !any(&|m| reads(&m.id, id))) {
        return Some(format!("the source `{name}` does not take the id from `{id}`"));
    }
    if let Some(key) = request.key.as_deref().filter(|key| !any(&|m| reads(&m.key, key))) {
        return Some(format!("the source `{name}` does not take the key from `{key}`"));
    }
    let of = request.of.iter().find(|(_, column)| !any(&|m| m.roles.iter().any(|(_, row)| is_column(row, column))));
    of.map(|(entity, column)| format!("the source `{name}` does not take `{entity}` from `{column}`"))
}

fn is_column(row: &Row, column: &str) -> bool {
    matches!(&row.node, RowNode::Field(name) if name == column)
}

/// The columns that a mapping reads.
pub(crate) fn columns_of(mapping: &MappingDecl) -> Vec<String> {
    let rows = [&mapping.at, &mapping.id, &mapping.key, &mapping.filter].into_iter().flatten();
    let mut columns = Vec::new();
    for row in rows.chain(mapping.roles.iter().chain(&mapping.fields).map(|(_, row)| row)) {
        collect_columns(row, &mut columns);
    }
    columns
}

fn collect_columns(row: &Row, columns: &mut Vec<String>) {
    match &row.node {
        RowNode::Field(name) if !columns.contains(name) => columns.push(name.clone()),
        RowNode::Call { args, .. } | RowNode::Plugin { args, .. } => {
            args.iter().for_each(|arg| collect_columns(arg, columns));
        }
        RowNode::Case { whens, otherwise } => {
            for (when, then) in whens {
                collect_columns(when, columns);
                collect_columns(then, columns);
            }
            if let Some(otherwise) = otherwise {
                collect_columns(otherwise, columns);
            }
        }
        // A table has columns and nothing else.
        _ => {}
    }
}

fn both(own: Option<Row>, wanted: &Row) -> Row {
    match own {
        None => wanted.clone(),
        Some(own) => {
            Row { unit: Unit::of(Kind::Bool), node: RowNode::Call { op: Op::And, args: vec![own, wanted.clone()] } }
        }
    }
}

fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a pattern's stem has a letter or digit outside its wildcards.
fn says_something(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let mut inside = false;
    stem.chars().any(|c| {
        inside = match c {
            '[' => true,
            ']' => false,
            _ => inside,
        };
        !inside && c.is_alphanumeric()
    })
}

/// One name for several files: the folders and the parts of the name that they share, with stars for the rest.
fn common_pattern(names: &[String]) -> String {
    let [first, rest @ ..] = names else { return String::new() };
    if rest.is_empty() || names.iter().any(|n| n == "-" || is_pattern(n)) {
        return names.join(" ");
    }
    let parts = |name: &String| -> (Vec<String>, Vec<char>) {
        let (folder, name) = name.rsplit_once('/').unwrap_or(("", name));
        (folder.split('/').map(str::to_string).collect(), name.chars().collect())
    };
    let (folders, name) = parts(first);
    let (mut shared, mut head, mut tail) = (folders.len(), name.len(), name.len());
    let mut same_folder = true;
    for other in rest {
        let (other_folders, other_name) = parts(other);
        same_folder &= other_folders == folders;
        shared = shared.min(folders.iter().zip(&other_folders).take_while(|(a, b)| a == b).count());
        head = head.min(name.iter().zip(&other_name).take_while(|(a, b)| a == b).count());
        let ends = name.iter().rev().zip(other_name.iter().rev());
        tail = tail.min(ends.take_while(|(a, b)| a == b).count());
    }
    let folder = folders[..shared].join("/");
    let folder = match (same_folder, first.contains('/') && shared > 0) {
        (true, true) => format!("{folder}/"),
        (true, false) => String::new(),
        (false, true) => format!("{folder}/**/"),
        (false, false) => "**/".to_string(),
    };
    let text = |chars: &[char]| glob::Pattern::escape(&chars.iter().collect::<String>());
    if head == name.len() && tail == name.len() {
        return format!("{folder}{}", text(&name));
    }
    // `a1.csv` and `a11.csv` share a head and a tail that meet in the shorter one.
    let shortest = names.iter().map(|n| parts(n).1.len()).min().unwrap_or(0);
    let tail = tail.min(shortest - head.min(shortest));
    format!("{folder}{}*{}", text(&name[..head]), text(&name[name.len() - tail..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_files_are_named_by_what_they_share() {
        let pattern = |names: &[&str]| common_pattern(&names.iter().map(|n| n.to_string()).collect::<Vec<_>>());
        assert_eq!(pattern(&["my orders.csv"]), "my orders.csv");
        assert_eq!(pattern(&["s/part00.csv", "s/part01.csv", "s/part10.csv"]), "s/part*.csv");
        assert_eq!(pattern(&["a1.csv", "a11.csv"]), "a1*.csv");
        assert_eq!(pattern(&["a.csv", "b.csv"]), "*.csv");
        assert_eq!(pattern(&["/x/2025/orders.csv", "/x/2026/orders.csv"]), "/x/**/orders.csv");
        // These may be patterns themselves, so they stay as they were given.
        assert_eq!(pattern(&["/x/[a].csv", "/x/[b].csv"]), "/x/[a].csv /x/[b].csv");
        assert_eq!(pattern(&["2025/a.csv", "2026/b.csv"]), "**/*.csv");
    }

    #[test]
    fn a_bare_star_says_nothing_about_a_file() {
        assert!(says_something("orders_*.csv") && says_something("*_x.csv"));
        assert!(!says_something("*.csv") && !says_something("[a-z]*.csv") && !says_something("?.csv"));
    }
}
