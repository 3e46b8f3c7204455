//! CSV: raw values below a header, quoted as RFC 4180 says, lines ending with a line feed.
//!
//! Missing is empty, an empty text is `""`.
//!
//! A spreadsheet runs a text that begins like a formula. In the format `sheet`, which is the same otherwise, such a
//! *text* (never a number) gets an apostrophe in front, which spreadsheets do not show.

use super::Format;
use super::raw::{Raw, raw};
use crate::ViewError;
use crate::cell::{columns, in_words};
use crate::period::Clock;
use crate::text::inert_but;
use kepi_engine::Answer;

pub(super) const FORMAT: Format = Format {
    name: "csv",
    about: "raw values, for scripts",
    endings: &["csv"],
    has_notes: false,
    has_totals: false,
    write: |answers, _| write(answers, text),
};

pub(super) const SHEET: Format = Format {
    name: "sheet",
    about: "CSV for spreadsheets, in which no text becomes a formula",
    endings: &[],
    has_notes: false,
    has_totals: false,
    write: |answers, _| write(answers, defused),
};

fn write(answers: &[Answer], text: fn(&str) -> String) -> Result<Vec<u8>, ViewError> {
    let mut out = String::new();
    for (position, answer) in answers.iter().enumerate() {
        if position > 0 {
            out.push('\n');
        }
        let clock = Clock::new(&answer.zone);
        let columns = columns(&answer.frame)?;
        record(&mut out, columns.iter().map(|c| text(&c.meta.name)));
        for index in 0..answer.frame.rows.num_rows() {
            record(
                &mut out,
                columns.iter().map(|column| {
                    match raw(&clock, column.meta, in_words(column.meta, column.cells[index])) {
                        Raw::Missing => String::new(),
                        Raw::Bool(yes) => yes.to_string(),
                        Raw::Number(digits) => digits,
                        Raw::Text(value) => text(&value),
                    }
                }),
            );
        }
    }
    Ok(out.into_bytes())
}

fn record(out: &mut String, fields: impl Iterator<Item = String>) {
    for (position, field) in fields.enumerate() {
        if position > 0 {
            out.push(',');
        }
        out.push_str(&field);
    }
    out.push('\n');
}

/// A text as it is, in quotes where it needs them.
fn text(value: &str) -> String {
    // Line breaks and tabs are data that quotes carry safely; the rest would steer a terminal.
    let value = inert_but(value, |c| matches!(c, '\n' | '\r' | '\t'));
    let quoted = value.is_empty() || value.contains([',', '"', '\n', '\r']) || value != value.trim();
    if quoted { format!("\"{}\"", value.replace('"', "\"\"")) } else { value.into_owned() }
}

/// A text that no spreadsheet runs.
fn defused(value: &str) -> String {
    let formula = value.starts_with(['=', '@', '\t', '\r'])
        || (value.starts_with(['+', '-']) && value.len() > 1 && value.parse::<f64>().is_err());
    if formula { text(&format!("'{value}")) } else { text(value) }
}

#[cfg(test)]
mod tests {
    use super::{defused, text};

    #[test]
    fn texts_are_quoted_where_needed_and_formulas_defused_for_spreadsheets() {
        assert_eq!(text("plain"), "plain");
        assert_eq!(text(""), "\"\"");
        assert_eq!(text("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(text("two\nlines"), "\"two\nlines\"");
        for raw in ["=1+1", "-5", "-", "-12b", "+31612345678x", "@handle", "-cmd|' /C calc'!A0"] {
            assert_eq!(text(raw), raw);
        }
        assert_eq!(defused("=1+1"), "'=1+1");
        assert_eq!(defused("-5"), "-5");
        assert_eq!(defused("-"), "-");
        assert_eq!(defused("-cmd|' /C calc'!A0"), "'-cmd|' /C calc'!A0");
        assert_eq!(defused("=a,b"), "\"'=a,b\"");
        assert_eq!(text("a\x1b[0m"), "a␛[0m");
    }
}
