//! Passes that go on from a moment: what a pass with a history has kept of all rows before it is read instead of the rows.
//!
//! Kept are the cells of the rows before the moment, and what the program keeps by entity of them (whose first row has
//! gone by, counts, sums, first values), with a number that says all that this depends on: the stored rows before the
//! moment, one by one, and whatever else values of them are made of. So a late, changed, removed or merged row, another
//! attribute of somebody who has rows, or another definition is another number, and then everything is computed anew.
//! Rows that are computed anew are read in the same two steps, so that there is one way to an answer.

use super::frontier::{Frontier, ROWS_MIN, WORTH, name_of};
use super::pieces::Reading;
use super::plan::Plan;
use super::state::{Cells, State};
use super::stream::time;
use super::{Part, Pass, Source, in_turns, units};
use crate::ExecError;
use crate::rows::{Base, Before, Type, put};
use kepi_model::core::Measure;
use serde::{Deserialize, Serialize};
use std::time::Instant;
use xxhash_rust::xxh3::Xxh3Default;

/// A part of a name: the way in which this is kept. It changes with what it is made of.
const FORM: u32 = 3;

/// What stands in front of kept bytes; then come the cells and what the program keeps.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Head {
    /// All rows before this moment have gone by.
    moment: i64,
    meaning: u128,
    cells: u64,
}

/// Cells of all rows before a moment, and what the program keeps of them.
struct Done {
    moment: i64,
    cells: Cells,
    program: Vec<u8>,
}

/// Whether a pass is read in one go, so that it can go on from a moment.
pub(super) fn is_wanted(pass: &Pass, plan: &Plan, source: &Source) -> bool {
    source.partials.is_some() && can_go_on(pass, plan, source) && frontier(pass, plan, source).is_some()
}

/// The cells of a pass of which something is kept, or is worth keeping; none: it is computed in other ways.
pub(super) fn run(pass: &Pass, source: &Source) -> Result<Option<Cells>, ExecError> {
    let Some(partials) = &source.partials else { return Ok(None) };
    let plan = Plan::with(pass, source, true)?;
    if !can_go_on(pass, &plan, source) {
        return Ok(None);
    }
    let Some((frontier, until)) = frontier(pass, &plan, source) else { return Ok(None) };
    let names = frontier.names(until, |until| name(pass, until))?;
    let mut found = None;
    for name in &names {
        if found.is_none()
            && let Some(bytes) = partials.read(*name)
        {
            found = kept(&bytes, pass, &plan, (&frontier, until))?;
        }
    }
    let kept = found;
    let from = kept.as_ref().map(|done| done.moment);
    let step = Step { pass, source };
    let (plan, done) = match kept {
        Some(done) if done.moment >= frontier.moment || frontier.is_fresh(done.moment) => (plan, done),
        kept => {
            let begin = Instant::now();
            let Some(meaning) = meaning(pass, &plan, &frontier.before(frontier.moment))? else {
                return Ok(None);
            };
            let Some(done) = step.up_to(plan, kept, frontier.moment)? else { return Ok(None) };
            if begin.elapsed() >= WORTH {
                partials.write(names[0], &done.to_bytes(meaning)?, begin.elapsed());
            }
            (Plan::with(pass, source, true)?, done)
        }
    };
    let Some(mut cells) = step.rest(plan, done)? else { return Ok(None) };
    cells.report.continued = from;
    cells.states.iter_mut().for_each(State::close);
    Ok(Some(cells))
}

/// Whether cells of rows before a moment and of those from it on make the cells of all, and the program can go on.
fn can_go_on(pass: &Pass, plan: &Plan, source: &Source) -> bool {
    let Base::Stream(_, Some(info)) = &plan.program.base else { return false };
    let distinct = pass.aggregates.iter().any(|a| matches!(a.measure, Measure::Unique(_)));
    let merges = |(i, measure): (usize, &Measure)| match (measure, &plan.reading) {
        (Measure::Plugin { .. }, _) | (_, Reading::Apart(_)) => false,
        (Measure::Unique(_), Reading::Pieces(_)) => plan.counts_can_be_joined(pass) && plan.can_keep_seen(),
        // As a set.
        (Measure::Unique(_), Reading::Plain) => {
            matches!(plan.argument(i), Some(Type::Id(_))) && units::has_room(pass, plan, source, info)
        }
        _ => true,
    };
    // Other passes are read by segments.
    let looks_back =
        plan.program.sequential || distinct && (pass.per.is_none() || matches!(plan.reading, Reading::Pieces(_)));
    info.dated
        && info.rows >= ROWS_MIN
        && looks_back
        && plan.only().is_none()
        && plan.program.can_go_on()
        && pass.aggregates.iter().map(|a| &a.measure).enumerate().all(merges)
}

/// Where a pass may go on from, and the instant behind the last row that it reads; none: most rows lie behind it.
fn frontier(pass: &Pass, plan: &Plan, source: &Source) -> Option<(Frontier, i64)> {
    let Base::Stream(base, Some(info)) = &plan.program.base else { return None };
    let (_, until) = time(pass, &plan.reading)?;
    Some((Frontier::new(base, info.rows, until, &[&plan.program], source)?, until))
}

/// The name under which a pass is kept, whatever is stored.
fn name(pass: &Pass, until: Option<i64>) -> Result<u128, ExecError> {
    let mut plain = pass.clone();
    plain.aggregates.iter_mut().for_each(|a| a.text.clear());
    (plain.from, plain.until, plain.now, plain.moment) = (pass.first_instant(), 0, 0, false);
    name_of(&("onward", FORM, env!("CARGO_PKG_VERSION"), plain, until))
}

/// A number for all that is looked at of the rows before a moment; none: there is none.
fn meaning(pass: &Pass, plan: &Plan, before: &Before) -> Result<Option<u128>, ExecError> {
    let mut hasher = Xxh3Default::new();
    if let Reading::Pieces(pieces) = &plan.reading {
        let bytes = postcard::to_allocvec(&pieces.begun(before.moment));
        put(&mut hasher, &bytes.map_err(|e| ExecError::Failed(format!("pieces have no name: {e}")))?);
    }
    let told = before.put(&mut hasher)
        && plan.program.put_meaning(before, &mut hasher)?
        && plan.put_shown(pass, before, &mut hasher)?;
    Ok(told.then(|| hasher.digest128()))
}

/// What is kept, where it holds.
fn kept(
    bytes: &[u8],
    pass: &Pass,
    plan: &Plan,
    (frontier, until): (&Frontier, i64),
) -> Result<Option<Done>, ExecError> {
    let Ok((head, rest)) = postcard::take_from_bytes::<Head>(bytes) else { return Ok(None) };
    if head.moment > until || meaning(pass, plan, &frontier.before(head.moment))? != Some(head.meaning) {
        return Ok(None);
    }
    let Some((cells, program)) = usize::try_from(head.cells).ok().and_then(|cells| rest.split_at_checked(cells)) else {
        return Ok(None);
    };
    let Ok(cells) = Cells::from_bytes(cells) else { return Ok(None) };
    Ok(Some(Done { moment: head.moment, cells, program: program.to_vec() }))
}

impl Done {
    fn to_bytes(&self, meaning: u128) -> Result<Vec<u8>, ExecError> {
        let cells = self.cells.to_bytes()?;
        let head = Head { moment: self.moment, meaning, cells: cells.len() as u64 };
        let head = postcard::to_allocvec(&head);
        let head = head.map_err(|e| ExecError::Failed(format!("a pass cannot be kept: {e}")))?;
        Ok([head, cells, self.program.clone()].concat())
    }
}

/// Reading rows of a pass where others have gone by.
struct Step<'a> {
    pass: &'a Pass,
    source: &'a Source,
}

impl Step<'_> {
    /// All rows before a moment, of which some are done; none: what is kept are other bytes, or cannot be written.
    fn up_to(&self, mut plan: Plan, done: Option<Done>, moment: i64) -> Result<Option<Done>, ExecError> {
        let from = done.as_ref().map(|done| done.moment);
        if let Some(done) = &done
            && plan.program.take_kept(done.moment, &mut &done.program[..]).is_none()
        {
            return Ok(None);
        }
        plan.program.stop_at(moment);
        if from.is_none()
            && let Some((cells, carried)) = in_turns::up_to(self.pass, self.source, &plan, moment)?
        {
            plan.program.carry(carried);
            let mut program = Vec::new();
            let written = plan.program.put_kept(moment, &mut program)?;
            return Ok(written.then_some(Done { moment, cells, program }));
        }
        let part = Part { from, until: Some(moment), ..Part::default() };
        let mut plan = super::stream::fill_on(plan, self.pass, self.source, &part)?;
        let mut program = Vec::new();
        if !plan.program.put_kept(moment, &mut program)? {
            return Ok(None);
        }
        let mut cells = done.map(|done| done.cells).unwrap_or_default();
        cells.merge(plan.finish()?)?;
        Ok(Some(Done { moment, cells, program }))
    }

    /// The cells of all rows, of which some are done; none: what is kept are other bytes.
    fn rest(&self, mut plan: Plan, done: Done) -> Result<Option<Cells>, ExecError> {
        if plan.program.take_kept(done.moment, &mut &done.program[..]).is_none() {
            return Ok(None);
        }
        let part = Part { from: Some(done.moment), ..Part::default() };
        let plan = super::stream::fill_on(plan, self.pass, self.source, &part)?;
        let mut cells = done.cells;
        cells.merge(plan.finish()?)?;
        Ok(Some(cells))
    }
}
