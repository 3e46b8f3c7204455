//! Row expressions over the rows of a table that is being loaded.

use super::column::Column;
use super::column::Type;
use super::program::{Base, Frame, Program};
use crate::{Cancel, ExecError, Source};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use kepi_extension::{Attribute, Batches, EntityInfo, EventScan, Functions, ScanError, ScanRequest, StreamInfo};
use kepi_model::core::Row;
use std::sync::Arc;

/// Computes row expressions for the rows of a table, one array each.
///
/// `RowNode::Field` is a column of the table by name: `Utf8`, `Int64`, `Decimal128`, `Float64`, `Boolean`,
/// `Timestamp(µs)` or `Date32`. Exact numbers come out as `Decimal128(38, s)` (integers with s = 0), texts as `Utf8`,
/// conditions as `Boolean` (a condition made by an operator is never null), times as `Timestamp(µs, "UTC")`, dates as
/// `Date32`; what is always missing as `Null`. `Utf8` is never read as something else: a text that stands for a number
/// must have been parsed before.
///
/// Errors: an unknown column, an operation on types that it does not take, a plugin's failure.
pub fn evaluate_table(
    rows: &[Row],
    table: &RecordBatch,
    zone: &str,
    now: i64,
    functions: &Functions,
) -> Result<Vec<ArrayRef>, ExecError> {
    let source = Source::new(Arc::new(Nothing), functions.clone(), Cancel::default());
    let mut columns = Vec::new();
    let mut types = Vec::new();
    for (field, array) in table.schema_ref().fields().iter().zip(table.columns()) {
        // What cannot be read is an error only where it is asked for.
        if let Ok(column) = Column::of_array(array) {
            types.push((field.name().clone(), type_of(&column)));
            columns.push(column);
        }
    }
    let mut program = Program::new(Base::Table(types.clone()), &source, zone, now)?;
    let nodes = rows.iter().map(|row| program.row(row)).collect::<Result<Vec<_>, _>>()?;
    let read = |name: &String| types.iter().position(|t| t.0 == *name).map(|i| columns[i].clone());
    let inputs: Option<Vec<Column>> = program.scanned().iter().map(read).collect();
    let inputs = inputs.ok_or_else(|| ExecError::Plan("a column of the table has gone".into()))?;
    let len = table.num_rows();
    let frame =
        Frame { len, at: None, back: 0, columns: inputs, ids: None, cell_starts: None, cell_end: None, window: 0..len };
    program.evaluate(&frame)?;
    nodes.into_iter().map(|node| program.value(node).to_array(None)).collect()
}

fn type_of(column: &Column) -> Type {
    use super::Values::*;
    match &column.values {
        Decimal(_, scale) | Wide(_, scale) => Type::Decimal(*scale),
        Float(_) => Type::Float,
        Codes(..) | Text(_) => Type::Text,
        Bool(_) => Type::Bool,
        Time(_) => Type::Time,
        Date(_) => Type::Date,
        Id(_, entity) => Type::Id(Arc::clone(entity)),
        Missing(_) => Type::Missing,
    }
}

/// A project in which nothing is stored: a row of a table sees only itself.
#[derive(Debug)]
struct Nothing;

impl EventScan for Nothing {
    fn snapshot(&self) -> u64 {
        0
    }
    fn streams(&self) -> Vec<String> {
        Vec::new()
    }
    fn stream(&self, _: &str) -> Option<StreamInfo> {
        None
    }
    fn entity(&self, _: &str) -> Option<EntityInfo> {
        None
    }
    fn scan(&self, request: &ScanRequest) -> Result<Batches, ScanError> {
        Err(ScanError::Unknown(request.stream.clone()))
    }
    fn splits(&self, _: &str, _: Option<i64>, _: Option<i64>, _: usize) -> Vec<i64> {
        Vec::new()
    }
    fn dictionary(&self, stream: &str, _: &str) -> Result<Arc<StringArray>, ScanError> {
        Err(ScanError::Unknown(stream.to_string()))
    }
    fn keys(&self, entity: &str) -> Result<Arc<StringArray>, ScanError> {
        Err(ScanError::Unknown(entity.to_string()))
    }
    fn id_of(&self, entity: &str, _: &str) -> Result<Option<u32>, ScanError> {
        Err(ScanError::Unknown(entity.to_string()))
    }
    fn attribute(&self, entity: &str, _: &str) -> Result<Attribute, ScanError> {
        Err(ScanError::Unknown(entity.to_string()))
    }
    fn attribute_history(&self, entity: &str, _: &str) -> Result<RecordBatch, ScanError> {
        Err(ScanError::Unknown(entity.to_string()))
    }
}
