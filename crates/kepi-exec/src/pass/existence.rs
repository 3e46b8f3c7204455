//! Since when entities exist: worked out once for a snapshot that stays open.

use super::Source;
use crate::ExecError;
use crate::rows::{Clock, Column, Values};
use crate::side_by_side::side_by_side;
use kepi_extension::{ColumnKind, ScanRequest};
use kepi_model::calendar::Zone;
use kepi_model::core::Existence;
use std::sync::{Arc, Mutex, PoisonError};

/// Since when each entity of a kind exists.
#[derive(Debug)]
pub(crate) struct Begins {
    /// By id; `i64::MIN`: always.
    pub(crate) at: Vec<i64>,
    /// Those that begin at some moment, in the order in which they do.
    pub(crate) order: Vec<u32>,
}

impl Begins {
    /// All exist always.
    pub(crate) fn always(count: u32) -> Begins {
        Begins { at: vec![i64::MIN; count as usize], order: Vec::new() }
    }

    fn of(at: Vec<i64>) -> Begins {
        let mut order: Vec<u32> = (0..at.len() as u32).filter(|&id| at[id as usize] > i64::MIN).collect();
        order.sort_by_key(|&id| at[id as usize]);
        Begins { at, order }
    }

    /// When the first of them begins.
    pub(crate) fn first(&self) -> Option<i64> {
        self.order.first().map(|&id| self.at[id as usize])
    }
}

/// What stays as long as a snapshot is open.
#[derive(Default)]
struct Kept(Mutex<Option<Arc<Begins>>>);

/// Nobody has seen it yet.
const UNKNOWN: i64 = i64::MAX;

/// Since when each entity exists: its attribute, else its first event or an interval before that, else always. And how
/// many rows were read.
pub(super) fn begins(
    existence: &Existence,
    entity: &str,
    count: u32,
    source: &Source,
    zone: &str,
) -> Result<(Arc<Begins>, u64), ExecError> {
    let name = format!("since when {count} exist in {zone}: {existence:?}");
    let kept = source.scan.derived().map_or_else(Arc::<Kept>::default, |kept| kept.shared(&name));
    // Parts of a query ask at the same time: one of them reads, on all threads, and the others wait for it.
    let mut kept = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = &*kept {
        return Ok((Arc::clone(known), 0));
    }
    let mut begins = vec![UNKNOWN; count as usize];
    let mut scanned = 0;
    for (stream, role) in &existence.streams {
        scanned += first_rows(stream, role, entity, source, &mut begins)?;
    }
    let mut intervals = vec![UNKNOWN; count as usize];
    for (state, role) in &existence.intervals {
        scanned += first_rows(state, role, entity, source, &mut intervals)?;
    }
    for (begin, interval) in begins.iter_mut().zip(intervals) {
        *begin = if *begin == UNKNOWN { i64::MIN } else { interval.min(*begin) };
    }
    attributes(existence, entity, source, zone, &mut begins)?;
    let begins = Arc::new(Begins::of(begins));
    *kept = Some(Arc::clone(&begins));
    Ok((begins, scanned))
}

/// Notes the moment of each entity's first row in a stream; gives how many rows were read.
fn first_rows(stream: &str, role: &str, entity: &str, source: &Source, begins: &mut [i64]) -> Result<u64, ExecError> {
    let Some(info) = source.scan.stream(stream).filter(|i| i.dated) else { return Ok(0) };
    let Some(column) = info.column(role) else { return Ok(0) };
    if !matches!(&column.kind, ColumnKind::Id { entity: of } if of == entity) {
        return Err(ExecError::Plan(format!("{role} of {stream} is no {entity}")));
    }
    let cuts = match info.rows {
        0..ROWS_MIN => Vec::new(),
        _ => source.scan.splits(stream, None, None, source.threads),
    };
    let starts = std::iter::once(None).chain(cuts.iter().copied().map(Some));
    let parts: Vec<(Option<i64>, Option<i64>)> = starts.zip(cuts.iter().copied().map(Some).chain([None])).collect();
    let read = |(from, until): (Option<i64>, Option<i64>)| -> Result<(Vec<i64>, u64), ExecError> {
        let request = ScanRequest { stream: stream.into(), columns: vec![role.into()], from, until };
        let (mut own, mut rows) = (vec![UNKNOWN; begins.len()], 0);
        // Rows come in the order of time, and most are of somebody who was seen: a bit each stays near the processor.
        let mut seen = vec![0_u64; begins.len().div_ceil(64)];
        for batch in source.scan.scan(&request)? {
            source.check()?;
            let batch = batch?;
            rows += batch.num_rows() as u64;
            let (Some(at), Some(ids)) = (batch.columns().first(), batch.columns().get(1)) else {
                return Err(ExecError::Plan("a scan gave other columns than it was asked for".into()));
            };
            let at = Column::of_scan(at, &ColumnKind::Time, None)?;
            let ids = Column::of_scan(ids, &column.kind, None)?;
            let (Values::Time(times), Values::Id(numbers, _)) = (&at.values, &ids.values) else { continue };
            let mut note = |row: usize| {
                let id = numbers[row] as usize;
                let (Some(seen), bit) = (seen.get_mut(id / 64), 1 << (id % 64)) else { return };
                if *seen & bit == 0
                    && let Some(begin) = own.get_mut(id)
                {
                    *seen |= bit;
                    *begin = times[row];
                }
            };
            match &ids.valid {
                None => (0..times.len()).for_each(&mut note),
                Some(valid) => valid.valid_indices().for_each(&mut note),
            }
        }
        Ok((own, rows))
    };
    let mut all = 0;
    for (own, rows) in side_by_side(source.threads, parts, read)? {
        begins.iter_mut().zip(own).for_each(|(begin, own)| *begin = own.min(*begin));
        all += rows;
    }
    Ok(all)
}

/// Fewer rows than this are not worth a thread of their own.
const ROWS_MIN: u64 = if cfg!(any(test, debug_assertions)) { 4 } else { 50_000 };

/// Puts in what an attribute says, where it is known.
fn attributes(
    existence: &Existence,
    entity: &str,
    source: &Source,
    zone: &str,
    begins: &mut [i64],
) -> Result<(), ExecError> {
    let Some(field) = &existence.from else { return Ok(()) };
    let known = source.scan.entity(entity).is_some_and(|e| e.attributes.iter().any(|a| a.name == *field));
    if !known {
        return Ok(());
    }
    let attribute = source.attribute(entity, field)?;
    let zone = Zone::named(zone).ok_or_else(|| ExecError::Plan(format!("there is no time zone `{zone}`")))?;
    let mut clock = Clock::new(zone);
    let from = Column::of_scan(&attribute.values, &attribute.kind, attribute.dictionary.as_ref())?;
    for (id, begin) in begins.iter_mut().enumerate().take(from.len()) {
        if !from.is_known(id) {
            continue;
        }
        *begin = match &from.values {
            Values::Time(times) => times[id],
            Values::Date(days) => clock.start_of_day(i64::from(days[id])),
            other => return Err(ExecError::Plan(format!("{entity} exists from {}", other.words()))),
        };
    }
    Ok(())
}
