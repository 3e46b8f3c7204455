//! Models and series that are shipped: against published figures, and by what must hold whatever they say.

use crate::helpers::{as_floats, failure, floats, load_shipped, numbers};
use arrow_array::{ArrayRef, StringArray, TimestampMicrosecondArray};
use kepi_extension::{Accumulator, AggregateFunction, Told};
use kepi_model::declared::FunctionKind;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const DAY: i64 = 86_400_000_000;

/// A purchase: customer, day, amount.
type Purchase = (String, i64, f64);

fn model(name: &str) -> Arc<dyn AggregateFunction> {
    Arc::clone(&load_shipped("kepi.bgnbd", "b").functions().aggregates[name])
}

/// The arguments of `clv` over three years: customer, time, amount, horizon, and the row's time behind them.
fn arguments(purchases: &[&Purchase]) -> Vec<ArrayRef> {
    let names: ArrayRef = Arc::new(purchases.iter().map(|p| Some(p.0.as_str())).collect::<StringArray>());
    let at: TimestampMicrosecondArray = purchases.iter().map(|p| Some(p.1 * DAY)).collect();
    let at: ArrayRef = Arc::new(at.with_timezone("UTC"));
    let horizon = numbers(purchases.iter().map(|_| 3.0 * 365.25 * 86_400.0));
    vec![names, Arc::clone(&at), numbers(purchases.iter().map(|p| p.2)), horizon, at]
}

fn value(accumulator: &mut Box<dyn Accumulator>, groups: usize, end: i64) -> (Vec<Option<f64>>, Vec<Told>) {
    let values = as_floats(&accumulator.finish_at(&vec![end * DAY; groups]).unwrap());
    (values, accumulator.told())
}

/// Some hundred customers of two shops who buy more or less often, with numbers that any machine makes alike.
fn shops() -> Vec<Vec<Purchase>> {
    let mut seed: u64 = 42;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as f64 / (1_u64 << 31) as f64
    };
    let mut shop = |customers: usize, often: f64| {
        let mut purchases: Vec<Purchase> = Vec::new();
        for customer in 0..customers {
            let (rate, spends) = (often * (0.2 + next()), 10.0 + 40.0 * next());
            let mut day = (next() * 90.0) as i64;
            loop {
                purchases.push((format!("c{customer}"), day, spends * (0.5 + next())));
                // Whoever leaves comes no more.
                if next() < 0.15 {
                    break;
                }
                day += 1 + (-next().max(1e-9).ln() / rate) as i64;
                if day >= 365 {
                    break;
                }
            }
        }
        purchases
    };
    vec![shop(120, 0.05), shop(80, 0.02)]
}

#[test]
fn a_fit_per_label_is_the_fit_of_that_labels_rows_alone() {
    let shops = shops();
    let clv = model("b.clv");
    assert_eq!(clv.signature().kind, FunctionKind::Model);
    // All rows mixed, in no order, cut into two parts of which one travels as a saved state.
    let mut mixed: Vec<(u32, &Purchase)> = Vec::new();
    for (group, shop) in shops.iter().enumerate() {
        mixed.extend(shop.iter().map(|p| (group as u32, p)));
    }
    mixed.sort_by_key(|(_, p)| (p.1 * 7919 % 101, p.1));
    let half = mixed.len() / 2;
    let update = |accumulator: &mut Box<dyn Accumulator>, part: &[(u32, &Purchase)]| {
        let groups: Vec<u32> = part.iter().map(|(g, _)| *g).collect();
        let rows: Vec<&Purchase> = part.iter().map(|(_, p)| *p).collect();
        accumulator.update(&groups, 2, &arguments(&rows)).unwrap();
    };
    let (mut first, mut second) = (clv.start().unwrap(), clv.start().unwrap());
    update(&mut first, &mixed[..half]);
    update(&mut second, &mixed[half..]);
    first.merge(&[0, 1], 2, &second.save().unwrap()).unwrap();
    let (together, told) = value(&mut first, 2, 365);
    assert_eq!(told.len(), 2);
    for (group, shop) in shops.iter().enumerate() {
        let mut alone = clv.start().unwrap();
        let mut rows: Vec<&Purchase> = shop.iter().collect();
        rows.sort_by_key(|p| p.1);
        alone.update(&vec![0; rows.len()], 1, &arguments(&rows)).unwrap();
        let (values, _) = value(&mut alone, 1, 365);
        let (alone, together) = (values[0].unwrap(), together[group].unwrap());
        assert!((alone / together - 1.0).abs() < 1e-6, "shop {group}: {alone} alone, {together} among others");
        assert!(alone > 1.0 && alone < 10_000.0, "{alone}");
    }
}

#[test]
fn too_little_to_learn_from_is_missing_and_says_why() {
    let clv = model("b.clv");
    let mut accumulator = clv.start().unwrap();
    let few: Vec<Purchase> = (0..30).map(|i| (format!("c{i}"), i, 5.0)).collect();
    accumulator.update(&[0; 30], 2, &arguments(&few.iter().collect::<Vec<_>>())).unwrap();
    let (values, told) = value(&mut accumulator, 2, 365);
    assert_eq!(values, [None, None]);
    // Of the group without rows there is nothing to tell.
    let why = Some("0 customers bought again; 10 are needed to learn from".to_string());
    assert_eq!(told, [Told { missing: why, rows: 30, entities: 30, ..Told::default() }]);
}

/// The sample of a record shop's customers on which the models were published: 39 weeks to the end of September 1997.
///
/// Published: BG/NBD r 0.243, alpha 4.414, a 0.793, b 2.426, log likelihood -9582.4 (Fader, Hardie and Lee 2005);
/// Gamma-Gamma p 6.25, q 3.74, gamma 15.44, log likelihood -4055.92 (Fader and Hardie 2013).
#[test]
#[allow(clippy::print_stderr)] // A skipped test must say so.
fn the_record_shop_is_fitted_as_published() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/cdnow/CDNOW_sample.txt");
    let Ok(text) = fs::read_to_string(&file) else {
        eprintln!("skipped: there is no {}", file.display());
        return;
    };
    let day = |text: &str| -> i64 {
        let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
        let (year, month, day) = (number(0..4), number(4..6), number(6..8));
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        (year - 1997) * 365 + lengths[..month as usize - 1].iter().sum::<i64>() + day - 1
    };
    let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|cells| !cells.is_empty());
    let purchases: Vec<Purchase> =
        rows.map(|cells| (cells[0].to_string(), day(cells[2]), cells[4].parse().unwrap())).collect();
    // The first 273 days of 1997 end with September.
    let calibration: Vec<&Purchase> = purchases.iter().filter(|p| p.1 < 273).collect();
    let clv = model("b.clv");
    let mut accumulator = clv.start().unwrap();
    accumulator.update(&vec![0; calibration.len()], 1, &arguments(&calibration)).unwrap();
    let (values, told) = value(&mut accumulator, 1, 273);
    let told = &told[0].diagnostics;
    let said = |name: &str| told.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("{told:?}")).1.clone();
    let near = |name: &str, published: f64, by: f64| {
        let found: f64 = said(name).parse().unwrap();
        assert!((found - published).abs() <= by, "{name}: {found}, published {published}");
    };
    assert_eq!((said("customers"), said("bought again")), ("2357".to_string(), "946".to_string()));
    near("r", 0.243, 0.0005);
    near("alpha, weeks", 4.414, 0.0005);
    near("a", 0.793, 0.0005);
    near("b", 2.426, 0.0005);
    near("log likelihood of purchases", -9582.4, 0.1);
    near("p", 6.25, 0.02);
    near("q", 3.74, 0.02);
    near("gamma", 15.44, 0.1);
    near("log likelihood of amounts", -4055.92, 0.1);
    assert!(values[0].unwrap() > 0.0);
}

/// Australian air passengers in millions, 1990 to 2016, and the forecasts published for 2017 to 2021 (Hyndman and
/// Athanasopoulos, Forecasting: Principles and Practice, 2nd edition, table 7.2).
#[test]
fn holts_method_forecasts_what_was_published() {
    let air = [
        17.55, 21.86, 23.89, 26.93, 26.89, 28.83, 30.08, 30.95, 30.19, 31.58, 32.58, 33.48, 39.02, 41.39, 41.60, 44.66,
        46.95, 48.73, 51.49, 50.03, 60.64, 63.36, 66.36, 68.20, 68.12, 69.78, 72.60,
    ];
    let published = [74.60, 76.70, 78.80, 80.91, 83.01];
    let loaded = load_shipped("kepi.holt", "holt");
    let forecast = Arc::clone(&loaded.functions().series["holt.forecast"]);
    let found = as_floats(&forecast.extend(&numbers(air), None, 5, &[]).unwrap());
    for (found, published) in found.iter().zip(published) {
        assert!((found.unwrap() - published).abs() < 0.05, "{found:?}, published {published}");
    }
    // A straight line goes on, also where a value in it or in front of it is missing, and whatever smoothing is asked.
    let line = floats(&[None, Some(1.0), Some(3.0), None, Some(7.0), Some(9.0)]);
    for constants in [vec![], vec![numbers([0.3])], vec![numbers([0.3]), numbers([0.9])]] {
        let found = as_floats(&forecast.extend(&line, Some(12), 2, &constants).unwrap());
        assert!((found[0].unwrap() - 11.0).abs() < 1e-6 && (found[1].unwrap() - 13.0).abs() < 1e-6, "{found:?}");
    }
    assert_eq!(
        failure(forecast.extend(&floats(&[Some(1.0), None, Some(2.0)]), None, 1, &[])),
        "holt.forecast does not take this: 2 complete periods have a value; 4 are needed to see a trend"
    );
    assert!(
        failure(forecast.extend(&line, None, 1, &[numbers([1.5])])).ends_with("level and trend lie between 0 and 1")
    );
}
