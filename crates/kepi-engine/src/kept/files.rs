//! Files that are kept beside the store: each with a checksum, all of them bounded, those used longest ago go first.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use xxhash_rust::xxh3::xxh3_64;

/// The first bytes of a file. A change of what stands behind them is a new number.
const MAGIC: &[u8; 8] = b"kepians3";
/// How all of them begin, whatever their number.
const ANY_MAGIC: &[u8] = b"kepians";
/// Files with more bytes are not kept …
const BYTES_MAX: u64 = 8 << 20;
/// … and all of them together have at most these.
const TOTAL_MAX: u64 = 128 << 20;
/// When there is no room, so many bytes are made free at once, at least.
const ROOM: u64 = 16 << 20;
/// That a file was used is noted when it was noted so long ago.
const NOTED: Duration = Duration::from_secs(60);

/// Which snapshot is the current one, as the file that names it tells: when it was written, and how long it is.
pub(super) type Stamp = (SystemTime, u64);

/// The files of a project.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    /// The file that names the store's current snapshot.
    manifest: PathBuf,
    /// The bytes of all of them, once somebody has looked.
    total: Mutex<Option<u64>>,
    /// Those that were found damaged.
    damaged: Mutex<Vec<String>>,
}

impl Files {
    /// The files beside a store, which need not be there.
    pub(super) fn beside(store: &Path) -> Files {
        let (folder, manifest) = (store.join("answers"), store.join("manifest"));
        Files { folder, manifest, total: Mutex::new(None), damaged: Mutex::default() }
    }

    /// Which snapshot is the current one; none: there is no store yet.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let about = fs::metadata(&self.manifest).ok()?;
        Some((about.modified().ok()?, about.len()))
    }

    /// What stands in a file; none: it is not there, it is of another version, or it is damaged, which is noted.
    pub(super) fn read(&self, kind: char, name: u128) -> Option<Vec<u8>> {
        let path = self.path(kind, name);
        let mut file = File::open(&path).ok()?;
        let about = file.metadata().ok()?;
        let mut bytes = Vec::with_capacity(usize::try_from(about.len()).ok()?);
        file.read_to_end(&mut bytes).ok()?;
        let sound = bytes.len() >= 16 && bytes.starts_with(MAGIC) && sum(&bytes[16..]) == bytes[8..16];
        if !sound {
            let other = bytes.len() >= 16 && bytes.starts_with(ANY_MAGIC) && !bytes.starts_with(MAGIC);
            if !other {
                self.note_damage(&path);
            }
            // What cannot be used only takes room.
            let _ = fs::remove_file(&path);
            return None;
        }
        self.note_use(&file, about.modified().ok());
        bytes.drain(..16);
        Some(bytes)
    }

    /// Reads all of them; those that are damaged are removed, and told by their names.
    pub(super) fn damaged(&self) -> Vec<String> {
        let listed = self.listed().unwrap_or_default();
        let names = listed.iter().filter_map(|(_, _, path)| path.file_name()?.to_str());
        for name in names {
            let number = name.get(1..).and_then(|number| u128::from_str_radix(number, 16).ok());
            if let (Some(kind), Some(number)) = (name.chars().next(), number) {
                // Reading it says whether it is sound.
                self.read(kind, number);
            }
        }
        std::mem::take(&mut *self.damaged.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Removes all of them; gives how many they were. The error names the file.
    pub(super) fn clear(&self) -> Result<u64, (PathBuf, std::io::Error)> {
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        *total = None;
        let listed = match self.listed() {
            Ok(listed) => listed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err((self.folder.clone(), error)),
        };
        let mut count = 0;
        for (_, _, path) in listed {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err((path, error)),
                _ => count += 1,
            }
        }
        Ok(count)
    }

    #[allow(clippy::disallowed_methods)] // When a file was used last says which goes first, and is part of no answer.
    fn note_use(&self, file: &File, noted: Option<SystemTime>) {
        let now = SystemTime::now();
        if noted.is_none_or(|noted| now.duration_since(noted).is_ok_and(|ago| ago > NOTED)) {
            // A file that cannot be marked goes earlier.
            let _ = file.set_modified(now);
        }
    }

    fn note_damage(&self, path: &Path) {
        tracing::warn!(file = %path.display(), "a kept result is damaged");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).push(name);
    }

    /// What was found damaged since somebody asked, in words.
    pub(super) fn take_damaged(&self) -> Vec<String> {
        let damaged = std::mem::take(&mut *self.damaged.lock().unwrap_or_else(PoisonError::into_inner));
        let words = |name| format!("a result kept in .kepi/store/answers/{name} was damaged: it was computed anew");
        damaged.into_iter().map(words).collect()
    }

    /// Keeps bytes that were made of what was current at `stamp`; where they cannot be written, are too many, or something
    /// else is current by now, they are not kept.
    pub(super) fn write(&self, kind: char, name: u128, body: &[u8], stamp: Option<Stamp>) {
        if body.len() as u64 > BYTES_MAX || self.stamp() != stamp {
            return;
        }
        let path = self.path(kind, name);
        if let Err(error) = self.put(&path, body) {
            tracing::debug!(%error, "a result is not kept");
        }
        // Who erases something makes the store without it current, and then removes what is kept: either that was still
        // to come, or it is seen here.
        if self.stamp() != stamp {
            let _ = fs::remove_file(&path);
        }
    }

    fn path(&self, kind: char, name: u128) -> PathBuf {
        self.folder.join(format!("{kind}{name:032x}"))
    }

    fn put(&self, path: &Path, body: &[u8]) -> std::io::Result<()> {
        let wanted = body.len() as u64 + 16;
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match *total {
            Some(total) => total,
            None => {
                fs::create_dir_all(&self.folder)?;
                self.listed()?.iter().map(|file| file.1).sum()
            }
        };
        let room = if before + wanted > TOTAL_MAX { self.make_room(wanted)? } else { before };
        *total = Some(room + wanted);
        drop(total);
        let part = path.with_extension(format!("{}.{:?}.part", std::process::id(), std::thread::current().id()));
        let mut bytes = MAGIC.to_vec();
        bytes.reserve(8 + body.len());
        bytes.extend(sum(body));
        bytes.extend(body);
        // Beside it first, so that nobody reads half of it.
        fs::write(&part, bytes)?;
        fs::rename(&part, path)
    }

    /// When each file was used last, its bytes, its path.
    fn listed(&self) -> std::io::Result<Vec<(SystemTime, u64, PathBuf)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // One that another process has just removed is no file of ours any more.
            let Ok(about) = entry.metadata() else { continue };
            files.push((about.modified().unwrap_or(SystemTime::UNIX_EPOCH), about.len(), entry.path()));
        }
        Ok(files)
    }

    /// Removes those used longest ago until there is room; gives the bytes of the rest.
    fn make_room(&self, wanted: u64) -> std::io::Result<u64> {
        let mut files = self.listed()?;
        let mut total: u64 = files.iter().map(|file| file.1).sum();
        files.sort();
        for (_, bytes, path) in files {
            if total + wanted.max(ROOM) <= TOTAL_MAX {
                break;
            }
            if fs::remove_file(path).is_ok() {
                total -= bytes;
            }
        }
        Ok(total)
    }
}

fn sum(body: &[u8]) -> [u8; 8] {
    xxh3_64(body).to_le_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test may stop.

    use super::*;

    #[test]
    fn those_used_longest_ago_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::beside(folder.path());
        let body = vec![7; 7 << 20];
        for name in 0..18 {
            files.write('p', name, &body, None);
            let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 + name as u64);
            File::options().write(true).open(files.path('p', name)).unwrap().set_modified(long_ago).unwrap();
        }
        // The first is used, so it is not the oldest any more.
        assert_eq!(files.read('p', 0).as_deref(), Some(&body[..]));
        files.write('p', 99, &body, None);
        let bytes: u64 = files.listed().unwrap().iter().map(|file| file.1).sum();
        assert!(bytes <= TOTAL_MAX);
        assert!(files.read('p', 0).is_some() && files.read('p', 99).is_some() && files.read('p', 17).is_some());
        assert!(files.read('p', 1).is_none() && files.take_damaged().is_empty());
        files.write('p', 100, &vec![7; 9 << 20], None);
        assert!(files.read('p', 100).is_none(), "too large");
    }

    #[test]
    fn nothing_is_kept_of_a_snapshot_that_is_no_longer_current() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::beside(folder.path());
        fs::write(folder.path().join("manifest"), "one").unwrap();
        let before = files.stamp();
        files.write('p', 1, b"of one", before);
        assert!(before.is_some() && files.read('p', 1).is_some());
        fs::write(folder.path().join("manifest"), "another").unwrap();
        files.write('p', 2, b"of one", before);
        assert!(files.read('p', 2).is_none());
        assert_eq!(files.clear().unwrap(), 1);
        assert!(files.read('p', 1).is_none() && files.clear().unwrap() == 0);
    }

    #[test]
    fn a_damaged_file_is_not_read_and_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::beside(folder.path());
        fs::create_dir(&files.folder).unwrap();
        for (cut, flipped) in [(0, 0), (15, 0), (20, 0), (26, 3), (26, 9), (26, 20)] {
            files.write('a', 1, b"0123456789", None);
            let mut bytes = fs::read(files.path('a', 1)).unwrap();
            bytes.truncate(cut);
            if let Some(byte) = bytes.get_mut(flipped).filter(|_| flipped > 0) {
                *byte ^= 0x20;
            }
            fs::write(files.path('a', 1), bytes).unwrap();
            assert!(files.read('a', 1).is_none(), "cut at {cut}, flipped {flipped}");
            assert_eq!((files.take_damaged().len(), files.take_damaged().len()), (1, 0));
        }
        fs::write(files.path('a', 1), b"kepians2 of another time").unwrap();
        assert!(files.read('a', 1).is_none() && files.take_damaged().is_empty());
    }
}
