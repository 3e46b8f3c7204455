//! The parser that pest makes of `grammar/kepi.pest`; nothing of it leaves this crate.

#![allow(missing_docs)] // The derive makes an enum of the grammar's rules, which the grammar explains.

use pest_derive::Parser;

#[derive(Parser)]
#[grammar = "../../grammar/kepi.pest"]
pub(crate) struct Grammar;

/// A matched rule with its text.
pub(crate) type Pair<'i> = pest::iterators::Pair<'i, Rule>;
/// What stands inside a matched rule.
pub(crate) type Pairs<'i> = pest::iterators::Pairs<'i, Rule>;
