//! Funnels, conversions and retention: what they lower to, and what is said about wrong ones.

use crate::messages::each;
use crate::shop::{meant, said, shop};
use insta::assert_snapshot;

#[test]
fn a_funnel_is_a_table() {
    assert_snapshot!(meant(
        &shop("metric onboarding = funnel(leads -> orders)"),
        &[
            "show funnel(leads -> stage_changes where stage = \"proposal\" -> wins, within 90 days, order: strict) by source",
            "show funnel(leads -> wins without losses -> orders, within 90 days, per: customer, entry: first) per month",
            "show onboarding by region where source = \"web\" last 12 months vs previous year \
             having reached > 10 order by rate desc limit 3",
            "show funnel(views, entry: every)",
        ]
    ));
}

#[test]
fn options_of_chains() {
    assert_snapshot!(meant(
        &shop("metric lost_first : percent = 1 - conversion(leads -> losses, within 2 weeks)"),
        &[
            "show funnel(sends -> deliveries -> opens, order: any, entry: every, hold: message)",
            "show funnel(sends -> opens without clicks where message = \"x\" -> clicks, exclude: drop, per: campaign, entry: every)",
            "show funnel(views -> orders, order: strict, among: [leads, visits], entry: every)",
            "show lead_conversion, conversion(leads -> wins, credit: earliest) as won by source last 12 months order by won desc limit 10",
            "show trailing(conversion(first(leads) per customer -> first(orders) per customer), 1 quarter), lost_first per month",
            "show conversion(leads -> wins) by wins.owner, region where wins.value > 100 EUR",
            "show funnel(orders where kind = \"a\" -> upsells -> orders, within 9 days, order: free)",
            "show funnel(leads -> orders where kind = \"a\", within 90 days, each: 2 weeks, where: region = \"DACH\", entry: every)",
        ]
    ));
}

#[test]
fn all_rows_of_a_steps_event_interrupt_a_strict_chain() {
    assert_snapshot!(meant(
        &shop(""),
        &[
            // Once, however many steps are of the event, and beside a part of it that is named.
            "show conversion(views where page = \"a\" -> views where page = \"b\", order: strict)",
            "show conversion(leads -> orders where kind = \"a\", order: strict, among: upsells)",
        ]
    ));
}

#[test]
fn a_chain_follows_one_role_where_events_share_it() {
    assert_snapshot!(meant(
        &shop(
            "event moves of deal at moved { one: customer  two: customer }\n\
             event gifts of ticket at given { one: customer  two: customer }\n\
             event thanks of ticket at given { three: customer }"
        ),
        &[
            "show conversion(moves -> gifts, per: two)",
            "show conversion(moves -> thanks, per: two)",
            "show conversion(gifts -> thanks)",
        ]
    ));
}

#[test]
fn retention_is_a_table_or_a_number() {
    assert_snapshot!(meant(
        &shop(""),
        &[
            "show retention(new_customers -> orders, period: week, mode: onward)",
            "show retention(orders -> orders, period: day, clock: own, brackets: [1, 3, 7]) by region last 30 days \
             having size >= 10 order by age, cohort desc",
            "show month_retention during 2025",
            "show month_retention per month vs previous",
            "show month_retention by cohort(new_customers, quarter) having count(new_customers) >= 30",
            "show retention(leads -> wins, period: fiscal.quarter, age: 2, mode: onward, per: customer) per fiscal.quarter",
            "show retention(orders -> orders, period: week, brackets: [1, 3, 7], age: 2, clock: own)",
            "show retention(orders -> orders, period: month, at_least: 2, hold: kind, where: amount > 10 EUR, age: 1)",
        ]
    ));
}

#[test]
fn wrong_chains() {
    assert_snapshot!(each(&[
        "show conversion(spend -> closings, within 3 days)",
        "show conversion(contacts -> closings -> wins, per: ticket)",
        "event calls of deal, ticket, customer at called { }\n\
         event visits_paid of ticket, deal at paid { }\nshow conversion(calls -> visits_paid)",
        "show conversion(leads)",
        "show conversion()",
        "show conversion(leads -> customer)",
        "show conversion(leads -> ordres)",
        "show conversion(leads -> wins, 90 days)",
        "show conversion(leads -> wins, within 90)",
        "show conversion(leads -> wins, entry: first)",
        "show conversion(leads -> wins, credit: last)",
        "show conversion(leads -> wins, hold: campaign)",
        "show conversion(sends -> orders, hold: message)",
        "show conversion(leads -> orders, hold: at, hold: campaign)",
        "show conversion(leads -> wins, exclude: drop)",
        "show conversion(leads -> wins) by owner",
        "show conversion(leads -> wins) by orders.kind",
        "show conversion(leads -> wins).rate",
        "show funnel(leads -> wins) + 1",
        "show funnel(leads -> wins), count(leads)",
        "show funnel(leads -> wins) as f",
        "show funnel(leads -> wins) by source as step",
        "show funnel(leads -> wins, ordr: any)",
        "show funnel(leads -> wins, order: random)",
        "show funnel(leads -> wins without losses -> orders, order: any)",
        "show funnel(leads -> wins, among: views)",
        "show funnel(leads -> wins, per: campaign)",
        "show funnel(leads -> wins, where: source = \"web\")",
        "show funnel(leads -> wins, where: web)",
        "show funnel(leads -> wins -> orders, order: any, each: 3 days)",
        "show funnel(leads -> orders, order: free)",
        "show funnel(first(orders) per customer -> orders, order: free)",
        "show funnel(orders -> upsells without losses -> orders, order: free)",
        "show conversion(orders -> upsells, order: free)",
        "show funnel(leads -> wins, each: 3)",
        "show funnel(leads -> wins) having reachd > 5",
        "metric f : percent = funnel(leads -> wins)",
        "metric f = funnel(leads -> wins)\nmetric g = f * 2",
        "event labels of customer { tag: text }\nshow funnel(leads -> labels)",
    ]));
}

#[test]
fn wrong_retention() {
    assert_snapshot!(each(&[
        "show retention(new_customers -> orders)",
        "show retention(new_customers, period: month)",
        "show retention(leads -> wins -> orders, period: month)",
        "show retention(leads -> wins without losses -> orders, period: month)",
        "show retention(new_customers -> orders, period: month, within 3 months)",
        "show retention(new_customers -> orders, period: 3 months)",
        "show retention(new_customers -> orders, period: months_of_mine)",
        "show retention(new_customers -> orders, period: month, mode: rolling)",
        "show retention(new_customers -> orders, period: day, brackets: [1, 3, 3])",
        "show retention(new_customers -> orders, period: day, brackets: 3)",
        "show retention(new_customers -> orders, period: day, at_least: 0)",
        "show retention(new_customers -> orders, period: day, at_least: 1.5)",
        "show retention(leads -> orders, period: day, hold: source)",
        "show retention(leads -> orders, period: day, where: source = \"web\")",
        "show retention(orders -> orders, period: month) where count(orders over period) > 1",
        "show retention(new_customers -> orders, period: month, age: 1.5)",
        "show retention(new_customers -> orders, period: day, brackets: [1, 3], age: 3)",
        "show retention(new_customers -> orders, period: month) * 100",
        "show retention(new_customers -> orders, period: month), count(orders)",
        "show retention(new_customers -> orders, period: month) by region as cohort",
        "show retention(spend -> closings, period: month)",
        "show retention(new_customers -> orders, period: fiscal.quarter, clock: own)",
        "show count(orders where retention(new_customers -> orders, period: month, age: 1) > 5%)",
    ]));
}

#[test]
fn metrics_that_are_tables_are_checked() {
    assert_eq!(said("metric f = funnel(leads -> wins, within 90 days)\nshow f by source"), "");
    assert_eq!(said("metric r = retention(new_customers -> orders, period: month)\nshow r"), "");
}
