//! The few lines of a source text that a message is about, harmless and of bounded length.
//!
//! The whole text is never handed to the report: it may be one line of ten megabytes.

use crate::text::inert;
use kepi_engine::Span;
use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};
use std::ops::Range;

/// Bytes of a line that are shown around the place.
const LINE_BYTES_MAX: usize = 240;

/// Lines around a place, with their numbers.
pub(crate) struct Excerpt {
    name: String,
    text: String,
    /// Number of the first line, from 0.
    first_line: usize,
    /// Bytes cut off before the line of the place.
    cut: usize,
    /// The line of the place within the text, from 0.
    own_line: usize,
    /// The place within the text.
    pub(crate) place: Range<usize>,
}

impl Excerpt {
    /// Cuts out the line that a span begins on, with a line before and behind it.
    pub(crate) fn around(name: &str, text: &str, span: Span) -> Excerpt {
        let start = boundary(text, span.start as usize);
        let line = line_around(text, start);
        let end = boundary(text, span.end as usize).clamp(start, line.end);
        let mut shown = String::new();
        let mut own_line = 0;
        if line.start > 0 {
            let before = line_around(text, line.start - 1);
            // A long neighbour explains nothing.
            if before.len() <= LINE_BYTES_MAX {
                shown.push_str(&harmless(&text[before]));
                own_line = 1;
                shown.push('\n');
            }
        }
        let from = if line.len() <= LINE_BYTES_MAX {
            line.start
        } else {
            boundary(text, start.saturating_sub(LINE_BYTES_MAX / 3).max(line.start))
        };
        let to = boundary(text, line.end.min(from + LINE_BYTES_MAX));
        let (start, end) = (start.min(to), end.min(to));
        let place = Self::push(&mut shown, text, from..start).end;
        let place = place..Self::push(&mut shown, text, start..end).end;
        Self::push(&mut shown, text, end..to);
        let behind = line.end + 1;
        if behind < text.len() {
            let behind = line_around(text, behind);
            if behind.len() <= LINE_BYTES_MAX {
                shown.push('\n');
                shown.push_str(&harmless(&text[behind]));
            }
        }
        let line_number = text.as_bytes()[..line.start].iter().filter(|&&b| b == b'\n').count();
        Excerpt {
            name: inert(name).into_owned(),
            text: shown,
            first_line: line_number - own_line,
            cut: from - line.start,
            own_line,
            place,
        }
    }

    /// Appends a part of the text and tells where it went.
    fn push(shown: &mut String, text: &str, part: Range<usize>) -> Range<usize> {
        let start = shown.len();
        shown.push_str(&harmless(&text[part]));
        start..shown.len()
    }
}

/// The line that an offset lies on, without its end.
fn line_around(text: &str, offset: usize) -> Range<usize> {
    let start = text.as_bytes()[..offset].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let end = text.as_bytes()[offset..].iter().position(|&b| b == b'\n').map_or(text.len(), |at| offset + at);
    start..end
}

/// The nearest offset at or before this one that does not cut a character.
fn boundary(text: &str, offset: usize) -> usize {
    text.floor_char_boundary(offset.min(text.len()))
}

/// A line without what could steer a terminal. Tabs become blanks, since their width depends on where they stand.
fn harmless(line: &str) -> String {
    inert(&line.trim_end_matches('\r').replace('\t', "  ")).into_owned()
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_lines_before: usize,
        context_lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.text.as_str().read_span(span, context_lines_before, context_lines_after)?;
        let cut = if inner.line() == self.own_line { self.cut } else { 0 };
        let contents = MietteSpanContents::new_named(
            self.name.clone(),
            inner.data(),
            *inner.span(),
            inner.line() + self.first_line,
            inner.column() + cut,
            inner.line_count(),
        );
        Ok(Box::new(contents))
    }
}

/// Line and column of an offset, both from 1, the column in characters.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let offset = boundary(text, offset);
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}
