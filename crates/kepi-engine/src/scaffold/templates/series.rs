//! @NAME@: a function that goes on with the values of past periods.

use kepi::{Column, Error};
use kepi_plugin_sdk as kepi;

/// The value of the same period a season ago (a year of months, a week of days), `growth` more each time; where there is no
/// whole season yet, the last value.
#[kepi::series(params(past: f64, growth: Option<f64>))]
struct AsBefore;

impl kepi::Series for AsBefore {
    fn extend(
        past: &[Option<f64>],
        season: Option<u32>,
        wanted: usize,
        constants: &[Column],
    ) -> Result<Vec<Option<f64>>, Error> {
        if past.is_empty() {
            // Too little to go on is no failure: the values are missing, and a note says this.
            return Err(Error::BadArgument("no complete period is there".to_string()));
        }
        let season = season.map_or(1, |periods| periods as usize).max(1);
        let season = if past.len() < season { 1 } else { season };
        let growth = kepi::constant::<Option<f64>>(constants, 0)?.unwrap_or(0.0);
        let mut values = past.to_vec();
        for _ in 0..wanted {
            let before = values[values.len() - season];
            values.push(before.map(|value| value * (1.0 + growth)));
        }
        Ok(values.split_off(past.len()))
    }
}

kepi::plugin!(series = [AsBefore]);

#[cfg(test)]
mod tests {
    use super::*;
    use kepi::testing;

    #[test]
    fn a_season_comes_again() {
        let past = [Some(1.0), Some(2.0), None, Some(4.0)];
        assert_eq!(testing::series::<AsBefore>(&past, Some(2), 3, &[]), Ok(vec![None, Some(4.0), None]));
        assert_eq!(testing::series::<AsBefore>(&past, None, 2, &[0.5.into()]), Ok(vec![Some(6.0), Some(9.0)]));
        assert_eq!(testing::series::<AsBefore>(&past, Some(12), 1, &[]), Ok(vec![Some(4.0)]));
        assert!(matches!(testing::series::<AsBefore>(&[], None, 1, &[]), Err(Error::BadArgument(_))));
    }
}
