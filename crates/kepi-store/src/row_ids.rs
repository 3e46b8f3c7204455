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

/// Whether the ids are numbers that only rise, as they do in most exports: then none is there twice, and no table of
/// them is needed to tell.
pub(crate) fn are_rising(ids: &ArrayRef) -> bool {
    let numbers = ids.as_primitive_opt::<Int64Type>();
    numbers.is_some_and(|numbers| numbers.null_count() == 0 && numbers.values().is_sorted_by(|a, b| a < b))
}

/// Finds the last row of each id, and calls `superseded` with the rows before it.
pub(crate) fn last_of_each(ids: &ArrayRef, mut superseded: impl FnMut(usize)) -> ById {
    match ids.as_primitive_opt::<Int64Type>() {
        Some(numbers) => {
            let mut rows = HashMap::with_capacity_and_hasher(numbers.len(), BuildHasherDefault::default());
            for row in (0..numbers.len()).filter(|&row| numbers.is_valid(row)) {
                if let Some(earlier) = rows.insert(numbers.value(row), row as u32) {
                    superseded(earlier as usize);
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
                        superseded(earlier as usize);
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

fn matches_in(ids: &ArrayRef, by_id: &ById) -> Vec<(u32, u32)> {
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
    let parse = |id: &str| {
        let number: i64 = id.parse().ok()?;
        let digits = id.strip_prefix('-').unwrap_or(id);
        let plain = digits == "0" || !(digits.starts_with('0') || digits.starts_with('+'));
        (plain && id != "-0").then_some(number)
    };
    let mut out = Vec::with_capacity(ids.len());
    for id in ids {
        out.push(match id {
            Some(id) => Some(parse(id)?),
            None => None,
        });
    }
    Some(Int64Array::from(out))
}
