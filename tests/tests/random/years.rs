//! Years that are not alike: week 53, leap days, fiscal years, changes of clocks, a calendar from a table, and what is
//! compared across them.

use super::agree::agree;
use super::behaviour::from;
use super::pick::Pick;
use super::{Given, ZONES, table};
use jiff::ToSpan;
use kepi_tests::case::GivenTable;
use proptest::prelude::*;

const MODEL: &str = r#"
entity customer key id { region: text }
event orders of customer at ordered { amount: number }
event stops of customer at stopped { }
state active of customer = from orders for 40 days
state subscribed of customer = from orders until stops
event firsts = first(orders) per customer
metric aov : number = ratio(sum(orders.amount), count(orders))
metric churn : percent = ratio(count(ended(active)), opening(active))
"#;

/// A year with 53 weeks and a leap day lies between two ordinary ones.
const NOW: &str = "2021-02-10T12:00";
const TIMES: [&str; 24] = [
    "2019-03-31T01:59:59",
    "2019-10-27T02:30",
    "2019-12-29",
    "2019-12-30",
    "2019-12-31T23:59:59",
    "2020-01-01",
    "2020-01-05T23:59:59",
    "2020-02-02",
    "2020-02-28",
    "2020-02-29",
    "2020-02-29T23:59:59",
    "2020-03-01",
    "2020-03-29T03:30",
    "2020-07-01",
    "2020-10-25T02:30",
    "2020-11-30",
    "2020-12-27T12:00",
    "2020-12-28",
    "2020-12-31",
    "2021-01-01",
    "2021-01-03T23:59:59",
    "2021-01-04",
    "2021-02-01",
    "2021-02-10",
];

/// Data sets of some years.
pub(super) fn years() -> impl Strategy<Value = Given> {
    any::<u64>().prop_map(|seed| given(&mut Pick::new(seed)))
}

fn given(pick: &mut Pick) -> Given {
    let fiscal =
        pick.of(&["year starts \"april\"", "year starts \"july\", named by start", "year starts \"february\""]);
    let week = pick.of(&["monday", "monday", "sunday", "saturday"]);
    let model = format!(
        "set timezone = \"{}\"\ncalendar fiscal = {fiscal}, week starts \"{week}\"\ncalendar retail from \"retail.csv\"{MODEL}",
        pick.of(&ZONES)
    );
    let with_ids = pick.once_in(2);
    let who = ["ada", "ada", "bob", "cyd", "-"];
    let count = 6 + pick.below(24);
    let orders: Vec<Vec<&str>> =
        (0..count).map(|_| vec![pick.of(&TIMES), pick.of(&who), pick.of(&["1", "2", "4.5", "-3", "-"])]).collect();
    let count = pick.below(6);
    let stops: Vec<Vec<&str>> = (0..count).map(|_| vec![pick.of(&TIMES), pick.of(&who)]).collect();
    let people: Vec<Vec<&str>> =
        ["ada", "bob", "dan"].iter().map(|id| vec![*id, pick.of(&["EU", "US", "-"])]).collect();
    let tables = vec![
        table("orders", "ordered customer amount", &orders, with_ids),
        table("stops", "stopped customer", &stops, with_ids),
        table("customer", "id region", &people, false),
        retail(),
    ];
    Given { model, tables, now: NOW }
}

/// A calendar of quarters of 4, 4 and 5 weeks, of which the last week of a year is the fifty-third.
fn retail() -> GivenTable {
    let columns = ["day", "week", "month", "quarter", "year"].map(str::to_string).to_vec();
    let mut rows = Vec::new();
    let (mut day, end) = (jiff::civil::date(2017, 1, 29), jiff::civil::date(2022, 3, 1));
    let (mut week, mut year) = (0, 2017);
    while day < end {
        // The year 2020 has a week more.
        let weeks = if year == 2020 { 53 } else { 52 };
        if week == weeks {
            (week, year) = (0, year + 1);
        }
        let quarter = (week / 13).min(3);
        let month = 3 * quarter + ((week - 13 * quarter) / 4).min(2);
        for _ in 0..7 {
            rows.push(vec![
                day.to_string(),
                format!("W{}", week + 1),
                format!("M{}", month + 1),
                format!("Q{}", quarter + 1),
                year.to_string(),
            ]);
            day = day.saturating_add(1.day());
        }
        week += 1;
    }
    GivenTable { name: "calendar retail".to_string(), columns, rows }
}

fn query(pick: &mut Pick) -> String {
    let plain = |pick: &mut Pick| {
        pick.of(&[
            "count(orders)",
            "sum(orders.amount)",
            "unique(orders.customer)",
            "aov",
            "last(orders.amount)",
            "closing(active)",
            "opening(subscribed)",
            "count(started(active))",
            "churn",
            "avg(subscribed)",
            "count(firsts)",
            "sum(orders.amount where age(firsts, year) >= 1)",
            "avg(count(orders) per customer)",
            "count(orders where count(orders over last 1 year) = 1)",
        ])
    };
    let mut values = Vec::new();
    for _ in 0..1 + pick.below(2) {
        let value = plain(pick);
        let length = pick.of(&["1 year", "1 month", "2 weeks", "1 quarter", "53 weeks", "1 day"]);
        values.push(match pick.below(9) {
            0 => format!("prior({value}, {length})"),
            1 => format!("trailing({value}, {length})"),
            2 => format!("growth({value}, {length})"),
            3 => {
                let grain = pick.of(&[
                    "year",
                    "week",
                    "fiscal.year",
                    "fiscal.quarter",
                    "month",
                    "retail.year",
                    "retail.quarter",
                ]);
                format!("to_date({value}, {grain})")
            }
            4 => format!("running({value})"),
            _ => value.to_string(),
        });
    }
    let grain = pick.of(&[
        "",
        "week",
        "week",
        "week",
        "day",
        "month",
        "quarter",
        "year",
        "fiscal.year",
        "fiscal.quarter",
        "retail.week",
        "retail.month",
        "retail.quarter",
        "retail.year",
    ]);
    let window = match grain {
        "day" => {
            pick.of(&["during 2020-02", "last 12 days to date", "during 2020-W53", "since 2020-10-24 until 2020-10-28"])
        }
        _ => pick.of(&[
            "during 2020",
            "during 2021",
            "during 2020-Q1",
            "during 2020-W53",
            "last 10 weeks",
            "last 14 months to date",
            "this year to date",
            "since 2019-12-25 until 2021-01-15",
            "during fiscal.2020",
            "during retail.2020",
            "last 2 years",
            "",
        ]),
    };
    let versus = match grain {
        _ if window.is_empty() || !pick.once_in(2) => "",
        "" => pick.of(&[
            " vs previous year",
            " vs previous",
            " vs previous quarter",
            " vs previous year aligned by weekday",
        ]),
        "day" | "week" => pick.of(&[" vs previous year", " vs previous", " vs previous year aligned by weekday"]),
        "month" | "quarter" | "year" if window == "during 2020" => pick.of(&[" vs previous", " vs 2019"]),
        "month" | "quarter" | "year" => pick.of(&[" vs previous year", " vs previous"]),
        grain if grain.starts_with("fiscal") => pick.of(&[" vs previous year", " vs previous"]),
        _ => "",
    };
    // Days that lie 364 days apart are compared, weeks, too; nothing else.
    let versus = if versus.ends_with("weekday") && grain == "week" && window.contains("since") { "" } else { versus };
    let by = pick.of(&["", "", " by region", " by customer"]);
    let fill = if !grain.is_empty() && versus.is_empty() && pick.once_in(6) { " fill missing" } else { "" };
    let per = if grain.is_empty() { String::new() } else { format!(" per {grain}") };
    let of_state =
        values.iter().any(|value| ["active", "subscribed", "churn"].iter().any(|state| value.contains(state)));
    let window = if window.is_empty() && of_state { "last 2 years" } else { window };
    let shown: Vec<String> = values.iter().enumerate().map(|(n, value)| format!("{value} as v{n}")).collect();
    format!("show {}{by}{per} {window}{versus}{fill}", shown.join(", "))
}

#[test]
fn years_agree() {
    agree("years", 8, years(), from(query));
}
