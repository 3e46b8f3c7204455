//! Values for machines: exact numbers, RFC 3339 times, a period's first day.

use crate::cell::Cell;
use crate::number::exact;
use crate::period::{Clock, is_within_a_day};
use kepi_engine::{FrameColumn, FrameColumnKind};
use std::borrow::Cow;

/// A value as a machine reads it.
pub(super) enum Raw<'a> {
    Missing,
    Bool(bool),
    /// Digits that are a JSON number.
    Number(String),
    Text(Cow<'a, str>),
}

/// Turns a value into its raw form.
pub(super) fn raw<'a>(clock: &Clock, meta: &FrameColumn, cell: Cell<'a>) -> Raw<'a> {
    match cell {
        Cell::Missing => Raw::Missing,
        Cell::Bool(yes) => Raw::Bool(yes),
        Cell::Text(text) => Raw::Text(Cow::Borrowed(text)),
        Cell::Decimal(..) | Cell::Float(_) => exact(cell).map_or(Raw::Missing, Raw::Number),
        Cell::Date(_) => day(clock, cell),
        Cell::Instant(_) if meta.grain.as_ref().is_some_and(|grain| !is_within_a_day(grain)) => day(clock, cell),
        Cell::Instant(micros) => Raw::Text(Cow::Owned(clock.rfc3339(micros))),
    }
}

fn day<'a>(clock: &Clock, cell: Cell<'a>) -> Raw<'a> {
    clock.day(cell).map_or(Raw::Missing, |day| Raw::Text(Cow::Owned(day.to_string())))
}

/// The kind of a column as schema 1 calls it.
pub(super) fn kind_name(meta: &FrameColumn) -> &'static str {
    match meta.kind {
        FrameColumnKind::Period => "period",
        FrameColumnKind::Dimension => "dimension",
        _ => "value",
    }
}

/// Writes a JSON string.
pub(crate) fn json_text(out: &mut String, text: &str) {
    // A string has a JSON form, always.
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Writes a value as JSON.
pub(super) fn json_value(out: &mut String, value: &Raw<'_>) {
    match value {
        Raw::Missing => out.push_str("null"),
        Raw::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Raw::Number(digits) => out.push_str(digits),
        Raw::Text(text) => json_text(out, text),
    }
}
