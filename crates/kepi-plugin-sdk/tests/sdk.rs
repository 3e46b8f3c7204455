//! A plugin of every kind, called as kepi would.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.

use kepi::testing::{self, Cell, Host};
use kepi::{
    Aggregate, Column, Connector, Error, Fitted, Model, Page, PageRequest, Series, SourceError, StreamShape, Table,
    Time,
};
use kepi_plugin_sdk as kepi;

/// Margin as a share of revenue.
#[kepi::scalar]
fn margin_pct(revenue: f64, cost: f64) -> Option<f64> {
    (revenue != 0.0).then(|| (revenue - cost) / revenue)
}

/// `small` or `large`, by a bound that may be left out.
#[kepi::scalar]
fn band(amount: f64, bound: Option<f64>) -> Result<String, Error> {
    let bound = bound.unwrap_or(100.0);
    if bound < 0.0 {
        return Err(Error::BadArgument("the bound is below 0".to_string()));
    }
    Ok(if amount < bound { "small" } else { "large" }.to_string())
}

/// How many of the two are missing.
#[kepi::scalar(sees_missing)]
fn missing(a: Option<i64>, b: Option<String>) -> i64 {
    i64::from(a.is_none()) + i64::from(b.is_none())
}

/// The sum of amounts by weight, over the sum of weights.
#[kepi::aggregate(params(amount, weight), state_version = 2)]
#[derive(Default)]
struct Weighted {
    pairs: Vec<(f64, f64)>,
}

impl Aggregate for Weighted {
    type Row = (f64, f64);
    type Value = f64;

    fn add(&mut self, row: (f64, f64)) {
        self.pairs.push(row);
    }

    fn merge(&mut self, other: Weighted) {
        self.pairs.extend(other.pairs);
    }

    fn value(&mut self) -> Option<f64> {
        self.pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let weights: f64 = self.pairs.iter().map(|(_, weight)| weight).sum();
        (weights > 0.0).then(|| self.pairs.iter().map(|(amount, weight)| amount * weight).sum::<f64>() / weights)
    }
}

/// The mean amount.
#[kepi::model(params(at: Time, amount: f64, factor: Option<f64>))]
struct Mean {
    mean: f64,
}

impl Model for Mean {
    fn fit(table: &Table) -> Result<Fitted<Mean>, Error> {
        let amounts: Vec<f64> = table.column(1)?;
        if amounts.is_empty() {
            return Err(Error::BadArgument("there are no rows".to_string()));
        }
        let mean = amounts.iter().sum::<f64>() / amounts.len() as f64;
        Ok(Fitted { state: Mean { mean }, diagnostics: vec![("mean".to_string(), mean.to_string())] })
    }

    fn apply(&self, table: &Table) -> Result<Vec<Option<f64>>, Error> {
        let factor = table.get::<Option<f64>>(2, 0)?.unwrap_or(1.0);
        Ok(vec![Some(self.mean * factor); table.entity_count])
    }
}

/// The last value, again and again.
#[kepi::series(params(past: f64, factor: f64), name = "last")]
struct Naive;

impl Series for Naive {
    fn extend(
        past: &[Option<f64>],
        _: Option<u32>,
        wanted: usize,
        constants: &[Column],
    ) -> Result<Vec<Option<f64>>, Error> {
        let factor: f64 = kepi::constant(constants, 0)?;
        Ok(vec![past.iter().flatten().last().map(|value| value * factor); wanted])
    }
}

struct Orders;

impl Connector for Orders {
    fn discover(_: &str) -> Result<Vec<StreamShape>, SourceError> {
        Ok(vec![StreamShape { name: "orders".to_string(), ..StreamShape::default() }])
    }

    fn read(request: PageRequest) -> Result<Page, SourceError> {
        let from: usize = request.cursor.as_deref().map_or(0, |cursor| cursor.parse().unwrap());
        let url = format!("https://api.example.com/orders?from={from}");
        let header = ("Authorization".to_string(), "Bearer {{secret:TOKEN}}".to_string());
        let answer = kepi::host::fetch("GET", &url, &[header], None).map_err(SourceError::Failed)?;
        if answer.status == 401 {
            return Err(SourceError::Refused("the token is not accepted".to_string()));
        }
        let text = String::from_utf8(answer.body).unwrap();
        let records: Vec<String> = text.lines().take(request.page_size as usize).map(str::to_string).collect();
        let next = from + records.len();
        let more = next < 5;
        Ok(Page { records, cursor: Some(next.to_string()), more, deleted: Vec::new() })
    }
}

kepi::plugin!(
    scalars = [margin_pct, band, missing],
    aggregates = [Weighted],
    models = [Mean],
    series = [Naive],
    connector = Orders
);

#[test]
fn functions_of_rows_are_called_with_values_missing_and_left_out() {
    assert_eq!(testing::scalar::<margin_pct>(&[200.0.into(), 150.0.into()]), Ok(0.25.into()));
    assert_eq!(testing::scalar::<margin_pct>(&[0.0.into(), 150.0.into()]), Ok(Cell::Missing));
    assert_eq!(testing::scalar::<margin_pct>(&[Cell::Missing, 150.0.into()]), Ok(Cell::Missing));
    assert_eq!(testing::scalar::<band>(&[99.0.into()]), Ok("small".into()));
    assert_eq!(testing::scalar::<band>(&[99.0.into(), 50.0.into()]), Ok("large".into()));
    let refused = Error::BadArgument("the bound is below 0".to_string());
    assert_eq!(testing::scalar::<band>(&[99.0.into(), (-1.0).into()]), Err(refused));
    assert_eq!(testing::scalar::<missing>(&[1.into(), Cell::Missing]).unwrap(), 1.into());
    let wrong = testing::scalar::<margin_pct>(&["x".into(), 1.0.into()]).unwrap_err();
    assert_eq!(wrong.to_string(), "argument 1 is no column of floats");
}

#[test]
fn what_is_described_is_what_was_written() {
    use kepi::ScalarFunction;
    let info = <band as ScalarFunction>::INFO;
    let optional: Vec<(&str, bool)> = info.params.iter().map(|param| (param.name, param.optional)).collect();
    assert_eq!((info.name, optional), ("band", vec![("amount", false), ("bound", true)]));
    let weighted = (kepi::aggregate_function::<Weighted>().info)();
    assert_eq!((weighted.name, weighted.params.len()), ("weighted", 2));
    let model = kepi::model_function::<Mean>().info;
    assert_eq!((model.name, model.params[2].optional), ("mean", true));
    assert_eq!(kepi::series_function::<Naive>().info.name, "last");
}

#[test]
fn aggregates_are_the_same_in_every_order_and_split() {
    assert_eq!(testing::aggregate::<Weighted>(&[(1.0, 1.0), (4.0, 2.0), (6.0, 1.0)]), Some(3.75));
    assert_eq!(testing::aggregate::<Weighted>(&[]), None);
}

/// Keeps the last row: it depends on the order.
#[kepi::aggregate(params(x))]
#[derive(Default)]
struct Last {
    x: Option<f64>,
}

impl Aggregate for Last {
    type Row = f64;
    type Value = f64;

    fn add(&mut self, x: f64) {
        self.x = Some(x);
    }

    fn merge(&mut self, other: Last) {
        self.x = other.x.or(self.x);
    }

    fn value(&mut self) -> Option<f64> {
        self.x
    }
}

#[test]
fn an_aggregate_that_depends_on_the_order_is_caught() {
    let caught = std::panic::catch_unwind(|| testing::aggregate::<Last>(&[1.0, 2.0])).unwrap_err();
    let words = caught.downcast_ref::<String>().unwrap();
    assert!(words.contains("last depends on the order of rows"), "{words}");
}

#[test]
fn a_state_of_another_version_is_not_read() {
    let mut groups = (kepi::aggregate_function::<Weighted>().start)();
    let states = groups.save();
    assert!(states.is_empty());
    let error = groups.merge(&[0], 1, &[vec![1, 0, 0, 0, 0, 0, 0, 0]]).unwrap_err();
    assert_eq!(error.to_string(), "a saved state is of another version of the plugin");
    let error = groups.merge(&[0], 1, &[vec![2, 0, 0, 0, 9]]).unwrap_err();
    assert_eq!(error.to_string(), "a saved state is damaged");
}

#[test]
fn models_and_series_learn_and_answer() {
    let times = vec![Cell::Time(Time(0)); 3];
    let amounts: Vec<Cell> = [1.0, 2.0, 6.0].map(Cell::from).to_vec();
    let entities = ["ada", "ada", "bob"];
    let (values, diagnostics) = testing::model::<Mean>(&entities, &[times.clone(), amounts.clone()], Time(7)).unwrap();
    assert_eq!(values, [Some(3.0), Some(3.0)]);
    assert_eq!(diagnostics, [("mean".to_string(), "3".to_string())]);
    let doubled = testing::model::<Mean>(&entities, &[times, amounts, vec![2.0.into()]], Time(7)).unwrap();
    assert_eq!(doubled.0, [Some(6.0), Some(6.0)]);
    let nothing = testing::model::<Mean>(&[], &[Vec::new(), Vec::new()], Time(7)).unwrap_err();
    assert_eq!(nothing, Error::BadArgument("there are no rows".to_string()));
    let extended = testing::series::<Naive>(&[Some(1.0), Some(4.0), None], Some(12), 2, &[0.5.into()]).unwrap();
    assert_eq!(extended, [Some(2.0), Some(2.0)]);
}

#[test]
fn a_text_is_encoded_for_an_address() {
    assert_eq!(kepi::host::url_encode("2026-01-05T09:00:00Z é&"), "2026-01-05T09%3A00%3A00Z%20%C3%A9%26");
}

struct Service;

impl Host for Service {
    fn fetch(
        &self,
        _: &str,
        url: &str,
        headers: &[(String, String)],
        _: Option<&[u8]>,
    ) -> Result<kepi::host::Response, String> {
        let from: usize = url.rsplit('=').next().unwrap().parse().unwrap();
        let status = if headers[0].1 == "Bearer {{secret:TOKEN}}" { 200 } else { 401 };
        let body: String = (from..5).map(|id| format!("{{\"id\":{id}}}\n")).collect();
        Ok(kepi::host::Response { status, headers: Vec::new(), body: body.into_bytes() })
    }
}

#[test]
fn a_connector_is_read_page_by_page() {
    let pages = testing::with_host(Service, || testing::pages::<Orders>("orders", "{}", 2)).unwrap();
    let records: Vec<&str> = pages.iter().flat_map(|page| page.records.iter().map(String::as_str)).collect();
    assert_eq!((pages.len(), records), (3, vec!["{\"id\":0}", "{\"id\":1}", "{\"id\":2}", "{\"id\":3}", "{\"id\":4}"]));
    let alone = testing::pages::<Orders>("orders", "{}", 2).unwrap_err();
    assert_eq!(alone, SourceError::Failed("there is no host: use testing::with_host".to_string()));
}

#[test]
fn the_contract_is_that_of_kepi() {
    let own = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(own.join(path)).unwrap();
    assert_eq!(read("wit/kepi-plugin.wit"), read("../../plugins/wit/v0.1/kepi-plugin.wit"));
}
