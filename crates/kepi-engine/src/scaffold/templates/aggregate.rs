//! @NAME@: a function of groups of rows.

use kepi_plugin_sdk as kepi;

/// The range of values: the largest less the smallest.
#[kepi::aggregate(params(x), state_version = 1)]
#[derive(Default)]
struct Spread {
    least: Option<f64>,
    most: Option<f64>,
}

impl kepi::Aggregate for Spread {
    type Row = f64;
    type Value = f64;

    fn add(&mut self, x: f64) {
        self.merge(Spread { least: Some(x), most: Some(x) });
    }

    fn merge(&mut self, other: Spread) {
        self.least = [self.least, other.least].into_iter().flatten().reduce(f64::min);
        self.most = [self.most, other.most].into_iter().flatten().reduce(f64::max);
    }

    fn value(&mut self) -> Option<f64> {
        Some(self.most? - self.least?)
    }
}

kepi::plugin!(aggregates = [Spread]);

#[cfg(test)]
mod tests {
    use super::*;
    use kepi::testing;

    #[test]
    fn of_values_in_every_order_and_split() {
        assert_eq!(testing::aggregate::<Spread>(&[3.0, 1.0, 8.0]), Some(7.0));
        assert_eq!(testing::aggregate::<Spread>(&[]), None);
    }
}
