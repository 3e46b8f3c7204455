//! Reading the rows of a stream in order: segments that do not overlap in time pass as they are, chunk by chunk;
//! where they overlap they are merged by (time, id, load).

use crate::aliases::Aliases;
use crate::column::Presented;
use crate::error::StoreError;
use crate::segment::Segment;
use crate::segment_index::CHUNK_ROWS;
use crate::state::IdKind;
use crate::stream::{Slot, Stream};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer};
use arrow_schema::{Field, Schema, SchemaRef};
use kepi_extension::{AT, ColumnKind, ID, ScanError};
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// So many rows are read together where nothing has to be merged: what is widened stays in the processor's cache.
const PIECE_ROWS: usize = 8_192;

/// Rows of one slot: positions in its segment.
#[derive(Clone, Debug)]
struct Rows {
    slot: usize,
    rows: Range<usize>,
}

/// The batches of one scan.
#[derive(Debug)]
pub(crate) struct Scan {
    slots: Vec<Slot>,
    ids: IdKind,
    dated: bool,
    schema: SchemaRef,
    columns: Vec<(String, Presented)>,
    /// Only rows that have this id in this column are wanted.
    only: Option<(String, u32)>,
    /// By column what its merged ids mean.
    aliases: Vec<(usize, Arc<Aliases>)>,
    /// What is still to be read: groups of rows that have to be merged; most have one member.
    groups: VecDeque<Vec<Rows>>,
    /// Batches that are ready.
    ready: VecDeque<RecordBatch>,
}

impl Scan {
    /// Plans a scan; `columns` without [`AT`], which comes first where the stream is dated.
    pub(crate) fn new(
        stream: &Stream,
        columns: &[String],
        from: Option<i64>,
        until: Option<i64>,
    ) -> Result<Scan, ScanError> {
        let dated = stream.schema.dated;
        let mut wanted = Vec::new();
        for column in dated.then_some(AT).into_iter().chain(columns.iter().map(String::as_str)) {
            let presented = stream.presented(column)?;
            let presented = presented.ok_or_else(|| ScanError::Unknown(format!("{}.{column}", stream.schema.name)))?;
            wanted.push((column.to_owned(), presented));
        }
        let fields: Vec<Field> = wanted.iter().map(|(name, p)| Field::new(name, p.data_type(), name != AT)).collect();
        let mut scan = Scan {
            slots: stream.slots.clone(),
            ids: stream.schema.ids,
            dated,
            schema: Arc::new(Schema::new(fields)),
            columns: wanted,
            only: None,
            aliases: Vec::new(),
            groups: VecDeque::new(),
            ready: VecDeque::new(),
        };
        match dated {
            true => scan.plan(from.unwrap_or(i64::MIN), until)?,
            false => scan.plan_undated(),
        }
        Ok(scan)
    }

    /// The same rows with what their ids mean instead of the ids that are stored.
    pub(crate) fn meaning(
        mut self,
        meaning: impl Fn(&str) -> Result<Option<Arc<Aliases>>, StoreError>,
    ) -> Result<Scan, StoreError> {
        for (place, (_, presented)) in self.columns.iter().enumerate() {
            if let Presented::Field(ColumnKind::Id { entity }, _) = presented {
                self.aliases.extend(meaning(entity)?.map(|aliases| (place, aliases)));
            }
        }
        Ok(self)
    }

    /// Only the rows that have this id, stored as it is, in this column: of chunks without one nothing else is read.
    pub(crate) fn of(self, column: &str, id: u32) -> Scan {
        Scan { only: Some((column.to_owned(), id)), ..self }
    }

    fn plan_undated(&mut self) {
        let all = self.slots.iter().enumerate().map(|(slot, s)| Rows { slot, rows: 0..s.segment.rows });
        match self.ids {
            // Nothing but the order of the loads orders them.
            IdKind::None => self.groups.extend(all.map(|rows| vec![rows])),
            _ => self.groups.push_back(all.collect()),
        }
    }

    fn plan(&mut self, from: i64, until: Option<i64>) -> Result<(), StoreError> {
        // Chunks by their first moment; those whose times touch form a cluster.
        let mut chunks = Vec::new();
        for (slot, s) in self.slots.iter().enumerate() {
            for chunk in &s.segment.chunks {
                if chunk.last >= from && until.is_none_or(|until| chunk.first < until) {
                    chunks.push((chunk.first, slot, chunk.start, chunk.rows, chunk.last));
                }
            }
        }
        chunks.sort_unstable();
        let mut next = 0;
        while next < chunks.len() {
            let start = next;
            let mut end = chunks[start].4;
            next += 1;
            while next < chunks.len() && chunks[next].0 <= end {
                end = end.max(chunks[next].4);
                next += 1;
            }
            let cluster = &chunks[start..next];
            let mut members: Vec<usize> = cluster.iter().map(|c| c.1).collect();
            members.sort_unstable();
            members.dedup();
            // Cut where chunks begin and end, so that most pieces have rows of one slot only and none is large.
            let mut cuts: Vec<i64> = Vec::new();
            if members.len() > 1 {
                cuts.extend(cluster.iter().map(|c| c.0));
                cuts.extend(cluster.iter().filter_map(|c| c.4.checked_add(1)));
                cuts.sort_unstable();
                cuts.dedup();
                cuts.retain(|&cut| cut > from.max(cluster[0].0) && until.is_none_or(|until| cut < until));
            }
            let low = from.max(cluster[0].0);
            let mut at: Vec<usize> = Vec::new();
            for &slot in &members {
                at.push(self.first_row(slot, low)?);
            }
            let high = match (until, end.checked_add(1)) {
                (Some(until), Some(end)) => Some(until.min(end)),
                (until, end) => until.or(end),
            };
            for cut in cuts.into_iter().map(Some).chain([high]) {
                let mut group = Vec::new();
                for (member, &slot) in members.iter().enumerate() {
                    let stop = match cut {
                        Some(cut) => self.first_row(slot, cut)?,
                        None => self.slots[slot].segment.rows,
                    };
                    if stop > at[member] {
                        group.push(Rows { slot, rows: at[member]..stop });
                        at[member] = stop;
                    }
                }
                if !group.is_empty() {
                    self.groups.push_back(group);
                }
            }
        }
        Ok(())
    }

    /// The first row of a slot that is not earlier than a moment.
    fn first_row(&self, slot: usize, moment: i64) -> Result<usize, StoreError> {
        let segment = &self.slots[slot].segment;
        let number = segment.chunks.partition_point(|c| c.last < moment);
        let Some(chunk) = segment.chunks.get(number) else { return Ok(segment.rows) };
        if chunk.first >= moment {
            return Ok(chunk.start);
        }
        let times = segment.column(number, AT)?;
        let times = times.ok_or_else(|| StoreError::Limit("a dated stream has rows without moments".into()))?;
        let times = times.as_primitive::<TimestampMicrosecondType>().values();
        Ok(chunk.start + times.partition_point(|&t| t < moment))
    }

    fn read(&mut self, group: Vec<Rows>) -> Result<(), StoreError> {
        if let [one] = group.as_slice() {
            for (chunk, rows) in self.chunks_of(one) {
                let columns = self.piece(one.slot, chunk, rows, &self.columns)?;
                self.emit(columns.1, columns.0)?;
            }
            return Ok(());
        }
        let mut wanted = self.columns.clone();
        let id = (self.ids != IdKind::None).then(|| {
            wanted.iter().position(|(name, _)| name == ID).unwrap_or_else(|| {
                wanted.push((ID.into(), Presented::RowId(self.ids)));
                wanted.len() - 1
            })
        });
        let mut pieces: Vec<Vec<ArrayRef>> = vec![Vec::new(); wanted.len()];
        let mut count = 0;
        for member in &group {
            for (chunk, rows) in self.chunks_of(member) {
                let (rows, columns) = self.piece(member.slot, chunk, rows, &wanted)?;
                count += rows;
                pieces.iter_mut().zip(columns).for_each(|(pieces, column)| pieces.push(column));
            }
        }
        let mut columns = Vec::new();
        for (pieces, (_, presented)) in pieces.iter().zip(&wanted) {
            columns.push(concat(pieces, presented)?);
        }
        let times = self.dated.then(|| columns[0].clone());
        let order = order(times.as_ref(), id.map(|id| &columns[id]), count);
        columns.truncate(self.columns.len());
        if let Some(order) = order {
            for column in &mut columns {
                *column = arrow_select::take::take(column, &order, None)?;
            }
        }
        self.emit(columns, count)
    }

    /// The chunks of some rows of a slot, with positions within the chunk.
    fn chunks_of(&self, rows: &Rows) -> Vec<(usize, Range<usize>)> {
        let chunks = &self.slots[rows.slot].segment.chunks;
        let first = chunks.partition_point(|c| c.start + c.rows <= rows.rows.start);
        let mut out = Vec::new();
        for (number, chunk) in chunks.iter().enumerate().skip(first) {
            if chunk.start >= rows.rows.end {
                break;
            }
            let low = rows.rows.start.max(chunk.start) - chunk.start;
            let high = (rows.rows.end - chunk.start).min(chunk.rows);
            out.push((number, low..high));
        }
        out
    }

    /// The wanted columns of some rows of a chunk, without replaced rows, and how many there are.
    fn piece(
        &self,
        slot: usize,
        chunk: usize,
        rows: Range<usize>,
        wanted: &[(String, Presented)],
    ) -> Result<(usize, Vec<ArrayRef>), StoreError> {
        let slot = &self.slots[slot];
        let keep = kept(&slot.gone, slot.segment.chunks[chunk].start, &rows);
        let mut columns = Vec::new();
        if let Some((column, id)) = &self.only {
            let mut places = places_of(&slot.segment, chunk, &rows, column, *id)?;
            places.retain(|&place| keep.as_ref().is_none_or(|keep| keep.value(place as usize)));
            let places = PrimitiveArray::<UInt32Type>::from(places);
            for (name, presented) in wanted {
                let stored = match places.len() {
                    0 => None,
                    _ => slot.segment.column(chunk, name)?,
                };
                let stored =
                    stored.map(|column| arrow_select::take::take(&column.slice(rows.start, rows.len()), &places, None));
                columns.push(presented.present(stored.transpose()?, places.len())?);
            }
            return Ok((places.len(), columns));
        }
        for (name, presented) in wanted {
            let stored = slot.segment.column(chunk, name)?.map(|column| column.slice(rows.start, rows.len()));
            let mut column = presented.present(stored, rows.len())?;
            if let Some(keep) = &keep {
                column = arrow_select::filter::filter(&column, keep)?;
            }
            columns.push(column);
        }
        Ok((keep.map_or(rows.len(), |keep| keep.true_count()), columns))
    }

    fn emit(&mut self, mut columns: Vec<ArrayRef>, rows: usize) -> Result<(), StoreError> {
        for (place, aliases) in &self.aliases {
            columns[*place] = aliases.meant(&columns[*place]);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        for start in (0..rows).step_by(CHUNK_ROWS) {
            self.ready.push_back(batch.slice(start, CHUNK_ROWS.min(rows - start)));
        }
        Ok(())
    }
}

impl Iterator for Scan {
    type Item = Result<RecordBatch, ScanError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Some(Ok(batch));
            }
            let mut group = self.groups.pop_front()?;
            // Of a long run of one slot only a piece of a chunk at a time is read.
            if let [one] = group.as_mut_slice() {
                let chunks = &self.slots[one.slot].segment.chunks;
                let number = chunks.partition_point(|c| c.start + c.rows <= one.rows.start);
                let stop = chunks.get(number).map_or(one.rows.end, |c| c.start + c.rows);
                // The rows of one entity are looked for in a whole chunk at once.
                let most = if self.only.is_some() { usize::MAX } else { PIECE_ROWS };
                let stop = stop.min(one.rows.end).min(one.rows.start.saturating_add(most));
                if stop < one.rows.end {
                    self.groups.push_front(vec![Rows { slot: one.slot, rows: stop..one.rows.end }]);
                    one.rows.end = stop;
                }
            }
            if let Err(error) = self.read(group) {
                self.groups.clear();
                return Some(Err(error.into()));
            }
        }
    }
}

/// Where an id is among some rows of a chunk, from the first of them on.
fn places_of(
    segment: &Segment,
    chunk: usize,
    rows: &Range<usize>,
    column: &str,
    id: u32,
) -> Result<Vec<u32>, StoreError> {
    fn places<T: PartialEq + Copy>(values: &[T], id: T, nulls: Option<&NullBuffer>) -> Vec<u32> {
        let mut places = Vec::new();
        for (number, values) in values.chunks(64).enumerate() {
            // Most have none, which is found out for many at once.
            if values.iter().fold(false, |any, &value| any | (value == id)) {
                let first = number * 64;
                let own = (first..)
                    .zip(values)
                    .filter(|(row, value)| **value == id && nulls.is_none_or(|n| n.is_valid(*row)));
                places.extend(own.map(|(row, _)| row as u32));
            }
        }
        places
    }
    if let Some(crate::segment_index::Range::Whole(least, most)) = segment.range(chunk, column)
        && !(least..=most).contains(&i64::from(id))
    {
        return Ok(Vec::new());
    }
    let Some(ids) = segment.column(chunk, column)? else { return Ok(Vec::new()) };
    let ids = ids.slice(rows.start, rows.len());
    if let Some(ids) = ids.as_primitive_opt::<UInt8Type>() {
        return Ok(u8::try_from(id).map_or_else(|_| Vec::new(), |id| places(ids.values(), id, ids.nulls())));
    }
    if let Some(ids) = ids.as_primitive_opt::<UInt16Type>() {
        return Ok(u16::try_from(id).map_or_else(|_| Vec::new(), |id| places(ids.values(), id, ids.nulls())));
    }
    match ids.as_primitive_opt::<UInt32Type>() {
        Some(ids) => Ok(places(ids.values(), id, ids.nulls())),
        None => Err(StoreError::Limit(format!("`{column}` is no column of ids"))),
    }
}

/// Which rows of a range are still there; none: all.
fn kept(gone: &[u32], chunk_start: usize, rows: &Range<usize>) -> Option<BooleanArray> {
    let low = gone.partition_point(|&row| (row as usize) < chunk_start + rows.start);
    let high = gone.partition_point(|&row| (row as usize) < chunk_start + rows.end);
    if low == high {
        return None;
    }
    let mut keep = BooleanBufferBuilder::new(rows.len());
    keep.append_n(rows.len(), true);
    gone[low..high].iter().for_each(|&row| keep.set_bit(row as usize - chunk_start - rows.start, false));
    Some(BooleanArray::new(keep.finish(), None))
}

fn concat(pieces: &[ArrayRef], presented: &Presented) -> Result<ArrayRef, StoreError> {
    match pieces {
        [] => Ok(arrow_array::new_empty_array(&presented.data_type())),
        [one] => Ok(one.clone()),
        many => {
            let arrays: Vec<&dyn Array> = many.iter().map(AsRef::as_ref).collect();
            Ok(arrow_select::concat::concat(&arrays)?)
        }
    }
}

/// The order by (time, id), stable; none where rows are in order already. Rows without an id come first, ids compare
/// as numbers where they are numbers.
pub(crate) fn order(
    times: Option<&ArrayRef>,
    ids: Option<&ArrayRef>,
    rows: usize,
) -> Option<PrimitiveArray<UInt32Type>> {
    let times = times.map(|times| times.as_primitive::<TimestampMicrosecondType>().values().clone());
    let mut order: Vec<u32> = Vec::new();
    if let Some(times) = &times
        && !times.is_sorted()
    {
        // Sorting pairs keeps each comparison within one cache line; the position makes it stable.
        let mut keyed: Vec<(i64, u32)> = times.iter().copied().zip(0..).collect();
        keyed.sort();
        order = keyed.into_iter().map(|(_, row)| row).collect();
    }
    if let Some(ids) = ids {
        if order.is_empty() {
            order = (0..rows as u32).collect();
        }
        sort_ties(&mut order, times.as_deref(), ids);
    }
    (!order.is_empty() && !order.is_sorted()).then(|| order.into())
}

/// Compares two rows.
type Compare<'a> = Box<dyn Fn(&u32, &u32) -> Ordering + 'a>;

/// Sorts the rows of each moment by id.
fn sort_ties(order: &mut [u32], times: Option<&[i64]>, ids: &ArrayRef) {
    let by_id: Compare<'_> = match ids.as_primitive_opt::<Int64Type>() {
        Some(numbers) => Box::new(move |&a, &b| {
            let id = |row: u32| numbers.is_valid(row as usize).then(|| numbers.value(row as usize));
            id(a).cmp(&id(b))
        }),
        None => {
            let texts = ids.as_string::<i32>();
            Box::new(move |&a, &b| {
                let id = |row: u32| texts.is_valid(row as usize).then(|| texts.value(row as usize));
                id(a).cmp(&id(b))
            })
        }
    };
    match times {
        None => order.sort_by(|a, b| by_id(a, b)),
        Some(times) => {
            for tie in order.chunk_by_mut(|&a, &b| times[a as usize] == times[b as usize]) {
                if tie.len() > 1 {
                    tie.sort_by(|a, b| by_id(a, b));
                }
            }
        }
    }
}
