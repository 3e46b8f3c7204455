//! Cases that other people wrote: their events, their question, their figures.
//!
//! They stand beside the repository, in `../shared/cases`; without them these tests say so and do nothing. Models and
//! queries are ours; where another system counts otherwise by design, the test says how.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may stop, and says why it skips.

use kepi_tests::case::GivenTable;
use kepi_tests::given;
use kepi_tests::oracle::Value;
use kepi_tests::project::{self, Project};
use kepi_tests::shown::{Shown, ShownTable};
use serde_json::Value as Json;
use std::fs;
use std::path::Path;

/// The case with this id; none, in words, where it is not there.
fn outside(file: &str, id: &str) -> Option<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases").join(file);
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    };
    let cases: Vec<Json> = serde_json::from_str(&text).unwrap();
    let found = cases.into_iter().find(|case| case["id"] == id);
    if found.is_none() {
        eprintln!("skipped: {} has no {id}", path.display());
    }
    found
}

/// The columns of a case's table, under our names and in our words.
fn table(name: &str, columns: &[&str], rows: Vec<Vec<String>>) -> GivenTable {
    GivenTable { name: name.to_string(), columns: columns.iter().map(|c| (*c).to_string()).collect(), rows }
}

fn text(cell: &Json) -> String {
    match cell {
        Json::Null => "-".to_string(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn rows(rows: &Json, columns: &[usize]) -> Vec<Vec<String>> {
    let row = |row: &Json| columns.iter().map(|column| text(&row[*column])).collect();
    rows.as_array().unwrap().iter().map(row).collect()
}

/// Asks the oracle, and the engine where it is there; both must agree.
fn ask(model: &str, tables: &[GivenTable], now: &str, query: &str) -> Vec<Vec<String>> {
    let empty = given::oracle(model, &[], 0).unwrap();
    let now = match empty.calendar().literal(now).unwrap() {
        Value::Date(day) => empty.calendar().start_of_day(day),
        Value::Time(at) => at,
        other => panic!("{other:?} is no time"),
    };
    let oracle = given::oracle(model, tables, now).unwrap();
    let (parsed, problems) = kepi_syntax::parse_query(query);
    assert!(problems.is_empty(), "{query}: {problems:?}");
    let answer = oracle.answer(&parsed.unwrap()).unwrap_or_else(|problem| panic!("{query}: {problem}"));
    let answer = ShownTable::of(&answer, oracle.calendar());
    if project::is_there() {
        let project = Project::new(model, &given::files(&oracle, tables)).unwrap();
        let found =
            project.answer(query, now, oracle.calendar()).unwrap_or_else(|problem| panic!("{query}: {problem}"));
        let difference = answer.difference(&found, oracle.calendar());
        assert!(difference.is_none(), "{query}: oracle and engine: {difference:?}");
    } else {
        eprintln!("the engine does not load files yet, so only the oracle answers");
    }
    answer.rows.iter().map(|row| row.iter().map(|value: &Shown| value.write(oracle.calendar())).collect()).collect()
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

#[test]
fn cube_joining_check_ins_does_not_multiply_revenue() {
    let Some(case) = outside("cube.json", "cube-01-fan-out-by-day") else { return };
    let model = "set timezone = \"America/Los_Angeles\"\n\
                 entity visitor key id { created: time  source: text }\n\
                 event visits of visitor at arrived { amount: number }\n\
                 event checkins of visitor at checked { place: text }\n";
    let visitors = &case["tables"]["visitors"]["rows"];
    let utc = |mut rows: Vec<Vec<String>>, column: usize| {
        rows.iter_mut().for_each(|row| row[column] += "T00:00:00Z");
        rows
    };
    let tables = [
        table("visitor", &["id", "created", "source"], utc(rows(visitors, &[0, 2, 4]), 1)),
        table("visits", &["arrived", "visitor", "amount"], utc(rows(visitors, &[2, 0, 1]), 0)),
        table(
            "checkins",
            &["checked", "visitor", "place"],
            utc(rows(&case["tables"]["visitor_checkins"]["rows"], &[2, 1, 3]), 0),
        ),
    ];
    let answer = ask(
        model,
        &tables,
        "2017-02-01",
        "show sum(visits.amount where visitor.source = \"some\"), count(visits), count(checkins), \
         ratio(sum(visits.amount where visitor.source = \"some\"), count(visits)) by day(visitor.created) as day \
         where visitor.created >= 2017-01-01 and visitor.created < 2017-01-31",
    );
    // The sum of nothing is null there and 0 here; all else is the same.
    let expected: Vec<Vec<String>> = rows(&case["expected"]["rows"], &[0, 1, 2, 3, 4])
        .into_iter()
        .map(|row| row.into_iter().map(|cell| if cell == "-" { "0".to_string() } else { cell }).collect())
        .collect();
    assert_eq!(answer, expected);
}

#[test]
fn metricflow_a_ratio_with_conditions_on_both_sides() {
    let id = "metricflow-18-ratio_with_constraints_on_semi_additive_measures";
    let Some(case) = outside("metricflow_core.json", id) else { return };
    let model = "entity user key id { state: text }\n\
                 event balances of user at day { amount: number }\n";
    let tables = [
        table("user", &["id", "state"], rows(&case["tables"]["dim_users_latest"]["rows"], &[1, 2])),
        table("balances", &["day", "user", "amount"], rows(&case["tables"]["fct_accounts"]["rows"], &[0, 2, 3])),
    ];
    let answer = ask(
        model,
        &tables,
        "2020-01-13",
        "show ratio(sum(balances.amount where user.state in [\"CA\", \"HI\", \"WA\"]), \
         sum(balances.amount where user.state in [\"MD\", \"NY\", \"TX\"])) per day",
    );
    for expected in case["expected"]["rows"].as_array().unwrap() {
        let day = text(&expected[1]);
        let row = answer.iter().find(|row| row[0] == day).unwrap();
        match expected[0].as_f64() {
            Some(ratio) => assert!((number(&row[1]).unwrap() - ratio).abs() < 1e-6, "{day}: {row:?}"),
            // On the 3rd there is a denominator and no numerator: null there, 0 divided by it here.
            None => assert_eq!(row[1], if day == "2020-01-03" { "0" } else { "-" }, "{day}"),
        }
    }
}

#[test]
fn metricflow_a_zero_denominator_gives_no_value() {
    let id = "metricflow-17-ratio_with_zero_denominator";
    let Some(case) = outside("metricflow_core.json", id) else { return };
    if case["tables"].is_null() {
        eprintln!("{id}: its table is not beside it; bookings without any value stand for it");
    }
    let model = "entity guest key id { }\nevent bookings of guest at day { value: number }\n";
    let bookings =
        vec![vec!["2020-01-03".into(), "g1".into(), "0".into()], vec!["2020-01-03".into(), "g2".into(), "0".into()]];
    let tables = [table("bookings", &["day", "guest", "value"], bookings)];
    let query = "show ratio(count(bookings), sum(bookings.value)) per day during 2020-01-03";
    assert_eq!(ask(model, &tables, "2020-01-05", query), [["2020-01-03", "-"]]);
}

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
