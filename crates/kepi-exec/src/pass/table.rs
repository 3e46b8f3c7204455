//! Cells as columns, for who computes on with them: entities stay ids, texts stay codes.

mod kept;

use super::labels::{Groups, Slots};
use super::overlap;
use super::pieces::Pieces;
use super::plan::Segment;
use super::scalar::{CellKey, Scalar};
use super::state::{Cells, Outcome, State, value};
use super::together::together;
use super::{Pass, Report, Source};
use crate::ExecError;
use crate::rows::{Column, Type, Values, float_of, take};
use arrow_array::StringArray;
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::DataType;
use kepi_model::core::{Aggregate, Measure};
use kepi_model::value::Kind;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The cells of some aggregates, with their places among all.
pub(crate) type Placed = (Table, Vec<usize>);

/// The cells of some aggregates.
#[derive(Debug)]
pub(crate) struct Table {
    /// The cells of each period, the periods rising; without periods all of them.
    pub(crate) stretches: Vec<Segment>,
    /// One per label.
    pub(crate) labels: Vec<Column>,
    /// Per aggregate: how many rows each cell has.
    pub(crate) rows: Vec<Vec<i64>>,
    states: Vec<State>,
    outcomes: Vec<Outcome>,
    /// What the passes had to say.
    pub(crate) report: Report,
}

impl Table {
    /// Cells of these periods and labels, with the rows, values and outcome of each aggregate.
    pub(crate) fn sorted(
        mut periods: Vec<Option<i64>>,
        mut labels: Vec<Column>,
        mut values: Vec<(Vec<i64>, State, Outcome)>,
    ) -> Table {
        if !periods.is_sorted() {
            let mut order: Vec<u32> = (0..periods.len() as u32).collect();
            order.sort_by_key(|&i| periods[i as usize]);
            let mut places = vec![0; order.len()];
            order.iter().enumerate().for_each(|(place, &i)| places[i as usize] = place);
            labels.iter_mut().for_each(|label| *label = take(label, &order, None));
            let moved = |(rows, state, outcome): (Vec<i64>, State, Outcome)| {
                let rows = order.iter().map(|&i| rows[i as usize]).collect();
                (rows, state.scatter(&places, order.len()), outcome)
            };
            values = values.into_iter().map(moved).collect();
            periods.sort_unstable();
        }
        let mut stretches: Vec<Segment> = Vec::new();
        for (row, period) in periods.into_iter().enumerate() {
            match stretches.last_mut() {
                Some((range, last)) if *last == period => range.end = row + 1,
                _ => stretches.push((row..row + 1, period)),
            }
        }
        let mut table = Table {
            stretches,
            labels,
            rows: Vec::new(),
            states: Vec::new(),
            outcomes: Vec::new(),
            report: Report::default(),
        };
        for (rows, state, outcome) in values {
            table.rows.push(rows);
            table.states.push(state);
            table.outcomes.push(outcome);
        }
        table
    }

    /// The period of each cell.
    fn periods(&self) -> impl Iterator<Item = Option<i64>> {
        self.stretches.iter().flat_map(|(rows, period)| rows.clone().map(|_| *period))
    }

    /// The cells of windows, where these are cells of the pieces that windows are made of.
    pub(crate) fn together(
        self,
        pass: &Pass,
        source: &Source,
        pieces: &Pieces,
        types: &[Type],
    ) -> Result<Table, ExecError> {
        let mut groups = Groups::new(types.iter().map(|ty| (ty.clone(), None)).collect());
        let labels: Vec<&Column> = self.labels.iter().collect();
        let numbers = groups.encode(&labels, 0..self.len())?;
        let number = |row: usize| numbers.get(row).copied().unwrap_or(0);
        if let Some(found) = overlap::windows(&self.stretches, &self.rows, &self.states, pieces, number)? {
            let labels = groups.columns(found.cells.iter().map(|cell| cell.1).collect());
            let values = found.rows.into_iter().zip(found.states).zip(self.outcomes).map(|((r, s), o)| (r, s, o));
            let mut table = Table::sorted(found.cells.iter().map(|cell| cell.0).collect(), labels, values.collect());
            table.report = self.report;
            return Ok(table);
        }
        // On its way a cell is known by the number of its labels.
        let key = |(row, period)| CellKey { period, labels: vec![Scalar::Number(i64::from(number(row)))].into() };
        let cells = Cells {
            keys: self.periods().enumerate().map(key).collect(),
            rows: self.rows,
            states: self.states,
            types: self.outcomes,
            report: self.report,
            pieces: true,
            dealt: false,
        };
        let cells = together(cells, pass, source, pieces)?;
        let number = |key: &CellKey| match key.labels.first() {
            Some(Scalar::Number(number)) => *number as u32,
            _ => 0,
        };
        let labels = groups.columns(cells.keys.iter().map(number).collect());
        let periods = cells.keys.iter().map(|key| key.period).collect();
        let values = cells.rows.into_iter().zip(cells.states).zip(cells.types).map(|((r, s), o)| (r, s, o)).collect();
        let mut table = Table::sorted(periods, labels, values);
        table.report = cells.report;
        Ok(table)
    }

    /// How many cells there are.
    pub(crate) fn len(&self) -> usize {
        self.stretches.last().map_or(0, |last| last.0.end)
    }

    /// The cells of a pass that has travelled; `types` are those of its labels.
    pub(crate) fn of_cells(cells: Cells, types: &[Type], source: &Source) -> Result<Table, ExecError> {
        let mut labels = Vec::with_capacity(types.len());
        for (i, ty) in types.iter().enumerate() {
            let scalars: Vec<&Scalar> = cells.keys.iter().map(|key| &key.labels[i]).collect();
            labels.push(column(&scalars, ty, source)?);
        }
        let periods = cells.keys.iter().map(|key| key.period).collect();
        let values = cells.rows.into_iter().zip(cells.states).zip(cells.types).map(|((r, s), o)| (r, s, o)).collect();
        let mut table = Table::sorted(periods, labels, values);
        table.report = cells.report;
        Ok(table)
    }

    /// Matches tables on period and labels, none lost: each with the places of its aggregates among all of them.
    pub(crate) fn joined(mut tables: Vec<Placed>, types: &[Type]) -> Result<Table, ExecError> {
        let count: usize = tables.iter().map(|(_, places)| places.len()).sum();
        if let [(_, places)] = &tables[..]
            && places.is_sorted()
            && let Some((table, _)) = tables.pop()
        {
            return Ok(table);
        }
        let mut groups = Groups::new(types.iter().map(|ty| (ty.clone(), None)).collect());
        let mut slots = Slots::default();
        let numbers = tables.iter().map(|(table, _)| {
            let labels: Vec<&Column> = table.labels.iter().collect();
            groups.encode(&labels, 0..table.len())
        });
        let numbers = numbers.collect::<Result<Vec<Vec<u32>>, ExecError>>()?;
        let mut cells: Vec<Vec<usize>> = tables.iter().map(|(table, _)| Vec::with_capacity(table.len())).collect();
        let periods: BTreeSet<Option<i64>> = tables.iter().flat_map(|(t, _)| t.stretches.iter().map(|s| s.1)).collect();
        let mut next = vec![0; tables.len()];
        for period in periods {
            slots.begin(period);
            for (i, (table, _)) in tables.iter().enumerate() {
                let Some((range, _)) = table.stretches.get(next[i]).filter(|s| s.1 == period) else { continue };
                next[i] += 1;
                let group = |row: usize| numbers[i].get(row).copied().unwrap_or(0);
                cells[i].extend(range.clone().map(|row| slots.slot(group(row)) as usize));
            }
        }
        let len = slots.len();
        let labels = groups.columns(slots.cells().iter().map(|cell| cell.1).collect());
        let mut report = Report::default();
        let mut found: Vec<Option<(Vec<i64>, State, Outcome)>> = (0..count).map(|_| None).collect();
        for ((table, places), cells) in tables.into_iter().zip(cells) {
            report.merge(&table.report);
            let parts = table.rows.into_iter().zip(table.states).zip(table.outcomes);
            for (place, ((rows, state), outcome)) in places.into_iter().zip(parts) {
                let mut moved = vec![0; len];
                rows.into_iter().zip(&cells).for_each(|(n, &cell)| moved[cell] = n);
                let slot = found.get_mut(place);
                let slot = slot.ok_or_else(|| ExecError::Plan("an aggregate has no place among the others".into()))?;
                *slot = Some((moved, state.scatter(&cells, len), outcome));
            }
        }
        let found: Option<Vec<(Vec<i64>, State, Outcome)>> = found.into_iter().collect();
        let found = found.ok_or_else(|| ExecError::Plan("an aggregate was not computed".into()))?;
        let mut all = Table::sorted(slots.cells().iter().map(|cell| cell.0).collect(), labels, found);
        all.report = report;
        Ok(all)
    }

    /// Lets go of what only values are read from.
    pub(crate) fn forget_values(&mut self) {
        self.states.clear();
    }

    /// The values of an aggregate, of the Arrow type that its pass says.
    pub(crate) fn value(
        &self,
        i: usize,
        aggregate: &Aggregate,
        ty: &DataType,
        source: &Source,
    ) -> Result<Column, ExecError> {
        match (&self.states[i], &aggregate.measure) {
            (State::Count, _) => return Ok(Column::new(Values::Decimal(self.rows[i].clone().into(), 0), None)),
            (State::Sum { digits, floats, .. }, Measure::Sum(_)) if floats.is_empty() => {
                if let Outcome::Decimal(scale) = self.outcomes[i] {
                    return Ok(Column::new(Values::Wide(digits.clone().into(), scale), None).narrowed());
                }
            }
            _ => {}
        }
        let order: Vec<usize> = (0..self.len()).collect();
        let (state, outcome) = (&self.states[i], &self.outcomes[i]);
        let array = value(state, &self.rows[i], outcome, &aggregate.measure, &order, ty, source)?;
        let column = Column::of_array(&array)?;
        match (&aggregate.unit.kind, &column.values) {
            (Kind::Entity(entity), Values::Text(keys)) => {
                let valid = column.valid.clone();
                Ok(Column::new(ids(keys.iter(), entity, source)?, valid))
            }
            _ => Ok(column),
        }
    }
}

/// The ids of keys; what is no key is nobody.
fn ids<'a>(keys: impl Iterator<Item = Option<&'a str>>, entity: &str, source: &Source) -> Result<Values, ExecError> {
    let all = match source.scan.entity(entity) {
        Some(_) => source.scan.keys(entity)?,
        None => Arc::new(StringArray::from_iter_values::<&str, _>([])),
    };
    let index: HashMap<&str, u32> = all.iter().enumerate().filter_map(|(id, key)| Some((key?, id as u32))).collect();
    let id = |key: Option<&str>| key.and_then(|key| index.get(key)).copied().unwrap_or(u32::MAX);
    Ok(Values::Id(keys.map(id).collect(), Arc::from(entity)))
}

/// A column out of values that have travelled.
fn column(scalars: &[&Scalar], ty: &Type, source: &Source) -> Result<Column, ExecError> {
    let numbers = || scalars.iter().map(|scalar| if let Scalar::Number(number) = scalar { *number } else { 0 });
    let texts =
        || scalars.iter().map(|scalar| if let Scalar::Text(text) = scalar { Some(text.as_str()) } else { None });
    let values = match ty {
        Type::Decimal(scale) => Values::Decimal(numbers().collect(), *scale),
        Type::Float => Values::Float(numbers().map(float_of).collect()),
        Type::Text => Values::Text(texts().collect()),
        Type::Bool => Values::Bool(numbers().map(|number| number != 0).collect()),
        Type::Time => Values::Time(numbers().collect()),
        Type::Date => Values::Date(numbers().map(|day| day as i32).collect()),
        Type::Id(entity) => ids(texts(), entity, source)?,
        Type::Missing => return Ok(Column::missing(scalars.len())),
    };
    let known = BooleanBuffer::collect_bool(scalars.len(), |row| *scalars[row] != Scalar::Missing);
    Ok(Column::new(values, Some(NullBuffer::new(known))))
}
