//! Whose attempts may be open at a moment: a small number by id, so that all of them stay near the processor.

/// So many numbers there are for moments; few in tests, so that they are coarse there, too.
const UNITS: i64 = if cfg!(test) { 256 } else { u16::MAX as i64 - 1 };

/// Until when the attempts last that have begun, by id and in units of time: never too short, often a unit too long.
pub(super) struct Open {
    /// The first moment that is told apart from those before it.
    base: i64,
    /// How long a unit is, as a power of two of microseconds.
    bits: u32,
    /// 0: nobody has begun.
    until: Vec<u16>,
    /// By id a bit: whether an attempt may be open anywhere in the time that is read. Most often few are, so most rows need
    /// no more than a look at these.
    any: Vec<u64>,
    /// From which number on they are looked through again, and how far apart that is.
    next: u16,
    step: u16,
}

impl Open {
    /// Before anything has begun, for so many ids and the moments from one to another; `before`: until when attempts may
    /// last that began before them, `length`: how long one lasts, where it ends.
    pub(super) fn new(ids: usize, (base, last): (i64, i64), before: i64, length: Option<i64>) -> Open {
        let longest = last.saturating_sub(base).max(1);
        let bits = (0..63).find(|bits| longest >> bits < UNITS).unwrap_or(63);
        let step = length.map_or(UNITS, |length| (length >> bits).clamp(UNITS / 256, UNITS)) as u16;
        let mut open = Open { base, bits, until: Vec::new(), any: Vec::new(), next: step, step };
        let before = if before == i64::MIN { 0 } else { open.unit(before) };
        open.until.resize(ids, before);
        open.any.resize(ids.div_ceil(64), if before == 0 { 0 } else { u64::MAX });
        open
    }

    /// Whether a time is so short that units are too coarse for it.
    pub(super) fn is_coarse_for(&self, micros: i64) -> bool {
        micros >> self.bits < 64
    }

    /// The number of a moment: no smaller than that of any earlier one, and never 0.
    #[inline]
    pub(super) fn unit(&self, at: i64) -> u16 {
        (at.saturating_sub(self.base) >> self.bits).clamp(0, UNITS) as u16 + 1
    }

    /// An attempt begins that lasts until a moment.
    #[inline]
    pub(super) fn begin(&mut self, id: u32, end: i64) {
        let end = self.unit(end);
        if let Some(until) = self.until.get_mut(id as usize) {
            *until = end.max(*until);
            self.any[id as usize / 64] |= 1 << (id % 64);
        }
    }

    /// Says that no row before a moment is going to be asked about.
    pub(super) fn forget(&mut self, moment: i64) {
        let unit = self.unit(moment);
        if unit < self.next {
            return;
        }
        self.next = unit.saturating_add(self.step);
        for (word, until) in self.any.iter_mut().zip(self.until.chunks(64)) {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros();
                left &= left - 1;
                if until.get(bit as usize).is_none_or(|&until| until < unit) {
                    *word &= !(1 << bit);
                }
            }
        }
    }

    /// Whether an attempt of somebody may be open at any moment that is still asked about. No: there is no such id.
    #[inline]
    pub(super) fn has_any(&self, id: u32) -> bool {
        self.any.get(id as usize / 64).copied().unwrap_or(0) >> (id % 64) & 1 == 1
    }

    /// Whether an attempt of somebody may be open at a moment. No: there is no such id.
    #[inline]
    pub(super) fn has(&self, id: u32, at: i64) -> bool {
        self.until.get(id as usize).copied().unwrap_or(0) >= self.unit(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_open_up_to_its_end_and_numbers_never_fall() {
        let mut open = Open::new(2, (1_000, 1_000 + 40 * UNITS), i64::MIN, Some(1 << 10));
        assert_eq!(open.bits, 6);
        assert!(!open.has(0, 1_000) && !open.has(2, 1) && !open.has_any(0) && !open.has_any(64));
        open.begin(0, 5 << 10);
        open.begin(0, 2 << 10);
        assert!(open.has(0, 5 << 10) && !open.has(0, 6 << 10));
        open.begin(1, i64::MAX);
        assert!(open.has(1, i64::MAX) && open.has(1, i64::MIN));
        open.forget(5 << 10);
        assert!(open.has_any(0) && open.has_any(1));
        open.forget(8 << 10);
        assert!(!open.has_any(0) && open.has_any(1));
        for (base, last) in [(0, 0), (-5, 1 << 50), (i64::MIN, i64::MAX), (7, 3)] {
            let open = Open::new(0, (base, last), 0, None);
            let moments = [i64::MIN, -1, 0, 1_000, 1 << 40, 1 << 52, i64::MAX];
            assert!(moments.windows(2).all(|pair| open.unit(pair[0]) <= open.unit(pair[1])));
        }
        assert!(Open::new(1, (i64::MIN, 0), i64::MAX, None).has(0, i64::MAX));
        assert!(Open::new(1, (0, 9), 5, None).has(0, 1) && Open::new(1, (0, 9), 5, None).has_any(0));
        assert!(open.is_coarse_for(1 << 10) && !open.is_coarse_for(1 << 13));
    }
}
