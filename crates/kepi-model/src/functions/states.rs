//! Measures of states. `avg` is among the aggregates: of a state it is weighted by time.

use super::{Builtin, Family, Lowering, StateMeasure};
use crate::core::Edge;

const fn measure(
    name: &'static str,
    usage: &'static str,
    measure: StateMeasure,
    doc: &'static str,
    example: &'static str,
) -> Builtin {
    Builtin { name, family: Family::States, usage, doc, example, lowering: Lowering::State(measure) }
}

const fn event(
    name: &'static str,
    usage: &'static str,
    edge: Edge,
    doc: &'static str,
    example: &'static str,
) -> Builtin {
    Builtin { name, family: Family::States, usage, doc, example, lowering: Lowering::Edge(edge) }
}

pub(super) const ALL: &[Builtin] = &[
    measure(
        "opening",
        "opening(state where condition)",
        StateMeasure::Opening,
        "Takes the state just before the period's first instant: counts the entities of a yes/no state or a segment, adds a state of numbers; a state of texts needs a condition, such as `opening(stage = \"won\")`, or to be in `by`. The condition is seen at the same moment. Of one entity inside a condition: its own value, yes or no for a yes/no state. Of nothing 0.",
        "opening(active)",
    ),
    measure(
        "closing",
        "closing(state where condition)",
        StateMeasure::Closing,
        "Takes the state just before the period's end, as `opening` does before its beginning. A condition, or a segment, counts the entities that exist and satisfy it then. Of nothing 0.",
        "closing(pipeline_value where open_deal)",
    ),
    measure(
        "kept",
        "kept(state where condition)",
        StateMeasure::Kept,
        "Counts the entities that are in the state, or in the segment, at both ends of the period, whatever happened in between. The condition is seen at the period's end. Of nothing 0.",
        "kept(active)",
    ),
    measure(
        "time_in",
        "time_in(state where condition)",
        StateMeasure::TimeIn,
        "Adds the time that entities spend in the state within the period (up to now). A duration. The condition is seen at the period's end. Of nothing 0.",
        "sum(time_in(active) per customer)",
    ),
    event(
        "started",
        "started(state)",
        Edge::Start,
        "Makes an event at each start of the state, or of a condition on entities; another value is no start. It keeps the fields of the event that began it, unless several states or a history make the condition, and has `value`.",
        "count(started(active))",
    ),
    event(
        "ended",
        "ended(state)",
        Edge::End,
        "Makes an event at each end of the state; another value is no end. It keeps the fields of the event that began it last, and has `value` and `length`, the time since the start.",
        "count(ended(active))",
    ),
    event(
        "stays",
        "stays(state)",
        Edge::Stay,
        "Makes an event at each end of a stay with one value, with `value` and `length`.",
        "median(stays(stage).length)",
    ),
];
