//! The well-known mistakes, recognised by the words around the place where the grammar stopped.

use crate::diagnostic::{Code, Diagnostic};
use crate::scan::Token;
use crate::span::Span;

/// The place where the grammar stopped, and the words around it.
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

    /// The token so many places from the unexpected one, or nothing.
    fn at(&self, offset: isize) -> &'t str {
        self.index.checked_add_signed(offset).and_then(|i| self.tokens.get(i)).map_or("", |t| t.of(self.text))
    }

    /// The unexpected token; empty at the end.
    pub(super) fn found(&self) -> &'t str {
        self.at(0)
    }

    /// The token before it.
    pub(super) fn before(&self) -> &'t str {
        self.at(-1)
    }

    /// Where the unexpected token stands.
    pub(super) fn place(&self) -> Span {
        self.tokens.get(self.index).map_or(Span::new(self.end, self.end), |t| Span::new(t.start, t.end))
    }

    /// Where the token before it stands.
    pub(super) fn place_before(&self) -> Span {
        self.index.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(self.place(), |t| Span::new(t.start, t.end))
    }
}

/// Returns the message of a well-known mistake.
pub(super) fn known(scene: &Scene<'_>) -> Option<Diagnostic> {
    if scene.found() == "==" {
        return Some(
            Diagnostic::error(Code::Syntax, scene.place(), "`==` is not a comparison").help("use `=`, which compares"),
        );
    }
    None
}
