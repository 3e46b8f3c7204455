//! Taking something out of the store so that no file has it any more: keys with all rows that name them, or the rows of
//! one load.
//!
//! The store is written anew without it, beside what there is, and a new generation of the journal begins. Renaming the
//! manifest makes that the current snapshot; what was there before is removed then. A writer that is killed before
//! leaves everything as it was, one that is killed after it leaves files that the next writer removes.

use crate::disk::{self, AppendFile};
use crate::error::StoreError;
use crate::journal::{self, Record};
use crate::recovery::catalogue;
use crate::rewrite::{Removed, Without, mentions, rewrite};
use crate::scan::Scan;
use crate::snapshot::Snapshot;
use crate::state::{ERASURE, LOAD, LoadRecord, UNLOAD};
use crate::writer::Writer;
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// What an unload did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unloaded {
    /// The load.
    pub load: LoadRecord,
    /// What was removed.
    pub removed: Removed,
}

/// Why a load cannot be taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadLeft {
    /// No load has this number.
    Unknown,
    /// The number is that of something that was removed.
    Removal,
    /// None of its rows is there: they were replaced, erased or unloaded, or it only set attributes.
    Nothing(LoadRecord),
    /// Its rows are in files that do not say by which load each row came.
    NotNoted(LoadRecord),
}

impl Writer {
    /// The keys that mean the same as one, itself included; none: it was never seen.
    pub fn aliases(&self, entity: &str, key: &str) -> Result<Vec<String>, StoreError> {
        let Some(known) = self.current.entities.get(entity) else { return Ok(Vec::new()) };
        let keys = known.keys.array()?;
        Ok(ids_of(&self.current, entity, key)?.into_iter().map(|id| keys.value(id as usize).to_owned()).collect())
    }

    /// Removes keys of entities, each with those merged with it, all rows that name one of them in whatever column, their
    /// attributes and what these were. Attributes of others that refer to them become missing. What the files had of them
    /// is gone with the files. Keys that were never seen are nothing; `at` dates the entry that stays.
    ///
    /// `texts` are looked for in what stays, see [`Removed::mentions`].
    pub fn erase(&mut self, keys: &[(String, String)], texts: &[String], at: i64) -> Result<Removed, StoreError> {
        let mut ids: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for (entity, key) in keys {
            ids.entry(entity.clone()).or_default().extend(ids_of(&self.current, entity, key)?);
        }
        ids.retain(|_, ids| !ids.is_empty());
        if ids.is_empty() {
            // The writer's memory may still have what an erasure before took out, if that was interrupted.
            self.forget_memory()?;
            return Ok(Removed { snapshot: self.current.number, ..Removed::default() });
        }
        let what: Vec<String> = ids.iter().map(|(entity, ids)| counted(ids.len() as u64, "key", entity)).collect();
        let without = Without { ids, load: None, texts: texts.to_vec() };
        self.without(&without, at, |removed| format!("{ERASURE}{}{}", what.join(", "), rows_in_words(removed)))
    }

    /// Removes the rows that one load brought, and the keys that nothing names then. Rows that it replaced do not come
    /// back, and attributes that it set stay. `at` dates the entry that stays.
    pub fn unload(&mut self, load: u64, at: i64) -> Result<Result<Unloaded, LoadLeft>, StoreError> {
        let Some(record) = self.current.loads()?.into_iter().find(|known| known.snapshot == load) else {
            return Ok(Err(LoadLeft::Unknown));
        };
        if record.is_removal() {
            return Ok(Err(LoadLeft::Removal));
        }
        let (mut found, mut missed) = (0, false);
        for count in record.counts.iter().filter(|count| !count.entity && count.added + count.replaced > 0) {
            let (own, unknown) = rows_of(&self.current, &count.name, load)?;
            missed |= own < count.added + count.replaced && unknown > 0;
            found += own;
        }
        if missed {
            return Ok(Err(LoadLeft::NotNoted(record)));
        }
        if found == 0 {
            return Ok(Err(LoadLeft::Nothing(record)));
        }
        let without = Without { load: Some(load), ..Without::default() };
        let removed = self.without(&without, at, |removed| format!("{UNLOAD}load {load}{}", rows_in_words(removed)))?;
        Ok(Ok(Unloaded { load: record, removed }))
    }

    /// Writes everything anew without some of it, makes that current, and removes what was there before.
    fn without(
        &mut self,
        without: &Without,
        at: i64,
        label: impl Fn(&Removed) -> String,
    ) -> Result<Removed, StoreError> {
        self.check()?;
        let (state, mut removed) = rewrite(&self.layout, &self.current, without)?;
        self.layout.sync_written()?;
        let Snapshot { number, generation, length, .. } = *self.current;
        let (entries, _) = journal::read(&self.layout.journal(generation), 0, Some(length), length)?;
        let (mut loads, cursors) = catalogue(&entries);
        let (number, generation) = (number + 1, generation + 1);
        removed.snapshot = number;
        let named = |text: &str| without.texts.iter().any(|key| mentions(text, key));
        // A file may be called as a key is.
        loads.iter_mut().filter(|load| named(&load.label)).for_each(|load| "a file".clone_into(&mut load.label));
        for (connector, _) in cursors.iter().filter(|(_, cursor)| named(cursor)) {
            removed.mentions.insert(format!("the state of {connector}"), 1);
        }
        loads.push(LoadRecord { snapshot: number, label: label(&removed), at, counts: Vec::new() });
        let checkpoint = Record::Checkpoint { snapshot: number, state: state.clone(), loads, cursors };
        let path = self.layout.journal(generation);
        let (file, length) = journal::start(&path, generation, &checkpoint)?;
        disk::sync_files(vec![file])?;
        disk::sync_folder(&self.layout.journals())?;
        let mut next = Snapshot::of_state(&self.layout, &state, None)?;
        (next.number, next.generation, next.length) = (number, generation, length);
        self.stopping(|writer| {
            writer.journal = AppendFile::open(&path, length)?;
            writer.current = Arc::new(next);
            writer.sealed = state;
            (writer.tail, writer.tail_rows, writer.tail_loads) = (length, 0, 0);
            // Codes are others now.
            writer.tables.clear();
            writer.publish()?;
            writer.forget_memory()?;
            writer.clean()
        })?;
        Ok(removed)
    }

    /// Removes the writer's memory; it is filled anew when it is next asked. Its files keep what was overwritten.
    fn forget_memory(&mut self) -> Result<(), StoreError> {
        self.memory = OnceLock::new();
        disk::remove_folder(&self.layout.memory())?;
        disk::sync_folder(&self.layout.root)
    }
}

/// The ids that mean the same as a key, as they are stored.
fn ids_of(snapshot: &Snapshot, entity: &str, key: &str) -> Result<Vec<u32>, StoreError> {
    let Some(known) = snapshot.entities.get(entity) else { return Ok(Vec::new()) };
    let Some(id) = known.id_of(key)? else { return Ok(Vec::new()) };
    Ok(match known.aliases()? {
        Some(aliases) => aliases.same_as(id),
        None => vec![id],
    })
}

/// How many rows of a stream came by a load, and of how many that is not known.
fn rows_of(snapshot: &Snapshot, stream: &str, load: u64) -> Result<(u64, u64), StoreError> {
    let Some(stream) = snapshot.streams.get(stream) else { return Ok((0, 0)) };
    let (mut own, mut unknown) = (0, 0);
    for rows in Scan::new(stream, &[LOAD.to_owned()], None, None)? {
        let rows = rows?;
        let Some(loads) = rows.column_by_name(LOAD).map(|loads| loads.as_primitive::<UInt32Type>()) else { continue };
        unknown += loads.null_count() as u64;
        own += loads.iter().flatten().filter(|&by| u64::from(by) == load).count() as u64;
    }
    Ok((own, unknown))
}

fn rows_in_words(removed: &Removed) -> String {
    removed.rows.iter().map(|(stream, rows)| format!("; {}", counted(*rows, "row", stream))).collect()
}

fn counted(count: u64, one: &str, of: &str) -> String {
    let many = if count == 1 { "" } else { "s" };
    format!("{count} {one}{many} of {of}")
}
