//! One mapping of a source, ready to turn batches of a table into rows of a stream or entity.

use super::connect_error;
use crate::api::EngineError;
use crate::engine::exec_error;
use crate::model::Model;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::filter::{filter, filter_record_batch};
use kepi_connect::{Faults, Formats, Table, as_text, convert, convert_coded, whole_numbers};
use kepi_exec::evaluate_table;
use kepi_extension::{AT, Functions, ID};
use kepi_model::calendar::Zone;
use kepi_model::core::{Row, RowNode};
use kepi_model::declared::{EntityDecl, INTO, MappingDecl, StreamDecl, Target};
use kepi_model::value::{Kind, Unit};
use std::sync::Arc;

/// The column of keys of what fills an entity.
const KEY: &str = "_key";

/// What a mapping fills.
#[derive(Clone, Debug)]
pub(crate) enum Filled {
    Stream(StreamDecl),
    Entity(EntityDecl),
    /// The keys of an entity, of which some mean others; with the name of the report.
    Merge(EntityDecl, String),
}

/// A mapping with the columns that it reads.
#[derive(Debug)]
pub(crate) struct Mapper {
    pub(crate) filled: Filled,
    /// Whether that is a stored state.
    pub(crate) of_state: bool,
    /// The outputs by name: `_at`, `_id`, `_key`, roles, fields.
    outputs: Vec<(String, Row)>,
    filter: Option<Row>,
    /// What is read: the name in the expressions, the table's column, its place, its unit, its format.
    inputs: Vec<Input>,
    zone: String,
    now: i64,
    functions: Functions,
}

#[derive(Debug)]
struct Input {
    name: String,
    column: String,
    place: usize,
    unit: Unit,
    formats: Formats,
    taken: Taken,
}

/// In which of the types that a file may have a column is taken from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// Something is computed from it: in the type that [`convert`] gives.
    Converted,
    /// It goes to the store as it is: a dictionary may stay one.
    Stored,
    /// It is a reference to an entity: whole numbers, too, may stay what they are.
    Reference,
    /// It is the id or the key of the row: whole numbers may stay what they are.
    Identity,
}

impl Input {
    /// The column for the evaluator or the store, and the cells that cannot be read.
    fn read(&self, column: &ArrayRef) -> (ArrayRef, Faults) {
        let whole = match self.taken {
            Taken::Reference | Taken::Identity => whole_numbers(column),
            Taken::Converted | Taken::Stored => None,
        };
        match (whole, self.taken) {
            (Some(numbers), _) => (numbers, Vec::new()),
            (None, Taken::Stored | Taken::Reference) => convert_coded(column, &self.unit, &self.formats),
            (None, Taken::Converted | Taken::Identity) => convert(column, &self.unit, &self.formats),
        }
    }
}

/// The rows of a batch that a mapping takes, and those that it cannot.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub(crate) rows: RecordBatch,
    /// For each of them its place in the batch of the table.
    pub(crate) places: Vec<usize>,
    /// Rows that another mapping may take, or that have no time yet or only one of two keys.
    pub(crate) filtered: u64,
    pub(crate) undated: u64,
    /// The ids of those two, where rows have ids.
    pub(crate) left_out: Option<ArrayRef>,
    /// Rows that cannot be read: place, column, reason.
    pub(crate) faults: Vec<(usize, String, String)>,
}

impl Mapper {
    pub(crate) fn new(model: &Model, mapping: &MappingDecl, table: &Table, now: i64) -> Result<Mapper, EngineError> {
        let filled = match &mapping.target {
            Target::Stream(name) => model.catalog.stream(name).cloned().map(Filled::Stream),
            Target::Entity(name) => model.catalog.entity(name).cloned().map(Filled::Entity),
            Target::Merge(name) => {
                model.catalog.entity(name).cloned().map(|entity| Filled::Merge(entity, format!("merges of {name}")))
            }
        };
        let Some(filled) = filled else {
            return Err(EngineError::failed(format!("{:?} is not declared", mapping.target)));
        };
        let mut inputs = Wanted::default();
        let mut outputs = Vec::new();
        let named = [
            (AT, &mapping.at, Taken::Stored),
            (ID, &mapping.id, Taken::Identity),
            (KEY, &mapping.key, Taken::Identity),
        ];
        for (name, row, taken) in named {
            if let Some(row) = row {
                outputs.push((name.to_string(), inputs.output(row, taken)));
            }
        }
        for (name, row) in mapping.roles.iter().chain(&mapping.fields) {
            let taken = match filled.refers(name) {
                _ if name == INTO => Taken::Identity,
                true => Taken::Reference,
                false => Taken::Stored,
            };
            outputs.push((name.clone(), inputs.output(row, taken)));
        }
        let filter = mapping.filter.as_ref().map(|row| inputs.computed(row));
        let zone_name = model.catalog.settings.zone.clone();
        let zone = Zone::named(&zone_name).unwrap_or_else(Zone::utc);
        let inputs = inputs.0;
        let wanted: Vec<(String, Unit)> = inputs.iter().map(|w| (w.column.clone(), w.unit.clone())).collect();
        let formats = table.formats(&wanted, &zone).map_err(connect_error)?;
        let inputs = inputs
            .into_iter()
            .zip(formats)
            .map(|(WantedColumn { name, column, unit, taken }, formats)| {
                let place = table.column(&column).map_err(connect_error)?;
                Ok(Input { name, column, place, unit, formats, taken })
            })
            .collect::<Result<Vec<_>, EngineError>>()?;
        let functions = model.plugins.functions.clone();
        let of_state = matches!(&mapping.target, Target::Stream(name) if model.catalog.is_stored_state(name));
        Ok(Mapper { filled, of_state, outputs, filter, inputs, zone: zone_name, now, functions })
    }

    /// Only the identity of the rows of a mapping, for a table that has not much more than that.
    pub(crate) fn identity(
        model: &Model,
        mapping: &MappingDecl,
        table: &Table,
        now: i64,
    ) -> Result<Mapper, EngineError> {
        let bare =
            MappingDecl { filter: None, at: None, key: None, roles: Vec::new(), fields: Vec::new(), ..mapping.clone() };
        Mapper::new(model, &bare, table, now)
    }

    /// Whether days, or times without an offset, are read from a batch, which mean moments of the project's zone.
    pub(crate) fn reads_local_times(&self, batch: &RecordBatch) -> bool {
        let mut dated = self.inputs.iter().filter(|input| matches!(input.unit.kind, Kind::Time | Kind::Date));
        dated.any(|input| {
            let column = batch.column(input.place);
            match column.data_type() {
                DataType::Timestamp(_, zone) => zone.is_none(),
                DataType::Date32 | DataType::Date64 => true,
                _ => {
                    let Some(format) = &input.formats.moment else { return false };
                    // All cells of a column are written in one way.
                    let cells = as_text(&column.slice(0, column.len().min(100)));
                    let cell = |text: &str| format.parse(text).is_some_and(|civil| civil.offset.is_none());
                    cells.as_string::<i32>().iter().flatten().any(cell)
                }
            }
        })
    }

    /// The column that the id of a row is taken from; none: it is computed, or there is none.
    pub(crate) fn id_column(&self) -> Option<String> {
        let (_, row) = self.outputs.iter().find(|(name, _)| name == ID)?;
        matches!(row.node, RowNode::Field(_)).then(|| self.column_of(row))
    }

    pub(crate) fn name(&self) -> &str {
        match &self.filled {
            Filled::Stream(stream) => &stream.name,
            Filled::Entity(entity) => &entity.name,
            Filled::Merge(_, name) => name,
        }
    }

    /// Maps a batch of the table.
    pub(crate) fn map(&self, batch: &RecordBatch) -> Result<Mapped, EngineError> {
        let length = batch.num_rows();
        let mut faults: Vec<(usize, String, String)> = Vec::new();
        let mut converted: Vec<ArrayRef> = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            let column = batch.column(input.place);
            let (array, wrong) = input.read(column);
            faults.extend(wrong.into_iter().map(|(row, reason)| (row, input.column.clone(), reason)));
            converted.push(array);
        }
        let fields: Vec<Field> =
            self.inputs.iter().zip(&converted).map(|(i, a)| Field::new(&i.name, a.data_type().clone(), true)).collect();
        let table = RecordBatch::try_new_with_options(
            Arc::new(Schema::new(fields)),
            converted,
            &arrow_array::RecordBatchOptions::new().with_row_count(Some(length)),
        )
        .map_err(EngineError::failed)?;
        let mut wanted: Vec<Row> = self.outputs.iter().map(|(_, row)| row.clone()).collect();
        wanted.extend(self.filter.clone());
        let mut arrays = self.evaluate(&wanted, &table)?;
        let passing = if self.filter.is_some() { arrays.pop() } else { None };
        let mut keep = vec![true; length];
        let mut filtered = 0;
        if let Some(passing) = passing {
            for (row, keep) in keep.iter_mut().enumerate() {
                *keep = passing.is_valid(row) && passing.as_boolean_opt().is_some_and(|b| b.value(row));
                filtered += u64::from(!*keep);
            }
        }
        // A row that the filter leaves out is not this mapping's business, also where it cannot be read.
        faults.retain(|(row, _, _)| keep[*row]);
        for (row, _, _) in &faults {
            keep[*row] = false;
        }
        let read = faults.len();
        let undated = self.drop_undated(&arrays, &mut keep, &mut faults);
        let unread: Vec<usize> = faults[..read].iter().map(|(row, _, _)| *row).collect();
        faults.sort();
        faults.dedup_by_key(|(row, _, _)| *row);
        let fields: Vec<Field> = self
            .outputs
            .iter()
            .zip(&arrays)
            .map(|((name, _), array)| Field::new(name, array.data_type().clone(), true))
            .collect();
        let rows = RecordBatch::try_new_with_options(
            Arc::new(Schema::new(fields)),
            arrays,
            &arrow_array::RecordBatchOptions::new().with_row_count(Some(length)),
        )
        .map_err(EngineError::failed)?;
        if keep.iter().all(|k| *k) {
            return Ok(Mapped { rows, places: (0..length).collect(), filtered, undated, left_out: None, faults });
        }
        let places: Vec<usize> = (0..length).filter(|row| keep[*row]).collect();
        let left_out = match rows.column_by_name(ID) {
            Some(ids) if matches!(self.filled, Filled::Stream(_)) && filtered + undated > 0 => {
                let mut out: Vec<bool> = keep.iter().map(|keep| !keep).collect();
                unread.iter().for_each(|row| out[*row] = false);
                Some(filter(ids, &BooleanArray::from(out)).map_err(EngineError::failed)?)
            }
            _ => None,
        };
        let rows = filter_record_batch(&rows, &BooleanArray::from(keep)).map_err(EngineError::failed)?;
        Ok(Mapped { rows, places, filtered, undated, left_out, faults })
    }

    /// Rows whose moment is empty have not happened yet, and who was never recognised is merged with nobody; entities
    /// without a key cannot be.
    fn drop_undated(&self, arrays: &[ArrayRef], keep: &mut [bool], faults: &mut Vec<(usize, String, String)>) -> u64 {
        let mut undated = 0;
        for ((name, row), array) in self.outputs.iter().zip(arrays) {
            let faulty = match &self.filled {
                Filled::Stream(_) if name == AT => false,
                Filled::Entity(_) if name == KEY => true,
                Filled::Merge(..) => false,
                _ => continue,
            };
            for (place, keep) in keep.iter_mut().enumerate() {
                if *keep && array.is_null(place) {
                    *keep = false;
                    match faulty {
                        true => faults.push((place, self.column_of(row), "the key is empty".to_string())),
                        false => undated += 1,
                    }
                }
            }
        }
        undated
    }

    fn column_of(&self, row: &Row) -> String {
        match &row.node {
            RowNode::Field(name) => {
                self.inputs.iter().find(|i| i.name == *name).map_or(String::new(), |i| i.column.clone())
            }
            _ => "key".to_string(),
        }
    }

    /// Plain columns are taken as they are; the evaluator sees only what is computed.
    fn evaluate(&self, rows: &[Row], table: &RecordBatch) -> Result<Vec<ArrayRef>, EngineError> {
        let computed: Vec<Row> = rows.iter().filter(|r| !matches!(r.node, RowNode::Field(_))).cloned().collect();
        let values = if computed.is_empty() {
            Vec::new()
        } else {
            evaluate_table(&computed, table, &self.zone, self.now, &self.functions).map_err(exec_error)?
        };
        let mut values = values.into_iter();
        let mut arrays = Vec::with_capacity(rows.len());
        for row in rows {
            let array = match &row.node {
                RowNode::Field(name) => table.column_by_name(name).cloned(),
                _ => values.next(),
            };
            // Every name was made by `numbered`, and every computed row has its value.
            arrays.push(array.ok_or_else(|| EngineError::failed("a column of the mapping has gone"))?);
        }
        Ok(arrays)
    }
}

impl Filled {
    /// Whether a column refers to an entity.
    fn refers(&self, column: &str) -> bool {
        let (roles, fields) = match self {
            Filled::Stream(stream) => (stream.roles.as_slice(), &stream.fields),
            Filled::Entity(entity) | Filled::Merge(entity, _) => ([].as_slice(), &entity.fields),
        };
        roles.iter().any(|role| role.name == column)
            || fields.iter().any(|field| field.name == column && matches!(field.unit.kind, Kind::Entity(_)))
    }
}

/// A column that expressions read.
#[derive(Debug)]
struct WantedColumn {
    /// Its name in the expressions: one column may be read as text here and as a number there.
    name: String,
    column: String,
    unit: Unit,
    taken: Taken,
}

/// The columns that expressions read, each once per unit and way.
#[derive(Debug, Default)]
struct Wanted(Vec<WantedColumn>);

impl Wanted {
    /// An output's expression with its columns renamed; a plain column is taken in the way given.
    fn output(&mut self, row: &Row, taken: Taken) -> Row {
        match &row.node {
            RowNode::Field(column) => self.field(column, row, taken),
            _ => self.computed(row),
        }
    }

    /// An expression with its columns renamed.
    fn computed(&mut self, row: &Row) -> Row {
        let node = match &row.node {
            RowNode::Field(column) => return self.field(column, row, Taken::Converted),
            RowNode::Call { op, args } => {
                RowNode::Call { op: op.clone(), args: args.iter().map(|a| self.computed(a)).collect() }
            }
            RowNode::Case { whens, otherwise } => RowNode::Case {
                whens: whens.iter().map(|(when, then)| (self.computed(when), self.computed(then))).collect(),
                otherwise: otherwise.as_ref().map(|o| Box::new(self.computed(o))),
            },
            RowNode::Plugin { name, args } => {
                RowNode::Plugin { name: name.clone(), args: args.iter().map(|a| self.computed(a)).collect() }
            }
            other => other.clone(),
        };
        Row { unit: row.unit.clone(), node }
    }

    fn field(&mut self, column: &str, row: &Row, taken: Taken) -> Row {
        let unit = match &row.unit.kind {
            Kind::Raw | Kind::Missing | Kind::Entity(_) => Unit::of(Kind::Text),
            _ => row.unit.clone(),
        };
        // A number that is said to be text is no plain whole number any more.
        let taken = match taken {
            Taken::Reference | Taken::Identity if unit.kind != Kind::Text => Taken::Converted,
            taken => taken,
        };
        let known = self.0.iter().find(|w| w.column == column && w.unit == unit && w.taken == taken);
        let name = match known {
            Some(known) => known.name.clone(),
            None => {
                let name = format!("{column} as {unit}, {taken:?}");
                self.0.push(WantedColumn { name: name.clone(), column: column.to_string(), unit: unit.clone(), taken });
                name
            }
        };
        Row { unit, node: RowNode::Field(name) }
    }
}
