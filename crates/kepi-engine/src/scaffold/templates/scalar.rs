//! @NAME@: a function of rows.

use kepi_plugin_sdk as kepi;

/// Margin as a share of revenue; missing where revenue is 0.
#[kepi::scalar]
fn margin(revenue: f64, cost: f64) -> Option<f64> {
    (revenue != 0.0).then(|| (revenue - cost) / revenue)
}

kepi::plugin!(scalars = [margin]);

#[cfg(test)]
mod tests {
    use super::*;
    use kepi::testing::{self, Cell};

    #[test]
    fn of_revenue() {
        assert_eq!(testing::scalar::<margin>(&[200.0.into(), 150.0.into()]), Ok(0.25.into()));
        assert_eq!(testing::scalar::<margin>(&[0.0.into(), 150.0.into()]), Ok(Cell::Missing));
    }
}
