//! @NAME@: a function that learns from the rows of customers, then has a value for each.

use kepi::{Error, Fitted, Table};
use kepi_plugin_sdk as kepi;

/// What a customer's next order is expected to be worth: the mean of their orders, drawn towards everyone's mean as if
/// each of them had `weight` more orders of that size (2 where it is left out).
#[kepi::model(params(amount: f64, weight: Option<f64>))]
struct NextOrder {
    everyone: f64,
}

impl kepi::Model for NextOrder {
    fn fit(table: &Table) -> Result<Fitted<NextOrder>, Error> {
        if table.entity_count < 2 {
            // Too little to learn from is no failure: the value is missing, and a note says this.
            return Err(Error::BadArgument("2 customers are needed to learn from".to_string()));
        }
        let amounts: Vec<f64> = table.column(0)?;
        let everyone = amounts.iter().sum::<f64>() / amounts.len() as f64;
        let diagnostics = vec![
            ("orders".to_string(), amounts.len().to_string()),
            ("mean order".to_string(), format!("{everyone:.2}")),
        ];
        Ok(Fitted { state: NextOrder { everyone }, diagnostics })
    }

    fn apply(&self, table: &Table) -> Result<Vec<Option<f64>>, Error> {
        let amounts: Vec<f64> = table.column(0)?;
        let weight = table.get::<Option<f64>>(1, 0)?.unwrap_or(2.0);
        let mut sums = vec![(weight * self.everyone, weight); table.entity_count];
        for (&customer, amount) in table.entities.iter().zip(amounts) {
            let (sum, orders) = &mut sums[customer as usize];
            (*sum, *orders) = (*sum + amount, *orders + 1.0);
        }
        Ok(sums.into_iter().map(|(sum, orders)| (orders > 0.0).then(|| sum / orders)).collect())
    }
}

kepi::plugin!(models = [NextOrder]);

#[cfg(test)]
mod tests {
    use super::*;
    use kepi::Time;
    use kepi::testing::{self, Cell};

    #[test]
    fn few_orders_are_drawn_to_the_mean() {
        let amounts = [10.0, 20.0, 40.0, 30.0].map(Cell::from).to_vec();
        let (values, diagnostics) =
            testing::model::<NextOrder>(&["ada", "ada", "bob", "bob"], &[amounts], Time(0)).unwrap();
        assert_eq!(values, [Some(20.0), Some(30.0)]);
        assert_eq!(diagnostics[1], ("mean order".to_string(), "25.00".to_string()));
        let alone = testing::model::<NextOrder>(&["ada"], &[vec![10.0.into()]], Time(0));
        assert!(matches!(alone, Err(Error::BadArgument(_))));
    }
}
