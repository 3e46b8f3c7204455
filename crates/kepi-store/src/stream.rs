//! A stream in a snapshot: its segments in the order of their loads, replaced rows, dictionaries.

use crate::change::StreamChange;
use crate::column::{Presented, presented_kind};
use crate::error::StoreError;
use crate::layout::{Blob, Layout};
use crate::segment::Segment;
use crate::state::{BlobState, IdKind, LOAD, StreamSchema, StreamState};
use crate::strings::Strings;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use kepi_extension::{AT, ColumnInfo, ColumnKind, ID, StreamInfo};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A stream in a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) schema: StreamSchema,
    pub(crate) slots: Vec<Slot>,
    pub(crate) dictionaries: BTreeMap<String, Strings>,
}

/// A segment and the rows of it that were replaced since.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) segment: Arc<Segment>,
    pub(crate) gone: Arc<Vec<u32>>,
    /// The file of `gone`, where it is in one.
    pub(crate) gone_state: Option<BlobState>,
}

impl Stream {
    /// A stream without rows.
    pub(crate) fn new(schema: StreamSchema) -> Stream {
        Stream { schema, slots: Vec::new(), dictionaries: BTreeMap::new() }
    }

    /// Opens the files of a stream; those that `before` has open are taken from there.
    pub(crate) fn open(layout: &Layout, state: &StreamState, before: Option<&Stream>) -> Result<Stream, StoreError> {
        let mut stream = Stream::new(state.schema.clone());
        for segment in &state.segments {
            let known = before.and_then(|b| {
                b.slots.iter().find(|s| {
                    s.segment.state().is_some_and(|have| have.number == segment.number && have.index == segment.index)
                })
            });
            let opened = match known {
                Some(slot) => slot.segment.clone(),
                None => Arc::new(Segment::open(layout, segment)?),
            };
            let gone = match &segment.gone {
                None => Arc::default(),
                Some(gone) => Arc::new(read_gone(layout, gone, opened.rows)?),
            };
            stream.slots.push(Slot { segment: opened, gone, gone_state: segment.gone.clone() });
        }
        for (column, texts) in &state.dictionaries {
            let known = before.and_then(|b| b.dictionaries.get(column));
            stream.dictionaries.insert(column.clone(), Strings::open(layout, texts, known)?);
        }
        Ok(stream)
    }

    /// Takes in what a load changes; `load` is the number of the snapshot that it makes.
    pub(crate) fn apply(&mut self, change: &StreamChange, load: u64) {
        self.schema = change.schema.clone();
        for (column, texts) in &change.texts {
            self.dictionaries.entry(column.clone()).or_default().push(texts.clone());
        }
        for (number, rows) in &change.gone {
            if let Some(slot) = self.slots.iter_mut().find(|s| s.segment.number == *number) {
                let mut gone = slot.gone.to_vec();
                gone.extend_from_slice(rows);
                gone.sort_unstable();
                gone.dedup();
                slot.gone = Arc::new(gone);
                slot.gone_state = None;
            }
        }
        if !change.rows.is_empty() {
            let rows = with_load(&change.rows, load);
            let segment = Arc::new(Segment::in_memory(change.segment, rows));
            self.slots.push(Slot { segment, gone: Arc::default(), gone_state: None });
        }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> u64 {
        self.slots.iter().map(|s| (s.segment.rows - s.gone.len()) as u64).sum()
    }

    /// How a column is presented; none: there is no such column.
    pub(crate) fn presented(&self, column: &str) -> Result<Option<Presented>, StoreError> {
        if column == ID {
            return Ok((self.schema.ids != IdKind::None).then_some(Presented::RowId(self.schema.ids)));
        }
        if column == AT {
            return Ok(self.schema.dated.then_some(Presented::Field(ColumnKind::Time, None)));
        }
        if column == LOAD {
            // Numbers are widened as codes are.
            return Ok(Some(Presented::Field(ColumnKind::Code, None)));
        }
        let Some(schema) = self.schema.columns.iter().find(|c| c.name == column) else { return Ok(None) };
        let kind = presented_kind(schema);
        let dictionary = match (&kind, self.dictionaries.get(column)) {
            (ColumnKind::Text, Some(texts)) => Some(texts.array()?),
            (ColumnKind::Text, None) => Some(Arc::new(StringArray::new_null(0))),
            _ => None,
        };
        Ok(Some(Presented::Field(kind, dictionary)))
    }

    /// What the contract says of a stream.
    pub(crate) fn info(&self) -> StreamInfo {
        let mut columns = Vec::new();
        if self.schema.dated {
            columns.push(ColumnInfo { name: AT.into(), kind: ColumnKind::Time });
        }
        match self.schema.ids {
            IdKind::None => {}
            IdKind::Number => columns.push(ColumnInfo { name: ID.into(), kind: ColumnKind::Decimal { scale: 0 } }),
            IdKind::Text => columns.push(ColumnInfo { name: ID.into(), kind: ColumnKind::Text }),
        }
        for column in &self.schema.columns {
            columns.push(ColumnInfo { name: column.name.clone(), kind: presented_kind(column) });
        }
        let live = || self.slots.iter().filter(|s| s.segment.rows > s.gone.len() && self.schema.dated);
        StreamInfo {
            name: self.schema.name.clone(),
            columns,
            rows: self.rows(),
            first: live().map(Slot::first).min(),
            last: live().map(Slot::last).max(),
            dated: self.schema.dated,
        }
    }
}

impl Slot {
    /// The moment of the first row that is still there.
    fn first(&self) -> i64 {
        let skipped = self.gone.iter().enumerate().take_while(|(i, row)| *i == **row as usize).count();
        self.moment(skipped).unwrap_or(self.segment.bounds().0)
    }

    /// The moment of the last row that is still there.
    fn last(&self) -> i64 {
        let end = self.segment.rows;
        let skipped = self.gone.iter().rev().enumerate().take_while(|(i, row)| **row as usize + i + 1 == end).count();
        self.moment(end - 1 - skipped).unwrap_or(self.segment.bounds().1)
    }

    /// The moment of a row; none where its chunk cannot be read: then a scan will say so.
    fn moment(&self, row: usize) -> Option<i64> {
        if self.gone.is_empty() {
            return None;
        }
        let chunk = self.segment.chunks.partition_point(|c| c.start + c.rows <= row);
        let times = self.segment.column(chunk, AT).ok()??;
        Some(times.as_primitive::<TimestampMicrosecondType>().value(row - self.segment.chunks[chunk].start))
    }
}

/// Rows with the load by which they came.
fn with_load(batches: &[RecordBatch], load: u64) -> Vec<RecordBatch> {
    let most = batches.iter().map(RecordBatch::num_rows).max().unwrap_or(0);
    // A number beyond 32 bits is none that could be asked for. All batches share one array.
    let loads = match u32::try_from(load) {
        Ok(load) => UInt32Array::from(vec![load; most]),
        Err(_) => UInt32Array::new_null(most),
    };
    let with = |rows: &RecordBatch| {
        let mut fields: Vec<Field> = rows.schema_ref().fields().iter().map(|field| field.as_ref().clone()).collect();
        fields.push(Field::new(LOAD, DataType::UInt32, true));
        let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
        columns.push(Arc::new(loads.slice(0, rows.num_rows())));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("the new column is as long as the others")
    };
    batches.iter().map(with).collect()
}

/// Bytes of a list of replaced rows.
pub(crate) fn gone_bytes(gone: &[u32]) -> Vec<u8> {
    gone.iter().flat_map(|row| row.to_le_bytes()).collect()
}

fn read_gone(layout: &Layout, state: &BlobState, rows: usize) -> Result<Vec<u32>, StoreError> {
    let blob = Blob::open(layout, "gone", state)?;
    let bytes = blob.bytes()?;
    let (words, rest) = bytes.as_chunks::<4>();
    let gone: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let rising = gone.windows(2).all(|pair| pair[0] < pair[1]);
    if !rest.is_empty() || !rising || gone.last().is_some_and(|&last| last as usize >= rows) {
        return Err(blob.damaged(0, "it does not hold rising row numbers of its segment"));
    }
    Ok(gone)
}
