//! The table for people: aligned columns, numbers with their units.

use super::Format;
use crate::grid::{GridCell, GridColumn, Tone, grid};
use crate::text::width;
use crate::{Look, ViewError};
use kepi_engine::Answer;
use nu_ansi_term::{Color, Style};

pub(super) const FORMAT: Format = Format {
    name: "table",
    about: "aligned columns with units, for reading",
    endings: &["txt"],
    has_notes: false,
    has_totals: true,
    write,
};

const GAP: &str = "  ";

fn write(answers: &[Answer], look: Look) -> Result<Vec<u8>, ViewError> {
    let mut out = String::new();
    for (position, answer) in answers.iter().enumerate() {
        if position > 0 {
            out.push('\n');
        }
        table(&mut out, answer, look)?;
    }
    Ok(out.into_bytes())
}

fn table(out: &mut String, answer: &Answer, look: Look) -> Result<(), ViewError> {
    let grid = grid(answer)?;
    let widths: Vec<usize> = grid.columns.iter().map(column_width).collect();
    let head = Style::new().bold();
    line(out, &grid.columns, &widths, |c| (c.header.clone(), if look.colour { head } else { Style::new() }));
    line(out, &grid.columns, &widths, |c| ("─".repeat(column_width(c)), Style::new()));
    for index in 0..grid.height {
        line(out, &grid.columns, &widths, |c| styled(&c.cells[index], look));
    }
    let totals = grid.columns.iter().map(|c| c.totals.len()).max().unwrap_or(0);
    if totals > 0 {
        line(out, &grid.columns, &widths, |c| ("─".repeat(column_width(c)), Style::new()));
    }
    for index in 0..totals {
        line(out, &grid.columns, &widths, |c| c.totals.get(index).map_or_else(Default::default, |t| styled(t, look)));
    }
    Ok(())
}

fn column_width(column: &GridColumn<'_>) -> usize {
    let texts = column.cells.iter().chain(&column.totals).map(|cell| width(&cell.text));
    texts.max().unwrap_or(0).max(width(&column.header))
}

fn styled(cell: &GridCell, look: Look) -> (String, Style) {
    let style = match cell.tone {
        Tone::Good if look.colour => Color::Green.normal(),
        Tone::Bad if look.colour => Color::Red.normal(),
        _ => Style::new(),
    };
    (cell.text.clone(), style)
}

fn line<'a>(
    out: &mut String,
    columns: &[GridColumn<'a>],
    widths: &[usize],
    text: impl Fn(&GridColumn<'a>) -> (String, Style),
) {
    let mut blanks = 0;
    for (position, (column, &wide)) in columns.iter().zip(widths).enumerate() {
        let (text, style) = text(column);
        let room = wide.saturating_sub(width(&text));
        blanks += if position > 0 { GAP.len() } else { 0 };
        blanks += if column.numeric { room } else { 0 };
        // Blanks are written only before something, so that no line ends with them.
        if !text.is_empty() {
            out.push_str(&" ".repeat(blanks));
            out.push_str(&style.paint(&text).to_string());
            blanks = 0;
        } else {
            blanks += wide - room;
        }
        blanks += if column.numeric { 0 } else { room };
    }
    out.push('\n');
}
