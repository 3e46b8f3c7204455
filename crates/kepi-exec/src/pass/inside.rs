//! How many entities are in a state at the end of each window, where nothing else is asked of them: counted from where
//! their stays begin and end, instead of looking at the entities.

use super::scalar::{CellKey, Labels};
use super::state::{Cells, Outcome, State};
use super::windows::windows;
use super::{Pass, Report, Source};
use crate::ExecError;
use kepi_model::calendar::Zone;
use kepi_model::core::{self, Base, Measure, RowNode, When};

/// The cells of a pass over entities; none: it asks for more than how many are in one state without values that only
/// ends by itself.
pub(super) fn count(pass: &Pass, source: &Source) -> Result<Option<Cells>, ExecError> {
    let (Base::Entity(entity), Some(state)) = (&pass.base, asked(pass)) else { return Ok(None) };
    let Some(info) = source.scan.entity(entity).filter(|_| state.entity == *entity) else { return Ok(None) };
    let (Some(zone), None) = (Zone::named(&pass.zone), source.scan.merged(entity)?) else { return Ok(None) };
    let Some(stays) = source.stays(state, &pass.zone, pass.now)? else { return Ok(None) };
    // Periods begin with the first row that may begin a stay, also where it begins none.
    let first = match &state.from.base {
        Base::Stream(name) => source.scan.stream(name).and_then(|info| info.first),
        _ => return Ok(None),
    };
    let mut windows = windows(pass, first, &zone)?;
    windows.retain(|window| window.until > i64::MIN);
    windows.sort_by_key(|window| (window.until, window.from));
    // What is asked of is the last moment of each window.
    let ends: Vec<i64> = windows.iter().map(|window| window.until.saturating_sub(1)).collect();
    let mut changes = vec![0_i64; windows.len() + 1];
    for stay in &stays.list {
        changes[ends.partition_point(|&end| end < stay.began)] += 1;
        changes[ends.partition_point(|&end| end < stay.until)] -= 1;
    }
    let mut cells = Cells { types: vec![Outcome::Other; pass.aggregates.len()], ..Cells::default() };
    let (mut inside, mut counts) = (0, Vec::new());
    for (window, change) in windows.iter().zip(changes) {
        inside += change;
        if inside > 0 {
            cells.keys.push(CellKey { period: window.period, labels: Labels::default() });
            counts.push(inside);
        }
    }
    let last = ends.last().copied().unwrap_or(i64::MIN);
    cells.report = Report {
        rows_scanned: stays.take_scanned() + u64::from(info.count),
        rows_kept: counts.iter().sum::<i64>().unsigned_abs(),
        without_entity: vec![0; pass.aggregates.len()],
        first: stays.list.first().map(|stay| stay.began).filter(|&began| began <= last),
        ..Report::default()
    };
    cells.rows = vec![counts; pass.aggregates.len()];
    cells.states = vec![State::Count; pass.aggregates.len()];
    Ok(Some(cells))
}

/// The one state that all aggregates ask for; none: they ask for more.
fn asked(pass: &Pass) -> Option<&core::State> {
    let mut state = None;
    for aggregate in &pass.aggregates {
        let plain = aggregate.measure == Measure::Count && !aggregate.existing && aggregate.labels.is_empty();
        let filter = aggregate.filter.as_ref().filter(|_| plain && aggregate.events.stages.is_empty())?;
        let RowNode::State { state: own, of, when: When::Moment } = &filter.node else { return None };
        if !matches!(of.node, RowNode::Role(_)) || state.is_some_and(|state: &core::State| *state != **own) {
            return None;
        }
        state = Some(&**own);
    }
    state
}
