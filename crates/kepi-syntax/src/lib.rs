//! Text to a spanned syntax tree and back; diagnostics as values; the formatter.

pub mod ast;
mod diagnostic;
mod span;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use span::Span;
