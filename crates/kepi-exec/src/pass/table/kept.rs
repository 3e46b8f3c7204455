//! Cells as columns that are kept: as bytes, and with those of later rows added.

use super::Table;
use crate::ExecError;
use crate::number_bytes;
use crate::pass::Report;
use crate::pass::labels::{Groups, Slots};
use crate::pass::state::{Outcome, State};
use crate::rows::{Column, Payload, Type};
use arrow_array::StringArray;
use arrow_buffer::{BooleanBuffer, NullBuffer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What stands in front of the bytes; then come the numbers of each label.
#[derive(Serialize, Deserialize)]
struct Head {
    /// The periods, rising, and how many cells each has.
    periods: Vec<(Option<i64>, usize)>,
    /// Per label: the texts that its numbers stand for.
    texts: Vec<Vec<String>>,
    rows: Vec<Vec<i64>>,
    states: Vec<State>,
    outcomes: Vec<Outcome>,
    report: Report,
}

impl Table {
    /// As bytes; none: they cannot be written.
    pub(crate) fn to_bytes(&self, types: &[Type]) -> Result<Option<Vec<u8>>, ExecError> {
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        for (label, ty) in self.labels.iter().zip(types) {
            let mut payload = Payload::new(ty.clone());
            let own = payload.encode(label)?;
            let known = |(row, &number): (usize, &i64)| label.is_known(row).then_some(number);
            if !number_bytes::put(&mut numbers, own.iter().enumerate().map(known)) {
                return Ok(None);
            }
            texts.push(payload.texts().all().iter().map(|text| text.unwrap_or_default().to_string()).collect());
        }
        let head = Head {
            periods: self.stretches.iter().map(|(rows, period)| (*period, rows.len())).collect(),
            texts,
            rows: self.rows.clone(),
            states: self.states.clone(),
            outcomes: self.outcomes.clone(),
            report: self.report.clone(),
        };
        let head = postcard::to_allocvec(&head);
        let head = head.map_err(|e| ExecError::Failed(format!("cells cannot be kept: {e}")))?;
        Ok(Some([head, numbers].concat()))
    }

    /// Of bytes; none: they are other ones.
    pub(crate) fn from_bytes(bytes: &[u8], types: &[Type]) -> Option<Table> {
        let (head, mut rest) = postcard::take_from_bytes::<Head>(bytes).ok()?;
        let len: usize = head.periods.iter().map(|(_, cells)| cells).sum();
        let mut labels = Vec::with_capacity(types.len());
        for (ty, texts) in types.iter().zip(head.texts) {
            let numbers = number_bytes::take(&mut rest, |number| number)?;
            let known = NullBuffer::new(BooleanBuffer::collect_bool(numbers.len(), |row| numbers[row].is_some()));
            let mut payload = Payload::new(ty.clone());
            if !texts.is_empty() {
                payload.encode(&Column::of_array(&(std::sync::Arc::new(StringArray::from(texts)) as _)).ok()?).ok()?;
            }
            labels.push(payload.decode(numbers.into_iter().map(Option::unwrap_or_default).collect(), Some(known)));
        }
        let whole = labels.iter().all(|label| label.len() == len) && head.rows.iter().all(|rows| rows.len() == len);
        let mut begin = 0;
        let stretch = |(period, cells): (Option<i64>, usize)| {
            begin += cells;
            (begin - cells..begin, period)
        };
        let stretches = head.periods.into_iter().map(stretch).collect();
        let Head { rows, states, outcomes, report, .. } = head;
        (whole && rest.is_empty()).then_some(Table { stretches, labels, rows, states, outcomes, report })
    }

    /// Adds the cells of rows that come after those of these; both are of one pass.
    pub(crate) fn add(&mut self, later: Table, types: &[Type]) -> Result<(), ExecError> {
        let mut groups = Groups::new(types.iter().map(|ty| (ty.clone(), None)).collect());
        let mut number = |table: &Table| {
            let labels: Vec<&Column> = table.labels.iter().collect();
            groups.encode(&labels, 0..table.len())
        };
        let (own, theirs) = (number(self)?, number(&later)?);
        let mut slots = Slots::default();
        let (mut cells, mut places) = (Vec::with_capacity(self.len()), Vec::with_capacity(later.len()));
        let periods: BTreeSet<Option<i64>> = self.stretches.iter().chain(&later.stretches).map(|s| s.1).collect();
        for period in periods {
            slots.begin(period);
            for (table, numbers, places) in [(&*self, &own, &mut cells), (&later, &theirs, &mut places)] {
                let rows = table.stretches.iter().filter(|stretch| stretch.1 == period).flat_map(|s| s.0.clone());
                places.extend(rows.map(|row| slots.slot(numbers.get(row).copied().unwrap_or(0)) as usize));
            }
        }
        let len = slots.len();
        let labels = groups.columns(slots.cells().iter().map(|cell| cell.1).collect());
        let mut values = Vec::with_capacity(self.states.len());
        let before = self.rows.drain(..).zip(self.states.drain(..)).zip(self.outcomes.drain(..));
        for (((rows, state), outcome), (more, new)) in before.zip(later.rows.into_iter().zip(later.states)) {
            let mut all = vec![0; len];
            rows.into_iter().zip(&cells).for_each(|(rows, &cell)| all[cell] += rows);
            more.into_iter().zip(&places).for_each(|(rows, &cell)| all[cell] += rows);
            let mut state = state.scatter(&cells, len);
            state.merge(new.scatter(&places, len), false)?;
            values.push((all, state, outcome));
        }
        let mut report = std::mem::take(&mut self.report);
        report.merge(&later.report);
        *self = Table::sorted(slots.cells().iter().map(|cell| cell.0).collect(), labels, values);
        self.report = report;
        Ok(())
    }

    /// Makes counts of sets: nothing is added to them any more.
    pub(crate) fn close(&mut self) {
        self.states.iter_mut().for_each(State::close);
    }
}
