//! What is kept per cell while rows go by.

use super::coverage::{Coverage, Ids};
use super::dense::Added;
use super::distinct::Distinct;
use super::exact::Spread;
use super::labels::Slots;
use super::pieces::Pieces;
use super::ranked::Ranking;
use super::scalar::scalar_of;
use super::sets::IdSet;
use super::state::State;
use super::sum::Sum;
use crate::ExecError;
use crate::rows::{Column, Payload, Type, Values, float_of, plugin_array};
use arrow_array::StringArray;
use arrow_buffer::BooleanBuffer;
use kepi_extension::Accumulator;
use kepi_model::core::Measure;
use kepi_model::value::Unit;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

/// The cells of rows.
#[derive(Clone, Copy)]
pub(crate) enum Cell<'a> {
    /// All rows are in this one.
    One(u32),
    /// One per row of the batch.
    Each(&'a [u32]),
}

/// The rows that take part, out of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) range: &'a Range<usize>,
    pub(crate) mask: Option<&'a BooleanBuffer>,
}

impl Rows<'_> {
    /// Calls for each row. Without a mask, and for 64 rows of one kind, nothing is tested per row.
    #[inline]
    pub(crate) fn each(&self, mut take: impl FnMut(usize)) {
        let Some(mask) = self.mask else {
            self.range.clone().for_each(take);
            return;
        };
        let slice = mask.slice(self.range.start, self.range.len());
        let chunks = slice.bit_chunks();
        let mut row = self.range.start;
        for chunk in chunks.iter().chain([chunks.remainder_bits()]) {
            if chunk == u64::MAX {
                (row..row + 64).for_each(&mut take);
            } else {
                let mut bits = chunk;
                while bits != 0 {
                    take(row + bits.trailing_zeros() as usize);
                    bits &= bits - 1;
                }
            }
            row += 64;
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        match self.mask {
            None => self.range.len(),
            Some(mask) => mask.slice(self.range.start, self.range.len()).count_set_bits(),
        }
    }
}

/// The values of a measure, by cell.
pub(crate) struct Measured {
    kept: Kept,
    payload: Payload,
    keys: Option<Arc<StringArray>>,
}

enum Kept {
    Count,
    Sum(Sum),
    Best {
        wanted: Best,
        values: Vec<i64>,
        known: Vec<bool>,
    },
    Unique(Distinct),
    /// Distinct ids out of so many.
    Sets(Vec<IdSet>, usize),
    Coverage(Coverage),
    List(Vec<Vec<i64>>),
    Spread(Vec<Spread>),
    Ranked(Ranking),
    Plugin {
        accumulator: Box<dyn Accumulator>,
        units: Vec<Unit>,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum Best {
    Min,
    Max,
    First,
    Last,
}

impl Measured {
    /// Starts a measure. `ty` is the argument's type; `ids` are those that it has where it is an entity; `pieces`: cells
    /// are not of periods, but of pieces of windows; `rank`: the type of the rank of `Measure::Best`.
    pub(crate) fn new(
        measure: &Measure,
        ty: Type,
        keys: Option<Arc<StringArray>>,
        ids: Ids,
        plugin: Option<(Box<dyn Accumulator>, Vec<Unit>)>,
        pieces: Option<&Arc<Pieces>>,
        rank: Option<Type>,
    ) -> Result<Measured, ExecError> {
        let best = |wanted| Kept::Best { wanted, values: Vec::new(), known: Vec::new() };
        let kept = match measure {
            Measure::Count => Kept::Count,
            Measure::Sum(_) | Measure::Avg(_) => Kept::Sum(Sum::default()),
            Measure::Min(_) => best(Best::Min),
            Measure::Max(_) => best(Best::Max),
            Measure::First(_) => best(Best::First),
            Measure::Last(_) => best(Best::Last),
            Measure::Unique(_) if let Some(pieces) = pieces => Kept::Coverage(Coverage::new(Arc::clone(pieces), ids)),
            Measure::Unique(_) => Kept::Unique(Distinct::new(ids)),
            Measure::Percentile { .. } => Kept::List(Vec::new()),
            Measure::Stddev(_) => Kept::Spread(Vec::new()),
            Measure::Best { .. } => Kept::Ranked(Ranking::new(rank.unwrap_or(Type::Missing))?),
            Measure::Plugin { name, .. } => match plugin {
                Some((accumulator, units)) => Kept::Plugin { accumulator, units },
                None => return Err(ExecError::Plan(format!("no plugin gives `{name}`"))),
            },
        };
        Ok(Measured { kept, payload: Payload::new(ty), keys })
    }

    /// Keeps distinct ids as sets from now on: nothing was added yet.
    pub(crate) fn keep_sets(&mut self) {
        if let Kept::Unique(distinct) = &self.kept {
            self.kept = Kept::Sets(Vec::new(), distinct.ids_max());
        }
    }

    /// Says that a new period begins: what was kept only for the last one is let go.
    pub(crate) fn begin_period(&mut self) {
        if let Kept::Unique(distinct) = &mut self.kept {
            distinct.begin_period();
        }
    }

    /// Adds rows: their cells are among `slots`. `args`: the argument; of a plugin's function all of them. `moments`:
    /// those of all rows of the batch, where they have any.
    pub(crate) fn update(
        &mut self,
        rows: Rows<'_>,
        cell: Cell<'_>,
        slots: &Slots,
        args: &[&Column],
        moments: Option<&[i64]>,
    ) -> Result<(), ExecError> {
        let cells = slots.len();
        if matches!(self.kept, Kept::Count) {
            return Ok(());
        }
        if let (Kept::Ranked(ranking), [of, rank]) = (&mut self.kept, args) {
            return ranking.update(rows, cell, cells, (of, rank), &mut self.payload);
        }
        let of = rows.mask;
        let mut mask = of.cloned();
        for known in args.iter().filter_map(|a| a.known()) {
            mask = Some(match mask {
                Some(mask) => &mask & &known,
                None => known,
            });
        }
        let mut own = None;
        if let (Some(ids), [arg]) = (self.counted().filter(|ids| !ids.share.is_all()), args) {
            let (share, range) = (ids.share.clone(), ids.range.clone());
            let (column, rows) = share.of_column(arg, mask.as_ref(), &range, &mut self.payload)?;
            (own, mask) = (Some(column), Some(rows));
        }
        let owned = own.as_ref().map(|own| [own]);
        let args = owned.as_ref().map_or(args, |own| &own[..]);
        let rows = Rows { range: rows.range, mask: mask.as_ref() };
        match (&mut self.kept, args) {
            (Kept::Plugin { accumulator, units }, _) => {
                let mut groups = Vec::new();
                let mut places = Vec::new();
                rows.each(|row| {
                    places.push(row as u32);
                    groups.push(at(cell, row));
                });
                let columns = args.iter().map(|c| crate::rows::take(c, &places, None));
                let arrays = columns.zip(units.iter()).map(|(c, unit)| plugin_array(&c, unit, self.keys.as_deref()));
                let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
                match moments {
                    Some(moments) => {
                        let moments: Vec<i64> = places.iter().map(|&row| moments[row as usize]).collect();
                        Ok(accumulator.update_at(&groups, cells, &arrays, &moments)?)
                    }
                    None => Ok(accumulator.update(&groups, cells, &arrays)?),
                }
            }
            (kept, [arg]) => match kept {
                Kept::Sum(sum) => {
                    if let Some(known) = arg.known() {
                        let missing = !&known;
                        let missing = of.map_or_else(|| missing.clone(), |of| of & &missing);
                        sum.lack(Rows { range: rows.range, mask: Some(&missing) }, cell, cells);
                    }
                    sum.add(rows, cell, cells, arg)
                }
                Kept::Sets(sets, count) => match &arg.values {
                    Values::Id(ids, _) => {
                        super::sets::add(sets, rows, cell, cells, ids, *count);
                        Ok(())
                    }
                    Values::Missing(_) => Ok(()),
                    other => Err(ExecError::Plan(format!("sets are made of ids, not of {}", other.words()))),
                },
                Kept::Coverage(coverage) => {
                    match &arg.values {
                        Values::Id(ids, _) => coverage.ids(rows, cell, slots, ids),
                        _ => {
                            let numbers = self.payload.encode(arg)?;
                            coverage.values(rows, cell, slots, |row| numbers[row]);
                        }
                    }
                    coverage.fits()
                }
                other => other.take(rows, cell, slots, arg, &mut self.payload),
            },
            _ => Err(ExecError::Plan("a measure has no argument".into())),
        }
    }

    /// What it adds of rows, where that is their number or exact digits that all of them have; none: something else.
    pub(super) fn added<'a>(&self, args: &[&'a Column]) -> Option<Added<'a>> {
        match (&self.kept, args) {
            (Kept::Count, _) => Some(Added::Rows),
            (Kept::Sum(_), [arg]) => match &arg.values {
                Values::Decimal(digits, _) if arg.known().is_none() => Some(Added::Digits(digits)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Adds digits to the sum of a cell, one of so many, where it is one.
    pub(super) fn add_digits(&mut self, slot: usize, digits: i64, cells: usize) -> Result<(), ExecError> {
        match &mut self.kept {
            Kept::Sum(sum) => sum.add_to(slot, digits, cells),
            _ => Ok(()),
        }
    }

    /// Sets the sum of a cell to these digits, of all rows but so many, where it is a sum of decimals.
    pub(crate) fn put_sum(&mut self, slot: usize, digits: i128, lacking: i64) {
        if let Kept::Sum(sum) = &mut self.kept {
            sum.put(slot, digits, lacking);
        }
    }

    /// The ids of which distinct ones are counted, whichever share of them; none: nothing is.
    fn counted(&self) -> Option<&Ids> {
        match &self.kept {
            Kept::Unique(distinct) => Some(distinct.ids()),
            Kept::Coverage(coverage) => Some(coverage.ids_counted()),
            _ => None,
        }
    }

    /// Lets go what was kept to count distinct values: there come no more rows.
    pub(crate) fn settle(&mut self) {
        match &mut self.kept {
            Kept::Unique(distinct) => distinct.settle(),
            Kept::Coverage(coverage) => coverage.settle(),
            _ => {}
        }
    }

    /// Adds what the same rows gave of other ids; all else is the same.
    pub(crate) fn add_share(&mut self, other: Measured) {
        match (&mut self.kept, other.kept) {
            (Kept::Unique(distinct), Kept::Unique(other)) => distinct.add_share(other),
            (Kept::Coverage(coverage), Kept::Coverage(other)) => coverage.add_share(other),
            _ => {}
        }
    }

    /// Whether there is room to keep of windows who was counted.
    pub(crate) fn can_keep_seen(&self) -> bool {
        !matches!(&self.kept, Kept::Coverage(coverage) if !coverage.can_keep_seen())
    }

    /// Keeps of windows who was counted: the rows are a part of time.
    pub(crate) fn keep_seen(&mut self) {
        if let Kept::Coverage(coverage) = &mut self.kept {
            coverage.keep_seen();
        }
    }

    /// What was kept, to travel. Its cells are `slots`, and of them so many rows were taken, 0 of the last ones.
    pub(crate) fn into_state(mut self, slots: &Slots, rows: &[i64]) -> Result<State, ExecError> {
        let cells = slots.len();
        Ok(match self.kept {
            Kept::Count => State::Count,
            Kept::Sum(sum) => sum.into_state(cells, rows),
            Kept::Best { wanted, values, known } => {
                let mut of = |(value, known): (i64, bool)| match known {
                    true => scalar_of(&mut self.payload, value, self.keys.as_deref()),
                    false => super::scalar::Scalar::Missing,
                };
                let mut best: Vec<_> = values.into_iter().zip(known).map(&mut of).collect();
                best.resize(cells, super::scalar::Scalar::Missing);
                State::Best {
                    least: wanted == Best::Min,
                    first: wanted == Best::First,
                    last: wanted == Best::Last,
                    best,
                }
            }
            Kept::Unique(distinct) => State::Unique(distinct.into_counts(cells)),
            Kept::Sets(mut sets, _) => {
                sets.resize(cells, IdSet::default());
                sets.iter_mut().for_each(IdSet::settle);
                State::Sets(sets)
            }
            Kept::Coverage(coverage) => coverage.into_state(slots),
            Kept::List(mut lists) => {
                lists.resize(cells, Vec::new());
                State::List(lists)
            }
            Kept::Spread(mut spreads) => {
                spreads.resize(cells, Spread::default());
                State::Spread(spreads)
            }
            Kept::Ranked(ranking) => State::Ranked(ranking.into_ranked(cells, &mut self.payload, self.keys.as_deref())),
            Kept::Plugin { mut accumulator, units } => {
                // An accumulator that has seen no row of the last cells does not know them.
                let none = units.iter().map(|unit| plugin_array(&Column::missing(0), unit, None));
                accumulator.update(&[], cells, &none.collect::<Result<Vec<_>, _>>()?)?;
                State::Plugin(super::saved::saved(accumulator.as_mut(), cells)?)
            }
        })
    }
}

/// The cell of a row.
#[inline]
pub(super) fn at(cell: Cell<'_>, row: usize) -> u32 {
    match cell {
        Cell::One(slot) => slot,
        Cell::Each(slots) => slots[row],
    }
}

/// Grows an array to hold all cells.
pub(super) fn grow<T: Clone + Default>(values: &mut Vec<T>, cells: usize) {
    if values.len() < cells {
        values.resize(cells, T::default());
    }
}

impl Kept {
    fn take(
        &mut self,
        rows: Rows<'_>,
        cell: Cell<'_>,
        slots: &Slots,
        arg: &Column,
        payload: &mut Payload,
    ) -> Result<(), ExecError> {
        let cells = slots.len();
        if let (Kept::Unique(distinct), Values::Id(ids, _)) = (&mut *self, &arg.values) {
            return distinct.add_ids(rows, cell, slots, ids);
        }
        let numbers = payload.encode(arg)?;
        match self {
            Kept::Unique(distinct) => return distinct.add_values(rows, cell, slots, &numbers),
            Kept::Best { wanted, values, known } => {
                grow(values, cells);
                grow(known, cells);
                let mut put = |row: usize, better: fn(&Payload, i64, i64) -> bool| {
                    let slot = at(cell, row) as usize;
                    if !known[slot] || better(payload, numbers[row], values[slot]) {
                        (values[slot], known[slot]) = (numbers[row], true);
                    }
                };
                match wanted {
                    Best::First => rows.each(|row| put(row, |_, _, _| false)),
                    Best::Last => rows.each(|row| put(row, |_, _, _| true)),
                    Best::Min => rows.each(|row| put(row, |p, new, old| p.compare(new, old) == Ordering::Less)),
                    Best::Max => rows.each(|row| put(row, |p, new, old| p.compare(new, old) == Ordering::Greater)),
                }
            }
            Kept::List(lists) => {
                grow(lists, cells);
                rows.each(|row| lists[at(cell, row) as usize].push(numbers[row]));
            }
            Kept::Spread(spreads) => {
                grow(spreads, cells);
                let float = *payload.ty() == Type::Float;
                rows.each(|row| match (&mut spreads[at(cell, row) as usize], float) {
                    (spread, true) => spread.add_float(float_of(numbers[row])),
                    (spread, false) => spread.add_digits(numbers[row]),
                });
            }
            Kept::Count | Kept::Sum(_) | Kept::Sets(..) | Kept::Coverage(_) | Kept::Ranked(_) | Kept::Plugin { .. } => {
            }
        }
        Ok(())
    }
}
