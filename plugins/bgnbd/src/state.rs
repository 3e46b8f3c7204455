//! What the models have learned together: its bytes, its words, and the value of a customer.

use crate::bgnbd::BgNbd;
use crate::gamma_gamma::GammaGamma;
use crate::summary::Summary;

/// The fitted models.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Models {
    /// How often.
    pub purchases: BgNbd,
    /// How much; none where it was not asked.
    pub amounts: Option<GammaGamma>,
}

/// A parameter whose logarithm is farther from 0 than this is not told by the customers.
const RUN_OFF: f64 = 11.0;

/// More customers than this are thinned out for the fit: it takes time in proportion, and gains nothing.
const FITTED_MAX: usize = 50_000;

impl Models {
    /// Fits them, the second one where amounts are asked. The error says in words what is too little.
    pub fn fit(customers: &[Summary], amounts: bool, repeaters_min: usize) -> Result<Models, String> {
        let repeaters = customers.iter().filter(|c| c.repeats > 0.0).count();
        if repeaters < repeaters_min {
            return Err(format!("{repeaters} customers bought again; {repeaters_min} are needed to learn from"));
        }
        let step = customers.len().div_ceil(FITTED_MAX);
        let sample: Vec<Summary> = customers.iter().step_by(step).copied().collect();
        let unfit = |what: &str| format!("{what} does not converge on these customers");
        let purchases = BgNbd::fit(&sample).ok_or_else(|| unfit("the model of purchases (BG/NBD)"))?;
        let amounts = match amounts {
            true => Some(GammaGamma::fit(&sample).ok_or_else(|| unfit("the model of amounts (Gamma-Gamma)"))?),
            false => None,
        };
        Ok(Models { purchases, amounts })
    }

    /// Expected value of a customer within so many weeks; each month's part is divided by `monthly` once more.
    pub fn value(&self, c: &Summary, weeks: f64, month: f64, monthly: f64) -> Option<f64> {
        let amount = self.amounts?.amount(c)?;
        if monthly == 1.0 {
            return Some(amount * self.purchases.purchases(c, weeks));
        }
        let (mut value, mut before, mut until, mut factor) = (0.0, 0.0, 0.0, 1.0);
        while until < weeks {
            until = (until + month).min(weeks);
            factor /= monthly;
            let by_then = self.purchases.purchases(c, until);
            value += (by_then - before) * amount * factor;
            before = by_then;
        }
        Some(value)
    }

    /// Names and values for `kepi describe` and `kepi explain`; those of name `warning` warn.
    pub fn diagnostics(&self, customers: &[Summary]) -> Vec<(String, String)> {
        let step = customers.len().div_ceil(FITTED_MAX);
        let repeaters = customers.iter().filter(|c| c.repeats > 0.0).count();
        let mut told = vec![
            ("customers".to_string(), customers.len().to_string()),
            ("bought again".to_string(), repeaters.to_string()),
        ];
        if step > 1 {
            told.push(("fitted on".to_string(), format!("every {step}th customer")));
        }
        let mut number = |name: &str, value: f64, digits: usize| told.push((name.to_string(), format!("{value:.digits$}")));
        let m = &self.purchases;
        for (name, value) in [("r", m.r), ("alpha, weeks", m.alpha), ("a", m.a), ("b", m.b)] {
            number(name, value, 4);
        }
        number("log likelihood of purchases", m.log_likelihood, 2);
        if let Some(m) = &self.amounts {
            for (name, value) in [("p", m.p), ("q", m.q), ("gamma", m.gamma)] {
                number(name, value, 4);
            }
            number("log likelihood of amounts", m.log_likelihood, 2);
        }
        let settled = m.settled && self.amounts.is_none_or(|m| m.settled);
        told.push(("converged".to_string(), if settled { "yes" } else { "no" }.to_string()));
        if !settled {
            told.push(warning("the search for the parameters ended before it settled"));
        }
        let mut parameters = vec![("r", m.r), ("alpha", m.alpha), ("a", m.a), ("b", m.b)];
        // The scale of the amounts is as large as the currency makes it.
        parameters.extend(self.amounts.iter().flat_map(|m| [("p", m.p), ("q", m.q)]));
        for (name, value) in parameters {
            if value.ln().abs() > RUN_OFF {
                let way = if value > 1.0 { "grows" } else { "shrinks" };
                told.push(warning(&format!("{name} {way} without end: these customers do not tell it")));
            }
        }
        told
    }

    /// The numbers as bytes, least significant first.
    pub fn save(&self) -> Vec<u8> {
        let m = &self.purchases;
        let mut numbers = vec![m.r, m.alpha, m.a, m.b, m.log_likelihood, f64::from(u8::from(m.settled))];
        if let Some(m) = &self.amounts {
            numbers.extend([m.p, m.q, m.gamma, m.log_likelihood, f64::from(u8::from(m.settled))]);
        }
        numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
    }

    /// Reads what `save` has written.
    pub fn read(bytes: &[u8]) -> Option<Models> {
        let numbers: Vec<f64> =
            bytes.chunks_exact(8).map(|b| b.try_into().map(f64::from_le_bytes)).collect::<Result<_, _>>().ok()?;
        let (purchases, amounts) = match numbers.as_slice() {
            &[r, alpha, a, b, log_likelihood, settled] => {
                (BgNbd { r, alpha, a, b, log_likelihood, settled: settled == 1.0 }, None)
            }
            &[r, alpha, a, b, log_likelihood, settled, p, q, gamma, of_amounts, of_amounts_settled] => (
                BgNbd { r, alpha, a, b, log_likelihood, settled: settled == 1.0 },
                Some(GammaGamma { p, q, gamma, log_likelihood: of_amounts, settled: of_amounts_settled == 1.0 }),
            ),
            _ => return None,
        };
        Some(Models { purchases, amounts })
    }
}

fn warning(text: &str) -> (String, String) {
    ("warning".to_string(), text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_read() {
        let purchases = BgNbd { r: 0.25, alpha: 4.5, a: 0.75, b: 2.5, log_likelihood: -9.0, settled: true };
        let amounts = Some(GammaGamma { p: 6.25, q: 3.75, gamma: 15.5, log_likelihood: -4.0, settled: false });
        for models in [Models { purchases, amounts: None }, Models { purchases, amounts }] {
            assert_eq!(Models::read(&models.save()), Some(models));
        }
        assert_eq!(Models::read(&[1, 2, 3]), None);
    }

    #[test]
    fn what_does_not_settle_or_runs_off_is_warned_of() {
        let good = BgNbd { r: 0.25, alpha: 4.5, a: 0.75, b: 2.5, log_likelihood: -9.0, settled: true };
        let warnings = |purchases: BgNbd| {
            let told = Models { purchases, amounts: None }.diagnostics(&[]);
            told.into_iter().filter(|(name, _)| name == "warning").map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(warnings(good), Vec::<String>::new());
        let ended = "the search for the parameters ended before it settled";
        assert_eq!(warnings(BgNbd { settled: false, ..good }), [ended]);
        let off = "b grows without end: these customers do not tell it";
        assert_eq!(warnings(BgNbd { b: 1e6, ..good }), [off]);
    }

    #[test]
    fn too_few_are_refused_in_words() {
        let once = Summary { repeats: 0.0, recency: 0.0, age: 3.0, amount: 0.0 };
        assert_eq!(
            Models::fit(&[once; 20], false, 10).unwrap_err(),
            "0 customers bought again; 10 are needed to learn from"
        );
    }

    #[test]
    fn later_months_count_less() {
        let purchases = BgNbd { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426, log_likelihood: 0.0, settled: true };
        let amounts = Some(GammaGamma { p: 6.25, q: 3.74, gamma: 15.44, log_likelihood: 0.0, settled: true });
        let models = Models { purchases, amounts };
        let c = Summary { repeats: 2.0, recency: 30.43, age: 38.86, amount: 22.35 };
        let (plain, split) = (models.value(&c, 39.0, 4.35, 1.0).unwrap(), models.value(&c, 39.0, 4.35, 1.0 + 1e-12).unwrap());
        assert!((plain - split).abs() < 1e-6, "{plain} {split}");
        assert!(models.value(&c, 39.0, 4.35, 1.01).unwrap() < plain * 0.99);
    }
}
