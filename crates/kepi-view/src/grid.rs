//! An answer as a grid of texts for people: units, period names, dashes. Shared by the table, Markdown and lines.

use crate::ViewError;
use crate::cell::{Cell, Column, columns, in_words, totals};
use crate::period::Clock;
use crate::text::inert;
use crate::unit::{DASH, numbers};
use kepi_engine::{Answer, FrameColumn, FrameColumnKind};
use kepi_model::core::Better;

/// Whether a change is good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
}

/// A text with its tone.
#[derive(Clone, Debug)]
pub(crate) struct GridCell {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// An answer as texts, column by column.
pub(crate) struct Grid<'a> {
    pub(crate) columns: Vec<GridColumn<'a>>,
    pub(crate) height: usize,
}

/// A column of texts.
pub(crate) struct GridColumn<'a> {
    pub(crate) meta: &'a FrameColumn,
    pub(crate) header: String,
    /// Whether it stands to the right.
    pub(crate) numeric: bool,
    pub(crate) cells: Vec<GridCell>,
    /// The values behind the texts.
    pub(crate) raw: Vec<Cell<'a>>,
    /// A cell for each row of totals.
    pub(crate) totals: Vec<GridCell>,
}

/// Makes the grid of an answer.
pub(crate) fn grid(answer: &Answer) -> Result<Grid<'_>, ViewError> {
    let clock = Clock::new(&answer.zone);
    let totals = totals(&answer.frame)?;
    let mut totals = totals.map(Vec::into_iter);
    let mut columns: Vec<GridColumn<'_>> = columns(&answer.frame)?
        .into_iter()
        .map(|column| {
            let total = totals.as_mut().and_then(Iterator::next);
            let header = inert(&column.meta.name).into_owned();
            let numeric = !is_label(column.meta);
            // The total is formatted with its column, so that their decimals stand below each other.
            let own = column.cells.iter().chain(total.iter().flat_map(|t| &t.cells));
            let all: Vec<Cell<'_>> = own.map(|&cell| in_words(column.meta, cell)).collect();
            let mut cells = texts(&clock, column.meta, &all);
            let mut totals = cells.split_off(column.cells.len());
            if is_label(column.meta) {
                // A label that totals are not of is missing there.
                let known = total.iter().flat_map(|t| &t.cells).map(|cell| *cell != Cell::Missing);
                totals.iter_mut().zip(known).filter(|(_, known)| !known).for_each(|(cell, _)| cell.text.clear());
            }
            if column.meta.kind == FrameColumnKind::Period {
                mark_partial(answer, &clock, &column, &mut cells);
            }
            GridColumn { meta: column.meta, header, numeric, cells, raw: column.cells, totals }
        })
        .collect();
    // The totals lack the period and most labels: the first of these columns says what the row is.
    if let Some(first) = columns.first_mut().filter(|c| is_label(c.meta)) {
        for total in &mut first.totals {
            total.text = if total.text.is_empty() { "total".to_string() } else { format!("total {}", total.text) };
        }
    }
    if let Some(last) = columns.iter_mut().rfind(|c| is_label(c.meta)) {
        for partial in &answer.frame.partial_rows {
            // A period that still runs is marked already.
            if let Some(cell) = last.cells.get_mut(partial.row).filter(|cell| !cell.text.ends_with('*')) {
                cell.text.push('*');
            }
        }
    }
    Ok(Grid { height: answer.frame.rows.num_rows(), columns })
}

fn is_label(meta: &FrameColumn) -> bool {
    matches!(meta.kind, FrameColumnKind::Period | FrameColumnKind::Dimension)
}

fn texts(clock: &Clock, meta: &FrameColumn, cells: &[Cell<'_>]) -> Vec<GridCell> {
    let numbers = numbers(meta, cells);
    cells
        .iter()
        .zip(numbers)
        .map(|(&cell, number)| GridCell {
            text: number.unwrap_or_else(|| word(clock, meta, cell)),
            tone: tone(meta, cell),
        })
        .collect()
}

/// The text of what is no number.
fn word(clock: &Clock, meta: &FrameColumn, cell: Cell<'_>) -> String {
    let period = meta.grain.as_ref().and_then(|grain| clock.label(grain, cell));
    match cell {
        _ if period.is_some() => period.unwrap_or_default(),
        Cell::Text(text) => inert(text).into_owned(),
        Cell::Bool(true) => "yes".to_string(),
        Cell::Bool(false) => "no".to_string(),
        Cell::Instant(micros) => clock.readable(micros),
        Cell::Date(_) => clock.day(cell).map_or_else(|| DASH.to_string(), |day| day.to_string()),
        Cell::Missing | Cell::Decimal(..) | Cell::Float(_) => DASH.to_string(),
    }
}

fn tone(meta: &FrameColumn, cell: Cell<'_>) -> Tone {
    let changes = matches!(meta.kind, FrameColumnKind::Change(_) | FrameColumnKind::ChangePercent(_));
    match (meta.better, cell.number()) {
        (Some(better), Some(x)) if changes && x != 0.0 => {
            if (x > 0.0) == (better == Better::Up) {
                Tone::Good
            } else {
                Tone::Bad
            }
        }
        _ => Tone::Plain,
    }
}

/// Puts a star behind the periods that are not whole.
fn mark_partial(answer: &Answer, clock: &Clock, column: &Column<'_>, cells: &mut [GridCell]) {
    for (cell, shown) in column.cells.iter().zip(cells) {
        let partial = answer.frame.partial.iter().any(|p| match *cell {
            Cell::Instant(micros) => micros == p.start,
            Cell::Date(_) => clock.day(*cell) == clock.day(Cell::Instant(p.start)),
            _ => false,
        });
        if partial {
            shown.text.push('*');
        }
    }
}
