//! Reading the rows that begin and end a state, in the order of time.

use super::super::feed::Feed;
use super::super::timeline::ends_said;
use super::Question;
use super::tally::Tally;
use crate::rows::{Days, Program};
use crate::{ExecError, Source};
use kepi_model::core::{Events, Row, State, Until};
use kepi_model::value::CalendarSpan;

/// The rows of a stretch of time that begin and end a state.
pub(super) struct Walk {
    pub(super) from: Feed,
    pub(super) until: Option<Feed>,
    end: End,
}

/// When a row says that what it begins ends.
enum End {
    Never,
    After(CalendarSpan, Days),
    /// At instants of a column; those of the batch with this number.
    At {
        node: usize,
        batch: u64,
        instants: Vec<i64>,
    },
}

impl Walk {
    /// Those from an instant on, if any, and before another one.
    pub(super) fn new(
        question: &Question,
        source: &Source,
        (from, until): (Option<i64>, i64),
    ) -> Result<Walk, ExecError> {
        let Question { state, zone, now, .. } = question;
        let State { entity, text, .. } = state;
        let feed = |events: &Events, key: &Row| -> Result<Feed, ExecError> {
            let program = Program::of_base(&events.base, source, zone, *now)?;
            Ok(Feed::new(program, events, key, entity, text)?.between(from, Some(until)))
        };
        let mut begins = feed(&state.from, &state.key)?;
        begins.keep_without();
        let end = match &state.until {
            Until::Never | Until::Event { .. } => End::Never,
            Until::After(span) => End::After(*span, Days::default()),
            Until::At(row) => End::At { node: begins.program.row(row)?, batch: 0, instants: Vec::new() },
        };
        let until = match &state.until {
            Until::Event { events, key } => Some(feed(events, key)?),
            _ => None,
        };
        Ok(Walk { from: begins, until, end })
    }

    /// How many entities there may be.
    pub(super) fn ids(&self, entity: &str) -> usize {
        self.from.program.ids(entity)
    }

    /// The programs that read them.
    pub(super) fn programs(&self) -> Vec<&Program> {
        [Some(&self.from), self.until.as_ref()].into_iter().flatten().map(|feed| &feed.program).collect()
    }

    /// The same, to write into.
    pub(super) fn programs_mut(&mut self) -> impl Iterator<Item = &mut Program> {
        [Some(&mut self.from), self.until.as_mut()].into_iter().flatten().map(|feed| &mut feed.program)
    }

    /// Takes all rows; gives how many stored ones were read.
    pub(super) fn read(&mut self, tally: &mut Tally) -> Result<u64, ExecError> {
        while let Some(at) = self.from.peek()? {
            // Of the rows at one moment those that end it come first.
            let ends = self.finish(at, tally)?;
            let interval = tally.places().interval(at);
            let next = tally.places().bounds().get(interval).copied().unwrap_or(i64::MAX);
            let stop = next.min(ends.unwrap_or(i64::MAX));
            match &mut self.end {
                End::Never => self.from.take(stop - 1, |_, at, id| tally.begin(id, at, i64::MAX, interval)),
                End::After(span, days) => {
                    let (later, behind) = self.from.program.clock.add_stretch(*span, days, at);
                    self.from.take(stop.min(behind) - 1, |_, at, id| {
                        tally.begin(id, at, at.saturating_add(later), interval);
                    });
                }
                End::At { node, batch, instants } => {
                    if *batch != self.from.batch() {
                        *batch = self.from.batch();
                        let column = self.from.column(*node).clone();
                        *instants = ends_said(&column, &mut self.from.program.clock)?;
                    }
                    let end = |row: usize| instants.get(row).copied().unwrap_or(i64::MAX);
                    self.from.take(stop - 1, |row, at, id| tally.begin(id, at, end(row), interval));
                }
            }
        }
        self.finish(i64::MAX, tally)?;
        for at in self.from.take_without() {
            let interval = tally.places().interval(at);
            tally.counts.without[interval] += 1;
        }
        Ok(self.from.rows_scanned() + self.until.as_ref().map_or(0, Feed::rows_scanned))
    }

    /// Takes the rows that end something up to a moment; gives that of the next one.
    fn finish(&mut self, moment: i64, tally: &mut Tally) -> Result<Option<i64>, ExecError> {
        let Some(until) = &mut self.until else { return Ok(None) };
        while until.peek()?.is_some_and(|at| at <= moment) {
            until.take(moment, |_, at, id| tally.end(id, at));
        }
        until.peek()
    }
}
