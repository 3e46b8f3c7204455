//! Cohorts, age, funnels, retention: what entities do over time.

use super::{Builtin, Family, Lowering, not_yet};

const fn later(
    name: &'static str,
    usage: &'static str,
    what: &'static str,
    doc: &'static str,
    example: &'static str,
) -> Builtin {
    not_yet(Family::Behaviour, name, usage, what, doc, example)
}

pub(super) const ALL: &[Builtin] = &[
    Builtin {
        name: "age",
        family: Family::Behaviour,
        usage: "age(event), age(event, grain)",
        doc: "Takes the time since an event that the entity has at most once: elapsed time, or with a grain the number of calendar periods. Missing before the event.",
        example: "age(new_customers) < 1 year",
        lowering: Lowering::Age,
    },
    Builtin {
        name: "cohort",
        family: Family::Behaviour,
        usage: "cohort(event, grain)",
        doc: "Takes the period in which the entity had an event that it has at most once. Missing before the event.",
        example: "sum(revenue) by cohort(new_customers, month)",
        lowering: Lowering::Cohort,
    },
    later(
        "funnel",
        "funnel(a -> b -> c, within 90 days)",
        "funnels",
        "Counts the entities that reach each step, in order.",
        "funnel(leads -> wins, within 90 days)",
    ),
    later(
        "conversion",
        "conversion(a -> b, within 90 days)",
        "conversions",
        "Takes the share of first-step events that convert.",
        "conversion(leads -> wins, within 90 days)",
    ),
    later(
        "retention",
        "retention(a -> b, period: month)",
        "retention",
        "Takes the share of a cohort that comes back in each later period.",
        "retention(new_customers -> orders, period: month)",
    ),
    later(
        "lifecycle",
        "lifecycle(event, grain)",
        "lifecycle",
        "Labels entities new, returning, resurrecting or dormant.",
        "count(customer) by lifecycle(orders, month)",
    ),
    later(
        "sessions",
        "sessions(event, gap)",
        "sessions",
        "Makes an event per session: rows closer than the gap.",
        "sessions(views, 30 minutes)",
    ),
    later("gap", "gap(event)", "gaps", "Takes the time since the entity's previous event.", "median(gap(orders))"),
];
