//! Groups of a history: `max(sum(orders.amount) per month)` of a row's subject, as of the row.
//!
//! Rows are folded per group while they go by, and a row that asks gets its subject's groups as they are by then. What is
//! made of the groups (their values, groups of them in turn, the aggregate of all) is computed for many such rows together.

mod leaf;
mod level;
mod making;

use super::inner::names;
use super::of;
use crate::ExecError;
use crate::made::Taken;
use crate::pass::fold::{Fold, type_of};
use crate::pass::labels::Groups as Numbers;
use crate::pass::{Lot, Over, Source};
use crate::rows::{Clock, Column, Days, Frame, Frames, Payload, Program, Type, Values};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use kepi_model::calendar::Grain;
use kepi_model::core::{self, History, Measure, Op, RowNode};
use kepi_model::value::{CalendarSpan, Unit};
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
    /// How many entities there are.
    ids: usize,
    /// By id the numbers of the entity's groups; empty until there are rows.
    of: Vec<Vec<u32>>,
    source: Source,
    /// What is counted as taken of the memory.
    taken: Vec<Taken>,
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
