//! The same expression on another window, and its place among the other cells.

use super::{Builtin, Family, not_yet};

const fn window(name: &'static str, usage: &'static str, doc: &'static str, example: &'static str) -> Builtin {
    not_yet(Family::Windows, name, usage, "moved windows", doc, example)
}

pub(super) const ALL: &[Builtin] = &[
    window("prior", "prior(m, length)", "Computes m on the period that much earlier.", "prior(sum(revenue), 1 year)"),
    window(
        "trailing",
        "trailing(m, length)",
        "Computes m on the length up to the period's end.",
        "trailing(sum(revenue), 3 months)",
    ),
    window(
        "to_date",
        "to_date(m, grain)",
        "Computes m from the start of the grain to the period's end.",
        "to_date(sum(revenue), year)",
    ),
    window("running", "running(m)", "Computes m from the window's start to the period's end.", "running(sum(revenue))"),
    window(
        "growth",
        "growth(m, length)",
        "Divides the change of m since that much earlier by the earlier value.",
        "growth(sum(revenue), 1 year)",
    ),
    window("of_total", "of_total(m, dimension)", "Divides m by m over all labels.", "of_total(sum(revenue))"),
    window("rank", "rank(m)", "Ranks the cell by m, the largest first.", "rank(sum(revenue))"),
];
