//! Derived events, and the histories that rows and entities look into.

use crate::dump;
use crate::shop::{core, meant, said, shop};
use insta::assert_snapshot;

#[test]
fn derived_events() {
    assert_snapshot!(meant(
        &shop(
            "event first_web = new_customers where kind = \"web\"\n\
             event big_wins = wins where value > 1000 EUR\n\
             event first_upsells = first(orders where kind = \"upsell\") per customer\n\
             event firsts_by_campaign = first(orders) per campaign"
        ),
        &[
            "show count(new_customers), count(first_web), count(first_upsells), count(firsts_by_campaign)",
            "show sum(big_wins.value), avg(new_customers.amount), unique(wins.deal.owner)",
            "show count(first(orders) per customer), count(first(orders where kind = \"x\") per customer)",
            // The query's condition comes after the derived event is made.
            "show count(new_customers) where kind = \"upsell\"",
            "show count(repeat_orders where kind = \"upsell\")",
        ]
    ));
}

#[test]
fn rows_look_back_never_ahead() {
    assert_snapshot!(meant(
        &shop(
            "event second_orders = orders where count(orders) = 2\n\
             event tickets_solved = closings where solved and count(contacts) = 1\n\
             event loyal = orders where count(orders where kind = \"web\" over last 90 days) >= 3"
        ),
        &[
            "show count(orders where count(orders) = 1)",
            "show count(second_orders), count(second_orders where count(second_orders) = 1)",
            "show sales_cycle, fcr",
            "show median(wins.at - first(leads.at)), avg(wins.value - last(wins.value))",
            "show count(loyal), count(orders where count(leads over all time) > 0)",
            "show count(orders where last(surveys.score) >= 9) by last(surveys.rating)",
            // A history inside a history.
            "show count(orders where count(orders where count(leads) > 1) = 1)",
            "show sum(orders.amount - first(orders.amount))",
            "show count(orders where share(orders where kind = \"web\") > 50%)",
            "show count(orders where count(orders, per: campaign) = 1)",
        ]
    ));
}

#[test]
fn ages_are_judged_by_the_calendar() {
    let catalog = shop("segment anniversary of orders = age(new_customers) >= 1 year and 2 years > age(new_customers)");
    assert_snapshot!(meant(
        &catalog,
        &[
            "show count(orders where anniversary)",
            "show count(orders where orders.at - customer.created <= 30 days)",
            "show avg(orders.at - customer.created), max(orders.at - 7 days)",
            "show count(orders where at >= 2025-01-01 and at < 2025-02-01T12:00)",
            "show count(customer where now - last(orders.at) > 90 days)",
            "show sum(revenue) by age(new_customers, fiscal.quarter), age(new_customers) / 1 year",
        ]
    ));
    let query = core(&catalog, "show sum(revenue where first_year)");
    let filter = dump::row(query.aggregates[0].filter.as_ref().unwrap());
    assert!(filter.contains("moved 12 months") && !filter.contains("since"), "{filter}");
}

#[test]
fn whose_history_it_is() {
    // `of deal, customer` and `of customer, campaign` share the customer; two tickets' events their subject.
    assert_snapshot!(meant(
        &shop(
            "event transfers of seller at moved { buyer: customer  amount: money(EUR) }\nentity seller key id { }\n\
             event visits_paid of customer, seller at paid { }"
        ),
        &[
            "show count(wins where count(leads) > 0)",
            "show count(closings where count(contacts) = 1)",
            "show count(leads where count(spend) > 0)",
            "show count(orders where count(transfers) > 0)",
            "show count(visits_paid where count(transfers, per: customer) > 0)",
            "show sum(transfers.amount) by buyer.region, buyer, seller",
            "show sum(transfers.amount), sum(revenue) by region, tenure > 1 year as old",
            "show sum(transfers.amount) by customer.region",
        ]
    ));
    assert_snapshot!(said(
        "event transfers of seller at moved { buyer: customer }\nentity seller key id { }\n\
         event visits_paid of customer, seller at paid { }\n\
         show count(visits_paid where count(transfers) > 0)\n\
         show count(spend where count(surveys) > 0)\n\
         show count(visits_paid where count(transfers, per: campaign) > 0)\n\
         dimension quoted of agent = count(orders)"
    ));
}
