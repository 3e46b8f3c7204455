//! Margins.

use kepi_plugin_sdk as kepi;

/// Margin as a share of revenue; missing where revenue is 0, since nothing was sold that could have a margin.
#[kepi::scalar]
pub fn margin_pct(revenue: f64, cost: f64) -> Option<f64> {
    (revenue != 0.0).then(|| (revenue - cost) / revenue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_revenue() {
        assert_eq!(margin_pct(200.0, 150.0), Some(0.25));
        assert_eq!(margin_pct(0.0, 150.0), None);
        assert_eq!(margin_pct(100.0, 130.0), Some(-0.3));
    }
}
