//! A pass over the events of a stream, in the order of time.

use super::plan::{Plan, Segment};
use super::state::Cells;
use super::{Part, Pass, Source};
use crate::ExecError;
use crate::rows::{Base, Frame};
use kepi_model::calendar::{Grain, Zone};
use std::ops::Range;

/// Fewer rows than this are not worth a thread of their own.
const PART_ROWS_MIN: u64 = 100_000;

/// Cuts a pass into up to `threads` parts by time; none: it is read in one go.
pub(crate) fn parts(pass: &Pass, source: &Source, threads: usize) -> Result<Option<Vec<Part>>, ExecError> {
    if let Some(groups) = super::groups::of(&pass.base) {
        return super::groups::parts(groups, pass, source, threads);
    }
    let plan = Plan::new(pass, source)?;
    let Base::Stream(stream, Some(info)) = &plan.program.base else { return Ok(None) };
    let threads = threads.min((info.rows / PART_ROWS_MIN) as usize);
    if threads < 2 || !info.dated || !plan.can_be_split(pass, pass.per.is_some()) {
        return Ok(None);
    }
    let (from, until) = (pass.first_instant(), Some(pass.until));
    let cuts = source.scan.splits(stream, from, until, threads);
    let parts = cut(pass, plan.program.clock.zone(), cuts);
    Ok((parts.len() > 1).then_some(parts))
}

/// Parts between cuts, which move to the starts of their periods, so that no cell is in two parts.
pub(crate) fn cut(pass: &Pass, zone: &Zone, mut cuts: Vec<i64>) -> Vec<Part> {
    if let Some(grain) = &pass.per {
        cuts.iter_mut().for_each(|t| *t = zone.truncate(grain, *t));
    }
    cuts.retain(|&t| t < pass.until && pass.first_instant().is_none_or(|from| t > from));
    cuts.sort_unstable();
    cuts.dedup();
    let starts = [None].into_iter().chain(cuts.iter().copied().map(Some));
    let ends = cuts.iter().copied().map(Some).chain([None]);
    starts.zip(ends).map(|(from, until)| Part { from, until }).collect()
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
pub(crate) fn run(pass: &Pass, source: &Source, part: Part) -> Result<Cells, ExecError> {
    filled(pass, source, part)?.finish()
}

/// A plan that has seen the rows of a part.
pub(crate) fn filled(pass: &Pass, source: &Source, part: Part) -> Result<Plan, ExecError> {
    let mut plan = Plan::new(pass, source)?;
    if matches!(plan.program.base, Base::Stream(_, None)) {
        return Ok(plan);
    }
    if !plan.program.is_dated() && pass.per.is_some() {
        return Err(ExecError::Plan(format!("{} has no moments, so it has no periods", pass.base.words())));
    }
    let from = match (pass.first_instant(), part.from) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    let until = part.until.map_or(pass.until, |u| u.min(pass.until));
    // Derived events are made of all rows; only then the window is looked at.
    let scanned_from = if plan.program.needs_past { None } else { from };
    let mut periods = Periods::new(pass.per.clone());
    let mut frames = plan.program.frames(scanned_from, Some(until))?;
    while let Some(mut frame) = frames.next(&plan.program)? {
        if let Some(at) = &frame.at {
            let start = from.map_or(0, |from| at.partition_point(|&t| t < from));
            frame.window = start..at.partition_point(|&t| t < until).max(start);
        }
        if plan.program.needs_period {
            frame.cell_starts = Some(cell_starts(pass, &frame, &mut periods, plan.program.clock.zone())?);
        }
        plan.program.evaluate(&frame)?;
        let at = frame.at.as_ref().map(|at| &at[..]);
        let segments = periods.cut(at, frame.window.clone(), plan.program.clock.zone())?;
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
