//! Cuts delimited text into records and cells: quotes, embedded line breaks, runs of blanks.

use crate::options::Delimiter;

/// A cell's place in the buffer, without its quotes and without blanks around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Whether quotes inside are doubled, or text follows the closing quote.
    pub(crate) escaped: bool,
}

/// What [`split`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A record: how many bytes with its line break, and how many lines.
    Record { length: usize, lines: u64 },
    /// The buffer ends within the record.
    More,
    /// A quote is opened and not closed; the bytes of the record's first line.
    Unclosed { length: usize },
}

/// Where a quoted cell is taken for one whose closing quote is missing.
const QUOTED_BYTES_MAX: usize = 4 << 20;

/// Cuts the first record of the buffer into cells. `last`: no bytes come behind the buffer.
pub(crate) fn split(delimiter: Delimiter, buffer: &[u8], last: bool, cells: &mut Vec<Cell>) -> Step {
    cells.clear();
    match delimiter {
        Delimiter::Byte(byte) => split_at(byte, buffer, last, cells),
        Delimiter::Blanks => split_blanks(buffer, last, cells),
    }
}

fn split_at(delimiter: u8, buffer: &[u8], last: bool, cells: &mut Vec<Cell>) -> Step {
    let blank = |byte: u8| byte == b' ' || (byte == b'\t' && delimiter != b'\t');
    let mut pos = 0;
    let mut lines = 1;
    loop {
        let mut start = pos;
        while start < buffer.len() && blank(buffer[start]) {
            start += 1;
        }
        let mut end;
        if buffer.get(start) == Some(&b'"') {
            start += 1;
            let mut at = start;
            let mut escaped = false;
            loop {
                let Some(found) = buffer[at..].iter().position(|&b| b == b'"' || b == b'\n') else {
                    return unclosed(buffer, last);
                };
                at += found;
                if buffer[at] == b'\n' {
                    lines += 1;
                    at += 1;
                    if at > QUOTED_BYTES_MAX {
                        return unclosed(buffer, true);
                    }
                    continue;
                }
                match buffer.get(at + 1) {
                    Some(b'"') => {
                        escaped = true;
                        at += 2;
                    }
                    None if !last => return Step::More,
                    _ => break,
                }
            }
            end = at;
            pos = at + 1;
            while pos < buffer.len() && blank(buffer[pos]) {
                pos += 1;
            }
            if pos < buffer.len() && buffer[pos] != delimiter && buffer[pos] != b'\n' && buffer[pos] != b'\r' {
                // `"abc" def`: what follows the quote belongs to the cell, as other readers take it.
                pos += buffer[pos..].iter().position(|&b| b == delimiter || b == b'\n').unwrap_or(buffer.len() - pos);
                end = pos - usize::from(pos > 0 && buffer[pos - 1] == b'\r');
                escaped = true;
            } else if buffer.get(pos) == Some(&b'\r') {
                pos += 1;
            }
            cells.push(Cell { start, end, escaped });
        } else {
            pos = start
                + buffer[start..].iter().position(|&b| b == delimiter || b == b'\n').unwrap_or(buffer.len() - start);
            end = pos;
            if end > start && buffer[end - 1] == b'\r' && buffer.get(pos) != Some(&delimiter) {
                end -= 1;
            }
            while end > start && blank(buffer[end - 1]) {
                end -= 1;
            }
            cells.push(Cell { start, end, escaped: false });
        }
        match buffer.get(pos) {
            Some(b'\n') => return Step::Record { length: pos + 1, lines },
            Some(_) if buffer[pos] == delimiter => pos += 1,
            // A return within a line, behind a closing quote: the cell ends there.
            Some(_) => {}
            None if last => return Step::Record { length: pos, lines },
            None => return Step::More,
        }
    }
}

fn unclosed(buffer: &[u8], last: bool) -> Step {
    if !last {
        return Step::More;
    }
    let length = buffer.iter().position(|&b| b == b'\n').map_or(buffer.len(), |at| at + 1);
    Step::Unclosed { length }
}

fn split_blanks(buffer: &[u8], last: bool, cells: &mut Vec<Cell>) -> Step {
    let line = buffer.iter().position(|&b| b == b'\n');
    let (text, length) = match line {
        Some(at) => (&buffer[..at], at + 1),
        None if last => (buffer, buffer.len()),
        None => return Step::More,
    };
    let mut pos = 0;
    while pos < text.len() {
        if text[pos].is_ascii_whitespace() {
            pos += 1;
            continue;
        }
        let quoted = text[pos] == b'"';
        let start = pos + usize::from(quoted);
        if quoted {
            let Some(found) = text[start..].iter().position(|&b| b == b'"') else {
                return Step::Unclosed { length };
            };
            cells.push(Cell { start, end: start + found, escaped: false });
            pos = start + found + 1;
        } else {
            pos += text[pos..].iter().position(u8::is_ascii_whitespace).unwrap_or(text.len() - pos);
            cells.push(Cell { start, end: pos, escaped: false });
        }
    }
    Step::Record { length, lines: 1 }
}

/// Appends a cell's text to `out`: doubled quotes become one, a quote that only closes is dropped.
pub(crate) fn append(buffer: &[u8], cell: Cell, out: &mut Vec<u8>) {
    let bytes = &buffer[cell.start..cell.end];
    if !cell.escaped {
        out.extend_from_slice(bytes);
        return;
    }
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b'"' {
            if bytes.get(i + 1) != Some(&b'"') {
                i += 1;
                continue;
            }
            i += 1;
        }
        out.push(bytes[i]);
        i += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(delimiter: Delimiter, text: &str) -> (Vec<String>, Step) {
        let mut cells = Vec::new();
        let step = split(delimiter, text.as_bytes(), true, &mut cells);
        let texts = cells.iter().map(|&c| {
            let mut out = Vec::new();
            append(text.as_bytes(), c, &mut out);
            String::from_utf8(out).expect("cut at ASCII bytes")
        });
        (texts.collect(), step)
    }

    #[test]
    fn cuts_quotes_blanks_and_line_breaks() {
        let comma = Delimiter::Byte(b',');
        assert_eq!(cut(comma, "a, b ,\"c, \"\"d\"\"\"\r\nx").0, ["a", "b", "c, \"d\""]);
        assert_eq!(cut(comma, "\"a\nb\",c\n"), (vec!["a\nb".into(), "c".into()], Step::Record { length: 8, lines: 2 }));
        assert_eq!(cut(comma, "a,").0, ["a", ""]);
        assert_eq!(cut(comma, "\" a \",\"\"\n").0, [" a ", ""]);
        assert_eq!(cut(comma, "\"a\" b,c\n").0, ["a b", "c"]);
        assert_eq!(cut(comma, "\"a,b\nc\n").1, Step::Unclosed { length: 5 });
        assert_eq!(cut(Delimiter::Byte(b'\t'), "a\t\tb\n").0, ["a", "", "b"]);
        assert_eq!(
            cut(Delimiter::Blanks, " 00004 0001 19970101  2   29.33\r\n").0,
            ["00004", "0001", "19970101", "2", "29.33"]
        );
    }

    #[test]
    fn asks_for_more_when_the_buffer_ends_within_a_record() {
        let mut cells = Vec::new();
        for part in ["a,b", "a,\"b", "a,\"b\""] {
            assert_eq!(split(Delimiter::Byte(b','), part.as_bytes(), false, &mut cells), Step::More, "{part}");
        }
    }
}
