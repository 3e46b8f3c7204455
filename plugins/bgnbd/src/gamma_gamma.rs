//! Gamma-Gamma: how much customers spend on average at a purchase, when how much is independent of how often.
//!
//! P. Fader, B. Hardie: The Gamma-Gamma Model of Monetary Value (2013), brucehardie.com/notes/025.

use crate::minimum::least;
use crate::summary::Summary;
use libm::lgamma;

/// The three parameters of the model, and how well it fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GammaGamma {
    /// Shape of a customer's amounts.
    pub p: f64,
    /// Shape of the differences between customers.
    pub q: f64,
    /// Scale, in the unit of the amounts.
    pub gamma: f64,
    /// The logarithm of the likelihood.
    pub log_likelihood: f64,
    /// Whether the search for them settled.
    pub settled: bool,
}

impl GammaGamma {
    /// Fits the model to the customers who bought again, for more than nothing; none where it does not converge.
    pub fn fit(customers: &[Summary]) -> Option<GammaGamma> {
        let told: Vec<&Summary> = customers.iter().filter(|c| c.repeats > 0.0 && c.amount > 0.0).collect();
        if told.is_empty() {
            return None;
        }
        // In units of the mean amount the start fits every currency.
        let scale = told.iter().map(|c| c.amount).sum::<f64>() / told.len() as f64;
        let minus = |logs: &[f64; 3]| {
            if logs.iter().any(|l| l.abs() > 15.0) {
                return f64::INFINITY;
            }
            let [p, q, gamma] = logs.map(f64::exp);
            let of_customer = |c: &&Summary| {
                let (x, m) = (c.repeats, c.amount / scale);
                lgamma(p * x + q) - lgamma(p * x) - lgamma(q) + q * gamma.ln() + (p * x - 1.0) * m.ln()
                    + p * x * x.ln()
                    - (p * x + q) * (gamma + m * x).ln()
            };
            -told.iter().map(of_customer).sum::<f64>() / told.len() as f64
        };
        let found = least(minus, [1.0, 1.0, 0.0])?;
        let [p, q, gamma] = found.at.map(f64::exp);
        // A density over m / scale is `scale` times that over m.
        let log_likelihood = -(found.value + scale.ln()) * told.len() as f64;
        Some(GammaGamma { p, q, gamma: gamma * scale, log_likelihood, settled: found.settled })
    }

    /// The expected amount of a purchase of a customer; that of all customers where nothing is known of this one. None
    /// where customers differ so much that there is no mean (q <= 1).
    pub fn amount(&self, c: &Summary) -> Option<f64> {
        let x = if c.amount > 0.0 { c.repeats } else { 0.0 };
        let below = self.p * x + self.q - 1.0;
        (below > 0.0).then(|| self.p * (self.gamma + x * c.amount) / below)
    }
}
