//! BG/NBD: how often customers buy who may leave for good after each purchase, without saying so.
//!
//! P. Fader, B. Hardie, K. Lee: "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model,
//! Marketing Science 24 (2005). Numbers of equations are those of the paper.

use crate::minimum::least;
use crate::summary::Summary;
use libm::lgamma;

/// The four parameters of the model, and how well it fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BgNbd {
    /// Shape of the purchase rates.
    pub r: f64,
    /// Scale of the purchase rates, in weeks.
    pub alpha: f64,
    /// First parameter of the chances to leave.
    pub a: f64,
    /// Second parameter of the chances to leave.
    pub b: f64,
    /// The logarithm of the likelihood.
    pub log_likelihood: f64,
    /// Whether the search for them settled.
    pub settled: bool,
}

impl BgNbd {
    /// Fits the model by the greatest likelihood; none where it does not converge.
    pub fn fit(customers: &[Summary]) -> Option<BgNbd> {
        let repeats_max = customers.iter().fold(0.0, |most: f64, c| most.max(c.repeats)) as usize;
        let minus = |logs: &[f64; 4]| {
            if logs.iter().any(|l| l.abs() > 15.0) {
                return f64::INFINITY;
            }
            let [r, alpha, a, b] = logs.map(f64::exp);
            -log_likelihood(customers, repeats_max, r, alpha, a, b) / customers.len() as f64
        };
        let found = least(minus, [0.0, 1.5, 0.0, 0.5])?;
        let [r, alpha, a, b] = found.at.map(f64::exp);
        let log_likelihood = -found.value * customers.len() as f64;
        Some(BgNbd { r, alpha, a, b, log_likelihood, settled: found.settled })
    }

    /// The chance that a customer has not left: 1 after a single purchase.
    pub fn alive(&self, c: &Summary) -> f64 {
        if c.repeats == 0.0 {
            return 1.0;
        }
        let odds = self.a / (self.b + c.repeats - 1.0);
        1.0 / (1.0 + odds * ((self.alpha + c.age) / (self.alpha + c.recency)).powf(self.r + c.repeats))
    }

    /// Expected purchases of a customer within `weeks` from the end of the window (equation 10).
    pub fn purchases(&self, c: &Summary, weeks: f64) -> f64 {
        let (r, alpha, b, x) = (self.r, self.alpha, self.b, c.repeats);
        // At a = 1 the formula is 0 / 0; close to it, it is its limit.
        let a = if (self.a - 1.0).abs() < 1e-6 { 1.0 + 1e-6 } else { self.a };
        let shrunk = ((alpha + c.age) / (alpha + c.age + weeks)).powf(r + x);
        let hyper = hypergeometric(r + x, b + x, a + b + x - 1.0, weeks / (alpha + c.age + weeks));
        (a + b + x - 1.0) / (a - 1.0) * (1.0 - shrunk * hyper) * self.alive(c)
    }
}

/// The logarithm of the likelihood (equation 6). What depends on the number of purchases alone is computed once for
/// each number.
fn log_likelihood(customers: &[Summary], repeats_max: usize, r: f64, alpha: f64, a: f64, b: f64) -> f64 {
    let first = lgamma(a + b) - lgamma(b) - lgamma(r) + r * alpha.ln();
    let of_count: Vec<f64> = (0..=repeats_max)
        .map(|x| {
            let x = x as f64;
            first + lgamma(r + x) + lgamma(b + x) - lgamma(a + b + x)
        })
        .collect();
    let ln_a = a.ln();
    let of_customer = |c: &Summary| {
        let x = c.repeats;
        let still = -(r + x) * (alpha + c.age).ln();
        let both = if x > 0.0 {
            let left = ln_a - (b + x - 1.0).ln() - (r + x) * (alpha + c.recency).ln();
            let most = still.max(left);
            most + ((still - most).exp() + (left - most).exp()).ln()
        } else {
            still
        };
        of_count[x as usize] + both
    };
    customers.iter().map(of_customer).sum()
}

/// Gauss' hypergeometric function for 0 <= z < 1, by its series, after Euler's transformation where that makes the terms
/// fall faster.
fn hypergeometric(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let (p, q) = (c - a, c - b);
    let (factor, a, b) = if p + q < a + b { ((1.0 - z).powf(p - b), p, q) } else { (1.0, a, b) };
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 0..200_000 {
        let n = f64::from(n);
        term *= (a + n) * (b + n) / ((c + n) * (n + 1.0)) * z;
        sum += term;
        if term.abs() <= 1e-15 * f64::abs(sum) {
            break;
        }
    }
    factor * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hypergeometric_function_is_known_where_it_is_simple() {
        // F(1, 1; 2; z) = -ln(1 - z) / z and F(a, b; b; z) = (1 - z)^-a.
        for z in [0.1, 0.5, 0.9, 0.99] {
            assert!((hypergeometric(1.0, 1.0, 2.0, z) + (1.0 - z).ln() / z).abs() < 1e-10);
            assert!((hypergeometric(2.5, 3.0, 3.0, z) / (1.0 - z).powf(-2.5) - 1.0).abs() < 1e-10);
        }
    }

    /// Customer 1 of the paper's spreadsheet: 1.226 purchases in the 39 weeks to come.
    #[test]
    fn expected_purchases_as_published() {
        let model = BgNbd { r: 0.242_594, alpha: 4.413_602, a: 0.792_920, b: 2.425_888, log_likelihood: 0.0, settled: true };
        let customer = Summary { repeats: 2.0, recency: 30.43, age: 38.86, amount: 0.0 };
        assert!((model.purchases(&customer, 39.0) - 1.226).abs() < 5e-4, "{}", model.purchases(&customer, 39.0));
        assert!((model.alive(&Summary { repeats: 0.0, ..customer }) - 1.0).abs() < 1e-12);
        assert!((model.alive(&customer) - 0.7266).abs() < 5e-4, "{}", model.alive(&customer));
    }
}
