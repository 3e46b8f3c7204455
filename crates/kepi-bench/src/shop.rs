//! The made-up shop: what it sells where, and who its customers are.

use crate::civil::{DAY, SECOND, day_of};
use crate::dice::{Dice, Weights};

/// The first day of the data.
pub(crate) const FIRST_DAY: i64 = day_of(2022, 1, 1);
/// The day behind the last.
pub(crate) const END_DAY: i64 = day_of(2026, 1, 1);
pub(crate) const END: i64 = END_DAY * DAY;

/// Countries, the most frequent first.
pub(crate) const COUNTRIES: [&str; 20] = [
    "NL", "DE", "FR", "BE", "GB", "ES", "IT", "PL", "SE", "US", "AT", "DK", "CH", "PT", "IE", "NO", "FI", "CZ", "GR",
    "HU",
];
/// Channels, the most frequent first.
pub(crate) const CHANNELS: [&str; 6] = ["search", "organic", "social", "email", "partner", "outbound"];
/// Plans, from the cheapest on.
pub(crate) const PLANS: [&str; 4] = ["free", "basic", "plus", "business"];
pub(crate) const PAGES: usize = 40;
pub(crate) const PRODUCTS: usize = 200;

/// Days on which many join at once.
const CAMPAIGNS: [i64; 6] = [
    day_of(2022, 3, 14),
    day_of(2022, 11, 25),
    day_of(2023, 5, 8),
    day_of(2023, 11, 24),
    day_of(2024, 6, 3),
    day_of(2025, 2, 17),
];

/// What is drawn from.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) seed: u64,
    pub(crate) countries: Weights,
    pub(crate) channels: Weights,
    pub(crate) plans: Weights,
    pub(crate) pages: Weights,
    pub(crate) products: Weights,
    /// Base prices in cents.
    pub(crate) prices: Vec<i64>,
}

/// A customer; everything about them follows from the seed and their number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Customer {
    pub(crate) number: u32,
    /// When they joined.
    pub(crate) joined: i64,
    pub(crate) country: u8,
    pub(crate) channel: u8,
    pub(crate) plan: u8,
    /// How much they do, from 0 (once) to 3 (all the time).
    pub(crate) class: u8,
}

impl Shop {
    pub(crate) fn new(seed: u64) -> Shop {
        let mut dice = Dice::new(seed, 0, 0);
        let prices = (0..PRODUCTS as u64).map(|n| 295 + dice.below(4_000) as i64 + (n * n % 997 * 17) as i64);
        Shop {
            seed,
            prices: prices.collect(),
            countries: Weights::harmonic(COUNTRIES.len() as u64),
            channels: Weights::harmonic(CHANNELS.len() as u64),
            plans: Weights::new([60, 25, 12, 3]),
            pages: Weights::harmonic(PAGES as u64),
            products: Weights::harmonic(PRODUCTS as u64),
        }
    }

    pub(crate) fn customer(&self, number: u32) -> Customer {
        let mut dice = Dice::new(self.seed, 1, u64::from(number));
        // More join later than sooner, and some all at once.
        let joined = if dice.percent(8) {
            CAMPAIGNS[dice.below(CAMPAIGNS.len() as u64) as usize]
        } else {
            let mut part = dice.unit();
            if dice.percent(60) {
                part = part.max(dice.unit());
            }
            FIRST_DAY + (part * (END_DAY - FIRST_DAY) as f64) as i64
        };
        let joined = joined * DAY + time_of_day(&mut dice);
        let class = match dice.below(100) {
            0..40 => 0,
            40..75 => 1,
            75..95 => 2,
            _ => 3,
        };
        Customer {
            number,
            joined,
            country: self.countries.draw(&mut dice) as u8,
            channel: self.channels.draw(&mut dice) as u8,
            plan: self.plans.draw(&mut dice) as u8,
            class,
        }
    }
}

impl Customer {
    /// The key as text. Keys are not in the order of the numbers, and each is there once: multiplying by an odd number
    /// only shuffles 32 bits.
    pub(crate) fn key(number: u32) -> String {
        format!("cus_{:08x}", number.wrapping_mul(0x9e37_79b1))
    }
}

/// A second of a day, most often around its middle.
pub(crate) fn time_of_day(dice: &mut Dice) -> i64 {
    ((dice.unit() + dice.unit()) * 43_200.0) as i64 * SECOND
}
