//! Functions, parameters with defaults, modules.

use crate::shop::{catalog, core, listed, meant, now, said, shop};
use insta::assert_snapshot;

#[test]
fn functions_and_parameters() {
    let catalog = shop(
        "segment at_risk(factor: number = 3, days: duration = 30 days) of customer = \
           now - last(orders.at) > days * factor\n\
         metric large(least: money = 100 EUR, kind_is: text = \"web\") = count(orders where amount >= least and kind = kind_is)\n\
         dimension size(limit_at: money(EUR)) of orders = case when amount >= limit_at then \"large\" else \"small\"",
    );
    assert_snapshot!(meant(
        &catalog,
        &[
            "show margin_pct(sum(revenue), sum(orders.cost)) as margin",
            "show count(customer where at_risk), count(customer where at_risk(factor: 5))",
            "show count(customer where at_risk(2, 10 days))",
            "show large, large(50 EUR), large(kind_is: \"upsell\")",
            "show sum(revenue) by size(limit_at: 100 EUR)",
        ]
    ));
}

#[test]
fn wrong_arguments() {
    assert_snapshot!(said(
        "segment late(days: duration) of customer = now - last(orders.at) > days\n\
         metric over_limit(least: money = 100 EUR) = count(orders where amount >= least)\n\
         show count(customer where late)\n\
         show count(customer where late(30 days, 4))\n\
         show count(customer where late(hours: 30 hours))\n\
         show count(customer where late(\"x\"))\n\
         show over_limit(5)\n\
         show margin_pct(1)\n\
         show margin_pct(sum(revenue), sum(orders.cost), within 3 days)\n\
         show margin_pc(1, 2)\n\
         show over_limit.amount"
    ));
}

#[test]
fn modules() {
    let shop = "module shop\nset currency = \"EUR\"\nentity customer key id { region: text }\n\
                event orders of customer at day { amount: money }\nmeasure revenue = orders.amount\n\
                metric aov = ratio(sum(revenue), count(orders))\n  with title = \"Average order\"\n\
                function half(x) = x / 2";
    let web = "module web\nuse shop\nevent visits of customer at day { page: text }\n\
               metric visits_per_order = ratio(count(visits), count(orders)) with title = \"Visits\"\n\
               metric half_order = half(aov)\nmetric other = sum(shop.revenue)";
    let shared = "metric rate = ratio(sum(shop.orders.amount), count(web.visits)) with title = \"x\"";
    let (catalog, problems) = catalog(&[shop, web, shared]);
    assert_eq!(problems, []);
    assert_eq!(catalog.check(now(&catalog)), []);
    assert_snapshot!(meant(
        &catalog,
        &[
            "show web.visits_per_order, half_order, web.other, rate",
            "show count(web.visits), count(orders), sum(shop.revenue) by region",
            "show count(shop.customer) by shop.customer.region",
        ]
    ));
}

#[test]
fn an_alias_stands_for_its_module() {
    let shop = "module shop\nentity customer key id { }\nevent orders of customer at day { amount: number }";
    let web = "module web\nuse shop as s\nmetric bought = sum(s.orders.amount)\nmetric n = count(s.orders)";
    let (catalog, problems) = catalog(&[shop, web]);
    assert_eq!(problems, []);
    assert_eq!(catalog.check(now(&catalog)), []);
    assert_eq!(core(&catalog, "show web.bought").aggregates.len(), 1);
}

#[test]
fn names_of_other_modules() {
    let shop = "module shop\nentity customer key id { }\nevent orders of customer at day { }";
    let web = "module web\nuse shopp\nmetric a = count(orders)\nmetric b = count(shop.order)";
    let (catalog, mut problems) = catalog(&[shop, web]);
    problems.extend(catalog.check(now(&catalog)));
    assert_snapshot!(listed(web, &problems));
}
