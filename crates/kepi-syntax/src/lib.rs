//! Text to a spanned syntax tree and back; diagnostics as values; the formatter.

// The parser that pest derives without its `std` names it.
extern crate alloc;

pub mod ast;
mod chain;
mod diagnostic;
mod files;
mod grammar;
mod limits;
mod lower;
mod message;
mod moment;
mod number;
mod parse;
mod place;
mod print;
mod scan;
mod span;
mod spans;
mod split;
mod text;
mod walk;
mod words;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use files::parse_files;
pub use limits::{DEPTH_MAX, HEIGHT_MAX, MISTAKES_MAX, NODES_MAX, STATEMENT_BYTES_MAX};
pub use number::decimal;
pub use parse::{is_complete, parse_file, parse_query};
pub use place::line_column;
pub use print::{expr_text, file_text, format_file, format_text, kept_as_written, name_text, query_text, scoped_text};
pub use span::Span;
pub use walk::{Names, paths, query_paths, scoped_paths, statement_paths};
pub use words::{KEYWORDS, RESERVED};
