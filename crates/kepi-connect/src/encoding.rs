//! Text in other encodings, as UTF-8.

use crate::error::{ConnectError, Result};
use crate::input::{Bytes, Input, head};
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8};
use std::io::{self, Cursor, Read};

/// A file's text as UTF-8 without a byte order mark.
pub(crate) struct Text {
    /// The bytes: UTF-8, except where the file is not what it says it is.
    pub(crate) bytes: Bytes,
    /// The encoding's name.
    pub(crate) encoding: &'static str,
    /// Whether the bytes were made by a decoder and so are UTF-8 for sure.
    pub(crate) decoded: bool,
}

/// Opens a file as text: by its byte order mark, else in the stated encoding, else as UTF-8.
pub(crate) fn open(input: &Input, stated: Option<&str>) -> Result<Text> {
    let mut bytes = input.bytes()?;
    let start = head(&mut bytes, 4096).map_err(|e| input.broken(&e))?;
    let mark = Encoding::for_bom(&start);
    let skip = mark.map_or(0, |(_, length)| length);
    let stated = stated.and_then(|label| Encoding::for_label(label.as_bytes()));
    let encoding = mark.map(|(encoding, _)| encoding).or(stated).unwrap_or(UTF_8);
    if mark.is_none() && stated.is_none() {
        refuse_binary(input, &start)?;
    }
    let old = has_old_line_ends(&start);
    let lines = |bytes: Bytes| if old { Box::new(LineEnds { input: bytes }) as Bytes } else { bytes };
    let rest = Cursor::new(start[skip..].to_vec()).chain(bytes);
    if encoding == UTF_8 {
        return Ok(Text { bytes: lines(Box::new(rest)), encoding: UTF_8.name(), decoded: false });
    }
    let decoder = encoding.new_decoder_without_bom_handling();
    let bytes =
        Box::new(Decoding { input: Box::new(rest), decoder, raw: vec![0; 1 << 16], have: 0, used: 0, ended: false });
    Ok(Text { bytes: lines(bytes), encoding: encoding.name(), decoded: true })
}

/// Whether lines end with a carriage return alone, as old Macs and some cash registers write them.
fn has_old_line_ends(start: &[u8]) -> bool {
    // One at the very end may have its line feed behind it.
    start.iter().rev().skip(1).any(|b| *b == b'\r') && !start.contains(&b'\n')
}

/// Turns carriage returns into line feeds while reading.
struct LineEnds {
    input: Bytes,
}

impl Read for LineEnds {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(out)?;
        out[..read].iter_mut().filter(|b| **b == b'\r').for_each(|b| *b = b'\n');
        Ok(read)
    }
}

/// Says what a file is that is no text in UTF-8.
fn refuse_binary(input: &Input, start: &[u8]) -> Result<()> {
    let zeros = start.iter().filter(|b| **b == 0).count();
    let not_text = |reason: &str| Err(ConnectError::NotText { file: input.name.clone(), reason: reason.to_string() });
    if start.starts_with(b"SQLite format 3\0") {
        return not_text(
            "it is an SQLite database, which a connector reads: `source orders from \"sqlite:orders\" with file = …`, see \
             docs/connectors/sqlite.md",
        );
    }
    if start.starts_with(b"PK\x03\x04") {
        return not_text("it is a zip archive, as workbooks are too: save its tables as CSV");
    }
    if zeros * 4 > start.len() && start.len() > 3 {
        let even = start.iter().step_by(2).filter(|b| **b == 0).count();
        if even * 10 > start.len() * 4 && even * 2 > zeros {
            return not_text("it looks like UTF-16 without a byte order mark; say `--encoding utf-16be`");
        }
        if (zeros - even) * 10 > start.len() * 4 {
            return not_text("it looks like UTF-16 without a byte order mark; say `--encoding utf-16le`");
        }
    }
    let control = start.iter().filter(|b| **b < 0x20 && !matches!(**b, b'\n' | b'\r' | b'\t' | 0x1b | 0x0c)).count();
    if control * 20 > start.len() {
        return not_text(
            "it holds binary data; kepi reads CSV, TSV, JSON, Parquet and Arrow, plain or packed with gzip or zstd",
        );
    }
    Ok(())
}

/// Decodes while reading.
struct Decoding {
    input: Bytes,
    decoder: Decoder,
    raw: Vec<u8>,
    have: usize,
    used: usize,
    ended: bool,
}

impl Read for Decoding {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // A decoder needs room for one character.
        if out.len() < 8 {
            let mut small = [0; 16];
            let read = self.read(&mut small)?;
            if read > out.len() {
                return Err(io::Error::other("the buffer for decoded text is too small"));
            }
            out[..read].copy_from_slice(&small[..read]);
            return Ok(read);
        }
        loop {
            if self.used == self.have && !self.ended {
                self.have = self.input.read(&mut self.raw)?;
                self.used = 0;
                self.ended = self.have == 0;
            }
            let (result, read, written, _) =
                self.decoder.decode_to_utf8(&self.raw[self.used..self.have], out, self.ended);
            self.used += read;
            if written > 0 || (self.ended && result == CoderResult::InputEmpty) {
                return Ok(written);
            }
        }
    }
}

/// The encoding to try when a text is not what it was taken for.
pub(crate) fn hint(encoding: &str) -> &'static str {
    if encoding == UTF_8.name() { "windows-1252" } else { "utf-8" }
}
