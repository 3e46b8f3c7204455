//! Turns what pest matched into the tree; the only place that knows the grammar's rules by name, beside the messages.

mod definition;
mod expression;
mod query;
mod setup;

use crate::ast::{Name, Path, Statement};
use crate::diagnostic::{Code, Diagnostic};
use crate::grammar::{Pair, Pairs, Rule};
use crate::scan::{Comment, doc_above};
use crate::span::Span;
use crate::{limits, moment};

/// Turns matched rules into tree nodes. Each method returns nothing only when the grammar and this code disagree.
pub(crate) struct Lower<'t> {
    text: &'t str,
    comments: &'t [Comment],
    /// Offset of the parsed part in the whole text.
    base: usize,
    /// How deep the current expression lies in its tree.
    level: usize,
    /// What is wrong with a text that follows the grammar.
    pub(crate) problems: Vec<Diagnostic>,
}

impl<'t> Lower<'t> {
    pub(crate) fn new(text: &'t str, comments: &'t [Comment], base: usize) -> Self {
        Lower { text, comments, base, level: 0, problems: Vec::new() }
    }

    /// Turns everything that the `statements` rule matched into statements.
    pub(crate) fn statements(&mut self, pairs: Pairs<'_>) -> Option<Vec<Statement>> {
        let mut all = Vec::new();
        for pair in pairs.flat_map(Pair::into_inner).filter(|pair| pair.as_rule() != Rule::EOI) {
            let span = self.span(&pair);
            let doc = doc_above(self.text, self.comments, span.start as usize);
            all.push(Statement { doc, kind: self.statement(pair)?, span });
        }
        Some(all)
    }

    fn span(&self, pair: &Pair<'_>) -> Span {
        let start = pair.as_span().start();
        // Optional parts at the end of a rule may leave blanks and comments inside its match.
        let mut inside = pair.as_str().trim_end().len();
        while let Some(comment) = self.comment_that_ends(self.base + start + inside) {
            let Some(before) = comment.start.checked_sub(self.base + start) else { break };
            inside = pair.as_str().get(..before).unwrap_or_default().trim_end().len();
        }
        Span::new(self.base + start, self.base + start + inside)
    }

    fn comment_that_ends(&self, end: usize) -> Option<&Comment> {
        // A comment's own blanks at its end were trimmed from the match.
        let index = self.comments.partition_point(|comment| comment.start < end).checked_sub(1)?;
        self.comments.get(index).filter(|comment| comment.end >= end)
    }

    fn name(&self, pair: Pair<'_>) -> Name {
        Name { text: bare(pair.as_str()), span: self.span(&pair) }
    }

    fn path(&self, pair: Pair<'_>) -> Path {
        let span = self.span(&pair);
        let mut parts = Vec::new();
        let mut start = 0;
        let mut ticked = false;
        let text = pair.as_str();
        for (at, c) in text.char_indices().chain([(text.len(), '.')]) {
            match c {
                '`' => ticked = !ticked,
                '.' if !ticked || at == text.len() => {
                    let place = Span::new(span.start as usize + start, span.start as usize + at);
                    parts.push(Name { text: bare(&text[start..at]), span: place });
                    start = at + 1;
                }
                _ => {}
            }
        }
        Path { parts, span }
    }

    /// Checks that the date or period exists.
    fn check_moment(&mut self, text: &str, span: Span) {
        if let Some((what, help)) = moment::problem(text) {
            self.problems.push(Diagnostic::error(Code::NoSuchDay, span, what).help(help));
        }
    }

    /// Runs `inner` further down in the tree; beyond the limit it says so once instead.
    fn deeper<T>(&mut self, levels: usize, span: Span, inner: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.level += levels;
        let made = if self.level > limits::HEIGHT_MAX {
            self.problems.push(limits::too_high(span));
            None
        } else {
            inner(self)
        };
        self.level -= levels;
        made
    }
}

/// Returns a name without its backticks.
fn bare(text: &str) -> String {
    text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).unwrap_or(text).to_owned()
}

/// The parts of a matched rule, without punctuation, taken in order and by name: nothing depends on a position.
struct Parts<'i> {
    pairs: Pairs<'i>,
}

impl<'i> Parts<'i> {
    fn of(pair: Pair<'i>) -> Self {
        Parts { pairs: pair.into_inner() }
    }

    fn peek(&mut self) -> Option<Rule> {
        while let Some(rule) = self.pairs.peek().map(|pair| pair.as_rule()) {
            match rule {
                Rule::open | Rule::close | Rule::begin | Rule::end | Rule::comma => {}
                Rule::bracket | Rule::unbracket | Rule::colon | Rule::equals => {}
                rule => return Some(rule),
            }
            self.pairs.next();
        }
        None
    }

    /// Takes the next part, whatever it is.
    fn any(&mut self) -> Option<Pair<'i>> {
        self.peek()?;
        self.pairs.next()
    }

    /// Takes the next part if it is this one.
    fn take(&mut self, rule: Rule) -> Option<Pair<'i>> {
        (self.peek() == Some(rule)).then(|| self.pairs.next()).flatten()
    }

    /// Takes the next part if it is this one, and says whether it was.
    fn skip(&mut self, rule: Rule) -> bool {
        self.take(rule).is_some()
    }
}
