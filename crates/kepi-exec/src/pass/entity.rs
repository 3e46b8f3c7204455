//! A pass over the entities of a kind: one row each at the end of every cell's window.

use super::existence::{self, Begins};
use super::lots::{self, Lot};
use super::plan::{Kept, Plan};
use super::shares::{self, Share};
use super::state::Cells;
use super::windows::{NO_BEGINNING, Window, windows};
use super::{Pass, Source};
use crate::ExecError;
use crate::rows::{BATCH, Column, Frame, Values};
use crate::side_by_side::side_by_side;
use crate::zeros::zeros;
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use kepi_model::core::Base;
use std::sync::Arc;

/// Fewer entities are dealt out over threads where they are looked at so often, all windows together.
const LOOKS_DEALT: u64 = 400_000;

/// Looks at all entities just before the end of each window.
pub(crate) fn run(pass: &Pass, source: &Source) -> Result<Cells, ExecError> {
    let Base::Entity(entity) = &pass.base else { return filled(pass, source)?.finish() };
    let count = source.scan.entity(entity).map_or(0, |e| e.count);
    let mut plan = Plan::new(pass, source)?;
    // Means over a time without a beginning begin with the first row of all.
    let begins_with_rows = plan.program.measures_time() && (pass.first_instant().is_none() || !pass.moved().is_empty());
    let apart = lots::add_up(pass) && !begins_with_rows;
    // Each thread reads all rows of the histories that are asked for, so looking at the entities has to take longer.
    let looks =
        || windows(pass, pass.first_instant(), plan.program.clock.zone()).map(|w| w.len() as u64 * u64::from(count));
    let dealt = apart && (count >= lots::DEALT_MIN || looks()? >= LOOKS_DEALT);
    let lots = Lot::deal(count, if dealt { source.threads } else { 1 });
    if lots.len() < 2 {
        return filled(pass, source)?.finish();
    }
    let begins = begins(pass, entity, count, source, &mut plan)?;
    let look = |lot: Lot| {
        let cells = filled_of(Plan::new(pass, source)?, pass, source, Arc::clone(&begins), lot)?.finish()?;
        Ok((lot, cells))
    };
    let mut all = Cells::default();
    for (lot, mut cells) in side_by_side(source.threads, lots, look)? {
        if !lot.is_first() {
            // All have read the same rows, and learned the same of them.
            cells.report.rows_scanned = 0;
            cells.report.learned.clear();
        }
        all.merge(cells)?;
    }
    all.report.rows_scanned += plan.report.rows_scanned;
    Ok(all)
}

/// Since when the entities of a pass exist, as far as it asks for that.
fn begins(pass: &Pass, entity: &str, count: u32, source: &Source, plan: &mut Plan) -> Result<Arc<Begins>, ExecError> {
    match &pass.exists {
        Some(existence) if pass.aggregates.iter().any(|a| a.existing) => {
            let (begins, scanned) = existence::begins(existence, entity, count, source, &pass.zone)?;
            plan.report.rows_scanned += scanned;
            Ok(begins)
        }
        _ => Ok(Arc::new(Begins::always(count))),
    }
}

/// A plan that has seen all entities at the end of each cell.
pub(crate) fn filled(pass: &Pass, source: &Source) -> Result<Plan, ExecError> {
    shares::read(&source.of_share(Share::default()), |source| filled_in_one_go(pass, source))
}

fn filled_in_one_go(pass: &Pass, source: &Source) -> Result<Plan, ExecError> {
    let mut plan = Plan::new(pass, source)?;
    let Base::Entity(entity) = &pass.base else {
        return Err(ExecError::Plan("a pass over entities has none".into()));
    };
    let count = source.scan.entity(entity).map_or(0, |e| e.count);
    let begins = begins(pass, entity, count, source, &mut plan)?;
    filled_of(plan, pass, source, begins, Lot::ALL)
}

/// A plan that has seen some of the entities.
fn filled_of(mut plan: Plan, pass: &Pass, source: &Source, begins: Arc<Begins>, lot: Lot) -> Result<Plan, ExecError> {
    let Base::Entity(entity) = &pass.base else {
        return Err(ExecError::Plan("a pass over entities has none".into()));
    };
    let count = source.scan.entity(entity).map_or(0, |e| e.count);
    plan.program.look_at(lot);
    let columns = plan.program.scanned();
    if !columns.is_empty() {
        return Err(ExecError::Plan(format!("{entity} is read like a stream: {}", columns.join(", "))));
    }
    let first_begin = begins.first();
    let first = first_begin.into_iter().chain(first_row(&mut plan)?).min();
    let windows = in_order(windows(pass, first, plan.program.clock.zone())?);
    let merged = match source.scan.entity(entity) {
        Some(_) => source.scan.merged(entity)?.map(|merged| merged.values().clone()),
        None => None,
    };
    let entities = Entities { name: Arc::from(entity.as_str()), count, begins, merged, lot };
    // What is asked of a window's beginning is followed from one to the next, so these come in order, too; and who may have
    // changed is only known up to the moment that is looked at.
    let in_order = !plan.program.needs_period || windows.is_sorted_by_key(|window| window.from);
    let ahead = windows.iter().any(|w| w.cell.1 > w.until) && plan.program.looks_at_cell();
    let kept = plan.kept(&pass.aggregates, count as usize).filter(|_| windows.len() > 1 && in_order && !ahead);
    let read = plan.report.rows_scanned;
    let follows = kept.is_some();
    let followed = kept.map_or(Ok(false), |kept| entities.follow_changes(&mut plan, kept, source, &windows))?;
    if !followed {
        if follows {
            plan = Plan::new(pass, source)?;
            plan.program.look_at(lot);
            plan.report.rows_scanned = read;
        }
        entities.look_at_all(&mut plan, source, &windows)?;
    }
    plan.report.first = first_begin.into_iter().chain(first_began(&mut plan)).min();
    plan.report.rows_scanned += u64::from(count);
    Ok(plan)
}

/// The entities of a kind.
struct Entities {
    name: Arc<str>,
    count: u32,
    begins: Arc<Begins>,
    /// By id the id that it means, where keys were merged.
    merged: Option<ScalarBuffer<u32>>,
    /// Which of them are looked at.
    lot: Lot,
}

impl Entities {
    /// Whether an id is that of somebody who is looked at: a merged key means another one.
    fn is_one(&self, id: u32) -> bool {
        self.lot.has(id as usize)
            && self.merged.as_ref().and_then(|merged| merged.get(id as usize)).is_none_or(|&meant| meant == id)
    }

    /// Runs a plan's program for some entities at the end of a window, and says who exists by then.
    fn evaluate(
        &self,
        plan: &mut Plan,
        ids: Vec<u32>,
        window: &Window,
        source: &Source,
    ) -> Result<(Frame, BooleanBuffer), ExecError> {
        source.check()?;
        let len = ids.len();
        let exists = BooleanBuffer::collect_bool(len, |row| self.begins.at[ids[row] as usize] < window.until);
        let frame = Frame {
            len,
            at: Some(vec![window.until; len].into()),
            back: 1,
            columns: Vec::new(),
            ids: Some(Column::new(Values::Id(ids.into(), Arc::clone(&self.name)), None)),
            cell_starts: plan.program.needs_period.then(|| vec![window.cell.0; len]),
            cell_end: Some(window.cell.1),
            window: 0..len,
        };
        plan.program.evaluate(&frame)?;
        Ok((frame, exists))
    }

    /// Looks at every entity at the end of each window.
    fn look_at_all(&self, plan: &mut Plan, source: &Source, windows: &[Window]) -> Result<(), ExecError> {
        for window in windows {
            for start in (0..self.count).step_by(BATCH) {
                let ids = start..self.count.min(start.saturating_add(BATCH as u32));
                let ids = ids.filter(|&id| self.is_one(id)).collect();
                let (frame, exists) = self.evaluate(plan, ids, window, source)?;
                plan.accumulate(&frame, &[(0..frame.len, window.period)], Some(&exists))?;
            }
        }
        Ok(())
    }

    /// Looks at every entity at the end of the first window, and then only at those for whom something may have changed.
    /// Whether that was possible.
    fn follow_changes(
        &self,
        plan: &mut Plan,
        mut kept: Kept,
        source: &Source,
        windows: &[Window],
    ) -> Result<bool, ExecError> {
        plan.program.follow(windows.windows(2).all(|pair| pair[0].until <= pair[1].from));
        let _taken = source.take(kept.bytes() + size_of::<u32>() * self.count as usize)?;
        let mut begin = self.begins.order.iter().copied().peekable();
        // By id: the last window in which it was looked at.
        let mut seen = zeros(self.count as usize);
        for (number, window) in (1_u32..).zip(windows) {
            let mut ids: Vec<u32> = Vec::new();
            let mut look = |id: u32| {
                if seen.get(id as usize).is_some_and(|&last| last != number) && self.is_one(id) {
                    seen[id as usize] = number;
                    ids.push(id);
                }
            };
            if number == 1 {
                (0..self.count).for_each(&mut look);
            }
            plan.program.changed(window.from, window.until, &mut look)?;
            while let Some(id) = begin.next_if(|&id| self.begins.at[id as usize] < window.until) {
                look(id);
            }
            for ids in ids.chunks(BATCH) {
                let (frame, exists) = self.evaluate(plan, ids.to_vec(), window, source)?;
                if !plan.replace(&mut kept, &frame, &exists)? {
                    return Ok(false);
                }
            }
            plan.emit_kept(&kept, window.period)?;
        }
        Ok(true)
    }
}

/// Windows in the order of their ends, without those that end before there is anything: histories and states are read
/// forward. Moves by months and changes of clocks can put one before the window of an earlier cell.
fn in_order(mut windows: Vec<Window>) -> Vec<Window> {
    windows.retain(|w| w.until > NO_BEGINNING);
    windows.sort_by_key(|w| (w.until, w.from));
    windows
}

/// The moment of the first row that may begin a state.
fn first_row(plan: &mut Plan) -> Result<Option<i64>, ExecError> {
    let mut first: Option<i64> = None;
    for state in plan.program.states() {
        first = first.into_iter().chain(state.first_row()?).min();
    }
    Ok(first)
}

/// The moment of the first row that began a state.
fn first_began(plan: &mut Plan) -> Option<i64> {
    plan.program.states().filter_map(|state| state.first()).min()
}
