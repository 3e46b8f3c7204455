//! JSON lines: an object per row, keyed by the columns' names; the rows of several answers follow each other.

use super::Format;
use super::raw::{json_text, json_value, raw};
use crate::cell::columns;
use crate::period::Clock;
use crate::{Look, ViewError};
use kepi_engine::Answer;

pub(super) const FORMAT: Format = Format {
    name: "jsonl",
    about: "an object per row",
    endings: &["jsonl", "ndjson"],
    has_notes: false,
    has_totals: false,
    write,
};

fn write(answers: &[Answer], _look: Look) -> Result<Vec<u8>, ViewError> {
    let mut out = String::new();
    for answer in answers {
        let clock = Clock::new(&answer.zone);
        let columns = columns(&answer.frame)?;
        let keys = keys(columns.iter().map(|c| c.meta.name.as_str()));
        for index in 0..answer.frame.rows.num_rows() {
            out.push('{');
            for (position, (column, key)) in columns.iter().zip(&keys).enumerate() {
                if position > 0 {
                    out.push_str(", ");
                }
                json_text(&mut out, key);
                out.push_str(": ");
                json_value(&mut out, &raw(&clock, column.meta, column.cells[index]));
            }
            out.push_str("}\n");
        }
    }
    Ok(out.into_bytes())
}

/// The names as keys: a name that stands twice gets a number, since a key that stands twice loses a value.
fn keys<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for name in names {
        let mut key = name.to_string();
        let mut number = 2;
        while keys.contains(&key) {
            key = format!("{name} {number}");
            number += 1;
        }
        keys.push(key);
    }
    keys
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_that_stand_twice_are_numbered() {
        assert_eq!(super::keys(["a", "b", "a", "a 2", "a"].into_iter()), ["a", "b", "a 2", "a 2 2", "a 3"]);
    }
}
