//! Groups: the cells of inner aggregates as rows of an outer one (`avg(sum(margin) per customer)`).
//!
//! The inner aggregates are computed as passes of their own, with the query's labels and the group's keys as labels. What
//! they give stays in columns, so entities are ids all the way. A group's value is a row expression over these columns.

mod apart;
mod by_id;
mod history;
mod inner;
mod ranges;
mod sums;
#[cfg(test)]
mod tests;

pub(crate) use apart::{Apart, is_needed as groups_apart};
pub(crate) use history::Grouped;
pub(super) use inner::program;
pub(crate) use ranges::Ranged;

use super::plan::{Plan, Segment};
use super::shares::{self, Share};
use super::state::Cells;
use super::stream::cut;
use super::table::Table;
use super::windows::{NO_BEGINNING, Window, windows};
use super::{Part, Pass, Report, Source, onward};
use crate::made::largest_below;
use crate::rows::{BATCH, Column, Frame, Values};
use crate::{ExecError, tables};
use arrow_buffer::BooleanBuffer;
use inner::{Inner, PERIOD, Time, inner, inner_passes};
use kepi_model::calendar::{Grain, Zone};
use kepi_model::core::{self, Groups, Made};
use kepi_model::value::Kind;
use std::ops::Range;

/// Fewer stored rows than this are not worth a thread of their own.
const PART_ROWS_MIN: u64 = if cfg!(any(test, debug_assertions)) { 4 } else { 100_000 };

/// Groups that are rows of one cell.
struct Stretch {
    /// Which rows of the table.
    rows: Range<usize>,
    /// The cell's period.
    period: Option<i64>,
    /// The end of the groups' time.
    at: i64,
    /// The first instant of the cell, and the one behind its last.
    cell: (i64, i64),
}

/// The groups that are the rows of a base.
pub(crate) fn of(base: &core::Base) -> Option<&Groups> {
    match base {
        core::Base::Made(made) => match &**made {
            Made::Groups(groups) => Some(groups),
            _ => None,
        },
        core::Base::Stream(_) | core::Base::Entity(_) => None,
    }
}

/// A plan that has seen groups, with the period of its only cell where it cannot know it.
type Filled = (Option<Option<i64>>, Plan);

/// Computes the outer aggregates of a part of a pass over groups.
pub(crate) fn run(groups: &Groups, pass: &Pass, source: &Source, part: &Part) -> Result<Cells, ExecError> {
    if !by_id::makes(groups, pass, source)?
        && let Some(sums) = sums::of(groups, pass, source)?
    {
        return sums.run(pass, source, part);
    }
    let ids = ranges::ids(groups, pass, source);
    let made = shares::read_if(&source.of_share(Share::default()), |source| {
        ids.into_iter().for_each(|count| source.share.note_ids(count));
        let source = source.of_groups(source.share.clone());
        let mut all = Cells::default();
        for (cell, plan) in filled(groups, pass, &source, part)? {
            let mut cells = plan.finish()?;
            if let Some(period) = cell {
                cells.keys.iter_mut().for_each(|key| key.period = period);
            }
            all.append(cells);
        }
        if !source.groups.is_first() {
            // All have read the same rows.
            all.report.rows_scanned = 0;
            all.report.learned.clear();
        }
        Ok(Some(all))
    })?;
    made.ok_or_else(|| ExecError::Plan("no groups were made".into()))
}

impl Inner {
    /// The groups of one period.
    fn rows(&self, period: Option<i64>) -> Range<usize> {
        let place = self.table.stretches.binary_search_by_key(&period, |stretch| stretch.1);
        place.map_or(0..0, |i| self.table.stretches[i].0.clone())
    }

    /// The first instant of the first period.
    fn first(&self) -> Option<i64> {
        self.table.stretches.first().and_then(|stretch| stretch.1)
    }

    /// The groups whose periods begin in a window or lie across its beginning, in the window's cell.
    fn stretches(&self, window: &Window, grain: &Grain, zone: &Zone) -> Vec<Stretch> {
        let all = &self.table.stretches;
        let first = match window.from {
            NO_BEGINNING => 0,
            from => all.partition_point(|stretch| stretch.1 < Some(zone.truncate(grain, from))),
        };
        let last = all.partition_point(|stretch| stretch.1 < Some(window.until)).max(first);
        let stretch = |(rows, period): &Segment| Stretch {
            rows: rows.clone(),
            period: window.period,
            at: period.map_or(window.until, |period| zone.step(grain, period, 1).min(window.until)),
            cell: window.cell,
        };
        all[first..last].iter().map(stretch).collect()
    }
}

/// Plans that have seen all groups, each with the period of its only cell where it cannot know it.
fn filled(groups: &Groups, pass: &Pass, source: &Source, part: &Part) -> Result<Vec<Filled>, ExecError> {
    let mut pass = pass.clone();
    pass.from = pass.from.into_iter().chain(part.from).max();
    pass.until = part.until.map_or(pass.until, |until| until.min(pass.until));
    let zone = Zone::named(&pass.zone).ok_or_else(|| ExecError::Plan(format!("no time zone `{}`", pass.zone)))?;
    match &groups.per {
        None => in_cells(groups, &pass, source, &zone),
        Some(grain) => in_periods(groups, grain, &pass, source, &zone),
    }
}

/// Groups without periods of their own: those of each cell have its time.
fn in_cells(groups: &Groups, pass: &Pass, source: &Source, zone: &Zone) -> Result<Vec<Filled>, ExecError> {
    let moved = pass.moved().to_vec();
    let time = Time { per: pass.per.clone(), from: pass.from, until: pass.until, moved };
    let inner = inner(groups, pass, source, &time)?;
    let stretch = |window: Window| Stretch {
        rows: inner.rows(window.period),
        period: window.period,
        at: window.until,
        cell: window.cell,
    };
    let stretches: Vec<Stretch> = windows(pass, inner.first(), zone)?.into_iter().map(stretch).collect();
    let mut plan = fed(pass, groups, &inner, &stretches, source)?;
    tell(&mut plan.report, groups, &inner.table.report);
    Ok(vec![(None, plan)])
}

/// Groups in periods of their own, which are rows of the cells in whose windows they lie.
fn in_periods(
    groups: &Groups,
    grain: &Grain,
    pass: &Pass,
    source: &Source,
    zone: &Zone,
) -> Result<Vec<Filled>, ExecError> {
    let within = |from: i64, until: i64| -> Result<Inner, ExecError> {
        let from = Some(from).filter(|&from| from != NO_BEGINNING);
        let time = Time { per: Some(grain.clone()), from, until, moved: Vec::new() };
        let found = inner(groups, pass, source, &time)?;
        for period in found.table.stretches.iter().filter_map(|stretch| stretch.1) {
            tables::has(grain, zone, period)?;
        }
        Ok(found)
    };
    let open = match (pass.first_instant(), &pass.per) {
        (None, Some(_)) => Some(within(NO_BEGINNING, pass.until)?),
        _ => None,
    };
    let first = open.as_ref().and_then(Inner::first);
    if open.is_some() && first.is_none() {
        return Ok(vec![(None, Plan::new(pass, source)?)]);
    }
    let mut windows = windows(pass, first, zone)?;
    windows.retain(|window| window.from < window.until);
    let (Some(begin), Some(end)) = (windows.iter().map(|w| w.from).min(), windows.iter().map(|w| w.until).max()) else {
        return Ok(vec![(None, Plan::new(pass, source)?)]);
    };
    let whole = |at: i64| at == NO_BEGINNING || zone.truncate(grain, at) == at;
    let joins = |(one, next): (&Window, &Window)| one.until == next.from && whole(next.from);
    if windows.iter().zip(windows.iter().skip(1)).all(joins) {
        // Each period belongs to one cell: they are read once, in their order.
        let inner = match open {
            Some(inner) if end == pass.until => inner,
            _ => within(begin, end)?,
        };
        let stretches: Vec<Stretch> = windows.iter().flat_map(|w| inner.stretches(w, grain, zone)).collect();
        let mut plan = fed(pass, groups, &inner, &stretches, source)?;
        tell(&mut plan.report, groups, &inner.table.report);
        return Ok(vec![(None, plan)]);
    }
    // Windows that overlap share what they have in whole periods; what cuts a period is computed for itself.
    let mut shared: Option<Inner> = None;
    let mut plans = Vec::new();
    for window in &windows {
        source.check()?;
        let own = match whole(window.from) && whole(window.until) {
            true => None,
            false => Some(within(window.from, window.until)?),
        };
        let fresh = own.is_some() || shared.is_none();
        let inner = match &own {
            Some(own) => own,
            None => match &shared {
                Some(shared) => shared,
                None => shared.insert(within(begin, end)?),
            },
        };
        let mut plan = fed(pass, groups, inner, &inner.stretches(window, grain, zone), source)?;
        let nothing = Report::default();
        tell(&mut plan.report, groups, if fresh { &inner.table.report } else { &nothing });
        plans.push((Some(window.period), plan));
    }
    Ok(plans)
}

/// A plan that has seen groups.
fn fed(pass: &Pass, groups: &Groups, inner: &Inner, stretches: &[Stretch], source: &Source) -> Result<Plan, ExecError> {
    shares::read(&source.of_share(Share::default()), |source| {
        let mut plan = Plan::new(pass, source)?;
        feed(&mut plan, groups, inner, stretches, source)?;
        Ok(plan)
    })
}

/// Adds groups to the cells of the outer aggregates, in the order of their moments. A group of no entity is none: its
/// rows are counted as lacking it.
fn feed(
    plan: &mut Plan,
    groups: &Groups,
    inner: &Inner,
    stretches: &[Stretch],
    source: &Source,
) -> Result<(), ExecError> {
    let keys = groups.keys.iter().rev().zip(inner.table.labels.iter().rev());
    let entities = keys.filter(|(key, _)| matches!(key.unit.kind, Kind::Entity(_)));
    let known = entities.filter_map(|(_, column)| column.known()).reduce(|a, b| &a & &b);
    let columns = |plan: &Plan| {
        let find = |name: String| inner.columns.iter().find(|c| c.0 == name).map(|c| c.1.clone());
        plan.program.scanned().into_iter().map(|name| (name == PERIOD, find(name))).collect::<Vec<_>>()
    };
    let columns = columns(plan);
    // What is asked of a cell's ends, or of its time, is asked of one cell at a time.
    let ends = plan.program.looks_at_cell();
    let mut next = 0;
    while next < stretches.len() {
        source.check()?;
        // Stretches that lie side by side are computed together, as many as fit a batch; a long one in parts.
        let first = next;
        let start = stretches[first].rows.start;
        next += 1;
        while next < stretches.len()
            && stretches[next].rows.start == stretches[next - 1].rows.end
            && stretches[next].rows.end - start <= BATCH
            && (!ends || stretches[next].cell == stretches[first].cell)
        {
            next += 1;
        }
        let end = stretches[next - 1].rows.end;
        for from in (start..end).step_by(BATCH) {
            let rows = from..(from + BATCH).min(end);
            let (mut at, mut starts, mut segments) = (Vec::new(), Vec::new(), Vec::<Segment>::new());
            for stretch in &stretches[first..next] {
                let part = stretch.rows.start.max(rows.start)..stretch.rows.end.min(rows.end);
                if part.is_empty() {
                    continue;
                }
                at.resize(at.len() + part.len(), stretch.at);
                starts.resize(at.len(), stretch.cell.0);
                match segments.last_mut() {
                    Some((range, period)) if *period == stretch.period => range.end = at.len(),
                    _ => segments.push((at.len() - part.len()..at.len(), stretch.period)),
                }
            }
            let take = |(is_period, column): &(bool, Option<Column>)| match (column, is_period) {
                (Some(column), _) => Ok(column.slice(rows.start, rows.len())),
                (None, true) => Ok(periods(&inner.table, &rows, &starts)),
                (None, false) => Err(ExecError::Plan("a column of groups has gone".into())),
            };
            let frame = Frame {
                len: rows.len(),
                columns: columns.iter().map(take).collect::<Result<Vec<Column>, ExecError>>()?,
                at: Some(at.into()),
                back: 1,
                ids: None,
                cell_starts: plan.program.needs_period.then_some(starts),
                cell_end: ends.then_some(stretches[first].cell.1),
                window: 0..rows.len(),
            };
            plan.program.evaluate(&frame)?;
            let exists = known.as_ref().map(|known: &BooleanBuffer| known.slice(rows.start, rows.len()));
            if let Some(exists) = &exists {
                let lacking = (0..rows.len()).filter(|&row| !exists.value(row));
                let most = |row: usize| inner.table.rows.iter().map(|of| of[rows.start + row]).max().unwrap_or(0);
                let lacking: i64 = lacking.map(most).sum();
                plan.report.without_entity.iter_mut().for_each(|count| *count += lacking.unsigned_abs());
            }
            plan.accumulate(&frame, &segments, exists.as_ref())?;
        }
    }
    Ok(())
}

/// The first instants of the time of some groups: of their period, else of their cell.
fn periods(table: &Table, rows: &Range<usize>, starts: &[i64]) -> Column {
    let place = |row: usize| table.stretches.partition_point(|stretch| stretch.0.end <= row);
    let period = |row: usize| table.stretches.get(place(row)).and_then(|stretch| stretch.1);
    let times = rows.clone().zip(starts).map(|(row, &start)| period(row).unwrap_or(start));
    Column::new(Values::Time(times.collect()), None)
}

/// Adds what the inner passes had to say.
fn tell(report: &mut Report, groups: &Groups, inner: &Report) {
    report.rows_scanned += inner.rows_scanned;
    report.ranges = report.ranges.max(inner.ranges);
    report.continued = report.continued.or(inner.continued);
    report.first = inner.first;
    let most = inner.without_entity.iter().copied().max().unwrap_or(0);
    // A group is there for all that read it; what its rows lack, they lack for all of them.
    let lacking = if groups.aggregates.is_empty() { 0 } else { most };
    report.without_entity.iter_mut().for_each(|count| *count += lacking);
}

/// Cuts a pass over groups into up to `threads` parts at the ends of its periods; none: it is computed in one go.
pub(crate) fn parts(
    groups: &Groups,
    pass: &Pass,
    source: &Source,
    threads: usize,
) -> Result<Option<Vec<Part>>, ExecError> {
    if by_id::makes(groups, pass, source)? {
        // It is dealt out where the rows are read.
        return Ok(None);
    }
    if let Some(sums) = sums::of(groups, pass, source)? {
        return sums.parts(pass, source, threads);
    }
    let plain = pass.per.is_some() && pass.moved().is_empty() && pass.shift.is_none();
    if threads < 2 || !plain || !Plan::new(pass, source)?.can_be_split(pass, true) || reads_past(groups, pass, source)?
    {
        return Ok(None);
    }
    let time = Time { per: pass.per.clone(), from: pass.from, until: pass.until, moved: Vec::new() };
    for (inner, _) in inner_passes(groups, pass, &time) {
        // In one go, so that it can go on.
        if onward::is_table_wanted(&inner, source)? {
            return Ok(None);
        }
    }
    let Some(stream) = largest_below(&pass.base, source).filter(|info| info.dated) else { return Ok(None) };
    let threads = threads.min((stream.rows / PART_ROWS_MIN) as usize);
    if threads < 2 {
        return Ok(None);
    }
    let zone = Zone::named(&pass.zone).ok_or_else(|| ExecError::Plan(format!("no time zone `{}`", pass.zone)))?;
    let cuts = source.scan.splits(&stream.name, pass.first_instant(), Some(pass.until), threads);
    let parts = cut(pass, &zone, cuts);
    Ok((parts.len() > 1).then_some(parts))
}

/// Whether computing a part would mean reading what lies before it.
fn reads_past(groups: &Groups, pass: &Pass, source: &Source) -> Result<bool, ExecError> {
    let time = Time { per: pass.per.clone(), from: pass.from, until: pass.until, moved: Vec::new() };
    for (inner, _) in inner_passes(groups, pass, &time) {
        // Without a beginning, entities are there from the first of them on.
        if pass.first_instant().is_none() && matches!(inner.base, core::Base::Entity(_)) {
            return Ok(true);
        }
        let past = match of(&inner.base) {
            Some(groups) => reads_past(groups, &inner, source)?,
            None => !Plan::new(&inner, source)?.can_be_split(&inner, true),
        };
        if past || !inner.moved().is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
