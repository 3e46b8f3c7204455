//! Functions of text.

use super::{Builtin, Family, Rule, scalar};
use crate::core::Op;

const F: Family = Family::Text;

pub(super) const ALL: &[Builtin] = &[
    scalar(F, "lower", "lower(t)", Op::Lower, (1, 1), Rule::Text, "Writes the text in small letters.", "lower(plan)"),
    scalar(F, "upper", "upper(t)", Op::Upper, (1, 1), Rule::Text, "Writes the text in capitals.", "upper(plan)"),
    scalar(F, "trim", "trim(t)", Op::Trim, (1, 1), Rule::Text, "Drops blanks at both ends.", "trim(plan)"),
    scalar(F, "length", "length(t)", Op::Length, (1, 1), Rule::TextToNumber, "Counts the characters.", "length(plan)"),
    scalar(
        F,
        "concat",
        "concat(a, b, …)",
        Op::Concat,
        (2, 64),
        Rule::Text,
        "Joins texts. Missing when one is missing.",
        "concat(plan, \" plan\")",
    ),
    scalar(
        F,
        "replace",
        "replace(t, from, to)",
        Op::Replace,
        (3, 3),
        Rule::Text,
        "Replaces every occurrence.",
        "replace(plan, \"_\", \" \")",
    ),
    scalar(
        F,
        "contains",
        "contains(t, part)",
        Op::Contains,
        (2, 2),
        Rule::TextToBool,
        "Says whether the part occurs in the text. No when one is missing.",
        "contains(plan, \"pro\")",
    ),
    scalar(
        F,
        "starts_with",
        "starts_with(t, part)",
        Op::StartsWith,
        (2, 2),
        Rule::TextToBool,
        "Says whether the text begins with the part. No when one is missing.",
        "starts_with(plan, \"pro\")",
    ),
    scalar(
        F,
        "ends_with",
        "ends_with(t, part)",
        Op::EndsWith,
        (2, 2),
        Rule::TextToBool,
        "Says whether the text ends with the part. No when one is missing.",
        "ends_with(plan, \"pro\")",
    ),
];
