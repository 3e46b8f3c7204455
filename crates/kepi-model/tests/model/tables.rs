//! Calendars from tables: which time their periods name, and what is said where a table has none.

use crate::dump;
use crate::shop::{core, listed, now};
use insta::assert_snapshot;
use jiff::ToSpan;
use jiff::civil::date;
use kepi_model::calendar::{CalendarTable, TableDay};
use kepi_model::catalog::{Catalog, ModelFile};
use kepi_model::settings::Settings;
use kepi_syntax::{parse_file, parse_query};
use std::fmt::Write;
use std::sync::Arc;

/// Two years of 4-5-4 weeks from Sunday 2 February 2025; months are numbered anew in each, and the first year has no
/// quarters worth a name.
fn retail() -> CalendarTable {
    let mut rows = Vec::new();
    let mut day = date(2025, 2, 2);
    for year in [2025, 2026] {
        for (month, weeks) in (1..).zip([4, 5, 4, 4, 5, 4, 4, 5, 4, 4, 5, 4]) {
            for _ in 0..weeks * 7 {
                let labels = [None, Some(format!("P{month}")), None, Some(year.to_string())];
                rows.push(TableDay { day, labels });
                day = day.checked_add(1.day()).unwrap();
            }
        }
    }
    CalendarTable::new(rows).unwrap()
}

fn catalog() -> Catalog {
    let text = "set timezone = \"Europe/Amsterdam\"\ncalendar retail from \"445.csv\"\n\
                event orders of customer at ordered { amount: number }\nentity customer key id { }";
    let (tree, problems) = parse_file(text);
    assert_eq!(problems, []);
    let mut settings = Settings::default();
    settings.tables.insert("445.csv".into(), Ok(Arc::new(retail())));
    let (catalog, problems) = Catalog::build(&[ModelFile { index: 0, tree }], settings, Vec::new());
    assert_eq!(problems, []);
    catalog
}

#[test]
fn a_table_that_cannot_be_read_is_a_mistake_of_the_calendar() {
    let mut out = String::new();
    for tables in [None, Some("2025-03-04 is missing")] {
        let text = "calendar retail from \"445.csv\"";
        let mut settings = Settings::default();
        settings.tables.extend(tables.map(|reason| ("445.csv".to_string(), Err(reason.to_string()))));
        let tree = parse_file(text).0;
        out += &listed(text, &Catalog::build(&[ModelFile { index: 0, tree }], settings, Vec::new()).1);
    }
    assert_snapshot!(out);
}

#[test]
fn windows_of_a_table() {
    let catalog = catalog();
    let mut out = String::new();
    for clause in [
        "per retail.month during retail.2025",
        "during retail.2026-01",
        "during retail.2025-12",
        "since retail.2025-02 until retail.2026",
        "this retail.month",
        "per retail.day this retail.year to date",
        "per retail.month during retail.2026 vs previous retail.year, retail.2025",
    ] {
        writeln!(out, "{clause}\n  {}", dump::window(&core(&catalog, &format!("show count(orders) {clause}"))))
            .unwrap();
    }
    assert_snapshot!(out);
}

#[test]
fn what_a_table_does_not_have_is_said() {
    let catalog = catalog();
    let mut out = String::new();
    for clause in [
        "during retail.2027",
        "during retail.2026-13",
        "during retail.2026-Q1",
        "per retail.week",
        "per retail.month vs previous year",
        "per month vs previous retail.year",
        "per hour vs previous retail.year",
        "by cohort(orders, retail.month)",
        "having avg(count(orders) per customer, retail.week) > 1",
    ] {
        let text = format!("show count(orders) {clause}");
        let problems = catalog.query(&parse_query(&text).0.unwrap(), now(&catalog), 0).1;
        assert!(!problems.is_empty(), "{text}");
        out += &listed(&text, &problems);
    }
    assert_snapshot!(out);
}
