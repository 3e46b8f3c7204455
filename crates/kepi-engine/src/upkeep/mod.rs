//! Looking after the store: what is in it, whether it is sound, putting it together, taking things out, copies of it.

mod backup;
mod erase;
mod export;
mod pasts;
mod reports;
mod tar;

pub use reports::{
    BackupReport, CompactReport, EntityStored, EraseReport, EventStored, ExportFormat, LoadListed, LoadTarget, Sized,
    StoreInfo, UnloadReport, VerifyReport,
};

use crate::api::EngineError;
use crate::engine::{Engine, store_error};
use kepi_store::{LoadLeft, LoadRecord, Store, StoreError, Writer};
use std::path::Path;

impl Engine {
    /// Opens the store for writing. What an erasure that was interrupted left undone is done first.
    ///
    /// Errors: another process writes, or the files cannot be read or written.
    pub(crate) fn writer(&self, command: &str) -> Result<Writer, EngineError> {
        let mut writer = Store::open_writer(&self.project.store(), command).map_err(store_error)?;
        self.finish_erasure(&mut writer)?;
        Ok(writer)
    }

    /// What is stored, and how much room it takes.
    pub fn store_info(&self) -> Result<StoreInfo, EngineError> {
        let snapshot = self.snapshot(None)?;
        let sizes = snapshot.sizes();
        let store = self.project.store();
        let mut files = vec![Sized { what: "rows, keys and attributes".into(), bytes: bytes_in(&store.join("data")) }];
        for (what, folder) in [
            ("journal", store.join("journal")),
            ("the writer's memory", store.join("sled")),
            ("kept answers", store.join("answers")),
            ("rejected rows", self.project.rejected()),
        ] {
            files.push(Sized { what: what.into(), bytes: bytes_in(&folder) });
        }
        let events: Vec<EventStored> = sizes.streams.into_iter().map(EventStored::of).collect();
        Ok(StoreInfo {
            snapshot: sizes.snapshot,
            format: sizes.format,
            folder: store.clone(),
            bytes: files.iter().map(|part| part.bytes).sum(),
            rows: events.iter().map(|event| event.rows).sum(),
            loads: snapshot.loads().map_err(store_error)?.iter().filter(|load| !load.is_removal()).count() as u64,
            kept_answers: files_in(&store.join("answers")),
            files,
            events,
            entities: sizes.entities.into_iter().map(EntityStored::of).collect(),
        })
    }

    /// All loads, and what was taken out, the oldest first.
    pub fn store_loads(&self) -> Result<Vec<LoadListed>, EngineError> {
        let loads = self.snapshot(None)?.loads().map_err(store_error)?;
        Ok(loads.into_iter().map(LoadListed::of).collect())
    }

    /// Reads every file and checks it. With `repair` manifest and writer's memory are first made anew from the journal.
    ///
    /// Errors: only a store that cannot be read at all; what is damaged is in the report.
    pub fn store_verify(&self, repair: bool) -> Result<VerifyReport, EngineError> {
        if repair {
            Store::repair(&self.project.store(), "kepi store verify --repair").map_err(store_error)?;
        }
        let snapshot = match Store::open_reader(&self.project.store()) {
            Ok(snapshot) => snapshot,
            Err(error @ (StoreError::Damaged { .. } | StoreError::Io { .. })) => {
                let damages = vec![store_error(error).to_string()];
                return Ok(VerifyReport { damages, ..VerifyReport::default() });
            }
            Err(error) => return Err(store_error(error)),
        };
        let found = snapshot.verify_all();
        let damages = found.damages.into_iter().map(|damage| store_error(damage).to_string()).collect();
        let kept = self.kept.damaged();
        Ok(VerifyReport { snapshot: snapshot.sizes().snapshot, files: found.files, rows: found.rows, damages, kept })
    }

    /// Puts the rows of each event together, so that they lie in order and what was replaced takes no room.
    pub fn store_compact(&self) -> Result<CompactReport, EngineError> {
        let before = bytes_in(&self.project.store());
        let mut writer = self.writer("kepi store compact")?;
        writer.compact().map_err(store_error)?;
        drop(writer);
        Ok(CompactReport { before, after: bytes_in(&self.project.store()) })
    }

    /// Takes out the rows that one load brought.
    ///
    /// Errors: no such load, nothing left of it, or its rows cannot be told from others.
    pub fn store_unload(&self, load: u64) -> Result<UnloadReport, EngineError> {
        let mut writer = self.writer("kepi store unload")?;
        let done = writer.unload(load, clock()).map_err(store_error)?;
        let done = done.map_err(|left| not_unloaded(load, left))?;
        let of = |record: &LoadRecord, entity: bool| -> Vec<(String, u64)> {
            let counts = record.counts.iter().filter(|count| count.entity == entity);
            let counts = counts.map(|c| (c.name.clone(), if entity { c.added + c.replaced } else { c.replaced }));
            counts.filter(|(_, count)| *count > 0).collect()
        };
        Ok(UnloadReport {
            load,
            label: done.load.label.clone(),
            snapshot: done.removed.snapshot,
            rows: done.removed.rows,
            keys: done.removed.keys,
            not_brought_back: of(&done.load, false).into_iter().collect(),
            stays: of(&done.load, true).into_iter().collect(),
        })
    }
}

fn not_unloaded(load: u64, left: LoadLeft) -> EngineError {
    match left {
        LoadLeft::Unknown => {
            EngineError::failed(format!("there is no load {load}")).with_help("`kepi store loads` lists them")
        }
        LoadLeft::Removal => EngineError::failed(format!("{load} is no load: something was taken out then"))
            .with_help("load the files again to bring it back"),
        LoadLeft::Nothing(record) => {
            let entity = record.counts.iter().any(|count| count.entity && count.added + count.replaced > 0);
            let why = match entity {
                true => "it set attributes, which cannot be taken back, and no event has a row of it",
                false => "no row of it is there: they were replaced, erased or taken out",
            };
            EngineError::failed(format!("load {load} cannot be taken out: {why}"))
        }
        LoadLeft::NotNoted(_) => {
            EngineError::failed(format!("load {load} cannot be taken out: its rows do not say by which load they came"))
                .with_help("they were stored by an earlier version of kepi; load everything else into a new project")
        }
    }
}

/// When it is: entries about what was done have the real time, whatever moment questions are answered for.
#[allow(clippy::disallowed_methods)] // It dates an entry, and no answer depends on it.
pub(crate) fn clock() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// The bytes of all files below a folder; none where there is no such folder.
fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let about = entry.metadata().ok()?;
        Some(if about.is_dir() { bytes_in(&entry.path()) } else { about.len() })
    });
    sizes.sum()
}

fn files_in(folder: &Path) -> u64 {
    std::fs::read_dir(folder).into_iter().flatten().flatten().count() as u64
}
