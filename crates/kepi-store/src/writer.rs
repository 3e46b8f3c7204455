//! The one writer: opening (lock, replay, memory), committing, sealing, cleaning up.

use crate::beginning::Beginning;
use crate::change::Change;
use crate::disk::{self, AppendFile, Lock, Step, Written};
use crate::error::StoreError;
use crate::journal::{self, Record};
use crate::key_table::KeyTable;
use crate::layout::Layout;
use crate::load::{Load, LoadOptions};
use crate::manifest::{self, Manifest};
use crate::memory::{Known, Memory};
use crate::recovery::{catalogue, create, files_of, newest_generation, replay};
use crate::seal;
use crate::snapshot::Snapshot;
use crate::state::{LoadRecord, State};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Rows in the journal's tail from which on they are sealed.
const TAIL_ROWS: usize = 32_768;
/// Small loads in the tail from which on they are sealed.
const TAIL_LOADS: usize = 256;
/// Bytes of a journal file from which on the next seal starts a new generation.
const JOURNAL_BYTES: u64 = 16 << 20;

/// The one process that may change a store.
#[derive(Debug)]
pub struct Writer {
    pub(crate) layout: Layout,
    pub(crate) current: Arc<Snapshot>,
    /// Opened when it is first asked: a load that needs none of it does not wait for it.
    pub(crate) memory: OnceLock<Memory>,
    opening: Mutex<()>,
    /// Whether nothing was ever committed: then the store's folders are synced with the first commit.
    new: bool,
    /// Dictionaries of columns as they are committed, so that many small loads do not read them each time.
    pub(crate) tables: BTreeMap<(String, String), KeyTable>,
    /// What is in files; the tail of the journal starts at `tail`.
    pub(crate) sealed: State,
    pub(crate) tail: u64,
    pub(crate) tail_rows: usize,
    pub(crate) tail_loads: usize,
    pub(crate) journal: AppendFile,
    stopped: bool,
    /// Of a new store.
    beginning: Beginning,
    _lock: Lock,
}

impl Writer {
    /// Opens a store for writing; a new folder becomes an empty store. What was acknowledged is there, what was not
    /// is there whole or not at all.
    pub(crate) fn open(folder: &Path, command: &str) -> Result<Writer, StoreError> {
        let layout = Layout::new(folder);
        disk::make_folder(folder)?;
        let lock = Lock::take(&layout.lock(), command)?;
        disk::make_folder(&layout.journals())?;
        disk::make_folder(&layout.data())?;
        let manifest = manifest::read(&layout)?;
        let (generation, promised) = match &manifest {
            Some(manifest) => (manifest.generation, manifest.length),
            None => (newest_generation(&layout)?, 0),
        };
        if generation == 0 {
            let (journal, manifest, length) = create(&layout)?;
            let mut writer = Writer::open_journal(layout, lock, 1, length, false, journal.temporary())?;
            writer.journal = writer.journal.called(&writer.layout.journal(1));
            // The disk takes its time, and rows have to be read first.
            writer.beginning = Beginning::of(vec![journal, manifest]);
            return Ok(writer);
        }
        Writer::open_locked(layout, lock, generation, promised, manifest.is_none())
    }

    fn open_locked(
        layout: Layout,
        lock: Lock,
        generation: u64,
        promised: u64,
        unpublished: bool,
    ) -> Result<Writer, StoreError> {
        let path = layout.journal(generation);
        let writer = Writer::open_journal(layout, lock, generation, promised, unpublished, &path)?;
        writer.clean()?;
        Ok(writer)
    }

    /// The same with the file in which the journal lies.
    fn open_journal(
        layout: Layout,
        lock: Lock,
        generation: u64,
        promised: u64,
        unpublished: bool,
        path: &Path,
    ) -> Result<Writer, StoreError> {
        let (entries, end) = journal::read(path, 0, None, promised)?;
        let replay = replay(&layout, generation, entries, end)?;
        let journal = AppendFile::open(path, replay.end.offset)?;
        let new = replay.snapshot.number == 0;
        let writer = Writer {
            layout,
            current: Arc::new(replay.snapshot),
            memory: OnceLock::new(),
            opening: Mutex::new(()),
            new,
            tables: BTreeMap::new(),
            sealed: replay.sealed,
            tail: replay.tail,
            tail_rows: replay.tail_rows,
            tail_loads: replay.tail_loads,
            journal,
            stopped: false,
            beginning: Beginning::default(),
            _lock: lock,
        };
        // Records behind the manifest are commits of which only the last step was missing.
        if unpublished || replay.end.offset != promised {
            // Whoever wrote them may have ended before they were on disk, where a manifest must not promise more than there is.
            writer.journal.sync()?;
            writer.publish()?;
        }
        Ok(writer)
    }

    /// Starts a load. Nothing of it is stored before [`Load::commit`].
    pub fn load(&mut self, options: LoadOptions) -> Load<'_> {
        Load::new(self, options)
    }

    /// The snapshot as it is now.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>, StoreError> {
        Ok(self.current.clone())
    }

    /// Up to where a connector has been read; none: it never was.
    pub fn cursor(&self, connector: &str) -> Result<Option<String>, StoreError> {
        self.memory()?.cursor(connector)
    }

    /// All loads, the oldest first.
    pub fn loads(&self) -> Result<Vec<LoadRecord>, StoreError> {
        self.memory()?.loads()
    }

    /// The memory as of the current snapshot.
    pub(crate) fn memory(&self) -> Result<&Memory, StoreError> {
        let _alone = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(memory) = self.memory.get() {
            return Ok(memory);
        }
        self.beginning.wait()?;
        let Snapshot { number, generation, length, .. } = *self.current;
        let (entries, _) = journal::read(&self.layout.journal(generation), 0, Some(length), length)?;
        let (loads, cursors) = catalogue(&entries);
        let marker = (number, generation, length, entries.last().map_or(0, |entry| entry.checksum));
        let known = Known { marker, snapshot: &self.current, loads: &loads, cursors: &cursors };
        let memory = Memory::open(&self.layout, &known)?;
        Ok(self.memory.get_or_init(|| memory))
    }

    /// Tells the memory of a commit, if it is open; else it is filled anew when it is asked.
    fn remember(
        &mut self,
        checksum: u64,
        load: Option<&LoadRecord>,
        cursor: Option<&(String, String)>,
        new_keys: &[(String, String, u32)],
        sealed: bool,
    ) -> Result<(), StoreError> {
        self.stopping(|writer| match writer.memory.get() {
            Some(memory) => {
                let snapshot = &writer.current;
                let marker = (snapshot.number, snapshot.generation, snapshot.length, checksum);
                memory.commit(marker, snapshot, load, cursor, new_keys, sealed)
            }
            None => Ok(()),
        })
    }

    /// Makes one segment of all rows of each stream, so that nothing overlaps and nothing replaced is kept.
    pub fn compact(&mut self) -> Result<(), StoreError> {
        self.check()?;
        let mut state = seal::seal(&self.layout, &self.current)?;
        for (position, stream) in self.current.streams.values().enumerate() {
            let one = stream.slots.len() == 1 && stream.slots[0].gone.is_empty();
            if !one && !stream.slots.is_empty() {
                let mut next = state.next_file;
                state.streams[position] = seal::seal_stream(&self.layout, stream, &mut next, true)?;
                state.next_file = next;
            }
        }
        self.commit_sealed(state, self.current.number, None, None)
    }

    /// Makes a change durable and current. With `bulk`, rows go to segments at once; else to the journal.
    pub(crate) fn commit(
        &mut self,
        change: &Change,
        load: LoadRecord,
        cursor: Option<(String, String)>,
        bulk: bool,
    ) -> Result<(), StoreError> {
        self.check()?;
        let mut next = (*self.current).clone();
        next.apply(change, load.snapshot);
        next.number = load.snapshot;
        if bulk {
            let state = seal::seal(&self.layout, &next)?;
            return self.commit_sealed_from(&next, state, load.snapshot, Some(load), cursor);
        }
        let delta = change.to_delta()?;
        let record = Record::Small { load: load.clone(), cursor: cursor.clone(), delta };
        let rows = |rows: &Option<arrow_array::RecordBatch>| rows.as_ref().map_or(0, |rows| rows.num_rows());
        let new_keys = new_keys(&self.current, change);
        let checksum = self.settle(&record, next, None)?;
        self.remember(checksum, Some(&load), cursor.as_ref(), &new_keys, false)?;
        self.tail_loads += 1;
        self.tail_rows += change.streams.iter().flat_map(|s| &s.rows).map(|rows| rows.num_rows()).sum::<usize>();
        self.tail_rows += change.entities.iter().map(|e| rows(&e.rows)).sum::<usize>();
        if self.tail_rows >= TAIL_ROWS || self.tail_loads >= TAIL_LOADS {
            // The load itself is committed: a failure here is the next load's to meet, or the next writer's.
            if let Err(error) = self.seal_tail() {
                tracing::warn!(%error, "the journal's tail could not be sealed");
            }
        }
        Ok(())
    }

    /// Writes what small loads left in the journal as segments. It happens by itself, too, when there is much of it.
    pub fn seal(&mut self) -> Result<(), StoreError> {
        self.check()?;
        self.seal_tail()
    }

    fn seal_tail(&mut self) -> Result<(), StoreError> {
        let state = seal::seal(&self.layout, &self.current)?;
        self.commit_sealed(state, self.current.number, None, None)
    }

    fn commit_sealed(
        &mut self,
        state: State,
        number: u64,
        load: Option<LoadRecord>,
        cursor: Option<(String, String)>,
    ) -> Result<(), StoreError> {
        let before = self.current.clone();
        self.commit_sealed_from(&before, state, number, load, cursor)
    }

    /// Commits a state whose files are written. Files that `before` has open are taken from there.
    fn commit_sealed_from(
        &mut self,
        before: &Snapshot,
        state: State,
        number: u64,
        load: Option<LoadRecord>,
        cursor: Option<(String, String)>,
    ) -> Result<(), StoreError> {
        self.layout.sync_written()?;
        let mut next = Snapshot::of_state(&self.layout, &state, Some(before))?;
        next.number = number;
        next.generation = self.current.generation;
        let record =
            Record::Sealed { snapshot: number, load: load.clone(), cursor: cursor.clone(), state: state.clone() };
        let checksum = self.settle(&record, next, Some(state))?;
        self.remember(checksum, load.as_ref(), cursor.as_ref(), &[], true)?;
        self.stopping(|writer| writer.clean())
    }

    /// Makes a record durable, and then its snapshot the current one; gives the checksum of the journal's last record.
    /// `sealed`: from here on everything is in files. The new manifest reaches the disk beside the record, but gets its
    /// name only behind it.
    fn settle(&mut self, record: &Record, mut next: Snapshot, sealed: Option<State>) -> Result<u64, StoreError> {
        let bytes = journal::framed(record)?;
        let length = self.current.length + bytes.len() as u64;
        next.length = length;
        let rotates = sealed.is_some() && length > JOURNAL_BYTES;
        let manifest = (!rotates).then(|| Manifest {
            snapshot: next.number,
            generation: next.generation,
            tail: if sealed.is_some() { length } else { self.tail },
            length,
            state: sealed.as_ref().unwrap_or(&self.sealed).clone(),
        });
        self.stopping(|writer| {
            let Writer { journal, layout, new, .. } = writer;
            journal.append(&bytes)?;
            let mut manifest = manifest.map(|manifest| manifest::write(layout, &manifest)).transpose()?;
            // Of a new store the folders, too, each behind the file that is in it.
            let sync_folder = |folder: &Path| if *new { disk::sync_folder(folder) } else { Ok(()) };
            let mut steps: Vec<Step<'_>> = vec![Box::new(|| {
                journal.sync()?;
                sync_folder(&layout.journals())
            })];
            if *new || manifest.is_some() {
                steps.push(Box::new(|| {
                    manifest.as_mut().map_or(Ok(()), Written::sync)?;
                    sync_folder(&layout.root)
                }));
            }
            disk::side_by_side(steps)?;
            *new = false;
            if let Some(manifest) = manifest {
                manifest.rename()?;
                disk::sync_folder(&layout.root)?;
            }
            Ok(())
        })?;
        self.current = Arc::new(next);
        if let Some(state) = sealed {
            self.sealed = state;
            (self.tail, self.tail_rows, self.tail_loads) = (length, 0, 0);
        }
        match rotates {
            true => self.stopping(|writer| {
                let checksum = writer.rotate()?;
                writer.publish()?;
                Ok(checksum)
            }),
            false => Ok(journal::checksum_of(&bytes)),
        }
    }

    /// Starts a new generation of the journal and returns the checksum of its checkpoint. The old one stays the
    /// current one until the manifest names the new one.
    fn rotate(&mut self) -> Result<u64, StoreError> {
        let old = self.layout.journal(self.current.generation);
        let (entries, _) = journal::read(&old, 0, None, self.current.length)?;
        let (loads, cursors) = catalogue(&entries);
        let generation = self.current.generation + 1;
        let checkpoint =
            Record::Checkpoint { snapshot: self.current.number, state: self.sealed.clone(), loads, cursors };
        let path = self.layout.journal(generation);
        let (file, length) = journal::start(&path, generation, &checkpoint)?;
        disk::sync_files(vec![file])?;
        disk::sync_folder(&self.layout.journals())?;
        let (entries, _) = journal::read(&path, 0, Some(length), length)?;
        self.journal = AppendFile::open(&path, length)?;
        let mut next = (*self.current).clone();
        (next.generation, next.length) = (generation, length);
        self.current = Arc::new(next);
        self.tail = length;
        Ok(entries.first().map_or(0, |entry| entry.checksum))
    }

    pub(crate) fn publish(&self) -> Result<(), StoreError> {
        let manifest = Manifest {
            snapshot: self.current.number,
            generation: self.current.generation,
            tail: self.tail,
            length: self.current.length,
            state: self.sealed.clone(),
        };
        manifest::publish(&self.layout, &manifest)
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.stopped { Err(StoreError::Stopped) } else { self.beginning.wait() }
    }

    /// Runs a step after which, should it fail, nobody knows what the disk holds: the writer then stops.
    pub(crate) fn stopping<T>(
        &mut self,
        step: impl FnOnce(&mut Writer) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let result = step(self);
        self.stopped |= result.is_err();
        result
    }

    /// Removes the files that the current snapshot does not name: replaced ones, and those of loads that never
    /// finished. Readers that have them open go on reading them.
    pub(crate) fn clean(&self) -> Result<(), StoreError> {
        let used = files_of(&self.sealed);
        for name in disk::list(&self.layout.data())? {
            let number = name.split('.').next().and_then(|n| n.parse::<u64>().ok());
            if name.ends_with(".tmp") || number.is_none_or(|number| !used.contains(&number)) {
                disk::remove(&self.layout.data().join(name))?;
            }
        }
        for name in disk::list(&self.layout.journals())? {
            let path = self.layout.journals().join(name);
            if path != self.layout.journal(self.current.generation) {
                disk::remove(&path)?;
            }
        }
        Ok(())
    }
}

/// The keys that a change adds, with the ids that they get on top of a snapshot.
fn new_keys(before: &Snapshot, change: &Change) -> Vec<(String, String, u32)> {
    let mut keys = Vec::new();
    for entity in &change.entities {
        let first = before.entities.get(&entity.name).map_or(0, |e| e.keys.len());
        let texts = entity.keys.iter().flatten().enumerate();
        keys.extend(texts.map(|(i, text)| (entity.name.clone(), text.to_owned(), (first + i) as u32)));
    }
    keys
}

/// Makes the manifest anew from the journal, for a store whose manifest is damaged or lost.
pub(crate) fn repair(folder: &Path, command: &str) -> Result<(), StoreError> {
    let layout = Layout::new(folder);
    let lock = Lock::take(&layout.lock(), command)?;
    let generation = newest_generation(&layout)?;
    if generation == 0 {
        return Err(StoreError::damaged(&layout.journals(), 0, "there is no journal to repair the store from"));
    }
    Writer::open_locked(layout, lock, generation, 0, true).map(drop)
}
