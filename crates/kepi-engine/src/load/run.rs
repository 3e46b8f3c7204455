//! Running a load: batches of a table through all mappings of a source into one transaction of the store.

use super::connect_error;
use super::intervals::Idle;
use super::mapping::{Filled, Mapper};
use super::rejects;
use crate::api::{EngineError, LoadReport, LoadRequest, OnConflict, Progress, TargetReport};
use crate::engine::store_error;
use crate::model::Model;
use crate::upkeep::clock;
use kepi_connect::{Batches, Rejected, Table};
use kepi_extension::ID;
use kepi_model::declared::{SourceDecl, Target};
use kepi_store::{Load, LoadOptions, LoadSummary, Writer};
use std::path::Path;

/// How many rejected rows are shown with the summary; the file has all of them.
const SHOWN: usize = 5;

/// A source, ready to be loaded from a table.
#[derive(Debug)]
pub(crate) struct Loading {
    label: String,
    /// The files, for the list of loads.
    files: String,
    mappers: Vec<Mapper>,
    /// What tells the rows that are gone, with their table.
    gone: Option<(Vec<Mapper>, Table)>,
    now: i64,
}

/// What a load did.
#[derive(Debug)]
pub(crate) struct Outcome {
    label: String,
    targets: Vec<TargetReport>,
    undated: Vec<u64>,
    /// Of which targets days and times without an offset were read.
    local: Vec<bool>,
    rejected: Vec<Rejected>,
    summary: LoadSummary,
}

impl Loading {
    pub(crate) fn new(model: &Model, source: &SourceDecl, table: &Table, now: i64) -> Result<Loading, EngineError> {
        if source.mappings.is_empty() {
            return Err(EngineError::usage(format!("the source `{}` fills nothing", source.name)));
        }
        let mappers =
            source.mappings.iter().map(|m| Mapper::new(model, m, table, now)).collect::<Result<Vec<_>, _>>()?;
        Ok(Loading { label: source.name.clone(), files: String::new(), mappers, gone: None, now })
    }

    /// Says which files are loaded, for the list of loads.
    pub(crate) fn name_files(&mut self, files: &[String]) {
        self.files = match files {
            [] => String::new(),
            [one] => one.clone(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        };
    }

    /// Takes the keys of records that are gone at their source: their rows go with the load.
    pub(crate) fn without(mut self, model: &Model, source: &SourceDecl, keys: Table) -> Result<Loading, EngineError> {
        let mappers = source.mappings.iter().filter(|m| m.id.is_some() && matches!(m.target, Target::Stream(_)));
        let mappers = mappers.map(|m| Mapper::identity(model, m, &keys, self.now)).collect::<Result<Vec<_>, _>>()?;
        self.gone = Some((mappers, keys));
        Ok(self)
    }

    /// Loads the rows of the table in one transaction, with a connector's cursor where there is one.
    pub(crate) fn run(
        &mut self,
        batches: Batches,
        writer: &mut Writer,
        request: &LoadRequest,
        cursor: Option<(String, String)>,
        progress: &dyn Fn(Progress),
    ) -> Result<Outcome, EngineError> {
        let on_conflict = match request.on_conflict {
            OnConflict::Replace => kepi_store::OnConflict::Replace,
            OnConflict::Keep => kepi_store::OnConflict::Keep,
        };
        // A source that was found for a file may be called as the file is.
        let label = match self.files.is_empty() || self.files == self.label {
            true => self.label.clone(),
            false => format!("{}: {}", self.label, self.files),
        };
        let options = LoadOptions { label, at: clock(), now: self.now, on_conflict, cursor };
        let mut load = writer.load(options);
        let mut targets: Vec<TargetReport> = self.mappers.iter().map(target).collect();
        let mut undated = vec![0; self.mappers.len()];
        let mut local = vec![false; self.mappers.len()];
        let mut idle = vec![Idle::default(); self.mappers.len()];
        let mut rejected: Vec<Rejected> = Vec::new();
        let mut done = 0;
        for batch in batches {
            let mut batch = batch.map_err(connect_error)?;
            if request.cancel.is_cancelled() {
                return Err(EngineError::Interrupted);
            }
            rejected.append(&mut batch.rejected);
            let mut refused: Vec<(usize, String, String)> = Vec::new();
            for (index, mapper) in self.mappers.iter().enumerate() {
                let mapped = mapper.map(&batch.records)?;
                local[index] = local[index] || mapper.reads_local_times(&batch.records);
                targets[index].read += batch.records.num_rows() as u64;
                targets[index].skipped += mapped.filtered + mapped.undated;
                undated[index] += mapped.undated;
                refused.extend(mapped.faults);
                // A condition of this load alone says nothing of the rows that it leaves out.
                let left_out = mapped.left_out.filter(|_| request.where_.is_none());
                if let (Filled::Stream(decl), Some(ids)) = (&mapper.filled, left_out) {
                    load.left_out(decl, ids).map_err(store_error)?;
                }
                if mapper.of_state {
                    idle[index].count(&mapped.rows);
                }
                let stored = store(&mut load, &mapper.filled, mapped.rows)?;
                refused.extend(stored.into_iter().map(|(row, reason)| (mapped.places[row], String::new(), reason)));
            }
            refused.sort();
            refused.dedup_by_key(|(row, _, _)| *row);
            rejected.extend(refused.into_iter().map(|(row, column, reason)| match column.is_empty() {
                true => Rejected { reason, ..batch.reject(row, "", "") },
                false => batch.reject(row, &column, &reason),
            }));
            if request.strict && !rejected.is_empty() {
                return Err(refusal(&rejected));
            }
            done += batch.records.num_rows() as u64;
            progress(Progress { what: format!("reading {}", batch.file), done, total: None });
        }
        progress(Progress { what: "storing".to_string(), done, total: None });
        if let Some((mappers, keys)) = &self.gone {
            for batch in keys.coded().read() {
                let records = batch.map_err(connect_error)?.records;
                for mapper in mappers {
                    let ids = mapper.map(&records)?.rows;
                    if let (Filled::Stream(decl), Some(ids)) = (&mapper.filled, ids.column_by_name(ID)) {
                        load.removals(decl, ids.clone()).map_err(store_error)?;
                    }
                }
            }
        }
        let summary = load.commit().map_err(store_error)?;
        for ((target, mapper), idle) in targets.iter_mut().zip(&self.mappers).zip(idle) {
            target.notes.extend(idle.notes());
            target.overtaken = summary.overtaken.get(&target.name).copied().unwrap_or(0);
            if target.overtaken > 0 {
                let id = mapper.id_column().map_or_else(|| "the id".to_string(), |id| format!("`{id}`"));
                target.notes.push(format!("{id} repeats with other values: of rows with one id the last is kept"));
            }
            if let Some(count) = summary.counts.iter().find(|c| c.name == target.name) {
                target.added = count.added;
                target.known = count.known - target.overtaken.min(count.known);
                target.replaced = count.replaced;
            }
            target.removed = summary.removed.get(&target.name).copied().unwrap_or(0);
        }
        Ok(Outcome { label: self.label.clone(), targets, undated, local, rejected, summary })
    }
}

fn target(mapper: &Mapper) -> TargetReport {
    let kind = match mapper.filled {
        Filled::Stream(_) if mapper.of_state => "state",
        Filled::Stream(_) => "event",
        Filled::Entity(_) => "entity",
        Filled::Merge(..) => "merge",
    };
    TargetReport { name: mapper.name().to_string(), kind: kind.to_string(), ..TargetReport::default() }
}

fn store(
    load: &mut Load<'_>,
    filled: &Filled,
    rows: arrow_array::RecordBatch,
) -> Result<Vec<(usize, String)>, EngineError> {
    let refused = match filled {
        Filled::Stream(decl) => load.events(decl, rows),
        Filled::Entity(decl) => load.entities(decl, rows),
        Filled::Merge(entity, _) => load.merges(&entity.name, rows),
    };
    Ok(refused.map_err(store_error)?.into_iter().map(|r| (r.row, r.reason)).collect())
}

/// `--strict`: one malformed row refuses the file whole.
fn refusal(rejected: &[Rejected]) -> EngineError {
    let first = &rejected[0];
    EngineError::data(format!("{}, line {}: {}", first.file, first.line, first.reason))
        .with_help("nothing was stored, since `--strict` takes a file whole or not at all")
}

impl Outcome {
    /// What should be known beside the counts.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (target, undated) in self.targets.iter().zip(&self.undated) {
            if *undated > 0 {
                let rows = if *undated == 1 { "1 row has".to_string() } else { format!("{undated} rows have") };
                notes.push(match target.kind.as_str() {
                    "merge" => format!("{rows} only one of two keys, so that they merge nobody"),
                    _ => {
                        let are = if *undated == 1 { "is" } else { "are" };
                        format!("{rows} no time for `{}` yet and {are} left out there", target.name)
                    }
                });
            }
        }
        notes
    }

    /// The events and entities that were filled, and whether from days or times without an offset.
    pub(crate) fn local(&self) -> Vec<(String, bool)> {
        let filled = self.targets.iter().zip(&self.local).filter(|(target, _)| target.kind != "merge");
        let mut all: Vec<(String, bool)> = filled.map(|(target, local)| (target.name.clone(), *local)).collect();
        // Of several mappings into one event one is enough.
        all.sort();
        all
    }

    /// Adds the counts to a report and keeps the rejected rows in a file.
    pub(crate) fn report_into(self, report: &mut LoadReport, folder: &Path) -> Result<(), EngineError> {
        for target in self.targets {
            match report.targets.iter_mut().find(|t| t.name == target.name) {
                None => report.targets.push(target),
                Some(sum) => {
                    sum.read += target.read;
                    sum.added += target.added;
                    sum.known += target.known;
                    sum.replaced += target.replaced;
                    sum.overtaken += target.overtaken;
                    sum.removed += target.removed;
                    sum.skipped += target.skipped;
                }
            }
        }
        if self.rejected.is_empty() {
            return Ok(());
        }
        let path = rejects::keep(folder, self.summary.snapshot, &self.label, &self.rejected)?;
        report.rejected_count += self.rejected.len() as u64;
        report.rejected_path = Some(path);
        let room = SHOWN.saturating_sub(report.rejected.len());
        report.rejected.extend(self.rejected.into_iter().take(room).map(|r| crate::api::RejectedRow {
            file: r.file,
            line: r.line,
            reason: r.reason,
        }));
        Ok(())
    }
}
