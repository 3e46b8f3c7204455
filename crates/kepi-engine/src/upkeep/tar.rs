//! Tar archives, as far as a backup needs them: plain files with short names, read and written as they come.

use std::io::{self, Read, Write};

/// Files are padded to this many bytes.
const BLOCK: usize = 512;
/// The largest size that fits into eleven octal digits.
const OCTAL_MAX: u64 = 0o777_7777_7777;

/// Writes a file's header.
///
/// Errors: a name that the format has no room for.
pub(super) fn write_header(out: &mut dyn Write, name: &str, size: u64) -> io::Result<()> {
    let mut block = [0u8; BLOCK];
    let (prefix, short) =
        split(name).ok_or_else(|| io::Error::other(format!("the name {name} is too long for a tar file")))?;
    block[..short.len()].copy_from_slice(short.as_bytes());
    block[345..345 + prefix.len()].copy_from_slice(prefix.as_bytes());
    put(&mut block, 100, "0000644\0");
    put(&mut block, 108, "0000000\0");
    put(&mut block, 116, "0000000\0");
    if size <= OCTAL_MAX {
        put(&mut block, 124, &format!("{size:011o}\0"));
    } else {
        // What all tars of today write beyond eight gigabytes: a mark, then the number in binary.
        block[124] = 0x80;
        block[128..136].copy_from_slice(&size.to_be_bytes());
    }
    put(&mut block, 136, "00000000000\0");
    block[156] = b'0';
    put(&mut block, 257, "ustar\0");
    put(&mut block, 263, "00");
    let sum = checksum(&block);
    put(&mut block, 148, &format!("{sum:06o}\0 "));
    out.write_all(&block)
}

/// Writes what comes behind a file of this size.
pub(super) fn write_padding(out: &mut dyn Write, size: u64) -> io::Result<()> {
    out.write_all(&[0; BLOCK][..padding(size)])
}

/// Writes the end of the archive.
pub(super) fn write_end(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

/// Reads an archive: `each` is called with every file's name, size and bytes, and has to read all of them.
///
/// Errors: what is no archive of plain files, or ends too early.
pub(super) fn read(
    input: &mut dyn Read,
    each: &mut dyn FnMut(&str, u64, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        let mut block = [0u8; BLOCK];
        input.read_exact(&mut block).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "it is no tar file, or it ends too early"),
            _ => error,
        })?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let odd = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let sum = octal(&block[148..156]).ok_or_else(|| odd("it is no tar file"))?;
        if sum != checksum(&block) {
            return Err(odd("it is no tar file, or it is damaged"));
        }
        let size = match block[124] {
            0x80 => u64::from_be_bytes(block[128..136].try_into().map_err(|_| odd("a size"))?),
            _ => octal(&block[124..136]).ok_or_else(|| odd("it is no tar file, or it is damaged"))?,
        };
        let text = |bytes: &[u8]| -> io::Result<String> {
            let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
            String::from_utf8(bytes.to_vec()).map_err(|_| odd("a name in it is not UTF-8"))
        };
        let (short, prefix) = (text(&block[..100])?, text(&block[345..500])?);
        let name = if prefix.is_empty() { short } else { format!("{prefix}/{short}") };
        match block[156] {
            b'0' | 0 => {
                let mut bytes = input.take(size);
                each(name.strip_prefix("./").unwrap_or(&name), size, &mut bytes)?;
                if bytes.limit() > 0 {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends too early"));
                }
            }
            b'5' => {}
            _ => return Err(odd(&format!("{name} in it is no plain file"))),
        }
        if block[156] != b'5' {
            input.read_exact(&mut [0; BLOCK][..padding(size)])?;
        }
    }
}

fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

/// A name in two parts, of up to 155 and up to 100 bytes.
fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= 100 {
        return Some(("", name));
    }
    let cuts = name.match_indices('/').map(|(at, _)| (&name[..at], &name[at + 1..]));
    cuts.into_iter().find(|(prefix, short)| prefix.len() <= 155 && short.len() <= 100 && !short.is_empty())
}

fn put(block: &mut [u8; BLOCK], at: usize, text: &str) {
    block[at..at + text.len()].copy_from_slice(text.as_bytes());
}

/// The sum of a header's bytes, its own field read as blanks.
fn checksum(block: &[u8; BLOCK]) -> u64 {
    let own = |at: usize| (148..156).contains(&at);
    block.iter().enumerate().map(|(at, byte)| if own(at) { 32 } else { u64::from(*byte) }).sum()
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches(|c: char| c == '\0' || c == ' ');
    u64::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let long = format!("{}/{}", "d".repeat(120), "f".repeat(90));
        let files = [("a", vec![1u8; 3]), ("empty", Vec::new()), (long.as_str(), vec![7; 512]), ("b/c", vec![9; 513])];
        let mut bytes = Vec::new();
        for (name, body) in &files {
            write_header(&mut bytes, name, body.len() as u64).unwrap();
            bytes.extend(body);
            write_padding(&mut bytes, body.len() as u64).unwrap();
        }
        write_end(&mut bytes).unwrap();
        let mut found = Vec::new();
        let mut each = |name: &str, _: u64, input: &mut dyn Read| {
            let mut body = Vec::new();
            input.read_to_end(&mut body)?;
            found.push((name.to_string(), body));
            Ok(())
        };
        read(&mut bytes.as_slice(), &mut each).unwrap();
        assert_eq!(found, files.map(|(name, body)| (name.to_string(), body)));
        for cut in [0, 100, 511, 514, bytes.len() / 2] {
            let mut nothing = |_: &str, _: u64, input: &mut dyn Read| io::copy(input, &mut io::sink()).map(drop);
            assert!(read(&mut &bytes[..cut], &mut nothing).is_err(), "cut at {cut}");
        }
        assert!(write_header(&mut Vec::new(), &"x".repeat(101), 0).is_err());
    }

    #[test]
    fn sizes_beyond_eight_gigabytes_are_kept() {
        let mut header = Vec::new();
        write_header(&mut header, "big", 10 << 30).unwrap();
        let mut seen = 0;
        // The bytes are not there, which is an error behind the size.
        let result = read(&mut header.as_slice(), &mut |_, size, _| {
            seen = size;
            Ok(())
        });
        assert!(result.is_err() && seen == 10 << 30);
    }
}
