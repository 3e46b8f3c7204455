//! How many of a cohort come back, counted without a row for each who does: by calendar periods or those that are counted
//! from each member's own moment, where nobody is a member of two cohorts.
//!
//! The rows that make members are read first (`members`): each member gets its period and its cells, a number by id. Then
//! the rows of those who come back go by in the order of time (`back`); one of a later period than the last that was counted
//! counts at its age in the cells of its member. Stretches of time may be read by several threads.
//! What is known by id and cell of all rows before a moment is kept, so that later only later rows are read (`kept`).
//! Where the members do not fit the memory, the rows are read once for each of several ranges of ids.
//! Where somebody turns out to be a member twice, nothing is answered, and the rows of members and returns are made after all.

mod asked;
mod back;
mod cells;
mod kept;
mod members;
mod numbers;
mod own;
#[cfg(test)]
mod tests;

use super::plan::Plan;
use super::shares::{self, Share};
use super::state::Cells;
use super::{Part, Pass, Source};
use crate::ExecError;
use crate::rows::Type;
use asked::{Asked, Of};
use back::Back;
use kepi_model::calendar::Zone;
use members::Known;

/// What explain says of it.
const WAY: &str = "counted as they come back, without a row for each";

/// Rows of a stretch of time that are to be read: from an instant on, up to before another.
#[derive(Clone, Copy)]
struct Step<'a> {
    asked: &'a Asked<'a>,
    pass: &'a Pass,
    source: &'a Source,
    zone: &'a Zone,
    from: Option<i64>,
    until: Option<i64>,
}

/// Whether a pass may be answered in this way.
pub(super) fn takes(pass: &Pass) -> bool {
    asked::of(pass).is_some()
}

/// The cells of a pass over members and returns; none: it asks for something else, or is only a part of one.
pub(super) fn count(pass: &Pass, source: &Source, part: &Part) -> Result<Option<Cells>, ExecError> {
    if *part != Part::default() {
        return Ok(None);
    }
    let Some(asked) = asked::of(pass) else { return Ok(None) };
    let zone = Zone::named(&pass.zone).ok_or_else(|| ExecError::Plan(format!("no time zone `{}`", pass.zone)))?;
    shares::read_if(&source.of_share(Share::default()), |source| {
        of_share(&Step { asked: &asked, pass, source, zone: &zone, from: None, until: None })
    })
}

/// The cells of those whose ids are of the source's share; none: as above.
fn of_share(step: &Step<'_>) -> Result<Option<Cells>, ExecError> {
    let Step { asked, source, .. } = *step;
    let mut plan = Plan::new(&asked.members, source)?;
    let Some(Type::Id(entity)) = plan.argument(0).cloned() else { return Ok(None) };
    let mut back = Back::new(step)?;
    if [&plan.program, &back.program].iter().any(|program| !program.is_dated() || program.needs_period) {
        return Ok(None);
    }
    let ids = plan.program.ids(&entity);
    source.share.note_ids(ids);
    let range = source.share.ids(ids);
    let only_returns = asked.counted.iter().all(|counted| counted.of != Of::Members);
    let nobody = Known::of_nobody(range, asked, only_returns || asked.returns.own_clock, source)?;
    if let Some(going_on) = kept::Going::new(step, &plan, &back, only_returns).filter(|_| source.share.is_all()) {
        return going_on.run(plan, back, nobody);
    }
    let Some(mut known) = step.read(&mut plan, &mut back, nobody)? else { return Ok(None) };
    if !source.share.is_first() {
        // All have read the same rows.
        (known.without, known.scanned) = (0, 0);
    }
    Ok(cells::cells(asked, &known))
}

impl Step<'_> {
    /// What is known when its rows have gone by; none: somebody is a member of several cohorts, or there would be too many
    /// numbers.
    fn read(&self, plan: &mut Plan, back: &mut Back, mut known: Known) -> Result<Option<Known>, ExecError> {
        let members = members::begun(self, plan, &mut known)?;
        self.source.fits_share(known.bytes(self.asked, self.source.threads))?;
        let read = members && back::back(self, back, &mut known)?;
        Ok(read.then_some(known))
    }
}
