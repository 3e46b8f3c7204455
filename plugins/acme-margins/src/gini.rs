//! The Gini coefficient of a group.

use kepi_plugin_sdk as kepi;

/// The amounts of one group. All are kept, because the coefficient depends on their order by size.
#[kepi::aggregate(params(x))]
#[derive(Default)]
pub struct Gini {
    amounts: Vec<f64>,
}

impl kepi::Aggregate for Gini {
    type Row = f64;
    type Value = f64;

    fn add(&mut self, x: f64) {
        self.amounts.push(x);
    }

    fn merge(&mut self, other: Gini) {
        self.amounts.extend(other.amounts);
    }

    /// The coefficient: missing of nothing, where an amount is negative, and where all are 0.
    ///
    /// The amounts are sorted first, so that the sums have the same digits in whatever order the rows came.
    fn value(&mut self) -> Option<f64> {
        self.amounts.sort_unstable_by(f64::total_cmp);
        let (n, total) = (self.amounts.len() as f64, self.amounts.iter().sum::<f64>());
        if !(total > 0.0) || self.amounts[0] < 0.0 {
            return None;
        }
        let ranked: f64 = self.amounts.iter().enumerate().map(|(i, x)| (i + 1) as f64 * x).sum();
        Some(2.0 * ranked / (n * total) - (n + 1.0) / n)
    }
}

#[cfg(test)]
mod tests {
    use super::Gini;
    use kepi_plugin_sdk::testing::aggregate;

    #[test]
    fn of_equal_and_unequal_amounts() {
        assert_eq!(aggregate::<Gini>(&[5.0, 5.0, 5.0, 5.0]), Some(0.0));
        assert_eq!(aggregate::<Gini>(&[0.0, 0.0, 0.0, 8.0]), Some(0.75));
        // By hand: 2 * (1*1 + 2*2 + 3*3) / (3 * 6) - 4/3 = 2/9.
        assert!((aggregate::<Gini>(&[3.0, 1.0, 2.0]).unwrap() - 2.0 / 9.0).abs() < 1e-15);
        assert_eq!(aggregate::<Gini>(&[]), None);
        assert_eq!(aggregate::<Gini>(&[-1.0, 3.0]), None);
    }
}
