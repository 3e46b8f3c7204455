//! Ages by each member's own clock: the periods since its own moment.

use super::Step;
use super::members::{Member, NOBODY};
use crate::made::Period;
use crate::rows::Clock;
use kepi_model::calendar::Grain;

/// What is kept by id to tell ages, beside the moment: the end of an own period.
pub(super) const BYTES: usize = size_of::<i64>();

/// Tells at which ages rows lie that come in the order of time.
pub(super) struct Own<'a> {
    clock: Clock,
    grain: &'a Grain,
    /// By id its member's moment.
    at: &'a [i64],
    /// By id: rows before this tell nothing new. It is the end of the own period in which the last row lay, of members
    /// without rows their own moment, and of everybody else never.
    ends: Vec<i64>,
}

impl<'a> Own<'a> {
    pub(super) fn new(step: &Step<'a>, by_id: &[Member], at: &'a [i64]) -> Own<'a> {
        let moments = by_id.iter().zip(at);
        let ends = moments.map(|(member, &at)| if member.last == NOBODY { i64::MAX } else { at }).collect();
        Own { clock: Clock::new(step.zone.clone()), grain: &step.asked.returns.grain, at, ends }
    }

    /// The age of a row; none: it is nobody's, lies before its member's, or in the same own period as the one before it.
    #[inline]
    pub(super) fn age(&mut self, id: usize, at: i64) -> Option<i64> {
        let end = self.ends.get_mut(id).filter(|end| at >= **end && at < i64::MAX)?;
        let mut period = Period::new(self.at[id]);
        let age = period.go_to(&mut self.clock, self.grain, at);
        *end = period.end();
        Some(age)
    }
}
