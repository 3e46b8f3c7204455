//! Looking at a table before it is loaded: all of it for inference, its start for the formats of known columns.

use crate::convert::{Formats, text};
use crate::error::Result;
use crate::guess::{ColumnGuess, Guesser};
use crate::moment::{MomentFormat, SHAPES};
use crate::table::{Rejected, Table};
use arrow_array::cast::AsArray;
use arrow_schema::DataType;
use kepi_model::calendar::Zone;
use kepi_model::value::{Kind, Unit};

/// How many rows decide about formats when the columns' units are known.
const SAMPLE_ROWS: u64 = 10_000;

/// What a whole table looks like.
#[derive(Clone, Debug)]
pub struct Profile {
    /// How many rows can be read.
    pub rows: u64,
    /// How many rows were rejected while reading.
    pub rejected: u64,
    /// The first of them.
    pub first_rejected: Option<Rejected>,
    /// The columns, in the table's order.
    pub columns: Vec<ColumnProfile>,
}

/// What a column looks like.
#[derive(Clone, Debug)]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// Its type in the batches.
    pub stored: DataType,
    /// What it is taken for.
    pub guess: ColumnGuess,
}

impl Table {
    /// Reads the whole table and says what each column is.
    ///
    /// # Errors
    /// Whatever stops reading.
    pub fn profile(&self) -> Result<Profile> {
        let mut guessers: Vec<Guesser> = self.columns().iter().map(|_| Guesser::new(self.options())).collect();
        let (mut rows, mut rejected, mut first_rejected) = (0, 0, None);
        for batch in self.read() {
            let batch = batch?;
            rows += batch.records.num_rows() as u64;
            rejected += batch.rejected.len() as u64;
            if first_rejected.is_none() {
                first_rejected = batch.rejected.into_iter().next();
            }
            for (guesser, column) in guessers.iter_mut().zip(batch.records.columns()) {
                text(column).as_string::<i32>().iter().for_each(|cell| guesser.push(cell));
            }
        }
        let columns = self.schema().fields().iter().zip(guessers).map(|(field, guesser)| {
            let mut guess = guesser.finish();
            settle_by_type(&mut guess, field.data_type());
            ColumnProfile { name: field.name().clone(), stored: field.data_type().clone(), guess }
        });
        Ok(Profile { rows, rejected, first_rejected, columns: columns.collect() })
    }

    /// The formats of columns whose units are known, one per column, for [`crate::convert`]. `zone` is the project's.
    ///
    /// The first 10,000 rows decide. Where they leave open whether the month or the day comes first, the whole table
    /// is read. Columns whose type says what they are, as those of Parquet files do, are not looked at.
    ///
    /// # Errors
    /// An unknown column, or whatever stops reading.
    pub fn formats(&self, columns: &[(String, Unit)], zone: &Zone) -> Result<Vec<Formats>> {
        let places: Vec<usize> = columns.iter().map(|(name, _)| self.column(name)).collect::<Result<_>>()?;
        let mut guessers: Vec<Guesser> = columns.iter().map(|_| Guesser::new(self.options())).collect();
        let mut rows = 0;
        let written: Vec<bool> = places
            .iter()
            .zip(columns)
            .map(|(&place, (_, unit))| is_written(self.schema().field(place).data_type(), &unit.kind))
            .collect();
        let names: Vec<String> =
            columns.iter().zip(&written).filter(|(_, written)| **written).map(|((name, _), _)| name.clone()).collect();
        let sample = (!names.is_empty()).then(|| self.with_only(&names)).transpose()?;
        for batch in sample.iter().flat_map(Table::read) {
            let batch = batch?;
            let full = rows >= SAMPLE_ROWS;
            let mut open = false;
            for (((guesser, &place), (_, unit)), &written) in
                guessers.iter_mut().zip(&places).zip(columns).zip(&written)
            {
                let moment = matches!(unit.kind, Kind::Time | Kind::Date);
                if !written || full && !(moment && guesser.ambiguous_day()) {
                    continue;
                }
                let cells = text(batch.records.column(place));
                let take = if full { usize::MAX } else { SAMPLE_ROWS as usize };
                cells.as_string::<i32>().iter().take(take).for_each(|cell| guesser.push(cell));
                if moment && guesser.ambiguous_day() {
                    // The rest of a sampled batch may settle it.
                    cells.as_string::<i32>().iter().skip(take).for_each(|cell| guesser.push(cell));
                    open |= guesser.ambiguous_day();
                }
            }
            rows += batch.records.num_rows() as u64;
            if rows >= SAMPLE_ROWS && !open {
                break;
            }
        }
        let zone = self.options().zone(zone);
        let stated = self.options().dates.first().and_then(|d| MomentFormat::stated(d).ok());
        Ok(guessers
            .iter()
            .map(|guesser| {
                let (decimal, moment) = guesser.formats();
                Formats { decimal, moment: moment.or_else(|| stated.clone()), zone: zone.clone() }
            })
            .collect())
    }
}

/// Whether how the cells of a column are written decides what they are as this kind: not where [`crate::convert`] takes
/// them by their type.
fn is_written(stored: &DataType, kind: &Kind) -> bool {
    match kind {
        Kind::Time | Kind::Date => !matches!(stored, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64),
        // Of these 64 bits not all fit into what numbers are read as.
        kind if is_numeric(kind) => *stored == DataType::UInt64 || !stored.is_numeric(),
        _ => false,
    }
}

fn is_numeric(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Number | Kind::Count | Kind::Percent | Kind::Points | Kind::Money(_) | Kind::MoneyOf(_) | Kind::Duration
    )
}

/// A typed column is what its type says, whatever its cells look like as text.
fn settle_by_type(guess: &mut ColumnGuess, stored: &DataType) {
    let kind = match stored {
        DataType::Boolean => Kind::Bool,
        DataType::Date32 | DataType::Date64 => Kind::Date,
        DataType::Timestamp(..) => Kind::Time,
        // Whole numbers may still be dates of 8 digits.
        of if of.is_integer() && guess.kind == Kind::Date => Kind::Date,
        of if of.is_numeric() => Kind::Number,
        _ => return,
    };
    if kind == Kind::Number {
        guess.decimal = b'.';
        guess.notes.clear();
        guess.misfits = 0;
    }
    if kind != guess.kind {
        guess.moment = match kind {
            Kind::Date | Kind::Time => Some(MomentFormat::Shape(SHAPES[0])),
            _ => None,
        };
    }
    guess.kind = kind;
}
