//! The formatter: a whole file with its comments.

use super::lines::Lines;
use super::statement::{self, Origin};
use crate::ast::{File, Statement};
use crate::diagnostic::{Diagnostic, Severity};
use crate::parse::parse_file;
use crate::scan::{Comment, comments};

/// Formats a text: one canonical layout, every comment kept. Formatting twice changes nothing more.
///
/// Returns the messages instead when the text has mistakes: what cannot be read is not rewritten.
pub fn format_text(source: &str) -> Result<String, Vec<Diagnostic>> {
    let (file, problems) = parse_file(source);
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(problems);
    }
    Ok(format_file(&file, source))
}

/// Formats a file from its tree and the text that it was parsed from, which has the comments.
///
/// Comments between statements and between the items of a block keep their place. A statement with a comment in
/// the middle of an expression is left as it was written, without blanks at the ends of its lines.
pub fn format_file(file: &File, source: &str) -> String {
    let all = comments(source);
    // The comments of statements are written with them, the others here.
    let is_inside = |comment: &&Comment| {
        let after = file.statements.partition_point(|statement| (statement.span.start as usize) < comment.start);
        let around = after.checked_sub(1).and_then(|index| file.statements.get(index));
        around.is_some_and(|statement| comment.start < statement.span.end as usize)
    };
    let outside: Vec<Comment> = all.iter().filter(|comment| !is_inside(comment)).copied().collect();
    let mut lines = Lines::new(source, &outside, 0);
    for statement in &file.statements {
        let (start, end) = (statement.span.start as usize, statement.span.end as usize);
        let first = all.partition_point(|comment| comment.start < start);
        let behind = all.partition_point(|comment| comment.start < end);
        let text = self::statement(statement, source, all.get(first..behind).unwrap_or_default());
        lines.item(&text, start, end, 0);
    }
    lines.comments_until(source.len() + 1, 0);
    if !lines.out.is_empty() {
        lines.out.push('\n');
    }
    lines.out
}

/// How many statements of a file keep the form in which they are written, since a comment stands in their middle.
pub fn kept_as_written(file: &File, source: &str) -> usize {
    let all = comments(source);
    let inside = |statement: &&Statement| -> Vec<Comment> {
        let span = statement.span.start as usize..statement.span.end as usize;
        all.iter().filter(|comment| span.contains(&comment.start)).copied().collect()
    };
    file.statements.iter().filter(|statement| !is_movable(statement, source, &inside(statement))).count()
}

fn statement(statement: &Statement, source: &str, inside: &[Comment]) -> String {
    let origin = Origin { source, comments: inside, span: statement.span };
    let (start, end) = (statement.span.start as usize, statement.span.end as usize);
    let written = source.get(start..end).unwrap_or_default();
    if is_movable(statement, source, inside) {
        return statement::text(&statement.kind, Some(origin));
    }
    written.split('\n').map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Whether the comments in a statement stand where it can be written anew around them.
fn is_movable(statement: &Statement, source: &str, inside: &[Comment]) -> bool {
    let (start, end) = (statement.span.start as usize, statement.span.end as usize);
    let written = source.get(start..end).unwrap_or_default();
    inside.is_empty()
        || statement::item_spans(&statement.kind).is_some_and(|spans| {
            let opens = statement::brace(written).map_or(end, |at| start + at);
            inside.iter().all(|comment| {
                let within = |span: &crate::Span| (span.start as usize..span.end as usize).contains(&comment.start);
                comment.start > opens && !spans.iter().any(within)
            })
        })
}
