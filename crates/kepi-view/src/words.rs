//! What has to be said beside an answer: partial periods and notes, a line each, for the standard error.

use crate::cell::Cell;
use crate::period::Clock;
use crate::text::inert;
use kepi_engine::{Answer, FrameColumnKind};

/// Says what a reader of the answer should know: which periods are not whole, and the notes of the engine.
pub fn words(answer: &Answer) -> Vec<String> {
    let mut lines = partial_periods(answer);
    let mut reasons: Vec<&str> = answer.frame.partial_rows.iter().map(|partial| partial.reason.as_str()).collect();
    reasons.dedup();
    lines.extend(reasons.into_iter().map(|reason| format!("* rows with a star: {}", inert(reason))));
    lines.extend(answer.said.iter().map(|said| inert(said).into_owned()));
    lines.extend(answer.frame.notes.iter().map(|note| inert(&note.text).into_owned()));
    lines
}

/// A line for each reason: `* 2025-11, 2025-12: still running`.
fn partial_periods(answer: &Answer) -> Vec<String> {
    let clock = Clock::new(&answer.zone);
    let grain = answer.frame.columns.iter().find(|c| c.kind == FrameColumnKind::Period).and_then(|c| c.grain.as_ref());
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for period in &answer.frame.partial {
        let start = Cell::Instant(period.start);
        let name = match grain {
            Some(grain) => clock.label(grain, start).unwrap_or_default(),
            None => clock.readable(period.start),
        };
        match reasons.iter_mut().find(|(reason, _)| *reason == period.reason) {
            Some((_, names)) => names.push(name),
            None => reasons.push((&period.reason, vec![name])),
        }
    }
    reasons.into_iter().map(|(reason, names)| format!("* {}: {}", names.join(", "), inert(reason))).collect()
}
