//! Going on from a moment: what is known of members and their returns before it, as bytes.

use super::back::Back;
use super::members::{Known, Member, NEVER, NOBODY, NONE};
use super::{Step, cells};
use crate::ExecError;
use crate::made::largest_below;
use crate::number_bytes;
use crate::pass::frontier::{Frontier, ROWS_MIN, WORTH, name_of};
use crate::pass::plan::{NO_CELL, Plan};
use crate::pass::scalar::CellKey;
use crate::pass::state::Cells;
use kepi_extension::Partials;
use serde::{Deserialize, Serialize};
use std::time::Instant;
use xxhash_rust::xxh3::Xxh3Default;

/// A part of a name: the way in which this is kept. It changes with what it is made of.
const FORM: u32 = 2;

/// A pass that goes on from a moment, up to which rows are stored for good.
pub(super) struct Going<'a> {
    step: &'a Step<'a>,
    partials: &'a dyn Partials,
    frontier: Frontier,
}

/// What stands in front of kept bytes; then come the numbers by id.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// All rows before this moment have gone by.
    moment: i64,
    meaning: u128,
    cells: Vec<Vec<CellKey>>,
    kinds: Vec<Box<[u32]>>,
    sizes: Vec<Vec<i64>>,
    counts: Vec<i64>,
    without: u64,
    kept: u64,
    first: Option<i64>,
    /// What the programs of members and of those who come back keep.
    programs: [Vec<u8>; 2],
}

/// What is known of all rows before a moment, and what programs keep of them.
struct Done {
    moment: i64,
    known: Known,
    programs: [Vec<u8>; 2],
}

impl<'a> Going<'a> {
    /// None: it is read in one go, since it cannot go on, or most rows lie behind the moment.
    pub(super) fn new(step: &'a Step<'a>, plan: &Plan, back: &Back, only_returns: bool) -> Option<Going<'a>> {
        let partials = step.source.partials.as_deref()?;
        let programs = [&plan.program, &back.program];
        if only_returns || plan.only().is_some() || !programs.iter().all(|program| program.can_go_on()) {
            return None;
        }
        let returns = step.asked.returns;
        let bases = [&returns.back.events.base, &returns.start.events.base];
        let largest = bases.iter().filter_map(|base| largest_below(base, step.source)).max_by_key(|info| info.rows)?;
        if largest.rows < ROWS_MIN {
            return None;
        }
        let frontier = Frontier::new(&largest.name, largest.rows, step.pass.until, &programs, step.source)?;
        Some(Going { step, partials, frontier })
    }

    /// The cells; none: somebody is a member of several cohorts, or there would be too many numbers.
    pub(super) fn run(&self, plan: Plan, back: Back, nobody: Known) -> Result<Option<Cells>, ExecError> {
        let names = self.frontier.names(self.step.pass.until, |until| self.name(until))?;
        let ids = nobody.by_id.len();
        let mut kept = None;
        for name in &names {
            if kept.is_none()
                && let Some(bytes) = self.partials.read(*name)
            {
                kept = self.kept(&bytes, &plan, &back, ids)?;
            }
        }
        let from = kept.as_ref().map(|done| done.moment);
        let (plan, back, done) = match kept {
            Some(done) if done.moment >= self.frontier.moment || self.frontier.is_fresh(done.moment) => {
                (plan, back, done)
            }
            kept => {
                let begin = Instant::now();
                let moment = self.frontier.moment;
                let Some(meaning) = self.meaning(&plan, &back, moment)? else {
                    // It cannot be told what is kept by: all is read in one go.
                    let (mut plan, mut back) = (plan, back);
                    let known = self.step.read(&mut plan, &mut back, nobody)?;
                    return Ok(known.and_then(|known| cells::cells(self.step.asked, &known)));
                };
                let kept = kept.unwrap_or(Done { moment: i64::MIN, known: nobody, programs: Default::default() });
                let Some(done) = self.up_to(plan, back, kept, moment)? else { return Ok(None) };
                if begin.elapsed() >= WORTH {
                    self.partials.write(names[0], &done.to_bytes(meaning)?, begin.elapsed());
                }
                (Plan::new(&self.step.asked.members, self.step.source)?, Back::new(self.step)?, done)
            }
        };
        let Some(known) = self.rest(plan, back, done)? else { return Ok(None) };
        let mut cells = cells::cells(self.step.asked, &known);
        if let Some(cells) = &mut cells {
            cells.report.continued = from;
        }
        Ok(cells)
    }

    /// The name under which it is kept, whatever is stored.
    fn name(&self, until: Option<i64>) -> Result<u128, ExecError> {
        let pass = self.step.pass;
        let mut plain = pass.clone();
        plain.aggregates.iter_mut().for_each(|a| a.text.clear());
        (plain.until, plain.now) = (0, 0);
        name_of(&("returned", FORM, env!("CARGO_PKG_VERSION"), plain, until))
    }

    /// A number for all that is looked at of the rows before a moment; none: there is none.
    fn meaning(&self, plan: &Plan, back: &Back, moment: i64) -> Result<Option<u128>, ExecError> {
        let before = self.frontier.before(moment);
        let mut hasher = Xxh3Default::new();
        let told = before.put(&mut hasher)
            && plan.program.put_meaning(&before, &mut hasher)?
            && back.program.put_meaning(&before, &mut hasher)?
            && plan.put_labels_shown(&before, &mut hasher)?;
        Ok(told.then(|| hasher.digest128()))
    }

    /// What is kept, where it holds.
    fn kept(&self, bytes: &[u8], plan: &Plan, back: &Back, ids: usize) -> Result<Option<Done>, ExecError> {
        let Ok((head, rest)) = postcard::take_from_bytes::<Head>(bytes) else { return Ok(None) };
        if head.moment > self.step.pass.until || self.meaning(plan, back, head.moment)? != Some(head.meaning) {
            return Ok(None);
        }
        let own_clock = self.step.asked.returns.own_clock;
        let Some((by_id, at)) = members(rest, ids, head.kinds.len(), own_clock) else { return Ok(None) };
        let Head { moment, cells, kinds, sizes, counts, without, kept, first, programs, .. } = head;
        let known = Known { by_id, at, cells, kinds, sizes, counts, without, kept, first, ..Known::default() };
        Ok(Some(Done { moment, known, programs }))
    }

    /// All rows before a moment, of which some are done; none: there is no answer, or what is kept cannot be read.
    fn up_to(&self, mut plan: Plan, mut back: Back, done: Done, moment: i64) -> Result<Option<Done>, ExecError> {
        let from = Some(done.moment).filter(|&from| from != i64::MIN);
        if from.is_some() && take(&mut plan, &mut back, &done).is_none() {
            return Ok(None);
        }
        plan.program.stop_at(moment);
        back.program.stop_at(moment);
        let step = Step { from, until: Some(moment), ..*self.step };
        let Some(known) = step.read(&mut plan, &mut back, done.known)? else { return Ok(None) };
        let mut programs = [Vec::new(), Vec::new()];
        for (program, bytes) in [&mut plan.program, &mut back.program].into_iter().zip(&mut programs) {
            if !program.put_kept(moment, bytes)? {
                return Err(ExecError::Plan("what a program keeps cannot be written".into()));
            }
        }
        Ok(Some(Done { moment, known, programs }))
    }

    /// All rows, of which some are done; none: there is no answer.
    fn rest(&self, mut plan: Plan, mut back: Back, done: Done) -> Result<Option<Known>, ExecError> {
        if take(&mut plan, &mut back, &done).is_none() {
            return Ok(None);
        }
        let step = Step { from: Some(done.moment), until: None, ..*self.step };
        step.read(&mut plan, &mut back, done.known)
    }
}

/// Gives programs what they kept; none: it is something else.
fn take(plan: &mut Plan, back: &mut Back, done: &Done) -> Option<()> {
    plan.program.take_kept(done.moment, &mut &done.programs[0][..])?;
    back.program.take_kept(done.moment, &mut &done.programs[1][..])
}

impl Done {
    fn to_bytes(&self, meaning: u128) -> Result<Vec<u8>, ExecError> {
        let Known { by_id, at, cells, kinds, sizes, counts, without, kept, first, .. } = &self.known;
        let head = Head {
            moment: self.moment,
            meaning,
            cells: cells.clone(),
            kinds: kinds.clone(),
            sizes: sizes.clone(),
            counts: counts.clone(),
            without: *without,
            kept: *kept,
            first: *first,
            programs: self.programs.clone(),
        };
        let bytes = postcard::to_allocvec(&head);
        let mut bytes = bytes.map_err(|e| ExecError::Failed(format!("members cannot be kept: {e}")))?;
        let known = |number: i32, unknown: i32| (number != unknown).then_some(i64::from(number));
        number_bytes::put(&mut bytes, by_id.iter().map(|m| known(m.since, NEVER)));
        number_bytes::put(&mut bytes, by_id.iter().map(|m| known(m.last, NOBODY)));
        number_bytes::put(&mut bytes, by_id.iter().map(|m| (m.kind != NO_CELL).then_some(i64::from(m.kind))));
        if !at.is_empty() {
            number_bytes::put(&mut bytes, at.iter().zip(by_id).map(|(at, m)| (m.last != NOBODY).then_some(*at)));
        }
        Ok(bytes)
    }
}

/// The members of bytes, with room for some ids and of some kinds, and their moments where these are kept; none: they are
/// other bytes.
fn members(mut bytes: &[u8], ids: usize, kinds: usize, moments: bool) -> Option<(Vec<Member>, Vec<i64>)> {
    let number = |unknown: i32| move |number: Option<i64>| number.map_or(Some(unknown), |n| i32::try_from(n).ok());
    let since = number_bytes::take(&mut bytes, number(NEVER))?;
    let last = number_bytes::take(&mut bytes, number(NOBODY))?;
    let kind = |kind: Option<i64>| match kind {
        Some(kind) => u32::try_from(kind).ok().filter(|&kind| (kind as usize) < kinds),
        None => Some(NO_CELL),
    };
    let kind = number_bytes::take(&mut bytes, kind)?;
    let mut at = match moments {
        true => number_bytes::take(&mut bytes, |at| at.unwrap_or(0))?,
        false => Vec::new(),
    };
    if moments && at.len() != since.len() {
        return None;
    }
    if since.len() > ids || last.len() != since.len() || kind.len() != since.len() || !bytes.is_empty() {
        return None;
    }
    let member = |((since, last), kind): ((Option<i32>, Option<i32>), Option<u32>)| {
        Some(Member { last: last?, since: since?, kind: kind? })
    };
    let mut by_id = since.into_iter().zip(last).zip(kind).map(member).collect::<Option<Vec<Member>>>()?;
    by_id.resize(ids, NONE);
    at.resize(if moments { ids } else { 0 }, 0);
    Some((by_id, at))
}
