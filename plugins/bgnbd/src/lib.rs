//! Three models for kepi: `clv`, `purchases` and `alive`.

mod bgnbd;
mod gamma_gamma;
mod minimum;
mod state;
mod summary;

wit_bindgen::generate!({ path: "../wit/v0.1", world: "models-plugin" });

use exports::kepi::plugin::models::{Fitted, Guest, Table};
use kepi::plugin::types::{Column, DataType, Error, Param, Signature, Values};
use state::Models;
use std::sync::Once;
use summary::{Summary, summaries};

/// Fewer customers who bought again tell nothing.
const REPEATERS_MIN: usize = 10;
const SECONDS_OF_A_WEEK: f64 = 604_800.0;
const WEEKS_OF_A_MONTH: f64 = 365.25 / 12.0 / 7.0;

struct Plugin;

impl Guest for Plugin {
    fn list_models() -> Vec<Signature> {
        let float = |name, optional| (name, DataType::Float, optional);
        vec![
            signature("clv", &[("at", DataType::Time, false), float("amount", false), float("horizon", false), float("discount", true)]),
            signature("purchases", &[("at", DataType::Time, false), float("horizon", false)]),
            signature("alive", &[("at", DataType::Time, false)]),
        ]
    }

    fn fit(name: String, table: Table) -> Result<Fitted, Error> {
        report_panics();
        let customers = read(&name, &table)?;
        let models = Models::fit(&customers, name == "clv", REPEATERS_MIN).map_err(Error::BadArgument)?;
        Ok(Fitted { state: models.save(), diagnostics: models.diagnostics(&customers) })
    }

    fn apply(name: String, state: Vec<u8>, table: Table) -> Result<Column, Error> {
        report_panics();
        let customers = read(&name, &table)?;
        let models = Models::read(&state).ok_or_else(|| Error::Failed("a saved state is damaged".to_string()))?;
        match name.as_str() {
            "clv" => {
                let weeks = constant(&table.args, 2)? / SECONDS_OF_A_WEEK;
                let discount = if table.args.len() > 3 { constant(&table.args, 3)? } else { 0.0 };
                let monthly = (1.0 + discount).powf(1.0 / 12.0);
                Ok(column(customers.iter().map(|c| models.value(c, weeks, WEEKS_OF_A_MONTH, monthly))))
            }
            "purchases" => {
                let weeks = constant(&table.args, 1)? / SECONDS_OF_A_WEEK;
                Ok(column(customers.iter().map(|c| Some(models.purchases.purchases(c, weeks)))))
            }
            _ => Ok(column(customers.iter().map(|c| Some(models.purchases.alive(c))))),
        }
    }
}

/// The customers of a table.
fn read(name: &str, table: &Table) -> Result<Vec<Summary>, Error> {
    let Some(Values::Times(at)) = table.args.first().map(|c| &c.values) else {
        return Err(Error::Failed("argument 1 is no column of times".to_string()));
    };
    let amounts = if name == "clv" { floats(&table.args, 1)? } else { &[] };
    Ok(summaries(&table.entities, table.entity_count as usize, at, amounts, table.now))
}

/// Describes a model; the entity is no argument of the component.
fn signature(name: &str, params: &[(&str, DataType, bool)]) -> Signature {
    let param = |(name, accepts, optional): &(&str, DataType, bool)| Param {
        name: name.to_string(),
        accepts: vec![*accepts],
        optional: *optional,
    };
    Signature {
        name: name.to_string(),
        params: params.iter().map(param).collect(),
        returns: Some(DataType::Float),
        sees_missing: false,
    }
}

/// The values of an argument.
fn floats(args: &[Column], index: usize) -> Result<&[f64], Error> {
    match args.get(index).map(|column| &column.values) {
        Some(Values::Floats(values)) => Ok(values),
        _ => Err(Error::Failed(format!("argument {} is no column of floats", index + 1))),
    }
}

/// An argument with one value.
fn constant(args: &[Column], index: usize) -> Result<f64, Error> {
    let value = floats(args, index)?.first().copied();
    value.ok_or_else(|| Error::Failed(format!("argument {} is empty", index + 1)))
}

/// A column from values of which some are missing.
fn column(rows: impl Iterator<Item = Option<f64>>) -> Column {
    let mut values = Vec::new();
    let mut validity = Vec::new();
    for (row, value) in rows.enumerate() {
        if row % 8 == 0 {
            validity.push(0);
        }
        if value.is_some() {
            validity[row / 8] |= 1 << (row % 8);
        }
        values.push(value.unwrap_or_default());
    }
    Column { values: Values::Floats(values), validity: Some(validity) }
}

/// A panic's message is lost in wasm unless it is sent to the log.
fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| kepi::plugin::log::write("error", &info.to_string())));
    });
}

export!(Plugin);
