//! Counts and sums over entities that change only when something happens to an entity that can be followed (a state, a
//! row of a history): what each entity adds is kept, and only those are looked at again for whom something may have
//! changed since the window before.

use super::{Plan, Set};
use crate::ExecError;
use crate::rows::{Column, Frame, Type, Values};
use arrow_buffer::BooleanBuffer;
use kepi_model::core::{Aggregate, Measure};

/// What all entities add at a moment, for each set of aggregates with the same labels.
pub(in crate::pass) struct Kept {
    sets: Vec<KeptSet>,
    /// Who is taken by any aggregate, and how many they are.
    taken: Vec<bool>,
    count: u64,
}

/// What they add to the aggregates of a set.
struct KeptSet {
    /// By id: the group of its labels.
    groups: Vec<u32>,
    masks: Vec<KeptMask>,
    sums: Vec<KeptSum>,
}

/// Who is taken, and how many of each group.
struct KeptMask {
    mask: usize,
    taken: Vec<bool>,
    rows: Vec<i64>,
}

/// The values of those who are taken and have one, and their sums by group.
struct KeptSum {
    aggregate: usize,
    values: Vec<Option<i128>>,
    digits: Vec<i128>,
    known: Vec<i64>,
}

impl Plan {
    /// What is kept of `ids` entities before any was looked at; none: some value may change without a state's doing, or
    /// cannot be taken back.
    pub(in crate::pass) fn kept(&self, aggregates: &[Aggregate], ids: usize) -> Option<Kept> {
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
            let mask = |&mask: &usize| KeptMask { mask, taken: vec![false; ids], rows: Vec::new() };
            let of_set = self.aggregates.iter().enumerate().filter(|(_, planned)| planned.set == own);
            let sums = of_set.filter(|(_, planned)| !planned.args.is_empty());
            let sum = |aggregate| KeptSum { aggregate, values: vec![None; ids], digits: vec![], known: vec![] };
            let sums = sums.map(|(aggregate, _)| sum(aggregate)).collect();
            KeptSet { groups: vec![0; ids], masks: set.masks.iter().map(mask).collect(), sums }
        };
        let sets = self.sets.iter().enumerate().map(set).collect();
        Some(Kept { sets, taken: vec![false; ids], count: 0 })
    }

    /// Puts what the entities of a batch add now in the place of what they added. The program has been run on it.
    /// Whether it could: sums that are not exact cannot be taken back.
    pub(in crate::pass) fn replace(
        &mut self,
        kept: &mut Kept,
        frame: &Frame,
        exists: &BooleanBuffer,
    ) -> Result<bool, ExecError> {
        let Some(Values::Id(ids, _)) = frame.ids.as_ref().map(|ids| &ids.values) else { return Ok(false) };
        let masks = self.masks_of(Some(exists))?;
        let Plan { program, aggregates, sets, .. } = self;
        for (set, kept) in sets.iter_mut().zip(&mut kept.sets) {
            let labels: Vec<&Column> = set.labels.iter().map(|&l| program.value(l)).collect();
            let groups = set.groups.encode(&labels, 0..frame.len)?;
            let room = groups.iter().max().map_or(1, |&g| g as usize + 1);
            for sum in &mut kept.sums {
                let planned = &aggregates[sum.aggregate];
                let Some(&arg) = planned.args.first() else { return Ok(false) };
                let Some(digits) = digits(program.value(arg)) else { return Ok(false) };
                grow(&mut sum.digits, room);
                grow(&mut sum.known, room);
                for (row, &id) in ids.iter().enumerate() {
                    let taken = masks[planned.mask].as_ref().is_none_or(|m| m.value(row));
                    let value = if taken { digits(row) } else { None };
                    let old = std::mem::replace(&mut sum.values[id as usize], value);
                    let (before, after) = (kept.groups[id as usize], groups.get(row).copied().unwrap_or(0));
                    for (value, group, sign) in [(old, before, -1), (value, after, 1)] {
                        let Some(value) = value else { continue };
                        let sum_of = &mut sum.digits[group as usize];
                        let Some(changed) = sum_of.checked_add(value * i128::from(sign)) else { return Ok(false) };
                        *sum_of = changed;
                        sum.known[group as usize] += sign;
                    }
                }
            }
            for own in &mut kept.masks {
                grow(&mut own.rows, room);
                for (row, &id) in ids.iter().enumerate() {
                    let taken = masks[own.mask].as_ref().is_none_or(|m| m.value(row));
                    if std::mem::replace(&mut own.taken[id as usize], taken) {
                        own.rows[kept.groups[id as usize] as usize] -= 1;
                    }
                    own.rows[groups.get(row).copied().unwrap_or(0) as usize] += i64::from(taken);
                }
            }
            for (row, &id) in ids.iter().enumerate() {
                kept.groups[id as usize] = groups.get(row).copied().unwrap_or(0);
            }
        }
        for (row, &id) in ids.iter().enumerate() {
            let taken = masks.iter().any(|mask| mask.as_ref().is_none_or(|m| m.value(row)));
            let before = std::mem::replace(&mut kept.taken[id as usize], taken);
            kept.count = kept.count + u64::from(taken) - u64::from(before);
        }
        Ok(true)
    }

    /// Makes the cells of a period of what is kept.
    pub(in crate::pass) fn emit_kept(&mut self, kept: &Kept, period: Option<i64>) {
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
                    aggregates[sum.aggregate].measured.put_sum(slot, sum.digits[group], sum.known[group]);
                }
            }
        }
    }

    /// The rows that each condition takes; none: all.
    pub(super) fn masks_of(&self, exists: Option<&BooleanBuffer>) -> Result<Vec<Option<BooleanBuffer>>, ExecError> {
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

/// The digits of a column's rows; none: it is not exact.
fn digits(column: &Column) -> Option<Box<dyn Fn(usize) -> Option<i128> + '_>> {
    match &column.values {
        Values::Decimal(values, _) => Some(Box::new(move |row| column.is_known(row).then(|| i128::from(values[row])))),
        Values::Wide(values, _) => Some(Box::new(move |row| column.is_known(row).then(|| values[row]))),
        Values::Missing(_) => Some(Box::new(|_| None)),
        _ => None,
    }
}

fn grow<T: Clone + Default>(values: &mut Vec<T>, len: usize) {
    if values.len() < len {
        values.resize(len, T::default());
    }
}
