//! Text to tree. Parsing never fails as a whole: each statement that is wrong gives a message, the others a tree.

use crate::ast::{File, Query, Statement, StatementKind};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::grammar::{Grammar, Pairs, Rule};
use crate::lower::Lower;
use crate::scan::{Comment, Kind, Lexer, Token, comments};
use crate::span::Span;
use crate::split::{Chunk, Chunks, is_open};
use crate::words::DEFINITIONS;
use crate::{limits, message};
use pest::Parser;
use std::num::NonZeroUsize;
use std::sync::Once;

/// Nesting beyond this is parsed on a stack of its own: an unoptimised build needs tens of KiB per level.
const DEPTH_ON_CALLERS_STACK: usize = 8;
/// The size of that stack.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// Parses a file: all statements that follow the grammar, and a message for each that does not.
///
/// Statements with a message of their own (a clause twice, a day that does not exist) are in the tree as well, so
/// a tree may only be used when no message is an error. Never panics, whatever the text.
pub fn parse_file(text: &str) -> (File, Vec<Diagnostic>) {
    let mut file = File::default();
    let mut problems = Vec::new();
    if u32::try_from(text.len()).is_err() {
        problems.push(Diagnostic::error(Code::TooLarge, Span::new(0, 1), "a file of more than 4 GiB is not read"));
        return (file, problems);
    }
    let mut comments = CommentsOnDemand::new(text);
    for chunk in Chunks::new(text) {
        let (statements, found) = parse_chunk(text, chunk, comments.around(chunk));
        file.statements.extend(statements);
        problems.extend(found);
        if gave_up(&mut problems, chunk, text) {
            break;
        }
    }
    (file, problems)
}

/// Parses the statements of one chunk.
pub(crate) fn parse_chunk(text: &str, chunk: Chunk, comments: &[Comment]) -> (Vec<Statement>, Vec<Diagnostic>) {
    match checked(text, chunk) {
        Ok(tokens) => {
            let (statements, problems) =
                run(text, chunk, &tokens, comments, Rule::statements, |lower, pairs| lower.statements(pairs));
            (statements.unwrap_or_default(), problems)
        }
        Err(problem) => (Vec::new(), vec![*problem]),
    }
}

/// Parses one query, with or without `show`. What it returns beside errors is what could be read.
///
/// Never panics, whatever the text.
pub fn parse_query(text: &str) -> (Option<Query>, Vec<Diagnostic>) {
    let comments = if text.len() > limits::STATEMENT_BYTES_MAX { Vec::new() } else { comments(text) };
    let Some(chunk) = whole(text) else {
        let problem = Diagnostic::error(Code::Syntax, Span::new(0, text.len().min(1)), "there is no query here");
        return (None, vec![problem.help("such as `show sum(revenue) by region per month`")]);
    };
    let tokens = match checked(text, chunk) {
        Ok(tokens) => tokens,
        Err(problem) => return (None, vec![*problem]),
    };
    let (query, problems) = run(text, chunk, &tokens, &comments, Rule::one, |lower, mut pairs| {
        lower.query(pairs.next()?.into_inner().next()?)
    });
    match query {
        None => (None, no_single_query(text).map_or(problems, |problem| vec![problem])),
        query => (query, problems),
    }
}

/// Says what a text is that is right as a file, yet is not one query.
fn no_single_query(text: &str) -> Option<Diagnostic> {
    let (file, problems) = parse_file(text);
    let is_query = |kind: &StatementKind| matches!(kind, StatementKind::Query(_));
    let (first, second) = (file.statements.first()?, file.statements.get(1));
    if !problems.is_empty() {
        return None;
    }
    let (place, what, help) = match second {
        _ if !is_query(&first.kind) => {
            (first.span, "this is a definition, not a query", "definitions stand in the files of the model")
        }
        Some(second) => (second.span, "here a second statement begins", "ask one query at a time"),
        None => return None,
    };
    Some(Diagnostic::error(Code::Syntax, place, what).help(help))
}

/// Whether the text can be run as it is, or is wrong for good; `false` when further lines may complete it.
///
/// For a prompt that reads several lines: open parentheses and braces, an operator, comma or word at the end that
/// needs something behind it, and a definition that has only begun are not complete. Text in quotes must close on
/// its line, so an open quote is complete: no further line can mend it.
pub fn is_complete(text: &str) -> bool {
    let Some(chunk) = whole(text) else { return true };
    let Ok(tokens) = checked(text, chunk) else { return true };
    let mut open: Vec<&str> = Vec::new();
    for token in &tokens {
        match token.of(text) {
            "(" => open.push(")"),
            "[" => open.push("]"),
            "{" => open.push("}"),
            word @ (")" | "]" | "}") if open.pop() != Some(word) => return true,
            _ => {}
        }
    }
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return true };
    let ended = text.get(last.end..).is_some_and(|rest| rest.contains("\n\n"));
    if !open.is_empty() || is_open(last, text) && !ended {
        return false;
    }
    // A definition that lacks its body, such as `state active of customer = from orders`.
    let begun = first.kind == Kind::Word && DEFINITIONS.contains(&first.of(text)) && tokens.len() > 1;
    let (_, problems) = if begun { parse_file(text) } else { (File::default(), Vec::new()) };
    ended
        || !problems
            .iter()
            .any(|problem| problem.severity == Severity::Error && problem.span.start as usize >= last.end)
}

/// Returns the whole text as one chunk, without blanks and comments around it.
fn whole(text: &str) -> Option<Chunk> {
    let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let start = Lexer::new(text, at).find(|token| token.kind != Kind::Comment)?.start;
    if text.len() - start > 2 * limits::STATEMENT_BYTES_MAX {
        return Some(Chunk { start, end: text.len() });
    }
    let end = Lexer::new(text, start).filter(|token| token.kind != Kind::Comment).last()?.end;
    Some(Chunk { start, end })
}

/// Cuts a chunk into tokens; an error where a limit or an open quote already decides.
fn checked(text: &str, chunk: Chunk) -> Result<Vec<Token>, Box<Diagnostic>> {
    if chunk.end - chunk.start > limits::STATEMENT_BYTES_MAX {
        return Err(Box::new(limits::too_long(chunk.start, chunk.end)));
    }
    let tokens: Vec<Token> = Lexer::new(text, chunk.start)
        .take_while(|token| token.start < chunk.end)
        .filter(|token| token.kind != Kind::Comment)
        .collect();
    if let Some(problem) = message::unclosed(&tokens) {
        return Err(Box::new(problem));
    }
    match limits::check(text, &tokens) {
        Some(problem) => Err(Box::new(problem)),
        None => Ok(tokens),
    }
}

/// Whether there are so many mistakes that the rest is left unread; says so.
pub(crate) fn gave_up(problems: &mut Vec<Diagnostic>, chunk: Chunk, text: &str) -> bool {
    if problems.len() < limits::MISTAKES_MAX || chunk.end >= text.len() {
        return false;
    }
    let place = Span::new(chunk.end, chunk.end);
    let message = format!("more than {} mistakes: the rest of the text was not read", limits::MISTAKES_MAX);
    problems.push(Diagnostic::error(Code::TooLarge, place, message).help("mend the first ones; is it a kepi file?"));
    true
}

/// Parses and lowers one chunk, where needed on a larger stack.
fn run<T: Send>(
    text: &str,
    chunk: Chunk,
    tokens: &[Token],
    comments: &[Comment],
    rule: Rule,
    lowering: impl FnOnce(&mut Lower<'_>, Pairs<'_>) -> Option<T> + Send,
) -> (Option<T>, Vec<Diagnostic>) {
    let work = move || {
        let part = text.get(chunk.start..chunk.end).unwrap_or_default();
        match pest_parse(rule, part) {
            Err(error) => (None, vec![message::explain(text, chunk, tokens, &error)]),
            Ok(pairs) => {
                let mut lower = Lower::new(text, comments, chunk.start);
                let made = lowering(&mut lower, pairs);
                let mut problems = lower.problems;
                if made.is_none() && problems.is_empty() {
                    // The grammar and the lowering disagree; said as a mistake of this place rather than a panic.
                    let place = Span::new(chunk.start, chunk.end);
                    problems.push(Diagnostic::error(Code::Syntax, place, "this statement could not be read"));
                }
                (made, problems)
            }
        }
    };
    let (depth, _) = limits::depth(text, tokens);
    if depth <= DEPTH_ON_CALLERS_STACK {
        return work();
    }
    std::thread::scope(|scope| {
        let place = Span::new(chunk.start, chunk.start + 1);
        let unable = || (None, vec![limits::too_deep(place)]);
        match std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work) {
            Ok(thread) => thread.join().unwrap_or_else(|_| unable()),
            Err(_) => unable(),
        }
    })
}

fn pest_parse(rule: Rule, text: &str) -> Result<Pairs<'_>, pest::error::Error<Rule>> {
    static LIMIT: Once = Once::new();
    LIMIT.call_once(|| pest::set_call_limit(NonZeroUsize::new(limits::PEST_CALLS_MAX)));
    Grammar::parse(rule, text)
}

/// The comments above and inside a chunk, found as the chunks go by, so that a huge file is not read twice ahead.
pub(crate) struct CommentsOnDemand<'t> {
    text: &'t str,
    behind: usize,
    found: Vec<Comment>,
}

impl<'t> CommentsOnDemand<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        CommentsOnDemand { text, behind: 0, found: Vec::new() }
    }

    pub(crate) fn around(&mut self, chunk: Chunk) -> &[Comment] {
        self.found.clear();
        let from = self.behind;
        self.behind = chunk.end;
        let part = self.text.get(from..chunk.end).unwrap_or_default();
        if part.len() <= 2 * limits::STATEMENT_BYTES_MAX && part.contains('#') {
            self.found = comments(part);
            for comment in &mut self.found {
                comment.start += from;
                comment.end += from;
                comment.before += from;
            }
        }
        &self.found
    }
}
