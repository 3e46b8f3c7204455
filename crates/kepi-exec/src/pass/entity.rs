//! A pass over the entities of a kind: one row each at the end of every cell's window.

use super::plan::Plan;
use super::state::Cells;
use super::windows::{NO_BEGINNING, Window, windows};
use super::{Pass, Source};
use crate::ExecError;
use crate::rows::{BATCH, Column, Frame, Values};
use arrow_buffer::BooleanBuffer;
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
    let batches = batches(count, entity);
    for window in windows {
        for (start, ids) in &batches {
            source.check()?;
            let len = ids.len();
            let frame = Frame {
                len,
                at: Some(vec![window.until; len].into()),
                back: 1,
                columns: Vec::new(),
                ids: Some(ids.clone()),
                cell_starts: plan.program.needs_period.then(|| vec![window.from; len]),
                window: 0..len,
            };
            plan.program.evaluate(&frame)?;
            let begins = &begins[*start..start + len];
            let exists = BooleanBuffer::collect_bool(len, |row| begins[row] < window.until);
            plan.accumulate(&frame, &[(0..len, window.period)], Some(&exists))?;
        }
    }
    plan.report.first = first_begin.into_iter().chain(first_began(&mut plan)).min();
    plan.report.rows_scanned += u64::from(count);
    Ok(plan)
}

/// Windows in the order of their ends, without those that end before there is anything: histories and states are read
/// forward. Moves by months and changes of clocks can put one before the window of an earlier cell.
fn in_order(mut windows: Vec<Window>) -> Vec<Window> {
    windows.retain(|w| w.until > NO_BEGINNING);
    windows.sort_by_key(|w| (w.until, w.from));
    windows
}

/// All ids, some at a time: the first of them, and they.
fn batches(count: u32, entity: &str) -> Vec<(usize, Column)> {
    let name: Arc<str> = Arc::from(entity);
    let batch = |start: u32| {
        let end = count.min(start.saturating_add(BATCH as u32));
        (start as usize, Column::new(Values::Id((start..end).collect(), Arc::clone(&name)), None))
    };
    (0..count).step_by(BATCH).map(batch).collect()
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
