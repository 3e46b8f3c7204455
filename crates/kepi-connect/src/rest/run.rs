//! A run over the windows of a stream: where it begins, and what comes after each page.

use super::connector::RestConnector;
use super::definition::{Stream, TimeForm};
use super::state::{Phase, Run, Spot, State};
use kepi_extension::ConnectorHost;

impl RestConnector {
    /// The run that goes on, or a new one; none: nothing can be new yet.
    pub(super) fn run(
        &self,
        stream: &Stream,
        state: &State,
        since: Option<i64>,
        host: &dyn ConnectorHost,
    ) -> Option<Run> {
        if let Some(run) = &state.run {
            return Some(run.clone());
        }
        let step = step_of(stream.time);
        let now = host.now();
        let until = (now - stream.settle).div_euclid(step) * step;
        let mut phase = Phase::Read;
        let begin = since.unwrap_or(stream.begin);
        let mut since = match state.done {
            Some(done) => done - stream.lookback,
            None => begin,
        };
        if let (Some(changes), Some(done)) = (&stream.changes, state.done) {
            if now - done < changes.keep {
                phase = Phase::Changes;
            } else {
                host.log("the last run is longer ago than the service keeps changes: everything is read anew");
                since = stream.begin;
            }
        }
        if stream.is_incremental() && since >= until && state.token.is_none() {
            return None;
        }
        let spot = state.token.clone().map_or(Spot::Start, Spot::Cursor);
        Some(Run { since, until, phase, windows: vec![(since, until)], spot, skip: 0, skipped: 0 })
    }
}

/// What comes after the page: the next page, window or phase; none: the run has ended.
pub(super) fn after(stream: &Stream, mut run: Run, next: Option<Spot>) -> Option<Run> {
    run.skip = 0;
    run.skipped = 0;
    if let Some(spot) = next {
        run.spot = spot;
        return Some(run);
    }
    run.windows.pop();
    run.spot = Spot::Start;
    if !run.windows.is_empty() {
        return Some(run);
    }
    if run.phase != Phase::Deleted && stream.deleted.is_some() {
        run.phase = Phase::Deleted;
        run.windows = vec![(run.since, run.until)];
        return Some(run);
    }
    None
}

/// The finest difference of time that a form can say, in microseconds.
pub(super) fn step_of(form: TimeForm) -> i64 {
    match form {
        TimeForm::Unix => 1_000_000,
        TimeForm::UnixMs | TimeForm::Rfc3339 => 1_000,
    }
}
