//! The limits that make hostile text an error instead of a crash; each has a name and a unit.

use crate::diagnostic::{Code, Diagnostic};
use crate::scan::{Kind, Token};
use crate::span::Span;

/// How long one statement may be.
pub const STATEMENT_BYTES_MAX: usize = 64 * 1024;
/// How deep brackets, `case` and `not` may nest.
pub const DEPTH_MAX: usize = 64;
/// How many names, values and operators one statement may have.
pub const NODES_MAX: usize = 10_000;
/// How high the tree of one expression may grow; a short chain of operators adds one level per operator, a long one, which
/// only [`NODES_MAX`] limits, a few.
pub const HEIGHT_MAX: usize = 128;
/// How many mistakes of one file are reported before the rest is left unread.
pub const MISTAKES_MAX: usize = 100;
/// How many steps pest may take for one statement, about a hundred times what a long one needs.
pub(crate) const PEST_CALLS_MAX: usize = 20_000_000;

/// Returns the message when the statement breaks a limit that its tokens show.
pub(crate) fn check(text: &str, tokens: &[Token]) -> Option<Diagnostic> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    if last.end - first.start > STATEMENT_BYTES_MAX {
        return Some(too_long(first.start, last.end));
    }
    let nodes = tokens.iter().filter(|token| counts(token, text)).count();
    if nodes > NODES_MAX {
        let place = Span::new(first.start, first.end);
        return Some(
            Diagnostic::error(
                Code::TooLarge,
                place,
                format!("this statement has {nodes} names, values and operators; at most {NODES_MAX} are read"),
            )
            .help("name parts of it in definitions of their own, or use a list: `x in [\"a\", \"b\"]`"),
        );
    }
    let (_, deepest) = depth(text, tokens);
    deepest.map(|token| too_deep(Span::new(token.start, token.end)))
}

/// Makes the message for a statement that is too long; it is underlined where it begins.
pub(crate) fn too_long(start: usize, end: usize) -> Diagnostic {
    let place = Span::new(start, end.min(start + 1));
    let message = format!("this statement is longer than {} KiB", STATEMENT_BYTES_MAX / 1024);
    Diagnostic::error(Code::TooLarge, place, message).help("split it: name parts of it in definitions of their own")
}

/// Makes the message for an expression that is too deep.
pub(crate) fn too_deep(place: Span) -> Diagnostic {
    Diagnostic::error(Code::TooLarge, place, format!("this is nested more than {DEPTH_MAX} levels deep"))
        .help("name the inner parts in definitions of their own")
}

/// Makes the message for chains of operators in chains that are too high together.
pub(crate) fn too_high(place: Span) -> Diagnostic {
    let message = format!("chains of operators lie in each other here, more than {HEIGHT_MAX} levels together");
    Diagnostic::error(Code::TooLarge, place, message)
        .help("use a list, `x in [\"a\", \"b\"]`, or name parts of it in definitions of their own")
}

fn counts(token: &Token, text: &str) -> bool {
    token.kind != Kind::Mark || !matches!(token.of(text), "(" | ")" | "[" | "]" | "{" | "}" | "," | ":" | ".")
}

/// Returns how deep the tokens nest, and the first token beyond the limit.
pub(crate) fn depth<'t>(text: &str, tokens: &'t [Token]) -> (usize, Option<&'t Token>) {
    // One entry per open bracket: how many `case` stand open in it.
    let mut cases = vec![0_usize];
    let mut open_cases = 0_usize;
    // `not` and `-` nest only while they follow each other.
    let mut prefixes = 0_usize;
    let mut most = 0;
    for token in tokens {
        let word = token.of(text);
        let prefix = matches!(word, "not" | "-");
        prefixes = if prefix { prefixes + 1 } else { 0 };
        match word {
            "(" | "[" | "{" => cases.push(0),
            ")" | "]" | "}" if cases.len() > 1 => open_cases -= cases.pop().unwrap_or_default(),
            "case" => {
                open_cases += 1;
                if let Some(innermost) = cases.last_mut() {
                    *innermost += 1;
                }
            }
            "," | ":" | "show" | "expect" => {
                if let Some(innermost) = cases.last_mut() {
                    open_cases -= std::mem::take(innermost);
                }
            }
            _ => {}
        }
        let depth = cases.len() - 1 + open_cases + prefixes;
        most = most.max(depth);
        if depth > DEPTH_MAX {
            return (most, Some(token));
        }
    }
    (most, None)
}
