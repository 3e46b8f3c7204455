//! Loading: files to tables, tables through mappings to streams and entities, rejected rows kept with their reasons.

mod anew;
mod choose;
mod declared;
mod fitting;
mod infer;
mod intervals;
mod linking;
mod mapping;
mod more;
mod rejects;
mod run;
mod zones;

use crate::api::{EngineError, LoadReport, LoadRequest, Progress};
use crate::engine::Engine;
use crate::otherwise;
use crate::watch::Watch;
use kepi_connect::{ConnectError, ReadOptions, Table};
use kepi_threads::both;
use std::time::Instant;

pub(crate) use fitting::columns_of;
pub(crate) use run::Loading;

impl Engine {
    /// Loads files into the store. A table that no declaration fits is looked at first, and what it is taken for is
    /// written to a model file.
    ///
    /// Errors: nothing is stored where one comes back.
    pub fn load(&self, request: LoadRequest, progress: &dyn Fn(Progress)) -> Result<LoadReport, EngineError> {
        let started = Instant::now();
        let mut report = LoadReport::default();
        let chosen = self.choose(&request, progress, &mut report)?;
        let model = match chosen.model {
            Some(model) => model,
            None => self.model("")?,
        };
        let now = model.now(&self.project, None)?;
        let mut options = ReadOptions::from_pairs(&chosen.options).map_err(connect_error)?;
        for (name, value) in &request.options {
            options.set(name, value).map_err(connect_error)?;
        }
        options.asked = chosen.source.mappings.iter().flat_map(columns_of).collect();
        let command = format!("kepi load {}", chosen.files.join(" "));
        let prepare = || {
            let table = match chosen.table {
                Some(table) => table,
                None => Table::open(&chosen.files, &options).map_err(connect_error)?,
            };
            let mut loading = Loading::new(&model, &chosen.source, &table, now)?;
            loading.name_files(&chosen.files);
            // Rows are read ahead while the store is opened.
            let batches = table.coded().read();
            let mut anew = Vec::new();
            if let Ok(snapshot) = self.snapshot(None) {
                anew = anew::of(&chosen.source, snapshot.as_ref());
                let other = otherwise::of(&model, snapshot.as_ref(), &chosen.source);
                if !other.is_empty() {
                    return Err(model.text_error(other));
                }
            }
            Ok((loading, batches, anew))
        };
        // A store is not made before it is clear what goes into it.
        let (writer, prepared) = match self.project.store().is_dir() {
            true => both(|| Some(self.writer(&command)), prepare),
            false => (None, prepare()),
        };
        let (mut loading, batches, anew) = prepared?;
        let mut writer = writer.unwrap_or_else(|| self.writer(&command))?;
        let _watch = Watch::over(&model.plugins, &request.cancel);
        // What is recorded of the definitions is found out while rows are read and the disk is waited for.
        let run = || loading.run(batches, &mut writer, &request, None, progress);
        let (unrecorded, outcome) = both(|| self.unrecorded(&model), run);
        let outcome = outcome.map_err(|error| {
            // A plugin that was stopped says so; the reason is the interruption.
            if request.cancel.is_cancelled() { EngineError::Interrupted } else { error }
        })?;
        if options.timezone.is_none() {
            self.remember_zone(&chosen.source.name, &model.catalog.settings.zone, &outcome.local())?;
        }
        report.notes.extend(outcome.notes());
        outcome.report_into(&mut report, &self.project.rejected())?;
        report.notes.extend(anew.iter().filter_map(|anew| anew.told(&report.targets)));
        report.notes.extend(self.linking(&model, &chosen.source));
        if report.targets.iter().all(|t| t.read == 0) && report.rejected_count == 0 {
            report.notes.push(format!("{} has no rows", chosen.files.join(", ")));
        }
        self.record(&unrecorded);
        report.elapsed = started.elapsed();
        Ok(report)
    }
}

/// A failure of reading as the faces know it.
pub(crate) fn connect_error(error: ConnectError) -> EngineError {
    match error {
        ConnectError::UnknownOption { .. } | ConnectError::OptionValue { .. } => EngineError::usage(error),
        ConnectError::OtherHeader { .. } => EngineError::data(error).with_help(
            "one load reads one table, in one file or in several; load other tables by themselves, such as `for file in \
             *.csv; do kepi load \"$file\"; done`",
        ),
        ConnectError::UnknownColumn { .. } => EngineError::data(error).with_help(
            "`kepi load FILE --as EVENT --id COLUMN` takes the columns that are there, by the names of the fields",
        ),
        other => EngineError::data(other),
    }
}
