//! Rows that are gone at their source, by their declared ids.

use crate::column::Presented;
use crate::error::StoreError;
use crate::row_ids::{as_numbers, last_of_each, matches_in, stored_ids};
use crate::state::IdKind;
use crate::stream::Stream;
use crate::stream_load::{Fate, joined};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Int64Array, StringArray};
use arrow_schema::DataType;
use std::sync::Arc;

/// The ids as the stream has them; none: nothing of it can be meant.
pub(crate) fn ids_of_kind(pieces: &[ArrayRef], kind: IdKind) -> Result<Option<ArrayRef>, StoreError> {
    if pieces.is_empty() || kind == IdKind::None {
        return Ok(None);
    }
    let texts = Presented::RowId(IdKind::Text);
    let mut whole: Vec<ArrayRef> = Vec::new();
    for piece in pieces {
        whole.push(texts.present(Some(piece.clone()), piece.len())?);
    }
    let whole = joined(&whole, &DataType::Utf8)?;
    if kind == IdKind::Text {
        return Ok(Some(whole));
    }
    // An id that is no number is none of a stream whose ids are numbers.
    let number = |id: &str| as_numbers(&StringArray::from(vec![id])).map(|number| number.value(0));
    let numbers = whole.as_string::<i32>().iter().flatten().filter_map(number);
    Ok(Some(Arc::new(Int64Array::from_iter_values(numbers))))
}

/// Of ids that a load left out those that none of its rows has.
pub(crate) fn not_given(left_out: ArrayRef, given: Option<&[ArrayRef]>) -> Result<ArrayRef, StoreError> {
    let by_id = last_of_each(&left_out, |_, _| {});
    let mut keep: Vec<bool> = (0..left_out.len()).map(|row| left_out.is_valid(row)).collect();
    for piece in given.unwrap_or_default() {
        for (_, row) in matches_in(piece, &by_id) {
            keep[row as usize] = false;
        }
    }
    // Of an id that was left out several times the last stands for all.
    let mut last = vec![false; left_out.len()];
    matches_in(&left_out, &by_id).into_iter().for_each(|(_, row)| last[row as usize] = true);
    keep.iter_mut().zip(last).for_each(|(keep, last)| *keep &= last);
    Ok(arrow_select::filter::filter(&left_out, &keep.into())?)
}

/// A row of the load that is removed by the same load is not stored.
pub(crate) fn drop_given(removed: &ArrayRef, given: &ArrayRef, fates: &mut [Fate]) {
    for (row, _) in matches_in(given, &last_of_each(removed, |_, _| {})) {
        fates[row as usize] = Fate::Known;
    }
}

/// Calls `found` with slot and row of each stored row that is removed.
pub(crate) fn find_stored(
    removed: &ArrayRef,
    stream: &Stream,
    mut found: impl FnMut(usize, u32),
) -> Result<(), StoreError> {
    let by_id = last_of_each(removed, |_, _| {});
    stored_ids(stream, &[], &by_id, removed, |slot, row, _, _| found(slot, row))
}
