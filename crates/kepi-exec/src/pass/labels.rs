//! Labels as small numbers: each row's labels become one dense number, its group.

use super::scalar::{Labels, Scalar, scalar_of};
use crate::ExecError;
use crate::rows::{Column, Payload, Type, Values};
use arrow_array::{Array, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// A hasher for single numbers, which are no attacker's choice: ids, codes and places.
#[derive(Clone, Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 29);
    }

    #[inline]
    fn write_i64(&mut self, number: i64) {
        self.write_u64(number as u64);
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }
}

/// Maps and sets of numbers.
pub(crate) type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;

/// Numbers the values of one label: 0 is missing.
#[derive(Debug)]
struct Label {
    payload: Payload,
    keys: Option<Arc<StringArray>>,
    /// For values that are not small numbers of their own.
    index: NumberMap<i64, u32>,
    values: Vec<i64>,
    /// Some of them with their numbers, by their hash; none: empty.
    recent: Vec<(i64, u32)>,
}

/// So many bits of a hash choose a place among the recent values.
const RECENT_BITS: u32 = 10;

impl Label {
    /// How many numbers its values can have, missing included, as far as that is known before they are seen.
    fn numbers(&self) -> Option<usize> {
        match (self.payload.ty(), &self.keys) {
            (Type::Bool, _) => Some(3),
            (Type::Id(_), Some(keys)) => Some(keys.len() + 1),
            (Type::Text, _) => self.payload.codes().map(|codes| codes + 1),
            _ => None,
        }
    }

    /// Whether a value's payload is a small number already.
    fn is_direct(&self) -> bool {
        matches!(self.payload.ty(), Type::Text | Type::Id(_) | Type::Bool)
    }

    /// The numbers of a column's rows, of which those outside `rows` do not matter.
    fn encode(&mut self, column: &Column, rows: std::ops::Range<usize>) -> Result<Vec<u32>, ExecError> {
        if matches!(column.values, Values::Missing(_)) {
            return Ok(vec![0; column.len()]);
        }
        if let Some(small) = self.payload.small(column) {
            let valid = column.valid.as_ref();
            return Ok(match valid {
                None => small.iter().map(|number| number.wrapping_add(1)).collect(),
                Some(valid) => {
                    let known = |(number, known): (&u32, bool)| if known { number.wrapping_add(1) } else { 0 };
                    small.iter().zip(valid.iter()).map(known).collect()
                }
            });
        }
        let mut numbers = vec![0; column.len()];
        let payload = self.payload.encode(column)?;
        if self.is_direct() {
            match &column.valid {
                None => rows.for_each(|row| numbers[row] = payload[row] as u32 + 1),
                Some(v) => rows.filter(|&row| v.is_valid(row)).for_each(|row| numbers[row] = payload[row] as u32 + 1),
            }
            return Ok(numbers);
        }
        if self.recent.is_empty() {
            self.recent = vec![(0, 0); 1 << RECENT_BITS];
        }
        for row in rows {
            if !column.is_known(row) {
                continue;
            }
            let value = payload[row];
            let hash = (value as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - RECENT_BITS);
            let recent = &mut self.recent[hash as usize];
            if recent.1 == 0 || recent.0 != value {
                let number = *self.index.entry(value).or_insert_with(|| {
                    self.values.push(value);
                    self.values.len() as u32
                });
                *recent = (value, number);
            }
            numbers[row] = recent.1;
        }
        Ok(numbers)
    }

    fn decode(&mut self, number: u32) -> Scalar {
        let Some(place) = number.checked_sub(1) else { return Scalar::Missing };
        let value = match self.is_direct() {
            true => i64::from(place),
            false => self.values[place as usize],
        };
        scalar_of(&mut self.payload, value, self.keys.as_deref())
    }

    /// The values behind some numbers; entities stay ids.
    fn column(&mut self, numbers: &[u32]) -> Column {
        let known = BooleanBuffer::collect_bool(numbers.len(), |i| numbers[i] > 0);
        let value = |&number: &u32| match number.checked_sub(1) {
            None => 0,
            Some(place) if self.is_direct() => i64::from(place),
            Some(place) => self.values[place as usize],
        };
        let values = numbers.iter().map(value).collect();
        self.payload.decode(values, Some(NullBuffer::new(known)))
    }
}

/// Numbers pairs of numbers.
#[derive(Debug, Default)]
struct Pairs {
    index: NumberMap<u64, u32>,
    /// The same as a table while the numbers are small: `table[a * width + b]`, 0: none yet.
    table: Vec<u32>,
    width: usize,
    pairs: Vec<(u32, u32)>,
    /// How many firsts and seconds have a number that is only computed: `a * width + b`; those that are numbered as they
    /// come have the numbers behind these.
    computed: Option<(u32, u32)>,
}

/// As many pairs fit a table.
const TABLE_MAX: usize = 4 << 20;

/// As many pairs may have computed numbers, whether or not they occur.
const COMPUTED_MAX: usize = 1 << 16;

impl Pairs {
    /// Computes the numbers of pairs of numbers below these, where that makes not too many; nothing was numbered yet.
    fn compute(&mut self, firsts: usize, seconds: usize) {
        if self.computed.is_none() && self.pairs.is_empty() && firsts.saturating_mul(seconds) <= COMPUTED_MAX {
            self.computed = Some((firsts as u32, seconds as u32));
        }
    }

    /// How many numbers are computed, where all are as long as no first or second is behind those that were expected.
    fn numbers(&self) -> Option<usize> {
        self.computed.map(|(firsts, seconds)| firsts as usize * seconds as usize)
    }

    /// The pair behind a number.
    fn pair(&self, number: u32) -> (u32, u32) {
        match self.computed {
            Some((firsts, seconds)) if number < firsts * seconds => (number / seconds, number % seconds),
            Some((firsts, seconds)) => self.pairs[(number - firsts * seconds) as usize],
            None => self.pairs[number as usize],
        }
    }

    fn encode(&mut self, firsts: &mut [u32], seconds: &[u32], rows: std::ops::Range<usize>) {
        let max = |numbers: &[u32]| numbers[rows.clone()].iter().fold(0, |max: u32, &n| max.max(n)) as usize + 1;
        let (height, width) = (max(firsts), max(seconds));
        if let Some((expected, below)) = self.computed {
            let (firsts, seconds) = (&mut firsts[rows.clone()], &seconds[rows]);
            if height <= expected as usize && width <= below as usize {
                firsts.iter_mut().zip(seconds).for_each(|(a, &b)| *a = *a * below + b);
                return;
            }
            for (a, &b) in firsts.iter_mut().zip(seconds) {
                if *a < expected && b < below {
                    *a = *a * below + b;
                    continue;
                }
                let pairs = &mut self.pairs;
                let number = self.index.entry(u64::from(*a) << 32 | u64::from(b)).or_insert_with(|| {
                    pairs.push((*a, b));
                    expected * below + pairs.len() as u32 - 1
                });
                *a = *number;
            }
            return;
        }
        if width > self.width {
            // Wider rows: the table is laid out anew.
            self.width = width.next_power_of_two();
            self.table.clear();
            let reach = self.pairs.iter().map(|p| p.0 as usize + 1).max().unwrap_or(0);
            if reach.saturating_mul(self.width) <= TABLE_MAX {
                self.table.resize(reach * self.width, 0);
                for (number, pair) in self.pairs.iter().enumerate() {
                    self.table[pair.0 as usize * self.width + pair.1 as usize] = number as u32 + 1;
                }
            }
        }
        let needed = height.saturating_mul(self.width);
        let tabled = needed.max(self.table.len()) <= TABLE_MAX && self.index.is_empty();
        if tabled {
            if needed > self.table.len() {
                self.table.resize(needed, 0);
            }
            for row in rows {
                let (a, b) = (firsts[row], seconds[row]);
                let place = &mut self.table[a as usize * self.width + b as usize];
                if *place == 0 {
                    self.pairs.push((a, b));
                    *place = self.pairs.len() as u32;
                }
                firsts[row] = *place - 1;
            }
            return;
        }
        if self.index.is_empty() {
            let known = self.pairs.iter().enumerate();
            self.index = known.map(|(number, p)| (u64::from(p.0) << 32 | u64::from(p.1), number as u32)).collect();
            self.table = Vec::new();
        }
        for row in rows {
            let (a, b) = (firsts[row], seconds[row]);
            let number = self.index.entry(u64::from(a) << 32 | u64::from(b)).or_insert_with(|| {
                self.pairs.push((a, b));
                self.pairs.len() as u32 - 1
            });
            firsts[row] = *number;
        }
    }
}

/// Numbers the labels of rows together: equal labels, equal groups.
#[derive(Debug)]
pub(crate) struct Groups {
    labels: Vec<Label>,
    pairs: Vec<Pairs>,
    /// The labels of groups that were asked for: a group has a cell in many periods.
    decoded: NumberMap<u32, Labels>,
    /// Whether numbers may lie apart: groups that never occur have one, too.
    apart: bool,
}

impl Groups {
    /// For labels of these types, with the keys of those that are entities.
    pub(crate) fn new(types: Vec<(Type, Option<Arc<StringArray>>)>) -> Groups {
        let pairs = types.iter().skip(1).map(|_| Pairs::default()).collect();
        let label = |(ty, keys)| Label {
            payload: Payload::new(ty),
            keys,
            index: NumberMap::default(),
            values: Vec::new(),
            recent: Vec::new(),
        };
        Groups { labels: types.into_iter().map(label).collect(), pairs, decoded: NumberMap::default(), apart: false }
    }

    /// The same where the numbers of groups need not be those of the groups that occur, which is quicker.
    pub(crate) fn apart(self) -> Groups {
        Groups { apart: true, ..self }
    }

    /// From now on, since nothing has a number yet, groups have numbers as they occur.
    pub(crate) fn as_they_come(&mut self) {
        self.apart = false;
    }

    /// The groups of rows, by row; empty without labels.
    pub(crate) fn encode(&mut self, columns: &[&Column], rows: std::ops::Range<usize>) -> Result<Vec<u32>, ExecError> {
        let mut groups = Vec::new();
        // How many groups there can be of the labels so far.
        let mut most = None;
        for (i, (label, column)) in self.labels.iter_mut().zip(columns).enumerate() {
            let numbers = label.encode(column, rows.clone())?;
            match i.checked_sub(1) {
                None => {
                    groups = numbers;
                    most = label.numbers();
                }
                Some(pair) => {
                    let pairs = &mut self.pairs[pair];
                    if let (true, Some(firsts), Some(seconds)) = (self.apart, most, label.numbers()) {
                        pairs.compute(firsts, seconds);
                    }
                    pairs.encode(&mut groups, &numbers, rows.clone());
                    most = pairs.numbers();
                }
            }
        }
        Ok(groups)
    }

    /// The labels of a group.
    pub(crate) fn decode(&mut self, group: u32) -> Labels {
        if let Some(known) = self.decoded.get(&group) {
            return known.clone();
        }
        let labels = Labels::from(self.values(group));
        self.decoded.insert(group, labels.clone());
        labels
    }

    fn values(&mut self, group: u32) -> Vec<Scalar> {
        let mut values = Vec::with_capacity(self.labels.len());
        let mut rest = group;
        for i in (0..self.labels.len()).rev() {
            let number = match i.checked_sub(1) {
                None => rest,
                Some(pair) => {
                    let (before, own) = self.pairs[pair].pair(rest);
                    rest = before;
                    own
                }
            };
            values.push(self.labels[i].decode(number));
        }
        values.reverse();
        values
    }

    /// The labels of many groups, one column per label.
    pub(crate) fn columns(&mut self, mut groups: Vec<u32>) -> Vec<Column> {
        let mut columns = Vec::with_capacity(self.labels.len());
        for i in (0..self.labels.len()).rev() {
            columns.push(match i.checked_sub(1) {
                None => self.labels[i].column(&groups),
                Some(pair) => {
                    let pairs = &self.pairs[pair];
                    let own: Vec<u32> = groups.iter().map(|&group| pairs.pair(group).1).collect();
                    groups.iter_mut().for_each(|group| *group = pairs.pair(*group).0);
                    self.labels[i].column(&own)
                }
            });
        }
        columns.reverse();
        columns
    }
}

/// The cells that have a row, numbered as they appear. Rows come period by period.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    /// The cell of each group in the current period; numbers below `base` belong to earlier periods.
    by_group: Vec<u32>,
    base: u32,
    period: Option<i64>,
    cells: Vec<(Option<i64>, u32)>,
}

impl Slots {
    /// Goes on to a period; whether it is a new one.
    pub(crate) fn begin(&mut self, period: Option<i64>) -> bool {
        if period == self.period {
            return false;
        }
        self.period = period;
        self.base = self.cells.len() as u32;
        true
    }

    /// How many cells there are.
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The first cell of the current period.
    pub(crate) fn first(&self) -> u32 {
        self.base
    }

    /// The cell of a group in the current period.
    #[inline]
    pub(crate) fn slot(&mut self, group: u32) -> u32 {
        let place = group as usize;
        if place >= self.by_group.len() {
            self.by_group.resize((place + 1).next_power_of_two(), u32::MAX);
        }
        let found = self.by_group[place];
        if found >= self.base && (found as usize) < self.cells.len() {
            return found;
        }
        let slot = self.cells.len() as u32;
        self.cells.push((self.period, group));
        self.by_group[place] = slot;
        slot
    }

    /// The cells of the groups of rows in the current period.
    pub(crate) fn place(&mut self, groups: &[u32], slots: &mut [u32]) {
        let (base, count) = (self.base, self.cells.len() as u32 - self.base);
        let mut unknown = false;
        for (slot, &group) in slots.iter_mut().zip(groups) {
            let found = self.by_group.get(group as usize).copied().unwrap_or(u32::MAX);
            // Below the base it wraps around.
            unknown |= found.wrapping_sub(base) >= count;
            *slot = found;
        }
        if unknown {
            slots.iter_mut().zip(groups).for_each(|(slot, &group)| *slot = self.slot(group));
        }
    }

    /// Period and group of each cell.
    pub(crate) fn cells(&self) -> &[(Option<i64>, u32)] {
        &self.cells
    }
}
