//! Test against control.

use super::{Builtin, Family, not_yet};

pub(super) const ALL: &[Builtin] = &[not_yet(
    Family::Compare,
    "lift",
    "lift(m, test: condition, control: condition)",
    "lift",
    "Compares a metric between two groups: difference, ratio, confidence interval.",
    "lift(sum(revenue), test: arm = \"test\", control: arm = \"control\")",
)];
