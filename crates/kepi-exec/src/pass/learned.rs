//! The values of plugins' functions out of their saved states, each cell as of the end of its window; and what they tell
//! of them.

use super::saved::{Saved, taken_up};
use super::scalar::{CellKey, Scalar};
use super::windows::windows;
use super::{Fit, Learned, Pass, Source};
use crate::ExecError;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use kepi_extension::{Accumulator, FunctionError};
use std::collections::HashMap;

/// Of how many cells it is told how well a model fits.
const CELLS_TOLD: usize = 3;

/// The cells for which values are wanted.
pub(crate) struct Asked<'a> {
    pub(crate) pass: &'a Pass,
    pub(crate) keys: &'a [CellKey],
    pub(crate) order: &'a [usize],
}

/// The values of cells in order, each as of the end of its window.
pub(crate) fn values(
    name: &str,
    states: &[Saved],
    asked: &Asked<'_>,
    ty: &DataType,
    source: &Source,
) -> Result<(ArrayRef, Option<Learned>), ExecError> {
    let ends = asked.ends()?;
    let mut accumulator = merged(name, states, asked.order, source)?;
    let values = checked(accumulator.finish_at(&ends)?, name, asked.order.len(), ty)?;
    let told = accumulator.told();
    if told.is_empty() {
        return Ok((values, None));
    }
    let mut learned = Learned { cells: told.len() as u64, ..Learned::default() };
    for told in told {
        if let Some(why) = told.missing {
            learned.missing += 1;
            learned.why.get_or_insert(why);
        } else if learned.fits.len() < CELLS_TOLD {
            learned.fits.push(Fit {
                of: asked.words(told.group as usize),
                rows: told.rows,
                entities: told.entities,
                diagnostics: told.diagnostics,
            });
        }
    }
    Ok((values, Some(learned)))
}

/// The values of cells for which no end is known, as those of groups.
pub(crate) fn plain(
    name: &str,
    states: &[Saved],
    order: &[usize],
    ty: &DataType,
    source: &Source,
) -> Result<ArrayRef, ExecError> {
    let mut accumulator = merged(name, states, order, source)?;
    checked(accumulator.finish()?, name, order.len(), ty)
}

fn merged(name: &str, states: &[Saved], order: &[usize], source: &Source) -> Result<Box<dyn Accumulator>, ExecError> {
    let ordered = order.iter().enumerate().map(|(group, &i)| (group as u32, &states[i]));
    taken_up(name, order.len(), ordered, source)
}

fn checked(answer: ArrayRef, name: &str, wanted: usize, ty: &DataType) -> Result<ArrayRef, ExecError> {
    if answer.len() == wanted && answer.data_type() == ty {
        return Ok(answer);
    }
    let plugin = name.split('.').next().unwrap_or(name).to_string();
    let message = format!("it gave {} values of {} for {wanted}", answer.len(), answer.data_type());
    Err(FunctionError::Failed { plugin, function: name.to_string(), message }.into())
}

impl Asked<'_> {
    /// The end of each cell's window, but no later than now.
    fn ends(&self) -> Result<Vec<i64>, ExecError> {
        let zone = crate::cells::zone(&self.pass.zone)?;
        let first = self.keys.iter().filter_map(|key| key.period).min();
        let windows = windows(self.pass, first, &zone)?;
        let by_period: HashMap<Option<i64>, i64> = windows.iter().map(|w| (w.period, w.until)).collect();
        let end = |&i: &usize| by_period.get(&self.keys[i].period).copied().unwrap_or(self.pass.until);
        Ok(self.order.iter().map(end).map(|until| until.min(self.pass.now)).collect())
    }

    /// A cell in words: its labels and its period.
    fn words(&self, place: usize) -> String {
        let Some(key) = self.order.get(place).map(|&i| &self.keys[i]) else { return String::new() };
        let zone = crate::cells::zone(&self.pass.zone).ok();
        let period = key.period.zip(zone).map(|(start, zone)| zone.local(start).date().to_string());
        let labels = self.pass.labels.iter().zip(key.labels.iter()).map(|(label, value)| match value {
            Scalar::Text(text) => text.clone(),
            Scalar::Number(number) => format!("{} {number}", label.name),
            Scalar::Missing => format!("no {}", label.name),
        });
        labels.chain(period).collect::<Vec<_>>().join(", ")
    }
}
