//! A small lexer beside the grammar: it finds comments, brackets and the ends of statements before pest runs.

use crate::limits::STATEMENT_BYTES_MAX;
use crate::words::{begins_word, continues_word};

/// What a token is, as far as splitting and messages need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bare word.
    Word,
    /// A name that is no word of the language: in backticks, or behind a dot.
    Ticked,
    /// A name whose backtick is never closed.
    OpenTick,
    /// Digits with what hangs on them: `12`, `1.2M`, `2025-Q3`, `2025-03-01`.
    Number,
    /// Text in quotes.
    Text,
    /// Text whose quote is never closed.
    OpenText,
    /// An operator or a bracket.
    Mark,
    /// `#` to the end of the line.
    Comment,
    /// Anything that the language does not have.
    Other,
}

/// A token with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Whether it is the first on its line.
    pub(crate) first: bool,
}

impl Token {
    /// Returns the token's own text.
    pub(crate) fn of<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// Cuts a text into tokens, comments among them. Cheap to copy, so that a caller may look ahead.
#[derive(Clone, Copy)]
pub(crate) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    first: bool,
}

impl<'t> Lexer<'t> {
    /// Starts at a byte offset, which must lie between two characters.
    pub(crate) fn new(text: &'t str, at: usize) -> Self {
        Lexer { text, at, first: true }
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Skips blanks and line ends, and notes whether a line began.
    fn skip_blanks(&mut self) {
        loop {
            match self.byte(0) {
                b'\n' => self.first = true,
                b' ' | b'\t' | b'\r' => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    /// Goes on while the characters belong to a word.
    fn skip_word(&mut self) {
        let start = self.at;
        while let Some(c) = self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            // A longer word breaks the limits anyway, whatever it is.
            if !continues_word(c) || self.at - start > STATEMENT_BYTES_MAX {
                return;
            }
            self.at += c.len_utf8();
        }
    }

    /// Goes on to the closing mark on the same line; says whether there is one.
    fn skip_quoted(&mut self, quote: u8, escapes: bool) -> bool {
        let start = self.at;
        self.at += 1;
        loop {
            match self.byte(0) {
                _ if self.at - start > STATEMENT_BYTES_MAX => return false,
                b'\n' => return false,
                0 if self.at >= self.text.len() => return false,
                b'\\' if escapes && self.at + 1 < self.text.len() && self.byte(1) != b'\n' => self.at += 2,
                byte => {
                    self.at += 1;
                    if byte == quote {
                        return true;
                    }
                }
            }
        }
    }

    fn skip_number(&mut self) {
        self.skip_word();
        while matches!(self.byte(0), b'.' | b'-' | b':') && self.byte(1).is_ascii_digit()
            || self.byte(0) == b'-' && matches!(self.byte(1), b'Q' | b'W')
        {
            self.at += 1;
            self.skip_word();
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blanks();
        let start = self.at;
        let c = self.text.get(start..)?.chars().next()?;
        let kind = match c {
            '#' => {
                let rest = self.text.get(start..).unwrap_or_default();
                self.at += rest.find('\n').unwrap_or(rest.len());
                Kind::Comment
            }
            '"' if self.skip_quoted(b'"', true) => Kind::Text,
            '"' => Kind::OpenText,
            '`' if self.skip_quoted(b'`', false) => Kind::Ticked,
            '`' => Kind::OpenTick,
            '0'..='9' => {
                self.skip_number();
                Kind::Number
            }
            c if begins_word(c) => {
                self.skip_word();
                let behind_dot = start.checked_sub(1).and_then(|at| self.text.as_bytes().get(at)) == Some(&b'.');
                if behind_dot { Kind::Ticked } else { Kind::Word }
            }
            '-' | '!' | '<' | '>' | '=' | '&' | '|' => {
                let two = matches!(
                    (c, self.byte(1)),
                    ('-', b'>') | ('!' | '<' | '>' | '=', b'=') | ('<', b'>') | ('&', b'&') | ('|', b'|')
                );
                self.at += if two { 2 } else { 1 };
                if c == '&' || c == '|' { Kind::Other } else { Kind::Mark }
            }
            '+' | '*' | '/' | '%' | '(' | ')' | '[' | ']' | '{' | '}' | ',' | ':' | '.' => {
                self.at += 1;
                Kind::Mark
            }
            c => {
                self.at += c.len_utf8();
                Kind::Other
            }
        };
        // An escape may have stepped over half a character only if the text ended there.
        while !self.text.is_char_boundary(self.at.min(self.text.len())) {
            self.at += 1;
        }
        self.at = self.at.min(self.text.len());
        let first = std::mem::replace(&mut self.first, false);
        Some(Token { kind, start, end: self.at, first })
    }
}

/// A comment, for the formatter and for docs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Comment {
    /// Offset of its `#`.
    pub(crate) start: usize,
    /// Offset behind its last character.
    pub(crate) end: usize,
    /// Whether it has a line of its own.
    pub(crate) own_line: bool,
    /// Offset of the token behind it, or the length of the text.
    pub(crate) before: usize,
}

impl Comment {
    /// Whether it documents what follows: `##` on a line of its own.
    pub(crate) fn is_doc(&self, text: &str) -> bool {
        self.own_line && text.get(self.start..self.end).is_some_and(|comment| comment.starts_with("##"))
    }
}

/// Returns all comments of a text in order.
pub(crate) fn comments(text: &str) -> Vec<Comment> {
    let mut found: Vec<Comment> = Vec::new();
    let mut waiting = 0;
    for token in Lexer::new(text, 0) {
        if token.kind == Kind::Comment {
            found.push(Comment { start: token.start, end: token.end, own_line: token.first, before: text.len() });
        } else {
            for comment in found.iter_mut().skip(waiting) {
                comment.before = token.start;
            }
            waiting = found.len();
        }
    }
    found
}

/// Returns the documentation above the token at `start`: the `##` lines without their marks, joined by newlines.
pub(crate) fn doc_above(text: &str, comments: &[Comment], start: usize) -> Option<String> {
    let first = comments.partition_point(|comment| comment.before < start);
    let lines: Vec<&str> = comments
        .iter()
        .skip(first)
        .take_while(|comment| comment.before == start)
        .filter(|comment| comment.is_doc(text))
        .filter_map(|comment| text.get(comment.start..comment.end))
        .map(|line| line.trim_start_matches('#').trim())
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
