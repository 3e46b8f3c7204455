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
use super::table::Table;
use super::{Part, Pass, Source, in_turns, units};
use crate::ExecError;
use crate::made::{Settling, largest_below};
use crate::rows::{Base, Carried, Met, Program, Type, put};
use kepi_extension::StreamInfo;
use kepi_model::core::{self, Made, Measure};
use serde::{Deserialize, Serialize};
use std::time::Instant;
use xxhash_rust::xxh3::Xxh3Default;

/// A part of a name: the way in which this is kept. It changes with what it is made of.
const FORM: u32 = 4;

/// What stands in front of kept bytes; then come what was found, so many of them, and what the program keeps.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// All rows before this moment have gone by.
    moment: i64,
    meaning: u128,
    found: u64,
    /// The largest ids in columns of attempts.
    met: Met,
}

/// What all rows before a moment come to, and what the program keeps of them.
struct Done<F> {
    moment: i64,
    found: F,
    program: Vec<u8>,
    /// Of attempts.
    met: Met,
}

/// What rows come to; `types` are those of a pass's labels.
trait Found: Sized {
    /// What is kept, for its name.
    const NAME: &str;
    /// Whether an entity is kept by its key where it is a label, else by its id.
    const KEYS: bool;
    /// Of a plan that has seen the rows.
    fn of(plan: Plan, types: &[Type]) -> Result<Self, ExecError>;
    /// Of bytes; none: they are other ones.
    fn from_bytes(bytes: &[u8], types: &[Type]) -> Option<Self>;
    /// As bytes; none: it cannot be written.
    fn to_bytes(&self, types: &[Type]) -> Result<Option<Vec<u8>>, ExecError>;
    /// Adds what later rows come to.
    fn add(&mut self, later: Self, types: &[Type]) -> Result<(), ExecError>;
    /// Of all rows before an instant, read by several threads, with what the program keeps of them; none: in one go.
    fn in_turns(_: &Pass, _: &Source, _: &Plan, _: i64) -> Result<Option<(Self, Carried)>, ExecError> {
        Ok(None)
    }
}

impl Found for Cells {
    const NAME: &str = "onward";
    const KEYS: bool = true;

    fn of(plan: Plan, _: &[Type]) -> Result<Cells, ExecError> {
        plan.finish()
    }

    fn from_bytes(bytes: &[u8], _: &[Type]) -> Option<Cells> {
        Cells::from_bytes(bytes).ok()
    }

    fn to_bytes(&self, _: &[Type]) -> Result<Option<Vec<u8>>, ExecError> {
        self.to_bytes().map(Some)
    }

    fn add(&mut self, later: Cells, _: &[Type]) -> Result<(), ExecError> {
        self.merge(later)
    }

    fn in_turns(pass: &Pass, source: &Source, plan: &Plan, until: i64) -> Result<Option<(Cells, Carried)>, ExecError> {
        in_turns::up_to(pass, source, plan, until)
    }
}

impl Found for Table {
    const NAME: &str = "table";
    const KEYS: bool = false;

    fn of(plan: Plan, types: &[Type]) -> Result<Table, ExecError> {
        plan.into_table(types)
    }

    fn from_bytes(bytes: &[u8], types: &[Type]) -> Option<Table> {
        Table::from_bytes(bytes, types)
    }

    fn to_bytes(&self, types: &[Type]) -> Result<Option<Vec<u8>>, ExecError> {
        self.to_bytes(types)
    }

    fn add(&mut self, later: Table, types: &[Type]) -> Result<(), ExecError> {
        self.add(later, types)
    }
}

/// How a pass goes on.
struct Going {
    frontier: Frontier,
    /// The instant behind the last row that it reads.
    until: i64,
    /// Where its rows are attempts of a chain: when they are settled.
    attempts: Option<Settling>,
}

/// Whether a pass is read in one go, so that it can go on from a moment.
pub(super) fn is_wanted(pass: &Pass, plan: &Plan, source: &Source) -> Result<bool, ExecError> {
    Ok(source.partials.is_some() && going(pass, plan, source)?.is_some())
}

/// The cells of a pass of which something is kept, or is worth keeping; none: it is computed in other ways.
pub(super) fn run(pass: &Pass, source: &Source) -> Result<Option<Cells>, ExecError> {
    let Some((mut cells, from)) = go_on::<Cells>(pass, source)? else { return Ok(None) };
    cells.report.continued = from;
    cells.states.iter_mut().for_each(State::close);
    Ok(Some(cells))
}

/// Whether a pass gives columns that go on from a moment.
pub(super) fn is_table_wanted(pass: &Pass, source: &Source) -> Result<bool, ExecError> {
    Ok(is_of_attempts(pass) && is_wanted(pass, &Plan::with(pass, source, true)?, source)?)
}

fn is_of_attempts(pass: &Pass) -> bool {
    matches!(&pass.base, core::Base::Made(made) if matches!(**made, Made::Chain(_)))
}

/// The same as columns, of a pass over attempts of a chain.
pub(super) fn table(pass: &Pass, source: &Source) -> Result<Option<Table>, ExecError> {
    if !is_of_attempts(pass) || source.ranged.as_ref().is_some_and(|ranged| !ranged.is_all()) {
        return Ok(None);
    }
    let Some((mut table, from)) = go_on::<Table>(pass, source)? else { return Ok(None) };
    table.report.continued = from;
    table.close();
    Ok(Some(table))
}

/// What all rows come to, and from which moment it went on.
fn go_on<F: Found>(pass: &Pass, source: &Source) -> Result<Option<(F, Option<i64>)>, ExecError> {
    let Some(partials) = &source.partials else { return Ok(None) };
    let plan = Plan::with(pass, source, true)?;
    let Some(going) = going(pass, &plan, source)? else { return Ok(None) };
    let types = pass.labels.iter().enumerate().map(|(i, label)| plan.label_type(i, label));
    let types = types.collect::<Result<Vec<Type>, ExecError>>()?;
    let step = Step { pass, source, going: &going, types: &types };
    let names = going.frontier.names(going.until, |until| name(F::NAME, pass, until))?;
    let mut kept = None;
    for name in &names {
        if kept.is_none()
            && let Some(bytes) = partials.read(*name)
        {
            kept = step.kept::<F>(&bytes, &plan)?;
        }
    }
    let from = kept.as_ref().map(|done| done.moment);
    let moment = going.frontier.moment;
    let (plan, done) = match kept {
        Some(done) if done.moment >= moment || going.frontier.is_fresh(done.moment) => (plan, done),
        kept => {
            let begin = Instant::now();
            let Some(meaning) = step.meaning::<F>(&plan, moment, &Met::new())? else { return Ok(None) };
            let Some(done) = step.up_to(plan, kept, moment)? else { return Ok(None) };
            let plan = Plan::with(pass, source, true)?;
            if begin.elapsed() >= WORTH {
                let meaning =
                    if done.met.is_empty() { Some(meaning) } else { step.meaning::<F>(&plan, moment, &done.met)? };
                let bytes = meaning.map(|meaning| done.to_bytes(meaning, &types)).transpose()?.flatten();
                bytes.into_iter().for_each(|bytes| partials.write(names[0], &bytes, begin.elapsed()));
            }
            (plan, done)
        }
    };
    Ok(step.rest(plan, done)?.map(|found| (found, from)))
}

/// How a pass goes on from a moment: cells of rows before it and of those from it on make the cells of all, and the
/// program can go on. None: it does not, or most rows lie behind the moment.
fn going(pass: &Pass, plan: &Plan, source: &Source) -> Result<Option<Going>, ExecError> {
    let Some(info) = base(pass, plan, source) else { return Ok(None) };
    let distinct = pass.aggregates.iter().any(|a| matches!(a.measure, Measure::Unique(_)));
    let merges = |(i, measure): (usize, &Measure)| match (measure, &plan.reading) {
        (Measure::Plugin { .. }, _) | (_, Reading::Apart(_)) => false,
        (Measure::Unique(_), Reading::Pieces(_)) => plan.counts_can_be_joined(pass) && plan.can_keep_seen(),
        // As a set.
        (Measure::Unique(_), Reading::Plain) => {
            matches!(plan.argument(i), Some(Type::Id(_))) && units::has_room(pass, plan, source, &info)
        }
        _ => true,
    };
    let all = info.dated && info.rows >= ROWS_MIN && plan.only().is_none();
    if !all || !pass.aggregates.iter().map(|a| &a.measure).enumerate().all(merges) {
        return Ok(None);
    }
    let Some((_, until)) = time(pass, &plan.reading) else { return Ok(None) };
    if let Base::Stream(..) = &plan.program.base {
        // Other passes are read by segments.
        let looks_back =
            plan.program.sequential || distinct && (pass.per.is_none() || matches!(plan.reading, Reading::Pieces(_)));
        if !looks_back || !plan.program.can_go_on() {
            return Ok(None);
        }
        let frontier = Frontier::new(&info.name, info.rows, until, &[&plan.program], source);
        return Ok(frontier.map(|frontier| Going { frontier, until, attempts: None }));
    }
    let settling = if plan.program.stands_alone() { Settling::new(&plan.program, source)? } else { None };
    let Some(settling) = settling else { return Ok(None) };
    let frontier = settled(&settling, &info, until, source);
    Ok(frontier.map(|frontier| Going { frontier, until, attempts: Some(settling) }))
}

/// The stream whose rows a pass reads, or of those that its rows are made of the one with the most.
fn base(pass: &Pass, plan: &Plan, source: &Source) -> Option<StreamInfo> {
    match &plan.program.base {
        Base::Stream(_, info) => info.clone(),
        Base::Made(_) => largest_below(&pass.base, source),
        Base::Entity(_) | Base::Table(_) | Base::Groups(..) => None,
    }
}

/// Where attempts may be gone on from: they are made of rows behind the pass's end, too.
fn settled(settling: &Settling, info: &StreamInfo, until: i64, source: &Source) -> Option<Frontier> {
    let programs: Vec<&Program> = settling.programs.iter().collect();
    let frontier = Frontier::new(&info.name, info.rows, i64::MAX, &programs, source)?;
    let moment = settling.begun(frontier.moment)?.min(until);
    frontier.earlier(moment, source)
}

/// The name under which a pass is kept, whatever is stored.
fn name(what: &str, pass: &Pass, until: Option<i64>) -> Result<u128, ExecError> {
    let mut plain = pass.clone();
    plain.aggregates.iter_mut().for_each(|a| a.text.clear());
    (plain.from, plain.until, plain.now, plain.moment) = (pass.first_instant(), 0, 0, false);
    name_of(&(what, FORM, env!("CARGO_PKG_VERSION"), plain, until))
}

impl Going {
    /// The rows from an instant on and before another.
    fn rows(&self, source: &Source, from: Option<i64>, until: Option<i64>) -> Source {
        match &self.attempts {
            None => source.clone(),
            Some(attempts) => attempts.attempts(source, from, until),
        }
    }
}

impl<F: Found> Done<F> {
    /// None: it cannot be written.
    fn to_bytes(&self, meaning: u128, types: &[Type]) -> Result<Option<Vec<u8>>, ExecError> {
        let Some(found) = self.found.to_bytes(types)? else { return Ok(None) };
        let head = Head { moment: self.moment, meaning, found: found.len() as u64, met: self.met.clone() };
        let head = postcard::to_allocvec(&head);
        let head = head.map_err(|e| ExecError::Failed(format!("a pass cannot be kept: {e}")))?;
        Ok(Some([&head[..], &found, &self.program].concat()))
    }
}

/// Reading rows of a pass where others have gone by.
struct Step<'a> {
    pass: &'a Pass,
    source: &'a Source,
    going: &'a Going,
    types: &'a [Type],
}

impl Step<'_> {
    /// A number for all that is looked at of the rows before a moment; none: there is none.
    fn meaning<F: Found>(&self, plan: &Plan, moment: i64, met: &Met) -> Result<Option<u128>, ExecError> {
        let (pass, attempts) = (self.pass, &self.going.attempts);
        let mut hasher = Xxh3Default::new();
        if let Reading::Pieces(pieces) = &plan.reading {
            let bytes = postcard::to_allocvec(&pieces.begun(moment));
            put(&mut hasher, &bytes.map_err(|e| ExecError::Failed(format!("pieces have no name: {e}")))?);
        }
        let reach = attempts.as_ref().map_or(moment, |attempts| attempts.reach(moment));
        let before = &self.going.frontier.before(reach).having(met);
        for program in attempts.iter().flat_map(|attempts| &attempts.programs).chain([&plan.program]) {
            if !program.put_meaning(before, &mut hasher)? {
                return Ok(None);
            }
        }
        let told = before.put(&mut hasher)
            && plan.put_values_shown(pass, before, &mut hasher)?
            && (!F::KEYS || plan.put_labels_shown(before, &mut hasher)?);
        Ok(told.then(|| hasher.digest128()))
    }

    /// What is kept, where it holds.
    fn kept<F: Found>(&self, bytes: &[u8], plan: &Plan) -> Result<Option<Done<F>>, ExecError> {
        let Ok((head, rest)) = postcard::take_from_bytes::<Head>(bytes) else { return Ok(None) };
        let holds =
            head.moment <= self.going.until && self.meaning::<F>(plan, head.moment, &head.met)? == Some(head.meaning);
        let parts = usize::try_from(head.found).ok().and_then(|found| rest.split_at_checked(found));
        let Some((found, program)) = parts.filter(|_| holds) else { return Ok(None) };
        let done = |found: F| Done { moment: head.moment, found, program: program.to_vec(), met: head.met };
        Ok(F::from_bytes(found, self.types).map(done))
    }

    /// All rows before a moment, of which some are done; none: what is kept are other bytes, or cannot be written.
    fn up_to<F: Found>(&self, plan: Plan, done: Option<Done<F>>, moment: i64) -> Result<Option<Done<F>>, ExecError> {
        let from = done.as_ref().map(|done| done.moment);
        let source = &self.going.rows(self.source, from, Some(moment));
        let Some(mut plan) = self.ready(plan, source, done.as_ref())? else { return Ok(None) };
        plan.program.stop_at(moment);
        if from.is_none()
            && let Some((found, carried)) = F::in_turns(self.pass, source, &plan, moment)?
        {
            plan.program.carry(carried);
            let mut program = Vec::new();
            let written = plan.program.put_kept(moment, &mut program)?;
            return Ok(written.then_some(Done { moment, found, program, met: Met::new() }));
        }
        let part = Part { from, until: Some(moment), ..Part::default() };
        let mut plan = super::stream::fill_on(plan, self.pass, source, &part)?;
        let mut program = Vec::new();
        if !plan.program.put_kept(moment, &mut program)? {
            return Ok(None);
        }
        let mut met = plan.program.met(moment)?;
        let (before, earlier) = done.map(|done| (done.found, done.met)).unzip();
        for (column, id) in earlier.into_iter().flatten() {
            met.entry(column).and_modify(|own| *own = id.max(*own)).or_insert(id);
        }
        let found = self.and(before, F::of(plan, self.types)?)?;
        Ok(Some(Done { moment, found, program, met }))
    }

    /// What all rows come to, of which some are done; none: what is kept are other bytes.
    fn rest<F: Found>(&self, plan: Plan, done: Done<F>) -> Result<Option<F>, ExecError> {
        let source = &self.going.rows(self.source, Some(done.moment), None);
        let Some(plan) = self.ready(plan, source, Some(&done))? else { return Ok(None) };
        let part = Part { from: Some(done.moment), ..Part::default() };
        let plan = super::stream::fill_on(plan, self.pass, source, &part)?;
        self.and(Some(done.found), F::of(plan, self.types)?).map(Some)
    }

    /// The plan for rows behind those that are done; none: what is kept of these are other bytes.
    fn ready<F>(&self, plan: Plan, source: &Source, done: Option<&Done<F>>) -> Result<Option<Plan>, ExecError> {
        // Attempts of another time are other rows.
        let mut plan = if self.going.attempts.is_some() { Plan::with(self.pass, source, true)? } else { plan };
        let taken = done.is_none_or(|done| plan.program.take_kept(done.moment, &mut &done.program[..]).is_some());
        Ok(taken.then_some(plan))
    }

    /// What some rows come to, with what later ones do.
    fn and<F: Found>(&self, before: Option<F>, later: F) -> Result<F, ExecError> {
        let Some(mut all) = before else { return Ok(later) };
        all.add(later, self.types)?;
        Ok(all)
    }
}
