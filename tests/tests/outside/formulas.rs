//! Worked examples of formulas, and the frequency, recency and value of customers.

use super::{ask, number, outside, rows, table};
use serde_json::Value as Json;

#[test]
fn a_formula_cost_of_a_new_customer() {
    let Some(case) = outside("formulas.json", "formula-05-cac") else { return };
    let model = "entity customer key id { }\nentity campaign key id { }\n\
                 event orders of customer at ordered { amount: money(USD) }\n\
                 event spend of campaign at booked { amount: money(USD) }\n\
                 event new_customers = first(orders) per customer\n\
                 metric cac : money = ratio(sum(spend.amount), count(new_customers))\n";
    // Every customer orders twice: the second order makes nobody new.
    let orders = (0..1000).map(|n| vec![format!("2025-01-{:02}", n % 28 + 1), format!("c{}", n % 500), "9".into()]);
    let spend = vec![
        vec!["2025-01-01".into(), "a".into(), "4000".into()],
        vec!["2025-01-31".into(), "b".into(), "6000".into()],
    ];
    let tables = [
        table("orders", &["ordered", "customer", "amount"], orders.collect()),
        table("spend", &["booked", "campaign", "amount"], spend),
    ];
    let answer = ask(model, &tables, "2025-02-01", "show cac during 2025-01");
    assert_eq!(number(&answer[0][0]), case["expected"]["CAC"].as_f64());
}

#[test]
fn a_formula_pipeline_velocity() {
    let Some(case) = outside("formulas.json", "formula-01-pipeline-velocity") else { return };
    let model = "entity deal key id { }\n\
                 event openings of deal at opened { }\n\
                 event closes of deal at closed { value: money(USD)  won: bool }\n\
                 event wins = closes where won\n\
                 metric win_rate : percent = ratio(count(wins), count(closes))\n\
                 metric velocity : money per day = \
                 count(openings) * win_rate * avg(wins.value) / avg(closes.at - first(openings.at))\n";
    let openings = (0..50).map(|n| vec!["2025-01-01".to_string(), format!("d{n}")]);
    let closes = (0..4).map(|n| {
        vec![
            "2025-01-31".to_string(),
            format!("d{n}"),
            "10000".to_string(),
            if n == 0 { "yes" } else { "no" }.to_string(),
        ]
    });
    let tables = [
        table("openings", &["opened", "deal"], openings.collect()),
        table("closes", &["closed", "deal", "value", "won"], closes.collect()),
    ];
    let query = "show count(openings) * win_rate * avg(wins.value), velocity, velocity * 30 days";
    let answer = ask(model, &tables, "2025-02-01", query);
    let expected = &case["expected"];
    assert_eq!(number(&answer[0][0]), expected["expected_revenue"].as_f64());
    // The page prints cents.
    assert!((number(&answer[0][1]).unwrap() - expected["per_day"].as_f64().unwrap()).abs() < 0.005);
    assert!((number(&answer[0][2]).unwrap() - expected["per_30_days"].as_f64().unwrap()).abs() < 1e-6);
}

#[test]
fn lifetimes_frequency_recency_age_and_mean_value() {
    let Some(case) = outside("clv_rfm.json", "rfm-01-frequency-recency-T-money") else { return };
    let model = "entity customer key id { }\n\
                 event orders of customer at ordered { value: number }\n\
                 event repeats = orders where count(orders) > 1\n";
    let tables = [table("orders", &["ordered", "customer", "value"], rows(&case["rows"], &[1, 0, 2]))];
    let answer = ask(
        model,
        &tables,
        "2015-02-07",
        "show unique(day(orders.at)) - 1, (max(orders.at) - min(orders.at)) / 1 day, (now - min(orders.at)) / 1 day, \
         avg(repeats.value) otherwise 0 by customer",
    );
    for (customer, expected) in case["expected"].as_object().unwrap() {
        let row = answer.iter().find(|row| row[0] == *customer).unwrap();
        let expected: Vec<Option<f64>> = expected.as_array().unwrap().iter().map(Json::as_f64).collect();
        let found: Vec<Option<f64>> = row[1..].iter().map(|cell| number(cell)).collect();
        assert_eq!(found, expected, "customer {customer}");
    }
}

/// What `mrr` a customer has, and from which day on; none: not any more.
fn net_and_gross(rows: &[(&str, &str, Option<u32>)], query: &str) -> Vec<f64> {
    let model = "entity customer key id { }\n\
                 event subscriptions of customer at began { mrr: money(USD) }\n\
                 event cancellations of customer at left { }\n\
                 state mrr of customer = subscriptions.mrr until cancellations\n\
                 metric nrr : percent = ratio(closing(mrr where opening(mrr) > 0 USD), opening(mrr))\n\
                 metric grr : percent = ratio(sum(least(opening(mrr), closing(mrr)) per customer), opening(mrr))\n";
    let began =
        rows.iter().filter_map(|(day, who, mrr)| Some(vec![(*day).into(), (*who).into(), mrr.as_ref()?.to_string()]));
    let left = rows.iter().filter(|(_, _, mrr)| mrr.is_none());
    let tables = [
        table("subscriptions", &["began", "customer", "mrr"], began.collect()),
        table(
            "cancellations",
            &["left", "customer"],
            left.map(|(day, who, _)| vec![(*day).into(), (*who).into()]).collect(),
        ),
    ];
    let answer = ask(model, &tables, "2025-03-01", query);
    answer[0].iter().map(|cell| number(cell).unwrap()).collect()
}

#[test]
fn formulas_net_and_gross_revenue_retention() {
    let Some(case) = outside("formulas.json", "formula-02-nrr-grr") else { return };
    let rows = [
        ("2025-01-10", "grows", Some(30_000)),
        ("2025-01-10", "shrinks", Some(20_000)),
        ("2025-01-10", "leaves", Some(8_000)),
        ("2025-01-10", "stays", Some(42_000)),
        ("2025-02-05", "grows", Some(42_000)),
        ("2025-02-06", "shrinks", Some(15_000)),
        ("2025-02-07", "leaves", None),
        // Who is new is in neither.
        ("2025-02-08", "new", Some(7_000)),
    ];
    let expected = &case["expected"];
    let found = net_and_gross(&rows, "show nrr, grr during 2025-02");
    assert_eq!(found, [expected["NRR"].as_f64().unwrap(), expected["GRR"].as_f64().unwrap()]);
}

#[test]
fn formulas_the_spread_between_net_and_gross() {
    let Some(case) = outside("formulas.json", "formula-03-nrr-grr-spread") else { return };
    let rows = [
        ("2025-01-10", "grows", Some(5_000)),
        ("2025-01-10", "shrinks", Some(4_000)),
        ("2025-01-10", "leaves", Some(1_200)),
        ("2025-01-10", "stays", Some(9_800)),
        ("2025-02-05", "grows", Some(8_000)),
        ("2025-02-06", "shrinks", Some(3_200)),
        ("2025-02-07", "leaves", None),
    ];
    let found = net_and_gross(&rows, "show grr, nrr, nrr - grr during 2025-02");
    let expected = &case["expected"];
    assert_eq!(found[..2], [expected["GRR"].as_f64().unwrap(), expected["NRR"].as_f64().unwrap()]);
    assert!((found[2] * 100.0 - expected["spread_points"].as_f64().unwrap()).abs() < 1e-6);
}

#[test]
fn formulas_net_revenue_retention_of_a_cohort() {
    let Some(case) = outside("formulas.json", "formula-04-nrr-guide") else { return };
    let rows = [
        ("2025-01-10", "grows", Some(50_000)),
        ("2025-01-10", "shrinks", Some(42_000)),
        ("2025-01-10", "leaves", Some(8_000)),
        ("2025-02-05", "grows", Some(65_000)),
        ("2025-02-06", "shrinks", Some(37_000)),
        ("2025-02-07", "leaves", None),
    ];
    let found = net_and_gross(&rows, "show nrr during 2025-02");
    assert_eq!(found, [case["expected"]["NRR"].as_f64().unwrap()]);
}
