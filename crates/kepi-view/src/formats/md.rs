//! Markdown tables, with units.

use super::Format;
use crate::grid::grid;
use crate::{Look, ViewError};
use kepi_engine::Answer;

pub(super) const FORMAT: Format = Format {
    name: "md",
    about: "a Markdown table with units",
    endings: &["md"],
    has_notes: false,
    has_totals: true,
    write,
};

fn write(answers: &[Answer], _look: Look) -> Result<Vec<u8>, ViewError> {
    let mut out = String::new();
    for (position, answer) in answers.iter().enumerate() {
        if position > 0 {
            out.push('\n');
        }
        let grid = grid(answer)?;
        row(&mut out, grid.columns.iter().map(|c| escaped(&c.header)));
        row(&mut out, grid.columns.iter().map(|c| if c.numeric { "---:".to_string() } else { "---".to_string() }));
        for index in 0..grid.height {
            row(&mut out, grid.columns.iter().map(|c| escaped(&c.cells[index].text)));
        }
        for index in 0..grid.columns.iter().map(|c| c.totals.len()).max().unwrap_or(0) {
            row(
                &mut out,
                grid.columns.iter().map(|c| match c.totals.get(index).map(|t| t.text.as_str()) {
                    None | Some("") => String::new(),
                    Some(text) => format!("**{}**", escaped(text)),
                }),
            );
        }
    }
    Ok(out.into_bytes())
}

fn row(out: &mut String, cells: impl Iterator<Item = String>) {
    out.push('|');
    for cell in cells {
        out.push_str(&format!(" {cell} |"));
    }
    out.push('\n');
}

/// Takes their meaning from the characters that Markdown would obey. An underscore inside a word means nothing.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let inner = before.is_alphanumeric() && rest.peek().is_some_and(|next| next.is_alphanumeric());
        // The star of a partial period stands alone at the end and opens nothing.
        let closing_star = c == '*' && rest.peek().is_none() && !text[..text.len() - 1].contains('*');
        if matches!(c, '\\' | '|' | '`' | '[' | ']' | '<' | '&' | '~')
            || (c == '*' && !closing_star)
            || (c == '_' && !inner)
        {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn markdown_characters_in_data_mean_nothing() {
        assert_eq!(escaped("a|b <b>*x*</b> _y_ new_revenue"), "a\\|b \\<b>\\*x\\*\\</b> \\_y\\_ new_revenue");
        assert_eq!(escaped("2025-03*"), "2025-03*");
    }
}
