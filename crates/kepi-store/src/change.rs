//! What a load changes, in memory; as bytes it is a [`Delta`] in the journal.

use crate::error::StoreError;
use crate::state::{ColumnSchema, Delta, EntityDelta, StreamDelta, StreamSchema};
use arrow_array::{RecordBatch, StringArray};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;

/// What a load changes.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) streams: Vec<StreamChange>,
    pub(crate) entities: Vec<EntityChange>,
}

/// What a load changes in a stream.
#[derive(Debug)]
pub(crate) struct StreamChange {
    pub(crate) schema: StreamSchema,
    pub(crate) segment: u64,
    /// New rows, in order, as stored; no batch is empty.
    pub(crate) rows: Vec<RecordBatch>,
    pub(crate) gone: Vec<(u64, Vec<u32>)>,
    pub(crate) texts: Vec<(String, StringArray)>,
}

/// What a load changes in an entity.
#[derive(Debug)]
pub(crate) struct EntityChange {
    pub(crate) name: String,
    pub(crate) attributes: Vec<ColumnSchema>,
    pub(crate) keys: StringArray,
    pub(crate) rows: Option<RecordBatch>,
    pub(crate) histories: Vec<(String, RecordBatch)>,
    pub(crate) texts: Vec<(String, StringArray)>,
}

impl Change {
    /// The change as the journal keeps it.
    pub(crate) fn to_delta(&self) -> Result<Delta, StoreError> {
        let mut delta = Delta::default();
        for stream in &self.streams {
            delta.streams.push(StreamDelta {
                schema: stream.schema.clone(),
                segment: stream.segment,
                rows: whole(&stream.rows)?.as_ref().map(encode).transpose()?,
                gone: stream.gone.clone(),
                texts: stream.texts.iter().map(|(column, texts)| (column.clone(), owned(texts))).collect(),
            });
        }
        for entity in &self.entities {
            let mut histories = Vec::new();
            for (field, rows) in &entity.histories {
                histories.push((field.clone(), encode(rows)?));
            }
            delta.entities.push(EntityDelta {
                name: entity.name.clone(),
                attributes: entity.attributes.clone(),
                keys: owned(&entity.keys),
                rows: entity.rows.as_ref().map(encode).transpose()?,
                histories,
                texts: entity.texts.iter().map(|(column, texts)| (column.clone(), owned(texts))).collect(),
            });
        }
        Ok(delta)
    }

    /// Reads what [`Change::to_delta`] wrote; the error says what is wrong with it.
    pub(crate) fn from_delta(delta: Delta) -> Result<Change, String> {
        let mut change = Change::default();
        for stream in delta.streams {
            let rows = stream.rows.map(|bytes| decode(&bytes)).transpose()?;
            change.streams.push(StreamChange {
                schema: stream.schema,
                segment: stream.segment,
                rows: rows.into_iter().filter(|rows| rows.num_rows() > 0).collect(),
                gone: stream.gone,
                texts: stream.texts.into_iter().map(|(column, texts)| (column, StringArray::from(texts))).collect(),
            });
        }
        for entity in delta.entities {
            let mut histories = Vec::new();
            for (field, rows) in entity.histories {
                histories.push((field, decode(&rows)?));
            }
            change.entities.push(EntityChange {
                name: entity.name,
                attributes: entity.attributes,
                keys: StringArray::from(entity.keys),
                rows: entity.rows.map(|bytes| decode(&bytes)).transpose()?,
                histories,
                texts: entity.texts.into_iter().map(|(column, texts)| (column, StringArray::from(texts))).collect(),
            });
        }
        Ok(change)
    }
}

/// All rows as one batch, as the journal has them.
fn whole(batches: &[RecordBatch]) -> Result<Option<RecordBatch>, StoreError> {
    Ok(match batches {
        [] => None,
        [one] => Some(one.clone()),
        [first, ..] => Some(arrow_select::concat::concat_batches(&first.schema(), batches)?),
    })
}

fn owned(texts: &StringArray) -> Vec<String> {
    texts.iter().map(|text| text.unwrap_or_default().to_owned()).collect()
}

fn encode(rows: &RecordBatch) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &rows.schema())?;
    writer.write(rows)?;
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Result<RecordBatch, String> {
    let mut reader = StreamReader::try_new(bytes, None).map_err(|e| e.to_string())?;
    match reader.next() {
        Some(Ok(rows)) => Ok(rows),
        Some(Err(e)) => Err(e.to_string()),
        None => Err("a batch of rows is missing".into()),
    }
}
