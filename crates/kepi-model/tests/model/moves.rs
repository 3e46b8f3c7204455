//! Moved windows, shares of totals and places: what they lower to, and what is said about wrong ones.

use crate::messages::each;
use crate::shop::{meant, said, shop};
use insta::assert_snapshot;

#[test]
fn every_aggregate_below_takes_the_move_along() {
    assert_snapshot!(meant(
        &shop("function per_order(x) = ratio(x, count(orders))"),
        &[
            "show sum(revenue), prior(sum(revenue), 1 year), to_date(sum(revenue), year) as ytd per month last 12 months",
            "show trailing(first_year_value, 3 months), running(per_order(sum(revenue))) per week",
            "show purchase_frequency",
            // The outermost move comes first.
            "show prior(trailing(sum(revenue), 3 months), 1 year), to_date(sum(revenue), fiscal.year)",
            "show prior(count(customer), 1 quarter) per month",
        ]
    ));
}

#[test]
fn growth_and_its_units() {
    assert_snapshot!(meant(
        &shop(""),
        &["show growth(sum(revenue), 1 year) per month", "show growth(win_rate, 1 month), growth(nps, 4 weeks)"]
    ));
}

#[test]
fn totals_and_places() {
    assert_snapshot!(meant(
        &shop("metric part : percent = of_total(sum(revenue))"),
        &[
            "show of_total(sum(revenue)) by region, kind",
            "show part, of_total(sum(revenue), kind), of_total(cac) by campaign as c, campaign.kind as kind",
            "show sum(revenue) as total, rank(sum(revenue)) as place by region having rank(total) <= 3 order by place",
            "show prior(of_total(sum(revenue)), 1 year), rank(prior(sum(revenue), 1 year)) by region",
            "show total(sum(revenue)), prior(total(unique(orders.customer), kind), 1 year) by region, kind",
            "show of_total(sum(revenue)) per month",
            "show rank(sum(revenue), kind), rank(sum(revenue)) by region, kind per month",
        ]
    ));
}

#[test]
fn a_named_column_is_moved_too() {
    assert_snapshot!(meant(
        &shop(""),
        &["show sum(revenue) as total by region having total > prior(total, 1 year) order by of_total(total)"]
    ));
}

#[test]
fn a_tables_column_is_moved_too() {
    assert_snapshot!(meant(
        &shop(""),
        &["show funnel(leads -> orders) by source having reached > prior(reached, 1 month) and of_total(rate) > 5%"]
    ));
}

#[test]
fn which_label_a_share_is_of_is_told_by_the_query() {
    assert_eq!(said("metric part : percent = of_total(sum(revenue), kind)\nshow part by kind"), "");
    assert_ne!(said("metric part : percent = of_total(sum(revenue), kind)\nshow part by region"), "");
}

#[test]
fn wrong_moves() {
    assert_snapshot!(each(&[
        "show prior(sum(revenue))",
        "show trailing(sum(revenue), 3)",
        "show trailing(sum(revenue), 0 days)",
        "show trailing(sum(revenue), 1.5 days)",
        "show prior(sum(revenue), revenue)",
        "show to_date(sum(revenue), years_so_far)",
        "show to_date(sum(revenue), 1 year)",
        "show prior(sum(revenue) where region = \"EU\", 1 year)",
        "show running(sum(revenue) per customer)",
        "show prior(revenue, 1 year)",
        "show growth(first(surveys.at), 1 year)",
        "show of_total(sum(revenue), region)",
        "show of_total(max(surveys.at)) by tier",
        "show rank(sum(revenue), kind) by region",
        "show of_total(rank(sum(revenue))) by region",
        "show rank(last(stage_changes.stage)) by deal",
        "show count(orders where trailing(sum(revenue), 1 month) > 5 EUR)",
        "show sum(revenue) by rank(sum(revenue))",
        "event labels of customer { tag: text }\nshow prior(count(labels), 1 month)",
        "event labels of customer { tag: text }\nshow prior(avg(count(labels) per customer), 1 month)",
        "event labels of customer { tag: text }\nshow avg(count(labels) per customer) during 2025",
    ]));
}
