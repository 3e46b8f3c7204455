//! `vs target`: which target each value gets, and what is said where none is there.

use crate::messages::each;
use crate::shop::{meant, said, shop};
use insta::assert_snapshot;

const TARGETS: &str = "target benelux on new_revenue where region = \"Benelux\" during 2026 reach 1.2M EUR with owner = \"sales\"\n\
     target monthly on new_revenue during 2026 reach 100k EUR each month\n\
     target last_year on new_revenue during 2025 reach 1M EUR\n\
     target whole on new_revenue during 2026 reach 1.5M EUR\n\
     target won on win_rate by 2026-12-31 reach 30% from 20% at 2026-01-01 review monthly\n\
     target mails on count(sends where message = \"x\") during 2026 reach 500\n";

#[test]
fn each_value_has_its_target() {
    assert_snapshot!(meant(
        &shop(TARGETS),
        &[
            "show new_revenue as revenue, win_rate, count(orders) per month vs target, previous year during 2026",
            "show crm.new_revenue during 2026-Q1 vs target",
            "show new_revenue during 2025 vs target",
            "show new_revenue since 2025-06-01 until 2026-06-01 vs target",
            "show new_revenue where region = \"Benelux\" per quarter this year vs target",
            "show count(sends where message = \"x\") vs target during 2026",
        ]
    ));
}

#[test]
fn wrong_targets() {
    let with = |query: &str| format!("{TARGETS}{query}");
    assert_snapshot!(each(&[
        "show new_revenue vs target",
        &with("show count(orders), sum(revenue) vs target"),
        &with("show new_revenue where region = \"EU\" vs target during 2026"),
        &with("target sure on win_rate by 2026-06-30 reach 25%\nshow win_rate vs target"),
        &with("show new_revenue during 2025 vs target in USD"),
        &with("show funnel(leads -> orders) vs target"),
        &with("show new_revenu vs target"),
        &with("show win_rate vs target, target during 2026"),
    ]));
}

#[test]
fn one_of_several_targets_is_meant_by_its_name() {
    let with = |query: &str| format!("{TARGETS}target q4 on new_revenue during 2026-Q4 reach 500k EUR\n{query}");
    assert_snapshot!(meant(
        &shop(&with("")),
        &[
            "show new_revenue during 2026-Q4 vs target q4, target whole, previous year",
            "show new_revenue vs target during 2026",
        ]
    ));
    assert_snapshot!(each(&[
        &with("show new_revenue vs target during 2026-Q4"),
        &with("show new_revenue vs target at 2026-11-01"),
        &with("show new_revenue vs target q5 during 2026-Q4"),
        &with("show win_rate vs target q4 during 2026-Q4"),
        &with("show new_revenue vs target benelux during 2026"),
        &with("show new_revenue vs target q4, target q4 during 2026"),
    ]));
}

#[test]
fn a_target_on_the_whole_stands_beside_no_part() {
    let with = |query: &str| format!("{TARGETS}{query}");
    assert_snapshot!(each(&[
        &with("show new_revenue by kind vs target during 2026"),
        &with("show new_revenue by kind, region vs target whole during 2026"),
    ]));
    assert_snapshot!(meant(&shop(TARGETS), &["show new_revenue by region vs target during 2026"]));
}

#[test]
fn a_value_that_changes_with_its_period_is_told_beside_another_one() {
    let with = |query: &str| {
        format!(
            "target churn on churn_rate by 2026-12-31 reach 2% from 4% at 2026-01-01 review monthly\n\
             target quarterly on ratio(count(churns), avg(active)) during 2026 reach 5% each quarter\n\
             target yearly on 1 - ratio(count(ended(active)), opening(active)) during 2026 reach 80%\n\
             target sales on sum(revenue) by 2026-12-31 reach 100k EUR\n{query}"
        )
    };
    assert_snapshot!(each(&[
        &with("show churn_rate vs target during 2026-Q1"),
        &with("show churn_rate per quarter vs target during 2026"),
        &with("show ratio(count(churns), avg(active)) per month vs target during 2026"),
        &with("show 1 - ratio(count(ended(active)), opening(active)) per month vs target during 2026"),
        &with("show 1 - ratio(count(ended(active)), opening(active)) vs target during 2026-Q1"),
        &with("show sum(revenue) vs target during 2026-Q1"),
    ]));
    for right in [
        "show churn_rate per month vs target during 2026",
        "show churn_rate vs target during 2026-02",
        "show ratio(count(churns), avg(active)) per quarter vs target during 2026",
        "show 1 - ratio(count(ended(active)), opening(active)) vs target during 2026",
        "show 1 - ratio(count(ended(active)), opening(active)) vs target during 2025",
        "show sum(revenue) per month vs target during 2026",
    ] {
        assert_eq!(said(&with(right)), "", "{right}");
    }
    // A share, a mean and what has a window of its own are the same for a longer time; amounts add up.
    for (measured, goal) in [
        ("win_rate", "by 2026-12-31 reach 30%"),
        ("avg(orders.amount)", "during 2026 reach 50 EUR each month"),
        ("closing(active)", "by 2026-12-31 reach 100"),
        ("trailing(churn_rate, 1 month)", "by 2026-12-31 reach 2%"),
        ("sum(revenue) - sum(orders.cost)", "during 2026 reach 50k EUR each month"),
        ("sum(sum(revenue) per customer)", "during 2026 reach 50k EUR"),
    ] {
        let text = format!("target goal on {measured} {goal}\nshow {measured} per quarter vs target during 2026");
        assert_eq!(said(&text), "", "{text}");
    }
}
