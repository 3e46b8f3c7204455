//! Sums per cell, and of how many values they are.

use super::accumulate::{Cell, Rows, at, grow};
use super::exact::FloatSum;
use super::state::State;
use crate::ExecError;
use crate::rows::{Column, Values};

/// The sums of an argument, by cell.
#[derive(Default)]
pub(crate) struct Sum {
    /// Digits, as far as they fit.
    digits: Vec<i64>,
    /// What did not fit; empty: everything did.
    wide: Vec<i128>,
    floats: Vec<FloatSum>,
    /// How many of the rows have no value; empty: all have one.
    lacking: Vec<i64>,
}

impl Sum {
    /// Counts rows without a value.
    pub(super) fn lack(&mut self, rows: Rows<'_>, cell: Cell<'_>, cells: usize) {
        grow(&mut self.lacking, cells);
        rows.each(|row| self.lacking[at(cell, row) as usize] += 1);
    }

    /// Adds the values of rows, all of which have one.
    pub(super) fn add(&mut self, rows: Rows<'_>, cell: Cell<'_>, cells: usize, arg: &Column) -> Result<(), ExecError> {
        grow(&mut self.digits, cells);
        match (cell, &arg.values) {
            (_, Values::Missing(_)) => {}
            (Cell::One(slot), Values::Decimal(values, _)) => {
                // The halves are summed apart: 2^32 of either still fit, and the compiler can do several at once.
                let (mut high, mut low) = (0_i64, 0_i64);
                rows.each(|row| {
                    high += values[row] >> 32;
                    low += values[row] & 0xFFFF_FFFF;
                });
                self.widen(slot as usize, (i128::from(high) << 32) + i128::from(low))?;
            }
            (Cell::Each(slots), Values::Decimal(values, _)) => {
                let Sum { digits, wide, .. } = self;
                let count = digits.len();
                let mut add = |slot: u32, value: i64| {
                    let slot = slot as usize;
                    let (sum, over) = digits[slot].overflowing_add(value);
                    if over {
                        // Both fit 64 bits, so that this many of them do not come together.
                        grow(wide, count);
                        wide[slot] += i128::from(digits[slot]) + i128::from(value);
                    }
                    digits[slot] = if over { 0 } else { sum };
                };
                match rows.mask {
                    // Without calls the compiler keeps the arrays at hand.
                    None => {
                        let range = rows.range.clone();
                        slots[range.clone()].iter().zip(&values[range]).for_each(|(&slot, &value)| add(slot, value));
                    }
                    Some(_) => rows.each(|row| add(slots[row], values[row])),
                }
            }
            (_, Values::Wide(values, _)) => {
                let mut overflow = false;
                grow(&mut self.wide, cells);
                rows.each(|row| {
                    let sum = &mut self.wide[at(cell, row) as usize];
                    match sum.checked_add(values[row]) {
                        Some(more) => *sum = more,
                        None => overflow = true,
                    }
                });
                if overflow {
                    return Err(ExecError::Overflow("a sum".into()));
                }
            }
            (_, Values::Float(values)) => {
                grow(&mut self.floats, cells);
                rows.each(|row| self.floats[at(cell, row) as usize].add(values[row]));
            }
            (_, other) => return Err(ExecError::Plan(format!("a sum is taken of {}", other.words()))),
        }
        Ok(())
    }

    /// Adds digits to one of so many cells.
    pub(super) fn add_to(&mut self, slot: usize, more: i64, cells: usize) -> Result<(), ExecError> {
        grow(&mut self.digits, cells);
        self.widen(slot, i128::from(more))
    }

    /// Adds to one cell.
    fn widen(&mut self, slot: usize, more: i128) -> Result<(), ExecError> {
        if let Some(sum) = i64::try_from(more).ok().and_then(|more| self.digits[slot].checked_add(more)) {
            self.digits[slot] = sum;
            return Ok(());
        }
        let count = self.digits.len();
        grow(&mut self.wide, count);
        self.wide[slot] = self.wide[slot].checked_add(more).ok_or_else(|| ExecError::Overflow("a sum".into()))?;
        Ok(())
    }

    /// Sets the sum of a cell to these digits, of all rows but so many.
    pub(super) fn put(&mut self, slot: usize, sum: i128, lacking: i64) {
        grow(&mut self.digits, slot + 1);
        match i64::try_from(sum) {
            Ok(sum) => self.digits[slot] = sum,
            Err(_) => {
                let count = self.digits.len();
                grow(&mut self.wide, count);
                (self.digits[slot], self.wide[slot]) = (0, sum);
            }
        }
        if lacking != 0 {
            grow(&mut self.lacking, slot + 1);
            self.lacking[slot] = lacking;
        }
    }

    /// The sums of so many cells, of which so many rows were taken, 0 of the last ones.
    pub(super) fn into_state(self, cells: usize, rows: &[i64]) -> State {
        let Sum { digits, wide, mut floats, lacking } = self;
        let of = |values: &[i64], cell: usize| values.get(cell).copied().unwrap_or(0);
        let sum = |cell: usize| i128::from(of(&digits, cell)) + wide.get(cell).copied().unwrap_or(0);
        if !floats.is_empty() {
            floats.resize(cells, FloatSum::default());
        }
        State::Sum {
            digits: (0..cells).map(sum).collect(),
            known: (0..cells).map(|cell| of(rows, cell) - of(&lacking, cell)).collect(),
            floats,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test may stop.

    use super::*;

    fn digits(sum: Sum, rows: &[i64]) -> (Vec<i128>, Vec<i64>) {
        match sum.into_state(rows.len(), rows) {
            State::Sum { digits, known, .. } => (digits, known),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn sums_that_leave_64_bits_stay_exact() {
        let values = vec![i64::MAX, 5, i64::MAX, i64::MIN, i64::MAX, -7];
        let column = Column::new(Values::Decimal(values.clone().into(), 2), None);
        let range = 0..values.len();
        let all = Rows { range: &range, mask: None };
        let mut each = Sum::default();
        each.add(all, Cell::Each(&[0, 1, 0, 1, 0, 1]), 2, &column).unwrap();
        let max = i128::from(i64::MAX);
        assert_eq!(digits(each, &[3, 3]).0, [3 * max, 5 - 7 + i128::from(i64::MIN)]);
        let mut one = Sum::default();
        one.add(all, Cell::One(1), 2, &column).unwrap();
        one.add(all, Cell::One(1), 2, &column).unwrap();
        assert_eq!(
            digits(one, &[0, 12]),
            (vec![0, 2 * values.iter().map(|&v| i128::from(v)).sum::<i128>()], vec![0, 12])
        );
    }

    #[test]
    fn rows_without_a_value_are_not_known() {
        let mut sum = Sum::default();
        let range = 0..3;
        let column = Column::new(Values::Decimal(vec![4, 5, 6].into(), 0), None);
        sum.add(Rows { range: &(0..2), mask: None }, Cell::Each(&[0, 1]), 2, &column).unwrap();
        sum.lack(Rows { range: &range, mask: None }, Cell::One(1), 2);
        sum.put(2, i128::MAX, 1);
        assert_eq!(digits(sum, &[1, 4, 3]), (vec![4, 5, i128::MAX], vec![1, 1, 2]));
    }
}
