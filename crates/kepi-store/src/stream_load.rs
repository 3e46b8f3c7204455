//! The rows of a stream in a load: sorted, and without those that are stored already.

use crate::aside;
use crate::change::StreamChange;
use crate::column::Presented;
use crate::error::StoreError;
use crate::identity::{Stored, hashes};
use crate::incoming::{Checked, Column, take_all};
use crate::layout::Layout;
use crate::load::{OnConflict, RejectedRow};
use crate::names::{Names, text_array};
use crate::removed;
use crate::row_ids::{are_rising, as_numbers, last_of_each, stored_ids};
use crate::scan::{Scan, order};
use crate::seal::{all_columns, table_of};
use crate::segment_index::{Range, range, time_type};
use crate::state::{IdKind, LoadCount, StreamSchema};
use crate::stream::Stream;
use crate::writer::Writer;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use kepi_extension::{AT, ColumnKind, ID};
use kepi_model::declared::StreamDecl;
use kepi_model::value::Kind;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows of one stream, as they were given.
#[derive(Debug)]
pub(crate) struct StreamBuffer {
    name: String,
    dated: bool,
    columns: Vec<Column>,
    times: Vec<ArrayRef>,
    /// `Int64` or `Utf8`, all missing where a batch has no ids.
    ids: Vec<ArrayRef>,
    rows: usize,
    /// Pieces that wait in a file, and bytes of the others.
    aside: usize,
    in_memory: usize,
    /// Ids of rows that are gone, in pieces.
    removed: Vec<ArrayRef>,
    /// Ids of rows that the load leaves out, in pieces; none where nothing is stored that could have them.
    left_out: Vec<ArrayRef>,
}

/// Rows of which nothing is left in the stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fewer {
    /// Stored rows that were removed.
    pub(crate) removed: u64,
    /// Given rows whose place a later row of the load took that has the same id and other values.
    pub(crate) overtaken: u64,
}

/// Whether a row of the load is stored already, and where.
pub(crate) enum Fate {
    Add,
    Known,
    Replace { slot: u32, row: u32 },
}

impl StreamBuffer {
    /// A stream as declared, on top of what is stored of it.
    pub(crate) fn new(writer: &Writer, decl: &StreamDecl) -> Result<StreamBuffer, StoreError> {
        let stored = writer.current.streams.get(&decl.name);
        let dated = decl.at.is_some();
        if let Some(stored) = stored
            && stored.schema.dated != dated
        {
            let (is, was) = if dated { ("dated", "undated") } else { ("undated", "dated") };
            return Err(StoreError::column(&decl.name, AT, format!("the stream is {is} now and {was} in the store")));
        }
        let known = |name: &str| stored.and_then(|s| s.schema.columns.iter().find(|c| c.name == name));
        let mut columns: Vec<Column> = Vec::new();
        for role in &decl.roles {
            let kind = Kind::Entity(role.entity.clone());
            columns.push(Column::new(&decl.name, &role.name, &kind, false, known(&role.name))?);
        }
        for field in &decl.fields {
            // A field that is also a role, `campaign: Campaign` after `of`, is one column.
            if !columns.iter().any(|c| c.name == field.name) {
                columns.push(Column::of_field(&decl.name, field, known(&field.name))?);
            }
        }
        Ok(StreamBuffer {
            name: decl.name.clone(),
            dated,
            columns,
            times: Vec::new(),
            ids: Vec::new(),
            rows: 0,
            aside: 0,
            in_memory: 0,
            removed: Vec::new(),
            left_out: Vec::new(),
        })
    }

    /// How many rows it has taken.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Takes ids of rows that are gone: stored ones, and those of this load, too.
    pub(crate) fn remove(&mut self, ids: ArrayRef) {
        self.removed.push(ids);
    }

    /// Takes ids of rows that are left out: stored ones are gone, unless the load has them too.
    pub(crate) fn leave_out(&mut self, writer: &Writer, ids: ArrayRef) {
        let stored = writer.current.streams.get(&self.name);
        if stored.is_some_and(|stream| stream.schema.ids != IdKind::None && stream.rows() > 0) {
            self.left_out.push(ids);
        }
    }

    /// Takes a batch; returns the rows that cannot be stored. Where the rows of the stream have more than `most` bytes, they
    /// wait in a file.
    pub(crate) fn take(
        &mut self,
        writer: &mut Writer,
        names: &mut Names,
        rows: &RecordBatch,
        most: usize,
    ) -> Result<Vec<RejectedRow>, StoreError> {
        for field in rows.schema().fields() {
            let known = (field.name() == AT && self.dated) || field.name() == ID;
            if !known && !self.columns.iter().any(|c| c.name == *field.name()) {
                return Err(StoreError::column(&self.name, field.name(), "it is not declared"));
            }
        }
        let count = rows.num_rows();
        let mut rejected = Vec::new();
        let times = match self.dated {
            true => Some(self.checked_times(rows, &mut rejected)?),
            false => None,
        };
        let stream = writer.current.streams.get(&self.name).cloned();
        let ids = self.checked_ids(rows)?;
        let mut checked: Vec<Checked> = Vec::new();
        for column in &self.columns {
            let mut one = column.check(&self.name, rows.column_by_name(&column.name), count)?;
            rejected.append(&mut one.rejected);
            checked.push(one);
        }
        let rejected = one_per_row(rejected);
        let keep = (!rejected.is_empty()).then(|| kept(count, &rejected));
        let filtered = |values: ArrayRef| match &keep {
            Some(keep) => arrow_select::filter::filter(&values, keep),
            None => Ok(values),
        };
        if let Some(times) = times {
            self.times.push(filtered(times)?);
        }
        let known = stream.as_ref().map_or(IdKind::None, |stream| stream.schema.ids);
        self.ids.push(self.as_numbers(filtered(ids)?, known));
        let none = BTreeMap::new();
        let known = stream.as_ref().map_or(&none, |stream| &stream.dictionaries);
        take_all(&mut self.columns, writer, names, &self.name, known, checked, keep.as_ref())?;
        self.rows += count - rejected.len();
        self.put_aside(&writer.layout, most)?;
        Ok(rejected)
    }

    /// Puts the rows that are in memory into a file, where they have more than `most` bytes.
    fn put_aside(&mut self, layout: &Layout, most: usize) -> Result<(), StoreError> {
        let StreamBuffer { times, ids, columns, aside, in_memory, .. } = self;
        let pieces = columns.iter_mut().map(|column| &mut column.pieces).chain([times, ids]);
        let mut pieces: Vec<&mut Vec<ArrayRef>> = pieces.collect();
        *in_memory += pieces.iter().filter_map(|pieces| pieces.last()).map(aside::bytes_of).sum::<usize>();
        if *in_memory <= most {
            return Ok(());
        }
        let done = *aside;
        aside::put(layout, pieces.iter_mut().flat_map(|pieces| pieces.iter_mut().skip(done)))?;
        (*aside, *in_memory) = (self.ids.len(), 0);
        Ok(())
    }

    fn checked_times(&self, rows: &RecordBatch, rejected: &mut Vec<(usize, String)>) -> Result<ArrayRef, StoreError> {
        let times = rows.column_by_name(AT).ok_or_else(|| StoreError::column(&self.name, AT, "it is missing"))?;
        if !matches!(times.data_type(), DataType::Timestamp(TimeUnit::Microsecond, _)) {
            let reason = format!("a timestamp in microseconds expected, {} given", times.data_type());
            return Err(StoreError::column(&self.name, AT, reason));
        }
        if times.null_count() > 0 {
            let missing = (0..times.len()).filter(|&row| times.is_null(row));
            rejected.extend(missing.map(|row| (row, "it has no time".to_owned())));
        }
        Ok(Arc::new(times.as_primitive::<TimestampMicrosecondType>().clone().with_data_type(time_type())))
    }

    fn checked_ids(&self, rows: &RecordBatch) -> Result<ArrayRef, StoreError> {
        match rows.column_by_name(ID) {
            None => Ok(Arc::new(Int64Array::new_null(rows.num_rows()))),
            Some(ids) => match ids.data_type() {
                DataType::Int64 | DataType::Utf8 => Ok(ids.clone()),
                DataType::Null => Ok(Arc::new(Int64Array::new_null(rows.num_rows()))),
                other => {
                    let reason = format!("text or 64-bit numbers expected, {other} given");
                    Err(StoreError::column(&self.name, ID, reason))
                }
            },
        }
    }

    /// Ids as numbers where all of them have been numbers so far: numbers in their plain form are the same ids.
    fn as_numbers(&self, ids: ArrayRef, known: IdKind) -> ArrayRef {
        let texts = known == IdKind::Text || self.ids.iter().any(|ids| *ids.data_type() == DataType::Utf8);
        match ids.as_string_opt::<i32>().filter(|_| !texts).and_then(as_numbers) {
            Some(numbers) => Arc::new(numbers),
            None => ids,
        }
    }

    /// What the load changes in the stream, and how many rows were new. The new rows are segment `number`.
    pub(crate) fn finish(
        &self,
        writer: &Writer,
        names: &Names,
        on_conflict: OnConflict,
        number: u64,
    ) -> Result<(LoadCount, StreamChange, Fewer), StoreError> {
        let before = writer.current.streams.get(&self.name).map(|s| s.as_ref().clone());
        let (id_kind, ids) = self.settled_ids(before.as_ref())?;
        let mut schema = before.as_ref().map_or_else(
            || StreamSchema { name: self.name.clone(), dated: self.dated, ids: id_kind, columns: Vec::new() },
            |stream| stream.schema.clone(),
        );
        schema.ids = id_kind;
        let mut given: Vec<(String, Vec<ArrayRef>)> = Vec::new();
        if self.dated {
            given.push((AT.into(), self.times.clone()));
        }
        given.extend(ids.map(|ids| (ID.to_owned(), ids)));
        for column in &self.columns {
            let now = column.schema(&self.name, names);
            match schema.columns.iter_mut().find(|c| c.name == now.name) {
                Some(known) => *known = now,
                None => schema.columns.push(now),
            }
            given.push((column.name.clone(), column.settled(&self.name, names)?));
        }
        let mut stream = before.unwrap_or_else(|| Stream::new(schema.clone()));
        stream.schema = schema.clone();
        let (first, last) = self.bounds();
        let mut count =
            LoadCount { name: self.name.clone(), entity: false, added: 0, known: 0, replaced: 0, first, last };
        let mut gone: Vec<Vec<u32>> = vec![Vec::new(); stream.slots.len()];
        let mut rows = Vec::new();
        let mut fewer = Fewer::default();
        let ids = given.iter().find(|(name, _)| name == ID).map(|(_, ids)| ids.as_slice());
        let removed = removed::ids_of_kind(&self.removed, id_kind)?;
        let left_out = match removed::ids_of_kind(&self.left_out, id_kind)? {
            Some(left_out) => Some(removed::not_given(left_out, ids)?),
            None => None,
        };
        if stream.rows() == 0 && removed.is_none() && self.is_in_order(ids) {
            // Most exports: nothing is there twice, nothing has to be moved.
            count.added = self.rows as u64;
            rows = self.batches(&given)?;
        } else if self.rows > 0 {
            let (column_names, pieces): (Vec<String>, Vec<Vec<ArrayRef>>) = given.into_iter().unzip();
            let columns = pieces.iter().map(|pieces| joined(pieces, &DataType::Null)).collect::<Result<_, _>>()?;
            let whole = table_of(column_names, columns)?;
            let mut fates = self.fates(names, &stream, &whole, on_conflict, (first, last), &mut fewer.overtaken)?;
            if let (Some(removed), Some(ids)) = (&removed, whole.column_by_name(ID)) {
                removed::drop_given(removed, ids, &mut fates);
            }
            for fate in &fates {
                match fate {
                    Fate::Add => count.added += 1,
                    Fate::Known => count.known += 1,
                    Fate::Replace { slot, row } => {
                        count.replaced += 1;
                        gone[*slot as usize].push(*row);
                    }
                }
            }
            if count.known < self.rows as u64 {
                rows.push(in_order(&whole, &fates, count.known > 0)?);
            }
        }
        for removed in removed.iter().chain(&left_out) {
            removed::find_stored(removed, &stream, |slot, row| {
                gone[slot].push(row);
                fewer.removed += 1;
            })?;
        }
        let numbers = stream.slots.iter().map(|slot| slot.segment.number);
        let mut gone: Vec<(u64, Vec<u32>)> = numbers.zip(gone).filter(|(_, rows)| !rows.is_empty()).collect();
        // A row may have changed, and be left out for another reason too.
        gone.iter_mut().for_each(|(_, rows)| {
            rows.sort_unstable();
            rows.dedup();
        });
        let texts = names.new_texts(&self.name)?;
        Ok((count, StreamChange { schema, segment: number, rows, gone, texts }, fewer))
    }

    /// The first and the last moment.
    fn bounds(&self) -> (Option<i64>, Option<i64>) {
        match self.times.iter().filter_map(|times| range(times)).reduce(Range::with) {
            Some(Range::Whole(first, last)) => (Some(first), Some(last)),
            _ => (None, None),
        }
    }

    /// Whether the rows came in the order in which they are stored, and by their ids none is there twice.
    fn is_in_order(&self, ids: Option<&[ArrayRef]>) -> bool {
        let mut last = i64::MIN;
        let in_time = self.times.iter().all(|times| {
            let times = times.as_primitive::<TimestampMicrosecondType>().values();
            let follows = times.first().is_none_or(|first| last <= *first) && times.is_sorted();
            last = times.last().copied().unwrap_or(last);
            follows
        });
        in_time && ids.is_none_or(are_rising)
    }

    /// The pieces as they came, side by side.
    fn batches(&self, given: &[(String, Vec<ArrayRef>)]) -> Result<Vec<RecordBatch>, StoreError> {
        let mut batches = Vec::new();
        for piece in 0..self.ids.len() {
            let columns: Vec<(String, ArrayRef)> =
                given.iter().map(|(name, pieces)| (name.clone(), pieces[piece].clone())).collect();
            if self.ids[piece].is_empty() {
                continue;
            }
            let (names, columns) = columns.into_iter().unzip();
            batches.push(table_of(names, columns)?);
        }
        Ok(batches)
    }

    /// The kind of the stream's ids with this load, and the load's ids as that kind, in pieces.
    fn settled_ids(&self, before: Option<&Stream>) -> Result<(IdKind, Option<Vec<ArrayRef>>), StoreError> {
        let stored = before.map_or(IdKind::None, |stream| stream.schema.ids);
        if self.ids.iter().all(|ids| ids.null_count() == ids.len()) {
            return Ok((stored, None));
        }
        if stored != IdKind::Text && self.ids.iter().all(|ids| *ids.data_type() == DataType::Int64) {
            return Ok((IdKind::Number, Some(self.ids.clone())));
        }
        let texts = Presented::RowId(IdKind::Text);
        let mut pieces = Vec::new();
        for piece in &self.ids {
            pieces.push(texts.present(Some(piece.clone()), piece.len())?);
        }
        Ok((IdKind::Text, Some(pieces)))
    }

    /// What becomes of each row.
    fn fates(
        &self,
        names: &Names,
        stream: &Stream,
        rows: &RecordBatch,
        on_conflict: OnConflict,
        (first, last): (Option<i64>, Option<i64>),
        overtaken: &mut u64,
    ) -> Result<Vec<Fate>, StoreError> {
        let mut fates: Vec<Fate> = (0..self.rows).map(|_| Fate::Add).collect();
        let ids = rows.column_by_name(ID);
        if stream.rows() == 0 && ids.is_none_or(|ids| are_rising(std::slice::from_ref(ids))) {
            return Ok(fates);
        }
        let mut again: Vec<(usize, usize)> = Vec::new();
        let by_id = ids.map(|ids| last_of_each(ids, |earlier, later| again.push((earlier, later))));
        again.iter().for_each(|(earlier, _)| fates[*earlier] = Fate::Known);
        if stream.rows() == 0 && again.is_empty() {
            return Ok(fates);
        }
        let presented = self.presenters(stream, names)?;
        let mut columns = Vec::new();
        for (name, presented) in &presented {
            columns.push(presented.present(rows.column_by_name(name).cloned(), self.rows)?);
        }
        let hashes_given = hashes(&columns, self.rows);
        *overtaken =
            again.iter().filter(|(earlier, later)| hashes_given[*earlier] != hashes_given[*later]).count() as u64;
        if stream.rows() == 0 {
            return Ok(fates);
        }
        if let (Some(by_id), Some(ids)) = (&by_id, ids) {
            stored_ids(stream, &presented, by_id, ids, |slot, row, hash, given| {
                let same = hash == hashes_given[given] || on_conflict == OnConflict::Keep;
                fates[given] = if same { Fate::Known } else { Fate::Replace { slot: slot as u32, row } };
            })?;
        }
        if ids.is_none_or(|ids| ids.null_count() > 0) {
            let mut stored = Stored::default();
            let wanted = all_columns(stream);
            for batch in Scan::new(stream, &wanted, first, last.and_then(|last| last.checked_add(1)))? {
                let batch = batch?;
                stored.add(&hashes(batch.columns(), batch.num_rows()));
            }
            for (row, hash) in hashes_given.iter().enumerate() {
                if ids.is_none_or(|ids| ids.is_null(row)) && stored.take(*hash) {
                    fates[row] = Fate::Known;
                }
            }
        }
        Ok(fates)
    }

    /// The columns that make a row what it is, in the order of a scan of all columns.
    fn presenters(&self, stream: &Stream, names: &Names) -> Result<Vec<(String, Presented)>, StoreError> {
        let mut out = Vec::new();
        let time = self.dated.then(|| AT.to_owned());
        for name in time.into_iter().chain(all_columns(stream)) {
            let mut presented = stream.presented(&name)?;
            if let Some(Presented::Field(ColumnKind::Text, dictionary)) = &mut presented
                && let Some(codes) = names.codes_of(&self.name, &name)
            {
                *dictionary = Some(Arc::new(text_array(codes.table.texts_from(0))?));
            }
            out.extend(presented.map(|presented| (name, presented)));
        }
        Ok(out)
    }
}

/// The rows that are to be stored, in the order of (time, id, row).
fn in_order(rows: &RecordBatch, fates: &[Fate], some_known: bool) -> Result<RecordBatch, StoreError> {
    let mut rows = rows.clone();
    if some_known {
        let keep: BooleanArray = fates.iter().map(|fate| Some(!matches!(fate, Fate::Known))).collect();
        rows = arrow_select::filter::filter_record_batch(&rows, &keep)?;
    }
    let order = order(rows.column_by_name(AT), rows.column_by_name(ID), rows.num_rows());
    Ok(match order {
        Some(order) => arrow_select::take::take_record_batch(&rows, &order)?,
        None => rows,
    })
}

/// Pieces as one array; `empty` is the type where there is none.
pub(crate) fn joined(pieces: &[ArrayRef], empty: &DataType) -> Result<ArrayRef, StoreError> {
    match pieces {
        [] => Ok(arrow_array::new_empty_array(empty)),
        [one] => Ok(one.clone()),
        many => {
            let arrays: Vec<&dyn Array> = many.iter().map(AsRef::as_ref).collect();
            Ok(arrow_select::concat::concat(&arrays)?)
        }
    }
}

/// One reason per row, in the order of the rows.
pub(crate) fn one_per_row(mut rejected: Vec<(usize, String)>) -> Vec<RejectedRow> {
    rejected.sort_by_key(|r| r.0);
    rejected.dedup_by_key(|r| r.0);
    rejected.into_iter().map(|(row, reason)| RejectedRow { row, reason }).collect()
}

/// Which rows are left.
pub(crate) fn kept(rows: usize, rejected: &[RejectedRow]) -> BooleanArray {
    let mut keep = vec![true; rows];
    rejected.iter().for_each(|r| keep[r.row] = false);
    BooleanArray::from(keep)
}
