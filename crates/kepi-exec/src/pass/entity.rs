//! A pass over the entities of a kind: one row each at every cell's end.

use super::plan::Plan;
use super::state::Cells;
use super::{Pass, Source};
use crate::ExecError;
use crate::rows::{BATCH, Clock, Column, Frame, Values};
use arrow_buffer::BooleanBuffer;
use kepi_extension::{ColumnKind, ScanRequest};
use kepi_model::core::{Base, Existence};
use std::sync::Arc;

/// A cell's time: the period, where it begins for `over period`, and its end.
struct Span {
    period: Option<i64>,
    start: i64,
    end: i64,
}

/// Looks at all entities at the end of each cell.
pub(crate) fn run(pass: &Pass, source: &Source) -> Result<Cells, ExecError> {
    let mut plan = Plan::new(pass, source)?;
    let Base::Entity(entity) = &pass.base else {
        return Err(ExecError::Plan("a pass over entities has none".into()));
    };
    let count = source.scan.entity(entity).map_or(0, |e| e.count);
    let begins = match &pass.exists {
        Some(existence) => begins(existence, entity, count, source, &mut plan)?,
        None => vec![i64::MIN; count as usize],
    };
    let first = begins.iter().copied().filter(|&t| t > i64::MIN).min();
    plan.report.first = first;
    let name: Arc<str> = Arc::from(entity.as_str());
    let columns = plan.program.scanned();
    if !columns.is_empty() {
        return Err(ExecError::Plan(format!("{entity} is read like a stream: {}", columns.join(", "))));
    }
    for span in spans(pass, &plan.program.clock, first) {
        for start in (0..count as usize).step_by(BATCH) {
            source.check()?;
            let end = (start + BATCH).min(count as usize);
            let len = end - start;
            let ids = Values::Id((start as u32..end as u32).collect(), Arc::clone(&name));
            let frame = Frame {
                len,
                at: Some(vec![span.end; len].into()),
                back: 1,
                columns: Vec::new(),
                ids: Some(Column::new(ids, None)),
                cell_starts: plan.program.needs_period.then(|| vec![span.start; len]),
                window: 0..len,
            };
            plan.program.evaluate(&frame)?;
            let exists = BooleanBuffer::collect_bool(len, |row| begins[start + row] < span.end);
            plan.accumulate(&frame, &[(0..len, span.period)], Some(&exists))?;
        }
    }
    plan.report.rows_scanned += u64::from(count);
    plan.finish()
}

/// The cells' times. Without a start they begin with the period of the first entity that began.
fn spans(pass: &Pass, clock: &Clock, first: Option<i64>) -> Vec<Span> {
    let from = pass.first_instant();
    let Some(grain) = &pass.per else {
        return vec![Span { period: None, start: from.unwrap_or(i64::MIN), end: pass.until }];
    };
    let zone = clock.zone();
    let mut period = zone.truncate(grain, from.or(first).unwrap_or(pass.until.saturating_sub(1)));
    let mut spans = Vec::new();
    while period < pass.until {
        let next = zone.step(grain, period, 1);
        if next <= period {
            break;
        }
        let start = from.map_or(period, |from| from.max(period));
        spans.push(Span { period: Some(period), start, end: next.min(pass.until) });
        period = next;
    }
    spans
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
