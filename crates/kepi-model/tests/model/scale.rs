//! Many definitions: what is asked of the catalog grows with their number, not with its square.

use crate::shop::{catalog, core, now, shop};
use std::fmt::Write;

/// A module of many metrics, each of which uses others.
fn many(metrics: usize) -> String {
    let mut text = include_str!("shop.kepi").to_string();
    for i in 0..metrics {
        let body = match i % 4 {
            0 => "ratio(sum(revenue where first_year), count(new_customers))".to_string(),
            1 => format!("m{} * 2", i - 1),
            2 => format!("ratio(m{}, m{})", i - 1, i - 2),
            _ => format!(
                "sum(margin where kind = \"k{i}\" and amount > {i} EUR) / count(orders where campaign.kind = \"k{i}\")"
            ),
        };
        write!(text, "\n## The metric number {i}.\nmetric m{i} = {body}\n").unwrap();
    }
    text
}

#[test]
fn a_thousand_metrics_are_checked() {
    let (catalog, problems) = catalog(&[&many(1000)]);
    assert_eq!(problems, []);
    let problems = catalog.check(now(&catalog));
    assert!(!problems.iter().any(|p| p.message.contains("`m")), "{problems:?}");
    let listed = catalog.list(now(&catalog));
    let numbered = |name: &str| name.strip_prefix("crm.m").is_some_and(|n| n.parse::<u32>().is_ok());
    assert_eq!(listed.iter().filter(|l| numbered(&l.name) && l.unit.is_some()).count(), 1000);
}

#[test]
fn a_long_condition_is_no_deep_one() {
    let catalog = shop("");
    for operator in [" or ", " and "] {
        let condition: Vec<String> = (0..1_600).map(|i| format!("kind = \"k{i}\"")).collect();
        let query = core(&catalog, &format!("show count(orders where {})", condition.join(operator)));
        let (mut depth, mut rows) = (0, vec![query.aggregates[0].filter.as_ref().unwrap()]);
        while !rows.is_empty() {
            depth += 1;
            rows = rows.into_iter().flat_map(|row| row.parts()).collect();
        }
        assert!(depth <= 16, "{depth}");
    }
}
