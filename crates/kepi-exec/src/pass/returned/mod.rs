//! How many of a cohort come back, counted without a row for each who does: by calendar periods or those that are counted
//! from each member's own moment, where nobody is a member of two cohorts.
//!
//! The rows that make members are read first (`members`): each member gets its period and its cells, a number by id. Then
//! the rows of those who come back go by in the order of time (`back`); one of a later period than the last that was counted
//! counts at its age in the cells of its member. Stretches of time may be read by several threads.
//! What is known by id and cell of all rows before a moment is kept, so that later only later rows are read (`kept`).
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
use super::state::Cells;
use super::{Part, Pass, Source};
use crate::ExecError;
use crate::made::Maker;
use crate::rows::Type;
use asked::{Asked, Of};
use back::Back;
use kepi_model::calendar::Zone;
use members::{Known, Member};

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
    let step = Step { asked: &asked, pass, source, zone: &zone, from: None, until: None };
    let mut plan = Plan::new(&asked.members, source)?;
    let Some(Type::Id(entity)) = plan.argument(0).cloned() else { return Ok(None) };
    let mut back = Back::new(&step)?;
    if [&plan.program, &back.program].iter().any(|program| !program.is_dated() || program.needs_period) {
        return Ok(None);
    }
    let ids = plan.program.ids(&entity);
    let maker = Maker { source, zone: &pass.zone, now: pass.now };
    let own_clock = asked.returns.own_clock;
    let each = size_of::<Member>() + if own_clock { own::BYTES } else { 0 };
    maker.fits((each * ids * (1 + source.threads)) as u64)?;
    let only_returns = asked.counted.iter().all(|counted| counted.of != Of::Members);
    let nobody = Known::of_nobody(ids, asked.counted.len(), only_returns || own_clock);
    if let Some(going_on) = kept::Going::new(&step, &plan, &back, only_returns) {
        return going_on.run(plan, back, nobody);
    }
    let Some(known) = step.read(&mut plan, &mut back, nobody)? else { return Ok(None) };
    Ok(cells::cells(&asked, &known))
}

impl Step<'_> {
    /// What is known when its rows have gone by; none: somebody is a member of several cohorts, or there would be too many
    /// numbers.
    fn read(&self, plan: &mut Plan, back: &mut Back, mut known: Known) -> Result<Option<Known>, ExecError> {
        let read = members::begun(self, plan, &mut known)? && back::back(self, back, &mut known)?;
        Ok(read.then_some(known))
    }
}
