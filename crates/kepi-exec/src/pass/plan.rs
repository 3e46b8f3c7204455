//! A pass made ready: its expressions compiled, its cells empty.

mod changes;
mod placed;

pub(super) use changes::Kept;
pub(super) use placed::{Cells as CellsOfRows, NO_CELL};

use super::accumulate::{Cell, Measured, Rows};
use super::coverage::Ids;
use super::dense::{Added, Dense};
use super::fold::type_of;
use super::groups::Ranged;
use super::labels::{Groups, Slots};
use super::pieces::Reading;
use super::scalar::{CellKey, output_type};
use super::state::{Cells, Outcome};
use super::table::{Placed, Table};
use super::{Pass, Report, Source};
use crate::ExecError;
use crate::rows::{Before, Column, Frame, Program, Type};
use arrow_array::StringArray;
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use kepi_model::core::{Aggregate, Label, Measure, Row, RowNode};
use kepi_model::value::{Kind, Unit};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3Default;

/// Rows of a batch that lie in one period.
pub(crate) type Segment = (Range<usize>, Option<i64>);

/// A pass that is being computed.
pub(crate) struct Plan {
    pub(crate) program: Program,
    aggregates: Vec<Planned>,
    sets: Vec<Set>,
    /// The different conditions of aggregates.
    masks: Vec<Mask>,
    pub(crate) report: Report,
    /// How rows of a stream are read.
    pub(crate) reading: Reading,
    /// The nodes that must see all rows of a stream, where others need only those that count.
    early: Option<Vec<bool>>,
    /// Where its cells are groups: whose they are.
    ranged: Option<Ranged>,
    /// How many bytes are kept of each row.
    row_bytes: usize,
}

/// Which rows an aggregate takes.
#[derive(Clone, Copy, PartialEq)]
struct Mask {
    /// Those for which this is yes; none: all of them.
    node: Option<usize>,
    /// Of entities and groups only those that exist.
    existing: bool,
    /// Of rows only those that are of some entities, which this says; none: everybody's.
    key: Option<usize>,
}

/// An aggregate, compiled.
struct Planned {
    mask: usize,
    args: Vec<usize>,
    set: usize,
    measured: Measured,
    outcome: Outcome,
    /// The entity that it counts.
    counted: Option<usize>,
    /// The conversions of currencies that its arguments come from.
    conversions: Vec<usize>,
}

/// Aggregates with the same labels share cells.
struct Set {
    labels: Vec<usize>,
    groups: Groups,
    slots: Slots,
    /// Rows by cell, per mask of the plan; empty where no aggregate of the set has it.
    counts: Vec<Vec<i64>>,
    masks: Vec<usize>,
    dense: Dense,
}

impl Plan {
    /// Compiles a pass.
    pub(crate) fn new(pass: &Pass, source: &Source) -> Result<Plan, ExecError> {
        Plan::with(pass, source, false)
    }

    /// Compiles a pass; `as_sets`: distinct ids are kept as sets, since their cells may be in other units, too.
    pub(crate) fn with(pass: &Pass, source: &Source, as_sets: bool) -> Result<Plan, ExecError> {
        // What is read on the way is read for all.
        let (share, ranged, source) = (source.share.clone(), source.ranged.clone(), &source.apart());
        let furthest = super::furthest::source(pass, source);
        let source = furthest.as_ref().unwrap_or(source);
        let mut program = match super::groups::of(&pass.base) {
            Some(groups) => super::groups::program(groups, pass, source)?,
            None => Program::of_base(&pass.base, source, &pass.zone, pass.now)?,
        };
        let mut plan = Vec::new();
        let mut sets: Vec<Set> = Vec::new();
        let mut masks = Vec::new();
        for aggregate in &pass.aggregates {
            let same = aggregate.events.base == pass.base && aggregate.moved == pass.moved();
            if !same || aggregate.labels.len() != pass.labels.len() {
                return Err(ExecError::Plan(format!("`{}` is in the wrong pass", aggregate.text)));
            }
            let mask = program.rows_of(&aggregate.events, aggregate.filter.as_ref())?;
            let labels = aggregate.labels.iter().map(|l| program.row(l)).collect::<Result<Vec<_>, _>>()?;
            // A row without a rate is an error only where it counts.
            program.judged_later = true;
            let args = match &aggregate.measure {
                Measure::Plugin { args, .. } => {
                    let nodes = args.iter().map(|a| program.row(a)).collect::<Result<Vec<_>, _>>()?;
                    nodes.into_iter().map(|n| program.as_text(n)).collect::<Result<Vec<_>, _>>()?
                }
                Measure::Best { of, rank } => vec![program.row(of)?, program.row(rank)?],
                measure => program.argument(measure)?.into_iter().collect(),
            };
            program.judged_later = false;
            // What is a group is said by its keys, whatever the aggregate asks for.
            let key = ranged.as_ref().and_then(Ranged::cut_by).and_then(|place| labels.get(place)).copied();
            let existing = pass.base.is_groups() || aggregate.existing && program.is_of_entities();
            let mask = position(&mut masks, Mask { node: mask, existing, key });
            let set = match sets.iter().position(|s| s.labels == labels) {
                Some(set) => set,
                None => {
                    let typed = labels.iter().map(|&l| with_keys(&program, l)).collect::<Result<Vec<_>, _>>()?;
                    let (groups, slots, dense) = (Groups::new(typed).apart(), Slots::default(), Dense::default());
                    sets.push(Set { labels, groups, slots, counts: Vec::new(), masks: Vec::new(), dense });
                    sets.len() - 1
                }
            };
            position(&mut sets[set].masks, mask);
            plan.push((aggregate, mask, args, set));
        }
        let reading = Reading::of(pass, &program)?;
        let planned = |(aggregate, mask, args, set)| {
            let ids = Ids { share: share.clone(), bytes_max: bytes_max(pass, source), ..Ids::default() };
            let ids = Ids { limit: source.made.bytes_max(), ..ids };
            let mut planned = planned(&program, source, aggregate, (mask, args, set), &reading, ids)?;
            if as_sets {
                planned.measured.keep_sets();
            }
            Ok(planned)
        };
        let plan = plan.into_iter().map(planned).collect::<Result<Vec<_>, ExecError>>()?;
        for set in &mut sets {
            set.counts = vec![Vec::new(); masks.len()];
        }
        let report = Report { without_entity: vec![0; plan.len()], ..Report::default() };
        let conditions: Vec<Option<usize>> = masks.iter().map(|mask| mask.node).collect();
        let early = program.early(&conditions);
        let listed = |a: &&Aggregate| matches!(a.measure, Measure::Percentile { .. } | Measure::Plugin { .. });
        let row_bytes = size_of::<i64>() * pass.aggregates.iter().filter(listed).count();
        Ok(Plan { program, aggregates: plan, sets, masks, report, reading, early, ranged, row_bytes })
    }

    /// The schema of the cells.
    pub(crate) fn schema(&self, pass: &Pass) -> Result<SchemaRef, ExecError> {
        let mut fields = Vec::new();
        if pass.per.is_some() {
            let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            fields.push(Field::new("period", time, false));
        }
        for (i, label) in pass.labels.iter().enumerate() {
            fields.push(Field::new(format!("label_{i}"), output_type(&self.label_type(i, label)?, &label.unit), true));
        }
        for (i, (planned, aggregate)) in self.aggregates.iter().zip(&pass.aggregates).enumerate() {
            let ty = match (&aggregate.measure, planned.args.first()) {
                (Measure::Count | Measure::Unique(_), _) => DataType::Int64,
                (Measure::Plugin { .. }, _) => plugin_type(&aggregate.unit),
                (measure, Some(&arg)) => output_type(&type_of(measure, self.program.ty(arg))?, &aggregate.unit),
                (_, None) => return Err(ExecError::Plan("a measure has no argument".into())),
            };
            fields.push(Field::new(format!("value_{i}"), ty, true));
            fields.push(Field::new(format!("rows_{i}"), DataType::Int64, false));
        }
        Ok(Arc::new(Schema::new(fields)))
    }

    /// The type of a label, the same for all aggregates.
    pub(crate) fn label_type(&self, i: usize, label: &Label) -> Result<Type, ExecError> {
        let mut ty = Type::Missing;
        for set in &self.sets {
            let next = self.program.ty(set.labels[i]);
            if ty != Type::Missing && *next != Type::Missing && ty != *next {
                let (a, b, name) = (ty.words(), next.words(), &label.name);
                return Err(ExecError::Plan(format!("the label `{name}` is {a} here and {b} there")));
            }
            if *next != Type::Missing {
                ty = next.clone();
            }
        }
        Ok(ty)
    }

    /// Adds what is shown of entities as values of rows before a moment. No: they are too many.
    pub(super) fn put_values_shown(
        &self,
        pass: &Pass,
        before: &Before,
        hasher: &mut Xxh3Default,
    ) -> Result<bool, ExecError> {
        let shown = self.aggregates.iter().zip(&pass.aggregates);
        let shown = shown.filter(|(_, aggregate)| !matches!(aggregate.measure, Measure::Unique(_)));
        for &node in shown.flat_map(|(planned, _)| &planned.args) {
            if !self.program.put_shown(node, before, hasher)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds what is shown of entities by labels of rows before a moment. No: they are too many.
    pub(super) fn put_labels_shown(&self, before: &Before, hasher: &mut Xxh3Default) -> Result<bool, ExecError> {
        for &label in self.sets.iter().flat_map(|set| &set.labels) {
            if !self.program.put_shown(label, before, hasher)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The type of an aggregate's argument.
    pub(crate) fn argument(&self, aggregate: usize) -> Option<&Type> {
        let arg = self.aggregates.get(aggregate)?.args.first()?;
        Some(self.program.ty(*arg))
    }

    /// The most ids of an entity that is counted.
    pub(crate) fn counted_ids(&self) -> usize {
        let of = |planned: &Planned| match self.program.ty(planned.counted?) {
            Type::Id(entity) => Some(self.program.ids(entity)),
            _ => None,
        };
        self.aggregates.iter().filter_map(of).max().unwrap_or(0)
    }

    /// Whether parts of the rows can be computed apart and merged; `aligned`: no cell is in two parts.
    pub(crate) fn can_be_split(&self, pass: &Pass, aligned: bool) -> bool {
        let merges = |a: &Aggregate| match a.measure {
            Measure::Plugin { .. } => false,
            Measure::Unique(_) => aligned || matches!(self.reading, Reading::Pieces(_)),
            _ => true,
        };
        !self.program.sequential && !matches!(self.reading, Reading::Apart(_)) && pass.aggregates.iter().all(merges)
    }

    /// Whether time may be cut where a window goes on: nothing is distinct but entities whose labels follow from them, so
    /// that each part can say whom it has counted.
    pub(crate) fn counts_can_be_joined(&self, pass: &Pass) -> bool {
        let joins = |(planned, aggregate): (&Planned, &Aggregate)| match &aggregate.measure {
            Measure::Unique(of) => {
                planned.counted.is_some() && aggregate.labels.iter().all(|label| follows_from(label, of))
            }
            _ => true,
        };
        self.aggregates.iter().zip(&pass.aggregates).all(joins)
    }

    /// Whether there is room for what that takes.
    pub(crate) fn can_keep_seen(&self) -> bool {
        self.aggregates.iter().all(|planned| planned.measured.can_keep_seen())
    }

    /// Lets go what was kept to count distinct values: there come no more rows.
    pub(super) fn settle(&mut self) {
        self.aggregates.iter_mut().for_each(|planned| planned.measured.settle());
    }

    /// Adds what the same rows gave of another share of the ids; both are settled.
    pub(super) fn add_share(&mut self, other: Plan) -> Result<(), ExecError> {
        let same = |(own, other): (&Set, &Set)| own.slots.cells() == other.slots.cells();
        if self.sets.len() != other.sets.len() || !self.sets.iter().zip(&other.sets).all(same) {
            return Err(ExecError::Plan("two readings of the same rows have found other cells".into()));
        }
        let all = self.aggregates.iter_mut().zip(other.aggregates);
        all.for_each(|(own, other)| own.measured.add_share(other.measured));
        Ok(())
    }

    /// Says that the rows are a part of time, where a window may go on from one part to the next.
    pub(crate) fn keep_seen(&mut self) {
        self.aggregates.iter_mut().for_each(|planned| planned.measured.keep_seen());
    }

    /// The column by whose entities rows can be dealt out, so that the cells of some and those of others make the cells of
    /// all; none: what a row gives depends on rows of others, or a cell does on their order.
    pub(crate) fn dealt_by(&self, pass: &Pass) -> Option<(String, u32)> {
        if !self.is_worth_dealing() {
            return None;
        }
        let mut key = self.program.kept_by();
        if self.program.sequential && key.is_none() || matches!(self.reading, Reading::Apart(_)) {
            return None;
        }
        for (planned, aggregate) in self.aggregates.iter().zip(&pass.aggregates) {
            match aggregate.measure {
                Measure::Unique(_) => {
                    let counted = planned.counted?;
                    if *key.get_or_insert(counted) != counted {
                        return None;
                    }
                }
                _ if super::lots::adds_up(aggregate) => {}
                _ => return None,
            }
        }
        let Type::Id(entity) = self.program.ty(key?) else { return None };
        Some((self.program.column_of(key?)?.to_string(), u32::try_from(self.program.ids(entity)).ok()?))
    }

    /// Whether looking at what is kept by entity takes longer than reading all rows once more and leaving out those of
    /// others.
    fn is_worth_dealing(&self) -> bool {
        let counted = self.aggregates.iter().any(|planned| planned.counted.is_some());
        let own = match (counted, &self.reading) {
            (false, _) => 0,
            (true, Reading::Pieces(_)) => 3,
            (true, _) => 1 + usize::from(self.sets.iter().any(|set| !set.labels.is_empty())),
        };
        own + self.program.looks_by_entity() > 1
    }

    /// Whether what an aggregate is computed of is exact.
    pub(crate) fn is_exact(&self, aggregate: usize) -> bool {
        let arg = self.aggregates.get(aggregate).and_then(|planned| planned.args.first());
        arg.is_some_and(|&arg| matches!(self.program.ty(arg), Type::Decimal(_)))
    }

    /// The column and the id that all rows have that any aggregate takes; none: not all ask for one, or a row's values
    /// depend on other rows.
    pub(crate) fn only(&self) -> Option<(String, u32)> {
        if self.program.needs_past || self.program.sequential {
            return None;
        }
        let mut asked = self.masks.iter().map(|mask| mask.node.and_then(|node| self.program.only(node)));
        let first = asked.next()??;
        asked.all(|next| next.as_ref() == Some(&first)).then_some(first)
    }

    /// Runs the program on a batch of a stream. Gives the rows of which it has values: those that count may be enough.
    pub(crate) fn evaluate(&mut self, frame: Frame) -> Result<Frame, ExecError> {
        let Some(early) = &self.early else {
            self.program.evaluate(&frame)?;
            return Ok(frame);
        };
        let conditions: Vec<Option<usize>> = self.masks.iter().map(|mask| mask.node).collect();
        self.program.evaluate_late(frame, early, &conditions)
    }

    /// Adds the rows of a batch that the program has been run on. `exists`: the rows that are there at all.
    pub(crate) fn accumulate(
        &mut self,
        frame: &Frame,
        segments: &[Segment],
        exists: Option<&BooleanBuffer>,
    ) -> Result<(), ExecError> {
        let masks = self.masks_of(exists)?;
        // What rows lack they lack for everybody: it is told once.
        let whole =
            self.masks.iter().any(|mask| mask.key.is_some()).then(|| self.whole_masks_of(exists)).transpose()?;
        let Plan { program, aggregates, sets, report, ranged, .. } = self;
        let window = &frame.window;
        let kept = any(masks.iter());
        let kept = Rows { range: window, mask: kept.as_ref() };
        report.rows_kept += kept.count() as u64;
        if report.first.is_none()
            && let Some(at) = frame.at.as_ref().filter(|_| frame.ids.is_none())
        {
            let first = match kept.mask {
                None => (!window.is_empty()).then_some(window.start),
                Some(mask) => mask.slice(window.start, window.len()).set_indices().next().map(|i| i + window.start),
            };
            report.first = first.map(|row| at[row]);
        }
        for planned in aggregates.iter() {
            for &node in &planned.conversions {
                let Some(lacking) = program.lacks_rate(node) else { continue };
                let counts = masks[planned.mask].as_ref().map_or_else(|| lacking.clone(), |mask| mask & lacking);
                let first = counts.slice(window.start, window.len()).set_indices().next();
                if let Some(row) = first {
                    return Err(program.no_rate(node, frame, window.start + row));
                }
            }
        }
        for (own, set) in sets.iter_mut().enumerate() {
            set.place(program, frame, segments, &masks, aggregates, own)?;
        }
        if ranged.as_ref().is_none_or(Ranged::is_first) {
            for (planned, without) in aggregates.iter().zip(&mut report.without_entity) {
                let Some(lacking) = planned.counted.and_then(|n| program.value(n).known()) else { continue };
                let lacking = !&lacking;
                let all = match &whole.as_ref().unwrap_or(&masks)[planned.mask] {
                    Some(mask) => mask & &lacking,
                    None => lacking,
                };
                *without += Rows { range: window, mask: Some(&all) }.count() as u64;
            }
        }
        self.fits()
    }

    /// Fails where cells that are groups take more memory than there may be.
    fn fits(&self) -> Result<(), ExecError> {
        let Some(ranged) = &self.ranged else { return Ok(()) };
        // About what a cell takes: its place, its labels as numbers and then as columns, its values likewise.
        let labels = |set: &Set| set.slots.len() * (64 + 40 * set.labels.len());
        let values = |planned: &Planned| self.sets[planned.set].slots.len() * 96;
        let cells = self.sets.iter().map(labels).sum::<usize>() + self.aggregates.iter().map(values).sum::<usize>();
        ranged.fits(cells + self.row_bytes * self.report.rows_kept as usize, &self.program.source)
    }

    /// The cells, to travel.
    pub(crate) fn finish(self) -> Result<Cells, ExecError> {
        let Plan { program, aggregates, mut sets, masks, mut report, reading, ranged, .. } = self;
        let told = ranged.as_ref().is_none_or(Ranged::is_first);
        let mut cells = Cells { pieces: matches!(reading, Reading::Pieces(_)), ..Cells::default() };
        let mut index: HashMap<CellKey, usize> = HashMap::new();
        let mut places = Vec::new();
        let only = sets.len() == 1;
        for set in &mut sets {
            let Set { groups, slots, .. } = set;
            if only {
                // Cells of one set are all different.
                let key = |&(period, group): &(Option<i64>, u32)| CellKey { period, labels: groups.decode(group) };
                cells.keys = slots.cells().iter().map(key).collect();
                places.push((0..slots.len()).collect());
                continue;
            }
            let mut place = |&(period, group): &(Option<i64>, u32)| {
                let key = CellKey { period, labels: groups.decode(group) };
                let next = cells.keys.len();
                *index.entry(key).or_insert_with_key(|key| {
                    cells.keys.push(key.clone());
                    next
                })
            };
            places.push(slots.cells().iter().map(&mut place).collect::<Vec<_>>());
        }
        let len = cells.keys.len();
        report.rows_scanned += program.rows_scanned_elsewhere();
        report.learned.extend(program.learned());
        for (planned, without) in aggregates.into_iter().zip(&mut report.without_entity) {
            *without += if told { lacking(&program, masks[planned.mask].node) } else { 0 };
            let (set, places) = (&sets[planned.set], &places[planned.set]);
            let mut rows = vec![0; len];
            set.counts[planned.mask].iter().zip(places).for_each(|(&n, &place)| rows[place] = n);
            cells.rows.push(rows);
            cells.states.push(planned.measured.into_state(&set.slots, &set.counts[planned.mask])?.scatter(places, len));
            cells.types.push(planned.outcome);
        }
        cells.report = report;
        Ok(cells)
    }

    /// The cells, as columns: one table per set of aggregates with the same labels, with the places of these aggregates.
    ///
    /// Of a plan that was read in pieces the cells are those of the pieces.
    pub(crate) fn into_tables(self) -> Result<(Vec<Placed>, Report), ExecError> {
        let Plan { program, aggregates, mut sets, masks, mut report, ranged, .. } = self;
        let told = ranged.as_ref().is_none_or(Ranged::is_first);
        report.rows_scanned += program.rows_scanned_elsewhere();
        report.learned.extend(program.learned());
        for (planned, without) in aggregates.iter().zip(&mut report.without_entity) {
            *without += if told { lacking(&program, masks[planned.mask].node) } else { 0 };
        }
        let mut found: Vec<(Vec<_>, Vec<usize>)> = sets.iter().map(|_| Default::default()).collect();
        for (i, planned) in aggregates.into_iter().enumerate() {
            let (set, (values, places)) = (&sets[planned.set], &mut found[planned.set]);
            let len = set.slots.len();
            let mut rows = set.counts[planned.mask].clone();
            rows.resize(len, 0);
            let state = planned.measured.into_state(&set.slots, &rows)?;
            values.push((rows, state, planned.outcome));
            places.push(i);
        }
        let mut tables = Vec::new();
        for (set, (values, places)) in sets.iter_mut().zip(found) {
            let labels = set.groups.columns(set.slots.cells().iter().map(|cell| cell.1).collect());
            let periods = set.slots.cells().iter().map(|cell| cell.0).collect();
            tables.push((Table::sorted(periods, labels, values), places));
        }
        Ok((tables, report))
    }
}

/// How many rows the first rows of entities could not take for want of the entity.
fn lacking(program: &Program, mask: Option<usize>) -> u64 {
    mask.map_or(0, |mask| program.without_entity(mask))
}

impl Plan {
    /// The same as one table; `types` are those of the labels.
    pub(crate) fn into_table(self, types: &[Type]) -> Result<Table, ExecError> {
        let (tables, report) = self.into_tables()?;
        let mut table = Table::joined(tables, types)?;
        table.report = report;
        Ok(table)
    }
}

impl Set {
    fn place(
        &mut self,
        program: &Program,
        frame: &Frame,
        segments: &[Segment],
        masks: &[Option<BooleanBuffer>],
        aggregates: &mut [Planned],
        own: usize,
    ) -> Result<(), ExecError> {
        let labels: Vec<&Column> = self.labels.iter().map(|&l| program.value(l)).collect();
        let groups = self.groups.encode(&labels, frame.window.clone())?;
        let union = any(self.masks.iter().map(|&m| &masks[m]));
        let mut slots = vec![0; if groups.is_empty() { 0 } else { frame.len }];
        let at = frame.at.as_ref().filter(|_| frame.ids.is_none()).map(|at| &at[..]);
        let added = if groups.is_empty() { None } else { self.added(program, aggregates, own) };
        for (range, period) in segments {
            let begins = self.slots.begin(*period);
            let rows = Rows { range, mask: union.as_ref() };
            if rows.count() == 0 {
                continue;
            }
            if let Some(added) = added.as_ref().filter(|added| Dense::takes(range, &groups, added)) {
                let sums: Vec<usize> = (0..aggregates.len()).filter(|&i| aggregates[i].set == own).collect();
                self.add_dense(rows, &groups, added, &sums, aggregates)?;
                continue;
            }
            let cell = match groups.is_empty() {
                true => Cell::One(self.slots.slot(0)),
                false => {
                    match rows.mask {
                        None => self.slots.place(&groups[range.clone()], &mut slots[range.clone()]),
                        Some(_) => rows.each(|row| slots[row] = self.slots.slot(groups[row])),
                    }
                    Cell::Each(&slots)
                }
            };
            let cells = self.slots.len();
            for &mask in &self.masks {
                let counts = &mut self.counts[mask];
                counts.resize(cells, 0);
                let rows = Rows { range, mask: masks[mask].as_ref() };
                match (cell, rows.mask) {
                    (Cell::One(slot), _) => counts[slot as usize] += rows.count() as i64,
                    (Cell::Each(slots), None) => {
                        slots[range.clone()].iter().for_each(|&slot| counts[slot as usize] += 1);
                    }
                    (Cell::Each(slots), Some(_)) => rows.each(|row| counts[slots[row] as usize] += 1),
                }
            }
            for planned in aggregates.iter_mut().filter(|p| p.set == own) {
                if begins {
                    planned.measured.begin_period();
                }
                let args: Vec<&Column> = planned.args.iter().map(|&a| program.value(a)).collect();
                let rows = Rows { range, mask: masks[planned.mask].as_ref() };
                planned.measured.update(rows, cell, &self.slots, &args, at)?;
            }
        }
        Ok(())
    }
}

impl Set {
    /// What each of its aggregates adds, where that is simple for all of them, and all take the same rows.
    fn added<'a>(&self, program: &'a Program, aggregates: &[Planned], own: usize) -> Option<Vec<Added<'a>>> {
        let added = |planned: &Planned| {
            let args: Vec<&Column> = planned.args.iter().map(|&a| program.value(a)).collect();
            planned.measured.added(&args)
        };
        let all = || aggregates.iter().filter(|planned| planned.set == own).map(added).collect();
        if self.masks.len() == 1 { all() } else { None }
    }

    /// Adds the rows of a period, of which its aggregates, those at some places, want nothing but this.
    fn add_dense(
        &mut self,
        rows: Rows<'_>,
        groups: &[u32],
        added: &[Added<'_>],
        own: &[usize],
        aggregates: &mut [Planned],
    ) -> Result<(), ExecError> {
        let Set { slots, counts, masks, dense, .. } = self;
        let Some(counts) = masks.first().map(|&mask| &mut counts[mask]) else { return Ok(()) };
        let summed = |(&place, added): (&usize, &Added<'_>)| matches!(added, Added::Digits(_)).then_some(place);
        let summed: Vec<usize> = own.iter().zip(added).filter_map(summed).collect();
        dense.add(rows, groups, added, |group, count, sums| {
            let slot = slots.slot(group) as usize;
            let cells = slots.len();
            counts.resize(cells, 0);
            counts[slot] += count;
            let mut all = summed.iter().zip(sums);
            all.try_for_each(|(&place, &digits)| aggregates[place].measured.add_digits(slot, digits, cells))
        })
    }
}

/// The rows that any of several conditions takes; none: all.
fn any<'a>(masks: impl Iterator<Item = &'a Option<BooleanBuffer>>) -> Option<BooleanBuffer> {
    let mut all: Option<BooleanBuffer> = None;
    for mask in masks {
        let mask = mask.as_ref()?;
        all = Some(match all {
            None => mask.clone(),
            Some(all) => &all | mask,
        });
    }
    all
}

fn position<T: PartialEq>(values: &mut Vec<T>, value: T) -> usize {
    match values.iter().position(|v| *v == value) {
        Some(known) => known,
        None => {
            values.push(value);
            values.len() - 1
        }
    }
}

pub(super) fn with_keys(program: &Program, node: usize) -> Result<(Type, Option<Arc<StringArray>>), ExecError> {
    let ty = program.ty(node).clone();
    let keys = match &ty {
        Type::Id(entity) => Some(program.keys(entity)?),
        _ => None,
    };
    Ok((ty, keys))
}

fn planned(
    program: &Program,
    source: &Source,
    aggregate: &Aggregate,
    (mask, args, set): (usize, Vec<usize>, usize),
    reading: &Reading,
    mut ids: Ids,
) -> Result<Planned, ExecError> {
    let (ty, keys) = match args.first() {
        Some(&arg) => with_keys(program, arg)?,
        None => (Type::Missing, None),
    };
    let mut counted = None;
    if let Measure::Unique(of) = &aggregate.measure {
        let count = if let Type::Id(entity) = &ty { program.ids(entity) } else { 0 };
        ids.share.note_ids(count);
        if let Type::Id(_) = &ty {
            counted = args.first().copied();
            // Where the labels follow from the entity, it is in one cell per period.
            let of_one_group = aggregate.labels.iter().all(|label| follows_from(label, of));
            let range = ids.share.ids(count);
            ids = Ids { count: range.len(), range, of_one_group, ..ids };
        }
    }
    let plugin = match &aggregate.measure {
        Measure::Plugin { name, args } => match source.functions.aggregates.get(name) {
            Some(function) => Some((function.start()?, args.iter().map(|a| a.unit.clone()).collect())),
            None => None,
        },
        _ => None,
    };
    let outcome = Outcome::of(&ty);
    let pieces = match reading {
        Reading::Pieces(pieces) => Some(pieces),
        Reading::Plain | Reading::Apart(_) => None,
    };
    let rank = match aggregate.measure {
        Measure::Best { .. } => args.get(1).map(|&rank| program.ty(rank).clone()),
        _ => None,
    };
    let measured = Measured::new(&aggregate.measure, ty, keys, ids, plugin, pieces, rank)?;
    let conversions = args.iter().flat_map(|&arg| program.conversions(arg)).collect();
    Ok(Planned { mask, args, set, measured, outcome, counted, conversions })
}

/// How many bytes each aggregate that counts distinct values may take, where others may be computed beside it; none: no
/// limit.
pub(super) fn bytes_max(pass: &Pass, source: &Source) -> Option<u64> {
    let counted = pass.aggregates.iter().filter(|a| matches!(a.measure, Measure::Unique(_))).count() as u64;
    source.made.bytes_max().map(|bytes| bytes / counted.max(1) / source.threads as u64)
}

/// Whether a row's value is the same in all rows in which `id` is.
pub(super) fn follows_from(row: &Row, id: &Row) -> bool {
    if row == id {
        return true;
    }
    match &row.node {
        RowNode::Const(_) => true,
        RowNode::Attribute { of, history: false, .. } | RowNode::Key { of, .. } => follows_from(of, id),
        RowNode::Call { args, .. } => args.iter().all(|a| follows_from(a, id)),
        RowNode::Case { whens, otherwise } => {
            let all = |(c, v): &(Row, Row)| follows_from(c, id) && follows_from(v, id);
            whens.iter().all(all) && otherwise.as_ref().is_none_or(|o| follows_from(o, id))
        }
        RowNode::At
        | RowNode::Field(_)
        | RowNode::Role(_)
        | RowNode::Attribute { history: true, .. }
        | RowNode::History(_)
        | RowNode::State { .. }
        | RowNode::StateAverage { .. }
        | RowNode::TimeIn { .. }
        | RowNode::Lifecycle { .. }
        | RowNode::Tile { .. }
        | RowNode::Modelled(_)
        | RowNode::Step { .. }
        | RowNode::Convert { .. }
        | RowNode::Plugin { .. } => false,
    }
}

fn plugin_type(unit: &Unit) -> DataType {
    match (Type::of_unit(unit), &unit.kind) {
        (Type::Decimal(_), Kind::Count) => DataType::Int64,
        (Type::Decimal(_), _) => DataType::Float64,
        (other, _) => crate::rows::arrow_type(&other),
    }
}
