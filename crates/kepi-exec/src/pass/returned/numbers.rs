//! The numbers of the periods of cohorts.

use super::members::{NEVER, NOBODY};
use crate::ExecError;
use crate::pass::stream::Periods;
use crate::rows::{Clock, Days, Frame, period_numbers};
use kepi_model::calendar::Zone;
use kepi_model::core::Returns;
use std::ops::Range;

/// Counts periods from one that is the same for all.
pub(super) struct Numbers<'a> {
    returns: &'a Returns,
    zone: &'a Zone,
    clock: Clock,
    days: [Days; 2],
    periods: Periods,
}

impl<'a> Numbers<'a> {
    pub(super) fn new(returns: &'a Returns, zone: &'a Zone) -> Numbers<'a> {
        let periods = Periods::new(Some(returns.grain.clone()));
        Numbers { returns, zone, clock: Clock::new(zone.clone()), days: Default::default(), periods }
    }

    /// Cuts rows where a period ends: with the period's number.
    pub(super) fn cut(&mut self, frame: &Frame) -> Result<Vec<(Range<usize>, i32)>, ExecError> {
        let at = frame.at.as_ref().map(|at| &at[..]);
        let segments = self.periods.cut(at, 0..frame.len, self.zone)?;
        let number = |(range, start): (Range<usize>, Option<i64>)| {
            let start = start.unwrap_or(0);
            let numbers = period_numbers(&[start], &self.returns.grain, &mut self.days, &mut self.clock);
            let number = numbers.first().and_then(|&number| i32::try_from(number).ok());
            let number = number.filter(|&number| number != NEVER && number != NOBODY);
            number.map(|number| (range, number)).ok_or_else(|| ExecError::Overflow("a period's number".into()))
        };
        segments.into_iter().map(number).collect()
    }
}
