//! PostHog's retention, life cycle and stickiness.

use super::funnels::tables;
use super::{Json, ask, outside};
use std::collections::BTreeMap;

const MODEL: &str = "calendar ours = week starts \"sunday\"\n\
                     entity person key id { }\n\
                     event events of person at time { name: text  browser: text }\n";

/// A retention table by cohort and age against rows that also have the cohorts that are empty.
fn retention(id: &str, period: &str, window: &str, now: &str) {
    let Some(case) = outside("retention_lifecycle_stickiness.json", id) else { return };
    let query = format!("show retention(events -> events, period: {period}) {window}");
    let answer = ask(MODEL, &tables(&case), now, &query);
    let mut cohorts: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in &answer {
        cohorts.entry(row[0].clone()).or_default().push(row[3].parse().unwrap());
    }
    // Here a cohort without anybody has no rows; there it has a row of zeros.
    let wanted: Vec<&Json> =
        case["expected"]["table"].as_array().unwrap().iter().filter(|row| row[0].as_i64() != Some(0)).collect();
    assert_eq!(cohorts.len(), wanted.len(), "{id}: {answer:?}");
    for ((cohort, found), wanted) in cohorts.iter().zip(wanted) {
        assert_eq!(&Json::from(found.clone()), wanted, "{id}: {cohort}");
    }
}

#[test]
fn posthog_retention_by_day() {
    retention("retention-01-day", "day", "since 2020-06-10 until 2020-06-21", "2020-06-20T06:00");
}

#[test]
fn posthog_retention_by_month() {
    retention("retention-02-month", "month", "during 2020", "2020-11-20");
}

#[test]
fn posthog_retention_by_weeks_from_sunday() {
    retention("retention-03-week", "week", "since 2020-06-07 until 2020-07-26", "2020-07-25T12:00");
}

#[test]
fn posthog_stages_of_a_life_cycle() {
    let Some(case) = outside("retention_lifecycle_stickiness.json", "lifecycle-01-days") else { return };
    let query =
        "show count(person) by lifecycle(events, day) as stage per day since 2020-01-12 until 2020-01-20 fill 0";
    let answer = ask(MODEL, &tables(&case), "2020-01-20", query);
    for (stage, wanted) in case["expected"].as_object().unwrap() {
        for (index, wanted) in wanted.as_array().unwrap().iter().enumerate() {
            let day = format!("2020-01-{:02}", 12 + index);
            let row = answer.iter().find(|row| row[0] == day && row[1] == *stage).unwrap();
            // There, who is lost is counted below zero.
            assert_eq!(row[2].parse::<i64>().unwrap(), wanted.as_i64().unwrap().abs(), "{stage} on {day}");
        }
    }
}

#[test]
fn posthog_how_many_days_people_come() {
    let Some(case) = outside("retention_lifecycle_stickiness.json", "stickiness-01-days") else { return };
    let model = format!("{MODEL}dimension days of person = count(count(events) per day)\n");
    let window = "since 2020-01-01 until 2020-01-09";
    let tables = tables(&case);
    let query = format!("show unique(events.person), count(count(events) per person, day) {window}");
    let answer = ask(&model, &tables, "2020-01-09", &query);
    assert_eq!(answer[0][0], case["expected"]["users"].to_string());
    let answer = ask(&model, &tables, "2020-01-09", "show count(person) by days at 2020-01-09");
    for (index, wanted) in case["expected"]["by_days"].as_array().unwrap().iter().enumerate() {
        let row = answer.iter().find(|row| row[0] == (index + 1).to_string());
        assert_eq!(row.map_or("0", |row| &row[1]), wanted.to_string(), "{} days", index + 1);
    }
    let query = "show count(person) by person where days = 1 at 2020-01-09";
    let found: Vec<Json> = ask(&model, &tables, "2020-01-09", query).iter().map(|row| row[0].clone().into()).collect();
    assert_eq!(Json::from(found), case["expected"]["users_with_1_day"]);
}
