//! Reading everything, to find what is damaged: all of it, not just the first.

use crate::error::StoreError;
use crate::journal;
use crate::snapshot::Snapshot;
use kepi_extension::EventScan;

/// What a look at every file found.
#[derive(Debug, Default)]
pub struct Verified {
    /// How many files were read.
    pub files: u64,
    /// How many rows.
    pub rows: u64,
    /// What is wrong, each with its file and place.
    pub damages: Vec<StoreError>,
}

impl Snapshot {
    /// Reads every file of the snapshot whole and checks its checksums, and that the maps of keys lead to their keys.
    pub fn verify_all(&self) -> Verified {
        let mut found = Verified::default();
        let mut look = |files: u64, result: Result<(), StoreError>| {
            found.files += files;
            found.damages.extend(result.err());
        };
        for stream in self.streams.values() {
            for slot in &stream.slots {
                look(2 * u64::from(slot.segment.state().is_some()), Ok(()));
                slot.segment.verify_each(&mut |result| look(0, result));
            }
            for texts in stream.dictionaries.values() {
                texts.verify_each(&mut look);
            }
        }
        for entity in self.entities.values() {
            entity.keys.verify_each(&mut look);
            entity.dictionaries.values().for_each(|texts| texts.verify_each(&mut look));
            let sealed = entity.histories.values().filter_map(|history| history.sealed.as_ref());
            for segment in entity.table.iter().chain(sealed) {
                look(2 * u64::from(segment.state().is_some()), Ok(()));
                segment.verify_each(&mut |result| look(0, result));
            }
            look(0, entity.aliases().map(drop));
        }
        if self.generation > 0 {
            let path = self.layout.journal(self.generation);
            let journal = journal::read(&path, 0, Some(self.length), self.length);
            // The writer may have begun another one, which has this snapshot's rows in files.
            let gone = journal.as_ref().is_err_and(StoreError::is_missing_file);
            look(2, if gone { self.loads().map(drop) } else { journal.map(drop) });
        }
        found.rows = self.streams().iter().filter_map(|name| Some(self.stream(name)?.rows)).sum();
        found
    }
}
