//! The same expression on another window, and its place among the other cells.

use super::{Builtin, Family, Lowering, WindowKind};

const fn window(
    name: &'static str,
    usage: &'static str,
    kind: WindowKind,
    doc: &'static str,
    example: &'static str,
) -> Builtin {
    Builtin { name, family: Family::Windows, usage, doc, example, lowering: Lowering::Window(kind) }
}

pub(super) const ALL: &[Builtin] = &[
    window(
        "prior",
        "prior(m, length)",
        WindowKind::Prior,
        "Computes m on the period that much earlier by the calendar, also before the query's own window. In the unit of m, missing as m is there.",
        "prior(sum(revenue), 1 year)",
    ),
    window(
        "trailing",
        "trailing(m, length)",
        WindowKind::Trailing,
        "Computes m on the length of time up to the period's end, whatever the period's own length; an opening is that of this window. In the unit of m, missing as m is there.",
        "trailing(sum(revenue), 3 months)",
    ),
    window(
        "to_date",
        "to_date(m, grain)",
        WindowKind::ToDate,
        "Computes m from the start of the year, quarter, month … in which the period ends, up to the period's end. In the unit of m, missing as m is there.",
        "to_date(sum(revenue), year)",
    ),
    window(
        "running",
        "running(m)",
        WindowKind::Running,
        "Computes m from the start of the query's window to the period's end. In the unit of m, missing as m is there.",
        "running(sum(revenue))",
    ),
    window(
        "growth",
        "growth(m, length)",
        WindowKind::Growth,
        "Divides m by its value that much earlier and takes 1 off. A percent, missing where the earlier value is missing, 0 or negative; of a percent or of points it is the difference in points.",
        "growth(sum(revenue), 1 year)",
    ),
    window(
        "total",
        "total(m), total(m, dimension)",
        WindowKind::Total,
        "Computes m over all labels together, or over those of one label of the query, the other labels kept; it stands in every row. In the unit of m, missing as m is there.",
        "total(sum(revenue))",
    ),
    window(
        "of_total",
        "of_total(m), of_total(m, dimension)",
        WindowKind::OfTotal,
        "Divides m by m computed over all labels together, or over those of one label of the query. A percent, missing where that total is missing or 0.",
        "of_total(sum(revenue))",
    ),
    window(
        "rank",
        "rank(m), rank(m, dimension)",
        WindowKind::Rank,
        "Takes the place of the cell by m, the largest first, among those of its period, or among those that differ only in one label of the query; equal values share the first of their places. A number, missing where m is.",
        "rank(sum(revenue))",
    ),
];
