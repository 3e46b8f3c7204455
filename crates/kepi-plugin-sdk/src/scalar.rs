//! Functions of rows.

use crate::{Column, DataType, Error, Value};

/// What a function is called, and what it takes and gives.
#[derive(Clone, Copy, Debug)]
pub struct FunctionInfo {
    /// Its name, as in kepi-plugin.toml.
    pub name: &'static str,
    /// Its parameters.
    pub params: &'static [ParamInfo],
    /// What it gives.
    pub returns: DataType,
    /// Whether it is called for rows with a missing argument.
    pub sees_missing: bool,
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub struct ParamInfo {
    /// Its name, as in kepi-plugin.toml.
    pub name: &'static str,
    /// What it takes.
    pub accepts: DataType,
    /// Whether it may be left out.
    pub optional: bool,
}

/// A function of rows, as `#[kepi::scalar]` makes one.
pub trait ScalarFunction {
    /// What it is called, takes and gives.
    const INFO: FunctionInfo;

    /// Calls it for some rows.
    fn call(rows: usize, arguments: &[Column]) -> Result<Column, Error>;
}

/// A function of rows in a list.
#[derive(Clone, Copy, Debug)]
pub struct Scalar {
    /// What it is called, takes and gives.
    pub info: FunctionInfo,
    /// Calls it.
    pub call: fn(usize, &[Column]) -> Result<Column, Error>,
}

/// A function for a list.
pub const fn scalar_function<F: ScalarFunction>() -> Scalar {
    Scalar { info: F::INFO, call: F::call }
}

/// A column of what `each` gives for the rows.
pub fn collect<T: Value>(
    rows: usize,
    mut each: impl FnMut(usize) -> Result<Option<T>, Error>,
) -> Result<Column, Error> {
    let mut values = Vec::with_capacity(rows);
    let mut validity = vec![0_u8; rows.div_ceil(8)];
    let mut there = 0;
    for row in 0..rows {
        let value = each(row)?;
        if value.is_some() {
            validity[row / 8] |= 1 << (row % 8);
            there += 1;
        }
        values.push(value);
    }
    Ok(Column { values: T::column(values), validity: (there < rows).then_some(validity) })
}

/// A column of values that are there or missing.
pub(crate) fn column<T: Value>(values: Vec<Option<T>>) -> Column {
    let mut validity = vec![0_u8; values.len().div_ceil(8)];
    for (row, _) in values.iter().enumerate().filter(|(_, value)| value.is_some()) {
        validity[row / 8] |= 1 << (row % 8);
    }
    let missing = values.iter().any(Option::is_none);
    Column { values: T::column(values), validity: missing.then_some(validity) }
}
