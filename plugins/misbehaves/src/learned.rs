//! Models and series, each named after its fault.

use crate::exports::kepi::plugin::models::{Fitted, Guest as Models, Table};
use crate::exports::kepi::plugin::series::Guest as Series;
use crate::kepi::plugin::types::{Column, DataType, Error, Param, Signature, Values};
use crate::Misbehaves;

impl Models for Misbehaves {
    fn list_models() -> Vec<Signature> {
        ["counts_rows", "fit_traps", "loses_entities", "gives_texts", "learns_nothing"].iter().map(|n| signature(n)).collect()
    }

    fn fit(name: String, table: Table) -> Result<Fitted, Error> {
        match name.as_str() {
            "fit_traps" => core::arch::wasm32::unreachable(),
            "learns_nothing" => Err(Error::BadArgument("nothing can be learned of this".to_string())),
            _ => Ok(Fitted {
                state: table.entities.len().to_string().into_bytes(),
                diagnostics: vec![("rows\u{1b}[2J".to_string(), table.entities.len().to_string())],
            }),
        }
    }

    fn apply(name: String, state: Vec<u8>, table: Table) -> Result<Column, Error> {
        let rows: f64 = String::from_utf8_lossy(&state).parse().unwrap_or(f64::NAN);
        let entities = table.entity_count as usize;
        let values = match name.as_str() {
            "loses_entities" => Values::Floats(vec![rows; entities.saturating_sub(1)]),
            "gives_texts" => Values::Booleans(vec![1; entities]),
            _ => Values::Floats(vec![rows; entities]),
        };
        Ok(Column { values, validity: None })
    }
}

impl Series for Misbehaves {
    fn list_series() -> Vec<Signature> {
        vec![signature("repeats_the_last"), signature("gives_one_too_few")]
    }

    fn extend(name: String, past: Column, _: Option<u32>, wanted: u32, _: Vec<Column>) -> Result<Column, Error> {
        let Values::Floats(past) = past.values else { return Err(Error::Failed("floats are needed".to_string())) };
        let wanted = wanted as usize - usize::from(name == "gives_one_too_few");
        let last = past.last().copied().unwrap_or_default();
        Ok(Column { values: Values::Floats(vec![last; wanted]), validity: None })
    }
}

fn signature(name: &str) -> Signature {
    Signature {
        name: name.to_string(),
        params: vec![Param { name: "x".to_string(), accepts: vec![DataType::Float], optional: false }],
        returns: Some(DataType::Float),
        sees_missing: false,
    }
}
