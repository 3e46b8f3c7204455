//! The bytes of files: patterns, standard input, and what is packed with gzip or zstd.

use crate::error::{ConnectError, Result};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file to read, as often as needed.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// Its name in messages.
    pub(crate) name: String,
    path: PathBuf,
    packing: Packing,
    /// Keeps a copy alive that is removed afterwards.
    _copy: Option<Arc<tempfile::TempPath>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// Bytes to read, on any thread.
pub(crate) type Bytes = Box<dyn Read + Send>;

/// The files that patterns name, in the order of the patterns and sorted within one. `-` is standard input.
pub(crate) fn find(patterns: &[String]) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for pattern in patterns {
        if pattern == "-" {
            inputs.push(standard_input()?);
        } else if Path::new(pattern).exists() || !pattern.contains(['*', '?', '[']) {
            inputs.push(Input::open(PathBuf::from(pattern))?);
        } else {
            let no_match = || ConnectError::NoMatch { pattern: pattern.clone() };
            let paths =
                glob::glob(pattern).map_err(|e| ConnectError::Read { file: pattern.clone(), reason: e.to_string() })?;
            let mut paths: Vec<PathBuf> = paths.filter_map(|p| p.ok()).filter(|p| p.is_file()).collect();
            paths.sort();
            if paths.is_empty() {
                return Err(no_match());
            }
            for path in paths {
                inputs.push(Input::open(path)?);
            }
        }
    }
    match inputs.is_empty() {
        true => Err(ConnectError::NoMatch { pattern: patterns.join(" ") }),
        false => Ok(inputs),
    }
}

fn standard_input() -> Result<Input> {
    let name = "standard input".to_string();
    let failed = |e: io::Error| ConnectError::Read { file: "standard input".to_string(), reason: e.to_string() };
    // Detection reads the start twice and inference everything, so it is kept in a file.
    let mut copy = tempfile::NamedTempFile::new().map_err(failed)?;
    io::copy(&mut io::stdin().lock(), &mut copy).map_err(failed)?;
    let copy = copy.into_temp_path();
    Input::of(name, copy.to_path_buf(), Some(Arc::new(copy)))
}

impl Input {
    fn open(path: PathBuf) -> Result<Input> {
        let name = path.display().to_string();
        if path.is_dir() {
            return Err(ConnectError::Read {
                file: name,
                reason: "it is a folder; name its files, such as `folder/*.csv`".into(),
            });
        }
        Input::of(name, path, None)
    }

    /// Text that is in memory already; readers read more than once, so it goes through a file of its own.
    pub(crate) fn in_memory(name: String, text: Vec<u8>) -> Result<Input> {
        let failed = |e: io::Error| ConnectError::Read { file: name.clone(), reason: e.to_string() };
        let mut copy = tempfile::NamedTempFile::new().map_err(failed)?;
        io::Write::write_all(&mut copy, &text).map_err(failed)?;
        let copy = copy.into_temp_path();
        Input::of(name, copy.to_path_buf(), Some(Arc::new(copy)))
    }

    fn of(name: String, path: PathBuf, copy: Option<Arc<tempfile::TempPath>>) -> Result<Input> {
        let mut input = Input { name, path, packing: Packing::Plain, _copy: copy };
        let start = head(&mut input.bytes()?, 4).map_err(|e| input.broken(&e))?;
        input.packing = match start.as_slice() {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Packing::Zstd,
            _ => Packing::Plain,
        };
        Ok(input)
    }

    /// The file's own name without folder and extensions, for naming what is in it.
    pub(crate) fn stem(&self) -> String {
        if self._copy.is_some() {
            return "input".to_string();
        }
        let name = self.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let stem = name.trim_start_matches('.').split('.').next().unwrap_or_default();
        stem.to_string()
    }

    /// The contents, unpacked.
    pub(crate) fn bytes(&self) -> Result<Bytes> {
        let file = File::open(&self.path).map_err(|e| self.broken(&e))?;
        Ok(match self.packing {
            Packing::Plain => Box::new(file),
            Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, file))),
            Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(file).map_err(|e| self.broken(&e))?),
        })
    }

    /// The contents as a file of their own, for formats that are read from their end.
    pub(crate) fn file(&self) -> Result<File> {
        let failed = |e: io::Error| self.broken(&e);
        if self.packing == Packing::Plain {
            return File::open(&self.path).map_err(failed);
        }
        let mut file = tempfile::tempfile().map_err(failed)?;
        io::copy(&mut self.bytes()?, &mut file).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        Ok(file)
    }

    /// The error of a read, in words.
    pub(crate) fn broken(&self, error: &io::Error) -> ConnectError {
        let packed = match self.packing {
            Packing::Plain => return ConnectError::Read { file: self.name.clone(), reason: error.to_string() },
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
        };
        let reason = match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("the {packed} data break off: the file is cut short"),
            _ => format!("the {packed} data are damaged ({error})"),
        };
        ConnectError::Malformed { file: self.name.clone(), reason }
    }
}

/// The first bytes, at most `length` of them.
pub(crate) fn head(reader: &mut dyn Read, length: u64) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.take(length).read_to_end(&mut start)?;
    Ok(start)
}
