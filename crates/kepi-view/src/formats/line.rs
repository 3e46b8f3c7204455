//! A line per value: its name, the value, its change, and where periods are given a sparkline of them.

use super::Format;
use crate::grid::{Grid, GridColumn, grid};
use crate::text::width;
use crate::{Look, ViewError, sparkline};
use kepi_engine::{Answer, FrameColumnKind};

pub(super) const FORMAT: Format = Format {
    name: "line",
    about: "a line per value, with a sparkline over the periods",
    endings: &[],
    has_notes: false,
    has_totals: false,
    write,
};

fn write(answers: &[Answer], _look: Look) -> Result<Vec<u8>, ViewError> {
    let mut lines = Vec::new();
    for answer in answers {
        let grid = grid(answer)?;
        let periods = periods(&grid);
        for rows in groups(&grid) {
            for (index, column) in grid.columns.iter().enumerate() {
                if column.meta.kind == FrameColumnKind::Value {
                    lines.push(parts(&grid, index, &rows, &periods));
                }
            }
        }
    }
    Ok(aligned(&lines).into_bytes())
}

/// The rows of each combination of labels, in the order of its first row. Without periods each row is one.
fn groups(grid: &Grid<'_>) -> Vec<Vec<usize>> {
    let labels: Vec<&GridColumn<'_>> =
        grid.columns.iter().filter(|c| c.meta.kind == FrameColumnKind::Dimension).collect();
    if period(grid).is_none() {
        return (0..grid.height).map(|row| vec![row]).collect();
    }
    let key = |row: usize| -> Vec<&str> { labels.iter().map(|c| c.cells[row].text.as_str()).collect() };
    let mut places = std::collections::HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for row in 0..grid.height {
        let place = *places.entry(key(row)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

fn period<'a, 'b>(grid: &'b Grid<'a>) -> Option<&'b GridColumn<'a>> {
    grid.columns.iter().find(|c| c.meta.kind == FrameColumnKind::Period)
}

/// Where each row's period stands among the periods of the answer, which come in order.
fn periods(grid: &Grid<'_>) -> Vec<usize> {
    let mut places = Vec::with_capacity(grid.height);
    if let Some(period) = period(grid) {
        let mut place = 0;
        for row in 0..grid.height {
            place += usize::from(row > 0 && period.raw[row] != period.raw[row - 1]);
            places.push(place);
        }
    }
    places
}

/// Name with labels, value, changes, sparkline, the value's period.
fn parts(grid: &Grid<'_>, index: usize, rows: &[usize], periods: &[usize]) -> [String; 5] {
    let column = &grid.columns[index];
    // A group has at least the row it was made for.
    let last = rows[rows.len() - 1];
    let mut name = column.header.clone();
    for label in grid.columns.iter().filter(|c| c.meta.kind == FrameColumnKind::Dimension) {
        name.push_str(&format!(" {}={}", label.header, label.cells[last].text));
    }
    let mut changes = Vec::new();
    for (at, other) in grid.columns.iter().enumerate() {
        if other.meta.kind == FrameColumnKind::Previous(index) {
            changes.extend(change(&grid.columns[at..], index, last));
        }
    }
    let (blocks, when) = match period(grid) {
        Some(period) => {
            // Each label has a place for every period, so that the lines can be compared.
            let mut series = vec![None; periods.last().map_or(0, |last| last + 1)];
            for &row in rows {
                series[periods[row]] = column.raw[row].number();
            }
            (sparkline(&series), period.cells[last].text.clone())
        }
        None => Default::default(),
    };
    [name, column.cells[last].text.clone(), changes.join(", "), blocks, when]
}

/// The change of one comparison: in percent, else the difference, and from what.
fn change(columns: &[GridColumn<'_>], index: usize, row: usize) -> Option<String> {
    let previous = columns.first()?;
    // The columns of this comparison end where the next one begins.
    let own = columns.iter().skip(1).take_while(|c| c.meta.kind != FrameColumnKind::Previous(index));
    let known = own.filter(|c| {
        matches!(c.meta.kind, FrameColumnKind::Change(i) | FrameColumnKind::ChangePercent(i) if i == index)
            && c.raw[row].number().is_some()
    });
    // Percent comes behind the difference, so it is the last one known.
    let change = known.last()?;
    Some(format!("{} from {}", change.cells[row].text, previous.cells[row].text))
}

fn aligned(lines: &[[String; 5]]) -> String {
    let mut widths = [0; 5];
    for line in lines {
        for (wide, part) in widths.iter_mut().zip(line) {
            *wide = (*wide).max(width(part));
        }
    }
    let mut out = String::new();
    for line in lines {
        let mut text = String::new();
        for (position, (part, &wide)) in line.iter().zip(&widths).enumerate() {
            if wide == 0 {
                continue;
            }
            let room = " ".repeat(wide - width(part));
            // Values stand to the right, so that their units are below each other.
            let (before, behind) = if position == 1 { (room.as_str(), "") } else { ("", room.as_str()) };
            text.push_str(&format!("{}{before}{part}{behind}", if position > 0 { "  " } else { "" }));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}
