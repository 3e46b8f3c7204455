//! MetricFlow: ratios, conversions, and distinct counts over moving windows.

use super::{ask, number, outside, rows, table, text};

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
fn metricflow_a_conversion_is_credited_to_the_latest_visit() {
    let id = "metricflow-01-conversion_rate_metric_infinite_window";
    let Some(case) = outside("metricflow_core.json", id) else { return };
    let model = "entity user key id { }\n\
                 event visits of user at seen { referrer: text }\n\
                 event buys of user at bought { session: text }\n";
    let tables = [
        table("visits", &["seen", "user", "referrer"], rows(&case["tables"]["fct_visits"]["rows"], &[1, 0, 2])),
        table("buys", &["bought", "user", "session"], rows(&case["tables"]["fct_buys"]["rows"], &[0, 2, 3])),
    ];
    let answer = ask(model, &tables, "2020-01-13", "show conversion(visits -> buys) per day");
    for expected in case["expected"]["rows"].as_array().unwrap() {
        let day = text(&expected[0]);
        let row = answer.iter().find(|row| row[0] == day).unwrap();
        match expected[1].as_f64() {
            Some(rate) => assert!((number(&row[1]).unwrap() - rate).abs() < 1e-6, "{day}: {row:?}"),
            // Visits without a buy are null there, and 0 % here.
            None => assert_eq!(row[1], "0", "{day}"),
        }
    }
    // Days without a visit are not listed there.
    assert_eq!(answer.iter().filter(|row| row[1] == "-").count(), 4);
}

#[test]
fn metricflow_distinct_guests_of_two_days() {
    let id = "metricflow-09-non_additive_cumulative_metric_by_ds";
    let Some(case) = outside("metricflow_core.json", id) else { return };
    if case["tables"].is_null() {
        eprintln!("{id}: its table is not beside it; bookings with the same numbers of guests stand for it");
    }
    let model = "entity guest key id { }\nevent bookings of guest at day { value: number }\n";
    // One guest of 1 January is back on the 2nd, as on the 3rd one of the 2nd: 3, then 3 + 4 - 1, then 4 + 1 - 1, then 1.
    let booked = [("01-01", "a b c"), ("01-02", "c d e f"), ("01-03", "f")];
    let rows = booked.iter().flat_map(|(day, guests)| {
        guests.split(' ').map(move |guest| vec![format!("2020-{day}"), guest.to_string(), "1".to_string()])
    });
    let tables = [table("bookings", &["day", "guest", "value"], rows.collect())];
    let query = "show trailing(unique(bookings.guest), 2 days) per day since 2019-12-31 until 2020-01-05";
    let answer = ask(model, &tables, "2020-01-05", query);
    assert_eq!(answer[0][1], "0");
    for expected in case["expected"]["rows"].as_array().unwrap() {
        let row = answer.iter().find(|row| row[0] == text(&expected[1])).unwrap();
        assert_eq!(row[1], text(&expected[0]), "{}", row[0]);
    }
}
