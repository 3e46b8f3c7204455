//! The full outer match of cells that were computed apart, on period and labels.

use super::cell::CellType;
use crate::ExecError;
use arrow_schema::DataType;
use datafusion_common::{JoinType, NullEquality, ScalarValue};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::case;
use datafusion_physical_expr::expressions::{Column, cast, is_not_null, lit};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion_physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion_physical_plan::projection::{ProjectionExec, ProjectionExpr};
use kepi_model::value::{Kind, Unit};
use std::sync::Arc;

/// Cells of some aggregates: the keys, then per aggregate its value and its number of rows.
pub(crate) struct Part {
    /// What computes them.
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    /// Which aggregates they are, as the matched columns are to be numbered.
    pub(crate) columns: Vec<usize>,
}

/// Matches parts on their first `keys` columns; a missing label meets a missing label. What comes out has the keys,
/// then per number its value and its number of rows, in the order of the numbers.
pub(crate) fn matched(parts: Vec<Part>, keys: usize) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
    let types = key_types(&parts, keys)?;
    let mut parts = parts.into_iter();
    let first = parts.next().ok_or_else(|| ExecError::Plan("there is nothing to match".into()))?;
    let mut order = first.columns.clone();
    let mut all = with_keys(first.plan, &types)?;
    for next in parts {
        order.extend(&next.columns);
        all = join(all, with_keys(next.plan, &types)?, types.len().max(1))?;
    }
    // The constant key of answers without period and labels has done its work.
    let joined_keys = types.len().max(1);
    let mut wanted: Vec<usize> = (0..keys).collect();
    let mut numbered: Vec<(usize, usize)> =
        order.into_iter().enumerate().map(|(place, number)| (number, place)).collect();
    numbered.sort_unstable();
    for (_, place) in numbered {
        wanted.extend([joined_keys + 2 * place, joined_keys + 2 * place + 1]);
    }
    let schema = all.schema();
    let columns = wanted.iter().enumerate().map(|(i, from)| {
        let name = schema.field(*from).name();
        let alias = match i.checked_sub(keys) {
            None => name.clone(),
            Some(i) if i % 2 == 0 => format!("value_{}", i / 2),
            Some(i) => format!("rows_{}", i / 2),
        };
        ProjectionExpr { expr: Arc::new(Column::new(name, *from)), alias }
    });
    Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), all)?))
}

/// One type per key that holds the keys of all parts.
fn key_types(parts: &[Part], keys: usize) -> Result<Vec<DataType>, ExecError> {
    let mut types = Vec::with_capacity(keys);
    for key in 0..keys {
        let mut unified = CellType::Missing;
        let mut same: Option<DataType> = None;
        let mut all_same = true;
        for part in parts {
            let schema = part.plan.schema();
            let data_type = schema.field(key).data_type();
            unified = unified.unify(CellType::of_arrow(data_type)?)?;
            all_same = all_same && same.as_ref().is_none_or(|s| s == data_type);
            same.get_or_insert_with(|| data_type.clone());
        }
        types.push(match same {
            Some(same) if all_same => same,
            _ => unified.arrow(&Unit::of(Kind::Number)),
        });
    }
    Ok(types)
}

/// One partition with keys of these types; without keys a constant stands in for them.
fn with_keys(plan: Arc<dyn ExecutionPlan>, types: &[DataType]) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
    let plan: Arc<dyn ExecutionPlan> = match plan.properties().output_partitioning().partition_count() {
        1 => plan,
        _ => Arc::new(CoalescePartitionsExec::new(plan)),
    };
    let schema = plan.schema();
    if !types.is_empty() && types.iter().zip(schema.fields()).all(|(t, f)| t == f.data_type()) {
        return Ok(plan);
    }
    let mut columns = Vec::new();
    if types.is_empty() {
        columns.push(ProjectionExpr { expr: lit(ScalarValue::Int64(Some(0))), alias: "all".into() });
    }
    for (i, field) in schema.fields().iter().enumerate() {
        let mut expr: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), i));
        if let Some(data_type) = types.get(i).filter(|t| *t != field.data_type()) {
            expr = cast(expr, &schema, data_type.clone())?;
        }
        columns.push(ProjectionExpr { expr, alias: field.name().clone() });
    }
    Ok(Arc::new(ProjectionExec::try_new(columns, plan)?))
}

/// Puts the values of a part beside the cells that have the same keys: `keys` are columns of the cells, the first
/// columns of the part. The rows of the cells stay as they are, in their order. `zero`: which of the part's values, counted
/// from its first, are 0 where it has nothing.
pub(crate) fn beside(
    cells: Arc<dyn ExecutionPlan>,
    part: Arc<dyn ExecutionPlan>,
    keys: &[usize],
    zero: impl Fn(usize) -> bool,
) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
    let own = cells.schema();
    let width = own.fields().len();
    let types: Vec<DataType> = keys.iter().map(|key| own.field(*key).data_type().clone()).collect();
    let part = with_keys(part, &types)?;
    let column = |name: &str, i: usize| Arc::new(Column::new(name, i)) as Arc<dyn PhysicalExpr>;
    let (cells, keys): (Arc<dyn ExecutionPlan>, Vec<usize>) = match keys {
        [] => {
            let fields = own.fields().iter().enumerate();
            let mut columns: Vec<ProjectionExpr> =
                fields.map(|(i, f)| ProjectionExpr { expr: column(f.name(), i), alias: f.name().clone() }).collect();
            columns.push(ProjectionExpr { expr: lit(ScalarValue::Int64(Some(0))), alias: "all".into() });
            (Arc::new(ProjectionExec::try_new(columns, cells)?), vec![width])
        }
        keys => (cells, keys.to_vec()),
    };
    let (part_schema, cells_schema) = (part.schema(), cells.schema());
    let on = keys
        .iter()
        .enumerate()
        .map(|(i, key)| (column(part_schema.field(i).name(), i), column(cells_schema.field(*key).name(), *key)));
    let joined = HashJoinExec::try_new(
        part,
        cells,
        on.collect(),
        None,
        &JoinType::Right,
        None,
        PartitionMode::CollectLeft,
        NullEquality::NullEqualsNull,
        false,
    )?;
    let before = part_schema.fields().len();
    let mut columns = Vec::new();
    for (i, field) in own.fields().iter().enumerate() {
        columns.push(ProjectionExpr { expr: column(field.name(), before + i), alias: field.name().clone() });
    }
    for (i, field) in part_schema.fields().iter().enumerate().skip(keys.len()) {
        let value = column(field.name(), i);
        let expr = match zero(i - keys.len()) {
            true => case(None, vec![(is_not_null(Arc::clone(&value))?, value)], Some(nothing(field.data_type())?))?,
            false => value,
        };
        columns.push(ProjectionExpr { expr, alias: format!("across_{}_{i}", width) });
    }
    Ok(Arc::new(ProjectionExec::try_new(columns, Arc::new(joined))?))
}

/// 0 of a type.
fn nothing(data_type: &DataType) -> Result<Arc<dyn PhysicalExpr>, ExecError> {
    Ok(lit(match data_type {
        DataType::Int64 => ScalarValue::Int64(Some(0)),
        DataType::Float64 => ScalarValue::Float64(Some(0.0)),
        DataType::Decimal128(precision, scale) => ScalarValue::Decimal128(Some(0), *precision, *scale),
        other => return Err(ExecError::Plan(format!("{other} has no zero"))),
    }))
}

/// The full outer join of two tables whose first `keys` columns are the same.
fn join(
    left: Arc<dyn ExecutionPlan>,
    right: Arc<dyn ExecutionPlan>,
    keys: usize,
) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
    let (left_schema, right_schema) = (left.schema(), right.schema());
    let left_width = left_schema.fields().len();
    let column = |name: &str, i: usize| Arc::new(Column::new(name, i)) as Arc<dyn PhysicalExpr>;
    let on =
        (0..keys).map(|i| (column(left_schema.field(i).name(), i), column(right_schema.field(i).name(), i))).collect();
    let joined = HashJoinExec::try_new(
        left,
        right,
        on,
        None,
        &JoinType::Full,
        None,
        PartitionMode::CollectLeft,
        NullEquality::NullEqualsNull,
        false,
    )?;
    let mut columns = Vec::new();
    for (i, field) in left_schema.fields().iter().enumerate() {
        let own = column(field.name(), i);
        let expr = if i < keys {
            let other = column(right_schema.field(i).name(), left_width + i);
            case(None, vec![(is_not_null(Arc::clone(&own))?, own)], Some(other))?
        } else {
            own
        };
        columns.push(ProjectionExpr { expr, alias: field.name().clone() });
    }
    for (i, field) in right_schema.fields().iter().enumerate().skip(keys) {
        columns.push(ProjectionExpr { expr: column(field.name(), left_width + i), alias: field.name().clone() });
    }
    Ok(Arc::new(ProjectionExec::try_new(columns, Arc::new(joined))?))
}
