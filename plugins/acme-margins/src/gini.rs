//! The Gini coefficient of a group.

/// The amounts of one group. All are kept, because the coefficient depends on their order by size.
#[derive(Default)]
pub struct Gini {
    amounts: Vec<f64>,
}

impl Gini {
    /// Adds a row.
    pub fn add(&mut self, x: f64) {
        self.amounts.push(x);
    }

    /// Folds a saved state in; none: its length is not that of whole numbers.
    pub fn merge(&mut self, saved: &[u8]) -> Option<()> {
        let (numbers, rest) = saved.as_chunks::<8>();
        rest.is_empty().then_some(())?;
        self.amounts.extend(numbers.iter().map(|&bytes| f64::from_le_bytes(bytes)));
        Some(())
    }

    /// The amounts, eight bytes each, least significant first.
    pub fn save(&self) -> Vec<u8> {
        self.amounts.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    /// The coefficient: missing of nothing, where an amount is negative, and where all are 0.
    ///
    /// The amounts are sorted first, so that the sums have the same digits in whatever order the rows came.
    pub fn value(&mut self) -> Option<f64> {
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
    use super::*;

    fn of(amounts: &[f64]) -> Option<f64> {
        let mut group = Gini::default();
        amounts.iter().for_each(|&x| group.add(x));
        group.value()
    }

    #[test]
    fn of_equal_and_unequal_amounts() {
        assert_eq!(of(&[5.0, 5.0, 5.0, 5.0]), Some(0.0));
        assert_eq!(of(&[0.0, 0.0, 0.0, 8.0]), Some(0.75));
        // By hand: 2 * (1*1 + 2*2 + 3*3) / (3 * 6) - 4/3 = 2/9.
        assert!((of(&[3.0, 1.0, 2.0]).unwrap() - 2.0 / 9.0).abs() < 1e-15);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[-1.0, 3.0]), None);
    }

    #[test]
    fn merged_as_whole() {
        let (mut left, mut right) = (Gini::default(), Gini::default());
        left.add(3.0);
        right.add(1.0);
        right.add(2.0);
        left.merge(&right.save()).unwrap();
        assert_eq!(left.value(), of(&[1.0, 2.0, 3.0]));
        assert_eq!(left.merge(&[0; 5]), None);
    }
}
