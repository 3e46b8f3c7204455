//! Rows as they go by, folded per group, and what has been gathered of them.

use super::{Batch, Leaf, Other, Part};
use crate::ExecError;
use crate::pass::Lot;
use crate::pass::fold::Fold;
use crate::rows::{Column, Payload, Program, Type, Values};
use arrow_buffer::NullBuffer;
use kepi_model::core;

impl Other {
    pub(super) fn new(base: &core::Base, outer: &Program) -> Result<Other, ExecError> {
        let program = Program::of_base(base, &outer.source, &outer.zone, outer.now)?;
        Ok(Other { program, frames: None, at: None, len: 0, next: 0, ended: false })
    }

    /// Adds all rows that are not later than a moment.
    pub(super) fn advance(&mut self, moment: i64, leaves: &mut [Leaf], lot: &Lot) -> Result<(), ExecError> {
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
    ///
    /// Errors: there is no memory for the groups of all entities; something cannot be computed.
    pub(super) fn load<'c>(&mut self, value: impl Fn(usize) -> &'c Column, len: usize) -> Result<(), ExecError> {
        if self.of.len() < self.ids {
            self.taken.push(self.source.take(self.ids * size_of::<Vec<u32>>())?);
            self.of = vec![Vec::new(); self.ids];
        }
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
    pub(super) fn add(&mut self, row: usize, at: i64, lot: &Lot) -> Result<(), ExecError> {
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
            // Of each group the number in the list of its entity, its labels, a count and a value.
            let each = 16 + 16 * self.labels.len() + if self.values.is_some() { 32 } else { 8 };
            self.taken.push(self.source.take((room - self.listed.len()) * each)?);
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
    pub(super) fn gather(&mut self, row: usize, id: usize, lower: i64) -> usize {
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
    pub(super) fn part(&mut self) -> Part {
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
pub(super) fn everybody(labels: &[&Column], in_periods: bool) -> Option<NullBuffer> {
    let period = labels.last().copied().filter(|_| in_periods);
    let entities = labels.iter().copied().filter(|label| matches!(label.values, Values::Id(..)));
    entities.chain(period).fold(None, |known, label| NullBuffer::union(known.as_ref(), label.valid.as_ref()))
}

/// Values, and behind the last of them that of nothing.
pub(super) fn column(found: Vec<Option<i64>>, nothing: Option<i64>, payload: &mut Payload) -> Column {
    let all = || found.iter().copied().chain([nothing]);
    let valid = NullBuffer::from_iter(all().map(|value| value.is_some()));
    payload.decode(all().map(Option::unwrap_or_default).collect(), Some(valid))
}
