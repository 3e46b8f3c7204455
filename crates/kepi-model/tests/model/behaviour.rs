//! Sessions, gaps and lifecycles: what they lower to, and what is said about wrong ones.

use crate::messages::each;
use crate::shop::{meant, shop};
use insta::assert_snapshot;

#[test]
fn sessions_are_events() {
    assert_snapshot!(meant(
        &shop(
            "segment long of visits = length > 10 minutes and count >= 3\nmeasure seconds_each = visits.length / visits.count"
        ),
        &[
            "show count(visits), avg(visits.length), unique(visits.customer), count(visits where long) by page, region per day",
            "show median(sessions(views where page != \"home\", 1 hour).length), sum(seconds_each)",
            "show count(sessions(closings, 1 day, per: customer)), count(first(visits) per customer)",
            "show count(orders where count(visits over last 7 days) > 2)",
        ]
    ));
}

#[test]
fn gaps_end_before_the_row() {
    assert_snapshot!(meant(
        &shop("segment at_risk of customer = now - last(orders.at) > 3 * median(gap(orders))"),
        &[
            "show median(gap(orders)), avg(gap(wins, per: customer)), count(orders where gap(orders) < 1 day)",
            "show count(customer) by at_risk",
        ]
    ));
}

#[test]
fn lifecycles_label_entities() {
    assert_snapshot!(meant(
        &shop("dimension phase of customer = lifecycle(orders, month)"),
        &[
            "show count(customer) by lifecycle(orders, month) per month",
            "show share(customer where lifecycle(wins, fiscal.quarter) = \"new\")",
            "show count(customer), sum(revenue) by phase per month",
        ]
    ));
}

#[test]
fn wrong_behaviour() {
    assert_snapshot!(each(&[
        "show count(sessions(views))",
        "show count(sessions(views, 30))",
        "show count(sessions(customer, 30 minutes))",
        "show count(sessions(views, 30 minutes, per: deal))",
        "show count(sessions(views, 30 minutes, gap: 3))",
        "show sessions(views, 30 minutes)",
        "show sessions(views, 30 minutes).length",
        "show avg(sessions(views, 30 minutes).lenght)",
        "show gap(orders)",
        "show avg(gap(customer))",
        "show count(orders where gap(leads) > 1 day)",
        "show count(orders) by lifecycle(orders, month)",
        "show lifecycle(orders, month)",
        "show count(customer) by lifecycle(orders)",
        "show count(deal) by lifecycle(orders, month)",
        "show count(customer) by gap(orders)",
        "event labels of customer { tag: text }\nshow count(sessions(labels, 1 day))",
    ]));
}
