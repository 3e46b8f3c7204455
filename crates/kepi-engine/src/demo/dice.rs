//! Chance that is the same on every machine: no system source, no function whose last digit depends on the platform.

/// A stream of random numbers (splitmix64).
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    /// Begins a stream; streams of different numbers have nothing to do with each other.
    pub(super) fn new(stream: u64) -> Dice {
        Dice { state: stream.wrapping_mul(0xd134_2543_de82_ef95) ^ 0x006b_6570_6920_2026 }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to, not including, 1.
    pub(super) fn unit(&mut self) -> f64 {
        // 53 bits fill a float exactly.
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number from `low` up to `high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number below `end`, which is above zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((self.unit() * end as f64) as usize).min(end - 1)
    }

    /// Yes with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A number with median 1 and a long tail that is cut at 8: waiting times and amounts look like this.
    pub(super) fn skewed(&mut self) -> f64 {
        let u = self.unit();
        (u / (1.0 - u)).clamp(0.05, 8.0)
    }

    /// One of several, by weight.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[(T, f64)]) -> T {
        let whole: f64 = choices.iter().map(|(_, weight)| weight).sum();
        let mut rest = self.unit() * whole;
        for (choice, weight) in choices {
            if rest < *weight {
                return *choice;
            }
            rest -= weight;
        }
        // Rounding may leave a crumb; every caller has a choice.
        choices[choices.len() - 1].0
    }

    /// A whole number around `mean`, between half and one and a half of it.
    pub(super) fn around(&mut self, mean: f64) -> usize {
        let number = mean * self.between(0.5, 1.5);
        number as usize + usize::from(self.chance(number.fract()))
    }
}
