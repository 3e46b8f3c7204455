//! A pass over the events of a stream, in the order of time.

use super::lots::DEALT_MIN;
use super::pieces::Reading;
use super::plan::{Plan, Segment};
use super::shares::{self, Share};
use super::state::Cells;
use super::windows::{NO_BEGINNING, Window};
use super::{Lot, Part, Pass, Source};
use crate::ExecError;
use crate::made::largest_below;
use crate::rows::{Base, Frame};
use kepi_model::calendar::{Grain, Zone};
use kepi_model::core::Measure;
use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

/// Fewer rows than this are not worth a thread of their own.
const PART_ROWS_MIN: u64 = if cfg!(any(test, debug_assertions)) { 4 } else { 25_000 };

/// The same of a stretch that waits for what those before it have kept.
const TURN_ROWS_MIN: u64 = if cfg!(any(test, debug_assertions)) { 4 } else { 50_000 };

/// Cuts a pass into up to `threads` parts by time; none: it is read in one go.
pub(crate) fn parts(pass: &Pass, source: &Source, threads: usize) -> Result<Option<Vec<Part>>, ExecError> {
    if let Some(groups) = super::groups::of(&pass.base) {
        return super::groups::parts(groups, pass, source, threads);
    }
    if super::returned::takes(pass) || super::turnover::takes(pass) {
        return Ok(None);
    }
    let plan = Plan::new(pass, source)?;
    if let Some(units) = super::units::units(pass, &plan, source)? {
        return Ok(Some(units));
    }
    if super::onward::is_wanted(pass, &plan, source)? {
        return Ok(None);
    }
    if super::in_turns::takes(pass, &plan, source, threads) {
        return Ok(None);
    }
    let lots = lots(pass, &plan, threads);
    Ok(cut_in_time(pass, plan, source, threads)?.or(lots))
}

/// Deals the rows of a pass out by their entities, each to one of up to `threads` parts; none: they belong together, or
/// there are few.
pub(crate) fn lots(pass: &Pass, plan: &Plan, threads: usize) -> Option<Vec<Part>> {
    let Base::Stream(_, Some(info)) = &plan.program.base else { return None };
    let threads = threads.min((info.rows / PART_ROWS_MIN) as usize);
    if threads < 2 || plan.only().is_some() || !plan.program.is_dated() {
        return None;
    }
    let (column, ids) = plan.dealt_by(pass).filter(|(_, ids)| *ids >= DEALT_MIN)?;
    let lots = Lot::deal(ids, threads);
    let part = |lot: Lot| Part { lot: Some((column.clone(), lot)), ..Part::default() };
    (lots.len() > 1).then(|| lots.into_iter().map(part).collect())
}

/// The same, where no cell may be in two parts.
pub(crate) fn stretches(pass: &Pass, source: &Source, threads: usize) -> Result<Option<Vec<Part>>, ExecError> {
    cut_in_time(pass, Plan::new(pass, source)?, source, threads)
}

fn cut_in_time(pass: &Pass, plan: Plan, source: &Source, threads: usize) -> Result<Option<Vec<Part>>, ExecError> {
    // Made rows lie in time about as those that they are made of.
    let largest = match &plan.program.base {
        Base::Stream(_, info) => info.clone(),
        Base::Made(_) => largest_below(&pass.base, source),
        Base::Entity(_) | Base::Table(_) | Base::Groups(..) => None,
    };
    let Some(info) = largest else { return Ok(None) };
    let threads = threads.min((info.rows / PART_ROWS_MIN) as usize);
    if threads < 2 || !info.dated || !plan.can_be_split(pass, pass.per.is_some()) {
        return Ok(None);
    }
    let Some((from, until)) = time(pass, &plan.reading) else { return Ok(None) };
    let mut cuts = source.cuts(&info.name, (from, Some(until)), threads, plan.program.needs_past);
    let parts = match &plan.reading {
        Reading::Pieces(pieces) => {
            let distinct = pass.aggregates.iter().any(|a| matches!(a.measure, Measure::Unique(_)));
            let apart = distinct && !plan.counts_can_be_joined(pass);
            if !apart && !plan.can_keep_seen() {
                return Ok(None);
            }
            cuts.iter_mut().for_each(|t| *t = pieces.place_to_cut(*t, apart));
            between(cuts, from, until)
        }
        Reading::Plain | Reading::Apart(_) => cut(pass, plan.program.clock.zone(), cuts),
    };
    Ok((parts.len() > 1).then_some(parts))
}

/// Up to so many stretches to be read in turns, of all rows before an instant or of all that a pass reads; none: they are
/// few.
pub(super) fn stretches_in_turns(
    pass: &Pass,
    plan: &Plan,
    source: &Source,
    until: Option<i64>,
    count: usize,
) -> Option<Vec<Part>> {
    let Base::Stream(_, Some(info)) = &plan.program.base else { return None };
    let count = count.min((info.rows / TURN_ROWS_MIN) as usize);
    let (_, end) = time(pass, &plan.reading)?;
    let end = until.map_or(end, |until| until.min(end));
    if count < 2 {
        return None;
    }
    let mut cuts = source.cuts_in_turns(&info.name, end, count);
    match &plan.reading {
        // A piece may lie in two stretches.
        Reading::Pieces(_) => {}
        Reading::Plain => to_periods(pass, plan.program.clock.zone(), &mut cuts),
        Reading::Apart(_) => return None,
    }
    let mut parts = between(cuts, None, end);
    if let (Some(last), Some(until)) = (parts.last_mut(), until) {
        last.until = Some(until);
    }
    Some(parts)
}

/// The time that a pass reads; none: nothing.
pub(super) fn time(pass: &Pass, reading: &Reading) -> Option<(Option<i64>, i64)> {
    match reading {
        Reading::Pieces(pieces) => {
            pieces.time().map(|(from, until)| (Some(from).filter(|f| *f != NO_BEGINNING), until))
        }
        Reading::Plain | Reading::Apart(_) => Some((pass.first_instant(), pass.until)),
    }
}

/// Parts between cuts, which move to the starts of their periods, so that no cell is in two parts.
pub(crate) fn cut(pass: &Pass, zone: &Zone, mut cuts: Vec<i64>) -> Vec<Part> {
    to_periods(pass, zone, &mut cuts);
    between(cuts, pass.first_instant(), pass.until)
}

/// Moves cuts to the starts of their periods.
fn to_periods(pass: &Pass, zone: &Zone, cuts: &mut [i64]) {
    if let Some(grain) = &pass.per {
        cuts.iter_mut().for_each(|t| *t = zone.truncate(grain, *t));
    }
}

/// Parts between cuts.
pub(super) fn between(mut cuts: Vec<i64>, from: Option<i64>, until: i64) -> Vec<Part> {
    cuts.retain(|&t| t < until && from.is_none_or(|from| t > from));
    cuts.sort_unstable();
    cuts.dedup();
    let starts = [None].into_iter().chain(cuts.iter().copied().map(Some));
    let ends = cuts.iter().copied().map(Some).chain([None]);
    starts.zip(ends).map(|(from, until)| Part { from, until, ..Part::default() }).collect()
}

/// The periods of times that rise.
pub(crate) struct Periods {
    grain: Option<Grain>,
    current: Option<(i64, i64)>,
}

impl Periods {
    pub(crate) fn new(grain: Option<Grain>) -> Periods {
        Periods { grain, current: None }
    }

    /// Cuts rows where a period ends.
    pub(crate) fn cut(
        &mut self,
        at: Option<&[i64]>,
        rows: Range<usize>,
        zone: &Zone,
    ) -> Result<Vec<Segment>, ExecError> {
        let Some(grain) = &self.grain else { return Ok(vec![(rows, None)]) };
        let Some(at) = at else {
            return Err(ExecError::Plan("rows without a moment have no periods".into()));
        };
        let mut segments = Vec::new();
        let mut row = rows.start;
        while row < rows.end {
            let (start, end) = match self.current {
                Some((start, end)) if start <= at[row] && at[row] < end => (start, end),
                _ => {
                    let start = zone.truncate(grain, at[row]);
                    (start, zone.step(grain, start, 1).max(at[row].saturating_add(1)))
                }
            };
            self.current = Some((start, end));
            let next = row + at[row..rows.end].partition_point(|&t| t < end);
            segments.push((row..next, Some(start)));
            row = next;
        }
        Ok(segments)
    }
}

/// Reads the rows of a part.
pub(crate) fn run(pass: &Pass, source: &Source, part: &Part) -> Result<Cells, ExecError> {
    if part.segments.is_some() {
        return super::units::run(pass, source, part);
    }
    if *part == Part::default()
        && source.ranged.is_none()
        && let Some(cells) = super::onward::run(pass, source)?
    {
        return Ok(cells);
    }
    let source = &source.of_share(Share::default());
    let plan = Plan::new(pass, source)?;
    if let Reading::Apart(windows) = &plan.reading {
        return one_by_one(pass, windows, source);
    }
    if *part == Part::default()
        && let Some(cells) = super::in_turns::run(pass, source, &plan)?
    {
        return Ok(cells);
    }
    let first = Cell::new(Some(plan));
    let read = |source: &Source| {
        let plan = first.take().map_or_else(|| Plan::new(pass, source), Ok)?;
        fill(plan, pass, source, part, false)
    };
    let mut cells = shares::read(source, read)?.finish()?;
    cells.dealt = part.lot.is_some();
    if part.lot.as_ref().is_some_and(|(_, lot)| !lot.is_first()) {
        // All have read the same rows.
        cells.report.rows_scanned = 0;
    }
    Ok(cells)
}

/// Reads the rows of a unit.
pub(super) fn run_unit(pass: &Pass, source: &Source, part: &Part) -> Result<Cells, ExecError> {
    fill(Plan::with(pass, source, true)?, pass, source, part, false)?.finish()
}

/// The same plan when it has seen the rows of a part; what it keeps is of all rows before the part.
pub(super) fn fill_on(plan: Plan, pass: &Pass, source: &Source, part: &Part) -> Result<Plan, ExecError> {
    fill(plan, pass, source, part, true)
}

/// A plan that has seen the rows of a part, of a pass whose windows are those of its cells.
pub(crate) fn filled(pass: &Pass, source: &Source, part: &Part) -> Result<Plan, ExecError> {
    let source = source.of_share(Share::default());
    shares::read(&source, |source| fill(Plan::new(pass, source)?, pass, source, part, false))
}

/// `past`: what lies before the part has gone by.
fn fill(mut plan: Plan, pass: &Pass, source: &Source, part: &Part, past: bool) -> Result<Plan, ExecError> {
    if matches!(plan.program.base, Base::Stream(_, None)) {
        return Ok(plan);
    }
    if !plan.program.is_dated() && pass.per.is_some() {
        return Err(ExecError::Plan(format!("{} has no moments, so it has no periods", pass.base.words())));
    }
    let Some((from, until)) = time(pass, &plan.reading) else { return Ok(plan) };
    let from = match (from, part.from) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    let until = part.until.map_or(until, |u| u.min(until));
    let pieces = match &plan.reading {
        Reading::Pieces(pieces) => Some(Arc::clone(pieces)),
        Reading::Plain | Reading::Apart(_) => None,
    };
    // Derived events are made of all rows; only then the window is looked at.
    let scanned_from = match plan.program.needs_past {
        true if past => part.from,
        true => None,
        false => from,
    };
    let mut periods = Periods::new(pass.per.clone());
    let (only, segments) = (plan.only(), part.segments.as_deref());
    if part.from.is_some() || part.until.is_some() {
        plan.keep_seen();
    }
    let lot = match &part.lot {
        Some((column, lot)) => {
            let place = plan.program.look_at_rows(column, *lot);
            Some((place.ok_or_else(|| ExecError::Plan(format!("`{column}` is not read")))?, *lot))
        }
        None => None,
    };
    let mut frames = plan.program.frames_of(scanned_from, Some(until), only, segments)?;
    while let Some(mut frame) = frames.next(&plan.program)? {
        if let Some((column, lot)) = lot {
            frame = frame.of_lot(column, lot);
        }
        if let Some(at) = &frame.at {
            let start = from.map_or(0, |from| at.partition_point(|&t| t < from));
            frame.window = start..at.partition_point(|&t| t < until).max(start);
        }
        if plan.program.needs_period {
            frame.cell_starts = Some(match (&pieces, &frame.at) {
                (Some(pieces), Some(at)) => pieces.starts(at),
                _ => cell_starts(pass, &frame, &mut periods, plan.program.clock.zone())?,
            });
        }
        if frame.window.is_empty() {
            // Rows of derived events and histories that lie before the window.
            plan.program.evaluate_past(&frame)?;
            continue;
        }
        let frame = plan.evaluate(frame)?;
        if frame.len == 0 {
            continue;
        }
        let at = frame.at.as_ref().map(|at| &at[..]);
        let segments = match (&pieces, at) {
            (Some(pieces), Some(at)) => pieces.cut(at, frame.window.clone()),
            _ => periods.cut(at, frame.window.clone(), plan.program.clock.zone())?,
        };
        plan.accumulate(&frame, &segments, None)?;
    }
    plan.report.rows_scanned += frames.scanned();
    if let Base::Made(stream) = &plan.program.base {
        let inside = |t: &&i64| from.is_none_or(|from| **t >= from) && **t < until;
        let lacking = stream.rows(source)?.without.iter().filter(inside).count() as u64;
        plan.report.without_entity.iter_mut().for_each(|without| *without += lacking);
    }
    Ok(plan)
}

/// Reads the rows of each window for itself.
fn one_by_one(pass: &Pass, windows: &[Window], source: &Source) -> Result<Cells, ExecError> {
    let mut all = Cells::default();
    let mut without_entity: Vec<u64> = vec![0; pass.aggregates.len()];
    for window in windows {
        let mut alone = pass.clone();
        alone.aggregates.iter_mut().for_each(|a| a.moved.clear());
        (alone.per, alone.shift, alone.moment) = (None, None, false);
        (alone.from, alone.until) = (Some(window.from).filter(|from| *from != NO_BEGINNING), window.until);
        let mut cells = run(&alone, source, &Part::default())?;
        cells.keys.iter_mut().for_each(|key| key.period = window.period);
        for (most, without) in without_entity.iter_mut().zip(&cells.report.without_entity) {
            *most = (*most).max(*without);
        }
        all.append(cells);
    }
    all.report.without_entity = without_entity;
    Ok(all)
}

/// The first instant of each row's cell.
fn cell_starts(pass: &Pass, frame: &Frame, periods: &mut Periods, zone: &Zone) -> Result<Vec<i64>, ExecError> {
    let window_start = pass.first_instant().unwrap_or(i64::MIN);
    let segments = periods.cut(frame.at.as_ref().map(|at| &at[..]), 0..frame.len, zone)?;
    let mut starts = Vec::with_capacity(frame.len);
    for (range, period) in segments {
        let start = period.unwrap_or(window_start);
        // A period that the window cuts begins with the window.
        starts.extend(range.map(|row| if row < frame.window.start { start } else { start.max(window_start) }));
    }
    Ok(starts)
}
