//! Changes of what is known of an entity: a row at each moment at which one of several states, an attribute, or what has
//! happened so far may become another.
//!
//! Each state is walked through for itself, in the order of time; what comes of that is merged, moment by moment, with what
//! each state was last in arrays by id.

use super::read::{Picked, read};
use super::{Maker, Rows};
use crate::ExecError;
use crate::pass::{Standing, Timeline};
use crate::rows::{Column, Payload, Type, Values};
use crate::side_by_side::side_by_side;
use arrow_buffer::{BooleanBuffer, NullBuffer};
use kepi_extension::{AT, ColumnKind};
use kepi_model::core::{Changes, Keyed, State, VALUE_OF};
use std::sync::Arc;

/// The own columns of changes: the entity, and what each state is.
pub(super) fn own(changes: &Changes, maker: &Maker) -> Result<Vec<(String, Type)>, ExecError> {
    let mut own = vec![(changes.role.clone(), Type::Id(Arc::from(changes.entity.as_str())))];
    for (index, state) in changes.states.iter().enumerate() {
        let timeline = Timeline::new(state, maker.source, maker.zone, maker.now, false)?;
        own.push((format!("{VALUE_OF}{index}"), timeline.ty().clone()));
    }
    Ok(own)
}

/// What one thing becomes, in the order of time.
#[derive(Default)]
struct Line {
    at: Vec<i64>,
    ids: Vec<u32>,
    /// The number of its value; empty of an attribute and of what happens.
    values: Vec<Option<i64>>,
    /// How far it has been merged.
    next: usize,
    /// What it is for each entity, as far as it has been merged.
    current: Vec<Option<i64>>,
}

/// A state that has been walked through.
struct Walked {
    line: Line,
    payload: Payload,
    without: Vec<i64>,
    scanned: u64,
}

/// Rows in the making: per state what it is.
struct Merged {
    at: Vec<i64>,
    ids: Vec<u32>,
    values: Vec<Vec<i64>>,
    held: Vec<Vec<bool>>,
}

/// Makes one row for each moment and entity of which something may change at it.
pub(super) fn make(maker: &Maker, changes: &Changes) -> Result<Rows, ExecError> {
    let states: Vec<&State> = changes.states.iter().collect();
    let walked = side_by_side(maker.source.threads, states, |state| walk(maker, state))?;
    let mut without: Vec<i64> = Vec::new();
    for (index, walked) in walked.iter().enumerate() {
        let from = |state: &State| (state.from.clone(), state.key.clone());
        // Several states of one event lack the same rows.
        let known = changes.states[..index].iter().any(|other| from(other) == from(&changes.states[index]));
        if !known {
            without.extend(&walked.without);
        }
    }
    without.sort_unstable();
    let scanned = walked.iter().map(|walked| walked.scanned).sum();
    let (mut lines, mut payloads) = (Vec::new(), Vec::new());
    for Walked { line, payload, .. } in walked {
        lines.push(line);
        payloads.push(payload);
    }
    for field in &changes.attributes {
        lines.push(past(maker, &changes.entity, field)?);
    }
    let mut scanned: u64 = scanned;
    for keyed in &changes.rows {
        let (line, read) = happened(maker, keyed)?;
        lines.push(line);
        scanned += read;
    }
    let count = maker.source.scan.entity(&changes.entity).map_or(0, |entity| entity.count as usize);
    let Merged { at, ids, values, held } = merge(maker, lines, payloads.len(), count)?;
    let mut own = vec![Column::new(Values::Id(ids.into(), Arc::from(changes.entity.as_str())), None)];
    for ((payload, values), held) in payloads.iter_mut().zip(values).zip(held) {
        own.push(payload.decode(values, Some(NullBuffer::new(BooleanBuffer::from(held)))));
    }
    Ok(Rows { at: at.into(), own, parents: Vec::new(), known: Vec::new(), without, scanned })
}

/// What a state becomes for each entity, wherever it becomes another.
fn walk(maker: &Maker, state: &State) -> Result<Walked, ExecError> {
    let mut timeline = Timeline::new(state, maker.source, maker.zone, maker.now, false)?;
    let mut line = Line { current: vec![None; timeline.standing.ids()], ..Line::default() };
    let each = |line: &mut Line, standing: &Standing, at: i64, id: u32, _: u32| {
        let value = standing.value(id as usize, at);
        if line.current[id as usize] != value {
            line.current[id as usize] = value;
            line.at.push(at);
            line.ids.push(id);
            line.values.push(value);
        }
    };
    let without = timeline.walk(&mut line, each, |_| {})?;
    maker.fits(28 * line.at.len() as u64)?;
    line.current.fill(None);
    let scanned = timeline.rows_scanned();
    Ok(Walked { line, payload: timeline.payload, without, scanned })
}

/// When an attribute with a history changes. What holds from the beginning of time is no change.
fn past(maker: &Maker, entity: &str, field: &str) -> Result<Line, ExecError> {
    let mut line = Line::default();
    let scan = &maker.source.scan;
    if scan.entity(entity).is_none_or(|info| info.attributes.iter().all(|own| own.name != field)) {
        return Ok(line);
    }
    let past = scan.attribute_history(entity, field)?;
    let column = |name: &str, kind: &ColumnKind| {
        let lacking = || ExecError::Plan(format!("the past of `{field}` has no {name}"));
        Column::of_scan(past.column_by_name(name).ok_or_else(lacking)?, kind, None)
    };
    let ids = column("id", &ColumnKind::Id { entity: entity.to_string() })?;
    let at = column(AT, &ColumnKind::Time)?;
    if let (Values::Id(ids, _), Values::Time(at)) = (&ids.values, &at.values) {
        for (id, at) in ids.iter().zip(at.iter()).filter(|(_, at)| **at != i64::MIN) {
            line.at.push(*at);
            line.ids.push(*id);
        }
    }
    Ok(line)
}

/// When something happens; and how many stored rows were read.
fn happened(maker: &Maker, keyed: &Keyed) -> Result<(Line, u64), ExecError> {
    let mut program = maker.program(&keyed.events.base)?;
    let picked = Picked::new(&mut program, &keyed.events, &keyed.key)?;
    let mut line = Line::default();
    let scanned = read(&mut program, |program, frame, _| {
        let Some(at) = &frame.at else { return Ok(()) };
        picked.each(program, frame, &mut Vec::new(), |row, id| {
            line.at.push(at[row]);
            line.ids.push(id);
        })?;
        maker.fits(12 * line.at.len() as u64)
    })?;
    Ok((line, scanned))
}

/// Merges lines, of which the first `states` have values, for `count` entities.
fn merge(maker: &Maker, mut lines: Vec<Line>, states: usize, count: usize) -> Result<Merged, ExecError> {
    let most = lines.iter().map(|line| line.at.len()).sum::<usize>();
    maker.fits((12 + 9 * states as u64) * most as u64)?;
    let mut merged = Merged {
        at: Vec::with_capacity(most),
        ids: Vec::with_capacity(most),
        values: vec![Vec::with_capacity(most); states],
        held: vec![Vec::with_capacity(most); states],
    };
    for line in &mut lines[..states] {
        line.current.resize(count.max(line.current.len()), None);
    }
    let mut touched: Vec<u32> = Vec::new();
    while let Some(moment) = lines.iter().filter_map(|line| line.at.get(line.next)).min().copied() {
        for line in &mut lines {
            while line.at.get(line.next) == Some(&moment) {
                let id = line.ids[line.next];
                if let (Some(value), Some(current)) = (line.values.get(line.next), line.current.get_mut(id as usize)) {
                    *current = *value;
                }
                touched.push(id);
                line.next += 1;
            }
        }
        touched.sort_unstable();
        touched.dedup();
        for id in touched.drain(..) {
            merged.at.push(moment);
            merged.ids.push(id);
            for (state, line) in lines[..states].iter().enumerate() {
                let value = line.current.get(id as usize).copied().flatten();
                merged.values[state].push(value.unwrap_or(0));
                merged.held[state].push(value.is_some());
            }
        }
        if merged.at.len().is_multiple_of(1 << 16) {
            maker.source.check()?;
        }
    }
    Ok(merged)
}
