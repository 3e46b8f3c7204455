//! Counts and sums over entities that change only when something happens to an entity that can be followed (a state, a
//! row of a history): what each entity adds is kept, and only those are looked at again for whom something may have
//! changed since the window before.

use super::{Plan, Set};
use crate::ExecError;
use crate::rows::{Column, Frame, Type, Values};
use crate::zeros::zeros;
use arrow_buffer::{BooleanBuffer, NullBuffer};
use kepi_model::core::{Aggregate, Measure};

/// What all entities add at a moment, for each set of aggregates with the same labels.
pub(in crate::pass) struct Kept {
    sets: Vec<KeptSet>,
    /// By id, where there are several sets: in how many of them it is taken by any aggregate.
    taken: Vec<u8>,
    /// How many are taken by any aggregate.
    count: u64,
}

/// What they add to the aggregates of a set.
struct KeptSet {
    /// By id: the group of its labels, a bit for each mask that takes it and for each sum that it has a value of; then
    /// these values. All of an entity lies together, since they come in no order.
    records: Vec<i64>,
    masks: Vec<KeptMask>,
    sums: Vec<KeptSum>,
}

impl Kept {
    /// How many bytes it takes by id.
    pub(in crate::pass) fn bytes(&self) -> usize {
        self.taken.len() + self.sets.iter().map(|set| size_of_val(&set.records[..])).sum::<usize>()
    }
}

/// How many of each group are taken.
struct KeptMask {
    mask: usize,
    rows: Vec<i64>,
}

/// The sums by group, and of how many values.
struct KeptSum {
    aggregate: usize,
    digits: Vec<i128>,
    known: Vec<i64>,
}

/// So many masks and sums a record has bits for, behind those of the group.
const BITS: usize = 15;

/// The bit of a mask in a record's head.
const fn mask_bit(mask: usize) -> u64 {
    1 << (32 + mask)
}

/// The bit of a sum.
const fn sum_bit(sum: usize) -> u64 {
    1 << (32 + BITS + sum)
}

impl KeptSet {
    fn width(&self) -> usize {
        1 + self.sums.len()
    }

    /// Puts what an entity adds in the place of what it added: `values` are those of the sums. Whether it is taken by any
    /// mask, before and now.
    #[inline]
    fn put(&mut self, id: usize, head: u64, values: &[i64]) -> Option<(bool, bool)> {
        let width = self.width();
        let record = self.records.get_mut(id * width..(id + 1) * width)?;
        let before = record[0] as u64;
        let any = |head: u64| (head >> 32) & ((1 << BITS) - 1) != 0;
        let taken = (any(before), any(head));
        // Comparing slices would call a function for what is a number or two.
        if before == head && record[1..].iter().zip(values).all(|(before, now)| before == now) {
            return Some(taken);
        }
        let (old, new) = (before as u32 as usize, head as u32 as usize);
        for (i, mask) in self.masks.iter_mut().enumerate() {
            mask.rows[old] -= i64::from(before & mask_bit(i) != 0);
            mask.rows[new] += i64::from(head & mask_bit(i) != 0);
        }
        for (i, sum) in self.sums.iter_mut().enumerate() {
            if before & sum_bit(i) != 0 {
                sum.digits[old] -= i128::from(record[1 + i]);
                sum.known[old] -= 1;
            }
            if head & sum_bit(i) != 0 {
                sum.digits[new] += i128::from(values[i]);
                sum.known[new] += 1;
            }
            record[1 + i] = values[i];
        }
        record[0] = head as i64;
        Some(taken)
    }

    /// Makes room for groups.
    fn grow(&mut self, groups: usize) {
        self.masks.iter_mut().for_each(|mask| grow(&mut mask.rows, groups));
        for sum in &mut self.sums {
            grow(&mut sum.digits, groups);
            grow(&mut sum.known, groups);
        }
    }
}

impl Plan {
    /// What is kept of `ids` entities before any was looked at; none: some value may change without a state's doing, or
    /// cannot be taken back.
    pub(in crate::pass) fn kept(&mut self, aggregates: &[Aggregate], ids: usize) -> Option<Kept> {
        let exact = |(i, a): (usize, &Aggregate)| match a.measure {
            Measure::Count => true,
            Measure::Sum(_) | Measure::Avg(_) => {
                self.aggregates[i].args.first().is_some_and(|&arg| matches!(self.program.ty(arg), Type::Decimal(_)))
            }
            _ => false,
        };
        if !aggregates.iter().enumerate().all(exact) || !self.program.can_be_followed() {
            return None;
        }
        let set = |(own, set): (usize, &Set)| {
            let masks = set.masks.iter().map(|&mask| KeptMask { mask, rows: Vec::new() }).collect();
            let of_set = self.aggregates.iter().enumerate().filter(|(_, planned)| planned.set == own);
            let sums = of_set.filter(|(_, planned)| !planned.args.is_empty());
            let sum = |(aggregate, _)| KeptSum { aggregate, digits: vec![], known: vec![] };
            let mut kept = KeptSet { records: Vec::new(), masks, sums: sums.map(sum).collect() };
            kept.records = zeros(ids * kept.width());
            kept
        };
        let sets: Vec<KeptSet> = self.sets.iter().enumerate().map(set).collect();
        if sets.iter().any(|set| set.masks.len() > BITS || set.sums.len() > BITS) {
            return None;
        }
        let taken = zeros(if sets.len() > 1 { ids } else { 0 });
        // What is kept is kept in arrays by group.
        self.sets.iter_mut().for_each(|set| set.groups.as_they_come());
        Some(Kept { sets, taken, count: 0 })
    }

    /// Puts what the entities of a batch add now in the place of what they added. The program has been run on it.
    /// Whether it could: sums that are not exact, or of values with more digits than are kept, cannot be taken back.
    pub(in crate::pass) fn replace(
        &mut self,
        kept: &mut Kept,
        frame: &Frame,
        exists: &BooleanBuffer,
    ) -> Result<bool, ExecError> {
        let Some(Values::Id(ids, _)) = frame.ids.as_ref().map(|ids| &ids.values) else { return Ok(false) };
        let masks = self.masks_of(Some(exists))?;
        let Plan { program, aggregates, sets, .. } = self;
        let Kept { sets: kept_sets, taken: many, count } = kept;
        for (set, kept) in sets.iter_mut().zip(kept_sets) {
            let labels: Vec<&Column> = set.labels.iter().map(|&l| program.value(l)).collect();
            let groups = set.groups.encode(&labels, 0..frame.len)?;
            kept.grow(groups.iter().max().map_or(1, |&g| g as usize + 1));
            let taken: Vec<Option<&BooleanBuffer>> = kept.masks.iter().map(|own| masks[own.mask].as_ref()).collect();
            let mut sums = Vec::with_capacity(kept.sums.len());
            for sum in &kept.sums {
                let planned = &aggregates[sum.aggregate];
                let Some(&arg) = planned.args.first() else { return Ok(false) };
                let Some(digits) = Digits::of(program.value(arg)) else { return Ok(false) };
                sums.push((digits, masks[planned.mask].as_ref()));
            }
            let mut values = vec![0; sums.len()];
            for (row, &id) in ids.iter().enumerate() {
                let mut head = u64::from(groups.get(row).copied().unwrap_or(0));
                for (i, mask) in taken.iter().enumerate() {
                    if mask.is_none_or(|mask| mask.value(row)) {
                        head |= mask_bit(i);
                    }
                }
                for (i, ((digits, mask), value)) in sums.iter().zip(&mut values).enumerate() {
                    *value = 0;
                    if mask.is_none_or(|mask| mask.value(row))
                        && let Some(own) = digits.get(row)
                    {
                        let Some(own) = own else { return Ok(false) };
                        *value = own;
                        head |= sum_bit(i);
                    }
                }
                let Some((before, now)) = kept.put(id as usize, head, &values) else { return Ok(false) };
                match many.get_mut(id as usize) {
                    None => *count = *count + u64::from(now) - u64::from(before),
                    Some(sets) => {
                        let any = *sets > 0;
                        *sets = *sets + u8::from(now) - u8::from(before);
                        *count = *count + u64::from(*sets > 0) - u64::from(any);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Makes the cells of a period of what is kept.
    ///
    /// Errors: cells that are groups take more memory than there may be.
    pub(in crate::pass) fn emit_kept(&mut self, kept: &Kept, period: Option<i64>) -> Result<(), ExecError> {
        self.report.rows_kept += kept.count;
        let Plan { aggregates, sets, .. } = self;
        for (set, kept) in sets.iter_mut().zip(&kept.sets) {
            set.slots.begin(period);
            let groups = kept.masks.iter().map(|m| m.rows.len()).max().unwrap_or(0);
            let has = |group: &usize| kept.masks.iter().any(|m| m.rows[*group] > 0);
            for group in (0..groups).filter(has) {
                let slot = set.slots.slot(group as u32) as usize;
                for own in &kept.masks {
                    let counts = &mut set.counts[own.mask];
                    grow(counts, slot + 1);
                    counts[slot] = own.rows[group];
                }
                for sum in &kept.sums {
                    let planned = &mut aggregates[sum.aggregate];
                    let rows = set.counts[planned.mask][slot];
                    planned.measured.put_sum(slot, sum.digits[group], rows - sum.known[group]);
                }
            }
        }
        self.fits()
    }

    /// The rows that each condition takes; none: all.
    pub(super) fn masks_of(&self, exists: Option<&BooleanBuffer>) -> Result<Vec<Option<BooleanBuffer>>, ExecError> {
        let mut masks = self.whole_masks_of(exists)?;
        for (mask, rows) in self.masks.iter().zip(&mut masks) {
            if let (Some(key), Some(ranged)) = (mask.key, &self.ranged) {
                let own = ranged.rows(self.program.value(key))?;
                *rows = Some(rows.as_ref().map_or_else(|| own.clone(), |rows| rows & &own));
            }
        }
        Ok(masks)
    }

    /// The same of everybody's rows.
    pub(super) fn whole_masks_of(
        &self,
        exists: Option<&BooleanBuffer>,
    ) -> Result<Vec<Option<BooleanBuffer>>, ExecError> {
        let mask = |mask: &super::Mask| -> Result<Option<BooleanBuffer>, ExecError> {
            let own = mask.node.map(|n| self.program.value(n).mask()).transpose()?;
            Ok(match (own, exists.filter(|_| mask.existing)) {
                (Some(own), Some(exists)) => Some(&own & exists),
                (own, exists) => own.or_else(|| exists.cloned()),
            })
        };
        self.masks.iter().map(mask).collect()
    }
}

/// The digits of a column's rows.
struct Digits<'a> {
    narrow: &'a [i64],
    wide: &'a [i128],
    known: Option<&'a NullBuffer>,
    missing: bool,
}

impl<'a> Digits<'a> {
    /// None: it is not exact.
    fn of(column: &'a Column) -> Option<Digits<'a>> {
        let known = column.valid.as_ref();
        match &column.values {
            Values::Decimal(values, _) => Some(Digits { narrow: values, wide: &[], known, missing: false }),
            Values::Wide(values, _) => Some(Digits { narrow: &[], wide: values, known, missing: false }),
            Values::Missing(_) => Some(Digits { narrow: &[], wide: &[], known, missing: true }),
            _ => None,
        }
    }

    /// Those of a row; within: there are more than are kept.
    #[inline]
    fn get(&self, row: usize) -> Option<Option<i64>> {
        if self.missing || self.known.is_some_and(|known| known.is_null(row)) {
            return None;
        }
        Some(match self.narrow.get(row) {
            Some(&digits) => Some(digits),
            None => self.wide.get(row).and_then(|&digits| i64::try_from(digits).ok()),
        })
    }
}

fn grow<T: Clone + Default>(values: &mut Vec<T>, len: usize) {
    if values.len() < len {
        values.resize(len, T::default());
    }
}
