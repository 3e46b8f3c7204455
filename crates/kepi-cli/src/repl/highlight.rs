//! Colours for the line that is being written.

use nu_ansi_term::{Color, Style};
use reedline::{Highlighter, StyledText};

/// Words that begin statements and clauses, and join expressions.
const KEYWORDS: &[&str] = &[
    "and",
    "as",
    "asc",
    "at",
    "by",
    "calendar",
    "case",
    "desc",
    "dimension",
    "during",
    "else",
    "entity",
    "event",
    "fill",
    "from",
    "function",
    "having",
    "in",
    "is",
    "known",
    "last",
    "limit",
    "matches",
    "measure",
    "metric",
    "missing",
    "module",
    "no",
    "not",
    "of",
    "or",
    "order",
    "otherwise",
    "over",
    "per",
    "previous",
    "segment",
    "set",
    "show",
    "since",
    "source",
    "state",
    "then",
    "this",
    "to",
    "until",
    "use",
    "vs",
    "when",
    "where",
    "with",
    "within",
    "without",
    "yes",
];

/// Colours keywords, texts, numbers and comments.
pub(super) struct Colours;

impl Highlighter for Colours {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut styled = StyledText::new();
        for (part, style) in parts(line) {
            styled.push((style, part.to_string()));
        }
        styled
    }
}

/// Cuts a line into parts with their styles; the parts joined are the line.
fn parts(line: &str) -> Vec<(&str, Style)> {
    let mut parts = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let in_word = |c: char| c.is_alphanumeric() || c == '_';
        let (length, style) = match first {
            '#' => (rest.find('\n').unwrap_or(rest.len()), Color::DarkGray.normal()),
            '"' => (text_length(rest), Color::Green.normal()),
            '0'..='9' => (span(rest, |c| in_word(c) || matches!(c, '.' | '-' | ':')), Color::Cyan.normal()),
            c if in_word(c) => {
                let length = span(rest, in_word);
                let keyword = KEYWORDS.contains(&&rest[..length]);
                (length, if keyword { Color::Blue.bold() } else { Style::new() })
            }
            c => (c.len_utf8(), Style::new()),
        };
        let (part, behind) = rest.split_at(length);
        parts.push((part, style));
        rest = behind;
    }
    parts
}

fn span(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// A quoted text up to its closing quote, or to the end where there is none yet.
fn text_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_joined_are_the_line() {
        for line in ["show año where x = \"a\\\"b\" # \"c\nper month", "\"open", "2025-03-01 5%", "", "`x y` → ü"] {
            let joined: String = parts(line).into_iter().map(|(part, _)| part).collect();
            assert_eq!(joined, line);
        }
        let styled = parts("show \"by\" by");
        assert_eq!(
            styled.iter().filter(|(_, style)| style.is_bold).map(|(p, _)| *p).collect::<Vec<_>>(),
            ["show", "by"]
        );
    }
}
