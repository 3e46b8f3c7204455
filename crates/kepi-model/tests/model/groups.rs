//! Aggregates of aggregates, and what `over` looks at where there is no row.

use crate::shop::{meant, said, shop};
use insta::assert_snapshot;
use std::fmt::Write;

#[test]
fn aggregates_of_aggregates() {
    assert_snapshot!(meant(
        &shop("metric spent = sum(revenue)"),
        &[
            "show avg(sum(margin) per customer) by region per month",
            "show avg(sum(margin) per customer, year), orders_each",
            "show avg(unique(views.customer) per day) per month last 3 months",
            "show percentile(ratio(sum(margin), count(orders)) per customer, 90, mode: observed)",
            "show avg(spent per customer where region = \"EU\" and count(orders) > 2)",
            "show max(avg(sum(revenue) per customer, month) per region) per year",
            "show avg(sum(margin) per every customer) by region where customer.tier = \"gold\"",
            "show avg(count(orders) per every customer, month) per year",
            "show count(count(orders) per customer where active), share(sum(revenue) per customer where active)",
            "show sum(count(orders) per kind where kind != \"x\"), max(sum(revenue) per campaign.name)",
            "show avg(first(wins.at) - first(leads.at) per customer)",
            "show prior(avg(sum(revenue) per customer), 1 year), of_total(avg(sum(revenue) per customer)) by region",
            "show avg(sum(revenue) per customer over last 90 days)",
            "show avg(sum(revenue) per customer, fiscal.quarter) per fiscal.year",
            "show avg(trailing(sum(revenue), 3 months) per customer, month), max(of_total(sum(revenue)) per customer) by region",
            "show avg(max(sum(revenue) per month) per every customer) by region",
            "show avg(sum(revenue) per kind, customer where kind != \"x\" and subscribed) by kind",
            "show avg(count(started(active)) per customer), last(unique(orders.customer) per week) per month",
        ]
    ));
}

#[test]
fn groups_of_states() {
    assert_snapshot!(meant(
        &shop("metric change = closing(mrr) - opening(mrr)"),
        &[
            "show sum(closing(mrr) per customer where opening(mrr) = 0 EUR)",
            "show sum(greatest(opening(mrr) - closing(mrr), 0 EUR) per customer) by region per month",
            "show sum(time_in(active) per customer), avg(time_in(active) per every customer)",
            "show avg(change per customer), max(avg(mrr) per customer), count(kept(active) per customer)",
            "show first(closing(balance) per day), avg(closing(mrr) per customer, month) per year",
            "show sum(sum(margin) - closing(mrr) per customer)",
            "show sum(closing(mrr where region = \"EU\") per customer)",
            "show avg(closing(active) per month) per year",
        ]
    ));
}

#[test]
fn groups_in_a_history() {
    assert_snapshot!(meant(
        &shop(""),
        &[
            "show count(customer where max(sum(revenue) per month) > 5 EUR)",
            "show count(orders where avg(count(orders) per customer, month over last 90 days) >= 2)",
            "show count(customer where max(avg(sum(revenue) per day) per month) > 5 EUR)",
        ]
    ));
}

#[test]
fn over_without_a_row() {
    assert_snapshot!(meant(
        &shop(""),
        &[
            "show sum(revenue over last 90 days), sum(revenue over all time), sum(revenue over period) per month",
            "show share(customer where count(orders over period) >= 2) as repeat_rate per quarter during 2025",
            "show count(orders where count(orders over period) = 1)",
            "show unique(orders.customer over all time), count(wins over last 1 year)",
            "show prior(sum(revenue over last 90 days), 1 year), share(orders where kind = \"x\" over last 3 months)",
            "show count(ended(active) over last 90 days), time_in(active over all time)",
        ]
    ));
}

fn each(texts: &[&str]) -> String {
    let mut out = String::new();
    for text in texts {
        let said = said(text);
        assert!(!said.is_empty(), "{text}: must be refused");
        writeln!(out, "{said}").unwrap();
    }
    out
}

#[test]
fn wrong_groups() {
    assert_snapshot!(each(&[
        "show avg(sum(margin) per customer, year) per month",
        "show avg(avg(sum(margin) per customer, month) per customer, week)",
        "show avg(sum(revenue))",
        "show avg(revenue per customer)",
        "show avg(5 per customer)",
        "show count(orders per customer)",
        "show sum(orders per customer)",
        "show avg(sum(revenu) per customer)",
        "show avg(sum(revenue) per custmer)",
        "show avg(sum(spend.amount) per customer)",
        "show avg(sum(revenue) + sum(spend.amount) per customer)",
        "show avg(sum(revenue) per day, month)",
        "show avg(sum(revenue) per every month)",
        "show avg(sum(revenue) per every kind)",
        "show first(sum(revenue) per customer)",
        "show avg(sum(revenue) per new_customers)",
        "show avg(sum(revenue) per customer where kind = \"x\")",
        "show avg(sum(revenue) per customer where sum(revenue) > 5)",
        "show avg(sum(revenue) per every customer) by kind",
        "show sum(last(surveys.score) per customer where closing(mrr) > 5 EUR and zzz)",
        "show avg(sum(margin) per customer, month where closing(mrr) > 5 EUR) per year",
        "show sum(closing(stage) per deal)",
        "show sum(first(orders.kind) per customer)",
        "metric x : duration = avg(first(wins.at) - first(leads.at))",
        "show count(customer where avg(sum(revenue) per every customer) > 5 EUR)",
        "show count(customer where first(sum(revenue) per campaign) > 5 EUR)",
        "show avg(sum(revenue per customer))",
        "metric x = avg(x per customer)",
        "show count(count(orders) >= 2 per customer)",
        "show sum(count(orders) >= 2 per customer)",
        "show retention(new_customers -> orders, period: month) having avg(sum(revenue) per customer) > 5 EUR",
    ]));
}

#[test]
fn wrong_over() {
    assert_snapshot!(each(&[
        "show count(customer over last 90 days)",
        "show sum(revenue over this month)",
        "show sum(revenue over last 3 months to date)",
        "show count(orders where count(orders over this month) > 1)",
        "show sum(revenue over last 0 days)",
        "event labels of customer { tag: text }\nshow count(labels over last 3 days)",
        "show opening(active over all time)",
        "event e = orders over all time",
    ]));
}
