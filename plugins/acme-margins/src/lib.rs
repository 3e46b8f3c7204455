//! Two functions for kepi: `margin_pct` of rows and `gini` of groups of rows.

mod gini;
mod margin;

wit_bindgen::generate!({ path: "../wit/v0.1", world: "functions-plugin" });

use exports::kepi::plugin::functions::{Accumulator, Guest, GuestAccumulator};
use kepi::plugin::types::{Column, DataType, Error, Param, Signature, Values};
use std::cell::RefCell;
use std::sync::Once;

struct Margins;

impl Guest for Margins {
    type Accumulator = GiniGroups;

    fn list_scalars() -> Vec<Signature> {
        vec![signature("margin_pct", &["revenue", "cost"])]
    }

    fn list_aggregates() -> Vec<Signature> {
        vec![signature("gini", &["x"])]
    }

    fn call_scalar(name: String, rows: u32, args: Vec<Column>) -> Result<Column, Error> {
        report_panics();
        match name.as_str() {
            "margin_pct" => {
                let (revenue, cost) = (floats(&args, 0)?, floats(&args, 1)?);
                let rows = revenue.iter().zip(cost).map(|(&r, &c)| margin::margin_pct(r, c)).take(rows as usize);
                Ok(column(rows))
            }
            _ => Err(Error::Failed(format!("there is no function `{name}`"))),
        }
    }
}

/// The groups of one `gini(...)`.
struct GiniGroups(RefCell<Vec<gini::Gini>>);

impl GuestAccumulator for GiniGroups {
    fn open(name: String) -> Result<Accumulator, Error> {
        report_panics();
        match name.as_str() {
            "gini" => Ok(Accumulator::new(GiniGroups(RefCell::default()))),
            _ => Err(Error::Failed(format!("there is no aggregate `{name}`"))),
        }
    }

    fn update(&self, groups: Vec<u32>, group_count: u32, args: Vec<Column>) -> Result<(), Error> {
        let mut states = self.0.borrow_mut();
        states.resize_with(group_count as usize, Default::default);
        for (&group, &x) in groups.iter().zip(floats(&args, 0)?) {
            states[group as usize].add(x);
        }
        Ok(())
    }

    fn merge(&self, groups: Vec<u32>, group_count: u32, saved: Vec<Vec<u8>>) -> Result<(), Error> {
        let mut states = self.0.borrow_mut();
        states.resize_with(group_count as usize, Default::default);
        for (&group, bytes) in groups.iter().zip(&saved) {
            let merged = states[group as usize].merge(bytes);
            merged.ok_or_else(|| Error::Failed("a saved state is damaged".to_string()))?;
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<Vec<u8>>, Error> {
        Ok(self.0.borrow().iter().map(gini::Gini::save).collect())
    }

    fn finish(&self) -> Result<Column, Error> {
        Ok(column(self.0.borrow_mut().iter_mut().map(gini::Gini::value)))
    }
}

/// Describes a function whose parameters and result are floats.
fn signature(name: &str, params: &[&str]) -> Signature {
    let param = |name: &&str| Param { name: name.to_string(), accepts: vec![DataType::Float], optional: false };
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

export!(Margins);
