//! Models and series: functions that learn from what they are given before they answer.

use crate::{Argument, Column, DataType, Error, FunctionInfo, ParamInfo, State, scalar};

/// What a model or a series is called and takes; the attribute writes it.
pub trait LearnedInfo {
    /// Its name, as in kepi-plugin.toml.
    const NAME: &'static str;
    /// Its parameters.
    const PARAMS: &'static [ParamInfo];
}

/// The rows that a model learns from or is applied to, in the order of time.
#[derive(Clone, Debug)]
pub struct Table {
    /// By row the entity that it belongs to, from 0.
    pub entities: Vec<u32>,
    /// How many entities there are; each has a row.
    pub entity_count: usize,
    /// The arguments behind the entity: a value per row, or one where it is constant.
    pub arguments: Vec<Column>,
    /// The instant for which it is asked, in microseconds UTC.
    pub now: i64,
}

impl Table {
    /// A value of an argument; of a constant, row 0 has it.
    pub fn get<A: Argument>(&self, argument: usize, row: usize) -> Result<A, Error> {
        Ok(A::get(&A::open(&self.arguments, argument)?, row))
    }

    /// The values of an argument by row.
    pub fn column<A: Argument>(&self, argument: usize) -> Result<Vec<A>, Error> {
        let open = A::open(&self.arguments, argument)?;
        let rows = self.arguments.get(argument).map_or(0, Column::rows);
        Ok((0..rows).map(|row| A::get(&open, row)).collect())
    }
}

/// What was learned, and how well it fits.
#[derive(Clone, Debug)]
pub struct Fitted<S> {
    /// The state that is applied.
    pub state: S,
    /// Names and values that `kepi explain` shows.
    pub diagnostics: Vec<(String, String)>,
}

/// A model; `#[kepi::model(params(at: Time, amount: f64))]` stands on its struct, whose fields are what it learns.
pub trait Model: LearnedInfo + State + 'static {
    /// Learns from rows. Too little to learn from is [`Error::BadArgument`], in words.
    fn fit(table: &Table) -> Result<Fitted<Self>, Error>;

    /// A value per entity.
    fn apply(&self, table: &Table) -> Result<Vec<Option<f64>>, Error>;
}

/// A series; `#[kepi::series(params(past: f64, alpha: f64))]` stands on its struct, which has no fields.
pub trait Series: LearnedInfo + 'static {
    /// The next values behind those of past periods. `season` is how many periods make a year or a week, where that is
    /// whole. `constants` are the arguments behind the first, for [`constant`].
    fn extend(
        past: &[Option<f64>],
        season: Option<u32>,
        wanted: usize,
        constants: &[Column],
    ) -> Result<Vec<Option<f64>>, Error>;
}

/// A constant of a series: `constant::<f64>(constants, 0)` is the first one behind the values.
pub fn constant<A: Argument>(constants: &[Column], index: usize) -> Result<A, Error> {
    Ok(A::get(&A::open(constants, index)?, 0))
}

/// A state as bytes, and its diagnostics by name.
pub type Saved = (Vec<u8>, Vec<(String, String)>);

/// A model in a list.
#[derive(Clone, Copy, Debug)]
pub struct ModelFunction {
    /// What it is called and takes.
    pub info: FunctionInfo,
    /// Learns; gives the state as bytes, and the diagnostics.
    pub fit: fn(&Table) -> Result<Saved, Error>,
    /// Applies a state to entities.
    pub apply: fn(&[u8], &Table) -> Result<Column, Error>,
}

/// A model for a list.
pub const fn model_function<M: Model>() -> ModelFunction {
    ModelFunction { info: info::<M>(), fit: fit::<M>, apply: apply::<M> }
}

fn fit<M: Model>(table: &Table) -> Result<Saved, Error> {
    let fitted = M::fit(table)?;
    let mut bytes = Vec::new();
    fitted.state.save(&mut bytes);
    Ok((bytes, fitted.diagnostics))
}

fn apply<M: Model>(state: &[u8], table: &Table) -> Result<Column, Error> {
    let mut bytes = state;
    let model = M::load(&mut bytes).filter(|_| bytes.is_empty());
    let model = model.ok_or_else(|| Error::Failed("a saved state is damaged".to_string()))?;
    Ok(scalar::column(model.apply(table)?))
}

/// Extends past values: they, how many periods make a season, how many values are wanted, and the constants.
pub type Extend = fn(&Column, Option<u32>, usize, &[Column]) -> Result<Column, Error>;

/// A series in a list.
#[derive(Clone, Copy, Debug)]
pub struct SeriesFunction {
    /// What it is called and takes.
    pub info: FunctionInfo,
    /// Extends it.
    pub extend: Extend,
}

/// A series for a list.
pub const fn series_function<S: Series>() -> SeriesFunction {
    SeriesFunction { info: info::<S>(), extend: extend::<S> }
}

fn extend<S: Series>(past: &Column, season: Option<u32>, wanted: usize, constants: &[Column]) -> Result<Column, Error> {
    let column = std::slice::from_ref(past);
    let open = <Option<f64> as Argument>::open(column, 0)?;
    let past: Vec<Option<f64>> = (0..past.rows()).map(|row| <Option<f64> as Argument>::get(&open, row)).collect();
    let values = S::extend(&past, season, wanted, constants)?;
    if values.len() != wanted {
        return Err(Error::Failed(format!("it gave {} values, and {wanted} were wanted", values.len())));
    }
    Ok(scalar::column(values))
}

const fn info<L: LearnedInfo>() -> FunctionInfo {
    FunctionInfo { name: L::NAME, params: L::PARAMS, returns: DataType::Float, sees_missing: false }
}
