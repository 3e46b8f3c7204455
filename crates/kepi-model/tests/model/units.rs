//! Units are types: what goes together, and what comes out.

use crate::shop::{core, said, shop};
use insta::assert_snapshot;
use std::fmt::Write;

#[test]
fn what_goes_together() {
    let catalog = shop(
        "event trips of customer at began { took: duration  speed: number per hour  rate: percent  yearly: money(EUR) per year }",
    );
    let mut out = String::new();
    for text in [
        "sum(revenue) / count(orders)",
        "sum(revenue) / count(orders) / 1 day",
        "sum(revenue) / avg(trips.took)",
        "count(orders) / 1 year",
        "sum(revenue) / 1 day + sum(revenue) / 1 year",
        "unique(orders.customer) * 2 / 1 month",
        "sum(revenue) / avg(trips.took) * 1 week",
        "avg(trips.yearly) * 2 years",
        "avg(trips.yearly) * win_rate",
        "ratio(avg(trips.yearly), avg(trips.yearly))",
        "ratio(avg(trips.yearly), sum(revenue))",
        "sum(revenue) / win_rate",
        "count(orders) / win_rate",
        "count(orders) + 1",
        "count(orders) - count(leads)",
        "1 - win_rate",
        "win_rate - 15%",
        "win_rate - (win_rate - 15%)",
        "win_rate - 5 points",
        "win_rate * win_rate",
        "win_rate * 2",
        "win_rate * count(orders)",
        "ratio(sum(revenue), sum(orders.cost))",
        "avg(trips.took) / 1 hour",
        "avg(trips.took) * 2 + 1 day",
        "sum(trips.took)",
        "avg(trips.speed)",
        "sum(revenue) * 1.21",
        "1000 * ratio(count(leads), count(orders))",
        "-sum(revenue)",
        "sum(revenue) otherwise 0",
        "greatest(sum(revenue) - 5 EUR, 0 EUR)",
        "round(sum(revenue) / 3, 2)",
        "max(orders.at) - min(orders.at)",
        "min(orders.at) + 1 month",
        "min(orders.kind)",
        "stddev(surveys.score) + sqrt(avg(surveys.score))",
        "nps",
        "case when sum(revenue) > 5 EUR then 1 else count(orders) + 0",
    ] {
        let query = core(&catalog, text);
        writeln!(out, "{text}\n  {}", query.columns[0].formula.unit).unwrap();
    }
    assert_snapshot!(out);
}

#[test]
fn what_does_not() {
    let mut out = String::new();
    for formula in [
        "sum(revenue) + 5",
        "sum(revenue) + win_rate",
        "win_rate + count(orders)",
        "sum(revenue) + 5 USD",
        "sum(revenue) / sum(closes.amount)",
        "sum(revenue) * sum(revenue)",
        "sum(revenue) * avg(orders.at - customer.created)",
        "avg(orders.at - customer.created) + 5",
        "avg(orders.at - customer.created) > 5",
        "5 points - win_rate",
        "sum(revenue) / 1 day + sum(revenue)",
        "sum(revenue) > 1000",
        "win_rate > count(orders)",
        "case when count(orders) > 1 then sum(revenue) else 0",
        "sum(revenue) otherwise 5",
        "sum(revenue) otherwise \"none\"",
        "least(sum(revenue), 3 days)",
        "sqrt(sum(revenue))",
        "max(orders.at) + max(orders.at)",
        "max(orders.at) + avg(orders.at - customer.created)",
        "sum(orders.kind)",
        "avg(closings.solved)",
        "sum(orders.customer)",
        "avg(orders.at)",
        "-max(orders.kind)",
        "min(orders.kind) + min(orders.kind)",
        "lower(sum(revenue))",
        "count(orders where amount in [5, 6 USD, \"x\"])",
        "count(orders where kind > 3)",
        "count(orders where kind matches \"(\")",
        "count(orders where amount)",
        "count(orders where not kind)",
        "count(closings where solved > no)",
    ] {
        let said = said(&format!("show {formula}"));
        assert!(!said.is_empty(), "{formula}: must be refused");
        writeln!(out, "{said}").unwrap();
    }
    assert_snapshot!(out);
}

#[test]
fn declared_units() {
    assert_snapshot!(said(
        "metric a : duration = sum(revenue)\nmetric b : percent = win_rate - 5%\nmetric c : percent = count(orders)\n\
         metric d : count = count(orders) + 1\nmetric e : money(USD) = sum(revenue)\n\
         metric f : money per year = sum(revenue) / 1 day\nmetric g : number = win_rate\nmetric h : euro = sum(revenue)\n\
         metric i : points = win_rate\nmetric j : money per fortnight = sum(revenue)"
    ));
}
