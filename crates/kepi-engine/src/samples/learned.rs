//! Samples of models and series: lists in, lists out. Too little to learn from is the value `missing`, as in a query.

use super::{column, moment, values};
use arrow_array::ArrayRef;
use kepi_extension::{FunctionError, Functions, ModelFunction, ModelTable, SeriesFunction};
use kepi_model::declared::SignatureParameter;
use kepi_plugin::ManifestSample;
use serde_json::Value;
use std::slice;

/// When a model's sample is asked, where it does not say: 2026-01-01.
const NOW: i64 = 1_767_225_600_000_000;

/// Whether a model or a series can be called at all: with no rows, from which it may learn nothing.
pub(super) fn start(name: &str, parameters: &[SignatureParameter], functions: &Functions) -> Result<(), String> {
    let needed = parameters.iter().skip(1).filter(|p| !p.optional);
    let given = if let Some(model) = functions.models.get(name) {
        let args: Vec<ArrayRef> = needed.map(|p| column(p, &[])).collect::<Result<_, _>>()?;
        let table = ModelTable { entities: &[], entity_count: 0, args: &args, now: NOW };
        model.fit(&table).map(|_| ())
    } else if let Some((series, first)) = functions.series.get(name).zip(parameters.first()) {
        let constants: Vec<ArrayRef> =
            needed.map(|p| column(p, slice::from_ref(&Value::Null))).collect::<Result<_, _>>()?;
        series.extend(&column(first, &[])?, None, 1, &constants).map(|_| ())
    } else {
        return Err(format!("there is no function {name}"));
    };
    match given {
        Err(FunctionError::BadArgument { .. }) => Ok(()),
        other => other.map_err(|error| error.to_string()),
    }
}

/// Fits a model on the rows of a sample and applies it to them: a value per entity in the order in which they come first.
pub(super) fn model(
    model: &dyn ModelFunction,
    parameters: &[SignatureParameter],
    sample: &ManifestSample,
) -> Result<Value, String> {
    let Some((Value::Array(names), rest)) = sample.args.split_first() else {
        return Err("a model's sample begins with a list of entities, one for each row".to_string());
    };
    let mut known: Vec<&Value> = Vec::new();
    let mut entities = Vec::with_capacity(names.len());
    for name in names {
        let place = known.iter().position(|other| *other == name).unwrap_or_else(|| {
            known.push(name);
            known.len() - 1
        });
        entities.push(place as u32);
    }
    let mut args: Vec<ArrayRef> = Vec::new();
    for (parameter, arg) in parameters.iter().skip(1).zip(rest) {
        args.push(match (parameter.constant, arg) {
            (true, one) => column(parameter, slice::from_ref(one))?,
            (false, Value::Array(rows)) if rows.len() == names.len() => column(parameter, rows)?,
            (false, _) => return Err(format!("`{}` needs a list with a value for each row", parameter.name)),
        });
    }
    let now = match &sample.now {
        None => NOW,
        Some(text) => moment(&Value::from(text.as_str()))
            .ok_or_else(|| format!("`now` is no time such as 2026-01-31T00:00:00Z: {text}"))?,
    };
    let table = ModelTable { entities: &entities, entity_count: known.len(), args: &args, now };
    let given = model.fit(&table).and_then(|fitted| model.apply(&fitted.state, &table));
    listed(given)
}

/// Goes on with the list of a sample, as far as its answer is long.
pub(super) fn series(
    series: &dyn SeriesFunction,
    parameters: &[SignatureParameter],
    sample: &ManifestSample,
) -> Result<Value, String> {
    let (Some((first, constants)), Some((Value::Array(past), rest))) =
        (parameters.split_first(), sample.args.split_first())
    else {
        return Err("a series' sample begins with a list of the values of past periods".to_string());
    };
    let past = column(first, past)?;
    let args = constants.iter().zip(rest).map(|(parameter, one)| column(parameter, slice::from_ref(one)));
    let args = args.collect::<Result<Vec<ArrayRef>, _>>()?;
    let wanted = sample.gives.as_array().map_or(1, Vec::len);
    listed(series.extend(&past, sample.season, wanted, &args))
}

fn listed(given: Result<ArrayRef, FunctionError>) -> Result<Value, String> {
    match given {
        Ok(given) => Ok(Value::Array(values(&given))),
        Err(FunctionError::BadArgument { .. }) => Ok(Value::Null),
        Err(error) => Err(error.to_string()),
    }
}
