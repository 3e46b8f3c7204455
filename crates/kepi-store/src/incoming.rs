//! Rows on their way in: columns are checked against their declaration and turned into what is stored.

use crate::error::StoreError;
use crate::names::{KeyIds, Names, TextCodes, Translated, text_array};
use crate::numbers::{Shape, settled};
use crate::segment_index::time_type;
use crate::state::{ColumnSchema, StoredKind};
use crate::strings::Strings;
use crate::writer::Writer;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, BooleanArray, StringArray, new_null_array};
use arrow_schema::{DataType, TimeUnit};
use kepi_model::declared::FieldDecl;
use kepi_model::value::Kind;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Fewer rows than this are not worth a thread of their own.
pub(crate) const ROWS_WORTH_A_THREAD: usize = 4096;

/// A column of a load, in pieces, one per batch.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: StoredKind,
    pub(crate) history: bool,
    pub(crate) pieces: Vec<ArrayRef>,
    translated: Translated,
}

/// A batch of a column that was checked but not taken yet.
pub(crate) struct Checked {
    values: ArrayRef,
    kind: StoredKind,
    /// Rows that cannot be stored, and why.
    pub(crate) rejected: Vec<(usize, String)>,
}

impl Column {
    /// A column as declared, on top of what is stored under its name.
    pub(crate) fn new(
        of: &str,
        name: &str,
        declared: &Kind,
        history: bool,
        stored: Option<&ColumnSchema>,
    ) -> Result<Column, StoreError> {
        let fresh = stored_kind(of, name, declared)?;
        let kind = match (stored.map(|s| &s.kind), fresh) {
            (None, fresh) => fresh,
            (Some(StoredKind::Number { float: true, .. }), StoredKind::Number { money: true, .. }) => {
                let reason = "it is declared as money, but numbers are stored in it that are not exact";
                return Err(StoreError::column(of, name, reason));
            }
            (Some(&StoredKind::Number { money, float, scale, most }), StoredKind::Number { money: now, .. }) => {
                StoredKind::Number { money: money || now, float, scale, most }
            }
            (Some(kind), fresh) if std::mem::discriminant(kind) == std::mem::discriminant(&fresh) => {
                if let (StoredKind::Id { entity: old }, StoredKind::Id { entity: new }) = (kind, &fresh)
                    && old != new
                {
                    return Err(StoreError::column(
                        of,
                        name,
                        format!("it refers to `{old}` in the store, not to `{new}`"),
                    ));
                }
                kind.clone()
            }
            (Some(kind), fresh) => {
                let reason = format!("it holds {} in the store and is declared as {}", words(kind), words(&fresh));
                return Err(StoreError::column(of, name, reason));
            }
        };
        Ok(Column { name: name.into(), kind, history, pieces: Vec::new(), translated: Translated::default() })
    }

    /// A field as declared.
    pub(crate) fn of_field(of: &str, field: &FieldDecl, stored: Option<&ColumnSchema>) -> Result<Column, StoreError> {
        // History that was ever kept stays.
        let history = field.history || stored.is_some_and(|s| s.history);
        Column::new(of, &field.name, &field.unit.kind, history, stored)
    }

    /// The column as the schema says it, after all of its batches.
    pub(crate) fn schema(&self, of: &str, names: &Names) -> ColumnSchema {
        let kind = match &self.kind {
            // Another group of rows of this load may have had too many texts.
            StoredKind::Text { plain } => {
                StoredKind::Text { plain: *plain || names.codes_of(of, &self.name).is_some_and(|codes| codes.plain) }
            }
            kind => kind.clone(),
        };
        ColumnSchema { name: self.name.clone(), kind, history: self.history }
    }

    /// Checks a batch; a column that is not given is all missing. Texts may come with a dictionary, keys as whole
    /// numbers.
    pub(crate) fn check(&self, of: &str, given: Option<&ArrayRef>, rows: usize) -> Result<Checked, StoreError> {
        let kind = self.kind.clone();
        let wanted = match &self.kind {
            StoredKind::Id { .. } | StoredKind::Text { .. } => DataType::Utf8,
            StoredKind::Bool => DataType::Boolean,
            StoredKind::Time => time_type(),
            StoredKind::Date => DataType::Date32,
            StoredKind::Number { .. } => DataType::Decimal64(18, 0),
        };
        let Some(given) = given.filter(|given| *given.data_type() != DataType::Null) else {
            return Ok(Checked { values: new_null_array(&wanted, rows), kind, rejected: Vec::new() });
        };
        if let StoredKind::Number { money, float, scale, most } = self.kind {
            let numbers = Shape { money, float, scale, most }.convert(given);
            let numbers = numbers.ok_or_else(|| self.wrong(of, "numbers", given))?;
            let named = |(row, reason): (usize, String)| (row, format!("`{}` {reason}", self.name));
            let rejected = numbers.rejected.into_iter().map(named).collect();
            return Ok(Checked { values: numbers.values, kind: numbers.shape.kind(), rejected });
        }
        let values = match (given.data_type(), &wanted) {
            (have, wanted) if have == wanted => given.clone(),
            (DataType::Dictionary(place, text), DataType::Utf8)
                if **place == DataType::Int32 && **text == DataType::Utf8 =>
            {
                given.clone()
            }
            (DataType::Int64, DataType::Utf8) if matches!(kind, StoredKind::Id { .. }) => given.clone(),
            (DataType::Timestamp(TimeUnit::Microsecond, _), DataType::Timestamp(..)) => {
                Arc::new(given.as_primitive::<TimestampMicrosecondType>().clone().with_data_type(time_type()))
            }
            _ => return Err(self.wrong(of, &wanted.to_string(), given)),
        };
        Ok(Checked { values, kind, rejected: Vec::new() })
    }

    fn wrong(&self, of: &str, wanted: &str, given: &ArrayRef) -> StoreError {
        StoreError::column(of, &self.name, format!("{wanted} expected, {} given", given.data_type()))
    }

    /// Takes a checked batch without the rows that are not kept. `known`: the committed texts of the column.
    pub(crate) fn take(
        &mut self,
        writer: &mut Writer,
        names: &mut Names,
        of: &str,
        known: Option<&Strings>,
        checked: Checked,
        keep: Option<&BooleanArray>,
    ) -> Result<(), StoreError> {
        if let StoredKind::Id { .. } = checked.kind {
            return self.take_keys(writer, &mut names.keys, checked, keep);
        }
        self.prepare(writer, names, of, known, &checked.kind)?;
        self.take_values(&mut names.texts, of, checked, keep)
    }

    /// Gets the codes ready that [`Column::take_values`] will use.
    fn prepare(
        &self,
        writer: &mut Writer,
        names: &mut Names,
        of: &str,
        known: Option<&Strings>,
        kind: &StoredKind,
    ) -> Result<(), StoreError> {
        match kind {
            StoredKind::Text { plain: false } => names.codes(writer, of, &self.name, known).map(|_| ()),
            _ => Ok(()),
        }
    }

    fn take_keys(
        &mut self,
        writer: &Writer,
        ids: &mut BTreeMap<String, KeyIds>,
        checked: Checked,
        keep: Option<&BooleanArray>,
    ) -> Result<(), StoreError> {
        let values = filtered(checked.values, keep)?;
        self.kind = checked.kind;
        let piece: ArrayRef = match &self.kind {
            StoredKind::Id { entity } => Arc::new(KeyIds::ids(ids, &mut self.translated, writer, entity, &values)?),
            _ => values,
        };
        self.pieces.push(piece);
        Ok(())
    }

    fn take_values(
        &mut self,
        texts: &mut BTreeMap<(String, String), TextCodes>,
        of: &str,
        checked: Checked,
        keep: Option<&BooleanArray>,
    ) -> Result<(), StoreError> {
        let values = filtered(checked.values, keep)?;
        self.kind = checked.kind;
        let piece: ArrayRef = match &mut self.kind {
            StoredKind::Text { plain } if !*plain => {
                let codes = texts.get_mut(&(of.to_owned(), self.name.clone()));
                let codes = codes.expect("`prepare` was called for this kind");
                let piece = codes.take(&mut self.translated, &values)?;
                *plain = codes.plain;
                piece
            }
            StoredKind::Text { .. } => match values.as_any_dictionary_opt() {
                Some(coded) => arrow_select::take::take(coded.values(), coded.keys(), None)?,
                None => values,
            },
            _ => values,
        };
        self.pieces.push(piece);
        Ok(())
    }

    /// All pieces as they are stored under the column's kind.
    pub(crate) fn settled(&self, of: &str, names: &Names) -> Result<Vec<ArrayRef>, StoreError> {
        Ok(match &self.schema(of, names).kind {
            &StoredKind::Number { money, float, scale, most } => {
                settled(&self.pieces, Shape { money, float, scale, most })
            }
            StoredKind::Text { plain: true } => {
                let texts = match names.codes_of(of, &self.name) {
                    Some(codes) => text_array(codes.table.texts_from(0))?,
                    None => StringArray::new_null(0),
                };
                let mut pieces = Vec::new();
                for piece in &self.pieces {
                    pieces.push(match piece.data_type() {
                        DataType::UInt32 => arrow_select::take::take(&texts, piece, None)?,
                        _ => piece.clone(),
                    });
                }
                pieces
            }
            _ => self.pieces.clone(),
        })
    }
}

fn filtered(values: ArrayRef, keep: Option<&BooleanArray>) -> Result<ArrayRef, StoreError> {
    match keep {
        Some(keep) => Ok(arrow_select::filter::filter(&values, keep)?),
        None => Ok(values),
    }
}

/// Takes checked batches, one per column. Looking keys up is most of the work, so it has a thread of its own where
/// there are enough rows.
pub(crate) fn take_all(
    columns: &mut [Column],
    writer: &mut Writer,
    names: &mut Names,
    of: &str,
    known: &BTreeMap<String, Strings>,
    checked: Vec<Checked>,
    keep: Option<&BooleanArray>,
) -> Result<(), StoreError> {
    for (column, checked) in columns.iter().zip(&checked) {
        column.prepare(writer, names, of, known.get(&column.name), &checked.kind)?;
    }
    let rows = checked.first().map_or(0, |checked| checked.values.len());
    let is_key = |checked: &Checked| matches!(checked.kind, StoredKind::Id { .. });
    let (keys, values): (Vec<_>, Vec<_>) = columns.iter_mut().zip(checked).partition(|(_, checked)| is_key(checked));
    let (writer, Names { keys: ids, texts }) = (&*writer, names);
    let take_keys = || keys.into_iter().try_for_each(|(column, checked)| column.take_keys(writer, ids, checked, keep));
    let take_values =
        || values.into_iter().try_for_each(|(column, checked)| column.take_values(texts, of, checked, keep));
    if rows < ROWS_WORTH_A_THREAD {
        return take_keys().and_then(|()| take_values());
    }
    std::thread::scope(|scope| {
        let keys = scope.spawn(take_keys);
        let values = take_values();
        match keys.join() {
            Ok(keys) => keys.and(values),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn stored_kind(of: &str, name: &str, declared: &Kind) -> Result<StoredKind, StoreError> {
    let number = |money| StoredKind::Number { money, float: false, scale: 0, most: 0 };
    Ok(match declared {
        Kind::Number | Kind::Count | Kind::Percent | Kind::Points | Kind::Duration => number(false),
        Kind::Money(_) | Kind::MoneyOf(_) => number(true),
        Kind::Text | Kind::Raw | Kind::Missing => StoredKind::Text { plain: false },
        Kind::Bool => StoredKind::Bool,
        Kind::Time => StoredKind::Time,
        Kind::Date => StoredKind::Date,
        Kind::Entity(entity) => StoredKind::Id { entity: entity.clone() },
        Kind::List(_) => return Err(StoreError::column(of, name, "lists cannot be stored")),
    })
}

fn words(kind: &StoredKind) -> &'static str {
    match kind {
        StoredKind::Id { .. } => "keys of an entity",
        StoredKind::Text { .. } => "text",
        StoredKind::Number { .. } => "numbers",
        StoredKind::Bool => "yes or no",
        StoredKind::Time => "moments",
        StoredKind::Date => "dates",
    }
}
