//! A copy of a project, taken beside whoever loads: its store as of one snapshot, its settings, model and plugins. And back.

use super::reports::BackupReport;
use super::tar;
use crate::api::EngineError;
use crate::engine::{Engine, store_error};
use crate::project::CONFIG;
use kepi_store::{Store, StoreError};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};

/// Where the store lies in a project.
const STORE: &str = ".kepi/store";
/// Files of a project that are copied beside `model/`, `plugins/` and the store.
const FILES: [&str; 5] = [CONFIG, "kepi.lock", ".kepi/definitions.jsonl", ".kepi/zones.json", ".kepi/.gitignore"];

impl Engine {
    /// Copies the project into an empty folder, or into a tar file where the name ends in `.tar`. A load may go on
    /// meanwhile: the copy has the snapshot that is current when it ends. Secrets, rejected rows and kept answers are left out.
    ///
    /// Errors: the store is damaged, or files cannot be read or written.
    pub fn store_backup(&self, target: &Path) -> Result<BackupReport, EngineError> {
        // A copy of what is damaged would be found out when it is needed.
        let sound = self.store_verify(false)?;
        if let Some(damage) = sound.damages.first() {
            return Err(EngineError::data(format!("the store is damaged: {damage}"))
                .with_help("`kepi store verify` has all of it; nothing was copied"));
        }
        let whole = |path: &Path| std::path::absolute(path).map_err(|error| cannot("read", path, &error));
        for folder in ["model", "plugins", ".kepi"].map(|name| self.project.root.join(name)) {
            if whole(target)?.starts_with(whole(&folder)?) {
                let message = format!("{} lies in {}, which is copied itself", target.display(), folder.display());
                return Err(EngineError::usage(message).with_help("name a place outside it"));
            }
        }
        let mut copy = Copy::begin(target)?;
        copy.project(&self.project.root)?;
        let begun = copy.place()?;
        let copy = std::cell::RefCell::new(copy);
        let other = |error: EngineError| StoreError::Limit(error.to_string());
        let snapshot = Store::backup(
            &self.project.store(),
            &mut || copy.borrow_mut().again(&begun).map_err(other),
            &mut |name, size, bytes| copy.borrow_mut().put(&format!("{STORE}/{name}"), size, bytes).map_err(other),
        )
        .map_err(store_error)?;
        let mut report = copy.into_inner().end()?;
        report.snapshot = snapshot;
        report.rows = sound.rows;
        Ok(report)
    }

    /// Puts a backup into an empty folder, and reads all of it.
    ///
    /// Errors: no backup, a folder that holds something, a backup that is damaged.
    pub fn store_restore(backup: &Path, folder: &Path) -> Result<BackupReport, EngineError> {
        empty(folder)?;
        let about = fs::metadata(backup).map_err(|error| cannot("read", backup, &error))?;
        let mut copy = Copy::into_folder(folder)?;
        if about.is_dir() {
            if !backup.join(CONFIG).is_file() {
                return Err(no_backup(backup));
            }
            copy.project(backup)?;
            copy.folder(backup, Path::new(STORE))?;
        } else {
            let file = File::open(backup).map_err(|error| cannot("read", backup, &error))?;
            let mut failed = None;
            let result = tar::read(&mut BufReader::new(file), &mut |name, size, bytes| {
                copy.put(name, size, bytes).map_err(|error| {
                    let said = io::Error::other(error.to_string());
                    failed = Some(error);
                    said
                })
            });
            if let Err(error) = result {
                return Err(failed.unwrap_or_else(|| cannot("read", backup, &error)));
            }
            if !folder.join(CONFIG).is_file() {
                return Err(no_backup(backup));
            }
        }
        let mut report = copy.end()?;
        let snapshot = Store::open_reader(&folder.join(STORE)).map_err(store_error)?;
        let found = snapshot.verify_all();
        if let Some(damage) = found.damages.into_iter().next() {
            return Err(EngineError::data(format!("the backup is damaged: {}", store_error(damage)))
                .with_help("what could be copied is in the folder; another backup may be sound"));
        }
        report.snapshot = Some(kepi_extension::EventScan::snapshot(snapshot.as_ref())).filter(|number| *number > 0);
        report.rows = found.rows;
        Ok(report)
    }
}

/// A copy that is being written.
struct Copy {
    target: PathBuf,
    /// None: into a folder.
    archive: Option<BufWriter<File>>,
    report: BackupReport,
}

/// How far an archive was at some point.
struct Place {
    bytes: u64,
    report: BackupReport,
}

impl Copy {
    fn begin(target: &Path) -> Result<Copy, EngineError> {
        if target.extension().is_none_or(|ending| ending != "tar") {
            empty(target)?;
            return Copy::into_folder(target);
        }
        if target.exists() {
            return Err(EngineError::usage(format!("{} is there already", target.display())));
        }
        let part = part_of(target);
        let file = File::create(&part).map_err(|error| cannot("write", &part, &error))?;
        let report = BackupReport { path: target.to_path_buf(), ..BackupReport::default() };
        Ok(Copy { target: target.to_path_buf(), archive: Some(BufWriter::with_capacity(1 << 20, file)), report })
    }

    fn into_folder(folder: &Path) -> Result<Copy, EngineError> {
        fs::create_dir_all(folder).map_err(|error| cannot("make", folder, &error))?;
        let report = BackupReport { path: folder.to_path_buf(), ..BackupReport::default() };
        Ok(Copy { target: folder.to_path_buf(), archive: None, report })
    }

    /// Copies what a project has beside its store.
    fn project(&mut self, root: &Path) -> Result<(), EngineError> {
        for file in FILES.iter().map(Path::new).filter(|file| root.join(file).is_file()) {
            self.file(root, file)?;
        }
        self.folder(root, Path::new("model"))?;
        self.folder(root, Path::new("plugins"))
    }

    /// Copies the files of a folder and those below it, but for hidden ones and what was built or downloaded.
    fn folder(&mut self, root: &Path, folder: &Path) -> Result<(), EngineError> {
        let here = root.join(folder);
        let entries = match fs::read_dir(&here) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(cannot("read", &here, &error)),
        };
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            let path = folder.join(&name);
            let left_out = ["target", "node_modules", "sled", "answers", "lock"].iter().any(|other| name == *other);
            if left_out || name.to_string_lossy().starts_with('.') {
                continue;
            }
            let full = root.join(&path);
            match fs::symlink_metadata(&full) {
                Ok(about) if about.is_dir() => self.folder(root, &path)?,
                Ok(about) if about.is_file() => self.file(root, &path)?,
                // A link may lead anywhere.
                Ok(_) => {}
                Err(error) => return Err(cannot("read", &full, &error)),
            }
        }
        Ok(())
    }

    fn file(&mut self, root: &Path, file: &Path) -> Result<(), EngineError> {
        let path = root.join(file);
        let mut input = File::open(&path).map_err(|error| cannot("read", &path, &error))?;
        let size = input.metadata().map_err(|error| cannot("read", &path, &error))?.len();
        let parts: Vec<String> = file.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
        self.put(&parts.join("/"), size, &mut input)
    }

    /// Takes a file.
    fn put(&mut self, name: &str, size: u64, bytes: &mut dyn Read) -> Result<(), EngineError> {
        let path = Path::new(name);
        if name.is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(EngineError::data(format!("`{name}` would lie outside the folder")));
        }
        let copied = match &mut self.archive {
            Some(archive) => {
                let mut write = || {
                    tar::write_header(archive, name, size)?;
                    let copied = io::copy(&mut bytes.take(size), archive)?;
                    tar::write_padding(archive, size).map(|()| copied)
                };
                write().map_err(|error| cannot("write", &self.target, &error))?
            }
            None => {
                let target = self.target.join(path);
                let mut write = || {
                    target.parent().map_or(Ok(()), fs::create_dir_all)?;
                    let mut out = File::create(&target)?;
                    let copied = io::copy(&mut bytes.take(size), &mut out)?;
                    out.sync_all().map(|()| copied)
                };
                write().map_err(|error| cannot("write", &target, &error))?
            }
        };
        if copied != size {
            return Err(EngineError::data(format!("{name} became shorter while it was read")));
        }
        self.report.files += 1;
        self.report.bytes += size;
        Ok(())
    }

    /// Where the copy is now.
    fn place(&mut self) -> Result<Place, EngineError> {
        let bytes = match &mut self.archive {
            Some(archive) => {
                let position = archive.flush().and_then(|()| io::Seek::stream_position(archive.get_mut()));
                position.map_err(|error| cannot("write", &self.target, &error))?
            }
            None => 0,
        };
        Ok(Place { bytes, report: self.report.clone() })
    }

    /// Forgets what was put since a place.
    fn again(&mut self, place: &Place) -> Result<(), EngineError> {
        self.report = place.report.clone();
        let result = match &mut self.archive {
            Some(archive) => archive.flush().and_then(|()| {
                let file = archive.get_mut();
                file.set_len(place.bytes)?;
                io::Seek::seek(file, io::SeekFrom::Start(place.bytes)).map(drop)
            }),
            None => fs::remove_dir_all(self.target.join(STORE)).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            }),
        };
        result.map_err(|error| cannot("write", &self.target, &error))
    }

    /// Makes the copy durable, and gives an archive its name.
    fn end(self) -> Result<BackupReport, EngineError> {
        if let Some(mut archive) = self.archive {
            let part = part_of(&self.target);
            let end = tar::write_end(&mut archive).and_then(|()| archive.flush());
            end.and_then(|()| archive.get_ref().sync_all())
                .and_then(|()| fs::rename(&part, &self.target))
                .map_err(|error| cannot("write", &self.target, &error))?;
        }
        Ok(self.report)
    }
}

/// The name of an archive while it is written.
fn part_of(target: &Path) -> PathBuf {
    target.with_extension("tar.part")
}

/// Lets only a folder pass that is empty or not there.
fn empty(folder: &Path) -> Result<(), EngineError> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(cannot("read", folder, &error)),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(EngineError::usage(format!("{} holds something", folder.display()))
                .with_help("name a folder that is empty or not there, or for a backup a file that ends in .tar")),
        },
    }
}

fn no_backup(path: &Path) -> EngineError {
    EngineError::data(format!("{} is no backup: it has no {CONFIG}", path.display()))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> EngineError {
    EngineError::data(format!("cannot {what} {}: {error}", path.display()))
}
