//! Models and series in tests.

use super::Cell;
use crate::{Argument, Column, Error, Model, Saved, Series, Table, Time, model_function, series_function};

/// What a model says: a value per entity, and its diagnostics.
pub type Applied = (Vec<Option<f64>>, Vec<(String, String)>);

/// Fits a model on rows in the order of time, saves and reads what it learned, and applies it to the same rows: a value per
/// entity in the order in which they come first, and the diagnostics. `arguments` has for each parameter behind the entity
/// a value per row, or one where it is constant; an optional one at the end may be left out.
///
/// # Panics
/// Where the lists have other lengths than the entities.
pub fn model<M: Model>(entities: &[&str], arguments: &[Vec<Cell>], now: Time) -> Result<Applied, Error> {
    let mut names: Vec<&str> = Vec::new();
    let mut numbers = Vec::new();
    for entity in entities {
        let place = names.iter().position(|name| name == entity).unwrap_or_else(|| {
            names.push(entity);
            names.len() - 1
        });
        numbers.push(place as u32);
    }
    for cells in arguments {
        assert!(cells.len() == entities.len() || cells.len() == 1, "an argument has a value per row, or one");
    }
    let types = M::PARAMS.iter().map(|param| param.accepts);
    let arguments: Vec<Column> =
        arguments.iter().zip(types).map(|(cells, accepts)| Cell::all(cells, accepts)).collect();
    let table = Table { entities: numbers, entity_count: names.len(), arguments, now: now.0 };
    let model = model_function::<M>();
    let (state, diagnostics): Saved = (model.fit)(&table)?;
    Ok((floats(&(model.apply)(&state, &table)?)?, diagnostics))
}

/// What a series goes on with behind past values. `constants` has a value for each parameter behind the first.
pub fn series<S: Series>(
    past: &[Option<f64>],
    season: Option<u32>,
    wanted: usize,
    constants: &[Cell],
) -> Result<Vec<Option<f64>>, Error> {
    let series = series_function::<S>();
    let cell = |value: &Option<f64>| value.map_or(Cell::Missing, Cell::from);
    let past = Cell::all(&past.iter().map(cell).collect::<Vec<_>>(), S::PARAMS[0].accepts);
    let types = S::PARAMS[1..].iter().map(|param| param.accepts);
    let constants: Vec<Column> = constants.iter().zip(types).map(|(cell, accepts)| cell.column(accepts)).collect();
    floats(&(series.extend)(&past, season, wanted, &constants)?)
}

fn floats(column: &Column) -> Result<Vec<Option<f64>>, Error> {
    let columns = std::slice::from_ref(column);
    let open = <Option<f64> as Argument>::open(columns, 0)?;
    // As in kepi, a number that is not finite is missing.
    let value = |row| <Option<f64> as Argument>::get(&open, row).filter(|value| value.is_finite());
    Ok((0..column.rows()).map(value).collect())
}
