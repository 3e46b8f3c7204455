//! The tree back to text: one canonical form, short on one line, long ones broken at the same places always.

mod expression;
mod file;
mod layout;
mod lines;
mod name;
mod query;
mod statement;

pub use file::{format_file, format_text, kept_as_written};

use crate::ast::{Expr, File, Query, Scoped};
use layout::Doc;

/// Writes an expression on one line, with as few parentheses as precedence allows: a column's name, or part of a message.
pub fn expr_text(expr: &Expr) -> String {
    expression::expr(expr).flat()
}

/// Writes an expression with its scope on one line: `sum(margin) per customer where c over last 90 days`.
pub fn scoped_text(scoped: &Scoped) -> String {
    expression::scoped(scoped).flat()
}

/// Writes a query on one line, beginning with `show`, its clauses in the canonical order.
pub fn query_text(query: &Query) -> String {
    query::query(query).flat()
}

/// Writes a tree that has no source text, such as one that was made by a program; documentation comes with it.
///
/// To format a text with its comments, use [`format_text`] or [`format_file`].
pub fn file_text(file: &File) -> String {
    let mut out = String::new();
    for statement in &file.statements {
        for line in statement.doc.iter().flat_map(|doc| doc.split('\n')) {
            out.push_str(format!("## {line}").trim_end());
            out.push('\n');
        }
        out.push_str(&statement::text(&statement.kind, None));
        out.push('\n');
    }
    out
}

/// Writes a name as a text of the language has it: with backticks where it needs them.
pub fn name_text(name: &str) -> String {
    name::name(&crate::ast::Name { text: name.to_string(), span: crate::Span::default() })
}

/// Writes the document on one line if it fits there, else broken; it begins at `indent`.
fn fitted(doc: Doc, indent: usize) -> String {
    Doc::group(doc).broken(indent, indent)
}
