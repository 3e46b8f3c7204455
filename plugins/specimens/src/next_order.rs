//! A model whose values a person can check.

use kepi::{Error, Fitted, Table};
use kepi_plugin_sdk as kepi;

/// The mean of an entity's amounts, drawn towards everyone's mean as if it had `weight` more of that size.
#[kepi::model(params(amount: f64, weight: f64))]
pub struct NextOrder {
    everyone: f64,
}

impl kepi::Model for NextOrder {
    fn fit(table: &Table) -> Result<Fitted<NextOrder>, Error> {
        if table.entity_count < 2 {
            return Err(Error::BadArgument("2 customers are needed to learn from".to_string()));
        }
        let amounts: Vec<f64> = table.column(0)?;
        let everyone = amounts.iter().sum::<f64>() / amounts.len() as f64;
        let diagnostics = vec![("orders".to_string(), amounts.len().to_string())];
        Ok(Fitted { state: NextOrder { everyone }, diagnostics })
    }

    fn apply(&self, table: &Table) -> Result<Vec<Option<f64>>, Error> {
        let amounts: Vec<f64> = table.column(0)?;
        let weight: f64 = table.get(1, 0)?;
        let mut sums = vec![(weight * self.everyone, weight); table.entity_count];
        for (&customer, amount) in table.entities.iter().zip(amounts) {
            let (sum, orders) = &mut sums[customer as usize];
            (*sum, *orders) = (*sum + amount, *orders + 1.0);
        }
        Ok(sums.into_iter().map(|(sum, orders)| (orders > 0.0).then(|| sum / orders)).collect())
    }
}
