//! The place where the grammar stopped, and the words around it.

use crate::diagnostic::{Code, Diagnostic};
use crate::scan::{Kind, Token};
use crate::span::Span;
use crate::split::is_open;
use crate::words::DEFINITIONS;

/// The tokens of a statement, seen from the one that was not expected.
pub(super) struct Scene<'t> {
    text: &'t str,
    tokens: &'t [Token],
    /// Which token was not expected; their number where the text ends too early.
    index: usize,
    end: usize,
}

impl<'t> Scene<'t> {
    pub(super) fn new(text: &'t str, tokens: &'t [Token], index: usize, end: usize) -> Self {
        Scene { text, tokens, index, end }
    }

    fn token(&self, offset: isize) -> Option<&'t Token> {
        self.index.checked_add_signed(offset).and_then(|i| self.tokens.get(i))
    }

    /// The token so many places from the unexpected one; empty where there is none.
    pub(super) fn at(&self, offset: isize) -> &'t str {
        self.token(offset).map_or("", |token| token.of(self.text))
    }

    /// The unexpected token; empty at the end.
    pub(super) fn found(&self) -> &'t str {
        self.at(0)
    }

    /// The token before it.
    pub(super) fn before(&self) -> &'t str {
        self.at(-1)
    }

    /// The word that begins the statement.
    pub(super) fn first(&self) -> &'t str {
        self.tokens.first().map_or("", |token| token.of(self.text))
    }

    /// Whether the statement is a definition rather than a query.
    pub(super) fn is_definition(&self) -> bool {
        DEFINITIONS.contains(&self.first())
    }

    /// Whether the unexpected token is the so-manieth, from 0.
    pub(super) fn index_is(&self, index: usize) -> bool {
        self.index == index
    }

    /// Whether this token stands somewhere before the unexpected one.
    pub(super) fn has_before(&self, word: &str) -> bool {
        self.tokens.iter().take(self.index).any(|token| token.of(self.text) == word)
    }

    /// Whether this token stands anywhere in the statement.
    pub(super) fn has(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token.of(self.text) == word)
    }

    /// The places from the beginning of the statement to the unexpected token, as offsets from it.
    pub(super) fn nearby(&self) -> impl Iterator<Item = isize> {
        let back = isize::try_from(self.index).unwrap_or_default();
        -back..=0
    }

    /// Whether a token is a name, a number or text.
    pub(super) fn is_value(&self, offset: isize) -> bool {
        self.token(offset)
            .is_some_and(|token| matches!(token.kind, Kind::Word | Kind::Ticked | Kind::Number | Kind::Text))
    }

    /// Whether a token is a number or a date.
    pub(super) fn is_number(&self, offset: isize) -> bool {
        self.token(offset).is_some_and(|token| token.kind == Kind::Number)
    }

    /// Whether a token is a name.
    pub(super) fn is_name(&self, offset: isize) -> bool {
        self.token(offset).is_some_and(|token| matches!(token.kind, Kind::Word | Kind::Ticked))
    }

    /// Whether a token is text in quotes.
    pub(super) fn is_text(&self, offset: isize) -> bool {
        self.token(offset).is_some_and(|token| token.kind == Kind::Text)
    }

    /// Whether the token before the unexpected one asks for something behind it.
    pub(super) fn needs_more(&self) -> bool {
        self.token(-1).is_some_and(|token| is_open(token, self.text))
    }

    /// The innermost bracket that is open at the unexpected token: its place as an offset, and which it is.
    pub(super) fn open_bracket(&self) -> Option<(isize, &'t str)> {
        let mut open = Vec::new();
        for (index, token) in self.tokens.iter().take(self.index).enumerate() {
            match token.of(self.text) {
                word @ ("(" | "[" | "{") => open.push((index, word)),
                ")" | "]" | "}" => {
                    open.pop();
                }
                _ => {}
            }
        }
        let (index, word) = open.pop()?;
        Some((isize::try_from(index).ok()? - isize::try_from(self.index).ok()?, word))
    }

    /// What the statement is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self.first() {
            "report" => "report",
            "test" => "test",
            "source" => "source",
            "show" => "query",
            _ => "statement",
        }
    }

    /// Whether the last `when` before the unexpected token has no `then` yet.
    pub(super) fn open_case_lacks_then(&self) -> bool {
        let words = self.tokens.iter().take(self.index).map(|token| token.of(self.text));
        words.rev().find(|word| matches!(*word, "when" | "then" | "else")) == Some("when")
            && self.is_value(-1)
            && self.is_value(0)
    }

    /// Whether the last `expect` before the unexpected token has no `gives` yet.
    pub(super) fn last_expect_lacks_gives(&self) -> bool {
        let words = self.tokens.iter().take(self.index).map(|token| token.of(self.text));
        words.rev().find(|word| matches!(*word, "expect" | "gives")) == Some("expect")
    }

    /// Where a token stands; at the end where there is none.
    pub(super) fn place_at(&self, offset: isize) -> Span {
        self.token(offset).map_or(Span::new(self.end, self.end), |token| Span::new(token.start, token.end))
    }

    /// Where the unexpected token stands.
    pub(super) fn place(&self) -> Span {
        self.place_at(0)
    }

    /// Where the token before it stands.
    pub(super) fn place_before(&self) -> Span {
        self.place_at(if self.index > 0 { -1 } else { 0 })
    }

    /// Where the last token stands before this word, or before the end.
    pub(super) fn place_of_last_before(&self, word: &str) -> Span {
        let rest = self.tokens.get(self.index..).unwrap_or_default();
        let last = rest.iter().take_while(|token| token.of(self.text) != word).last();
        last.map_or(self.place(), |token| Span::new(token.start, token.end))
    }

    /// Makes an error at the unexpected token.
    pub(super) fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(Code::Syntax, self.place(), message)
    }
}
