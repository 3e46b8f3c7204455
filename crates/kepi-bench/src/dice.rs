//! Chance that is the same on every machine: a small generator of known output, and no function whose last digit
//! depends on the platform.

use rand::RngCore;
use rand_pcg::Pcg64Mcg;

/// A stream of random numbers.
#[derive(Debug)]
pub(crate) struct Dice(Pcg64Mcg);

impl Dice {
    /// Begins a stream. Streams of different seeds, purposes or numbers have nothing to do with each other.
    pub(crate) fn new(seed: u64, purpose: u64, number: u64) -> Dice {
        // Neighbouring states of this generator give neighbouring first numbers: so the state is mixed first.
        let high = mixed(mixed(mixed(seed) ^ purpose) ^ number);
        let low = mixed(high ^ 0x6b65_7069);
        Dice(Pcg64Mcg::new(u128::from(high) << 64 | u128::from(low)))
    }

    /// A number from 0 up to, not including, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        // 53 bits fill a float exactly.
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A whole number below `end`; 0 where that is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(end)) >> 64) as u64
    }

    /// Yes, so many times in a hundred.
    pub(crate) fn percent(&mut self, hundredths: u64) -> bool {
        self.below(100) < hundredths
    }

    /// A number around 1 with a long tail, cut at 12.
    pub(crate) fn skewed(&mut self) -> f64 {
        let u = self.unit();
        (u / (1.0 - u)).clamp(0.02, 12.0)
    }
}

fn mixed(state: u64) -> u64 {
    // splitmix64
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Draws one of several, by weight.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    /// Sums of the weights up to and including each.
    sums: Vec<u64>,
}

impl Weights {
    pub(crate) fn new(weights: impl IntoIterator<Item = u64>) -> Weights {
        let mut sum = 0;
        let sums = weights.into_iter().map(|weight| {
            sum += weight;
            sum
        });
        Weights { sums: sums.collect() }
    }

    /// The first is the most frequent, the second half as frequent, the third a third …
    pub(crate) fn harmonic(count: u64) -> Weights {
        Weights::new((1..=count).map(|rank| 1_000_000 / rank))
    }

    pub(crate) fn draw(&self, dice: &mut Dice) -> usize {
        let at = dice.below(self.sums.last().copied().unwrap_or(0));
        self.sums.partition_point(|&sum| sum <= at)
    }
}
