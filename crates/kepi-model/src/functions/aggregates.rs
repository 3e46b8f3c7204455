//! Aggregates of rows. In a row's condition they look at the history of the row's subject.

use super::{AggregateKind, Builtin, Family, Lowering};

const fn aggregate(
    name: &'static str,
    usage: &'static str,
    kind: AggregateKind,
    doc: &'static str,
    example: &'static str,
) -> Builtin {
    Builtin { name, family: Family::Rows, usage, doc, example, lowering: Lowering::Aggregate(kind) }
}

pub(super) const ALL: &[Builtin] = &[
    aggregate(
        "count",
        "count(event where condition), count(entity where condition)",
        AggregateKind::Count,
        "Counts events, or the entities that exist at the window's end. Of nothing 0.",
        "count(orders where kind = \"upsell\")",
    ),
    aggregate(
        "unique",
        "unique(field where condition)",
        AggregateKind::Unique,
        "Counts distinct known values. Of nothing 0.",
        "unique(orders.customer)",
    ),
    aggregate(
        "approx_unique",
        "approx_unique(field where condition)",
        AggregateKind::Unique,
        "Counts distinct known values; it may be off by a little where an exact count would cost too much, and today it is exact. Of nothing 0.",
        "approx_unique(orders.customer)",
    ),
    aggregate(
        "sum",
        "sum(value where condition)",
        AggregateKind::Sum,
        "Adds known values; money is exact. In the unit of the value. Of nothing 0.",
        "sum(revenue where first_year)",
    ),
    aggregate(
        "avg",
        "avg(value where condition), avg(state where condition)",
        AggregateKind::Avg,
        "Divides the sum of the known values by their number. In the unit of the value. Of a state: its closing value in the mean over the period, weighted by time (up to now); a condition is seen at the period's end. Of nothing missing.",
        "avg(orders.amount)",
    ),
    aggregate(
        "min",
        "min(value where condition)",
        AggregateKind::Min,
        "Takes the least known value. Of nothing missing.",
        "min(orders.amount)",
    ),
    aggregate(
        "max",
        "max(value where condition)",
        AggregateKind::Max,
        "Takes the greatest known value. Of nothing missing.",
        "max(orders.amount)",
    ),
    aggregate(
        "median",
        "median(value where condition)",
        AggregateKind::Median,
        "Takes the middle of the known values in order, or the mean of the two in the middle. Of nothing missing.",
        "median(wins.at - first(leads.at))",
    ),
    aggregate(
        "percentile",
        "percentile(value where condition, p, mode: observed)",
        AggregateKind::Percentile,
        "Takes the value below which p percent of the known values lie, interpolated linearly between neighbours; with `mode: observed` it is a value that occurs, the least one that p percent of them do not exceed. Of nothing missing.",
        "percentile(revenue, 95)",
    ),
    aggregate(
        "stddev",
        "stddev(value where condition)",
        AggregateKind::Stddev,
        "Takes the standard deviation of a sample (n - 1). Of fewer than two values missing.",
        "stddev(orders.amount)",
    ),
    aggregate(
        "first",
        "first(value where condition), event: first(event) per entity",
        AggregateKind::First,
        "Takes the known value of the earliest row; as an event, the earliest row of each entity. Of nothing missing.",
        "first(orders.amount)",
    ),
    aggregate(
        "last",
        "last(value where condition)",
        AggregateKind::Last,
        "Takes the known value of the latest row. Of nothing missing.",
        "last(surveys.score)",
    ),
    Builtin {
        name: "share",
        family: Family::Rows,
        usage: "share(event where condition), share(entity where condition)",
        doc: "Divides the rows for which the condition holds by all rows. A percent. Of nothing missing.",
        example: "share(rated where rating >= 4)",
        lowering: Lowering::Share,
    },
    Builtin {
        name: "ratio",
        family: Family::Rows,
        usage: "ratio(a, b)",
        doc: "Divides a by b, in every total, window and comparison anew. Missing when b is 0 or missing.",
        example: "ratio(sum(revenue), count(orders))",
        lowering: Lowering::Ratio,
    },
];
