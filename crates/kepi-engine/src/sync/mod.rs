//! Pulling from a connector, page by page; each page is committed together with the state of its source.

mod grants;
mod host;
mod pull;
mod shape;
mod stored;

use crate::api::{EngineError, LoadReport, LoadRequest, Progress, SyncRequest};
use crate::engine::{Engine, store_error};
use crate::load::{Loading, columns_of, connect_error};
use crate::model::Model;
use crate::plugins::UsedConnector;
use crate::upkeep::clock;
use crate::watch::Watch;
use host::SyncHost;
use kepi_connect::{HttpService, HttpSettings, Keep, ReadOptions, Recorded, Recorder, Table};
use kepi_extension::{Page, PageRequest};
use kepi_model::declared::{SourceDecl, Target};
use kepi_plugin::{FolderHost, Runtime};
use kepi_store::{LoadOptions, Writer};
use pull::Pull;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;
use stored::Stored;

/// How many records a page should have.
const PAGE_SIZE: u32 = 1_000;
/// The same where no service has a limit of its own, and rows are many.
const PAGE_SIZE_COMPILED_IN: u32 = 10_000;
/// The file with the values of secrets, beside the store.
const SECRETS: &str = ".kepi/secrets.toml";

/// One run of a source.
struct Run<'a> {
    model: &'a Model,
    source: &'a SourceDecl,
    /// The key of the state in the store.
    key: String,
    /// The columns that the source reads.
    expected: Vec<String>,
    read_options: ReadOptions,
    request: &'a LoadRequest,
    now: i64,
}

impl Engine {
    /// Pulls from a connector into the store until it has no more, or the limit is reached.
    ///
    /// The source names the connector and its stream: `source tickets from "json:tickets" with folder = "inbox"`.
    /// Errors: what was committed page by page before stays.
    pub fn sync(&self, request: SyncRequest, progress: &dyn Fn(Progress)) -> Result<LoadReport, EngineError> {
        let started = Instant::now();
        let model = self.model("")?;
        let sources = self.sources(&model)?;
        let source = find(&sources, &request.source)?;
        let (used, stream) = connector_of(&model, source)?;
        let compiled_in = used.manifest.runtime == Runtime::Native;
        if compiled_in && (request.record.is_some() || request.replay.is_some()) {
            let message = format!("{} is not asked over HTTP, and only that can be recorded and replayed", used.id);
            return Err(EngineError::usage(message));
        }
        let replayed = match &request.replay {
            Some(folder) => Some(Arc::new(Recorded::open(folder).map_err(EngineError::data)?)),
            None => None,
        };
        if let Some(recorded) = &replayed
            && recorded.source() != source.name
        {
            let message = format!("the recording is of the source `{}`, not of `{}`", recorded.source(), source.name);
            return Err(EngineError::usage(message));
        }
        let now = match &replayed {
            Some(recorded) => recorded.now(),
            None => model.now(&self.project, None)?,
        };
        let (config, read_options) = options(source)?;
        let mut writer = self.writer(&format!("kepi sync {}", source.name))?;
        let key = state_key(used, source);
        let mut stored = match writer.cursor(&key).map_err(store_error)? {
            Some(text) => Stored::parse(&text)?,
            None => Stored::default(),
        };
        let before = stored.cursor.clone();
        if request.full || request.since.is_some() {
            stored = Stored::default();
        }
        if let Some(recorded) = &replayed {
            stored.cursor = recorded.state().map(str::to_string);
        }
        let keep = match (&request.record, replayed) {
            (Some(folder), _) => {
                let recorder = Recorder::begin(folder, &source.name, now, stored.cursor.as_deref());
                Keep::Record(Arc::new(recorder.map_err(EngineError::data)?))
            }
            (None, Some(recorded)) => Keep::Replay(recorded),
            (None, None) => Keep::Nothing,
        };
        let (host, heard) = self.host(used, source, now, keep, &request)?;
        let mut report = LoadReport::default();
        if before.is_some() && request.since.is_some() {
            report
                .notes
                .push(format!("`{}` is pulled from `--since` on; where it stood before is forgotten", source.name));
        }
        let run = Run {
            model: &model,
            source,
            key,
            expected: source.mappings.iter().flat_map(columns_of).collect(),
            read_options,
            request: &LoadRequest { cancel: request.cancel.clone(), ..LoadRequest::default() },
            now,
        };
        let mut unseen = run.expected.clone();
        let _watch = Watch::over(&model.plugins, &request.cancel);
        let full = if compiled_in { PAGE_SIZE_COMPILED_IN } else { PAGE_SIZE };
        let mut pulled = 0u64;
        let mut deleted = 0u64;
        let waits = std::cell::RefCell::new(Vec::<String>::new());
        let done = std::cell::Cell::new(0u64);
        let told = |text: &str| {
            let what = if text.is_empty() { format!("pulling {}", source.name) } else { text.to_string() };
            if let Some((_, reason)) = text.split_once(": ")
                && !waits.borrow().iter().any(|known| known == reason)
            {
                waits.borrow_mut().push(reason.to_string());
            }
            progress(Progress { what, done: done.get(), total: None });
        };
        let mut pull = Pull::new(used.connector.as_ref(), &host, &request.cancel, heard, &told);
        loop {
            if request.cancel.is_cancelled() {
                return Err(EngineError::Interrupted);
            }
            // At most a page, so it fits.
            let page_size = request.limit.map_or(full, |limit| u64::from(full).min(limit - pulled) as u32);
            if page_size == 0 {
                break;
            }
            let cursor = stored.cursor.clone();
            let wanted = PageRequest {
                stream: stream.to_string(),
                config: config.clone(),
                cursor,
                page_size,
                since: request.since,
            };
            let page = pull.page(&wanted)?;
            let columns = stored.columns.take(&page.records, &run.expected).map_err(|reason| {
                EngineError::data(format!("the records of `{}` have changed: {reason}", source.name)).with_help(format!(
                    "nothing of this page is stored; mend the source, then `kepi sync {} --full` takes the new shape",
                    source.name
                ))
            })?;
            if !columns.is_empty() {
                report.notes.push(format!("new in the records of `{}`: {}", source.name, columns.join(", ")));
            }
            pulled += page.records.len() as u64;
            deleted += page.deleted.len() as u64;
            let same = page.cursor.is_none() || page.cursor == stored.cursor;
            stored.cursor = page.cursor.clone().or(stored.cursor);
            if !(page.records.is_empty() && page.deleted.is_empty() && same) {
                let local =
                    run.commit(&page, &stored, &mut writer, &mut unseen, &mut report, &self.project.rejected())?;
                if run.read_options.timezone.is_none() {
                    self.remember_zone_of_page(&source.name, &model.catalog.settings.zone, &local, request.full)?;
                }
                end_where_a_test_says();
            }
            done.set(pulled);
            progress(Progress { what: format!("pulling {}", source.name), done: pulled, total: None });
            let enough = request.limit.is_some_and(|limit| pulled >= limit);
            if !page.more || enough {
                break;
            }
        }
        if pulled == 0 && deleted == 0 {
            report.notes.push(format!("`{}` has nothing new", source.name));
        }
        if pulled > 0 && !unseen.is_empty() {
            report.notes.push(format!("no record that was pulled has {}", unseen.join(", ")));
        }
        if deleted > 0 {
            report.notes.extend(deletion_note(source, deleted));
        }
        report.notes.extend(waits.borrow().iter().map(|reason| format!("it was waited for: {reason}")));
        report.elapsed = started.elapsed();
        Ok(report)
    }

    /// The state of a source that reads a connector, as JSON; none: it was never pulled.
    pub fn source_state(&self, name: &str) -> Result<Option<String>, EngineError> {
        let model = self.model("")?;
        let sources = self.sources(&model)?;
        let source = find(&sources, name)?;
        let (used, _) = connector_of(&model, source)?;
        let writer = self.writer("kepi sync --state")?;
        match writer.cursor(&state_key(used, source)).map_err(store_error)? {
            Some(text) => Stored::parse(&text)?.shown().map(Some),
            None => Ok(None),
        }
    }

    /// Puts a state in the place of the one of a source; none: the next run begins from the start. The rows stay.
    pub fn set_source_state(&self, name: &str, state: Option<&str>) -> Result<(), EngineError> {
        let model = self.model("")?;
        let sources = self.sources(&model)?;
        let source = find(&sources, name)?;
        let (used, _) = connector_of(&model, source)?;
        let stored = state.map_or(Ok(Stored::default()), Stored::from_shown)?;
        let mut writer = self.writer("kepi sync --set-state")?;
        commit_state(&mut writer, source, state_key(used, source), &stored, model.now(&self.project, None)?)
    }

    /// What the source grants its connector, and what is heard of its waits.
    fn host(
        &self,
        used: &UsedConnector,
        source: &SourceDecl,
        now: i64,
        keep: Keep,
        request: &SyncRequest,
    ) -> Result<(SyncHost, Receiver<String>), EngineError> {
        let folder = match (grants::option(source, "folder"), used.manifest.capabilities.files) {
            (Some(folder), Some(_)) => {
                grants::added(used, source)?;
                let path = self.project.root.join(Path::new(folder));
                let host = FolderHost::new(&used.id, &path, now);
                let failed = |error| EngineError::data(format!("cannot use the folder {}: {error}", path.display()));
                Some(host.map_err(failed)?)
            }
            (None, Some(_)) => {
                return Err(EngineError::usage(format!("the source `{}` grants no folder", source.name))
                    .with_help("add `with folder = \"inbox\"`, relative to the project"));
            }
            (_, None) => None,
        };
        let settings = match keep {
            // Nothing goes out, so nothing has to be granted.
            Keep::Replay(_) => HttpSettings::default(),
            _ => {
                let secrets: PathBuf = self.project.root.join(SECRETS);
                let granted = grants::granted(used, source, secrets)?;
                HttpSettings {
                    grants: granted.hosts,
                    secrets: granted.secrets,
                    oauth: granted.oauth,
                    rates: granted.rates,
                    ..HttpSettings::default()
                }
            }
        };
        let (tell, heard) = channel();
        let cancel = request.cancel.clone();
        let settings = HttpSettings {
            keep,
            now,
            cancelled: Arc::new(move || cancel.is_cancelled()),
            // Nobody may be there any more to hear it.
            tell: Arc::new(move |text| drop(tell.send(text.to_string()))),
            ..settings
        };
        let service = HttpService::new(settings);
        let sees_secrets = used.manifest.capabilities.sees_secrets;
        let project = (used.manifest.runtime == Runtime::Native).then(|| self.project.root.clone());
        Ok((SyncHost { plugin: used.id.clone(), folder, project, service, now, sees_secrets }, heard))
    }
}

/// Ends the process between a commit and everything that tells of it, where a test asks for that. Builds for users do not
/// have it.
fn end_where_a_test_says() {
    #[cfg(debug_assertions)]
    if std::env::var_os("KEPI_TEST_END_AFTER_COMMIT").is_some() {
        std::process::abort();
    }
}

impl Run<'_> {
    /// Stores a page with the state after it, in one transaction; gives of which events and entities it had days or times
    /// without an offset.
    fn commit(
        &self,
        page: &Page,
        stored: &Stored,
        writer: &mut Writer,
        unseen: &mut Vec<String>,
        report: &mut LoadReport,
        rejected: &Path,
    ) -> Result<Vec<(String, bool)>, EngineError> {
        if page.records.is_empty() && page.deleted.is_empty() {
            commit_state(writer, self.source, self.key.clone(), stored, self.now)?;
            return Ok(Vec::new());
        }
        let name = &self.source.from;
        let lines = |records: &[String]| {
            let text = records.join("\n").into_bytes();
            let table = Table::of_json_lines(name, text, &self.read_options).map_err(connect_error)?;
            Ok::<_, EngineError>(table)
        };
        let table = lines(&page.records)?;
        unseen.retain(|column| table.column(column).is_err());
        // A page of which no record has a field is a page where it is missing.
        let table = table.with_missing(&self.expected);
        let mut loading = Loading::new(self.model, self.source, &table, self.now)?;
        if !page.deleted.is_empty() {
            loading = loading.without(self.model, self.source, lines(&page.deleted)?.with_missing(&self.expected))?;
        }
        let state = Some((self.key.clone(), stored.text()?));
        let outcome = loading.run(table.coded().read(), writer, self.request, state, &|_| {})?;
        let local = outcome.local();
        outcome.report_into(report, rejected)?;
        Ok(local)
    }
}

fn commit_state(
    writer: &mut Writer,
    source: &SourceDecl,
    key: String,
    stored: &Stored,
    now: i64,
) -> Result<(), EngineError> {
    let options = LoadOptions {
        label: source.name.clone(),
        at: clock(),
        now,
        on_conflict: kepi_store::OnConflict::Replace,
        cursor: Some((key, stored.text()?)),
    };
    writer.load(options).commit().map_err(store_error).map(|_| ())
}

fn state_key(used: &UsedConnector, source: &SourceDecl) -> String {
    format!("{}/{}", used.id, source.name)
}

/// Deletions of records that fill an entity, or rows without an id, change nothing here.
fn deletion_note(source: &SourceDecl, deleted: u64) -> Option<String> {
    let stay: Vec<&str> = source
        .mappings
        .iter()
        .filter_map(|mapping| match &mapping.target {
            Target::Stream(name) if mapping.id.is_none() => Some(name.as_str()),
            Target::Entity(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    if stay.is_empty() {
        return None;
    }
    let records = if deleted == 1 { "1 record is".to_string() } else { format!("{deleted} records are") };
    Some(format!(
        "{records} gone at the source; {} keep what they have: only events with an id can lose rows",
        stay.join(", ")
    ))
}

fn connector_of<'m>(model: &'m Model, source: &'m SourceDecl) -> Result<(&'m UsedConnector, &'m str), EngineError> {
    let Some((alias, stream)) = source.from.split_once(':') else {
        return Err(EngineError::usage(format!("the source `{}` reads a file", source.name))
            .with_help(format!("load it: `kepi load --source {}`", source.name)));
    };
    let Some(used) = model.plugins.connectors.get(alias) else {
        let known: Vec<&str> = model.plugins.connectors.keys().map(String::as_str).collect();
        return Err(EngineError::usage(format!("no connector is used as `{alias}`")).with_help(
            match known.as_slice() {
                [] => format!("write `use plugin \"…\" as {alias}` in the model"),
                known => format!("there are {}", known.join(", ")),
            },
        ));
    };
    Ok((used, stream))
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
        } else if !grants::HOST_OPTIONS.contains(&name.as_str()) {
            config.insert(name.clone(), serde_json::Value::String(value.clone()));
        }
    }
    Ok((serde_json::Value::Object(config).to_string(), read))
}
