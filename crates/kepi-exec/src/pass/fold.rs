//! What a history keeps per entity, in arrays by id.

use super::exact::{FloatSum, Spread};
use super::percentile::{Percent, sorted_neighbours};
use crate::ExecError;
use crate::rows::{Payload, Type, float_of, from_float, power_f64};
use crate::zeros::zeros;
use kepi_model::core::Measure;
use std::cmp::Ordering;
use std::collections::{HashSet, VecDeque};

/// The values of each entity so far. All values are numbers of a [`Payload`].
#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) kept: Kept,
    /// Writes the arguments.
    pub(crate) argument: Payload,
    percent: Percent,
}

/// The arrays, by measure.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    Count(Vec<i64>),
    Sum(Vec<i64>),
    FloatSum(Vec<FloatSum>),
    /// Sum of digits, how many.
    Avg(Vec<(i128, i64)>),
    FloatAvg(Vec<(FloatSum, i64)>),
    /// Values; [`NEVER`]: there is none yet.
    First(Vec<i64>),
    Last(Vec<Option<i64>>),
    Min(Vec<Option<i64>>),
    Max(Vec<Option<i64>>),
    Unique(Vec<i64>, HashSet<(u32, i64)>),
    /// Values, of which so many are in order already.
    Sorted(Vec<(Vec<i64>, usize)>),
    Spread(Vec<Spread>),
    /// Counts, or sums of digits, of the rows that are not too old.
    Lagging {
        counts: bool,
        values: Vec<i64>,
        queue: VecDeque<(i64, u32, i64)>,
        old: usize,
    },
    /// The rows not yet too old, with their moments.
    Recent(Box<Measure>, Vec<VecDeque<(i64, i64)>>),
}

/// In place of a first value that is not there: no time, no digits of a decimal and no number of a float.
pub(crate) const NEVER: i64 = i64::MIN;

/// A first value as it is kept.
#[inline]
pub(crate) fn first_value(value: i64) -> i64 {
    value.max(NEVER + 1)
}

/// More than a moving history's begin can go back while time goes on: a month before any of the last days of March it
/// is the same day of February, and clocks are put back.
pub(crate) const BACK_MAX: i64 = 3 * 86_400_000_000;

/// The type of what a measure gives of an argument.
pub(crate) fn type_of(measure: &Measure, argument: &Type) -> Result<Type, ExecError> {
    let numbers = |ty: Type| match argument.is_number() {
        true => Ok(ty),
        false => Err(ExecError::Plan(format!("a sum or mean is taken of {}", argument.words()))),
    };
    match measure {
        Measure::Count | Measure::Unique(_) => Ok(Type::Decimal(0)),
        Measure::Sum(_) => numbers(if *argument == Type::Missing { Type::Decimal(0) } else { argument.clone() }),
        Measure::Avg(_) | Measure::Stddev(_) => numbers(Type::Float),
        Measure::Percentile { .. } => match argument {
            Type::Time | Type::Date => Ok(argument.clone()),
            _ => numbers(Type::Float),
        },
        Measure::Min(_) | Measure::Max(_) | Measure::First(_) | Measure::Last(_) | Measure::Best { .. } => {
            Ok(argument.clone())
        }
        Measure::Plugin { name, .. } => Err(ExecError::NotYet(format!("`{name}` over a history"))),
    }
}

impl Fold {
    /// Empty arrays for `ids` entities; `bounded`: old rows drop out.
    pub(crate) fn new(measure: &Measure, argument: Type, ids: usize, bounded: bool) -> Fold {
        let float = argument == Type::Float;
        let kept = match measure {
            Measure::Count if bounded => Kept::lagging(true, ids),
            Measure::Sum(_) if bounded && !float => Kept::lagging(false, ids),
            _ if bounded => Kept::Recent(Box::new(measure.clone()), vec![VecDeque::new(); ids]),
            Measure::Sum(_) if float => Kept::FloatSum(vec![FloatSum::default(); ids]),
            Measure::Sum(_) => Kept::Sum(zeros(ids)),
            Measure::Avg(_) if float => Kept::FloatAvg(vec![Default::default(); ids]),
            Measure::Avg(_) => Kept::Avg(zeros(ids)),
            Measure::First(_) => Kept::First(vec![NEVER; ids]),
            Measure::Last(_) => Kept::Last(vec![None; ids]),
            Measure::Min(_) => Kept::Min(vec![None; ids]),
            Measure::Max(_) => Kept::Max(vec![None; ids]),
            Measure::Unique(_) => Kept::Unique(zeros(ids), HashSet::new()),
            Measure::Percentile { .. } => Kept::Sorted(vec![(Vec::new(), 0); ids]),
            Measure::Stddev(_) => Kept::Spread(vec![Spread::default(); ids]),
            Measure::Count | Measure::Plugin { .. } | Measure::Best { .. } => Kept::Count(zeros(ids)),
        };
        Fold { kept, argument: Payload::new(argument), percent: Percent::of(measure) }
    }

    /// Adds a row of an entity: its moment and the number of its argument.
    #[inline]
    pub(crate) fn add(&mut self, id: usize, at: i64, value: i64) -> Result<(), ExecError> {
        let argument = &self.argument;
        match &mut self.kept {
            Kept::Count(counts) => counts[id] += 1,
            Kept::Sum(sums) => {
                sums[id] = sums[id].checked_add(value).ok_or_else(|| ExecError::Overflow("a history's sum".into()))?;
            }
            Kept::FloatSum(sums) => sums[id].add(float_of(value)),
            Kept::Avg(avg) => {
                avg[id].0 += i128::from(value);
                avg[id].1 += 1;
            }
            Kept::FloatAvg(avg) => {
                avg[id].0.add(float_of(value));
                avg[id].1 += 1;
            }
            Kept::First(first) => {
                if first[id] == NEVER {
                    first[id] = first_value(value);
                }
            }
            Kept::Last(last) => last[id] = Some(value),
            Kept::Min(best) => better(&mut best[id], value, argument, Ordering::Less),
            Kept::Max(best) => better(&mut best[id], value, argument, Ordering::Greater),
            Kept::Unique(counts, seen) => counts[id] += i64::from(seen.insert((id as u32, value))),
            Kept::Sorted(values) => values[id].0.push(value),
            Kept::Spread(spreads) => match argument.ty() {
                Type::Float => spreads[id].add_float(float_of(value)),
                _ => spreads[id].add_digits(value),
            },
            Kept::Lagging { counts, values, queue, .. } => {
                let value = if *counts { 1 } else { value };
                values[id] =
                    values[id].checked_add(value).ok_or_else(|| ExecError::Overflow("a history's sum".into()))?;
                queue.push_back((at, id as u32, value));
            }
            Kept::Recent(_, rows) => rows[id].push_back((at, value)),
        }
        Ok(())
    }

    /// What an entity has, of rows later than `lower` where rows drop out; none: missing. Numbers of the result's type.
    #[inline]
    pub(crate) fn read(&mut self, id: usize, lower: i64) -> Option<i64> {
        let argument = &self.argument;
        match &mut self.kept {
            Kept::Count(counts) | Kept::Sum(counts) | Kept::Unique(counts, _) => Some(counts[id]),
            Kept::FloatSum(sums) => Some(from_float(sums[id].value())),
            Kept::Avg(avg) => mean(avg[id].0, avg[id].1, argument.ty()),
            Kept::FloatAvg(avg) => (avg[id].1 > 0).then(|| from_float(avg[id].0.value() / avg[id].1 as f64)),
            Kept::First(first) => Some(first[id]).filter(|&value| value != NEVER),
            Kept::Last(kept) | Kept::Min(kept) | Kept::Max(kept) => kept[id],
            Kept::Sorted(values) => percentile(in_order(&mut values[id]), self.percent, argument.ty()),
            Kept::Spread(spreads) => spreads[id].deviation(scale(argument.ty())).map(from_float),
            Kept::Lagging { values, queue, old, .. } => {
                while let Some(&(_, gone, value)) = queue.get(*old).filter(|r| r.0 <= lower) {
                    values[gone as usize] -= value;
                    *old += 1;
                }
                while let Some(&(_, back, value)) =
                    old.checked_sub(1).and_then(|o| queue.get(o)).filter(|r| r.0 > lower)
                {
                    values[back as usize] += value;
                    *old -= 1;
                }
                while *old > 0 && queue.front().is_some_and(|r| r.0 <= lower.saturating_sub(BACK_MAX)) {
                    queue.pop_front();
                    *old -= 1;
                }
                Some(values[id])
            }
            Kept::Recent(measure, rows) => {
                let rows = &mut rows[id];
                while rows.front().is_some_and(|r| r.0 <= lower.saturating_sub(BACK_MAX)) {
                    rows.pop_front();
                }
                let old = rows.iter().take_while(|r| r.0 <= lower).count();
                recent(measure, rows, old, argument)
            }
        }
    }

    /// What somebody without any rows has.
    pub(crate) fn nothing(&self) -> Option<i64> {
        match &self.kept {
            Kept::Count(_) | Kept::Sum(_) | Kept::FloatSum(_) | Kept::Unique(..) => Some(0),
            Kept::Lagging { .. } => Some(0),
            Kept::Recent(measure, _) if matches!(**measure, Measure::Sum(_) | Measure::Unique(_)) => Some(0),
            _ => None,
        }
    }

    /// Makes room for as many entities.
    pub(crate) fn grow(&mut self, ids: usize) {
        match &mut self.kept {
            Kept::Count(v) | Kept::Sum(v) | Kept::Unique(v, _) => grow(v, ids),
            Kept::FloatSum(v) => grow(v, ids),
            Kept::Avg(v) => grow(v, ids),
            Kept::FloatAvg(v) => grow(v, ids),
            Kept::First(v) => {
                if v.len() < ids {
                    v.resize(ids, NEVER);
                }
            }
            Kept::Last(v) | Kept::Min(v) | Kept::Max(v) => grow(v, ids),
            Kept::Sorted(v) => grow(v, ids),
            Kept::Spread(v) => grow(v, ids),
            Kept::Lagging { values, .. } => grow(values, ids),
            Kept::Recent(_, v) => grow(v, ids),
        }
    }

    /// How many entities there is room for.
    pub(crate) fn ids(&self) -> usize {
        match &self.kept {
            Kept::Count(v) | Kept::Sum(v) | Kept::Unique(v, _) => v.len(),
            Kept::FloatSum(v) => v.len(),
            Kept::Avg(v) => v.len(),
            Kept::FloatAvg(v) => v.len(),
            Kept::First(v) => v.len(),
            Kept::Last(v) | Kept::Min(v) | Kept::Max(v) => v.len(),
            Kept::Sorted(v) => v.len(),
            Kept::Spread(v) => v.len(),
            Kept::Lagging { values, .. } => values.len(),
            Kept::Recent(_, v) => v.len(),
        }
    }
}

impl Kept {
    fn lagging(counts: bool, ids: usize) -> Kept {
        Kept::Lagging { counts, values: zeros(ids), queue: VecDeque::new(), old: 0 }
    }
}

fn grow<T: Clone + Default>(kept: &mut Vec<T>, ids: usize) {
    if kept.len() < ids {
        kept.resize(ids, T::default());
    }
}

#[inline]
fn better(best: &mut Option<i64>, value: i64, argument: &Payload, wanted: Ordering) {
    match best {
        Some(old) if argument.compare(value, *old) != wanted => {}
        best => *best = Some(value),
    }
}

/// The decimals of an exact type.
pub(crate) fn scale(ty: &Type) -> Option<u8> {
    match ty {
        Type::Decimal(scale) => Some(*scale),
        _ => None,
    }
}

fn mean(sum: i128, count: i64, ty: &Type) -> Option<i64> {
    let unit = scale(ty).map_or(1.0, power_f64);
    (count > 0).then(|| from_float(sum as f64 / (count as f64 * unit)))
}

/// Puts values in order where some have come since they were: one of them is put in its place.
fn in_order((values, sorted): &mut (Vec<i64>, usize)) -> &[i64] {
    match values.len() - *sorted {
        0 => {}
        1 => {
            let last = values[*sorted];
            let place = values[..*sorted].partition_point(|&v| v <= last);
            values[place..].rotate_right(1);
        }
        _ => values.sort_unstable(),
    }
    *sorted = values.len();
    values
}

/// A percentile of values in order.
fn percentile(values: &[i64], percent: Percent, ty: &Type) -> Option<i64> {
    let (low, high, way) = sorted_neighbours(values, percent)?;
    Some(interpolate(low, high, way, ty))
}

/// What lies `way` of the way between two numbers of a type, as a number of the percentile's type.
pub(crate) fn interpolate(low: i64, high: i64, way: f64, ty: &Type) -> i64 {
    match ty {
        Type::Time | Type::Date => low + ((high - low) as f64 * way).floor() as i64,
        Type::Decimal(scale) => {
            let digits = low as f64 + (i128::from(high) - i128::from(low)) as f64 * way;
            from_float(digits / power_f64(*scale))
        }
        _ => {
            let (low, high) = (float_of(low), float_of(high));
            from_float(if way == 0.0 { low } else { low + (high - low) * way })
        }
    }
}

/// What a measure is of the rows that are not `old`.
fn recent(measure: &Measure, rows: &VecDeque<(i64, i64)>, old: usize, argument: &Payload) -> Option<i64> {
    let ty = argument.ty();
    let count = rows.len() - old;
    let values = || rows.iter().skip(old).map(|r| r.1);
    let floats = || {
        let mut sum = FloatSum::default();
        values().for_each(|v| sum.add(float_of(v)));
        sum.value()
    };
    match measure {
        Measure::Count | Measure::Plugin { .. } | Measure::Best { .. } => Some(count as i64),
        Measure::Sum(_) if *ty == Type::Float => Some(from_float(floats())),
        Measure::Sum(_) => Some(values().sum()),
        Measure::Avg(_) if *ty == Type::Float => (count > 0).then(|| from_float(floats() / count as f64)),
        Measure::Avg(_) => mean(values().map(i128::from).sum(), count as i64, ty),
        Measure::First(_) => values().next(),
        Measure::Last(_) => values().next_back(),
        Measure::Min(_) => values().min_by(|a, b| argument.compare(*a, *b)),
        Measure::Max(_) => values().max_by(|a, b| argument.compare(*a, *b)),
        Measure::Unique(_) => Some(values().collect::<HashSet<_>>().len() as i64),
        Measure::Percentile { .. } => {
            let mut sorted: Vec<i64> = values().collect();
            sorted.sort_unstable();
            percentile(&sorted, Percent::of(measure), ty)
        }
        Measure::Stddev(_) => {
            let mut spread = Spread::default();
            match ty {
                Type::Float => values().for_each(|v| spread.add_float(float_of(v))),
                _ => values().for_each(|v| spread.add_digits(v)),
            }
            spread.deviation(scale(ty)).map(from_float)
        }
    }
}
