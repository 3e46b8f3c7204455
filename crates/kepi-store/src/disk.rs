//! All file I/O of the store, so that a simulator of crashes and full disks has one place to stand in.
//!
//! The order is always: a file and its name are durable before a manifest or a journal's record names it. A failed fsync is
//! never tried again: after it nobody knows what the disk holds. Files that are named together are synced side by side,
//! which most disks do about as fast as one. What is known by its name alone (the manifest, a journal) gets its name behind
//! its fsync; files that only others name get it before, so that their folder is synced beside them.

use crate::error::StoreError;
use arrow_buffer::Buffer;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;

/// A file that is being written under a temporary name.
pub(crate) struct NewFile {
    out: BufWriter<File>,
    temporary: PathBuf,
    target: PathBuf,
}

impl NewFile {
    /// Starts a file that will be called `target`.
    pub(crate) fn create(target: &Path) -> Result<NewFile, StoreError> {
        // Files that differ in their ending alone are written at the same time.
        let mut temporary = target.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let file = File::create(&temporary).map_err(|e| StoreError::io(&temporary, e))?;
        Ok(NewFile { out: BufWriter::with_capacity(1 << 20, file), temporary, target: target.into() })
    }

    /// Maps what was written so far.
    pub(crate) fn map(&mut self) -> Result<Buffer, StoreError> {
        self.out.flush().map_err(|e| StoreError::io(&self.target, e))?;
        let length = self.out.get_ref().metadata().map_err(|e| StoreError::io(&self.target, e))?.len();
        map(&self.temporary, length)
    }

    /// Gives it up. What is mapped of it stays.
    pub(crate) fn discard(self) -> Result<(), StoreError> {
        remove(&self.temporary)
    }

    /// Hands everything to the system. What is left to do is done by [`sync_files`], for many files at once.
    pub(crate) fn written(self) -> Result<Written, StoreError> {
        let NewFile { out, temporary, target } = self;
        let file = out.into_inner().map_err(|e| StoreError::io(&target, e.into_error()))?;
        Ok(Written { file: Some(file), temporary, target })
    }
}

/// A file that is written, but not yet durable, and still has its temporary name.
#[derive(Debug)]
pub(crate) struct Written {
    /// None: it is durable.
    file: Option<File>,
    temporary: PathBuf,
    target: PathBuf,
}

impl Written {
    /// Makes it durable now: worth it for large files, while something else is done.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        match &self.file {
            Some(file) => file.sync_all().map_err(|e| StoreError::io(&self.target, e))?,
            None => return Ok(()),
        }
        self.file = None;
        Ok(())
    }

    /// The name that it has until then.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Gives it its name.
    pub(crate) fn rename(&self) -> Result<(), StoreError> {
        fs::rename(&self.temporary, &self.target).map_err(|e| StoreError::io(&self.target, e))
    }
}

/// So many syncs are waited for at once.
const SYNCS: usize = 16;

/// Something to wait for.
pub(crate) type Step<'a> = Box<dyn FnOnce() -> Result<(), StoreError> + Send + 'a>;

/// Runs steps that wait for the disk side by side; all of them, whatever fails.
pub(crate) fn side_by_side(steps: Vec<Step<'_>>) -> Result<(), StoreError> {
    let mut steps = steps.into_iter();
    let mut result = Ok(());
    loop {
        let Some(own) = steps.next() else { return result };
        let ended = std::thread::scope(|scope| {
            let others: Vec<_> = steps.by_ref().take(SYNCS - 1).map(|step| scope.spawn(step)).collect();
            let own = own();
            others.into_iter().fold(own, |ended, other| {
                ended.and(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            })
        });
        result = result.and(ended);
    }
}

/// Makes files durable, and then gives them their names. Their folder is synced by [`sync_folder`].
pub(crate) fn sync_files(mut files: Vec<Written>) -> Result<(), StoreError> {
    side_by_side(files.iter_mut().map(|file| Box::new(|| file.sync()) as Step<'_>).collect())?;
    files.iter().try_for_each(Written::rename)
}

/// Gives files of a folder their names, and makes both durable at once: for files that nobody looks at before something
/// else names them.
pub(crate) fn sync_named(mut files: Vec<Written>, folder: &Path) -> Result<(), StoreError> {
    files.iter().try_for_each(Written::rename)?;
    let mut steps: Vec<Step<'_>> = files.iter_mut().map(|file| Box::new(|| file.sync()) as Step<'_>).collect();
    steps.push(Box::new(|| sync_folder(folder)));
    side_by_side(steps)
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Writes a whole file, which is to be synced.
pub(crate) fn write_file(target: &Path, pieces: &[&[u8]]) -> Result<Written, StoreError> {
    let mut file = NewFile::create(target)?;
    for piece in pieces {
        file.write_all(piece).map_err(|e| StoreError::io(target, e))?;
    }
    file.written()
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| StoreError::io(folder, e))
}

/// Makes a folder and those above it.
pub(crate) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(folder).map_err(|e| StoreError::io(folder, e))
}

/// Removes a file; one that is not there is fine.
pub(crate) fn remove(file: &Path) -> Result<(), StoreError> {
    match fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io(file, e)),
        _ => Ok(()),
    }
}

/// Removes a folder and all that is in it; one that is not there is fine.
pub(crate) fn remove_folder(folder: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io(folder, e)),
        _ => Ok(()),
    }
}

/// The names of the files in a folder, sorted; none where there is no such folder.
pub(crate) fn list(folder: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(StoreError::io(folder, e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| StoreError::io(folder, e))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// Reads a whole small file; none where there is none.
pub(crate) fn read(file: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StoreError::io(file, e)),
    }
}

/// Reads `[from, until)` of a file; shorter where the file is.
pub(crate) fn read_range(file: &Path, from: u64, until: u64) -> Result<Vec<u8>, StoreError> {
    let named = |e| StoreError::io(file, e);
    let mut input = File::open(file).map_err(named)?;
    input.seek(SeekFrom::Start(from)).map_err(named)?;
    let mut bytes = Vec::new();
    input.take(until.saturating_sub(from)).read_to_end(&mut bytes).map_err(named)?;
    Ok(bytes)
}

/// Maps a file that never changes once it has its name. A file of another length than `length` is damaged: reading
/// beyond the end of a mapped file would kill the process.
pub(crate) fn map(file: &Path, length: u64) -> Result<Buffer, StoreError> {
    let named = |e| StoreError::io(file, e);
    let input = File::open(file).map_err(named)?;
    let found = input.metadata().map_err(named)?.len();
    if found != length {
        return Err(StoreError::damaged(file, found.min(length), format!("it has {found} bytes instead of {length}")));
    }
    if length == 0 {
        return Ok(Buffer::from(&[] as &[u8]));
    }
    // SAFETY: files of the store are mapped when they are written whole, and never changed after that; the length was
    // checked just now. Removing the file leaves the mapping valid.
    let mapped = unsafe { memmap2::Mmap::map(&input) }.map_err(named)?;
    let start = NonNull::new(mapped.as_ptr().cast_mut()).expect("a mapping that succeeded has an address");
    let owner = Arc::new(mapped);
    // SAFETY: the pointer and the length are those of the mapping, which the buffer keeps alive.
    Ok(unsafe { Buffer::from_custom_allocation(start, length as usize, owner) })
}

/// A file that only grows: the journal.
#[derive(Debug)]
pub(crate) struct AppendFile {
    file: File,
    path: PathBuf,
}

impl AppendFile {
    /// Opens a file for appending and cuts what is behind `length`: the rest of a write that never finished.
    pub(crate) fn open(path: &Path, length: u64) -> Result<AppendFile, StoreError> {
        let named = |e| StoreError::io(path, e);
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(named)?;
        if file.metadata().map_err(named)?.len() != length {
            file.set_len(length).map_err(named)?;
            file.sync_all().map_err(named)?;
        }
        file.seek(SeekFrom::End(0)).map_err(named)?;
        Ok(AppendFile { file, path: path.into() })
    }

    /// The same file under the name that it is going to have.
    pub(crate) fn called(self, path: &Path) -> AppendFile {
        AppendFile { path: path.into(), ..self }
    }

    /// Appends; durable it is after [`AppendFile::sync`].
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(|e| StoreError::io(&self.path, e))
    }

    /// Makes all that was appended durable.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|e| StoreError::io(&self.path, e))
    }
}

/// The lock of the one writer: held as long as the value lives, freed by the system when the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough while a process that is just being started has it, too.
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Takes the lock, or says who holds it. The file's text is for people and for the second writer's message; what
    /// locks is the system's lock on the file, which a killed process cannot leave behind.
    pub(crate) fn take(path: &Path, command: &str) -> Result<Lock, StoreError> {
        let named = |e| StoreError::io(path, e);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(named)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The holder may be writing the text at this moment: then the message lacks the name.
                let _ = file.read_to_string(&mut text);
                let (pid, command) = text.split_once('\n').unwrap_or(("", ""));
                return Err(StoreError::Held { pid: pid.parse().unwrap_or(0), command: command.trim_end().into() });
            }
            Err(fs::TryLockError::Error(e)) => return Err(named(e)),
        }
        file.set_len(0).map_err(named)?;
        file.write_all(format!("{}\n{command}\n", std::process::id()).as_bytes()).map_err(named)?;
        Ok(Lock { file })
    }
}
