//! Functions of numbers.

use super::{Builtin, Family, Rule, scalar};
use crate::core::Op;

const F: Family = Family::Numbers;
const MANY: usize = 64;

pub(super) const ALL: &[Builtin] = &[
    scalar(
        F,
        "least",
        "least(a, b, …)",
        Op::Least,
        (2, MANY),
        Rule::SameOrdered,
        "Takes the smallest. Missing when one is missing.",
        "least(orders.amount, 100 EUR)",
    ),
    scalar(
        F,
        "greatest",
        "greatest(a, b, …)",
        Op::Greatest,
        (2, MANY),
        Rule::SameOrdered,
        "Takes the largest. Missing when one is missing.",
        "greatest(orders.amount, 0 EUR)",
    ),
    scalar(F, "abs", "abs(x)", Op::Abs, (1, 1), Rule::SameNumeric, "Drops the sign.", "abs(orders.amount)"),
    scalar(
        F,
        "round",
        "round(x), round(x, decimals)",
        Op::Round,
        (1, 2),
        Rule::FirstNumeric,
        "Rounds half away from zero, to whole numbers or the decimals given.",
        "round(orders.amount, 1)",
    ),
    scalar(
        F,
        "floor",
        "floor(x)",
        Op::Floor,
        (1, 1),
        Rule::SameNumeric,
        "Rounds down to a whole number.",
        "floor(orders.amount)",
    ),
    scalar(
        F,
        "ceil",
        "ceil(x)",
        Op::Ceil,
        (1, 1),
        Rule::SameNumeric,
        "Rounds up to a whole number.",
        "ceil(orders.amount)",
    ),
    scalar(
        F,
        "sqrt",
        "sqrt(x)",
        Op::Sqrt,
        (1, 1),
        Rule::Number,
        "Takes the square root. Missing of negative numbers.",
        "sqrt(surveys.score)",
    ),
    scalar(
        F,
        "ln",
        "ln(x)",
        Op::Ln,
        (1, 1),
        Rule::Number,
        "Takes the natural logarithm. Missing of zero and less.",
        "ln(surveys.score)",
    ),
    scalar(F, "exp", "exp(x)", Op::Exp, (1, 1), Rule::Number, "Raises e to the power.", "exp(surveys.score)"),
];
