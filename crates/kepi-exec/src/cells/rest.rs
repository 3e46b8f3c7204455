//! The row of all others where what is shown adds up: summed from the rows that are not kept, without reading anything
//! again.

use crate::ExecError;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Schema};
use kepi_model::core::{Base, FormulaNode, Measure, Query};
use std::sync::Arc;

/// The values of the rows behind the first `kept` together, one row without labels. None: there are no more, or something
/// that is shown is no count or exact sum of rows, each of which has one label.
pub(crate) fn summed(query: &Query, rows: &RecordBatch, kept: usize) -> Result<Option<RecordBatch>, ExecError> {
    let plain = query.having.is_none() && query.compare.is_empty() && query.shape.is_none() && query.per.is_none();
    if rows.num_rows() <= kept
        || !plain
        || query.by.is_empty()
        || !query.columns.iter().all(|c| adds_up(query, &c.formula.node))
    {
        return Ok(None);
    }
    let columns =
        rows.columns().iter().skip(query.by.len()).map(|column| sum(&column.slice(kept, column.len() - kept)));
    let Some(columns) = columns.collect::<Option<Vec<ArrayRef>>>() else { return Ok(None) };
    let schema = Schema::new(rows.schema().fields().iter().skip(query.by.len()).cloned().collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns).map(Some).map_err(|e| ExecError::Plan(e.to_string()))
}

fn adds_up(query: &Query, node: &FormulaNode) -> bool {
    let FormulaNode::Aggregate(number) = node else { return false };
    query.aggregates.get(*number).is_some_and(|aggregate| {
        matches!(aggregate.measure, Measure::Count | Measure::Sum(_))
            && matches!(aggregate.events.base, Base::Stream(_))
            && aggregate.across.is_empty()
            && aggregate.aging.is_none()
    })
}

/// The sum of exact numbers, all of which are known; none: they are not, or it does not fit.
fn sum(values: &ArrayRef) -> Option<ArrayRef> {
    if values.null_count() > 0 {
        return None;
    }
    Some(match values.data_type() {
        DataType::Int64 => {
            let values = values.as_primitive::<Int64Type>().values();
            let sum = values.iter().try_fold(0_i64, |sum, value| sum.checked_add(*value))?;
            Arc::new(Int64Array::from(vec![sum]))
        }
        DataType::Decimal128(..) => {
            let numbers = values.as_primitive::<Decimal128Type>().values();
            let sum = numbers.iter().try_fold(0_i128, |sum, value| sum.checked_add(*value))?;
            let sum = (sum.unsigned_abs() < 10_u128.pow(38)).then_some(sum)?;
            Arc::new(Decimal128Array::from(vec![sum]).with_data_type(values.data_type().clone()))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that cannot go on has failed.
    use super::*;

    #[test]
    fn only_what_is_known_and_fits_is_summed() {
        let sum_of = |values: Vec<Option<i64>>| sum(&(Arc::new(Int64Array::from(values)) as ArrayRef));
        assert_eq!(sum_of(vec![Some(3), Some(-5)]).unwrap().as_primitive::<Int64Type>().value(0), -2);
        assert!(sum_of(vec![Some(3), None]).is_none());
        assert!(sum_of(vec![Some(i64::MAX), Some(1)]).is_none());
        let money = Decimal128Array::from(vec![150, 25]).with_precision_and_scale(38, 2).unwrap();
        let money = sum(&(Arc::new(money) as ArrayRef)).unwrap();
        assert_eq!(
            (money.as_primitive::<Decimal128Type>().value(0), money.data_type()),
            (175, &DataType::Decimal128(38, 2))
        );
        assert!(sum(&(Arc::new(arrow_array::Float64Array::from(vec![0.5])) as ArrayRef)).is_none());
    }
}
