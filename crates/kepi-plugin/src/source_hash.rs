//! A built component carries the hash of its source in a custom section, so that the two cannot part unseen.
//!
//! The bytes of a component may differ between compilers; its source may not. This file stands alone, because the task
//! that builds the shipped plugins uses it too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3Default;

/// The custom section that holds the hash of the source, as 32 hexadecimal digits.
pub const SOURCE_SECTION: &str = "kepi-source";

/// Hashes what a plugin is built from, by path and content. Line ends do not count, since git may change them.
///
/// In Rust that is `Cargo.toml`, `Cargo.lock` and every file below `src/`, and the same of crates that are named by their
/// path; in other languages every file of Python, JavaScript and the contract below the folder, but what was installed there.
pub fn hash_sources(folder: &Path) -> io::Result<String> {
    let files = if folder.join("Cargo.toml").is_file() { of_rust(folder)? } else { of_others(folder)? };
    let mut named: Vec<(String, PathBuf)> =
        files.into_iter().map(|p| (p.to_string_lossy().replace('\\', "/"), p)).collect();
    named.sort();
    let mut hasher = Xxh3Default::new();
    for (name, path) in named {
        let content: Vec<u8> = fs::read(folder.join(path))?.into_iter().filter(|&byte| byte != b'\r').collect();
        // Lengths in front keep a file's end from being read as the next one's beginning.
        for part in [name.as_bytes(), &content] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    Ok(format!("{:032x}", hasher.digest128()))
}

/// The files of a crate and of those beside it.
fn of_rust(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = vec![PathBuf::from("Cargo.toml"), PathBuf::from("Cargo.lock")];
    let mut folders = vec![PathBuf::from("src")];
    let mut crates = vec![PathBuf::new()];
    let mut next = 0;
    while let Some(own) = crates.get(next).cloned() {
        for named in named_by_path(&fs::read_to_string(folder.join(&own).join("Cargo.toml"))?) {
            let other = own.join(named);
            if !crates.contains(&other) {
                files.push(other.join("Cargo.toml"));
                folders.push(other.join("src"));
                crates.push(other);
            }
        }
        next += 1;
    }
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(folder.join(&next))? {
            let entry = entry?;
            let path = next.join(entry.file_name());
            if entry.file_type()?.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    Ok(files)
}

/// The files of a plugin in Python or JavaScript. What its packages bring is not its own source.
fn of_others(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(next) = folders.pop() {
        if next != Path::new("") && folder.join(&next).join("pyvenv.cfg").is_file() {
            continue;
        }
        for entry in fs::read_dir(folder.join(&next))? {
            let entry = entry?;
            let (name, path) = (entry.file_name(), next.join(entry.file_name()));
            let installed = name == "node_modules" || name.to_string_lossy().starts_with(['.', '_']);
            if entry.file_type()?.is_dir() {
                folders.extend((!installed).then_some(path));
            } else if path.extension().is_some_and(|ending| ["py", "js", "mjs", "wit"].iter().any(|e| ending == *e)) {
                files.push(path);
            }
        }
    }
    Ok(files)
}

/// The paths in `name = { path = "…" }` of a Cargo.toml. Read by lines: the chore that uses this file reads no TOML.
fn named_by_path(manifest: &str) -> Vec<&str> {
    let lines = manifest.lines().filter(|line| !line.trim_start().starts_with('#') && line.contains('{'));
    lines.filter_map(|line| line.split_once("path = \"")?.1.split_once('"')).map(|(path, _)| path).collect()
}

/// Appends a custom section to a module or component.
pub fn append_custom_section(wasm: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut section = Vec::new();
    push_length(&mut section, name.len());
    section.extend_from_slice(name.as_bytes());
    section.extend_from_slice(content);
    wasm.push(0);
    push_length(wasm, section.len());
    wasm.extend_from_slice(&section);
}

/// Finds a custom section on the outermost level; none: it has none, or is no wasm file.
pub fn custom_section<'a>(wasm: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = wasm.strip_prefix(b"\0asm")?.get(4..)?;
    while let Some((&id, body)) = rest.split_first() {
        let (length, body) = take_length(body)?;
        let section = body.get(..length)?;
        rest = &body[length..];
        if id == 0 {
            let (name_length, section) = take_length(section)?;
            if section.get(..name_length)? == name.as_bytes() {
                return Some(&section[name_length..]);
            }
        }
    }
    None
}

/// Writes a length as unsigned LEB128.
fn push_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}

/// Reads a length as unsigned LEB128, with what is behind it.
fn take_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0_usize;
    for (index, &byte) in bytes.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((length, &bytes[index + 1..]));
        }
    }
    None
}
