//! Test against control.

use super::{Builtin, Family, Lowering};

pub(super) const ALL: &[Builtin] = &[Builtin {
    name: "lift",
    family: Family::Compare,
    usage: "lift(m, test: condition, control: condition)",
    doc: "Compares m between two groups of rows, in four columns: the difference (in the unit of m, of percents in points), `ratio` (test by control), and `low` and `high`, the ends of the 95 % confidence interval of the difference. The interval is the normal one, difference ± 1.96 standard errors: of a mean (`avg`) by Welch, the root of s²/n of both groups, s the standard deviation with n - 1; of a share or a ratio of counts by two proportions, the root of p(1 - p)/n of both. Other values of m are refused: their spread is not known. Missing where a group is empty; low and high also where a group of a mean has one value.",
    example: "lift(avg(sum(revenue) per every customer), test: arm = \"test\", control: arm = \"control\")",
    lowering: Lowering::Lift,
}];
