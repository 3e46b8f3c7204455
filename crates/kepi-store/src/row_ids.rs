//! Rows by their declared id: the last of each in a load, and the stored ones that a load has again.

use crate::column::Presented;
use crate::error::StoreError;
use crate::identity::{Folded, hashes};
use crate::key_table::KeyTable;
use crate::segment_index::{Range, range};
use crate::stream::Stream;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, StringArray, UInt32Array};
use kepi_extension::ID;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// Rows by id.
pub(crate) enum ById {
    Numbers(HashMap<i64, u32, BuildHasherDefault<Folded>>),
    /// The numbers of the texts, and by number the row.
    Texts(KeyTable, Vec<u32>),
}

/// Whether the ids, in pieces, are numbers that only rise, as they do in most exports: then none is there twice, and no
/// table of them is needed to tell.
pub(crate) fn are_rising(pieces: &[ArrayRef]) -> bool {
    let mut last: Option<i64> = None;
    pieces.iter().all(|ids| {
        let Some(numbers) = ids.as_primitive_opt::<Int64Type>() else { return false };
        let follows = match (last, numbers.values().first()) {
            (Some(last), Some(first)) => last < *first,
            _ => true,
        };
        last = numbers.values().last().copied().or(last);
        follows && numbers.null_count() == 0 && numbers.values().is_sorted_by(|a, b| a < b)
    })
}

/// Finds the last row of each id, and calls `superseded` with each row before it and the next one of that id.
pub(crate) fn last_of_each(ids: &ArrayRef, mut superseded: impl FnMut(usize, usize)) -> ById {
    match ids.as_primitive_opt::<Int64Type>() {
        Some(numbers) => {
            let mut rows = HashMap::with_capacity_and_hasher(numbers.len(), BuildHasherDefault::default());
            for row in (0..numbers.len()).filter(|&row| numbers.is_valid(row)) {
                if let Some(earlier) = rows.insert(numbers.value(row), row as u32) {
                    superseded(earlier as usize, row);
                }
            }
            ById::Numbers(rows)
        }
        None => {
            let texts = ids.as_string::<i32>();
            let (mut table, mut rows) = (KeyTable::default(), Vec::new());
            for row in (0..texts.len()).filter(|&row| texts.is_valid(row)) {
                let (number, new) = table.insert(texts.value(row));
                match new {
                    true => rows.push(row as u32),
                    false => {
                        let earlier = std::mem::replace(&mut rows[number as usize], row as u32);
                        superseded(earlier as usize, row);
                    }
                }
            }
            ById::Texts(table, rows)
        }
    }
}

/// Calls `found` with slot, row, content hash and the load's row for each stored row whose id the load has.
pub(crate) fn stored_ids(
    stream: &Stream,
    presented: &[(String, Presented)],
    by_id: &ById,
    given: &ArrayRef,
    mut found: impl FnMut(usize, u32, u128, usize),
) -> Result<(), StoreError> {
    let wanted = range(given);
    for (slot_number, slot) in stream.slots.iter().enumerate() {
        for (number, chunk) in slot.segment.chunks.iter().enumerate() {
            if let (Some(Range::Whole(low, high)), Some(Range::Whole(from, to))) =
                (slot.segment.range(number, ID), wanted)
                && (high < from || low > to)
            {
                continue;
            }
            let Some(ids) = slot.segment.column(number, ID)? else { continue };
            let matches = matches_in(&Presented::RowId(stream.schema.ids).present(Some(ids), chunk.rows)?, by_id);
            let still = |row: u32| slot.gone.binary_search(&(chunk.start as u32 + row)).is_err();
            let matches: Vec<(u32, u32)> = matches.into_iter().filter(|&(row, _)| still(row)).collect();
            if matches.is_empty() {
                continue;
            }
            let positions = UInt32Array::from_iter_values(matches.iter().map(|m| m.0));
            let mut columns = Vec::new();
            for (name, presented) in presented {
                let stored = match slot.segment.column(number, name)? {
                    Some(stored) => Some(arrow_select::take::take(&stored, &positions, None)?),
                    None => None,
                };
                columns.push(presented.present(stored, positions.len())?);
            }
            let hashes = hashes(&columns, positions.len());
            for ((row, given), hash) in matches.into_iter().zip(hashes) {
                found(slot_number, chunk.start as u32 + row, hash, given as usize);
            }
        }
    }
    Ok(())
}

/// Rows of a column of ids, each with the row that has its id.
pub(crate) fn matches_in(ids: &ArrayRef, by_id: &ById) -> Vec<(u32, u32)> {
    let rows = (0..ids.len()).filter(|&row| ids.is_valid(row));
    match by_id {
        ById::Numbers(known) => {
            let ids = ids.as_primitive::<Int64Type>();
            rows.filter_map(|row| Some((row as u32, *known.get(&ids.value(row))?))).collect()
        }
        ById::Texts(table, known) => {
            let ids = ids.as_string::<i32>();
            rows.filter_map(|row| Some((row as u32, known[table.get(ids.value(row))? as usize]))).collect()
        }
    }
}

/// Ids as numbers, where each is written as a number is: `7`, not `007`, which is another id.
pub(crate) fn as_numbers(ids: &StringArray) -> Option<Int64Array> {
    let mut out = Vec::with_capacity(ids.len());
    for id in ids {
        out.push(match id {
            Some(id) => plain_number(id.as_bytes())?,
            None => 0,
        });
    }
    Some(Int64Array::new(out.into(), ids.nulls().cloned()))
}

/// The number that is written in just these characters.
fn plain_number(id: &[u8]) -> Option<i64> {
    let (negative, digits) = match id {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // Nineteen digits always fit into 64 bits without a sign.
    let plain = match digits {
        [b'0'] => !negative,
        [b'1'..=b'9', rest @ ..] => rest.len() < 19,
        _ => false,
    };
    if !plain {
        return None;
    }
    let mut number = 0u64;
    for &digit in digits {
        number = number * 10 + u64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    if negative { 0i64.checked_sub_unsigned(number) } else { i64::try_from(number).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plain_form_is_a_number() {
        for number in [0, 1, -1, 10, 987, i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1] {
            assert_eq!(plain_number(number.to_string().as_bytes()), Some(number));
        }
        let others = [
            "",
            "-",
            "007",
            "-0",
            "+7",
            "-07",
            " 7",
            "7 ",
            "1e3",
            "0x1",
            "a",
            "9223372036854775808",
            "-9223372036854775809",
            "9999999999999999999",
            "99999999999999999999",
            "1.0",
        ];
        for text in others {
            assert_eq!(plain_number(text.as_bytes()), None, "{text}");
        }
    }
}
