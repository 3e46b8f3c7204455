//! What whole queries mean: every clause, both readings of the same question.

use crate::shop::{meant, shop};
use insta::assert_snapshot;

#[test]
fn the_first_example_in_both_readings() {
    assert_snapshot!(meant(
        &shop(""),
        &[
            // Event-dated: June's first-year revenue by June's new customers.
            "show ratio(sum(revenue where first_year), count(new_customers)) per month",
            // Cohort-dated: first-year revenue of those acquired in June.
            "show ratio(sum(revenue where first_year), count(new_customers)) by cohort(new_customers, month)",
        ]
    ));
}

#[test]
fn every_clause() {
    assert_snapshot!(meant(
        &shop(""),
        &[
            "show sum(revenue) as total by region as where_from per month where kind = \"web\" last 24 months \
             vs previous year, previous having count(orders) > 10 order by month desc, where_from, total desc \
             limit 5 with other fill 0 EUR",
            "show sum(revenue) per day this month fill previous",
            "show sum(revenue) per week this year to date vs previous year aligned by weekday fill missing",
            "show sum(revenue) during 2026-Q1 vs 2025-Q1, fiscal.2025-Q4",
            "count(orders) per fiscal.quarter during fiscal.2026 order by fiscal.quarter",
            "show cac this year to date",
            "show sum(revenue) by region order by sum(revenue) desc, count(orders), region",
            "show sum(revenue) * 2 as doubled by region having doubled > 10 EUR and region != \"EU\"",
        ]
    ));
}

#[test]
fn equal_aggregates_are_one() {
    assert_snapshot!(meant(
        &shop(""),
        &["show first_year_value, sum(revenue where first_year), count(new_customers), sum(orders.amount) \
             having sum(revenue) > 0 EUR",]
    ));
}

#[test]
fn labels() {
    assert_snapshot!(meant(
        &shop(""),
        &[
            "show sum(revenue), count(leads) by campaign, campaign.name, customer.region",
            "show sum(revenue) by cohort(new_customers, month) as cohort, age(new_customers, month) as age during 2025",
            "show sum(revenue) by customer.tier, weekday(orders.at), first_year",
            "show sum(revenue) by kind, month(at), year(ordered)",
            "show sum(revenue) by case when amount >= 100 EUR then \"large\" else \"small\"",
            "show count(customer) by region, customer.tier at 2026-06-30",
        ]
    ));
}

#[test]
fn entities_are_rows_at_the_cells_end() {
    assert_snapshot!(meant(
        &shop("dimension bought of customer = count(orders over last 90 days)"),
        &[
            "show count(customer) per month last 3 months",
            "show share(customer where sum(revenue over last 12 months) > 1000 EUR) as large by region",
            "show count(customer where bought >= 3) by tenure >= 2 years as loyal",
            "show email_known, email_valid, duplicates",
            "show unique(customer.email)",
            "show avg(account.turnover) by sector",
        ]
    ));
}

#[test]
fn dimensions_of_entities_seen_from_events() {
    assert_snapshot!(meant(
        &shop("dimension spent of customer = sum(revenue)\nsegment big of customer = spent > 1000 EUR"),
        &[
            "show sum(revenue) by big",
            "show count(leads where customer.big)",
            "show count(stage_changes) where not big"
        ]
    ));
}

#[test]
fn plugins() {
    assert_snapshot!(meant(
        &shop(""),
        &[
            "show stats.mode(orders.kind where amount > 10 EUR) by region",
            "show sum(tax.net(orders.amount, 21%)), tax.net(sum(revenue))",
        ]
    ));
}
