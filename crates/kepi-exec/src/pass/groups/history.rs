//! Groups of a history: `max(sum(orders.amount) per month)` of a row's subject, as of the row.
//!
//! Rows are folded per group while they go by, and a row that asks gets its subject's groups as they are by then. What is
//! made of the groups (their values, groups of them in turn, the aggregate of all) is computed for many such rows together.

use super::inner::{AGGREGATE, PERIOD, names, row_of};
use super::of;
use crate::ExecError;
use crate::pass::fold::{Fold, type_of};
use crate::pass::labels::Groups as Numbers;
use crate::pass::{Lot, Over};
use crate::rows::{Base, Clock, Column, Days, Frame, Frames, Payload, Program, Type, Values, common_type, take};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use kepi_model::calendar::Grain;
use kepi_model::core::{self, Aggregate, Groups, History, Measure, Op, Row, RowNode};
use kepi_model::value::{CalendarSpan, Kind, Unit};
use std::collections::HashMap;
use std::fmt;

/// So many groups are gathered before something is computed of them.
const GATHERED_MAX: usize = 1 << 17;

/// An aggregate over the groups of an entity's history.
pub(crate) struct Grouped {
    subject: usize,
    over: Over,
    feeds: Vec<Feed>,
    level: Level,
    mask: Option<usize>,
    argument: Option<usize>,
    measure: Measure,
    result: Type,
    days: Days,
    lot: Lot,
}

/// The rows that groups are made of: those that ask, or those of another stream.
struct Feed {
    base: core::Base,
    other: Option<Other>,
    leaves: Vec<Leaf>,
}

/// Another stream, read as far as time has gone.
struct Other {
    program: Program,
    frames: Option<Frames>,
    at: Option<ScalarBuffer<i64>>,
    len: usize,
    next: usize,
    ended: bool,
}

/// What one aggregate keeps per group.
struct Leaf {
    mask: Option<usize>,
    /// The keys of groups and, where they have one, their period.
    labels: Vec<usize>,
    /// Whether the last of them is a period.
    in_periods: bool,
    /// Which of them is the subject.
    subject: usize,
    argument: Option<usize>,
    numbers: Numbers,
    counts: Fold,
    values: Option<Fold>,
    result: Payload,
    /// By id the numbers of the entity's groups.
    of: Vec<Vec<u32>>,
    /// By number whether it is among them.
    listed: Vec<bool>,
    batch: Batch,
    /// What has been gathered: for which row that asks, which group, with which value.
    rows: Vec<u32>,
    groups: Vec<u32>,
    found: Vec<Option<i64>>,
}

/// The rows of a batch, ready to be added.
#[derive(Default)]
struct Batch {
    taken: Option<BooleanBuffer>,
    ids: Option<(ScalarBuffer<u32>, Option<NullBuffer>)>,
    groups: Vec<u32>,
    known: Option<BooleanBuffer>,
    values: Option<ScalarBuffer<i64>>,
}

/// Groups, and what their value is computed of.
struct Level {
    labels: Vec<Type>,
    names: Vec<String>,
    grain: Option<Grain>,
    inner: Vec<Inner>,
    program: Program,
}

/// An aggregate inside of groups.
enum Inner {
    /// Over rows: which feed, which of its leaves.
    Leaf(usize, usize),
    /// Over groups in turn.
    Nested(Box<Nested>),
}

/// An aggregate over groups that lie in groups.
struct Nested {
    level: Level,
    mask: Option<usize>,
    labels: Vec<usize>,
    period: Option<usize>,
    argument: Option<usize>,
    measure: Measure,
    result: Type,
}

/// The groups that an aggregate has something of.
struct Part {
    /// For which row that asks.
    rows: Vec<u32>,
    /// Their keys and, where they have one, their period.
    labels: Vec<Column>,
    /// Their values, and behind the last of them that of nothing.
    values: Column,
}

/// What rows ask from: their moments, the instants behind which what they look at begins.
struct Asked<'a> {
    moments: &'a [i64],
    lowers: &'a [i64],
}

/// Where groups are made for: the outer rows.
struct Making<'a> {
    outer: &'a mut Program,
    feeds: Vec<Feed>,
    /// Which key is the subject.
    subject: usize,
    bounded: bool,
}

impl fmt::Debug for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grouped")
            .field("subject", &self.subject)
            .field("measure", &self.measure)
            .finish_non_exhaustive()
    }
}

impl Grouped {
    /// Compiles an aggregate over groups of a history.
    pub(crate) fn new(
        outer: &mut Program,
        history: &History,
        of_time: Option<(&Op, &Unit)>,
        subject: usize,
        over: Over,
    ) -> Result<Grouped, ExecError> {
        let Some(groups) = of(&history.events.base) else {
            return Err(ExecError::Plan("a history of groups has none".into()));
        };
        if !outer.is_dated() {
            return Err(ExecError::NotYet("groups of a history seen from rows without a moment".into()));
        }
        let key = match &history.key.node {
            RowNode::Role(name) => names(groups).iter().position(|own| own == name),
            _ => None,
        };
        let Some(key) = key else { return Err(ExecError::Plan("groups of a history are of nobody".into())) };
        let mut making = Making { outer, feeds: Vec::new(), subject: key, bounded: over != Over::All };
        let mut level = making.level(groups, None)?;
        let feeds = making.feeds;
        let mask = level.program.rows_of(&history.events, history.filter.as_ref())?;
        let argument = level.program.argument_of(&history.measure, of_time)?;
        level.checked()?;
        let ty = argument.map_or(Type::Missing, |a| level.program.ty(a).clone());
        let result = type_of(&history.measure, &ty)?;
        let measure = history.measure.clone();
        let (days, lot) = (Days::default(), Lot::ALL);
        Ok(Grouped { subject, over, feeds, level, mask, argument, measure, result, days, lot })
    }

    /// The type of what it gives.
    pub(crate) fn ty(&self) -> Type {
        self.result.clone()
    }

    /// Whose history it is: a node.
    pub(crate) fn subject(&self) -> usize {
        self.subject
    }

    /// Looks only at the rows of some entities.
    pub(crate) fn look_at(&mut self, lot: Lot) {
        self.lot = lot;
    }

    /// How many rows of other streams were read.
    pub(crate) fn rows_scanned(&self) -> u64 {
        let others = self.feeds.iter().filter_map(|feed| feed.other.as_ref());
        others.map(|o| o.frames.as_ref().map_or(0, Frames::scanned) + o.program.rows_scanned_elsewhere()).sum()
    }

    /// Computes, for each row, what its subject's groups come to by then.
    pub(crate) fn evaluate(
        &mut self,
        values: &[Column],
        frame: &Frame,
        clock: &mut Clock,
    ) -> Result<Column, ExecError> {
        let Some(at) = &frame.at else { return Err(ExecError::Plan("a row has no moment".into())) };
        // What lies in the cell does so wherever it is asked from.
        let end = frame.cell_end.filter(|_| self.over == Over::Period);
        let moments: Vec<i64> = at.iter().map(|at| end.unwrap_or(*at).saturating_sub(frame.back)).collect();
        let lowers = self.lowers(frame, at, clock);
        let asked = Asked { moments: &moments, lowers: &lowers };
        let subjects = match &values[self.subject].values {
            Values::Id(ids, _) => Some((ids, values[self.subject].valid.as_ref())),
            _ => None,
        };
        for feed in self.feeds.iter_mut().filter(|feed| feed.other.is_none()) {
            feed.leaves.iter_mut().try_for_each(|leaf| leaf.load(|node| &values[node], frame.len))?;
        }
        let argument = self.argument.map_or(Type::Missing, |a| self.level.program.ty(a).clone());
        let mut fold = Fold::new(&self.measure, argument, frame.len, false);
        let mut gathered = 0;
        for row in 0..frame.len {
            for feed in &mut self.feeds {
                match &mut feed.other {
                    None => {
                        for leaf in &mut feed.leaves {
                            leaf.add(row, at[row], &self.lot)?;
                        }
                    }
                    Some(other) => other.advance(moments[row], &mut feed.leaves, &self.lot)?,
                }
            }
            if let Some((ids, known)) = subjects
                && known.is_none_or(|k| k.is_valid(row))
            {
                for leaf in self.feeds.iter_mut().flat_map(|feed| &mut feed.leaves) {
                    gathered += leaf.gather(row, ids[row] as usize, lowers[row]);
                }
            }
            if gathered >= GATHERED_MAX {
                self.fold_groups(&mut fold, &asked)?;
                gathered = 0;
            }
        }
        self.fold_groups(&mut fold, &asked)?;
        let read: Vec<Option<i64>> = (0..frame.len).map(|row| fold.read(row, i64::MIN)).collect();
        let valid = NullBuffer::from_iter(read.iter().map(Option::is_some));
        let numbers = read.into_iter().map(Option::unwrap_or_default).collect();
        Ok(match self.result {
            Type::Text => fold.argument.decode(numbers, Some(valid)),
            _ => Payload::new(self.result.clone()).decode(numbers, Some(valid)),
        })
    }

    /// The instants behind which each row's history begins.
    fn lowers(&mut self, frame: &Frame, at: &ScalarBuffer<i64>, clock: &mut Clock) -> Vec<i64> {
        match (self.over, &frame.cell_starts) {
            (Over::Last(span), _) => {
                let back = CalendarSpan { months: -span.months, days: -span.days, micros: -span.micros };
                let lowers = clock.add_all(back, &mut self.days, at);
                lowers.into_iter().map(|lower| lower.saturating_sub(frame.back)).collect()
            }
            (Over::Period, Some(starts)) => starts.iter().map(|start| start.saturating_sub(1)).collect(),
            (Over::All, _) | (Over::Period, None) => vec![i64::MIN; frame.len],
        }
    }

    /// Computes the groups that were gathered, and adds them to the rows that asked.
    fn fold_groups(&mut self, fold: &mut Fold, asked: &Asked<'_>) -> Result<(), ExecError> {
        let rows = self.level.evaluate(&mut self.feeds, asked)?;
        let program = &self.level.program;
        let mask = self.mask.map(|mask| program.value(mask).mask()).transpose()?;
        let argument = self.argument.map(|argument| program.value(argument));
        let numbers = argument.map(|column| fold.argument.encode(column)).transpose()?;
        for (group, &row) in rows.iter().enumerate() {
            let counts = mask.as_ref().is_none_or(|mask| mask.value(group));
            if counts && argument.is_none_or(|argument| argument.is_known(group)) {
                fold.add(row as usize, 0, numbers.as_ref().map_or(0, |numbers| numbers[group]))?;
            }
        }
        Ok(())
    }
}

impl Making<'_> {
    /// Compiles groups; without a period of their own they have that of the groups that they lie in.
    fn level(&mut self, groups: &Groups, around: Option<&Grain>) -> Result<Level, ExecError> {
        let grain = groups.per.as_ref().or(around).cloned();
        let names = names(groups);
        let mut labels = vec![Type::Missing; names.len()];
        let (mut inner, mut columns) = (Vec::new(), vec![(PERIOD.to_string(), Type::Time)]);
        for (i, aggregate) in groups.aggregates.iter().enumerate() {
            if !aggregate.moved.is_empty() {
                return Err(ExecError::Plan("groups of moved windows are made apart".into()));
            }
            let (made, types, value) = match of(&aggregate.events.base) {
                Some(nested) => self.nested(nested, aggregate, grain.as_ref())?,
                None => self.leaf(aggregate, grain.as_ref())?,
            };
            for (label, ty) in labels.iter_mut().zip(types) {
                *label = common_type(&[label.clone(), ty])?;
            }
            inner.push(made);
            columns.push((format!("{AGGREGATE}{i}"), value));
        }
        columns.splice(1..1, names.iter().cloned().zip(labels.iter().cloned()));
        let value = row_of(&groups.value, &names)?;
        let outer = &self.outer;
        let base = Base::Groups(columns, Box::new(value));
        let program = Program::new(base, &outer.source, &outer.zone, outer.now)?;
        Ok(Level { labels, names, grain, inner, program })
    }

    /// Compiles an aggregate over groups in groups: with the types of its labels and of its value.
    fn nested(
        &mut self,
        groups: &Groups,
        aggregate: &Aggregate,
        around: Option<&Grain>,
    ) -> Result<(Inner, Vec<Type>, Type), ExecError> {
        let mut level = self.level(groups, around)?;
        let program = &mut level.program;
        let mask = program.rows_of(&aggregate.events, aggregate.filter.as_ref())?;
        let labels = aggregate.labels.iter().map(|label| program.row(label)).collect::<Result<Vec<_>, _>>()?;
        let argument = program.argument(&aggregate.measure)?;
        let period = match around {
            Some(grain) => {
                let own = Row { unit: Unit::of(Kind::Time), node: RowNode::Field(PERIOD.into()) };
                let own = program.row(&own)?;
                Some(program.time_node(&Op::Truncate(grain.clone()), own, &Unit::of(Kind::Time))?)
            }
            None => None,
        };
        let types = labels.iter().map(|&label| program.ty(label).clone()).collect();
        let ty = argument.map_or(Type::Missing, |a| program.ty(a).clone());
        let result = type_of(&aggregate.measure, &ty)?;
        level.checked()?;
        let measure = aggregate.measure.clone();
        let nested = Nested { level, mask, labels, period, argument, measure, result: result.clone() };
        Ok((Inner::Nested(Box::new(nested)), types, result))
    }

    /// Compiles an aggregate over rows: with the types of its labels and of its value.
    fn leaf(&mut self, aggregate: &Aggregate, grain: Option<&Grain>) -> Result<(Inner, Vec<Type>, Type), ExecError> {
        let base = &aggregate.events.base;
        if matches!(base, core::Base::Entity(_)) {
            return Err(ExecError::Plan("groups of states are made apart".into()));
        }
        let feed = match self.feeds.iter().position(|feed| feed.base == *base) {
            Some(feed) => feed,
            None => {
                let other = match self.outer.reads(base) {
                    true => None,
                    false => Some(Other::new(base, self.outer)?),
                };
                self.feeds.push(Feed { base: base.clone(), other, leaves: Vec::new() });
                self.feeds.len() - 1
            }
        };
        let own = self.feeds[feed].other.is_none();
        let program = match &mut self.feeds[feed].other {
            Some(other) => &mut other.program,
            None => &mut *self.outer,
        };
        let mask = program.rows_of(&aggregate.events, aggregate.filter.as_ref())?;
        let mut labels = aggregate.labels.iter().map(|label| program.row(label)).collect::<Result<Vec<_>, _>>()?;
        let types: Vec<Type> = labels.iter().map(|&label| program.ty(label).clone()).collect();
        let argument = program.argument(&aggregate.measure)?;
        if let Some(grain) = grain {
            let at = program.row(&Row { unit: Unit::of(Kind::Time), node: RowNode::At })?;
            labels.push(program.time_node(&Op::Truncate(grain.clone()), at, &Unit::of(Kind::Time))?);
        }
        if own {
            program.needs_past = true;
        } else if program.needs_period {
            return Err(ExecError::NotYet("`over period` inside another history".into()));
        }
        let room = match types.get(self.subject) {
            Some(Type::Id(entity)) => program.ids(entity),
            _ => 0,
        };
        let ty = argument.map_or(Type::Missing, |a| program.ty(a).clone());
        let result = type_of(&aggregate.measure, &ty)?;
        let all = labels.iter().map(|&label| (program.ty(label).clone(), None)).collect();
        let leaf = Leaf {
            mask,
            labels,
            in_periods: grain.is_some(),
            subject: self.subject,
            argument,
            numbers: Numbers::new(all),
            counts: Fold::new(&Measure::Count, Type::Missing, 0, self.bounded),
            values: argument.map(|_| Fold::new(&aggregate.measure, ty, 0, self.bounded)),
            result: Payload::new(result.clone()),
            of: vec![Vec::new(); room],
            listed: Vec::new(),
            batch: Batch::default(),
            rows: Vec::new(),
            groups: Vec::new(),
            found: Vec::new(),
        };
        let leaves = &mut self.feeds[feed].leaves;
        leaves.push(leaf);
        Ok((Inner::Leaf(feed, leaves.len() - 1), types, result))
    }
}

impl Other {
    fn new(base: &core::Base, outer: &Program) -> Result<Other, ExecError> {
        let program = Program::of_base(base, &outer.source, &outer.zone, outer.now)?;
        Ok(Other { program, frames: None, at: None, len: 0, next: 0, ended: false })
    }

    /// Adds all rows that are not later than a moment.
    fn advance(&mut self, moment: i64, leaves: &mut [Leaf], lot: &Lot) -> Result<(), ExecError> {
        loop {
            while self.next < self.len {
                let at = self.at.as_ref().map_or(i64::MIN, |at| at[self.next]);
                if at > moment {
                    return Ok(());
                }
                leaves.iter_mut().try_for_each(|leaf| leaf.add(self.next, at, lot))?;
                self.next += 1;
            }
            if self.ended {
                return Ok(());
            }
            let program = &mut self.program;
            let frames = match &mut self.frames {
                Some(frames) => frames,
                none => none.insert(program.frames(None, None)?),
            };
            let Some(frame) = frames.next(program)? else {
                (self.ended, self.len, self.next, self.at) = (true, 0, 0, None);
                return Ok(());
            };
            program.evaluate(&frame)?;
            leaves.iter_mut().try_for_each(|leaf| leaf.load(|node| program.value(node), frame.len))?;
            (self.at, self.len, self.next) = (frame.at, frame.len, 0);
        }
    }
}

impl Leaf {
    /// Makes the rows of a batch ready.
    fn load<'c>(&mut self, value: impl Fn(usize) -> &'c Column, len: usize) -> Result<(), ExecError> {
        let labels: Vec<&Column> = self.labels.iter().map(|&label| value(label)).collect();
        let argument = self.argument.map(&value);
        let numbers = self.values.as_mut().zip(argument).map(|(fold, column)| fold.argument.encode(column));
        self.batch = Batch {
            taken: self.mask.map(|mask| value(mask).mask()).transpose()?,
            ids: match &labels[self.subject].values {
                Values::Id(ids, _) => Some((ids.clone(), everybody(&labels, self.in_periods))),
                _ => None,
            },
            groups: self.numbers.encode(&labels, 0..len)?,
            known: argument.and_then(Column::known),
            values: numbers.transpose()?,
        };
        Ok(())
    }

    /// Adds a row of the batch.
    fn add(&mut self, row: usize, at: i64, lot: &Lot) -> Result<(), ExecError> {
        let Batch { taken, ids, groups, known, values } = &self.batch;
        let Some((ids, valid)) = ids else { return Ok(()) };
        let id = ids[row] as usize;
        let counts = taken.as_ref().is_none_or(|t| t.value(row)) && valid.as_ref().is_none_or(|v| v.is_valid(row));
        if !counts || id >= self.of.len() || !lot.has(id) {
            return Ok(());
        }
        let group = groups[row] as usize;
        if group >= self.listed.len() {
            let room = (group + 1).next_power_of_two();
            self.listed.resize(room, false);
            self.counts.grow(room);
            if let Some(fold) = &mut self.values {
                fold.grow(room);
            }
        }
        if !std::mem::replace(&mut self.listed[group], true) {
            self.of[id].push(groups[row]);
        }
        self.counts.add(group, at, 0)?;
        match (&mut self.values, values) {
            (Some(fold), Some(values)) if known.as_ref().is_none_or(|known| known.value(row)) => {
                fold.add(group, at, values[row])
            }
            _ => Ok(()),
        }
    }

    /// Gathers an entity's groups as they are now, of rows later than `lower`, for a row that asks; how many there are.
    fn gather(&mut self, row: usize, id: usize, lower: i64) -> usize {
        let Some(groups) = self.of.get(id) else { return 0 };
        let before = self.rows.len();
        for &group in groups {
            let count = self.counts.read(group as usize, lower);
            if count.is_none_or(|count| count == 0) {
                continue;
            }
            self.rows.push(row as u32);
            self.groups.push(group);
            self.found.push(match &mut self.values {
                Some(fold) => fold.read(group as usize, lower),
                None => count,
            });
        }
        self.rows.len() - before
    }

    /// What was gathered since the last time.
    fn part(&mut self) -> Part {
        let (rows, groups, found) =
            (std::mem::take(&mut self.rows), std::mem::take(&mut self.groups), std::mem::take(&mut self.found));
        let nothing = self.values.as_ref().map_or(Some(0), Fold::nothing);
        let texts = self.values.as_mut().map(|fold| &mut fold.argument).filter(|p| *p.ty() == Type::Text);
        let values = column(
            found,
            nothing,
            match *self.result.ty() {
                Type::Text => texts.unwrap_or(&mut self.result),
                _ => &mut self.result,
            },
        );
        Part { rows, labels: self.numbers.columns(groups), values }
    }
}

/// The rows that lack no entity by which groups are made, and no period: of nobody there is no group.
fn everybody(labels: &[&Column], in_periods: bool) -> Option<NullBuffer> {
    let period = labels.last().copied().filter(|_| in_periods);
    let entities = labels.iter().copied().filter(|label| matches!(label.values, Values::Id(..)));
    entities.chain(period).fold(None, |known, label| NullBuffer::union(known.as_ref(), label.valid.as_ref()))
}

/// Values, and behind the last of them that of nothing.
fn column(found: Vec<Option<i64>>, nothing: Option<i64>, payload: &mut Payload) -> Column {
    let all = || found.iter().copied().chain([nothing]);
    let valid = NullBuffer::from_iter(all().map(|value| value.is_some()));
    payload.decode(all().map(Option::unwrap_or_default).collect(), Some(valid))
}

impl Nested {
    /// The groups around those of a level.
    fn part(&mut self, feeds: &mut [Feed], asked: &Asked<'_>) -> Result<Part, ExecError> {
        let rows = self.level.evaluate(feeds, asked)?;
        let program = &self.level.program;
        let mask = self.mask.map(|mask| program.value(mask).mask()).transpose()?;
        let labels: Vec<&Column> = self.labels.iter().chain(&self.period).map(|&label| program.value(label)).collect();
        let argument = self.argument.map(|argument| program.value(argument));
        let of_row = Column::new(Values::Decimal(rows.iter().map(|&row| i64::from(row)).collect(), 0), None);
        let types = self.labels.iter().chain(&self.period).map(|&label| program.ty(label).clone());
        let mut numbers = Numbers::new([Type::Decimal(0)].into_iter().chain(types).map(|ty| (ty, None)).collect());
        let all: Vec<&Column> = [&of_row].into_iter().chain(labels).collect();
        let groups = numbers.encode(&all, 0..rows.len())?;
        let ty = self.argument.map_or(Type::Missing, |a| program.ty(a).clone());
        let mut fold = Fold::new(&self.measure, ty, 0, false);
        let encoded = argument.map(|column| fold.argument.encode(column)).transpose()?;
        let (mut cells, mut found) = (HashMap::new(), Vec::new());
        let period = self.period.map(|period| program.value(period));
        for (group, &number) in groups.iter().enumerate() {
            let lacks_period = period.is_some_and(|period| !period.is_known(group));
            if lacks_period || mask.as_ref().is_some_and(|mask| !mask.value(group)) {
                continue;
            }
            let cell = *cells.entry(number).or_insert_with(|| {
                found.push((rows[group], number));
                found.len() - 1
            });
            fold.grow(found.len());
            if argument.is_none_or(|argument| argument.is_known(group)) {
                fold.add(cell, 0, encoded.as_ref().map_or(0, |values| values[group]))?;
            }
        }
        let values = (0..found.len()).map(|cell| fold.read(cell, i64::MIN)).collect();
        let nothing = fold.nothing();
        let values = match self.result {
            Type::Text => column(values, nothing, &mut fold.argument),
            _ => column(values, nothing, &mut Payload::new(self.result.clone())),
        };
        let mut labels = numbers.columns(found.iter().map(|cell| cell.1).collect());
        labels.remove(0);
        Ok(Part { rows: found.into_iter().map(|cell| cell.0).collect(), labels, values })
    }
}

impl Level {
    /// Groups come in the order of those that ask, not of time: nothing of them may look back.
    fn checked(&self) -> Result<(), ExecError> {
        match self.program.looks_back() {
            true => Err(ExecError::Plan("groups chosen by what looks back are made apart".into())),
            false => Ok(()),
        }
    }

    /// Computes what was gathered of the groups; for each of them which row asks, in the order of these rows and of time.
    fn evaluate(&mut self, feeds: &mut [Feed], asked: &Asked<'_>) -> Result<Vec<u32>, ExecError> {
        let mut parts = Vec::new();
        for inner in &mut self.inner {
            parts.push(match inner {
                Inner::Leaf(feed, leaf) => feeds[*feed].leaves[*leaf].part(),
                Inner::Nested(nested) => nested.part(feeds, asked)?,
            });
        }
        let Part { rows, mut labels, .. } = self.joined(&mut parts)?;
        let period = match (&self.grain, labels.pop()) {
            (Some(_), last) => last,
            (None, last) => {
                labels.extend(last);
                None
            }
        };
        let zone = self.program.clock.zone();
        let mut ends: HashMap<i64, i64> = HashMap::new();
        let periods = match period.as_ref().map(|period| &period.values) {
            Some(Values::Time(times)) => Some(times.clone()),
            _ => None,
        };
        let moment = |row: usize| asked.moments[rows[row] as usize].saturating_add(1);
        let at = (0..rows.len()).map(|row| match (&periods, &self.grain) {
            (Some(periods), Some(grain)) => {
                let period = periods[row];
                let end = ends.entry(period).or_insert_with(|| zone.step(grain, period, 1));
                (*end).min(moment(row))
            }
            _ => moment(row),
        });
        let at: ScalarBuffer<i64> = at.collect();
        let starts = || rows.iter().map(|&row| asked.lowers[row as usize].saturating_add(1));
        let period = period.unwrap_or_else(|| {
            let known = BooleanBuffer::collect_bool(rows.len(), |row| asked.lowers[rows[row] as usize] > i64::MIN);
            Column::new(Values::Time(starts().collect()), Some(NullBuffer::new(known)))
        });
        let mut columns = Vec::new();
        for name in self.program.scanned() {
            let aggregate = name.strip_prefix(AGGREGATE).and_then(|number| number.parse::<usize>().ok());
            let label = self.names.iter().position(|own| *own == name);
            columns.push(match (aggregate, label) {
                (Some(i), _) => parts[i].values.clone(),
                (None, Some(label)) => labels[label].clone(),
                (None, None) => period.clone(),
            });
        }
        let frame = Frame {
            len: rows.len(),
            columns,
            at: Some(at),
            back: 1,
            ids: None,
            cell_starts: self.program.needs_period.then(|| starts().collect()),
            cell_end: None,
            window: 0..rows.len(),
        };
        self.program.evaluate(&frame)?;
        Ok(rows)
    }

    /// Matches the groups of all aggregates, none lost, and brings them in order; their values become those of all.
    fn joined(&self, parts: &mut [Part]) -> Result<Part, ExecError> {
        let types = self.labels.iter().cloned().chain(self.grain.iter().map(|_| Type::Time));
        let mut numbers = Numbers::new([Type::Decimal(0)].into_iter().chain(types).map(|ty| (ty, None)).collect());
        let (mut cells, mut found): (HashMap<u32, usize>, Vec<(u32, u32)>) = Default::default();
        let mut places = Vec::new();
        for part in parts.iter() {
            let of_row = Column::new(Values::Decimal(part.rows.iter().map(|&row| i64::from(row)).collect(), 0), None);
            let all: Vec<&Column> = [&of_row].into_iter().chain(&part.labels).collect();
            let groups = numbers.encode(&all, 0..part.rows.len())?;
            let mut own = HashMap::with_capacity(groups.len());
            for (place, (&row, number)) in part.rows.iter().zip(groups).enumerate() {
                let cell = *cells.entry(number).or_insert_with(|| {
                    found.push((row, number));
                    found.len() - 1
                });
                own.insert(cell, place as u32);
            }
            places.push(own);
        }
        let labels = numbers.columns(found.iter().map(|cell| cell.1).collect());
        let period = |cell: usize| match labels.last().map(|last| &last.values) {
            Some(Values::Time(times)) if self.grain.is_some() => times[cell],
            _ => 0,
        };
        let mut order: Vec<usize> = (0..found.len()).collect();
        order.sort_by_key(|&cell| (found[cell].0, period(cell)));
        for (part, own) in parts.iter_mut().zip(places) {
            // Behind the last value stands that of nothing.
            let nothing = part.rows.len() as u32;
            let rows: Vec<u32> = order.iter().map(|cell| own.get(cell).copied().unwrap_or(nothing)).collect();
            part.values = take(&part.values, &rows, None);
        }
        let rows: Vec<u32> = order.iter().map(|&cell| cell as u32).collect();
        let labels = labels.iter().skip(1).map(|label| take(label, &rows, None)).collect();
        Ok(Part { rows: order.iter().map(|&cell| found[cell].0).collect(), labels, values: Column::missing(0) })
    }
}
