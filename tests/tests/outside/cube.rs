//! Cube: figures that joins must not multiply, and running totals.

use super::{ask, outside, rows, table};

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
fn cube_a_running_total_begins_with_the_window() {
    let Some(case) = outside("cube.json", "cube-03-running-total") else { return };
    let model = "set timezone = \"America/Los_Angeles\"\n\
                 entity visitor key id { }\n\
                 event visits of visitor at arrived { amount: number }\n";
    let mut visits = rows(&case["tables"]["visitors"]["rows"], &[2, 0, 1]);
    visits.iter_mut().for_each(|row| row[0] += "T00:00:00Z");
    let tables = [table("visits", &["arrived", "visitor", "amount"], visits)];
    let query = "show running(sum(visits.amount)) per day since 2017-01-01 until 2017-01-11";
    let answer = ask(model, &tables, "2017-02-01", query);
    let days =
        rows(&serde_json::json!([case["expected"]["days"], case["expected"]["values"]]), &(0..10).collect::<Vec<_>>());
    for (index, row) in answer.iter().enumerate() {
        assert_eq!(row[0], days[0][index]);
        // The sum of nothing is null there and 0 here.
        assert_eq!(row[1], if days[1][index] == "-" { "0" } else { &days[1][index] }, "{}", row[0]);
    }
    assert_eq!(answer.len(), 10);
}
