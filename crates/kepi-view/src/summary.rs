//! The headline of an answer: each value with its change, and each value as a series. For dashboards.

use crate::ViewError;
use crate::grid::{Tone, grid};
use kepi_engine::{Answer, FrameColumnKind};

/// A value of the last row of an answer, with its first comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kpi {
    /// The column's name.
    pub name: String,
    /// The value with its unit; a dash when missing.
    pub value: String,
    /// The change with its sign: in percent, of a percentage in points; none without a comparison, or when missing.
    pub change: Option<String>,
    /// Whether the change is good (`true`) or bad; none where nobody said which way is better.
    pub good: Option<bool>,
}

/// Gives the values of the answer's last row. An answer without rows has none.
pub fn kpis(answer: &Answer) -> Result<Vec<Kpi>, ViewError> {
    let grid = grid(answer)?;
    let Some(last) = grid.height.checked_sub(1) else { return Ok(Vec::new()) };
    let change_of = |value: usize| {
        let known = |kind: FrameColumnKind| {
            grid.columns.iter().find(|c| c.meta.kind == kind && c.raw[last].number().is_some()).map(|c| &c.cells[last])
        };
        known(FrameColumnKind::ChangePercent(value)).or_else(|| known(FrameColumnKind::Change(value)))
    };
    Ok(grid
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.meta.kind == FrameColumnKind::Value)
        .map(|(index, column)| {
            let change = change_of(index);
            Kpi {
                name: column.header.clone(),
                value: column.cells[last].text.clone(),
                change: change.map(|c| c.text.clone()),
                good: change.and_then(|c| match c.tone {
                    Tone::Plain => None,
                    tone => Some(tone == Tone::Good),
                }),
            }
        })
        .collect())
}

/// A value column over the rows of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The column's name.
    pub name: String,
    /// Its values in the order of the rows; none where missing.
    pub values: Vec<Option<f64>>,
}

/// Gives each value column as a series.
pub fn series(answer: &Answer) -> Result<Vec<Series>, ViewError> {
    let columns = crate::cell::columns(&answer.frame)?;
    Ok(columns
        .iter()
        .filter(|column| column.meta.kind == FrameColumnKind::Value)
        .map(|column| Series {
            name: column.meta.name.clone(),
            values: column.cells.iter().map(|cell| cell.number()).collect(),
        })
        .collect())
}
