//! The samples of a manifest, run: each function has to give what its manifest says that it gives.

mod learned;
mod parts;

use crate::{RuleResult, Verdict};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use kepi_model::declared::SignatureParameter;
use kepi_model::value::Kind;
use kepi_plugin::{Loaded, Manifest, ManifestSample};
use serde_json::Value;
use std::sync::Arc;

/// Numbers that differ by less than this part are the same.
const CLOSE: f64 = 1e-9;

/// A result for each function.
pub(crate) fn check(manifest: &Manifest, loaded: &Loaded) -> Vec<RuleResult> {
    let mut results = Vec::new();
    for function in &manifest.functions {
        let own = &function.signature.name;
        let mut faults = Vec::new();
        for sample in &function.samples {
            let call = format!("{own}({})", sample.args.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
            match run(&format!("plugin.{own}"), &function.signature.parameters, sample, loaded) {
                Ok(given) if same(&given, &sample.gives) => {}
                Ok(given) => faults.push(format!("{call} gives {given} and not {}", sample.gives)),
                Err(error) => faults.push(format!("{call}: {error}")),
            }
        }
        if function.samples.is_empty()
            && let Err(error) = start(&format!("plugin.{own}"), &function.signature.parameters, loaded)
        {
            faults.push(error);
        }
        let rule = match (faults.is_empty(), function.samples.is_empty()) {
            (false, _) => Verdict::Broken(faults),
            (true, true) => Verdict::NotChecked("it starts; it has no samples".to_string()),
            (true, false) => Verdict::Holds,
        };
        results.push(RuleResult { stream: own.clone(), rule: "samples of the function", verdict: rule });
    }
    results
}

/// Whether a function can be called at all: with no rows.
fn start(name: &str, parameters: &[SignatureParameter], loaded: &Loaded) -> Result<(), String> {
    let functions = loaded.functions();
    let none: Vec<ArrayRef> =
        parameters.iter().filter(|p| !p.optional).map(|p| column(p, &[])).collect::<Result<_, _>>()?;
    if let Some(scalar) = functions.scalars.get(name) {
        return scalar.call(0, &none).map(|_| ()).map_err(|error| error.to_string());
    }
    if functions.models.contains_key(name) || functions.series.contains_key(name) {
        return learned::start(name, parameters, &functions);
    }
    if let Some(aggregate) = functions.aggregates.get(name) {
        let started = aggregate.start().map_err(|error| error.to_string())?.finish();
        return started.map(|_| ()).map_err(|error| error.to_string());
    }
    Ok(())
}

fn run(
    name: &str,
    parameters: &[SignatureParameter],
    sample: &ManifestSample,
    loaded: &Loaded,
) -> Result<Value, String> {
    let functions = loaded.functions();
    if sample.args.len() > parameters.len() {
        return Err(format!(
            "the sample has {} arguments, and there are {} parameters",
            sample.args.len(),
            parameters.len()
        ));
    }
    let pairs = || parameters.iter().zip(&sample.args);
    if let Some(scalar) = functions.scalars.get(name) {
        let args = pairs().map(|(p, arg)| column(p, std::slice::from_ref(arg))).collect::<Result<Vec<_>, _>>()?;
        let given = scalar.call(1, &args).map_err(|error| error.to_string())?;
        return Ok(value(&given));
    }
    // Before the aggregates: a model is one of them too.
    if let Some(model) = functions.models.get(name) {
        return learned::model(model.as_ref(), parameters, sample);
    }
    if let Some(aggregate) = functions.aggregates.get(name) {
        let columns = pairs().map(|(p, arg)| match arg {
            Value::Array(rows) => column(p, rows),
            _ => Err("an aggregate's sample has a list of values for each parameter".to_string()),
        });
        let args = columns.collect::<Result<Vec<_>, _>>()?;
        let rows = args.first().map_or(0, |column| column.len());
        if args.iter().any(|column| column.len() != rows) {
            return Err("the lists of the sample have different lengths".to_string());
        }
        return parts::whole(aggregate.as_ref(), &args, rows);
    }
    if let Some(series) = functions.series.get(name) {
        return learned::series(series.as_ref(), parameters, sample);
    }
    Err(format!("there is no function {name}"))
}

/// A column of a parameter's first kind.
fn column(parameter: &SignatureParameter, values: &[Value]) -> Result<ArrayRef, String> {
    let guess = || match values.iter().find(|value| !value.is_null()) {
        Some(Value::String(_)) => Kind::Text,
        Some(Value::Bool(_)) => Kind::Bool,
        _ => Kind::Number,
    };
    let kind = parameter.accepts.first().cloned().unwrap_or_else(guess);
    fn all<T>(values: &[Value], due: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Vec<Option<T>>, String> {
        let one = |value: &Value| match value.is_null() {
            true => Ok(None),
            false => read(value).map(Some).ok_or_else(|| format!("{value} is no {due}")),
        };
        values.iter().map(one).collect()
    }
    Ok(match kind {
        Kind::Count => Arc::new(all(values, "whole number", Value::as_i64)?.into_iter().collect::<Int64Array>()),
        Kind::Text | Kind::Entity(_) => {
            let texts = all(values, "text", |value| value.as_str().map(str::to_string))?;
            Arc::new(texts.into_iter().collect::<StringArray>())
        }
        Kind::Bool => Arc::new(all(values, "true or false", Value::as_bool)?.into_iter().collect::<BooleanArray>()),
        Kind::Time => {
            let times = all(values, "time such as \"2026-01-31T00:00:00Z\"", moment)?;
            Arc::new(times.into_iter().collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        Kind::Date => {
            let day = |value: &Value| match value {
                Value::String(text) => {
                    let date: jiff::civil::Date = text.parse().ok()?;
                    Some(date.since(jiff::civil::date(1970, 1, 1)).ok()?.get_days())
                }
                number => i32::try_from(number.as_i64()?).ok(),
            };
            Arc::new(all(values, "date such as \"2026-01-31\"", day)?.into_iter().collect::<Date32Array>())
        }
        _ => Arc::new(all(values, "number", Value::as_f64)?.into_iter().collect::<Float64Array>()),
    })
}

/// An instant in microseconds: a text with a zone, or the number itself.
fn moment(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond),
        number => number.as_i64(),
    }
}

/// The first value of a column.
fn value(column: &ArrayRef) -> Value {
    if column.is_empty() { Value::Null } else { value_at(column, 0) }
}

/// All values of a column.
fn values(column: &ArrayRef) -> Vec<Value> {
    (0..column.len()).map(|row| value_at(column, row)).collect()
}

fn value_at(column: &ArrayRef, row: usize) -> Value {
    use arrow_schema::DataType;
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Date32 => column.as_primitive::<Date32Type>().value(row).into(),
        DataType::Timestamp(..) => column.as_primitive::<TimestampMicrosecondType>().value(row).into(),
        other => format!("a value of type {other}").into(),
    }
}

fn same(a: &Value, b: &Value) -> bool {
    if let (Value::Array(a), Value::Array(b)) = (a, b) {
        return a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b));
    }
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= CLOSE * a.abs().max(b.abs()).max(1e-300),
        _ => a == b,
    }
}
