//! The values of groups, and of groups that lie in them, computed for many rows together.

use super::leaf::column;
use super::{Asked, Feed, Inner, Level, Nested, Part};
use crate::ExecError;
use crate::pass::fold::Fold;
use crate::pass::groups::inner::AGGREGATE;
use crate::pass::labels::Groups as Numbers;
use crate::rows::{Column, Frame, Payload, Type, Values, take};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use std::collections::HashMap;

impl Nested {
    /// The groups around those of a level.
    pub(super) fn part(&mut self, feeds: &mut [Feed], asked: &Asked<'_>) -> Result<Part, ExecError> {
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
    pub(super) fn checked(&self) -> Result<(), ExecError> {
        match self.program.looks_back() {
            true => Err(ExecError::Plan("groups chosen by what looks back are made apart".into())),
            false => Ok(()),
        }
    }

    /// Computes what was gathered of the groups; for each of them which row asks, in the order of these rows and of time.
    pub(super) fn evaluate(&mut self, feeds: &mut [Feed], asked: &Asked<'_>) -> Result<Vec<u32>, ExecError> {
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
    pub(super) fn joined(&self, parts: &mut [Part]) -> Result<Part, ExecError> {
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
