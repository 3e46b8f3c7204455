//! Compiled components on disk: the only unsafe code of this crate.
//!
//! A compiled component is machine code: whoever can write such a file decides what this process does. So the folder
//! must be this user's own, with mode 0700, and no link; a file in it is used only when its checksum is right, which
//! finds torn and damaged files (not forged ones: the folder's mode does that). Anything else is compiled anew.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

/// Compiles a component, or takes it from the folder where it was compiled before.
///
/// A folder that cannot be trusted or written is no reason to fail: it is said in the log and not used.
pub(super) fn compile(engine: &Engine, wasm: &[u8], folder: Option<&Path>) -> wasmtime::Result<Component> {
    let Some(folder) = folder else {
        return Component::new(engine, wasm);
    };
    if let Err(error) = private_folder(folder) {
        tracing::warn!(folder = %folder.display(), %error, "compiled plugins are not kept");
        return Component::new(engine, wasm);
    }
    let path = path_of(engine, wasm, folder);
    if let Some(component) = read(engine, &path) {
        return Ok(component);
    }
    let component = Component::new(engine, wasm)?;
    if let Err(error) = component.serialize().map_err(io::Error::other).and_then(|code| write(&path, &code)) {
        tracing::warn!(file = %path.display(), %error, "the compiled plugin is not kept");
    }
    Ok(component)
}

/// Where a component compiled with this engine is kept: another version of wasmtime or other options, another file.
fn path_of(engine: &Engine, wasm: &[u8], folder: &Path) -> PathBuf {
    let mut hasher = Xxh3Default::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    folder.join(format!("{:032x}-{:016x}.cwasm", xxh3_128(wasm), hasher.finish()))
}

/// Makes the folder if it is not there; an error if anyone else could have put something into it.
#[cfg(unix)]
fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let metadata = fs::symlink_metadata(folder)?;
    // A file made now belongs to this user; the folder must too.
    let probe = folder.join(format!(".owner-{}", std::process::id()));
    let made = fs::File::create(&probe).and_then(|file| file.metadata());
    let removed = fs::remove_file(&probe);
    if !metadata.is_dir() {
        return Err(io::Error::other("it is no folder"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(io::Error::other("others may read or write it; its mode must be 0700"));
    }
    if made?.uid() != metadata.uid() {
        return Err(io::Error::other("it belongs to another user"));
    }
    removed
}

/// Without owners and modes nothing can be trusted.
#[cfg(not(unix))]
fn private_folder(_folder: &Path) -> io::Result<()> {
    Err(io::Error::other("only on unix can the folder be known to be private"))
}

/// Writes a checksum and the code, whole or not at all.
fn write(path: &Path, code: &[u8]) -> io::Result<()> {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let mut file = fs::File::create(&temporary)?;
    file.write_all(&xxh3_128(code).to_le_bytes())?;
    file.write_all(code)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

/// Reads a compiled component; none: there is none, or it is damaged or of another engine.
#[allow(unsafe_code)] // See the module's text.
fn read(engine: &Engine, path: &Path) -> Option<Component> {
    let bytes = fs::read(path).ok()?;
    let (checksum, code) = bytes.split_first_chunk::<16>()?;
    if xxh3_128(code) != u128::from_le_bytes(*checksum) {
        return None;
    }
    // SAFETY: `code` came out of `Component::serialize` of this program: only `write` makes files in this folder, and
    // nobody else could, since `private_folder` saw that it is ours with mode 0700. The checksum says that it is what
    // `write` wrote, and wasmtime itself refuses the code of another version or configuration.
    unsafe { Component::deserialize(engine, code) }.ok()
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;
    use crate::wasm::engine::Runtime;
    use std::os::unix::fs::PermissionsExt;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn compiled_once_and_never_taken_damaged() {
        let engine = &Runtime::get().unwrap().engine;
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("compiled");
        compile(engine, EMPTY, Some(&folder)).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let path = path_of(engine, EMPTY, &folder);
        assert!(read(engine, &path).is_some());
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(read(engine, &path).is_none());
        compile(engine, EMPTY, Some(&folder)).unwrap();
        assert!(read(engine, &path).is_some());
        let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }

    #[test]
    fn a_folder_open_to_others_is_not_used() {
        let engine = &Runtime::get().unwrap().engine;
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("open");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        compile(engine, EMPTY, Some(&folder)).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        let link = root.path().join("link");
        std::os::unix::fs::symlink(root.path(), &link).unwrap();
        assert!(private_folder(&link).is_err());
    }
}
