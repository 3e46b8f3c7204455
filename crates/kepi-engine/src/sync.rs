//! Pulling from a connector, page by page; each page is committed together with its cursor.

use crate::api::{EngineError, LoadReport, LoadRequest, Progress, SyncRequest};
use crate::engine::{Engine, store_error};
use crate::load::{Loading, columns_of, connect_error};
use crate::watch::Watch;
use kepi_connect::{ReadOptions, Table};
use kepi_extension::{ConnectorError, PageRequest};
use kepi_model::declared::SourceDecl;
use kepi_plugin::FolderHost;
use kepi_store::Store;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How many records a page should have.
const PAGE_SIZE: u32 = 500;
/// The same cursor this often in a row means that a connector does not go on.
const STUCK_PAGES: u32 = 3;

impl Engine {
    /// Pulls from a connector into the store until it has no more, or the limit is reached.
    ///
    /// The source names the connector and its stream: `source tickets from "json:tickets" with folder = "inbox"`.
    /// Errors: what was committed page by page before stays.
    pub fn sync(&self, request: SyncRequest, progress: &dyn Fn(Progress)) -> Result<LoadReport, EngineError> {
        let started = Instant::now();
        refuse_later(&request)?;
        let model = self.model("")?;
        let now = model.now(&self.project, None)?;
        let sources = self.sources(&model)?;
        let source = find(&sources, &request.source)?;
        let Some((alias, stream)) = source.from.split_once(':') else {
            return Err(EngineError::usage(format!("the source `{}` reads a file", source.name))
                .with_help(format!("load it: `kepi load --source {}`", source.name)));
        };
        let Some((id, connector)) = model.plugins.connectors.get(alias) else {
            let known: Vec<&str> = model.plugins.connectors.keys().map(String::as_str).collect();
            return Err(EngineError::usage(format!("no connector is used as `{alias}`")).with_help(
                match known.as_slice() {
                    [] => format!("write `use plugin \"…\" as {alias}` in the model"),
                    known => format!("there are {}", known.join(", ")),
                },
            ));
        };
        let host = self.host(id, source, now)?;
        let (config, read_options) = options(source)?;
        let mut writer =
            Store::open_writer(&self.project.store(), &format!("kepi sync {}", source.name)).map_err(store_error)?;
        let state = format!("{id}/{}", source.name);
        let mut cursor = if request.full { None } else { writer.cursor(&state).map_err(store_error)? };
        let mut report = LoadReport::default();
        let load_request = LoadRequest { cancel: request.cancel.clone(), ..LoadRequest::default() };
        let (mut pulled, mut stuck) = (0u64, 0u32);
        let expected: Vec<String> = source.mappings.iter().flat_map(columns_of).collect();
        let mut unseen = expected.clone();
        let _watch = Watch::over(&model.plugins, &request.cancel);
        loop {
            if request.cancel.is_cancelled() {
                return Err(EngineError::Interrupted);
            }
            let page_size = request.limit.map_or(PAGE_SIZE, |limit| {
                // At most a page, so it fits.
                u64::from(PAGE_SIZE).min(limit - pulled) as u32
            });
            let wanted = PageRequest {
                stream: stream.to_string(),
                config: config.clone(),
                cursor: cursor.clone(),
                page_size,
                since: None,
            };
            let page = connector.read(&wanted, &host).map_err(|error| match request.cancel.is_cancelled() {
                true => EngineError::Interrupted,
                false => connector_error(error),
            })?;
            stuck = if page.cursor == cursor && page.more { stuck + 1 } else { 0 };
            if stuck >= STUCK_PAGES {
                return Err(EngineError::failed(format!("the connector {id} gives the same page again and again")));
            }
            pulled += page.records.len() as u64;
            let committed = page.cursor.clone().map(|cursor| (state.clone(), cursor));
            if !page.records.is_empty() {
                let text = page.records.join("\n");
                let table = Table::of_json_lines(&format!("{id}:{stream}"), text.into_bytes(), &read_options)
                    .map_err(connect_error)?;
                unseen.retain(|column| table.column(column).is_err());
                // A page of which no record has a field is a page where it is missing.
                let table = table.with_missing(&expected);
                let mut loading = Loading::new(&model, source, &table, now)?;
                let outcome = loading.run(&table, &mut writer, &load_request, committed, &|_| {})?;
                outcome.report_into(&mut report, &self.project.rejected())?;
            }
            progress(Progress { what: format!("pulling {}", source.name), done: pulled, total: None });
            cursor = page.cursor.or(cursor);
            let enough = request.limit.is_some_and(|limit| pulled >= limit);
            if !page.more || enough {
                break;
            }
        }
        if pulled == 0 {
            report.notes.push(format!("`{}` has nothing new", source.name));
        }
        if pulled > 0 && !unseen.is_empty() {
            report.notes.push(format!("no record that was pulled has {}", unseen.join(", ")));
        }
        report.elapsed = started.elapsed();
        Ok(report)
    }

    /// The folder that the source grants to its connector.
    fn host(&self, plugin: &str, source: &SourceDecl, now: i64) -> Result<FolderHost, EngineError> {
        let granted = source.options.iter().find(|(name, _)| name == "folder").map(|(_, value)| PathBuf::from(value));
        let Some(folder) = granted else {
            return Err(EngineError::usage(format!("the source `{}` grants no folder", source.name))
                .with_help("add `with folder = \"inbox\"`, relative to the project"));
        };
        let path = if folder.is_absolute() { folder } else { self.project.root.join(folder) };
        FolderHost::new(plugin, &path, now)
            .map_err(|error| EngineError::data(format!("cannot use the folder {}: {error}", shown(&path))))
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn refuse_later(request: &SyncRequest) -> Result<(), EngineError> {
    let later = [
        (request.since.is_some(), "--since"),
        (request.record.is_some(), "--record"),
        (request.replay.is_some(), "--replay"),
    ];
    match later.iter().find(|(asked, _)| *asked) {
        Some((_, flag)) => Err(EngineError::usage(format!("`{flag}` is not there yet"))),
        None => Ok(()),
    }
}

fn find<'s>(sources: &'s [SourceDecl], name: &str) -> Result<&'s SourceDecl, EngineError> {
    sources.iter().find(|s| s.name == name || s.name.ends_with(&format!(".{name}"))).ok_or_else(|| {
        let known: Vec<&str> = sources.iter().filter(|s| s.from.contains(':')).map(|s| s.name.as_str()).collect();
        EngineError::usage(format!("there is no source `{name}`")).with_help(match known.as_slice() {
            [] => "the model declares none that reads a connector".to_string(),
            known => format!("connectors fill {}", known.join(", ")),
        })
    })
}

/// The connector's configuration as JSON, and how its records are read.
fn options(source: &SourceDecl) -> Result<(String, ReadOptions), EngineError> {
    let mut config = serde_json::Map::new();
    let mut read = ReadOptions::default();
    for (name, value) in &source.options {
        if matches!(name.as_str(), "dates" | "decimal" | "timezone") {
            read.set(name, value).map_err(connect_error)?;
        } else {
            config.insert(name.clone(), serde_json::Value::String(value.clone()));
        }
    }
    Ok((serde_json::Value::Object(config).to_string(), read))
}

fn connector_error(error: ConnectorError) -> EngineError {
    EngineError::failed(error)
}
