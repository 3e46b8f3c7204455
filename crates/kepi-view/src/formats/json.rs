//! JSON, schema 1: one object per answer, written whole; several answers are an array of them.
//!
//! The schema is a promise (`docs` of the command, `--format json`): a change that a reader could notice is a new
//! number.

use super::Format;
use super::raw::{json_text, json_value, kind_name, raw};
use crate::cell::{Column, columns, totals};
use crate::period::{Clock, is_within_a_day};
use crate::unit::{type_name, unit_name};
use crate::{Look, ViewError};
use kepi_engine::{Answer, FrameColumnKind};

pub(super) const FORMAT: Format = Format {
    name: "json",
    about: "one object per answer with columns, rows and notes; a stable schema",
    endings: &["json"],
    has_notes: true,
    has_totals: true,
    write,
};

const SCHEMA: u32 = 1;

fn write(answers: &[Answer], _look: Look) -> Result<Vec<u8>, ViewError> {
    let objects = answers.iter().map(object).collect::<Result<Vec<_>, _>>()?;
    let text = match objects.as_slice() {
        [one] => format!("{one}\n"),
        several => format!("[\n{}\n]\n", several.join(",\n")),
    };
    Ok(text.into_bytes())
}

fn object(answer: &Answer) -> Result<String, ViewError> {
    let clock = Clock::new(&answer.zone);
    let frame = &answer.frame;
    let columns = columns(frame)?;
    let mut out = format!("{{\n  \"schema\": {SCHEMA},\n  \"query\": ");
    json_text(&mut out, &answer.query);
    out.push_str(",\n  \"as_of\": ");
    json_text(&mut out, &clock.rfc3339(answer.as_of));
    out.push_str(",\n  \"columns\": ");
    list(&mut out, &columns, |out, column| describe(out, column));
    out.push_str(",\n  \"rows\": ");
    let rows: Vec<usize> = (0..frame.rows.num_rows()).collect();
    list(&mut out, &rows, |out, &index| row(out, &clock, &columns, index));
    if let Some(totals) = totals(frame)? {
        out.push_str(",\n  \"totals\": ");
        // One row mostly; a list where the answer has totals of its own, per step or per age.
        match frame.totals.as_ref().map_or(0, |batch| batch.num_rows()) {
            0 => out.push_str("null"),
            1 => row(&mut out, &clock, &totals, 0),
            count => list(&mut out, &(0..count).collect::<Vec<_>>(), |out, &index| row(out, &clock, &totals, index)),
        }
    }
    out.push_str(",\n  \"partial\": ");
    let by_instant = frame
        .columns
        .iter()
        .find(|c| c.kind == FrameColumnKind::Period)
        .is_none_or(|c| c.grain.as_ref().is_none_or(is_within_a_day));
    list(&mut out, &frame.partial, |out, period| {
        let start = match clock.day(crate::cell::Cell::Instant(period.start)) {
            Some(day) if !by_instant => day.to_string(),
            _ => clock.rfc3339(period.start),
        };
        pair(out, ("period", &start), ("reason", &period.reason));
    });
    if !frame.partial_rows.is_empty() {
        out.push_str(",\n  \"partial_rows\": ");
        list(&mut out, &frame.partial_rows, |out, partial| {
            out.push_str(&format!("{{\"row\": {}, \"reason\": ", partial.row));
            json_text(out, &partial.reason);
            out.push('}');
        });
    }
    out.push_str(",\n  \"notes\": ");
    list(&mut out, &frame.notes, |out, note| pair(out, ("code", &note.code), ("text", &note.text)));
    let elapsed_ms = answer.elapsed.as_micros() as f64 / 1000.0;
    out.push_str(&format!(
        ",\n  \"elapsed_ms\": {elapsed_ms},\n  \"rows_scanned\": {},\n  \"snapshot\": {}\n}}",
        frame.rows_scanned, answer.snapshot
    ));
    Ok(out)
}

/// Writes an array, an item per line.
fn list<T>(out: &mut String, items: &[T], item: impl Fn(&mut String, &T)) {
    out.push('[');
    for (index, each) in items.iter().enumerate() {
        out.push_str(if index == 0 { "\n    " } else { ",\n    " });
        item(out, each);
    }
    out.push_str(if items.is_empty() { "]" } else { "\n  ]" });
}

fn pair(out: &mut String, first: (&str, &str), second: (&str, &str)) {
    out.push_str(&format!("{{\"{}\": ", first.0));
    json_text(out, first.1);
    out.push_str(&format!(", \"{}\": ", second.0));
    json_text(out, second.1);
    out.push('}');
}

fn describe(out: &mut String, column: &Column<'_>) {
    out.push_str("{\"name\": ");
    json_text(out, &column.meta.name);
    out.push_str(&format!(
        ", \"kind\": \"{}\", \"type\": \"{}\", \"unit\": ",
        kind_name(column.meta),
        type_name(column.meta)
    ));
    match unit_name(column.meta) {
        Some(unit) => json_text(out, &unit),
        None => out.push_str("null"),
    }
    out.push('}');
}

fn row(out: &mut String, clock: &Clock, columns: &[Column<'_>], index: usize) {
    out.push('[');
    for (position, column) in columns.iter().enumerate() {
        if position > 0 {
            out.push_str(", ");
        }
        json_value(out, &raw(clock, column.meta, column.cells[index]));
    }
    out.push(']');
}
