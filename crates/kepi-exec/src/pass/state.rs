//! Cells that travel: what a part of a pass found, to be merged with other parts and shown.

use super::coverage::Seen;
use super::exact::{FloatSum, Spread};
use super::fold::{interpolate, scale};
use super::labels::NumberMap;
use super::percentile::{Percent, neighbours};
use super::ranked::Ranked;
use super::saved::Saved;
use super::scalar::{CellKey, Labels, Scalar, array};
use super::sets::IdSet;
use super::{Pass, Report, Source};
use crate::ExecError;
use crate::rows::{Type, to_float};
use arrow_array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, SchemaRef};
use kepi_model::core::Measure;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// The values of an aggregate, by cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum State {
    /// The rows are all there is to know.
    Count,
    /// Digits, floats (empty where there are none), and how many values were known.
    Sum {
        digits: Vec<i128>,
        floats: Vec<FloatSum>,
        known: Vec<i64>,
    },
    /// Of several parts the least, the first or the last; else the greatest.
    Best {
        least: bool,
        first: bool,
        last: bool,
        best: Vec<Scalar>,
    },
    /// Parts that share a cell are never made for it.
    Unique(Vec<i64>),
    /// Of units, which share cells: the ids themselves.
    Sets(Vec<IdSet>),
    /// Of cells of pieces: see [`super::coverage`].
    Coverage {
        fresh: Vec<i64>,
        behind: Vec<i64>,
        /// Of a part of time: who was counted in it.
        seen: Option<Seen>,
    },
    List(#[serde(with = "super::packed")] Vec<Vec<i64>>),
    Spread(Vec<Spread>),
    Ranked(Vec<Ranked>),
    Plugin(Vec<Saved>),
    /// The values themselves: nothing is added to them any more.
    Done(Vec<Scalar>),
}

/// The cells of a pass or of a part of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cells {
    pub(crate) keys: Vec<CellKey>,
    /// Per aggregate: how many rows each cell has.
    pub(crate) rows: Vec<Vec<i64>>,
    /// Per aggregate, with the type of its argument.
    pub(crate) states: Vec<State>,
    pub(crate) types: Vec<Outcome>,
    pub(crate) report: Report,
    /// Whether the periods are numbers of pieces, of which windows are still to be put together.
    pub(crate) pieces: bool,
    /// Whether they are of some entities only, so that others of the same cells count nobody that these do.
    pub(crate) dealt: bool,
}

/// What is needed to show a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// Of decimals with so many digits behind the point.
    Decimal(u8),
    Float,
    Time,
    Date,
    Other,
}

impl Outcome {
    /// Of an argument's type.
    pub(crate) fn of(ty: &Type) -> Outcome {
        match ty {
            Type::Decimal(scale) => Outcome::Decimal(*scale),
            Type::Float => Outcome::Float,
            Type::Time => Outcome::Time,
            Type::Date => Outcome::Date,
            _ => Outcome::Other,
        }
    }

    pub(crate) fn ty(&self) -> Type {
        match self {
            Outcome::Decimal(scale) => Type::Decimal(*scale),
            Outcome::Float => Type::Float,
            Outcome::Time => Type::Time,
            Outcome::Date => Type::Date,
            Outcome::Other => Type::Missing,
        }
    }
}

/// Moves values to new places in a longer array.
fn scatter<T: Clone + Default>(values: Vec<T>, places: &[usize], len: usize) -> Vec<T> {
    let mut moved = vec![T::default(); len];
    for (value, &place) in values.into_iter().zip(places) {
        moved[place] = value;
    }
    moved
}

impl State {
    pub(crate) fn scatter(self, places: &[usize], len: usize) -> State {
        match self {
            State::Count => State::Count,
            State::Sum { digits, floats, known } => State::Sum {
                digits: scatter(digits, places, len),
                floats: if floats.is_empty() { floats } else { scatter(floats, places, len) },
                known: scatter(known, places, len),
            },
            State::Best { least, first, last, best } => {
                State::Best { least, first, last, best: scatter(best, places, len) }
            }
            State::Unique(counts) => State::Unique(scatter(counts, places, len)),
            State::Sets(sets) => State::Sets(scatter(sets, places, len)),
            State::Coverage { fresh, behind, seen } => State::Coverage {
                fresh: scatter(fresh, places, len),
                behind: scatter(behind, places, len),
                seen: seen.map(|seen| seen.scatter(places, len)),
            },
            State::Done(values) => State::Done(scatter(values, places, len)),
            State::List(lists) => State::List(scatter(lists, places, len)),
            State::Spread(spreads) => State::Spread(scatter(spreads, places, len)),
            State::Ranked(ranked) => State::Ranked(scatter(ranked, places, len)),
            State::Plugin(states) => State::Plugin(scatter(states, places, len)),
        }
    }

    /// Makes counts of sets: nothing is added to them any more.
    pub(crate) fn close(&mut self) {
        if let State::Sets(sets) = self {
            *self = State::Unique(sets.iter().map(IdSet::len).collect());
        }
    }

    /// Puts the values of other cells behind these; both are of one aggregate.
    fn append(&mut self, other: State) {
        match (self, other) {
            (State::Sum { digits, floats, known }, State::Sum { digits: d, floats: f, known: k }) => {
                if !floats.is_empty() || !f.is_empty() {
                    floats.resize(digits.len(), FloatSum::default());
                    floats.extend(f);
                    floats.resize(digits.len() + d.len(), FloatSum::default());
                }
                digits.extend(d);
                known.extend(k);
            }
            (State::Best { best, .. }, State::Best { best: more, .. }) => best.extend(more),
            (State::Unique(counts), State::Unique(more)) => counts.extend(more),
            (State::Sets(sets), State::Sets(more)) => sets.extend(more),
            (State::List(lists), State::List(more)) => lists.extend(more),
            (State::Spread(spreads), State::Spread(more)) => spreads.extend(more),
            (State::Ranked(ranked), State::Ranked(more)) => ranked.extend(more),
            (State::Plugin(states), State::Plugin(more)) => states.extend(more),
            (State::Done(values), State::Done(more)) => values.extend(more),
            (State::Coverage { fresh, behind, seen }, State::Coverage { fresh: f, behind: b, seen: s }) => {
                let (own, cells) = (fresh.len(), fresh.len() + f.len());
                fresh.extend(f);
                behind.extend(b);
                if let (Some(before), Some(later)) = (seen.take(), s) {
                    let places: Vec<usize> = (0..cells).collect();
                    let mut before = before.scatter(&places[..own], cells);
                    before.join(&later.scatter(&places[own..], cells), fresh, behind);
                    *seen = Some(before);
                }
            }
            // The rows are all there is to know of a count; parts of one aggregate are of one kind.
            _ => {}
        }
    }

    /// Adds the values of a later part; both have the same cells. `dealt`: they are of different entities.
    pub(super) fn merge(&mut self, other: State, dealt: bool) -> Result<(), ExecError> {
        match (self, other) {
            (State::Count, State::Count) => {}
            (State::Sum { digits, floats, known }, State::Sum { digits: d, floats: f, known: k }) => {
                for (sum, more) in digits.iter_mut().zip(d) {
                    *sum = sum.checked_add(more).ok_or_else(|| ExecError::Overflow("a sum".into()))?;
                }
                if !f.is_empty() {
                    floats.resize(f.len(), FloatSum::default());
                    floats.iter_mut().zip(&f).for_each(|(sum, more)| sum.merge(more));
                }
                known.iter_mut().zip(k).for_each(|(sum, more)| *sum += more);
            }
            (State::Best { least, first, last, best }, State::Best { best: b, .. }) => {
                for (old, new) in best.iter_mut().zip(b) {
                    if better(old, &new, *least, *first, *last) {
                        *old = new;
                    }
                }
            }
            (State::Sets(sets), State::Sets(more)) => {
                sets.iter_mut().zip(more).for_each(|(set, more)| set.merge(more));
            }
            (State::Unique(counts), State::Unique(c)) => {
                for (count, more) in counts.iter_mut().zip(c) {
                    if *count > 0 && more > 0 && !dealt {
                        return Err(ExecError::Plan("two parts of a pass counted distinct values of one cell".into()));
                    }
                    *count += more;
                }
            }
            // Parts are of different entities, or cut where no window goes on, or know who was counted in each.
            (State::Coverage { fresh, behind, seen }, State::Coverage { fresh: f, behind: b, seen: s }) => {
                fresh.iter_mut().zip(f).for_each(|(count, more)| *count += more);
                behind.iter_mut().zip(b).for_each(|(count, more)| *count += more);
                if let (Some(seen), Some(later)) = (seen, s) {
                    seen.join(&later, fresh, behind);
                }
            }
            (State::List(lists), State::List(l)) => lists.iter_mut().zip(l).for_each(|(list, more)| list.extend(more)),
            (State::Spread(spreads), State::Spread(s)) => {
                spreads.iter_mut().zip(&s).for_each(|(spread, more)| spread.merge(more));
            }
            (State::Ranked(ranked), State::Ranked(r)) => {
                for (old, new) in ranked.iter_mut().zip(r) {
                    if old.gives_way_to(&new) {
                        *old = new;
                    }
                }
            }
            (State::Plugin(states), State::Plugin(s)) => {
                // The function itself merges them, when all are there.
                states.iter_mut().zip(s).for_each(|(states, more)| states.extend(more));
            }
            _ => return Err(ExecError::Plan("two parts of a pass computed different things".into())),
        }
        Ok(())
    }
}

/// Whether a later value takes the place of an earlier one.
pub(crate) fn better(old: &Scalar, new: &Scalar, least: bool, first: bool, last: bool) -> bool {
    match (old, new) {
        (_, Scalar::Missing) => false,
        (Scalar::Missing, _) => true,
        (old, new) => !first && (last || if least { new < old } else { new > old }),
    }
}

impl Cells {
    /// The cells as bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, ExecError> {
        postcard::to_allocvec(self).map_err(|e| ExecError::Failed(format!("a state cannot be written: {e}")))
    }

    /// The cells of bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Cells, ExecError> {
        postcard::from_bytes(bytes).map_err(|e| ExecError::Failed(format!("a state cannot be read: {e}")))
    }

    /// What the pass has to say beside its numbers.
    pub(crate) fn into_report(self) -> Report {
        self.report
    }

    /// Adds the cells of a part whose rows come after those of this one.
    pub(crate) fn merge(&mut self, other: Cells) -> Result<(), ExecError> {
        self.report.merge(&other.report);
        if self.states.is_empty() {
            (self.keys, self.rows, self.states, self.types) = (other.keys, other.rows, other.states, other.types);
            (self.pieces, self.dealt) = (other.pieces, other.dealt);
            return Ok(());
        }
        if self.ends_before(&other) {
            self.extend(other);
            return Ok(());
        }
        let mut index: HashMap<CellKey, usize> = self.keys.iter().cloned().enumerate().map(|(i, k)| (k, i)).collect();
        let mut place = |key: CellKey| {
            let next = self.keys.len();
            *index.entry(key).or_insert_with_key(|key| {
                self.keys.push(key.clone());
                next
            })
        };
        let theirs: Vec<usize> = other.keys.into_iter().map(&mut place).collect();
        let len = self.keys.len();
        let own: Vec<usize> = (0..len).collect();
        for (rows, more) in self.rows.iter_mut().zip(other.rows) {
            rows.resize(len, 0);
            more.into_iter().zip(&theirs).for_each(|(n, &place)| rows[place] += n);
        }
        for (state, more) in self.states.iter_mut().zip(other.states) {
            let mut all = std::mem::replace(state, State::Count).scatter(&own, len);
            all.merge(more.scatter(&theirs, len), other.dealt)?;
            *state = all;
        }
        Ok(())
    }

    /// Puts the cells of a part behind these; no cell is in both.
    pub(crate) fn append(&mut self, other: Cells) {
        self.report.merge(&other.report);
        if self.states.is_empty() {
            (self.keys, self.rows, self.states, self.types) = (other.keys, other.rows, other.states, other.types);
            return;
        }
        self.extend(other);
    }

    /// Whether all periods of other cells come after those of these, so that no cell is in both.
    fn ends_before(&self, other: &Cells) -> bool {
        let last = self.keys.iter().map(|key| key.period).max().flatten();
        let next = other.keys.iter().map(|key| key.period).min().flatten();
        last.zip(next).is_some_and(|(last, next)| last < next)
    }

    fn extend(&mut self, other: Cells) {
        self.keys.extend(other.keys);
        self.rows.iter_mut().zip(other.rows).for_each(|(rows, more)| rows.extend(more));
        self.states.iter_mut().zip(other.states).for_each(|(state, more)| state.append(more));
    }

    /// The places of the cells in their order.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.keys.len()).collect();
        // Most labels are those of many cells: they are compared once, and then by their places among all.
        let mut known: NumberMap<usize, u32> = NumberMap::default();
        let mut different: Vec<&Labels> = Vec::new();
        let number = |key: &'_ CellKey| key.labels.place();
        for key in &self.keys {
            known.entry(number(key)).or_insert_with(|| {
                different.push(&key.labels);
                0
            });
        }
        if different.len() * 2 > self.keys.len() {
            order.sort_unstable_by(|&a, &b| self.keys[a].cmp(&self.keys[b]));
            return order;
        }
        different.sort_unstable();
        let mut rank = 0;
        for (i, labels) in different.iter().enumerate() {
            rank += u32::from(i > 0 && different[i - 1] != *labels);
            known.insert(labels.place(), rank);
        }
        let ranks: Vec<u32> = self.keys.iter().map(|key| known.get(&number(key)).copied().unwrap_or(0)).collect();
        order.sort_unstable_by_key(|&i| (self.keys[i].period, ranks[i]));
        order
    }

    /// The cells as rows, in order.
    pub(crate) fn emit(&mut self, pass: &Pass, source: &Source, schema: SchemaRef) -> Result<RecordBatch, ExecError> {
        let order = self.order();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        if pass.per.is_some() {
            let periods: TimestampMicrosecondArray = order.iter().map(|&i| self.keys[i].period).collect();
            columns.push(Arc::new(periods.with_timezone("UTC")));
        }
        for label in 0..pass.labels.len() {
            let ty = schema.field(columns.len()).data_type();
            columns.push(array(order.iter().map(|&i| &self.keys[i].labels[label]), ty)?);
        }
        let found = self.states.iter().zip(&self.rows).zip(&self.types).zip(&pass.aggregates);
        let mut shown = 0;
        let mut learned = Vec::new();
        for (((state, rows), outcome), aggregate) in found {
            let ty = schema.field(columns.len()).data_type();
            if let (State::Plugin(states), Measure::Plugin { name, .. }) = (state, &aggregate.measure) {
                let asked = super::learned::Asked { pass, keys: &self.keys, order: &order };
                let (values, told) = super::learned::values(name, states, &asked, ty, source)?;
                columns.push(values);
                learned.extend(told.map(|told| super::Learned { text: aggregate.text.clone(), ..told }));
            } else {
                columns.push(value(state, rows, outcome, &aggregate.measure, &order, ty, source)?);
            }
            columns.push(Arc::new(order.iter().map(|&i| Some(rows[i])).collect::<Int64Array>()));
            shown += 1;
        }
        self.report.learned.extend(learned);
        if shown < pass.aggregates.len() {
            // No part had anything to say.
            while columns.len() < schema.fields().len() {
                columns.push(arrow_array::new_empty_array(schema.field(columns.len()).data_type()));
            }
        }
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(order.len()));
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }
}

/// The column of an aggregate's values, in order.
pub(crate) fn value(
    state: &State,
    rows: &[i64],
    outcome: &Outcome,
    measure: &Measure,
    order: &[usize],
    ty: &DataType,
    source: &Source,
) -> Result<ArrayRef, ExecError> {
    let floats = |of: &dyn Fn(usize) -> Option<f64>| -> ArrayRef {
        Arc::new(order.iter().map(|&i| of(i).filter(|v| v.is_finite())).collect::<Float64Array>())
    };
    Ok(match state {
        State::Count => Arc::new(order.iter().map(|&i| Some(rows[i])).collect::<Int64Array>()),
        State::Unique(counts) => Arc::new(order.iter().map(|&i| Some(counts[i])).collect::<Int64Array>()),
        State::Sets(sets) => Arc::new(order.iter().map(|&i| Some(sets[i].len())).collect::<Int64Array>()),
        State::Sum { digits, floats: parts, known } => {
            let decimals = scale(&outcome.ty()).unwrap_or(0);
            let float = |i: usize| {
                let exact = to_float(digits[i], decimals);
                match parts.get(i) {
                    Some(sum) => sum.value() + exact,
                    None => exact,
                }
            };
            match (measure, ty) {
                (Measure::Avg(_), _) => floats(&|i| {
                    let count = known[i] as f64;
                    let mean = match (outcome, parts.is_empty()) {
                        // One rounding less than dividing twice.
                        (Outcome::Decimal(scale), true) => digits[i] as f64 / (count * crate::rows::power_f64(*scale)),
                        _ => float(i) / count,
                    };
                    (known[i] > 0).then_some(mean)
                }),
                (_, DataType::Float64) => floats(&|i| Some(float(i))),
                _ if !parts.is_empty() => return Err(ExecError::Overflow("a sum".into())),
                (_, DataType::Int64) => {
                    let narrow = |&i: &usize| i64::try_from(digits[i]).map_err(|_| ExecError::Overflow("a sum".into()));
                    Arc::new(Int64Array::from(order.iter().map(narrow).collect::<Result<Vec<_>, _>>()?))
                }
                _ => {
                    let sums: Decimal128Array = order.iter().map(|&i| Some(digits[i])).collect();
                    if order.iter().any(|&i| digits[i].unsigned_abs() >= 10_u128.pow(38)) {
                        return Err(ExecError::Overflow("a sum".into()));
                    }
                    Arc::new(sums.with_precision_and_scale(38, decimals as i8)?)
                }
            }
        }
        State::Best { best, .. } => array(order.iter().map(|&i| &best[i]), ty)?,
        State::Done(values) => array(order.iter().map(|&i| &values[i]), ty)?,
        State::Ranked(ranked) => array(order.iter().map(|&i| ranked[i].value()), ty)?,
        State::Coverage { .. } => return Err(ExecError::Plan("pieces of windows are shown as cells".into())),
        State::List(lists) => {
            let of = |&i: &usize| {
                let found = neighbours(&mut lists[i].clone(), Percent::of(measure));
                let value = found.map(|(low, high, way)| interpolate(low, high, way, &outcome.ty()));
                value.map_or(Scalar::Missing, Scalar::Number)
            };
            let values: Vec<Scalar> = order.iter().map(of).collect();
            array(values.iter(), ty)?
        }
        State::Spread(spreads) => floats(&|i| spreads[i].deviation(scale(&outcome.ty()))),
        State::Plugin(states) => {
            let Measure::Plugin { name, .. } = measure else {
                return Err(ExecError::Plan("a plugin's states belong to another function".into()));
            };
            super::learned::plain(name, states, order, ty, source)?
        }
    })
}
