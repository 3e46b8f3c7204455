//! What the journal says when a store is opened for writing, and which files a state needs.

use crate::change::Change;
use crate::disk::{self, Written};
use crate::error::StoreError;
use crate::journal::{self, End, Entry, Record};
use crate::layout::Layout;
use crate::manifest::{self, Manifest};
use crate::snapshot::Snapshot;
use crate::state::{LoadRecord, SegmentState, State, StringsState};
use std::collections::{BTreeMap, BTreeSet};

/// What a replay of the journal gives.
pub(crate) struct Replay {
    pub(crate) snapshot: Snapshot,
    pub(crate) sealed: State,
    pub(crate) tail: u64,
    pub(crate) tail_rows: usize,
    pub(crate) tail_loads: usize,
    pub(crate) end: End,
}

/// Writes the journal and the manifest of an empty store, in this order, under temporary names; gives the journal's length,
/// too. Their folders are synced with the first commit: before it there is nothing to lose.
pub(crate) fn create(layout: &Layout) -> Result<(Written, Written, u64), StoreError> {
    let (journal, length) = journal::start(&layout.journal(1), 1, &beginning())?;
    let state = State { next_file: 1, ..State::default() };
    let manifest = Manifest { snapshot: 0, generation: 1, tail: length, length, state };
    Ok((journal, manifest::write(layout, &manifest)?, length))
}

/// The first record of all.
fn beginning() -> Record {
    let state = State { next_file: 1, ..State::default() };
    Record::Checkpoint { snapshot: 0, state, loads: Vec::new(), cursors: Vec::new() }
}

/// Whether anything was ever committed here, for a folder without a manifest: a writer that was killed while it made
/// the store leaves a journal, but none in which anything is stored.
pub(crate) fn holds_commits(layout: &Layout) -> Result<bool, StoreError> {
    Ok(layout.holds_files(journal::HEADER + journal::framed(&beginning())?.len() as u64))
}

/// The newest journal file; 0 where there is none.
pub(crate) fn newest_generation(layout: &Layout) -> Result<u64, StoreError> {
    let names = disk::list(&layout.journals())?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(".log")?.parse().ok()).max().unwrap_or(0))
}

/// Opens the last state that a journal has, and applies what came after it.
pub(crate) fn replay(layout: &Layout, generation: u64, entries: Vec<Entry>, end: End) -> Result<Replay, StoreError> {
    let path = layout.journal(generation);
    // Files of earlier states may be gone: only the last one is opened.
    let is_state = |entry: &Entry| !matches!(entry.record, Record::Small { .. });
    let Some(last) = entries.iter().rposition(is_state) else {
        return Err(StoreError::damaged(&path, journal::HEADER, "it has no checkpoint"));
    };
    let (number, sealed) = match &entries[last].record {
        Record::Checkpoint { snapshot, state, .. } | Record::Sealed { snapshot, state, .. } => {
            (*snapshot, state.clone())
        }
        Record::Small { .. } => unreachable!("the position is that of a record with a state"),
    };
    let mut snapshot = Snapshot::of_state(layout, &sealed, None)?;
    snapshot.number = number;
    let tail = entries[last].end;
    let (mut tail_rows, mut tail_loads) = (0, 0);
    for entry in entries.into_iter().skip(last + 1) {
        if let Record::Small { load, delta, .. } = entry.record {
            let change = Change::from_delta(delta).map_err(|e| StoreError::damaged(&path, entry.end, e))?;
            snapshot.apply(&change, load.snapshot);
            snapshot.number = load.snapshot;
            tail_loads += 1;
            tail_rows += load.counts.iter().map(|c| (c.added + c.replaced) as usize).sum::<usize>();
        }
    }
    (snapshot.generation, snapshot.length) = (generation, end.offset);
    Ok(Replay { snapshot, sealed, tail, tail_rows, tail_loads, end })
}

/// The loads and cursors that some records of the journal tell.
pub(crate) fn catalogue(entries: &[Entry]) -> (Vec<LoadRecord>, Vec<(String, String)>) {
    let mut loads = Vec::new();
    let mut cursors = BTreeMap::new();
    for entry in entries {
        let cursor = match &entry.record {
            Record::Checkpoint { loads: all, cursors: known, .. } => {
                loads = all.clone();
                cursors = known.iter().cloned().collect();
                None
            }
            Record::Small { load, cursor, .. } => {
                loads.push(load.clone());
                cursor.clone()
            }
            Record::Sealed { load, cursor, .. } => {
                loads.extend(load.clone());
                cursor.clone()
            }
        };
        cursors.extend(cursor);
    }
    (loads, cursors.into_iter().collect())
}

/// The numbers of all files of a state.
pub(crate) fn files_of(state: &State) -> BTreeSet<u64> {
    names_of(state).into_iter().map(|(number, _)| number).collect()
}

/// The numbers and kinds of all files of a state.
pub(crate) fn names_of(state: &State) -> BTreeSet<(u64, &'static str)> {
    let mut files = BTreeSet::new();
    let segment = |segment: &SegmentState, files: &mut BTreeSet<(u64, &'static str)>| {
        files.extend([(segment.number, "arrow"), (segment.index.file, "index")]);
        files.extend(segment.gone.as_ref().map(|gone| (gone.file, "gone")));
    };
    let texts = |texts: &StringsState, files: &mut BTreeSet<(u64, &'static str)>| {
        for part in &texts.parts {
            files.insert((part.texts.file, "texts"));
            files.extend(part.map.file().map(|(map, kind)| (map.file, kind)));
        }
    };
    for stream in &state.streams {
        stream.segments.iter().for_each(|s| segment(s, &mut files));
        stream.dictionaries.iter().for_each(|(_, t)| texts(t, &mut files));
    }
    for entity in &state.entities {
        entity.table.iter().chain(entity.histories.iter().map(|(_, s)| s)).for_each(|s| segment(s, &mut files));
        entity.dictionaries.iter().for_each(|(_, t)| texts(t, &mut files));
        texts(&entity.keys, &mut files);
    }
    files
}
