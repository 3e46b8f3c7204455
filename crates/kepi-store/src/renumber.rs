//! Numbers that some things lose and the others close up: ids of keys, codes of texts.

use arrow_array::{Array, UInt32Array};

/// The new number of what has none any more.
pub(crate) const GONE: u32 = u32::MAX;

/// Which old numbers stay, and what they are now.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    /// By old number the new one.
    new: Vec<u32>,
    /// By new number the old one.
    kept: Vec<u32>,
}

impl Numbers {
    /// The old numbers `0..count` of which none stays so far.
    pub(crate) fn none(count: usize) -> Numbers {
        Numbers { new: vec![GONE; count], kept: Vec::new() }
    }

    /// Those that stay close up in their order.
    pub(crate) fn of(stays: impl ExactSizeIterator<Item = bool>) -> Numbers {
        let mut numbers = Numbers::none(stays.len());
        for (old, stays) in (0..).zip(stays) {
            if stays {
                numbers.keep(old);
            }
        }
        numbers
    }

    /// The old numbers that stay, by their new ones.
    pub(crate) fn kept(&self) -> &[u32] {
        &self.kept
    }

    /// The new number of an old one.
    pub(crate) fn new_of(&self, old: u32) -> u32 {
        self.new.get(old as usize).copied().unwrap_or(GONE)
    }

    fn keep(&mut self, old: u32) -> u32 {
        if let Some(new) = self.new.get_mut(old as usize) {
            if *new == GONE {
                *new = self.kept.len() as u32;
                self.kept.push(old);
            }
            return *new;
        }
        GONE
    }

    /// A column in the new numbers; those that are gone are missing.
    pub(crate) fn renumber(&self, column: &UInt32Array) -> UInt32Array {
        let new = |old: u32| Some(self.new_of(old)).filter(|&new| new != GONE);
        column.iter().map(|old| old.and_then(new)).collect()
    }

    /// A column in the new numbers, all of which stay: each gets the next number when it is first met.
    pub(crate) fn take_in(&mut self, column: &UInt32Array) -> UInt32Array {
        match column.null_count() {
            0 => column.values().iter().map(|&old| self.keep(old)).collect::<Vec<u32>>().into(),
            _ => column.iter().map(|old| old.map(|old| self.keep(old))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_closes_up() {
        let numbers = Numbers::of([true, false, true, true].into_iter());
        assert_eq!(numbers.kept(), [0, 2, 3]);
        let column = UInt32Array::from(vec![Some(3), None, Some(1), Some(0)]);
        assert_eq!(numbers.renumber(&column), UInt32Array::from(vec![Some(2), None, None, Some(0)]));
        let mut numbers = Numbers::none(4);
        assert_eq!(numbers.take_in(&column), UInt32Array::from(vec![Some(0), None, Some(1), Some(2)]));
        assert_eq!(numbers.take_in(&UInt32Array::from(vec![2, 3])), UInt32Array::from(vec![3, 0]));
        assert_eq!(numbers.kept(), [3, 1, 0, 2]);
    }
}
