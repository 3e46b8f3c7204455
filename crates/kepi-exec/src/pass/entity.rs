//! A pass over the entities of a kind: one row each at the end of every cell's window.

use super::plan::{Kept, Plan};
use super::state::Cells;
use super::windows::{NO_BEGINNING, Window, windows};
use super::{Pass, Source};
use crate::ExecError;
use crate::rows::{BATCH, Column, Frame, Values};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use kepi_extension::{ColumnKind, ScanRequest};
use kepi_model::core::{Base, Existence};
use std::sync::Arc;

/// Looks at all entities just before the end of each window.
pub(crate) fn run(pass: &Pass, source: &Source) -> Result<Cells, ExecError> {
    filled(pass, source)?.finish()
}

/// A plan that has seen all entities at the end of each cell.
pub(crate) fn filled(pass: &Pass, source: &Source) -> Result<Plan, ExecError> {
    let mut plan = Plan::new(pass, source)?;
    let Base::Entity(entity) = &pass.base else {
        return Err(ExecError::Plan("a pass over entities has none".into()));
    };
    let count = source.scan.entity(entity).map_or(0, |e| e.count);
    let asks = pass.aggregates.iter().any(|a| a.existing);
    let begins = match &pass.exists {
        Some(existence) if asks => begins(existence, entity, count, source, &mut plan)?,
        _ => vec![i64::MIN; count as usize],
    };
    let columns = plan.program.scanned();
    if !columns.is_empty() {
        return Err(ExecError::Plan(format!("{entity} is read like a stream: {}", columns.join(", "))));
    }
    let first_begin = begins.iter().copied().filter(|&t| t > i64::MIN).min();
    let first = first_begin.into_iter().chain(first_row(&mut plan)?).min();
    let windows = in_order(windows(pass, first, plan.program.clock.zone())?);
    let merged = match source.scan.entity(entity) {
        Some(_) => source.scan.merged(entity)?.map(|merged| merged.values().clone()),
        None => None,
    };
    let entities = Entities { name: Arc::from(entity.as_str()), count, begins, merged };
    let kept = plan.kept(&pass.aggregates, count as usize).filter(|_| windows.len() > 1);
    let read = plan.report.rows_scanned;
    let follows = kept.is_some();
    let followed = kept.map_or(Ok(false), |kept| entities.follow_changes(&mut plan, kept, source, &windows))?;
    if !followed {
        if follows {
            plan = Plan::new(pass, source)?;
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
    /// Since when each exists.
    begins: Vec<i64>,
    /// By id the id that it means, where keys were merged.
    merged: Option<ScalarBuffer<u32>>,
}

impl Entities {
    /// Whether an id is that of somebody: a merged key means another one.
    fn is_one(&self, id: u32) -> bool {
        self.merged.as_ref().and_then(|merged| merged.get(id as usize)).is_none_or(|&meant| meant == id)
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
        let exists = BooleanBuffer::collect_bool(len, |row| self.begins[ids[row] as usize] < window.until);
        let frame = Frame {
            len,
            at: Some(vec![window.until; len].into()),
            back: 1,
            columns: Vec::new(),
            ids: Some(Column::new(Values::Id(ids.into(), Arc::clone(&self.name)), None)),
            cell_starts: plan.program.needs_period.then(|| vec![window.from; len]),
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
        plan.program.states().for_each(|state| state.watch());
        let mut begin: Vec<u32> = (0..self.count).filter(|&id| self.begins[id as usize] > i64::MIN).collect();
        begin.sort_by_key(|&id| self.begins[id as usize]);
        let mut begin = begin.into_iter().peekable();
        // By id: the last window in which it was looked at.
        let mut seen = vec![0; self.count as usize];
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
            for state in plan.program.states() {
                state.changed(window.until.saturating_sub(1), &mut look)?;
            }
            while let Some(id) = begin.next_if(|&id| self.begins[id as usize] < window.until) {
                look(id);
            }
            for ids in ids.chunks(BATCH) {
                let (frame, exists) = self.evaluate(plan, ids.to_vec(), window, source)?;
                if !plan.replace(&mut kept, &frame, &exists)? {
                    return Ok(false);
                }
            }
            plan.emit_kept(&kept, window.period);
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

/// Since when each entity exists: its attribute, else its first event, else always.
fn begins(
    existence: &Existence,
    entity: &str,
    count: u32,
    source: &Source,
    plan: &mut Plan,
) -> Result<Vec<i64>, ExecError> {
    const UNKNOWN: i64 = i64::MAX;
    let mut begins = vec![UNKNOWN; count as usize];
    for (stream, role) in &existence.streams {
        let Some(info) = source.scan.stream(stream).filter(|i| i.dated) else { continue };
        let Some(column) = info.column(role) else { continue };
        if !matches!(&column.kind, ColumnKind::Id { entity: of } if of == entity) {
            return Err(ExecError::Plan(format!("{role} of {stream} is no {entity}")));
        }
        let request = ScanRequest { stream: stream.clone(), columns: vec![role.clone()], from: None, until: None };
        for batch in source.scan.scan(&request)? {
            source.check()?;
            let batch = batch?;
            plan.report.rows_scanned += batch.num_rows() as u64;
            let (Some(at), Some(ids)) = (batch.columns().first(), batch.columns().get(1)) else {
                return Err(ExecError::Plan("a scan gave other columns than it was asked for".into()));
            };
            let at = Column::of_scan(at, &ColumnKind::Time, None)?;
            let ids = Column::of_scan(ids, &column.kind, None)?;
            if let (Values::Time(times), Values::Id(numbers, _)) = (&at.values, &ids.values) {
                for row in (0..times.len()).filter(|&row| ids.is_known(row)) {
                    if let Some(begin) = begins.get_mut(numbers[row] as usize) {
                        *begin = (*begin).min(times[row]);
                    }
                }
            }
        }
    }
    begins.iter_mut().filter(|b| **b == UNKNOWN).for_each(|b| *b = i64::MIN);
    let Some(field) = &existence.from else { return Ok(begins) };
    let known = source.scan.entity(entity).is_some_and(|e| e.attributes.iter().any(|a| a.name == *field));
    if !known {
        return Ok(begins);
    }
    let attribute = source.scan.attribute(entity, field)?;
    let from = Column::of_scan(&attribute.values, &attribute.kind, attribute.dictionary.as_ref())?;
    for (id, begin) in begins.iter_mut().enumerate().take(from.len()) {
        if !from.is_known(id) {
            continue;
        }
        *begin = match &from.values {
            Values::Time(times) => times[id],
            Values::Date(days) => plan.program.clock.start_of_day(i64::from(days[id])),
            other => return Err(ExecError::Plan(format!("{entity} exists from {}", other.words()))),
        };
    }
    Ok(begins)
}
