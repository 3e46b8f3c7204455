//! A page of its own: a table per answer, with what has to be said beside it. No script, nothing from elsewhere.

use super::Format;
use crate::grid::{GridCell, Tone, grid};
use crate::summary::series;
use crate::text::inert;
use crate::words::words;
use crate::{Look, ViewError};
use kepi_engine::{Answer, FrameColumnKind};

pub(super) const FORMAT: Format = Format {
    name: "html",
    about: "a page with tables and small charts",
    endings: &["html", "htm"],
    has_notes: true,
    has_totals: true,
    write,
};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1a1a1a;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1rem;font-weight:600;margin:2rem 0 .5rem}table{border-collapse:collapse;margin:.5rem 0}\
th,td{padding:.25rem .75rem;border-bottom:1px solid #ddd;text-align:left;white-space:nowrap}\
th{border-bottom:2px solid #888}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
tr.total td{font-weight:600;border-top:2px solid #888}.good{color:#067647}.bad{color:#b42318}.note{color:#666;font-size:.9em;margin:.1rem 0}\
svg{display:block;margin:.5rem 0}@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}th,td{border-color:#444}\
.good{color:#47cd89}.bad{color:#f97066}.note{color:#aaa}}";

/// The size of a chart in pixels.
const CHART: (f64, f64) = (480.0, 64.0);

fn write(answers: &[Answer], _look: Look) -> Result<Vec<u8>, ViewError> {
    page("kepi", None, answers).map(String::into_bytes)
}

/// A page with a title, an introduction and answers.
pub fn page(title: &str, intro: Option<&str>, answers: &[Answer]) -> Result<String, ViewError> {
    let title = escaped(title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<h1>{title}</h1>\n"
    );
    for line in intro.unwrap_or_default().lines() {
        out.push_str(&format!("<p>{}</p>\n", escaped(line)));
    }
    for answer in answers {
        section(&mut out, answer)?;
    }
    out.push_str("</body>\n</html>\n");
    Ok(out)
}

fn section(out: &mut String, answer: &Answer) -> Result<(), ViewError> {
    let grid = grid(answer)?;
    out.push_str(&format!("<h2>{}</h2>\n", escaped(&answer.query)));
    let periods = answer.frame.columns.first().is_some_and(|c| c.kind == FrameColumnKind::Period);
    let labels = answer.frame.columns.iter().any(|c| c.kind == FrameColumnKind::Dimension);
    if periods && !labels {
        for series in series(answer)?.iter().filter(|s| s.values.len() > 2) {
            chart(out, &series.name, &series.values);
        }
    }
    let class = |numeric: bool| if numeric { " class=\"n\"" } else { "" };
    out.push_str("<table>\n<thead><tr>");
    for column in &grid.columns {
        out.push_str(&format!("<th{}>{}</th>", class(column.numeric), escaped(&column.header)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in 0..grid.height {
        out.push_str("<tr>");
        for column in &grid.columns {
            out.push_str(&cell(column.numeric, &column.cells[row]));
        }
        out.push_str("</tr>\n");
    }
    for index in 0..grid.columns.iter().map(|c| c.totals.len()).max().unwrap_or(0) {
        out.push_str("<tr class=\"total\">");
        for column in &grid.columns {
            let empty = GridCell { text: String::new(), tone: Tone::Plain };
            out.push_str(&cell(column.numeric, column.totals.get(index).unwrap_or(&empty)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n");
    for line in words(answer) {
        out.push_str(&format!("<p class=\"note\">{}</p>\n", escaped(&line)));
    }
    Ok(())
}

fn cell(numeric: bool, cell: &GridCell) -> String {
    let tone = match cell.tone {
        Tone::Good => " good",
        Tone::Bad => " bad",
        Tone::Plain => "",
    };
    let class = format!("{}{tone}", if numeric { "n" } else { "" });
    let class = class.trim();
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    format!("<td{class}>{}</td>", escaped(&cell.text))
}

/// A line over the rows; where a value is missing the line is interrupted.
fn chart(out: &mut String, name: &str, values: &[Option<f64>]) {
    let known = || values.iter().flatten().copied().filter(|x| x.is_finite());
    let (low, high) = known().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    if low > high {
        return;
    }
    let (width, height) = CHART;
    let room = if high > low { high - low } else { 1.0 };
    let x = |i: usize| i as f64 * width / (values.len() - 1).max(1) as f64;
    let y = |value: f64| height - 4.0 - (value - low) / room * (height - 8.0);
    let mut path = String::new();
    let mut pen = 'M';
    for (i, value) in values.iter().enumerate() {
        match value.filter(|v| v.is_finite()) {
            Some(value) => {
                path.push_str(&format!("{pen}{:.1} {:.1}", x(i), y(value)));
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    out.push_str(&format!(
        "<svg width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{}\"><title>{0}</title>\
         <path d=\"{path}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.5\"/></svg>\n",
        escaped(name)
    ));
}

/// Text as HTML shows it, control characters inert.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in inert(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::page;
    use crate::samples;

    #[test]
    fn a_page_shows_every_row_and_nothing_of_the_data_is_markup() {
        let answers = samples::answers();
        let page = page("A <b>report</b>", Some("said & done"), &answers).unwrap();
        assert!(page.contains("<title>A &lt;b&gt;report&lt;/b&gt;</title>"), "{page}");
        assert!(page.contains("<p>said &amp; done</p>"), "{page}");
        let rows: usize = answers.iter().map(|a| a.frame.rows.num_rows()).sum();
        assert!(page.matches("<tr").count() >= rows + answers.len(), "{page}");
        assert!(!page.contains("<script"), "{page}");
    }
}
