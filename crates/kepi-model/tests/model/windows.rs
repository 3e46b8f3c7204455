//! Windows as instants, printed in the project's zone.

use crate::dump;
use crate::shop::{catalog, core, said, shop};
use insta::assert_snapshot;
use kepi_model::calendar::Zone;
use kepi_model::catalog::Catalog;
use kepi_model::value::CalendarSpan;
use std::fmt::Write;

fn windows(catalog: &Catalog, clauses: &[&str]) -> String {
    let mut out = String::new();
    for clause in clauses {
        let query = core(catalog, &format!("show count(orders) {clause}"));
        writeln!(out, "{clause}\n  {}", dump::window(&query)).unwrap();
    }
    out
}

#[test]
fn relative_windows() {
    assert_snapshot!(windows(
        &shop(""),
        &[
            "",
            "last 12 months",
            "last 12 months to date",
            "last 1 day",
            "last 1 month",
            "last 13 weeks",
            "last 2 quarters to date",
            "last 3 years",
            "last 90 minutes",
            "last 24 hours to date",
            "this day",
            "this week",
            "this week to date",
            "this month",
            "this quarter to date",
            "this year",
            "this fiscal.year",
            "this fiscal.quarter to date",
        ]
    ));
}

#[test]
fn written_windows() {
    assert_snapshot!(windows(
        &shop(""),
        &[
            "during 2025",
            "during 2025-03",
            "during 2025-Q3",
            "during 2025-W01",
            "during 2025-W07",
            "during 2026-W53",
            "during 2025-03-30",
            "during 2025-10-26",
            "during fiscal.2026",
            "during fiscal.2026-Q1",
            "during fiscal.2026-Q4",
            "since 2025-01-01",
            "since 2025-03",
            "since 2025-01-01 until 2025-03-01",
            "since 2025-Q2 until 2025-Q4",
            "from 2025-01-01 until 2025-03-01T12:30",
            "from 2024 until now",
            "until 2025",
            "until 2025-03-01T00:00:00Z",
            "at 2026-06-30",
            "at 2026-06-30T18:00",
            "at 2026-06",
            "at now",
        ]
    ));
}

#[test]
fn weeks_and_years_follow_the_calendar() {
    let model = "set timezone = \"America/New_York\"\ncalendar us = week starts \"sunday\"\n\
                 calendar school = year starts \"september\", named by start\n\
                 entity c key id { }\nevent orders of c at day { }";
    let (catalog, problems) = catalog(&[model]);
    assert_eq!(problems, []);
    assert_snapshot!(windows(
        &catalog,
        &[
            "this week",
            "last 1 week",
            "during 2026-W01",
            "during us.2026-W01",
            "during school.2025",
            "during school.2025-Q2",
            "this school.year to date",
            // The clocks go forward on 8 March and back on 1 November 2026.
            "during 2026-03-08",
            "during 2026-11-01",
            "during 2026-03",
        ]
    ));
}

#[test]
fn windows_that_make_no_sense() {
    let mut out = String::new();
    for clause in [
        "since 2025-03-01 until 2025-03-01",
        "from 2026 until 2025",
        "since 2027-01-01",
        "during now",
        "during 2025-03-01T12:00",
        "during 2025-W53",
        "during holiday.2025",
        "during fiscal.2026-W07",
        "during fiscal.2026-03",
        "last 0 months",
        "last 2.5 months",
        "this fortnight",
        "this fical.year",
        "at 2026-01-01 per month",
        "vs previous",
        "last 3 days vs previous day aligned by weekday",
        "this year vs previous year, previous year",
    ] {
        let text = format!("show count(orders) {clause}");
        let said = said(&text);
        assert!(!said.is_empty(), "{text}: must be refused");
        writeln!(out, "{said}").unwrap();
    }
    assert_snapshot!(out);
}

#[test]
fn days_and_months_have_the_length_that_the_calendar_says() {
    let catalog = shop("");
    let hours = |clause: &str| {
        let window = core(&catalog, &format!("show count(orders) {clause}")).window;
        (window.until - window.from.unwrap()) / 3_600_000_000
    };
    // The clocks go forward on the last Sunday of March and back on that of October.
    assert_eq!([hours("during 2025-03-30"), hours("during 2025-10-26"), hours("during 2025-10-27")], [23, 25, 24]);
    assert_eq!([hours("during 2025-03"), hours("during 2024-02")], [31 * 24 - 1, 29 * 24]);
    let zone = Zone::named("Europe/Amsterdam").unwrap();
    let moved = |day: &str, months: i32| {
        let at = zone.add(catalog.instant(day).unwrap(), CalendarSpan { months, ..CalendarSpan::default() });
        zone.local(at).date().to_string()
    };
    assert_eq!([moved("2025-03-31", -1), moved("2024-03-31", -1)], ["2025-02-28", "2024-02-29"]);
    assert_eq!([moved("2024-02-29", 12), moved("2025-01-31", 1)], ["2025-02-28", "2025-02-28"]);
}
