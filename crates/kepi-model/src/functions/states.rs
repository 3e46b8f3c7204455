//! Measures of states.

use super::{Builtin, Family, not_yet};

const WHAT: &str = "states";

const fn state(name: &'static str, usage: &'static str, doc: &'static str, example: &'static str) -> Builtin {
    not_yet(Family::States, name, usage, WHAT, doc, example)
}

pub(super) const ALL: &[Builtin] = &[
    state("opening", "opening(state)", "Takes the state just before the period's first instant.", "opening(active)"),
    state("closing", "closing(state)", "Takes the state at the period's end.", "closing(active)"),
    state(
        "kept",
        "kept(state)",
        "Counts the entities that are in the state at both ends of the period.",
        "kept(active)",
    ),
    state("time_in", "time_in(state)", "Takes the time spent in the state, clipped to the period.", "time_in(active)"),
    state("started", "started(state)", "Makes an event at each start of the state.", "count(started(active))"),
    state("ended", "ended(state)", "Makes an event at each end of the state.", "count(ended(active))"),
    state(
        "stays",
        "stays(state)",
        "Makes an event at each end, with `value` and `length`.",
        "median(stays(stage).length)",
    ),
];
