//! Exact sums of a stretch of rows by their groups, where groups are few: rows are added up in a small array by the
//! group's number, in one go for all that is asked of them, and only the groups that occur look for their cells.

use super::accumulate::Rows;
use std::ops::Range;

/// What a measure adds of rows, all of which have a value.
#[derive(Clone, Copy)]
pub(super) enum Added<'a> {
    /// Nothing but that they are rows.
    Rows,
    /// Their digits.
    Digits(&'a [i64]),
}

/// So many rows at least there must be for each number of a group: else it is quicker to look for each row's cell.
const ROWS_MIN: usize = 4;

/// Sums by the numbers of groups.
#[derive(Debug, Default)]
pub(super) struct Dense {
    /// Per group the digits of the first sum, and how many rows there are: what is changed together stands together.
    first: Vec<(i64, i64)>,
    /// The digits of further sums.
    others: Vec<Vec<i64>>,
}

impl Dense {
    /// Whether rows of these groups are worth it, and no sum of theirs can leave 64 bits.
    pub(super) fn takes(range: &Range<usize>, groups: &[u32], added: &[Added<'_>]) -> bool {
        let most = groups[range.clone()].iter().fold(0, |most: u32, &group| most.max(group));
        let fits = |added: &Added<'_>| match added {
            Added::Rows => true,
            // The bits of all numbers together: as many rows of one that has them all still fit.
            Added::Digits(digits) => {
                let bits = digits[range.clone()].iter().fold(0, |bits, &number| bits | (number ^ (number >> 63)));
                bits.leading_zeros() > range.len().checked_ilog2().unwrap_or(0) + 2
            }
        };
        (most as usize + 1).saturating_mul(ROWS_MIN) <= range.len() && added.iter().all(fits)
    }

    /// Adds rows, and calls for each group that occurs: with its number, how many rows it has, and the sums of all that
    /// adds digits, in order.
    pub(super) fn add(
        &mut self,
        rows: Rows<'_>,
        groups: &[u32],
        added: &[Added<'_>],
        mut found: impl FnMut(u32, i64, &[i64]) -> Result<(), crate::ExecError>,
    ) -> Result<(), crate::ExecError> {
        let own = &groups[rows.range.clone()];
        let count = own.iter().fold(0, |most: u32, &group| most.max(group)) as usize + 1;
        let mut sums = added.iter().filter_map(|added| match added {
            Added::Rows => None,
            Added::Digits(digits) => Some(*digits),
        });
        self.first.clear();
        self.first.resize(count, (0, 0));
        let first = &mut self.first[..];
        match (sums.next(), rows.mask) {
            (Some(digits), None) => {
                for (&group, &number) in own.iter().zip(&digits[rows.range.clone()]) {
                    let of = &mut first[group as usize];
                    *of = (of.0 + number, of.1 + 1);
                }
            }
            (None, None) => own.iter().for_each(|&group| first[group as usize].1 += 1),
            (Some(digits), Some(_)) => rows.each(|row| {
                let of = &mut first[groups[row] as usize];
                *of = (of.0 + digits[row], of.1 + 1);
            }),
            (None, Some(_)) => rows.each(|row| first[groups[row] as usize].1 += 1),
        }
        let mut others = 0;
        for digits in sums {
            if others == self.others.len() {
                self.others.push(Vec::new());
            }
            let sums = &mut self.others[others];
            others += 1;
            sums.clear();
            sums.resize(count, 0);
            match rows.mask {
                None => {
                    let numbers = &digits[rows.range.clone()];
                    own.iter().zip(numbers).for_each(|(&group, &number)| sums[group as usize] += number);
                }
                Some(_) => rows.each(|row| sums[groups[row] as usize] += digits[row]),
            }
        }
        let mut together = vec![0; 1 + others];
        for (group, &(digits, rows)) in self.first.iter().enumerate().filter(|(_, (_, rows))| *rows > 0) {
            together[0] = digits;
            together[1..].iter_mut().zip(&self.others).for_each(|(sum, of)| *sum = of[group]);
            found(group as u32, rows, &together)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed test should stop where it fails.
    use super::*;
    use arrow_buffer::BooleanBuffer;

    #[test]
    fn all_sums_of_a_group_come_together() {
        let groups: Vec<u32> = (0..40).map(|row| [2, 0, 5][row % 3]).collect();
        let digits: Vec<i64> = (0..40).map(|row| row * row - 300).collect();
        let halves: Vec<i64> = (0..40).map(|row| -row).collect();
        let added = [Added::Digits(&digits), Added::Rows, Added::Digits(&halves)];
        let mask = BooleanBuffer::collect_bool(40, |row| row % 7 != 1);
        let mut dense = Dense::default();
        for (range, mask) in [(0..40, None), (3..31, Some(&mask)), (3..31, None)] {
            assert!(Dense::takes(&range, &groups, &added));
            let mut found = Vec::new();
            let put = |group, rows, sums: &[i64]| {
                found.push((group, rows, sums.to_vec()));
                Ok(())
            };
            dense.add(Rows { range: &range, mask }, &groups, &added, put).unwrap();
            let of = |group: u32| {
                let own = |row: &usize| groups[*row] == group && mask.is_none_or(|mask| mask.value(*row));
                let rows: Vec<usize> = range.clone().filter(own).collect();
                let sum = |of: &[i64]| rows.iter().map(|&row| of[row]).sum::<i64>();
                (group, rows.len() as i64, vec![sum(&digits), sum(&halves)])
            };
            assert_eq!(found, [of(0), of(2), of(5)]);
        }
    }

    #[test]
    fn many_groups_and_large_numbers_are_left_to_others() {
        let groups = vec![1; 16];
        let small = vec![-(1_i64 << 56); 16];
        let large = vec![1_i64 << 59; 16];
        assert!(Dense::takes(&(0..16), &groups, &[Added::Rows, Added::Digits(&small)]));
        assert!(!Dense::takes(&(0..16), &groups, &[Added::Digits(&large)]));
        assert!(!Dense::takes(&(0..16), &groups, &[Added::Digits(&[i64::MIN; 16])]));
        assert!(!Dense::takes(&(0..16), &[4; 16], &[Added::Rows]));
        assert!(!Dense::takes(&(3..3), &groups, &[Added::Rows]));
    }
}
