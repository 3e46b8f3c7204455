//! Whole columns in scripts: numbers as a native type with functions over all of them, so that a script loops over
//! groups and not over rows; anything else as an array.

use super::values::to_dynamic;
use crate::failure::Failure;
use crate::settings::Limits;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use rhai::{Array as ScriptArray, Dynamic, Engine, EvalAltResult};
use std::sync::Arc;

/// Numbers of a group, in the order of its rows.
#[derive(Clone, Debug)]
pub(super) struct Numbers(Arc<[f64]>);

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// A column as a script sees it.
pub(super) fn to_script(column: &ArrayRef, limits: &Limits) -> Result<Dynamic, Failure> {
    match column.data_type() {
        DataType::Float64 => Ok(Dynamic::from(Numbers(column.as_primitive::<Float64Type>().values().to_vec().into()))),
        DataType::Int64 => {
            let values = column.as_primitive::<Int64Type>().values().iter().map(|&v| v as f64);
            Ok(Dynamic::from(Numbers(values.collect())))
        }
        _ if column.len() > limits.script_array_items_max => {
            Err(Failure::Limit(format!("{} items of an array", limits.script_array_items_max)))
        }
        _ => Ok(Dynamic::from((0..column.len()).map(|row| to_dynamic(column, row)).collect::<ScriptArray>())),
    }
}

/// Offers columns of numbers and what can be done with them.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Numbers>("numbers");
    engine.register_get("len", |n: &mut Numbers| n.0.len() as i64);
    engine.register_fn("len", |n: &mut Numbers| n.0.len() as i64);
    engine.register_indexer_get(|n: &mut Numbers, index: i64| -> Fallible<f64> {
        let place = usize::try_from(index).ok().and_then(|i| n.0.get(i).copied());
        place.ok_or_else(|| format!("there is no number {index} among {}", n.0.len()).into())
    });
    engine.register_fn("sum", |n: Numbers| sum(&n.0));
    engine.register_fn("mean", |n: Numbers| mean(&n.0));
    engine.register_fn("min", |n: Numbers| n.0.iter().copied().reduce(f64::min).map_or(Dynamic::UNIT, Dynamic::from));
    engine.register_fn("max", |n: Numbers| n.0.iter().copied().reduce(f64::max).map_or(Dynamic::UNIT, Dynamic::from));
    engine.register_fn("stddev", |n: Numbers| {
        let Some(mean) = average(&n.0).filter(|_| n.0.len() > 1) else { return Dynamic::UNIT };
        let squares: f64 = n.0.iter().map(|x| (x - mean).powi(2)).sum();
        Dynamic::from((squares / (n.0.len() - 1) as f64).sqrt())
    });
    engine.register_fn("sorted", |n: Numbers| {
        let mut values = n.0.to_vec();
        values.sort_by(f64::total_cmp);
        Numbers(values.into())
    });
    engine.register_fn("cumulated", |n: Numbers| {
        let mut sum = 0.0;
        let added = n.0.iter().map(|x| {
            sum += x;
            sum
        });
        Numbers(added.collect())
    });
    engine.register_fn("quantile", |n: Numbers, part: f64| -> Fallible<Dynamic> {
        if !(0.0..=1.0).contains(&part) {
            return Err(format!("quantile(x, {part}): a part between 0.0 and 1.0 is needed").into());
        }
        let mut values = n.0.to_vec();
        values.sort_by(f64::total_cmp);
        let Some(last) = values.len().checked_sub(1) else { return Ok(Dynamic::UNIT) };
        let place = part * last as f64;
        let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
        Ok(Dynamic::from(low + (high - low) * place.fract()))
    });
    engine.register_fn("dot", |a: Numbers, b: Numbers| -> Fallible<f64> {
        if a.0.len() != b.0.len() {
            return Err(format!("dot(a, b): {} numbers and {}", a.0.len(), b.0.len()).into());
        }
        Ok(a.0.iter().zip(b.0.iter()).map(|(a, b)| a * b).sum())
    });
    engine.register_fn("places", |n: Numbers| Numbers((1..=n.0.len()).map(|place| place as f64).collect()));
    engine.register_fn("to_array", |n: Numbers| n.0.iter().copied().map(Dynamic::from).collect::<ScriptArray>());
}

fn sum(values: &[f64]) -> f64 {
    values.iter().sum()
}

fn average(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| sum(values) / values.len() as f64)
}

fn mean(values: &[f64]) -> Dynamic {
    average(values).map_or(Dynamic::UNIT, Dynamic::from)
}
