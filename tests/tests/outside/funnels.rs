//! PostHog's funnels: one stream of events, whose steps are told apart by name.

use super::{Json, ask, number, outside, table, text};
use kepi_tests::case::GivenTable;

const MODEL: &str = "entity person key id { }\n\
                     event events of person at time { name: text  browser: text }\n";

/// The events of a case as rows, with the persons that are one.
pub(super) fn tables(case: &Json) -> Vec<GivenTable> {
    let row = |event: &Json| {
        let browser = text(&event["props"]["$browser"]);
        vec![text(&event["time"]), text(&event["user"]), text(&event["event"]), browser]
    };
    let events = case["events"].as_array().unwrap().iter().map(row).collect();
    let mut tables = vec![table("events", &["time", "person", "name", "browser"], events)];
    if let Some(merged) = case["identity_merge"].as_array() {
        // The first of each list stays.
        let of = |same: &Json| {
            let same = same.as_array().unwrap();
            same[1..].iter().map(|other| vec![text(other), text(&same[0])]).collect::<Vec<_>>()
        };
        tables.push(table("merges person", &["from", "into"], merged.iter().flat_map(of).collect()));
    }
    tables
}

/// The steps: names of events, each with a condition that may be empty.
fn steps(steps: &[(&str, &str)]) -> String {
    let step = |(name, more): &(&str, &str)| format!("events where name = \"{name}\"{more}");
    steps.iter().map(step).collect::<Vec<_>>().join(" -> ")
}

/// How many reach each step.
fn reached(case: &Json, query: &str) -> Vec<Json> {
    let answer = ask(MODEL, &tables(case), "2024-02-01", query);
    answer.iter().map(|row| row[1].parse::<i64>().unwrap().into()).collect()
}

#[test]
fn posthog_counts_who_reaches_each_step() {
    let paid = [("user signed up", ""), ("paid", "")];
    let movie = [("user signed up", ""), ("paid", ""), ("watched movie", "")];
    let each = [
        ("user signed up", " and browser = \"Safari\" and browser != \"Chrome\""),
        ("paid", " and browser = \"Safari\""),
        ("watched movie", " and browser = \"Firefox\""),
    ];
    let safari = [("user signed up", " and browser = \"Safari\""), ("paid", " and browser = \"Safari\"")];
    for (id, steps_of) in [
        ("funnel-01-single-step", &paid[..1]),
        ("funnel-02-identity-merge-wrong-order", &movie[..]),
        ("funnel-03-skipped-step", &movie[..]),
        ("funnel-04-global-property-filter", &safari[..]),
        ("funnel-05-per-step-filters", &each[..]),
    ] {
        let Some(case) = outside("funnels.json", id) else { continue };
        // One step has no window.
        let within = if steps_of.len() > 1 { ", within 14 days" } else { "" };
        let query = format!("show funnel({}{within})", steps(steps_of));
        assert_eq!(Json::from(reached(&case, &query)), case["expected"]["step_counts"], "{id}");
    }
}

#[test]
fn posthog_the_end_of_the_window_is_inside() {
    let Some(case) = outside("funnels.json", "funnel-09-window-14-days-vs-5-minutes") else { return };
    for (window, expected) in [("14 days", "a_14_days"), ("5 minutes", "b_5_minutes")] {
        let steps = steps(&[("user signed up", ""), ("pageview", "")]);
        let answer = ask(MODEL, &tables(&case), "2024-02-01", &format!("show funnel({steps}, within {window})"));
        let expected = &case["expected"][expected];
        let counts: Vec<Option<f64>> = answer.iter().map(|row| number(&row[1])).collect();
        let wanted: Vec<Option<f64>> = expected["step_counts"].as_array().unwrap().iter().map(Json::as_f64).collect();
        assert_eq!(counts, wanted, "{window}");
        assert_eq!(number(&answer[1][4]), expected["mean_s"].as_f64(), "{window}");
    }
}

#[test]
fn posthog_thirty_events_of_one_second() {
    let Some(case) = outside("funnels.json", "funnel-16-same-timestamp") else { return };
    let query = format!("show funnel({})", steps(&[("step one", ""), ("step two", ""), ("step three", "")]));
    assert_eq!(reached(&case, &query).last(), Some(&case["expected"]["last_step"]));
}
